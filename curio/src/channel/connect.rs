//! Connecting.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use super::Shared;
#[cfg(unix)]
use super::address::over_unix;
use super::address::{At, over_tcp};
use super::connection::Connection;
use super::greeting::{Authenticate, Side};
use crate::error::{Error, Result};
use crate::net::TcpStream;
#[cfg(unix)]
use crate::net::UnixStream;
use crate::timeout::ignore_after;

/// Makes sure that both have the key, within a time.
pub(super) async fn greet(
    connection: &Connection,
    key: &[u8],
    side: Side,
    limit: Duration,
    place: &'static Location<'static>,
) -> Result<()> {
    let greeting = Authenticate::new(connection, key, side, place);
    match ignore_after(limit, greeting).await? {
        Some(()) => Ok(()),
        None => {
            let text = format!("the peer has not authenticated itself within {limit:?}");
            Err(Error::Io(io::Error::new(io::ErrorKind::TimedOut, text)))
        }
    }
}

type Connecting = Pin<Box<dyn Future<Output = Result<Connection>>>>;

/// The operation of [`Channel::connect`](super::Channel::connect).
#[must_use = "it does nothing unless it is awaited"]
pub struct Connect {
    connecting: Connecting,
}

impl Connect {
    #[track_caller]
    pub(super) fn new(shared: &Shared, authkey: Option<&[u8]>, place: &'static Location<'static>) -> Connect {
        let key = authkey.map(<[u8]>::to_vec);
        let (limit, message_limit) = (shared.handshake_timeout.get(), shared.message_limit.get());
        let greeted = async move |connection: Connection| {
            connection.set_message_limit(message_limit);
            if let Some(key) = key {
                greet(&connection, &key, Side::Client, limit, place).await?;
            }
            Ok(connection)
        };
        let over_tcp = |connecting: crate::net::Connect| -> Connecting {
            Box::pin(async move { Ok(over_tcp(connecting.await?)) })
        };
        let connecting: Connecting = match &*shared.at.borrow() {
            At::Addrs(addrs) => over_tcp(TcpStream::connect(&addrs[..])),
            At::Name(host, port) => over_tcp(TcpStream::connect((host.as_str(), *port))),
            #[cfg(unix)]
            At::Path(path) => {
                let connecting = UnixStream::connect(path);
                Box::pin(async move { Ok(over_unix(connecting.await?)) })
            }
        };
        Connect {
            connecting: Box::pin(async move { greeted(connecting.await?).await }),
        }
    }
}

impl Future for Connect {
    type Output = Result<Connection>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<Connection>> {
        self.connecting.as_mut().poll(cx)
    }
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect").finish_non_exhaustive()
    }
}
