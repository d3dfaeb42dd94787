//! Waiting for a change to what a lock protects.
//!
//! ```text
//!            guard given back                notified,              handed the lock,
//!            and on the list                 lock not free          or it was free
//!  Holding ------------------> Listening ------------------> Relocking --------> ready with a guard
//!     ^                            |                                                   |
//!     |                            +---------- notified, lock free -----------------> |
//!     +------------------------------- wait_for: not yet ------------------------------+
//! ```
//!
//! It is one operation with one wait node, which moves from the list of the condition into the line of the lock: what was
//! delivered at any moment since it began, it hears of.
//!
//! In Python Curio a wait that is interrupted takes its lock again before it says so, and a second interruption in there
//! leaves the caller's block to release the lock of another task. Here the guard goes in by value, and comes out only with
//! `Ok`: who has no guard cannot release anything. (With `&mut guard`, a wait that is dropped would leave a guard without
//! its lock.)
//!
//! Rejected: a condition that is bound to one lock. The guard says which lock it is, so nothing would be gained.
//!
//! C1. The operation is on the list before it gives the lock back, so no notification between the two is missed.
//! C2. A notification that did not lead to `Ok` is passed on to whoever has waited longest then.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, ready};

use super::lock::{LOCK_ACQUIRE, Lock, LockGuard};
use crate::error::Result;
use crate::traps::{self, Label, WaitList, Waiting};

const COND_WAIT: Label = Label::new(&"COND_WAIT");

/// What tasks wait for that need more than a lock: that somebody changes what it protects (Python Curio: `Condition`).
///
/// It is a handle: clone it to share the condition. It works with any [`Lock`], but all who use it should use the same.
///
/// ```
/// use curio::{Condition, Lock, Result, run, spawn};
///
/// async fn consumer(names: Lock<Vec<&'static str>>, changed: Condition) -> Result<&'static str> {
///     let mut names = changed.wait_for(names.lock().await?, |names| !names.is_empty()).await?;
///     Ok(names.remove(0))
/// }
///
/// run(async {
///     let (names, changed) = (Lock::new(vec![]), Condition::new());
///     let kid = spawn(consumer(names.clone(), changed.clone()));
///     names.lock().await?.push("Lego");
///     changed.notify(1);
///     assert_eq!(kid.join().await?, "Lego");
///     Ok(())
/// })
/// .unwrap();
/// ```
#[derive(Clone, Default)]
pub struct Condition(Rc<Shared>);

#[derive(Default)]
struct Shared {
    list: WaitList,
}

impl Condition {
    /// A condition that nobody waits for.
    ///
    /// ```
    /// curio::Condition::new().notify_all();
    /// ```
    pub fn new() -> Condition {
        Condition::default()
    }

    /// Gives the lock back, waits to be notified, and takes the lock again.
    ///
    /// A task may be notified that did not wait yet when somebody called [`notify`](Condition::notify): when one who was
    /// notified is interrupted, the next in line gets its notification. So look again whether what you waited for is there;
    /// [`wait_for`](Condition::wait_for) does.
    ///
    /// *Waits* until notified, and then in line for the lock. *Interrupted* by cancellation and timeouts in both: then the
    /// lock is not held, and the notification goes to somebody else.
    ///
    /// # Errors
    ///
    /// On any error the guard is gone and the lock was given back. [`Error::NoKernel`](crate::Error::NoKernel) outside of
    /// a task, or while tasks of another living kernel have waited for this condition or the lock.
    ///
    /// ```
    /// use curio::{Condition, Lock, run, spawn};
    ///
    /// run(async {
    ///     let (ready, changed) = (Lock::new(false), Condition::new());
    ///     let kid = spawn({
    ///         let (ready, changed) = (ready.clone(), changed.clone());
    ///         async move {
    ///             *ready.lock().await? = true;
    ///             changed.notify_all();
    ///             Ok(())
    ///         }
    ///     });
    ///     let mut guard = ready.lock().await?;
    ///     while !*guard {
    ///         guard = changed.wait(guard).await?;
    ///     }
    ///     kid.join().await
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn wait<T>(&self, guard: LockGuard<T>) -> ConditionWait<'_, T> {
        ConditionWait(Cycle::new(self, guard, Location::caller()))
    }

    /// Waits until the predicate is true of what the lock protects (Python Curio: `wait_for`). It is asked with the lock
    /// held: at once, and after each notification.
    ///
    /// *Waits* as [`wait`](Condition::wait) does, as often as needed; not at all if the predicate is true. *Interrupted*
    /// as there.
    ///
    /// # Errors
    ///
    /// As for [`wait`](Condition::wait).
    ///
    /// # Panics
    ///
    /// If the predicate does; the lock is given back, and the notification goes to somebody else.
    ///
    /// ```
    /// use curio::{Condition, Lock, run};
    ///
    /// run(async {
    ///     let names = Lock::new(vec!["kid"]);
    ///     let guard = Condition::new().wait_for(names.lock().await?, |names| names.len() == 1).await?;
    ///     assert_eq!(guard[0], "kid");
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn wait_for<T, P>(&self, guard: LockGuard<T>, predicate: P) -> ConditionWaitFor<'_, T, P>
    where
        P: FnMut(&T) -> bool,
    {
        ConditionWaitFor {
            cycle: Cycle::new(self, guard, Location::caller()),
            predicate,
        }
    }

    /// Notifies those who have waited longest, so many of them if there are (Python Curio: `notify`). It never waits.
    ///
    /// The lock need not be held. But who changes what it protects under the lock and then notifies, misses nobody.
    ///
    /// ```
    /// // Nobody waits, and nothing happens.
    /// curio::Condition::new().notify(1);
    /// ```
    pub fn notify(&self, waiters: usize) {
        for _ in 0..waiters {
            if !self.0.list.notify_one() {
                break;
            }
        }
    }

    /// Notifies all who wait (Python Curio: `notify_all`). It never waits.
    ///
    /// ```
    /// curio::Condition::new().notify_all();
    /// ```
    pub fn notify_all(&self) {
        self.0.list.notify_all();
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condition")
            .field("is_waited_for", &!self.0.list.is_empty())
            .finish()
    }
}

/// Where a wait stands; see the picture above.
enum Stage<T> {
    Holding(LockGuard<T>),
    Listening(Lock<T>),
    Relocking(Lock<T>),
    Done,
}

/// What both operations are made of.
struct Cycle<'a, T> {
    condition: &'a Condition,
    stage: Stage<T>,
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl<'a, T> Cycle<'a, T> {
    fn new(condition: &'a Condition, guard: LockGuard<T>, place: &'static Location<'static>) -> Cycle<'a, T> {
        Cycle {
            condition,
            stage: Stage::Holding(guard),
            waiting: Waiting::new(),
            place,
        }
    }

    /// Goes on until it has a guard again, which does not end the wait.
    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<LockGuard<T>>> {
        let listened = match &self.stage {
            Stage::Holding(guard) => {
                let lock = LockGuard::lock(guard).clone();
                let begun = self.listen(cx);
                // Drops the guard (C1).
                self.stage = Stage::Listening(lock);
                begun
            }
            Stage::Listening(lock) if self.waiting.is_notified() => {
                if let Some(guard) = lock.try_lock() {
                    self.stage = Stage::Done;
                    return Poll::Ready(Ok(guard));
                }
                let lock = lock.clone();
                let queued = lock.wait(&mut self.waiting, cx, LOCK_ACQUIRE, self.place);
                if queued.is_err() {
                    self.waiting.end();
                }
                self.stage = Stage::Relocking(lock);
                queued
            }
            Stage::Listening(_) => self.listen(cx),
            Stage::Relocking(lock) => {
                // The lock is free only if this operation waited in a kernel that is gone.
                if let Some(guard) = lock.receive(&self.waiting).or_else(|| lock.try_lock()) {
                    self.stage = Stage::Done;
                    return Poll::Ready(Ok(guard));
                }
                lock.wait(&mut self.waiting, cx, LOCK_ACQUIRE, self.place)
            }
            Stage::Done => panic!("a wait for a condition was polled after it had completed"),
        };
        match listened {
            Ok(()) => Poll::Pending,
            Err(error) => {
                self.leave();
                Poll::Ready(Err(error))
            }
        }
    }

    fn listen(&mut self, cx: &mut TaskContext<'_>) -> Result<()> {
        let list = &self.condition.0.list;
        self.waiting.wait_on(list, cx, COND_WAIT, self.place)
    }

    /// The wait is over without a guard.
    fn leave(&mut self) {
        let notified = match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Holding(_) | Stage::Done => false,
            Stage::Listening(_) => self.condition.0.list.dismiss(&mut self.waiting),
            Stage::Relocking(lock) => {
                lock.leave(&mut self.waiting);
                true
            }
        };
        if notified {
            // C2.
            self.condition.notify(1);
        }
    }
}

impl<T> Drop for Cycle<'_, T> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// The operation of [`Condition::wait`].
#[must_use = "it does nothing unless it is awaited"]
pub struct ConditionWait<'a, T>(Cycle<'a, T>);

impl<T> Future for ConditionWait<'_, T> {
    type Output = Result<LockGuard<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<LockGuard<T>>> {
        let guard = ready!(self.0.poll(cx));
        self.0.waiting.complete();
        Poll::Ready(guard)
    }
}

impl<T> fmt::Debug for ConditionWait<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConditionWait")
            .field("condition", self.0.condition)
            .finish()
    }
}

/// The operation of [`Condition::wait_for`].
#[must_use = "it does nothing unless it is awaited"]
pub struct ConditionWaitFor<'a, T, P> {
    cycle: Cycle<'a, T>,
    predicate: P,
}

/// A notification that leads to nothing if this is dropped as it is (C2).
struct PassOn<'a>(Option<&'a Condition>);

impl Drop for PassOn<'_> {
    fn drop(&mut self) {
        if let Some(condition) = self.0 {
            condition.notify(1);
        }
    }
}

// The predicate is called, never pinned.
impl<T, P> Unpin for ConditionWaitFor<'_, T, P> {}

impl<T, P> Future for ConditionWaitFor<'_, T, P>
where
    P: FnMut(&T) -> bool,
{
    type Output = Result<LockGuard<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<LockGuard<T>>> {
        let ConditionWaitFor { cycle, predicate } = &mut *self;
        if let Stage::Holding(_) = cycle.stage {
            ready!(traps::poll_budget(cx));
        }
        // The guard is kept here while the predicate runs: if that panics, it gives the lock back, and the notification
        // goes on (C2).
        let (guard, notified) = match std::mem::replace(&mut cycle.stage, Stage::Done) {
            Stage::Holding(guard) => (guard, false),
            stage => {
                cycle.stage = stage;
                (ready!(cycle.poll(cx))?, true)
            }
        };
        let mut unused = PassOn(notified.then_some(cycle.condition));
        let satisfied = predicate(&guard);
        unused.0 = None;
        if satisfied {
            cycle.waiting.complete();
            return Poll::Ready(Ok(guard));
        }
        // Waits again, and so cannot be ready but with an error.
        cycle.stage = Stage::Holding(guard);
        cycle.poll(cx)
    }
}

impl<T, P> fmt::Debug for ConditionWaitFor<'_, T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConditionWaitFor")
            .field("condition", self.cycle.condition)
            .finish_non_exhaustive()
    }
}
