//! The way out of a group: what `join` and the end of `scope` wait for.
//!
//! ```text
//!   by the policy ──────▶ reaping ──────▶ closed
//!     │                     ▲
//!     └─ interrupted ───────┘   (the interruption goes on when the group is closed)
//! ```
//!
//! L1. The first step can be interrupted and the second cannot: it is shielded, and as long as the members' clean-ups.
//! L2. An interruption that was taken in the first step is what the operation resolves to; one that comes in the second
//!     is for the next operation.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use pin_project_lite::pin_project;

use super::roll::Stage;
use super::{GROUP_WAIT, TaskGroup};
use crate::cancellation::{Shield, disable_cancellation};
use crate::error::{Error, Result};
use crate::outcome::{Outcome, Value};
use crate::traps::{self, Waiting};

/// Waits until no member is alive.
pub(super) struct Leave<T> {
    waiting: Waiting,
    reaping: Option<Shield<Reap<T>>>,
    interruption: Option<Error>,
    place: &'static Location<'static>,
}

impl<T> Leave<T> {
    fn new(place: &'static Location<'static>) -> Leave<T> {
        Leave {
            waiting: Waiting::new(),
            reaping: None,
            interruption: None,
            place,
        }
    }

    /// Ready when the group is closed; with the interruption, if one came before the policy was satisfied. Also ready, but
    /// with the group as it was, if this task must not wait for it.
    fn poll(&mut self, of: &TaskGroup<T>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        let group = &*of.group;
        if self.reaping.is_none() {
            if !self.waiting.is_waiting() {
                ready!(traps::poll_budget(cx));
            }
            if group.roll.borrow().alive() > 0 {
                of.check()?;
            }
            let cancel = group.roll.borrow_mut().begin();
            group.cancel(cancel);
            if group.roll.borrow().stage == Stage::Joining {
                match self.waiting.wait_on(&group.joiners, cx, GROUP_WAIT, self.place) {
                    Ok(()) => return Poll::Pending,
                    Err(error) if !error.is_cancellation() => return Poll::Ready(Err(error)),
                    Err(interruption) => {
                        self.interruption = Some(interruption);
                        of.cancel_rest();
                    }
                }
            } else {
                self.waiting.complete();
            }
            if group.roll.borrow().alive() > 0 {
                self.reaping = Some(disable_cancellation(Reap {
                    group: of.clone(),
                    waiting: Waiting::new(),
                    place: self.place,
                }));
            }
        }
        if let Some(reaping) = &mut self.reaping {
            // A failure here means that the kernel is gone or another, so there is nobody to wait for.
            ready!(Pin::new(reaping).poll(cx))?;
        }
        self.reaping = None;
        group.roll.borrow_mut().stage = Stage::Closed;
        Poll::Ready(self.interruption.take().map_or(Ok(()), Err))
    }
}

/// Waits until no member is alive, and nothing else.
struct Reap<T> {
    group: TaskGroup<T>,
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl<T> Future for Reap<T> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        let group = &*this.group.group;
        if group.roll.borrow().alive() == 0 {
            this.waiting.complete();
            return Poll::Ready(Ok(()));
        }
        match this.waiting.wait_on(&group.joiners, cx, GROUP_WAIT, this.place) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

/// The operation of [`TaskGroup::join`].
#[must_use = "it does nothing unless it is awaited"]
pub struct JoinGroup<'a, T> {
    group: &'a TaskGroup<T>,
    leave: Leave<T>,
}

impl<'a, T> JoinGroup<'a, T> {
    pub(super) fn new(group: &'a TaskGroup<T>, place: &'static Location<'static>) -> JoinGroup<'a, T> {
        JoinGroup {
            group,
            leave: Leave::new(place),
        }
    }
}

impl<T> Future for JoinGroup<'_, T> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        let left = ready!(this.leave.poll(this.group, cx));
        Poll::Ready(report(this.group, left))
    }
}

/// What the way out resolves to.
fn report<T>(of: &TaskGroup<T>, left: Result<()>) -> Result<()> {
    let closed = of.group.roll.borrow().stage == Stage::Closed;
    let failure = match &left {
        Ok(()) => of.group.roll.borrow_mut().failure(),
        Err(_) => None,
    };
    if closed {
        of.log_untold();
    }
    match failure {
        Some(error) => Err(Error::Task(error)),
        None => left,
    }
}

/// Asks the members to end if the scope is dropped.
struct Guard<T> {
    group: TaskGroup<T>,
    entered: bool,
}

impl<T> Drop for Guard<T> {
    fn drop(&mut self) {
        if self.entered {
            self.group.cancel_rest();
        }
    }
}

/// What came of the body.
type Left<V> = Result<Result<V>, Box<dyn Any + Send>>;

pin_project! {
    /// The operation of [`TaskGroup::scope`].
    #[must_use = "it does nothing unless it is awaited"]
    pub struct Scope<T, F>
    where
        F: Future,
        F::Output: Outcome,
    {
        // Declared before the guard, so dropped before it: what the body waits in is left first.
        #[pin]
        body: Option<F>,
        leave: Leave<T>,
        left: Option<Left<Value<F>>>,
        guard: Guard<T>,
    }
}

impl<T, F: Future<Output: Outcome>> Scope<T, F> {
    pub(super) fn new(group: TaskGroup<T>, body: F, place: &'static Location<'static>) -> Scope<T, F> {
        Scope {
            body: Some(body),
            leave: Leave::new(place),
            left: None,
            guard: Guard {
                group,
                entered: false,
            },
        }
    }
}

impl<T, F: Future<Output: Outcome>> Future for Scope<T, F> {
    type Output = Result<Value<F>>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<Value<F>>> {
        let mut this = self.project();
        let Guard { group, entered } = this.guard;
        if let Some(body) = this.body.as_mut().as_pin_mut() {
            if !std::mem::replace(entered, true) {
                let open = group.group.roll.borrow().check_open();
                open.inspect_err(|_| *entered = false)?;
            }
            let mut left: Left<Value<F>> = match catch_unwind(AssertUnwindSafe(|| body.poll(cx))) {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(output)) => Ok(output.into_result()),
                Err(panic) => Err(panic),
            };
            // The body goes first, with all that it still holds.
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| this.body.set(None))) {
                left = left.and(Err(panic));
            }
            if !matches!(left, Ok(Ok(_))) {
                group.cancel_rest();
            }
            *this.left = Some(left);
        }
        let closed = group.group.roll.borrow().stage == Stage::Closed;
        // A body that has joined the group has heard its report.
        let reported = closed && !this.leave.waiting.is_waiting() && this.leave.reaping.is_none();
        let report = if reported {
            Ok(())
        } else {
            let left = ready!(this.leave.poll(group, cx));
            match this.left {
                Some(Ok(Ok(_))) => report(group, left),
                _ => {
                    group.log_untold();
                    Ok(())
                }
            }
        };
        *entered = false;
        let Some(left) = this.left.take() else {
            panic!("the scope of a task group was polled after it had completed");
        };
        match left {
            Ok(value) => Poll::Ready(report.and(value)),
            Err(panic) => resume_unwind(panic),
        }
    }
}

impl<T> fmt::Debug for JoinGroup<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinGroup").field("group", self.group).finish()
    }
}

impl<T, F: Future<Output: Outcome>> fmt::Debug for Scope<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("group", &self.guard.group)
            .finish_non_exhaustive()
    }
}
