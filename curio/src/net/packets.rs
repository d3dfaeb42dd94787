//! Operations of one system call: those of datagrams, and `peek`.
//!
//! They differ in the call and in nothing else, so there is one future, [`Operation`], and a small type for each call.
//! A call takes a whole datagram or nothing, so an operation that was interrupted has had no effect.

use std::future::Future;
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use super::tcp::TcpStream;
use super::udp::UdpSocket;
use crate::error::Result;
use crate::readiness::Direction;
use crate::traps::Waiting;

/// The operation of one system call `C` on a socket `S`: of [`UdpSocket::recv`](super::UdpSocket::recv) and the like.
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Operation<'a, S, C> {
    socket: &'a S,
    call: C,
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl<'a, S, C: Call<S>> Operation<'a, S, C> {
    #[inline]
    pub(crate) fn new(socket: &'a S, call: C, place: &'static Location<'static>) -> Self {
        Operation {
            socket,
            call,
            waiting: Waiting::new(),
            place,
        }
    }
}

impl<S, C: Call<S> + Unpin> Future for Operation<'_, S, C> {
    type Output = Result<C::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let Operation {
            socket,
            call,
            waiting,
            place,
        } = &mut *self;
        call.poll(socket, waiting, cx, place)
    }
}

/// A system call on a socket `S`.
pub trait Call<S> {
    /// What it gives.
    type Output;

    /// Does it, and waits if it would block.
    #[doc(hidden)]
    fn poll(
        &mut self,
        socket: &S,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<Self::Output>>;
}

/// Receives a datagram.
#[derive(Debug)]
pub struct Recv<'a>(pub(super) &'a mut [u8]);

/// Receives a datagram, and tells who sent it.
#[derive(Debug)]
pub struct RecvFrom<'a>(pub(super) &'a mut [u8]);

/// Looks at what would be received.
#[derive(Debug)]
pub struct Peek<'a>(pub(super) &'a mut [u8]);

/// Looks at what would be received, and tells who sent it.
#[derive(Debug)]
pub struct PeekFrom<'a>(pub(super) &'a mut [u8]);

/// Sends a datagram.
#[derive(Debug)]
pub struct Send<'a>(pub(super) &'a [u8]);

/// Sends a datagram to an address.
#[derive(Debug)]
pub struct SendTo<'a>(pub(super) &'a [u8], pub(super) SocketAddr);

/// Says for a row of the table below what the call is, in which direction, and what it gives.
macro_rules! calls {
    ($($socket:ty, $call:ty => $output:ty, $direction:ident, |$io:ident, $this:ident| $body:expr;)*) => {$(
        impl Call<$socket> for $call {
            type Output = $output;

            fn poll(
                &mut self,
                socket: &$socket,
                waiting: &mut Waiting,
                cx: &mut TaskContext<'_>,
                place: &'static Location<'static>,
            ) -> Poll<Result<$output>> {
                let $this = self;
                socket.io.poll_call(Direction::$direction, waiting, cx, place, |$io| $body)
            }
        }
    )*};
}

calls! {
    TcpStream, Peek<'_> => usize, Read, |io, this| io.peek(this.0);
    UdpSocket, Recv<'_> => usize, Read, |io, this| io.recv(this.0);
    UdpSocket, RecvFrom<'_> => (usize, SocketAddr), Read, |io, this| io.recv_from(this.0);
    UdpSocket, Peek<'_> => usize, Read, |io, this| io.peek(this.0);
    UdpSocket, PeekFrom<'_> => (usize, SocketAddr), Read, |io, this| io.peek_from(this.0);
    UdpSocket, Send<'_> => usize, Write, |io, this| io.send(this.0);
    UdpSocket, SendTo<'_> => usize, Write, |io, this| io.send_to(this.0, this.1);
}

#[cfg(unix)]
mod unix {
    use std::os::unix::net::SocketAddr;

    use super::super::unix_datagram::UnixDatagram;
    use super::{Call, Direction, Location, Poll, Recv, RecvFrom, Result, Send, TaskContext, Waiting};

    calls! {
        UnixDatagram, Recv<'_> => usize, Read, |io, this| io.recv(this.0);
        UnixDatagram, RecvFrom<'_> => (usize, SocketAddr), Read, |io, this| io.recv_from(this.0);
        UnixDatagram, Send<'_> => usize, Write, |io, this| io.send(this.0);
    }
}
