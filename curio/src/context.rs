//! The kernel as the operations see it: which one runs in this thread, which task, inside which scope.
//!
//! How an operation finds its kernel is in `current`, with X1, X2 and X4.
//!
//! X3. `scope` is the innermost open scope around the code that is being polled, and `unopened` the number of timeouts
//!     inside it that have not waited yet and so have no scope.

mod current;

use std::any::Any;
use std::cell::{Cell, RefCell, RefMut};
use std::rc::{Rc, Weak};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::activation::KernelInfo;
use crate::cell::{Memory, TaskCell};
use crate::contain::contain;
use crate::error::{Deadlock, Error, Result};
use crate::kept::Kept;
use crate::key::{Key, NONE};
use crate::log::{Activations, Installed, Log};
use crate::mirror::{Mirror, Scribe};
use crate::readiness::Selector;
use crate::remote::Remote;
use crate::scopes::Kind;
use crate::state::State;
use crate::tables::Tables;
use crate::trace;
use crate::traceback::Recorder;
use crate::waits::Label;

use current::RunningTask;
pub(crate) use current::{Running, running_task, spend, spend_in, with, with_running, with_task, with_this};

/// Where a kernel takes the time from.
///
/// ```
/// use curio::{Clock, Kernel, sleep};
/// use std::time::Duration;
///
/// // A thousand seconds pass at once.
/// let kernel = Kernel::builder().clock(Clock::Virtual).build().unwrap();
/// kernel.run(sleep(Duration::from_secs(1000))).unwrap();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Clock {
    /// The system's monotonic clock.
    #[default]
    Real,
    /// A clock for tests and demonstrations: it stands still while anything can run, and jumps to the next deadline when
    /// every task waits. It does not wait for bytes that are on their way from a peer, so deadlines around sockets are
    /// better tested on the real clock.
    Virtual,
}

/// How many operations that complete at once a task may do in one run, so that a socket that always has data does not
/// keep all others from running.
const BUDGET: i32 = 128;

pub(crate) struct Context {
    this: Weak<Context>,
    pub(crate) id: u16,
    pub(crate) tables: RefCell<Tables>,
    pub(crate) selector: RefCell<Selector>,
    pub(crate) remote: Arc<Remote>,
    /// X2.
    pub(crate) task: RunningTask,
    /// Whether the task has anything to look at its scopes for (S3).
    pub(crate) hot: Cell<bool>,
    /// X3.
    pub(crate) scope: Cell<u32>,
    pub(crate) unopened: Unopened,
    /// The epoch in which the present run of the task began; kept only while it is hot.
    pub(crate) run_epoch: Cell<u64>,
    pub(crate) clock: Clock,
    /// Whether the order of the ready queue is shuffled.
    pub(crate) shuffles: bool,
    /// Whether nobody looks on, as nearly always, nothing is shuffled, and the clock is the real one.
    pub(crate) is_plain: bool,
    origin: Instant,
    /// The time in ticks (see [`ticks`]). It is read when it is first needed in a run of a task, and kept for the rest of
    /// that run; 0: not read yet.
    now: Cell<u64>,
    virtual_now: Cell<u64>,
    /// The code of a task that asked the program to end.
    pub(crate) exit: Cell<Option<i32>>,
    /// Tasks that are spawned now are cancelled at once.
    pub(crate) closing: Cell<bool>,
    /// Those who look on. There, and empty, also if the kernel is only monitored.
    pub(crate) activations: Option<Activations>,
    /// What a monitor sees, if there is one.
    pub(crate) mirror: Option<Arc<Mirror>>,
    /// How many threads are at work for tasks that wait for them.
    outside: Cell<usize>,
    /// What belongs to other threads, and stays here.
    pub(crate) kept: Kept,
    /// What the parts of the library above the kernel have, one for each kernel.
    belongings: RefCell<Vec<Rc<dyn Any>>>,
    pub(crate) workers: WorkerLimits,
    /// For tracebacks.
    pub(crate) recorder: Recorder,
    /// For the cells of tasks.
    pub(crate) memory: Memory,
}

/// How many worker threads a kernel may have, and for how long they stay when there is nothing to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WorkerLimits {
    pub(crate) threads: usize,
    pub(crate) idle: Duration,
    /// And how many worker processes; none: as many as there are CPUs.
    #[cfg(all(unix, feature = "process"))]
    pub(crate) processes: Option<usize>,
}

impl Context {
    pub(crate) fn new(
        clock: Clock,
        seed: Option<u64>,
        activations: Vec<Installed>,
        workers: WorkerLimits,
        monitored: bool,
    ) -> Result<Rc<Context>> {
        let selector = Selector::new()?;
        let remote = Remote::register(selector.bell()?)?;
        let id = remote.id();
        let mut tables = Tables::new(id, seed);
        let origin = origin();
        let virtual_now = ticks(Instant::now());
        let start = instant(virtual_now);
        let recording = !activations.is_empty();
        let mirror = monitored.then(|| Mirror::new(remote.clone(), clock, virtual_now));
        let looked_at = recording || monitored;
        let activations = looked_at.then(|| Activations::new(activations, KernelInfo { start, clock, seed }));
        if looked_at {
            let scribe = mirror.clone().map(|mirror| Box::new(Scribe::new(mirror)));
            tables.log = Some(Box::new(Log::new(clock, virtual_now, recording, scribe)));
        }
        Ok(Rc::new_cyclic(|this| Context {
            this: this.clone(),
            id,
            tables: RefCell::new(tables),
            selector: RefCell::new(selector),
            remote,
            task: RunningTask,
            hot: Cell::new(false),
            scope: Cell::new(NONE),
            unopened: Unopened(Cell::new(NONE)),
            run_epoch: Cell::new(0),
            clock,
            shuffles: seed.is_some(),
            is_plain: seed.is_none() && !looked_at && clock == Clock::Real,
            origin,
            now: Cell::new(0),
            virtual_now: Cell::new(virtual_now),
            exit: Cell::new(None),
            closing: Cell::new(false),
            activations,
            mirror,
            outside: Cell::new(0),
            kept: Kept::default(),
            belongings: RefCell::default(),
            workers,
            recorder: Recorder::default(),
            memory: Memory::default(),
        }))
    }

    /// Works on the tables, then does what may run user code, outside of the borrow (I2).
    #[inline]
    pub(crate) fn with_tables<R>(&self, f: impl FnOnce(&mut Tables) -> R) -> R {
        let mut tables = self.tables.borrow_mut();
        let result = f(&mut tables);
        if !tables.afterwards.is_empty() {
            run_afterwards(tables);
        }
        result
    }

    /// Takes an ended task, if it is still there, out of the tables. The cell is the caller's to drop.
    #[inline(never)]
    pub(crate) fn remove_task(&self, task: Key) -> Option<TaskCell> {
        let removed = match self.tables.try_borrow_mut() {
            Ok(mut tables) => tables.remove_plain(task),
            Err(_) => None,
        };
        removed.or_else(|| self.remove_slowly(task))
    }

    #[inline(never)]
    fn remove_slowly(&self, task: Key) -> Option<TaskCell> {
        self.with_tables(|tables| tables.remove_task(task))
    }

    /// For handles, which may outlive the kernel.
    pub(crate) fn weak(&self) -> Weak<Context> {
        self.this.clone()
    }

    /// What a task is doing.
    pub(crate) fn state(&self, task: Key) -> State {
        let tables = self.tables.borrow();
        let Some(index) = tables.find_task(task) else {
            return State::Terminated;
        };
        if self.task.get() == Some(task) {
            return State::Running;
        }
        match tables.waiting_for(index) {
            _ if tables.slot(index).is_queued() => State::Ready,
            Some(label) => State::Waiting(label),
            None => State::Waiting(Label::FOREIGN_WAIT),
        }
    }

    // ---- Other threads

    /// The one of its kind that this kernel has. It is made when it is first asked for, and dropped when the kernel ends.
    pub(crate) fn belonging<T: 'static>(&self, make: impl FnOnce(&Context) -> T) -> Rc<T> {
        let found = |all: &[Rc<dyn Any>]| all.iter().find_map(|one| one.clone().downcast().ok());
        if let Some(one) = found(&self.belongings.borrow()) {
            return one;
        }
        let one = Rc::new(make(self));
        self.belongings.borrow_mut().push(one.clone());
        one
    }

    /// The kernel ends: what it has kept for others, and for itself, goes.
    pub(crate) fn drop_belongings(&self) {
        contain(|| self.kept.clear());
        let belongings = self.belongings.take();
        belongings.into_iter().for_each(|one| contain(|| drop(one)));
    }

    /// Drops what other threads have given back.
    pub(crate) fn drop_released(&self) {
        if !self.kept.is_empty() {
            for place in self.remote.take_released() {
                contain(|| drop(self.kept.take(place)));
            }
        }
    }

    /// Notes that a task waits for a thread that is at work, until the result is dropped.
    pub(crate) fn begin_outside(&self) -> Outside {
        self.outside.set(self.outside.get() + 1);
        Outside(self.weak())
    }

    /// Whether the kernel is to do something between two runs of tasks: to end, or to look where one is.
    #[inline]
    pub(crate) fn is_called(&self) -> bool {
        self.exit.get().is_some() || self.recorder.is_asked()
    }

    pub(crate) fn works_outside(&self) -> bool {
        self.outside.get() > 0
    }

    // ---- The run of a task

    /// Everything that belongs to one run of one task starts afresh.
    #[inline]
    pub(crate) fn begin_run(&self, task: Key, hot: bool) {
        self.task.set(Some(task));
        self.hot.set(hot);
        self.scope.set(NONE);
        self.unopened.set(0);
        current::refill();
        self.now.set(0);
    }

    /// The task that is about to run has something to look at its scopes for (S3).
    #[inline]
    pub(crate) fn begin_hot(&self, tables: &mut Tables) {
        // Debts of earlier runs have lapsed (D4).
        tables.debts.clear();
        self.run_epoch.set(tables.epoch);
    }

    /// Whether a task has anything to look at its scopes for (S3).
    pub(crate) fn is_hot(&self, task: Key) -> bool {
        let tables = self.tables.borrow();
        let task = tables.find_task(task);
        task.is_some_and(|task| tables.slot(task).hot != 0)
    }

    /// Works on the tables in a way that may interrupt the running task itself.
    pub(crate) fn interrupting<R>(&self, f: impl FnOnce(&mut Tables) -> R) -> R {
        self.with_tables(|tables| {
            let result = f(tables);
            if let Some(task) = self.task.get() {
                let task = tables.find_task(task).filter(|&task| tables.slot(task).hot != 0);
                self.hot.set(task.is_some());
                if let Some(task) = task {
                    tables.make_noted(task);
                }
            }
            result
        })
    }

    /// Nearly always: nobody interrupts the running task, and there is no timeout around what is being polled.
    #[inline(always)]
    pub(crate) fn is_undisturbed(&self) -> bool {
        // The two are neighbours: nearly always all bits of both are set, which is one comparison.
        let around = u64::from(self.scope.get()) | u64::from(self.unopened.0.get()) << 32;
        !self.hot.get() && around == u64::MAX
    }

    /// Whether the running task has been interrupted, and what is polled is polled directly in this scope.
    #[inline(always)]
    pub(crate) fn is_here(&self, scope: u32) -> bool {
        self.hot.get() && self.unopened.get() == 0 && self.scope.get() == scope
    }

    /// Whether the running task may wait for the end of this one.
    #[inline]
    pub(crate) fn may_wait_for(&self, task: Key) -> Result<()> {
        if task.kernel() != self.id {
            Err(Error::NoKernel)
        } else if self.task.get() == Some(task) {
            Err(waits_for_itself())
        } else {
            Ok(())
        }
    }

    /// The scope in which an operation waits. Timeouts around it that had no scope so far get one now (S1).
    #[inline]
    pub(crate) fn open_scopes(&self, tables: &mut Tables, task: u32) -> u32 {
        if self.unopened.get() == 0 {
            self.scope.get()
        } else {
            self.open_all(tables, task)
        }
    }

    fn open_all(&self, tables: &mut Tables, task: u32) -> u32 {
        for _ in 0..self.unopened.replace(0) {
            let scope = tables.open_scope(task, self.scope.get(), Kind::Timeout);
            self.scope.set(scope);
        }
        self.scope.get()
    }

    // ---- Activations

    /// Tells the activations what has happened. Never while a task is polled (A1).
    #[inline(always)]
    pub(crate) fn tell(&self) {
        if let Some(activations) = &self.activations {
            self.tell_all(activations);
        }
    }

    #[cold]
    fn tell_all(&self, activations: &Activations) {
        if !self.tables.borrow().is_recorded() {
            // It is only monitored: nobody wants to be told.
            return;
        }
        self.task.set(None);
        activations.tell(&self.tables);
        // They may have taken long.
        self.forget_time();
    }

    /// From now on, what happens is recorded here, also if nobody has looked on so far.
    #[cfg_attr(not(all(unix, feature = "monitor")), allow(dead_code))]
    pub(crate) fn start_recording(&self, to: impl std::io::Write + 'static) {
        self.set_guest(Some(Installed::new(trace::Recorder::new(to))));
    }

    /// The recording that was started last ends.
    #[cfg_attr(not(all(unix, feature = "monitor")), allow(dead_code))]
    pub(crate) fn end_recording(&self) {
        self.set_guest(None);
    }

    fn set_guest(&self, guest: Option<Installed>) {
        if let Some(activations) = &self.activations {
            activations.tell(&self.tables);
            activations.set_guest(&self.tables, guest);
        }
    }

    // ---- Time

    /// The time is to be read again when it is needed.
    pub(crate) fn forget_time(&self) {
        self.now.set(0);
    }

    /// The time, as old as the present run of the task at most.
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        match self.now.get() {
            0 => self.read_clock(),
            now => now,
        }
    }

    /// The time at this moment.
    #[inline(never)]
    pub(crate) fn read_clock(&self) -> u64 {
        let now = match self.clock {
            Clock::Real => {
                let since = Instant::now().saturating_duration_since(self.origin);
                // It would take centuries to be more.
                let nanos = since.as_secs().wrapping_mul(1_000_000_000);
                nanos.wrapping_add(u64::from(since.subsec_nanos())).max(1)
            }
            Clock::Virtual => self.virtual_now.get(),
        };
        self.now.set(now);
        now
    }

    /// The virtual clock jumps.
    pub(crate) fn set_time(&self, now: u64) {
        self.virtual_now.set(now);
        self.now.set(now);
        if let Some(log) = &mut self.tables.borrow_mut().log {
            log.virtual_now = now;
            if let Some(scribe) = &log.scribe {
                scribe.set_time(now);
            }
        }
    }

    /// The deadline that lies `delay` nanoseconds ahead; a huge delay never ends.
    pub(crate) fn after(&self, delay: u64) -> u64 {
        self.now().saturating_add(delay)
    }
}

/// A number, kept with all bits turned over: so it is none if that is NONE, as the scope nearly always is.
pub(crate) struct Unopened(Cell<u32>);

impl Unopened {
    #[inline(always)]
    pub(crate) fn get(&self) -> u32 {
        !self.0.get()
    }

    #[inline(always)]
    pub(crate) fn set(&self, number: u32) {
        self.0.set(!number);
    }

    #[inline(always)]
    pub(crate) fn replace(&self, number: u32) -> u32 {
        !self.0.replace(!number)
    }
}

/// See [`Context::begin_outside`].
#[derive(Debug)]
pub(crate) struct Outside(Weak<Context>);

impl Drop for Outside {
    fn drop(&mut self) {
        if let Some(context) = self.0.upgrade() {
            context.outside.set(context.outside.get() - 1);
        }
    }
}

#[cold]
pub(crate) fn run_afterwards(mut tables: RefMut<'_, Tables>) {
    let afterwards = std::mem::take(&mut tables.afterwards);
    drop(tables);
    afterwards
        .into_iter()
        .for_each(|after| contain(|| after.happen()));
}

#[cold]
fn waits_for_itself() -> Error {
    Error::Deadlock(Deadlock::new(
        "a task cannot wait for its own end (to cancel oneself, use cancel_nowait)".to_string(),
    ))
}

/// Where the ticks of this process begin: the first time that anybody asked.
fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

/// An instant as a number: nanoseconds since the origin, at least 1. Instants that are too far away saturate.
pub(crate) fn ticks(instant: Instant) -> u64 {
    ticks_since(origin(), instant)
}

fn ticks_since(origin: Instant, instant: Instant) -> u64 {
    nanos(instant.saturating_duration_since(origin)).max(1)
}

/// The same backwards.
pub(crate) fn instant(ticks: u64) -> Instant {
    let since = Duration::from_nanos(ticks);
    origin().checked_add(since).unwrap_or_else(origin)
}

/// A duration in nanoseconds; huge ones saturate.
#[inline]
pub(crate) fn nanos(duration: Duration) -> u64 {
    let whole = duration.as_secs().saturating_mul(1_000_000_000);
    whole.saturating_add(u64::from(duration.subsec_nanos()))
}

/// Wakes the task with this key, from anywhere.
pub(crate) fn wake(task: Key) {
    let here = with(|context| match context {
        Some(context) if context.id == task.kernel() => {
            let mut tables = context.tables.borrow_mut();
            if let Some(index) = tables.find_task(task) {
                tables.schedule(index);
                tables.note_ready(index);
            }
            true
        }
        _ => false,
    });
    if !here {
        crate::remote::wake(task);
    }
}

/// Notes that the waker of a task was cloned by somebody who may keep it.
pub(crate) fn escaped(task: Key) {
    with(|context| {
        if let Some(context) = context.filter(|c| c.id == task.kernel()) {
            let mut tables = context.tables.borrow_mut();
            if let Some(index) = tables.find_task(task) {
                tables.slot_mut(index).escape();
            }
        }
    });
}
