//! Operations on the members of a group that is not left yet: to take the next that has ended, and to cancel the rest.
//!
//! Every member that ends wakes all who wait for the next one, and the first to be polled takes it. (To choose one of them
//! would mean to pass the choice on if that one is interrupted. There is rarely more than one.)

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use super::{GROUP_WAIT, TaskGroup};
use crate::error::{Error, Result};
use crate::task::Task;
use crate::traps::{self, Waiting};

/// The operation of [`TaskGroup::next_done`].
#[must_use = "it does nothing unless it is awaited"]
pub struct NextDone<'a, T> {
    group: &'a TaskGroup<T>,
    waiting: Waiting,
    /// It is counted among those who wait.
    counted: bool,
    place: &'static Location<'static>,
}

/// The operation of [`TaskGroup::next_result`].
#[must_use = "it does nothing unless it is awaited"]
pub struct NextResult<'a, T> {
    next: NextDone<'a, T>,
}

impl<'a, T> NextDone<'a, T> {
    pub(super) fn new(group: &'a TaskGroup<T>, place: &'static Location<'static>) -> NextDone<'a, T> {
        NextDone {
            group,
            waiting: Waiting::new(),
            counted: false,
            place,
        }
    }

    /// Whoever waits is told of failures by what it takes, so they are not logged meanwhile.
    fn count(&mut self, waits: bool) {
        if std::mem::replace(&mut self.counted, waits) != waits {
            let awaited = &self.group.group.awaited;
            awaited.set(if waits {
                awaited.get() + 1
            } else {
                awaited.get() - 1
            });
        }
    }
}

impl<T> Drop for NextDone<'_, T> {
    fn drop(&mut self) {
        self.count(false);
    }
}

impl<'a, T> NextResult<'a, T> {
    pub(super) fn new(next: NextDone<'a, T>) -> NextResult<'a, T> {
        NextResult { next }
    }
}

impl<'a, T> CancelRemaining<'a, T> {
    pub(super) fn new(group: &'a TaskGroup<T>, place: &'static Location<'static>) -> CancelRemaining<'a, T> {
        CancelRemaining {
            group,
            requested: false,
            waiting: Waiting::new(),
            place,
        }
    }
}

/// The operation of [`TaskGroup::cancel_remaining`].
#[must_use = "it does nothing unless it is awaited"]
pub struct CancelRemaining<'a, T> {
    group: &'a TaskGroup<T>,
    requested: bool,
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl<T> Future for NextDone<'_, T> {
    type Output = Result<Option<Task<T>>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let group = &*this.group.group;
        if !this.waiting.is_waiting() {
            ready!(traps::poll_budget(cx));
        }
        let mut roll = group.roll.borrow_mut();
        let (next, left) = roll.next();
        let workers = roll.workers();
        drop(roll);
        drop(left);
        if next.is_some() || workers == 0 {
            this.waiting.complete();
            this.count(false);
            return Poll::Ready(Ok(next));
        }
        let result = match this.group.check_for_workers() {
            // A member may wait for its siblings.
            Err(Error::Deadlock(_)) if workers > 1 => Ok(()),
            checked => checked,
        };
        let result = result.and_then(|()| this.waiting.wait_on(&group.takers, cx, GROUP_WAIT, this.place));
        this.count(result.is_ok());
        match result {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl<T> Future for NextResult<'_, T> {
    type Output = Result<Option<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let next = ready!(Pin::new(&mut self.next).poll(cx))?;
        let Some(task) = next else {
            return Poll::Ready(Ok(None));
        };
        Poll::Ready(match task.handle().take() {
            Some(Ok(value)) => Ok(Some(value)),
            Some(Err(error)) => Err(Error::Task(error)),
            None => Err(Error::AlreadyJoined),
        })
    }
}

impl<T> Future for CancelRemaining<'_, T> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        let group = &*this.group.group;
        if !this.requested {
            if group.roll.borrow().workers() > 0 {
                this.group.check_for_workers()?;
            }
            ready!(traps::poll_budget(cx));
            this.requested = true;
            let cancel = group.roll.borrow_mut().doom();
            group.cancel(cancel);
        }
        if group.roll.borrow().doomed == 0 {
            this.waiting.complete();
            return Poll::Ready(Ok(()));
        }
        match this.waiting.wait_on(&group.joiners, cx, GROUP_WAIT, this.place) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl<T> fmt::Debug for NextDone<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextDone").field("group", self.group).finish()
    }
}

impl<T> fmt::Debug for NextResult<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextResult")
            .field("group", self.next.group)
            .finish()
    }
}

impl<T> fmt::Debug for CancelRemaining<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelRemaining")
            .field("group", self.group)
            .finish()
    }
}
