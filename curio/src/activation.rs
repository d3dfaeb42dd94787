//! Activations: looking on while the kernel works.
//!
//! An [`Activation`] is told of everything that the kernel does: tasks that are created, run, wait and end, operations
//! that are woken and interrupted, timers, sockets. Tracers, debug modules and the monitor are activations; the recorder
//! in [`trace`](crate::trace) is one, and so may be yours.
//!
//! The kernel does not call an activation at the very moment that something happens: its tables are in use then, and what
//! an activation does is user code. It writes the event down, with the time, and hands all of them over, in order, when
//! its hands are free: before each run of a task (so that `running` is heard before the task runs), before it looks at
//! the clock and the sockets, before it goes to sleep, and at the end. A callback from within was rejected, as an
//! activation could not even have spawned a task.
//!
//! A1. Activations are called between the runs of tasks and never inside of one. So they may call everything that does
//!     not wait, like [`spawn`](crate::spawn); such a task has no parent.
//! A2. What an activation causes is told at the next occasion and not in the middle of this one. So one that spawns a task
//!     whenever a task is created keeps its kernel busy, but not from running.
//! A3. Times are those at which things happened, not those of the telling.
//! A4. An activation that panics is logged and not called again; the others and the kernel go on.
//!
//! A kernel without activations pays one predictable branch for each event.

use std::panic::Location;
use std::rc::Rc;
use std::time::Instant;

use crate::context::Clock;
use crate::error::TaskError;
use crate::state::State;
use crate::traps::Label;

/// Somebody who looks on (Python Curio: `Activation`). All methods do nothing by default.
///
/// `at` is the time of the kernel's clock when it happened. Install one with
/// [`Builder::activation`](crate::Builder::activation).
///
/// ```
/// use curio::activation::{Activation, TaskInfo};
/// use std::time::Instant;
///
/// struct Roll;
///
/// impl Activation for Roll {
///     fn created(&mut self, _at: Instant, task: &TaskInfo) {
///         println!("task {} is {}", task.id, task.name);
///     }
/// }
///
/// let kernel = curio::Kernel::builder().activation(Roll).build().unwrap();
/// kernel.run(async {}).unwrap();
/// ```
#[allow(unused_variables)]
pub trait Activation {
    /// The kernel begins its first run. Called once, before everything else.
    fn activate(&mut self, kernel: &KernelInfo) {}

    /// A task was spawned. It is told to be [`ready`](Activation::ready) next.
    fn created(&mut self, at: Instant, task: &TaskInfo) {}

    /// A task has entered the ready queue, at its end. (On the real clock, `at` is when that was noticed: with the next event,
    /// or at the end of the run in which it happened.)
    fn ready(&mut self, at: Instant, task: &TaskInfo) {}

    /// A task leaves the ready queue and runs.
    fn running(&mut self, at: Instant, task: &TaskInfo) {}

    /// The run is over. If the task waits for several things, `state` shows what it began to wait for last, and `place`
    /// where. The last run ends with [`State::Terminated`], and [`terminated`](Activation::terminated) follows.
    fn suspended(
        &mut self,
        at: Instant,
        task: &TaskInfo,
        state: State,
        place: Option<&'static Location<'static>>,
    ) {
    }

    /// A task has ended. If it was on the ready queue, it has left it. There is no `error` after a value, nor for the main
    /// task, which gives its error to the caller of [`run`](crate::run).
    fn terminated(&mut self, at: Instant, task: &TaskInfo, ending: Ending, error: Option<&TaskError>) {}

    /// An operation of the running task waits. It is told again if the operation was woken for nothing, and is on a list
    /// once more.
    fn wait(&mut self, at: Instant, wait: &WaitInfo) {}

    /// An operation was woken, by the task `by` if one was running: its task will run and poll it. If it was polled with the
    /// waker of a combinator, that one is woken, and it is up to the combinator to wake the task.
    fn wake(&mut self, at: Instant, wait: &WaitInfo, by: Option<u64>) {}

    /// An operation waits no more. If it had a timer, that is removed.
    fn left(&mut self, at: Instant, wait: &WaitInfo, how: Left) {}

    /// Somebody asked for a task's cancellation, or a timeout has expired: it is due.
    fn interrupt(&mut self, at: Instant, scope: &ScopeInfo) {}

    /// Something that was due is delivered, as an error.
    fn deliver(&mut self, at: Instant, delivery: &Delivery) {}

    /// A timer was set, has fired, or was removed before it could.
    fn timer(&mut self, at: Instant, timer: &TimerInfo, what: TimerEvent) {}

    /// The system says that a socket is ready.
    fn readiness(&mut self, at: Instant, readiness: &Readiness) {}

    /// Nothing is ready: the kernel waits for the outside world, until this deadline if there is one.
    fn idle(&mut self, at: Instant, until: Option<Instant>) {}
}

/// The kernel that is looked at.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct KernelInfo {
    /// When the kernel was made, on its own clock.
    pub start: Instant,
    /// Where it takes the time from.
    pub clock: Clock,
    /// How the ready queue is shuffled, if it is.
    pub seed: Option<u64>,
}

/// A task.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TaskInfo {
    /// Its number in the kernel.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// The task that spawned it; none if it was spawned from outside of a task.
    pub parent: Option<u64>,
    /// Where it was spawned.
    pub spawned: &'static Location<'static>,
    /// Whether nobody waits for its end.
    pub daemon: bool,
}

/// An operation that waits.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WaitInfo {
    /// A number that no other wait of this kernel has.
    pub id: u64,
    /// Who waits.
    pub task: Rc<TaskInfo>,
    /// What it waits for, as reports show it.
    pub label: Label,
    /// Where.
    pub place: &'static Location<'static>,
    /// What will wake it.
    pub until: Until,
}

/// What wakes an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Until {
    /// Its waker, whoever holds that.
    Woken,
    /// A timer.
    Time(Instant),
    /// The end of the task with this id.
    Task(u64),
    /// A socket that has something to read, or can be written to.
    Readable(u64),
    /// A socket that can be written to.
    Writable(u64),
    /// Its turn on the list of a primitive. All operations on the same list have the same number here, and are notified in
    /// the order in which they came.
    Listed(u64),
}

/// How an operation ceased to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Left {
    /// It has completed.
    Completed,
    /// It has resolved to an interruption.
    Interrupted,
    /// It was dropped.
    Dropped,
}

/// How a task has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// With a value.
    Value,
    /// It was cancelled.
    Cancelled,
    /// With an error.
    Failed,
    /// With the wish that the program end ([`Error::exit`](crate::Error::exit)).
    Exit,
    /// With a panic.
    Panicked,
    /// Its future was dropped, as it did not end in time, or with its kernel.
    Dropped,
}

/// Something that can be interrupted: a task, or a timeout in it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ScopeInfo {
    /// A number that tells it from others that are open at the same time.
    pub id: u64,
    /// The task.
    pub task: Rc<TaskInfo>,
    /// What it is.
    pub kind: ScopeKind,
}

/// What is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScopeKind {
    /// A task, by a cancel.
    Task,
    /// What is inside of a timeout, by its end.
    Timeout,
}

/// An interruption that is delivered.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Delivery {
    /// What is interrupted.
    pub scope: ScopeInfo,
    /// The operation that resolves to the error. None if one was about to wait, or if a future that is no operation is
    /// dropped instead.
    pub wait: Option<Rc<WaitInfo>>,
    /// The error.
    pub error: Interruption,
}

/// As what an interruption is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Interruption {
    /// [`Error::Cancelled`](crate::Error::Cancelled).
    Cancelled,
    /// [`Error::Timeout`](crate::Error::Timeout).
    Timeout,
    /// [`Error::TimeoutCancellation`](crate::Error::TimeoutCancellation).
    TimeoutCancellation,
}

/// A timer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TimerInfo {
    /// When it fires.
    pub deadline: Instant,
    /// Whom it concerns.
    pub of: TimerOf,
}

/// Whom a timer concerns.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum TimerOf {
    /// An operation that sleeps.
    Wait(Rc<WaitInfo>),
    /// A timeout.
    Timeout(ScopeInfo),
}

/// What has happened to a timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimerEvent {
    /// It was set.
    Set,
    /// Its time has come. Of equal deadlines, the timer that was set first fires first.
    Fired,
    /// It was removed before its time.
    Removed,
}

/// What the system says of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Readiness {
    /// The socket's number in the kernel.
    pub socket: u64,
    /// There is something to read, be it the end or an error.
    pub readable: bool,
    /// There is room to write, or an error.
    pub writable: bool,
}
