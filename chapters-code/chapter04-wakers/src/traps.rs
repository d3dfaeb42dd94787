//! The low level: how an operation waits.
//!
//! There is one trap left: "I cannot go on; wake me when this happens". The kernel serves it without knowing what *this*
//! is. The operation itself writes down who waits, in a wait node, and puts the node on the list of whatever it waits for.
//!
//! An operation is a future that holds a [`Waiting`]. When it is polled, it first looks whether it can complete. If so, it
//! calls [`Waiting::complete`] and is ready. If not, it calls [`Waiting::wait_on`] and returns `Pending`.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::task::Context as TaskContext;

use crate::context::{self, Context};
use crate::waits::{Wait, WaitKey};

pub use crate::waits::Label;

/// The waiting side of one operation: its node while it waits, and nothing before and after.
///
/// Dropping it takes the note away.
#[derive(Debug, Default)]
pub struct Waiting {
    node: Option<(Weak<Context>, WaitKey)>,
}

impl Waiting {
    /// An operation that does not wait yet.
    pub const fn new() -> Waiting {
        Waiting { node: None }
    }

    /// The operation cannot complete. It waits until something wakes `cx`.
    ///
    /// # Panics
    /// Outside of a task.
    pub fn wait(&mut self, cx: &TaskContext<'_>, label: Label) {
        self.enter(cx, label);
    }

    /// The operation cannot complete. It waits until it is notified by the list.
    ///
    /// # Panics
    /// Outside of a task.
    pub fn wait_on(&mut self, list: &WaitList, cx: &TaskContext<'_>, label: Label) {
        let (context, key) = self.enter(cx, label);
        list.add(&context, key);
    }

    /// The one place where an operation begins to wait, or waits on.
    fn enter(&mut self, cx: &TaskContext<'_>, label: Label) -> (Rc<Context>, WaitKey) {
        let (context, task) = context::current();
        let waker = cx.waker().clone();
        let mut tables = context.tables.borrow_mut();
        let key = match self.node {
            Some((_, key)) => key,
            None => tables.waits.claim(),
        };
        tables.waits.write(key, Wait { task, label, waker });
        drop(tables);
        self.node = Some((Rc::downgrade(&context), key));
        (context, key)
    }

    /// The operation completes: the note goes. If it never waited, nothing happens.
    pub fn complete(&mut self) {
        if let Some((context, key)) = self.node.take()
            && let Some(context) = context.upgrade()
        {
            context.tables.borrow_mut().waits.nodes.remove(&key);
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.complete();
    }
}

/// The operations that wait for one thing, in the order in which they came.
#[derive(Debug, Default)]
pub struct WaitList {
    context: RefCell<Weak<Context>>,
    keys: RefCell<VecDeque<WaitKey>>,
}

impl WaitList {
    /// An empty list.
    pub fn new() -> WaitList {
        WaitList::default()
    }

    fn add(&self, context: &Rc<Context>, key: WaitKey) {
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
            let tables = context.tables.borrow();
            // Without a node, the operation is gone.
            let waker = tables.waits.nodes.get(&key).map(|wait| wait.waker.clone());
            drop(tables);
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
