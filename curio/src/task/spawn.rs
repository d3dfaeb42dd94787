//! How tasks come to be.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use super::Task;
use crate::cell::{self, TaskCell};
use crate::context::{self, Context};
use crate::handle::Handle;
use crate::outcome::{Outcome, Value};

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
    let cell = cell::new(future, &context.memory);
    let (key, id) = context.with_tables(|tables| {
        let counted = TaskCell::clone(cell.as_ref());
        let (key, id) = if name.is_some() || daemon {
            tables.add_task_with(counted, spawned, name.as_ref(), daemon)
        } else {
            tables.add_task(counted, spawned)
        };
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
            spawned,
            name,
            daemon,
        },
    }
}
