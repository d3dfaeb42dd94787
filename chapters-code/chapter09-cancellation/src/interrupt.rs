//! Who is interrupted: one task, one flag.
//!
//! To cancel a task is to ask it. The request sets the flag and wakes what waits in the task. The operation that is polled
//! next and cannot complete gets the request as its result, `Err(Cancelled)`, and with that it is delivered.
//!
//! ```text
//!         request            the next operation that would wait
//!   Not ─────────▶ Due ─────────────────────────────────────────▶ Delivered
//! ```
//!
//! C1. A request is delivered once. After that, operations wait as if nothing had been: so clean-up code can wait.
//! C2. An operation that can complete does. What is delivered is delivered to one that would wait; so one that was
//!     interrupted has had no effect.
//! C3. The task decides what becomes of it. It may clean up and hand the error on; then it was cancelled. It may also end
//!     with a value.
//! C4. Who cancels waits for the end of the task, and what that one spawned is not touched.

use std::task::Waker;

use trace::Scope;

use crate::error::Error;
use crate::key::Key;
use crate::tables::Tables;

/// Whether a task is to be cancelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Request {
    /// Nobody has asked for it.
    #[default]
    Not,
    /// Somebody has, and the task does not know yet.
    Due,
    /// It was told.
    Delivered,
}

impl Tables {
    /// Asks for the cancellation of a task. Only the first request counts. How to wake those of its operations that wait;
    /// the caller does so, outside of the borrow (I2).
    pub(crate) fn request_cancel(&mut self, task: Key) -> Vec<Waker> {
        match self.tasks.get(task).map(|slot| &slot.cell.header().request) {
            Some(request) if request.get() == Request::Not => request.set(Request::Due),
            _ => return Vec::new(), // it has ended, or was asked before
        }
        self.note(|trace| trace.interrupt(task.serial, Scope::Task(task.serial)));
        let waits = self.waits.oldest_first().into_iter();
        let waits = waits.filter(|(_, wait)| wait.task == task);
        let waits: Vec<Key> = waits.map(|(key, _)| key).collect();
        waits.into_iter().filter_map(|key| self.waker(key)).collect()
    }

    /// What is delivered to an operation that would wait in this task; `waiting` is its note, if it has one.
    pub(crate) fn interruption(&mut self, task: Key, waiting: Option<Key>) -> Option<Error> {
        let request = &self.tasks.get(task)?.cell.header().request;
        if request.get() != Request::Due {
            return None;
        }
        request.set(Request::Delivered); // C1
        let (task, wait) = (task.serial, waiting.map(|key| key.serial));
        self.note(|trace| trace.deliver(task, Scope::Task(task), wait, "Cancelled"));
        Some(Error::Cancelled)
    }
}
