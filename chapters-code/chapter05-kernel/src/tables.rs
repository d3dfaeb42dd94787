//! The tables of a kernel: its tasks, the ready queue, and what waits.
//!
//! Everything here is plain data behind one `RefCell`.
//!
//! I1. A task is in `ready` exactly if its slot says `queued`. One that ended meanwhile is skipped.
//! I2. No borrow of the tables is held while a task is polled, a future or a value is dropped, or a waker is called:
//!     that is user code, and it may come back.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::rc::Rc;
use std::task::Waker;

use trace::{Left, Trace, Until};

use crate::cell::Runnable;
use crate::key::Key;
use crate::pool::Pool;
use crate::state::State;
use crate::waits::{Label, Wait};

/// A task's entry in the table.
pub(crate) struct Slot {
    pub(crate) cell: Rc<dyn Runnable>,
    pub(crate) waker: Waker,
    /// I1.
    queued: bool,
}

/// Who is there, who can go on, and who waits.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) tasks: Pool<Slot>,
    pub(crate) waits: Pool<Wait>,
    ready: VecDeque<Key>,
    /// Draws the next task when the order is shuffled.
    shuffle: Option<Random>,
    /// Is told what happens, if anybody wants to know.
    pub(crate) trace: Option<Trace>,
}

impl Tables {
    pub(crate) fn new(seed: Option<u64>) -> Tables {
        Tables {
            tasks: Pool::new(),
            waits: Pool::new(),
            ready: VecDeque::new(),
            shuffle: seed.map(Random),
            trace: None,
        }
    }

    /// Tells the trace, if there is one.
    pub(crate) fn note(&mut self, tell: impl FnOnce(&mut Trace)) {
        self.trace.as_mut().map(tell);
    }

    /// Enters a task into the table, ready to run.
    pub(crate) fn add_task(&mut self, cell: Rc<dyn Runnable>, waker: impl FnOnce(Key) -> Waker) -> Key {
        let name = cell.header().name;
        let task = self.tasks.insert(|key| Slot {
            cell,
            waker: waker(key),
            queued: false,
        });
        self.note(|trace| trace.created(task.serial, name));
        self.schedule(task);
        task
    }

    // ---- The ready queue

    /// Puts the task at the end of the ready queue, unless it is there, or has ended.
    pub(crate) fn schedule(&mut self, task: Key) {
        if let Some(slot) = self.tasks.get_mut(task)
            && !slot.queued
        {
            slot.queued = true;
            self.ready.push_back(task);
            self.note(|trace| trace.ready(task.serial));
        }
    }

    /// Takes the task that runs next off the ready queue: the first one, or with a seed any of them.
    pub(crate) fn next_ready(&mut self) -> Option<(Key, &Slot)> {
        loop {
            let index = match &mut self.shuffle {
                Some(random) if !self.ready.is_empty() => random.below(self.ready.len()),
                _ => 0,
            };
            let task = self.ready.remove(index)?;
            if let Some(slot) = self.tasks.get_mut(task) {
                slot.queued = false;
                return self.tasks.get(task).map(|slot| (task, slot));
            }
        }
    }

    /// How many entries the ready queue has.
    pub(crate) fn ready_tasks(&self) -> usize {
        self.ready.len()
    }

    // ---- Waiting

    /// Writes a note: a task begins to wait.
    pub(crate) fn begin_wait(&mut self, wait: Wait) -> Key {
        let (task, label) = (wait.task.serial, wait.label.as_str());
        let key = self.waits.insert(|_| wait);
        self.note(|trace| trace.wait(task, key.serial, label, Until::Woken));
        key
    }

    /// An operation waits on. Each poll may bring another waker; the old one is the caller's to drop, outside of the
    /// borrow (I2).
    pub(crate) fn wait_again(&mut self, key: Key, task: Key, waker: Waker) -> Option<Waker> {
        let wait = self.waits.get_mut(key)?;
        wait.task = task;
        Some(std::mem::replace(&mut wait.waker, waker))
    }

    /// Takes a note away. The waker is the caller's to drop, outside of the borrow (I2).
    pub(crate) fn end_wait(&mut self, key: Key, how: Left) -> Option<Wait> {
        let wait = self.waits.remove(key)?;
        self.note(|trace| trace.left(wait.task.serial, key.serial, how));
        Some(wait)
    }

    /// How to wake an operation, if it still waits. The caller does so, outside of the borrow (I2).
    pub(crate) fn waker(&mut self, key: Key) -> Option<Waker> {
        let wait = self.waits.get(key)?;
        let (task, waker) = (wait.task.serial, wait.waker.clone());
        self.note(|trace| trace.wake(task, key.serial));
        Some(waker)
    }

    /// What a task that does not run is doing; several things if it waits for several.
    pub(crate) fn states(&self, task: Key) -> Vec<State> {
        match self.tasks.get(task) {
            None => return vec![State::Terminated],
            Some(slot) if slot.queued => return vec![State::Ready],
            Some(_) => {}
        }
        let waits = self.waits.oldest_first().into_iter();
        let waits = waits.filter(|(_, wait)| wait.task == task);
        let waits: Vec<State> = waits.map(|(_, wait)| State::Waiting(wait.label)).collect();
        match waits.is_empty() {
            true => vec![State::Waiting(Label::FOREIGN_WAIT)],
            false => waits,
        }
    }

    /// What each task waits for, one line for each.
    pub(crate) fn report(&self) -> String {
        let mut text = String::new();
        for (key, slot) in self.tasks.oldest_first() {
            let states: Vec<&str> = self.states(key).iter().map(State::as_str).collect();
            let (id, name, states) = (key.serial, slot.cell.header().name, states.join(", "));
            let _ = write!(text, "\n  task {id} ({name}): {states}");
        }
        text
    }
}

/// The dice of chapter 1.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot")
            .field("name", &self.cell.header().name)
            .field("queued", &self.queued)
            .finish_non_exhaustive()
    }
}
