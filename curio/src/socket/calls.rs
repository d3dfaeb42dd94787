//! The system calls of a [`Socket`]: each takes or gives one thing, and nothing if it was interrupted.

use std::io::{self, IoSlice, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::Location;
use std::task::{Context as TaskContext, Poll};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use super::{SockAddr, Socket};
use crate::error::Result;
use crate::net::bytes::sealed::Sealed;
use crate::net::{self, Operation};
use crate::readiness::Direction;
use crate::traps::Waiting;

/// The operation of one system call `C` on a [`Socket`].
pub type Call<'a, C> = Operation<'a, Socket, C>;

impl<C: SystemCall> net::Call<Socket> for C {
    type Output = C::Output;

    fn poll(
        &mut self,
        socket: &Socket,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<C::Output>> {
        let direction = if C::READS {
            Direction::Read
        } else {
            Direction::Write
        };
        socket.poll_call(direction, waiting, cx, place, |socket| self.call(socket))
    }
}

/// A system call on a socket: [`Recv`] and the like. It cannot be implemented outside of this crate.
pub trait SystemCall: Sealed {
    /// What it gives.
    type Output;
    /// Whether it waits to read.
    #[doc(hidden)]
    const READS: bool;

    /// Does it, or says that it would block.
    #[doc(hidden)]
    fn call(&mut self, socket: &socket2::Socket) -> io::Result<Self::Output>;
}

/// Takes a connection.
#[derive(Debug)]
pub struct Accept;

/// Receives bytes.
#[derive(Debug)]
pub struct Recv<'a>(pub(super) &'a mut [u8]);

/// Receives bytes, and says from whom.
#[derive(Debug)]
pub struct RecvFrom<'a>(pub(super) &'a mut [u8]);

/// Receives bytes and descriptors.
#[derive(Debug)]
pub struct RecvMsg<'a>(pub(super) &'a mut [u8], pub(super) usize);

/// Sends bytes.
#[derive(Debug)]
pub struct Send<'a>(pub(super) &'a [u8]);

/// Sends bytes to an address.
#[derive(Debug)]
pub struct SendTo<'a>(pub(super) &'a [u8], pub(super) &'a SockAddr);

/// Sends bytes and descriptors.
#[derive(Debug)]
pub struct SendMsg<'a>(pub(super) &'a [u8], pub(super) &'a [BorrowedFd<'a>]);

/// What [`Socket::recvmsg`] has received.
#[derive(Debug)]
#[non_exhaustive]
pub struct Message {
    /// The number of bytes.
    pub len: usize,
    /// The descriptors.
    pub descriptors: Vec<OwnedFd>,
    /// Whether there were more bytes or more descriptors, which are lost.
    pub truncated: bool,
}

impl Sealed for Accept {}
impl Sealed for Recv<'_> {}
impl Sealed for RecvFrom<'_> {}
impl Sealed for RecvMsg<'_> {}
impl Sealed for Send<'_> {}
impl Sealed for SendTo<'_> {}
impl Sealed for SendMsg<'_> {}

impl SystemCall for Accept {
    type Output = (Socket, SockAddr);
    const READS: bool = true;

    fn call(&mut self, socket: &socket2::Socket) -> io::Result<(Socket, SockAddr)> {
        let (socket, addr) = socket.accept()?;
        Ok((Socket::from_socket2(socket)?, addr))
    }
}

impl SystemCall for Recv<'_> {
    type Output = usize;
    const READS: bool = true;

    fn call(&mut self, mut socket: &socket2::Socket) -> io::Result<usize> {
        socket.read(self.0)
    }
}

/// In two steps, since the buffer of the call that does both need not be initialized, and ours is.
impl SystemCall for RecvFrom<'_> {
    type Output = (usize, SockAddr);
    const READS: bool = true;

    fn call(&mut self, mut socket: &socket2::Socket) -> io::Result<(usize, SockAddr)> {
        let sender = socket.peek_sender()?;
        Ok((socket.read(self.0)?, sender))
    }
}

impl SystemCall for Send<'_> {
    type Output = usize;
    const READS: bool = false;

    fn call(&mut self, socket: &socket2::Socket) -> io::Result<usize> {
        socket.send(self.0)
    }
}

impl SystemCall for SendTo<'_> {
    type Output = usize;
    const READS: bool = false;

    fn call(&mut self, socket: &socket2::Socket) -> io::Result<usize> {
        socket.send_to(self.0, self.1)
    }
}

impl SystemCall for SendMsg<'_> {
    type Output = usize;
    const READS: bool = false;

    fn call(&mut self, socket: &socket2::Socket) -> io::Result<usize> {
        let rights = SendAncillaryMessage::ScmRights(self.1);
        let mut space = vec![MaybeUninit::uninit(); rights.size()];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !self.1.is_empty() && !control.push(rights) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(sendmsg(
            socket.as_fd(),
            &[IoSlice::new(self.0)],
            &mut control,
            NO_SIGNAL,
        )?)
    }
}

/// Who writes to somebody who has gone gets an error, not a signal.
#[cfg(not(target_vendor = "apple"))]
const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
const NO_SIGNAL: SendFlags = SendFlags::empty();

/// What is received is not handed on to other programs. (Elsewhere it is said afterwards.)
#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOSE_ON_EXEC: RecvFlags = RecvFlags::CMSG_CLOEXEC;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CLOSE_ON_EXEC: RecvFlags = RecvFlags::empty();

impl SystemCall for RecvMsg<'_> {
    type Output = Message;
    const READS: bool = true;

    fn call(&mut self, socket: &socket2::Socket) -> io::Result<Message> {
        let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(self.1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut bufs = [IoSliceMut::new(self.0)];
        let received = recvmsg(socket.as_fd(), &mut bufs, &mut control, CLOSE_ON_EXEC)?;
        let mut descriptors = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                descriptors.extend(rights);
            }
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        for descriptor in &descriptors {
            rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::CLOEXEC)?;
        }
        // The space is rounded up, so there may be more than was asked for.
        let cut = received
            .flags
            .intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC);
        let truncated = cut || descriptors.len() > self.1;
        descriptors.truncate(self.1);
        Ok(Message {
            len: received.bytes,
            descriptors,
            truncated,
        })
    }
}
