//! Tasks: spawning them, and what their handles can do.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Weak;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use crate::cell::{Header, Joinable, TaskCell};
use crate::contain::contain;
use crate::context::{self, Context};
use crate::error::{Error, Result, TaskError};
use crate::handle::{Cancel, End, Handle, TaskRef, Wait};
use crate::key::Key;
use crate::outcome::{Outcome, Value};
use crate::state::State;
use crate::timeout::{IgnoreTimeout, ignore_after};
use crate::traceback::TakeTraceback;
use crate::waits::Label;

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
pub(crate) fn here(context: Option<&Context>) -> &Context {
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
        let (key, id) = tables.add_task(cell.clone(), spawned, name.as_ref(), daemon);
        if context.closing.get() {
            tables.request_cancel(key.index());
        }
        (key, id)
    });
    Task {
        handle: Handle {
            cell,
            context: context.weak(),
            key,
            id,
            name,
            daemon,
        },
    }
}

/// The handle of a task. Dropping it detaches the task: it goes on by itself.
///
/// See [`spawn`].
pub struct Task<T> {
    handle: Handle<dyn Joinable<T>>,
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
            header: self.handle.header(),
            end: End::new(Location::caller()),
            claimed: false,
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
        CancelWithin {
            context: &self.handle.context,
            key: self.handle.key,
            cancel: ignore_after(limit, self.cancel()),
        }
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

    pub(crate) fn handle(&self) -> &Handle<dyn Joinable<T>> {
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

/// The operation of [`Task::join`].
#[must_use = "it does nothing unless it is awaited"]
pub struct Join<'a, T> {
    task: &'a Task<T>,
    header: &'a Header,
    end: End,
    /// Whoever watches the task was told that its result is for this operation.
    claimed: bool,
}

/// The operation of [`Task::cancel_within`].
#[must_use = "it does nothing unless it is awaited"]
pub struct CancelWithin<'a> {
    context: &'a Weak<Context>,
    key: Key,
    cancel: IgnoreTimeout<Cancel<'a>>,
}

impl<T> Future for Join<'_, T> {
    type Output = Result<T>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<T>> {
        let Join { task, header, .. } = *self;
        let ended = self.end.poll(header, task.handle.key, cx);
        match ended {
            Poll::Pending => {
                if header.is_watched() && !self.claimed {
                    header.set_joined(true);
                    self.claimed = true;
                }
                Poll::Pending
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) => {
                header.set_joined(true);
                self.claimed = false;
                Poll::Ready(match task.handle.cell.take() {
                    Some(result) => result.map_err(Error::Task),
                    None => Err(Error::AlreadyJoined),
                })
            }
        }
    }
}

impl<T> Drop for Join<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.claimed {
            self.disclaim();
        }
    }
}

impl<T> Join<'_, T> {
    /// The operation goes without the result that was meant for it.
    #[cold]
    fn disclaim(&self) {
        let Handle { cell, .. } = &self.task.handle;
        cell.header().set_joined(false);
        // If the task has ended, nobody else hears of its failure.
        if let Some(Err(error)) = cell.inspect(|_| true) {
            error.log();
        }
    }
}

impl Future for CancelWithin<'_> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        match Pin::new(&mut self.cancel).poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(Some(()))) => Poll::Ready(Ok(())),
            Poll::Ready(Ok(None)) => {
                if let Some(context) = self.context.upgrade() {
                    let why = "it did not end in time after its cancellation";
                    drop_task(&context, self.key, why);
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

impl fmt::Debug for CancelWithin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelWithin")
            .field("cancel", &self.cancel)
            .finish()
    }
}

/// Drops the future of a task that is not running, and ends the task.
pub(crate) fn drop_task(context: &Context, key: Key, why: &'static str) {
    let found = context.with_tables(|tables| {
        let index = tables.find_task(key)?;
        let slot = tables.slot(index);
        let error = TaskError::dropped(slot.id(), tables.name(slot), slot.spawned, why);
        tables.note(|log, tables| log.ends(tables, key, error.ending(), Some(error.clone())));
        let slot = tables.slot(index);
        Some((slot.cell.clone(), error))
    });
    let Some((cell, error)) = found else { return };
    // The future goes while its nodes are still there, so that its operations can pass on what was granted to them. Its
    // drop is user code, after which the task is looked up again.
    contain(|| cell.fail(error));
    drop(context.remove_task(key));
    contain(|| drop(cell));
}
