//! The run of a program, written down for the book's player.
//!
//! It is told from outside: by the queue and the notes before and after each turn. The kernel knows nothing of it.

use std::collections::{BTreeMap, BTreeSet};
use std::task::Poll;

use trace::{Clock, Ending, Left, Trace, Until};

use crate::kernel::Kernel;
use crate::task::TaskId;
use crate::voice;
use crate::waits::{Label, WaitKey};

/// Runs silently to the end. The trace of it; `seed` is that of the kernel.
pub fn record(kernel: &mut Kernel, seed: Option<u64>) -> String {
    let mut story = Story::default();
    let ready = story.woken(kernel, 0);
    story.enqueue(kernel, &ready);
    loop {
        let before = kernel.ready().count();
        let (Some(turn), said) = voice::listen(|| kernel.run_once()) else {
            if kernel.tasks() == 0 {
                break;
            }
            story.events.push(Event::Idle);
            if !kernel.context.remote.sleep() {
                break;
            }
            let ready = story.woken(kernel, 0);
            story.enqueue(kernel, &ready);
            continue;
        };
        let ready = story.woken(kernel, before - 1);
        story.begin(kernel, turn.task);
        for line in said {
            // Who says it is shown anyhow.
            let line = line.strip_prefix(&format!("{}: ", turn.name)).unwrap_or(&line);
            story.events.push(Event::Says(turn.task, line.to_string()));
        }
        match turn.poll {
            Poll::Pending => {
                story.enqueue(kernel, &ready);
                story.suspend(kernel, turn.task);
            }
            Poll::Ready(()) => {
                // The last to be woken are those who waited for the end.
                let joins = |task: &&TaskId| {
                    story
                        .waits
                        .values()
                        .any(|&wait| wait == (**task, Label::TASK_JOIN))
                };
                let joiners = ready.iter().rev().take_while(joins).count();
                let (before, after) = ready.split_at(ready.len() - joiners);
                story.enqueue(kernel, before);
                story.events.push(Event::Ended(turn.task));
                story.enqueue(kernel, after);
            }
        }
    }
    story.tell(seed)
}

/// What has happened.
enum Event {
    Created(TaskId, &'static str),
    /// One of its operations was woken. Which, is seen when the task runs: the one that completes.
    Woken(TaskId, Option<WaitKey>),
    Ready(TaskId),
    Running(TaskId),
    Says(TaskId, String),
    Wait(TaskId, WaitKey, Label),
    Left(TaskId, WaitKey),
    Suspended(TaskId, String),
    Ended(TaskId),
    Idle,
}

#[derive(Default)]
struct Story {
    events: Vec<Event>,
    known: BTreeSet<TaskId>,
    waits: BTreeMap<WaitKey, (TaskId, Label)>,
}

impl Story {
    /// Those who were put into the ready queue, behind so many that were there.
    fn woken(&self, kernel: &mut Kernel, there: usize) -> Vec<TaskId> {
        kernel.ready().skip(there).collect()
    }

    fn enqueue(&mut self, kernel: &Kernel, tasks: &[TaskId]) {
        for &task in tasks {
            if self.known.insert(task) {
                let name = kernel.context.tables.borrow().tasks[&task].name;
                self.events.push(Event::Created(task, name));
            } else {
                self.events.push(Event::Woken(task, None));
            }
            self.events.push(Event::Ready(task));
        }
    }

    /// The task runs, and some of its operations complete.
    fn begin(&mut self, kernel: &Kernel, task: TaskId) {
        self.events.push(Event::Running(task));
        let tables = kernel.context.tables.borrow();
        let gone: Vec<WaitKey> = self.waits.keys().copied().collect();
        for key in gone {
            if self.waits[&key].0 == task && !tables.waits.nodes.contains_key(&key) {
                self.waits.remove(&key);
                let woken = self.events.iter_mut().rev().find_map(|event| match event {
                    Event::Woken(woken, wait) if *woken == task => Some(wait),
                    _ => None,
                });
                woken.into_iter().for_each(|wait| *wait = Some(key));
                self.events.push(Event::Left(task, key));
            }
        }
    }

    /// The run is over: new notes were written, and the task does something else now.
    fn suspend(&mut self, kernel: &mut Kernel, task: TaskId) {
        let tables = kernel.context.tables.borrow();
        for (&key, wait) in &tables.waits.nodes {
            let new = (wait.task, wait.label);
            if self.waits.insert(key, new).is_none() {
                self.events.push(Event::Wait(wait.task, key, wait.label));
            }
        }
        drop(tables);
        let states = kernel.describe(task);
        let state = states.split(", ").last().unwrap_or_default();
        self.events.push(Event::Suspended(task, state.to_string()));
    }

    fn tell(self, seed: Option<u64>) -> String {
        let mut trace = Trace::new(Clock::Steps, seed);
        for event in self.events {
            match event {
                Event::Created(task, name) => trace.created(task.0, name),
                Event::Woken(_, None) => {}
                Event::Woken(task, Some(wait)) => trace.wake(task.0, wait.0),
                Event::Ready(task) => trace.ready(task.0),
                Event::Running(task) => trace.running(task.0),
                Event::Says(task, line) => trace.says(task.0, &line),
                Event::Wait(task, wait, label) => trace.wait(task.0, wait.0, label.as_str(), Until::Woken),
                Event::Left(task, wait) => trace.left(task.0, wait.0, Left::Completed),
                Event::Suspended(task, state) => trace.suspended(task.0, &state),
                Event::Ended(task) => {
                    trace.suspended(task.0, "TERMINATED");
                    trace.terminated(task.0, Ending::Value);
                }
                Event::Idle => trace.idle(None),
            }
        }
        trace.text().to_string()
    }
}
