//! What the tables say of a task: for its handle, for the log, and for the report of a deadlock.

use std::fmt::Write;
use std::panic::Location;

use super::{Slot, Tables};
use crate::key::{Key, NONE};
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
        match (entry.first_wait, self.own_wait(task), entry.root) {
            (NONE, None, NONE) => None,
            (NONE, None, root) => self.waiting_below(root),
            (NONE, own, _) => own,
            (first, ..) => Some(self.waits.get(first)),
        }
    }

    /// The task's own node, if an operation has it that waits directly below the task (W2).
    fn own_wait(&self, task: u32) -> Option<&Wait> {
        let wait = self.waits.get(task);
        (wait.armed != Armed::Idle && wait.scope == NONE).then_some(wait)
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
        if entry.root != NONE {
            self.collect_below(entry.root, &mut waits);
        }
        waits
    }

    /// The nodes of the operations in which a task waits, oldest first.
    pub(crate) fn wait_keys(&self, task: u32) -> Vec<Key> {
        let mut all = Vec::new();
        let entry = self.waits.entry(task);
        self.keys(entry.first_wait, &mut all);
        if self.own_wait(task).is_some() {
            all.extend(self.waits.entries.key(task));
        }
        let mut scopes = vec![entry.root];
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
            into.extend(self.waits.entries.key(at));
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
