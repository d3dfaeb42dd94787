//! The kernel's tables: all tasks that have not ended, and all channels.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::channel::{Channel, ChannelId};
use crate::task::{Body, Task, TaskId};

/// Who is there.
#[derive(Debug, Default)]
pub struct Tables {
    /// The tasks that have not ended, by number.
    pub tasks: BTreeMap<TaskId, Task>,
    /// The channels, by number.
    pub channels: BTreeMap<ChannelId, Channel>,
    last_task: u64,
    last_channel: u64,
}

impl Tables {
    /// Enters a new task, under a number that no task had before.
    pub fn add_task(&mut self, name: &'static str, body: Body) -> TaskId {
        self.last_task += 1;
        let task = TaskId(self.last_task);
        self.tasks.insert(task, Task::new(name, body));
        task
    }

    /// Enters a new channel.
    pub fn add_channel(&mut self) -> ChannelId {
        self.last_channel += 1;
        let channel = ChannelId(self.last_channel);
        self.channels.insert(channel, Channel::default());
        channel
    }

    /// The channel with this number.
    ///
    /// # Panics
    /// If the number is that of another kernel's channel.
    pub fn channel(&mut self, channel: ChannelId) -> &mut Channel {
        let entry = self.channels.get_mut(&channel);
        entry.expect("a channel belongs to the kernel that made it")
    }

    /// The task table, for people.
    pub fn ps(&self) -> String {
        let mut text = String::from("Task   State        Cycles     Task\n");
        text += "------ ------------ ---------- --------\n";
        for (id, task) in &self.tasks {
            let (id, state) = (id.to_string(), task.state.as_str());
            let (cycles, name) = (task.cycles, task.name);
            let _ = writeln!(text, "{id:<6} {state:<12} {cycles:<10} {name}");
        }
        text
    }

    /// What each task waits for, one line for each.
    pub fn report(&self) -> String {
        let mut text = String::new();
        for (id, task) in &self.tasks {
            let _ = write!(text, "\n  task {id} ({}) {}", task.name, task.state);
        }
        text
    }
}
