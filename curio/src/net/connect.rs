//! TCP: who connects.
//!
//! A name may have several addresses. They are tried one after the other, in the order in which the system gives them, and the
//! first that answers is taken; if none does, the error is that of the last.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use super::options;
use super::source::about;
use super::tcp::TcpStream;
use crate::addr::ToAddrs;
use crate::error::{Error, Result};
use crate::lookup::LookupHost;
use crate::readiness::Direction;
use crate::traps::{Waiting, poll_budget};

/// The operation of [`TcpStream::connect`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Connect {
    /// The address has a name, whose addresses are not known yet.
    lookup: Option<Box<LookupHost>>,
    addrs: std::vec::IntoIter<SocketAddr>,
    last: Option<Error>,
    source: Option<SocketAddr>,
    /// The name in the address.
    #[cfg(feature = "tls")]
    host: Option<Box<str>>,
    attempt: Option<(TcpStream, SocketAddr)>,
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl Connect {
    pub(super) fn new(addr: &impl ToAddrs, place: &'static Location<'static>) -> Connect {
        let lookup = addr.name().map(|_| Box::new(LookupHost::new(addr, place)));
        let (addrs, error) = match addr.to_addrs() {
            _ if lookup.is_some() => (Vec::new(), Error::Closed),
            Ok(addrs) => (addrs, Error::Closed),
            Err(error) => (Vec::new(), error),
        };
        Connect {
            lookup,
            addrs: addrs.into_iter(),
            last: Some(error),
            source: None,
            #[cfg(feature = "tls")]
            host: addr.name().map(|(host, _)| host.into()),
            attempt: None,
            waiting: Waiting::new(),
            place,
        }
    }

    /// Connects from this address of the machine (Python Curio: `source_addr=`); port 0 is any.
    ///
    /// ```
    /// use curio::net::TcpListener;
    /// use curio::{open_connection, run};
    ///
    /// run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     let stream = open_connection(listener.local_addr()?).source_addr(([127, 0, 0, 1], 0)).await?;
    ///     assert!(stream.local_addr()?.ip().is_loopback());
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn source_addr(mut self, source: impl Into<SocketAddr>) -> Connect {
        self.source = Some(source.into());
        self
    }

    /// What the address calls the server: a name, or an IP address.
    #[cfg(feature = "tls")]
    pub(crate) fn host(&self) -> Option<String> {
        let ip = || Some(self.addrs.as_slice().first()?.ip().to_string());
        self.host.as_deref().map(str::to_string).or_else(ip)
    }
}

impl Future for Connect {
    type Output = Result<TcpStream>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<TcpStream>> {
        let Connect {
            lookup,
            addrs,
            last,
            source,
            attempt,
            waiting,
            place,
            ..
        } = &mut *self;
        if let Some(asking) = lookup {
            let found = ready!(Pin::new(asking).poll(cx));
            *lookup = None;
            match found {
                Ok(found) => *addrs = found.into_iter(),
                Err(error) => *last = Some(error),
            }
        }
        loop {
            let Some((stream, addr)) = attempt else {
                let Some(addr) = addrs.next() else {
                    ready!(poll_budget(cx));
                    let Some(error) = last.take() else {
                        panic!("a Connect was polled after it had completed")
                    };
                    return Poll::Ready(Err(error));
                };
                let begun = match *source {
                    None => mio::net::TcpStream::connect(addr),
                    Some(source) => options::connect_from(source, addr),
                };
                match begun.map_err(|error| about("connect to", addr, error)) {
                    Ok(socket) => match TcpStream::from_mio(socket) {
                        Ok(stream) => *attempt = Some((stream, addr)),
                        Err(error) => *last = Some(error),
                    },
                    Err(error) => *last = Some(error),
                }
                continue;
            };
            let connected = ready!(stream.io.poll_io(Direction::Write, waiting, cx, place, |socket| {
                if let Some(error) = socket.take_error()? {
                    return Err(error);
                }
                match socket.peer_addr() {
                    // Still under way.
                    Err(e) if e.kind() == io::ErrorKind::NotConnected => {
                        Err(io::ErrorKind::WouldBlock.into())
                    }
                    other => other.map(|_| ((), false)),
                }
            }));
            let addr = *addr;
            let stream = attempt.take().map(|(stream, _)| stream);
            match (connected, stream) {
                (Ok(()), Some(stream)) => return Poll::Ready(Ok(stream)),
                (Err(Error::Io(error)), _) => *last = Some(about("connect to", addr, error)),
                (Err(error), _) => return Poll::Ready(Err(error)),
                (Ok(()), None) => {}
            }
        }
    }
}
