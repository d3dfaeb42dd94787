//! How two make sure that they have the same key.
//!
//! ```text
//!     who verifies                        who answers
//!     #CHALLENGE#{sha256}40 bytes  ────▶
//!                                  ◀────  {sha256}the code of what follows #CHALLENGE#
//!     #WELCOME# or #FAILURE#       ────▶
//! ```
//!
//! Then the other way round; who accepts verifies first. Each line is a message. Until Python 3.11 there is no
//! `{sha256}`: the challenge is 20 bytes, and the answer 16, the code with MD5. So who is sent 20 bytes answers so, and from who
//! is sent our longer challenge, both answers are taken: the old one, too, was made from all of it.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha2::Sha256;

use super::connection::Connection;
use super::receive::RecvBytes;
use super::send::Send;
use crate::error::{Error, Result};

/// The longest message that a greeting can have.
const LIMIT: usize = 256;

const CHALLENGE: &[u8] = b"#CHALLENGE#";
const WELCOME: &[u8] = b"#WELCOME#";
const FAILURE: &[u8] = b"#FAILURE#";

/// How long a challenge is that knows MD5 only, and the least that is one.
const OLD: usize = 20;

#[derive(Debug, Clone, Copy)]
pub(super) enum Side {
    Server,
    Client,
}

/// How codes are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Digest {
    Md5,
    Sha256,
}

impl Digest {
    /// What stands in front of a challenge or an answer, and what it stands in front of.
    fn split(message: &[u8]) -> Option<(Digest, &[u8])> {
        let known = [(Digest::Sha256, &b"{sha256}"[..]), (Digest::Md5, b"{md5}")];
        known
            .into_iter()
            .find_map(|(digest, name)| Some((digest, message.strip_prefix(name)?)))
    }

    fn code(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        match self {
            Digest::Md5 => code::<Hmac<Md5>>(key, message).finalize().into_bytes().to_vec(),
            Digest::Sha256 => code::<Hmac<Sha256>>(key, message)
                .finalize()
                .into_bytes()
                .to_vec(),
        }
    }

    /// In a time that does not depend on where the difference is.
    fn is_code(self, key: &[u8], message: &[u8], code_: &[u8]) -> bool {
        match self {
            Digest::Md5 => code::<Hmac<Md5>>(key, message).verify_slice(code_).is_ok(),
            Digest::Sha256 => code::<Hmac<Sha256>>(key, message).verify_slice(code_).is_ok(),
        }
    }
}

fn code<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> M {
    let Ok(mac) = <M as KeyInit>::new_from_slice(key) else {
        unreachable!("a key may have any length")
    };
    mac.chain_update(message)
}

/// The answer to a challenge.
fn answer_to(challenge: &[u8], key: &[u8]) -> Result<Vec<u8>> {
    if challenge.len() == OLD {
        return Ok(Digest::Md5.code(key, challenge));
    }
    match Digest::split(challenge) {
        Some((digest, _)) if challenge.len() > OLD => {
            let name: &[u8] = match digest {
                Digest::Md5 => b"{md5}",
                Digest::Sha256 => b"{sha256}",
            };
            Ok([name, &digest.code(key, challenge)].concat())
        }
        _ => Err(denied("the peer wants it in a way that is not known here")),
    }
}

/// Whether this answers the challenge.
fn is_answer(answer: &[u8], challenge: &[u8], key: &[u8]) -> bool {
    let (digest, code) = match answer.len() {
        16 => (Digest::Md5, answer),
        _ => match Digest::split(answer) {
            Some(split) => split,
            None => return false,
        },
    };
    digest.is_code(key, challenge, code)
}

async fn verify(c: &Connection, key: &[u8], place: &'static Location<'static>) -> Result<()> {
    let mut challenge = *b"#CHALLENGE#{sha256}0123456789012345678901234567890123456789";
    let random = challenge.len() - 40;
    getrandom::fill(&mut challenge[random..]).map_err(io::Error::from)?;
    Send::bytes(c, &challenge, place).await?;
    let answer = RecvBytes::limited(c, LIMIT, place).await?;
    if is_answer(&answer, &challenge[CHALLENGE.len()..], key) {
        return Send::bytes(c, WELCOME, place).await;
    }
    Send::bytes(c, FAILURE, place).await?;
    Err(denied("the peer has another key"))
}

async fn answer(c: &Connection, key: &[u8], place: &'static Location<'static>) -> Result<()> {
    let message = RecvBytes::limited(c, LIMIT, place).await?;
    let Some(challenge) = message.strip_prefix(CHALLENGE) else {
        return Err(denied("the peer does not ask for it"));
    };
    Send::bytes(c, &answer_to(challenge, key)?, place).await?;
    match &*RecvBytes::limited(c, LIMIT, place).await? {
        WELCOME => Ok(()),
        FAILURE => Err(denied("the peer refuses our key")),
        _ => Err(denied("the peer neither takes nor refuses our key")),
    }
}

fn denied(why: &str) -> Error {
    let text = format!("authentication failed: {why}");
    Error::Io(io::Error::new(io::ErrorKind::PermissionDenied, text))
}

/// The operation of [`Connection::authenticate_server`] and [`Connection::authenticate_client`].
#[must_use = "it does nothing unless it is awaited"]
pub struct Authenticate<'a> {
    connection: &'a Connection,
    greeting: Pin<Box<dyn Future<Output = Result<()>> + 'a>>,
    /// It has begun, and has not come to a good end.
    halfway: bool,
}

impl<'a> Authenticate<'a> {
    pub(super) fn new(
        connection: &'a Connection,
        key: &'a [u8],
        side: Side,
        place: &'static Location<'static>,
    ) -> Authenticate<'a> {
        let greeting = async move {
            match side {
                Side::Server => {
                    verify(connection, key, place).await?;
                    answer(connection, key, place).await
                }
                Side::Client => {
                    answer(connection, key, place).await?;
                    verify(connection, key, place).await
                }
            }
        };
        Authenticate {
            connection,
            greeting: Box::pin(greeting),
            halfway: false,
        }
    }
}

impl Future for Authenticate<'_> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        self.halfway = true;
        let greeted = ready!(self.greeting.as_mut().poll(cx));
        if greeted.is_err() {
            self.connection.close();
        }
        self.halfway = false;
        Poll::Ready(greeted)
    }
}

impl Drop for Authenticate<'_> {
    fn drop(&mut self) {
        if self.halfway {
            self.connection.close();
        }
    }
}

impl fmt::Debug for Authenticate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticate")
            .field("connection", self.connection)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u32> = text.chars().map(|c| c.to_digit(16).unwrap()).collect();
        digits.chunks(2).map(|two| (two[0] * 16 + two[1]) as u8).collect()
    }

    #[test]
    fn codes_are_those_of_the_standards() {
        // RFC 2104 and RFC 4231, the second test of each.
        let (key, text) = (b"Jefe", b"what do ya want for nothing?");
        let md5 = hex("750c783e6ab0b503eaa86e310a5db738");
        let sha256 = hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert_eq!(Digest::Md5.code(key, text), md5);
        assert_eq!(Digest::Sha256.code(key, text), sha256);
        assert!(Digest::Sha256.is_code(key, text, &sha256));
        assert!(!Digest::Sha256.is_code(key, text, &md5));
        assert!(!Digest::Sha256.is_code(b"jefe", text, &sha256));
    }

    #[test]
    fn an_answer_is_as_the_challenge_wants_it() {
        let old = [7; OLD];
        assert_eq!(answer_to(&old, b"key").unwrap(), Digest::Md5.code(b"key", &old));
        let new = [&b"{sha256}"[..], &[7; 40]].concat();
        let answer = answer_to(&new, b"key").unwrap();
        assert_eq!((&answer[..8], answer.len()), (&b"{sha256}"[..], 8 + 32));
        assert!(is_answer(&answer, &new, b"key"));
        // An old client answers with what it knows.
        assert!(is_answer(&Digest::Md5.code(b"key", &new), &new, b"key"));
        for unknown in [
            &b"{sha3_256}0123456789012345"[..],
            b"0123456789012345678901234",
            b"{md5}",
            b"",
        ] {
            let denied = answer_to(unknown, b"key").unwrap_err();
            assert!(denied.to_string().contains("authentication failed"), "{denied}");
        }
    }

    /// Challenges and answers without the head of the message, as they went between two Pythons with the key `peekaboo`.
    #[test]
    fn what_pythons_have_said_to_each_other() {
        let recorded = [
            // 3.11 answers 3.11.
            (
                "422f15bc8ab1799b681473977b7c4323fc1e0dc7",
                "b659bbab89fd9b822cc1c8889dd82405",
                true,
            ),
            // 3.12 answers 3.12.
            (
                "7b7368613235367d8063330bf38737bbbfa4086a31c2b8087793e369b483a1cfb93d08382a4626125c7878b335869de8",
                "7b7368613235367dc8076b0bc5c65cf26fa208938721c99c62643c961323bdf7fcc880d998881f68",
                true,
            ),
            // 3.12 answers 3.11.
            (
                "e4815e28cb48cbfc0d8e2423298188b9dd7823de",
                "42b6022c6a4b24caa17d5bb1fad81f4e",
                true,
            ),
            // 3.11 answers 3.12. It takes all of the challenge for one of its own; so would not we.
            (
                "7b7368613235367d32fde4e9171a25c09f3637a7e21518c50693b16ddb647b7cb462be6a61921e7fadd7aec5d0768bbc",
                "6c52dff33249a5d199335f027d008c0f",
                false,
            ),
        ];
        for (challenge, answer, ours) in recorded {
            let (challenge, answer) = (hex(challenge), hex(answer));
            assert!(is_answer(&answer, &challenge, b"peekaboo"));
            assert!(!is_answer(&answer, &challenge, b"peekaboo!"));
            assert_eq!(answer_to(&challenge, b"peekaboo").unwrap() == answer, ours);
        }
    }

    #[test]
    fn what_is_no_answer() {
        let challenge = [&b"{sha256}"[..], &[7; 40]].concat();
        let right = answer_to(&challenge, b"key").unwrap();
        let mut changed = right.clone();
        *changed.last_mut().unwrap() ^= 1;
        for wrong in [
            &b""[..],
            b"{sha256}",
            b"{md5}",
            &right[..39],
            &right[8..],
            &changed,
            b"#WELCOME#",
        ] {
            assert!(!is_answer(wrong, &challenge, b"key"), "{wrong:?}");
        }
        assert!(!is_answer(&right, &challenge, b"other"));
        assert!(!is_answer(
            &Digest::Md5.code(b"other", &challenge),
            &challenge,
            b"key"
        ));
    }
}
