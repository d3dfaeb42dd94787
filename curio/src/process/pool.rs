//! The workers of a kernel: how many there are, who has one, who waits for one.
//!
//! Who wants to call a function needs a *slot*, and then a worker. A slot that becomes free is handed to whoever has waited
//! longest (`line`). With it goes the worker that was just used, if it is still there; else a new one is started.
//!
//! P1. `taken` is the number of slots that somebody has, or was handed. It is at most `limit`.
//! P2. A worker is in `idle`, or belongs to a call that has a slot. So there are never more than `limit`, but for those
//!     that were killed and are dying.
//! P3. A worker is idle before its slot is free. So whoever gets the slot finds it.
//! P4. A closed pool has no worker, and keeps none.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;
use std::thread::available_parallelism;
use std::time::Duration;

use super::entry::{self, Target};
use super::error::WorkerError;
use super::worker::{Dying, Worker};
use crate::context::{self, Context};
use crate::error::{Error, Result};
use crate::line::Line;

/// For how long the end of a kernel waits for processes that were killed. (They are gone in an instant, but on a machine that is
/// busy enough they need some time of its processors even for that.)
const PATIENCE: Duration = Duration::from_secs(10);

/// The end of a pool that its kernel holds. Dropping it closes the pool.
pub(super) struct OfKernel(Rc<Pool>);

pub(super) struct Pool {
    limit: usize,
    /// P1.
    taken: Cell<usize>,
    pub(super) line: Line,
    /// The one that was used last is the last, and used first: its memory is warm.
    idle: RefCell<Vec<Worker>>,
    closed: Cell<bool>,
    /// Addresses that are known to lie in the program.
    known: RefCell<HashSet<usize>>,
    dying: Rc<Dying>,
}

impl Pool {
    /// That of the running kernel. No process is started yet.
    pub(super) fn current() -> Result<Rc<Pool>> {
        context::with_task(|context, _| {
            Ok(context
                .belonging(|context| OfKernel(Pool::new(context)))
                .0
                .clone())
        })
    }

    fn new(context: &Context) -> Rc<Pool> {
        let cpus = || available_parallelism().map_or(1, usize::from);
        Rc::new(Pool {
            limit: context.workers.processes.unwrap_or_else(cpus),
            taken: Cell::new(0),
            line: Line::default(),
            idle: RefCell::default(),
            closed: Cell::new(false),
            known: RefCell::default(),
            dying: Rc::default(),
        })
    }

    /// Whether a function can be found in another process.
    pub(super) fn check(&self, target: Target) -> Result<()> {
        for address in [target.call, target.function] {
            if self.known.borrow().contains(&address) {
                continue;
            }
            if !entry::is_ours(address) {
                return Err(WorkerError::NotInProgram.into());
            }
            self.known.borrow_mut().insert(address);
        }
        Ok(())
    }

    /// Whether its kernel has gone, so that nobody who waits here is ever served.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Takes a slot, if there is one.
    pub(super) fn take_slot(&self) -> bool {
        let free = self.taken.get() < self.limit;
        self.taken.set(self.taken.get() + usize::from(free));
        free
    }

    pub(super) fn give_slot_back(&self) {
        if !self.line.hand_over() {
            self.taken.set(self.taken.get() - 1);
        }
    }

    /// A worker for whoever has a slot.
    pub(super) fn worker(&self) -> Result<Worker> {
        loop {
            let last = self.idle.borrow_mut().pop();
            match last {
                Some(worker) if worker.is_idle() => return Ok(worker),
                // It has ended meanwhile.
                Some(worker) => drop(worker),
                None => break,
            }
        }
        match self.closed.get() {
            false => Worker::start(self.dying.clone()),
            true => Err(Error::NoKernel),
        }
    }

    /// Takes back a worker that has done its work (P4).
    pub(super) fn keep(&self, worker: Worker) {
        if !self.closed.get() {
            self.idle.borrow_mut().push(worker);
        }
    }
}

impl Drop for OfKernel {
    fn drop(&mut self) {
        let pool = &self.0;
        pool.closed.set(true);
        // All are killed, and then waited for.
        drop(pool.idle.take());
        pool.dying.block(PATIENCE);
    }
}
