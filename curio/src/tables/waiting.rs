//! Who waits: how nodes are taken, woken and given back, and who waits for the end of a task.

use std::panic::Location;

use super::{Afterwards, Entry, Tables};
use crate::key::{Key, NONE};
use crate::readiness::Direction;
use crate::timers::Target;
use crate::waits::{Armed, Chosen, Label, Wait};

impl Tables {
    /// An operation of `task` begins to wait below `scope` (NONE: directly below the task). Gives the key of its node.
    #[inline(always)]
    pub(crate) fn begin_wait(
        &mut self,
        task: Key,
        scope: u32,
        label: Label,
        place: &'static Location<'static>,
        arm: impl FnOnce(&mut Tables, u32) -> Armed,
    ) -> Key {
        let index = task.index();
        // Nearly always: the task waits in nothing else.
        if scope == NONE && self.waits.entry(index).may_wait() && self.log.is_none() {
            let armed = arm(self, index);
            self.fill_wait(index, scope, label, place, armed);
            return task;
        }
        self.begin_wait_slowly(task, scope, label, place, arm)
    }

    #[inline(never)]
    fn begin_wait_slowly(
        &mut self,
        task: Key,
        scope: u32,
        label: Label,
        place: &'static Location<'static>,
        arm: impl FnOnce(&mut Tables, u32) -> Armed,
    ) -> Key {
        let key = if self.waits.entry(task.index()).may_wait() {
            task
        } else {
            self.waits.add_node(task.index())
        };
        let index = key.index();
        let armed = arm(self, index);
        self.fill_wait(index, scope, label, place, armed);
        if self.waits.get(index).is_linked(index) {
            self.link_wait(index, task.index(), scope);
        }
        self.note(|log, tables| log.wait(tables, index));
        key
    }

    #[inline(always)]
    fn fill_wait(
        &mut self,
        index: u32,
        scope: u32,
        label: Label,
        place: &'static Location<'static>,
        armed: Armed,
    ) {
        let started = self.epoch;
        let wait = self.waits.get_mut(index);
        wait.place = place;
        wait.label = label;
        wait.started = started;
        wait.scope = scope;
        wait.armed = armed;
    }

    /// Puts a node on the list of its owner.
    #[inline(never)]
    fn link_wait(&mut self, index: u32, task: u32, scope: u32) {
        let head = match scope {
            NONE => &mut self.waits.entry_mut(task).first_wait,
            scope => &mut self.scopes.get_mut(scope).first_wait,
        };
        let next = std::mem::replace(head, index);
        self.waits.link(index, next);
    }

    /// Takes a node off the list of its owner, if it is on one.
    #[inline(never)]
    fn unlink_wait(&mut self, index: u32) {
        let wait = self.waits.get(index);
        let (task, scope, next) = (wait.task, wait.scope, wait.next);
        if wait.is_linked(index) && self.waits.unlink(index) {
            if scope != NONE {
                self.scopes.get_mut(scope).first_wait = next;
            } else if task != NONE {
                self.waits.entry_mut(task).first_wait = next;
            }
        }
    }

    /// An operation that waits already is polled inside another scope than before: that is where it waits now. What was
    /// delivered since it began counts for it only if it was inside then and still is.
    #[cold]
    pub(crate) fn move_wait(&mut self, index: u32, scope: u32) {
        let &Wait {
            task,
            scope: before,
            started,
            ..
        } = self.waits.get(index);
        if !self.has_missed(task, before, scope, started) {
            self.waits.get_mut(index).started = self.epoch;
        }
        self.unlink_wait(index);
        let wait = self.waits.get_mut(index);
        wait.disown();
        wait.scope = scope;
        if self.waits.get(index).is_linked(index) {
            self.link_wait(index, task, scope);
        }
    }

    /// Gives back the node of an operation that has resolved or was dropped, and disarms all it had armed (I3). One that
    /// has `completed` may owe an interruption (D4 of `interrupt`).
    #[inline(always)]
    pub(crate) fn end_wait(&mut self, index: u32, completed: bool) {
        let (epoch, is_logged) = (self.epoch, self.log.is_some());
        let wait = self.waits.get_mut(index);
        // Nearly always: the node is the task's own, it has been notified, and nobody was interrupted meanwhile.
        if wait.is_notified() && !wait.is_linked(index) && wait.foreign.is_none() && !is_logged {
            wait.armed = Armed::Idle;
            if wait.started != epoch && completed {
                // As one who awaits the end of a task that is cancelled.
                let started = wait.started;
                self.owe(index, NONE, started);
            }
        } else {
            self.end_wait_slowly(index, completed);
        }
    }

    /// The same for an operation of a task in the task's own node that completes, if there is nothing else to be seen to.
    /// If there is, or it has not been notified, nothing has happened.
    #[inline(always)]
    pub(crate) fn leave_own(&mut self, task: u32) -> bool {
        self.log.is_none() && self.waits.leave_own(task, self.epoch)
    }

    #[inline(never)]
    fn end_wait_slowly(&mut self, index: u32, completed: bool) {
        let wait = self.waits.get_mut(index);
        let armed = std::mem::replace(&mut wait.armed, Armed::Idle);
        let is_foreign = wait.foreign.is_some();
        let is_linked = wait.is_linked(index);
        let (task, scope, started) = (wait.task, wait.scope, wait.started);
        self.disarm(armed);
        if is_linked {
            self.unlink_wait(index);
        }
        if completed && started != self.epoch {
            self.owe(task, scope, started);
        }
        if is_foreign {
            self.forget_foreign(index);
        }
        self.note(|log, _| log.left(index, armed, completed));
        if task != index {
            self.waits.release(index);
        }
    }

    /// The waker of a node that is given back is dropped when the borrow is over (I2).
    #[cold]
    fn forget_foreign(&mut self, index: u32) {
        let waker = self.waits.get_mut(index).foreign.take();
        self.afterwards.extend(waker.map(Afterwards::Drop));
    }

    /// Takes back what an operation has armed.
    #[inline]
    pub(crate) fn disarm(&mut self, armed: Armed) {
        match armed {
            Armed::Idle | Armed::Nothing | Armed::Notified => {}
            Armed::List { list, next, prev } => self.waits.delist(list, next, prev),
            Armed::Timer(timer) => self.timers.remove(timer),
            Armed::Join { task, next, prev } => self.disarm_join(task, next, prev),
            Armed::Reader(source) | Armed::OwnReader(source) => self.disarm_source(source, Direction::Read),
            Armed::Writer(source) | Armed::OwnWriter(source) => self.disarm_source(source, Direction::Write),
        }
    }

    /// Wakes an operation, so that it is polled again.
    #[inline(always)]
    pub(crate) fn wake(&mut self, index: u32) {
        let wait = self.waits.get(index);
        if wait.task == index && wait.foreign.is_none() && self.log.is_none() {
            self.schedule(index);
        } else {
            self.wake_slowly(index);
        }
    }

    #[inline(never)]
    fn wake_slowly(&mut self, index: u32) {
        self.note_wake(index);
        let wait = self.waits.get(index);
        if wait.foreign.is_none() {
            let task = wait.task;
            self.schedule(task);
        } else {
            self.wake_foreign(index);
        }
    }

    /// The waker is moved out, as cloning it would run user code (I2). The operation brings a new one when it is polled.
    #[cold]
    fn wake_foreign(&mut self, index: u32) {
        if let Some(waker) = self.waits.get_mut(index).foreign.take() {
            self.afterwards.push(Afterwards::Wake(*waker));
        }
    }

    /// Notifies the operation that has waited longest on a primitive's list: what it waited for has happened.
    #[inline(always)]
    pub(crate) fn notify_one(&mut self, list: u32) -> bool {
        let chosen = self.waits.choose_first(list);
        if let Some(index) = chosen {
            let wait = self.waits.get(index);
            if wait.task == index && wait.foreign.is_none() && self.log.is_none() {
                self.schedule(index);
            } else {
                self.wake_chosen_slowly(list, index);
            }
        }
        chosen.is_some()
    }

    #[inline(never)]
    fn wake_chosen_slowly(&mut self, list: u32, index: u32) {
        if self.log.is_some() {
            self.show_handed_on(list, index);
        }
        self.wake_slowly(index);
    }

    /// The same if the operation is nothing but what its task waits in, as nearly always. None: it is not so, and nothing
    /// has happened.
    #[inline(always)]
    pub(crate) fn notify_own(&mut self, list: u32) -> Option<Chosen> {
        let ready = &mut self.ready;
        self.waits.choose_own(list, |task, slot| ready.queue(task, slot))
    }

    /// Notifies all operations on a primitive's list, in the order in which they came.
    #[inline(always)]
    pub(crate) fn notify_all(&mut self, list: u32) {
        while self.notify_one(list) {}
    }

    /// A task begins to wait for a time in its own node, if that is free and nobody looks on. If not, nothing has happened.
    #[inline(always)]
    pub(crate) fn sleep_own(&mut self, task: u32, deadline: u64, place: &'static Location<'static>) -> bool {
        let entry = self.waits.entries.try_get_mut(task);
        let Some(entry) = entry.filter(|entry| entry.may_wait() && self.log.is_none()) else {
            return false;
        };
        let timer = self.timers.insert(deadline, Target::Wait(task));
        entry.fill_wait(Armed::Timer(timer), Label::TIME_SLEEP, place, &self.epoch);
        true
    }

    /// Arms a timer that ends the wait.
    #[inline]
    pub(crate) fn arm_timer(&mut self, index: u32, deadline: u64) -> Armed {
        Armed::Timer(self.timers.insert(deadline, Target::Wait(index)))
    }

    // ---- The end of a task

    /// Wakes the one who waits for the end of a task, if nobody else does, it waits in nothing else, and nobody looks on. If not,
    /// nothing has happened.
    #[inline(always)]
    pub(super) fn notify_joiner(&mut self, joiner: u32) -> bool {
        let Some(Entry {
            slot: Some(slot),
            wait,
            ..
        }) = self.waits.entries.try_get_mut(joiner)
        else {
            return false;
        };
        let is_only = matches!(wait.armed, Armed::Join { next: NONE, .. });
        let is_plain = is_only && wait.task == joiner && wait.foreign.is_none() && self.log.is_none();
        if !is_plain || !self.ready.queue(joiner, slot) {
            return false;
        }
        wait.armed = Armed::Notified;
        true
    }

    /// Wakes those who wait for the end of a task, in the order in which they came: the list is newest first.
    pub(super) fn notify_joiners(&mut self, first: u32) {
        let mut last = first;
        while let Armed::Join { next, .. } = self.waits.get(last).armed
            && next != NONE
        {
            last = next;
        }
        let mut at = last;
        while at != NONE {
            let wait = self.waits.get_mut(at);
            let Armed::Join { prev, .. } = wait.armed else {
                break;
            };
            wait.armed = Armed::Notified;
            self.wake(at);
            at = prev;
        }
    }

    /// Puts the operation among those who wait for the end of a task.
    #[inline]
    pub(crate) fn arm_join(&mut self, index: u32, task: u32) -> Armed {
        let next = std::mem::replace(&mut self.slot_mut(task).first_joiner, index);
        if next != NONE
            && let Armed::Join { prev, .. } = &mut self.waits.get_mut(next).armed
        {
            *prev = index;
        }
        Armed::Join {
            task,
            next,
            prev: NONE,
        }
    }

    fn disarm_join(&mut self, task: u32, next: u32, prev: u32) {
        if prev == NONE {
            self.slot_mut(task).first_joiner = next;
        } else if let Armed::Join { next: n, .. } = &mut self.waits.get_mut(prev).armed {
            *n = next;
        }
        if next != NONE
            && let Armed::Join { prev: p, .. } = &mut self.waits.get_mut(next).armed
        {
            *p = prev;
        }
    }

    /// Frees what a task leaves behind: its scopes, and the nodes of operations that were leaked.
    #[inline]
    pub(super) fn forget_waits(&mut self, task: u32) {
        while self.waits.entry(task).first_wait != NONE {
            let wait = self.waits.entry(task).first_wait;
            self.abandon(wait);
        }
        if let Some(root) = self.waits.entry(task).scope() {
            self.waits.entry_mut(task).root = NONE;
            self.remove_scopes(root);
        }
        if !self.waits.get(task).is_idle() {
            self.abandon(task);
        }
    }

    fn remove_scopes(&mut self, top: u32) {
        while self.scopes.get(top).first_child != NONE {
            let child = self.scopes.get(top).first_child;
            self.remove_scopes(child);
        }
        while self.scopes.get(top).first_wait != NONE {
            let wait = self.scopes.get(top).first_wait;
            self.abandon(wait);
        }
        if let Some(timer) = self.scopes.get(top).timer {
            self.timers.remove(timer);
            self.note(|log, tables| log.timeout_removed(tables, top));
        }
        self.scopes.remove(top);
    }

    /// Takes care of an operation whose task has ended. It was leaked, or a combinator has taken it to another task: then it
    /// must be polled there. If it was chosen to be woken, its node stays for it, so that the wake-up is not lost.
    fn abandon(&mut self, index: u32) {
        self.wake_foreign(index);
        if !self.waits.get(index).is_notified() {
            return self.end_wait(index, false);
        }
        self.unlink_wait(index);
        let wait = self.waits.get_mut(index);
        (wait.task, wait.scope) = (NONE, NONE);
        (wait.next, wait.prev) = (NONE, NONE);
    }
}
