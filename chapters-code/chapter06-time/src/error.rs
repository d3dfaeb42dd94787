//! One error type for all operations and tasks.
//!
//! An operation gives a value or says why not. The type must tell two things apart: what concerns the task that gets the
//! error, and the failure of *another* task ([`Error::Task`]).

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use trace::Ending;

/// The result of everything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation did not give a value.
#[non_exhaustive]
pub enum Error {
    /// Another task, which was joined, gave no value: it failed or panicked.
    Task(TaskError),
    /// The value of the task was already handed out by an earlier join.
    AlreadyJoined,
    /// No task is running.
    NoKernel,
    /// A kernel is running in this thread already.
    KernelRunning,
    /// Nothing can ever happen again: every task waits.
    Deadlock(Deadlock),
    /// Any other error; see [`Error::other`].
    Other(Other),
}

impl Error {
    /// Makes an error of any other one, or of a text.
    pub fn other(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        Error::Other(Other(error.into()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Task(e) => write!(f, "{e}"),
            Error::AlreadyJoined => write!(f, "the task was joined already, its value is gone"),
            Error::NoKernel => write!(f, "this needs a running task"),
            Error::KernelRunning => write!(f, "a kernel is running in this thread already"),
            Error::Deadlock(d) => write!(f, "{d}"),
            Error::Other(e) => write!(f, "{}", e.0),
        }
    }
}

/// The same as `Display`: what `main` prints of an error is for people.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl StdError for Error {}

/// An error of somebody else's.
#[derive(Debug)]
pub struct Other(Box<dyn StdError + Send + Sync>);

/// Nothing can ever happen again: every task waits.
#[derive(Clone, Debug)]
pub struct Deadlock(Arc<String>);

impl Deadlock {
    /// With a report of who waits for what.
    pub(crate) fn new(report: String) -> Deadlock {
        Deadlock(Arc::new(report))
    }
}

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "deadlock: every task waits, and nothing can wake one{}",
            self.0
        )
    }
}

/// Why a task that was joined gave no value. It is cheap to clone.
#[derive(Clone, Debug)]
pub struct TaskError(Arc<Failure>);

#[derive(Debug)]
struct Failure {
    id: u64,
    name: &'static str,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    Error(Error),
    Panic(String),
}

impl TaskError {
    pub(crate) fn failed(id: u64, name: &'static str, error: Error) -> TaskError {
        let cause = Cause::Error(error);
        TaskError(Arc::new(Failure { id, name, cause }))
    }

    pub(crate) fn panicked(id: u64, name: &'static str, payload: &(dyn Any + Send)) -> TaskError {
        let cause = Cause::Panic(panic_message(payload));
        TaskError(Arc::new(Failure { id, name, cause }))
    }

    /// The panic's message, if the task panicked.
    pub fn panic_message(&self) -> Option<&str> {
        match &self.0.cause {
            Cause::Panic(message) => Some(message),
            Cause::Error(_) => None,
        }
    }

    /// Tells the user: a task that nobody joins must not fail in silence.
    pub(crate) fn log(&self) {
        eprintln!("{self}");
    }

    /// How the task has ended, as a trace is told.
    pub(crate) fn ending<'a>(&self, text: &'a str) -> Ending<'a> {
        match &self.0.cause {
            Cause::Error(_) => Ending::Failed(Some(text)),
            Cause::Panic(_) => Ending::Panicked(Some(text)),
        }
    }
}

/// What a caught panic said.
fn panic_message(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        text.to_string()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without a message".to_string()
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { id, name, cause } = &*self.0;
        match cause {
            Cause::Error(e) => write!(f, "task {id} ({name}) failed: {e}"),
            Cause::Panic(message) => write!(f, "task {id} ({name}) panicked: {message}"),
        }
    }
}
