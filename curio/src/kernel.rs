//! The kernel: runs what is ready, then looks at the clock and the sockets, and sleeps when nothing is ready.
//!
//! Motto, after Python Curio: what happens in the kernel stays in the kernel. It knows tasks, timers and readiness, and
//! nothing of locks, queues or protocols.
//!
//! Each turn runs a bounded batch of tasks before it asks the system for events (`gather`), because that costs as much as
//! several switches. How it all ends is in `shutdown`.

mod builder;
#[cfg(unix)]
mod dumps;
#[cfg(not(unix))]
#[path = "kernel/no_dumps.rs"]
mod dumps;
#[cfg(unix)]
mod exits;
#[cfg(not(unix))]
#[path = "kernel/no_exits.rs"]
mod exits;
mod gather;
mod look;
mod shutdown;
#[cfg(all(unix, feature = "monitor"))]
mod watched;
#[cfg(not(all(unix, feature = "monitor")))]
#[path = "kernel/not_watched.rs"]
mod watched;

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use crate::activation::Ending;
use crate::cell::{Failure, MainCell, Ran, Runnable};
use crate::contain::contain;
use crate::context::{self, Context, Running};
use crate::error::{Error, Result, TaskError};
use crate::key::Key;
use crate::mirror::Mirror;
use crate::outcome::{Outcome, Value};
use crate::tables::Next;
use crate::task::{Task, spawn_in};
use crate::waker;

pub use builder::Builder;
use dumps::Dumps;
use exits::Exits;

/// How many task runs go between two looks at the sockets.
const BATCH: usize = 128;

/// How tasks are run: nobody looks on, as nearly always;
const PLAIN: u8 = 0;
/// a monitor may look on, and sees which task runs;
const SHOWN: u8 = 1;
/// everything is told to somebody, or the order is shuffled.
const TOLD: u8 = 2;

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

/// The main task of a run. Its future is not in a task cell, because it need not be `'static`.
struct Main<'a> {
    key: Option<Key>,
    poll: &'a mut dyn FnMut(&mut TaskContext<'_>) -> Poll<()>,
    done: bool,
    /// The interruption for which the kernel ended it, if its future could not take it (`interrupt`, D6).
    dropped: Option<Error>,
}

impl<'a> Main<'a> {
    fn new(key: Option<Key>, poll: &'a mut dyn FnMut(&mut TaskContext<'_>) -> Poll<()>) -> Main<'a> {
        Main {
            key,
            poll,
            done: false,
            dropped: None,
        }
    }
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

    /// Runs the main task; its panic is given back.
    fn run_main<F>(
        &self,
        main: F,
        spawned: &'static Location<'static>,
    ) -> Result<Result<Value<F>>, Box<dyn Any + Send>>
    where
        F: Future<Output: Outcome>,
    {
        let running = match Running::enter(&self.context) {
            Ok(running) => running,
            Err(error) => return Ok(Err(error)),
        };
        let context = &*self.context;
        let cell = MainCell::new(std::any::type_name::<F>());
        let (key, _) = context.with_tables(|tables| tables.add_task(cell.clone(), spawned, None, false));
        let mut future = pin!(Some(main));
        let mut output = None;
        let mut poll = |cx: &mut TaskContext<'_>| {
            let Some(main) = future.as_mut().as_pin_mut() else {
                return Poll::Ready(());
            };
            match catch_unwind(AssertUnwindSafe(|| main.poll(cx))) {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(value)) => output = Some(Ok(value.into_result())),
                Err(panic) => output = Some(Err(panic)),
            }
            Poll::Ready(())
        };
        let mut main = Main::new(Some(key), &mut poll);
        let driven = self.drive(&mut main);
        let boundary = main.dropped.take();
        // Whatever has happened, the main future ends here, before the task leaves the tables.
        let dropped = catch_unwind(AssertUnwindSafe(|| future.set(None)));
        cell.end();
        let cancelled = context.with_tables(|tables| {
            let cancelled = tables.was_cancelled(key.index());
            let ending = main_ending(cancelled, boundary.as_ref(), output.as_ref());
            tables.note(|log, tables| log.ends(tables, key, ending, None));
            cancelled
        });
        drop(context.remove_task(key));
        context.tell();
        // A second request for the end was made on the way to it.
        context.exit.set(None);
        drop(running);
        dropped?;
        Ok(match (driven, boundary, output) {
            (Err(error), ..) => Err(error),
            (Ok(()), None, Some(Ok(Ok(value)))) => Ok(value),
            (Ok(()), None, Some(Ok(Err(error)))) | (Ok(()), Some(error), _) => {
                Err(at_task_edge(error, cancelled).0)
            }
            (Ok(()), None, Some(Err(panic))) => return Err(panic),
            (Ok(()), None, None) => Err(Error::NoKernel),
        })
    }

    /// Runs everything until the main task has ended.
    fn drive(&self, main: &mut Main<'_>) -> Result<()> {
        let context = &*self.context;
        let mut exits = Some(Exits::watch(&self.exit_on, &context.remote)?);
        let dumps = Dumps::watch(&self.dump_on, context)?;
        let mut exit: Option<(i32, u64, Instant)> = None;
        loop {
            self.run_batch(BATCH, main);
            if !main.done {
                dumps.answer(context);
                self.answer_looks(main);
            }
            if let Some(signals) = &exits
                && let Some(code) = context.exit.take().or_else(|| signals.code())
            {
                exits = None;
                // Somebody asked for the end. The main task is told as any other, and has as long.
                context.forget_time();
                let until = context.after(context::nanos(self.shutdown_timeout));
                exit = Some((code, until, Instant::now()));
                if let Some(key) = main.key.filter(|_| !main.done) {
                    context.with_tables(|tables| tables.request_cancel(key.index()));
                }
            }
            if main.done {
                break;
            }
            self.gather(true, exit.map(|(_, until, _)| until))?;
            if exit.is_some_and(|(_, until, since)| {
                context.now() >= until || since.elapsed() >= self.shutdown_timeout
            }) {
                break;
            }
        }
        exit.map_or(Ok(()), |(code, ..)| Err(Error::Exit(code)))
    }

    /// Runs up to `count` tasks that are ready.
    fn run_batch(&self, count: usize, main: &mut Main<'_>) {
        let context = &*self.context;
        let mut left = count;
        while left > 0 && !main.done {
            left = if context.shuffles || self.is_recorded() {
                self.run_tasks::<TOLD>(left, main)
            } else if context.activations.is_some() {
                self.run_tasks::<SHOWN>(left, main)
            } else {
                self.run_tasks::<PLAIN>(left, main)
            };
        }
        context.task.set(None);
    }

    /// The same in one of three ways. Gives how many are still to be run, in another way.
    fn run_tasks<const WAY: u8>(&self, count: usize, main: &mut Main<'_>) -> usize {
        let context = &*self.context;
        let mut failure = None;
        let observed = WAY != PLAIN && context.activations.is_some();
        let mut recorded = WAY == TOLD && observed && self.is_recorded();
        let mirror = context.mirror.as_deref().filter(|_| observed);
        let mut left = count;
        while left > 0 {
            if WAY != PLAIN && mirror.is_some_and(Mirror::is_wanted) {
                recorded = self.answer(main);
                // The main task was looked at, and has ended; or there is more to do from now on.
                if main.done || recorded && WAY == SHOWN {
                    break;
                }
            }
            let mut tables = context.tables.borrow_mut();
            if WAY == TOLD {
                if recorded {
                    tables.note_queue();
                }
                tables.draw();
            }
            let Some(Next { key, cell, mut hot }) = tables.next_ready() else {
                left = 0;
                break;
            };
            left -= 1;
            if hot {
                // Debts of earlier runs have lapsed (D4).
                tables.debts.clear();
                context.run_epoch.set(tables.epoch);
            }
            if observed {
                tables.show_running(key.index());
            }
            drop(tables);
            if WAY == TOLD && recorded {
                hot = self.tell_running(key);
            }
            // No borrow is held while the task runs (I2).
            context.begin_run(key, hot);
            let waker = waker::new(key);
            let mut cx = TaskContext::from_waker(&waker);
            let ran = cell.run(&mut cx, &mut failure);
            match ran {
                Ran::Pending if hot => self.look_at_boundary(key),
                Ran::Pending => {}
                Ran::Ended => self.remove(key),
                Ran::Otherwise => match failure.take() {
                    Some(failure) => self.has_failed(key, failure),
                    None => self.run_main_once(key, hot, main, &mut cx),
                },
            }
            if WAY == TOLD && recorded {
                let mut tables = context.tables.borrow_mut();
                tables.note(|log, tables| log.suspended(tables, key, main.done));
                drop(tables);
                if !main.done {
                    self.answer_looks(main);
                }
            }
            // A task that was looked at may have been the main one.
            if (ran == Ran::Otherwise || WAY == TOLD) && main.done {
                break;
            }
        }
        if observed {
            context.tables.borrow_mut().show_suspended();
            self.answer(main);
        }
        left
    }

    /// Whether everything is to be told to somebody.
    fn is_recorded(&self) -> bool {
        self.context.tables.borrow().is_recorded()
    }

    /// Does what a monitor has asked for. True if everything is to be told to somebody from now on.
    #[cold]
    #[inline(never)]
    fn answer(&self, main: &mut Main<'_>) -> bool {
        let context = &*self.context;
        if let Some(mirror) = &context.mirror
            && mirror.is_wanted()
        {
            context.task.set(None);
            context.tables.borrow_mut().show_suspended();
            mirror.answer(context);
            if !main.done {
                self.answer_looks(main);
            }
            // That may have taken long.
            context.forget_time();
        }
        self.is_recorded()
    }

    /// Tells the activations that a task runs, and everything before. What they do may concern it: gives whether it has
    /// anything to look at its scopes for.
    #[cold]
    fn tell_running(&self, key: Key) -> bool {
        let mut tables = self.context.tables.borrow_mut();
        tables.note(|log, tables| log.running(tables, key.index()));
        drop(tables);
        self.context.tell();
        self.context.is_hot(key)
    }

    #[inline(never)]
    fn run_main_once(&self, key: Key, hot: bool, main: &mut Main<'_>, cx: &mut TaskContext<'_>) {
        main.done = (main.poll)(cx).is_ready();
        if hot && !main.done {
            main.dropped = self.context.tables.borrow_mut().task_boundary(key.index());
            main.done = main.dropped.is_some();
        }
    }

    /// A task is pending that has something to look at its scopes for (D6 of `interrupt`).
    #[inline(never)]
    fn look_at_boundary(&self, key: Key) {
        let mut tables = self.context.tables.borrow_mut();
        let task = tables.find_task(key);
        let error = task.and_then(|task| tables.task_boundary(task));
        drop(tables);
        if let Some(error) = error {
            self.fail(key, error);
        }
    }

    #[inline(never)]
    fn has_failed(&self, key: Key, failure: Failure) {
        match failure {
            Failure::Error(error) => self.fail(key, error),
            Failure::Panic(panic) => {
                self.panicked(key, &*panic);
                contain(|| drop(panic));
            }
        }
    }

    /// A task has ended with an error.
    fn fail(&self, key: Key, error: Error) {
        if error.is_plain_cancellation() && self.end_cancelled(key) {
            // Nothing is in it that could be dropped.
            return std::mem::forget(error);
        }
        let found = self.context.with_tables(|tables| {
            let task = tables.find_task(key)?;
            let slot = tables.slot(task);
            let (error, cancelled) = at_task_edge(error, tables.was_cancelled(task));
            let error = TaskError::failed(slot.id(), tables.name(slot), slot.spawned, error, cancelled);
            Some((slot.cell.clone(), error))
        });
        // Nothing is found if it was dropped while it ran.
        let Some((cell, error)) = found else { return };
        if let Some(code) = error.exit_code() {
            let first = self.context.exit.take();
            self.context.exit.set(first.or(Some(code)));
        } else if !cell.header().is_watched() {
            error.log();
        }
        self.end(key, cell, error);
    }

    /// The task ends as cancelled, with nothing to log and nobody to tell: so no error is made. False if that is not so.
    fn end_cancelled(&self, key: Key) -> bool {
        let found = self.context.with_tables(|tables| {
            let task = tables.find_task(key)?;
            let slot = tables.slot(task);
            let plain = !slot.is_named() && tables.was_cancelled(task) && tables.log.is_none();
            plain.then(|| (slot.cell.clone(), slot.id(), slot.spawned))
        });
        let Some((cell, id, spawned)) = found else {
            return false;
        };
        // Drops the future, if it is still there: user code.
        contain(|| cell.end_cancelled(id, spawned));
        self.remove(key);
        contain(|| drop(cell));
        true
    }

    /// A task has panicked. The panic hook has printed where; here is who.
    fn panicked(&self, key: Key, panic: &(dyn Any + Send)) {
        let found = self.context.with_tables(|tables| {
            let slot = tables.slot(tables.find_task(key)?);
            let error = TaskError::panicked(slot.id(), tables.name(slot), slot.spawned, panic);
            Some((slot.cell.clone(), error))
        });
        let Some((cell, error)) = found else { return };
        if !cell.header().is_watched() {
            error.log();
        }
        self.end(key, cell, error);
    }

    fn end(&self, key: Key, cell: Rc<dyn Runnable>, error: TaskError) {
        self.context.tables.borrow_mut().note(|log, tables| {
            log.ends(tables, key, error.ending(), Some(error.clone()));
        });
        // Drops the future, if it is still there: user code.
        contain(|| cell.fail(error));
        self.remove(key);
        contain(|| drop(cell));
    }

    /// Takes the ended task out of the tables.
    #[inline]
    fn remove(&self, key: Key) {
        // What follows is no part of its run.
        self.context.task.set(None);
        let cell = self.context.remove_task(key);
        // If the handle is gone, so is now the value: user code again.
        contain(|| drop(cell));
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

/// How the main task has ended, for the activations: `boundary` is the interruption for which the kernel has ended it.
fn main_ending<T>(
    cancelled: bool,
    boundary: Option<&Error>,
    output: Option<&Result<Result<T>, Box<dyn Any + Send>>>,
) -> Ending {
    match (boundary, output) {
        (None, Some(Ok(Ok(_)))) => Ending::Value,
        (Some(error), _) | (None, Some(Ok(Err(error)))) => match error {
            Error::Exit(_) => Ending::Exit,
            Error::Cancelled(_) if cancelled => Ending::Cancelled,
            _ => Ending::Failed,
        },
        (None, Some(Err(_))) => Ending::Panicked,
        (None, None) => Ending::Dropped,
    }
}

/// What an error is outside of the task that ended with it, and whether it means that the task was cancelled.
fn at_task_edge(error: Error, cancelled: bool) -> (Error, bool) {
    match error {
        Error::Cancelled(_) => (error, cancelled),
        Error::Timeout(_) | Error::TimeoutCancellation(_) if !cancelled => (Error::UncaughtTimeout, false),
        error => (error, false),
    }
}
