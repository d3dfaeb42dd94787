//! One operation for tasks, threads and other executors.
//!
//! Python Curio looks at its caller's stack frame to find out who calls. Here there is nothing to find out: whoever waits
//! is a waker, and a thread is just one that polls the same future and parks in between. Inside a task the operation has a
//! wait node as well, through which it is interrupted; the node and the place in the object's line know nothing of each
//! other, and whichever ends the wait first withdraws the other.
//!
//! Nothing is handed over to an operation that waits: it is *chosen*, and what it was chosen for is kept for it where that
//! is. If it comes, it takes it; if it was cancelled, timed out or dropped, or its kernel was shut down, the next one is
//! chosen. So an item is either received or still in the queue. (Handing the item over was rejected: it would have to be
//! put back, and by then others may have taken what came after it.) Nobody passes one that was chosen; those who wait are
//! served first in, first out, whatever they are.
//!
//! U1. An operation is in a line only after its first `Pending`; it leaves when it resolves or is dropped.
//! U2. One that was chosen and goes away without having completed lets `Step::pass_on` restore the state's invariants.
//!     (One that is leaked then keeps for ever what it was chosen for.)
//! U3. Under the lock no waker is cloned or dropped, and no value of the user's is touched but moved (R5).

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, Waker, ready};
use std::time::{Duration, Instant};

use crate::context;
use crate::error::{Error, Progress, Result};
use crate::kernel::running;
use crate::remote::{Call, Line, Shared, Wakes, block_on};
use crate::traps::{self, Label, Waiting};

/// What one kind of operation does with the state of its object. All of it happens under the object's lock (U3).
pub(crate) trait Step {
    type State;
    type Output;

    /// What it waits for, in reports.
    const LABEL: Label;

    /// Where it waits.
    fn line(state: &mut Self::State) -> &mut Line;

    /// Completes the operation, if it can be. `chosen`: it has waited, and it is its turn.
    fn attempt(
        &mut self,
        state: &mut Self::State,
        chosen: bool,
        wakes: &mut Wakes,
    ) -> Option<Result<Self::Output>>;

    /// Completes it before it has waited, if it can be.
    #[inline]
    fn attempt_first(&mut self, shared: &Shared<Self::State>) -> Option<Result<Self::Output>> {
        shared.with(|state, wakes| self.attempt(state, false, wakes))
    }

    /// One that was chosen has gone away (U2).
    fn pass_on(_state: &mut Self::State, _wakes: &mut Wakes) {}
}

/// An operation on a universal object.
pub(crate) struct Operation<'a, S: Step> {
    shared: &'a Shared<S::State>,
    pub(crate) step: S,
    /// Its place in the line (U1).
    place: Option<u32>,
    /// Its wait node, inside of a task.
    waiting: Waiting,
    location: &'static Location<'static>,
}

/// Nothing in it is pinned.
impl<S: Step> Unpin for Operation<'_, S> {}

/// How a look at the object has ended.
enum Look<T> {
    Done(Result<T>),
    /// It must wait, and whoever chooses it knows how to wake it.
    Known,
    Unknown,
}

impl<'a, S: Step> Operation<'a, S> {
    #[track_caller]
    pub(crate) fn new(shared: &'a Shared<S::State>, step: S) -> Operation<'a, S> {
        Operation {
            shared,
            step,
            place: None,
            waiting: Waiting::new(),
            location: Location::caller(),
        }
    }

    /// Completes the operation if it can be. If not, and if there is a waker, it waits in the line. What is left in
    /// `spare` is to be dropped by the caller, outside of the lock (U3).
    fn look(&mut self, cx: &TaskContext<'_>, spare: &mut Option<Waker>) -> Look<S::Output> {
        let Operation {
            shared, step, place, ..
        } = self;
        shared.with(|state, wakes| {
            let mut chosen = false;
            if let Some(at) = *place {
                let call = S::line(state).call(at);
                if let Call::Waiting(waker) = call {
                    // A clone that is there is good, even one of a waker that does not know its own clones again.
                    if let Some(new) = spare {
                        std::mem::swap(waker, new);
                        return Look::Known;
                    }
                    return match waker.will_wake(cx.waker()) {
                        true => Look::Known,
                        false => Look::Unknown,
                    };
                }
                chosen = matches!(call, Call::Chosen);
                S::line(state).leave(at);
                *place = None;
            }
            if let Some(result) = step.attempt(state, chosen, wakes) {
                return Look::Done(result);
            }
            match spare.take() {
                Some(waker) => {
                    *place = Some(S::line(state).enter(waker));
                    Look::Known
                }
                None => Look::Unknown,
            }
        })
    }

    /// Gives the place in the line up (U2).
    #[cold]
    fn withdraw(&mut self) {
        let Some(place) = self.place.take() else { return };
        let left = self.shared.with(|state, wakes| {
            let left = S::line(state).leave(place);
            if let Call::Chosen = left {
                S::pass_on(state, wakes);
            }
            left
        });
        drop(left);
    }

    /// Runs the operation in a thread that has no kernel.
    pub(crate) fn block(mut self, limit: Option<Duration>) -> Result<S::Output> {
        if running() {
            return Err(Error::KernelRunning);
        }
        match self.step.attempt_first(self.shared) {
            Some(result) => result,
            None => self.block_slowly(limit),
        }
    }

    #[cold]
    #[inline(never)]
    fn block_slowly(self, limit: Option<Duration>) -> Result<S::Output> {
        // A limit that is too far away for the clock is none.
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        block_on(self, deadline).unwrap_or_else(|| Err(Error::Timeout(Progress::default())))
    }

    /// The poll of an operation that waits, or must begin to.
    #[inline(never)]
    fn poll_slowly(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<S::Output>> {
        // Else it was tried just now.
        let look = match self.place {
            Some(_) => self.look(cx, &mut None),
            None => Look::Unknown,
        };
        let known = match look {
            Look::Done(result) => {
                self.waiting.complete();
                return Poll::Ready(result);
            }
            Look::Known => true,
            Look::Unknown => false,
        };
        if context::with(|context| context.is_some_and(|context| context.task.get().is_some())) {
            if let Err(error) = self.waiting.wait(cx, S::LABEL, self.location) {
                self.withdraw();
                return Poll::Ready(Err(error));
            }
        } else if self.waiting.is_waiting() {
            // It has waited in a task, and was moved out of its kernel.
            self.waiting = Waiting::new();
        }
        if known {
            return Poll::Pending;
        }
        // Cloning a waker is user code, so the lock was released; the object may have changed (U3).
        let mut spare = Some(cx.waker().clone());
        let look = self.look(cx, &mut spare);
        drop(spare);
        match look {
            Look::Done(result) => {
                self.waiting.complete();
                Poll::Ready(result)
            }
            Look::Known | Look::Unknown => Poll::Pending,
        }
    }
}

impl<S: Step> Future for Operation<'_, S> {
    type Output = Result<S::Output>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        // Nearly always it need not wait, and then it needs nothing to wait with.
        if this.place.is_none() {
            ready!(traps::poll_budget(cx));
            if let Some(result) = this.step.attempt_first(this.shared) {
                return Poll::Ready(result);
            }
        }
        this.poll_slowly(cx)
    }
}

impl<S: Step> Drop for Operation<'_, S> {
    #[inline]
    fn drop(&mut self) {
        if self.place.is_some() {
            self.withdraw();
        }
    }
}

impl<S: Step> fmt::Debug for Operation<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation")
            .field("label", &S::LABEL)
            .field("waits", &self.place.is_some())
            .finish()
    }
}
