//! How tasks end: with a value, an error or a panic, or by an interruption that their future could not take.
//!
//! A task ends in its cell first, while its operations still have their nodes, and then leaves the tables (`interrupt`, D6; `cell`).

use std::any::Any;
use std::rc::Rc;

use super::Kernel;
use crate::cell::{Failure, Runnable};
use crate::contain::contain;
use crate::error::{Error, TaskError};
use crate::key::Key;

impl Kernel {
    /// A task is pending that has something to look at its scopes for (D6 of `interrupt`).
    #[inline(never)]
    pub(super) fn look_at_boundary(&self, key: Key) {
        let mut tables = self.context.tables.borrow_mut();
        let task = tables.find_task(key);
        let error = task.and_then(|task| tables.task_boundary(task));
        drop(tables);
        if let Some(error) = error {
            self.fail(key, error);
        }
    }

    #[inline(never)]
    pub(super) fn has_failed(&self, key: Key, failure: Failure) {
        match failure {
            Failure::Error(error) => self.fail(key, error),
            Failure::Panic(panic) => {
                self.panicked(key, &*panic);
                contain(|| drop(panic));
            }
        }
    }

    /// A task has ended with an error.
    #[inline]
    pub(super) fn fail(&self, key: Key, error: Error) {
        if error.is_plain_cancellation() && self.end_cancelled(key) {
            // Nothing is in it that could be dropped.
            std::mem::forget(error);
        } else {
            self.fail_with(key, error);
        }
    }

    #[inline(never)]
    fn fail_with(&self, key: Key, error: Error) {
        let found = self.context.with_tables(|tables| {
            let task = tables.find_task(key)?;
            let slot = tables.slot(task);
            let (error, cancelled) = at_task_edge(error, tables.was_cancelled(task));
            let error = TaskError::failed(slot.id(), tables.name(slot), slot.spawned, error, cancelled);
            Some((slot.cell.clone(), error))
        });
        // Nothing is found if it was dropped while it ran.
        let Some((cell, error)) = found else { return };
        if let Some(code) = error.exit_code() {
            let first = self.context.exit.take();
            self.context.exit.set(first.or(Some(code)));
        } else if !cell.header().is_watched() {
            error.log();
        }
        self.end(key, cell, error);
    }

    /// The task ends as cancelled, with nothing to log and nobody to tell: so no error is made. False if that is not so.
    fn end_cancelled(&self, key: Key) -> bool {
        let Some((cell, id, spawned)) = self.context.tables.borrow().plainly_cancelled(key) else {
            return false;
        };
        // Drops the future, if it is still there: user code.
        contain(|| cell.end_cancelled(id, spawned));
        self.remove(key);
        drop_cell(cell);
        true
    }

    /// A task has panicked. The panic hook has printed where; here is who.
    fn panicked(&self, key: Key, panic: &(dyn Any + Send)) {
        let found = self.context.with_tables(|tables| {
            let slot = tables.slot(tables.find_task(key)?);
            let error = TaskError::panicked(slot.id(), tables.name(slot), slot.spawned, panic);
            Some((slot.cell.clone(), error))
        });
        let Some((cell, error)) = found else { return };
        if !cell.header().is_watched() {
            error.log();
        }
        self.end(key, cell, error);
    }

    fn end(&self, key: Key, cell: Rc<dyn Runnable>, error: TaskError) {
        self.context.tables.borrow_mut().note(|log, tables| {
            log.ends(tables, key, error.ending(), Some(error.clone()));
        });
        // Drops the future, if it is still there: user code.
        contain(|| cell.fail(error));
        self.remove(key);
        drop_cell(cell);
    }

    /// Takes the ended task out of the tables.
    #[inline]
    pub(super) fn remove(&self, key: Key) {
        // What follows is no part of its run.
        self.context.task.set(None);
        let cell = self.context.remove_task(key);
        if let Some(cell) = cell {
            drop_cell(cell);
        }
    }
}

/// If the handle is gone, so is now the value: user code again. Nearly always there is another reference.
#[inline]
fn drop_cell(cell: Rc<dyn Runnable>) {
    if Rc::strong_count(&cell) == 1 {
        contain(|| drop(cell));
    }
}

/// What an error is outside of the task that ended with it, and whether it means that the task was cancelled.
pub(super) fn at_task_edge(error: Error, cancelled: bool) -> (Error, bool) {
    match error {
        Error::Cancelled(_) => (error, cancelled),
        Error::Timeout(_) | Error::TimeoutCancellation(_) if !cancelled => (Error::UncaughtTimeout, false),
        error => (error, false),
    }
}
