//! One request of a thread: the future that the task awaits for it, and the way back of what that gives.

use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use pin_project_lite::pin_project;

use super::Caught;
use crate::contain::contain;
use crate::context;
use crate::error::Result;
use crate::key::NONE;
use crate::outcome::{Outcome, Value};
use crate::remote::block_on;
use crate::slot::Slot;
use crate::traps::{Label, Waiting};

/// How often a future may go on that only yields, though something is to be delivered.
const MAX_ROUNDS: u8 = 64;

/// Who owes an answer. If it is dropped, that is the answer (T2).
pub(super) struct Answer<T>(Arc<Slot<Caught<T>>>);

impl<T> Answer<T> {
    pub(super) fn new(slot: &Arc<Slot<Caught<T>>>) -> Answer<T> {
        Answer(slot.clone())
    }

    pub(super) fn give(&self, value: Caught<T>) {
        if let Some(value) = self.0.put(value).wake() {
            contain(|| drop(value));
        }
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Blocks the thread until there is an answer. None if there will be none. A panic goes on in this thread.
pub(super) fn receive<T>(slot: &Slot<Caught<T>>) -> Option<T> {
    let answer = block_on(std::future::poll_fn(|cx| slot.poll(cx)), None).flatten()?;
    Some(answer.unwrap_or_else(|panic| resume_unwind(panic)))
}

pin_project! {
    /// Awaits a future for a thread.
    ///
    /// It is a boundary (`interrupt`, D6): where the future waits for something that is not this library's, it is dropped
    /// when an interruption comes, and the thread gets that. While an operation waits below, this is none.
    pub(super) struct Awaited<M, F: Future<Output: Outcome>> {
        make: Option<M>,
        #[pin]
        future: Option<F>,
        answer: Answer<Result<Value<F>>>,
        waiting: Waiting,
        rounds: u8,
        place: &'static Location<'static>,
    }
}

impl<M, F> Awaited<M, F>
where
    M: FnOnce() -> F,
    F: Future<Output: Outcome>,
{
    pub(super) fn new(
        make: M,
        answer: Answer<Result<Value<F>>>,
        place: &'static Location<'static>,
    ) -> Awaited<M, F> {
        Awaited {
            make: Some(make),
            future: None,
            answer,
            waiting: Waiting::new(),
            rounds: 0,
            place,
        }
    }
}

impl<M, F> Future for Awaited<M, F>
where
    M: FnOnce() -> F,
    F: Future<Output: Outcome>,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let mut this = self.project();
        let polled = catch_unwind(AssertUnwindSafe(|| {
            if let Some(make) = this.make.take() {
                this.future.set(Some(make()));
            }
            match this.future.as_mut().as_pin_mut() {
                Some(future) => future.poll(cx).map(Outcome::into_result),
                None => panic!("an Awaited was polled after it had completed"),
            }
        }));
        let answer = match polled {
            Ok(Poll::Ready(result)) => Ok(result),
            Err(panic) => Err(panic),
            Ok(Poll::Pending) => {
                if is_waited_below(this.waiting, this.rounds) {
                    this.waiting.end();
                    return Poll::Pending;
                }
                match this.waiting.wait(cx, Label::FOREIGN_WAIT, this.place) {
                    Ok(()) => return Poll::Pending,
                    Err(error) => Ok(Err(error)),
                }
            }
        };
        this.waiting.complete();
        // Its drop may panic, and is told then as its own panic would be.
        let dropped = catch_unwind(AssertUnwindSafe(|| this.future.set(None)));
        this.answer.give(match dropped {
            Ok(()) => answer,
            Err(panic) => Err(panic),
        });
        Poll::Ready(())
    }
}

/// Whether the future waits in an operation of this library, or has only yielded.
fn is_waited_below(own: &Waiting, rounds: &mut u8) -> bool {
    let below = context::with_task(|context, task| {
        let mut tables = context.tables.borrow_mut();
        let scope = context.open_scopes(&mut tables, task);
        let own = own.find(&tables).unwrap_or(NONE);
        let yielded = tables.slot(task).is_queued() && *rounds < MAX_ROUNDS;
        *rounds = if yielded { *rounds + 1 } else { 0 };
        Ok(yielded || tables.is_waited_below(task, scope, own))
    });
    // Without a kernel there is nobody to interrupt it.
    below.unwrap_or(true)
}
