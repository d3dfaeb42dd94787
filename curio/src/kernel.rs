//! The kernel: runs what is ready, then looks at the clock and the sockets, and sleeps when nothing is ready.
//!
//! Motto, after Python Curio: what happens in the kernel stays in the kernel. It knows tasks, timers and readiness, and
//! nothing of locks, queues or protocols.
//!
//! Each turn runs a bounded batch of tasks before it asks the system for events (`gather`), because that costs as much as
//! several switches. How it all ends is in `shutdown`.

mod batch;
mod builder;
#[cfg(unix)]
mod dumps;
#[cfg(not(unix))]
#[path = "kernel/no_dumps.rs"]
mod dumps;
mod ending;
#[cfg(unix)]
mod exits;
#[cfg(not(unix))]
#[path = "kernel/no_exits.rs"]
mod exits;
mod gather;
mod look;
mod main_task;
mod shutdown;
#[cfg(all(unix, feature = "monitor"))]
mod watched;
#[cfg(not(all(unix, feature = "monitor")))]
#[path = "kernel/not_watched.rs"]
mod watched;

use std::fmt;
use std::future::Future;
use std::panic::{Location, resume_unwind};
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use crate::context::{self, Context, Running};
use crate::error::{Error, Result};
use crate::outcome::{Outcome, Value};
use crate::task::{Task, spawn_in};

pub use builder::Builder;
use dumps::Dumps;
use exits::Exits;
use main_task::Main;

/// How many task runs go between two looks at the sockets.
const BATCH: usize = 128;

/// Runs a future as the main task of a new kernel, and gives what it gives (Python Curio: `run`).
///
/// When the main task has ended, all others are cancelled, newest first, and awaited within ten seconds
/// ([`Builder::shutdown_timeout`]).
///
/// # Errors
///
/// The main task's own error. [`Error::Exit`] if a task asked for it. [`Error::KernelRunning`] inside of a kernel.
/// [`Error::Io`] if the system gives no selector.
///
/// # Panics
///
/// If the main task panics, with its panic, after the others have ended.
///
/// ```
/// use curio::{run, sleep};
/// use std::time::Duration;
///
/// let answer = run(async {
///     sleep(Duration::from_millis(1)).await?;
///     Ok(42)
/// });
/// assert_eq!(answer.unwrap(), 42);
/// ```
#[track_caller]
pub fn run<F>(main: F) -> Result<Value<F>>
where
    F: Future<Output: Outcome>,
{
    if running() {
        return Err(Error::KernelRunning);
    }
    let kernel = Kernel::new()?;
    let result = kernel.run_main(main, Location::caller());
    let closed = kernel.shutdown();
    match result {
        Ok(result) => closed.and(result),
        Err(panic) => resume_unwind(panic),
    }
}

/// Whether a kernel runs in this thread (Python Curio: `curio_running`).
///
/// ```
/// assert!(!curio::running());
/// curio::run(async { assert!(curio::running()) }).unwrap();
/// ```
pub fn running() -> bool {
    context::with(|context| context.is_some())
}

/// A kernel, for those who want more than [`run`]: several runs, a virtual clock, a shuffled schedule.
///
/// ```
/// use curio::{Clock, Kernel, sleep};
/// use std::time::Duration;
///
/// let kernel = Kernel::builder().clock(Clock::Virtual).seed(7).build().unwrap();
/// kernel.spawn(async {
///     sleep(Duration::from_secs(3600)).await?;
///     println!("an hour later, at once");
///     Ok(())
/// });
/// kernel.run_all().unwrap();
/// ```
pub struct Kernel {
    context: Rc<Context>,
    shutdown_timeout: Duration,
    exit_on: Box<[exits::Signal]>,
    watched: Option<watched::Watched>,
    dump_on: Box<[dumps::Signal]>,
    closed: bool,
}

impl Kernel {
    /// A kernel with the default settings.
    ///
    /// # Errors
    ///
    /// As for [`Builder::build`].
    ///
    /// ```
    /// let kernel = curio::Kernel::new().unwrap();
    /// kernel.run(async {}).unwrap();
    /// ```
    pub fn new() -> Result<Kernel> {
        Kernel::builder().build()
    }

    /// The settings of a kernel, to be changed.
    ///
    /// ```
    /// let kernel = curio::Kernel::builder().seed(1).build().unwrap();
    /// kernel.run(async {}).unwrap();
    /// ```
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Runs a future as the main task until it ends (Python Curio: `Kernel.run`). All other tasks stay as they are, and
    /// go on in the next run.
    ///
    /// # Errors
    ///
    /// The main task's own error. [`Error::Exit`] if a task asked for the end: the main task is cancelled then.
    /// [`Error::Deadlock`] on the virtual clock, if nothing can ever happen again.
    /// [`Error::KernelRunning`] inside of a kernel.
    ///
    /// # Panics
    ///
    /// If the main task panics, with its panic.
    ///
    /// ```
    /// use curio::Kernel;
    ///
    /// let kernel = Kernel::new().unwrap();
    /// let mut greeting = String::from("hello"); // the future may borrow
    /// kernel.run(async { greeting.push_str(", world") }).unwrap();
    /// assert_eq!(greeting, "hello, world");
    /// ```
    #[track_caller]
    pub fn run<F>(&self, main: F) -> Result<Value<F>>
    where
        F: Future<Output: Outcome>,
    {
        self.run_main(main, Location::caller())
            .unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Starts a task from outside (2015's `add_task`). It runs when the kernel does.
    ///
    /// ```
    /// let kernel = curio::Kernel::new().unwrap();
    /// let kid = kernel.spawn(async { Ok(7) });
    /// assert_eq!(kernel.run(kid.join()).unwrap(), 7);
    /// ```
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> Task<Value<F>>
    where
        F: Future<Output: Outcome> + 'static,
    {
        spawn_in(&self.context, future, None, false, Location::caller())
    }

    /// Runs until no task is left but daemons (2015's `Kernel.run()`).
    ///
    /// # Errors
    ///
    /// As for [`run`](Kernel::run); errors of tasks are logged and concern nobody else.
    ///
    /// ```
    /// let kernel = curio::Kernel::new().unwrap();
    /// kernel.spawn(async { println!("one") });
    /// kernel.spawn(async { println!("two") });
    /// kernel.run_all().unwrap();
    /// ```
    pub fn run_all(&self) -> Result<()> {
        let _running = Running::enter(&self.context)?;
        let mut none = |_: &mut TaskContext<'_>| Poll::Pending;
        let mut main = Main::new(None, &mut none);
        let exits = Exits::watch(&self.exit_on, &self.context.remote)?;
        let dumps = Dumps::watch(&self.dump_on, &self.context)?;
        while self.context.tables.borrow().workers > 0 {
            self.run_batch(BATCH, &mut main);
            dumps.answer(&self.context);
            self.answer_looks(&mut main);
            self.context.tell();
            if let Some(code) = self.context.exit.take().or_else(|| exits.code()) {
                return Err(Error::Exit(code));
            }
            if self.context.tables.borrow().workers > 0 {
                self.gather(true, None)?;
            }
        }
        Ok(())
    }

    /// One cycle (Python Curio: `kernel.run()`): looks at the sockets and the clock without waiting, then runs each task
    /// once that is ready. True if there are tasks left. For embedding into other loops.
    ///
    /// # Errors
    ///
    /// As for [`run_all`](Kernel::run_all).
    ///
    /// ```
    /// let kernel = curio::Kernel::new().unwrap();
    /// kernel.spawn(async { println!("one step") });
    /// assert!(!kernel.run_once().unwrap());
    /// ```
    pub fn run_once(&self) -> Result<bool> {
        let _running = Running::enter(&self.context)?;
        self.gather(false, None)?;
        let ready = self.context.tables.borrow().ready_tasks();
        let mut none = |_: &mut TaskContext<'_>| Poll::Pending;
        let mut main = Main::new(None, &mut none);
        self.run_batch(ready, &mut main);
        self.answer_looks(&mut main);
        self.context.tell();
        match self.context.exit.take() {
            Some(code) => Err(Error::Exit(code)),
            None => Ok(self.context.tables.borrow().tasks != 0),
        }
    }

    /// Ends the kernel: all tasks are cancelled, newest first, and awaited together for at most
    /// [`shutdown_timeout`](Builder::shutdown_timeout). What is left then is logged and dropped. Dropping the kernel does
    /// the same; while the thread panics, it only drops.
    ///
    /// # Errors
    ///
    /// [`Error::KernelRunning`] inside of a kernel. [`Error::Io`] if the selector fails.
    ///
    /// ```
    /// use curio::{sleep, Kernel};
    /// use std::time::Duration;
    ///
    /// let kernel = Kernel::new().unwrap();
    /// let kid = kernel.spawn(sleep(Duration::from_secs(1000)));
    /// kernel.shutdown().unwrap();
    /// assert!(kid.terminated());
    /// ```
    pub fn shutdown(mut self) -> Result<()> {
        self.close()
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        // Nobody is left to tell; `shutdown` does.
        let _ = self.close();
    }
}

/// Shows how much is in the kernel's tables: all zero when every task has ended and left nothing behind.
impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tables = self.context.tables.borrow();
        f.debug_struct("Kernel")
            .field("tasks", &tables.tasks)
            .field("waits", &tables.waits.len())
            .field("scopes", &tables.scopes.len())
            .field("timers", &tables.timers.len())
            .field("sockets", &tables.open_sources)
            .finish()
    }
}
