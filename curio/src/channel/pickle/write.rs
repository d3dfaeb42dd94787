//! From what serde gives to bytes: protocol 4, which every Python since 3.4 reads.
//!
//! The items of a collection stand between a mark and the instruction that takes all since the mark. So nothing has to be
//! counted first, and nothing is kept: the bytes are written as they come.

use serde::ser::{self, Serialize};

use super::{Bad, op};

pub(super) fn write<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), Bad> {
    out.extend([op::PROTO, 4]);
    value.serialize(&mut Writer { out })?;
    out.push(op::STOP);
    Ok(())
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl Writer<'_> {
    fn int(&mut self, int: i128) {
        let out = &mut *self.out;
        if let Ok(int) = u8::try_from(int) {
            out.extend([op::BININT1, int]);
        } else if let Ok(int) = u16::try_from(int) {
            out.push(op::BININT2);
            out.extend(int.to_le_bytes());
        } else if let Ok(int) = i32::try_from(int) {
            out.push(op::BININT);
            out.extend(int.to_le_bytes());
        } else {
            out.extend([op::LONG1, 16]);
            out.extend(int.to_le_bytes());
        }
    }

    /// A text with its length, in the instruction for short, usual or huge ones.
    fn text(&mut self, text: &[u8], [short, usual, huge]: [u8; 3]) {
        let count = text.len();
        if let Ok(count) = u8::try_from(count) {
            self.out.extend([short, count]);
        } else if let Ok(count) = u32::try_from(count) {
            self.out.push(usual);
            self.out.extend(count.to_le_bytes());
        } else {
            self.out.push(huge);
            self.out.extend((count as u64).to_le_bytes());
        }
        self.out.extend_from_slice(text);
    }

    fn str(&mut self, text: &str) {
        self.text(
            text.as_bytes(),
            [op::SHORT_BINUNICODE, op::BINUNICODE, op::BINUNICODE8],
        );
    }

    /// Begins the dict of a variant's name and value, which ends with `SETITEM`.
    fn variant(&mut self, name: &str) {
        self.out.push(op::EMPTY_DICT);
        self.str(name);
    }
}

/// A collection that was begun, and what ends it.
struct Items<'a, 'b> {
    writer: &'a mut Writer<'b>,
    end: &'static [u8],
}

impl<'a, 'b> Writer<'b> {
    fn items(&'a mut self, begin: &[u8], end: &'static [u8]) -> Items<'a, 'b> {
        self.out.extend_from_slice(begin);
        Items { writer: self, end }
    }
}

impl Items<'_, '_> {
    fn item<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), Bad> {
        item.serialize(&mut *self.writer)
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Bad> {
        self.writer.str(name);
        self.item(value)
    }

    fn finish(self) -> Result<(), Bad> {
        self.writer.out.extend_from_slice(self.end);
        Ok(())
    }
}

impl<'a, 'b> ser::Serializer for &'a mut Writer<'b> {
    type Ok = ();
    type Error = Bad;
    type SerializeSeq = Items<'a, 'b>;
    type SerializeTuple = Items<'a, 'b>;
    type SerializeTupleStruct = Items<'a, 'b>;
    type SerializeTupleVariant = Items<'a, 'b>;
    type SerializeMap = Items<'a, 'b>;
    type SerializeStruct = Items<'a, 'b>;
    type SerializeStructVariant = Items<'a, 'b>;

    fn serialize_bool(self, bool: bool) -> Result<(), Bad> {
        self.out.push(if bool { op::NEWTRUE } else { op::NEWFALSE });
        Ok(())
    }

    fn serialize_i8(self, int: i8) -> Result<(), Bad> {
        self.serialize_i128(int.into())
    }

    fn serialize_i16(self, int: i16) -> Result<(), Bad> {
        self.serialize_i128(int.into())
    }

    fn serialize_i32(self, int: i32) -> Result<(), Bad> {
        self.serialize_i128(int.into())
    }

    fn serialize_i64(self, int: i64) -> Result<(), Bad> {
        self.serialize_i128(int.into())
    }

    fn serialize_i128(self, int: i128) -> Result<(), Bad> {
        self.int(int);
        Ok(())
    }

    fn serialize_u8(self, int: u8) -> Result<(), Bad> {
        self.serialize_i128(int.into())
    }

    fn serialize_u16(self, int: u16) -> Result<(), Bad> {
        self.serialize_i128(int.into())
    }

    fn serialize_u32(self, int: u32) -> Result<(), Bad> {
        self.serialize_i128(int.into())
    }

    fn serialize_u64(self, int: u64) -> Result<(), Bad> {
        self.serialize_i128(int.into())
    }

    fn serialize_u128(self, int: u128) -> Result<(), Bad> {
        self.int(i128::try_from(int).map_err(|_| Bad::new("an integer is too large"))?);
        Ok(())
    }

    fn serialize_f32(self, float: f32) -> Result<(), Bad> {
        self.serialize_f64(float.into())
    }

    fn serialize_f64(self, float: f64) -> Result<(), Bad> {
        self.out.push(op::BINFLOAT);
        self.out.extend(float.to_be_bytes());
        Ok(())
    }

    fn serialize_char(self, char: char) -> Result<(), Bad> {
        self.serialize_str(char.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, text: &str) -> Result<(), Bad> {
        self.str(text);
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Bad> {
        self.text(bytes, [op::SHORT_BINBYTES, op::BINBYTES, op::BINBYTES8]);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Bad> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Bad> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Bad> {
        self.out.push(op::NONE);
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), Bad> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), Bad> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), Bad> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Bad> {
        self.variant(variant);
        value.serialize(&mut *self)?;
        self.out.push(op::SETITEM);
        Ok(())
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<Items<'a, 'b>, Bad> {
        Ok(self.items(&[op::EMPTY_LIST, op::MARK], &[op::APPENDS]))
    }

    fn serialize_tuple(self, _len: usize) -> Result<Items<'a, 'b>, Bad> {
        Ok(self.items(&[op::MARK], &[op::TUPLE]))
    }

    fn serialize_tuple_struct(self, _name: &'static str, _len: usize) -> Result<Items<'a, 'b>, Bad> {
        Ok(self.items(&[op::MARK], &[op::TUPLE]))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Items<'a, 'b>, Bad> {
        self.variant(variant);
        Ok(self.items(&[op::MARK], &[op::TUPLE, op::SETITEM]))
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Items<'a, 'b>, Bad> {
        Ok(self.items(&[op::EMPTY_DICT, op::MARK], &[op::SETITEMS]))
    }

    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<Items<'a, 'b>, Bad> {
        self.serialize_map(None)
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Items<'a, 'b>, Bad> {
        self.variant(variant);
        Ok(self.items(&[op::EMPTY_DICT, op::MARK], &[op::SETITEMS, op::SETITEM]))
    }
}

/// Serde has seven traits for what has several items. Six are the same but for the names of trait and method; each line says
/// these, and which method of [`Items`] does it. The seventh, with two methods, stands below.
macro_rules! collections {
    ($($collection:ident: $method:ident($($name:ident)?) is $same:ident;)*) => {$(
        impl ser::$collection for Items<'_, '_> {
            type Ok = ();
            type Error = Bad;

            fn $method<T: Serialize + ?Sized>(&mut self, $($name: &'static str,)? item: &T) -> Result<(), Bad> {
                self.$same($($name,)? item)
            }

            fn end(self) -> Result<(), Bad> {
                self.finish()
            }
        }
    )*};
}

collections! {
    SerializeSeq: serialize_element() is item;
    SerializeTuple: serialize_element() is item;
    SerializeTupleStruct: serialize_field() is item;
    SerializeTupleVariant: serialize_field() is item;
    SerializeStruct: serialize_field(name) is field;
    SerializeStructVariant: serialize_field(name) is field;
}

impl ser::SerializeMap for Items<'_, '_> {
    type Ok = ();
    type Error = Bad;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Bad> {
        self.item(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Bad> {
        self.item(value)
    }

    fn end(self) -> Result<(), Bad> {
        self.finish()
    }
}
