//! The kernel as the operations see it: its tables, its clock, and which task is running.
//!
//! X1. `CURRENT` is the kernel that runs in this thread, while it runs and at no other time.
//! X2. `task` is the task that is being polled; none between polls.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::key::Key;
use crate::remote::Remote;
use crate::tables::Tables;

/// Where a kernel takes the time from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    /// The system's clock.
    #[default]
    Real,
    /// A clock for tests and demonstrations: it stands still while anything can run, and jumps to the next deadline when
    /// every task waits.
    Virtual,
}

/// What a kernel shares with the operations of its tasks.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) tables: RefCell<Tables>,
    pub(crate) remote: Arc<Remote>,
    /// X2.
    pub(crate) task: Cell<Option<Key>>,
    pub(crate) clock: Clock,
    /// When the kernel was made. Inside, times are nanoseconds since then.
    origin: Instant,
    virtual_now: Cell<u64>,
}

impl Context {
    pub(crate) fn new(clock: Clock, seed: Option<u64>) -> Rc<Context> {
        Rc::new(Context {
            tables: RefCell::new(Tables::new(seed)),
            remote: Arc::default(),
            task: Cell::new(None),
            clock,
            origin: Instant::now(),
            virtual_now: Cell::new(0),
        })
    }

    /// The time.
    pub(crate) fn now(&self) -> Instant {
        match self.clock {
            Clock::Real => Instant::now(),
            Clock::Virtual => self.origin + Duration::from_nanos(self.virtual_now.get()),
        }
    }

    /// An instant as a number. What was before the kernel is 0, and what is too far away the last there is.
    pub(crate) fn ticks(&self, instant: Instant) -> u64 {
        let since = instant.saturating_duration_since(self.origin);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }

    /// The virtual clock jumps.
    pub(crate) fn set_time(&self, now: u64) {
        self.virtual_now.set(now);
        self.tables.borrow_mut().note(|trace| trace.at(now));
    }
}

thread_local! {
    /// X1.
    static CURRENT: RefCell<Option<Rc<Context>>> = const { RefCell::new(None) };
}

/// Makes a kernel the running one of this thread, until it is dropped.
pub(crate) struct Running;

impl Running {
    pub(crate) fn enter(context: &Rc<Context>) -> Result<Running> {
        if kernel().is_some() {
            return Err(Error::KernelRunning);
        }
        CURRENT.set(Some(context.clone()));
        Ok(Running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        CURRENT.set(None);
    }
}

/// The kernel that runs in this thread.
pub(crate) fn kernel() -> Option<Rc<Context>> {
    CURRENT.with_borrow(Clone::clone)
}

/// The same, and the task that it polls.
pub(crate) fn current() -> Result<(Rc<Context>, Key)> {
    let context = kernel().ok_or(Error::NoKernel)?;
    let task = context.task.get().ok_or(Error::NoKernel)?;
    Ok((context, task))
}
