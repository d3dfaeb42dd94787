//! How an operation waits for a socket: it tries the system call, and waits only if that would block.

use std::cell::Cell;
use std::io;
use std::panic::Location;
use std::task::{Context as TaskContext, Poll};

use super::{Label, Waiting};
use crate::context;
use crate::error::{Busy, Error, Result};
use crate::key::Key;
use crate::readiness::{Direction, Source};
use crate::tables::Tables;
use crate::waker;

impl Waiting {
    /// Tries a system call on a socket, and waits if it would block. `call` tells besides its result whether the socket
    /// is exhausted. There is one seat for each direction, for the operation that waits.
    ///
    /// What nearly always happens is here, and without a loop: either the socket is known not to be ready, or the call
    /// succeeds at once. The rest is elsewhere, so that its needs do not burden this: it becomes a part of the task that reads or
    /// writes. Only a call spends budget.
    #[inline(always)]
    pub(crate) fn poll_io<R>(
        &mut self,
        source: &Source,
        direction: Direction,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
        call: impl FnOnce() -> io::Result<(R, bool)>,
    ) -> Poll<Result<R>> {
        if !source.is_ready(direction) {
            return apart(self.wait_io(source, direction, cx, place));
        }
        if !self.may_try(source, direction) {
            return match self.may_pause(source, direction, cx) {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            };
        }
        match call() {
            Ok((value, short)) => {
                if short {
                    source.short(direction);
                }
                if let Some(wait) = self.key {
                    match direction {
                        Direction::Read => complete_io::<true>(source, wait),
                        Direction::Write => complete_io::<false>(source, wait),
                    }
                    // Now, so that nobody has to look later whether it waits.
                    self.key = None;
                }
                Poll::Ready(Ok(value))
            }
            Err(error) => apart(self.failed_io(source, direction, cx, place, error)),
        }
    }

    /// Whether nobody waits for the socket but this operation, if it has waited, and the task that runs is of the socket's kernel and
    /// has budget left, which is spent.
    #[inline(always)]
    fn may_try(&self, source: &Source, direction: Direction) -> bool {
        let has_seat = Key::are_same(source.seat(direction).get(), self.key);
        (has_seat || !self.is_taken(source, direction)) && context::spend_in(source.kernel())
    }

    /// It may not. If that is because the task has had its share, it is to come back.
    #[cold]
    #[inline(never)]
    fn may_pause(&mut self, source: &Source, direction: Direction, cx: &TaskContext<'_>) -> Result<()> {
        let is_here = source.key().is_kin(context::running_task());
        if !is_here || self.is_taken(source, direction) {
            return Err(self.refuse_io(source, direction));
        }
        pause(cx);
        Ok(())
    }

    /// Whether another operation has the seat.
    #[cold]
    #[inline(never)]
    fn is_taken(&self, source: &Source, direction: Direction) -> bool {
        let seat = source.seat(direction).get();
        !Key::are_same(seat, self.key) && seat.is_some()
    }

    /// The socket is not ready: the operation waits for it.
    #[inline(always)]
    pub(crate) fn wait_io<R>(
        &mut self,
        source: &Source,
        direction: Direction,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<R>> {
        if self.key.is_none() {
            self.key = match direction {
                Direction::Read => begin_io::<true>(source, cx, place),
                Direction::Write => begin_io::<false>(source, cx, place),
            };
            if self.key.is_some() {
                return Poll::Pending;
            }
        }
        match direction {
            Direction::Read => self.wait_in_direction::<R, true>(source, cx, place),
            Direction::Write => self.wait_in_direction::<R, false>(source, cx, place),
        }
    }

    /// There is one for each direction, as that decides about much of what is done.
    #[cold]
    #[inline(never)]
    fn wait_in_direction<R, const READS: bool>(
        &mut self,
        source: &Source,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<R>> {
        let direction = if READS { Direction::Read } else { Direction::Write };
        context::with(|context| {
            let Some((context, task)) = context.and_then(|c| Some((c, c.task.get()?))) else {
                return Poll::Ready(Err(Error::NoKernel));
            };
            if !source.key().is_kin(Some(task)) || source.is_gone() || self.is_taken(source, direction) {
                return Poll::Ready(Err(self.refuse_io(source, direction)));
            }
            let arm = move |tables: &mut Tables, index| tables.arm_source(index, task, source, direction);
            match self.enter(context, task, cx, direction.into(), place, arm) {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            }
        })
    }

    /// The operation has no business with this source: it belongs to another kernel, or is gone, or is taken.
    #[cold]
    fn refuse_io(&mut self, source: &Source, direction: Direction) -> Error {
        let task = context::with(|context| context.and_then(|context| context.task.get()));
        if !source.key().is_kin(task) {
            self.complete();
            Error::NoKernel
        } else if source.is_gone() {
            self.complete();
            Error::Closed
        } else {
            Error::Busy(direction.into())
        }
    }

    /// A system call has failed. Where it is to be tried again, the socket may be waited for; if not even that is
    /// so, as the system has been interrupted, the task comes back at once.
    #[cold]
    fn failed_io<R>(
        &mut self,
        source: &Source,
        direction: Direction,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
        error: io::Error,
    ) -> Poll<Result<R>> {
        match error.kind() {
            io::ErrorKind::WouldBlock => source.clear(direction),
            io::ErrorKind::Interrupted => {}
            _ => {
                self.complete();
                return Poll::Ready(Err(Error::Io(error)));
            }
        }
        if source.is_ready(direction) {
            pause(cx);
            return Poll::Pending;
        }
        self.wait_io(source, direction, cx, place)
    }
}

/// An operation that does not wait yet begins to wait for a socket, if all is as it nearly always is: the socket is of this
/// kernel, nobody looks on, nobody interrupts the task, it waits in nothing else, and there is neither a timeout nor a
/// combinator around the operation. Gives the key of its node, which is the task's. None: it is not so, and nothing has
/// happened.
#[inline(never)]
fn begin_io<const READS: bool>(
    source: &Source,
    cx: &TaskContext<'_>,
    place: &'static Location<'static>,
) -> Option<Key> {
    let direction = if READS { Direction::Read } else { Direction::Write };
    context::with_this(source.kernel(), |context| {
        let task = context::running_task()?;
        let is_free = source.seat(direction).get().is_none();
        if !is_free || !context.is_undisturbed() || !waker::is_of(task, cx.waker()) {
            return None;
        }
        let mut tables = context.tables.try_borrow_mut().ok()?;
        tables.seat_own(task, source, direction, place).then_some(task)
    })
}

/// A system call has succeeded for an operation that has waited: its node is given back.
#[inline(never)]
fn complete_io<const READS: bool>(source: &Source, wait: Key) {
    let direction = if READS { Direction::Read } else { Direction::Write };
    let seat = source.seat(direction);
    let quit = context::with_this(source.kernel(), |context| {
        // If it has the seat, the node is there (I11).
        if !Key::are_same(seat.get(), Some(wait)) {
            return None;
        }
        let mut tables = context.tables.try_borrow_mut().ok()?;
        tables.quit_seat(wait, direction).then(|| seat.set(None))
    });
    if quit.is_none() {
        complete_slowly(seat, wait);
    }
}

/// The same where there is more to be seen to.
#[cold]
#[inline(never)]
fn complete_slowly(seat: &Cell<Option<Key>>, wait: Key) {
    if !Key::are_same(seat.get(), Some(wait)) {
        return Waiting { key: Some(wait) }.complete();
    }
    // So the node is there (I11).
    seat.set(None);
    context::with(|context| {
        if let Some(context) = context {
            context.with_tables(|tables| tables.complete_io(wait));
        }
    });
}

/// The same result. It is taken out of memory, where a call that is rarely made has put it; so that what nearly always happens
/// need not put it there, too.
#[allow(clippy::needless_match)]
#[inline(always)]
pub(crate) fn apart<R>(result: Poll<Result<R>>) -> Poll<Result<R>> {
    match result {
        Poll::Ready(Ok(value)) => Poll::Ready(Ok(value)),
        Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        Poll::Pending => Poll::Pending,
    }
}

/// The task is to come back.
#[cold]
#[inline(never)]
fn pause(cx: &TaskContext<'_>) {
    cx.waker().wake_by_ref();
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
