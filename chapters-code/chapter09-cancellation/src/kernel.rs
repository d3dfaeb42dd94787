//! The kernel: runs the tasks that were woken, survives their ends, and sleeps when there is none.
//!
//! Its invariants, guarded by `tests/invariants.rs`:
//!
//! 1. A task ends with a value, an error or a panic. Whichever it is, it is the end of that task alone: the others go on,
//!    and who joins it is told.
//! 2. Whoever waits for the end of a task is woken by it, once the result is there and the future is gone.
//! 3. A key means the one it was made for, or nobody.
//! 4. A task is in the ready queue at most once, and is polled when it was woken and not otherwise.
//! 5. There is a note exactly while an operation waits.
//! 6. A sleep ends when its time has come and not before; the next deadline fires first, and of equal ones the one that
//!    was set first.
//! 7. The virtual clock stands still while a task is ready or a thread could knock.
//! 8. When no task is ready, no timer is set and no thread is left that could wake one, either all have ended or all that
//!    are left are reported.

mod builder;
mod gather;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};

use trace::Ending;

use crate::cell::Runnable;
use crate::contain::contain;
use crate::context::{Context, Running};
use crate::error::{Deadlock, Error, Result, TaskError};
use crate::key::Key;
use crate::outcome::{Outcome, Value};
use crate::task::{Task, spawn_in};

pub use builder::Builder;

/// Runs tasks, on the thread of the caller.
pub struct Kernel {
    pub(crate) context: Rc<Context>,
}

impl Kernel {
    /// A kernel without tasks, first come, first served.
    pub fn new() -> Kernel {
        Kernel::builder().build()
    }

    /// The settings of a kernel, to be changed.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Starts a task, from outside. It runs when the kernel does.
    pub fn spawn<F>(&self, future: F) -> Task<Value<F>>
    where
        F: Future<Output: Outcome> + 'static,
    {
        spawn_in(&self.context, future, None)
    }

    /// Runs until no task is left. How each of them has ended is for those who join it.
    ///
    /// # Errors
    /// [`Error::Deadlock`] if tasks are left, and nobody is left who could wake one. [`Error::KernelRunning`] inside of
    /// a kernel.
    pub fn run_all(&self) -> Result<()> {
        while self.run_once()? {
            let idle = self.context.tables.borrow().ready_tasks() == 0;
            if idle && !self.falls_idle() {
                let report = self.context.tables.borrow().report();
                return Err(Error::Deadlock(Deadlock::new(report)));
            }
        }
        Ok(())
    }

    /// One cycle: runs each task once that is ready. True if there are tasks left.
    ///
    /// # Errors
    /// [`Error::KernelRunning`] inside of a kernel.
    pub fn run_once(&self) -> Result<bool> {
        let _running = Running::enter(&self.context)?;
        self.gather();
        let ready = self.context.tables.borrow().ready_tasks();
        for _ in 0..ready {
            let mut tables = self.context.tables.borrow_mut();
            let Some((task, slot)) = tables.next_ready() else {
                break;
            };
            let (cell, waker) = (slot.cell.clone(), slot.waker.clone());
            tables.note(|trace| trace.running(task.serial));
            drop(tables);
            self.run_task(task, cell, &mut TaskContext::from_waker(&waker));
        }
        Ok(self.context.tables.borrow().tasks.len() > 0)
    }

    /// Runs a task once. Whatever comes out of it, the kernel goes on.
    fn run_task(&self, task: Key, cell: Rc<dyn Runnable>, cx: &mut TaskContext<'_>) {
        self.context.task.set(Some(task));
        let result = catch_unwind(AssertUnwindSafe(|| cell.poll(cx)));
        self.context.task.set(None);
        let (id, name) = (task.serial, cell.header().name);
        let failure = match result {
            Ok(Poll::Pending) => return self.suspend(task),
            Ok(Poll::Ready(Ok(()))) => None,
            Ok(Poll::Ready(Err(error))) => Some(TaskError::failed(id, name, error)),
            Err(panic) => {
                let error = TaskError::panicked(id, name, &*panic);
                contain(|| drop(panic));
                Some(error)
            }
        };
        self.end(task, cell, failure);
    }

    /// The run is over, and the task is not.
    fn suspend(&self, task: Key) {
        let mut tables = self.context.tables.borrow_mut();
        if tables.trace.is_some() {
            let states = tables.states(task);
            let state = states.last().map_or("", |state| state.as_str());
            tables.note(|trace| trace.suspended(task.serial, state));
        }
    }

    /// The task has ended: first its result is there, then those who wait for it are woken.
    fn end(&self, task: Key, cell: Rc<dyn Runnable>, failure: Option<TaskError>) {
        let text = failure.as_ref().map_or(String::new(), ToString::to_string);
        let how = failure.as_ref().map_or(Ending::Value, |f| f.ending(&text));
        let mut tables = self.context.tables.borrow_mut();
        tables.note(|trace| trace.suspended(task.serial, "TERMINATED"));
        tables.note(|trace| trace.terminated(task.serial, how));
        let slot = tables.tasks.remove(task);
        drop(tables); // what follows may be user code (I2)
        if let Some(error) = failure {
            error.log();
            cell.fail(error);
        }
        cell.header().terminated.set(true);
        cell.header().joiners.notify_all();
        // If the handle is gone, so is now the value.
        contain(|| drop((slot, cell)));
    }
}

impl Default for Kernel {
    fn default() -> Kernel {
        Kernel::new()
    }
}

/// Shows how much is in the kernel's tables: all zero when every task has ended and left nothing behind.
impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tables = self.context.tables.borrow();
        f.debug_struct("Kernel")
            .field("tasks", &tables.tasks.len())
            .field("waits", &tables.waits.len())
            .field("timers", &tables.timers.len())
            .finish()
    }
}
