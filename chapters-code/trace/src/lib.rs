//! Writes down what a kernel does, so that the book can show it step by step.
//!
//! A kernel that wants to be looked at has a [`Trace`] and tells it of each thing it does, with one call. What comes out
//! is text: a line for each event. Its format is that of the library at the end of the book, whose documentation of
//! `curio::trace` describes it; so one player shows the runs of all kernels, from the first chapter to the last.
//!
//! ```
//! use trace::{Clock, Ending, Trace};
//!
//! let mut trace = Trace::new(Clock::Steps, None);
//! trace.created(1, "kid");
//! trace.ready(1);
//! trace.running(1);
//! trace.suspended(1, "TERMINATED");
//! trace.terminated(1, Ending::Value);
//! assert_eq!(
//!     trace.text(),
//!     r#"{"format":"curio-trace","version":1,"clock":"steps","seed":null}
//! {"at":0,"event":"created","task":1,"name":"kid","parent":null,"daemon":false,"place":null}
//! {"at":0,"event":"ready","task":1}
//! {"at":1,"event":"running","task":1}
//! {"at":1,"event":"suspended","task":1,"state":"TERMINATED","place":null}
//! {"at":1,"event":"terminated","task":1,"how":"value","error":null}
//! "#
//! );
//! ```

mod line;

use line::Line;

/// What the times in a trace are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The kernel has no clock: times count the runs of tasks.
    Steps,
    /// Nanoseconds of the system's clock.
    Real,
    /// Nanoseconds of a clock that jumps.
    Virtual,
}

/// What wakes an operation that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Its waker, whoever holds that.
    Woken,
    /// A timer, at this time.
    Time(u64),
    /// The end of this task.
    Task(u64),
    /// This socket has something to read.
    Readable(u64),
    /// This socket has room to write.
    Writable(u64),
    /// Its turn on this list.
    Listed(u64),
}

/// How an operation ceased to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// It has completed.
    Completed,
    /// It was cancelled or timed out.
    Interrupted,
    /// It was dropped.
    Dropped,
}

/// How a task has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending<'a> {
    /// With a value.
    Value,
    /// It was cancelled.
    Cancelled(Option<&'a str>),
    /// With an error.
    Failed(Option<&'a str>),
    /// With the wish that the program end.
    Exit(Option<&'a str>),
    /// With a panic.
    Panicked(Option<&'a str>),
    /// It was dropped.
    Dropped(Option<&'a str>),
}

/// What is interrupted: the scope with this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// That of a task.
    Task(u64),
    /// That of a timeout.
    Timeout(u64),
}

/// Whom a timer concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// The wait with this number.
    Wait(u64),
    /// The timeout with this scope.
    Scope(u64),
}

/// What has happened to a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// It was set.
    Set,
    /// It has fired.
    Fired,
    /// It was removed before it could.
    Removed,
}

/// The story of a run. Tasks, waits, scopes, sockets and lists have numbers, which the kernel gives them.
#[derive(Debug)]
pub struct Trace {
    text: String,
    clock: Clock,
    now: u64,
    /// The task that runs: what happens meanwhile is its doing.
    running: Option<u64>,
}

impl Trace {
    /// The story of a kernel that begins now. `seed` is the number by which it shuffles its ready queue, if it does.
    pub fn new(clock: Clock, seed: Option<u64>) -> Trace {
        let name = match clock {
            Clock::Steps => "steps",
            Clock::Real => "real",
            Clock::Virtual => "virtual",
        };
        let header = Line::new()
            .text("format", "curio-trace")
            .number("version", 1)
            .text("clock", name)
            .number("seed", seed);
        Trace {
            text: header.end(),
            clock,
            now: 0,
            running: None,
        }
    }

    /// What follows happens at this time after the kernel's start.
    pub fn at(&mut self, now: u64) {
        self.now = now;
    }

    /// The text so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn event(&self, event: &str) -> Line {
        Line::new().number("at", self.now).text("event", event)
    }

    fn put(&mut self, line: Line) {
        self.text.push_str(&line.end());
    }

    /// A task was spawned: by the running one, if one is.
    pub fn created(&mut self, task: u64, name: &str) {
        let line = self
            .event("created")
            .number("task", task)
            .text("name", name)
            .number("parent", self.running)
            .truth("daemon", false)
            .text("place", None);
        self.put(line);
    }

    /// A task enters the ready queue, at the end.
    pub fn ready(&mut self, task: u64) {
        self.put(self.event("ready").number("task", task));
    }

    /// A task leaves the ready queue and runs.
    pub fn running(&mut self, task: u64) {
        if self.clock == Clock::Steps {
            self.now += 1;
        }
        self.running = Some(task);
        self.put(self.event("running").number("task", task));
    }

    /// A task prints something, or hands it out.
    pub fn says(&mut self, task: u64, text: &str) {
        self.put(self.event("says").number("task", task).text("text", text));
    }

    /// A task hands a request to the kernel.
    pub fn asks(&mut self, task: u64, text: &str) {
        self.put(self.event("asks").number("task", task).text("text", text));
    }

    /// This list belongs to something that has a name.
    pub fn list(&mut self, list: u64, name: &str) {
        self.put(self.event("list").number("list", list).text("name", name));
    }

    /// What the owner of this list holds from now on for those who will come: nothing, if the text is empty.
    pub fn holds(&mut self, list: u64, text: &str) {
        self.put(self.event("holds").number("list", list).text("text", text));
    }

    /// The run is over. `state` is `READY` if the task is in the queue again, `TERMINATED` if it has ended, otherwise the label
    /// of what it waits for.
    pub fn suspended(&mut self, task: u64, state: &str) {
        self.running = None;
        let line = self
            .event("suspended")
            .number("task", task)
            .text("state", state)
            .text("place", None);
        self.put(line);
    }

    /// A task has ended.
    pub fn terminated(&mut self, task: u64, ending: Ending<'_>) {
        let (how, error) = match ending {
            Ending::Value => ("value", None),
            Ending::Cancelled(error) => ("cancelled", error),
            Ending::Failed(error) => ("failed", error),
            Ending::Exit(error) => ("exit", error),
            Ending::Panicked(error) => ("panicked", error),
            Ending::Dropped(error) => ("dropped", error),
        };
        let line = self
            .event("terminated")
            .number("task", task)
            .text("how", how)
            .text("error", error);
        self.put(line);
    }

    /// An operation of the running task waits.
    pub fn wait(&mut self, task: u64, wait: u64, label: &str, until: Until) {
        let (until, what) = match until {
            Until::Woken => ("woken", None),
            Until::Time(time) => ("time", Some(time)),
            Until::Task(task) => ("task", Some(task)),
            Until::Readable(socket) => ("readable", Some(socket)),
            Until::Writable(socket) => ("writable", Some(socket)),
            Until::Listed(list) => ("listed", Some(list)),
        };
        let line = self
            .event("wait")
            .number("task", task)
            .number("wait", wait)
            .text("label", label)
            .text("place", None)
            .text("until", until)
            .number("what", what);
        self.put(line);
    }

    /// An operation was woken: by the running task, if one is.
    pub fn wake(&mut self, task: u64, wait: u64) {
        let line = self
            .event("wake")
            .number("task", task)
            .number("wait", wait)
            .number("by", self.running);
        self.put(line);
    }

    /// An operation waits no more.
    pub fn left(&mut self, task: u64, wait: u64, how: Left) {
        let how = match how {
            Left::Completed => "completed",
            Left::Interrupted => "interrupted",
            Left::Dropped => "dropped",
        };
        let line = self
            .event("left")
            .number("task", task)
            .number("wait", wait)
            .text("how", how);
        self.put(line);
    }

    fn scoped(&self, event: &str, task: u64, scope: Scope) -> Line {
        let (scope, kind) = match scope {
            Scope::Task(scope) => (scope, "task"),
            Scope::Timeout(scope) => (scope, "timeout"),
        };
        self.event(event)
            .number("task", task)
            .number("scope", scope)
            .text("kind", kind)
    }

    /// Somebody asked for a task's cancellation, or a timeout in it has expired.
    pub fn interrupt(&mut self, task: u64, scope: Scope) {
        self.put(self.scoped("interrupt", task, scope));
    }

    /// That is delivered, to this wait if to any, as this error: `Cancelled`, `Timeout` or `TimeoutCancellation`.
    pub fn deliver(&mut self, task: u64, scope: Scope, wait: Option<u64>, error: &str) {
        let line = self
            .scoped("deliver", task, scope)
            .number("wait", wait)
            .text("error", error);
        self.put(line);
    }

    /// A timer was set, has fired, or was removed.
    pub fn timer(&mut self, task: u64, of: Of, deadline: u64, how: Timer) {
        let (wait, scope) = match of {
            Of::Wait(wait) => (Some(wait), None),
            Of::Scope(scope) => (None, Some(scope)),
        };
        let how = match how {
            Timer::Set => "set",
            Timer::Fired => "fired",
            Timer::Removed => "removed",
        };
        let line = self
            .event("timer")
            .number("task", task)
            .number("wait", wait)
            .number("scope", scope)
            .number("deadline", deadline)
            .text("how", how);
        self.put(line);
    }

    /// The system says that a socket is ready.
    pub fn readiness(&mut self, socket: u64, readable: bool, writable: bool) {
        let line = self
            .event("readiness")
            .number("socket", socket)
            .truth("readable", readable)
            .truth("writable", writable);
        self.put(line);
    }

    /// Nothing is ready: the kernel waits, until this time if there is a timer.
    pub fn idle(&mut self, until: Option<u64>) {
        self.put(self.event("idle").number("until", until));
    }
}
