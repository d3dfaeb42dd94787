//! Names of hosts.
//!
//! The system's resolver blocks, for seconds if a server does not answer, and nobody can interrupt it. So it is asked in a
//! worker thread, and who waits for it can leave ([`crate::workers`]). It is the system's own: it knows what the machine is
//! configured to know.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use crate::addr::ToAddrs;
use crate::error::{Error, Result};
use crate::traps;
use crate::workers::RunInThread;

type Resolver = Box<dyn FnOnce() -> io::Result<Vec<SocketAddr>> + Send>;

/// Looks up the addresses of a host (Python: `getaddrinfo`), at least one. What is an address already needs no look.
///
/// *Waits* for the system's resolver, in a worker thread. *Interrupted* by cancellation and timeouts: it leaves at once.
///
/// # Errors
///
/// [`Error::Io`] if there is no such host, or this is no address. Otherwise as for
/// [`run_in_thread`](crate::run_in_thread).
///
/// ```
/// use curio::net::lookup_host;
///
/// curio::run(async {
///     for addr in lookup_host(("localhost", 25000)).await? {
///         assert!(addr.ip().is_loopback());
///     }
///     assert_eq!(lookup_host("127.0.0.1:80").await?[0].port(), 80);
///     Ok(())
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn lookup_host(addr: impl ToAddrs) -> LookupHost {
    LookupHost::new(&addr, Location::caller())
}

/// The operation of [`lookup_host`].
#[must_use = "it does nothing unless it is awaited"]
pub struct LookupHost(Stage);

enum Stage {
    Known(Result<Vec<SocketAddr>>),
    Asking(RunInThread<Resolver, io::Result<Vec<SocketAddr>>>),
    Over,
}

impl LookupHost {
    pub(crate) fn new(addr: &impl ToAddrs, place: &'static Location<'static>) -> LookupHost {
        LookupHost(match addr.name() {
            None => Stage::Known(addr.to_addrs()),
            Some((host, port)) => {
                let resolve: Resolver = Box::new(move || resolve(&host, port));
                Stage::Asking(RunInThread::new(resolve, place))
            }
        })
    }
}

fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let found = (host, port).to_socket_addrs();
    let addrs: Vec<_> = found
        .map_err(|error| io::Error::new(error.kind(), format!("cannot look up {host:?}: {error}")))?
        .collect();
    if addrs.is_empty() {
        let text = format!("{host:?} has no address");
        return Err(io::Error::new(io::ErrorKind::NotFound, text));
    }
    Ok(addrs)
}

impl Future for LookupHost {
    type Output = Result<Vec<SocketAddr>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let stage = &mut self.0;
        let found = match stage {
            Stage::Known(_) => {
                ready!(traps::poll_budget(cx));
                let Stage::Known(known) = std::mem::replace(stage, Stage::Over) else {
                    return Poll::Pending;
                };
                return Poll::Ready(known);
            }
            Stage::Asking(asking) => ready!(Pin::new(asking).poll(cx)),
            Stage::Over => panic!("a LookupHost was polled after it had completed"),
        };
        *stage = Stage::Over;
        Poll::Ready(found.and_then(|addrs| addrs.map_err(Error::Io)))
    }
}

impl fmt::Debug for LookupHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LookupHost").finish_non_exhaustive()
    }
}
