//! Reads a trace (the format is in the documentation of `curio::trace`), rebuilds the state of the kernel from it line by
//! line, and refuses what cannot have happened:
//!
//!  1. The first line is a header of version 1. Every line has exactly the fields of its event, in order. Time does not go
//!     back.
//!  2. A task is created once, by the running task if one is running. It ends once; nothing happens to it before and after.
//!  3. A task enters the ready queue only if it is not in it, and runs only from there, one at a time; without a seed, the
//!     first one runs. (When a task has ended in the queue, its place there may have gone to a new one, which runs early.)
//!  4. After its run a task is `READY` exactly if it is queued; otherwise it waits for what one of its waits says, or for a
//!     future that the kernel does not know. After `TERMINATED` it does not run again.
//!  5. Waits begin in a run of their task. One that begins anew was woken, or its task has run.
//!  6. A sleep completes when its time has come and not before, a join when the task has ended. Interrupted are those, and
//!     only those, to which something is delivered.
//!  7. A timer belongs to a wait or a timeout. They fire in the order of deadlines, then of setting, and not early; on the
//!     virtual clock not late either. The timer of a wait is removed only as that leaves. A wait that leaves, and a task
//!     that ends, leave no timer behind.
//!  8. What is delivered was due, and comes as an error of its kind. A task that ended as cancelled had been told so.
//!  9. The kernel is idle only when nobody runs, the queue is empty, everybody who was woken has run, and not beyond the
//!     next deadline.

#![allow(dead_code, missing_docs, unreachable_pub)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub type Result<T> = std::result::Result<T, String>;

/// The fields of each event, after `at` and `event`, with their types: a number, a text, a truth value; `?` for one that
/// may be null.
const EVENTS: &[(&str, &[(&str, &str)])] = &[
    (
        "created",
        &[
            ("task", "n"),
            ("name", "t"),
            ("parent", "n?"),
            ("daemon", "b"),
            ("place", "t?"),
        ],
    ),
    ("ready", &[("task", "n")]),
    ("running", &[("task", "n")]),
    ("says", &[("task", "n"), ("text", "t")]),
    ("asks", &[("task", "n"), ("text", "t")]),
    ("list", &[("list", "n"), ("name", "t")]),
    ("holds", &[("list", "n"), ("text", "t")]),
    ("suspended", &[("task", "n"), ("state", "t"), ("place", "t?")]),
    ("terminated", &[("task", "n"), ("how", "t"), ("error", "t?")]),
    (
        "wait",
        &[
            ("task", "n"),
            ("wait", "n"),
            ("label", "t"),
            ("place", "t?"),
            ("until", "t"),
            ("what", "n?"),
        ],
    ),
    ("wake", &[("task", "n"), ("wait", "n"), ("by", "n?")]),
    ("left", &[("task", "n"), ("wait", "n"), ("how", "t")]),
    ("interrupt", &[("task", "n"), ("scope", "n"), ("kind", "t")]),
    (
        "deliver",
        &[
            ("task", "n"),
            ("scope", "n"),
            ("kind", "t"),
            ("wait", "n?"),
            ("error", "t"),
        ],
    ),
    (
        "timer",
        &[
            ("task", "n"),
            ("wait", "n?"),
            ("scope", "n?"),
            ("deadline", "n"),
            ("how", "t"),
        ],
    ),
    (
        "readiness",
        &[("socket", "n"), ("readable", "b"), ("writable", "b")],
    ),
    ("idle", &[("until", "n?")]),
];

const HEADER: &[(&str, &str)] = &[("format", "t"), ("version", "n"), ("clock", "t"), ("seed", "n?")];

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Task {
    pub name: String,
    pub parent: Option<u64>,
    /// What the last `suspended` said; empty before the first.
    pub state: String,
    /// How it has ended.
    pub ended: Option<String>,
    told_of_cancel: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Wait {
    pub task: u64,
    pub label: String,
    pub until: String,
    pub what: Option<u64>,
    pub woken: bool,
    ran: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Timer {
    pub task: u64,
    pub wait: Option<u64>,
    pub scope: Option<u64>,
    pub deadline: u64,
    set_at: u64,
}

/// What must come next.
#[derive(Debug, Clone, PartialEq)]
enum Due {
    /// The timer of this wait is set.
    Timer(u64),
    /// This wait leaves, as interrupted.
    Interrupted(u64),
    /// This wait, whose timer was removed, leaves.
    Left(u64),
}

/// The kernel as the trace tells it.
#[derive(Debug, Clone, Default)]
pub struct State {
    pub virtual_clock: bool,
    pub shuffled: bool,
    pub onlookers_act: bool,
    pub now: u64,
    pub tasks: BTreeMap<u64, Task>,
    pub queue: Vec<u64>,
    pub running: Option<u64>,
    pub waits: BTreeMap<u64, Wait>,
    /// In the order in which they were set.
    pub timers: Vec<Timer>,
    pub readiness: BTreeMap<u64, (bool, bool)>,
    /// How often each event has happened.
    pub counts: BTreeMap<String, usize>,
    due_scopes: BTreeSet<(u64, u64)>,
    ended_in_queue: bool,
    next: Option<Due>,
}

/// An object whose fields were checked.
struct Line(Value);

impl Line {
    fn parse(line: &str) -> Result<Value> {
        serde_json::from_str(line).map_err(|e| format!("is no JSON: {e}"))
    }

    fn new(value: Value, fields: &[&[(&str, &str)]]) -> Result<Line> {
        let object = value.as_object().ok_or("is no object")?;
        let fields: Vec<_> = fields.concat();
        let names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
        if !object.keys().eq(names.iter()) {
            return Err(format!("must have the fields {names:?}, in this order"));
        }
        for (name, kind) in fields {
            let value = &object[name];
            let right = match kind.as_bytes()[0] {
                b'n' => value.is_u64(),
                b't' => value.is_string(),
                _ => value.is_boolean(),
            };
            let null = kind.ends_with('?') && value.is_null();
            ensure(right || null, || format!("{name} must not be {value}"))?;
        }
        Ok(Line(value))
    }

    fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_default()
    }

    fn number(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap_or_default()
    }

    fn maybe(&self, name: &str) -> Option<u64> {
        self.0[name].as_u64()
    }

    fn one_of(&self, name: &str, all: &[&str]) -> Result<&str> {
        let text = self.text(name);
        ensure(all.contains(&text), || format!("{name} must be one of {all:?}"))?;
        Ok(text)
    }
}

fn ensure(holds: bool, message: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(message()) }
}

/// Checks a whole trace. The error names the line.
pub fn check(trace: &str) -> Result<State> {
    check_from(State::default(), trace)
}

/// The same for a kernel whose activations spawn and wake, which belongs to no task though it may be told after `running`.
pub fn check_onlookers(trace: &str) -> Result<State> {
    let state = State {
        onlookers_act: true,
        ..State::default()
    };
    check_from(state, trace)
}

fn check_from(mut state: State, trace: &str) -> Result<State> {
    for (index, line) in trace.lines().enumerate() {
        let step = if index == 0 {
            state.header(line)
        } else {
            state.step(line)
        };
        step.map_err(|error| format!("line {}: {error}: {line}", index + 1))?;
    }
    ensure(!trace.is_empty(), || "there is no header".to_string())?;
    ensure(trace.ends_with('\n'), || "the last line has no end".to_string())?;
    Ok(state)
}

/// Checks the trace of a kernel that is gone: nothing may be left.
pub fn check_ended(trace: &str) -> Result<State> {
    let state = check(trace)?;
    let alive = state.tasks.values().filter(|task| task.ended.is_none()).count();
    let left = (
        alive,
        state.queue.len(),
        state.running,
        state.waits.len(),
        state.timers.len(),
    );
    ensure(left == (0, 0, None, 0, 0), || {
        format!("tasks, queue, running, waits, timers at the end: {left:?}")
    })?;
    Ok(state)
}

impl State {
    /// How many tasks have not ended.
    pub fn alive(&self) -> usize {
        self.tasks.values().filter(|task| task.ended.is_none()).count()
    }

    /// Whether what happens can be this task's doing.
    fn is_by(&self, task: Option<u64>) -> bool {
        task == self.running || task.is_none() && self.onlookers_act
    }

    /// Reads the first line.
    pub fn header(&mut self, line: &str) -> Result<()> {
        let line = Line::new(Line::parse(line)?, &[HEADER])?;
        line.one_of("format", &["curio-trace"])?;
        ensure(line.number("version") == 1, || "version must be 1".to_string())?;
        let clock = line.one_of("clock", &["real", "virtual", "steps"])?;
        self.virtual_clock = clock == "virtual";
        self.shuffled = line.maybe("seed").is_some();
        Ok(())
    }

    /// Reads an event.
    pub fn step(&mut self, line: &str) -> Result<()> {
        let value = Line::parse(line)?;
        let event = value["event"].as_str().unwrap_or_default().to_string();
        let (_, fields) = EVENTS
            .iter()
            .find(|(name, _)| *name == event)
            .ok_or("is no event")?;
        let line = Line::new(value, &[&[("at", "n"), ("event", "t")], fields])?;
        self.advance(&line, &event)?;
        *self.counts.entry(event.clone()).or_default() += 1;
        match &*event {
            "created" => self.created(&line),
            "ready" => self.ready(&line),
            "running" => self.running(&line),
            "says" | "asks" => self.says(&line),
            "list" | "holds" => Ok(()),
            "suspended" => self.suspended(&line),
            "terminated" => self.terminated(&line),
            "wait" => self.wait(&line),
            "wake" => self.wake(&line),
            "left" => self.left(&line),
            "interrupt" => self.interrupt(&line),
            "deliver" => self.deliver(&line),
            "timer" => self.timer(&line),
            "readiness" => self.ready_socket(&line),
            _ => self.idle(&line),
        }
    }

    /// What holds for all events: time, and what the last event has announced.
    fn advance(&mut self, line: &Line, event: &str) -> Result<()> {
        let now = line.number("at");
        ensure(now >= self.now, || "time goes back".to_string())?;
        self.now = now;
        if self.virtual_clock
            && let Some(late) = self.timers.iter().find(|t| now > t.deadline.max(t.set_at))
        {
            return Err(format!("{late:?} should have fired"));
        }
        match self.next.clone() {
            Some(Due::Timer(wait)) => {
                let right = event == "timer" && line.maybe("wait") == Some(wait) && line.text("how") == "set";
                ensure(right, || format!("the timer of wait {wait} must be set now"))?;
                self.next = None;
            }
            Some(Due::Left(wait)) => {
                let right = event == "left" && line.maybe("wait") == Some(wait);
                ensure(right, || format!("wait {wait} must end now"))?;
                self.next = None;
            }
            Some(Due::Interrupted(wait)) if line.maybe("wait") != Some(wait) => {
                return Err(format!("wait {wait} must end now"));
            }
            _ => {}
        }
        Ok(())
    }

    /// The task of this event; it has not ended.
    fn task(&mut self, line: &Line) -> Result<(u64, &mut Task)> {
        let id = line.number("task");
        let task = self.tasks.get_mut(&id).ok_or("there is no such task")?;
        ensure(task.ended.is_none(), || "the task has ended".to_string())?;
        Ok((id, task))
    }

    fn created(&mut self, line: &Line) -> Result<()> {
        let id = line.number("task");
        let task = Task {
            name: line.text("name").to_string(),
            parent: line.maybe("parent"),
            ..Task::default()
        };
        ensure(self.is_by(task.parent), || {
            "the parent is not the running task".to_string()
        })?;
        ensure(self.tasks.insert(id, task).is_none(), || {
            "the task exists".to_string()
        })
    }

    fn ready(&mut self, line: &Line) -> Result<()> {
        let (id, _) = self.task(line)?;
        ensure(!self.queue.contains(&id), || {
            "the task is in the queue".to_string()
        })?;
        self.queue.push(id);
        Ok(())
    }

    fn running(&mut self, line: &Line) -> Result<()> {
        let running = self.running;
        let (id, task) = self.task(line)?;
        ensure(running.is_none(), || "another task is running".to_string())?;
        ensure(task.state != "TERMINATED", || {
            "the task has terminated".to_string()
        })?;
        let place = self.queue.iter().position(|&queued| queued == id);
        let place = place.ok_or("the task is not ready")?;
        ensure(place == 0 || self.shuffled || self.ended_in_queue, || {
            "the task is not the first".to_string()
        })?;
        self.queue.remove(place);
        self.running = Some(id);
        for wait in self.waits.values_mut().filter(|wait| wait.task == id) {
            (wait.woken, wait.ran) = (false, true);
        }
        Ok(())
    }

    fn says(&mut self, line: &Line) -> Result<()> {
        let running = self.running;
        let (id, _) = self.task(line)?;
        ensure(running == Some(id), || "the task does not run".to_string())
    }

    fn suspended(&mut self, line: &Line) -> Result<()> {
        let state = line.text("state");
        let (id, task) = self.task(line)?;
        task.state = state.to_string();
        ensure(self.running.take() == Some(id), || {
            "the task was not running".to_string()
        })?;
        let mut waits = self.waits.values().filter(|wait| wait.task == id);
        let right = match state {
            "TERMINATED" => true,
            _ if self.queue.contains(&id) => state == "READY",
            "FOREIGN_WAIT" if waits.next().is_none() => true,
            label => waits.any(|wait| wait.label == label),
        };
        ensure(right, || "that cannot be its state".to_string())
    }

    fn terminated(&mut self, line: &Line) -> Result<()> {
        let how = line.one_of(
            "how",
            &["value", "cancelled", "failed", "exit", "panicked", "dropped"],
        )?;
        let running = self.running;
        let (id, task) = self.task(line)?;
        ensure(running != Some(id), || "the task is running".to_string())?;
        ensure(how == "dropped" || task.state == "TERMINATED", || {
            "the task has not come to an end".to_string()
        })?;
        ensure(how != "cancelled" || task.told_of_cancel, || {
            "the task was not told that it is cancelled".to_string()
        })?;
        task.ended = Some(how.to_string());
        ensure(!self.waits.values().any(|wait| wait.task == id), || {
            "the task waits".to_string()
        })?;
        ensure(!self.timers.iter().any(|timer| timer.task == id), || {
            "the task has timers".to_string()
        })?;
        if let Some(place) = self.queue.iter().position(|&queued| queued == id) {
            self.queue.remove(place);
            self.ended_in_queue = true;
        }
        Ok(())
    }

    fn wait(&mut self, line: &Line) -> Result<()> {
        let running = self.running;
        let (task, _) = self.task(line)?;
        ensure(running == Some(task), || "the task is not running".to_string())?;
        let (id, what) = (line.number("wait"), line.maybe("what"));
        let until = line.one_of(
            "until",
            &["woken", "time", "task", "readable", "writable", "listed"],
        )?;
        ensure((until == "woken") == what.is_none(), || {
            "until and what do not fit".to_string()
        })?;
        let wait = Wait {
            task,
            label: line.text("label").to_string(),
            until: until.to_string(),
            what,
            woken: false,
            ran: false,
        };
        match until {
            "task" => {
                let target = what.and_then(|target| self.tasks.get(&target));
                ensure(target.is_some_and(|t| t.ended.is_none()), || {
                    "it waits for a task that is not there".to_string()
                })?;
            }
            "time" => self.next = Some(Due::Timer(id)),
            _ => {}
        }
        let same = (wait.task, wait.label.clone());
        match self.waits.insert(id, wait) {
            Some(before) => ensure(before.ran && (before.task, before.label) == same, || {
                "another wait has this number".to_string()
            }),
            None => Ok(()),
        }
    }

    /// The wait of this event.
    fn wait_of(&mut self, line: &Line) -> Result<(u64, &mut Wait)> {
        let id = line.number("wait");
        let wait = self.waits.get_mut(&id).ok_or("there is no such wait")?;
        ensure(wait.task == line.number("task"), || {
            "the wait is another task's".to_string()
        })?;
        Ok((id, wait))
    }

    fn wake(&mut self, line: &Line) -> Result<()> {
        ensure(self.is_by(line.maybe("by")), || {
            "by is not the running task".to_string()
        })?;
        let (_, wait) = self.wait_of(line)?;
        wait.woken = true;
        Ok(())
    }

    fn left(&mut self, line: &Line) -> Result<()> {
        let how = line.one_of("how", &["completed", "interrupted", "dropped"])?;
        let (id, wait) = self.wait_of(line)?;
        let wait = wait.clone();
        let announced = self.next.take_if(|next| *next == Due::Interrupted(id)).is_some();
        ensure(announced == (how == "interrupted"), || {
            "interruption and delivery do not fit".to_string()
        })?;
        let come = match (&*wait.until, wait.what) {
            ("time", Some(deadline)) => deadline <= self.now,
            ("task", Some(target)) => self.tasks.get(&target).is_some_and(|t| t.ended.is_some()),
            _ => true,
        };
        ensure(come || how != "completed", || {
            "what it waits for has not happened".to_string()
        })?;
        ensure(!self.timers.iter().any(|timer| timer.wait == Some(id)), || {
            "the wait leaves its timer behind".to_string()
        })?;
        self.waits.remove(&id);
        Ok(())
    }

    fn interrupt(&mut self, line: &Line) -> Result<()> {
        line.one_of("kind", &["task", "timeout"])?;
        let (task, _) = self.task(line)?;
        self.due_scopes.insert((task, line.number("scope")));
        Ok(())
    }

    fn deliver(&mut self, line: &Line) -> Result<()> {
        let right: &[_] = match line.one_of("kind", &["task", "timeout"])? {
            "task" => &["Cancelled"],
            _ => &["Timeout", "TimeoutCancellation"],
        };
        let error = line.one_of("error", right)?;
        let running = self.running;
        let (id, task) = self.task(line)?;
        task.told_of_cancel |= error == "Cancelled";
        ensure(running == Some(id), || "the task is not running".to_string())?;
        ensure(self.due_scopes.contains(&(id, line.number("scope"))), || {
            "that was not due".to_string()
        })?;
        if let Some(wait) = line.maybe("wait") {
            self.wait_of(line)?;
            self.next = Some(Due::Interrupted(wait));
        }
        Ok(())
    }

    fn timer(&mut self, line: &Line) -> Result<()> {
        let timer = Timer {
            task: line.number("task"),
            wait: line.maybe("wait"),
            scope: line.maybe("scope"),
            deadline: line.number("deadline"),
            set_at: self.now,
        };
        ensure(timer.wait.is_some() != timer.scope.is_some(), || {
            "a timer belongs to a wait or to a scope".to_string()
        })?;
        let found = self.timers.iter().position(|t| {
            (t.task, t.wait, t.scope, t.deadline) == (timer.task, timer.wait, timer.scope, timer.deadline)
        });
        match line.one_of("how", &["set", "fired", "removed"])? {
            "set" => {
                self.task(line)?;
                ensure(self.running == Some(timer.task), || {
                    "the task is not running".to_string()
                })?;
                if timer.wait.is_some() {
                    let (_, wait) = self.wait_of(line)?;
                    let fits = wait.until == "time" && wait.what == Some(timer.deadline);
                    ensure(fits, || "the wait is for something else".to_string())?;
                }
                let taken = self
                    .timers
                    .iter()
                    .any(|t| (t.wait, t.scope) == (timer.wait, timer.scope));
                ensure(!taken, || "there is a timer already".to_string())?;
                self.timers.push(timer);
            }
            "fired" => {
                let found = found.ok_or("there is no such timer")?;
                ensure(self.running.is_none(), || "a task is running".to_string())?;
                ensure(self.now >= timer.deadline, || "it fires early".to_string())?;
                // Of those with the least deadline, `min_by_key` gives the first.
                let first = self.timers.iter().enumerate().min_by_key(|(_, t)| t.deadline);
                ensure(first.is_some_and(|(first, _)| first == found), || {
                    "another timer must fire first".to_string()
                })?;
                self.timers.remove(found);
            }
            _ => {
                self.timers.remove(found.ok_or("there is no such timer")?);
                if let Some(wait) = timer.wait
                    && self.next.is_none()
                {
                    self.next = Some(Due::Left(wait));
                }
            }
        }
        Ok(())
    }

    fn ready_socket(&mut self, line: &Line) -> Result<()> {
        ensure(self.running.is_none(), || "a task is running".to_string())?;
        let bits = (line.0["readable"] == true, line.0["writable"] == true);
        self.readiness.insert(line.number("socket"), bits);
        Ok(())
    }

    fn idle(&mut self, line: &Line) -> Result<()> {
        ensure(self.running.is_none(), || "a task is running".to_string())?;
        ensure(self.queue.is_empty(), || {
            "there are tasks that are ready".to_string()
        })?;
        ensure(!self.waits.values().any(|wait| wait.woken), || {
            "somebody was woken and has not run".to_string()
        })?;
        let (first, until) = (self.timers.iter().map(|t| t.deadline).min(), line.maybe("until"));
        ensure(
            first.is_none_or(|first| until.is_some_and(|until| until <= first)),
            || "it would oversleep".to_string(),
        )
    }
}
