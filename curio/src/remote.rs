//! The cross-thread edge: how other threads wake a task, and (in `shared`) what they share with it.
//!
//! A kernel is single-threaded, and this module is the only one that synchronizes. Everything in it is a mutex; lock-free
//! queues were rejected: they cost as much here, and they have a memory ordering to get wrong. So that this can be
//! proved and not only hoped, it can be compiled with the types of `loom`, which tries every interleaving:
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test -p curio --lib --release loom
//! ```
//!
//! # Waking a task
//!
//! One mutex per kernel guards a queue of tasks and the changes of the flag `asleep`. The receiver sets the flag under the lock
//! after it has seen the queue empty; a sender pushes and takes the flag back under the same lock, and rings the bell only if it
//! was set. So no wake-up is lost and no system call is made for a kernel that has found its mail.
//!
//! The receiver does not take the flag back when it wakes up for something else. So nearly always the flag stands when it goes to
//! sleep again, and to see that is all it has to do: whoever takes the flag back later will ring.
//!
//! R1. A task is in the queue at most once, however often it is woken (`marked` has its bit).
//! R2. If `asleep` is set, the inbox is empty; whoever makes it non-empty clears the flag first, and rings afterwards. A
//!     bell that rings before a sleep ends the sleep at once, unless it was heard; and who has heard it sees the flag as it is.
//! R3. `mail` is set before the lock is released under which the inbox became non-empty. It is a hint that spares a
//!     kernel that is awake the lock; one that goes to sleep takes the lock and does not rely on it.
//! R4. Only the place of the task travels. If its holder has changed meanwhile, the new one is polled once for nothing,
//!     which every future must bear; comparing serials could lose the wake-up of the new one instead.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, LazyLock, PoisonError};
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::time::Instant;

use crate::error::{Error, Result};
use crate::key::{self, Key};

#[cfg(not(all(test, loom)))]
use std::sync::{Condvar, Mutex, MutexGuard, RwLock, atomic::AtomicBool, atomic::Ordering};

#[cfg(all(test, loom))]
use ::loom::sync::{Condvar, Mutex, MutexGuard, RwLock, atomic::AtomicBool, atomic::Ordering};

#[cfg(all(test, loom))]
pub(crate) mod loom;
mod shared;

pub(crate) use shared::{Call, Line, Shared, Wakes};

// ---- Waking a task

/// The end of a kernel that other threads hold.
pub(crate) struct Remote {
    id: u16,
    mailbox: Mailbox,
    bell: mio::Waker,
}

/// The tasks of a kernel that other threads have woken.
#[derive(Default)]
struct Mailbox {
    inbox: Mutex<Inbox>,
    /// R2.
    asleep: AtomicBool,
    /// R3.
    mail: AtomicBool,
}

#[derive(Default)]
struct Inbox {
    queue: Vec<u32>,
    /// Places of values that the kernel keeps for other threads (`kept`), which those have done with.
    released: Vec<u32>,
    /// One bit for each place in the task table (R1).
    marked: Vec<u64>,
}

/// The kernels of the process, by number. Kernel 0 does not exist (K1).
struct Registry<R>(RwLock<Kernels<R>>);

struct Kernels<R> {
    kernels: Vec<Option<Arc<R>>>,
    /// The number that was given out last: numbers are used again as late as possible.
    last: usize,
}

static KERNELS: LazyLock<Registry<Remote>> = LazyLock::new(Registry::new);

impl Remote {
    /// Enters a new kernel into the registry. It stays there until `unregister`.
    pub(crate) fn register(bell: mio::Waker) -> Result<Arc<Remote>> {
        let remote = |id| Remote {
            id,
            mailbox: Mailbox::default(),
            bell,
        };
        let remote = KERNELS.enter(remote);
        remote.ok_or_else(|| Error::other("too many kernels in one process"))
    }

    /// From now on, wake-ups for this kernel go nowhere.
    pub(crate) fn unregister(&self) {
        KERNELS.leave(self.id);
    }

    pub(crate) fn id(&self) -> u16 {
        self.id
    }

    /// Wakes a task of this kernel, from any thread.
    fn wake(&self, task: u32) {
        if self.mailbox.post(task) {
            // It can fail only if the kernel is gone, and then nobody is left to be woken.
            let _ = self.bell.wake();
        }
    }

    /// Gives back a value that this kernel keeps, from any thread.
    pub(crate) fn release(&self, place: u32) {
        if self.mailbox.release(place) {
            let _ = self.bell.wake();
        }
    }

    /// Makes the kernel look around, from any thread: if it sleeps, or is about to, it wakes up.
    #[cfg_attr(not(unix), allow(dead_code))]
    pub(crate) fn ring(&self) {
        let _ = self.bell.wake();
    }

    /// Whether there is anything in the inbox.
    pub(crate) fn has_mail(&self) -> bool {
        self.mailbox.has_mail()
    }

    /// Moves the woken tasks to `into`.
    pub(crate) fn drain(&self, into: &mut Vec<u32>) {
        self.mailbox.drain(into);
    }

    /// The values that were given back.
    pub(crate) fn take_released(&self) -> Vec<u32> {
        self.mailbox.take_released()
    }

    /// Whether the kernel may sleep, as there has been nothing in the inbox since it did so last. If not, it may try to
    /// fall asleep.
    #[inline]
    pub(crate) fn may_sleep_on(&self) -> bool {
        self.mailbox.may_sleep_on()
    }

    /// Announces that the kernel is going to sleep. False if there is something in the inbox: then it must not.
    pub(crate) fn fall_asleep(&self) -> bool {
        self.mailbox.fall_asleep()
    }
}

/// Wakes a task of any kernel of the process, from any thread.
pub(crate) fn wake(task: Key) {
    if let Some(remote) = KERNELS.find(task.kernel()) {
        remote.wake(task.index());
    }
}

impl Mailbox {
    /// Queues a task. True if the kernel sleeps: then its bell must be rung (R2).
    fn post(&self, task: u32) -> bool {
        let mut inbox = lock(&self.inbox);
        let (word, bit) = (task as usize / 64, 1 << (task % 64));
        if inbox.marked.len() <= word {
            inbox.marked.resize(word + 1, 0);
        }
        if inbox.marked[word] & bit != 0 {
            return false;
        }
        inbox.marked[word] |= bit;
        inbox.queue.push(task);
        self.mail.store(true, Ordering::Relaxed);
        self.is_to_be_woken()
    }

    /// Puts a value among those that were given back. True as for `post`.
    fn release(&self, place: u32) -> bool {
        let mut inbox = lock(&self.inbox);
        inbox.released.push(place);
        self.mail.store(true, Ordering::Relaxed);
        self.is_to_be_woken()
    }

    /// Under the lock: takes the flag back, if it is set (R2).
    fn is_to_be_woken(&self) -> bool {
        let asleep = self.asleep.load(Ordering::Relaxed);
        if asleep {
            self.asleep.store(false, Ordering::Release);
        }
        asleep
    }

    fn take_released(&self) -> Vec<u32> {
        std::mem::take(&mut lock(&self.inbox).released)
    }

    fn has_mail(&self) -> bool {
        self.mail.load(Ordering::Relaxed)
    }

    fn drain(&self, into: &mut Vec<u32>) {
        let mut inbox = lock(&self.inbox);
        self.mail.store(false, Ordering::Relaxed);
        let Inbox { queue, marked, .. } = &mut *inbox;
        for &task in queue.iter() {
            marked[task as usize / 64] = 0;
        }
        into.append(queue);
    }

    /// Whether the flag stands since the last sleep: then there is nothing in the inbox, and the kernel may sleep (R2).
    fn may_sleep_on(&self) -> bool {
        self.asleep.load(Ordering::Acquire)
    }

    fn fall_asleep(&self) -> bool {
        if self.may_sleep_on() {
            return true;
        }
        let inbox = lock(&self.inbox);
        let asleep = inbox.queue.is_empty() && inbox.released.is_empty();
        self.asleep.store(asleep, Ordering::Relaxed);
        asleep
    }
}

impl<R> Registry<R> {
    fn new() -> Registry<R> {
        Registry(RwLock::new(Kernels {
            kernels: Vec::new(),
            last: 0,
        }))
    }

    /// Gives the next free number to what `make` makes with it. None if there is no number left.
    fn enter(&self, make: impl FnOnce(u16) -> R) -> Option<Arc<R>> {
        let mut registry = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let Kernels { kernels, last } = &mut *registry;
        let free = (1..=key::MAX_KERNELS)
            .map(|step| (*last + step - 1) % key::MAX_KERNELS + 1)
            .find(|&id| kernels.get(id).is_none_or(Option::is_none))?;
        if kernels.len() <= free {
            kernels.resize_with(free + 1, || None);
        }
        *last = free;
        let kernel = Arc::new(make(free as u16));
        kernels[free] = Some(kernel.clone());
        Some(kernel)
    }

    fn leave(&self, id: u16) {
        let mut registry = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let left = registry.kernels.get_mut(id as usize).and_then(Option::take);
        drop(registry);
        drop(left);
    }

    fn find(&self, id: u16) -> Option<Arc<R>> {
        let registry = self.0.read().unwrap_or_else(PoisonError::into_inner);
        registry.kernels.get(id as usize)?.clone()
    }
}

/// No code of the user's runs under a lock (R5), so nothing panics half-way, and a poisoned lock guards a whole state.
fn lock<S>(mutex: &Mutex<S>) -> MutexGuard<'_, S> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// ---- Threads

/// Where a plain thread waits. (Not `thread::park`: its one token per thread may be meant for somebody further out.)
#[derive(Default)]
pub(crate) struct Parker {
    woken: Mutex<bool>,
    bell: Condvar,
}

impl Parker {
    /// Blocks the thread until it is woken. False if the deadline came first.
    pub(crate) fn park(&self, deadline: Option<Instant>) -> bool {
        let mut woken = lock(&self.woken);
        while !*woken {
            let Some(deadline) = deadline else {
                woken = self.bell.wait(woken).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.bell.wait_timeout(woken, left);
            woken = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *woken = false;
        true
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        *lock(&self.woken) = true;
        self.bell.notify_one();
    }
}

/// Blocks the thread until the future is ready. None if the deadline came first.
pub(crate) fn block_on<F: Future>(future: F, deadline: Option<Instant>) -> Option<F::Output> {
    let mut future = pin!(future);
    let parker = Arc::new(Parker::default());
    let waker = Waker::from(parker.clone());
    let mut cx = TaskContext::from_waker(&waker);
    let mut in_time = true;
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(value) => return Some(value),
            // The finished operation wins, so it was asked once more.
            Poll::Pending if !in_time => return None,
            Poll::Pending => in_time = parker.park(deadline),
        }
    }
}

#[cfg(all(test, not(loom)))]
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
        let key = Key::of_kernel(remote.id()).with(5, 1000);
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
        let key = Key::of_kernel(remote.id()).with(0, 3);
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
        let key = Key::of_kernel(remote.id()).with(0, 3);
        remote.unregister();
        wake(key);
        let mut woken = Vec::new();
        remote.drain(&mut woken);
        assert!(woken.is_empty());
    }
}
