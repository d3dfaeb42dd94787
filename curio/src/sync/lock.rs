//! A lock around a value.
//!
//! The guard *is* the value: locking takes its box out of the lock, and the guard's drop puts it back. So a guard lends
//! `&mut T`, owns a handle of its lock, is `'static` and may go to another task, all without `unsafe` and without a
//! borrow flag; the price is that the value sits in a box of its own. A `RefCell` inside was the alternative: its guards
//! borrow from the lock, and would have to stay where it is.
//!
//! L1. `held` is not `FREE` from the moment somebody gets the lock until it is given back and nobody waits. While it is,
//!     nobody waits in a kernel that lives. It says which task took the lock when it was free: as long as nobody waits, that
//!     is who has it.
//! L2. The value is in its place unless a guard has it. While `held` is set and no guard exists, the lock was handed to
//!     an operation that will make one, or pass it on.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, ready};

use crate::context;
use crate::error::Result;
use crate::key::Key;
use crate::line::Line;
use crate::mirror::Holder;
use crate::traps::{self, Label, Waiting};

pub(super) const LOCK_ACQUIRE: Label = Label::new(&"LOCK_ACQUIRE");

/// A value that one task at a time may use (Python Curio: `Lock`).
///
/// It is a handle: clone it to share the lock. Tasks get the lock in the order in which they asked. It is handed to the
/// task that has waited longest, and nobody can take it before that one runs.
///
/// A task needs a lock only around something it does *across a wait*; between two waits nobody else runs. It is not
/// re-entrant: a task that locks twice waits for itself (see [`RLock`](crate::RLock)). A panic of the holder releases the
/// lock and does not poison it: what the value is then worth, the program must know.
///
/// ```
/// use curio::{Lock, run, spawn, yield_now};
///
/// run(async {
///     let account = Lock::new(100);
///     let spend = async |account: Lock<i32>| {
///         let mut balance = account.lock().await?;
///         let before = *balance;
///         yield_now().await?;
///         *balance = before - 10;
///         curio::Result::Ok(())
///     };
///     let kid = spawn(spend(account.clone()));
///     spend(account.clone()).await?;
///     kid.join().await?;
///     assert_eq!(*account.lock().await?, 80);
///     Ok(())
/// })
/// .unwrap();
/// ```
pub struct Lock<T>(Rc<Shared<T>>);

/// Nobody has it.
const FREE: usize = 0;

/// This task has it, or somebody of whom nobody knows.
#[inline]
fn held_by(task: Option<Key>) -> usize {
    // More than `FREE`, as the greatest place is never taken.
    task.map_or(0, Key::number).wrapping_add(1)
}

struct Shared<T> {
    /// L1. `FREE`, or `held_by`.
    held: Cell<usize>,
    line: Line,
    /// L2.
    value: Cell<Option<Box<T>>>,
}

impl<T> Lock<T> {
    /// A lock that is free.
    ///
    /// ```
    /// let names = curio::Lock::new(vec!["kid"]);
    /// assert!(!names.locked());
    /// ```
    pub fn new(value: T) -> Lock<T> {
        Lock(Rc::new(Shared {
            held: Cell::new(FREE),
            line: Line::default(),
            value: Cell::new(Some(Box::new(value))),
        }))
    }

    /// Waits for the lock (Python Curio: `acquire`). Dropping the guard releases it.
    ///
    /// *Waits* until all who asked before have had the lock and released it; not at all if it is free. *Interrupted* by
    /// cancellation and timeouts: then the lock was not taken.
    ///
    /// # Errors
    ///
    /// [`Error::NoKernel`](crate::Error::NoKernel) if it would wait outside of a task, or while tasks of another living
    /// kernel have waited for this lock.
    ///
    /// ```
    /// curio::run(async {
    ///     let names = curio::Lock::new(vec!["parent"]);
    ///     names.lock().await?.push("kid");
    ///     assert_eq!(names.lock().await?.len(), 2);
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[inline]
    #[track_caller]
    pub fn lock(&self) -> Locking<'_, T> {
        Locking {
            lock: self,
            waiting: Waiting::new(),
            place: Location::caller(),
        }
    }

    /// Takes the lock if it is free. It never waits, and works outside of a kernel.
    ///
    /// ```
    /// let lock = curio::Lock::new(1);
    /// let guard = lock.try_lock().unwrap();
    /// assert!(lock.try_lock().is_none());
    /// drop(guard);
    /// assert!(lock.try_lock().is_some());
    /// ```
    #[inline]
    pub fn try_lock(&self) -> Option<LockGuard<T>> {
        self.is_free().then(|| self.take())
    }

    /// Whether somebody has the lock, or it was handed to somebody who is going to run.
    ///
    /// ```
    /// let lock = curio::Lock::new(());
    /// let guard = lock.try_lock();
    /// assert!(lock.locked());
    /// ```
    pub fn locked(&self) -> bool {
        !self.is_free()
    }

    /// The value itself, if this is the only handle.
    ///
    /// ```
    /// let mut lock = curio::Lock::new(1);
    /// *lock.get_mut().unwrap() += 1;
    /// let other = lock.clone();
    /// assert!(lock.get_mut().is_none());
    /// ```
    pub fn get_mut(&mut self) -> Option<&mut T> {
        // No guard exists, as each has a handle; so the value is there (L2).
        Rc::get_mut(&mut self.0)?.value.get_mut().as_deref_mut()
    }

    /// Takes the value out, if this is the only handle.
    ///
    /// # Errors
    ///
    /// The lock itself, if there are other handles or a guard.
    ///
    /// ```
    /// let lock = curio::Lock::new(1);
    /// let other = lock.clone();
    /// let lock = lock.into_inner().unwrap_err();
    /// drop(other);
    /// assert_eq!(lock.into_inner().unwrap(), 1);
    /// ```
    pub fn into_inner(self) -> Result<T, Lock<T>> {
        match Rc::try_unwrap(self.0) {
            Ok(shared) => match shared.value.into_inner() {
                Some(value) => Ok(*value),
                None => unreachable!("a guard has a handle of its lock (L2)"),
            },
            Err(shared) => Err(Lock(shared)),
        }
    }

    /// Whether the lock can be had at once.
    #[inline]
    pub(super) fn is_free(&self) -> bool {
        self.0.held.get() == FREE || self.reclaim()
    }

    /// What was handed to an operation whose kernel is gone is free (N3).
    #[cold]
    fn reclaim(&self) -> bool {
        let reclaimed = self.0.line.reclaim() > 0;
        if reclaimed {
            self.0.held.set(FREE);
        }
        reclaimed
    }

    /// Takes the lock, which is free.
    #[inline]
    fn take(&self) -> LockGuard<T> {
        let guard = self.guard();
        self.0.held.set(held_by(context::running_task()));
        guard
    }

    /// The poll of `Locking` that has not found the lock free.
    #[cold]
    #[inline(never)]
    fn poll_slowly(
        &self,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<LockGuard<T>>> {
        // It is if this operation, or who had the lock, waited in a kernel that is gone.
        if self.is_free() {
            if !waiting.is_waiting() {
                ready!(traps::poll_budget(cx));
            }
            waiting.complete();
            return Poll::Ready(Ok(self.take()));
        }
        match self.wait(waiting, cx, LOCK_ACQUIRE, place) {
            Ok(()) => Poll::Pending,
            Err(error) => {
                self.leave(waiting);
                Poll::Ready(Err(error))
            }
        }
    }

    /// For somebody who has the lock, in whose name `held` is set.
    #[inline]
    fn guard(&self) -> LockGuard<T> {
        LockGuard {
            lock: self.clone(),
            value: self.0.value.take(),
        }
    }

    /// The lock goes to whoever has waited longest, or becomes free. The value is in its place.
    #[inline]
    pub(super) fn release(&self) {
        if !self.0.line.hand_over() {
            self.0.held.set(FREE);
        }
    }

    // ---- For a condition, whose wait goes on in the line of its lock and possibly back again

    /// Waits in the line.
    pub(super) fn wait(
        &self,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        label: Label,
        place: &'static Location<'static>,
    ) -> Result<()> {
        let holder = || Holder::Task(Key::from_number(self.0.held.get().wrapping_sub(1)));
        self.0.line.wait_for(holder, waiting, cx, label, place)
    }

    /// The guard of an operation that the lock was handed to.
    pub(super) fn receive(&self, waiting: &Waiting) -> Option<LockGuard<T>> {
        self.0.line.receive_and_go_on(waiting).then(|| self.guard())
    }

    /// An operation leaves the line without a guard.
    #[inline]
    pub(super) fn leave(&self, waiting: &mut Waiting) {
        self.0.line.leave(waiting, || self.release());
    }
}

impl<T> Clone for Lock<T> {
    #[inline]
    fn clone(&self) -> Lock<T> {
        Lock(self.0.clone())
    }
}

impl<T: Default> Default for Lock<T> {
    fn default() -> Lock<T> {
        Lock::new(T::default())
    }
}

impl<T> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock")
            .field("locked", &self.locked())
            .finish_non_exhaustive()
    }
}

/// The value of a [`Lock`], for as long as one has the lock.
///
/// Dropping it releases the lock, wherever that happens: in another task, outside of the kernel, after its end. It never
/// waits.
///
/// ```
/// use curio::{Lock, run, spawn, yield_now};
///
/// run(async {
///     let lock = Lock::new(1);
///     let mut guard = lock.lock().await?;
///     // The lock goes to the kid, with what it protects.
///     let kid = spawn(async move { *guard += 1 });
///     kid.join().await?;
///     assert_eq!(*lock.lock().await?, 2);
///     Ok(())
/// })
/// .unwrap();
/// ```
#[must_use = "the lock is released at once if the guard is not kept"]
pub struct LockGuard<T> {
    lock: Lock<T>,
    /// Always some, but for the drop.
    value: Option<Box<T>>,
}

impl<T> LockGuard<T> {
    /// The lock that the guard has (an associated function, not to hide a method of the value).
    ///
    /// ```
    /// use curio::{Lock, LockGuard};
    /// let guard = Lock::new(1).try_lock().unwrap();
    /// assert!(LockGuard::lock(&guard).locked());
    /// ```
    pub fn lock(guard: &LockGuard<T>) -> &Lock<T> {
        &guard.lock
    }
}

impl<T> Deref for LockGuard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        match &self.value {
            Some(value) => value,
            None => unreachable!("a guard has the value"),
        }
    }
}

impl<T> DerefMut for LockGuard<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.value {
            Some(value) => value,
            None => unreachable!("a guard has the value"),
        }
    }
}

impl<T> Drop for LockGuard<T> {
    #[inline]
    fn drop(&mut self) {
        // Nothing was there (L2), so there is nothing to drop.
        mem::forget(self.lock.0.value.replace(self.value.take()));
        self.lock.release();
    }
}

impl<T: fmt::Debug> fmt::Debug for LockGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: fmt::Display> fmt::Display for LockGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

/// The operation of [`Lock::lock`].
#[must_use = "it does nothing unless it is awaited"]
pub struct Locking<'a, T> {
    lock: &'a Lock<T>,
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl<T> Future for Locking<'_, T> {
    type Output = Result<LockGuard<T>>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<LockGuard<T>>> {
        let Locking { lock, waiting, place } = &mut *self;
        if waiting.is_waiting() {
            if lock.0.line.receive(waiting) {
                let guard = lock.guard();
                waiting.is_over();
                return Poll::Ready(Ok(guard));
            }
        } else if lock.0.held.get() == FREE {
            ready!(traps::poll_budget(cx));
            let guard = lock.take();
            waiting.is_over();
            return Poll::Ready(Ok(guard));
        } else if lock.0.line.begin(waiting, cx, LOCK_ACQUIRE, place) {
            return Poll::Pending;
        }
        lock.poll_slowly(waiting, cx, place)
    }
}

impl<T> Drop for Locking<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.leave(&mut self.waiting);
    }
}

impl<T> fmt::Debug for Locking<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Locking").field("lock", self.lock).finish()
    }
}
