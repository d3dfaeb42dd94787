//! The hooks: what the tables say while they are borrowed, to the log and to the scribe of the mirror.
//!
//! Each is one branch in a kernel that nobody looks at (L4). What is written down for activations only is a call of `note`
//! where it happens; here are those that the mirror shows as well. What only the mirror shows is in `mirror::show`.

use super::Log;
use crate::mirror::Scribe;
use crate::scopes::Kind;
use crate::tables::Tables;

impl Tables {
    /// A hook: writes down what happens, if somebody wants to know.
    #[inline(always)]
    pub(crate) fn note(&mut self, write: impl FnOnce(&mut Log, &Tables)) {
        if let Some(log) = &self.log
            && log.recording
        {
            self.write(write);
        }
    }

    /// The same for what the mirror is to show as well.
    #[inline(always)]
    fn note_and_show(
        &mut self,
        write: impl FnOnce(&mut Log, &Tables),
        show: impl FnOnce(&mut Scribe, &Tables),
    ) {
        if self.log.is_some() {
            self.write_and_show(write, show);
        }
    }

    /// A task has entered the tables.
    #[inline(always)]
    pub(crate) fn note_created(&mut self, task: u32) {
        self.note_and_show(
            |log, tables| log.created(tables, task),
            |scribe, tables| scribe.created(tables, task),
        );
    }

    /// A task is about to leave them.
    #[inline(always)]
    pub(crate) fn note_terminated(&mut self, task: u32) {
        self.note_and_show(
            |log, tables| log.terminated(tables, task),
            |scribe, _| scribe.terminated(task),
        );
    }

    /// A wait is about to be woken.
    #[inline(always)]
    pub(crate) fn note_wake(&mut self, wait: u32) {
        self.note_and_show(
            |log, _| log.wake(wait),
            |scribe, tables| {
                let wait = tables.waits.get(wait);
                if wait.foreign.is_none() {
                    scribe.ready(wait.task);
                }
            },
        );
    }

    /// A scope has become due, and its task is about to be woken.
    #[inline(always)]
    pub(crate) fn note_interrupt(&mut self, scope: u32) {
        self.note_and_show(
            |log, tables| log.interrupt(tables, scope),
            |scribe, tables| {
                let scope = tables.scopes.get(scope);
                scribe.ready(scope.task);
                if scope.kind == Kind::Task {
                    scribe.cancelled(scope.task);
                }
            },
        );
    }

    /// Before an entry is taken from the ready queue (L3).
    #[inline(always)]
    pub(crate) fn note_queue(&mut self) {
        self.note(|_, _| {});
    }

    /// Whether everything is written down, for somebody who is to be told of it.
    pub(crate) fn is_recorded(&self) -> bool {
        self.log.as_ref().is_some_and(|log| log.recording)
    }

    #[cold]
    #[inline(never)]
    fn write(&mut self, write: impl FnOnce(&mut Log, &Tables)) {
        // Taken out, so that it can be written to while the tables are read.
        if let Some(mut log) = self.log.take() {
            log.catch_up(self);
            write(&mut log, self);
            self.log = Some(log);
        }
    }

    #[cold]
    #[inline(never)]
    fn write_and_show(
        &mut self,
        write: impl FnOnce(&mut Log, &Tables),
        show: impl FnOnce(&mut Scribe, &Tables),
    ) {
        if let Some(mut log) = self.log.take() {
            if log.recording {
                log.catch_up(self);
                write(&mut log, self);
            }
            if let Some(scribe) = &mut log.scribe {
                show(scribe, self);
            }
            self.log = Some(log);
        }
    }
}
