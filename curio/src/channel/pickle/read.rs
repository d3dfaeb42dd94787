//! From values to what serde wants (K2, K3).

use std::cell::Cell;

use serde::de::value::{SeqDeserializer, StrDeserializer};
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::parse::{Value, Values};
use super::{Bad, DEPTH};

pub(super) fn read<T: DeserializeOwned>(values: &Values<'_>, allowance: usize) -> Result<T, Bad> {
    T::deserialize(Reader {
        values,
        number: values.root,
        deeper: DEPTH,
        allowance: &Cell::new(allowance),
        again: false,
    })
}

/// One value, and how much more may be read.
#[derive(Clone, Copy)]
struct Reader<'a> {
    values: &'a Values<'a>,
    number: u32,
    /// K2.
    deeper: usize,
    /// K3.
    allowance: &'a Cell<usize>,
    /// Whether it is in something that is read once more.
    again: bool,
}

/// What a value costs that is read once more, be it as small as it may: about the memory that it takes then.
const AGAIN: usize = 64;

impl<'a> Reader<'a> {
    fn value(&self) -> &'a Value {
        &self.values.all[self.number as usize]
    }

    /// The bytes of a text, which the message has as they are.
    fn text(&self, range: &std::ops::Range<usize>) -> Result<&'a [u8], Bad> {
        self.spend(range.len())?;
        Ok(&self.values.message[range.clone()])
    }

    fn str(&self, range: &std::ops::Range<usize>) -> Result<&'a str, Bad> {
        std::str::from_utf8(self.text(range)?).map_err(Bad::new)
    }

    fn spend(&self, amount: usize) -> Result<(), Bad> {
        let left = self.allowance.get().checked_sub(amount);
        let left = left.ok_or_else(|| Bad::new("it refers to the same things too often"))?;
        self.allowance.set(left);
        Ok(())
    }

    fn inner(self, number: u32) -> Result<Reader<'a>, Bad> {
        let again = self.again | self.values.all[number as usize].follow();
        self.spend(if again { AGAIN } else { 1 })?;
        let deeper = self.deeper.checked_sub(1);
        Ok(Reader {
            number,
            again,
            deeper: deeper.ok_or_else(|| Bad::new("it is nested too deep, or contains itself"))?,
            ..self
        })
    }
}

impl<'de> de::Deserializer<'de> for Reader<'_> {
    type Error = Bad;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Bad> {
        match self.value() {
            Value::None => visitor.visit_unit(),
            Value::Bool(bool) => visitor.visit_bool(*bool),
            Value::Int(int) => {
                if let Ok(int) = i64::try_from(*int) {
                    visitor.visit_i64(int)
                } else if let Ok(int) = u64::try_from(*int) {
                    visitor.visit_u64(int)
                } else {
                    visitor.visit_i128(*int)
                }
            }
            Value::Float(float) => visitor.visit_f64(*float),
            Value::Str(range) => visitor.visit_str(self.str(range)?),
            Value::Bytes(range) => visitor.visit_bytes(self.text(range)?),
            Value::Seq(items, _) => {
                let mut items = Items {
                    reader: self,
                    items: items.iter(),
                };
                let value = visitor.visit_seq(&mut items)?;
                match items.items.len() {
                    0 => Ok(value),
                    more => Err(Bad::new(format_args!("it has {more} items too many"))),
                }
            }
            Value::Dict(items, _) => visitor.visit_map(Items {
                reader: self,
                items: items.iter(),
            }),
            Value::Same => Err(Bad::new("it is no plain data, but a class")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Bad> {
        match self.value() {
            Value::None => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Bad> {
        visitor.visit_newtype_struct(self)
    }

    /// A `Vec<u8>` does not know that it could be bytes.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Bad> {
        match self.value() {
            Value::Bytes(range) => {
                let bytes = self.text(range)?.iter().copied();
                visitor.visit_seq(SeqDeserializer::<_, Bad>::new(bytes))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Bad> {
        match self.value() {
            Value::Str(range) => {
                let name: StrDeserializer<'_, Bad> = self.str(range)?.into_deserializer();
                visitor.visit_enum(name)
            }
            Value::Dict(items, _) => match items[..] {
                [name, value] => visitor.visit_enum(Variant {
                    name: self.inner(name)?,
                    value: self.inner(value)?,
                }),
                _ => Err(Bad::new("a variant is a dict with one item")),
            },
            _ => Err(de::Error::invalid_type(
                Unexpected::Other("this"),
                &"a variant: its name, or a dict of its name and value",
            )),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        tuple tuple_struct map struct identifier ignored_any
    }
}

/// The items of a sequence, or the keys and values of a dict.
struct Items<'a> {
    reader: Reader<'a>,
    items: std::slice::Iter<'a, u32>,
}

impl Items<'_> {
    fn next<'de, T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Bad> {
        let Some(&item) = self.items.next() else {
            return Ok(None);
        };
        seed.deserialize(self.reader.inner(item)?).map(Some)
    }
}

impl<'de> de::SeqAccess<'de> for &mut Items<'_> {
    type Error = Bad;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Bad> {
        self.next(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

impl<'de> de::MapAccess<'de> for Items<'_> {
    type Error = Bad;

    fn next_key_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Bad> {
        self.next(seed)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Bad> {
        let value = self.next(seed)?;
        value.ok_or_else(|| Bad::new("a key has no value"))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len() / 2)
    }
}

/// A variant with a value.
struct Variant<'a> {
    name: Reader<'a>,
    value: Reader<'a>,
}

impl<'de, 'a> de::EnumAccess<'de> for Variant<'a> {
    type Error = Bad;
    type Variant = Reader<'a>;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Reader<'a>), Bad> {
        Ok((seed.deserialize(self.name)?, self.value))
    }
}

impl<'de> de::VariantAccess<'de> for Reader<'_> {
    type Error = Bad;

    fn unit_variant(self) -> Result<(), Bad> {
        de::Deserialize::deserialize(self)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Bad> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Bad> {
        de::Deserializer::deserialize_any(self, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Bad> {
        de::Deserializer::deserialize_any(self, visitor)
    }
}
