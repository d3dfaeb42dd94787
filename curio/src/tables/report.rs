//! What the tables say of a task: for its handle, for the log, and for the report of a deadlock.

use std::fmt::Write;
use std::panic::Location;

use super::{QUEUED, Slot, Tables};
use crate::key::{Key, NONE};
use crate::waits::{Label, Wait};

impl Tables {
    /// One line for each task: who it is and what it waits for.
    pub(crate) fn report(&self) -> String {
        let mut tasks: Vec<_> = self.tasks.iter().collect();
        tasks.sort_by_key(|(_, slot)| slot.id());
        let mut report = String::new();
        for (_, slot) in tasks {
            let _ = write!(report, "\n  {}", self.describe(slot));
        }
        report
    }

    /// What a task waits for; if for several things, what it began to wait for last.
    pub(crate) fn waiting_for(&self, task: u32) -> Option<Label> {
        self.latest_wait(task).map(|wait| wait.label)
    }

    /// The operation of a task that began to wait last.
    pub(crate) fn latest_wait(&self, task: u32) -> Option<&Wait> {
        let slot = &self.tasks[task as usize];
        match slot.first_wait {
            NONE if slot.root != NONE => self.waiting_below(slot.root),
            NONE => None,
            wait => Some(self.waits.get(wait)),
        }
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
    pub(crate) fn describe(&self, slot: &Slot) -> String {
        let mut text = format!(
            "task {} ({}), spawned at {}",
            slot.id(),
            self.name(slot),
            slot.spawned
        );
        let waits = self.waits_of(slot);
        if waits.is_empty() {
            text.push_str(if slot.has(QUEUED) {
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
        let waits = self.waits_of(&self.tasks[task as usize]);
        waits.iter().rev().map(|wait| (wait.label, wait.place)).collect()
    }

    /// The operations in which a task waits, newest first.
    fn waits_of(&self, slot: &Slot) -> Vec<&Wait> {
        let mut waits = Vec::new();
        self.collect(slot.first_wait, &mut waits);
        if slot.root != NONE {
            self.collect_below(slot.root, &mut waits);
        }
        waits
    }

    /// The nodes of the operations in which a task waits, oldest first.
    pub(crate) fn wait_keys(&self, task: u32) -> Vec<Key> {
        let mut all = Vec::new();
        let slot = &self.tasks[task as usize];
        self.keys(slot.first_wait, &mut all);
        let mut scopes = vec![slot.root];
        while let Some(index) = scopes.pop().filter(|&scope| scope != NONE) {
            let scope = self.scopes.get(index);
            self.keys(scope.first_wait, &mut all);
            let mut child = scope.first_child;
            while child != NONE {
                scopes.push(child);
                child = self.scopes.get(child).next;
            }
        }
        all.reverse();
        all
    }

    fn keys(&self, first: u32, into: &mut Vec<Key>) {
        let mut at = first;
        while at != NONE {
            into.extend(self.waits.key(at));
            at = self.waits.get(at).next;
        }
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
