//! What the tables say of a task: for its handle, for the log, for the mirror, and for the report of a deadlock.

use std::fmt::Write;
use std::panic::Location;

use super::{Slot, Tables};
use crate::key::{Key, NONE};
use crate::mirror::Waits;
use crate::waits::{Armed, Label, Wait};

impl Tables {
    /// One line for each task: who it is and what it waits for.
    pub(crate) fn report(&self) -> String {
        let mut tasks: Vec<_> = self.all_tasks().collect();
        tasks.sort_by_key(|(_, slot)| slot.id());
        let mut report = String::new();
        for (task, slot) in tasks {
            let _ = write!(report, "\n  {}", self.describe(task, slot));
        }
        report
    }

    /// What a task waits for; if for several things, what it began to wait for last.
    pub(crate) fn waiting_for(&self, task: u32) -> Option<Label> {
        self.latest_wait(task).map(|wait| wait.label)
    }

    /// The operation of a task that began to wait last.
    pub(crate) fn latest_wait(&self, task: u32) -> Option<&Wait> {
        let entry = self.waits.entry(task);
        match (entry.first_wait, self.own_wait(task), entry.scope()) {
            (NONE, None, root) => self.waiting_below(root?),
            (NONE, own, _) => own,
            (first, ..) => Some(self.waits.get(first)),
        }
    }

    /// What the mirror shows of a task that waits.
    pub(crate) fn outlook(&self, task: u32) -> Waits {
        let mut outlook = Waits {
            label: Label::FOREIGN_WAIT,
            place: None,
            sleep: None,
            timeout: None,
            cancelled: None,
        };
        if let Some(wait) = self.latest_wait(task) {
            (outlook.label, outlook.place) = (wait.label, Some(wait.place));
            if let Armed::Timer(timer) = wait.armed {
                outlook.sleep = Some(self.timers.deadline(timer));
            }
            let mut scope = wait.scope;
            while scope != NONE {
                outlook.timeout = self.sooner(outlook.timeout, scope);
                scope = self.scopes.get(scope).parent;
            }
        } else if let Some(root) = self.waits.entry(task).scope() {
            outlook.timeout = self.soonest_below(root);
        }
        outlook
    }

    /// The deadline of a scope, if it is set and sooner than that one.
    fn sooner(&self, than: Option<u64>, scope: u32) -> Option<u64> {
        let own = self
            .scopes
            .get(scope)
            .timer
            .map(|timer| self.timers.deadline(timer));
        [than, own].into_iter().flatten().min()
    }

    fn soonest_below(&self, scope: u32) -> Option<u64> {
        let mut soonest = self.sooner(None, scope);
        let mut child = self.scopes.get(scope).first_child;
        while child != NONE {
            let below = self.soonest_below(child);
            soonest = [soonest, below].into_iter().flatten().min();
            child = self.scopes.get(child).next;
        }
        soonest
    }

    /// The task's own node, if an operation has it that waits directly below the task (W2).
    fn own_wait(&self, task: u32) -> Option<&Wait> {
        let wait = self.waits.get(task);
        (!wait.is_idle() && wait.scope == NONE).then_some(wait)
    }

    fn waiting_below(&self, scope: u32) -> Option<&Wait> {
        let scope = self.scopes.get(scope);
        if scope.first_wait != NONE {
            return Some(self.waits.get(scope.first_wait));
        }
        let mut child = scope.first_child;
        while child != NONE {
            if let Some(wait) = self.waiting_below(child) {
                return Some(wait);
            }
            child = self.scopes.get(child).next;
        }
        None
    }

    /// Who a task is and what it waits for.
    pub(crate) fn describe(&self, task: u32, slot: &Slot) -> String {
        let mut text = format!(
            "task {} ({}), spawned at {}",
            slot.id(),
            self.name(slot),
            slot.spawned
        );
        let waits = self.waits_of(task);
        if waits.is_empty() {
            text.push_str(if slot.is_queued() {
                ": READY"
            } else {
                ": FOREIGN_WAIT"
            });
        }
        for wait in waits.iter().rev() {
            let _ = write!(text, ": {} at {}", wait.label.as_str(), wait.place);
        }
        text
    }

    /// The operations in which a task waits, as what they wait for and where.
    pub(crate) fn places(&self, task: u32) -> Vec<(Label, &'static Location<'static>)> {
        let waits = self.waits_of(task);
        waits.iter().rev().map(|wait| (wait.label, wait.place)).collect()
    }

    /// The operations in which a task waits, newest first.
    fn waits_of(&self, task: u32) -> Vec<&Wait> {
        let entry = self.waits.entry(task);
        let mut waits = Vec::new();
        self.collect(entry.first_wait, &mut waits);
        waits.extend(self.own_wait(task));
        if let Some(root) = entry.scope() {
            self.collect_below(root, &mut waits);
        }
        waits
    }

    /// The places of all operations in which a task waits, oldest first, and of all its scopes.
    pub(crate) fn belongings(&self, task: u32) -> (Vec<u32>, Vec<u32>) {
        let (first_wait, root) = (self.waits.entry(task).first_wait, self.waits.entry(task).scope());
        let (mut waits, mut scopes) = (Vec::new(), Vec::new());
        let mut open = Vec::new();
        self.number(first_wait, &mut waits);
        waits.extend(self.own_wait(task).map(|_| task));
        open.extend(root);
        while let Some(scope) = open.pop() {
            scopes.push(scope);
            self.number(self.scopes.get(scope).first_wait, &mut waits);
            let mut child = self.scopes.get(scope).first_child;
            while child != NONE {
                open.push(child);
                child = self.scopes.get(child).next;
            }
        }
        waits.reverse();
        (waits, scopes)
    }

    fn number(&self, first: u32, into: &mut Vec<u32>) {
        let mut at = first;
        while at != NONE {
            into.push(at);
            at = self.waits.get(at).next;
        }
    }

    /// The nodes of the operations in which a task waits, oldest first.
    pub(crate) fn wait_keys(&self, task: u32) -> Vec<Key> {
        let (waits, _) = self.belongings(task);
        waits
            .into_iter()
            .filter_map(|wait| self.waits.entries.key(wait))
            .collect()
    }

    fn collect<'a>(&'a self, first: u32, into: &mut Vec<&'a Wait>) {
        let mut at = first;
        while at != NONE {
            let wait = self.waits.get(at);
            into.push(wait);
            at = wait.next;
        }
    }

    fn collect_below<'a>(&'a self, scope: u32, into: &mut Vec<&'a Wait>) {
        let scope = self.scopes.get(scope);
        self.collect(scope.first_wait, into);
        let mut child = scope.first_child;
        while child != NONE {
            self.collect_below(child, into);
            child = self.scopes.get(child).next;
        }
    }
}
