//! Where a channel is.

#[cfg(unix)]
use std::cell::RefCell;
use std::fmt;
use std::net::SocketAddr;
use std::panic::Location;
#[cfg(unix)]
use std::path::PathBuf;
use std::task::{Context as TaskContext, Poll, ready};

use super::connection::Connection;
use crate::error::Result;
use crate::net::{ListenOptions, Listener, TcpListener, TcpStream, ToAddrs};
#[cfg(unix)]
use crate::net::{UnixListener, UnixStream};
#[cfg(unix)]
use crate::server::path::{self, Own};
use crate::traps::Waiting;

#[derive(Clone)]
pub(super) enum At {
    Addrs(Vec<SocketAddr>),
    /// A host and a port, not looked up yet.
    Name(String, u16),
    #[cfg(unix)]
    Path(PathBuf),
}

impl At {
    pub(super) fn new(addr: &impl ToAddrs) -> Result<At> {
        Ok(match addr.name() {
            Some((host, port)) => At::Name(host, port),
            None => At::Addrs(addr.to_addrs()?),
        })
    }

    /// Listens here, and says where that is.
    pub(super) fn listen(&self, addrs: &[SocketAddr]) -> Result<(Listening, At)> {
        let options = ListenOptions::new();
        #[cfg(unix)]
        if let At::Path(at) = self {
            path::clear(at)?;
            let listener = options.listen_unix(at)?;
            let own = RefCell::new(Some(Own::new(at.clone())?));
            return Ok((Listening::Unix(listener, own), self.clone()));
        }
        let listener = options.listen(addrs)?;
        let at = At::Addrs(vec![listener.local_addr()?]);
        Ok((Listening::Tcp(listener), at))
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Addrs(addrs) => {
                let first = addrs.first();
                first.map_or(Ok(()), |addr| addr.fmt(f))
            }
            At::Name(host, port) => write!(f, "{host}:{port}"),
            #[cfg(unix)]
            At::Path(path) => path.display().fmt(f),
        }
    }
}

/// Who connects. At a path nobody has an address.
#[derive(Clone, Copy)]
pub(super) struct Peer(pub(super) Option<SocketAddr>);

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(addr) => addr.fmt(f),
            None => f.write_str("this machine"),
        }
    }
}

pub(super) enum Listening {
    Tcp(TcpListener),
    /// With the path, which is removed when the channel is closed, or dropped.
    #[cfg(unix)]
    Unix(UnixListener, RefCell<Option<Own>>),
}

impl Listening {
    /// Takes a connection, and says from where it comes.
    pub(super) fn poll_accept(
        &self,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<(Connection, Peer)>> {
        Poll::Ready(match self {
            Listening::Tcp(listener) => {
                let accepted = ready!(Listener::poll_accept(listener, waiting, cx, place));
                accepted.map(|(stream, addr)| (over_tcp(stream), Peer(Some(addr))))
            }
            #[cfg(unix)]
            Listening::Unix(listener, _) => {
                let accepted = ready!(Listener::poll_accept(listener, waiting, cx, place));
                accepted.map(|(stream, _)| (over_unix(stream), Peer(None)))
            }
        })
    }

    pub(super) fn close(&self) {
        match self {
            Listening::Tcp(listener) => listener.close(),
            #[cfg(unix)]
            Listening::Unix(listener, own) => {
                drop(own.take());
                listener.close();
            }
        }
    }
}

pub(super) fn over_tcp(stream: TcpStream) -> Connection {
    // A message is written at once, and nothing comes that would be worth waiting for. If it cannot be set, it is slower.
    let _ = stream.set_nodelay(true);
    Connection::new(stream)
}

#[cfg(unix)]
pub(super) fn over_unix(stream: UnixStream) -> Connection {
    Connection::new(stream)
}
