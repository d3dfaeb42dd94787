//! Tasks: what their handles can do. How they come to be is in `spawn`, how they are awaited in `join`.

mod join;
mod spawn;

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use crate::cell::ValueCell;
#[cfg(doc)]
use crate::error::Error;
use crate::handle::{Cancel, Handle, TaskRef, Wait};
use crate::state::State;
use crate::traceback::TakeTraceback;
use crate::waits::Label;

pub(crate) use join::drop_task;
pub use join::{CancelWithin, Join};
pub use spawn::{TaskBuilder, spawn, spawn_daemon, task};
pub(crate) use spawn::{here, spawn_in};

/// The handle of a task. Dropping it detaches the task: it goes on by itself.
///
/// See [`spawn`].
pub struct Task<T> {
    handle: Handle<ValueCell<T>>,
}

impl<T> Task<T> {
    /// Waits for the task to end and gives its value (Python Curio: `join`).
    ///
    /// The first join that completes takes the value out.
    /// *Waits* until the task has ended. *Interrupted* by cancellation and timeouts; that does not touch the task.
    ///
    /// # Errors
    ///
    /// [`Error::Task`] if the task was cancelled, failed or panicked; for it
    /// [`is_cancellation`](Error::is_cancellation) is false, as it does not concern the joiner.
    /// [`Error::AlreadyJoined`] if the value was taken. [`Error::Deadlock`] for a task that joins itself.
    /// [`Error::NoKernel`] outside of the task's kernel.
    ///
    /// ```
    /// use curio::{run, spawn};
    ///
    /// let sum = run(async {
    ///     let kid = spawn(async { Ok(6 * 7) });
    ///     kid.join().await
    /// });
    /// assert_eq!(sum.unwrap(), 42);
    /// ```
    #[track_caller]
    pub fn join(&self) -> Join<'_, T> {
        Join::new(self, Location::caller())
    }

    /// Waits for the task to end, however it does (Python Curio: `wait`).
    ///
    /// *Waits* until the task has ended. *Interrupted* by cancellation and timeouts; that does not touch the task.
    ///
    /// # Errors
    ///
    /// [`Error::Deadlock`] for a task that waits for itself. [`Error::NoKernel`] outside of the task's kernel.
    ///
    /// ```
    /// use curio::{run, spawn, Error};
    ///
    /// run(async {
    ///     let kid = spawn(async { Err::<(), _>(Error::other("tired")) });
    ///     kid.wait().await?;
    ///     assert!(kid.terminated());
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn wait(&self) -> Wait<'_> {
        self.handle.wait(Location::caller())
    }

    /// Cancels the task and waits until it has ended (Python Curio: `cancel`).
    ///
    /// The operation in which the task waits resolves to [`Error::Cancelled`], once; a task that is not waiting gets it
    /// at its next operation that would wait. The task may clean up, and may even go on. Cancelling a task that has ended
    /// does nothing; a second request only waits.
    ///
    /// *Waits* until the task has ended. *Interrupted* by cancellation and timeouts; the request stays in force.
    ///
    /// # Errors
    ///
    /// [`Error::Deadlock`] for a task that cancels itself: use [`cancel_nowait`](Task::cancel_nowait).
    /// [`Error::NoKernel`] outside of the task's kernel. What the task ends with is no error here: see
    /// [`join`](Task::join).
    ///
    /// ```
    /// use curio::{run, sleep, spawn};
    /// use std::time::Duration;
    ///
    /// run(async {
    ///     let kid = spawn(sleep(Duration::from_secs(1000)));
    ///     kid.cancel().await?;
    ///     assert!(kid.terminated());
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn cancel(&self) -> Cancel<'_> {
        self.handle.cancel(Location::caller())
    }

    /// Asks for the task's cancellation and goes on (Python Curio: `cancel(blocking=False)`). It never waits.
    ///
    /// A task may ask for its own: the next operation that would wait gets it.
    ///
    /// ```
    /// use curio::{run, sleep, spawn};
    /// use std::time::Duration;
    ///
    /// run(async {
    ///     let kid = spawn(sleep(Duration::from_secs(1000)));
    ///     kid.cancel_nowait();
    ///     assert!(kid.cancelled() && !kid.terminated());
    ///     kid.wait().await
    /// })
    /// .unwrap();
    /// ```
    pub fn cancel_nowait(&self) {
        self.handle.request_cancel();
    }

    /// Cancels the task; if it has not ended after this time, its future is dropped where it stands.
    ///
    /// *Waits* until the task has ended, or for that long. *Interrupted* by cancellation and timeouts; the request stays
    /// in force, the threat does not.
    ///
    /// # Errors
    ///
    /// As for [`cancel`](Task::cancel).
    ///
    /// ```
    /// use curio::{disable_cancellation, run, sleep, spawn, yield_now};
    /// use std::time::Duration;
    ///
    /// run(async {
    ///     let stubborn = spawn(disable_cancellation(sleep(Duration::from_secs(1000))));
    ///     yield_now().await?;
    ///     stubborn.cancel_within(Duration::from_millis(5)).await?;
    ///     assert!(stubborn.terminated());
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn cancel_within(&self, limit: Duration) -> CancelWithin<'_> {
        CancelWithin::new(&self.handle, limit, self.cancel())
    }

    /// Whether somebody has asked for the task's cancellation. What came of it is another matter.
    ///
    /// ```
    /// curio::run(async { assert!(!curio::spawn(async {}).cancelled()) }).unwrap();
    /// ```
    pub fn cancelled(&self) -> bool {
        self.handle.header().cancelled()
    }

    /// Whether the task has ended.
    ///
    /// ```
    /// curio::run(async { assert!(!curio::spawn(async {}).terminated()) }).unwrap();
    /// ```
    pub fn terminated(&self) -> bool {
        self.handle.header().terminated()
    }

    /// The task's number in its kernel. The main task of a program is 3, as in Python Curio.
    ///
    /// ```
    /// curio::run(async { assert_eq!(curio::spawn(async {}).id(), 4) }).unwrap();
    /// ```
    pub fn id(&self) -> u64 {
        self.handle.id
    }

    /// The task's name: that of its function, or what [`TaskBuilder::name`] said.
    ///
    /// ```
    /// async fn kid() {}
    /// curio::run(async { assert_eq!(curio::spawn(kid()).name(), "kid") }).unwrap();
    /// ```
    pub fn name(&self) -> &str {
        self.handle.name()
    }

    /// What the task is doing.
    ///
    /// ```
    /// curio::run(async { assert_eq!(curio::spawn(async {}).state(), curio::State::Ready) }).unwrap();
    /// ```
    pub fn state(&self) -> State {
        self.handle.state()
    }

    /// The operations in which the task waits: what for, and at which line (Python Curio: `where`). None if it does not
    /// wait, or for a future that is not the library's; several below `join!` and the like, oldest first.
    ///
    /// ```
    /// use curio::{run, sleep, spawn, yield_now};
    /// use std::time::Duration;
    ///
    /// run(async {
    ///     let kid = spawn(async { sleep(Duration::from_secs(1000)).await });
    ///     yield_now().await?;
    ///     for (label, place) in kid.where_() {
    ///         println!("{} at {place}", label.as_str()); // TIME_SLEEP at src/main.rs:5:29
    ///     }
    ///     assert_eq!(kid.where_().len(), 1);
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn where_(&self) -> Vec<(Label, &'static Location<'static>)> {
        self.handle.places()
    }

    /// The calls in which the task is (Python Curio: `traceback`): functions and lines, for each thing that it waits for.
    /// [`traceback`](crate::traceback) says how this is found out, and what it needs.
    ///
    /// Of the running task it is its own stack, and comes at once.
    /// *Waits* until the kernel has no task running, and for nothing else. *Interrupted* by cancellation and timeouts.
    ///
    /// # Errors
    ///
    /// [`Error::NoKernel`] outside of the task's kernel.
    ///
    /// ```
    /// use curio::{run, sleep, spawn, yield_now};
    /// use std::time::Duration;
    ///
    /// run(async {
    ///     let kid = spawn(async { sleep(Duration::from_secs(1000)).await });
    ///     yield_now().await?;
    ///     println!("{}", kid.traceback().await?);
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn traceback(&self) -> TakeTraceback<'_> {
        self.handle.traceback(Location::caller())
    }

    /// How often the task was run.
    ///
    /// ```
    /// curio::run(async {
    ///     let kid = curio::spawn(curio::yield_now());
    ///     kid.wait().await?;
    ///     assert_eq!(kid.cycles(), 2);
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn cycles(&self) -> u64 {
        self.handle.header().cycles()
    }

    /// Whether the task was spawned as a daemon.
    ///
    /// ```
    /// curio::run(async { assert!(curio::spawn_daemon(async {}).is_daemon()) }).unwrap();
    /// ```
    pub fn is_daemon(&self) -> bool {
        self.handle.daemon
    }

    /// A reference to the task that can be cloned and kept beside others, of tasks with other values.
    ///
    /// ```
    /// curio::run(async {
    ///     let kid = curio::spawn(async { Ok(7) });
    ///     let reference = kid.reference();
    ///     assert_eq!(reference.id(), kid.id());
    /// })
    /// .unwrap();
    /// ```
    pub fn reference(&self) -> TaskRef {
        self.handle.reference()
    }

    /// Lets the task go on by itself, as dropping the handle does, but says so.
    ///
    /// ```
    /// curio::run(async { curio::spawn(async {}).detach() }).unwrap();
    /// ```
    pub fn detach(self) {}

    /// Another handle, for a group, which keeps its own.
    pub(crate) fn share(&self) -> Task<T> {
        Task {
            handle: self.handle.clone(),
        }
    }

    pub(crate) fn handle(&self) -> &Handle<ValueCell<T>> {
        &self.handle
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.handle)
    }
}

/// Who it is, what it is doing, and where it waits: `Task(id=4, name='kid', state='TIME_SLEEP') at src/main.rs:5`.
impl<T> fmt::Display for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.handle)
    }
}
