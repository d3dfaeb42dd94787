//! `run_in_executor`: somebody else's threads.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use super::job::{Errand, Ran, Work};
use super::thread::THREAD_WAIT;
use crate::context::{self, Outside};
use crate::error::Result;
use crate::traps::Waiting;

/// Who runs functions elsewhere: a thread pool of another library, say. Every `Fn(Box<dyn FnOnce() + Send>)` is one.
///
/// ```
/// use curio::{run, run_in_executor};
///
/// // The simplest of all: a thread for each function.
/// let threads = |function: Box<dyn FnOnce() + Send>| {
///     std::thread::spawn(function);
/// };
/// assert_eq!(run(run_in_executor(&threads, || 6 * 7)).unwrap(), 42);
/// ```
pub trait Executor {
    /// Sees to it that the function is called once, in another thread. It must not wait for that.
    fn execute(&self, function: Box<dyn FnOnce() + Send>);
}

impl<E: Fn(Box<dyn FnOnce() + Send>) + ?Sized> Executor for E {
    fn execute(&self, function: Box<dyn FnOnce() + Send>) {
        self(function);
    }
}

/// Runs a function in somebody else's threads (Python Curio: `run_in_executor`).
///
/// *Waits* until the function has returned. *Interrupted* as [`run_in_thread`](crate::run_in_thread) is: it leaves at once,
/// and the executor goes on.
///
/// # Errors
///
/// As for [`run_in_thread`](crate::run_in_thread). [`Error::Other`](crate::Error::Other) if the executor drops the function
/// without calling it.
///
/// See [`Executor`] for an example.
#[track_caller]
pub fn run_in_executor<E, F, T>(executor: &E, function: F) -> RunInExecutor<'_, E, F, T>
where
    E: Executor + ?Sized,
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    RunInExecutor {
        executor,
        stage: Stage::New(function),
        waiting: Waiting::new(),
        place: Location::caller(),
    }
}

/// The operation of [`run_in_executor`].
#[must_use = "it does nothing unless it is awaited"]
pub struct RunInExecutor<'a, E: ?Sized, F, T> {
    executor: &'a E,
    stage: Stage<F, T>,
    waiting: Waiting,
    place: &'static Location<'static>,
}

enum Stage<F, T> {
    New(F),
    Running(Errand<F, T>, #[allow(dead_code, reason = "held")] Outside),
    Over,
}

/// The function is moved and never pinned.
impl<E: ?Sized, F, T> Unpin for RunInExecutor<'_, E, F, T> {}

/// A job in strange hands. If they drop it, its caller must hear of that.
struct Entrusted(Arc<dyn Work>);

impl Drop for Entrusted {
    fn drop(&mut self) {
        self.0.refuse();
    }
}

impl<E, F, T> Future for RunInExecutor<'_, E, F, T>
where
    E: Executor + ?Sized,
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<T>> {
        let RunInExecutor {
            executor,
            stage,
            waiting,
            place,
        } = self.get_mut();
        if let Stage::New(_) = stage {
            if let Err(error) = waiting.wait(cx, THREAD_WAIT, place) {
                *stage = Stage::Over;
                return Poll::Ready(Err(error));
            }
            if let Stage::New(function) = std::mem::replace(stage, Stage::Over) {
                let outside = context::with_task(|context, _| Ok(context.begin_outside()))?;
                let errand = Errand::new(function, cx);
                let entrusted = Entrusted(errand.work());
                *stage = Stage::Running(errand, outside);
                executor.execute(Box::new(move || {
                    let (Ran::Done(waker) | Ran::Zombie(waker)) = entrusted.0.run();
                    if let Some(waker) = waker {
                        waker.wake();
                    }
                }));
            }
        }
        let Stage::Running(errand, _) = stage else {
            panic!("a RunInExecutor was polled after it had completed");
        };
        let result = match errand.poll(cx) {
            Poll::Ready(result) => {
                waiting.complete();
                result
            }
            Poll::Pending => match waiting.wait(cx, THREAD_WAIT, place) {
                Ok(()) => return Poll::Pending,
                Err(error) => Err(error),
            },
        };
        *stage = Stage::Over;
        Poll::Ready(result)
    }
}

impl<E: ?Sized, F, T> fmt::Debug for RunInExecutor<'_, E, F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunInExecutor")
            .field("runs", &matches!(self.stage, Stage::Running(..)))
            .finish_non_exhaustive()
    }
}
