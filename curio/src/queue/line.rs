//! The tasks that wait at one end of a queue, in the order in which they came.

use std::cell::Cell;
use std::panic::Location;
use std::task::Context as TaskContext;

use crate::error::Result;
use crate::traps::{Label, WaitList, Waiting};

#[derive(Default)]
pub(super) struct Line {
    waiting: WaitList,
    /// False only if nobody waits; spares a look into the kernel's tables.
    may_wait: Cell<bool>,
    /// How many were chosen and have not run yet.
    chosen: Cell<usize>,
}

impl Line {
    #[inline]
    pub(super) fn may_wait(&self) -> bool {
        self.may_wait.get()
    }

    /// How many were chosen and have not run yet.
    #[inline]
    pub(super) fn chosen(&self) -> usize {
        self.chosen.get()
    }

    /// Promises to tasks of a kernel that is gone are void (Q3). To be called before somebody is turned away.
    #[inline]
    pub(super) fn forget_the_gone(&self) {
        if self.chosen.get() > 0 && self.waiting.is_orphaned() {
            self.chosen.set(0);
        }
    }

    /// Chooses who has waited longest, if anybody waits.
    pub(super) fn choose(&self) {
        // Before the wakers run, which may look (Q5).
        self.chosen.set(self.chosen.get() + 1);
        self.may_wait.set(false);
        if self.waiting.notify_one() {
            self.may_wait.set(true);
        } else {
            self.give_back();
        }
    }

    /// Whether the operation was chosen: then its wait is over, and it has what it was promised.
    #[inline]
    pub(super) fn was_chosen(&self, waiting: &mut Waiting) -> bool {
        let chosen = waiting.take_notification();
        if chosen {
            self.give_back();
        }
        chosen
    }

    /// Stands in line, or goes on standing.
    #[inline]
    pub(super) fn wait(
        &self,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        label: Label,
        place: &'static Location<'static>,
    ) -> Result<()> {
        self.may_wait.set(true);
        waiting.wait_on(&self.waiting, cx, label, place)
    }

    /// The operation is dropped. True if it had been chosen (Q3).
    pub(super) fn leave(&self, waiting: &mut Waiting) -> bool {
        let chosen = self.waiting.dismiss(waiting);
        if chosen {
            self.give_back();
        }
        chosen
    }

    /// Wakes all; no promise counts any more (Q4).
    pub(super) fn dissolve(&self) {
        self.chosen.set(0);
        self.may_wait.set(false);
        self.waiting.notify_all();
    }

    /// In a queue that is closed there may be nothing to give back.
    fn give_back(&self) {
        self.chosen.set(self.chosen.get().saturating_sub(1));
    }
}
