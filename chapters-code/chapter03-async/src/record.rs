//! The run of a program, written down for the book's player.
//!
//! It is told from outside: by the queue and the tables before and after each turn. The kernel knows nothing of it.

use std::collections::{BTreeMap, BTreeSet};

use trace::{Clock, Ending, Left, Trace, Until};

use crate::channel::ChannelId;
use crate::generator::Step;
use crate::kernel::Kernel;
use crate::state::{Label, State};
use crate::task::TaskId;
use crate::voice;

/// Runs silently to the end. The trace of it; `seed` is that of the kernel.
pub fn record(kernel: &mut Kernel, seed: Option<u64>) -> String {
    let mut story = Story {
        trace: Trace::new(Clock::Steps, seed),
        known: BTreeSet::new(),
        waits: BTreeMap::new(),
        last_wait: 0,
        channels: BTreeMap::new(),
    };
    story.look_at_channels(kernel);
    story.enqueue(kernel, 0);
    loop {
        let before = kernel.ready().count();
        let (Some(turn), said) = voice::listen(|| kernel.run_once()) else {
            break;
        };
        story.trace.running(turn.task.0);
        for line in said {
            // Who says it is shown anyhow.
            let line = line.strip_prefix(&format!("{}: ", turn.name)).unwrap_or(&line);
            story.trace.says(turn.task.0, line);
        }
        match turn.step {
            Step::Yielded(asked) => {
                story.trace.asks(turn.task.0, &asked);
                story.look_at_channels(kernel);
                story.enqueue(kernel, before - 1);
                story.suspend(kernel, turn.task);
            }
            Step::Complete => {
                story.end(turn.task);
                story.enqueue(kernel, before - 1);
            }
        }
    }
    if !kernel.tables().tasks.is_empty() {
        story.trace.idle(None);
    }
    story.trace.text().to_string()
}

struct Story {
    trace: Trace,
    known: BTreeSet<TaskId>,
    /// The number of the wait of each task that waits.
    waits: BTreeMap<TaskId, u64>,
    last_wait: u64,
    /// The messages that each channel held when we looked last.
    channels: BTreeMap<ChannelId, String>,
}

impl Story {
    /// These were put into the ready queue, behind so many that were there.
    fn enqueue(&mut self, kernel: &Kernel, there: usize) {
        for task in kernel.ready().skip(there) {
            if self.known.insert(task) {
                self.trace.created(task.0, kernel.tables().tasks[&task].name);
            } else if let Some(wait) = self.waits.remove(&task) {
                // Who is woken is on no list any more.
                self.trace.wake(task.0, wait);
                self.trace.left(task.0, wait, Left::Completed);
            }
            self.trace.ready(task.0);
        }
    }

    /// New channels, and what they hold by now.
    fn look_at_channels(&mut self, kernel: &Kernel) {
        for (&id, channel) in &kernel.tables().channels {
            let messages: Vec<String> = channel
                .messages
                .iter()
                .map(|message| format!("{message:?}"))
                .collect();
            let messages = messages.join(", ");
            let known = self.channels.entry(id).or_insert_with(|| {
                self.trace.list(id.0, &format!("channel {id}"));
                String::new()
            });
            if *known != messages {
                self.trace.holds(id.0, &messages);
                *known = messages;
            }
        }
    }

    fn suspend(&mut self, kernel: &Kernel, task: TaskId) {
        let state = kernel.tables().tasks[&task].state;
        if let State::Waiting(label) = state {
            self.last_wait += 1;
            self.waits.insert(task, self.last_wait);
            let until = match label {
                Label::TaskJoin(other) => Until::Task(other.0),
                Label::ReceiveWait(channel) => Until::Listed(channel.0),
            };
            self.trace.wait(task.0, self.last_wait, state.as_str(), until);
        }
        self.trace.suspended(task.0, state.as_str());
    }

    fn end(&mut self, task: TaskId) {
        self.trace.suspended(task.0, "TERMINATED");
        self.trace.terminated(task.0, Ending::Value);
    }
}
