//! Sockets for what speaks a protocol of its own over them, as TLS does: it has bytes of its own to send, from buffers of its
//! own, and sometimes cannot wait until they are gone.

use std::io;
use std::panic::Location;
use std::task::{Context as TaskContext, Poll};

use super::TcpStream;
#[cfg(unix)]
use super::UnixStream;
use super::bytes::{Readable, Writable};
use crate::error::Result;
use crate::traps::Waiting;

/// Writes what there is to be sent, and says how much it was.
pub(crate) type Send<'a> = &'a mut dyn FnMut(&mut dyn io::Write) -> io::Result<usize>;

/// A connection that a protocol can be spoken over: [`TcpStream`], `UnixStream`, and references to them.
///
/// It cannot be implemented outside of this crate.
pub trait Carrier: Readable + Writable {
    /// Sends, and waits if the system takes nothing.
    #[doc(hidden)]
    fn poll_send(
        &self,
        send: Send<'_>,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<usize>>;

    /// Sends if the system takes something.
    #[doc(hidden)]
    fn try_send(&self, send: Send<'_>) -> Result<usize>;
}

macro_rules! carriers {
    ($($(#[$cfg:meta])* $type:ty),*) => {$(
        $(#[$cfg])*
        impl Carrier for $type {
            fn poll_send(
                &self,
                send: Send<'_>,
                waiting: &mut Waiting,
                cx: &mut TaskContext<'_>,
                place: &'static Location<'static>,
            ) -> Poll<Result<usize>> {
                self.io.poll_send(send, waiting, cx, place)
            }

            fn try_send(&self, send: Send<'_>) -> Result<usize> {
                self.io.with(|mut socket| send(&mut socket))
            }
        }
    )*};
}

carriers!(
    TcpStream,
    #[cfg(unix)]
    UnixStream
);

impl<S: Carrier + ?Sized> Carrier for &S {
    fn poll_send(
        &self,
        send: Send<'_>,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<usize>> {
        (**self).poll_send(send, waiting, cx, place)
    }

    fn try_send(&self, send: Send<'_>) -> Result<usize> {
        (**self).try_send(send)
    }
}
