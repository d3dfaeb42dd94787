//! The mirror: what other threads may see of a kernel, and what they may ask of it.
//!
//! The tables belong to the kernel's thread. A monitor must show them while that thread computes and never comes back, so it
//! cannot ask for them: whatever it shows then must lie ready in a place that both may look at. That is the mirror: who there
//! is, what each waits for and where, and who runs. It is kept whenever a kernel is monitored, and then *all* is read from it,
//! also when the kernel would have answered. (Rejected: to ask the kernel while it answers and to keep only the running task
//! here. A table of 100,000 tasks would have to be copied in the kernel's time, and of a hogged kernel one would see the least
//! just when one wants to know the most. To let another thread read the tables while user code runs would cost a lock for each
//! operation.)
//!
//! What needs the tables themselves, like a cancellation, is asked of the kernel. It looks at the requests between two runs of
//! tasks, and rings its own bell so that it does not sleep meanwhile.
//!
//! ```text
//!   kernel's thread                         the mirror                        the monitor's thread
//!   spawn, end ────────────── lock ──▶ roster: entries by id ◀── lock ──── in slices: ps, tree, parents
//!   run begins, ends, wake ── atomics ─▶ entry: cycles, ready
//!   run ends in a wait ────── lock ──▶ entry: what, where, until when
//!   between two runs ◀─────────────── requests, `wanted` ◀──── lock ────── cancel, where, locks, trace
//! ```
//!
//! M1. The kernel never waits for the monitor: each lock is held for a few instructions, or for a slice of the roster.
//! M2. An entry is in the roster from the spawn of its task until it has left the tables, and no longer.
//! M3. `ready` is set whenever a task enters the ready queue, and cleared at the end of a run after which it is not in there. So
//!     what an entry shows is out of date by one run of one task at most: the one that is under way.
//! M4. `wanted` is set after a request was put down and before the bell is rung; the kernel clears it before it takes the
//!     requests. So none is left lying while the kernel runs.
//! M5. After `close` nothing is asked any more, and who waits for an answer is told.

#![cfg_attr(not(all(unix, feature = "monitor")), allow(dead_code))]

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Bound;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::contain::contain;
use crate::context::{self, Clock, Context};
use crate::key::{Key, NONE};
use crate::name::Name;
use crate::remote::Remote;
use crate::tables::Tables;
use crate::waits::Label;

/// See the module's documentation.
pub(crate) struct Mirror {
    roster: Mutex<BTreeMap<u64, Arc<Entry>>>,
    /// The id of the task that is being run; 0: none.
    running: AtomicU64,
    /// How many runs of tasks have begun.
    turns: AtomicU64,
    /// The virtual time; 0: the clock is real.
    virtual_now: AtomicU64,
    /// How many want to know how long runs take.
    timing: AtomicUsize,
    /// M4.
    wanted: AtomicBool,
    desk: Mutex<Desk>,
    remote: Arc<Remote>,
}

/// Something to be done in the kernel's thread, between two runs of tasks.
type Work = Box<dyn FnOnce(&Context) + Send>;

#[derive(Default)]
struct Desk {
    /// M5.
    closed: bool,
    requests: VecDeque<Work>,
}

/// What is known of a task.
pub(crate) struct Entry {
    pub(crate) id: u64,
    /// Its place in the tables.
    pub(crate) index: u32,
    pub(crate) name: Name,
    /// The task that spawned it, if any did.
    pub(crate) parent: Option<u64>,
    pub(crate) spawned: &'static Location<'static>,
    pub(crate) daemon: bool,
    cycles: AtomicU64,
    /// M3.
    ready: AtomicBool,
    /// Nanoseconds that its runs have taken, and the longest of them, since somebody has wanted to know.
    busy: AtomicU64,
    longest: AtomicU64,
    /// Tells the groups of tasks apart; 0: it is in none.
    group: AtomicUsize,
    wait: Mutex<Waits>,
}

impl Entry {
    /// The group that the task is in. No two groups that have tasks have the same number.
    pub(crate) fn group(&self) -> Option<usize> {
        Some(self.group.load(Ordering::Relaxed)).filter(|group| *group != 0)
    }
}

/// Who has what others wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// The task that took it, if it was one.
    Task(Option<Key>),
    /// As many as there are permits, if that is known.
    Permits(Option<usize>),
}

/// What a task waits for, if it does.
#[derive(Clone, Copy)]
pub(crate) struct Waits {
    /// What it began to wait for last.
    pub(crate) label: Label,
    /// Where. Nobody knows where a foreign future waits.
    pub(crate) place: Option<&'static Location<'static>>,
    /// When the sleep ends, if it is one.
    pub(crate) sleep: Option<u64>,
    /// The next timeout that is set around it.
    pub(crate) timeout: Option<u64>,
    /// When somebody has asked for its cancellation.
    pub(crate) cancelled: Option<Instant>,
}

/// A task, as it is shown.
pub(crate) struct Row {
    pub(crate) entry: Arc<Entry>,
    pub(crate) state: &'static str,
    pub(crate) cycles: u64,
    pub(crate) busy: Duration,
    pub(crate) longest: Duration,
    /// What it waits for, or waited for before it was woken.
    pub(crate) waits: Waits,
    pub(crate) is_waiting: bool,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    /// The kernel is busy, or does not run.
    Busy,
    /// The kernel has ended.
    Gone,
}

/// Where an answer goes. Dropping it tells that there is none.
pub(crate) struct Answer<R>(SyncSender<R>);

impl<R> Answer<R> {
    /// If it comes too late, nobody hears it.
    pub(crate) fn give(self, answer: R) {
        let _ = self.0.try_send(answer);
    }
}

/// Nothing of the user's runs under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Mirror {
    pub(crate) fn new(remote: Arc<Remote>, clock: Clock, virtual_now: u64) -> Arc<Mirror> {
        let virtual_now = if clock == Clock::Virtual { virtual_now } else { 0 };
        Arc::new(Mirror {
            roster: Mutex::default(),
            running: AtomicU64::new(0),
            turns: AtomicU64::new(0),
            virtual_now: AtomicU64::new(virtual_now),
            timing: AtomicUsize::new(0),
            wanted: AtomicBool::new(false),
            desk: Mutex::default(),
            remote,
        })
    }

    // ---- For those who look

    /// How many tasks there are.
    pub(crate) fn len(&self) -> usize {
        lock(&self.roster).len()
    }

    /// The task with this id.
    pub(crate) fn find(&self, id: u64) -> Option<Arc<Entry>> {
        lock(&self.roster).get(&id).cloned()
    }

    /// Up to so many tasks with greater ids than `after`, by id.
    pub(crate) fn slice(&self, after: u64, count: usize) -> Vec<Arc<Entry>> {
        let roster = lock(&self.roster);
        let after = (Bound::Excluded(after), Bound::Unbounded);
        roster
            .range(after)
            .take(count)
            .map(|(_, entry)| entry.clone())
            .collect()
    }

    /// What is known of a task now.
    pub(crate) fn row(&self, entry: Arc<Entry>) -> Row {
        let waits = *lock(&entry.wait);
        let running = self.running() == Some(entry.id);
        let ready = entry.ready.load(Ordering::Acquire);
        Row {
            state: match (running, ready) {
                (true, _) => "RUNNING",
                (false, true) => "READY",
                (false, false) => waits.label.as_str(),
            },
            cycles: entry.cycles.load(Ordering::Relaxed),
            busy: Duration::from_nanos(entry.busy.load(Ordering::Relaxed)),
            longest: Duration::from_nanos(entry.longest.load(Ordering::Relaxed)),
            waits,
            is_waiting: !running && !ready,
            entry,
        }
    }

    /// The task that is being run.
    pub(crate) fn running(&self) -> Option<u64> {
        Some(self.running.load(Ordering::Acquire)).filter(|id| *id != 0)
    }

    /// How many runs of tasks have begun.
    pub(crate) fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    /// The kernel's time.
    pub(crate) fn now(&self) -> u64 {
        match self.virtual_now.load(Ordering::Relaxed) {
            0 => context::ticks(Instant::now()),
            now => now,
        }
    }

    /// From now on it is known how long runs take, or nobody wants to know any more.
    pub(crate) fn time(&self, on: bool) {
        match on {
            true => self.timing.fetch_add(1, Ordering::Relaxed),
            false => self.timing.fetch_sub(1, Ordering::Relaxed),
        };
    }

    // ---- Requests

    /// Has something done in the kernel's thread, when it has time. False if there is no kernel any more.
    pub(crate) fn tell(&self, work: impl FnOnce(&Context) + Send + 'static) -> bool {
        let mut desk = lock(&self.desk);
        if desk.closed {
            return false;
        }
        desk.requests.push_back(Box::new(work));
        drop(desk);
        self.wanted.store(true, Ordering::Release);
        self.remote.ring();
        true
    }

    /// Asks something of the kernel, and waits for so long for the answer, which may be given later. A question that was not
    /// answered is withdrawn.
    pub(crate) fn ask<R: Send + 'static>(
        &self,
        patience: Duration,
        question: impl FnOnce(&Context, Answer<R>) + Send + 'static,
    ) -> Result<R, Silence> {
        let (answer, answered) = mpsc::sync_channel(1);
        let withdrawn = Arc::new(AtomicBool::new(false));
        let asked = self.tell({
            let withdrawn = withdrawn.clone();
            move |context| {
                if !withdrawn.load(Ordering::Relaxed) {
                    question(context, Answer(answer));
                }
            }
        });
        if !asked {
            return Err(Silence::Gone);
        }
        answered.recv_timeout(patience).map_err(|silence| {
            withdrawn.store(true, Ordering::Relaxed);
            match silence {
                RecvTimeoutError::Timeout => Silence::Busy,
                RecvTimeoutError::Disconnected => Silence::Gone,
            }
        })
    }

    // ---- For the kernel

    /// Whether there are requests.
    #[inline]
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    /// Does what was asked for. No borrow of the tables is held meanwhile, and no task runs.
    #[cold]
    pub(crate) fn answer(&self, context: &Context) {
        self.wanted.store(false, Ordering::Relaxed);
        // Only what is there now: who asks again and again must not keep the kernel from its tasks.
        let requests = std::mem::take(&mut lock(&self.desk).requests);
        for work in requests {
            contain(|| work(context));
        }
    }

    /// The kernel ends (M5).
    pub(crate) fn close(&self) {
        let mut desk = lock(&self.desk);
        desk.closed = true;
        let requests = std::mem::take(&mut desk.requests);
        drop(desk);
        drop(requests);
    }
}

/// The kernel's end of the mirror: who writes it.
pub(crate) struct Scribe {
    mirror: Arc<Mirror>,
    /// By the places of their tasks.
    entries: Vec<Option<Arc<Entry>>>,
    /// The task that ran last, until it is known what it does now; or that is running.
    last: u32,
    /// Whose run is timed, and when that began.
    began: Option<(Arc<Entry>, Instant)>,
    /// Who has what those on a list wait for: noted when the first one begins to wait, and whenever it is handed on. So a
    /// lock that nobody waits for costs nothing here.
    holders: HashMap<u32, Holder>,
}

impl Scribe {
    pub(crate) fn new(mirror: Arc<Mirror>) -> Scribe {
        Scribe {
            mirror,
            entries: Vec::new(),
            last: NONE,
            began: None,
            holders: HashMap::new(),
        }
    }

    fn entry(&self, task: u32) -> Option<&Arc<Entry>> {
        self.entries.get(task as usize)?.as_ref()
    }

    pub(crate) fn created(&mut self, tables: &Tables, task: u32) {
        let slot = tables.slot(task);
        let entry = Arc::new(Entry {
            id: slot.id(),
            index: task,
            name: tables.name(slot),
            parent: self.mirror.running(),
            spawned: slot.spawned,
            daemon: slot.is_daemon(),
            cycles: AtomicU64::new(0),
            ready: AtomicBool::new(true),
            busy: AtomicU64::new(0),
            longest: AtomicU64::new(0),
            group: AtomicUsize::new(0),
            wait: Mutex::new(Waits {
                label: Label::FOREIGN_WAIT,
                place: None,
                sleep: None,
                timeout: None,
                cancelled: None,
            }),
        });
        let place = task as usize;
        if self.entries.len() <= place {
            self.entries.resize_with(place + 1, || None);
        }
        self.entries[place] = Some(entry.clone());
        lock(&self.mirror.roster).insert(entry.id, entry);
    }

    pub(crate) fn terminated(&mut self, task: u32) {
        if let Some(entry) = self.entries.get_mut(task as usize).and_then(Option::take) {
            lock(&self.mirror.roster).remove(&entry.id);
        }
    }

    /// The task enters the ready queue, or is in there (M3).
    pub(crate) fn ready(&self, task: u32) {
        if let Some(entry) = self.entry(task) {
            entry.ready.store(true, Ordering::Relaxed);
        }
    }

    /// The task is in this group from now on.
    pub(crate) fn grouped(&self, task: u32, group: usize) {
        if let Some(entry) = self.entry(task) {
            entry.group.store(group, Ordering::Relaxed);
        }
    }

    /// Who has what those on the list wait for. None: it is a new list, or nobody can have what it is for.
    pub(crate) fn set_holder(&mut self, list: u32, holder: Option<Holder>) {
        match holder {
            Some(holder) => self.holders.insert(list, holder),
            None => self.holders.remove(&list),
        };
    }

    /// What the task waited for on the list is its own now.
    pub(crate) fn handed_on(&mut self, list: u32, task: Option<Key>) {
        if let Some(Holder::Task(holder)) = self.holders.get_mut(&list) {
            *holder = task;
        }
    }

    pub(crate) fn holder(&self, list: u32) -> Option<Holder> {
        self.holders.get(&list).copied()
    }

    pub(crate) fn cancelled(&self, task: u32) {
        if let Some(entry) = self.entry(task) {
            lock(&entry.wait).cancelled = Some(Instant::now());
        }
    }

    /// The task that ran last, if it is not known yet what it does now.
    #[inline]
    pub(crate) fn last(&self) -> Option<u32> {
        (self.last != NONE).then_some(self.last)
    }

    /// A task is about to run. The last one, if there was one, is in the queue again.
    #[inline]
    pub(crate) fn running(&mut self, task: u32) {
        let Scribe {
            mirror,
            entries,
            last,
            ..
        } = self;
        if let Some(Some(entry)) = entries.get(task as usize) {
            *last = task;
            mirror.running.store(entry.id, Ordering::Relaxed);
            count(&entry.cycles, 1);
            count(&mirror.turns, 1);
            if mirror.timing.load(Ordering::Relaxed) != 0 {
                self.time(task);
            }
        }
    }

    /// A task is run out of turn: that is not counted.
    pub(crate) fn looks(&mut self, task: u32) {
        if let Some(Some(entry)) = self.entries.get(task as usize) {
            self.last = task;
            self.mirror.running.store(entry.id, Ordering::Relaxed);
        }
    }

    /// No task runs. Gives the one that ran last, if it is not known yet what it does now and it has not ended.
    pub(crate) fn suspended(&mut self) -> Option<u32> {
        if self.began.is_some() {
            // (If nobody wants to know any more, it began before that, at most a batch of runs ago.)
            self.time(NONE);
        }
        let last = std::mem::replace(&mut self.last, NONE);
        let id = self.mirror.running.load(Ordering::Relaxed);
        self.mirror.running.store(0, Ordering::Relaxed);
        // If the task has ended, there may be another one at its place already.
        self.entry(last)
            .is_some_and(|entry| entry.id == id)
            .then_some(last)
    }

    /// The run that is timed, if one is, ends; and that of this task begins.
    #[cold]
    fn time(&mut self, task: u32) {
        let now = Instant::now();
        if let Some((entry, began)) = self.began.take() {
            let took = context::nanos(now - began);
            count(&entry.busy, took);
            entry.longest.fetch_max(took, Ordering::Relaxed);
        }
        if self.mirror.timing.load(Ordering::Relaxed) != 0
            && let Some(entry) = self.entry(task)
        {
            self.began = Some((entry.clone(), now));
        }
    }

    /// The task waits from now on.
    pub(crate) fn waits(&self, task: u32, outlook: Waits) {
        if let Some(entry) = self.entry(task) {
            let mut wait = lock(&entry.wait);
            let cancelled = wait.cancelled;
            *wait = Waits { cancelled, ..outlook };
            drop(wait);
            // M3.
            entry.ready.store(false, Ordering::Release);
        }
    }

    pub(crate) fn set_time(&self, now: u64) {
        self.mirror.virtual_now.store(now, Ordering::Relaxed);
    }
}

/// Counts what only the kernel's thread counts.
#[inline]
fn count(counter: &AtomicU64, more: u64) {
    counter.store(
        counter.load(Ordering::Relaxed).wrapping_add(more),
        Ordering::Relaxed,
    );
}
