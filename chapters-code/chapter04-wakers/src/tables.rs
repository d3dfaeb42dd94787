//! The kernel's tables: all tasks that have not ended, and all notes of their operations.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Waker;

use crate::state::State;
use crate::task::{End, TaskId};
use crate::waits::{Label, Waits};

/// A task's entry in the table.
pub(crate) struct Slot {
    pub(crate) name: &'static str,
    /// None while it runs.
    pub(crate) future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    pub(crate) waker: Waker,
    /// Whether it is in the ready queue.
    pub(crate) queued: bool,
    pub(crate) cycles: u64,
    pub(crate) end: Rc<End>,
}

/// Who is there, and who waits.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) tasks: BTreeMap<TaskId, Slot>,
    pub(crate) waits: Waits,
    pub(crate) last_task: u64,
}

impl Tables {
    /// What a task is doing, and what else it waits for.
    fn states(&self, task: TaskId, slot: &Slot) -> Vec<State> {
        if slot.future.is_none() {
            return vec![State::Running];
        }
        if slot.queued {
            return vec![State::Ready];
        }
        let waits: Vec<State> = self.waits.of(task).map(State::Waiting).collect();
        match waits.is_empty() {
            true => vec![State::Waiting(Label::FOREIGN_WAIT)],
            false => waits,
        }
    }

    /// The same, in words.
    pub(crate) fn describe(&self, task: TaskId) -> String {
        let Some(slot) = self.tasks.get(&task) else {
            return "TERMINATED".to_string();
        };
        let states = self.states(task, slot);
        let words: Vec<&str> = states.iter().map(State::as_str).collect();
        words.join(", ")
    }

    /// The task table, for people.
    pub(crate) fn ps(&self) -> String {
        let mut text = String::from("Task   State        Cycles     Task\n");
        text += "------ ------------ ---------- --------\n";
        for (id, slot) in &self.tasks {
            let states = self.states(*id, slot);
            let (id, state) = (id.to_string(), states[0].as_str());
            let _ = writeln!(text, "{id:<6} {state:<12} {:<10} {}", slot.cycles, slot.name);
            for more in &states[1..] {
                let _ = writeln!(text, "{:<6} {}", "", more.as_str());
            }
        }
        text
    }

    /// What each task waits for, one line for each.
    pub(crate) fn report(&self) -> String {
        let mut text = String::new();
        for (id, slot) in &self.tasks {
            let _ = write!(text, "\n  task {id} ({}): {}", slot.name, self.describe(*id));
        }
        text
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
