//! The task cell: one allocation that holds a task's future and later its result.
//!
//! `Rc<TaskCell<F>>` is held twice: by the kernel as `Rc<dyn Runnable>` and by the handle as `Rc<dyn Joinable<T>>`. So
//! neither needs to know the other's type parameter, and the value travels from the future to the joiner without another
//! allocation.
//!
//! ```text
//!            run                  a value
//!   IDLE ───────────▶ BUSY ─────────────────────▶ DONE ──take──▶ TAKEN
//!    ▲ ╲               │ ╲                         ▲
//!    │  ╲   pending    │  ╲ error, panic           │
//!    └───╲─────────────┘   ╲──────▶ ENDING ──fail──┤
//!         ╲                                        │
//!          ╲───────────── fail ────────────────────┘
//! ```
//!
//! | status | stage holds | who may touch the stage                          |
//! |--------|-------------|--------------------------------------------------|
//! | IDLE   | the future  | `run`, `fail`, the drop of the cell              |
//! | BUSY   | the future  | only the function that set it (C1)               |
//! | ENDING | the future  | `fail`, the drop of the cell                     |
//! | DONE   | the result  | `take`, the drop of the cell                     |
//! | TAKEN  | nothing     | nobody                                           |
//!
//! C1. While `status` is BUSY no other function touches the stage. The cell is `!Sync`, so this is about re-entrancy
//!     alone: each function looks at `status` first and leaves without touching if it is not theirs.
//! C2. The future never moves after the cell was made: it sits inside the `Rc` and is dropped in place.
//! C3. No reference into the stage outlives the function that made it.

#![allow(unsafe_code)]

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::contain::contain;
use crate::error::{Error, TaskError};
use crate::name::Name;
use crate::outcome::{Outcome, Value};

const IDLE: u64 = 0;
const BUSY: u64 = 1;
const ENDING: u64 = 2;
const DONE: u64 = 3;
const TAKEN: u64 = 4;
const STATUS: u64 = 7;
/// Somebody asked for the task's cancellation.
const CANCELLED: u64 = 8;
/// Somebody sees to the task's end and to its failure: the kernel need not report it.
const WATCHED: u64 = 16;
/// The result was given to a joiner, or a joiner waits for it.
const JOINED: u64 = 32;
/// The rest of the word counts how often the task was run.
const CYCLE: u64 = 64;

/// What the kernel and the handle read of a task without knowing its types, in one word.
pub(crate) struct Header(Cell<u64>);

impl Header {
    fn status(&self) -> u64 {
        self.0.get() & STATUS
    }

    fn set_status(&self, status: u64) {
        self.0.set(self.0.get() & !STATUS | status);
    }

    /// Whether the task has ended.
    pub(crate) fn terminated(&self) -> bool {
        self.status() >= DONE
    }

    /// Whether somebody asked for the task's cancellation.
    pub(crate) fn cancelled(&self) -> bool {
        self.0.get() & CANCELLED != 0
    }

    pub(crate) fn set_cancelled(&self) {
        self.0.set(self.0.get() | CANCELLED);
    }

    /// Whether somebody sees to the task's end.
    pub(crate) fn is_watched(&self) -> bool {
        self.0.get() & WATCHED != 0
    }

    pub(crate) fn set_watched(&self, watched: bool) {
        self.set_flag(WATCHED, watched);
    }

    /// Whether the result was given to a joiner, or a joiner waits for it.
    pub(crate) fn is_joined(&self) -> bool {
        self.0.get() & JOINED != 0
    }

    pub(crate) fn set_joined(&self, joined: bool) {
        self.set_flag(JOINED, joined);
    }

    fn set_flag(&self, flag: u64, on: bool) {
        let word = self.0.get() & !flag;
        self.0.set(if on { word | flag } else { word });
    }

    /// How often the task was run.
    pub(crate) fn cycles(&self) -> u64 {
        self.0.get() / CYCLE
    }

    fn count_cycle(&self) {
        self.0.set(self.0.get().wrapping_add(CYCLE));
    }

    /// The last run is not to be counted: it was only to see where the task is.
    pub(crate) fn discount_cycle(&self) {
        self.0.set(self.0.get().wrapping_sub(CYCLE));
    }

    /// From IDLE to BUSY, one cycle later. False if the task is not idle.
    #[inline]
    fn begin_run(&self) -> bool {
        let word = self.0.get();
        let is_idle = word & STATUS == IDLE;
        if is_idle {
            self.0.set(word.wrapping_add(CYCLE | BUSY));
        }
        is_idle
    }

    /// From BUSY back to IDLE.
    #[inline]
    fn end_run(&self) {
        debug_assert_eq!(self.status(), BUSY);
        self.0.set(self.0.get() - BUSY);
    }
}

/// Sets a status when it is dropped, so that an unwinding future leaves a true one behind.
struct Leave<'a> {
    header: &'a Header,
    next: u64,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.header.set_status(self.next);
    }
}

enum Stage<F, T> {
    Future(F),
    Result(Result<T, TaskError>),
    /// The result of a task without a name that was cancelled, and that is all. Who cancels a task rarely asks for the error,
    /// so it is made when somebody does.
    Cancelled(u64, &'static Location<'static>),
    Nothing,
}

pub(crate) struct TaskCell<F: Future<Output: Outcome>> {
    header: Header,
    stage: UnsafeCell<Stage<F, Value<F>>>,
}

/// What has come of one run of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ran {
    /// The task goes on later, or has not run at all, because it is being run or has ended.
    Pending,
    /// It has ended with a value.
    Ended,
    /// It has ended otherwise, and there is a failure. Or it is the main task, whose future is the kernel's to poll: then there
    /// is none. (Three are told apart by comparing; four would be a jump through a table.)
    Otherwise,
}

/// Why a task has no value.
pub(crate) enum Failure {
    Error(Error),
    Panic(Box<dyn Any + Send>),
}

/// A task as the kernel sees it.
pub(crate) trait Runnable {
    fn header(&self) -> &Header;
    /// Runs the task once. A value stays in the cell; a `failure` is handed to the kernel, which knows what it means and
    /// calls `fail`. (It takes the `Rc` itself, which spares the kernel the way from there to the cell; and a result of one
    /// byte, as nearly every run ends with `Pending`.)
    fn run(self: Rc<Self>, cx: &mut Context<'_>, failure: &mut Option<Failure>) -> Ran;
    /// Drops the future, if it is still there, and ends the task with an error.
    fn fail(&self, error: TaskError);
    /// The same for a task that has no name and was cancelled, by its id and where it was spawned.
    fn end_cancelled(&self, id: u64, spawned: &'static Location<'static>);
    /// The name of the future's type.
    fn type_name(&self) -> &'static str;
}

/// A task as its handle sees it.
pub(crate) trait Joinable<T>: Runnable {
    /// The result of a task that has ended, if it was not taken before. Errors may be taken again and again.
    fn take(&self) -> Option<Result<T, TaskError>>;
    /// The same without taking it: what `look` says of the value, or the error. `look` must not run user code (C1).
    fn inspect(&self, look: fn(&T) -> bool) -> Option<Result<bool, TaskError>>;
}

impl<F: Future<Output: Outcome>> TaskCell<F> {
    pub(crate) fn new(future: F) -> Rc<TaskCell<F>> {
        Rc::new(TaskCell {
            header: Header(Cell::new(IDLE)),
            stage: UnsafeCell::new(Stage::Future(future)),
        })
    }

    /// The future has given its output. If that is a value, the future is dropped here.
    #[inline]
    fn end(&self, output: F::Output, failure: &mut Option<Failure>) -> Ran {
        match output.into_result() {
            Ok(value) => {
                self.finish(Stage::Result(Ok(value)));
                Ran::Ended
            }
            Err(error) => {
                self.header.set_status(ENDING);
                *failure = Some(Failure::Error(error));
                Ran::Otherwise
            }
        }
    }

    /// Puts the result into the stage, dropping in place what is there. The caller has set BUSY, so that the drop of the
    /// future, which is user code, cannot come back in here (C1).
    fn finish(&self, result: Stage<F, Value<F>>) {
        debug_assert_eq!(self.header.status(), BUSY);
        // Also when the drop of the future panics: the assignment writes the new value all the same.
        let _leave = Leave {
            header: &self.header,
            next: DONE,
        };
        // SAFETY: by C1 nobody else touches the stage now. The assignment drops the future in place, so it does not move
        // while it is pinned (C2).
        unsafe { *self.stage.get() = result };
    }

    fn cancelled(id: u64, spawned: &'static Location<'static>) -> TaskError {
        let name = Name::OfType(std::any::type_name::<F>());
        TaskError::failed(id, name, spawned, Error::cancelled(), true)
    }
}

impl<F: Future<Output: Outcome>> Runnable for TaskCell<F> {
    fn header(&self) -> &Header {
        &self.header
    }

    fn run(self: Rc<Self>, cx: &mut Context<'_>, failure: &mut Option<Failure>) -> Ran {
        let header = &self.header;
        if !header.begin_run() {
            return Ran::Pending;
        }
        // SAFETY: status was IDLE and is BUSY, so nobody else touches the stage (C1).
        let ran = if let Stage::Future(future) = unsafe { &mut *self.stage.get() } {
            // SAFETY: the future stays where it is until it is dropped in place by `finish` or with the cell (C2).
            let future = unsafe { Pin::new_unchecked(future) };
            let polled = catch_unwind(AssertUnwindSafe(|| match future.poll(cx) {
                Poll::Pending => {
                    header.end_run();
                    Ran::Pending
                }
                Poll::Ready(output) => self.end(output, failure),
            }));
            polled.unwrap_or_else(|panic| {
                header.set_status(ENDING);
                *failure = Some(Failure::Panic(panic));
                Ran::Otherwise
            })
        } else {
            header.set_status(ENDING);
            Ran::Pending
        };
        // Nearly always the table has another.
        if Rc::strong_count(&self) == 1 {
            contain(|| drop(self));
        }
        ran
    }

    fn fail(&self, error: TaskError) {
        if let IDLE | ENDING = self.header.status() {
            self.header.set_status(BUSY);
            self.finish(Stage::Result(Err(error)));
        }
    }

    fn end_cancelled(&self, id: u64, spawned: &'static Location<'static>) {
        if let IDLE | ENDING = self.header.status() {
            self.header.set_status(BUSY);
            self.finish(Stage::Cancelled(id, spawned));
        }
    }

    fn type_name(&self) -> &'static str {
        std::any::type_name::<F>()
    }
}

impl<F: Future<Output: Outcome>> Joinable<Value<F>> for TaskCell<F> {
    fn take(&self) -> Option<Result<Value<F>, TaskError>> {
        if self.header.status() != DONE {
            return None;
        }
        // SAFETY: DONE means that no `poll` is under way, and nothing below runs user code (C1).
        let stage = unsafe { &mut *self.stage.get() };
        match stage {
            Stage::Result(Err(error)) => return Some(Err(error.clone())),
            &mut Stage::Cancelled(id, spawned) => return Some(Err(Self::cancelled(id, spawned))),
            _ => {}
        }
        self.header.set_status(TAKEN);
        match std::mem::replace(stage, Stage::Nothing) {
            Stage::Result(result) => Some(result),
            Stage::Future(_) | Stage::Cancelled(..) | Stage::Nothing => None,
        }
    }

    fn inspect(&self, look: fn(&Value<F>) -> bool) -> Option<Result<bool, TaskError>> {
        if self.header.status() != DONE {
            return None;
        }
        // SAFETY: as in `take`; `look` is ours and comes nowhere near the cell.
        match unsafe { &*self.stage.get() } {
            Stage::Result(Ok(value)) => Some(Ok(look(value))),
            Stage::Result(Err(error)) => Some(Err(error.clone())),
            &Stage::Cancelled(id, spawned) => Some(Err(Self::cancelled(id, spawned))),
            Stage::Future(_) | Stage::Nothing => None,
        }
    }
}

/// Stands for the main future of a run, which is not in a cell because it need not be `'static`.
pub(crate) struct MainCell {
    header: Header,
    type_name: &'static str,
}

impl MainCell {
    pub(crate) fn new(type_name: &'static str) -> Rc<MainCell> {
        Rc::new(MainCell {
            header: Header(Cell::new(IDLE)),
            type_name,
        })
    }

    /// The main task has ended, for those who hold references to it.
    pub(crate) fn end(&self) {
        self.header.set_status(DONE);
    }
}

impl Runnable for MainCell {
    fn header(&self) -> &Header {
        &self.header
    }

    /// The kernel polls the main future itself; this only keeps the count.
    fn run(self: Rc<Self>, _cx: &mut Context<'_>, _failure: &mut Option<Failure>) -> Ran {
        self.header.count_cycle();
        Ran::Otherwise
    }

    fn fail(&self, _error: TaskError) {
        self.header.set_status(DONE);
    }

    fn end_cancelled(&self, _id: u64, _spawned: &'static Location<'static>) {
        self.header.set_status(DONE);
    }

    fn type_name(&self) -> &'static str {
        self.type_name
    }
}

/// The ways through the diagram above; to be run under Miri, too: `cargo +nightly miri test -p curio --lib cell::`.
#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::future::{pending, poll_fn, ready};
    use std::task::Waker;

    use super::*;
    use crate::name::Name;

    fn failed() -> TaskError {
        let here = std::panic::Location::caller();
        TaskError::failed(1, Name::OfType("test"), here, Error::Closed, false)
    }

    /// Runs a cell as the kernel does, which holds one reference itself.
    fn run(cell: &Rc<dyn Runnable>) -> (Ran, Option<Failure>) {
        let mut failure = None;
        let ran = cell
            .clone()
            .run(&mut Context::from_waker(Waker::noop()), &mut failure);
        (ran, failure)
    }

    /// Counts that it is dropped.
    struct Dropped(Rc<Cell<u32>>);

    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }

    #[test]
    fn a_value_travels_from_the_future_to_who_takes_it() {
        let dropped = Rc::new(Cell::new(0));
        let (guard, mut runs) = (Dropped(dropped.clone()), 0);
        let cell = TaskCell::new(async move {
            let _guard = guard;
            // It refers to itself.
            let text = String::from("value");
            let part = &text[1..];
            poll_fn(|_| {
                runs += 1;
                if runs < 3 { Poll::Pending } else { Poll::Ready(()) }
            })
            .await;
            Ok(part.to_string())
        });
        let kernel: Rc<dyn Runnable> = cell.clone();
        assert!(matches!(run(&kernel), (Ran::Pending, None)));
        assert!(matches!(run(&kernel), (Ran::Pending, None)));
        assert!(cell.take().is_none() && dropped.get() == 0);
        assert!(matches!(run(&kernel), (Ran::Ended, None)));
        assert!(dropped.get() == 1 && cell.header.terminated());
        // It is not run again.
        assert!(matches!(run(&kernel), (Ran::Pending, None)));
        assert_eq!(cell.header.cycles(), 3);
        let is_it = |value: &String| value == "alue";
        assert!(cell.inspect(is_it).unwrap().unwrap());
        assert_eq!(cell.take().unwrap().unwrap(), "alue");
        assert!(cell.take().is_none() && cell.inspect(is_it).is_none());
    }

    #[test]
    fn a_failure_is_for_the_kernel() {
        let cell = TaskCell::new(ready(Err::<(), _>(Error::Closed)));
        let kernel: Rc<dyn Runnable> = cell.clone();
        assert!(matches!(run(&kernel), (Ran::Otherwise, Some(Failure::Error(_)))));
        assert!(!cell.header.terminated());
        cell.fail(failed());
        assert!(cell.take().unwrap().is_err() && cell.take().unwrap().is_err());

        let cell = TaskCell::new(poll_fn(|_| -> Poll<()> {
            std::panic::resume_unwind(Box::new(7))
        }));
        let kernel: Rc<dyn Runnable> = cell.clone();
        assert!(matches!(run(&kernel), (Ran::Otherwise, Some(Failure::Panic(_)))));
        cell.fail(failed());
        assert!(cell.header.terminated());
    }

    /// The future ends its own task, runs it, and drops what holds it, while it is polled; and so does its drop.
    #[test]
    fn whoever_comes_back_in_touches_nothing() {
        type Own = Rc<RefCell<Option<Rc<dyn Runnable>>>>;
        fn come_back(own: &Own) {
            let cell = own.borrow().clone();
            if let Some(cell) = cell {
                cell.fail(failed());
                assert!(matches!(run(&cell), (Ran::Pending, None)));
            }
        }
        struct Meddler {
            own: Own,
            _dropped: Dropped,
        }
        impl Drop for Meddler {
            fn drop(&mut self) {
                come_back(&self.own);
            }
        }
        for rounds in [0, 1] {
            let (own, dropped) = (Own::default(), Rc::new(Cell::new(0)));
            let meddler = Meddler {
                own: own.clone(),
                _dropped: Dropped(dropped.clone()),
            };
            let cell: Rc<dyn Runnable> = TaskCell::new(async move {
                come_back(&meddler.own);
                if rounds > 0 {
                    pending::<()>().await;
                }
            });
            *own.borrow_mut() = Some(cell.clone());
            let ran = run(&cell).0;
            assert!(ran == if rounds > 0 { Ran::Pending } else { Ran::Ended });
            // The first is over; the second ends while it waits.
            cell.fail(failed());
            assert!(cell.header().terminated() && dropped.get() == 1);
            own.take();
            assert_eq!(Rc::strong_count(&cell), 1);
        }
    }

    /// The last reference goes while the future runs: it is dropped when the run is over, and a panic of its drop stays there.
    #[test]
    fn the_last_reference_goes_in_a_run() {
        struct Panics {
            _dropped: Dropped,
        }
        impl Drop for Panics {
            fn drop(&mut self) {
                std::panic::resume_unwind(Box::new(8));
            }
        }
        let dropped = Rc::new(Cell::new(0));
        let table = Rc::new(RefCell::new(None::<Rc<dyn Runnable>>));
        let (guard, inner) = (
            Panics {
                _dropped: Dropped(dropped.clone()),
            },
            table.clone(),
        );
        let cell: Rc<dyn Runnable> = TaskCell::new(async move {
            let _guard = guard;
            drop(inner.take());
            pending::<()>().await;
        });
        *table.borrow_mut() = Some(cell.clone());
        let mut failure = None;
        let ran = cell.run(&mut Context::from_waker(Waker::noop()), &mut failure);
        assert!(ran == Ran::Pending && failure.is_none() && dropped.get() == 1);
    }

    /// A future whose drop panics leaves its task ended, and its result there.
    #[test]
    fn a_drop_that_panics() {
        struct Panics;
        impl Drop for Panics {
            fn drop(&mut self) {
                std::panic::resume_unwind(Box::new(9));
            }
        }
        impl Future for Panics {
            type Output = Result<u32, Error>;
            fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
                Poll::Ready(Ok(5))
            }
        }
        let cell = TaskCell::new(Panics);
        let kernel: Rc<dyn Runnable> = cell.clone();
        assert!(matches!(run(&kernel), (Ran::Otherwise, Some(Failure::Panic(_)))));
        cell.fail(failed());
        assert!(cell.header.terminated() && cell.take().unwrap().is_err());
    }
}
