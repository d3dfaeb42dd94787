//! Tasks: spawning them, and what their handles can do.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use crate::cell::{Header, Joinable, TaskCell};
use crate::contain::contain;
use crate::context::{self, Context};
use crate::error::{Error, Result, TaskError};
use crate::key::Key;
use crate::name::short_name;
use crate::outcome::{Outcome, Value};
use crate::state::State;
use crate::timeout::{IgnoreTimeout, ignore_after};
use crate::traps::{self, Waiting};

/// Starts a task that runs beside this one (Python Curio: `spawn`).
///
/// It never waits: the new task is queued and runs when this one waits. It is independent of the task that spawned it;
/// dropping the handle detaches it. What is left when [`run`](crate::run) ends is cancelled.
///
/// An endless loop spawns too; one that uses `?` is best written as an `async fn .. -> Result<()>`.
///
/// # Panics
///
/// If no kernel runs in this thread. Outside of one, use [`Kernel::spawn`](crate::Kernel::spawn).
///
/// ```
/// use curio::{run, spawn};
///
/// run(async {
///     let sum = spawn(async { Ok(1 + 2) });
///     assert_eq!(sum.join().await?, 3);
///     Ok(())
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn spawn<F>(future: F) -> Task<Value<F>>
where
    F: Future<Output: Outcome> + 'static,
{
    let spawned = Location::caller();
    context::with(|context| spawn_in(here(context), future, None, false, spawned))
}

/// Starts a task that nobody waits for (Python Curio: `spawn(daemon=True)`): [`Kernel::run_all`](crate::Kernel::run_all)
/// does not wait for it either.
///
/// # Panics
///
/// As for [`spawn`].
///
/// ```
/// use curio::{Result, run, sleep, spawn_daemon};
/// use std::time::Duration;
///
/// async fn tick() -> Result<()> {
///     loop {
///         sleep(Duration::from_secs(1)).await?;
///         println!("tick");
///     }
/// }
///
/// run(async {
///     spawn_daemon(tick());
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn spawn_daemon<F>(future: F) -> Task<Value<F>>
where
    F: Future<Output: Outcome> + 'static,
{
    let spawned = Location::caller();
    context::with(|context| spawn_in(here(context), future, None, true, spawned))
}

/// Prepares a task, to give it a name or make it a daemon before it is spawned.
///
/// ```
/// use curio::{run, task};
///
/// run(async {
///     let kid = task(async { Ok(7) }).name("kid").spawn();
///     assert_eq!(kid.name(), "kid");
///     assert_eq!(kid.join().await?, 7);
///     Ok(())
/// })
/// .unwrap();
/// ```
pub fn task<F>(future: F) -> TaskBuilder<F>
where
    F: Future<Output: Outcome> + 'static,
{
    TaskBuilder {
        future,
        name: None,
        daemon: false,
    }
}

/// A task that is not spawned yet; see [`task`].
#[must_use = "the task does not run unless it is spawned"]
pub struct TaskBuilder<F> {
    future: F,
    name: Option<Arc<str>>,
    daemon: bool,
}

impl<F> TaskBuilder<F>
where
    F: Future<Output: Outcome> + 'static,
{
    /// The name that reports show. Without it, the name is that of the function.
    ///
    /// ```
    /// curio::run(async {
    ///     assert_eq!(curio::task(async {}).name("kid").spawn().name(), "kid");
    /// })
    /// .unwrap();
    /// ```
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Nobody will wait for the task; see [`spawn_daemon`].
    ///
    /// ```
    /// curio::run(async {
    ///     assert!(curio::task(async {}).daemon().spawn().is_daemon());
    /// })
    /// .unwrap();
    /// ```
    pub fn daemon(mut self) -> Self {
        self.daemon = true;
        self
    }

    /// Starts the task.
    ///
    /// # Panics
    ///
    /// As for [`spawn`](crate::spawn).
    ///
    /// ```
    /// curio::run(async {
    ///     curio::task(async {}).spawn().join().await
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn spawn(self) -> Task<Value<F>> {
        let spawned = Location::caller();
        context::with(|context| spawn_in(here(context), self.future, self.name, self.daemon, spawned))
    }
}

impl<F> fmt::Debug for TaskBuilder<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskBuilder")
            .field("name", &self.name)
            .field("daemon", &self.daemon)
            .finish_non_exhaustive()
    }
}

#[track_caller]
fn here(context: Option<&Context>) -> &Context {
    context.expect("no kernel runs in this thread: spawn inside curio::run, or use Kernel::spawn")
}

/// Starts a task in this kernel.
pub(crate) fn spawn_in<F>(
    context: &Context,
    future: F,
    name: Option<Arc<str>>,
    daemon: bool,
    spawned: &'static Location<'static>,
) -> Task<Value<F>>
where
    F: Future<Output: Outcome> + 'static,
{
    let cell = TaskCell::new(future);
    let (key, id) = context.with_tables(|tables| {
        let (key, id) = tables.add_task(cell.clone(), spawned, name.clone(), daemon);
        if context.closing.get() {
            tables.request_cancel(key.index());
        }
        (key, id)
    });
    Task {
        cell,
        context: context.weak(),
        key,
        id,
        name,
        daemon,
    }
}

/// The handle of a task. Dropping it detaches the task: it goes on by itself.
///
/// See [`spawn`].
pub struct Task<T> {
    cell: Rc<dyn Joinable<T>>,
    context: Weak<Context>,
    key: Key,
    id: u64,
    name: Option<Arc<str>>,
    daemon: bool,
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
        Join {
            task: self,
            end: self.end(),
        }
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
        Wait { end: self.end() }
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
        Cancel {
            end: self.end(),
            requested: false,
        }
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
        self.end().request_cancel();
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
    pub fn cancel_within(&self, limit: Duration) -> CancelWithin<'_, T> {
        CancelWithin {
            task: self,
            cancel: ignore_after(limit, self.cancel()),
        }
    }

    /// Whether somebody has asked for the task's cancellation. What came of it is another matter.
    ///
    /// ```
    /// curio::run(async { assert!(!curio::spawn(async {}).cancelled()) }).unwrap();
    /// ```
    pub fn cancelled(&self) -> bool {
        self.cell.header().cancelled()
    }

    /// Whether the task has ended.
    ///
    /// ```
    /// curio::run(async { assert!(!curio::spawn(async {}).terminated()) }).unwrap();
    /// ```
    pub fn terminated(&self) -> bool {
        self.cell.header().terminated()
    }

    /// The task's number in its kernel. The main task of a program is 3, as in Python Curio.
    ///
    /// ```
    /// curio::run(async { assert_eq!(curio::spawn(async {}).id(), 4) }).unwrap();
    /// ```
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The task's name: that of its function, or what [`TaskBuilder::name`] said.
    ///
    /// ```
    /// async fn kid() {}
    /// curio::run(async { assert_eq!(curio::spawn(kid()).name(), "kid") }).unwrap();
    /// ```
    pub fn name(&self) -> &str {
        match &self.name {
            Some(name) => name,
            None => short_name(self.cell.type_name()),
        }
    }

    /// What the task is doing.
    ///
    /// ```
    /// curio::run(async { assert_eq!(curio::spawn(async {}).state(), curio::State::Ready) }).unwrap();
    /// ```
    pub fn state(&self) -> State {
        if self.terminated() {
            return State::Terminated;
        }
        let Some(context) = self.context.upgrade() else {
            return State::Terminated;
        };
        context.state(self.key)
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
        self.cell.header().cycles()
    }

    /// Whether the task was spawned as a daemon.
    ///
    /// ```
    /// curio::run(async { assert!(curio::spawn_daemon(async {}).is_daemon()) }).unwrap();
    /// ```
    pub fn is_daemon(&self) -> bool {
        self.daemon
    }

    /// Lets the task go on by itself, as dropping the handle does, but says so.
    ///
    /// ```
    /// curio::run(async { curio::spawn(async {}).detach() }).unwrap();
    /// ```
    pub fn detach(self) {}

    #[track_caller]
    fn end(&self) -> End<'_> {
        End {
            header: self.cell.header(),
            context: &self.context,
            key: self.key,
            waiting: Waiting::new(),
            place: Location::caller(),
        }
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl<T> fmt::Display for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Task(id={}, name='{}', state='{}')",
            self.id,
            self.name(),
            self.state()
        )
    }
}

/// Waits for the end of a task: what all operations on tasks are made of.
struct End<'a> {
    header: &'a Header,
    context: &'a Weak<Context>,
    key: Key,
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl End<'_> {
    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        if self.header.terminated() {
            if !self.waiting.is_waiting() {
                ready!(traps::poll_budget(cx));
            }
            self.waiting.complete();
            return Poll::Ready(Ok(()));
        }
        match self.waiting.wait_on_task(self.key, cx, self.place) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Whether this task may wait for that one.
    fn check(&self) -> Result<()> {
        context::with_task(|context, _| context.may_wait_for(self.key))
    }

    fn request_cancel(&self) {
        if let Some(context) = self.context.upgrade() {
            context.interrupting(|tables| {
                if let Some(task) = tables.find_task(self.key) {
                    tables.request_cancel(task);
                }
            });
        }
    }
}

/// The operation of [`Task::join`].
#[must_use = "it does nothing unless it is awaited"]
pub struct Join<'a, T> {
    task: &'a Task<T>,
    end: End<'a>,
}

/// The operation of [`Task::wait`].
#[must_use = "it does nothing unless it is awaited"]
pub struct Wait<'a> {
    end: End<'a>,
}

/// The operation of [`Task::cancel`].
#[must_use = "it does nothing unless it is awaited"]
pub struct Cancel<'a> {
    end: End<'a>,
    requested: bool,
}

/// The operation of [`Task::cancel_within`].
#[must_use = "it does nothing unless it is awaited"]
pub struct CancelWithin<'a, T> {
    task: &'a Task<T>,
    cancel: IgnoreTimeout<Cancel<'a>>,
}

impl<T> Future for Join<'_, T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<T>> {
        self.end.poll(cx).map(|ended| {
            ended?;
            match self.task.cell.take() {
                Some(result) => result.map_err(Error::Task),
                None => Err(Error::AlreadyJoined),
            }
        })
    }
}

impl Future for Wait<'_> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        self.end.poll(cx)
    }
}

impl Future for Cancel<'_> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        if !self.requested && !self.end.header.terminated() {
            if let Err(error) = self.end.check() {
                return Poll::Ready(Err(error));
            }
            self.requested = true;
            self.end.request_cancel();
        }
        self.end.poll(cx)
    }
}

impl<T> Future for CancelWithin<'_, T> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        match Pin::new(&mut self.cancel).poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(Some(()))) => Poll::Ready(Ok(())),
            Poll::Ready(Ok(None)) => {
                if let Some(context) = self.task.context.upgrade() {
                    drop_task(
                        &context,
                        self.task.key,
                        "it did not end in time after its cancellation",
                    );
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        }
    }
}

impl<T> fmt::Debug for Join<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join").field("task", self.task).finish()
    }
}

impl fmt::Debug for Wait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait")
            .field("waiting", &self.end.waiting)
            .finish()
    }
}

impl fmt::Debug for Cancel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancel")
            .field("requested", &self.requested)
            .finish()
    }
}

impl<T> fmt::Debug for CancelWithin<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelWithin").field("task", self.task).finish()
    }
}

/// Drops the future of a task that is not running, and ends the task.
pub(crate) fn drop_task(context: &Context, key: Key, why: &'static str) {
    let found = context.with_tables(|tables| {
        let index = tables.find_task(key)?;
        let slot = &tables.tasks[index as usize];
        let error = TaskError::dropped(slot.id(), tables.name(slot), slot.spawned, why);
        Some((slot.cell.clone(), error))
    });
    let Some((cell, error)) = found else { return };
    // The future goes while its nodes are still there, so that its operations can pass on what was granted to them. Its
    // drop is user code, after which the task is looked up again.
    contain(|| cell.fail(error));
    drop(context.with_tables(|tables| tables.remove_task(key)));
    contain(|| drop(cell));
}
