//! Following what a kernel does, as events of the crate [`tracing`] (Python Curio: `curio.debug`). With the feature `tracing`.
//!
//! Each of these is an [`Activation`], to be installed with [`Builder::activation`](crate::Builder::activation); they differ
//! in what they tell. Whoever collects events of `tracing` collects theirs. The target is `curio::debug` and the name of the
//! module, so that they can be chosen by filters like `curio::debug::longblock=warn`; each has the fields `task` (its
//! number), `name` and `at` (seconds since the kernel was made, on its own clock).
//!
//! | Python | here | tells |
//! |---|---|---|
//! | `debug=schedtrace` | [`schedtrace()`] | that tasks are created, run, wait and end |
//! | `debug=traptrace` | [`traptrace()`] | the same, and each operation that waits: what for, and where |
//! | `debug=logcrash` | [`logcrash()`] | that a task has failed or panicked |
//! | `debug=longblock` | [`longblock()`] | that a task has kept all others from running for too long |
//! | `level=`, `filter=`, `max_time=` | the methods [`level`](SchedTrace::level), [`filter`](SchedTrace::filter), [`max_time`](LongBlock::max_time) | |
//! | `log=` | a subscriber, or a filter by target | |
//!
//! ```
//! use curio::{Kernel, debug, sleep};
//! use std::time::Duration;
//!
//! let kernel = Kernel::builder()
//!     .activation(debug::schedtrace().filter(["main"]))
//!     .activation(debug::longblock().max_time(Duration::from_millis(10)))
//!     .build()
//!     .unwrap();
//! kernel.run(async { sleep(Duration::from_millis(1)).await }).unwrap();
//! ```
//!
//! Activations are told a little later than things happen, so the time of an event of `tracing` is not the one at which it
//! happened: that is `at`.

use std::collections::HashSet;
use std::panic::Location;
use std::time::{Duration, Instant};

use crate::activation::{Activation, Ending, KernelInfo, TaskInfo, WaitInfo};
use crate::error::TaskError;
use crate::state::State;

pub use tracing::Level;

/// Emits an event of any level: `tracing` wants each level as a constant.
macro_rules! emit {
    ($target:literal, $of:expr, $at:expr, $task:expr, $($message:tt)+) => {
        match $of.level {
            Level::ERROR => emit!(@ ERROR, $target, $at, $task, $($message)+),
            Level::WARN => emit!(@ WARN, $target, $at, $task, $($message)+),
            Level::INFO => emit!(@ INFO, $target, $at, $task, $($message)+),
            Level::DEBUG => emit!(@ DEBUG, $target, $at, $task, $($message)+),
            Level::TRACE => emit!(@ TRACE, $target, $at, $task, $($message)+),
        }
    };
    (@ $level:ident, $target:literal, $at:expr, $task:expr, $($message:tt)+) => {
        tracing::event!(
            target: $target,
            Level::$level,
            task = $task.id,
            name = $task.name.as_str(),
            at = $at,
            $($message)+
        )
    };
}

/// What is the same for all.
#[derive(Debug, Clone)]
struct Options {
    level: Level,
    /// None: all tasks.
    names: Option<HashSet<String>>,
    start: Option<Instant>,
}

impl Options {
    fn new(level: Level) -> Options {
        Options {
            level,
            names: None,
            start: None,
        }
    }

    fn wants(&self, task: &TaskInfo) -> bool {
        self.names.as_ref().is_none_or(|names| names.contains(&task.name))
    }

    fn seconds(&self, at: Instant) -> f64 {
        self.start
            .map_or(0.0, |start| at.saturating_duration_since(start).as_secs_f64())
    }
}

/// A task as Python Curio shows it.
fn shown(task: &TaskInfo, state: &str) -> String {
    format!("Task(id={}, name='{}', state='{state}')", task.id, task.name)
}

/// The options that all have.
macro_rules! options {
    ($type:ident, $make:ident) => {
        impl $type {
            /// The level of the events.
            ///
            /// ```
            #[doc = concat!("let quiet = curio::debug::", stringify!($make), "().level(curio::debug::Level::TRACE);")]
            /// ```
            pub fn level(mut self, level: Level) -> Self {
                self.options.level = level;
                self
            }

            /// Only tasks with these names; else it is all.
            ///
            /// ```
            #[doc = concat!("let kids = curio::debug::", stringify!($make), "().filter([\"kid\", \"friend\"]);")]
            /// ```
            pub fn filter(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
                self.options.names = Some(names.into_iter().map(Into::into).collect());
                self
            }
        }
    };
}

/// Telling of tasks, and what else there is to tell.
macro_rules! tell_of_tasks {
    ($type:ident, $target:literal, { $($more:tt)* }) => {
        impl $type {
            fn tell(&self, what: &str, at: Instant, task: &TaskInfo, state: &str) {
                if self.options.wants(task) {
                    let at = self.options.seconds(at);
                    emit!(
                        $target,
                        self.options,
                        at,
                        task,
                        "{what}:{at:.6}:{}",
                        shown(task, state)
                    );
                }
            }
        }

        impl Activation for $type {
            fn activate(&mut self, kernel: &KernelInfo) {
                self.options.start = Some(kernel.start);
            }

            fn created(&mut self, at: Instant, task: &TaskInfo) {
                self.tell("CREATE", at, task, "READY");
            }

            fn running(&mut self, at: Instant, task: &TaskInfo) {
                self.tell("RUN", at, task, "RUNNING");
            }

            fn suspended(
                &mut self,
                at: Instant,
                task: &TaskInfo,
                state: State,
                _: Option<&'static Location<'static>>,
            ) {
                self.tell("SUSPEND", at, task, state.as_str());
            }

            fn terminated(&mut self, at: Instant, task: &TaskInfo, _: Ending, _: Option<&TaskError>) {
                self.tell("TERMINATED", at, task, "TERMINATED");
            }

            $($more)*
        }
    };
}

/// Tells that tasks are created, run, wait and end (Python Curio: `schedtrace`), at the level INFO.
///
/// ```
/// let kernel = curio::Kernel::builder().activation(curio::debug::schedtrace()).build().unwrap();
/// kernel.run(async {}).unwrap(); // CREATE:0.000012:Task(id=3, ..), RUN:.., SUSPEND:.., TERMINATED:..
/// ```
pub fn schedtrace() -> SchedTrace {
    SchedTrace {
        options: Options::new(Level::INFO),
    }
}

/// The activation of [`schedtrace()`].
#[derive(Debug, Clone)]
pub struct SchedTrace {
    options: Options,
}

options!(SchedTrace, schedtrace);

tell_of_tasks!(SchedTrace, "curio::debug::schedtrace", {});

/// Tells what [`schedtrace()`] tells, and each operation that waits: what for, and where (Python Curio: `traptrace`).
///
/// ```
/// let kernel = curio::Kernel::builder().activation(curio::debug::traptrace()).build().unwrap();
/// kernel.run(curio::sleep(std::time::Duration::ZERO)).unwrap(); // TRAP:TIME_SLEEP at src/main.rs:2:12
/// ```
pub fn traptrace() -> TrapTrace {
    TrapTrace {
        options: Options::new(Level::INFO),
    }
}

/// The activation of [`traptrace()`].
#[derive(Debug, Clone)]
pub struct TrapTrace {
    options: Options,
}

options!(TrapTrace, traptrace);

tell_of_tasks!(TrapTrace, "curio::debug::traptrace", {
    fn wait(&mut self, at: Instant, wait: &WaitInfo) {
        if self.options.wants(&wait.task) {
            let at = self.options.seconds(at);
            let (label, place) = (wait.label.as_str(), wait.place);
            emit!(
                "curio::debug::traptrace",
                self.options,
                at,
                wait.task,
                "TRAP:{label} at {place}"
            );
        }
    }
});

/// Tells that a task has failed or panicked, and with what (Python Curio: `logcrash`), at the level ERROR. A task that was
/// cancelled, or asked for the end of the program, has not crashed. Neither has the main task: its error is the caller's of
/// [`run`](crate::run).
///
/// ```
/// let kernel = curio::Kernel::builder().activation(curio::debug::logcrash()).build().unwrap();
/// kernel.run(async {}).unwrap();
/// ```
pub fn logcrash() -> LogCrash {
    LogCrash {
        options: Options::new(Level::ERROR),
    }
}

/// The activation of [`logcrash()`].
#[derive(Debug, Clone)]
pub struct LogCrash {
    options: Options,
}

options!(LogCrash, logcrash);

impl Activation for LogCrash {
    fn activate(&mut self, kernel: &KernelInfo) {
        self.options.start = Some(kernel.start);
    }

    fn terminated(&mut self, at: Instant, task: &TaskInfo, ending: Ending, error: Option<&TaskError>) {
        if let (Ending::Failed | Ending::Panicked, Some(error)) = (ending, error)
            && self.options.wants(task)
        {
            let (at, task_shown) = (self.options.seconds(at), shown(task, "TERMINATED"));
            emit!(
                "curio::debug::logcrash",
                self.options,
                at,
                task,
                "Task Crash: {task_shown}: {error}"
            );
        }
    }
}

/// Tells that a task ran for longer than 50 milliseconds without letting others run (Python Curio: `longblock`), at the
/// level WARN. It needs the real clock: on the virtual one no time passes while a task runs.
///
/// ```
/// let kernel = curio::Kernel::builder().activation(curio::debug::longblock()).build().unwrap();
/// kernel.run(async {}).unwrap();
/// ```
pub fn longblock() -> LongBlock {
    LongBlock {
        options: Options::new(Level::WARN),
        max_time: Duration::from_millis(50),
        began: None,
    }
}

/// The activation of [`longblock()`].
#[derive(Debug, Clone)]
pub struct LongBlock {
    options: Options,
    max_time: Duration,
    began: Option<Instant>,
}

options!(LongBlock, longblock);

impl LongBlock {
    /// How long a task may run.
    ///
    /// ```
    /// let strict = curio::debug::longblock().max_time(std::time::Duration::from_millis(1));
    /// ```
    pub fn max_time(mut self, max_time: Duration) -> LongBlock {
        self.max_time = max_time;
        self
    }
}

impl Activation for LongBlock {
    fn activate(&mut self, kernel: &KernelInfo) {
        self.options.start = Some(kernel.start);
    }

    fn running(&mut self, at: Instant, _: &TaskInfo) {
        self.began = Some(at);
    }

    fn suspended(
        &mut self,
        at: Instant,
        task: &TaskInfo,
        state: State,
        place: Option<&'static Location<'static>>,
    ) {
        let Some(ran) = self.began.take().map(|began| at.saturating_duration_since(began)) else {
            return;
        };
        if ran > self.max_time && self.options.wants(task) {
            let (at, shown) = (self.options.seconds(at), shown(task, state.as_str()));
            let (ran, until) = (
                ran.as_secs_f64(),
                place.map_or(String::new(), |place| format!(", until {place}")),
            );
            emit!(
                "curio::debug::longblock",
                self.options,
                at,
                task,
                "{shown} ran for {ran:.6} seconds{until}"
            );
        }
    }
}
