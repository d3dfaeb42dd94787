//! What has happened and was not told to the activations yet.
//!
//! The tables write here while they are borrowed, through `Tables::note`; `Context::tell` hands it over when they are not
//! (I2). The log is there only if there are activations, so that without them a hook costs one branch. It keeps who is
//! who by itself, as what it writes about is often gone when it is told.
//!
//! L1. `running` is the task that is being run, none while activations are told (A1).
//! L2. `waits` holds exactly the nodes of the tables that are in use, and `timeouts` the deadlines of the scopes whose timer
//!     is set.
//! L3. `queued` is how many entries of the ready queue are known here. `schedule`, which is part of every switch, has no
//!     hook: whatever is written next looks first at what has been queued meanwhile. So `run_batch` has it look before
//!     it takes an entry out; after that it looks again, in any case, before another one enters.
//! L4. While `recording` is not set, nothing is written here. A monitored kernel has a log all the same, for the scribe of its
//!     mirror; so a kernel that is not looked at at all pays one branch for both.

mod hooks;
mod late;
mod onlookers;

use std::collections::HashMap;
use std::panic::Location;
use std::rc::Rc;
use std::time::Instant;

use crate::activation::{
    Activation, Delivery, Ending, Interruption, Left, Readiness, ScopeInfo, ScopeKind, TaskInfo, TimerEvent,
    TimerInfo, TimerOf, Until, WaitInfo,
};
use crate::context::{self, Clock};
use crate::error::{Error, TaskError};
use crate::key::Key;
use crate::mirror::Scribe;
use crate::readiness::{Direction, concerns};
use crate::scopes::Kind;
use crate::state::State;
use crate::tables::Tables;
use crate::timers::Target;
use crate::waits::{Armed, Label};

pub(crate) use onlookers::{Activations, Installed};

enum Record {
    Created(Rc<TaskInfo>),
    Ready(Rc<TaskInfo>),
    Running(Rc<TaskInfo>),
    Suspended(Rc<TaskInfo>, State, Option<&'static Location<'static>>),
    Terminated(Rc<TaskInfo>, Ending, Option<TaskError>),
    Wait(Rc<WaitInfo>),
    Wake(Rc<WaitInfo>, Option<u64>),
    Left(Rc<WaitInfo>, Left),
    Interrupt(ScopeInfo),
    Deliver(Delivery),
    Timer(TimerInfo, TimerEvent),
    Readiness(Readiness),
    Idle(Option<Instant>),
}

impl Record {
    fn tell(&self, at: Instant, to: &mut dyn Activation) {
        match self {
            Record::Created(task) => to.created(at, task),
            Record::Ready(task) => to.ready(at, task),
            Record::Running(task) => to.running(at, task),
            Record::Suspended(task, state, place) => to.suspended(at, task, *state, *place),
            Record::Terminated(task, ending, error) => to.terminated(at, task, *ending, error.as_ref()),
            Record::Wait(wait) => to.wait(at, wait),
            Record::Wake(wait, by) => to.wake(at, wait, *by),
            Record::Left(wait, how) => to.left(at, wait, *how),
            Record::Interrupt(scope) => to.interrupt(at, scope),
            Record::Deliver(delivery) => to.deliver(at, delivery),
            Record::Timer(timer, what) => to.timer(at, timer, *what),
            Record::Readiness(readiness) => to.readiness(at, readiness),
            Record::Idle(until) => to.idle(at, *until),
        }
    }
}

/// See the module's documentation.
pub(crate) struct Log {
    /// Somebody wants to be told. If not, the log is there for the mirror only (L4).
    pub(crate) recording: bool,
    /// Keeps the mirror, if the kernel is monitored.
    pub(crate) scribe: Option<Box<Scribe>>,
    clock: Clock,
    /// Kept up to date by the context.
    pub(crate) virtual_now: u64,
    records: Vec<(u64, Record)>,
    /// L1.
    running: Option<u64>,
    /// L3.
    queued: usize,
    tasks: HashMap<u64, Rc<TaskInfo>>,
    /// How tasks have ended that are about to leave the tables; with a value, if nothing is said.
    endings: HashMap<u64, (Ending, Option<TaskError>)>,
    /// L2.
    waits: HashMap<u32, Rc<WaitInfo>>,
    /// L2.
    timeouts: HashMap<u32, u64>,
    last_wait: u64,
    /// The wait that ends next, if it was interrupted.
    interrupted: Option<u32>,
}

impl Log {
    pub(crate) fn new(clock: Clock, virtual_now: u64, recording: bool, scribe: Option<Box<Scribe>>) -> Log {
        Log {
            recording,
            scribe,
            clock,
            virtual_now,
            records: Vec::new(),
            running: None,
            queued: 0,
            tasks: HashMap::new(),
            endings: HashMap::new(),
            waits: HashMap::new(),
            timeouts: HashMap::new(),
            last_wait: 0,
            interrupted: None,
        }
    }

    fn push(&mut self, record: Record) {
        self.records.push((self.now(), record));
    }

    fn now(&self) -> u64 {
        match self.clock {
            Clock::Real => context::ticks(Instant::now()),
            Clock::Virtual => self.virtual_now,
        }
    }

    // ---- Tasks

    fn task(&self, tables: &Tables, task: u32) -> Option<Rc<TaskInfo>> {
        let slot = tables.waits.task(task)?;
        self.tasks.get(&slot.id()).cloned()
    }

    pub(crate) fn created(&mut self, tables: &Tables, task: u32) {
        let slot = tables.slot(task);
        let info = Rc::new(TaskInfo {
            id: slot.id(),
            name: tables.name(slot).to_string(),
            parent: self.running,
            spawned: slot.spawned,
            daemon: slot.is_daemon(),
        });
        self.tasks.insert(info.id, info.clone());
        self.push(Record::Created(info.clone()));
        self.push(Record::Ready(info));
    }

    /// Writes down who has entered the ready queue since the last look, or only counts again if somebody has left it (L3).
    /// A task that is just being created says so itself.
    fn catch_up(&mut self, tables: &Tables) {
        for at in self.queued..tables.ready.len() {
            if let Some(task) = self.task(tables, tables.ready.get(at)) {
                self.push(Record::Ready(task));
            }
        }
        self.queued = tables.ready.len();
    }

    pub(crate) fn running(&mut self, tables: &Tables, task: u32) {
        if let Some(task) = self.task(tables, task) {
            self.running = Some(task.id);
            self.push(Record::Running(task));
        }
    }

    /// The run of a task is over. If the task has ended in it and has left the tables, that was said by `terminated`.
    pub(crate) fn suspended(&mut self, tables: &Tables, task: Key, ended: bool) {
        self.running = None;
        let Some(index) = tables.find_task(task) else {
            return;
        };
        let wait = tables.latest_wait(index);
        let state = match wait {
            _ if ended => State::Terminated,
            _ if tables.slot(index).is_queued() => State::Ready,
            Some(wait) => State::Waiting(wait.label),
            None => State::Waiting(Label::FOREIGN_WAIT),
        };
        let place = wait
            .filter(|_| matches!(state, State::Waiting(_)))
            .map(|wait| wait.place);
        if let Some(task) = self.task(tables, index) {
            self.push(Record::Suspended(task, state, place));
        }
    }

    /// The task at `at` in the ready queue was taken out again, and is not told to have entered if it was not yet (L3).
    pub(crate) fn unqueued(&mut self, at: usize) {
        self.queued -= usize::from(at < self.queued);
    }

    /// A task is run out of turn, to see where it is. Gives what `end_look` wants.
    pub(crate) fn begin_look(&mut self, tables: &Tables, task: u32) -> usize {
        self.running = self.task(tables, task).map(|task| task.id);
        self.records.len()
    }

    /// The run is over. If nothing came of it, nothing is told; otherwise it was a run like any other.
    pub(crate) fn end_look(&mut self, tables: &Tables, task: Key, mark: usize, ended: bool) {
        let Some(&(at, _)) = self.records.get(mark) else {
            self.running = None;
            return;
        };
        let records = self.records.split_off(mark);
        let of = |record: &Record| match record {
            Record::Terminated(info, ..) => Some(info.clone()),
            _ => None,
        };
        let here = tables.find_task(task).and_then(|index| self.task(tables, index));
        if let Some(info) = here.or_else(|| records.iter().find_map(|(_, record)| of(record))) {
            self.records.push((at, Record::Ready(info.clone())));
            self.records.push((at, Record::Running(info)));
        }
        self.records.extend(records);
        self.suspended(tables, task, ended);
    }

    /// How the task has ended that will leave the tables.
    pub(crate) fn ends(&mut self, tables: &Tables, task: Key, ending: Ending, error: Option<TaskError>) {
        if let Some(index) = tables.find_task(task) {
            let id = tables.slot(index).id();
            self.endings.insert(id, (ending, error));
        }
    }

    pub(crate) fn terminated(&mut self, tables: &Tables, task: u32) {
        let id = tables.slot(task).id();
        let (ending, error) = self.endings.remove(&id).unwrap_or((Ending::Value, None));
        if let Some(task) = self.tasks.remove(&id) {
            if self.running.take_if(|running| *running == id).is_some() {
                self.push(Record::Suspended(task.clone(), State::Terminated, None));
            }
            self.push(Record::Terminated(task, ending, error));
        }
    }

    // ---- Waits

    fn until(tables: &Tables, armed: Armed) -> Until {
        match armed {
            Armed::Idle | Armed::Nothing | Armed::Notified => Until::Woken,
            Armed::Timer(timer) => Until::Time(context::instant(tables.timers.deadline(timer))),
            Armed::Join { task, .. } => Until::Task(tables.slot(task).id()),
            Armed::List { list, .. } => Until::Listed(tables.waits.list_number(list)),
            Armed::Reader(source) | Armed::OwnReader(source) => Until::Readable(tables.socket_number(source)),
            Armed::Writer(source) | Armed::OwnWriter(source) => Until::Writable(tables.socket_number(source)),
        }
    }

    pub(crate) fn wait(&mut self, tables: &Tables, index: u32) {
        let wait = tables.waits.get(index);
        let Some(task) = self.task(tables, wait.task) else {
            return;
        };
        self.last_wait += 1;
        let info = WaitInfo {
            id: self.last_wait,
            task,
            label: wait.label,
            place: wait.place,
            until: Log::until(tables, wait.armed),
        };
        self.enter(index, info);
    }

    /// The operation goes on waiting, and something was armed anew.
    pub(crate) fn wait_again(&mut self, tables: &Tables, index: u32) {
        let wait = tables.waits.get(index);
        if let Some(before) = self.waits.get(&index)
            && !matches!(wait.armed, Armed::Nothing)
        {
            let mut info = WaitInfo::clone(before);
            info.until = Log::until(tables, wait.armed);
            self.enter(index, info);
        }
    }

    fn enter(&mut self, index: u32, info: WaitInfo) {
        let info = Rc::new(info);
        self.waits.insert(index, info.clone());
        self.push(Record::Wait(info.clone()));
        self.wait_timer(info, TimerEvent::Set);
    }

    fn wait_timer(&mut self, wait: Rc<WaitInfo>, what: TimerEvent) {
        if let Until::Time(deadline) = wait.until {
            let of = TimerOf::Wait(wait);
            self.push(Record::Timer(TimerInfo { deadline, of }, what));
        }
    }

    pub(crate) fn wake(&mut self, index: u32) {
        if let Some(wait) = self.waits.get(&index) {
            self.push(Record::Wake(wait.clone(), self.running));
        }
    }

    /// The wait that ends now was interrupted.
    pub(crate) fn interrupted(&mut self, index: u32) {
        self.interrupted = Some(index);
        if let Some((_, Record::Deliver(delivery))) = self.records.last_mut() {
            delivery.wait = self.waits.get(&index).cloned();
        }
    }

    /// A wait has ended, for which this was armed.
    pub(crate) fn left(&mut self, index: u32, armed: Armed, completed: bool) {
        let interrupted = self.interrupted.take_if(|wait| *wait == index).is_some();
        let how = match (completed, interrupted) {
            (true, _) => Left::Completed,
            (false, true) => Left::Interrupted,
            (false, false) => Left::Dropped,
        };
        if let Some(wait) = self.waits.remove(&index) {
            if let Armed::Timer(_) = armed {
                self.wait_timer(wait.clone(), TimerEvent::Removed);
            }
            self.push(Record::Left(wait, how));
        }
    }

    // ---- Interruption and time

    fn scope(&self, tables: &Tables, index: u32) -> Option<ScopeInfo> {
        let scope = tables.scopes.get(index);
        Some(ScopeInfo {
            id: u64::from(tables.scopes.key(index)?.serial()),
            task: self.task(tables, scope.task)?,
            kind: match scope.kind {
                Kind::Timeout => ScopeKind::Timeout,
                Kind::Task | Kind::Shield => ScopeKind::Task,
            },
        })
    }

    pub(crate) fn interrupt(&mut self, tables: &Tables, scope: u32) {
        if let Some(scope) = self.scope(tables, scope) {
            self.push(Record::Interrupt(scope));
        }
    }

    pub(crate) fn deliver(&mut self, tables: &Tables, scope: u32, error: &Error) {
        if let Some(scope) = self.scope(tables, scope) {
            let error = match error {
                Error::Timeout(_) => Interruption::Timeout,
                Error::TimeoutCancellation(_) => Interruption::TimeoutCancellation,
                _ => Interruption::Cancelled,
            };
            let wait = None;
            self.push(Record::Deliver(Delivery { scope, wait, error }));
        }
    }

    pub(crate) fn timeout_set(&mut self, tables: &Tables, scope: u32, deadline: u64) {
        self.timeouts.insert(scope, deadline);
        self.timeout(tables, scope, deadline, TimerEvent::Set);
    }

    /// The timer of a timeout, if it has one, does not fire any more.
    pub(crate) fn timeout_removed(&mut self, tables: &Tables, scope: u32) {
        if let Some(deadline) = self.timeouts.remove(&scope) {
            self.timeout(tables, scope, deadline, TimerEvent::Removed);
        }
    }

    fn timeout(&mut self, tables: &Tables, scope: u32, deadline: u64, what: TimerEvent) {
        if let Some(scope) = self.scope(tables, scope) {
            let (deadline, of) = (context::instant(deadline), TimerOf::Timeout(scope));
            self.push(Record::Timer(TimerInfo { deadline, of }, what));
        }
    }

    pub(crate) fn fired(&mut self, tables: &Tables, target: Target) {
        match target {
            Target::Wait(index) => {
                if let Some(wait) = self.waits.get(&index).cloned() {
                    self.wait_timer(wait, TimerEvent::Fired);
                }
            }
            Target::Scope(index) => {
                if let Some(deadline) = self.timeouts.remove(&index) {
                    self.timeout(tables, index, deadline, TimerEvent::Fired);
                }
            }
        }
    }

    pub(crate) fn readiness(&mut self, source: Key, bits: u8) {
        self.push(Record::Readiness(Readiness {
            socket: u64::from(source.serial()),
            readable: concerns(bits, Direction::Read),
            writable: concerns(bits, Direction::Write),
        }));
    }

    pub(crate) fn idle(&mut self, until: Option<u64>) {
        self.push(Record::Idle(until.map(context::instant)));
    }
}
