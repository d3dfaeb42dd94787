//! What all handles of a group share, and who may wait for its members.

use std::cell::{Cell, RefCell};
use std::rc::Weak;

use super::TaskGroup;
use super::roll::Roll;
use crate::context::{self, Context};
use crate::error::{Deadlock, Error, Result, TaskError};
use crate::key::Key;
use crate::tables::Watcher;
use crate::traps::WaitList;

/// What the handles share, and the kernel tells of members that end.
pub(super) struct Group<T> {
    pub(super) roll: RefCell<Roll<T>>,
    /// The kernel of the members (G2).
    pub(super) home: RefCell<Weak<Context>>,
    /// Those who wait for the group, or some of it, to end.
    pub(super) joiners: WaitList,
    /// Those who wait for the next member to end.
    pub(super) takers: WaitList,
    /// How many those are, with those who were notified and have yet to run.
    pub(super) awaited: Cell<usize>,
}

impl<T> TaskGroup<T> {
    /// Asks all members to end, and those that come yet.
    pub(super) fn cancel_rest(&self) {
        let cancel = self.group.roll.borrow_mut().cancel_rest();
        self.group.cancel(cancel);
    }

    /// Whether this task may wait for the members: it is in their kernel, and not one of them.
    pub(super) fn check(&self) -> Result<()> {
        context::with_task(|context, _| {
            let home = self.group.home.borrow();
            if home.upgrade().is_none_or(|home| home.id != context.id) {
                Err(Error::NoKernel)
            } else if self.is_member(context) {
                Err(Error::Deadlock(Deadlock::new(
                    "a member of a task group cannot wait for the end of its own group (let a task outside of it do that)".to_string(),
                )))
            } else {
                Ok(())
            }
        })
    }

    /// Whether the running task is a member.
    fn is_member(&self, context: &Context) -> bool {
        let Some(key) = context.task.get() else {
            return false;
        };
        let tables = context.tables.borrow();
        let task = tables.find_task(key);
        task.is_some_and(|task| self.group.roll.borrow().has(tables.slot(task).id(), key))
    }

    /// The same for somebody who waits for others than daemons: a daemon may.
    pub(super) fn check_for_workers(&self) -> Result<()> {
        match self.check() {
            Err(Error::Deadlock(_)) if runs_daemon() => Ok(()),
            checked => checked,
        }
    }

    /// Writes failures to the log that nobody was told of.
    pub(super) fn log_untold(&self) {
        let untold = self.group.roll.borrow_mut().untold();
        untold.iter().for_each(TaskError::log);
    }
}

impl<T> Group<T> {
    /// Cancels members (G1).
    pub(super) fn cancel(&self, tasks: Vec<Key>) {
        let home = self.home.borrow().upgrade();
        let Some(context) = home.filter(|_| !tasks.is_empty()) else {
            return;
        };
        context.interrupting(|tables| {
            for task in tasks {
                if let Some(task) = tables.find_task(task) {
                    tables.request_cancel(task);
                }
            }
        });
    }

    pub(super) fn member_ended(&self, id: u64, known: bool) {
        let awaited = self.awaited.get() > 0;
        let mut after = self.roll.borrow_mut().end(id, awaited, known);
        self.cancel(std::mem::take(&mut after.cancel));
        self.takers.notify_all();
        if after.wake {
            self.joiners.notify_all();
        }
        if let Some(error) = &after.log {
            error.log();
        }
    }
}

impl<T> Watcher for Group<T> {
    fn ended(&self, task: u64) {
        self.member_ended(task, false);
    }
}

impl<T> Drop for Group<T> {
    fn drop(&mut self) {
        let roll = self.roll.get_mut();
        let (cancel, untold) = (roll.cancel_rest(), roll.untold());
        roll.release();
        self.cancel(cancel);
        untold.iter().for_each(TaskError::log);
    }
}
/// Whether the running task is a daemon.
fn runs_daemon() -> bool {
    let daemon = context::with_task(|context, task| {
        let tables = context.tables.borrow();
        Ok(tables.slot(task).is_daemon())
    });
    daemon.unwrap_or(false)
}
