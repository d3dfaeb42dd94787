//! From bytes to values: the stack machine (K1).
//!
//! Sets before Python 3.8 and byte arrays before 3.14 come as "call `set` with this list". These three names are known, and
//! what they would be called with is taken for the result; so nothing is called here either.

use std::cell::Cell;
use std::ops::Range;

use super::{Bad, op};

/// A value. Others are referred to by their number.
#[derive(Debug)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    /// Where in the message it is.
    Str(Range<usize>),
    Bytes(Range<usize>),
    /// A list, tuple or set; and whether it was followed before.
    Seq(Vec<u32>, Cell<bool>),
    /// Keys and values in turn; and whether it was followed before.
    Dict(Vec<u32>, Cell<bool>),
    /// `set`, `frozenset` or `bytearray`, which make a value of the same shape from what they are given.
    Same,
}

impl Value {
    fn seq(items: Vec<u32>) -> Value {
        Value::Seq(items, Cell::default())
    }

    /// Whether it has been followed before. It has now, if it leads anywhere.
    pub(super) fn follow(&self) -> bool {
        match self {
            Value::Seq(_, before) | Value::Dict(_, before) => before.replace(true),
            _ => false,
        }
    }
}

#[derive(Debug)]
pub(super) struct Values<'a> {
    pub(super) message: &'a [u8],
    pub(super) all: Vec<Value>,
    pub(super) root: u32,
}

pub(super) fn parse(message: &[u8]) -> Result<Values<'_>, Bad> {
    Machine {
        message,
        at: 0,
        all: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: Vec::new(),
    }
    .run()
}

struct Machine<'a> {
    message: &'a [u8],
    at: usize,
    all: Vec<Value>,
    stack: Vec<u32>,
    /// How high the stack was at each mark.
    marks: Vec<usize>,
    /// Values that are referred to again; `NOTHING` where there is none.
    memo: Vec<u32>,
}

const NOTHING: u32 = u32::MAX;

impl<'a> Machine<'a> {
    fn run(mut self) -> Result<Values<'a>, Bad> {
        if self.message.first() != Some(&op::PROTO) {
            return Err(Bad::new("it is no pickle of protocol 2 or later"));
        }
        loop {
            let code = self.byte()?;
            if code == op::STOP {
                let root = self.pop()?;
                return Ok(Values {
                    message: self.message,
                    all: self.all,
                    root,
                });
            }
            self.step(code)?;
        }
    }

    fn step(&mut self, code: u8) -> Result<(), Bad> {
        match code {
            op::PROTO => {
                self.bytes(1)?;
            }
            op::FRAME => {
                self.bytes(8)?;
            }
            op::MARK => self.marks.push(self.stack.len()),
            op::POP => {
                self.pop()?;
            }
            op::POP_MARK => {
                self.pop_mark()?;
            }
            op::DUP => self.stack.push(self.top()?),

            op::BINPUT => {
                let place = self.number(1)?;
                self.memoize(place)?;
            }
            op::LONG_BINPUT => {
                let place = self.number(4)?;
                self.memoize(place)?;
            }
            op::MEMOIZE => self.memoize(self.memo.len())?,
            op::BINGET => {
                let place = self.number(1)?;
                self.recall(place)?;
            }
            op::LONG_BINGET => {
                let place = self.number(4)?;
                self.recall(place)?;
            }

            op::NONE => self.push(Value::None)?,
            op::NEWTRUE => self.push(Value::Bool(true))?,
            op::NEWFALSE => self.push(Value::Bool(false))?,
            op::BININT => {
                let int = self.array().map(i32::from_le_bytes)?;
                self.push(Value::Int(int.into()))?;
            }
            op::BININT1 => {
                let int = self.byte()?;
                self.push(Value::Int(int.into()))?;
            }
            op::BININT2 => {
                let int = self.array().map(u16::from_le_bytes)?;
                self.push(Value::Int(int.into()))?;
            }
            op::LONG1 => self.long(1)?,
            op::LONG4 => self.long(4)?,
            op::BINFLOAT => {
                let float = self.array().map(f64::from_be_bytes)?;
                self.push(Value::Float(float))?;
            }

            op::SHORT_BINBYTES => self.text(1, Value::Bytes)?,
            op::BINBYTES => self.text(4, Value::Bytes)?,
            op::BINBYTES8 | op::BYTEARRAY8 => self.text(8, Value::Bytes)?,
            op::SHORT_BINUNICODE => self.text(1, Value::Str)?,
            op::BINUNICODE => self.text(4, Value::Str)?,
            op::BINUNICODE8 => self.text(8, Value::Str)?,

            op::EMPTY_LIST | op::EMPTY_TUPLE | op::EMPTY_SET => self.push(Value::seq(Vec::new()))?,
            op::EMPTY_DICT => self.push(Value::Dict(Vec::new(), Cell::default()))?,
            op::TUPLE1 => self.tuple(1)?,
            op::TUPLE2 => self.tuple(2)?,
            op::TUPLE3 => self.tuple(3)?,
            op::TUPLE | op::FROZENSET => {
                let items = self.pop_mark()?;
                self.push(Value::seq(items))?;
            }
            op::APPEND => {
                let items = self.take(1)?;
                self.append(items)?;
            }
            op::APPENDS | op::ADDITEMS => {
                let items = self.pop_mark()?;
                self.append(items)?;
            }
            op::SETITEM => {
                let items = self.take(2)?;
                self.set(items)?;
            }
            op::SETITEMS => {
                let items = self.pop_mark()?;
                self.set(items)?;
            }

            op::GLOBAL => {
                let (module, name) = (self.line()?, self.line()?);
                self.global(module, name)?;
            }
            op::STACK_GLOBAL => {
                let (name, module) = (self.pop_text()?, self.pop_text()?);
                self.global(module, name)?;
            }
            op::REDUCE => self.reduce()?,
            other => {
                return Err(Bad::new(format_args!(
                    "it is no plain data (instruction {other:#04x} at {})",
                    self.at - 1
                )));
            }
        }
        Ok(())
    }

    // The message.

    fn bytes(&mut self, count: usize) -> Result<Range<usize>, Bad> {
        let end = self
            .at
            .checked_add(count)
            .filter(|&end| end <= self.message.len());
        let end = end.ok_or_else(|| Bad::new("it is cut off"))?;
        let range = self.at..end;
        self.at = end;
        Ok(range)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Bad> {
        let range = self.bytes(N)?;
        let mut array = [0; N];
        array.copy_from_slice(&self.message[range]);
        Ok(array)
    }

    fn byte(&mut self) -> Result<u8, Bad> {
        self.array().map(|[byte]| byte)
    }

    /// A length or place of so many bytes. One that no machine can have is as good as the largest.
    fn number(&mut self, width: usize) -> Result<usize, Bad> {
        let range = self.bytes(width)?;
        let mut wide = [0; 8];
        wide[..width].copy_from_slice(&self.message[range]);
        Ok(usize::try_from(u64::from_le_bytes(wide)).unwrap_or(usize::MAX))
    }

    fn text(&mut self, width: usize, value: fn(Range<usize>) -> Value) -> Result<(), Bad> {
        let count = self.number(width)?;
        let range = self.bytes(count)?;
        self.push(value(range))
    }

    /// An integer of any size, the sign in its last byte.
    fn long(&mut self, width: usize) -> Result<(), Bad> {
        let count = self.number(width)?;
        let range = self.bytes(count)?;
        let bytes = &self.message[range];
        if bytes.len() > 16 {
            return Err(Bad::new("it has an integer of more than 128 bits"));
        }
        let negative = bytes.last().is_some_and(|last| last & 0x80 != 0);
        let mut wide = [if negative { 0xff } else { 0 }; 16];
        wide[..bytes.len()].copy_from_slice(bytes);
        self.push(Value::Int(i128::from_le_bytes(wide)))
    }

    fn line(&mut self) -> Result<Range<usize>, Bad> {
        let rest = &self.message[self.at..];
        let end = rest.iter().position(|&byte| byte == b'\n');
        let line = self.bytes(end.unwrap_or(rest.len()))?;
        self.bytes(1)?;
        Ok(line)
    }

    // The stack.

    fn push(&mut self, value: Value) -> Result<(), Bad> {
        let number = u32::try_from(self.all.len())
            .ok()
            .filter(|&number| number != NOTHING);
        self.stack
            .push(number.ok_or_else(|| Bad::new("it has too many values"))?);
        self.all.push(value);
        Ok(())
    }

    /// What is below the last mark cannot be reached.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Result<u32, Bad> {
        let own = &self.stack[self.floor()..];
        own.last().copied().ok_or_else(|| Bad::new("its stack is empty"))
    }

    fn pop(&mut self) -> Result<u32, Bad> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    /// The last so many values.
    fn take(&mut self, count: usize) -> Result<Vec<u32>, Bad> {
        let own = self.stack.len() - self.floor();
        if own < count {
            return Err(Bad::new("its stack is empty"));
        }
        Ok(self.stack.split_off(self.stack.len() - count))
    }

    /// All values since the last mark.
    fn pop_mark(&mut self) -> Result<Vec<u32>, Bad> {
        let mark = self.marks.pop().ok_or_else(|| Bad::new("it has no mark"))?;
        Ok(self.stack.split_off(mark))
    }

    fn tuple(&mut self, count: usize) -> Result<(), Bad> {
        let items = self.take(count)?;
        self.push(Value::seq(items))
    }

    fn append(&mut self, items: Vec<u32>) -> Result<(), Bad> {
        let top = self.top()?;
        match &mut self.all[top as usize] {
            Value::Seq(seq, _) => seq.extend(items),
            _ => return Err(Bad::new("it appends to what is no list")),
        }
        Ok(())
    }

    fn set(&mut self, items: Vec<u32>) -> Result<(), Bad> {
        let top = self.top()?;
        match &mut self.all[top as usize] {
            Value::Dict(dict, _) if items.len().is_multiple_of(2) => dict.extend(items),
            _ => return Err(Bad::new("it sets items of what is no dict")),
        }
        Ok(())
    }

    // What is referred to again.

    fn memoize(&mut self, place: usize) -> Result<(), Bad> {
        // Python counts them, so there are never more of them than bytes; K1 wants to be sure of that.
        if place >= self.message.len() {
            return Err(Bad::new("it remembers more than it has"));
        }
        if place >= self.memo.len() {
            self.memo.resize(place + 1, NOTHING);
        }
        self.memo[place] = self.top()?;
        Ok(())
    }

    fn recall(&mut self, place: usize) -> Result<(), Bad> {
        match self.memo.get(place) {
            Some(&number) if number != NOTHING => self.stack.push(number),
            _ => return Err(Bad::new("it refers to what it does not have")),
        }
        Ok(())
    }

    // What is no plain data, or nearly none.

    fn pop_text(&mut self) -> Result<Range<usize>, Bad> {
        let top = self.pop()?;
        match &self.all[top as usize] {
            Value::Str(range) => Ok(range.clone()),
            _ => Err(Bad::new("it names something by no text")),
        }
    }

    fn global(&mut self, module: Range<usize>, name: Range<usize>) -> Result<(), Bad> {
        match (&self.message[module.clone()], &self.message[name.clone()]) {
            (b"builtins" | b"__builtin__", b"set" | b"frozenset" | b"bytearray") => self.push(Value::Same),
            (module, name) => Err(Bad::new(format_args!(
                "it is no plain data, but has a {}.{}",
                begin(module).escape_ascii(),
                begin(name).escape_ascii()
            ))),
        }
    }

    fn reduce(&mut self) -> Result<(), Bad> {
        let (given, called) = (self.pop()?, self.pop()?);
        match (&self.all[called as usize], &self.all[given as usize]) {
            (Value::Same, Value::Seq(given, _)) => match given[..] {
                [] => self.push(Value::seq(Vec::new()))?,
                [one] => self.stack.push(one),
                _ => return Err(Bad::new("it gives a set or bytearray too much")),
            },
            _ => return Err(Bad::new("it is no plain data, but has a call")),
        }
        Ok(())
    }
}

/// What there is of a name for people to read: it may be as long as the message.
fn begin(name: &[u8]) -> &[u8] {
    &name[..name.len().min(100)]
}
