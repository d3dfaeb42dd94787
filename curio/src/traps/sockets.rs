//! How an operation waits for a socket: it tries the system call, and waits only if that would block.

use std::io;
use std::panic::Location;
use std::task::{Context as TaskContext, Poll};

use super::{Label, Waiting};
use crate::context::{self, Context};
use crate::error::{Busy, Error, Result};
use crate::key::{Key, NONE};
use crate::readiness::Direction;
use crate::tables::Tables;

impl Waiting {
    /// Tries a system call on a socket, and waits if it would block. `call` tells besides its result whether the socket
    /// is exhausted. There is one seat for each direction, for the operation that waits.
    #[inline]
    pub(crate) fn poll_io<R>(
        &mut self,
        source: Key,
        direction: Direction,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
        mut call: impl FnMut() -> io::Result<(R, bool)>,
    ) -> Poll<Result<R>> {
        context::with(|context| {
            let Some((context, task)) = context.and_then(|c| Some((c, c.task.get()?))) else {
                return Poll::Ready(Err(Error::NoKernel));
            };
            if !context.spend() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            loop {
                let mut tables = context.tables.borrow_mut();
                let Some(entry) = tables.find_source(source) else {
                    drop(tables);
                    return Poll::Ready(Err(self.gone(context, source)));
                };
                let (ready, seat) = (entry.is_ready(direction), *entry.seat(direction));
                if seat != NONE && self.find(&tables) != Some(seat) {
                    return Poll::Ready(Err(Error::Busy(direction.into())));
                }
                drop(tables);
                if !ready {
                    return self.wait_ready(context, task, source, direction, cx, place);
                }
                match call() {
                    Ok((value, short)) => {
                        if short || self.key.is_some() {
                            self.complete_io(context, source, direction, short);
                        }
                        return Poll::Ready(Ok(value));
                    }
                    Err(error) => {
                        if let Some(error) = self.failed_io(context, source, direction, error) {
                            return Poll::Ready(Err(error));
                        }
                    }
                }
            }
        })
    }

    #[inline(never)]
    fn wait_ready<R>(
        &mut self,
        context: &Context,
        task: Key,
        source: Key,
        direction: Direction,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<R>> {
        let arm = |tables: &mut Tables, index: u32| tables.arm_source(index, source, direction);
        match self.enter(context, task, cx, direction.into(), place, arm) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// A system call has failed. None: it is to be tried again, when the socket is ready.
    #[cold]
    fn failed_io(
        &mut self,
        context: &Context,
        source: Key,
        direction: Direction,
        error: io::Error,
    ) -> Option<Error> {
        match error.kind() {
            io::ErrorKind::Interrupted => None,
            io::ErrorKind::WouldBlock => {
                if let Some(entry) = context.tables.borrow_mut().find_source(source) {
                    entry.clear(direction);
                }
                None
            }
            _ => {
                self.complete();
                Some(Error::Io(error))
            }
        }
    }

    /// A system call has succeeded.
    #[inline(never)]
    fn complete_io(&mut self, context: &Context, source: Key, direction: Direction, short: bool) {
        context.with_tables(|tables| {
            let wait = self.find(tables);
            tables.complete_io(source, direction, short, wait);
        });
        self.key = None;
    }

    /// The source is not in the tables any more, or never was.
    #[cold]
    fn gone(&mut self, context: &Context, source: Key) -> Error {
        self.complete();
        if context.id == source.kernel() {
            Error::Closed
        } else {
            Error::NoKernel
        }
    }
}

impl From<Direction> for Label {
    fn from(direction: Direction) -> Label {
        match direction {
            Direction::Read => Label::READ_WAIT,
            Direction::Write => Label::WRITE_WAIT,
        }
    }
}

impl From<Direction> for Busy {
    fn from(direction: Direction) -> Busy {
        match direction {
            Direction::Read => Busy::Reader,
            Direction::Write => Busy::Writer,
        }
    }
}
