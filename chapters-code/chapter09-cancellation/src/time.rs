//! Time: the clock, sleeping, and letting others run.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use crate::context;
use crate::error::Result;
use crate::traps::{self, Waiting};

/// The time of the kernel's clock. It never waits. Outside of a kernel it is that of the system.
pub fn clock() -> Instant {
    context::kernel().map_or_else(Instant::now, |context| context.now())
}

/// Sleeps for a while, and never shorter. With a duration of zero, all other ready tasks run first.
///
/// # Errors
/// [`Error::NoKernel`](crate::Error::NoKernel) outside of a task.
pub fn sleep(duration: Duration) -> Sleep {
    Sleep {
        wish: Wish::After(duration),
        waiting: Waiting::new(),
    }
}

/// Sleeps until the clock shows this instant: for work that must not drift. If it has passed, all other ready tasks run
/// first.
///
/// # Errors
/// As for [`sleep`].
pub fn sleep_until(instant: Instant) -> Sleep {
    Sleep {
        wish: Wish::Until(instant),
        waiting: Waiting::new(),
    }
}

/// The operation of [`sleep`] and [`sleep_until`].
#[derive(Debug)]
#[must_use = "it does nothing unless it is awaited"]
pub struct Sleep {
    wish: Wish,
    waiting: Waiting,
}

#[derive(Clone, Copy, Debug)]
enum Wish {
    /// Not polled yet: to sleep for so long.
    After(Duration),
    /// Not polled yet: to sleep until then.
    Until(Instant),
    /// To go on, then.
    Sleeping(Instant),
}

/// Longer than anybody will wait.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

impl Future for Sleep {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        let Sleep { wish, waiting } = self.get_mut();
        let now = clock();
        let deadline = match *wish {
            Wish::Sleeping(deadline) if deadline <= now => {
                waiting.complete();
                return Poll::Ready(Ok(()));
            }
            Wish::After(duration) => now + duration.min(FOR_EVER),
            Wish::Until(instant) | Wish::Sleeping(instant) => instant,
        };
        *wish = Wish::Sleeping(deadline);
        match waiting.wait_until(deadline, cx) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

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
