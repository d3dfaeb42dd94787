//! Exercise 2, wrong: a task that has stopped in the middle does not go back.

use std::collections::VecDeque;

use chapter1::generator::Generator;
use chapter1::scheduler::Turn;
use chapter1::shuffle::Shuffle;
use chapter1::task::Task;

/// Lets tasks take turns.
#[derive(Debug, Default)]
pub struct Scheduler {
    ready: VecDeque<Task>,
    shuffle: Option<Shuffle>,
}

impl Scheduler {
    /// A scheduler without tasks, first come, first served.
    pub fn new() -> Scheduler {
        Scheduler::default()
    }

    /// A scheduler that picks the next task at random.
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
