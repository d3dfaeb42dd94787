//! What runs in this thread: the kernel, its task, and what is left of the budget of that.
//!
//! An operation finds its kernel through a thread-local pointer, which is set while the kernel runs and at no other time.
//! (Passing it in the waker was rejected: foreign combinators wrap wakers.) The running task and the budget are thread-local,
//! too, and no parts of the context: there is one kernel in a thread, and to count an operation, or to note who has a lock,
//! is all that some operations want.
//!
//! X1. `CURRENT` is either null or points to a `Context` that the `Running` guard, further down this very stack, keeps
//!     alive.
//! X2. `TASK` is the key of the task that is being polled, none between polls; `hot` of the context is that task's, see S3.
//! X4. `LEFT` is what is left of the running task's budget. While a kernel runs, but no task, nothing is left. Whoever finds
//!     it used up outside of a task may go on all the same.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::ptr::{self, NonNull};
use std::rc::Rc;

use super::{BUDGET, Context};
use crate::error::{Error, Result};
use crate::key::Key;

/// Stands for `TASK` in the context, where one looks for it (X2).
pub(crate) struct RunningTask;

impl RunningTask {
    #[inline(always)]
    pub(crate) fn get(&self) -> Option<Key> {
        TASK.get()
    }

    #[inline(always)]
    pub(crate) fn set(&self, task: Option<Key>) {
        TASK.set(task);
        if task.is_none() {
            LEFT.set(0);
        }
    }
}

thread_local! {
    /// X1.
    static CURRENT: Cell<*const Context> = const { Cell::new(std::ptr::null()) };
    /// X2.
    static TASK: Cell<Option<Key>> = const { Cell::new(None) };
    /// X4.
    static LEFT: Cell<i32> = const { Cell::new(0) };
}

/// A task begins to run, with the whole budget.
#[inline(always)]
pub(super) fn refill() {
    LEFT.set(BUDGET);
}

/// Counts an operation that completes at once. False: the running task has had its share, and must let others run.
#[inline(always)]
pub(crate) fn spend() -> bool {
    let left = LEFT.get().wrapping_sub(1);
    LEFT.set(left);
    left >= 0 || is_outside()
}

/// Nothing is left. Outside of a task, that does not matter (X4).
#[cold]
#[inline(never)]
fn is_outside() -> bool {
    let no_kernel = CURRENT.get().is_null();
    LEFT.set(if no_kernel { i32::MAX } else { 0 });
    TASK.get().is_none()
}

/// The same for an operation that there is in tasks only. False, too, if no task runs.
#[inline(always)]
pub(crate) fn spend_in(kernel: NonNull<Context>) -> bool {
    if !ptr::eq(CURRENT.get(), kernel.as_ptr()) {
        return false;
    }
    let left = LEFT.get().wrapping_sub(1);
    LEFT.set(left);
    // Outside of tasks there is nothing left, as this kernel runs (X4).
    left >= 0
}

/// Makes a kernel the running one of this thread, until it is dropped.
pub(crate) struct Running(Rc<Context>);

impl Running {
    pub(crate) fn enter(context: &Rc<Context>) -> Result<Running> {
        if !CURRENT.get().is_null() {
            return Err(Error::KernelRunning);
        }
        CURRENT.set(Rc::as_ptr(context));
        context.task.set(None);
        Ok(Running(context.clone()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.task.set(None);
        CURRENT.set(std::ptr::null());
    }
}

/// Calls `f` with the kernel that runs in this thread.
#[inline(always)]
pub(crate) fn with<R>(f: impl FnOnce(Option<&Context>) -> R) -> R {
    let current = CURRENT.get();
    // SAFETY: if it is not null, a `Running` further down the stack holds an `Rc` of it (X1). A `Running` is a local
    // variable of functions of `kernel` that call into here, so it cannot end before `f` returns; and the reference
    // cannot leave `f`, whose signature is good for any lifetime.
    f(unsafe { current.as_ref() })
}

/// The task that is being run in this thread (X2).
#[inline(always)]
pub(crate) fn running_task() -> Option<Key> {
    TASK.get()
}

/// Calls `f` with this kernel, if it is the one that runs in this thread. `this` is only compared; it may be gone.
#[inline(always)]
pub(crate) fn with_this<R>(this: NonNull<Context>, f: impl FnOnce(&Context) -> Option<R>) -> Option<R> {
    let current = CURRENT.get();
    if !ptr::eq(current, this.as_ptr()) {
        return None;
    }
    // SAFETY: as in `with`. It is not null, since `this` is not.
    f(unsafe { &*current })
}

/// Calls `f` with the kernel that runs in this thread and the task it polls.
#[inline(always)]
pub(crate) fn with_task<R>(f: impl FnOnce(&Context, u32) -> Result<R>) -> Result<R> {
    with_running(|context, task| f(context, task.index()))
}

/// The same with the key of the task.
#[inline(always)]
pub(crate) fn with_running<R>(f: impl FnOnce(&Context, Key) -> Result<R>) -> Result<R> {
    with(|context| match context {
        Some(context) => match context.task.get() {
            Some(task) => f(context, task),
            None => Err(Error::NoKernel),
        },
        None => Err(Error::NoKernel),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_counts_in_tasks_only() {
        let many = || (0..1000).filter(|_| spend()).count();
        assert_eq!(many(), 1000);
        let mut inside = 0;
        crate::run(async {
            inside = many();
            Ok::<(), Error>(())
        })
        .unwrap();
        assert_eq!(inside, BUDGET as usize);
        assert_eq!(many(), 1000);
    }
}
