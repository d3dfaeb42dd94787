//! The kernel: polls the tasks that were woken, and sleeps when there is none.
//!
//! It serves no requests any more. What a task waits for is between its operations and those who wake them.
//!
//! Its invariants, guarded by `tests/invariants.rs`:
//!
//! 1. A task is polled when somebody has woken it, and not otherwise. A new task counts as woken.
//! 2. A task is in the ready queue at most once, however often it is woken.
//! 3. Whoever is woken while it runs, runs again.
//! 4. There is a note exactly while an operation waits.
//! 5. When no task is ready and no thread is left that could wake one, either all have ended or all that are left are
//!    reported.

use std::future::Future;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};

use crate::context::{self, Context};
use crate::error::Deadlock;
use crate::scheduler::Scheduler;
use crate::task::{Task, TaskId, spawn_in};

/// Runs tasks, on the thread of the caller.
#[derive(Debug, Default)]
pub struct Kernel {
    scheduler: Scheduler,
    pub(crate) context: Rc<Context>,
}

/// What happened in one turn.
#[derive(Debug, PartialEq, Eq)]
pub struct Turn {
    /// The number of the task that ran.
    pub task: TaskId,
    /// Its name.
    pub name: &'static str,
    /// Whether it has ended.
    pub poll: Poll<()>,
}

impl Kernel {
    /// A kernel without tasks, first come, first served.
    pub fn new() -> Kernel {
        Kernel::default()
    }

    /// A kernel that picks the next task at random. The same seed makes the same choices.
    pub fn with_seed(seed: u64) -> Kernel {
        Kernel {
            scheduler: Scheduler::with_seed(seed),
            context: Rc::default(),
        }
    }

    /// Starts a task, from outside.
    pub fn spawn(&mut self, name: &'static str, future: impl Future<Output = ()> + 'static) -> Task {
        spawn_in(&self.context, name, future)
    }

    /// Runs until no task is left.
    ///
    /// # Errors
    /// [`Deadlock`] if tasks are left, and nobody is left who could wake one.
    pub fn run_all(&mut self) -> Result<(), Deadlock> {
        loop {
            while self.run_once().is_some() {}
            if self.context.tables.borrow().tasks.is_empty() {
                return Ok(());
            }
            if !self.context.remote.sleep() {
                return Err(Deadlock::new(self.context.tables.borrow().report()));
            }
        }
    }

    /// Gives one task one turn. `None` when no task is ready.
    pub fn run_once(&mut self) -> Option<Turn> {
        self.collect_wakes();
        let task = self.scheduler.pick()?;
        let mut tables = self.context.tables.borrow_mut();
        let slot = tables.tasks.get_mut(&task)?;
        slot.queued = false;
        slot.cycles += 1;
        let (name, waker) = (slot.name, slot.waker.clone());
        let mut future = slot.future.take()?;
        drop(tables); // the task will use them
        let mut cx = TaskContext::from_waker(&waker);
        let poll = context::enter(&self.context, task, || future.as_mut().poll(&mut cx));
        match poll {
            Poll::Pending => {
                if let Some(slot) = self.context.tables.borrow_mut().tasks.get_mut(&task) {
                    slot.future = Some(future);
                }
            }
            Poll::Ready(()) => {
                drop(future);
                self.end(task);
            }
        }
        Some(Turn { task, name, poll })
    }

    /// Moves those who were woken into the ready queue.
    fn collect_wakes(&mut self) {
        let mut tables = self.context.tables.borrow_mut();
        for task in self.context.remote.drain() {
            if let Some(slot) = tables.tasks.get_mut(&task)
                && !slot.queued
            {
                slot.queued = true;
                self.scheduler.push(task);
            }
        }
    }

    /// The task has ended. Those who waited for that are woken.
    fn end(&self, task: TaskId) {
        let ended = self.context.tables.borrow_mut().tasks.remove(&task);
        if let Some(slot) = ended {
            slot.end.ended.set(true);
            slot.end.joiners.notify_all();
        }
    }

    /// The tasks that are ready, first to last.
    pub fn ready(&mut self) -> impl Iterator<Item = TaskId> {
        self.collect_wakes();
        self.scheduler.ready()
    }

    /// What a task is doing; several words if it waits for several things.
    pub fn describe(&mut self, task: TaskId) -> String {
        self.collect_wakes();
        self.context.tables.borrow().describe(task)
    }

    /// The task table, for people.
    pub fn ps(&mut self) -> String {
        self.collect_wakes();
        self.context.tables.borrow().ps()
    }

    /// How many tasks have not ended.
    pub fn tasks(&self) -> usize {
        self.context.tables.borrow().tasks.len()
    }

    /// How many operations wait.
    pub fn waits(&self) -> usize {
        self.context.tables.borrow().waits.nodes.len()
    }

    /// How often a task was woken.
    pub fn wakes(&self) -> u64 {
        self.context.remote.wakes()
    }
}
