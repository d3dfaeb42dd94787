//! Servers and connections in one call.
//!
//! A server loop has one duty beside accepting: it must survive. A client that fails is that client's affair. When the
//! system has no file descriptor or memory left, the loop says so, waits a little and tries again; the connections stay
//! in the system's queue meanwhile.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::cancellation::disable_cancellation;
use crate::contain::log;
use crate::error::{Error, Result};
use crate::name::short_name;
use crate::net::{Connect, TcpListener, TcpStream, ToAddrs, lookup_host};
use crate::task::{Task, task};
use crate::time::sleep;

/// How long an accept loop pauses when the system has run out of something: first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// Connects to a server (Python Curio: `open_connection`); the same as [`TcpStream::connect`].
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

/// Listens on an address, which may have a name, and calls `handler` for every client, each in a task of its own (Python
/// Curio: `tcp_server`).
///
/// *Waits* for ever. *Interrupted* by cancellation and timeouts: then all its clients are cancelled and awaited, too.
/// A handler that fails or panics concerns only its client; it is logged.
///
/// To serve on any free port (0) and learn which it is, bind a [`TcpListener`] first and use [`run_server`].
///
/// # Errors
///
/// [`Error::Io`] if the address cannot be had. The interruption.
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
pub async fn tcp_server<H>(addr: impl ToAddrs, handler: H) -> Result<()>
where
    H: AsyncFn(TcpStream, SocketAddr) -> Result<()> + 'static,
{
    let addrs = lookup_host(addr).await?;
    run_server(TcpListener::bind(&addrs[..])?, handler).await
}

/// The same on a socket that listens already (Python Curio: `run_server`).
///
/// # Errors
///
/// [`Error::Closed`] if the listener is closed; [`Error::Io`] if it is broken. The interruption.
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
pub async fn run_server<H>(listener: TcpListener, handler: H) -> Result<()>
where
    H: AsyncFn(TcpStream, SocketAddr) -> Result<()> + 'static,
{
    let handler = Rc::new(handler);
    let name: Arc<str> = short_name(std::any::type_name::<H>()).into();
    let clients = Clients::default();
    let error = loop {
        let (stream, addr) = match accept(&listener).await {
            Ok(client) => client,
            Err(error) => break error,
        };
        let (handler, seat) = (handler.clone(), clients.seat());
        let client = task(async move {
            let _seat = seat;
            handler(stream, addr).await
        });
        clients.add(client.name(name.clone()).spawn());
    };
    // The interruption has been delivered; what is left to do is done in peace.
    disable_cancellation(clients.cancel()).await;
    Err(error)
}

/// The next connection, whatever it takes.
async fn accept(listener: &TcpListener) -> Result<(TcpStream, SocketAddr)> {
    let mut pause = PAUSE.0;
    loop {
        match listener.accept().await {
            Err(Error::Io(error)) if is_about_one_connection(&error) => {}
            Err(Error::Io(error)) if is_exhaustion(&error) => {
                log(format_args!(
                    "a server cannot accept connections, and tries again in {pause:?}: {error}"
                ));
                sleep(pause).await?;
                pause = (pause * 2).min(PAUSE.1);
            }
            other => return other,
        }
    }
}

/// It concerns a peer that was gone before we took its connection, or the way to it: Linux reports such errors of the
/// network here, and asks to go on.
fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionReset, HostUnreachable, NetworkDown, NetworkUnreachable,
        PermissionDenied,
    };
    #[cfg(unix)]
    const CODES: [i32; 4] = [libc::EPROTO, libc::ENOPROTOOPT, libc::EHOSTDOWN, libc::EOPNOTSUPP];
    #[cfg(not(unix))]
    const CODES: [i32; 0] = [];
    error.raw_os_error().is_some_and(|code| CODES.contains(&code))
        || matches!(
            error.kind(),
            ConnectionAborted
                | ConnectionReset
                | HostUnreachable
                | NetworkDown
                | NetworkUnreachable
                | PermissionDenied
        )
}

/// Out of descriptors, memory or places in the selector: the connection still waits in the system's queue, or was given
/// up.
fn is_exhaustion(error: &io::Error) -> bool {
    #[cfg(unix)]
    const CODES: [i32; 5] = [
        libc::EMFILE,
        libc::ENFILE,
        libc::ENOBUFS,
        libc::ENOMEM,
        libc::ENOSPC,
    ];
    #[cfg(windows)]
    const CODES: [i32; 2] = [10024, 10055]; // WSAEMFILE, WSAENOBUFS
    error.raw_os_error().is_some_and(|code| CODES.contains(&code))
}

/// The clients that are being served. If the server's future is dropped, they are told to end.
#[derive(Default)]
struct Clients {
    tasks: Rc<RefCell<HashMap<u64, Task<()>>>>,
    count: std::cell::Cell<u64>,
}

impl Clients {
    /// The place of the next client. It leaves when this is dropped.
    fn seat(&self) -> Seat {
        self.count.set(self.count.get() + 1);
        Seat {
            tasks: self.tasks.clone(),
            number: self.count.get(),
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
}

impl Drop for Seat {
    fn drop(&mut self) {
        let task = self.tasks.borrow_mut().remove(&self.number);
        drop(task);
    }
}
