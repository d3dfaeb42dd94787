//! A value that is set once, and that any number of tasks may wait for.
//!
//! Python Curio has had two of these: `Result`, which a second `set_value` overwrites, and `Promise`, which can be cleared.
//! Here the first value counts: who was woken by it must not find another one when it runs.
//!
//! A failure goes to all who wait, and concerns none of them as an interruption would: so it comes as a
//! [`PromiseError`] around the error that was set.

use std::cell::OnceCell;
use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use crate::error::{Error, Result};
use crate::traps::{self, Label, WaitList, Waiting};

const FUTURE_WAIT: Label = Label::new(&"FUTURE_WAIT");

/// A value that somebody will set, or an error (Python Curio: `Result`, and once `Promise`).
///
/// It is a handle: clone it to share the promise. All who wait get a clone of the value; wrap it in an `Rc` if it has
/// none.
///
/// ```
/// use curio::{Promise, run, spawn};
///
/// run(async {
///     let answer = Promise::new();
///     let kid = spawn({
///         let answer = answer.clone();
///         async move { answer.wait().await }
///     });
///     answer.set(42);
///     assert_eq!(kid.join().await?, 42);
///     Ok(())
/// })
/// .unwrap();
/// ```
pub struct Promise<T>(Rc<Shared<T>>);

struct Shared<T> {
    value: OnceCell<Result<T, PromiseError>>,
    waiters: WaitList,
}

impl<T> Promise<T> {
    /// A promise that is not kept yet.
    ///
    /// ```
    /// assert!(!curio::Promise::<u32>::new().is_set());
    /// ```
    pub fn new() -> Promise<T> {
        Promise(Rc::new(Shared {
            value: OnceCell::new(),
            waiters: WaitList::new(),
        }))
    }

    /// Whether it has its value or error.
    ///
    /// ```
    /// assert!(!curio::Promise::<u32>::new().is_set());
    /// ```
    pub fn is_set(&self) -> bool {
        self.0.value.get().is_some()
    }

    /// Sets the value; all who wait go on (Python Curio: `set_value`). It never waits.
    ///
    /// Only the first value or error counts. False if there was one already: then the value is dropped.
    ///
    /// ```
    /// let answer = curio::Promise::new();
    /// assert!(answer.set(42));
    /// assert!(!answer.set(43));
    /// ```
    pub fn set(&self, value: T) -> bool {
        self.settle(Ok(value))
    }

    /// Sets an error instead; all who wait get it as a [`PromiseError`] (Python Curio: `set_exception`). It never waits.
    ///
    /// False if there was a value or an error already: then this one is dropped.
    ///
    /// ```
    /// use curio::{Error, Promise, run};
    ///
    /// run(async {
    ///     let answer = Promise::<u32>::new();
    ///     answer.set_error(Error::other("nobody knows"));
    ///     let error = answer.wait().await.unwrap_err();
    ///     assert_eq!(error.to_string(), "nobody knows");
    /// })
    /// .unwrap();
    /// ```
    pub fn set_error(&self, error: Error) -> bool {
        self.settle(Err(PromiseError::new(error)))
    }

    fn settle(&self, result: Result<T, PromiseError>) -> bool {
        let first = self.0.value.set(result).is_ok();
        if first {
            self.0.waiters.notify_all();
        }
        first
    }

    /// The value, if it was set.
    ///
    /// # Errors
    ///
    /// [`Error::Other`] around a [`PromiseError`], if an error was set.
    ///
    /// ```
    /// let answer = curio::Promise::new();
    /// assert!(answer.get().is_none());
    /// answer.set(42);
    /// assert_eq!(answer.get().unwrap().unwrap(), &42);
    /// ```
    pub fn get(&self) -> Option<Result<&T>> {
        let result = self.0.value.get()?;
        Some(result.as_ref().map_err(|error| Error::other(error.clone())))
    }
}

impl<T: Clone> Promise<T> {
    /// Waits for the value and gives a clone of it (Python Curio: `unwrap`).
    ///
    /// *Waits* until a value or an error is set; not at all if there is one. *Interrupted* by cancellation and timeouts.
    ///
    /// # Errors
    ///
    /// [`Error::Other`] around a [`PromiseError`], if an error was set; for it
    /// [`is_cancellation`](Error::is_cancellation) is false, as it concerns who set it. [`Error::NoKernel`] if it would
    /// wait outside of a task, or while tasks of another living kernel have waited for this promise.
    ///
    /// ```
    /// curio::run(async {
    ///     let answer = curio::Promise::new();
    ///     answer.set(42);
    ///     assert_eq!(answer.wait().await?, 42);
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn wait(&self) -> PromiseWait<'_, T> {
        PromiseWait {
            promise: self,
            waiting: Waiting::new(),
            place: Location::caller(),
        }
    }
}

impl<T> Clone for Promise<T> {
    fn clone(&self) -> Promise<T> {
        Promise(self.0.clone())
    }
}

impl<T> Default for Promise<T> {
    fn default() -> Promise<T> {
        Promise::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for Promise<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Promise")
            .field("value", &self.0.value.get())
            .finish()
    }
}

/// The error that a [`Promise`] or a [`UniversalResult`](crate::UniversalResult) was given instead of a value. All who
/// waited share it.
///
/// It reads as that error does, and its [`error`](PromiseError::error) is that error.
///
/// ```
/// use curio::{Error, Promise, PromiseError, run};
///
/// run(async {
///     let answer = Promise::<u32>::new();
///     answer.set_error(Error::Closed);
///     match answer.wait().await {
///         Err(Error::Other(other)) => {
///             let failed = other.get_ref().downcast_ref::<PromiseError>().unwrap();
///             assert!(matches!(failed.error(), Error::Closed));
///         }
///         result => panic!("{result:?}"),
///     }
/// })
/// .unwrap();
/// ```
#[derive(Clone)]
pub struct PromiseError(Arc<Error>);

impl PromiseError {
    pub(crate) fn new(error: Error) -> PromiseError {
        PromiseError(Arc::new(error))
    }

    /// What was set.
    pub fn error(&self) -> &Error {
        &self.0
    }
}

impl fmt::Display for PromiseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for PromiseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl StdError for PromiseError {
    // Its message is the error's own, so the source is what lies behind that.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

/// The operation of [`Promise::wait`].
#[must_use = "it does nothing unless it is awaited"]
pub struct PromiseWait<'a, T> {
    promise: &'a Promise<T>,
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl<T: Clone> Future for PromiseWait<'_, T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<T>> {
        let PromiseWait {
            promise,
            waiting,
            place,
        } = &mut *self;
        if let Some(result) = promise.get() {
            if !waiting.is_waiting() {
                ready!(traps::poll_budget(cx));
            }
            waiting.complete();
            return Poll::Ready(result.cloned());
        }
        match waiting.wait_on(&promise.0.waiters, cx, FUTURE_WAIT, place) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl<T> fmt::Debug for PromiseWait<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PromiseWait")
            .field("is_set", &self.promise.is_set())
            .finish()
    }
}
