//! Threads that can await: blocking code that is a task all the same.
//!
//! [`run_in_thread`](crate::run_in_thread) is for a function that knows nothing of the kernel. A function that runs in
//! [`spawn`] does: [`await_`] inside of it waits for any future of the kernel's, as `.await` would. So it blocks where it
//! must, for a library that can do nothing else, and takes part in cancellation, timeouts, queues and locks where it can.
//!
//! ```
//! use curio::{Queue, Result, run, thread};
//!
//! run(async {
//!     let queue = Queue::new();
//!     let inbox = thread::Token::new(queue.clone())?;
//!     let worker = thread::spawn(move || -> Result<u64> {
//!         let mut sum = 0;
//!         loop {
//!             let inbox = inbox.clone();
//!             match thread::await_(move || async move { inbox.get()?.get().await })? {
//!                 0 => return Ok(sum),
//!                 n => sum += n, // here it may block as long as it likes
//!             }
//!         }
//!     });
//!     for n in [1, 2, 3, 0] {
//!         queue.put(n).await?;
//!     }
//!     assert_eq!(worker.join().await?, 6);
//!     Ok(())
//! })
//! .unwrap();
//! ```
//!
//! # How it works
//!
//! The thread and a task belong together. The thread does the work; the task *serves* it: it sleeps until the thread asks it
//! to await something, does so, and sends back what came of it. So whatever is awaited is awaited by an ordinary task in the
//! kernel's thread, and all that holds for tasks holds there:
//!
//! ```text
//!  the thread                                   the task
//!  f() ...                                      waits, shielded, for a request
//!  await_(make) ---- request: make ---------->  make().await
//!     blocked                                   (is interrupted here, if at all)
//!  a value  <------- answer ------------------
//!  ... returns  ---- finished --------------->  gives what f gave
//! ```
//!
//! Nobody can interrupt a thread that computes or blocks. So a cancellation is delivered at the next `await_`, and the end of
//! the task is the end of the function: to cancel and await such a task is to wait for the thread. (A shutdown does so
//! within its limit, and then goes on without the thread; `await_` says [`Error::Cancelled`] in it from then on.)
//!
//! The closure that is given to `await_` is `Send` and makes the future in the kernel's thread, so that the future need not be
//! `Send`. What is not `Send` itself reaches it by a [`Token`].
//!
//! Such a thread is started for its function and ends with it. It has no place in the pool, and so none to wait for, as it
//! may be there for long.
//!
//! T1. A task that serves is shielded while its thread is at work, and only then.
//! T2. Every request has one answer: if the future is dropped that was to give it, that it was dropped. So no thread waits for
//!     ever.
//! T3. Blocks ([`timeout_after`], [`disable_cancellation`]) are requests whose future serves in its turn, until the block
//!     ends: what is awaited inside is so awaited inside the scope.

mod link;
mod request;
mod token;

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use crate::cancellation;
use crate::context;
use crate::error::{Error, Result};
use crate::kernel::running;
use crate::name::short_name;
use crate::outcome::{Outcome, Value};
use crate::slot::Slot;
use crate::task::{Task, here, spawn_in};
use crate::timeout;
use crate::traps::{Label, Waiting};

use link::{Link, Request, Serving};
use request::{Answer, Awaited, receive};
pub use token::Token;

const THREAD_WAIT: Label = Label::new(&"THREAD_WAIT");

type Caught<T> = std::result::Result<T, Box<dyn Any + Send>>;

thread_local! {
    /// The task that serves this thread.
    static LINK: RefCell<Option<Arc<Link>>> = const { RefCell::new(None) };
}

/// Starts a task that is a function in a thread of its own (Python Curio: `spawn_thread`).
///
/// It never waits. The task is like any other; it ends when the function returns. When it is cancelled, the function hears of
/// it at its next [`await_`]; one that has not begun never runs.
///
/// The function gives `()` or a [`Result`]. If it panics, so does the task. If the system gives no thread, the task fails with
/// [`Error::Io`].
///
/// # Panics
///
/// If no kernel runs in this thread.
///
/// ```
/// use curio::{Error, Result, run, sleep, thread};
/// use std::time::Duration;
///
/// run(async {
///     let kid = thread::spawn(|| -> Result<()> {
///         let slept = thread::await_(|| sleep(Duration::from_secs(1000)));
///         println!("Fine. Saving my work.");
///         slept
///     });
///     sleep(Duration::from_millis(5)).await?;
///     kid.cancel().await?;
///     assert!(matches!(kid.join().await, Err(Error::Task(e)) if e.cancelled()));
///     Ok(())
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn spawn<F, R>(function: F) -> Task<R::Value>
where
    F: FnOnce() -> R + Send + 'static,
    R: Outcome<Value: Send + 'static> + 'static,
{
    let spawned = Location::caller();
    let name = name_of::<F>();
    let thread = AsyncThread::new(function, spawned);
    context::with(|context| spawn_in(here(context), thread, Some(name), false, spawned))
}

/// What a task is called that is this function in a thread.
pub(crate) fn name_of<F>() -> Arc<str> {
    short_name(std::any::type_name::<F>()).into()
}

/// Awaits a future inside of a thread that the kernel serves (Python Curio: `AWAIT`). It blocks the thread; the future is
/// made and awaited in the kernel's, by the thread's task.
///
/// Not a method of the future, because the future itself need not be `Send`: the closure makes it where it is used. To reach
/// what belongs to the kernel, give it a [`Token`].
///
/// *Waits* as long as the future does. *Interrupted* when the thread's task is cancelled, or timeouts expire around it: as
/// the future is; a future that is not this library's is dropped.
///
/// # Errors
///
/// What the future gives. [`Error::Cancelled`] if the task has ended without the thread: nobody awaits anything for it any
/// more. [`Error::KernelRunning`] in the kernel's own thread, and [`Error::Other`] in a thread that no kernel serves.
///
/// # Panics
///
/// If the future panics, with its panic.
///
/// ```
/// use curio::{run, sleep, thread};
/// use std::time::Duration;
///
/// run(async {
///     let napper = thread::spawn(|| thread::await_(|| sleep(Duration::from_millis(1))));
///     napper.join().await
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn await_<M, F>(make: M) -> Result<Value<F>>
where
    M: FnOnce() -> F + Send + 'static,
    F: Future<Output: Outcome<Value: Send + 'static>> + 'static,
{
    let link = link()?;
    let place = Location::caller();
    let slot = Arc::new(Slot::new());
    let answer = Answer::new(&slot);
    link.ask(Request::Await(Box::new(move || {
        Box::pin(Awaited::new(make, answer, place))
    })))?;
    receive(&slot).unwrap_or_else(|| Err(Error::cancelled()))
}

/// The task that serves this thread.
fn link() -> Result<Arc<Link>> {
    if running() {
        return Err(Error::KernelRunning);
    }
    LINK.with_borrow(Clone::clone).ok_or_else(|| {
        Error::other(
            "no kernel serves this thread: thread::await_ works inside thread::spawn, \
             TaskGroup::spawn_thread and async_thread",
        )
    })
}

/// Sets a limit to all that is awaited in a block of a thread, as [`timeout_after`](crate::timeout_after) does in a task. It
/// is delivered at the next [`await_`] that waits.
///
/// # Errors
///
/// The block's own; [`Error::Timeout`] if this timeout was delivered and left the block. Otherwise as for [`await_`].
///
/// # Panics
///
/// If the block panics, with its panic.
///
/// ```
/// use curio::{Error, Result, run, sleep, thread};
/// use std::time::Duration;
///
/// run(async {
///     let napper = thread::spawn(|| {
///         let naps: Result<()> = thread::timeout_after(Duration::from_millis(1), || {
///             loop {
///                 thread::await_(|| sleep(Duration::from_secs(1000)))?;
///             }
///         });
///         assert!(matches!(naps, Err(Error::Timeout(_))));
///     });
///     napper.join().await
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn timeout_after<T>(limit: Duration, block: impl FnOnce() -> Result<T>) -> Result<T> {
    inside(move |serve| timeout::timeout_after(limit, serve), block)
}

/// The same, but if this timeout expires it is no error: then there is no value (as
/// [`ignore_after`](crate::ignore_after) does in a task).
///
/// # Errors
///
/// The block's own. Otherwise as for [`await_`].
///
/// # Panics
///
/// If the block panics, with its panic.
///
/// ```
/// use curio::{run, sleep, thread};
/// use std::time::Duration;
///
/// run(async {
///     let napper = thread::spawn(|| {
///         thread::ignore_after(Duration::from_millis(1), || {
///             thread::await_(|| sleep(Duration::from_secs(1000)))
///         })
///     });
///     assert_eq!(napper.join().await?, None);
///     Ok(())
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn ignore_after<T>(limit: Duration, block: impl FnOnce() -> Result<T>) -> Result<Option<T>> {
    match timeout_after(limit, block) {
        Err(error) if error.is_timeout() => Ok(None),
        other => other.map(Some),
    }
}

/// Shields a block of a thread from interruptions that come from outside of it, as
/// [`disable_cancellation`](crate::disable_cancellation) does in a task.
///
/// # Errors
///
/// The block's own. Otherwise as for [`await_`].
///
/// # Panics
///
/// If the block panics, with its panic.
///
/// ```
/// use curio::{run, sleep, thread};
/// use std::time::Duration;
///
/// run(async {
///     let careful = thread::spawn(|| {
///         thread::disable_cancellation(|| {
///             thread::await_(|| sleep(Duration::from_millis(2)))?;
///             Ok("saved")
///         })
///     });
///     curio::yield_now().await?;
///     assert_eq!(careful.join().await?, "saved");
///     Ok(())
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn disable_cancellation<T>(block: impl FnOnce() -> Result<T>) -> Result<T> {
    inside(cancellation::disable_cancellation, block)
}

/// What serves a thread inside of a block.
type Serve = Pin<Box<dyn Future<Output = Result<()>>>>;

/// Runs a block of the thread while its task serves it inside of `scope` (T3).
#[track_caller]
fn inside<S, F, T>(scope: S, block: impl FnOnce() -> Result<T>) -> Result<T>
where
    S: FnOnce(Serve) -> F + Send + 'static,
    F: Future<Output = Result<()>> + 'static,
{
    let link = link()?;
    let place = Location::caller();
    let (entered, left) = (Arc::new(Slot::new()), Arc::new(Slot::new()));
    let (at_entry, answer) = (Answer::new(&entered), Answer::new(&left));
    let server = link.clone();
    let number = link.next_block();
    let make = move || scope(Box::pin(serve_block(server, number, at_entry, place)));
    link.ask(Request::Await(Box::new(move || {
        Box::pin(Awaited::new(make, answer, place))
    })))?;
    if receive(&entered).is_none() {
        // It was interrupted on its way in.
        receive(&left).unwrap_or_else(|| Err(Error::cancelled()))?;
        return Err(Error::cancelled());
    }
    let result = catch_unwind(AssertUnwindSafe(block));
    let (kept, told) = match result {
        Ok(Ok(value)) => (Ok(value), Ok(())),
        Ok(Err(error)) => (Err(None), Err(error)),
        Err(panic) => (Err(Some(panic)), Ok(())),
    };
    // If the block has been left without us (its future was dropped), there is an answer all the same (T2).
    let asked = link.ask(Request::Leave(number, told));
    let outcome = asked.and_then(|()| receive(&left).unwrap_or_else(|| Err(Error::cancelled())));
    match kept {
        Ok(value) => outcome.map(|()| value),
        Err(Some(panic)) => resume_unwind(panic),
        Err(None) => outcome.and_then(|()| Err(Error::cancelled())),
    }
}

/// A function that can block, for both worlds (Python Curio: `async_thread`): awaited, it runs in a thread; in ordinary code,
/// [`call`](AsyncThread::call) just calls it.
///
/// It is a function for a thread as in [`spawn`], with [`await_`], but no task: whoever awaits it serves the thread.
/// So it gives the function's own error, and the timeouts around it hold in the thread.
///
/// *Waits* until the function has returned. *Interrupted* by cancellation and timeouts, but through the function: this
/// is delivered at its next [`await_`]. A function that does not await anything runs to its end first; where a caller
/// must leave at once, use [`run_in_thread`](crate::run_in_thread). Where two of them are below one `join!`, and both await
/// futures of somebody else, only one is told of an interruption; make operations of these futures, with
/// [`interruptible`](crate::interruptible), or give each thread a task of its own, with [`spawn`]. If this future is dropped the function runs on, and what
/// it gives is dropped in its thread.
///
/// # Errors
///
/// The function's own. [`Error::Io`] if the system gives no thread. [`Error::NoKernel`] outside of a task. The interruption,
/// if the function has not begun: then it never runs.
///
/// # Panics
///
/// If the function panics, with its panic.
///
/// ```
/// use curio::thread::AsyncThread;
/// use curio::{Result, async_thread, run};
///
/// fn fib(n: u32) -> AsyncThread<impl FnOnce() -> Result<u64> + Send, u64> {
///     async_thread(move || {
///         // Think of a library that asks a distant server, and blocks.
///         Ok((0..n).fold((0, 1), |(a, b), _| (b, a + b)).0)
///     })
/// }
///
/// assert_eq!(fib(10).call().unwrap(), 55); // here
/// run(async {
///     assert_eq!(fib(50).await?, 12586269025); // in a thread
///     Ok(())
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn async_thread<F, R>(function: F) -> AsyncThread<F, R::Value>
where
    F: FnOnce() -> R + Send + 'static,
    R: Outcome<Value: Send + 'static> + 'static,
{
    AsyncThread::new(function, Location::caller())
}

/// The operation of [`async_thread`].
#[must_use = "it does nothing unless it is awaited, or called"]
pub struct AsyncThread<F, T> {
    stage: Stage<F, T>,
    place: &'static Location<'static>,
}

/// Serves a thread to its end.
type Server<T> = Pin<Box<dyn Future<Output = Result<Caught<Result<T>>>>>>;

enum Stage<F, T> {
    New(F, Waiting),
    Serving(Server<T>),
    Over,
}

/// The function is moved and never pinned.
impl<F, T> Unpin for AsyncThread<F, T> {}

impl<F, T> AsyncThread<F, T> {
    pub(crate) fn new(function: F, place: &'static Location<'static>) -> AsyncThread<F, T> {
        AsyncThread {
            stage: Stage::New(function, Waiting::new()),
            place,
        }
    }

    /// Calls the function, here and now. It may block, so this is for code outside of the kernel.
    ///
    /// In a thread that the kernel serves, [`await_`] goes on to work inside.
    ///
    /// # Panics
    ///
    /// If the function panics, or was begun already.
    ///
    /// ```
    /// assert_eq!(curio::async_thread(|| Ok(7)).call().unwrap(), 7);
    /// ```
    pub fn call<R>(self) -> R
    where
        F: FnOnce() -> R,
        R: Outcome<Value = T>,
    {
        match self.stage {
            Stage::New(function, _) => function(),
            _ => panic!("an AsyncThread was called after it had been awaited"),
        }
    }
}

impl<F, R> Future for AsyncThread<F, R::Value>
where
    F: FnOnce() -> R + Send + 'static,
    R: Outcome<Value: Send + 'static> + 'static,
{
    type Output = Result<R::Value>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let AsyncThread { stage, place } = self.get_mut();
        if let Stage::New(_, waiting) = stage {
            // Asked before the thread is started: who is interrupted here has done nothing.
            let asked = waiting.wait(cx, THREAD_WAIT, place);
            waiting.complete();
            let Stage::New(function, _) = std::mem::replace(stage, Stage::Over) else {
                return Poll::Pending;
            };
            asked?;
            *stage = Stage::Serving(begin(function, place)?);
        }
        let Stage::Serving(serving) = stage else {
            panic!("an AsyncThread was polled after it had completed");
        };
        let Poll::Ready(result) = serving.as_mut().poll(cx) else {
            return Poll::Pending;
        };
        *stage = Stage::Over;
        Poll::Ready(match result {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(error) => Err(error),
        })
    }
}

/// Starts the thread, and gives what serves it.
fn begin<F, R>(function: F, place: &'static Location<'static>) -> Result<Server<R::Value>>
where
    F: FnOnce() -> R + Send + 'static,
    R: Outcome<Value: Send + 'static> + 'static,
{
    let link = Arc::new(Link::new());
    let slot = Arc::new(Slot::new());
    let (serving, answer, ours) = (Serving(link.clone()), Answer::new(&slot), link.clone());
    let thread = std::thread::Builder::new().name(short_name(std::any::type_name::<F>()).into());
    let started = thread.spawn(move || {
        LINK.set(Some(ours.clone()));
        answer.give(catch_unwind(AssertUnwindSafe(|| function().into_result())));
        // Nobody to tell is no matter here.
        let _ = ours.ask(Request::Finished);
    });
    started.map_err(Error::Io)?;
    Ok(Box::pin(async move {
        let _serving = serving;
        loop {
            match cancellation::disable_cancellation(link.next(place)).await? {
                Request::Await(make) => make().await,
                // Its block was dropped before.
                Request::Leave(..) => {}
                Request::Finished => break,
            }
        }
        let result = std::future::poll_fn(|cx| slot.poll(cx)).await;
        result.ok_or_else(Error::cancelled)
    }))
}

/// Serves the thread until it leaves the block.
async fn serve_block(
    link: Arc<Link>,
    number: u64,
    entered: Answer<()>,
    place: &'static Location<'static>,
) -> Result<()> {
    entered.give(Ok(()));
    loop {
        match cancellation::disable_cancellation(link.next(place)).await? {
            Request::Await(make) => make().await,
            Request::Leave(block, result) if block == number => return result,
            Request::Leave(..) | Request::Finished => {}
        }
    }
}

impl<F, T> fmt::Debug for AsyncThread<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncThread")
            .field("runs", &matches!(self.stage, Stage::Serving(_)))
            .finish_non_exhaustive()
    }
}
