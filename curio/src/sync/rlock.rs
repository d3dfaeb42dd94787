//! A lock that its owner may take again.
//!
//! The owner is a task: whichever ran when the lock was taken. As the owner can have any number of guards at a time, a
//! guard lends `&T` only; what is to be changed inside sits in a `Cell` or `RefCell`.
//!
//! In Python a lock is released by a call, so one that comes from another task is an error. Here it is released by
//! dropping a guard, and who has a guard may drop it, wherever it has come to: that is always right, and no error is left
//! to be made. The lock stays with the task that took it until the last guard is gone.
//!
//! O1. `count` is the number of guards; 1 also while the lock is handed to an operation that has not run yet.
//! O2. `owner` is set exactly while there are guards that were made in a task.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, ready};

use super::lock::LOCK_ACQUIRE;
use crate::context;
use crate::error::Result;
use crate::key::Key;
use crate::line::Line;
use crate::mirror::Holder;
use crate::traps::{self, Waiting};

/// A lock that its owner may take again (Python Curio: `RLock`).
///
/// It is a handle: clone it to share the lock. Tasks get it in the order in which they asked, as with
/// [`Lock`](crate::Lock). It keeps other *tasks* out: two arms of a `join!` are one task, and share it.
///
/// ```
/// use curio::{RLock, Result, run};
/// use std::cell::RefCell;
///
/// async fn add(names: &RLock<RefCell<Vec<&'static str>>>, name: &'static str) -> Result<()> {
///     names.lock().await?.borrow_mut().push(name);
///     Ok(())
/// }
///
/// run(async {
///     let names = RLock::new(RefCell::new(vec![]));
///     let both = names.lock().await?;
///     add(&names, "parent").await?;
///     add(&names, "kid").await?;
///     assert_eq!(both.borrow().len(), 2);
///     Ok(())
/// })
/// .unwrap();
/// ```
pub struct RLock<T>(Rc<Shared<T>>);

struct Shared<T> {
    /// O1.
    count: Cell<usize>,
    /// O2. Keys are not used again for long after their kernel has gone, so the owner of a guard that outlives its task or its
    /// kernel is nobody.
    owner: Cell<Option<Key>>,
    line: Line,
    value: T,
}

impl<T> RLock<T> {
    /// A lock that is free.
    ///
    /// ```
    /// assert!(!curio::RLock::new(()).locked());
    /// ```
    pub fn new(value: T) -> RLock<T> {
        RLock(Rc::new(Shared {
            count: Cell::new(0),
            owner: Cell::new(None),
            line: Line::default(),
            value,
        }))
    }

    /// Waits for the lock (Python Curio: `acquire`). Dropping the last guard releases it.
    ///
    /// *Waits* until all who asked before have had the lock and released it; not at all if it is free, or this task's
    /// already. *Interrupted* by cancellation and timeouts: then the lock was not taken.
    ///
    /// # Errors
    ///
    /// [`Error::NoKernel`](crate::Error::NoKernel) if it would wait outside of a task, or while tasks of another living
    /// kernel have waited for this lock.
    ///
    /// ```
    /// curio::run(async {
    ///     let lock = curio::RLock::new(());
    ///     let _outer = lock.lock().await?;
    ///     let _inner = lock.lock().await?;
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[inline]
    #[track_caller]
    pub fn lock(&self) -> RLocking<'_, T> {
        RLocking {
            lock: self,
            waiting: Waiting::new(),
            place: Location::caller(),
        }
    }

    /// Takes the lock if it is free, or this task's already. It never waits.
    ///
    /// Outside of a task nobody is the owner: there it can be taken once.
    ///
    /// ```
    /// let lock = curio::RLock::new(());
    /// let guard = lock.try_lock().unwrap();
    /// assert!(lock.try_lock().is_none());
    /// ```
    pub fn try_lock(&self) -> Option<RLockGuard<T>> {
        self.may_lock().then(|| self.enter())
    }

    /// Whether some task has the lock, or it was handed to one that is going to run.
    ///
    /// ```
    /// let lock = curio::RLock::new(());
    /// let guard = lock.try_lock();
    /// assert!(lock.locked());
    /// ```
    pub fn locked(&self) -> bool {
        self.reclaim();
        self.0.count.get() > 0
    }

    /// Whether the running task has the lock.
    ///
    /// ```
    /// curio::run(async {
    ///     let lock = curio::RLock::new(());
    ///     let _guard = lock.lock().await?;
    ///     assert!(lock.is_mine());
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn is_mine(&self) -> bool {
        let task = context::running_task();
        task.is_some() && task == self.0.owner.get()
    }

    fn may_lock(&self) -> bool {
        !self.locked() || self.is_mine()
    }

    /// What was handed to an operation whose kernel is gone is free (N3).
    fn reclaim(&self) {
        if self.0.line.reclaim() > 0 {
            self.0.count.set(0);
        }
    }

    /// One guard more, for somebody who may have one.
    fn enter(&self) -> RLockGuard<T> {
        if self.0.count.get() == 0 {
            self.0.owner.set(context::running_task());
        }
        self.0.count.set(self.0.count.get() + 1);
        RLockGuard { lock: self.clone() }
    }

    /// The last guard is gone: the lock goes to whoever has waited longest, or becomes free.
    fn release(&self) {
        self.0.owner.set(None);
        // Before anybody is told: a foreign waker may look at it.
        self.0.count.set(1);
        if !self.0.line.hand_over() {
            self.0.count.set(0);
        }
    }

    fn leave(&self, waiting: &mut Waiting) {
        self.0.line.leave(waiting, || self.release());
    }
}

impl<T> Clone for RLock<T> {
    fn clone(&self) -> RLock<T> {
        RLock(self.0.clone())
    }
}

impl<T: Default> Default for RLock<T> {
    fn default() -> RLock<T> {
        RLock::new(T::default())
    }
}

impl<T: fmt::Debug> fmt::Debug for RLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RLock")
            .field("locked", &self.locked())
            .field("value", &self.0.value)
            .finish()
    }
}

/// Access to the value of an [`RLock`], for as long as one has the lock.
///
/// Dropping the last one releases the lock, wherever that happens: in another task, outside of the kernel, after its end.
/// It never waits. A guard that goes to another task does not make that task the owner.
///
/// ```
/// let lock = curio::RLock::new(1);
/// let guard = lock.try_lock().unwrap();
/// assert_eq!(*guard, 1);
/// ```
#[must_use = "the lock is released at once if the guard is not kept"]
pub struct RLockGuard<T> {
    lock: RLock<T>,
}

impl<T> Deref for RLockGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.lock.0.value
    }
}

impl<T> Drop for RLockGuard<T> {
    fn drop(&mut self) {
        match self.lock.0.count.get() {
            1 => self.lock.release(),
            count => self.lock.0.count.set(count - 1),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for RLockGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: fmt::Display> fmt::Display for RLockGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

/// The operation of [`RLock::lock`].
#[must_use = "it does nothing unless it is awaited"]
pub struct RLocking<'a, T> {
    lock: &'a RLock<T>,
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl<T> Future for RLocking<'_, T> {
    type Output = Result<RLockGuard<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<RLockGuard<T>>> {
        let RLocking { lock, waiting, place } = &mut *self;
        if lock.0.line.receive(waiting) {
            lock.0.count.set(0);
            return Poll::Ready(Ok(lock.enter()));
        }
        if lock.may_lock() {
            if !waiting.is_waiting() {
                ready!(traps::poll_budget(cx));
            }
            // It may have waited: in a kernel that is gone, or while another arm of a `join!` got the lock.
            waiting.complete();
            return Poll::Ready(Ok(lock.enter()));
        }
        let holder = || Holder::Task(lock.0.owner.get());
        match lock.0.line.wait_for(holder, waiting, cx, LOCK_ACQUIRE, place) {
            Ok(()) => Poll::Pending,
            Err(error) => {
                lock.leave(waiting);
                Poll::Ready(Err(error))
            }
        }
    }
}

impl<T> Drop for RLocking<'_, T> {
    fn drop(&mut self) {
        self.lock.leave(&mut self.waiting);
    }
}

impl<T> fmt::Debug for RLocking<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RLocking")
            .field("locked", &self.lock.locked())
            .finish_non_exhaustive()
    }
}
