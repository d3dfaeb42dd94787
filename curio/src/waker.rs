//! A waker is a number.
//!
//! The data word of a task's waker holds the task's key and no pointer: cloning is a copy, dropping is nothing, there is
//! no reference count, and it may cross threads freely. A waker that outlives its task, or its kernel, finds nobody. The
//! reference-counted wakers of other runtimes have leaked tasks and pinned memory again and again; this one cannot.
//!
//! V1. Every `Waker` with `VTABLE` or `LOOKING` has a valid `Key` as its data word. Only `new` and `looking` make them;
//!     `clone` copies.

#![allow(unsafe_code)]

use std::mem::ManuallyDrop;
use std::ptr;
use std::task::{RawWaker, RawWakerVTable, Waker};

use crate::context::{self, Context};
use crate::key::Key;

/// One for all, and not generic: our own wakers are recognised by its address.
static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, |_| {});

/// That of the waker with which a task is polled out of turn, to see where it is: it means the same, but copies of it are
/// noticed, and are ordinary wakers (B4 of `traceback`).
static LOOKING: RawWakerVTable = RawWakerVTable::new(clone_noticed, wake, wake, |_| {});

fn data(task: Key) -> *const () {
    ptr::without_provenance(task.number())
}

/// The waker of a task. It need not be dropped.
#[inline]
pub(crate) fn new(task: Key) -> ManuallyDrop<Waker> {
    // SAFETY: the functions in the table are thread-safe: they read the number and nothing else without
    // synchronization. Clone, wake and drop own nothing, so there is nothing for them to be consistent about.
    ManuallyDrop::new(unsafe { Waker::new(data(task), &VTABLE) })
}

/// The same for a task that is looked at.
pub(crate) fn looking(task: Key) -> ManuallyDrop<Waker> {
    // SAFETY: as in `new`. A copy has the other table, whose functions do the same with the same number.
    ManuallyDrop::new(unsafe { Waker::new(data(task), &LOOKING) })
}

/// Whether this is the waker of that task itself, and not one that a combinator has put in between. Not for a task that is
/// looked at: that is no case for fast paths.
#[inline]
pub(crate) fn is_of(task: Key, waker: &Waker) -> bool {
    waker.data().addr() == task.number() && ptr::eq(waker.vtable(), &VTABLE)
}

/// The same for the running task, also if it is looked at.
#[inline]
pub(crate) fn is_own(context: &Context, waker: &Waker) -> bool {
    let task = context.task.get().map_or(0, Key::number);
    let vtable = waker.vtable();
    waker.data().addr() == task && (ptr::eq(vtable, &VTABLE) || ptr::eq(vtable, &LOOKING))
}

fn clone(data: *const ()) -> RawWaker {
    if let Some(task) = Key::from_number(data.addr()) {
        context::escaped(task);
    }
    RawWaker::new(data, &VTABLE)
}

fn clone_noticed(data: *const ()) -> RawWaker {
    context::with(|context| {
        if let Some(context) = context {
            context.recorder.copied();
        }
    });
    clone(data)
}

fn wake(data: *const ()) {
    if let Some(task) = Key::from_number(data.addr()) {
        context::wake(task);
    }
}
