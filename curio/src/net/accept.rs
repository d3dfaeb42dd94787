//! Taking connections, whatever the family.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use super::bytes::sealed::Sealed;
use crate::error::Result;
use crate::traps::Waiting;

/// A socket that accepts connections: [`TcpListener`](super::TcpListener) or `UnixListener`. This is what
/// [`run_server`](crate::run_server) serves.
///
/// It cannot be implemented outside of this crate.
pub trait Listener: fmt::Debug + Sealed {
    /// A connection.
    type Stream: fmt::Debug + 'static;
    /// Where it comes from.
    type Addr: fmt::Debug + 'static;

    #[doc(hidden)]
    fn poll_accept(
        &self,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<(Self::Stream, Self::Addr)>>;
}

/// The operation of `accept`: of [`TcpListener`](super::TcpListener::accept), of `UnixListener`.
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Accept<'a, L> {
    listener: &'a L,
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl<'a, L: Listener> Accept<'a, L> {
    pub(crate) fn new(listener: &'a L, place: &'static Location<'static>) -> Self {
        Accept {
            listener,
            waiting: Waiting::new(),
            place,
        }
    }
}

impl<L: Listener> Future for Accept<'_, L> {
    type Output = Result<(L::Stream, L::Addr)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let Accept {
            listener,
            waiting,
            place,
        } = &mut *self;
        listener.poll_accept(waiting, cx, place)
    }
}
