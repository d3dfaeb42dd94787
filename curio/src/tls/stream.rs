//! The connection.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::panic::Location;
use std::task::{Context as TaskContext, Poll, ready};

use rustls::ProtocolVersion;
use rustls::pki_types::CertificateDer;

use super::session::Session;
use crate::context;
use crate::error::{Error, Result};
use crate::net::TcpStream;
use crate::net::bytes::sealed::Sealed;
use crate::net::bytes::{Finish, Flush, Read, ReadExact, Readable, Transport, Writable, Write, WriteAll};
use crate::net::carrier::Carrier;
use crate::scratch;
use crate::stream::Stream;
use crate::traps::{Waiting, poll_budget};

/// A connection that is encrypted, whose peer is who it says it is, as far as the configuration asks.
///
/// It is made by a handshake: of a [`Connector`](super::Connector), of an [`Acceptor`](super::Acceptor), or of what uses these. Its
/// methods are those of [`TcpStream`] and take `&self`: one task may read while another writes.
///
/// To end it properly, [`shutdown`](TlsStream::shutdown). Dropping it tells the peer nothing (L5): it sees that the connection
/// was broken off.
///
/// See the [module's documentation](super) for an example.
pub struct TlsStream<S = TcpStream> {
    io: S,
    session: RefCell<Session>,
}

impl<S: Carrier> TlsStream<S> {
    /// A connection that has not shaken hands yet, for who does (L1).
    pub(super) fn new(io: S, session: Session) -> TlsStream<S> {
        TlsStream {
            io,
            session: RefCell::new(session),
        }
    }

    /// Shakes hands (L1).
    pub(super) async fn shake_hands(&self, place: &'static Location<'static>) -> Result<()> {
        let mut buf = vec![0; 4096];
        loop {
            let sent = Flush::new(self, place).await;
            if !self.session.borrow().is_handshaking() {
                return match sent {
                    // All is agreed upon. A server may have failed to send what a client uses to come back sooner, because this
                    // client has said all and gone: that is no reason not to read it. If it is more, the next write tells.
                    Err(Error::Io(_)) => Ok(()),
                    sent => sent,
                };
            }
            sent?;
            let n = Read::new(&self.io, &mut buf, place).await?;
            if n == 0 {
                return Err(Session::hung_up());
            }
            self.session.borrow_mut().feed(&buf[..n]);
            self.send_alert();
            self.session.borrow().check()?;
        }
    }

    /// Reads what is there, into `buf`; 0 bytes at the end of the stream, which is where the peer says so (L4).
    ///
    /// *Waits* until there is something. *Interrupted* by cancellation and timeouts: nothing has been read, and nothing is lost.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]: with [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the connection ends and the peer has not said so; with
    /// [`InvalidData`](io::ErrorKind::InvalidData) around a [`rustls::Error`] if what comes is not what the peer has sent, or the
    /// peer complains. [`Error::Busy`] if another task reads. [`Error::Closed`].
    ///
    /// See the [module's documentation](super) for an example.
    #[track_caller]
    pub fn read<'a>(&'a self, buf: &'a mut [u8]) -> Read<'a, TlsStream<S>> {
        Read::new(self, buf, Location::caller())
    }

    /// Fills the whole buffer.
    ///
    /// *Waits* until it is full. *Interrupted* by cancellation and timeouts: the error's [`Progress`](crate::Progress)
    /// says how many bytes are in the buffer.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] with [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the stream ends before. Otherwise as for
    /// [`read`](TlsStream::read).
    ///
    /// See the [module's documentation](super) for an example.
    #[track_caller]
    pub fn read_exact<'a>(&'a self, buf: &'a mut [u8]) -> ReadExact<'a, TlsStream<S>> {
        ReadExact::new(self, buf, Location::caller())
    }

    /// Takes as much of `buf` as there is room for, at least a byte, and encrypts it. What the system does not take at once is
    /// sent by the next write or [`flush`](TlsStream::flush) (L3).
    ///
    /// *Waits* until what was taken before is with the system. *Interrupted* by cancellation and timeouts: nothing of `buf` has
    /// been taken.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; with [`BrokenPipe`](io::ErrorKind::BrokenPipe) after a `shutdown`. [`Error::Busy`] if another task writes.
    /// [`Error::Closed`].
    #[track_caller]
    pub fn write<'a>(&'a self, buf: &'a [u8]) -> Write<'a, TlsStream<S>> {
        Write::new(self, buf, Location::caller())
    }

    /// Writes all of `buf` (Python Curio: `sendall`), and flushes.
    ///
    /// *Waits* until the system has taken everything. *Interrupted* by cancellation and timeouts: the error's
    /// [`Progress`](crate::Progress) says how many bytes were taken. They are encrypted, and what of them is not yet with the system is
    /// sent first by the next write, flush or shutdown: to go on, write the others (L3).
    ///
    /// # Errors
    ///
    /// As for [`write`](TlsStream::write).
    ///
    /// See the [module's documentation](super) for an example.
    #[track_caller]
    pub fn write_all<'a>(&'a self, buf: &'a [u8]) -> WriteAll<'a, TlsStream<S>> {
        WriteAll::new(self, buf, Location::caller())
    }

    /// Sends what was taken and not yet sent: by a [`write`](TlsStream::write), or by a `write_all` that was interrupted.
    ///
    /// *Waits* until the system has taken everything. *Interrupted* by cancellation and timeouts: what was not sent is held still.
    ///
    /// # Errors
    ///
    /// As for [`write`](TlsStream::write).
    #[track_caller]
    pub fn flush(&self) -> Flush<'_, TlsStream<S>> {
        Flush::new(self, Location::caller())
    }

    /// Says goodbye: nothing more comes, and nothing is missing (`close_notify`). Then the peer's end of the stream follows for the
    /// socket, too. What the peer says can still be read; nothing can be written any more.
    ///
    /// *Waits* until everything is with the system. *Interrupted* by cancellation and timeouts: the peer may not have been told; it
    /// can be tried again.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]. [`Error::Busy`] if another task writes. [`Error::Closed`].
    ///
    /// See the [module's documentation](super) for an example.
    #[track_caller]
    pub fn shutdown(&self) -> Finish<'_, TlsStream<S>> {
        Finish::new(self, Location::caller())
    }

    /// Says goodbye if that can be said at once, and closes the socket. Tasks that wait to read or write get
    /// [`Error::Closed`].
    ///
    /// After much was written there may be no room for the goodbye; to wait for it, [`shutdown`](TlsStream::shutdown) first.
    pub fn close(&self) {
        let _ = Transport::close(self);
    }

    /// Puts a buffer in front of it, to read lines and the like (Python Curio: `as_stream`). What is in the buffer when it is
    /// dropped is lost.
    ///
    /// See the [module's documentation](super) for an example.
    #[track_caller]
    pub fn as_stream(&self) -> Stream<&TlsStream<S>> {
        Stream::new(self)
    }

    /// The same for one that owns the connection; [`split`](Stream::split) makes two halves of it, for two tasks.
    #[track_caller]
    pub fn into_stream(self) -> Stream<TlsStream<S>> {
        Stream::new(self)
    }

    /// The socket below, to ask something about it. Who reads from it or writes to it breaks the connection.
    pub fn get_ref(&self) -> &S {
        &self.io
    }

    /// What both have agreed to talk (ALPN), if they have; like `h2` (Python: `selected_alpn_protocol`).
    pub fn alpn_protocol(&self) -> Option<Vec<u8>> {
        self.session.borrow().alpn_protocol()
    }

    /// The certificates of the peer, its own first (Python: `getpeercert`). A server has none of a client that it has not asked
    /// for one.
    pub fn peer_certificates(&self) -> Option<Vec<CertificateDer<'static>>> {
        self.session.borrow().peer_certificates()
    }

    /// The version of TLS.
    pub fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.session.borrow().protocol_version()
    }

    /// On a server, the name that the client has asked for (SNI).
    pub fn server_name(&self) -> Option<String> {
        self.session.borrow().server_name()
    }

    /// Sends what rustls has to say for itself, as far as the system takes it at once. The rest goes with the next write.
    fn send_alert(&self) {
        while self.session.borrow().wants_send() {
            // An error here is found by whoever writes.
            if self
                .io
                .try_send(&mut |to| self.session.borrow_mut().send(to))
                .is_err()
            {
                break;
            }
        }
    }

    /// Ends the socket, too, after the goodbye. That the peer has gone already is no matter then: it has been told.
    fn finish_socket(&self) -> Result<()> {
        match self.io.finish() {
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            finished => finished,
        }
    }

    /// Sends everything, and waits for it.
    fn poll_send(
        &self,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<()>> {
        while self.session.borrow().wants_send() {
            let mut send = |to: &mut dyn io::Write| self.session.borrow_mut().send(to);
            ready!(self.io.poll_send(&mut send, waiting, cx, place))?;
        }
        // Another may have sent it.
        waiting.complete();
        Poll::Ready(Ok(()))
    }
}

impl<S: Carrier> Sealed for TlsStream<S> {}

impl<S: Carrier> Transport for TlsStream<S> {
    fn close(&self) -> Result<()> {
        let _ = self.finish();
        self.session.borrow_mut().close();
        self.io.close()
    }
}

impl<S: Carrier> Readable for TlsStream<S> {
    fn poll_read(
        &self,
        buf: &mut [u8],
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<usize>> {
        if buf.is_empty() {
            context::with_task(|_, _| Ok(()))?;
            ready!(poll_budget(cx));
            waiting.complete();
            return Poll::Ready(self.session.borrow().check_open().map(|()| 0));
        }
        // What was paid for with a look at the socket costs nothing more.
        let mut paid = false;
        loop {
            if !paid && self.session.borrow().is_readable() {
                ready!(poll_budget(cx));
            }
            let read = self.session.borrow_mut().read(buf);
            if let Some(read) = read.transpose() {
                waiting.complete();
                return Poll::Ready(read);
            }
            ready!(scratch::with(|scratch| {
                let received = ready!(self.io.poll_read(scratch, waiting, cx, place));
                Poll::Ready(received.map(|n| self.session.borrow_mut().feed(&scratch[..n])))
            }))?;
            paid = true;
            // An answer, or a complaint.
            self.send_alert();
        }
    }
}

impl<S: Carrier> Writable for TlsStream<S> {
    fn poll_write(
        &self,
        buf: &[u8],
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<usize>> {
        if self.session.borrow().wants_send() {
            ready!(self.poll_send(waiting, cx, place))?;
        } else {
            context::with_task(|_, _| Ok(()))?;
            ready!(poll_budget(cx));
            waiting.complete();
        }
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        // From here on it is taken, and nothing can be waited for (L3).
        let taken = self.session.borrow_mut().write(buf)?;
        let sent = self.io.try_send(&mut |to| self.session.borrow_mut().send(to));
        Poll::Ready(match sent {
            Err(Error::Io(error)) if is_temporary(&error) => Ok(taken),
            Err(error) => Err(error),
            Ok(_) => Ok(taken),
        })
    }

    fn poll_flush(
        &self,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<()>> {
        self.poll_send(waiting, cx, place)
    }

    fn poll_finish(
        &self,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<()>> {
        // Not in the middle of what another task writes.
        ready!(self.poll_send(waiting, cx, place))?;
        self.session.borrow_mut().finish();
        ready!(self.poll_send(waiting, cx, place))?;
        Poll::Ready(self.finish_socket())
    }

    fn finish(&self) -> Result<()> {
        self.session.borrow_mut().finish();
        while self.session.borrow().wants_send() {
            match self.io.try_send(&mut |to| self.session.borrow_mut().send(to)) {
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    let text =
                        "there is no room for TLS's goodbye (close_notify) now; `shutdown` waits for it";
                    return Err(Error::Io(io::Error::new(error.kind(), text)));
                }
                sent => sent?,
            };
        }
        self.finish_socket()
    }
}

fn is_temporary(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

impl<S: fmt::Debug> fmt::Debug for TlsStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream")
            .field("io", &self.io)
            .finish_non_exhaustive()
    }
}
