//! Awaiting the end of a task: for its value, or to see it gone.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Weak;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use super::Task;
use crate::cell::Header;
use crate::context::Context;
use crate::error::{Error, Result, TaskError};
use crate::handle::{Cancel, End, Handle};
use crate::key::Key;
use crate::timeout::{IgnoreTimeout, ignore_after};

/// The operation of [`Task::join`].
#[must_use = "it does nothing unless it is awaited"]
pub struct Join<'a, T> {
    task: &'a Task<T>,
    header: &'a Header,
    end: End,
    /// Whoever watches the task was told that its result is for this operation.
    claimed: bool,
}

/// The operation of [`Task::cancel_within`].
#[must_use = "it does nothing unless it is awaited"]
pub struct CancelWithin<'a> {
    context: &'a Weak<Context>,
    key: Key,
    cancel: IgnoreTimeout<Cancel<'a>>,
}

impl<'a, T> Join<'a, T> {
    #[inline]
    pub(super) fn new(task: &'a Task<T>, place: &'static Location<'static>) -> Join<'a, T> {
        Join {
            task,
            header: task.handle.header(),
            end: End::new(place),
            claimed: false,
        }
    }
}

impl<'a> CancelWithin<'a> {
    pub(super) fn new<C>(task: &'a Handle<C>, limit: Duration, cancel: Cancel<'a>) -> CancelWithin<'a> {
        CancelWithin {
            context: &task.context,
            key: task.key,
            cancel: ignore_after(limit, cancel),
        }
    }
}

impl<T> Future for Join<'_, T> {
    type Output = Result<T>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<T>> {
        let Join { task, header, .. } = *self;
        let ended = self.end.poll(header, task.handle.key, cx);
        match ended {
            Poll::Pending => {
                if header.is_watched() && !self.claimed {
                    header.set_joined(true);
                    self.claimed = true;
                }
                Poll::Pending
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) => {
                header.set_joined(true);
                self.claimed = false;
                Poll::Ready(match task.handle.take() {
                    Some(result) => result.map_err(Error::Task),
                    None => Err(Error::AlreadyJoined),
                })
            }
        }
    }
}

impl<T> Drop for Join<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.claimed {
            self.disclaim();
        }
    }
}

impl<T> Join<'_, T> {
    /// The operation goes without the result that was meant for it.
    #[cold]
    fn disclaim(&self) {
        self.task.handle.header().set_joined(false);
        // If the task has ended, nobody else hears of its failure.
        if let Some(Err(error)) = self.task.handle.inspect(|_| true) {
            error.log();
        }
    }
}

impl Future for CancelWithin<'_> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        match Pin::new(&mut self.cancel).poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(Some(()))) => Poll::Ready(Ok(())),
            Poll::Ready(Ok(None)) => {
                if let Some(context) = self.context.upgrade() {
                    let why = "it did not end in time after its cancellation";
                    drop_task(&context, self.key, why);
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        }
    }
}

impl<T> fmt::Debug for Join<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join").field("task", self.task).finish()
    }
}

impl fmt::Debug for CancelWithin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelWithin")
            .field("cancel", &self.cancel)
            .finish()
    }
}

/// Drops the future of a task that is not running, and ends the task.
pub(crate) fn drop_task(context: &Context, key: Key, why: &'static str) {
    let found = context.with_tables(|tables| {
        let index = tables.find_task(key)?;
        let slot = tables.slot(index);
        let error = TaskError::dropped(slot.id(), tables.name(slot), slot.spawned, why);
        tables.note(|log, tables| log.ends(tables, key, error.ending(), Some(error.clone())));
        let slot = tables.slot(index);
        Some((slot.cell.clone(), error))
    });
    let Some((cell, error)) = found else { return };
    // The future goes while its nodes are still there, so that its operations can pass on what was granted to them. Its
    // drop is user code, after which the task is looked up again.
    cell.fail(error);
    if let Some(cell) = context.remove_task(key) {
        cell.release();
    }
    cell.release();
}
