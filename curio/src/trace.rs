//! Recording a run, for pictures, players and comparisons.
//!
//! A [`Recorder`] is an [`Activation`] that writes a line of JSON for everything that happens, so that the ready queue,
//! the waits, the timers and the running task can be rebuilt for every step. The toy kernels of the book write the same
//! format, with a small library of their own; so one player shows both.
//!
//! ```
//! use curio::trace::{Recorder, Text};
//! use curio::{Clock, Kernel, sleep};
//! use std::time::Duration;
//!
//! let text = Text::new();
//! let kernel = Kernel::builder()
//!     .clock(Clock::Virtual)
//!     .activation(Recorder::new(text.clone()).without_places())
//!     .build()
//!     .unwrap();
//! kernel.run(sleep(Duration::from_secs(1))).unwrap();
//! drop(kernel);
//! assert_eq!(
//!     text.to_string(),
//!     r#"{"format":"curio-trace","version":1,"clock":"virtual","seed":null}
//! {"at":0,"event":"created","task":3,"name":"Sleep","parent":null,"daemon":false,"place":null}
//! {"at":0,"event":"ready","task":3}
//! {"at":0,"event":"running","task":3}
//! {"at":0,"event":"wait","task":3,"wait":1,"label":"TIME_SLEEP","place":null,"until":"time","what":1000000000}
//! {"at":0,"event":"timer","task":3,"wait":1,"scope":null,"deadline":1000000000,"how":"set"}
//! {"at":0,"event":"suspended","task":3,"state":"TIME_SLEEP","place":null}
//! {"at":0,"event":"idle","until":1000000000}
//! {"at":1000000000,"event":"timer","task":3,"wait":1,"scope":null,"deadline":1000000000,"how":"fired"}
//! {"at":1000000000,"event":"wake","task":3,"wait":1,"by":null}
//! {"at":1000000000,"event":"ready","task":3}
//! {"at":1000000000,"event":"running","task":3}
//! {"at":1000000000,"event":"left","task":3,"wait":1,"how":"completed"}
//! {"at":1000000000,"event":"suspended","task":3,"state":"TERMINATED","place":null}
//! {"at":1000000000,"event":"terminated","task":3,"how":"value","error":null}
//! "#
//! );
//! ```
//!
//! # The format, version 1
//!
//! One JSON object per line, in UTF-8, each line ended by a newline. A trace that breaks off is good up to its last whole
//! line. (To make one JSON text of it, put commas between the lines and brackets around them.) The fields of a line are
//! always all there, in the order of the tables below; what is not known is `null`.
//!
//! The first line is the header: `format` is `"curio-trace"`, `version` is 1, `clock` is `"real"`, `"virtual"` or
//! `"steps"`, `seed` is the number by which the ready queue was shuffled, or `null`: then it is first in, first out.
//!
//! Every other line is an event and begins with `at` and `event`. `at` is the time since the kernel was made, in
//! nanoseconds; a kernel without a clock (`"steps"`) counts steps instead. It never decreases. Instants, like deadlines,
//! are given in the same way. Tasks, waits, scopes, sockets and lists are numbers.
//!
//! | `event` | further fields | what it means |
//! |---|---|---|
//! | `created` | `task` `name` `parent` `daemon` `place` | a task was spawned, by the task `parent` if by any |
//! | `ready` | `task` | it enters the ready queue, at the end |
//! | `running` | `task` | it leaves the queue and runs |
//! | `says` | `task` `text` | it prints this, or hands it out |
//! | `asks` | `task` `text` | it hands this request to the kernel, if that is how its kernel works |
//! | `suspended` | `task` `state` `place` | its run is over; `state` is `READY`, `TERMINATED`, or the label of what it waits for, at `place` |
//! | `terminated` | `task` `how` `error` | it has ended: `value`, `cancelled`, `failed`, `exit`, `panicked` or `dropped`; if it was in the queue, it is not any more |
//! | `wait` | `task` `wait` `label` `place` `until` `what` | an operation of the running task begins to wait; or, if there is a wait of this number already, it waits for something else from now on |
//! | `wake` | `task` `wait` `by` | what it waited for has happened, or it is interrupted; `by` is the running task, if one is |
//! | `left` | `task` `wait` `how` | it waits no more: `completed`, `interrupted` or `dropped` |
//! | `interrupt` | `task` `scope` `kind` | somebody asked for the cancellation of the `task`, or a `timeout` inside it has expired |
//! | `deliver` | `task` `scope` `kind` `wait` `error` | and that is delivered, to this wait if to any, as `Cancelled`, `Timeout` or `TimeoutCancellation` |
//! | `timer` | `task` `wait` `scope` `deadline` `how` | a timer, of a wait or of the scope of a timeout, was `set`, has `fired`, or was `removed` |
//! | `readiness` | `socket` `readable` `writable` | the system says that a socket is ready |
//! | `list` | `list` `name` | the list belongs to something with this name |
//! | `holds` | `list` `text` | what its owner holds from now on for those who will come, in words; nothing, if that is empty |
//! | `idle` | `until` | nothing is ready: the kernel waits, until this time if there is a timer |
//!
//! `until` of a wait says what `what` is: `time` (an instant), `task` (whose end is awaited), `readable` or `writable`
//! (a socket), `listed` (the list of a primitive, whose waits are notified in the order in which they came), `woken`
//! (`null`: its waker, whoever holds that). A `place` is a `file:line:column`. A kernel that does not know some of the
//! events leaves them out; the [`Recorder`] never writes `says`, `asks`, `list` and `holds`.
//!
//! To rebuild the state at some line, begin with nothing and apply all lines before it. `ready` appends to the queue;
//! `running` and `terminated` take out of it. `wait` adds a wait, `left` takes it away; `timer` `set` adds a timer, `fired`
//! and `removed` take it away; timers fire by deadline, and those with the same one in the order in which they were set.
//! Ignore events and fields that you do not know: later versions may add some, and only what means something
//! else gets another number.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Write};
use std::panic::Location;
use std::rc::Rc;
use std::time::Instant;

use crate::activation::{
    Activation, Delivery, Ending, Interruption, KernelInfo, Left, Readiness, ScopeInfo, ScopeKind, TaskInfo,
    TimerEvent, TimerInfo, TimerOf, Until, WaitInfo,
};
use crate::contain::log;
use crate::context::{Clock, nanos};
use crate::error::TaskError;
use crate::json::Line;
use crate::state::State;

/// The number of the format.
const VERSION: u64 = 1;

/// Writes down a run. See the [module's documentation](self) for an example and the format.
///
/// It writes line by line, so a file is best wrapped in a [`BufWriter`](std::io::BufWriter); it is flushed when the kernel
/// ends. If the writer fails, that is logged, and nothing more is written.
pub struct Recorder<W: Write> {
    /// None after an error.
    writer: Option<W>,
    places: bool,
    start: Option<Instant>,
}

impl<W: Write> Recorder<W> {
    /// Records to this writer.
    ///
    /// ```
    /// use curio::trace::Recorder;
    ///
    /// let kernel = curio::Kernel::builder().activation(Recorder::new(std::io::stdout())).build().unwrap();
    /// kernel.run(async {}).unwrap();
    /// ```
    pub fn new(writer: W) -> Recorder<W> {
        Recorder {
            writer: Some(writer),
            places: true,
            start: None,
        }
    }

    /// Leaves out where things are in the source, so that the trace stays the same when lines are moved.
    ///
    /// ```
    /// let recorder = curio::trace::Recorder::new(std::io::sink()).without_places();
    /// # let _ = recorder;
    /// ```
    pub fn without_places(mut self) -> Recorder<W> {
        self.places = false;
        self
    }

    fn nanos(&self, at: Instant) -> u64 {
        self.start
            .map_or(0, |start| nanos(at.saturating_duration_since(start)))
    }

    fn place(&self, place: Option<&Location<'_>>) -> Option<String> {
        place.filter(|_| self.places).map(ToString::to_string)
    }

    fn event(&self, at: Instant, event: &str) -> Line {
        Line::new().number("at", self.nanos(at)).text("event", event)
    }

    fn of_task(&self, at: Instant, event: &str, task: &TaskInfo) -> Line {
        self.event(at, event).number("task", task.id)
    }

    fn write(&mut self, line: Line) {
        if let Some(writer) = &mut self.writer
            && let Err(error) = writer.write_all(line.end().as_bytes())
        {
            self.writer = None;
            log(format_args!("the recording ends here: {error}"));
        }
    }
}

impl<W: Write> Activation for Recorder<W> {
    fn activate(&mut self, kernel: &KernelInfo) {
        self.start = Some(kernel.start);
        let clock = match kernel.clock {
            Clock::Real => "real",
            Clock::Virtual => "virtual",
        };
        let line = Line::new()
            .text("format", "curio-trace")
            .number("version", VERSION)
            .text("clock", clock)
            .number("seed", kernel.seed);
        self.write(line);
    }

    fn created(&mut self, at: Instant, task: &TaskInfo) {
        let line = self
            .of_task(at, "created", task)
            .text("name", &*task.name)
            .number("parent", task.parent)
            .truth("daemon", task.daemon)
            .text("place", self.place(Some(task.spawned)).as_deref());
        self.write(line);
    }

    fn ready(&mut self, at: Instant, task: &TaskInfo) {
        self.write(self.of_task(at, "ready", task));
    }

    fn running(&mut self, at: Instant, task: &TaskInfo) {
        self.write(self.of_task(at, "running", task));
    }

    fn suspended(
        &mut self,
        at: Instant,
        task: &TaskInfo,
        state: State,
        place: Option<&'static Location<'static>>,
    ) {
        let line = self
            .of_task(at, "suspended", task)
            .text("state", state.as_str())
            .text("place", self.place(place).as_deref());
        self.write(line);
    }

    fn terminated(&mut self, at: Instant, task: &TaskInfo, ending: Ending, error: Option<&TaskError>) {
        let how = match ending {
            Ending::Value => "value",
            Ending::Cancelled => "cancelled",
            Ending::Failed => "failed",
            Ending::Exit => "exit",
            Ending::Panicked => "panicked",
            Ending::Dropped => "dropped",
        };
        let line = self
            .of_task(at, "terminated", task)
            .text("how", how)
            .text("error", error.map(ToString::to_string).as_deref());
        self.write(line);
    }

    fn wait(&mut self, at: Instant, wait: &WaitInfo) {
        let (until, what) = match wait.until {
            Until::Woken => ("woken", None),
            Until::Time(deadline) => ("time", Some(self.nanos(deadline))),
            Until::Task(task) => ("task", Some(task)),
            Until::Readable(socket) => ("readable", Some(socket)),
            Until::Writable(socket) => ("writable", Some(socket)),
            Until::Listed(list) => ("listed", Some(list)),
        };
        let line = self
            .of_task(at, "wait", &wait.task)
            .number("wait", wait.id)
            .text("label", wait.label.as_str())
            .text("place", self.place(Some(wait.place)).as_deref())
            .text("until", until)
            .number("what", what);
        self.write(line);
    }

    fn wake(&mut self, at: Instant, wait: &WaitInfo, by: Option<u64>) {
        let line = self
            .of_task(at, "wake", &wait.task)
            .number("wait", wait.id)
            .number("by", by);
        self.write(line);
    }

    fn left(&mut self, at: Instant, wait: &WaitInfo, how: Left) {
        let how = match how {
            Left::Completed => "completed",
            Left::Interrupted => "interrupted",
            Left::Dropped => "dropped",
        };
        let line = self
            .of_task(at, "left", &wait.task)
            .number("wait", wait.id)
            .text("how", how);
        self.write(line);
    }

    fn interrupt(&mut self, at: Instant, scope: &ScopeInfo) {
        let line = self
            .of_task(at, "interrupt", &scope.task)
            .number("scope", scope.id)
            .text("kind", kind(scope));
        self.write(line);
    }

    fn deliver(&mut self, at: Instant, delivery: &Delivery) {
        let error = match delivery.error {
            Interruption::Cancelled => "Cancelled",
            Interruption::Timeout => "Timeout",
            Interruption::TimeoutCancellation => "TimeoutCancellation",
        };
        let line = self
            .of_task(at, "deliver", &delivery.scope.task)
            .number("scope", delivery.scope.id)
            .text("kind", kind(&delivery.scope))
            .number("wait", delivery.wait.as_ref().map(|wait| wait.id))
            .text("error", error);
        self.write(line);
    }

    fn timer(&mut self, at: Instant, timer: &TimerInfo, what: TimerEvent) {
        let (task, wait, scope) = match &timer.of {
            TimerOf::Wait(wait) => (&wait.task, Some(wait.id), None),
            TimerOf::Timeout(scope) => (&scope.task, None, Some(scope.id)),
        };
        let how = match what {
            TimerEvent::Set => "set",
            TimerEvent::Fired => "fired",
            TimerEvent::Removed => "removed",
        };
        let line = self
            .of_task(at, "timer", task)
            .number("wait", wait)
            .number("scope", scope)
            .number("deadline", self.nanos(timer.deadline))
            .text("how", how);
        self.write(line);
    }

    fn readiness(&mut self, at: Instant, readiness: &Readiness) {
        let line = self
            .event(at, "readiness")
            .number("socket", readiness.socket)
            .truth("readable", readiness.readable)
            .truth("writable", readiness.writable);
        self.write(line);
    }

    fn idle(&mut self, at: Instant, until: Option<Instant>) {
        let line = self
            .event(at, "idle")
            .number("until", until.map(|until| self.nanos(until)));
        self.write(line);
    }
}

fn kind(scope: &ScopeInfo) -> &'static str {
    match scope.kind {
        ScopeKind::Task => "task",
        ScopeKind::Timeout => "timeout",
    }
}

impl<W: Write> Drop for Recorder<W> {
    fn drop(&mut self) {
        if let Some(writer) = &mut self.writer
            && let Err(error) = writer.flush()
        {
            log(format_args!("the recording may lack its end: {error}"));
        }
    }
}

impl<W: Write> fmt::Debug for Recorder<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("places", &self.places)
            .finish_non_exhaustive()
    }
}

/// A text to record to. Its clones are the same text, so that it can be read while, and after, the recorder writes.
///
/// ```
/// use std::io::Write;
///
/// let text = curio::trace::Text::new();
/// text.clone().write_all(b"hello").unwrap();
/// assert_eq!(text.to_string(), "hello");
/// ```
#[derive(Clone, Default)]
pub struct Text(Rc<RefCell<Vec<u8>>>);

impl Text {
    /// An empty text.
    ///
    /// ```
    /// assert_eq!(curio::trace::Text::new().to_string(), "");
    /// ```
    pub fn new() -> Text {
        Text::default()
    }
}

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0.borrow()))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.0.borrow().len())
    }
}
