//! The kernel as the operations see it: its tables, and which task is running.
//!
//! X1. `CURRENT` is the kernel that runs in this thread, while it runs and at no other time.
//! X2. `task` is the task that is being polled; none between polls.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::key::Key;
use crate::remote::Remote;
use crate::tables::Tables;

/// What a kernel shares with the operations of its tasks.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) tables: RefCell<Tables>,
    pub(crate) remote: Arc<Remote>,
    /// X2.
    pub(crate) task: Cell<Option<Key>>,
}

impl Context {
    pub(crate) fn new(seed: Option<u64>) -> Rc<Context> {
        Rc::new(Context {
            tables: RefCell::new(Tables::new(seed)),
            remote: Arc::default(),
            task: Cell::new(None),
        })
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
