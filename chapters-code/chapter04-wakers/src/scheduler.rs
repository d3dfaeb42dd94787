//! The scheduler: who runs next.
//!
//! It holds numbers and no tasks. The tasks are in the kernel's table, and stay there while they wait; only those that
//! can go on have their number here.

use std::collections::VecDeque;

use crate::shuffle::Shuffle;
use crate::task::TaskId;

/// The ready queue.
#[derive(Debug, Default)]
pub struct Scheduler {
    ready: VecDeque<TaskId>,
    shuffle: Option<Shuffle>,
}

impl Scheduler {
    /// An empty queue, first come, first served.
    pub fn new() -> Scheduler {
        Scheduler::default()
    }

    /// A queue that picks the next task at random. The same seed makes the same choices.
    pub fn with_seed(seed: u64) -> Scheduler {
        Scheduler {
            ready: VecDeque::new(),
            shuffle: Some(Shuffle::new(seed)),
        }
    }

    /// Puts a task that can go on at the end of the queue.
    pub fn push(&mut self, task: TaskId) {
        self.ready.push_back(task);
    }

    /// Takes the next task out of the queue: the first one, or with a seed any of them.
    pub fn pick(&mut self) -> Option<TaskId> {
        match &mut self.shuffle {
            Some(shuffle) if !self.ready.is_empty() => {
                let index = shuffle.below(self.ready.len());
                self.ready.remove(index)
            }
            _ => self.ready.pop_front(),
        }
    }

    /// The tasks in the queue, first to last.
    pub fn ready(&self) -> impl Iterator<Item = TaskId> {
        self.ready.iter().copied()
    }
}
