//! Servers and connections in one call.
//!
//! A server loop has one duty beside accepting: it must survive. A client that fails is that client's affair. When the
//! system has no file descriptor or memory left, the loop says so, waits a little and tries again; the connections stay
//! in the system's queue meanwhile.
//!
//! A Unix server is named by a path, and paths outlive their servers. So:
//!
//! V1. A path at which nobody listens any more is replaced. One at which somebody listens, or that is no socket, is an
//!     error.
//! V2. The path is removed when the server ends, if it is still the server's.

pub(crate) mod accept;
#[cfg(unix)]
pub(crate) mod path;

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use crate::cancellation::disable_cancellation;
use crate::error::Result;
use crate::name::short_name;
use crate::net::bytes::sealed::Sealed;
use crate::net::{
    Connect, ListenOptions, Listener, LookupHost, TcpListener, TcpStream, ToAddrs, lookup_host,
};
#[cfg(unix)]
use crate::net::{ConnectUnix, UnixListener, UnixStream};
use crate::sync::{Permit, Semaphore};
use crate::task::{Task, task};

#[cfg(unix)]
use path::Own;

/// Connects to a server (Python Curio: `open_connection`); the same as [`TcpStream::connect`].
///
/// With [`source_addr`](Connect::source_addr) it says from where.
///
/// # Errors
///
/// As for [`TcpStream::connect`].
///
/// ```
/// use curio::net::TcpListener;
/// use curio::{open_connection, run};
///
/// run(async {
///     let listener = TcpListener::bind("127.0.0.1:0")?;
///     open_connection(listener.local_addr()?).await?;
///     Ok(())
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn open_connection(addr: impl ToAddrs) -> Connect {
    TcpStream::connect(addr)
}

/// Connects to the server at a path (Python Curio: `open_unix_connection`); the same as [`UnixStream::connect`].
///
/// # Errors
///
/// As for [`UnixStream::connect`].
///
/// See [`unix_server`] for an example.
#[cfg(unix)]
#[track_caller]
pub fn open_unix_connection(path: impl AsRef<std::path::Path>) -> ConnectUnix {
    UnixStream::connect(path)
}

/// Listens on an address, which may have a name, and calls `handler` for every client, each in a task of its own (Python
/// Curio: `tcp_server`).
///
/// *Waits* for ever. *Interrupted* by cancellation and timeouts: then all its clients are cancelled and awaited, too.
/// A handler that fails or panics concerns only its client; it is logged.
///
/// The [`Server`] takes options until it is awaited: `tcp_server(addr, handler).reuse_port(true).max_clients(1000)`.
/// To serve on any free port (0) and learn which it is, bind a [`TcpListener`] first and use [`run_server`].
///
/// # Errors
///
/// [`Error::Io`](crate::Error::Io) if the address cannot be had. The interruption.
///
/// ```no_run
/// use curio::{Result, net::TcpStream, run, tcp_server};
/// use std::net::SocketAddr;
///
/// async fn echo_client(client: TcpStream, addr: SocketAddr) -> Result<()> {
///     println!("Connection from {addr}");
///     let mut data = [0; 1000];
///     loop {
///         let n = client.read(&mut data).await?;
///         if n == 0 {
///             break;
///         }
///         client.write_all(&data[..n]).await?;
///     }
///     println!("Connection closed");
///     Ok(())
/// }
///
/// fn main() -> Result<()> {
///     run(tcp_server(("", 25000), echo_client))
/// }
/// ```
#[track_caller]
pub fn tcp_server<H>(addr: impl ToAddrs, handler: H) -> Server<AtAddr, H>
where
    H: AsyncFn(TcpStream, SocketAddr) -> Result<()> + 'static,
{
    Server::new(AtAddr::new(addr), handler)
}

/// Listens on a path and calls `handler` for every client, each in a task of its own (Python Curio: `unix_server`).
///
/// *Waits* for ever. *Interrupted* by cancellation and timeouts: then all its clients are cancelled and awaited, too.
///
/// A socket at this path at which nobody listens any more is replaced; anything else that is there is an error. When the
/// server ends, it removes the path.
///
/// # Errors
///
/// [`Error::Io`](crate::Error::Io) if the path cannot be had. The interruption.
///
/// ```
/// use curio::net::UnixStream;
/// use curio::{open_unix_connection, run, spawn, unix_server, yield_now};
///
/// let path = std::env::temp_dir().join(format!("curio-doc-server-{}", std::process::id()));
/// run(async {
///     let server = spawn(unix_server(&path, async |client: UnixStream, _addr| {
///         client.write_all(b"hello").await
///     }));
///     yield_now().await?; // now it listens
///     let mut greeting = [0; 5];
///     open_unix_connection(&path).await?.read_exact(&mut greeting).await?;
///     assert_eq!(&greeting, b"hello");
///     server.cancel().await?;
///     assert!(!path.exists());
///     Ok(())
/// })
/// .unwrap();
/// ```
#[cfg(unix)]
#[track_caller]
pub fn unix_server<H>(path: impl AsRef<std::path::Path>, handler: H) -> Server<AtPath, H>
where
    H: AsyncFn(UnixStream, std::os::unix::net::SocketAddr) -> Result<()> + 'static,
{
    let at = AtPath {
        path: path.as_ref().to_path_buf(),
        options: ListenOptions::new(),
    };
    Server::new(at, handler)
}

/// The same on a socket that listens already, [`TcpListener`] or `UnixListener` (Python Curio: `run_server`).
///
/// # Errors
///
/// [`Error::Closed`](crate::Error::Closed) if the listener is closed; [`Error::Io`](crate::Error::Io) if it is broken. The
/// interruption.
///
/// ```
/// use curio::net::{TcpListener, TcpStream};
/// use curio::{open_connection, run, run_server, spawn};
///
/// run(async {
///     let listener = TcpListener::bind("127.0.0.1:0")?;
///     let addr = listener.local_addr()?;
///     let server = spawn(run_server(listener, async |client: TcpStream, _addr| {
///         client.write_all(b"hello").await
///     }));
///     let mut greeting = [0; 5];
///     open_connection(addr).await?.read_exact(&mut greeting).await?;
///     assert_eq!(&greeting, b"hello");
///     server.cancel().await
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn run_server<L, H>(listener: L, handler: H) -> Server<L, H>
where
    L: Listener + 'static,
    H: AsyncFn(L::Stream, L::Addr) -> Result<()> + 'static,
{
    Server::new(listener, handler)
}

/// A server that begins when it is awaited; made by [`tcp_server`], `unix_server` and [`run_server`].
///
/// ```
/// use curio::net::TcpStream;
/// use curio::{ignore_after, run, tcp_server};
/// use std::time::Duration;
///
/// run(async {
///     let server = tcp_server("127.0.0.1:0", async |client: TcpStream, _addr| client.write_all(b"hello").await)
///         .backlog(5)
///         .max_clients(100);
///     ignore_after(Duration::from_millis(10), server).await?;
///     Ok(())
/// })
/// .unwrap();
/// ```
#[must_use = "it does nothing unless it is awaited"]
pub struct Server<S, H> {
    /// None once it has begun.
    setup: Option<Setup<S, H>>,
    serving: Option<Pin<Box<dyn Future<Output = Result<()>>>>>,
}

struct Setup<S, H> {
    start: S,
    handler: H,
    /// What the clients' tasks are called after.
    name: &'static str,
    max_clients: Option<usize>,
    /// Where it was made: there it waits.
    place: &'static Location<'static>,
}

impl<S, H> Server<S, H> {
    #[track_caller]
    pub(crate) fn new(start: S, handler: H) -> Server<S, H> {
        Server {
            setup: Some(Setup {
                start,
                handler,
                name: std::any::type_name::<H>(),
                max_clients: None,
                place: Location::caller(),
            }),
            serving: None,
        }
    }

    /// The clients' tasks are called after the handler, and not after what is around it.
    pub(crate) fn named_after<F>(mut self) -> Server<S, H> {
        if let Some(setup) = &mut self.setup {
            setup.name = std::any::type_name::<F>();
        }
        self
    }

    /// Serves so many clients at once, at least one; those that come then wait in the system's queue. No limit if nothing
    /// is said.
    pub fn max_clients(mut self, clients: usize) -> Server<S, H> {
        if let Some(setup) = &mut self.setup {
            setup.max_clients = Some(clients.max(1));
        }
        self
    }
}

impl<H> Server<AtAddr, H> {
    /// How it listens, in all details; see [`ListenOptions`].
    pub fn options(mut self, options: ListenOptions) -> Server<AtAddr, H> {
        if let Some(setup) = &mut self.setup {
            setup.start.options = options;
        }
        self
    }

    /// How many connections the system keeps in its queue; see [`ListenOptions::backlog`].
    pub fn backlog(self, connections: u32) -> Server<AtAddr, H> {
        self.change(|options| options.backlog(connections))
    }

    /// Whether others may listen on the address as well; see [`ListenOptions::reuse_port`].
    pub fn reuse_port(self, reuse: bool) -> Server<AtAddr, H> {
        self.change(|options| options.reuse_port(reuse))
    }

    /// Whether the address may be had while connections linger; see [`ListenOptions::reuse_address`].
    pub fn reuse_address(self, reuse: bool) -> Server<AtAddr, H> {
        self.change(|options| options.reuse_address(reuse))
    }

    fn change(mut self, f: impl FnOnce(ListenOptions) -> ListenOptions) -> Server<AtAddr, H> {
        if let Some(setup) = &mut self.setup {
            setup.start.options = f(setup.start.options.clone());
        }
        self
    }
}

#[cfg(unix)]
impl<H> Server<AtPath, H> {
    /// How many connections the system keeps in its queue; see [`ListenOptions::backlog`].
    pub fn backlog(mut self, connections: u32) -> Server<AtPath, H> {
        if let Some(setup) = &mut self.setup {
            setup.start.options = setup.start.options.clone().backlog(connections);
        }
        self
    }
}

// Nothing in it is pinned but what is in the box.
impl<S, H> Unpin for Server<S, H> {}

impl<S, H> Future for Server<S, H>
where
    S: Start + 'static,
    H: AsyncFn(<S::Listener as Listener>::Stream, <S::Listener as Listener>::Addr) -> Result<()> + 'static,
{
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        if let Some(setup) = self.setup.take() {
            self.serving = Some(Box::pin(serve(setup)));
        }
        let Some(serving) = &mut self.serving else {
            panic!("a Server was polled after it had completed")
        };
        let ended = serving.as_mut().poll(cx);
        if ended.is_ready() {
            self.serving = None;
        }
        ended
    }
}

impl<S, H> fmt::Debug for Server<S, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = self.setup.as_ref().and_then(|setup| setup.max_clients);
        f.debug_struct("Server")
            .field("serves", &self.serving.is_some())
            .field("max_clients", &limit)
            .finish()
    }
}

/// What is kept until the server ends (V2).
pub(crate) type Kept = Option<Box<dyn fmt::Debug>>;

/// What a server listens with: a listener, an address, a path.
///
/// It cannot be implemented outside of this crate.
pub trait Start: Sealed {
    /// What it accepts on.
    type Listener: Listener + 'static;

    /// Begins to listen. What comes along is kept until the end.
    #[doc(hidden)]
    fn start(self) -> impl Future<Output = Result<(Self::Listener, Kept)>>;
}

impl<L: Listener + 'static> Start for L {
    type Listener = L;

    async fn start(self) -> Result<(L, Kept)> {
        Ok((self, None))
    }
}

/// An address to listen on.
#[derive(Debug)]
pub struct AtAddr {
    addrs: LookupHost,
    options: ListenOptions,
}

impl AtAddr {
    #[track_caller]
    pub(crate) fn new(addr: impl ToAddrs) -> AtAddr {
        AtAddr {
            addrs: lookup_host(addr),
            options: ListenOptions::new(),
        }
    }
}

impl Sealed for AtAddr {}

impl Start for AtAddr {
    type Listener = TcpListener;

    async fn start(self) -> Result<(TcpListener, Kept)> {
        Ok((self.options.listen(&self.addrs.await?[..])?, None))
    }
}

/// A path to listen on.
#[cfg(unix)]
#[derive(Debug)]
pub struct AtPath {
    path: std::path::PathBuf,
    options: ListenOptions,
}

#[cfg(unix)]
impl Sealed for AtPath {}

#[cfg(unix)]
impl Start for AtPath {
    type Listener = UnixListener;

    async fn start(self) -> Result<(UnixListener, Kept)> {
        path::clear(&self.path)?;
        let listener = self.options.listen_unix(&self.path)?;
        let own = Own::new(self.path)?;
        Ok((listener, Some(Box::new(own))))
    }
}

async fn serve<S, H>(setup: Setup<S, H>) -> Result<()>
where
    S: Start,
    H: AsyncFn(<S::Listener as Listener>::Stream, <S::Listener as Listener>::Addr) -> Result<()> + 'static,
{
    let place = setup.place;
    let (listener, kept) = setup.start.start().await?;
    let handler = Rc::new(setup.handler);
    let name: Arc<str> = short_name(setup.name).into();
    let limit = setup.max_clients.map(Semaphore::new);
    let clients = Clients::default();
    let error = loop {
        let (permit, (stream, addr)) = match next(&listener, &limit, place).await {
            Ok(client) => client,
            Err(error) => break error,
        };
        let (handler, seat) = (handler.clone(), clients.seat(permit));
        let client = task(async move {
            let _seat = seat;
            handler(stream, addr).await
        });
        clients.add(client.name(name.clone()).spawn());
    };
    // Nobody can come any more (V2).
    drop(kept);
    drop(listener);
    // The interruption has been delivered; what is left to do is done in peace.
    disable_cancellation(clients.cancel()).await;
    Err(error)
}

pub(crate) type Client<L> = (<L as Listener>::Stream, <L as Listener>::Addr);

/// The next client, when there is a place for it.
async fn next<L: Listener>(
    listener: &L,
    limit: &Option<Semaphore>,
    place: &'static Location<'static>,
) -> Result<(Option<Permit>, Client<L>)> {
    let permit = match limit {
        Some(limit) => Some(limit.acquire_at(place).await?),
        None => None,
    };
    Ok((permit, accept::connection(listener, place).await?))
}

/// The clients that are being served. If the server's future is dropped, they are told to end.
#[derive(Default)]
struct Clients {
    tasks: Rc<RefCell<HashMap<u64, Task<()>>>>,
    count: std::cell::Cell<u64>,
}

impl Clients {
    /// The place of the next client. It leaves when this is dropped.
    fn seat(&self, permit: Option<Permit>) -> Seat {
        self.count.set(self.count.get() + 1);
        Seat {
            tasks: self.tasks.clone(),
            number: self.count.get(),
            _permit: permit,
        }
    }

    fn add(&self, task: Task<()>) {
        self.tasks.borrow_mut().insert(self.count.get(), task);
    }

    /// Cancels all, then waits for all.
    async fn cancel(&self) {
        let tasks = self.tasks.take();
        tasks.values().for_each(Task::cancel_nowait);
        for task in tasks.into_values() {
            // It cannot fail: this is no client, and shielded.
            let _ = task.wait().await;
        }
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.tasks.take().values().for_each(Task::cancel_nowait);
    }
}

struct Seat {
    tasks: Rc<RefCell<HashMap<u64, Task<()>>>>,
    number: u64,
    _permit: Option<Permit>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let task = self.tasks.borrow_mut().remove(&self.number);
        drop(task);
    }
}
