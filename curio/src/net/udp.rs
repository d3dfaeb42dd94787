//! UDP.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::panic::Location;
use std::task::{Context as TaskContext, Poll};

use super::packets::{Call, Operation, Peek, PeekFrom, Recv, RecvFrom, Send, SendTo};
use super::source::{Registered, about};
use crate::addr::ToAddrs;
use crate::error::{Error, Result};
use crate::traps::Waiting;

/// A socket for datagrams, as [`std::net::UdpSocket`].
///
/// ```
/// use curio::net::UdpSocket;
/// use curio::{run, spawn};
///
/// run(async {
///     let server = UdpSocket::bind("127.0.0.1:0")?;
///     let addr = server.local_addr()?;
///     let echo = spawn(async move {
///         let mut buf = [0; 1000];
///         let (n, peer) = server.recv_from(&mut buf).await?;
///         server.send_to(&buf[..n], peer).await
///     });
///     let client = UdpSocket::bind("127.0.0.1:0")?;
///     client.send_to(b"hello", addr).await?;
///     let mut buf = [0; 1000];
///     let (n, peer) = client.recv_from(&mut buf).await?;
///     assert_eq!((&buf[..n], peer), (&b"hello"[..], addr));
///     echo.join().await?;
///     Ok(())
/// })
/// .unwrap();
/// ```
pub struct UdpSocket {
    pub(super) io: Registered<mio::net::UdpSocket>,
}

impl UdpSocket {
    /// A socket at an address; at the first of several that can be had. It never waits.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the address cannot be had, or is none. [`Error::NoKernel`] outside of a task.
    ///
    /// See [`UdpSocket`] for an example.
    pub fn bind(addr: impl ToAddrs) -> Result<UdpSocket> {
        let mut last = Error::Closed;
        for addr in addr.to_addrs()? {
            match mio::net::UdpSocket::bind(addr) {
                Ok(socket) => {
                    return Ok(UdpSocket {
                        io: Registered::new(socket)?,
                    });
                }
                Err(error) => last = about("bind", addr, error),
            }
        }
        Err(last)
    }

    /// Takes over a socket that was made elsewhere. It becomes non-blocking, and so do all copies of it.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the system refuses. [`Error::NoKernel`] outside of a task.
    ///
    /// ```
    /// use curio::net::UdpSocket;
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    /// curio::run(async { UdpSocket::from_std(socket) }).unwrap();
    /// ```
    pub fn from_std(socket: std::net::UdpSocket) -> Result<UdpSocket> {
        socket.set_nonblocking(true)?;
        Ok(UdpSocket {
            io: Registered::adopt(mio::net::UdpSocket::from_std(socket))?,
        })
    }

    /// The socket as `std` knows it, blocking. It leaves the kernel.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub fn into_std(self) -> Result<std::net::UdpSocket> {
        let socket = std::net::UdpSocket::from(self.io.release()?);
        socket.set_nonblocking(false)?;
        Ok(socket)
    }

    /// From now on sends to this address, with [`send`](UdpSocket::send), and receives from nobody else. It never waits.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    ///
    /// ```
    /// use curio::net::UdpSocket;
    /// curio::run(async {
    ///     let (one, two) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    ///     one.connect(two.local_addr()?)?;
    ///     one.send(b"hello").await?;
    ///     assert_eq!(two.recv(&mut [0; 10]).await?, 5);
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn connect(&self, addr: impl Into<SocketAddr>) -> Result<()> {
        let addr = addr.into();
        self.io.with(|socket| socket.connect(addr))
    }

    /// Receives a datagram; what does not fit into `buf` is lost, as ever with UDP.
    ///
    /// *Waits* until there is one. *Interrupted* by cancellation and timeouts: none has been received.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]. [`Error::Busy`] if another task receives. [`Error::Closed`].
    ///
    /// See [`connect`](UdpSocket::connect) for an example.
    #[track_caller]
    pub fn recv<'a>(&'a self, buf: &'a mut [u8]) -> Operation<'a, UdpSocket, Recv<'a>> {
        Operation::new(self, Recv(buf), Location::caller())
    }

    /// Receives a datagram, and tells who sent it; otherwise as [`recv`](UdpSocket::recv).
    ///
    /// *Waits* until there is one. *Interrupted* by cancellation and timeouts: none has been received.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]. [`Error::Busy`] if another task receives. [`Error::Closed`].
    ///
    /// See [`UdpSocket`] for an example.
    #[track_caller]
    pub fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> Operation<'a, UdpSocket, RecvFrom<'a>> {
        Operation::new(self, RecvFrom(buf), Location::caller())
    }

    /// What [`recv_from`](UdpSocket::recv_from) polls, for those who hold the wait themselves.
    pub(crate) fn poll_recv_from(
        &self,
        buf: &mut [u8],
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<(usize, SocketAddr)>> {
        RecvFrom(buf).poll(self, waiting, cx, place)
    }

    /// Looks at the datagram that would be received next, and leaves it there.
    ///
    /// *Waits* until there is one. *Interrupted* by cancellation and timeouts: nothing has happened.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]. [`Error::Busy`] if another task receives. [`Error::Closed`].
    ///
    /// ```
    /// use curio::net::UdpSocket;
    /// curio::run(async {
    ///     let (one, two) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    ///     one.send_to(b"hello", two.local_addr()?).await?;
    ///     assert_eq!(two.peek(&mut [0; 10]).await?, 5);
    ///     assert_eq!(two.peek_from(&mut [0; 10]).await?, (5, one.local_addr()?));
    ///     assert_eq!(two.recv(&mut [0; 10]).await?, 5);
    ///     Ok(())
    /// }).unwrap();
    /// ```
    #[track_caller]
    pub fn peek<'a>(&'a self, buf: &'a mut [u8]) -> Operation<'a, UdpSocket, Peek<'a>> {
        Operation::new(self, Peek(buf), Location::caller())
    }

    /// Looks at the datagram that would be received next, and tells who sent it.
    ///
    /// *Waits* until there is one. *Interrupted* by cancellation and timeouts: nothing has happened.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]. [`Error::Busy`] if another task receives. [`Error::Closed`].
    ///
    /// See [`peek`](UdpSocket::peek) for an example.
    #[track_caller]
    pub fn peek_from<'a>(&'a self, buf: &'a mut [u8]) -> Operation<'a, UdpSocket, PeekFrom<'a>> {
        Operation::new(self, PeekFrom(buf), Location::caller())
    }

    /// Sends a datagram to whom the socket is connected. It is sent as a whole; the number of bytes is that of `buf`.
    ///
    /// *Waits* while the system has no room. *Interrupted* by cancellation and timeouts: nothing has been sent.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]. [`Error::Busy`] if another task sends. [`Error::Closed`].
    ///
    /// See [`connect`](UdpSocket::connect) for an example.
    #[track_caller]
    pub fn send<'a>(&'a self, buf: &'a [u8]) -> Operation<'a, UdpSocket, Send<'a>> {
        Operation::new(self, Send(buf), Location::caller())
    }

    /// Sends a datagram to an address.
    ///
    /// *Waits* while the system has no room. *Interrupted* by cancellation and timeouts: nothing has been sent.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]. [`Error::Busy`] if another task sends. [`Error::Closed`].
    ///
    /// See [`UdpSocket`] for an example.
    #[track_caller]
    pub fn send_to<'a>(
        &'a self,
        buf: &'a [u8],
        addr: impl Into<SocketAddr>,
    ) -> Operation<'a, UdpSocket, SendTo<'a>> {
        Operation::new(self, SendTo(buf, addr.into()), Location::caller())
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub fn local_addr(&self) -> Result<SocketAddr> {
        self.io.with(mio::net::UdpSocket::local_addr)
    }

    /// The address that it is connected to.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub fn peer_addr(&self) -> Result<SocketAddr> {
        self.io.with(mio::net::UdpSocket::peer_addr)
    }

    /// Allows or forbids to send to everybody in a network (`SO_BROADCAST`).
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    ///
    /// ```
    /// use curio::net::UdpSocket;
    /// curio::run(async {
    ///     let socket = UdpSocket::bind("127.0.0.1:0")?;
    ///     socket.set_broadcast(true)?;
    ///     assert!(socket.broadcast()?);
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn set_broadcast(&self, on: bool) -> Result<()> {
        self.io.with(|socket| socket.set_broadcast(on))
    }

    /// Whether it may send to everybody in a network.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub fn broadcast(&self) -> Result<bool> {
        self.io.with(mio::net::UdpSocket::broadcast)
    }

    /// How many routers a datagram may pass (`IP_TTL`).
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    ///
    /// ```
    /// use curio::net::UdpSocket;
    /// curio::run(async {
    ///     let socket = UdpSocket::bind("127.0.0.1:0")?;
    ///     socket.set_ttl(42)?;
    ///     assert_eq!(socket.ttl()?, 42);
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn set_ttl(&self, ttl: u32) -> Result<()> {
        self.io.with(|socket| socket.set_ttl(ttl))
    }

    /// How many routers a datagram may pass.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub fn ttl(&self) -> Result<u32> {
        self.io.with(mio::net::UdpSocket::ttl)
    }

    /// Whether what is sent to a group comes back to this machine too (`IP_MULTICAST_LOOP`).
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    ///
    /// ```
    /// use curio::net::UdpSocket;
    /// curio::run(async {
    ///     let socket = UdpSocket::bind("127.0.0.1:0")?;
    ///     socket.set_multicast_loop_v4(false)?;
    ///     assert!(!socket.multicast_loop_v4()?);
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn set_multicast_loop_v4(&self, on: bool) -> Result<()> {
        self.io.with(|socket| socket.set_multicast_loop_v4(on))
    }

    /// Whether what is sent to a group comes back to this machine too.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub fn multicast_loop_v4(&self) -> Result<bool> {
        self.io.with(mio::net::UdpSocket::multicast_loop_v4)
    }

    /// How many routers a datagram to a group may pass (`IP_MULTICAST_TTL`).
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    ///
    /// ```
    /// use curio::net::UdpSocket;
    /// curio::run(async {
    ///     let socket = UdpSocket::bind("127.0.0.1:0")?;
    ///     socket.set_multicast_ttl_v4(3)?;
    ///     assert_eq!(socket.multicast_ttl_v4()?, 3);
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> Result<()> {
        self.io.with(|socket| socket.set_multicast_ttl_v4(ttl))
    }

    /// How many routers a datagram to a group may pass.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub fn multicast_ttl_v4(&self) -> Result<u32> {
        self.io.with(mio::net::UdpSocket::multicast_ttl_v4)
    }

    /// Whether what is sent to a group of IPv6 comes back to this machine too (`IPV6_MULTICAST_LOOP`).
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub fn set_multicast_loop_v6(&self, on: bool) -> Result<()> {
        self.io.with(|socket| socket.set_multicast_loop_v6(on))
    }

    /// Whether what is sent to a group of IPv6 comes back to this machine too.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub fn multicast_loop_v6(&self) -> Result<bool> {
        self.io.with(mio::net::UdpSocket::multicast_loop_v6)
    }

    /// Joins a group at the interface with this address; `UNSPECIFIED` lets the system choose.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub fn join_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> Result<()> {
        self.io.with(|socket| socket.join_multicast_v4(group, interface))
    }

    /// Leaves a group.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub fn leave_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> Result<()> {
        self.io.with(|socket| socket.leave_multicast_v4(group, interface))
    }

    /// Joins a group of IPv6 at the interface with this index; 0 lets the system choose.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> Result<()> {
        self.io.with(|socket| socket.join_multicast_v6(group, interface))
    }

    /// Leaves a group of IPv6.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> Result<()> {
        self.io.with(|socket| socket.leave_multicast_v6(group, interface))
    }

    /// The error that the system has noted for this socket, which is forgotten by this.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub fn take_error(&self) -> Result<Option<io::Error>> {
        self.io.with(mio::net::UdpSocket::take_error)
    }

    /// Closes the socket. Tasks that wait to send or receive get [`Error::Closed`].
    ///
    /// ```
    /// use curio::net::UdpSocket;
    /// curio::run(async {
    ///     let socket = UdpSocket::bind("127.0.0.1:0")?;
    ///     socket.close();
    ///     assert!(socket.recv(&mut [0; 10]).await.is_err());
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn close(&self) {
        self.io.close();
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpSocket")
            .field("local_addr", &self.local_addr().ok())
            .finish()
    }
}
