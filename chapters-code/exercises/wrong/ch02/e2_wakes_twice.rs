//! Exercise 2, wrong: whoever waits for an end is woken twice.

use chapter2::channel::{ChannelId, Message};
use chapter2::error::Deadlock;
use chapter2::generator::{Generator, Step};
use chapter2::kernel::Turn;
use chapter2::scheduler::Scheduler;
use chapter2::state::{Label, State};
use chapter2::tables::Tables;
use chapter2::task::{Body, TaskId};
use chapter2::traps::{Reply, Trap};

/// Runs tasks, on the thread of the caller.
#[derive(Debug, Default)]
pub struct Kernel {
    scheduler: Scheduler,
    tables: Tables,
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
            tables: Tables::default(),
        }
    }

    /// Makes a channel.
    pub fn channel(&mut self) -> ChannelId {
        self.tables.add_channel()
    }

    /// Makes a task, from outside.
    pub fn spawn<G>(&mut self, name: &'static str, generator: G) -> TaskId
    where
        G: Generator<Yield = Trap, Answer = Reply> + 'static,
    {
        self.add(name, Box::new(generator))
    }

    /// Runs until no task is left.
    ///
    /// # Errors
    /// [`Deadlock`] if tasks are left and none of them can go on.
    pub fn run_all(&mut self) -> Result<(), Deadlock> {
        while self.run_once().is_some() {}
        match self.tables.tasks.is_empty() {
            true => Ok(()),
            false => Err(Deadlock::new(self.tables.report())),
        }
    }

    /// Gives one task one turn. `None` when no task can go on.
    pub fn run_once(&mut self) -> Option<Turn> {
        let id = self.scheduler.pick()?;
        let task = self.tables.tasks.get_mut(&id)?;
        let name = task.name;
        let step = match task.resume() {
            Step::Yielded(trap) => {
                let asked = trap.to_string();
                self.serve(id, trap);
                Step::Yielded(asked)
            }
            Step::Complete => {
                self.end(id);
                Step::Complete
            }
        };
        Some(Turn { task: id, name, step })
    }

    /// The task asks for something.
    fn serve(&mut self, task: TaskId, trap: Trap) {
        match trap {
            Trap::Yield => self.wake(task, Reply::Done),
            Trap::Spawn { name, body } => {
                let kid = self.add(name, body);
                self.wake(task, Reply::Spawned(kid));
            }
            Trap::Join(other) => self.join(task, other),
            Trap::Send(channel, message) => {
                self.send(channel, message);
                self.wake(task, Reply::Done);
            }
            Trap::Receive(channel) => self.receive(task, channel),
        }
    }

    /// Makes a task. It can run at once.
    fn add(&mut self, name: &'static str, body: Body) -> TaskId {
        let task = self.tables.add_task(name, body);
        self.scheduler.push(task);
        task
    }

    /// The task wants to know when the other one has ended.
    fn join(&mut self, task: TaskId, other: TaskId) {
        match self.tables.tasks.get_mut(&other) {
            Some(running) => {
                running.joiners.push(task);
                self.wait(task, Label::TaskJoin(other));
            }
            // A number is given to one task only. This one has ended.
            None => self.wake(task, Reply::Done),
        }
    }

    /// Somebody who waits gets the message; otherwise it waits itself.
    fn send(&mut self, channel: ChannelId, message: Message) {
        let entry = self.tables.channel(channel);
        match entry.receivers.pop_front() {
            Some(receiver) => self.wake(receiver, Reply::Received(message)),
            None => entry.messages.push_back(message),
        }
    }

    /// The task gets the oldest message, or waits for the next one.
    fn receive(&mut self, task: TaskId, channel: ChannelId) {
        let entry = self.tables.channel(channel);
        match entry.messages.pop_front() {
            Some(message) => self.wake(task, Reply::Received(message)),
            None => {
                entry.receivers.push_back(task);
                self.wait(task, Label::ReceiveWait(channel));
            }
        }
    }

    /// The task cannot go on: write down why. It is on a list, and not in the ready queue.
    fn wait(&mut self, task: TaskId, label: Label) {
        if let Some(task) = self.tables.tasks.get_mut(&task) {
            task.state = State::Waiting(label);
        }
    }

    /// The task can go on, with this answer.
    fn wake(&mut self, task: TaskId, reply: Reply) {
        if let Some(entry) = self.tables.tasks.get_mut(&task) {
            entry.answer(reply);
            self.scheduler.push(task);
        }
    }

    /// The task has ended. Those who waited for that can go on.
    fn end(&mut self, task: TaskId) {
        let ended = self.tables.tasks.remove(&task);
        for joiner in ended.into_iter().flat_map(|task| task.joiners) {
            self.wake(joiner, Reply::Done);
            self.wake(joiner, Reply::Done);
        }
    }

    /// The tasks that can go on, first to last.
    pub fn ready(&self) -> impl Iterator<Item = TaskId> {
        self.scheduler.ready()
    }

    /// Who is there.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }
}
