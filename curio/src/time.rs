//! Time: the clock, sleeping, and letting others run.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use crate::context::{self, Context};
use crate::error::{Error, Result};
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
    Sleep(State::After(context::nanos(duration), Location::caller()))
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
    Sleep(State::Until(context::ticks(instant), Location::caller()))
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
pub struct Sleep(State);

#[derive(Debug)]
enum State {
    /// Not polled yet: to sleep for so many nanoseconds.
    After(u64, &'static Location<'static>),
    /// Not polled yet: to sleep until then.
    Until(u64, &'static Location<'static>),
    Sleeping(u64, Waiting),
    /// There was nothing to wait for; the epoch in which it yielded.
    Yielding(u64),
    Done,
}

impl Sleep {
    /// The same as [`sleep`], for somebody else.
    pub(crate) fn after(delay: Duration, place: &'static Location<'static>) -> Sleep {
        Sleep(State::After(context::nanos(delay), place))
    }

    /// The first poll. `deadline` may find that there is nothing to wait for.
    #[inline]
    fn begin(
        &mut self,
        deadline: impl FnOnce(&Context) -> Option<u64>,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<()>> {
        let mut waiting = Waiting::new();
        let begun = context::with_running(|context, task| {
            let deadline = deadline(context);
            if let Some(deadline) = deadline {
                waiting.wait_until_in(context, task, deadline, cx, place)?;
            }
            Ok(deadline)
        });
        match begun {
            Ok(Some(deadline)) => {
                self.0 = State::Sleeping(deadline, waiting);
                Poll::Pending
            }
            Ok(None) => self.begin_to_yield(cx),
            Err(error) => self.ready(Err(error)),
        }
    }

    /// The first poll, with nothing to wait for: it yields.
    #[cold]
    fn begin_to_yield(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        match begin_yield(cx) {
            Ok(epoch) => {
                self.0 = State::Yielding(epoch);
                Poll::Pending
            }
            Err(error) => self.ready(Err(error)),
        }
    }

    /// It is polled again, and goes on sleeping.
    #[cold]
    fn sleep_on(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        let State::Sleeping(deadline, waiting) = &mut self.0 else {
            return Poll::Pending;
        };
        let place = waiting.place().unwrap_or(Location::caller());
        match waiting.wait_until(*deadline, cx, place) {
            Ok(()) => Poll::Pending,
            Err(error) => self.ready(Err(error)),
        }
    }

    /// It begins to sleep for some time: nearly always that is a plain wait.
    #[inline(never)]
    fn begin_plainly(
        &mut self,
        delay: u64,
        place: &'static Location<'static>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<()>> {
        let begun = context::with(|context| {
            let context = context?;
            let task = context.task.get()?;
            if !context.is_undisturbed() || !waker::is_of(task, cx.waker()) {
                return None;
            }
            // Never shorter: what this run of the task has computed so far does not count.
            let deadline = context.read_clock().saturating_add(delay);
            let waiting = Waiting::begin_until(context, task, deadline, place)?;
            Some(State::Sleeping(deadline, waiting))
        });
        let Some(begun) = begun else {
            return self.poll_slowly(cx);
        };
        // What is there now has nothing to drop.
        std::mem::forget(std::mem::replace(&mut self.0, begun));
        Poll::Pending
    }

    /// It was not notified, or there is more to look at. Nearly always it is cancelled.
    #[inline(never)]
    fn settle(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        let State::Sleeping(_, waiting) = &mut self.0 else {
            return Poll::Pending;
        };
        match waiting.settle() {
            Some(result) => self.ready(result),
            None => self.sleep_on(cx),
        }
    }

    #[inline(never)]
    fn poll_slowly(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        match self.0 {
            State::After(delay, place) => {
                let after = |context: &Context| {
                    context.forget_time();
                    (delay > 0).then(|| context.after(delay))
                };
                self.begin(after, cx, place)
            }
            State::Until(deadline, place) => {
                let until = |context: &Context| Some(deadline).filter(|&deadline| deadline > context.now());
                self.begin(until, cx, place)
            }
            State::Yielding(epoch) => self.ready(finish_yield(epoch)),
            State::Sleeping(..) => self.sleep_on(cx),
            State::Done => panic!("a Sleep was polled after it had completed"),
        }
    }

    #[inline(always)]
    fn ready(&mut self, result: Result<()>) -> Poll<Result<()>> {
        if let State::Sleeping(_, waiting) = &mut self.0 {
            waiting.is_over();
        }
        self.0 = State::Done;
        Poll::Ready(result)
    }
}

impl Future for Sleep {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        match &mut this.0 {
            State::Sleeping(_, waiting) => {
                if waiting.take_own() {
                    this.ready(Ok(()))
                } else {
                    this.settle(cx)
                }
            }
            &mut State::After(delay @ 1.., place) => this.begin_plainly(delay, place, cx),
            _ => this.poll_slowly(cx),
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sleep").field(&self.0).finish()
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

    #[inline(always)]
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
#[inline(always)]
fn begin_yield(cx: &TaskContext<'_>) -> Result<u64> {
    // Nearly always: nobody interrupts it, and no combinator is in between.
    let begun = context::with(|context| {
        let context = context.filter(|context| !context.hot.get())?;
        let task = context
            .task
            .get()
            .filter(|&task| waker::is_of(task, cx.waker()))?;
        let mut tables = context.tables.try_borrow_mut().ok()?;
        tables.schedule(task.index());
        Some(tables.epoch)
    });
    match begun {
        Some(epoch) => Ok(epoch),
        None => begin_yield_slowly(cx),
    }
}

#[cold]
#[inline(never)]
fn begin_yield_slowly(cx: &TaskContext<'_>) -> Result<u64> {
    context::with_task(|context, task| {
        if context.hot.get() {
            check(context, task)?;
        }
        // Before it is woken, so that it is not held while a combinator's waker runs (I2).
        let epoch = context.tables.borrow().epoch;
        cx.waker().wake_by_ref();
        Ok(epoch)
    })
}

#[cold]
fn check(context: &Context, task: u32) -> Result<()> {
    let mut tables = context.tables.borrow_mut();
    let scope = context.open_scopes(&mut tables, task);
    tables.interruption(task, scope, None).map_or(Ok(()), Err)
}

#[inline]
fn finish_yield(started: u64) -> Result<()> {
    context::with(|context| {
        let Some(context) = context else {
            return Err(Error::NoKernel);
        };
        if context.hot.get()
            && let Some(task) = context.task.get()
        {
            let mut tables = context.tables.borrow_mut();
            tables.owe(task.index(), context.scope.get(), started);
        }
        Ok(())
    })
}
