//! What tasks of one kernel agree by: events, locks, semaphores, conditions and promises.
//!
//! All of them are also at the root of the crate; here are besides the named futures of their operations.
//!
//! | | it lets tasks | Python Curio |
//! |---|---|---|
//! | [`Event`] | wait for something to happen | `Event` |
//! | [`Promise`] | wait for a value | `Result`, `Promise` |
//! | [`Lock`], [`LockGuard`] | use a value one at a time | `Lock` |
//! | [`RLock`], [`RLockGuard`] | the same, and the owner again and again | `RLock` |
//! | [`Semaphore`], [`BoundedSemaphore`], [`Permit`] | do something so many at a time | `Semaphore`, `BoundedSemaphore` |
//! | [`Condition`] | wait for a change to what a lock protects | `Condition` |
//!
//! # What holds for all of them
//!
//! * Each is a cheap *handle*: clone it to share it. Guards and permits own a handle too, so they may be kept, returned,
//!   and sent to other tasks. What is acquired is given back by dropping a guard: there is no `release` to forget when an
//!   error passes through.
//! * *First come, first served.* What is given back is handed to the task that has waited longest. From then on it
//!   belongs to that task; nobody takes it in between, however late that task runs.
//! * *Nothing is lost.* An operation that was interrupted has had no effect. One that was chosen and is then dropped, by a
//!   `select!`, by a timeout, with its task, passes on what it was chosen for.
//! * What cannot wait is a plain function, works outside of a kernel too, and never switches: `set`, `notify`, `release`,
//!   `try_lock`, the drop of a guard.
//! * They serve the tasks of one kernel. After its end they serve those of the next; a task that would wait for one for
//!   which tasks of another living kernel have waited gets [`Error::NoKernel`](crate::Error::NoKernel).
//! * Nothing is poisoned by a panic. The guards of a task that panics are dropped, and so give back what they hold.
//!
//! On one thread less needs a lock than one may think: between two awaits no other task runs. A lock is for what must stay
//! as it is *across* an await.
//!
//! # A word of warning
//!
//! A task that waits in line through a combinator can be handed a lock while it does not poll that arm, because it awaits
//! something else in the body of its `select!` loop. It then has the lock and does not know, and everybody waits for it.
//! Keep an operation that was started in sight, or drop it.

mod condition;
mod event;
mod lock;
mod promise;
mod rlock;
mod semaphore;

pub use condition::{Condition, ConditionWait, ConditionWaitFor};
pub use event::{Event, EventWait};
pub use lock::{Lock, LockGuard, Locking};
pub use promise::{Promise, PromiseError, PromiseWait};
pub use rlock::{RLock, RLockGuard, RLocking};
pub use semaphore::{Acquire, BoundedSemaphore, Permit, Semaphore};
