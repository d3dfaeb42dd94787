//! Who is interrupted, and by what.
//!
//! An interruption (a cancel, an expired timeout) makes a scope *due*. The operations that wait inside it are woken; each
//! asks, when it is polled and has not completed: is there a scope around me, out to the nearest shield, with a delivery
//! for me? The first that asks *takes* the interruption: the scope is *delivered*, in a new epoch.
//!
//! D1. A delivery is for an operation if the scope is due, or was delivered after the operation began to wait. So
//!     everything that was waiting inside sees it (both arms of a `join!`), and nothing that starts later does.
//! D2. Of several scopes the outermost wins.
//! D3. A delivery disarms what it unwinds: every timeout that is open inside the scope and not behind a shield.
//! D4. An operation that completes, or a shield that closes, although a delivery was made since it began, *owes* it: the
//!     next operation that would wait inside that scope in the same run of the task takes it. Then the debt lapses.
//!     (Without it, an arm of a `join!` that loops over a queue would never hear of a cancel that another arm took. The
//!     price: if the arms end in that very run, the first wait of the clean-up may be interrupted once more.)
//! D5. Swallowing does not help: code inside an inner timeout that took the interruption of an outer one, and leaves the
//!     inner one with something else, makes the outer one due again.
//! D6. A boundary (a timeout, or the task itself) whose future is pending with no operation below it is itself an
//!     operation: it drops its future and resolves to the error. (An operation that was woken to be told, and that the
//!     future did not poll, counts as none.) Not while a shield is open below; not while the task was
//!     woken in that very poll, because then its future has only yielded (64 times at most).

mod boundary;

use crate::error::{Error, Progress};
use crate::key::{Key, NONE};
use crate::scopes::{Kind, Scope};
use crate::tables::{DELIVERED, DUE, Tables};
use crate::timers::Target;
use crate::waits::Armed;

/// What the edge of a timeout must know when it is left.
#[derive(Default)]
pub(crate) struct Closed {
    pub(crate) delivered: bool,
    pub(crate) passed: Option<Key>,
}

impl Tables {
    /// The task's own scope, which is made when it is first needed (S1).
    fn root(&mut self, task: u32) -> u32 {
        match self.known_root(task) {
            NONE => self.open_root(task),
            root => root,
        }
    }

    /// The task's own scope; NONE if nothing is open in it and nobody has asked for its cancellation (S4).
    #[inline]
    fn known_root(&mut self, task: u32) -> u32 {
        match self.waits.entry(task).root {
            DUE | DELIVERED => self.open_root(task),
            root => root,
        }
    }

    /// The task has been interrupted in the middle of its run: what was noted so far does not do any more (S4).
    pub(crate) fn make_noted(&mut self, task: u32) {
        self.known_root(task);
    }

    /// Makes the task scope: it is as has been noted so far (S4).
    #[inline(never)]
    fn open_root(&mut self, task: u32) -> u32 {
        let root = self.scopes.open(task, NONE, Kind::Task, self.epoch);
        let noted = std::mem::replace(&mut self.waits.entry_mut(task).root, root);
        let scope = self.scopes.get_mut(root);
        scope.due = noted == DUE;
        scope.delivered = if noted == DELIVERED { self.epoch } else { 0 };
        root
    }

    /// Opens a scope below `parent` (NONE: below the task).
    pub(crate) fn open_scope(&mut self, task: u32, parent: u32, kind: Kind) -> u32 {
        let parent = match parent {
            NONE => self.root(task),
            parent => parent,
        };
        self.scopes.open(task, parent, kind, self.epoch)
    }

    /// A scope that is open already is polled inside another one than before (NONE: the task): that is its parent now.
    #[cold]
    pub(crate) fn move_scope(&mut self, index: u32, outer: u32) {
        let task = self.scopes.get(index).task;
        let parent = match outer {
            NONE => self.root(task),
            outer => outer,
        };
        self.scopes.reparent(index, parent);
        // What unwound the old place does not unwind this one: the deadline counts again.
        let scope = self.scopes.get_mut(index);
        if scope.disarmed {
            scope.disarmed = false;
            scope.armed = false;
        }
    }

    /// The scope that `scope` is inside of, as an operation names it: NONE for the task itself.
    pub(crate) fn parent_scope(&self, scope: u32) -> u32 {
        let parent = self.scopes.get(scope).parent;
        if self.scopes.get(parent).kind == Kind::Task {
            NONE
        } else {
            parent
        }
    }

    /// Arms the timer of a timeout that has just begun to wait. False if its deadline has come already.
    #[inline]
    pub(crate) fn arm_timeout(&mut self, index: u32, deadline: u64, now: u64) -> bool {
        let scope = self.scopes.get_mut(index);
        scope.armed = true;
        if deadline != u64::MAX && deadline > now && !scope.disarmed {
            scope.timer = Some(self.timers.insert(deadline, Target::Scope(index)));
            self.note(|log, tables| log.timeout_set(tables, index, deadline));
        }
        deadline > now
    }

    /// Takes a timeout or a shield out of the tree.
    pub(crate) fn close_scope(&mut self, index: u32) -> Closed {
        let &Scope {
            task,
            first_wait,
            first_child,
            timer,
            delivered,
            passed,
            ..
        } = self.scopes.get(index);
        if first_wait != NONE || first_child != NONE {
            self.move_up(index);
        }
        if let Some(timer) = timer {
            self.timers.remove(timer);
            self.note(|log, tables| log.timeout_removed(tables, index));
        }
        if self.scopes.get(index).is_hot() {
            self.slot_mut(task).hot -= 1;
        }
        self.scopes.remove(index);
        Closed {
            delivered: delivered != 0,
            passed,
        }
    }

    /// What still waits in a scope that is closed was leaked by `mem::forget`: it moves up to the parent (S2).
    #[cold]
    fn move_up(&mut self, index: u32) {
        let outer = self.parent_scope(index);
        while self.scopes.get(index).first_wait != NONE {
            let wait = self.scopes.get(index).first_wait;
            self.move_wait(wait, outer);
        }
        let scope = self.scopes.get(index);
        if scope.delivered != 0 && !scope.disarmed {
            self.restore_below(index);
        }
        self.scopes.adopt_children(index);
    }

    /// What a delivery was to unwind is still there, though its scope is being closed: the deadlines count again (D3).
    fn restore_below(&mut self, top: u32) {
        let mut child = self.scopes.get(top).first_child;
        while child != NONE {
            let scope = self.scopes.get_mut(child);
            let next = scope.next;
            if scope.kind != Kind::Shield {
                scope.disarmed = false;
                scope.armed = scope.timer.is_some();
                self.restore_below(child);
            }
            child = next;
        }
    }

    /// Asks for the cancellation of a task. Only the first request counts.
    pub(crate) fn request_cancel(&mut self, task: u32) {
        let entry = self.waits.entry_mut(task);
        // Nearly always: it has no scope so far, and waits in one operation at most, as which it is woken itself (S4).
        let is_plain = entry.root == NONE && entry.first_wait == NONE && entry.wait.foreign.is_none();
        if let (true, None, Some(slot)) = (is_plain, &self.log, &mut entry.slot) {
            entry.root = DUE;
            slot.hot += 1;
            slot.cell.header().set_cancelled();
            if !self.ready.queue(task, slot) {
                self.schedule(task);
            }
        } else if !matches!(entry.root, DUE | DELIVERED) {
            self.request_slowly(task);
        }
    }

    #[inline(never)]
    fn request_slowly(&mut self, task: u32) {
        let root = self.root(task);
        let scope = self.scopes.get(root);
        if !scope.due && scope.delivered == 0 {
            self.slot(task).cell.header().set_cancelled();
            self.interrupt(root);
        }
    }

    /// Fires all timers that are due.
    pub(crate) fn expire_timers(&mut self, now: u64) {
        while let Some(target) = self.timers.expire(now) {
            self.note(|log, tables| log.fired(tables, target));
            match target {
                Target::Wait(index) => {
                    self.waits.get_mut(index).armed = Armed::Notified;
                    self.wake(index);
                }
                Target::Scope(index) => {
                    self.scopes.get_mut(index).timer = None;
                    self.interrupt(index);
                }
            }
        }
    }

    /// Makes a scope due, and wakes what waits inside.
    pub(crate) fn interrupt(&mut self, index: u32) {
        let scope = self.scopes.get_mut(index);
        let (task, kind) = (scope.task, scope.kind);
        if scope.due || scope.disarmed {
            return;
        }
        let hot = scope.is_hot();
        scope.due = true;
        self.slot_mut(task).hot += u32::from(!hot);
        self.note_interrupt(index);
        if kind == Kind::Task {
            self.wake_directly(task);
        }
        self.wake_below(index);
        // The boundaries must look too (D6), and they have no node of their own.
        self.schedule(task);
    }

    /// Wakes what waits directly below the task, which is to be scheduled in any case. So nearly always there is nothing to do.
    #[inline(always)]
    fn wake_directly(&mut self, task: u32) {
        let entry = self.waits.entry(task);
        if entry.first_wait != NONE || entry.wait.foreign.is_some() || self.log.is_some() {
            self.wake_each_directly(task);
        }
    }

    #[inline(never)]
    fn wake_each_directly(&mut self, task: u32) {
        let entry = self.waits.entry(task);
        let own = !entry.wait.is_idle() && !entry.wait.is_linked(task);
        let first = entry.first_wait;
        if first != NONE {
            self.wake_all(first);
        }
        if own {
            self.wake(task);
        }
    }

    fn wake_all(&mut self, mut wait: u32) {
        while wait != NONE {
            let next = self.waits.get(wait).next;
            self.wake(wait);
            wait = next;
        }
    }

    fn wake_below(&mut self, top: u32) {
        let scope = self.scopes.get(top);
        let (first_wait, mut child) = (scope.first_wait, scope.first_child);
        self.wake_all(first_wait);
        while child != NONE {
            if self.scopes.get(child).kind != Kind::Shield {
                self.wake_below(child);
            }
            child = self.scopes.get(child).next;
        }
    }

    /// The outermost scope with a delivery for an operation below `scope` (D1, D2). `started` is the epoch in which the
    /// operation began to wait; none if it would begin now.
    fn due_for(&mut self, task: u32, scope: u32, started: Option<u64>) -> Option<u32> {
        let mut found = None;
        let mut at = match scope {
            NONE => self.known_root(task),
            scope => scope,
        };
        while at != NONE {
            let scope = self.scopes.get(at);
            if scope.kind == Kind::Shield {
                break;
            }
            let missed = match started {
                Some(started) => scope.delivered > started,
                None => self.scopes.key(at).is_some_and(|key| self.debts.contains(&key)),
            };
            if scope.due || missed {
                found = Some(at);
            }
            at = scope.parent;
        }
        found
    }

    /// What an operation below `scope` that cannot complete must resolve to, if anything.
    #[inline]
    pub(crate) fn interruption(&mut self, task: u32, scope: u32, started: Option<u64>) -> Option<Error> {
        if self.slot(task).hot == 0 {
            return None;
        }
        let target = self.due_for(task, scope, started)?;
        Some(self.take(scope, target))
    }

    /// Nearly always a cancellation finds a task in one plain wait, below neither a timeout nor a shield. Then this delivers it
    /// there, and ends the wait. False: it is not so, and nothing has happened. `task` is the running one.
    #[inline(always)]
    pub(crate) fn cancel_own_wait(&mut self, task: u32) -> bool {
        let Some(entry) = self.waits.entries.try_get_mut(task) else {
            return false;
        };
        // Nobody looks on, as the scope would exist then; nor is anything owed, since that makes the scope (S4).
        let is_plain = entry.root == DUE && !entry.wait.is_linked(task) && entry.wait.foreign.is_none();
        let Some(slot) = entry.slot.as_ref().filter(|_| is_plain) else {
            return false;
        };
        slot.cell.header().set_told(!slot.is_named());
        entry.root = DELIVERED;
        self.epoch += 1;
        match std::mem::replace(&mut entry.wait.armed, Armed::Idle) {
            Armed::Timer(timer) => self.timers.remove(timer),
            armed => self.disarm(armed),
        }
        true
    }

    /// Whether a delivery since `started` was for an operation below `before` that is below `now` from now on.
    pub(crate) fn has_missed(&mut self, task: u32, before: u32, now: u32, started: u64) -> bool {
        let root = self.known_root(task);
        let place = |scope: u32| if scope == NONE { root } else { scope };
        let mut at = place(before);
        while at != NONE && self.scopes.get(at).kind != Kind::Shield {
            let scope = self.scopes.get(at);
            if scope.delivered > started {
                let mut around = place(now);
                while around != NONE && around != at {
                    around = self.scopes.get(around).parent;
                }
                if around == at {
                    return true;
                }
            }
            at = scope.parent;
        }
        false
    }

    /// Whether something is pending for this place, be it behind a shield.
    pub(crate) fn is_pending(&mut self, task: u32, scope: u32) -> bool {
        let mut at = match scope {
            NONE => self.known_root(task),
            scope => scope,
        };
        while at != NONE {
            let scope = self.scopes.get(at);
            if scope.due {
                return true;
            }
            at = scope.parent;
        }
        false
    }

    /// Takes the interruption of `target` for an operation below `scope`.
    #[inline]
    fn take(&mut self, scope: u32, target: u32) -> Error {
        if self.scopes.get(target).due {
            self.epoch += 1;
            let target_scope = self.scopes.get_mut(target);
            target_scope.due = false;
            target_scope.delivered = self.epoch;
            let (kind, task) = (target_scope.kind, target_scope.task);
            if kind == Kind::Task {
                let (slot, is_logged) = (self.slot(task), self.log.is_some());
                slot.cell.header().set_told(!is_logged && !slot.is_named());
            }
            if self.scopes.get(target).first_child != NONE {
                self.disarm_below(target);
            }
        }
        if !self.debts.is_empty() {
            self.debts.retain(|debt| debt.index() != target);
        }
        let (kind, key) = (self.scopes.get(target).kind, self.scopes.key(target));
        let mut innermost = None;
        let mut at = scope;
        while at != NONE {
            let scope = self.scopes.get_mut(at);
            // An operation below was at work: whatever foreign future the boundary waits for next, it is another one.
            scope.foreign_since = 0;
            if scope.kind == Kind::Timeout {
                innermost = innermost.or(Some(at));
            }
            if at == target {
                break;
            }
            if kind == Kind::Timeout {
                scope.passed = key;
            }
            at = scope.parent;
        }
        let error = match kind {
            Kind::Timeout if innermost == Some(target) => Error::Timeout(Progress::default()),
            Kind::Timeout => Error::TimeoutCancellation(Progress::default()),
            Kind::Task | Kind::Shield => Error::cancelled(),
        };
        self.note(|log, tables| log.deliver(tables, target, &error));
        error
    }

    /// D3.
    fn disarm_below(&mut self, top: u32) {
        let mut child = self.scopes.get(top).first_child;
        while child != NONE {
            let scope = self.scopes.get_mut(child);
            let next = scope.next;
            if scope.kind != Kind::Shield {
                let hot = scope.is_hot();
                scope.disarmed = true;
                scope.due = false;
                let cooled = hot && !scope.is_hot();
                let (task, timer) = (scope.task, scope.timer.take());
                if let Some(timer) = timer {
                    self.timers.remove(timer);
                    self.note(|log, tables| log.timeout_removed(tables, child));
                }
                self.slot_mut(task).hot -= u32::from(cooled);
                self.disarm_below(child);
            }
            child = next;
        }
    }

    /// Notes what an operation or a shield owes that began at `since` and is over now (D4).
    #[cold]
    pub(crate) fn owe(&mut self, task: u32, scope: u32, since: u64) {
        if self.waits.task(task).is_none_or(|slot| slot.hot == 0) {
            return;
        }
        let mut owed = None;
        let mut at = match scope {
            NONE => self.known_root(task),
            scope => scope,
        };
        while at != NONE {
            let scope = self.scopes.get(at);
            if scope.kind == Kind::Shield {
                break;
            }
            if scope.delivered > since {
                owed = self.scopes.key(at);
            }
            at = scope.parent;
        }
        if let Some(debt) = owed
            && !self.debts.contains(&debt)
        {
            self.debts.push(debt);
        }
    }

    /// Makes the outer timeout due again whose interruption was swallowed inside (D5).
    pub(crate) fn swallowed(&mut self, closed: &Closed) {
        if let Some(index) = closed.passed.and_then(|scope| self.scopes.find(scope))
            && !self.scopes.get(index).disarmed
        {
            // It was delivered, so the task is hot already.
            self.scopes.get_mut(index).due = true;
            self.note_interrupt(index);
        }
    }
}
