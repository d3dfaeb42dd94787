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

mod report;

use std::collections::{HashMap, VecDeque};
use std::panic::Location;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::Waker;

use slab::Slab;

use crate::cell::Runnable;
use crate::error::{Error, Result};
use crate::key::{self, Key, NONE};
use crate::log::Log;
use crate::name::Name;
use crate::pool::Pool;
use crate::readiness::{self, Direction, Source};
use crate::scopes::Scopes;
use crate::timers::{Target, Timers};
use crate::waits::{Armed, Label, Wait, Waits};

/// Ids 1 and 2 belong to the kernel and the monitor.
const FIRST_ID: u64 = 3;

/// A task's entry in the table.
pub(crate) struct Slot {
    pub(crate) cell: Rc<dyn Runnable>,
    /// The id, and the flags above it.
    id_and_flags: u64,
    pub(crate) spawned: &'static Location<'static>,
    /// The operations that wait directly below the task.
    pub(crate) first_wait: u32,
    /// The task scope, once it is needed.
    pub(crate) root: u32,
    /// The operations that wait for the end of the task, newest first.
    pub(crate) first_joiner: u32,
    /// How many scopes are due or delivered (S3).
    pub(crate) hot: u32,
}

/// The task is in the ready queue (I1).
const QUEUED: u64 = 1 << 63;
/// Nobody waits for it.
const DAEMON: u64 = 1 << 62;
/// `names` has a name for it.
const NAMED: u64 = 1 << 61;
/// Somebody who is not of this library has cloned the task's waker: it may be woken from anywhere.
const ESCAPED: u64 = 1 << 60;
/// `watchers` has somebody who is told of its end.
const WATCHED: u64 = 1 << 59;
const ID: u64 = WATCHED - 1;

/// Is told when a task has ended, outside of every borrow, and sees to its failure.
pub(crate) trait Watcher {
    /// The task with this id has ended and left the tables.
    fn ended(&self, task: u64);
}

/// The task that runs next.
pub(crate) struct Next {
    pub(crate) key: Key,
    pub(crate) cell: Rc<dyn Runnable>,
    /// Whether it has anything to look at its scopes for (S3).
    pub(crate) hot: bool,
}

impl Slot {
    fn has(&self, flag: u64) -> bool {
        self.id_and_flags & flag != 0
    }

    pub(crate) fn id(&self) -> u64 {
        self.id_and_flags & ID
    }

    /// The task's waker, as a number: `kernel` is the kernel's key.
    #[inline]
    pub(crate) fn key(&self, kernel: Key, task: u32) -> Key {
        // The flags are shifted out, as is so much of the id as there is no room for.
        kernel.with(self.id_and_flags, task)
    }

    pub(crate) fn is_queued(&self) -> bool {
        self.has(QUEUED)
    }

    pub(crate) fn is_daemon(&self) -> bool {
        self.has(DAEMON)
    }

    /// The waker of the task has left the library.
    pub(crate) fn escape(&mut self) {
        self.id_and_flags |= ESCAPED;
    }
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
    /// The key that all keys of this kernel are made from.
    pub(crate) kernel: Key,
    pub(crate) tasks: Slab<Slot>,
    pub(crate) ready: VecDeque<u32>,
    /// How many entries of `ready` are to be skipped (I1).
    stale: usize,
    pub(crate) waits: Waits,
    pub(crate) scopes: Scopes,
    pub(crate) timers: Timers,
    pub(crate) sources: Pool<Source>,
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
            kernel,
            tasks: Slab::new(),
            ready: VecDeque::new(),
            stale: 0,
            waits: Waits::new(kernel),
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
    pub(crate) fn add_task(
        &mut self,
        cell: Rc<dyn Runnable>,
        spawned: &'static Location<'static>,
        name: Option<Arc<str>>,
        daemon: bool,
    ) -> (Key, u64) {
        assert!(self.tasks.len() < key::MAX_INDEX, "too many tasks for one kernel");
        let id = self.next_id;
        self.next_id += 1;
        let named = name.is_some();
        if let Some(name) = name {
            self.names.insert(id, name);
        }
        self.workers += usize::from(!daemon);
        let index = self.tasks.insert(Slot {
            cell,
            id_and_flags: id | QUEUED | if daemon { DAEMON } else { 0 } | if named { NAMED } else { 0 },
            spawned,
            first_wait: NONE,
            root: NONE,
            first_joiner: NONE,
            hot: 0,
        }) as u32;
        self.ready.push_back(index);
        self.note(|log, tables| log.created(tables, index));
        (self.kernel.with(id, index), id)
    }

    /// From now on `watcher` is told of the task's end.
    pub(crate) fn watch(&mut self, task: u32, watcher: Weak<dyn Watcher>) {
        let slot = self.slot(task);
        slot.id_and_flags |= WATCHED;
        slot.cell.header().set_watched(true);
        let place = task as usize;
        if self.watchers.len() <= place {
            self.watchers.resize_with(place + 1, || None);
        }
        self.watchers[place] = Some(watcher);
    }

    /// The task that was at this place has ended, and somebody is to be told.
    #[cold]
    fn tell_watcher(&mut self, task: u32, id: u64) {
        if let Some(watcher) = self.watchers[task as usize].take() {
            self.afterwards.push(Afterwards::Tell(watcher, id));
        }
    }

    /// The task at this place.
    pub(crate) fn slot(&mut self, task: u32) -> &mut Slot {
        &mut self.tasks[task as usize]
    }

    /// The place of the task, if it has not ended.
    pub(crate) fn find_task(&self, task: Key) -> Option<u32> {
        let index = task.index();
        let slot = self.tasks.get(index as usize)?;
        (slot.key(self.kernel, index) == task).then_some(index)
    }

    /// The task with this id, if it has not ended.
    pub(crate) fn find_id(&self, id: u64) -> Option<Key> {
        let (task, _) = self.tasks.iter().find(|(_, slot)| slot.id() == id)?;
        Some(self.task_key(task as u32))
    }

    /// The task's waker, as a number.
    pub(crate) fn task_key(&self, task: u32) -> Key {
        self.tasks[task as usize].key(self.kernel, task)
    }

    pub(crate) fn name(&self, slot: &Slot) -> Name {
        match self.names.get(&slot.id()).filter(|_| slot.has(NAMED)) {
            Some(name) => Name::Given(name.clone()),
            None => Name::OfType(slot.cell.type_name()),
        }
    }

    /// Takes an ended task, if it is still there, out of all tables and wakes those who wait for its end. The cell is the
    /// caller's to drop, outside of the borrow (I2).
    pub(crate) fn remove_task(&mut self, key: Key) -> Option<Rc<dyn Runnable>> {
        let task = self.find_task(key)?;
        let &mut Slot { first_wait, root, .. } = self.slot(task);
        if first_wait != NONE || root != NONE {
            self.forget_waits(task);
        }
        self.note(|log, tables| log.terminated(tables, task));
        let slot = self.tasks.remove(task as usize);
        self.stale += usize::from(slot.has(QUEUED));
        if slot.has(NAMED) {
            self.names.remove(&slot.id());
        }
        self.workers -= usize::from(!slot.has(DAEMON));
        if slot.first_joiner != NONE {
            self.notify_joiners(slot.first_joiner);
        }
        if slot.has(WATCHED) {
            self.tell_watcher(task, slot.id());
        }
        Some(slot.cell)
    }

    /// Takes care of an operation whose task has ended. It was leaked, or a combinator has taken it to another task: then it
    /// must be polled there. If it was chosen to be woken, its node stays for it, so that the wake-up is not lost.
    fn abandon(&mut self, index: u32) {
        self.wake_foreign(index);
        if self.waits.get(index).armed != Armed::Notified {
            return self.end_wait(index, false);
        }
        let &Wait {
            task,
            scope,
            next,
            prev,
            ..
        } = self.waits.get(index);
        self.unlink_wait(task, scope, next, prev);
        let wait = self.waits.get_mut(index);
        (wait.task, wait.scope, wait.next, wait.prev) = (NONE, NONE, NONE, NONE);
    }

    /// Puts a node on the list of its owner, and gives the one that is next there.
    #[inline(always)]
    fn link_wait(&mut self, index: u32, task: u32, scope: u32) -> u32 {
        let head = match scope {
            NONE => &mut self.tasks[task as usize].first_wait,
            scope => &mut self.scopes.get_mut(scope).first_wait,
        };
        self.waits.link(index, head)
    }

    /// Takes a node with these neighbours off the list of its owner, if it has one.
    #[inline(always)]
    fn unlink_wait(&mut self, task: u32, scope: u32, next: u32, prev: u32) {
        if self.waits.unlink(next, prev) {
            if scope != NONE {
                self.scopes.get_mut(scope).first_wait = next;
            } else if let Some(slot) = self.tasks.get_mut(task as usize) {
                slot.first_wait = next;
            }
        }
    }

    /// Frees what a task leaves behind: its scopes, and the nodes of operations that were leaked.
    fn forget_waits(&mut self, task: u32) {
        while self.slot(task).first_wait != NONE {
            let wait = self.slot(task).first_wait;
            self.abandon(wait);
        }
        let root = self.slot(task).root;
        if root != NONE {
            self.remove_scopes(root);
        }
    }

    /// Wakes those who wait for the end of a task, in the order in which they came: the list is newest first.
    fn notify_joiners(&mut self, first: u32) {
        let wait = self.waits.get_mut(first);
        if let Armed::Join { next: NONE, .. } = wait.armed {
            // Nearly always: there is only one.
            wait.armed = Armed::Notified;
            return self.wake(first);
        }
        let mut last = first;
        while let Armed::Join { next, .. } = self.waits.get(last).armed
            && next != NONE
        {
            last = next;
        }
        let mut at = last;
        while at != NONE {
            let wait = self.waits.get_mut(at);
            let Armed::Join { prev, .. } = wait.armed else {
                break;
            };
            wait.armed = Armed::Notified;
            self.wake(at);
            at = prev;
        }
    }

    /// Puts the operation among those who wait for the end of a task.
    #[inline]
    pub(crate) fn arm_join(&mut self, index: u32, task: u32) -> Armed {
        let next = std::mem::replace(&mut self.slot(task).first_joiner, index);
        if next != NONE
            && let Armed::Join { prev, .. } = &mut self.waits.get_mut(next).armed
        {
            *prev = index;
        }
        Armed::Join {
            task,
            next,
            prev: NONE,
        }
    }

    fn disarm_join(&mut self, task: u32, next: u32, prev: u32) {
        if prev == NONE {
            self.slot(task).first_joiner = next;
        } else if let Armed::Join { next: n, .. } = &mut self.waits.get_mut(prev).armed {
            *n = next;
        }
        if next != NONE
            && let Armed::Join { prev: p, .. } = &mut self.waits.get_mut(next).armed
        {
            *p = prev;
        }
    }

    fn remove_scopes(&mut self, top: u32) {
        while self.scopes.get(top).first_child != NONE {
            let child = self.scopes.get(top).first_child;
            self.remove_scopes(child);
        }
        while self.scopes.get(top).first_wait != NONE {
            let wait = self.scopes.get(top).first_wait;
            self.abandon(wait);
        }
        if let Some(timer) = self.scopes.get(top).timer {
            self.timers.remove(timer);
            self.note(|log, tables| log.timeout_removed(tables, top));
        }
        self.scopes.remove(top);
    }

    /// All tasks, the one that was spawned last first.
    pub(crate) fn newest_first(&self) -> Vec<Key> {
        let mut tasks: Vec<_> = self
            .tasks
            .iter()
            .map(|(index, slot)| (slot.id(), index as u32))
            .collect();
        tasks.sort_unstable_by(|a, b| b.cmp(a));
        tasks.into_iter().map(|(_, task)| self.task_key(task)).collect()
    }

    /// Whether the task was told of its cancellation.
    pub(crate) fn was_cancelled(&self, task: u32) -> bool {
        let root = self.tasks[task as usize].root;
        root != NONE && self.scopes.get(root).delivered != 0
    }

    /// Whether anything but the clock can wake a task: a socket that somebody waits for, or a stranger who holds the
    /// waker of a task.
    pub(crate) fn is_woken_from_outside(&self) -> bool {
        self.sources.iter().any(|s| s.reader != NONE || s.writer != NONE)
            || self.tasks.iter().any(|(_, slot)| slot.has(ESCAPED))
    }

    // ---- The ready queue

    /// Puts the task at the end of the ready queue, unless it is there (I1).
    #[inline]
    pub(crate) fn schedule(&mut self, task: u32) {
        if let Some(slot) = self.tasks.get_mut(task as usize)
            && !slot.has(QUEUED)
        {
            slot.id_and_flags |= QUEUED;
            self.ready.push_back(task);
        }
    }

    /// Takes the task off the ready queue again: it is to be run out of turn. False if it is not there.
    #[cold]
    pub(crate) fn unschedule(&mut self, task: Key) -> bool {
        let Some(task) = self.find_task(task).filter(|&task| self.slot(task).is_queued()) else {
            return false;
        };
        let Some(at) = self.ready.iter().rposition(|&queued| queued == task) else {
            return false;
        };
        self.slot(task).id_and_flags &= !QUEUED;
        self.ready.remove(at);
        if let Some(log) = &mut self.log {
            log.unqueued(at);
        }
        true
    }

    /// Takes the task that runs next off the ready queue. None if the queue is empty.
    #[inline]
    pub(crate) fn next_ready(&mut self) -> Option<Next> {
        if self.shuffle.is_some() {
            self.draw();
        }
        loop {
            let task = self.ready.pop_front()?;
            if let Some(slot) = self.tasks.get_mut(task as usize)
                && slot.is_queued()
            {
                slot.id_and_flags &= !QUEUED;
                return Some(Next {
                    key: slot.key(self.kernel, task),
                    cell: slot.cell.clone(),
                    hot: slot.hot != 0,
                });
            }
            self.stale -= 1;
        }
    }

    /// Draws the task that runs next, and puts it in front.
    #[cold]
    fn draw(&mut self) {
        let ready = self.ready.len();
        if let Some(random) = &mut self.shuffle
            && ready > 1
        {
            self.ready.swap(0, random.below(ready));
        }
    }

    /// How many tasks are ready.
    pub(crate) fn ready_tasks(&self) -> usize {
        self.ready.len() - self.stale
    }

    // ---- Waits

    /// Makes the node of an operation that begins to wait below `scope` (NONE: directly below the task).
    #[inline(always)]
    pub(crate) fn begin_wait(
        &mut self,
        task: u32,
        scope: u32,
        label: Label,
        place: &'static Location<'static>,
        arm: impl FnOnce(&mut Tables, u32) -> Armed,
    ) -> Key {
        let key = self.waits.claim();
        let armed = arm(self, key.index());
        let next = self.link_wait(key.index(), task, scope);
        let node = self.waits.get_mut(key.index());
        node.place = place;
        node.label = label;
        node.started = self.epoch;
        node.task = task;
        node.scope = scope;
        node.next = next;
        node.prev = NONE;
        node.armed = armed;
        self.note(|log, tables| log.wait(tables, key.index()));
        key
    }

    /// An operation that waits already is polled inside another scope than before: that is where it waits now. What was
    /// delivered since it began counts for it only if it was inside then and still is.
    #[cold]
    pub(crate) fn move_wait(&mut self, index: u32, scope: u32) {
        let &Wait {
            task,
            scope: before,
            started,
            next,
            prev,
            ..
        } = self.waits.get(index);
        if !self.has_missed(task, before, scope, started) {
            self.waits.get_mut(index).started = self.epoch;
        }
        self.unlink_wait(task, before, next, prev);
        let next = self.link_wait(index, task, scope);
        let wait = self.waits.get_mut(index);
        (wait.scope, wait.next, wait.prev) = (scope, next, NONE);
    }

    /// Frees the node of an operation that has resolved or was dropped, and disarms all it had armed (I3). One that has
    /// `completed` may owe an interruption (D4 of `interrupt`).
    #[inline(always)]
    pub(crate) fn end_wait(&mut self, index: u32, completed: bool) {
        // The node goes first, so that it is looked up but once.
        let wait = self.waits.release(index);
        let is_foreign = wait.foreign.is_some();
        let &mut Wait {
            task,
            scope,
            next,
            prev,
            started,
            ..
        } = wait;
        match wait.armed {
            Armed::Nothing | Armed::Notified => {}
            Armed::Reader(source) => self.sources.get_mut(source).reader = NONE,
            _ => self.disarm(index),
        }
        self.unlink_wait(task, scope, next, prev);
        if completed && started != self.epoch {
            self.owe(task, scope, started);
        }
        if is_foreign {
            self.forget_foreign(index);
        }
        self.note(|log, tables| log.left(tables, index, completed));
    }

    /// The waker of a node that was given back is dropped when the borrow is over (I2).
    #[cold]
    fn forget_foreign(&mut self, index: u32) {
        let waker = self.waits.get_mut(index).foreign.take();
        self.afterwards.extend(waker.map(Afterwards::Drop));
    }

    /// Takes back what an operation has armed.
    #[inline(never)]
    fn disarm(&mut self, index: u32) {
        match self.waits.get(index).armed {
            Armed::Nothing | Armed::Notified => {}
            Armed::List { .. } => self.waits.delist(index),
            Armed::Timer(timer) => self.timers.remove(timer),
            Armed::Join { task, next, prev } => self.disarm_join(task, next, prev),
            Armed::Reader(source) => self.sources.get_mut(source).reader = NONE,
            Armed::Writer(source) => self.sources.get_mut(source).writer = NONE,
        }
    }

    /// Wakes an operation, so that it is polled again.
    #[inline(always)]
    pub(crate) fn wake(&mut self, index: u32) {
        self.note(|log, _| log.wake(index));
        let wait = self.waits.get(index);
        if wait.foreign.is_none() {
            let task = wait.task;
            self.schedule(task);
        } else {
            self.wake_foreign(index);
        }
    }

    /// The waker is moved out, as cloning it would run user code (I2). The operation brings a new one when it is polled.
    #[cold]
    fn wake_foreign(&mut self, index: u32) {
        if let Some(waker) = self.waits.get_mut(index).foreign.take() {
            self.afterwards.push(Afterwards::Wake(*waker));
        }
    }

    /// Notifies the operation that has waited longest on a primitive's list: what it waited for has happened.
    #[inline(always)]
    pub(crate) fn notify_one(&mut self, list: u32) -> bool {
        let chosen = self.waits.choose_first(list);
        if let Some(index) = chosen {
            self.wake(index);
        }
        chosen.is_some()
    }

    /// Notifies all operations on a primitive's list, in the order in which they came.
    #[inline(always)]
    pub(crate) fn notify_all(&mut self, list: u32) {
        while self.notify_one(list) {}
    }

    /// Arms a timer that ends the wait.
    #[inline]
    pub(crate) fn arm_timer(&mut self, index: u32, deadline: u64) -> Armed {
        Armed::Timer(self.timers.insert(deadline, Target::Wait(index)))
    }

    // ---- Sources

    pub(crate) fn add_source(&mut self) -> Result<Key> {
        if self.sources.is_full() {
            return Err(Error::other("too many sockets for one kernel"));
        }
        self.open_sources += 1;
        let key = self.sources.claim();
        *self.sources.get_mut(key.index()) = Source::default();
        Ok(key)
    }

    #[inline]
    pub(crate) fn find_source(&mut self, source: Key) -> Option<&mut Source> {
        let index = self.sources.find(source)?;
        Some(self.sources.get_mut(index))
    }

    /// Forgets a source and wakes those who wait for it: they find it closed.
    pub(crate) fn remove_source(&mut self, source: Key) {
        let Some(&mut Source { reader, writer, .. }) = self.find_source(source) else {
            return;
        };
        self.open_sources -= 1;
        self.sources.release(source.index());
        for wait in [reader, writer] {
            if wait != NONE {
                self.waits.get_mut(wait).armed = Armed::Notified;
                self.wake(wait);
            }
        }
    }

    /// Seats an operation at a source.
    #[inline]
    pub(crate) fn arm_source(&mut self, index: u32, source: Key, direction: Direction) -> Armed {
        let entry = source.index();
        *self.sources.get_mut(entry).seat(direction) = index;
        match direction {
            Direction::Read => Armed::Reader(entry),
            Direction::Write => Armed::Writer(entry),
        }
    }

    /// The number by which activations know a socket.
    pub(crate) fn socket_number(&self, source: u32) -> u64 {
        self.sources.key(source).map_or(0, |key| u64::from(key.serial()))
    }

    /// Enters an event, and wakes those whom it concerns (I7).
    pub(crate) fn source_event(&mut self, source: Key, bits: u8) {
        let Some(entry) = self.find_source(source) else {
            return;
        };
        entry.set(bits);
        let (reader, writer) = (entry.reader, entry.writer);
        self.note(|log, _| log.readiness(source, bits));
        for (wait, direction) in [(reader, Direction::Read), (writer, Direction::Write)] {
            if wait != NONE && readiness::concerns(bits, direction) {
                self.wake(wait);
            }
        }
    }
}

/// A small generator of random numbers (SplitMix64): seeded, so that a schedule can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_of_a_sleeping_task_is_small() {
        assert!(size_of::<Slot>() <= 48, "{}", size_of::<Slot>());
    }
}
