//! The scribe: the kernel's end of the mirror.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::{Entry, Holder, Mirror, Waits, lock};
use crate::context;
use crate::key::{Key, NONE};
use crate::tables::Tables;
use crate::waits::Label;

/// Writes the mirror.
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

    /// The task that ran last, if it is not known yet what it does now. NONE if it is.
    #[inline]
    pub(crate) fn last(&self) -> u32 {
        self.last
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
