//! The cross-thread edge: how another thread wakes a task.
//!
//! One mutex per kernel guards a queue of tasks and the flag `asleep`. The receiver sets the flag under the lock after it
//! has seen the queue empty; a sender pushes and reads the flag under the same lock, and rings the bell only if it was
//! set. So no wake-up is lost and no system call is made for a kernel that is awake. Lock-free queues were rejected:
//! they cost as much here, and they have a memory ordering to get wrong.
//!
//! R1. A task is in the queue at most once, however often it is woken (`marked` has its bit).
//! R2. If `asleep` is set, the queue is empty; whoever makes it non-empty clears the flag and rings.
//! R3. `mail` is set before the lock is released under which the queue became non-empty. It is a hint that spares a
//!     kernel that is awake the lock; one that goes to sleep takes the lock and does not rely on it.
//! R4. Only the place of the task travels. If its holder has changed meanwhile, the new one is polled once for nothing,
//!     which every future must bear; comparing serials could lose the wake-up of the new one instead.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::error::{Error, Result};
use crate::key::{self, Key};

/// The end of a kernel that other threads hold.
pub(crate) struct Remote {
    id: u16,
    inbox: Mutex<Inbox>,
    /// R3.
    mail: AtomicBool,
    bell: mio::Waker,
}

#[derive(Default)]
struct Inbox {
    queue: Vec<u32>,
    /// One bit for each place in the task table (R1).
    marked: Vec<u64>,
    asleep: bool,
}

/// The kernels of the process, by number. Kernel 0 does not exist (K1).
static KERNELS: RwLock<Registry> = RwLock::new(Registry {
    kernels: Vec::new(),
    last: 0,
});

struct Registry {
    kernels: Vec<Option<Arc<Remote>>>,
    /// The number that was given out last: numbers are used again as late as possible.
    last: usize,
}

impl Remote {
    /// Enters a new kernel into the registry. It stays there until `unregister`.
    pub(crate) fn register(bell: mio::Waker) -> Result<Arc<Remote>> {
        let mut registry = KERNELS.write().unwrap_or_else(PoisonError::into_inner);
        let Registry { kernels, last } = &mut *registry;
        let free = (1..=key::MAX_KERNELS)
            .map(|step| (*last + step - 1) % key::MAX_KERNELS + 1)
            .find(|&id| kernels.get(id).is_none_or(Option::is_none))
            .ok_or_else(|| Error::other("too many kernels in one process"))?;
        if kernels.len() <= free {
            kernels.resize_with(free + 1, || None);
        }
        *last = free;
        let remote = Arc::new(Remote {
            id: free as u16,
            inbox: Mutex::default(),
            mail: AtomicBool::new(false),
            bell,
        });
        kernels[free] = Some(remote.clone());
        Ok(remote)
    }

    /// From now on, wake-ups for this kernel go nowhere.
    pub(crate) fn unregister(&self) {
        let mut registry = KERNELS.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = registry.kernels.get_mut(self.id as usize) {
            *entry = None;
        }
    }

    pub(crate) fn id(&self) -> u16 {
        self.id
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        // Nothing in here can panic half-way, so a poisoned inbox is a whole one.
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes a task of this kernel, from any thread.
    fn wake(&self, task: u32) {
        let mut inbox = self.inbox();
        let (word, bit) = (task as usize / 64, 1 << (task % 64));
        if inbox.marked.len() <= word {
            inbox.marked.resize(word + 1, 0);
        }
        if inbox.marked[word] & bit != 0 {
            return;
        }
        inbox.marked[word] |= bit;
        inbox.queue.push(task);
        self.mail.store(true, Ordering::Relaxed);
        let ring = std::mem::take(&mut inbox.asleep);
        drop(inbox);
        if ring {
            // It can fail only if the kernel is gone, and then nobody is left to be woken.
            let _ = self.bell.wake();
        }
    }

    /// Whether somebody was woken.
    pub(crate) fn has_mail(&self) -> bool {
        self.mail.load(Ordering::Relaxed)
    }

    /// Moves the woken tasks to `into`.
    pub(crate) fn drain(&self, into: &mut Vec<u32>) {
        let mut inbox = self.inbox();
        self.mail.store(false, Ordering::Relaxed);
        let Inbox { queue, marked, .. } = &mut *inbox;
        for &task in queue.iter() {
            marked[task as usize / 64] = 0;
        }
        into.append(queue);
    }

    /// Announces that the kernel is going to sleep. False if somebody was woken: then it must not.
    pub(crate) fn fall_asleep(&self) -> bool {
        let mut inbox = self.inbox();
        inbox.asleep = inbox.queue.is_empty();
        inbox.asleep
    }
}

/// Wakes a task of any kernel of the process, from any thread.
pub(crate) fn wake(task: Key) {
    let registry = KERNELS.read().unwrap_or_else(PoisonError::into_inner);
    let remote = registry.kernels.get(task.kernel() as usize).cloned().flatten();
    drop(registry);
    if let Some(remote) = remote {
        remote.wake(task.index());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn remote() -> (mio::Poll, Arc<Remote>) {
        let poll = mio::Poll::new().unwrap();
        let bell = mio::Waker::new(poll.registry(), mio::Token(0)).unwrap();
        (poll, Remote::register(bell).unwrap())
    }

    #[test]
    fn a_task_is_queued_once_however_often_it_is_woken() {
        let (_poll, remote) = remote();
        let key = Key::new(remote.id(), 5, 1000);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..10_000).for_each(|_| wake(key)));
            }
        });
        let mut woken = Vec::new();
        remote.drain(&mut woken);
        assert_eq!(woken, [1000]);
        wake(key);
        remote.drain(&mut woken);
        assert_eq!(woken, [1000, 1000]);
        remote.unregister();
    }

    #[test]
    fn the_bell_rings_only_for_a_sleeper() {
        let (mut poll, remote) = remote();
        let mut events = mio::Events::with_capacity(4);
        let key = Key::new(remote.id(), 0, 3);
        wake(key);
        assert!(!remote.fall_asleep(), "somebody was woken");
        poll.poll(&mut events, Some(std::time::Duration::ZERO)).unwrap();
        assert!(events.is_empty());
        remote.drain(&mut Vec::new());
        assert!(remote.fall_asleep());
        wake(key);
        poll.poll(&mut events, None).unwrap();
        assert_eq!(events.iter().count(), 1);
        remote.unregister();
    }

    #[test]
    fn nobody_is_woken_after_the_end() {
        let (_poll, remote) = remote();
        let key = Key::new(remote.id(), 0, 3);
        remote.unregister();
        wake(key);
        let mut woken = Vec::new();
        remote.drain(&mut woken);
        assert_eq!(woken, []);
    }
}
