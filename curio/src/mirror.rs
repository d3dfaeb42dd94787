//! The mirror: what other threads may see of a kernel, and what they may ask of it.
//!
//! The tables belong to the kernel's thread. A monitor must show them while that thread computes and never comes back, so it
//! cannot ask for them: whatever it shows then must lie ready in a place that both may look at. That is the mirror: who there
//! is, what each waits for and where, and who runs. It is kept whenever a kernel is monitored, or may be asked for dumps, and
//! then *all* is read from it, also when the kernel would have answered. (Rejected: to ask the kernel while it answers and to
//! keep only the running task here. A table of 100,000 tasks would have to be copied in the kernel's time, and of a hogged
//! kernel one would see the least just when one wants to know the most. To let another thread read the tables while user code
//! runs would cost a lock for each operation.)
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
//! M1. The kernel never waits for the monitor: each lock is held for a few instructions, or for a slice of the roster. (Unless
//!     the system takes the processor from the monitor's thread just then.)
//! M2. An entry is in the roster from the spawn of its task until it has left the tables, and no longer.
//! M3. `ready` is set whenever a task enters the ready queue, and cleared at the end of a run after which it is not in there. So
//!     what an entry shows is out of date by one run of one task at most: the one that is under way.
//! M4. `wanted` is set after a request was put down and before the bell is rung; the kernel clears it before it takes the
//!     requests. So none is left lying while the kernel runs.
//! M5. After `close` nothing is asked any more, and who waits for an answer is told.

#![cfg_attr(not(all(unix, feature = "monitor")), allow(dead_code))]

mod desk;
mod scribe;
mod show;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::context::{self, Clock};
use crate::key::Key;
use crate::name::Name;
use crate::remote::Remote;
use crate::waits::Label;

use desk::Desk;
#[cfg(all(unix, feature = "monitor"))]
pub(crate) use desk::{Answer, Silence};
pub(crate) use scribe::Scribe;

/// How many tasks there are in a slice of the roster (M1).
pub(crate) const SLICE: usize = 256;

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

    /// How many tasks there are.
    pub(crate) fn len(&self) -> usize {
        lock(&self.roster).len()
    }

    /// The task with this id.
    pub(crate) fn find(&self, id: u64) -> Option<Arc<Entry>> {
        lock(&self.roster).get(&id).cloned()
    }

    /// Some tasks with greater ids than `after`, by id: none if there are no more.
    pub(crate) fn slice(&self, after: u64) -> Vec<Arc<Entry>> {
        let roster = lock(&self.roster);
        let after = (Bound::Excluded(after), Bound::Unbounded);
        roster
            .range(after)
            .take(SLICE)
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
}

#[cfg(all(test, unix, feature = "monitor"))]
mod tests {
    use super::*;
    use crate::context::Context;
    use crate::{Event, Kernel, spawn, yield_now};

    /// M1: the kernel's lock is never held for more than a slice.
    #[test]
    fn the_roster_is_read_in_slices() {
        let path = std::env::temp_dir().join(format!("curio-mirror-{}", std::process::id()));
        let monitor = crate::monitor::Monitor::new().socket(&path);
        let kernel = Kernel::builder().monitor(monitor).build().unwrap();
        let slices = kernel.run(async {
            let never = Event::new();
            for _ in 0..512 {
                let never = never.clone();
                spawn(async move { never.wait().await });
            }
            yield_now().await?;
            let mirror = context::with(|context: Option<&Context>| context?.mirror.clone()).unwrap();
            let (mut after, mut slices) = (0, Vec::new());
            while let Some(last) = mirror.slice(after).last() {
                slices.push(mirror.slice(after).len());
                after = last.id;
            }
            Ok(slices)
        });
        assert_eq!(slices.unwrap(), [256, 256, 1]);
    }
}
