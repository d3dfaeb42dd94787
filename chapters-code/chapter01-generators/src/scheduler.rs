//! The scheduler: who runs next.
//!
//! Its invariants, guarded by `tests/invariants.rs`:
//!
//! 1. One turn is one call to `resume`: nobody runs in between.
//! 2. A task is in the queue at most once, and never after it has completed.
//! 3. In the order of arrival, a task's next turn comes after one turn of every other ready task.
//! 4. The order, shuffled or not, decides who is next, and nothing else.

use std::collections::VecDeque;

use crate::generator::{Generator, Step};
use crate::shuffle::Shuffle;
use crate::task::Task;

/// Lets tasks take turns, on the thread of the caller.
#[derive(Debug, Default)]
pub struct Scheduler {
    ready: VecDeque<Task>,
    shuffle: Option<Shuffle>,
}

/// What happened in one turn.
#[derive(Debug, PartialEq, Eq)]
pub struct Turn {
    /// The name of the task that ran.
    pub task: &'static str,
    /// How its turn ended.
    pub step: Step<String>,
}

impl Scheduler {
    /// A scheduler without tasks, first come, first served.
    pub fn new() -> Scheduler {
        Scheduler::default()
    }

    /// A scheduler that picks the next task at random. The same seed makes the same choices.
    pub fn with_seed(seed: u64) -> Scheduler {
        Scheduler {
            ready: VecDeque::new(),
            shuffle: Some(Shuffle::new(seed)),
        }
    }

    /// Adds a task at the end of the queue.
    pub fn spawn<G>(&mut self, name: &'static str, generator: G)
    where
        G: Generator<Yield = String> + 'static,
    {
        self.ready.push_back(Task::new(name, generator));
    }

    /// Gives one task one turn. `None` when no task is left.
    pub fn run_once(&mut self) -> Option<Turn> {
        let mut task = self.pick()?;
        let turn = Turn {
            task: task.name(),
            step: task.resume(),
        };
        if turn.step != Step::Complete {
            self.ready.push_back(task);
        }
        Some(turn)
    }

    /// Takes the next task out of the queue: the first one, or with a seed any of them.
    fn pick(&mut self) -> Option<Task> {
        match &mut self.shuffle {
            Some(shuffle) if !self.ready.is_empty() => {
                let index = shuffle.below(self.ready.len());
                self.ready.remove(index)
            }
            _ => self.ready.pop_front(),
        }
    }

    /// The names of the tasks in the queue, first to last.
    pub fn ready(&self) -> impl Iterator<Item = &'static str> {
        self.ready.iter().map(Task::name)
    }
}
