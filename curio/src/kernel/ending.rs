//! How tasks end: with a value, an error or a panic, or by an interruption that their future could not take.
//!
//! A task ends in its cell first, while its operations still have their nodes, and then leaves the tables (`interrupt`, D6; `cell`).

use std::any::Any;

use super::Kernel;
use crate::cell::{Failure, TaskCell};
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
    #[inline(never)]
    pub(super) fn fail(&self, key: Key, error: Error) {
        let found = self.context.with_tables(|tables| {
            let slot = tables.slot(tables.find_task(key)?);
            let (error, cancelled) = at_task_edge(error, slot.cell.header().was_told());
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

    fn end(&self, key: Key, cell: TaskCell, error: TaskError) {
        self.context.tables.borrow_mut().note(|log, tables| {
            log.ends(tables, key, error.ending(), Some(error.clone()));
        });
        // Drops the future, if it is still there: user code.
        cell.fail(error);
        self.remove(key);
        cell.release();
    }

    /// Takes the ended task out of the tables.
    #[inline]
    pub(super) fn remove(&self, key: Key) {
        // What follows is no part of its run.
        self.context.task.set(None);
        let cell = self.context.remove_task(key);
        if let Some(cell) = cell {
            // If the handle is gone, so is now the value: user code again.
            cell.release();
        }
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
