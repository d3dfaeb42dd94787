//! The edge: how a task is woken, from any thread.
//!
//! R1. Whoever wakes leaves the task's number in the inbox, under the lock. The kernel goes to sleep under the same lock
//!     and only if the inbox is empty, so nobody can knock unheard in between.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Wake;
use std::thread;

use crate::context;
use crate::task::TaskId;

/// The end of a kernel that other threads hold.
#[derive(Debug, Default)]
pub(crate) struct Remote {
    inbox: Mutex<Inbox>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct Inbox {
    woken: Vec<TaskId>,
    /// The threads that may still wake somebody.
    threads: usize,
    wakes: u64,
}

impl Remote {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        // Nothing in here can panic half-way, so a poisoned inbox is a whole one.
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn wake(&self, task: TaskId) {
        let mut inbox = self.inbox();
        inbox.woken.push(task);
        inbox.wakes += 1;
        self.bell.notify_one();
    }

    /// Takes those who were woken, in order.
    pub(crate) fn drain(&self) -> Vec<TaskId> {
        std::mem::take(&mut self.inbox().woken)
    }

    /// Sleeps until somebody was woken. False if nobody is left who could wake.
    pub(crate) fn sleep(&self) -> bool {
        let nobody_yet = |inbox: &mut Inbox| inbox.woken.is_empty() && inbox.threads > 0;
        let inbox = self.bell.wait_while(self.inbox(), nobody_yet);
        !inbox.unwrap_or_else(PoisonError::into_inner).woken.is_empty()
    }

    /// How often somebody was woken.
    pub(crate) fn wakes(&self) -> u64 {
        self.inbox().wakes
    }
}

/// What a [`Waker`](std::task::Waker) of ours is made of.
pub(crate) struct TaskWaker {
    pub(crate) task: TaskId,
    pub(crate) remote: Arc<Remote>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.remote.wake(self.task);
    }
}

/// Starts a thread that may wake tasks. While one runs, a kernel with nothing to do sleeps; when none is left, it is a
/// deadlock.
///
/// # Panics
/// Outside of a task.
pub fn spawn_thread(f: impl FnOnce() + Send + 'static) {
    let visit = Visit(context::current().0.remote.clone());
    visit.0.inbox().threads += 1;
    thread::spawn(move || {
        let _visit = visit;
        f();
    });
}

/// One of the threads. It counts until it is dropped, be it by a panic.
struct Visit(Arc<Remote>);

impl Drop for Visit {
    fn drop(&mut self) {
        self.0.inbox().threads -= 1;
        self.0.bell.notify_one();
    }
}
