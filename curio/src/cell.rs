//! The task cell: one allocation that holds a task's future and later its result.
//!
//! `Rc<TaskCell<F>>` is held twice: by the kernel as `Rc<dyn Runnable>` and by the handle as `Rc<dyn Joinable<T>>`. So
//! neither needs to know the other's type parameter, and the value travels from the future to the joiner without another
//! allocation.
//!
//! ```text
//!            poll                 a value
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
//! | IDLE   | the future  | `poll`, `fail`, the drop of the cell             |
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

use std::cell::{Cell, UnsafeCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::error::{Result, TaskError};
use crate::key::NONE;
use crate::outcome::{Outcome, Value};

const IDLE: u8 = 0;
const BUSY: u8 = 1;
const ENDING: u8 = 2;
const DONE: u8 = 3;
const TAKEN: u8 = 4;

/// Sets a status when it is dropped, so that an unwinding future leaves a true one behind.
struct Leave<'a> {
    status: &'a Cell<u8>,
    next: u8,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.status.set(self.next);
    }
}

/// What the kernel and the handle read of a task without knowing its types.
pub(crate) struct Header {
    /// How often the task was run.
    pub(crate) cycles: Cell<u64>,
    /// The list of operations that wait for the end of the task.
    pub(crate) joiners: Cell<u32>,
    status: Cell<u8>,
    /// Somebody asked for the task's cancellation.
    pub(crate) cancelled: Cell<bool>,
}

impl Header {
    /// Whether the task has ended.
    pub(crate) fn terminated(&self) -> bool {
        self.status.get() >= DONE
    }
}

enum Stage<F, T> {
    Future(F),
    Result(Result<T, TaskError>),
    Nothing,
}

pub(crate) struct TaskCell<F: Future<Output: Outcome>> {
    header: Header,
    stage: UnsafeCell<Stage<F, Value<F>>>,
}

/// A task as the kernel sees it.
pub(crate) trait Runnable {
    fn header(&self) -> &Header;
    /// Runs the task once. A value stays in the cell; an error is handed to the kernel, which knows what it means and
    /// calls `fail`.
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<()>>;
    /// Drops the future, if it is still there, and ends the task with an error.
    fn fail(&self, error: TaskError);
    /// The name of the future's type.
    fn type_name(&self) -> &'static str;
}

/// A task as its handle sees it.
pub(crate) trait Joinable<T> {
    fn header(&self) -> &Header;
    /// The result of a task that has ended, if it was not taken before. Errors may be taken again and again.
    fn take(&self) -> Option<Result<T, TaskError>>;
    fn type_name(&self) -> &'static str;
}

impl<F: Future<Output: Outcome>> TaskCell<F> {
    pub(crate) fn new(future: F) -> Rc<TaskCell<F>> {
        Rc::new(TaskCell {
            header: Header {
                cycles: Cell::new(0),
                joiners: Cell::new(NONE),
                status: Cell::new(IDLE),
                cancelled: Cell::new(false),
            },
            stage: UnsafeCell::new(Stage::Future(future)),
        })
    }

    /// Puts the result into the stage, dropping in place what is there. The caller has set BUSY, so that the drop of the
    /// future, which is user code, cannot come back in here (C1).
    fn finish(&self, result: Result<Value<F>, TaskError>) {
        debug_assert_eq!(self.header.status.get(), BUSY);
        // Also when the drop of the future panics: the assignment writes the new value all the same.
        let _leave = Leave {
            status: &self.header.status,
            next: DONE,
        };
        // SAFETY: by C1 nobody else touches the stage now. The assignment drops the future in place, so it does not move
        // while it is pinned (C2).
        unsafe { *self.stage.get() = Stage::Result(result) };
    }
}

impl<F: Future<Output: Outcome>> Runnable for TaskCell<F> {
    fn header(&self) -> &Header {
        &self.header
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let header = &self.header;
        if header.status.get() != IDLE {
            return Poll::Pending;
        }
        header.status.set(BUSY);
        header.cycles.set(header.cycles.get() + 1);
        let mut leave = Leave {
            status: &header.status,
            next: ENDING,
        };
        // SAFETY: status was IDLE and is BUSY, so nobody else touches the stage (C1).
        let Stage::Future(future) = (unsafe { &mut *self.stage.get() }) else {
            return Poll::Pending;
        };
        // SAFETY: the future stays where it is until it is dropped in place by `finish` or with the cell (C2).
        let future = unsafe { Pin::new_unchecked(future) };
        match future.poll(cx).map(Outcome::into_result) {
            Poll::Pending => {
                leave.next = IDLE;
                Poll::Pending
            }
            Poll::Ready(Ok(value)) => {
                self.finish(Ok(value));
                leave.next = DONE;
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        }
    }

    fn fail(&self, error: TaskError) {
        if let IDLE | ENDING = self.header.status.get() {
            self.header.status.set(BUSY);
            self.finish(Err(error));
        }
    }

    fn type_name(&self) -> &'static str {
        std::any::type_name::<F>()
    }
}

impl<F: Future<Output: Outcome>> Joinable<Value<F>> for TaskCell<F> {
    fn header(&self) -> &Header {
        &self.header
    }

    fn take(&self) -> Option<Result<Value<F>, TaskError>> {
        if self.header.status.get() != DONE {
            return None;
        }
        // SAFETY: DONE means that no `poll` is under way, and nothing below runs user code (C1).
        let stage = unsafe { &mut *self.stage.get() };
        if let Stage::Result(Err(error)) = stage {
            return Some(Err(error.clone()));
        }
        self.header.status.set(TAKEN);
        match std::mem::replace(stage, Stage::Nothing) {
            Stage::Result(result) => Some(result),
            Stage::Future(_) | Stage::Nothing => None,
        }
    }

    fn type_name(&self) -> &'static str {
        std::any::type_name::<F>()
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
            header: Header {
                cycles: Cell::new(0),
                joiners: Cell::new(NONE),
                status: Cell::new(IDLE),
                cancelled: Cell::new(false),
            },
            type_name,
        })
    }
}

impl Runnable for MainCell {
    fn header(&self) -> &Header {
        &self.header
    }

    /// The kernel polls the main future itself; this only keeps the count.
    fn poll(&self, _cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.header.cycles.set(self.header.cycles.get() + 1);
        Poll::Pending
    }

    fn fail(&self, _error: TaskError) {
        self.header.status.set(DONE);
    }

    fn type_name(&self) -> &'static str {
        self.type_name
    }
}
