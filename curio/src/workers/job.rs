//! A function that is to run elsewhere, and what it gives.
//!
//! Two hold it: the operation, through its type, and whoever runs it, as `dyn Work`. The function is taken by whoever comes
//! first, the worker to run it or the caller to withdraw it; what it gives goes through a slot (`slot`).
//!
//! | the caller goes away while the function | the function | its value |
//! |---|---|---|
//! | has not begun | is dropped by the caller, and never runs | |
//! | runs | runs on, as a *zombie* | is dropped by the worker |
//! | has ended | | is dropped by the caller |
//!
//! J1. The lock of a job and that of a pool are never held together.
//! J2. A worker whose function became a zombie meanwhile has lost its place in the pool, by then or very soon (`pool`, P3);
//!     it learns that from the job, and ends.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use super::pool::Queued;
use crate::contain::contain;
use crate::error::{Error, Result, panic_message};
use crate::remote::Shared;
use crate::slot::{Put, Slot};

type Caught<T> = std::result::Result<T, Box<dyn Any + Send>>;

pub(super) struct Job<F, T> {
    /// None once somebody has taken it.
    function: Shared<Option<F>>,
    value: Slot<Caught<T>>,
}

/// A job as those see it who run it.
pub(super) trait Work: Send + Sync {
    fn run(&self) -> Ran;

    /// Nobody can run it.
    fn refuse(&self);
}

/// What has come of a job.
pub(super) enum Ran {
    /// The function had been withdrawn, or its caller has the value, and is to be woken.
    Done(Option<Waker>),
    /// It was a zombie (J2). Somebody may wait for its value all the same.
    Zombie(Option<Waker>),
}

impl<F, T> Work for Job<F, T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    fn run(&self) -> Ran {
        let Some(function) = self.function.with(|function, _| function.take()) else {
            return Ran::Done(None);
        };
        match self.value.put(catch_unwind(AssertUnwindSafe(function))) {
            Put::Awaited(waker) => Ran::Done(waker),
            Put::Detached(waker) => Ran::Zombie(waker),
            Put::Refused(value) => {
                contain(|| drop(value));
                Ran::Zombie(None)
            }
        }
    }

    fn refuse(&self) {
        self.value.close();
    }
}

/// The caller's side of a job, from its start on. Dropping it leaves the job.
pub(crate) struct Errand<F, T> {
    job: Arc<Job<F, T>>,
    /// Where it waits for a worker; none if somebody else runs it.
    queued: Option<Queued>,
}

impl<F, T> Errand<F, T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    /// Prepares a job. The task is woken when it is done.
    pub(super) fn new(function: F, cx: &TaskContext<'_>) -> Errand<F, T> {
        let job = Arc::new(Job {
            function: Shared::new(Some(function)),
            value: Slot::new(),
        });
        let _ = job.value.poll(cx);
        Errand { job, queued: None }
    }

    pub(super) fn queued(mut self, queued: Queued) -> Errand<F, T> {
        self.queued = Some(queued);
        self
    }

    pub(super) fn work(&self) -> Arc<dyn Work> {
        self.job.clone()
    }
}

impl<F, T> Errand<F, T> {
    /// What the function has given.
    ///
    /// # Errors
    ///
    /// [`Panicked`]; or that nobody has run it, and nobody will.
    pub(crate) fn poll(&self, cx: &TaskContext<'_>) -> Poll<Result<T>> {
        self.job.value.poll(cx).map(|value| match value {
            Some(Ok(value)) => Ok(value),
            Some(Err(panic)) => Err(Panicked::error(panic)),
            None => Err(match &self.queued {
                Some(queued) if queued.is_closed() => Error::NoKernel,
                Some(_) => Error::other("no thread could be started to run the function"),
                None => Error::other("the executor has dropped the function without running it"),
            }),
        })
    }

    /// Takes the function back. False if it runs, or has.
    pub(crate) fn withdraw(&self) -> bool {
        let function = self.job.function.with(|function, _| function.take());
        let withdrawn = function.is_some();
        if withdrawn {
            // No worker is at work for it, so nobody is to be replaced.
            self.job.value.leave();
            if let Some(queued) = &self.queued {
                queued.remove();
            }
        }
        withdrawn
    }

    /// The caller goes away, but somebody will come for the value: the worker, which may take long, does not count any
    /// more.
    pub(crate) fn detach(&self) {
        if self.job.value.detach() {
            self.replace_worker();
        }
    }

    fn replace_worker(&self) {
        if let Some(queued) = &self.queued {
            queued.replace_worker();
        }
    }
}

impl<F, T> Drop for Errand<F, T> {
    fn drop(&mut self) {
        if !self.withdraw() && self.job.value.leave() {
            self.replace_worker();
        }
    }
}

/// The function panicked that was to run elsewhere. It is inside of an [`Error::Other`].
///
/// ```
/// use curio::workers::Panicked;
/// use curio::{Error, run, run_in_thread};
///
/// run(async {
///     match run_in_thread(|| panic!("no coffee left")).await {
///         Err(Error::Other(error)) => {
///             let panic = error.get_ref().downcast_ref::<Panicked>().unwrap();
///             assert_eq!(panic.message(), "no coffee left");
///         }
///         other => panic!("{other:?}"),
///     }
/// })
/// .unwrap();
/// ```
#[derive(Debug)]
pub struct Panicked {
    message: String,
}

impl Panicked {
    pub(crate) fn error(panic: Box<dyn Any + Send>) -> Error {
        let message = panic_message(&*panic);
        contain(|| drop(panic));
        Error::other(Panicked { message })
    }

    /// What the panic said.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the function panicked in its thread: {}", self.message)
    }
}

impl std::error::Error for Panicked {}
