//! What is said before a socket listens or connects.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};

use super::source::about;
use super::tcp_listener::TcpListener;
use crate::addr::ToAddrs;
#[cfg(unix)]
use crate::context;
use crate::error::{Error, Result};

/// How many connections the system keeps in its queue until they are accepted, unless it is told otherwise.
const BACKLOG: u32 = 1024;

/// How a socket is to listen, for what [`TcpListener::bind`] does not offer (Python Curio: `tcp_server_socket`,
/// `unix_server_socket`).
///
/// ```
/// use curio::net::ListenOptions;
///
/// curio::run(async {
///     let listener = ListenOptions::new().backlog(5).listen("127.0.0.1:0")?;
///     println!("listening at {}", listener.local_addr()?);
///     Ok(())
/// })
/// .unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct ListenOptions {
    backlog: u32,
    reuse_address: bool,
    reuse_port: bool,
    only_v6: Option<bool>,
}

impl Default for ListenOptions {
    fn default() -> ListenOptions {
        ListenOptions::new()
    }
}

impl ListenOptions {
    /// What [`TcpListener::bind`] does: a long queue, and the address may be had again as soon as a server has ended.
    pub const fn new() -> ListenOptions {
        ListenOptions {
            backlog: BACKLOG,
            // On Windows it means something else, which nobody wants.
            reuse_address: !cfg!(windows),
            reuse_port: false,
            only_v6: None,
        }
    }

    /// How many connections the system keeps in its queue until they are accepted; 1024 if nothing is said. The system has
    /// a limit of its own.
    #[must_use]
    pub fn backlog(mut self, connections: u32) -> ListenOptions {
        self.backlog = connections;
        self
    }

    /// Whether the address may be had while connections of an earlier server linger (`SO_REUSEADDR`); true if nothing is
    /// said, but for Windows, where it means something else.
    #[must_use]
    pub fn reuse_address(mut self, reuse: bool) -> ListenOptions {
        self.reuse_address = reuse;
        self
    }

    /// Whether several sockets may listen on the address, of all of which this is said (`SO_REUSEPORT`): the system
    /// distributes the connections among them. So there can be one kernel for each processor.
    ///
    /// # Errors
    ///
    /// Where the system has no such thing, `listen` gives [`Unsupported`](io::ErrorKind::Unsupported).
    ///
    /// ```
    /// use curio::net::ListenOptions;
    /// # #[cfg(target_os = "linux")]
    /// curio::run(async {
    ///     let options = ListenOptions::new().reuse_port(true);
    ///     let one = options.listen("127.0.0.1:0")?;
    ///     let two = options.listen(one.local_addr()?)?;
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[must_use]
    pub fn reuse_port(mut self, reuse: bool) -> ListenOptions {
        self.reuse_port = reuse;
        self
    }

    /// Whether a socket of IPv6 takes connections of IPv6 only. If nothing is said, the system decides.
    #[must_use]
    pub fn only_v6(mut self, only: bool) -> ListenOptions {
        self.only_v6 = Some(only);
        self
    }

    /// Listens on an address; on the first of several that can be had. It never waits.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the address cannot be had, or is none. [`Error::NoKernel`] outside of a task.
    pub fn listen(&self, addr: impl ToAddrs) -> Result<TcpListener> {
        let mut last = Error::Closed;
        for addr in addr.to_addrs()? {
            match self.bind(addr) {
                Ok(listener) => {
                    return TcpListener::from_mio(mio::net::TcpListener::from_std(listener));
                }
                Err(error) => last = about("listen at", addr, error),
            }
        }
        Err(last)
    }

    fn bind(&self, addr: SocketAddr) -> io::Result<std::net::TcpListener> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_reuse_address(self.reuse_address)?;
        if self.reuse_port {
            reuse_port(&socket)?;
        }
        if let (true, Some(only)) = (addr.is_ipv6(), self.only_v6) {
            socket.set_only_v6(only)?;
        }
        socket.bind(&addr.into())?;
        socket.listen(self.connections())?;
        Ok(socket.into())
    }

    fn connections(&self) -> i32 {
        self.backlog.try_into().unwrap_or(i32::MAX)
    }

    /// Listens on a path. It never waits.
    ///
    /// The path must not exist. Neither this nor the end of the listener removes it; [`unix_server`](crate::unix_server)
    /// does.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the path cannot be had. [`Error::NoKernel`] outside of a task.
    ///
    /// ```
    /// use curio::net::ListenOptions;
    ///
    /// let path = std::env::temp_dir().join(format!("curio-doc-listen-{}", std::process::id()));
    /// curio::run(async {
    ///     let listener = ListenOptions::new().backlog(5).listen_unix(&path)?;
    ///     std::fs::remove_file(&path)?;
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[cfg(unix)]
    pub fn listen_unix(&self, path: impl AsRef<std::path::Path>) -> Result<super::unix::UnixListener> {
        // What is refused must not leave a path behind.
        context::with_task(|_, _| Ok(()))?;
        let path = path.as_ref();
        let bind = || -> io::Result<std::os::unix::net::UnixListener> {
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
            socket.set_nonblocking(true)?;
            socket.bind(&socket2::SockAddr::unix(path)?)?;
            socket.listen(self.connections())?;
            Ok(socket.into())
        };
        let listener = bind().map_err(|error| about("listen at", path.display(), error))?;
        super::unix::UnixListener::from_mio(mio::net::UnixListener::from_std(listener))
    }
}

#[cfg(all(
    unix,
    not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))
))]
fn reuse_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(all(
    unix,
    not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))
)))]
fn reuse_port(_: &Socket) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "this system has no SO_REUSEPORT",
    ))
}

/// Begins to connect from an address.
pub(super) fn connect_from(source: SocketAddr, addr: SocketAddr) -> io::Result<mio::net::TcpStream> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.bind(&source.into())?;
    match socket.connect(&addr.into()) {
        Err(error) if !is_under_way(&error) => Err(error),
        _ => Ok(mio::net::TcpStream::from_std(socket.into())),
    }
}

fn is_under_way(error: &io::Error) -> bool {
    #[cfg(unix)]
    if error.raw_os_error() == Some(libc::EINPROGRESS) {
        return true;
    }
    error.kind() == io::ErrorKind::WouldBlock
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_beyond_what_the_system_can_say_is_the_longest() {
        assert_eq!(ListenOptions::new().backlog(u32::MAX).connections(), i32::MAX);
    }
}
