//! Timeouts, and whose they were.
//!
//! A timeout is a scope with a deadline around a future. The wrapper makes itself the current scope while it polls its
//! future, so that everything that waits inside knows which timeouts are around it. As most futures under a timeout never
//! have to wait, nothing is entered in the kernel's tables, and the clock is not read, until the future is pending for
//! the first time. The deadline counts from then.
//!
//! A future that has only let others run (`yield_now`, or the budget was spent) is not waiting: the task is queued already.
//! So the first time that this happens, the timeout leaves the tables and the clock alone once more. Only once, as a
//! future that yields again and again is to be interrupted when its time is up.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;

use crate::context::{self, Context};
use crate::error::{Error, Result};
use crate::interrupt::Closed;
use crate::key::{Key, NONE};
use crate::tables::{Slot, Tables};
use crate::traps::Waiting;
use crate::waits::Label;
use crate::waker;

/// Gives a future a limited time (Python Curio: `timeout_after`). Without a duration (`None`) it only nests.
///
/// *Waits* as long as the future does. When the time is up, the operation that waits inside resolves to
/// [`Error::Timeout`]; the future may clean up and decides what it resolves to. A future that is not the library's and
/// has no operation waiting inside is dropped.
/// *Interrupted* by whatever is outside, by way of its future.
///
/// # Errors
///
/// [`Error::Timeout`] if the time was up. [`Error::TimeoutCancellation`] if a timeout further out expired.
/// [`Error::UncaughtTimeout`] if the timeout of another, inner, limit was not handled. All other errors are the future's.
///
/// ```
/// use curio::{Error, run, sleep, timeout_after};
/// use std::time::Duration;
///
/// run(async {
///     match timeout_after(Duration::from_millis(1), sleep(Duration::from_secs(1000))).await {
///         Err(Error::Timeout(_)) => println!("I warned you!"),
///         other => panic!("{other:?}"),
///     }
///     Ok(())
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn timeout_after<F, T>(limit: impl Into<Option<Duration>>, future: F) -> Timeout<F>
where
    F: Future<Output = Result<T>>,
{
    Timeout::new(
        limit
            .into()
            .map_or(Limit::None, |d| Limit::After(context::nanos(d))),
        future,
    )
}

/// The same with an absolute deadline (Python Curio: `timeout_at`). One that has passed interrupts the first operation
/// that would wait.
///
/// # Errors
///
/// As for [`timeout_after`].
///
/// ```
/// use curio::{clock, run, sleep, timeout_at};
/// use std::time::Duration;
///
/// run(async {
///     let deadline = clock() + Duration::from_millis(1);
///     assert!(timeout_at(deadline, sleep(Duration::from_secs(1000))).await.is_err());
///     Ok(())
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn timeout_at<F, T>(deadline: Instant, future: F) -> Timeout<F>
where
    F: Future<Output = Result<T>>,
{
    Timeout::new(Limit::At(context::ticks(deadline)), future)
}

/// Like [`timeout_after`], but `Ok(None)` when the time is up (Python Curio: `ignore_after`).
///
/// # Errors
///
/// As for [`timeout_after`], except for its own [`Error::Timeout`].
///
/// ```
/// use curio::{ignore_after, run, sleep};
/// use std::time::Duration;
///
/// run(async {
///     let slept = ignore_after(Duration::from_millis(1), sleep(Duration::from_secs(1000))).await?;
///     assert!(slept.is_none());
///     Ok(())
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn ignore_after<F, T>(limit: impl Into<Option<Duration>>, future: F) -> IgnoreTimeout<F>
where
    F: Future<Output = Result<T>>,
{
    IgnoreTimeout {
        inner: timeout_after(limit, future),
    }
}

/// Like [`timeout_at`], but `Ok(None)` when the deadline has passed (Python Curio: `ignore_at`).
///
/// # Errors
///
/// As for [`ignore_after`].
///
/// ```
/// use curio::{clock, ignore_at, run, sleep};
/// use std::time::Duration;
///
/// run(async {
///     assert!(ignore_at(clock(), sleep(Duration::from_secs(1000))).await?.is_none());
///     Ok(())
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn ignore_at<F, T>(deadline: Instant, future: F) -> IgnoreTimeout<F>
where
    F: Future<Output = Result<T>>,
{
    IgnoreTimeout {
        inner: timeout_at(deadline, future),
    }
}

/// `operation.timeout(limit)`, the same as [`timeout_after`]`(limit, operation)`.
///
/// ```
/// use curio::{WithTimeout, run, sleep};
/// use std::time::Duration;
///
/// run(async {
///     let r = sleep(Duration::from_secs(1000)).timeout(Duration::from_millis(1)).await;
///     assert!(r.unwrap_err().is_timeout());
///     Ok(())
/// })
/// .unwrap();
/// ```
pub trait WithTimeout<T>: Future<Output = Result<T>> + Sized {
    /// See [`timeout_after`].
    #[track_caller]
    fn timeout(self, limit: impl Into<Option<Duration>>) -> Timeout<Self> {
        timeout_after(limit, self)
    }
}

impl<F, T> WithTimeout<T> for F where F: Future<Output = Result<T>> {}

#[derive(Debug, Clone, Copy)]
enum Limit {
    None,
    After(u64),
    At(u64),
}

impl Limit {
    /// When the time is up; a limit of none never ends.
    fn deadline(self, context: &Context) -> u64 {
        match self {
            Limit::None => u64::MAX,
            Limit::After(delay) => {
                // Never shorter: what this run of the task has computed so far does not count.
                context.forget_time();
                context.after(delay)
            }
            Limit::At(deadline) => deadline,
        }
    }
}

pin_project! {
    /// The operation of [`timeout_after`] and [`timeout_at`].
    #[must_use = "it does nothing unless it is awaited"]
    pub struct Timeout<F> {
        // Declared before the scope, so dropped before it: what waits inside leaves first.
        #[pin]
        future: Option<F>,
        scope: OpenScope,
        limit: Limit,
        place: &'static Location<'static>,
    }
}

pin_project! {
    /// The operation of [`ignore_after`] and [`ignore_at`].
    #[must_use = "it does nothing unless it is awaited"]
    pub struct IgnoreTimeout<F> {
        #[pin]
        inner: Timeout<F>,
    }
}

impl<F> Timeout<F> {
    #[track_caller]
    fn new(limit: Limit, future: F) -> Timeout<F> {
        Timeout {
            future: Some(future),
            scope: OpenScope::default(),
            limit,
            place: Location::caller(),
        }
    }
}

impl<F, T> Future for Timeout<F>
where
    F: Future<Output = Result<T>>,
{
    type Output = Result<T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<T>> {
        let mut this = self.project();
        context::with(|context| {
            let Some(mut future) = this.future.as_mut().as_pin_mut() else {
                panic!("a timeout was polled after it had completed");
            };
            let Some((context, task)) = context.and_then(|c| Some((c, c.task.get()?))) else {
                return Poll::Ready(Err(Error::NoKernel));
            };
            let result = match this
                .scope
                .poll_inside(context, task.index(), || future.as_mut().poll(cx))
            {
                Poll::Ready(result) if this.scope.key.is_none() => return Poll::Ready(edge(result, false)),
                Poll::Ready(result) => result,
                Poll::Pending if this.scope.has_yielded(context, task, *this.limit, cx) => {
                    return Poll::Pending;
                }
                Poll::Pending => match this
                    .scope
                    .boundary(context, task.index(), this.limit, cx, this.place)
                {
                    None => return Poll::Pending,
                    Some(error) => Err(error),
                },
            };
            // The future goes first: what it still waits for is below the scope.
            this.future.set(None);
            Poll::Ready(this.scope.close(context, result))
        })
    }
}

impl<F, T> Future for IgnoreTimeout<F>
where
    F: Future<Output = Result<T>>,
{
    type Output = Result<Option<T>>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<Option<T>>> {
        self.project().inner.poll(cx).map(|result| match result {
            Ok(value) => Ok(Some(value)),
            Err(Error::Timeout(_)) => Ok(None),
            Err(error) => Err(error),
        })
    }
}

/// What an error becomes at the edge of a timeout.
#[inline]
fn edge<T>(result: Result<T>, delivered: bool) -> Result<T> {
    match result {
        Ok(value) => Ok(value),
        // Its own.
        Err(Error::Timeout(p) | Error::TimeoutCancellation(p)) if delivered => Err(Error::Timeout(p)),
        // An inner one, that nobody has handled.
        Err(Error::Timeout(_)) => Err(Error::UncaughtTimeout),
        other => other,
    }
}

/// The scope of a timeout, once it has one.
#[derive(Default)]
struct OpenScope {
    key: Option<Key>,
    /// The epoch in which its future has yielded and the scope was not opened for that; 0: it has not.
    yielded: u64,
    /// Only for a boundary that a combinator polls with a waker of its own.
    waiting: Waiting,
}

impl OpenScope {
    /// Polls the future with this scope as the current one.
    #[inline]
    fn poll_inside<T>(&mut self, context: &Context, task: u32, poll: impl FnOnce() -> T) -> T {
        if self.key.is_some() {
            return self.poll_open(context, task, poll);
        }
        let outer = context.unopened.get();
        context.unopened.set(outer + 1);
        let _leave = Unopened {
            context,
            scope: self,
            outer,
        };
        poll()
    }

    fn poll_open<T>(&mut self, context: &Context, task: u32, poll: impl FnOnce() -> T) -> T {
        let mut tables = context.tables.borrow_mut();
        let here = self
            .key
            .and_then(|key| tables.scopes.find(key))
            .filter(|&index| tables.scopes.get(index).task == task);
        let Some(index) = here else {
            // The timeout was moved here from another task: it leaves its scope there and opens a new one here.
            drop(tables);
            self.leave(context);
            return self.poll_inside(context, task, poll);
        };
        let outer = context.open_scopes(&mut tables, task);
        if tables.parent_scope(index) != outer {
            tables.move_scope(index, outer);
        }
        drop(tables);
        let _leave = Opened {
            context,
            scope: context.scope.replace(index),
            unopened: 0,
        };
        poll()
    }

    /// The future is pending. Whether it has only yielded, for the first time, so that there is nothing to be opened yet: the
    /// task itself is polled next, and nobody interrupts it.
    #[inline]
    fn has_yielded(&mut self, context: &Context, task: Key, limit: Limit, cx: &TaskContext<'_>) -> bool {
        let may_yield = match limit {
            Limit::None => true,
            Limit::After(delay) => delay > 0,
            Limit::At(_) => false,
        };
        if self.key.is_some()
            || self.yielded != 0
            || !may_yield
            || context.hot.get()
            || !waker::is_of(task, cx.waker())
        {
            return false;
        }
        let tables = context.tables.borrow();
        let is_queued = tables.waits.task(task.index()).is_some_and(Slot::is_queued);
        if is_queued {
            self.yielded = tables.epoch;
        }
        is_queued
    }

    /// The future is pending: arms the timer, the first time, and asks whether the future is to be dropped (see
    /// `interrupt`, D6).
    fn boundary(
        &mut self,
        context: &Context,
        task: u32,
        limit: &mut Limit,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Option<Error> {
        let mut tables = context.tables.borrow_mut();
        let index = match self.key {
            Some(key) => key.index(),
            None => self.open(context, &mut tables, task),
        };
        if !tables.scopes.get(index).armed {
            let deadline = limit.deadline(context);
            // Should the timeout be moved to another task, the deadline stays.
            *limit = Limit::At(deadline);
            if !tables.arm_timeout(index, deadline, context.now()) {
                drop(tables);
                context.interrupting(|tables| tables.interrupt(index));
                tables = context.tables.borrow_mut();
            }
        }
        let own = self.waiting.find(&tables).unwrap_or(NONE);
        let (error, foreign) = tables.timeout_boundary(index, own);
        drop(tables);
        if error.is_some() || !foreign || waker::is_own(context, cx.waker()) {
            self.waiting.end();
            return error;
        }
        // A combinator polls this only if its own waker was woken: so the boundary needs a node.
        let _leave = Opened {
            context,
            scope: context.scope.replace(index),
            unopened: context.unopened.replace(0),
        };
        self.waiting.watch(cx, Label::FOREIGN_WAIT, place).err()
    }

    /// Opens the scope of a timeout in which nothing has waited as an operation does.
    fn open(&mut self, context: &Context, tables: &mut Tables, task: u32) -> u32 {
        context.unopened.set(context.unopened.get() + 1);
        let index = context.open_scopes(tables, task);
        context.scope.set(tables.parent_scope(index));
        self.key = tables.scopes.key(index);
        // It waits for something since then, if it still does.
        tables.scopes.get_mut(index).foreign_since = self.yielded;
        index
    }

    /// Leaves the scope, and turns the result into what it is outside.
    fn close<T>(&mut self, context: &Context, result: Result<T>) -> Result<T> {
        let closed = self.leave(context);
        let result = edge(result, closed.delivered);
        if closed.passed.is_some() && !matches!(result, Err(Error::TimeoutCancellation(_))) {
            context.interrupting(|tables| tables.swallowed(&closed));
        }
        result
    }

    fn leave(&mut self, context: &Context) -> Closed {
        self.waiting.end();
        let mut tables = context.tables.borrow_mut();
        let open = self.key.and_then(|key| tables.scopes.find(key));
        self.key = None;
        open.map(|index| tables.close_scope(index)).unwrap_or_default()
    }
}

impl Drop for OpenScope {
    #[inline]
    fn drop(&mut self) {
        if self.key.is_some() {
            context::with(|context| {
                if let Some(context) = context {
                    self.leave(context);
                }
            });
        }
    }
}

/// Restores the surroundings of a timeout that had no scope when its future was polled, also when that panicked.
struct Unopened<'a> {
    context: &'a Context,
    scope: &'a mut OpenScope,
    outer: u32,
}

impl Unopened<'_> {
    /// Something inside has waited, so all timeouts out to here have got their scopes, and this one's is the current.
    #[inline(never)]
    fn opened(&mut self) {
        let tables = self.context.tables.borrow();
        let index = self.context.scope.get();
        self.scope.key = tables.scopes.key(index);
        self.context.scope.set(tables.parent_scope(index));
    }
}

impl Drop for Unopened<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.context.unopened.get() == self.outer + 1 {
            self.context.unopened.set(self.outer);
        } else {
            self.opened();
        }
    }
}

/// The same for one that had.
struct Opened<'a> {
    context: &'a Context,
    scope: u32,
    unopened: u32,
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        self.context.scope.set(self.scope);
        self.context.unopened.set(self.unopened);
    }
}

impl<F> fmt::Debug for Timeout<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for IgnoreTimeout<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IgnoreTimeout")
            .field("inner", &self.inner)
            .finish()
    }
}
