//! The tables of a kernel: its tasks, the ready queue, and what waits.
//!
//! Everything here is plain data behind one `RefCell`. No method runs user code: wakers that are not the kernel's own are
//! collected in `afterwards`, to be woken or dropped by the caller when the borrow is over.
//!
//! I1. A queued task has its index in `ready`. The index of a task that has ended is skipped; if its place has a new
//!     holder that is queued, that one runs a little early.
//! I2. No borrow of the tables is held while a task is polled, a future or a value is dropped, or a waker is called,
//!     cloned or dropped.
//! I3. What an operation armed is disarmed by `end_wait`, the only way to free its node.

mod entry;
mod ready;
mod report;
mod sources;
mod waiting;

use std::collections::HashMap;
use std::panic::Location;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::Waker;

use crate::cell::TaskCell;
use crate::key::{Key, NONE};
use crate::log::Log;
use crate::name::Name;
use crate::pool::Pool;
use crate::readiness::Source;
use crate::scopes::Scopes;
use crate::timers::Timers;
use crate::waits::Waits;

use entry::{DAEMON, ESCAPED, NAMED, QUEUED, WATCHED};
pub(crate) use entry::{DELIVERED, DUE, Entry, Slot};
use ready::{Queue, Random};

/// Ids 1 and 2 belong to the kernel and the monitor.
const FIRST_ID: u64 = 3;

/// Is told when a task has ended, outside of every borrow, and sees to its failure.
pub(crate) trait Watcher {
    /// The task with this id has ended and left the tables.
    fn ended(&self, task: u64);
}

/// The task that runs next.
pub(crate) struct Next {
    pub(crate) key: Key,
    pub(crate) cell: TaskCell,
    /// Whether it has anything to look at its scopes for (S3).
    pub(crate) hot: bool,
}

/// What is to be done when the borrow of the tables is over (I2).
pub(crate) enum Afterwards {
    /// Wake somebody whose waker is not the kernel's.
    Wake(Waker),
    /// Drop such a waker, whose operation waits no more.
    Drop(Box<Waker>),
    /// Tell a watcher that a task has ended.
    Tell(Weak<dyn Watcher>, u64),
}

impl Afterwards {
    pub(crate) fn happen(self) {
        match self {
            Afterwards::Wake(waker) => waker.wake(),
            Afterwards::Drop(waker) => drop(waker),
            Afterwards::Tell(watcher, task) => {
                if let Some(watcher) = watcher.upgrade() {
                    watcher.ended(task);
                }
            }
        }
    }
}

pub(crate) struct Tables {
    /// The tasks, and who waits.
    pub(crate) waits: Waits,
    /// How many tasks there are.
    pub(crate) tasks: usize,
    pub(crate) ready: Queue,
    /// How many entries of `ready` are to be skipped (I1).
    pub(crate) stale: usize,
    pub(crate) scopes: Scopes,
    pub(crate) timers: Timers,
    sources: Pool<Option<Rc<Source>>>,
    /// How many of them there are.
    pub(crate) open_sources: usize,
    /// Names given by the user; all others come from the type of the future.
    pub(crate) names: HashMap<u64, Arc<str>>,
    /// Who is told of the end of a task, by its place. Weak, so that the kernel keeps nobody alive who has lost interest.
    watchers: Vec<Option<Weak<dyn Watcher>>>,
    /// Counts deliveries, so that "before" and "after" can be told apart. Starts at 1: 0 means never.
    pub(crate) epoch: u64,
    /// Scopes whose delivery an operation owes that completed in the present run; see `interrupt`.
    pub(crate) debts: Vec<Key>,
    pub(crate) afterwards: Vec<Afterwards>,
    /// Scratch space for the wakes that come from other threads.
    pub(crate) remote_wakes: Vec<u32>,
    pub(crate) next_id: u64,
    /// Tasks that are not daemons.
    pub(crate) workers: usize,
    /// Draws the next task when the order is shuffled.
    shuffle: Option<Random>,
    /// What the activations are to be told; none if there are none.
    pub(crate) log: Option<Box<Log>>,
}

impl Tables {
    pub(crate) fn new(kernel: u16, seed: Option<u64>) -> Tables {
        let kernel = Key::of_kernel(kernel);
        Tables {
            waits: Waits::new(kernel),
            tasks: 0,
            ready: Queue::default(),
            stale: 0,
            scopes: Scopes::new(kernel),
            timers: Timers::default(),
            sources: Pool::new(kernel),
            open_sources: 0,
            names: HashMap::new(),
            watchers: Vec::new(),
            epoch: 1,
            debts: Vec::new(),
            afterwards: Vec::new(),
            remote_wakes: Vec::new(),
            next_id: FIRST_ID,
            workers: 0,
            shuffle: seed.map(Random),
            log: None,
        }
    }

    // ---- Tasks

    /// Enters a task into the table, ready to run.
    #[inline(never)]
    pub(crate) fn add_task(&mut self, cell: TaskCell, spawned: &'static Location<'static>) -> (Key, u64) {
        // Nearly always: there is room for it, and nobody looks on.
        let place = self.waits.entries.free_place().filter(|_| self.log.is_none());
        if place.is_none_or(|place| !self.ready.try_push(place)) {
            return self.add_task_with(cell, spawned, None, false);
        }
        let id = self.next_id;
        self.next_id += 1;
        self.tasks += 1;
        self.workers += 1;
        (self.waits.add_task(Slot::new(cell, id | QUEUED, spawned)), id)
    }

    /// The same for one that perhaps has a name, or is a daemon.
    #[inline(never)]
    pub(crate) fn add_task_with(
        &mut self,
        cell: TaskCell,
        spawned: &'static Location<'static>,
        name: Option<&Arc<str>>,
        daemon: bool,
    ) -> (Key, u64) {
        let id = self.next_id;
        self.next_id += 1;
        self.tasks += 1;
        let mut flags = QUEUED;
        if daemon {
            flags |= DAEMON;
        } else {
            self.workers += 1;
        }
        if let Some(name) = name {
            flags |= NAMED;
            self.names.insert(id, name.clone());
        }
        let key = self.waits.add_task(Slot::new(cell, id | flags, spawned));
        self.ready.push(key.index());
        self.note_created(key.index());
        (key, id)
    }

    /// From now on `watcher` is told of the task's end.
    pub(crate) fn watch(&mut self, task: u32, watcher: Weak<dyn Watcher>) {
        let slot = self.slot_mut(task);
        slot.id_and_flags |= WATCHED;
        slot.cell.header().set_watched(true);
        let place = task as usize;
        if self.watchers.len() <= place {
            self.watchers.resize_with(place + 1, || None);
        }
        if self.log.is_some() {
            // As long as it is watched, nothing else has this address.
            self.show_grouped(task, watcher.as_ptr().cast::<()>().addr());
        }
        self.watchers[place] = Some(watcher);
    }

    /// The task that was at this place has ended, and somebody is to be told.
    fn tell_watcher(&mut self, task: u32, id: u64) {
        if let Some(watcher) = self.watchers[task as usize].take() {
            self.afterwards.push(Afterwards::Tell(watcher, id));
        }
    }

    /// The task at this place.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[inline]
    pub(crate) fn slot(&self, task: u32) -> &Slot {
        match &self.waits.entry(task).slot {
            Some(slot) => slot,
            None => no_task(),
        }
    }

    /// The same, to be changed.
    #[inline]
    pub(crate) fn slot_mut(&mut self, task: u32) -> &mut Slot {
        match &mut self.waits.entry_mut(task).slot {
            Some(slot) => slot,
            None => no_task(),
        }
    }

    /// The place of the task, if it has not ended.
    pub(crate) fn find_task(&self, task: Key) -> Option<u32> {
        let index = self.waits.entries.find(task)?;
        self.waits.entry(index).slot.is_some().then_some(index)
    }

    /// The task with this id, if it has not ended.
    pub(crate) fn find_id(&self, id: u64) -> Option<Key> {
        let (task, _) = self.all_tasks().find(|(_, slot)| slot.id() == id)?;
        self.waits.entries.key(task)
    }

    /// All tasks, by their places.
    pub(crate) fn all_tasks(&self) -> impl Iterator<Item = (u32, &Slot)> {
        let entries = self.waits.entries.iter();
        entries.filter_map(|(index, entry)| Some((index, entry.slot.as_ref()?)))
    }

    /// Takes all tasks out as they are, to be leaked.
    pub(crate) fn take_tasks(&mut self) -> Vec<Slot> {
        self.tasks = 0;
        let entries = self.waits.entries.iter_mut();
        entries.filter_map(|entry| entry.slot.take()).collect()
    }

    pub(crate) fn name(&self, slot: &Slot) -> Name {
        match self.names.get(&slot.id()).filter(|_| slot.has(NAMED)) {
            Some(name) => Name::Given(name.clone()),
            None => Name::OfType(slot.cell.type_name()),
        }
    }

    /// Takes an ended task out of all tables and wakes who waits for its end, if that is all there is to it, as nearly always.
    /// None: it is not so, and nothing has happened. The cell is the caller's to drop, outside of the borrow (I2).
    #[inline(always)]
    pub(crate) fn remove_plain(&mut self, key: Key) -> Option<TaskCell> {
        let task = key.index();
        let entry = self.waits.entries.find_mut(key)?;
        let slot = entry.slot.as_ref()?;
        if entry.is_entangled() || slot.is_special() || self.log.is_some() {
            return None;
        }
        let joiner = slot.first_joiner;
        if joiner != NONE && !self.notify_joiner(joiner) {
            return None;
        }
        let entry = self.waits.entries.try_get_mut(task)?;
        entry.root = NONE;
        let slot = entry.slot.take()?;
        self.waits.release(task);
        self.tasks -= 1;
        self.workers -= usize::from(!slot.has(DAEMON));
        Some(slot.cell)
    }

    /// The same for any task, if it is still there.
    pub(crate) fn remove_task(&mut self, key: Key) -> Option<TaskCell> {
        let task = self.find_task(key)?;
        let kept = self.disentangle(task);
        let entry = self.waits.entry_mut(task);
        entry.root = NONE;
        let slot = entry.slot.take()?;
        if !kept {
            self.waits.release(task);
        }
        self.tasks -= 1;
        self.workers -= usize::from(!slot.has(DAEMON));
        self.stale += usize::from(slot.has(QUEUED));
        if slot.has(NAMED) {
            self.names.remove(&slot.id());
        }
        if slot.first_joiner != NONE {
            self.notify_joiners(slot.first_joiner);
        }
        if slot.has(WATCHED) {
            self.tell_watcher(task, slot.id());
        }
        Some(slot.cell)
    }

    /// The task is about to leave the tables: nothing waits in it any more. True if its entry must stay for an operation that was
    /// notified.
    fn disentangle(&mut self, task: u32) -> bool {
        self.forget_waits(task);
        self.note_terminated(task);
        !self.waits.entry(task).wait.is_idle()
    }

    /// All tasks, the one that was spawned last first.
    pub(crate) fn newest_first(&self) -> Vec<Key> {
        if self.tasks == 0 {
            return Vec::new();
        }
        let mut tasks: Vec<_> = self.all_tasks().map(|(index, slot)| (slot.id(), index)).collect();
        tasks.sort_unstable_by(|a, b| b.cmp(a));
        let keys = tasks.into_iter().map(|(_, task)| self.waits.entries.key(task));
        keys.flatten().collect()
    }

    /// Whether anything but the clock can wake a task: a socket that somebody waits for, or a stranger who holds the
    /// waker of a task.
    pub(crate) fn is_woken_from_outside(&self) -> bool {
        let mut sources = self.sources.iter().filter_map(|(_, source)| source.as_deref());
        sources.any(Source::is_awaited) || self.all_tasks().any(|(_, slot)| slot.has(ESCAPED))
    }
}

#[cold]
#[inline(never)]
fn no_task() -> ! {
    unreachable!("there is no task at this place")
}
