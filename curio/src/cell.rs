//! The task cell: one allocation that holds a task's future and later its result.
//!
//! It is counted, and held by the kernel as a [`TaskCell`], which knows nothing of its types, and by the handle as a
//! [`ValueCell<T>`], which knows that of the value. Both are one pointer to its [`Header`], where everything is that can be
//! said of a task without knowing its types. So the value travels from the future to the joiner without another
//! allocation. (`Rc<dyn ..>` was the alternative: two words wherever a task is mentioned, and a call to get at the header.)
//!
//! ```text
//!            run                  a value
//!   IDLE ───────────▶ BUSY ─────────────────────▶ DONE ──take──▶ TAKEN
//!    ▲ ╲               │ ╲╲                        ▲
//!    │  ╲   pending    │  ╲╲ error, panic          │
//!    └───╲─────────────┘   ╲╲─────▶ ENDING ──fail──┤
//!         ╲                 ╲                      │
//!          ╲──── fail ───────╲─────────────────────┘
//!                             ╲ cancelled
//!                              ╲──────▶ CANCELLED
//! ```
//!
//! | status    | the stage holds | who may touch the stage                       |
//! |-----------|-----------------|-----------------------------------------------|
//! | IDLE      | the future      | `run`, `fail`, the drop of the cell           |
//! | BUSY      | the future      | only the function that set it (C1)            |
//! | ENDING    | the future      | `fail`, the drop of the cell                  |
//! | GONE      | nothing         | `fail`; the drop of the future has panicked   |
//! | DONE      | the result      | `take`, the drop of the cell                  |
//! | CANCELLED | nothing         | nobody                                        |
//! | TAKEN     | nothing         | nobody                                        |
//!
//! C1. While `status` is BUSY no other function touches the stage. The cell is `!Sync`, so this is about re-entrancy
//!     alone: each function looks at `status` first and leaves without touching if it is not theirs.
//! C2. The future never moves after the cell was made: it is written into its memory and dropped in place.
//! C3. No reference into the stage outlives the function that made it.
//! C4. Every `TaskCell` counts as one in `references` of a `Whole<F>`, or a `StandIn`, that was made by `new` here; the one
//!     that brings the count to zero destroys it. So it is there as long as anybody has a `TaskCell`.
//! C5. The functions of a `VTable` are called only for cells of the type that it was made for: `new` puts both together, and
//!     neither is ever changed. `ValueCell<T>` is made only for futures whose value is a `T`.

#![allow(unsafe_code)]

mod memory;
#[cfg(test)]
mod tests;
mod whole;

use std::any::Any;
use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::forget;
use std::panic::Location;
use std::ptr::NonNull;
use std::task::Context;

use crate::contain::contain;
use crate::error::{Error, TaskError};
use crate::name::Name;

pub(crate) use memory::Memory;
pub(crate) use whole::new;

const IDLE: u64 = 0;
const BUSY: u64 = 1;
const ENDING: u64 = 2;
const GONE: u64 = 3;
const DONE: u64 = 4;
/// The result of a task that was cancelled, and that is all. Who cancels a task rarely asks for the error, so it is made
/// when somebody does.
const CANCELLED: u64 = 5;
const TAKEN: u64 = 6;
const STATUS: u64 = 7;
/// Somebody asked for the task's cancellation.
const ASKED: u64 = 8;
/// The task was told of that.
const TOLD: u64 = 16;
/// If it ends because of that, nobody is to hear of it but those who ask, and it has no name that they would want to know.
const QUIET: u64 = 32;
/// Somebody sees to the task's end and to its failure: the kernel need not report it.
const WATCHED: u64 = 64;
/// The result was given to a joiner, or a joiner waits for it.
const JOINED: u64 = 128;
/// The rest of the word counts how often the task was run.
const CYCLE: u64 = 256;

/// What the kernel and the handle read of a task without knowing its types.
pub(crate) struct Header {
    /// Status, flags and cycles in one.
    word: Cell<u64>,
    /// C4. It has room for more than could ever be made, so nobody minds that it is full.
    references: Cell<u64>,
    /// C5.
    vtable: &'static VTable,
}

/// What only somebody can do who knows the types. For cells of the right type (C5) that are there (C4).
struct VTable {
    run: unsafe fn(TaskCell, &mut Context<'_>, &mut Option<Failure>) -> Ran,
    fail: unsafe fn(&TaskCell, TaskError),
    /// Drops what is in it, and gives back the memory.
    destroy: unsafe fn(NonNull<Header>),
    type_name: unsafe fn(&TaskCell) -> &'static str,
    /// Where in the cell the result is.
    stage: usize,
}

impl Header {
    fn new(vtable: &'static VTable) -> Header {
        Header {
            word: Cell::new(IDLE),
            references: Cell::new(1),
            vtable,
        }
    }

    #[inline]
    fn status(&self) -> u64 {
        self.word.get() & STATUS
    }

    #[inline]
    fn set_status(&self, status: u64) {
        self.word.set(self.word.get() & !STATUS | status);
    }

    fn has(&self, flag: u64) -> bool {
        self.word.get() & flag != 0
    }

    fn set_flag(&self, flag: u64, on: bool) {
        let word = self.word.get() & !flag;
        self.word.set(if on { word | flag } else { word });
    }

    /// Whether the task has ended.
    #[inline]
    pub(crate) fn terminated(&self) -> bool {
        self.status() >= DONE
    }

    /// Whether somebody asked for the task's cancellation.
    pub(crate) fn cancelled(&self) -> bool {
        self.has(ASKED)
    }

    pub(crate) fn set_cancelled(&self) {
        self.set_flag(ASKED, true);
    }

    /// Whether the task was told of its cancellation.
    pub(crate) fn was_told(&self) -> bool {
        self.has(TOLD)
    }

    /// It is being told, and if it is `quiet`, nobody else is to be told of its end.
    #[inline]
    pub(crate) fn set_told(&self, quiet: bool) {
        let quiet = if quiet { QUIET } else { 0 };
        self.word.set(self.word.get() | TOLD | quiet);
    }

    /// Whether somebody sees to the task's end.
    pub(crate) fn is_watched(&self) -> bool {
        self.has(WATCHED)
    }

    pub(crate) fn set_watched(&self, watched: bool) {
        self.set_flag(WATCHED, watched);
    }

    /// Whether the result was given to a joiner, or a joiner waits for it.
    pub(crate) fn is_joined(&self) -> bool {
        self.has(JOINED)
    }

    pub(crate) fn set_joined(&self, joined: bool) {
        self.set_flag(JOINED, joined);
    }

    /// How often the task was run.
    pub(crate) fn cycles(&self) -> u64 {
        self.word.get() / CYCLE
    }

    fn count_cycle(&self) {
        self.word.set(self.word.get().wrapping_add(CYCLE));
    }

    /// The last run is not to be counted: it was only to see where the task is.
    pub(crate) fn discount_cycle(&self) {
        self.word.set(self.word.get().wrapping_sub(CYCLE));
    }

    /// From IDLE to BUSY, one cycle later. False if the task is not idle.
    #[inline]
    fn begin_run(&self) -> bool {
        let word = self.word.get();
        let is_idle = word & STATUS == IDLE;
        if is_idle {
            self.word.set(word.wrapping_add(CYCLE | BUSY));
        }
        is_idle
    }

    /// From BUSY back to IDLE.
    #[inline]
    fn end_run(&self) {
        debug_assert_eq!(self.status(), BUSY);
        self.word.set(self.word.get() - BUSY);
    }
}

/// What has come of one run of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ran {
    /// The task goes on later, or has not run at all, because it is being run or has ended.
    Pending,
    /// It has ended with a value, or as cancelled and nobody is to be told.
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

/// A task as the kernel sees it: a counted reference (C4).
pub(crate) struct TaskCell(NonNull<Header>);

impl TaskCell {
    #[inline(always)]
    pub(crate) fn header(&self) -> &Header {
        // SAFETY: it is there (C4), and nobody ever has a `&mut` of it.
        unsafe { self.0.as_ref() }
    }

    /// Runs the task once. A value stays in the cell; a `failure` is handed to the kernel, which knows what it means and
    /// calls `fail`. (The reference is given away, which spares the kernel remembering it; and the result is one byte, as
    /// nearly every run ends with `Pending`.)
    #[inline(always)]
    pub(crate) fn run(self, cx: &mut Context<'_>, failure: &mut Option<Failure>) -> Ran {
        // SAFETY: C5.
        unsafe { (self.header().vtable.run)(self, cx, failure) }
    }

    /// Drops the future, if it is still there, and ends the task with an error. A panic of the drop stays there.
    pub(crate) fn fail(&self, error: TaskError) {
        // SAFETY: C5.
        unsafe { (self.header().vtable.fail)(self, error) }
    }

    /// The name of the future's type.
    pub(crate) fn type_name(&self) -> &'static str {
        // SAFETY: C5.
        unsafe { (self.header().vtable.type_name)(self) }
    }

    /// Drops the reference. If it is the last, so goes the future or the value: that is user code, whose panic stays there.
    #[inline]
    pub(crate) fn release(self) {
        let references = &self.header().references;
        match references.get() {
            1 => contain(|| drop(self)),
            count => {
                references.set(count - 1);
                forget(self);
            }
        }
    }
}

impl Clone for TaskCell {
    #[inline]
    fn clone(&self) -> TaskCell {
        let references = &self.header().references;
        references.set(references.get() + 1);
        TaskCell(self.0)
    }
}

impl Drop for TaskCell {
    #[inline]
    fn drop(&mut self) {
        let header = self.header();
        let (left, destroy) = (header.references.get() - 1, header.vtable.destroy);
        header.references.set(left);
        if left == 0 {
            // SAFETY: C5; and it was the last (C4).
            unsafe { destroy(self.0) }
        }
    }
}

impl AsRef<TaskCell> for TaskCell {
    fn as_ref(&self) -> &TaskCell {
        self
    }
}

/// A task as its handle sees it.
pub(crate) struct ValueCell<T> {
    cell: TaskCell,
    _value: PhantomData<Box<T>>,
}

impl<T> ValueCell<T> {
    /// Where the result is, if the status is DONE.
    fn result(&self) -> *mut Result<T, TaskError> {
        let cell = self.cell.0;
        // SAFETY: it is a part of the cell, whose value is a `T` (C5).
        unsafe { cell.byte_add(cell.as_ref().vtable.stage).cast().as_ptr() }
    }

    /// The result of a task that has ended, if it was not taken before. Errors may be taken again and again. `id` and
    /// `spawned` are what an error says of the task.
    #[inline]
    pub(crate) fn take(&self, id: u64, spawned: &'static Location<'static>) -> Option<Result<T, TaskError>> {
        let header = self.cell.header();
        if header.status() != DONE {
            return self.cancelled(id, spawned).map(Err);
        }
        let result = self.result();
        // SAFETY: the status says that it is there, and nothing below runs user code (C1).
        if let Err(error) = unsafe { &*result } {
            return Some(Err(error.clone()));
        }
        header.set_status(TAKEN);
        // SAFETY: likewise; and from now on, nobody looks at it any more.
        Some(unsafe { result.read() })
    }

    /// The same without taking it: what `look` says of the value, or the error. `look` must not run user code (C1).
    pub(crate) fn inspect(
        &self,
        id: u64,
        spawned: &'static Location<'static>,
        look: fn(&T) -> bool,
    ) -> Option<Result<bool, TaskError>> {
        if self.cell.header().status() != DONE {
            return self.cancelled(id, spawned).map(Err);
        }
        // SAFETY: as in `take`; `look` is ours and comes nowhere near the cell.
        Some(match unsafe { &*self.result() } {
            Ok(value) => Ok(look(value)),
            Err(error) => Err(error.clone()),
        })
    }

    /// The error of a task that was cancelled, if that is all there is to say.
    #[cold]
    fn cancelled(&self, id: u64, spawned: &'static Location<'static>) -> Option<TaskError> {
        let name = Name::OfType(self.cell.type_name());
        let is_cancelled = self.cell.header().status() == CANCELLED;
        is_cancelled.then(|| TaskError::failed(id, name, spawned, Error::cancelled(), true))
    }
}

impl<T> Clone for ValueCell<T> {
    fn clone(&self) -> ValueCell<T> {
        ValueCell {
            cell: self.cell.clone(),
            _value: PhantomData,
        }
    }
}

impl<T> AsRef<TaskCell> for ValueCell<T> {
    fn as_ref(&self) -> &TaskCell {
        &self.cell
    }
}
