//! Time: so far, letting others run.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use crate::error::Result;
use crate::traps;

/// Lets all other ready tasks run first.
///
/// # Errors
/// [`Error::NoKernel`](crate::Error::NoKernel) outside of a task.
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// The operation of [`yield_now`]. It writes no note: the task is in the ready queue all the while.
#[derive(Debug)]
#[must_use = "it does nothing unless it is awaited"]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        if std::mem::replace(&mut self.yielded, true) {
            return Poll::Ready(Ok(()));
        }
        match traps::pause(cx) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}
