//! The universal result.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use super::operation::{Operation, Step};
use crate::error::{Error, Result};
use crate::remote::{Line, Shared, Wakes};
use crate::sync::PromiseError;
use crate::traps::Label;

/// A value, or an error, that one has and others wait for: tasks of any kernel, threads and other executors (Python
/// Curio: `UniversalResult`).
///
/// It is a handle: clone it to share the result. Everybody who waits gets a clone of the value.
///
/// ```
/// use curio::{UniversalResult, run};
/// use std::thread;
///
/// let answer = UniversalResult::new();
/// let thinker = thread::spawn({
///     let answer = answer.clone();
///     move || answer.set(42)
/// });
/// assert_eq!(run(answer.wait()).unwrap(), 42);
/// thinker.join().unwrap();
/// ```
pub struct UniversalResult<T>(Arc<Shared<State<T>>>);

struct State<T> {
    /// Shared, because it is the user's code that clones the value, and it must not run under the lock.
    outcome: Option<Outcome<T>>,
    waiters: Line,
}

enum Outcome<T> {
    Value(Arc<T>),
    Error(PromiseError),
}

impl<T> Clone for Outcome<T> {
    fn clone(&self) -> Outcome<T> {
        match self {
            Outcome::Value(value) => Outcome::Value(value.clone()),
            Outcome::Error(error) => Outcome::Error(error.clone()),
        }
    }
}

impl<T> UniversalResult<T> {
    /// A result that is not known yet.
    ///
    /// ```
    /// assert!(!curio::UniversalResult::<i32>::new().is_set());
    /// ```
    pub fn new() -> UniversalResult<T> {
        UniversalResult(Arc::new(Shared::new(State {
            outcome: None,
            waiters: Line::new(),
        })))
    }

    /// Sets the value; all who wait go on (Python Curio: `set_value`). It never waits.
    ///
    /// Only the first value or error counts. False if there was one already: then the value is dropped. (In Python the
    /// last one counts; but some may have seen the first by then.)
    ///
    /// ```
    /// let answer = curio::UniversalResult::new();
    /// assert!(answer.set(42));
    /// assert!(!answer.set(43));
    /// ```
    pub fn set(&self, value: T) -> bool {
        self.settle(Outcome::Value(Arc::new(value)))
    }

    /// Sets an error instead; all who wait get it as a [`PromiseError`] (Python Curio: `set_exception`). It never waits.
    ///
    /// False if there was a value or an error already: then this one is dropped.
    ///
    /// ```
    /// use curio::{Error, UniversalResult, run};
    ///
    /// let answer = UniversalResult::<i32>::new();
    /// answer.set_error(Error::other("nobody knows"));
    /// assert_eq!(run(answer.wait()).unwrap_err().to_string(), "nobody knows");
    /// ```
    pub fn set_error(&self, error: Error) -> bool {
        self.settle(Outcome::Error(PromiseError::new(error)))
    }

    fn settle(&self, outcome: Outcome<T>) -> bool {
        let rejected = self.0.with(|state, wakes| {
            if state.outcome.is_some() {
                return Some(outcome);
            }
            state.outcome = Some(outcome);
            state.waiters.choose_all(wakes);
            None
        });
        rejected.is_none()
    }

    /// Whether the value or the error is known.
    ///
    /// ```
    /// assert!(!curio::UniversalResult::<i32>::new().is_set());
    /// ```
    pub fn is_set(&self) -> bool {
        self.0.with(|state, _| state.outcome.is_some())
    }
}

impl<T: Clone> UniversalResult<T> {
    /// Waits for the value (Python Curio: `unwrap`).
    ///
    /// *Waits* until it is set, or not at all if it is. *Interrupted* by cancellation and timeouts, which changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Other`] around a [`PromiseError`], if an error was set; for it
    /// [`is_cancellation`](Error::is_cancellation) is false, as it concerns who set it.
    ///
    /// ```
    /// use curio::{UniversalResult, run};
    ///
    /// let result = UniversalResult::new();
    /// result.set(String::from("done"));
    /// assert_eq!(run(result.wait()).unwrap(), "done");
    /// ```
    #[track_caller]
    pub fn wait(&self) -> ResultWait<'_, T> {
        ResultWait(Operation::new(&self.0, Waiter(PhantomData)))
    }

    /// The value, or the error, if it was set. It never waits.
    ///
    /// # Errors
    ///
    /// As for [`wait`](UniversalResult::wait), but for interruptions.
    ///
    /// ```
    /// let answer = curio::UniversalResult::new();
    /// assert!(answer.get().is_none());
    /// answer.set(42);
    /// assert_eq!(answer.get().unwrap().unwrap(), 42);
    /// ```
    pub fn get(&self) -> Option<Result<T>> {
        self.0.with(|state, _| state.outcome.clone()).map(open)
    }

    /// Blocks the thread until the value is set. For threads without a kernel.
    ///
    /// # Errors
    ///
    /// As for [`wait`](UniversalResult::wait). [`Error::KernelRunning`] inside of a kernel, which would stand still.
    ///
    /// ```
    /// let result = curio::UniversalResult::new();
    /// result.set(7);
    /// assert_eq!(result.blocking_wait().unwrap(), 7);
    /// ```
    pub fn blocking_wait(&self) -> Result<T> {
        self.wait().0.block(None).and_then(open)
    }

    /// Blocks the thread until the value is set, and for so long at most.
    ///
    /// # Errors
    ///
    /// As for [`blocking_wait`](UniversalResult::blocking_wait). [`Error::Timeout`] if it was not set in time.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let never = curio::UniversalResult::<i32>::new();
    /// assert!(never.blocking_wait_timeout(Duration::from_millis(1)).unwrap_err().is_timeout());
    /// ```
    pub fn blocking_wait_timeout(&self, limit: Duration) -> Result<T> {
        self.wait().0.block(Some(limit)).and_then(open)
    }
}

impl<T> Default for UniversalResult<T> {
    fn default() -> UniversalResult<T> {
        UniversalResult::new()
    }
}

impl<T> Clone for UniversalResult<T> {
    fn clone(&self) -> UniversalResult<T> {
        UniversalResult(self.0.clone())
    }
}

impl<T> fmt::Debug for UniversalResult<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UniversalResult")
            .field("set", &self.is_set())
            .finish()
    }
}

/// What one of several gets who wait.
fn open<T: Clone>(outcome: Outcome<T>) -> Result<T> {
    match outcome {
        Outcome::Value(value) => Ok(T::clone(&value)),
        Outcome::Error(error) => Err(Error::other(error)),
    }
}

/// The operation of [`UniversalResult::wait`].
#[must_use = "it does nothing unless it is awaited"]
pub struct ResultWait<'a, T: 'a>(Operation<'a, Waiter<T>>);

struct Waiter<T>(PhantomData<fn() -> T>);

impl<T> Step for Waiter<T> {
    type State = State<T>;
    type Output = Outcome<T>;
    const LABEL: Label = Label::new(&"URESULT_WAIT");

    fn line(state: &mut State<T>) -> &mut Line {
        &mut state.waiters
    }

    fn attempt(&mut self, state: &mut State<T>, _: bool, _: &mut Wakes) -> Option<Result<Outcome<T>>> {
        state.outcome.clone().map(Ok)
    }
}

impl<T: Clone> Future for ResultWait<'_, T> {
    type Output = Result<T>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<T>> {
        Pin::new(&mut self.0)
            .poll(cx)
            .map(|outcome| outcome.and_then(open))
    }
}

impl<T> fmt::Debug for ResultWait<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResultWait").field(&self.0).finish()
    }
}
