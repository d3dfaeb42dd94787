//! What the tables tell the scribe only: no activation wants to know it, or it is told in another way.

use super::Holder;
use crate::log::Log;
use crate::tables::{Slot, Tables};

impl Tables {
    /// A task is about to run, and the one before it waits, if it is not in the queue. (If it is, it is nearly always the last
    /// there.)
    #[inline(always)]
    pub(crate) fn show_running(&mut self, task: u32) {
        let Some(log) = &mut self.log else { return };
        let Some(scribe) = &mut log.scribe else { return };
        if self.ready.was_last(scribe.last(), self.stale) {
            scribe.running(task);
        } else {
            self.show_both(task);
        }
    }

    #[cold]
    #[inline(never)]
    fn show_both(&mut self, task: u32) {
        let last = self
            .log
            .as_ref()
            .and_then(|log| log.scribe.as_ref())
            .map(|scribe| scribe.last());
        if !last
            .and_then(|last| self.waits.task(last))
            .is_some_and(Slot::is_queued)
        {
            self.show_suspended();
        }
        if let Some(log) = &mut self.log
            && let Some(scribe) = &mut log.scribe
        {
            scribe.running(task);
        }
    }

    /// A task is about to be run out of turn.
    pub(crate) fn show_look(&mut self, task: u32) {
        if let Some(log) = &mut self.log
            && let Some(scribe) = &mut log.scribe
        {
            scribe.looks(task);
        }
    }

    /// No task runs.
    #[cold]
    #[inline(never)]
    pub(crate) fn show_suspended(&mut self) {
        let Some(log) = &mut self.log else { return };
        let Some(scribe) = &mut log.scribe else { return };
        if let Some(task) = scribe.suspended()
            && let Some(slot) = self.waits.task(task)
            && !slot.is_queued()
        {
            let outlook = self.outlook(task);
            if let Some(Log {
                scribe: Some(scribe), ..
            }) = self.log.as_deref_mut()
            {
                scribe.waits(task, outlook);
            }
        }
    }

    /// A task was woken by its own waker. (What the log says of it, `catch_up` finds.)
    #[inline(always)]
    pub(crate) fn note_ready(&mut self, task: u32) {
        if let Some(log) = &self.log
            && let Some(scribe) = &log.scribe
        {
            scribe.ready(task);
        }
    }

    /// The task is in this group from now on.
    #[cold]
    pub(crate) fn show_grouped(&self, task: u32, group: usize) {
        if let Some(scribe) = self.log.as_ref().and_then(|log| log.scribe.as_ref()) {
            scribe.grouped(task, group);
        }
    }

    /// Those who wait on the list wait for something that somebody has.
    #[cold]
    pub(crate) fn set_holder(&mut self, list: u32, holder: Option<Holder>) {
        if let Some(Log {
            scribe: Some(scribe), ..
        }) = self.log.as_deref_mut()
        {
            scribe.set_holder(list, holder);
        }
    }

    /// Who has what those on the list wait for, as far as is known.
    #[cfg_attr(not(all(unix, feature = "monitor")), allow(dead_code))]
    pub(crate) fn holder(&self, list: u32) -> Option<Holder> {
        self.log.as_ref()?.scribe.as_ref()?.holder(list)
    }

    /// The operation has been chosen from the list.
    #[cold]
    pub(crate) fn show_handed_on(&mut self, list: u32, wait: u32) {
        let task = self.waits.entries.key(self.waits.get(wait).task);
        if let Some(Log {
            scribe: Some(scribe), ..
        }) = self.log.as_deref_mut()
        {
            scribe.handed_on(list, task);
        }
    }
}
