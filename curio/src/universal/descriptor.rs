//! A file descriptor that can be made readable and unreadable.
//!
//! A pair of sockets with at most one byte in it. (An event counter would be one descriptor less, but needs an unsafe
//! call and exists on Linux only.)

use std::io::{Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;

use crate::error::Result;

pub(super) struct Descriptor {
    reader: UnixStream,
    writer: UnixStream,
    readable: bool,
}

impl Descriptor {
    pub(super) fn new() -> Result<Descriptor> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        Ok(Descriptor {
            reader,
            writer,
            readable: false,
        })
    }

    pub(super) fn number(&self) -> RawFd {
        self.reader.as_raw_fd()
    }

    /// Makes it readable, or not. If others have read or written meanwhile, that is their mistake, and no reason to fail.
    pub(super) fn show(&mut self, readable: bool) {
        if std::mem::replace(&mut self.readable, readable) != readable {
            let _ = match readable {
                true => self.writer.write(&[0]),
                false => self.reader.read(&mut [0]),
            };
        }
    }
}
