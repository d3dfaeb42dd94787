//! Time: the clock, sleeping, and letting others run.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use crate::context;
use crate::error::Result;
use crate::traps::Waiting;
use crate::waker;

/// The time of the kernel's clock (Python Curio: `clock()`). It never waits.
///
/// On the virtual clock this is the virtual time. Outside of a kernel it is `Instant::now()`.
///
/// ```
/// use curio::{clock, run, sleep};
/// use std::time::Duration;
///
/// run(async {
///     let start = clock();
///     sleep(Duration::from_millis(2)).await?;
///     assert!(clock() - start >= Duration::from_millis(2));
///     Ok(())
/// })
/// .unwrap();
/// ```
pub fn clock() -> Instant {
    context::with(|context| match context {
        Some(context) => {
            // Somebody who asks wants to know what time it is now, not what it was when this run of the task began.
            context.forget_time();
            context::instant(context.now())
        }
        None => Instant::now(),
    })
}

/// Sleeps for a while (Python Curio: `sleep`).
///
/// *Waits* until the time has passed, and never shorter; a zero duration lets all other ready tasks run first.
/// *Interrupted* by cancellation and timeouts, also when the duration is zero.
///
/// ```
/// use curio::{run, sleep};
/// use std::time::Duration;
///
/// run(sleep(Duration::from_millis(1))).unwrap();
/// ```
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    Sleep::new(State::After, context::nanos(duration))
}

/// Sleeps until the clock shows this instant (Python Curio: `wake_at`): for periodic work that must not drift.
///
/// *Waits* until then; an instant in the past lets all other ready tasks run first. *Interrupted* by cancellation and
/// timeouts, in any case.
///
/// ```
/// use curio::{clock, run, sleep_until};
/// use std::time::Duration;
///
/// run(async {
///     let start = clock();
///     for tick in 1..=3 {
///         sleep_until(start + Duration::from_millis(tick)).await?;
///     }
///     Ok(())
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn sleep_until(instant: Instant) -> Sleep {
    Sleep::new(State::Until, context::ticks(instant))
}

/// Lets all other ready tasks run first (Python Curio: `schedule`, or `sleep(0)`).
///
/// It goes to the back of the ready queue. *Interrupted* by cancellation and timeouts.
///
/// ```
/// curio::run(curio::yield_now()).unwrap();
/// ```
pub fn yield_now() -> YieldNow {
    YieldNow { started: 0 }
}

/// The operation of [`sleep`] and [`sleep_until`]. It is `Send + Sync`, but can be awaited only in one kernel.
#[must_use = "it does nothing unless it is awaited"]
pub struct Sleep {
    state: State,
    /// Nanoseconds to sleep, the deadline, or the epoch of the yield.
    when: u64,
    waiting: Waiting,
    place: &'static Location<'static>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    After,
    Until,
    Sleeping,
    Yielding,
    Done,
}

impl Sleep {
    #[track_caller]
    fn new(state: State, when: u64) -> Sleep {
        Sleep {
            state,
            when,
            waiting: Waiting::new(),
            place: Location::caller(),
        }
    }

    /// The first poll: works out the deadline, or begins to yield if there is nothing to wait for.
    fn begin(&mut self, cx: &TaskContext<'_>) -> Result<()> {
        let deadline = context::with_task(|context, _| {
            Ok(match self.state {
                State::After if self.when == 0 => None,
                State::After => Some(context.after(self.when)),
                _ => Some(self.when).filter(|&when| when > context.now()),
            })
        })?;
        match deadline {
            Some(deadline) => {
                self.when = deadline;
                self.state = State::Sleeping;
            }
            None => {
                self.when = begin_yield(cx)?;
                self.state = State::Yielding;
            }
        }
        Ok(())
    }
}

impl Future for Sleep {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        let result = match this.state {
            State::After | State::Until => match this.begin(cx) {
                Ok(()) if this.state == State::Yielding => return Poll::Pending,
                Ok(()) => this.waiting.wait_until(this.when, cx, this.place),
                Err(e) => Err(e),
            },
            State::Sleeping if this.waiting.take_notification() => {
                this.state = State::Done;
                return Poll::Ready(Ok(()));
            }
            State::Sleeping => this.waiting.wait_until(this.when, cx, this.place),
            State::Yielding => {
                this.state = State::Done;
                return Poll::Ready(finish_yield(this.when));
            }
            State::Done => panic!("a Sleep was polled after it had completed"),
        };
        match result {
            Ok(()) => Poll::Pending,
            Err(e) => {
                this.state = State::Done;
                Poll::Ready(Err(e))
            }
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// The operation of [`yield_now`].
///
/// It has no wait node: the task is on the ready queue all the while.
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct YieldNow {
    /// The epoch in which it began; 0: not yet.
    started: u64,
}

impl Future for YieldNow {
    type Output = Result<()>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        if self.started != 0 {
            return Poll::Ready(finish_yield(self.started));
        }
        match begin_yield(cx) {
            Ok(epoch) => {
                self.started = epoch;
                Poll::Pending
            }
            Err(e) => Poll::Ready(Err(e)),
        }
    }
}

/// Puts the task at the end of the ready queue. Gives the epoch in which that was.
#[inline]
fn begin_yield(cx: &TaskContext<'_>) -> Result<u64> {
    context::with_task(|context, task| {
        let mut tables = context.tables.borrow_mut();
        if tables.slot(task).hot != 0 {
            let scope = context.open_scopes(&mut tables);
            if let Some(error) = tables.interruption(task, scope, None) {
                return Err(error);
            }
        }
        if waker::is_running(context, cx.waker()) {
            tables.schedule(task);
            return Ok(tables.epoch);
        }
        let epoch = tables.epoch;
        drop(tables);
        cx.waker().wake_by_ref();
        Ok(epoch)
    })
}

#[inline]
fn finish_yield(started: u64) -> Result<()> {
    context::with_task(|context, task| {
        let mut tables = context.tables.borrow_mut();
        if tables.slot(task).hot != 0 {
            tables.owe(task, context.scope.get(), started);
        }
        Ok(())
    })
}
