//! The buffer of a stream.
//!
//! ```text
//!   ┌──────────┬───────────────┬───────────┐
//!   │   read   │    filled     │   spare   │
//!   └──────────┴───────────────┴───────────┘
//!   0        start            end      data.len()
//! ```

use std::panic::Location;
use std::task::{Context as TaskContext, Poll};

use crate::error::Result;
use crate::net::bytes::Readable;
use crate::traps::Waiting;

/// How large it is, unless a line is longer.
pub(super) const SIZE: usize = 8 * 1024;

#[derive(Default)]
pub(crate) struct Buffer {
    /// All of it is initialized; none of it is there while it is empty and somebody waits (T2).
    data: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    pub(crate) fn filled(&self) -> &[u8] {
        &self.data[self.start..self.end]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(crate) fn consume(&mut self, n: usize) {
        self.start += n;
        debug_assert!(self.start <= self.end);
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Takes as much as fits into `buf`.
    pub(super) fn take(&mut self, buf: &mut [u8]) -> usize {
        let n = buf.len().min(self.end - self.start);
        buf[..n].copy_from_slice(&self.data[self.start..self.start + n]);
        self.consume(n);
        n
    }

    /// Puts back what was taken, or read past the buffer, in front of what there is (T1).
    pub(super) fn put_back(&mut self, bytes: &[u8]) {
        let mut data = Vec::with_capacity(bytes.len() + self.filled().len());
        data.extend_from_slice(bytes);
        data.extend_from_slice(self.filled());
        (self.start, self.end) = (0, data.len());
        self.data = data;
    }

    /// Reads once, into what is spare; 0 at the end of the stream.
    pub(crate) fn poll_fill<S: Readable>(
        &mut self,
        io: &S,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<usize>> {
        self.make_room();
        let filled = io.poll_read(&mut self.data[self.end..], waiting, cx, place);
        match filled {
            Poll::Ready(Ok(n)) => self.end += n,
            Poll::Pending if self.is_empty() => self.data = Vec::new(),
            _ => {}
        }
        filled
    }

    fn make_room(&mut self) {
        if self.end < self.data.len() {
            return;
        }
        if self.start > 0 {
            self.data.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.data.len() {
            let size = (2 * self.data.len()).max(SIZE);
            self.data.resize(size, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_back_comes_first() {
        let mut buffer = Buffer::default();
        buffer.put_back(b"world");
        buffer.put_back(b"hello ");
        let mut buf = [0; 8];
        assert_eq!(buffer.take(&mut buf), 8);
        assert_eq!((&buf, buffer.filled()), (b"hello wo", &b"rld"[..]));
        buffer.put_back(b"wo");
        assert_eq!(buffer.filled(), b"world");
        buffer.consume(5);
        assert!(buffer.is_empty() && buffer.start == 0);
    }
}
