//! hyper's clock.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use crate::context;
use crate::time::clock;
use crate::traps::Waiting;

/// The kernel's clock and timers, for hyper: its `header_read_timeout`, its pings.
///
/// See the [module's documentation](super) for an example.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timer;

impl ::hyper::rt::Timer for Timer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn ::hyper::rt::Sleep>> {
        // Further than the end of the clock is the end of the clock.
        let deadline = clock().checked_add(duration).map_or(u64::MAX, context::ticks);
        Box::pin(Sleep::new(deadline))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn ::hyper::rt::Sleep>> {
        Box::pin(Sleep::new(context::ticks(deadline)))
    }

    fn now(&self) -> Instant {
        clock()
    }
}

/// The operation of [`Timer`]'s methods.
#[must_use = "it does nothing unless it is awaited"]
pub struct Sleep {
    deadline: u64,
    waiting: Waiting,
}

impl Sleep {
    fn new(deadline: u64) -> Sleep {
        Sleep {
            deadline,
            waiting: Waiting::new(),
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let deadline = self.deadline;
        let over = context::with(|c| c.is_none_or(|c| c.now() >= deadline));
        if over || self.waiting.take_notification() {
            self.waiting.complete();
            return Poll::Ready(());
        }
        // Interruptions are left to others (H2); and where no task is, no time passes.
        match self.waiting.watch_until(deadline, cx, Location::caller()) {
            Ok(()) => Poll::Pending,
            Err(_) => Poll::Ready(()),
        }
    }
}

impl ::hyper::rt::Sleep for Sleep {}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("waits", &self.waiting.is_waiting())
            .finish()
    }
}
