//! Values as Python pickles them: plain data, and nothing else.
//!
//! A pickle is a program for a small stack machine, and Python's own machine can call anything. Ours has no call: it knows
//! the instructions that build plain data, and refuses a message with any other. The crate that there is for this
//! (`serde-pickle`) executes nothing either. But it copies what is shared and recurses into what is nested, so a message
//! of a hundred bytes can take all memory, and one of a megabyte the stack; we read what strangers send.
//!
//! | Python | serde |
//! |---|---|
//! | `None` | `None`, `()` and unit structs |
//! | `bool`, `float`, `str` | the same |
//! | `int` | any integer, up to 128 bits; also where a float is wanted |
//! | `bytes`, `bytearray` | bytes (`serde_bytes`); also where a `Vec<u8>` is wanted |
//! | `list`, `tuple`, `set`, `frozenset` | sequences and tuples; a sequence is sent as a `list`, a tuple as a `tuple` |
//! | `dict` | maps, and structs with the names of the fields as keys |
//! | `"Name"`, `{"Name": value}` | variants of enums, as in JSON |
//!
//! K1. A message of n bytes becomes at most n values, which refer to each other by number. So what is shared is not copied,
//!     what is nested needs no recursion, and dropping all of it needs none.
//! K2. Only when serde asks for them, values are followed: at most [`DEPTH`] deep, which also ends cycles.
//! K3. What serde is given in all is at most as much as a message may have (`allowance`), however often it is shared. What is
//!     read again costs what it takes in memory; or a list of lists of the same list would make billions of values of a
//!     hundred bytes.

mod parse;
mod read;
mod write;

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Serialize, de, ser};

/// K2.
const DEPTH: usize = 128;

/// Appends the pickle of a value.
pub(super) fn write<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), Bad> {
    write::write(value, out)
}

/// Makes a value of a pickle.
pub(super) fn read<T: DeserializeOwned>(message: &[u8], allowance: usize) -> Result<T, Bad> {
    let values = parse::parse(message)?;
    read::read(&values, allowance)
}

/// Why a value cannot be sent, or what came is none.
#[derive(Debug)]
pub(super) struct Bad(String);

impl Bad {
    fn new(why: impl fmt::Display) -> Bad {
        Bad(why.to_string())
    }
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Bad {}

impl ser::Error for Bad {
    fn custom<T: fmt::Display>(why: T) -> Bad {
        Bad::new(why)
    }
}

impl de::Error for Bad {
    fn custom<T: fmt::Display>(why: T) -> Bad {
        Bad::new(why)
    }
}

/// The instructions that build plain data, by the names that Python gives them.
mod op {
    pub(super) const PROTO: u8 = 0x80;
    pub(super) const FRAME: u8 = 0x95;
    pub(super) const STOP: u8 = b'.';
    pub(super) const MARK: u8 = b'(';
    pub(super) const POP: u8 = b'0';
    pub(super) const POP_MARK: u8 = b'1';
    pub(super) const DUP: u8 = b'2';
    pub(super) const BINPUT: u8 = b'q';
    pub(super) const LONG_BINPUT: u8 = b'r';
    pub(super) const MEMOIZE: u8 = 0x94;
    pub(super) const BINGET: u8 = b'h';
    pub(super) const LONG_BINGET: u8 = b'j';
    pub(super) const NONE: u8 = b'N';
    pub(super) const NEWTRUE: u8 = 0x88;
    pub(super) const NEWFALSE: u8 = 0x89;
    pub(super) const BININT: u8 = b'J';
    pub(super) const BININT1: u8 = b'K';
    pub(super) const BININT2: u8 = b'M';
    pub(super) const LONG1: u8 = 0x8a;
    pub(super) const LONG4: u8 = 0x8b;
    pub(super) const BINFLOAT: u8 = b'G';
    pub(super) const SHORT_BINBYTES: u8 = b'C';
    pub(super) const BINBYTES: u8 = b'B';
    pub(super) const BINBYTES8: u8 = 0x8e;
    pub(super) const BYTEARRAY8: u8 = 0x96;
    pub(super) const SHORT_BINUNICODE: u8 = 0x8c;
    pub(super) const BINUNICODE: u8 = b'X';
    pub(super) const BINUNICODE8: u8 = 0x8d;
    pub(super) const EMPTY_TUPLE: u8 = b')';
    pub(super) const TUPLE1: u8 = 0x85;
    pub(super) const TUPLE2: u8 = 0x86;
    pub(super) const TUPLE3: u8 = 0x87;
    pub(super) const TUPLE: u8 = b't';
    pub(super) const EMPTY_LIST: u8 = b']';
    pub(super) const APPEND: u8 = b'a';
    pub(super) const APPENDS: u8 = b'e';
    pub(super) const EMPTY_DICT: u8 = b'}';
    pub(super) const SETITEM: u8 = b's';
    pub(super) const SETITEMS: u8 = b'u';
    pub(super) const EMPTY_SET: u8 = 0x8f;
    pub(super) const ADDITEMS: u8 = 0x90;
    pub(super) const FROZENSET: u8 = 0x91;
    pub(super) const GLOBAL: u8 = b'c';
    pub(super) const STACK_GLOBAL: u8 = 0x93;
    pub(super) const REDUCE: u8 = b'R';
}

#[cfg(test)]
mod tests;
