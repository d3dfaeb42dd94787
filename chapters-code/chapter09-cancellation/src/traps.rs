//! The low level: how an operation waits.
//!
//! There is one trap: "I cannot go on; wake me when this happens". The kernel serves it without knowing what *this* is.
//! The operation itself writes down who waits, in a wait node, and puts the node on the list of whatever it waits for.
//!
//! An operation is a future that holds a [`Waiting`]. When it is polled, it first looks whether it can complete. If so, it
//! calls [`Waiting::complete`] and is ready. If not, it calls [`Waiting::wait_on`] and returns `Pending`, or resolves to
//! the error that this gives.
//!
//! All waiting, be it only for a turn, goes through one function, `Waiting::trap`.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::task::Context as TaskContext;
use std::time::Instant;

use trace::Left;

use crate::context::{self, Context};
use crate::error::Result;
use crate::key::Key;
use crate::waits::Wait;

pub use crate::waits::Label;

/// The waiting side of one operation: its node while it waits, and nothing before and after.
///
/// Dropping it takes the note away.
#[derive(Debug, Default)]
pub struct Waiting {
    node: Option<(Weak<Context>, Key)>,
}

impl Waiting {
    /// An operation that does not wait yet.
    pub const fn new() -> Waiting {
        Waiting { node: None }
    }

    /// The operation cannot complete. It waits until something wakes `cx`.
    ///
    /// # Errors
    /// The operation cannot wait either, and should resolve to the error: [`Error::NoKernel`](crate::Error::NoKernel)
    /// outside of a task.
    pub fn wait(&mut self, cx: &TaskContext<'_>, label: Label) -> Result<()> {
        self.enter(cx, label, None).map(|_| ())
    }

    /// The operation cannot complete. It waits until it is notified by the list.
    ///
    /// # Errors
    /// As for [`wait`](Waiting::wait).
    pub fn wait_on(&mut self, list: &WaitList, cx: &TaskContext<'_>, label: Label) -> Result<()> {
        let (context, key) = self.enter(cx, label, None)?;
        list.add(&context, key);
        Ok(())
    }

    /// The operation cannot complete. It waits until a timer fires.
    pub(crate) fn wait_until(&mut self, deadline: Instant, cx: &TaskContext<'_>) -> Result<()> {
        self.enter(cx, Label::TIME_SLEEP, Some(deadline)).map(|_| ())
    }

    /// Who wants to wait asks here first: in which kernel, and which task? If it cannot, its note goes.
    ///
    /// And if somebody has asked for the task's cancellation, it is delivered here.
    fn trap(&mut self) -> Result<(Rc<Context>, Key)> {
        let current = context::current().and_then(|(context, task)| {
            let waiting = self.node.as_ref().map(|(_, key)| *key);
            let interruption = context.tables.borrow_mut().interruption(task, waiting);
            interruption.map_or(Ok((context, task)), Err)
        });
        match &current {
            Ok(_) => {}
            Err(error) if error.is_cancellation() => self.leave(Left::Interrupted),
            Err(_) => self.leave(Left::Dropped),
        }
        current
    }

    /// The one place where an operation begins to wait, or waits on.
    fn enter(
        &mut self,
        cx: &TaskContext<'_>,
        label: Label,
        deadline: Option<Instant>,
    ) -> Result<(Rc<Context>, Key)> {
        let (context, task) = self.trap()?;
        let waker = cx.waker().clone();
        if let Some((_, key)) = self.node {
            let _old = context.tables.borrow_mut().wait_again(key, task, waker);
            return Ok((context, key));
        }
        let note = Wait::new(task, label, waker);
        let deadline = deadline.map(|deadline| context.ticks(deadline));
        let key = context.tables.borrow_mut().begin_wait(note, deadline);
        self.node = Some((Rc::downgrade(&context), key));
        Ok((context, key))
    }

    /// The operation completes: the note goes. If it never waited, nothing happens.
    pub fn complete(&mut self) {
        self.leave(Left::Completed);
    }

    fn leave(&mut self, how: Left) {
        if let Some((context, key)) = self.node.take()
            && let Some(context) = context.upgrade()
        {
            let wait = context.tables.borrow_mut().end_wait(key, how);
            drop(wait);
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.leave(Left::Dropped);
    }
}

/// Puts the running task at the end of the ready queue: it waits for nothing but its turn.
pub(crate) fn pause(cx: &TaskContext<'_>) -> Result<()> {
    Waiting::new().trap()?;
    cx.waker().wake_by_ref();
    Ok(())
}

/// The operations that wait for one thing, in the order in which they came.
#[derive(Debug, Default)]
pub struct WaitList {
    context: RefCell<Weak<Context>>,
    keys: RefCell<VecDeque<Key>>,
}

impl WaitList {
    /// An empty list.
    pub fn new() -> WaitList {
        WaitList::default()
    }

    fn add(&self, context: &Rc<Context>, key: Key) {
        *self.context.borrow_mut() = Rc::downgrade(context);
        let mut keys = self.keys.borrow_mut();
        if !keys.contains(&key) {
            keys.push_back(key);
        }
    }

    /// Wakes the operation that has waited longest. False if nobody waits.
    pub fn notify_one(&self) -> bool {
        let Some(context) = self.context.borrow().upgrade() else {
            return false;
        };
        loop {
            let Some(key) = self.keys.borrow_mut().pop_front() else {
                return false;
            };
            // If the operation is gone, its key finds nothing, even if the place has a new holder.
            let waker = context.tables.borrow_mut().waker(key);
            if let Some(waker) = waker {
                waker.wake();
                return true;
            }
        }
    }

    /// Wakes all who wait.
    pub fn notify_all(&self) {
        while self.notify_one() {}
    }
}
