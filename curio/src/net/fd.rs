//! Sources of which the selector is told the descriptor, and nothing else: pipes, terminals, sockets of any family.
//!
//! A socket of mio sees to it itself that a selector without edges is asked again (I9). For these, we do: a call that would
//! block says so, and without that the event for which the operation waits would never come.

use std::io;
use std::os::fd::AsRawFd;
use std::panic::Location;
use std::task::{Context as TaskContext, Poll};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token, event};

use super::source::Registered;
use crate::error::Result;
use crate::readiness::Direction;
use crate::traps::Waiting;

/// Something that has a descriptor, as the selector knows it.
pub(crate) struct ByFd<T>(pub(crate) T);

impl<T: AsRawFd> event::Source for ByFd<T> {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        SourceFd(&self.0.as_raw_fd()).register(registry, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        SourceFd(&self.0.as_raw_fd()).reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        SourceFd(&self.0.as_raw_fd()).deregister(registry)
    }
}

impl<T: AsRawFd> Registered<ByFd<T>> {
    /// Tries a system call, and waits if it would block, as [`poll_call`](Registered::poll_call).
    pub(crate) fn poll_fd<R>(
        &self,
        direction: Direction,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
        call: impl FnOnce(&T) -> io::Result<R>,
    ) -> Poll<Result<R>> {
        self.poll_call(direction, waiting, cx, place, |source| {
            let called = call(&source.0);
            if let Err(error) = &called
                && error.kind() == io::ErrorKind::WouldBlock
            {
                self.ask_again(&mut SourceFd(&source.0.as_raw_fd()));
            }
            called
        })
    }
}
