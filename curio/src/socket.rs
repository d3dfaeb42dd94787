//! Sockets with everything that the system has: all families, all options, messages with descriptors in them.
//!
//! [`net`](crate::net) has the sockets that most programs need, with the names of `std`. This is for the others, with the names
//! of Python's `socket` and the types of the crate `socket2`. It needs the feature `socket`, and Unix.
//!
//! A [`Socket`] that is neither connected nor listens looks to the selector as one that is broken: it reports an end in both
//! directions at once, for good. So it is registered late:
//!
//! K1. A socket is registered when a call on it would block for the first time, which an unconnected one's never does, or when a
//!     connection is under way.
//! K2. Whether a short read has emptied it depends on what it is, so it is asked once more (see N1 of `net`).

mod calls;

use std::cell::{OnceCell, RefCell};
use std::fmt;
use std::future::Future;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use crate::context;
use crate::error::{Error, Result};
use crate::net::bytes::sealed::Sealed;
use crate::net::bytes::{Readable, Transport, Writable, WriteAll};
use crate::net::fd::ByFd;
use crate::net::patience::Patience;
use crate::net::source::Registered;
use crate::readiness::Direction;
use crate::stream::Stream;
use crate::traps::{Waiting, poll_budget};

pub use calls::{Accept, Call, Message, Recv, RecvFrom, RecvMsg, Send, SendMsg, SendTo, SystemCall};
pub use socket2::{Domain, Protocol, SockAddr, Type};

/// What the selector knows, or will.
type Source = ByFd<socket2::Socket>;

/// A socket of any family and type (Python Curio: `socket.socket`).
///
/// ```
/// use curio::socket::{Domain, Socket, Type};
/// use curio::{run, spawn};
/// use std::net::SocketAddr;
///
/// run(async {
///     let listener = Socket::new(Domain::IPV4, Type::STREAM, None)?;
///     listener.options(|s| s.set_reuse_address(true))?;
///     listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
///     listener.listen(5)?;
///     let addr = listener.options(|s| s.local_addr())?;
///     let server = spawn(async move {
///         let (client, _addr) = listener.accept().await?;
///         client.sendall(b"hello").await
///     });
///     let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
///     socket.connect(&addr).await?;
///     let mut buf = [0; 100];
///     assert_eq!(socket.recv(&mut buf).await?, 5);
///     server.join().await
/// })
/// .unwrap();
/// ```
pub struct Socket {
    /// Until it is registered (K1); None then, and when it is closed.
    fresh: RefCell<Option<Source>>,
    io: OnceCell<Registered<Source>>,
}

impl Socket {
    /// A new socket.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the system refuses.
    ///
    /// See [`Socket`] for an example.
    pub fn new(domain: Domain, kind: Type, protocol: Option<Protocol>) -> Result<Socket> {
        Socket::from_socket2(socket2::Socket::new(domain, kind, protocol)?)
    }

    /// Two sockets that are connected to each other (Python Curio: `socketpair`).
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the system refuses.
    ///
    /// See [`Socket::sendmsg`] for an example.
    pub fn pair(domain: Domain, kind: Type, protocol: Option<Protocol>) -> Result<(Socket, Socket)> {
        let (one, two) = socket2::Socket::pair(domain, kind, protocol)?;
        Ok((Socket::from_socket2(one)?, Socket::from_socket2(two)?))
    }

    /// Takes over a socket that was made elsewhere (Python Curio: `fromfd`). It becomes non-blocking, and so do all copies of
    /// it.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the system refuses.
    pub fn from_socket2(socket: socket2::Socket) -> Result<Socket> {
        socket.set_nonblocking(true)?;
        Ok(Socket {
            fresh: RefCell::new(Some(ByFd(socket))),
            io: OnceCell::new(),
        })
    }

    /// The socket as `socket2` knows it, blocking (Python Curio: `blocking`). It leaves the kernel.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub fn into_socket2(self) -> Result<socket2::Socket> {
        let socket = match self.io.into_inner() {
            Some(io) => io.release()?,
            None => self.fresh.into_inner().ok_or(Error::Closed)?,
        };
        socket.0.set_nonblocking(false)?;
        Ok(socket.0)
    }

    /// Asks or changes something: everything that a [`socket2::Socket`] has, and that does not wait.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    ///
    /// See [`Socket`] for an example.
    pub fn options<R>(&self, f: impl FnOnce(&socket2::Socket) -> io::Result<R>) -> Result<R> {
        match self.io.get() {
            Some(io) => io.with(|source| f(&source.0)),
            None => match &*self.fresh.borrow() {
                Some(source) => f(&source.0).map_err(Error::Io),
                None => Err(Error::Closed),
            },
        }
    }

    /// Gives it an address.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    ///
    /// See [`Socket`] for an example.
    pub fn bind(&self, addr: &SockAddr) -> Result<()> {
        self.options(|socket| socket.bind(addr))
    }

    /// Begins to listen; the system keeps so many connections in its queue.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    ///
    /// See [`Socket`] for an example.
    pub fn listen(&self, backlog: i32) -> Result<()> {
        self.options(|socket| socket.listen(backlog))
    }

    /// Takes the next connection.
    ///
    /// *Waits* until there is one. *Interrupted* by cancellation and timeouts: no connection is lost.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]. [`Error::Busy`] if another task accepts. [`Error::Closed`].
    ///
    /// See [`Socket`] for an example.
    #[track_caller]
    pub fn accept(&self) -> Call<'_, Accept> {
        Call::new(self, Accept, Location::caller())
    }

    /// Connects to an address.
    ///
    /// *Waits* for the peer. *Interrupted* by cancellation and timeouts: the attempt goes on, and the socket is of no use but to
    /// be closed.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the peer refuses. [`Error::Busy`] if another task writes. [`Error::Closed`].
    ///
    /// See [`Socket`] for an example.
    #[track_caller]
    pub fn connect<'a>(&'a self, addr: &'a SockAddr) -> ConnectSocket<'a> {
        ConnectSocket {
            socket: self,
            addr: Some(addr),
            patience: Patience::new(Location::caller()),
            waiting: Waiting::new(),
            place: Location::caller(),
        }
    }

    /// Receives what is there, or a datagram; 0 bytes at the end.
    ///
    /// *Waits* until there is something. *Interrupted* by cancellation and timeouts: nothing has been received.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]. [`Error::Busy`] if another task receives. [`Error::Closed`].
    ///
    /// See [`Socket`] for an example.
    #[track_caller]
    pub fn recv<'a>(&'a self, buf: &'a mut [u8]) -> Call<'a, Recv<'a>> {
        Call::new(self, Recv(buf), Location::caller())
    }

    /// Sends as much as the system takes, or a datagram.
    ///
    /// *Waits* until it takes something. *Interrupted* by cancellation and timeouts: nothing has been sent.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]. [`Error::Busy`] if another task sends. [`Error::Closed`].
    #[track_caller]
    pub fn send<'a>(&'a self, buf: &'a [u8]) -> Call<'a, Send<'a>> {
        Call::new(self, Send(buf), Location::caller())
    }

    /// Sends everything.
    ///
    /// *Waits* until the system has taken everything. *Interrupted* by cancellation and timeouts: the error's
    /// [`Progress`](crate::Progress) says how many bytes were sent.
    ///
    /// # Errors
    ///
    /// As for [`send`](Socket::send).
    ///
    /// See [`Socket`] for an example.
    #[track_caller]
    pub fn sendall<'a>(&'a self, buf: &'a [u8]) -> WriteAll<'a, Socket> {
        WriteAll::new(self, buf, Location::caller())
    }

    /// Sends a datagram to an address (Python Curio: `sendto`).
    ///
    /// *Waits* while there is no room. *Interrupted* by cancellation and timeouts: nothing has been sent.
    ///
    /// # Errors
    ///
    /// As for [`send`](Socket::send).
    #[track_caller]
    pub fn send_to<'a>(&'a self, buf: &'a [u8], addr: &'a SockAddr) -> Call<'a, SendTo<'a>> {
        Call::new(self, SendTo(buf, addr), Location::caller())
    }

    /// Receives a datagram, and says who has sent it (Python Curio: `recvfrom`). What does not fit into `buf` is cut off.
    ///
    /// *Waits* until one comes. *Interrupted* by cancellation and timeouts: nothing has been received. The system is asked twice,
    /// for the sender and for the datagram; so nobody else should receive from a copy of this socket.
    ///
    /// # Errors
    ///
    /// As for [`recv`](Socket::recv).
    ///
    /// ```
    /// use curio::socket::{Domain, SockAddr, Socket, Type};
    /// use std::net::SocketAddr;
    ///
    /// curio::run(async {
    ///     let any = SockAddr::from("127.0.0.1:0".parse::<SocketAddr>().unwrap());
    ///     let (one, two) = (Socket::new(Domain::IPV4, Type::DGRAM, None)?, Socket::new(Domain::IPV4, Type::DGRAM, None)?);
    ///     one.bind(&any)?;
    ///     two.bind(&any)?;
    ///     one.send_to(b"hello", &two.options(|s| s.local_addr())?).await?;
    ///     let mut buf = [0; 100];
    ///     let (n, sender) = two.recv_from(&mut buf).await?;
    ///     assert_eq!(&buf[..n], b"hello");
    ///     two.send_to(b"and to you", &sender).await?;
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> Call<'a, RecvFrom<'a>> {
        Call::new(self, RecvFrom(buf), Location::caller())
    }

    /// Sends bytes and, over a Unix socket, descriptors, of which the receiver gets copies of its own (Python Curio: `sendmsg`).
    /// With descriptors there must be at least a byte.
    ///
    /// *Waits* until the system takes something. *Interrupted* by cancellation and timeouts: nothing has been sent.
    ///
    /// # Errors
    ///
    /// As for [`send`](Socket::send).
    ///
    /// ```
    /// use curio::socket::{Domain, Socket, Type};
    /// use std::io::Read;
    /// use std::os::fd::AsFd;
    ///
    /// let (reader, writer) = std::io::pipe().unwrap();
    /// curio::run(async {
    ///     let (one, two) = Socket::pair(Domain::UNIX, Type::STREAM, None)?;
    ///     one.sendmsg(b"here", &[writer.as_fd()]).await?;
    ///     let mut buf = [0; 10];
    ///     let message = two.recvmsg(&mut buf, 1).await?;
    ///     assert_eq!((message.len, message.descriptors.len()), (4, 1));
    ///     Ok(())
    /// })
    /// .unwrap();
    /// // All who could write have gone, also those who got a copy.
    /// drop(writer);
    /// assert_eq!((&reader).read(&mut [0; 10]).unwrap(), 0);
    /// ```
    #[track_caller]
    pub fn sendmsg<'a>(&'a self, buf: &'a [u8], descriptors: &'a [BorrowedFd<'a>]) -> Call<'a, SendMsg<'a>> {
        Call::new(self, SendMsg(buf, descriptors), Location::caller())
    }

    /// Receives bytes, and so many descriptors at most (Python Curio: `recvmsg`). They are closed when they are dropped, and are
    /// not handed on to other programs.
    ///
    /// *Waits* until there is something. *Interrupted* by cancellation and timeouts: nothing has been received.
    ///
    /// # Errors
    ///
    /// As for [`recv`](Socket::recv).
    ///
    /// See [`sendmsg`](Socket::sendmsg) for an example.
    #[track_caller]
    pub fn recvmsg<'a>(&'a self, buf: &'a mut [u8], descriptors: usize) -> Call<'a, RecvMsg<'a>> {
        Call::new(self, RecvMsg(buf, descriptors), Location::caller())
    }

    /// Ends one direction, or both, for the peer too.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub fn shutdown(&self, how: Shutdown) -> Result<()> {
        self.options(|socket| socket.shutdown(how))
    }

    /// Puts a buffer in front of it (Python Curio: `as_stream`).
    #[track_caller]
    pub fn as_stream(&self) -> Stream<&Socket> {
        Stream::new(self)
    }

    /// Closes it. Tasks that wait for it get [`Error::Closed`].
    pub fn close(&self) {
        match self.io.get() {
            Some(io) => io.close(),
            None => drop(self.fresh.borrow_mut().take()),
        }
    }

    /// Registers it, if it is not (K1).
    fn register(&self) -> Result<&Registered<Source>> {
        if let Some(io) = self.io.get() {
            return Ok(io);
        }
        let source = self.fresh.borrow_mut().take().ok_or(Error::Closed)?;
        let io = Registered::adopt(source)?;
        Ok(self.io.get_or_init(|| io))
    }

    /// Tries a system call, and waits if it would block.
    fn poll_call<R>(
        &self,
        direction: Direction,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
        mut call: impl FnMut(&socket2::Socket) -> io::Result<R>,
    ) -> Poll<Result<R>> {
        while self.io.get().is_none() {
            context::with_task(|_, _| Ok(()))?;
            ready!(poll_budget(cx));
            match self.options(&mut call) {
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.register()?;
                }
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                called => return Poll::Ready(called),
            }
        }
        let io = self.register()?;
        io.poll_fd(direction, waiting, cx, place, call)
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fd = self.options(|socket| Ok(socket.as_raw_fd())).ok();
        f.debug_struct("Socket").field("fd", &fd).finish()
    }
}

impl Sealed for Socket {}

impl Transport for Socket {
    fn close(&self) -> Result<()> {
        Socket::close(self);
        Ok(())
    }
}

impl Readable for Socket {
    fn poll_read(
        &self,
        buf: &mut [u8],
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<usize>> {
        self.poll_call(Direction::Read, waiting, cx, place, |mut socket| socket.read(buf))
    }
}

impl Writable for Socket {
    fn poll_write(
        &self,
        buf: &[u8],
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<usize>> {
        self.poll_call(Direction::Write, waiting, cx, place, |mut socket| {
            socket.write(buf)
        })
    }

    fn finish(&self) -> Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

/// The operation of [`Socket::connect`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct ConnectSocket<'a> {
    socket: &'a Socket,
    /// None once it is under way.
    addr: Option<&'a SockAddr>,
    /// A server at a path whose queue is full: the attempt is made anew.
    patience: Patience,
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl Future for ConnectSocket<'_> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        let ConnectSocket {
            socket,
            addr,
            patience,
            waiting,
            place,
        } = &mut *self;
        if let Some(to) = *addr {
            match ready!(patience.poll(cx, || socket.options(|socket| socket.connect(to)))) {
                Err(Error::Io(error)) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
                connected => return Poll::Ready(connected),
            }
            *addr = None;
        }
        let io = socket.register()?;
        io.poll_fd(Direction::Write, waiting, cx, place, |socket| {
            if let Some(error) = socket.take_error()? {
                return Err(error);
            }
            match socket.peer_addr() {
                // Still under way.
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                    Err(io::ErrorKind::WouldBlock.into())
                }
                other => other.map(|_| ()),
            }
        })
    }
}
