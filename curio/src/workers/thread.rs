//! `run_in_thread`.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

pub(crate) use super::job::Errand;
use super::pool::Pool;
use crate::context::{self, Outside};
use crate::error::Result;
use crate::traps::{Label, Waiting};

pub(super) const THREAD_WAIT: Label = Label::new(&"THREAD_WAIT");

/// Runs a function in a worker thread (Python Curio: `run_in_thread`). See the [module's documentation](crate::workers).
///
/// There are 64 workers at most ([`Builder::max_worker_threads`](crate::Builder::max_worker_threads)); who comes when all
/// are busy is served in turn.
///
/// *Waits* until the function has returned. *Interrupted* by cancellation and timeouts, and then it leaves at once: a function
/// that has not begun never runs, one that has begun runs on, and what it gives is dropped in its thread.
///
/// # Errors
///
/// [`Error::Other`](crate::Error::Other) around a [`Panicked`](crate::workers::Panicked), if the function panicked. [`Error::Io`](crate::Error::Io) if the
/// system gives no thread. [`Error::NoKernel`](crate::Error::NoKernel) outside of a task. What the function itself gives, a `Result` too, is the value:
/// `run_in_thread(|| std::fs::read("x")).await??`.
///
/// ```
/// use curio::{run, run_in_thread};
///
/// let sum = run(run_in_thread(|| (1..=100).sum::<u32>()));
/// assert_eq!(sum.unwrap(), 5050);
/// ```
#[track_caller]
pub fn run_in_thread<F, T>(function: F) -> RunInThread<F, T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    RunInThread::new(function, Location::caller())
}

/// Gives a function to a worker of the running kernel. The task is woken when it is done.
pub(crate) fn start<F, T>(function: F, cx: &TaskContext<'_>) -> Result<(Errand<F, T>, Outside)>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let errand = Errand::new(function, cx);
    context::with_task(|context, _| {
        let pool = context.belonging(|context| Pool::new(context.workers.threads, context.workers.idle));
        let queued = pool.submit(errand.work())?;
        Ok((errand.queued(queued), context.begin_outside()))
    })
}

/// The operation of [`run_in_thread`].
#[must_use = "it does nothing unless it is awaited"]
pub struct RunInThread<F, T> {
    stage: Stage<F, T>,
    waiting: Waiting,
    place: &'static Location<'static>,
}

enum Stage<F, T> {
    New(F),
    Running(Errand<F, T>, #[allow(dead_code, reason = "held")] Outside),
    Over,
}

impl<F, T> RunInThread<F, T> {
    pub(crate) fn new(function: F, place: &'static Location<'static>) -> RunInThread<F, T> {
        RunInThread {
            stage: Stage::New(function),
            waiting: Waiting::new(),
            place,
        }
    }
}

/// The function is moved and never pinned.
impl<F, T> Unpin for RunInThread<F, T> {}

impl<F, T> Future for RunInThread<F, T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<T>> {
        let RunInThread {
            stage,
            waiting,
            place,
        } = self.get_mut();
        if let Stage::Running(errand, _) = stage
            && let Poll::Ready(result) = errand.poll(cx)
        {
            *stage = Stage::Over;
            waiting.complete();
            return Poll::Ready(result);
        }
        // Asked before the function is given away: who is interrupted here has done nothing.
        let result = match std::mem::replace(stage, Stage::Over) {
            Stage::Over => panic!("a RunInThread was polled after it had completed"),
            Stage::New(function) => waiting
                .wait(cx, THREAD_WAIT, place)
                .and_then(|()| start(function, cx)),
            Stage::Running(errand, outside) => {
                waiting.wait(cx, THREAD_WAIT, place).map(|()| (errand, outside))
            }
        };
        match result {
            Ok((errand, outside)) => {
                *stage = Stage::Running(errand, outside);
                Poll::Pending
            }
            Err(error) => {
                waiting.complete();
                Poll::Ready(Err(error))
            }
        }
    }
}

impl<F, T> fmt::Debug for RunInThread<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunInThread")
            .field("runs", &matches!(self.stage, Stage::Running(..)))
            .finish_non_exhaustive()
    }
}
