//! An entry of the table: a task, and the node of the operation it waits in.
//!
//! Nearly every task waits in one operation at a time. So the node is a part of the task's entry: what wakes the operation
//! has found its task by that, and neither making nor giving back the node is more than a few stores. It goes by the
//! task's own key. If a task waits in several operations at once (`join!` and the like), the others have entries of
//! their own, without a task.
//!
//! | the entry is | `slot` | `wait.task` | `wait.armed` |
//! |---|---|---|---|
//! | a task | some | itself | `Idle` |
//! | a task that waits | some | itself | anything else |
//! | a further operation of a task | none | the task | not `Idle` |
//! | an operation that was notified, and whose task has ended since | none | none | `Notified` |

use std::panic::Location;

use crate::cell::TaskCell;
use crate::key::{MAX_INDEX, NONE};
use crate::waits::{Armed, Label, Wait};

pub(crate) struct Entry {
    /// The task, as long as it has not ended.
    pub(crate) slot: Option<Slot>,
    /// The operations that wait directly below the task, but for the one whose node is here.
    pub(crate) first_wait: u32,
    /// The task scope, once it is needed; or what is to be known of it meanwhile (S4).
    pub(crate) root: u32,
    pub(crate) wait: Wait,
}

impl Default for Entry {
    fn default() -> Entry {
        Entry {
            slot: None,
            first_wait: NONE,
            root: NONE,
            wait: Wait::default(),
        }
    }
}

impl Entry {
    /// Whether the task's own node is free, and would be the oldest directly below it (W2).
    #[inline(always)]
    pub(crate) fn may_wait(&self) -> bool {
        self.wait.is_idle() && self.first_wait == NONE
    }

    /// The task begins to wait in its own node for something that is `armed`, if the node is free. If not, nothing has
    /// happened.
    #[inline(always)]
    pub(crate) fn begin_wait(
        &mut self,
        armed: Armed,
        label: Label,
        place: &'static Location<'static>,
        epoch: &u64,
    ) -> bool {
        let may_wait = self.may_wait();
        if may_wait {
            self.fill_wait(armed, label, place, epoch);
        }
        may_wait
    }

    /// The same if the node is known to be free.
    #[inline(always)]
    pub(crate) fn fill_wait(
        &mut self,
        armed: Armed,
        label: Label,
        place: &'static Location<'static>,
        epoch: &u64,
    ) {
        let wait = &mut self.wait;
        wait.place = place;
        wait.label = label;
        wait.started = *epoch;
        wait.scope = NONE;
        wait.armed = armed;
    }

    /// The task scope, if it exists.
    #[inline]
    pub(crate) fn scope(&self) -> Option<u32> {
        (self.root <= MAX_INDEX as u32).then_some(self.root)
    }

    /// Whether an operation waits in the task, or anything was opened in it.
    #[inline]
    pub(super) fn is_entangled(&self) -> bool {
        self.first_wait != NONE || !self.wait.is_idle() || self.scope().is_some()
    }
}

/// A task scope that does not exist yet (S4) is due,
pub(crate) const DUE: u32 = NONE - 1;
/// or has been delivered, in the present run of the task and in the present epoch.
pub(crate) const DELIVERED: u32 = NONE - 2;

/// What the kernel knows of a task.
pub(crate) struct Slot {
    pub(crate) cell: TaskCell,
    /// The id, and the flags above it.
    pub(super) id_and_flags: u64,
    pub(crate) spawned: &'static Location<'static>,
    /// The operations that wait for the end of the task, newest first.
    pub(crate) first_joiner: u32,
    /// How many scopes are due or delivered (S3).
    pub(crate) hot: u32,
}

/// The task is in the ready queue (I1).
pub(super) const QUEUED: u64 = 1 << 63;
/// Nobody waits for it.
pub(super) const DAEMON: u64 = 1 << 62;
/// `names` has a name for it.
pub(super) const NAMED: u64 = 1 << 61;
/// Somebody who is not of this library has cloned the task's waker: it may be woken from anywhere.
pub(super) const ESCAPED: u64 = 1 << 60;
/// `watchers` has somebody who is told of its end.
pub(super) const WATCHED: u64 = 1 << 59;
const ID: u64 = WATCHED - 1;

impl Slot {
    pub(super) fn new(cell: TaskCell, id_and_flags: u64, spawned: &'static Location<'static>) -> Slot {
        Slot {
            cell,
            id_and_flags,
            spawned,
            first_joiner: NONE,
            hot: 0,
        }
    }

    pub(super) fn has(&self, flag: u64) -> bool {
        self.id_and_flags & flag != 0
    }

    pub(crate) fn id(&self) -> u64 {
        self.id_and_flags & ID
    }

    /// Whether there is more to do when it ends than for most.
    pub(super) fn is_special(&self) -> bool {
        self.has(QUEUED | NAMED | WATCHED)
    }

    pub(crate) fn is_queued(&self) -> bool {
        self.has(QUEUED)
    }

    pub(crate) fn is_daemon(&self) -> bool {
        self.has(DAEMON)
    }

    pub(super) fn set_queued(&mut self) {
        self.id_and_flags |= QUEUED;
    }

    /// Whether it has a name of its own.
    pub(crate) fn is_named(&self) -> bool {
        self.has(NAMED)
    }

    /// The waker of the task has left the library.
    pub(crate) fn escape(&mut self) {
        self.id_and_flags |= ESCAPED;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_small() {
        assert!(size_of::<Entry>() <= 112, "{}", size_of::<Entry>());
    }
}
