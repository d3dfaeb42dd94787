//! Those who come late: what there is when somebody begins to look on, told as if it had all come into being then.

use std::rc::Rc;

use super::{Log, Record};
use crate::activation::{TaskInfo, TimerEvent, WaitInfo};
use crate::state::State;
use crate::tables::{Slot, Tables};
use crate::waits::Label;

impl Log {
    /// Nobody wants to be told any more.
    pub(super) fn forget(&mut self) {
        self.records.clear();
        self.running = None;
        self.tasks.clear();
        self.endings.clear();
        self.waits.clear();
        self.timeouts.clear();
        self.interrupted = None;
    }

    /// Somebody wants to be told from now on. So far nothing was written down.
    pub(super) fn learn(&mut self, tables: &Tables) {
        self.queued = tables.ready.len();
        for (_, slot) in tables.all_tasks() {
            let info = TaskInfo {
                id: slot.id(),
                name: tables.name(slot).to_string(),
                // Not within what is recorded.
                parent: None,
                spawned: slot.spawned,
                daemon: slot.is_daemon(),
            };
            self.tasks.insert(info.id, Rc::new(info));
        }
        for (index, _) in tables.all_tasks() {
            let (waits, scopes) = tables.belongings(index);
            for wait in waits {
                let Some(task) = self.task(tables, index) else {
                    continue;
                };
                self.last_wait += 1;
                let node = tables.waits.get(wait);
                let info = WaitInfo {
                    id: self.last_wait,
                    task,
                    label: node.label,
                    place: node.place,
                    until: Log::until(tables, node.armed),
                };
                self.waits.insert(wait, Rc::new(info));
            }
            for scope in scopes {
                if let Some(timer) = tables.scopes.get(scope).timer {
                    self.timeouts.insert(scope, tables.timers.deadline(timer));
                }
            }
        }
    }

    /// What there is, told as if it had all come into being now: each task that waits was spawned, has run, and waits.
    pub(super) fn present(&mut self, tables: &Tables) -> Vec<(u64, Record)> {
        let told = std::mem::take(&mut self.records);
        let mut tasks: Vec<_> = tables
            .all_tasks()
            .filter_map(|(index, _)| Some((self.task(tables, index)?, index)))
            .collect();
        tasks.sort_unstable_by_key(|(task, _)| task.id);
        for (task, index) in tasks {
            self.push(Record::Created(task.clone()));
            let (waits, scopes) = tables.belongings(index);
            if waits.is_empty() && tables.slot(index).is_queued() {
                continue;
            }
            self.push(Record::Ready(task.clone()));
            self.push(Record::Running(task.clone()));
            for wait in waits {
                if let Some(wait) = self.waits.get(&wait).cloned() {
                    self.push(Record::Wait(wait.clone()));
                    self.wait_timer(wait, TimerEvent::Set);
                }
            }
            for scope in scopes {
                if let Some(deadline) = self.timeouts.get(&scope).copied() {
                    self.timeout(tables, scope, deadline, TimerEvent::Set);
                }
            }
            let wait = tables.latest_wait(index);
            let label = wait.map_or(Label::FOREIGN_WAIT, |wait| wait.label);
            let place = wait.map(|wait| wait.place);
            self.push(Record::Suspended(task, State::Waiting(label), place));
        }
        for place in 0..tables.ready.len() {
            let index = tables.ready.get(place);
            if tables.waits.task(index).is_some_and(Slot::is_queued)
                && let Some(task) = self.task(tables, index)
            {
                self.push(Record::Ready(task));
            }
        }
        std::mem::replace(&mut self.records, told)
    }
}
