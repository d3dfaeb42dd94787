//! The edge: how a task is woken from another thread, or while its kernel does not run.
//!
//! R1. Whoever wakes leaves the task's key in the inbox, under the lock. The kernel goes to sleep under the same lock
//!     and only if the inbox is empty, so nobody can knock unheard in between.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::context;
use crate::key::Key;

/// The end of a kernel that other threads hold.
#[derive(Debug, Default)]
pub(crate) struct Remote {
    inbox: Mutex<Inbox>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct Inbox {
    woken: Vec<Key>,
    /// The threads that may still wake somebody.
    threads: usize,
}

impl Remote {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        // Nothing in here can panic half-way, so a poisoned inbox is a whole one.
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn wake(&self, task: Key) {
        self.inbox().woken.push(task);
        self.bell.notify_one();
    }

    /// Takes those who were woken, in order.
    pub(crate) fn drain(&self) -> Vec<Key> {
        std::mem::take(&mut self.inbox().woken)
    }

    /// Sleeps until somebody was woken: for so long if there is a limit, otherwise as long as anybody is left who could
    /// wake. Whether somebody was woken.
    pub(crate) fn sleep(&self, limit: Option<Duration>) -> bool {
        let nobody_yet = |inbox: &mut Inbox| inbox.woken.is_empty() && (inbox.threads > 0 || limit.is_some());
        let inbox = self.inbox();
        let inbox = match limit {
            None => self.bell.wait_while(inbox, nobody_yet),
            Some(limit) => {
                let slept = self.bell.wait_timeout_while(inbox, limit, nobody_yet);
                Ok(slept.unwrap_or_else(PoisonError::into_inner).0)
            }
        };
        !inbox.unwrap_or_else(PoisonError::into_inner).woken.is_empty()
    }
}

/// Starts a thread that may wake tasks. While one runs, a kernel with nothing to do sleeps; when none is left, it is a
/// deadlock.
///
/// # Panics
/// Outside of a kernel.
pub fn spawn_thread(f: impl FnOnce() + Send + 'static) {
    let context = context::kernel().expect("no kernel runs in this thread");
    let visit = Visit(context.remote.clone());
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn a_sleep_with_a_limit_ends_with_it_or_with_a_knock() {
        let (remote, start) = (Remote::default(), Instant::now());
        let limit = Duration::from_millis(10);
        assert!(!remote.sleep(Some(limit)));
        assert!(start.elapsed() >= limit);
        remote.wake(Key { index: 0, serial: 1 });
        assert!(remote.sleep(Some(Duration::MAX)));
    }
}
