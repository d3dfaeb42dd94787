//! HTTP with [hyper](https://hyper.rs) 1 on the kernel; the feature `hyper`.
//!
//! hyper knows neither sockets nor clocks nor tasks. It asks for them through four traits, and here they are:
//!
//! | hyper's | here |
//! |---|---|
//! | `rt::Read`, `rt::Write` | [`Io`], around any connection: a [`TcpStream`](crate::net::TcpStream), a `UnixStream`, a `tls::TlsStream` |
//! | `rt::Timer`, `rt::Sleep` | [`Timer`], on the kernel's clock |
//! | `rt::Executor` | [`Spawner`], for HTTP/2; what it runs need not be `Send` |
//!
//! Everything runs in the task that awaits hyper's connection: the handlers, too, unless they spawn. So they may use all of this crate,
//! share what they like in an `Rc`, and are gone when their client is gone.
//!
//! ```
//! use curio::hyper::{self, Io, Timer};
//! use curio::net::{TcpListener, TcpStream};
//! use curio::{open_connection, run, run_server, spawn, spawn_daemon};
//! use http_body_util::{BodyExt, Empty, Full};
//! use ::hyper::{Request, Response, body::Bytes, client, server, service::service_fn};
//! use std::convert::Infallible;
//! use std::time::Duration;
//!
//! run(async {
//!     let listener = TcpListener::bind("127.0.0.1:0")?;
//!     let addr = listener.local_addr()?;
//!     let server = spawn(run_server(listener, async |stream: TcpStream, _addr| {
//!         let greet = service_fn(async |_| Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("hello")))));
//!         let connection = server::conn::http1::Builder::new()
//!             .timer(Timer)
//!             .serve_connection(Io::new(stream), greet);
//!         // A server that is cancelled answers what it was asked already, if that takes no longer than a second.
//!         hyper::serve(connection, Duration::from_secs(1), |connection| connection.graceful_shutdown()).await
//!     }));
//!
//!     let stream = Io::new(open_connection(addr).await?);
//!     let (mut sender, connection) = client::conn::http1::handshake(stream).await?;
//!     spawn_daemon(async { connection.await.map_err(Into::into) });
//!     let request = Request::get("/").header("Host", "localhost").body(Empty::<Bytes>::new()).unwrap();
//!     let answer = sender.send_request(request).await?;
//!     assert_eq!(answer.into_body().collect().await?.to_bytes(), "hello");
//!     server.cancel().await
//! })
//! .unwrap();
//! ```
//!
//! # Interruptions
//!
//! hyper's connection is a foreign future whose reads and writes are operations of this crate. Where the task is cancelled, or a
//! timeout around it expires, they give the interruption to hyper as an `io::Error`, hyper gives up the connection and gives it back as the
//! cause of its own error; `?` makes an interruption of that again (there is a `From<hyper::Error>`). But where the connection was idle,
//! hyper takes any error for its end, and is content. [`serve`] is exact, and lets the two part in peace.
//!
//! H1. A wait in here has no object: nobody tells when it is given up (`Waiting::renew`).
//! H2. A sleep of hyper's can only say that the time is over, so it leaves interruptions to the reads beside it.
//! H3. hyper gives the error that has ended a client's connection to whoever waits for an answer. That is another task, to which the
//!     interruption of the first is an error like any other.

mod serve;
mod timer;

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use ::hyper::rt::{Executor, ReadBufCursor};

use crate::context;
use crate::error::{Error, Progress};
use crate::key::NONE;
use crate::net::bytes::{Readable, Writable};
use crate::scopes::Kind;
use crate::scratch;
use crate::task::spawn_daemon;
use crate::traps::Waiting;

pub use serve::{Serve, serve};
pub use timer::{Sleep, Timer};

/// A connection as hyper wants it.
///
/// See the [module's documentation](self) for an example.
pub struct Io<S> {
    io: S,
    /// The waits of the two directions (H1).
    reading: Waiting,
    writing: Waiting,
    place: &'static Location<'static>,
}

impl<S> Io<S> {
    /// Wraps a connection.
    #[track_caller]
    pub fn new(io: S) -> Io<S> {
        Io {
            io,
            reading: Waiting::new(),
            writing: Waiting::new(),
            place: Location::caller(),
        }
    }

    /// The connection, to ask something about it.
    pub fn get_ref(&self) -> &S {
        &self.io
    }

    /// The connection, after an upgrade, say. hyper tells what it has read too much.
    pub fn into_inner(self) -> S {
        self.io
    }
}

impl<S: Readable + Unpin> ::hyper::rt::Read for Io<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let Io {
            io, reading, place, ..
        } = self.get_mut();
        reading.renew();
        scratch::with(|scratch| {
            let room = scratch.len().min(buf.remaining());
            let n = ready!(io.poll_read(&mut scratch[..room], reading, cx, place))?;
            buf.put_slice(&scratch[..n]);
            Poll::Ready(Ok(()))
        })
    }
}

impl<S: Writable + Unpin> ::hyper::rt::Write for Io<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut TaskContext<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let Io {
            io, writing, place, ..
        } = self.get_mut();
        writing.renew();
        io.poll_write(buf, writing, cx, place).map_err(Into::into)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        let Io {
            io, writing, place, ..
        } = self.get_mut();
        writing.renew();
        io.poll_flush(writing, cx, place).map_err(Into::into)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        let Io {
            io, writing, place, ..
        } = self.get_mut();
        writing.renew();
        io.poll_finish(writing, cx, place).map_err(Into::into)
    }
}

impl<S: fmt::Debug> fmt::Debug for Io<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Io").field(&self.io).finish()
    }
}

/// Runs what hyper wants to be run beside a connection, in daemon tasks. HTTP/1 wants nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spawner;

impl<F: Future + 'static> Executor<F> for Spawner {
    fn execute(&self, future: F) {
        spawn_daemon(async {
            future.await;
        });
    }
}

/// An interruption that went through hyper is an interruption again, if it is one of this task (H3); everything else is
/// [`Error::Other`].
impl From<::hyper::Error> for Error {
    fn from(error: ::hyper::Error) -> Error {
        let mut cause = error.source().filter(|_| is_interrupted());
        while let Some(inner) = cause {
            // hyper lends its causes and does not give them away; and an error has no copies. But an interruption is just a number.
            let own = inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            let bytes = Progress::of_bytes;
            match own.and_then(|own| own.downcast_ref::<Error>()) {
                Some(Error::Cancelled(p)) => return Error::Cancelled(bytes(p.bytes())),
                Some(Error::Timeout(p)) => return Error::Timeout(bytes(p.bytes())),
                Some(Error::TimeoutCancellation(p)) => return Error::TimeoutCancellation(bytes(p.bytes())),
                _ => {}
            }
            cause = inner.source();
        }
        Error::other(error)
    }
}

/// Whether an interruption was delivered around this place, in this task, and inside of the nearest shield.
fn is_interrupted() -> bool {
    let interrupted = context::with_task(|context, task| {
        let tables = context.tables.borrow();
        let mut scope = context.scope.get();
        while scope != NONE {
            let around = tables.scopes.get(scope);
            if around.delivered != 0 || around.kind == Kind::Shield {
                return Ok(around.kind != Kind::Shield);
            }
            scope = tables.parent_scope(scope);
        }
        Ok(tables.slot(task).cell.header().was_told())
    });
    interrupted.unwrap_or(false)
}
