//! A server for datagrams. Each is a client of its own: so a socket that receives them is a listener that accepts them, and
//! everything else is a [`Server`] like any other.

use std::cell::RefCell;
use std::fmt;
use std::net::SocketAddr;
use std::panic::Location;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, ready};

use super::Handler;
use crate::addr::ToAddrs;
use crate::error::Result;
use crate::net::bytes::sealed::Sealed;
use crate::net::{Listener, LookupHost, UdpSocket, lookup_host};
use crate::server::{Kept, Server, Start};
use crate::sync::Lock;
use crate::traps::Waiting;

/// No datagram is longer.
const LONGEST: usize = 65536;

/// How many are handled at once, unless something else is said.
const AT_ONCE: usize = 1000;

/// What a handler of datagrams is made from: one of them, and where it came from (Python Curio: `DatagramRequestHandler`'s
/// `rfile` and `client_address`).
pub struct Datagram {
    /// What the client says, all of it.
    pub packet: Vec<u8>,
    /// Where it comes from.
    pub client_address: SocketAddr,
    socket: Rc<Shared>,
}

impl Datagram {
    /// Sends a datagram to the client (Python Curio: what was written to `wfile`).
    ///
    /// *Waits* while the system cannot take it, and while another handler of this server waits for that. *Interrupted* by
    /// cancellation and timeouts: nothing was sent.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io), for one that is too long, say.
    ///
    /// See [`UdpServer`] for an example.
    #[track_caller]
    pub fn reply<'a>(&'a self, packet: &'a [u8]) -> impl Future<Output = Result<()>> + use<'a> {
        // A socket has one seat for who waits to send. They take turns.
        let turn = self.socket.turn.lock();
        let send = self.socket.io.send_to(packet, self.client_address);
        async move {
            let _turn = turn.await?;
            send.await?;
            Ok(())
        }
    }
}

impl fmt::Debug for Datagram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Datagram")
            .field("client_address", &self.client_address)
            .field("bytes", &self.packet.len())
            .finish()
    }
}

/// A server for UDP (Python Curio: `UDPServer`). A task serves each datagram.
///
/// ```
/// use curio::socketserver::{Datagram, Handler, UdpServer};
/// use curio::net::UdpSocket;
/// use curio::{Result, run, spawn};
///
/// struct Shout(Datagram);
///
/// impl Handler for Shout {
///     async fn handle(&mut self) -> Result<()> {
///         self.0.reply(&self.0.packet.to_ascii_uppercase()).await
///     }
/// }
///
/// run(async {
///     let socket = UdpSocket::bind("127.0.0.1:0")?;
///     let addr = socket.local_addr()?;
///     let server = spawn(UdpServer::on(socket, Shout).serve_forever());
///     let client = UdpSocket::bind("127.0.0.1:0")?;
///     client.send_to(b"hello", addr).await?;
///     let mut answer = [0; 5];
///     client.recv(&mut answer).await?;
///     assert_eq!(&answer, b"HELLO");
///     server.cancel().await
/// })
/// .unwrap();
/// ```
pub struct UdpServer<F> {
    at: AtSocket,
    make: F,
    at_once: usize,
}

impl<F, H> UdpServer<F>
where
    F: Fn(Datagram) -> H + 'static,
    H: Handler,
{
    /// A server at this address, which calls `make` for every datagram. It begins with
    /// [`serve_forever`](UdpServer::serve_forever).
    #[track_caller]
    pub fn new(addr: impl ToAddrs, make: F) -> UdpServer<F> {
        UdpServer {
            at: AtSocket::Addr(lookup_host(addr)),
            make,
            at_once: AT_ONCE,
        }
    }

    /// The same on a socket that is there already.
    ///
    /// See [`UdpServer`] for an example.
    pub fn on(socket: UdpSocket, make: F) -> UdpServer<F> {
        UdpServer {
            at: AtSocket::Socket(socket),
            make,
            at_once: AT_ONCE,
        }
    }

    /// Handles so many datagrams at once, at least one; 1000 if nothing is said. Those that come then wait in the system's
    /// buffer, which drops what it cannot hold.
    pub fn max_clients(mut self, datagrams: usize) -> UdpServer<F> {
        self.at_once = datagrams;
        self
    }

    /// Receives, and serves every datagram in a task of its own.
    ///
    /// *Waits* for ever. *Interrupted* by cancellation and timeouts: then all its handlers are cancelled and awaited, too.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) if the address cannot be had. The interruption.
    ///
    /// See [`UdpServer`] for an example.
    #[track_caller]
    pub fn serve_forever(self) -> impl Future<Output = Result<()>> + use<F, H> {
        let make = self.make;
        let handler = async move |datagram: Datagram, _: SocketAddr| make(datagram).handle().await;
        Server::new(self.at, handler)
            .named_after::<H>()
            .max_clients(self.at_once)
    }
}

impl<F> fmt::Debug for UdpServer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpServer").field("at", &self.at).finish()
    }
}

/// Where it receives.
#[derive(Debug)]
enum AtSocket {
    Addr(LookupHost),
    Socket(UdpSocket),
}

impl Sealed for AtSocket {}

impl Start for AtSocket {
    type Listener = Receiver;

    async fn start(self) -> Result<(Receiver, Kept)> {
        let io = match self {
            AtSocket::Addr(addrs) => UdpSocket::bind(&addrs.await?[..])?,
            AtSocket::Socket(socket) => socket,
        };
        let socket = Rc::new(Shared {
            io,
            turn: Lock::new(()),
        });
        let buffer = RefCell::new(vec![0; LONGEST]);
        Ok((Receiver { socket, buffer }, None))
    }
}

/// The socket, which all handlers send with.
#[derive(Debug)]
struct Shared {
    io: UdpSocket,
    turn: Lock<()>,
}

/// Accepts datagrams.
struct Receiver {
    socket: Rc<Shared>,
    /// For one that comes. Its handler gets a copy that is as long as it.
    buffer: RefCell<Vec<u8>>,
}

impl Sealed for Receiver {}

impl Listener for Receiver {
    type Stream = Datagram;
    type Addr = SocketAddr;

    fn poll_accept(
        &self,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<(Datagram, SocketAddr)>> {
        let mut buffer = self.buffer.borrow_mut();
        let (n, client_address) = ready!(self.socket.io.poll_recv_from(&mut buffer, waiting, cx, place))?;
        let datagram = Datagram {
            packet: buffer[..n].to_vec(),
            client_address,
            socket: self.socket.clone(),
        };
        Poll::Ready(Ok((datagram, client_address)))
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("socket", &self.socket).finish()
    }
}
