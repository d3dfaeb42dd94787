//! What rustls keeps for one connection, and what has come for it.
//!
//! Nothing here waits or knows of sockets. Bytes go in and out.

use std::io::{self, Read, Write};

use rustls::Connection;
use rustls::pki_types::CertificateDer;

use crate::error::{Error, Result};

/// How much plaintext rustls holds before it wants to be read.
const PLAINTEXT_LIMIT: usize = 16 * 1024;

pub(super) struct Session {
    conn: Box<Connection>,
    /// How much plaintext is there to be read.
    plaintext: usize,
    /// What has come and does not fit into rustls while nobody reads (L2).
    held: Vec<u8>,
    /// The peer has said something that is no TLS, or not to be trusted. It is told last (L2).
    broken: Option<rustls::Error>,
    /// We have said that nothing more comes.
    finished: bool,
    /// Everything was read that will ever come.
    ended: bool,
    closed: bool,
    /// Whether the peer may end without saying so (L4).
    tolerant: bool,
}

impl Session {
    pub(super) fn new(conn: Connection, tolerant: bool) -> Session {
        Session {
            conn: Box::new(conn),
            plaintext: 0,
            held: Vec::new(),
            broken: None,
            finished: false,
            ended: false,
            closed: false,
            tolerant,
        }
    }

    pub(super) fn is_handshaking(&self) -> bool {
        self.conn.is_handshaking()
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    pub(super) fn check_open(&self) -> Result<()> {
        if self.closed { Err(Error::Closed) } else { Ok(()) }
    }

    /// Whether a read needs nothing from the socket.
    pub(super) fn is_readable(&self) -> bool {
        self.plaintext > 0 || !self.held.is_empty() || self.broken.is_some() || self.ended || self.closed
    }

    /// Reads what is there. None: nothing is.
    pub(super) fn read(&mut self, buf: &mut [u8]) -> Result<Option<usize>> {
        self.check_open()?;
        loop {
            match self.conn.reader().read(buf) {
                Ok(n) => {
                    self.plaintext -= n.min(self.plaintext);
                    self.ended = n == 0;
                    return Ok(Some(n));
                }
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    self.ended = true;
                    return self.truncated();
                }
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(Error::Io(error)),
                Err(_) => self.plaintext = 0,
            }
            self.check()?;
            if self.held.is_empty() {
                return Ok(None);
            }
            let held = std::mem::take(&mut self.held);
            self.feed(&held);
        }
    }

    /// What the peer has done wrong, if it has.
    pub(super) fn check(&self) -> Result<()> {
        match &self.broken {
            Some(error) => Err(broken(error.clone())),
            None => Ok(()),
        }
    }

    /// The peer's end of the connection has come, and not the peer's word for it (L4).
    fn truncated(&self) -> Result<Option<usize>> {
        self.check()?;
        if self.tolerant {
            return Ok(Some(0));
        }
        let text = "the peer has ended the connection without TLS's goodbye (close_notify): something may be missing";
        Err(Error::Io(io::Error::new(io::ErrorKind::UnexpectedEof, text)))
    }

    /// Takes what has come; nothing is the end.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        if bytes.is_empty() {
            let _ = self.conn.read_tls(&mut bytes);
        }
        while !bytes.is_empty() && self.broken.is_none() {
            if self.plaintext > PLAINTEXT_LIMIT {
                self.held.extend_from_slice(bytes);
                return;
            }
            // It takes nothing more after the peer's goodbye; and it fails only where it has no room, which it has.
            let Ok(1..) = self.conn.read_tls(&mut bytes) else {
                return;
            };
            match self.conn.process_new_packets() {
                Ok(state) => self.plaintext = state.plaintext_bytes_to_read(),
                Err(error) => self.broken = Some(error),
            }
        }
    }

    /// Takes as much of `buf` as there is room for, and encrypts it.
    pub(super) fn write(&mut self, buf: &[u8]) -> Result<usize> {
        self.check_open()?;
        if self.finished {
            return Err(Error::Io(io::ErrorKind::BrokenPipe.into()));
        }
        self.check()?;
        Ok(self.conn.writer().write(buf)?)
    }

    /// Whether something encrypted is still to be sent.
    pub(super) fn wants_send(&self) -> bool {
        self.conn.wants_write()
    }

    /// Sends what is to be sent, once.
    pub(super) fn send(&mut self, to: &mut dyn Write) -> io::Result<usize> {
        match self.conn.write_tls(to) {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            sent => sent,
        }
    }

    /// Says that nothing more comes, after all that was taken. Said once.
    pub(super) fn finish(&mut self) {
        if !self.finished {
            self.finished = true;
            self.conn.send_close_notify();
        }
    }

    pub(super) fn alpn_protocol(&self) -> Option<Vec<u8>> {
        self.conn.alpn_protocol().map(<[u8]>::to_vec)
    }

    pub(super) fn peer_certificates(&self) -> Option<Vec<CertificateDer<'static>>> {
        self.conn.peer_certificates().map(<[_]>::to_vec)
    }

    pub(super) fn protocol_version(&self) -> Option<rustls::ProtocolVersion> {
        self.conn.protocol_version()
    }

    pub(super) fn server_name(&self) -> Option<String> {
        match &*self.conn {
            Connection::Server(conn) => conn.server_name().map(str::to_string),
            Connection::Client(_) => None,
        }
    }

    /// The peer has ended the connection during the handshake.
    pub(super) fn hung_up() -> Error {
        let text = "the peer has ended the connection during the TLS handshake";
        Error::Io(io::Error::new(io::ErrorKind::UnexpectedEof, text))
    }
}

/// What rustls finds wrong, as an error of input and output; it can be had back from there.
pub(super) fn broken(error: rustls::Error) -> Error {
    Error::Io(io::Error::new(io::ErrorKind::InvalidData, error))
}
