//! What goes between a kernel and a worker, byte by byte.
//!
//! ```text
//! greeting   magic, identity (5)                          once, to the worker
//! request    number, call, function, length, argument     to the worker
//! reply      number, what it is, length, content          to the kernel
//! ```
//!
//! All but argument and content are numbers of 8 bytes, as this machine has them. They take turns: a request, its reply, the
//! next request.
//!
//! W1. The number of a request is no number that anybody would write by chance, and its reply has the same. So a reply that
//!     is something else, because a function has found the socket and written to it, is known as such.
//! W2. Nobody reserves memory because a length says so, but only as the bytes come.

use std::io::{self, Read};

use super::entry::{Identity, Target};

const MAGIC: u64 = u64::from_ne_bytes(*b"curio\0\x01\xfe");

pub(super) const GREETING: usize = 8 * 6;
const REQUEST: usize = 8 * 4;
const REPLY: usize = 8 * 3;

/// A buffer that has become larger than this is not kept.
const KEEP: usize = 1 << 20;

/// What a buffer begins with, and what it has always room for.
const ROOM: usize = 1 << 12;

/// What a reply is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
    /// The function's value.
    Value = 1,
    /// The function panicked: what the panic said, and where.
    Panicked = 2,
    /// The argument could not be read; why.
    BadArgument = 3,
    /// The value could not be written; why.
    BadValue = 4,
    /// The worker is another program.
    OtherProgram = 5,
}

pub(super) fn greeting(identity: Identity) -> [u8; GREETING] {
    let [a, b, c, d, e] = identity.0;
    bytes([MAGIC, a, b, c, d, e])
}

/// Whether somebody who knows us sends this greeting, and for which program it is.
pub(super) fn read_greeting(greeting: &[u8; GREETING]) -> Option<Identity> {
    let [magic, a, b, c, d, e] = numbers(greeting);
    (magic == MAGIC).then_some(Identity([a, b, c, d, e]))
}

/// A request whose number is still to be entered; the argument is added by `argument`.
pub(super) fn request<E>(
    target: Target,
    argument: impl FnOnce(Vec<u8>) -> Result<Vec<u8>, E>,
) -> Result<Vec<u8>, E> {
    let target = target.to_distances();
    let head: [u8; REQUEST] = bytes([0, target.call as u64, target.function as u64, 0]);
    let mut request = argument(head.to_vec())?;
    let length = (request.len() - REQUEST) as u64;
    request[24..REQUEST].copy_from_slice(&length.to_ne_bytes());
    Ok(request)
}

/// Enters which request of its worker it is.
pub(super) fn enter_number(request: &mut [u8], number: u64) {
    request[..8].copy_from_slice(&MAGIC.wrapping_add(number).to_ne_bytes());
}

/// Makes room for what `finish_reply` enters.
pub(super) fn begin_reply(reply: &mut Vec<u8>) {
    reply.clear();
    reply.shrink_to(KEEP);
    reply.extend_from_slice(&[0; REPLY]);
}

pub(super) fn finish_reply(reply: &mut [u8], number: u64, kind: Reply) {
    let length = (reply.len() - REPLY) as u64;
    reply[..REPLY].copy_from_slice(&bytes::<3, REPLY>([number, kind as u64, length]));
}

/// What has come and was not read yet.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// As long as there is room.
    room: Vec<u8>,
    filled: usize,
}

/// A reply that is no reply (W1).
#[derive(Debug)]
pub(super) struct Garbled;

impl Inbox {
    /// Where the next bytes go, once `so_many` more are known to come at least.
    pub(super) fn free(&mut self) -> &mut [u8] {
        if self.filled == self.room.len() {
            // Twice as much as there is (W2).
            self.room.resize((2 * self.filled).max(ROOM), 0);
        }
        &mut self.room[self.filled..]
    }

    pub(super) fn fill(&mut self, count: usize) {
        self.filled += count;
    }

    /// Forgets what has come.
    pub(super) fn clear(&mut self) {
        self.filled = 0;
        if self.room.len() > KEEP {
            self.room = Vec::new();
        }
    }

    /// The reply to the request with this number, if all of it has come.
    pub(super) fn reply(&self, number: u64) -> Result<Option<(Reply, &[u8])>, Garbled> {
        let all = &self.room[..self.filled];
        let Some((head, content)) = all.split_first_chunk::<REPLY>() else {
            return Ok(None);
        };
        let [magic, kind, length] = numbers(head);
        let kinds = [
            Reply::Value,
            Reply::Panicked,
            Reply::BadArgument,
            Reply::BadValue,
            Reply::OtherProgram,
        ];
        let Some(kind) = kinds.into_iter().find(|known| *known as u64 == kind) else {
            return Err(Garbled);
        };
        if magic != MAGIC.wrapping_add(number) && kind != Reply::OtherProgram {
            return Err(Garbled);
        }
        match (content.len() as u64).cmp(&length) {
            std::cmp::Ordering::Less => Ok(None),
            std::cmp::Ordering::Equal => Ok(Some((kind, content))),
            std::cmp::Ordering::Greater => Err(Garbled),
        }
    }

    /// The next request, once it has come; None at the end. In a worker, where nobody minds waiting.
    pub(super) fn request(&mut self, mut from: impl Read) -> io::Result<Option<(u64, Target, &[u8])>> {
        self.clear();
        loop {
            if let Some((head, argument)) = self.room[..self.filled].split_first_chunk::<REQUEST>() {
                let [number, call, function, length] = numbers(head);
                if argument.len() as u64 >= length {
                    let target = Target {
                        call: call as usize,
                        function: function as usize,
                    };
                    return Ok(Some((
                        number,
                        target.to_addresses(),
                        &self.room[REQUEST..self.filled],
                    )));
                }
            }
            match from.read(self.free()) {
                Ok(0) => return Ok(None),
                Ok(count) => self.fill(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn bytes<const N: usize, const B: usize>(numbers: [u64; N]) -> [u8; B] {
    let mut bytes = [0; B];
    for (place, number) in bytes.chunks_exact_mut(8).zip(numbers) {
        place.copy_from_slice(&number.to_ne_bytes());
    }
    bytes
}

fn numbers<const N: usize>(bytes: &[u8]) -> [u64; N] {
    let mut chunks = bytes.as_chunks().0.iter();
    std::array::from_fn(|_| chunks.next().map_or(0, |chunk| u64::from_ne_bytes(*chunk)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inbox(bytes: &[u8]) -> Inbox {
        let mut inbox = Inbox::default();
        for byte in bytes {
            inbox.free()[0] = *byte;
            inbox.fill(1);
        }
        inbox
    }

    fn reply(number: u64, content: &[u8]) -> Vec<u8> {
        let mut reply = Vec::new();
        begin_reply(&mut reply);
        reply.extend_from_slice(content);
        finish_reply(&mut reply, MAGIC + number, Reply::Value);
        reply
    }

    #[test]
    fn a_reply_is_one_when_all_of_it_has_come() {
        let reply = reply(3, b"seven");
        for end in 0..reply.len() {
            assert!(inbox(&reply[..end]).reply(3).unwrap().is_none());
        }
        let whole = inbox(&reply);
        assert_eq!(whole.reply(3).unwrap(), Some((Reply::Value, &b"seven"[..])));
        assert!(whole.reply(4).is_err(), "it is the reply to another request");
        assert!(inbox(&[&reply[..], b"x"].concat()).reply(3).is_err());
        assert!(inbox(&[b'x'; 100]).reply(3).is_err());
    }

    #[test]
    fn a_request_comes_in_any_pieces() {
        let target = Target {
            call: 0x1000,
            function: 0x2000,
        };
        let mut request = request(target, |mut all| {
            all.extend_from_slice(&[7; 10_000]);
            Ok::<_, ()>(all)
        })
        .unwrap();
        enter_number(&mut request, 5);
        struct Dripping<'a>(&'a [u8]);
        impl Read for Dripping<'_> {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                let count = buf.len().min(7);
                self.0.read(&mut buf[..count])
            }
        }
        let mut inbox = Inbox::default();
        let (number, found, argument) = inbox.request(Dripping(&request)).unwrap().unwrap();
        assert_eq!((found.call, found.function), (0x1000, 0x2000));
        assert_eq!((number, argument), (MAGIC + 5, &[7; 10_000][..]));
        assert!(inbox.request(io::empty()).unwrap().is_none());
        assert!(
            inbox.request(&request[..50]).unwrap().is_none(),
            "who ends in the middle has ended"
        );
    }
}
