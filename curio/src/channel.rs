//! Messages between programs: to another curio, or to Python.
//!
//! A [`Connection`] sends and receives whole messages: values of `serde`, or bytes. A [`Channel`] is where two programs
//! meet: one [accepts](Channel::accept), the other [connects](Channel::connect), and with a key each makes sure of the
//! other. All of it is what Python's `multiprocessing.connection` does (and so Python Curio), to the byte: its `Listener`
//! and `Client` are at the other end of a channel as well as we are.
//!
//! ```
//! use curio::channel::Channel;
//! use curio::{run, spawn};
//!
//! run(async {
//!     let ch = Channel::new(("127.0.0.1", 0))?;
//!     ch.bind()?;
//!     let producer = spawn({
//!         let ch = ch.clone();
//!         async move {
//!             let c = ch.accept(Some(b"peekaboo")).await?;
//!             for i in 0..10 {
//!                 c.send(&i).await?;
//!             }
//!             Ok(())
//!         }
//!     });
//!     let c = ch.connect(Some(b"peekaboo")).await?;
//!     let mut sum = 0;
//!     while let Some(i) = c.next::<u32>().await {
//!         sum += i?;
//!     }
//!     assert_eq!(sum, 45);
//!     producer.join().await
//! })
//! .unwrap();
//! ```
//!
//! # What a message is
//!
//! Its length in four bytes, the highest first, and then itself. A length is signed; -1 says that the true one, of 2 GiB or
//! more, follows in eight bytes. A value is pickled: the table in `pickle.rs` of this module says what becomes of what. Only plain
//! data is received; a message with anything else, which Python would *call*, is refused. JSON was the other choice:
//! safer still in the other direction, for **a Python that unpickles does what its peer says**, but then a Python program would
//! have to be written for us. One that does not trust its peer should use `recv_bytes` and JSON; so can we, with
//! [`send_bytes`](Connection::send_bytes).
//!
//! # The key
//!
//! Each end sends the other a challenge, and expects it back with a code that only the key can make (HMAC, with SHA-256
//! since Python 3.12 and MD5 before). The key itself is never sent. That is all: **nothing is encrypted, and whoever is in between
//! can change messages** once the two have greeted each other. It keeps strangers out on one machine, or in a network
//! that is trusted.
//!
//! # Interruption
//!
//! C1. A message is received once and whole, or it is still there: what an interrupted `recv` has read of it is kept in the
//!     connection for the next.
//! C2. A message is sent whole, or not at all. A `send` that was interrupted before its first byte has had no effect. One
//!     that was interrupted later has *begun* ([`Progress`](crate::Progress) is not 0): what is left of it is kept in the
//!     connection, and goes out ahead of the next message, or by [`flush`](Connection::flush). To give it up, close.
//!     (Python Curio forgets the rest, and the next message is taken for it.)
//! C3. One task sends while another receives. Whoever receives has the inbox out of the connection, and whoever sends the
//!     outbox; so a second one finds it gone, and is told ([`Error::Busy`]). It comes back when
//!     the operation ends, in whatever way.
//! C4. Where the other end has broken the protocol (a negative length, a message over the limit), nobody knows where the next
//!     message begins. Every further `recv` says so again.
//! C5. Nothing is allocated because a peer announces it: the buffer grows by what has come. A message may have
//!     [so many bytes](Connection::set_message_limit), which are [`MESSAGE_LIMIT`] unless something else is said, and 256
//!     before the peer has shown that it knows the key. To make a value of it takes memory in proportion: some fifty times as much
//!     in the worst case, a list of empty lists, which is no more than Python needs; and what is shared in it, once for each time
//!     that it is referred to, but no more than a message may have.
//! C6. A client that does not come to an end with its greeting holds up nobody: each is greeted in a task of its own, for at
//!     most [so long](Channel::set_handshake_timeout).

mod accept;
mod address;
mod connect;
mod connection;
mod greeting;
mod pickle;
mod receive;
mod send;
mod two;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::net::SocketAddr;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::net::ToAddrs;

use accept::Greetings;
use address::{At, Listening, Peer};

pub use accept::Accept;
pub use connect::Connect;
pub use connection::Connection;
pub use greeting::Authenticate;
pub use receive::{Next, Recv, RecvBytes, RecvBytesInto};
pub use send::{Flush, Send};

/// How many bytes a received message may have, unless something else is said: 64 MiB.
pub const MESSAGE_LIMIT: usize = 64 << 20;

/// How long two that connect may take to make sure of each other, unless something else is said: 10 seconds.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A place where two programs meet (Python Curio: `Channel`). It is a handle; a clone is the same channel.
///
/// See the [module's documentation](self) for an example.
#[derive(Clone)]
pub struct Channel {
    shared: Rc<Shared>,
}

struct Shared {
    at: RefCell<At>,
    /// None while nobody listens.
    listening: RefCell<Option<Rc<Listening>>>,
    closed: Cell<bool>,
    greetings: Rc<Greetings>,
    message_limit: Cell<usize>,
    handshake_timeout: Cell<Duration>,
    address_check: RefCell<Option<Rc<AddressCheck>>>,
}

type AddressCheck = dyn Fn(SocketAddr) -> bool;

impl Channel {
    /// A channel at an address, which may have a name (Python: `AF_INET`). Nothing happens there yet.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if this is no address.
    ///
    /// ```
    /// use curio::channel::Channel;
    ///
    /// assert!(Channel::new(("localhost", 30000)).is_ok());
    /// assert!(Channel::new("nonsense").is_err());
    /// ```
    pub fn new(addr: impl ToAddrs) -> Result<Channel> {
        Ok(Channel::at(At::new(&addr)?))
    }

    /// A channel at a path (Python: `AF_UNIX`). Nothing happens there yet.
    ///
    /// Who accepts there replaces a socket at which nobody listens any more, and removes it in the end.
    ///
    /// ```
    /// use curio::channel::Channel;
    ///
    /// let path = std::env::temp_dir().join(format!("curio-doc-channel-{}", std::process::id()));
    /// curio::run(async {
    ///     let ch = Channel::unix(&path);
    ///     ch.bind()?;
    ///     let one = ch.connect(None).await?;
    ///     let two = ch.accept(None).await?;
    ///     one.send("hello").await?;
    ///     assert_eq!(two.recv::<String>().await?, "hello");
    ///     ch.close();
    ///     assert!(!path.exists());
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[cfg(unix)]
    pub fn unix(path: impl AsRef<std::path::Path>) -> Channel {
        Channel::at(At::Path(path.as_ref().to_path_buf()))
    }

    fn at(at: At) -> Channel {
        Channel {
            shared: Rc::new(Shared {
                at: RefCell::new(at),
                listening: RefCell::new(None),
                closed: Cell::new(false),
                greetings: Rc::default(),
                message_limit: Cell::new(MESSAGE_LIMIT),
                handshake_timeout: Cell::new(HANDSHAKE_TIMEOUT),
                address_check: RefCell::new(None),
            }),
        }
    }

    /// Listens, so that others can connect from now on. It never waits; an address with a name is looked up by
    /// [`accept`](Channel::accept), which binds if that was not done.
    ///
    /// After it, [`address`](Channel::address) has the port that was chosen for 0.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the address or path cannot be had. [`Error::Closed`]. [`Error::NoKernel`] outside of a task.
    ///
    /// See the [module's documentation](self) for an example.
    pub fn bind(&self) -> Result<()> {
        let addrs = match &*self.shared.at.borrow() {
            At::Addrs(addrs) => addrs.clone(),
            At::Name(host, port) => (host.as_str(), *port).to_addrs()?,
            #[cfg(unix)]
            At::Path(_) => Vec::new(),
        };
        self.shared.listen(&addrs).map(drop)
    }

    /// Where the channel is, as text: like `127.0.0.1:30000`, or a path (Python Curio: `address`).
    ///
    /// ```
    /// use curio::channel::Channel;
    ///
    /// assert_eq!(Channel::new(("localhost", 30000)).unwrap().address(), "localhost:30000");
    /// ```
    pub fn address(&self) -> String {
        self.shared.at.borrow().to_string()
    }

    /// Takes the next connection; with a key, the next of a peer that has the key, and that is shown ours.
    ///
    /// Peers that come from [a wrong address](Channel::set_address_check), have another key, talk nonsense or take [too long](Channel::set_handshake_timeout) are logged and left. They
    /// hold up nobody: while they are greeted, others are accepted.
    ///
    /// *Waits* until there is one. *Interrupted* by cancellation and timeouts: no connection is lost, and those that are
    /// being greeted go on. There should be one key for one channel: a connection is greeted with that of the call that took it
    /// from the system.
    ///
    /// # Errors
    ///
    /// As for [`bind`](Channel::bind), and for [`lookup_host`](crate::net::lookup_host) if the address has a name.
    /// [`Error::Busy`] if another task accepts. [`Error::Closed`] if the channel was closed.
    ///
    /// See the [module's documentation](self) for an example.
    #[track_caller]
    pub fn accept(&self, authkey: Option<&[u8]>) -> Accept<'_> {
        Accept::new(&self.shared, authkey, Location::caller())
    }

    /// Connects to who accepts there; with a key, makes sure that it has the key, too.
    ///
    /// *Waits* until that is done. *Interrupted* by cancellation and timeouts: the connection is closed.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]: if nobody listens there; with [`PermissionDenied`](std::io::ErrorKind::PermissionDenied) if the peer
    /// has another key; with [`TimedOut`](std::io::ErrorKind::TimedOut) if it takes [too
    /// long](Channel::set_handshake_timeout) (perhaps it wants no key); with
    /// [`UnexpectedEof`](std::io::ErrorKind::UnexpectedEof) if it closes the connection. [`Error::NoKernel`] outside of a task.
    ///
    /// See the [module's documentation](self) for an example.
    #[track_caller]
    pub fn connect(&self, authkey: Option<&[u8]>) -> Connect {
        Connect::new(&self.shared, authkey, Location::caller())
    }

    /// Limits the messages that connections made from now on receive; see [`Connection::set_message_limit`].
    ///
    /// ```
    /// let ch = curio::channel::Channel::new(("localhost", 30000)).unwrap();
    /// ch.set_message_limit(1 << 20);
    /// ```
    pub fn set_message_limit(&self, bytes: usize) {
        self.shared.message_limit.set(bytes);
    }

    /// How long a peer may take to show that it has the key.
    ///
    /// ```
    /// let ch = curio::channel::Channel::new(("localhost", 30000)).unwrap();
    /// ch.set_handshake_timeout(std::time::Duration::from_secs(1));
    /// ```
    pub fn set_handshake_timeout(&self, limit: Duration) {
        self.shared.handshake_timeout.set(limit);
    }

    /// Accepts only who has an address of which `check` says that it is right (Python Curio: `check_address`). Others are logged and
    /// left, before they are greeted. It is asked by [`accept`](Channel::accept), once for each; a later one replaces it.
    ///
    /// At a path there are no addresses, and it is not asked.
    ///
    /// ```
    /// use curio::channel::Channel;
    ///
    /// let ch = Channel::new(("", 30000)).unwrap();
    /// ch.set_address_check(|addr| addr.ip().is_loopback());
    /// ```
    pub fn set_address_check(&self, check: impl Fn(SocketAddr) -> bool + 'static) {
        let before = self.shared.address_check.replace(Some(Rc::new(check)));
        drop(before);
    }

    /// Closes the channel for all who have a handle of it: nobody can connect any more, who is being greeted is left, and a
    /// task that waits to accept gets [`Error::Closed`]. Connections that were accepted are not concerned.
    ///
    /// ```
    /// use curio::channel::Channel;
    ///
    /// curio::run(async {
    ///     let ch = Channel::new(("127.0.0.1", 0))?;
    ///     ch.bind()?;
    ///     ch.close();
    ///     assert!(ch.accept(None).await.is_err());
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn close(&self) {
        self.shared.close();
    }
}

impl Shared {
    /// Listens at these addresses, or the path, unless that is done already.
    fn listen(&self, addrs: &[SocketAddr]) -> Result<Rc<Listening>> {
        if self.closed.get() {
            return Err(Error::Closed);
        }
        if let Some(listening) = &*self.listening.borrow() {
            return Ok(listening.clone());
        }
        let (listening, at) = self.at.borrow().listen(addrs)?;
        let listening = Rc::new(listening);
        *self.at.borrow_mut() = at;
        *self.listening.borrow_mut() = Some(listening.clone());
        Ok(listening)
    }

    /// Whether it may be greeted. It is not known what the check does, so nothing is borrowed.
    fn lets_in(&self, peer: Peer) -> bool {
        let check = self.address_check.borrow().clone();
        match (check, peer.0) {
            (Some(check), Some(addr)) => check(addr),
            _ => true,
        }
    }

    fn close(&self) {
        self.closed.set(true);
        let listening = self.listening.take();
        if let Some(listening) = listening {
            listening.close();
        }
        self.greetings.give_up();
        // It may hold a handle of this channel.
        let check = self.address_check.take();
        drop(check);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("address", &self.address())
            .field("listens", &self.shared.listening.borrow().is_some())
            .finish()
    }
}
