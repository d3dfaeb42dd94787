//! What can be asked of a task from outside: that it end.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use crate::error::Result;
use crate::interrupt::Request;
use crate::task::Task;
use crate::traps::{Label, Waiting};

impl<T> Task<T> {
    /// Cancels the task and waits until it has ended, however it does. If it has ended already, nothing happens.
    ///
    /// # Errors
    /// If the caller is cancelled meanwhile; the request stays in force. [`Error::NoKernel`](crate::Error::NoKernel)
    /// outside of a task.
    pub fn cancel(&self) -> Cancel<'_, T> {
        Cancel {
            task: self,
            requested: false,
            waiting: Waiting::new(),
        }
    }

    /// Asks for the task's cancellation and goes on. A task may ask for its own: the next operation that would wait gets it.
    pub fn cancel_nowait(&self) {
        if let Some(context) = self.context.upgrade() {
            let wakers = context.tables.borrow_mut().request_cancel(self.key);
            wakers.into_iter().for_each(|waker| waker.wake());
        }
    }

    /// Whether somebody has asked for the task's cancellation. What came of it is another matter.
    pub fn cancelled(&self) -> bool {
        self.cell.header().request.get() != Request::Not
    }
}

/// Cancels a task and waits for its end; see [`Task::cancel`].
#[derive(Debug)]
#[must_use = "it does nothing unless it is awaited"]
pub struct Cancel<'a, T> {
    task: &'a Task<T>,
    requested: bool,
    waiting: Waiting,
}

impl<T> Future for Cancel<'_, T> {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        let Cancel {
            task,
            requested,
            waiting,
        } = self.get_mut();
        if !std::mem::replace(requested, true) {
            task.cancel_nowait();
        }
        if task.terminated() {
            waiting.complete();
            return Poll::Ready(Ok(()));
        }
        match waiting.wait_on(&task.cell.header().joiners, cx, Label::TASK_JOIN) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}
