//! Wakers: how a task is woken, from anywhere.
//!
//! A waker holds a key and no task. One that outlives its task wakes nobody.

use std::sync::Arc;
use std::task::{Wake, Waker};

use crate::context;
use crate::key::Key;
use crate::remote::Remote;

struct TaskWaker {
    task: Key,
    remote: Arc<Remote>,
}

/// A waker of this task, whose kernel has this remote end.
pub(crate) fn new(task: Key, remote: Arc<Remote>) -> Waker {
    Waker::from(Arc::new(TaskWaker { task, remote }))
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        match context::kernel() {
            // In its own kernel, the task is queued at once.
            Some(context) if Arc::ptr_eq(&context.remote, &self.remote) => {
                context.tables.borrow_mut().schedule(self.task);
            }
            _ => self.remote.wake(self.task),
        }
    }
}
