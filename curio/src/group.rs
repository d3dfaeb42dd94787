//! Task groups: tasks that end together.
//!
//! The promise is one sentence: *when control leaves a group, none of its tasks is alive.* Whatever the way out is: the
//! join, an error of the body, an interruption, a panic. Only a drop cannot wait; it asks the members to end and leaves it
//! to the kernel to see them off.
//!
//! There is no tree of tasks and no "current group": a group is a value, and a task is in it because somebody said so. The
//! kernel knows nothing of groups; it tells whoever watches a task that the task has ended (`tables::Watcher`), and so the
//! group judges its members in the very order in which they end, and a loser is cancelled before it runs again.
//!
//! The body is an ordinary part of its task and not a member. So a failure does not interrupt it: the policy counts from
//! the join on, and until then the body may look at its members itself. Rejected: to cancel the body as Trio does (it needs
//! another kind of interruption, and the body can be a member if that is wanted), and members that borrow from the
//! surrounding function (unsound if the future of the scope is leaked).
//!
//! Who hears of a failure:
//!
//! | a member fails                                   | heard by                                                  |
//! |--------------------------------------------------|-----------------------------------------------------------|
//! | and is the first, in or before the join          | the join: `Error::Task`                                   |
//! | after it, also while it was being cancelled      | the join: the error's `others()`                          |
//! | while it was being cancelled, and the join is Ok | the log, when the join ends                               |
//! | and the join or the body give another error      | the log, when the group ends                              |
//! | while nobody waits for the group                 | the log, at once (else the program would hang in silence) |
//! | and is joined or taken by `next_done`            | who has done that                                         |
//!
//! `errors()` lists them all, except those of the last line.
//!
//! G1. No borrow of the roll is held while a task is cancelled, an operation notified, a failure logged or a member
//!     dropped: all of that may run user code.
//! G2. A group with members belongs to their kernel, also when that has ended: members are known by their ids, which begin
//!     anew in each kernel.
//! G3. The roll is CLOSED only when nobody is alive, and only by the operation that tells its caller so.

mod leave;
mod members;
mod next;
mod roll;
mod shared;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::rc::{Rc, Weak};

use crate::error::{Error, Result, TaskError};
use crate::handle::TaskRef;
use crate::outcome::Outcome;
use crate::task::Task;
use crate::traps::{Label, WaitList};

pub use leave::{JoinGroup, Scope};
pub use next::{CancelRemaining, NextDone, NextResult};
use roll::{Policy, Roll, Stage};
use shared::Group;

const GROUP_WAIT: Label = Label::new(&"GROUP_WAIT");

/// Tasks that end together (Python Curio: `TaskGroup`).
///
/// When control leaves a group, none of its tasks is alive. [`scope`](TaskGroup::scope) is the usual way to write one:
///
/// ```
/// use curio::{Result, TaskGroup, run, sleep};
/// use std::time::Duration;
///
/// async fn friend(name: &str) -> Result<()> {
///     println!("Hi, my name is {name}");
///     let slept = sleep(Duration::from_secs(1000)).await;
///     println!("{name} going home");
///     slept
/// }
///
/// run(async {
///     TaskGroup::any()
///         .scope(async |g| {
///             g.spawn(friend("Max"));
///             g.spawn(friend("Lillian"));
///             g.spawn(sleep(Duration::from_millis(5))); // dinner
///         })
///         .await
/// })
/// .unwrap();
/// ```
///
/// The *policy* says when the group is finished: [`all`](TaskGroup::all) members have ended, [`any`](TaskGroup::any) has,
/// [`first_some`](TaskGroup::first_some), or [`none`](TaskGroup::none) need. Then, and also when a member fails, the others
/// are cancelled, all at once, and awaited. The policy counts from the join on; at the end of `scope` there is one. A
/// failure does not interrupt the body before.
///
/// *Daemon* members are cancelled when the others have ended; their results and failures are not the group's.
///
/// Joining or cancelling a member directly takes it out of the group: its result, its failure or its cancellation
/// concern only who has done that. (It is waited for all the same.)
///
/// Groups know nothing of each other; a group within a group is one that a member, or the body, has made. The handle is
/// cheap to clone, and members may spawn siblings through a clone, until the join has finished. When the last handle is
/// dropped without a join, the members are cancelled and the kernel sees them off. (A member that has a handle keeps the
/// group.) Values and failures are kept until somebody asks for them, so a group that lives long takes them out with
/// [`next_done`](TaskGroup::next_done).
pub struct TaskGroup<T> {
    group: Rc<Group<T>>,
}

impl<T> TaskGroup<T> {
    /// A group that waits for all its members (Python Curio: `wait=all`).
    ///
    /// ```
    /// use curio::{TaskGroup, run};
    ///
    /// run(async {
    ///     let g = TaskGroup::all();
    ///     for n in 1..=3 {
    ///         g.spawn(async move { Ok(n * n) });
    ///     }
    ///     g.join().await?;
    ///     assert_eq!(g.results()?, [1, 4, 9]);
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn all() -> TaskGroup<T> {
        TaskGroup::with(Policy::All)
    }

    /// A group that is finished when its first member ends (Python Curio: `wait=any`). The others are cancelled.
    ///
    /// ```
    /// use curio::{TaskGroup, run, sleep};
    /// use std::time::Duration;
    ///
    /// async fn nap(millis: u64) -> curio::Result<u64> {
    ///     sleep(Duration::from_millis(millis)).await?;
    ///     Ok(millis)
    /// }
    ///
    /// run(async {
    ///     let g = TaskGroup::any();
    ///     g.spawn(nap(100_000));
    ///     g.spawn(nap(1));
    ///     g.join().await?;
    ///     assert_eq!(g.result()?, 1);
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn any() -> TaskGroup<T> {
        TaskGroup::with(Policy::Any)
    }

    /// A group that waits for nobody (Python Curio: `wait=None`): the join cancels the members at once. For helpers that
    /// are of use only as long as the body runs.
    ///
    /// ```
    /// use curio::{TaskGroup, run, sleep};
    /// use std::time::Duration;
    ///
    /// run(async {
    ///     TaskGroup::none()
    ///         .scope(async |g| {
    ///             g.spawn(sleep(Duration::from_secs(1000)));
    ///             sleep(Duration::from_millis(1)).await // the real work
    ///         })
    ///         .await
    /// })
    /// .unwrap();
    /// ```
    pub fn none() -> TaskGroup<T> {
        TaskGroup::with(Policy::Nobody)
    }

    fn with(policy: Policy<T>) -> TaskGroup<T> {
        TaskGroup {
            group: Rc::new(Group {
                roll: RefCell::new(Roll::new(policy)),
                home: RefCell::new(Weak::new()),
                joiners: WaitList::new(),
                takers: WaitList::new(),
                awaited: Cell::new(0),
            }),
        }
    }

    /// Runs a body that spawns members, then joins the group. It gives what the body gives.
    ///
    /// The body gets a handle of the group. It is a part of the task that awaits this, so it may borrow; members may not.
    ///
    /// *Waits* for the body, and then as [`join`](TaskGroup::join) does. *Interrupted* by cancellation and timeouts: the
    /// body as ever; the join as ever. If this future is dropped, the members are cancelled, but nobody can wait for them;
    /// so a body that awaits a future of another library does so through [`interruptible`](crate::interruptible).
    ///
    /// # Errors
    ///
    /// The body's own error, after the members have been cancelled and have ended; what went wrong in them then is logged,
    /// and listed in [`errors`](TaskGroup::errors). Otherwise as for [`join`](TaskGroup::join). [`Error::Other`] for a group
    /// that was joined before.
    ///
    /// # Panics
    ///
    /// If the body panics, with its panic, after the members have been cancelled and have ended.
    ///
    /// ```
    /// use curio::{TaskGroup, run};
    ///
    /// run(async {
    ///     let mut squares = Vec::new();
    ///     TaskGroup::all()
    ///         .scope(async |g| {
    ///             for n in 0..3 {
    ///                 g.spawn(async move { Ok(n * n) });
    ///             }
    ///             while let Some(square) = g.next_result().await? {
    ///                 squares.push(square);
    ///             }
    ///             Ok(())
    ///         })
    ///         .await?;
    ///     assert_eq!(squares, [0, 1, 4]);
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn scope<B, F>(&self, body: B) -> Scope<T, F>
    where
        B: FnOnce(TaskGroup<T>) -> F,
        F: Future<Output: Outcome>,
    {
        Scope::new(self.clone(), body(self.clone()), Location::caller())
    }

    /// Waits until the group is finished as its policy says, cancels who is left, and waits for those
    /// (Python Curio: `join`). A second join does no harm.
    ///
    /// *Waits* until no member is alive. *Interrupted* by cancellation and timeouts: then all members are cancelled, and
    /// the interruption goes on when they have ended. While it waits for members that were cancelled it is shielded.
    ///
    /// # Errors
    ///
    /// [`Error::Task`] with the first failure of a member; the other failures are its [`others`](TaskError::others). Members
    /// that fail only while they are being cancelled fail nobody: if all else is well they are logged, and listed in
    /// [`errors`](TaskGroup::errors). [`Error::Deadlock`] for a member that joins its own group.
    /// [`Error::NoKernel`] outside of the group's kernel, if a member is alive.
    ///
    /// ```
    /// use curio::{Error, TaskGroup, run, sleep};
    /// use std::time::Duration;
    ///
    /// run(async {
    ///     let g = TaskGroup::all();
    ///     g.spawn(sleep(Duration::from_secs(1000)));
    ///     g.spawn(async { Err(Error::other("no coffee left")) });
    ///     let error = g.join().await.unwrap_err();
    ///     assert!(error.to_string().ends_with("failed: no coffee left"));
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn join(&self) -> JoinGroup<'_, T> {
        JoinGroup::new(self, Location::caller())
    }

    /// Waits for the next member to end, however it does, and takes it out of the group (Python Curio: `next_done`). None if
    /// no member is left. What the member gives, or failed with, is the caller's to look at: nobody else hears of it.
    ///
    /// *Waits* until a member ends. *Interrupted* by cancellation and timeouts; no member is lost by that.
    ///
    /// # Errors
    ///
    /// [`Error::Deadlock`] for a member that is the last one itself. [`Error::NoKernel`] outside of the group's kernel, if
    /// it would wait.
    ///
    /// ```
    /// use curio::{TaskGroup, run};
    ///
    /// run(async {
    ///     let g = TaskGroup::all();
    ///     g.spawn(async { Ok(1) });
    ///     g.spawn(async { Ok(2) });
    ///     let mut sum = 0;
    ///     while let Some(task) = g.next_done().await? {
    ///         sum += task.join().await?;
    ///     }
    ///     assert_eq!(sum, 3);
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn next_done(&self) -> NextDone<'_, T> {
        NextDone::new(self, Location::caller())
    }

    /// Like [`next_done`](TaskGroup::next_done), but gives the member's value at once (Python Curio: `next_result`).
    ///
    /// *Waits* until a member ends. *Interrupted* by cancellation and timeouts; no member is lost by that.
    ///
    /// # Errors
    ///
    /// [`Error::Task`] if the member has failed; the other members are left alone. Otherwise as for
    /// [`next_done`](TaskGroup::next_done).
    ///
    /// ```
    /// use curio::{TaskGroup, run};
    ///
    /// run(async {
    ///     let g = TaskGroup::all();
    ///     g.spawn(async { Ok("done") });
    ///     assert_eq!(g.next_result().await?, Some("done"));
    ///     assert_eq!(g.next_result().await?, None);
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn next_result(&self) -> NextResult<'_, T> {
        NextResult::new(self.next_done())
    }

    /// Cancels all members that are alive, except daemons, and waits for them; they leave the group, but those that fail
    /// meanwhile (Python Curio: `cancel_remaining`). The group stays as it is and can have new members.
    ///
    /// *Waits* until those members have ended. *Interrupted* by cancellation and timeouts; the requests stay in force.
    ///
    /// # Errors
    ///
    /// [`Error::Deadlock`] for a member that is no daemon: it would wait for itself. [`Error::NoKernel`] outside of the
    /// group's kernel, if it would wait.
    ///
    /// ```
    /// use curio::{TaskGroup, run, sleep};
    /// use std::time::Duration;
    ///
    /// run(async {
    ///     TaskGroup::all()
    ///         .scope(async |g| {
    ///             let ticker = g.spawn(sleep(Duration::from_secs(1000)));
    ///             sleep(Duration::from_millis(1)).await?;
    ///             g.cancel_remaining().await?;
    ///             assert!(ticker.terminated());
    ///             Ok(())
    ///         })
    ///         .await
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn cancel_remaining(&self) -> CancelRemaining<'_, T> {
        CancelRemaining::new(self, Location::caller())
    }

    /// Who has finished the group: the first member that satisfied the policy (for [`all`](TaskGroup::all), that ended), or
    /// the first that failed (Python Curio: `completed`). None before the join, and if there was none.
    ///
    /// ```
    /// use curio::{TaskGroup, run};
    ///
    /// run(async {
    ///     let g = TaskGroup::any();
    ///     let quick = g.spawn(async { Ok(1) });
    ///     g.join().await?;
    ///     assert_eq!(g.completed().unwrap().id(), quick.id());
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn completed(&self) -> Option<TaskRef> {
        let roll = self.group.roll.borrow();
        roll.completed().map(Task::reference)
    }

    /// The value of the member that has finished the group (Python Curio: `result`). It is handed out once.
    ///
    /// # Errors
    ///
    /// [`Error::Task`] if that member has failed. [`Error::AlreadyJoined`] if the value was taken. [`Error::Other`] before
    /// the join, and if no member has finished the group.
    ///
    /// See [`any`](TaskGroup::any) for an example.
    pub fn result(&self) -> Result<T> {
        self.group.roll.borrow().result()
    }

    /// The values of all members, in the order in which they were spawned (Python Curio: `results`); not those of daemons,
    /// nor of members that have left the group. They are handed out once, all or none.
    ///
    /// # Errors
    ///
    /// [`Error::Task`] if a member gave none: it failed, or was a loser and was cancelled. [`Error::AlreadyJoined`] if a value
    /// was taken. [`Error::Other`] before the join.
    ///
    /// See [`all`](TaskGroup::all) for an example.
    pub fn results(&self) -> Result<Vec<T>> {
        self.group.roll.borrow().results()
    }

    /// The failure that has finished the group, if there was one (Python Curio: `exception`).
    ///
    /// ```
    /// use curio::{Error, TaskGroup, run};
    ///
    /// run(async {
    ///     let g = TaskGroup::<()>::all();
    ///     g.spawn(async { Err(Error::other("no")) });
    ///     assert!(g.join().await.is_err());
    ///     assert!(g.error().unwrap().to_string().ends_with("failed: no"));
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn error(&self) -> Option<TaskError> {
        self.group.roll.borrow().error()
    }

    /// The failures of all members so far, in the order in which they came (Python Curio: `exceptions`), also of those that
    /// failed while they were being cancelled. Being cancelled is no failure.
    ///
    /// ```
    /// use curio::{Error, TaskGroup, run, sleep};
    /// use std::time::Duration;
    ///
    /// run(async {
    ///     let g = TaskGroup::any();
    ///     g.spawn(async { Ok(1) });
    ///     g.spawn(async {
    ///         let _ = sleep(Duration::from_secs(1000)).await;
    ///         Err(Error::other("could not save"))
    ///     });
    ///     g.join().await?; // the winner is fine
    ///     assert_eq!(g.errors().len(), 1);
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn errors(&self) -> Vec<TaskError> {
        self.group.roll.borrow().errors()
    }

    /// The members, in the order in which they were spawned (Python Curio: `tasks`): not daemons, nor members that have left
    /// the group.
    ///
    /// ```
    /// use curio::{TaskGroup, run};
    ///
    /// run(async {
    ///     let g = TaskGroup::<()>::none();
    ///     g.spawn(async { Ok(()) });
    ///     assert_eq!(g.tasks().len(), 1);
    ///     g.join().await
    /// })
    /// .unwrap();
    /// ```
    pub fn tasks(&self) -> Vec<TaskRef> {
        let roll = self.group.roll.borrow();
        roll.tasks().into_iter().map(Task::reference).collect()
    }
}

impl<T> TaskGroup<Option<T>> {
    /// A group that is finished when a member gives `Some` (Python Curio: `wait=object`). The others are cancelled.
    ///
    /// ```
    /// use curio::{TaskGroup, run};
    ///
    /// run(async {
    ///     let g = TaskGroup::first_some();
    ///     g.spawn(async { Ok(None) });
    ///     g.spawn(async { Ok(Some("found")) });
    ///     g.join().await?;
    ///     assert_eq!(g.result()?, Some("found"));
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn first_some() -> TaskGroup<Option<T>> {
        TaskGroup::with(Policy::FirstSome(Option::is_some))
    }
}

/// What there is to say about the use of a group that was joined.
fn after_join() -> Error {
    Error::other("this task group was joined already (make a new one for more tasks)")
}

impl<T> Clone for TaskGroup<T> {
    fn clone(&self) -> TaskGroup<T> {
        TaskGroup {
            group: self.group.clone(),
        }
    }
}

impl<T> fmt::Debug for TaskGroup<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let roll = self.group.roll.borrow();
        f.debug_struct("TaskGroup")
            .field("policy", &roll.policy())
            .field("alive", &roll.alive())
            .field("joined", &(roll.stage == Stage::Closed))
            .finish_non_exhaustive()
    }
}
