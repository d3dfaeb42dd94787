//! Why a task that was joined gave no value.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use super::Error;
use crate::activation::Ending;
use crate::contain::log;
use crate::name::Name;

/// Why a task that was joined gave no value.
///
/// It is cheap to clone. Its [`source`](StdError::source) is the error that the task ended with.
///
/// ```
/// use curio::{run, spawn, sleep, Error};
/// use std::time::Duration;
///
/// run(async {
///     let kid = spawn(sleep(Duration::from_secs(1000)));
///     kid.cancel().await?;
///     match kid.join().await {
///         Err(Error::Task(e)) => assert!(e.cancelled()),
///         other => panic!("{other:?}"),
///     }
///     Ok(())
/// })
/// .unwrap();
/// ```
#[derive(Clone)]
pub struct TaskError(Arc<Failure>);

struct Failure {
    id: u64,
    name: Name,
    spawned: &'static Location<'static>,
    cause: Cause,
    cancelled: bool,
}

enum Cause {
    Error(Error),
    Panic(String),
    Dropped(&'static str),
    /// The first failure in a group, and those that came after it.
    First(TaskError, Vec<TaskError>),
}

impl TaskError {
    fn new(
        id: u64,
        name: Name,
        spawned: &'static Location<'static>,
        cause: Cause,
        cancelled: bool,
    ) -> TaskError {
        TaskError(Arc::new(Failure {
            id,
            name,
            spawned,
            cause,
            cancelled,
        }))
    }

    pub(crate) fn failed(
        id: u64,
        name: Name,
        spawned: &'static Location<'static>,
        error: Error,
        cancelled: bool,
    ) -> TaskError {
        TaskError::new(id, name, spawned, Cause::Error(error), cancelled)
    }

    pub(crate) fn panicked(
        id: u64,
        name: Name,
        spawned: &'static Location<'static>,
        payload: &(dyn Any + Send),
    ) -> TaskError {
        let cause = Cause::Panic(panic_message(payload));
        TaskError::new(id, name, spawned, cause, false)
    }

    pub(crate) fn dropped(
        id: u64,
        name: Name,
        spawned: &'static Location<'static>,
        why: &'static str,
    ) -> TaskError {
        TaskError::new(id, name, spawned, Cause::Dropped(why), true)
    }

    /// The same failure with others attached, which it was the first of.
    pub(crate) fn with_others(self, others: Vec<TaskError>) -> TaskError {
        if others.is_empty() {
            return self;
        }
        let Failure { id, spawned, .. } = *self.0;
        TaskError::new(
            id,
            self.0.name.clone(),
            spawned,
            Cause::First(self, others),
            false,
        )
    }

    /// Tells the user of a failure that nobody else hears of. Being cancelled is no failure, and an exit no news.
    pub(crate) fn log(&self) {
        if !self.cancelled() && self.exit_code().is_none() {
            log(format_args!("{self:?}"));
        }
    }

    /// What has happened to the task itself.
    fn cause(&self) -> &Cause {
        match &self.0.cause {
            Cause::First(first, _) => first.cause(),
            cause => cause,
        }
    }

    /// The failures of other tasks in the same group that came after this one, in the order in which they came. For an
    /// error that did not come out of a [`TaskGroup`](crate::TaskGroup) there are none.
    ///
    /// ```
    /// use curio::{Error, TaskGroup, run};
    ///
    /// run(async {
    ///     let g = TaskGroup::<()>::all();
    ///     g.spawn(async { Err(Error::other("no coffee")) });
    ///     g.spawn(async { Err(Error::other("no tea")) });
    ///     match g.join().await {
    ///         Err(Error::Task(first)) => assert_eq!(first.others().len(), 1),
    ///         other => panic!("{other:?}"),
    ///     }
    /// })
    /// .unwrap();
    /// ```
    pub fn others(&self) -> &[TaskError] {
        match &self.0.cause {
            Cause::First(_, others) => others,
            _ => &[],
        }
    }

    /// Whether the task was cancelled (and not: failed on its own).
    pub fn cancelled(&self) -> bool {
        self.0.cancelled
    }

    /// The panic's message, if the task panicked.
    pub fn panic_message(&self) -> Option<&str> {
        match self.cause() {
            Cause::Panic(message) => Some(message),
            _ => None,
        }
    }

    /// The id of the task.
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// The name of the task.
    pub fn name(&self) -> &str {
        self.0.name.as_str()
    }

    /// Where the task was spawned.
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.0.spawned
    }

    /// How the task has ended, as activations are told.
    pub(crate) fn ending(&self) -> Ending {
        match self.cause() {
            Cause::Panic(_) => Ending::Panicked,
            Cause::Dropped(_) => Ending::Dropped,
            Cause::Error(Error::Exit(_)) => Ending::Exit,
            Cause::Error(_) if self.cancelled() => Ending::Cancelled,
            Cause::Error(_) | Cause::First(..) => Ending::Failed,
        }
    }

    /// The code that the task asked the program to end with.
    pub(crate) fn exit_code(&self) -> Option<i32> {
        match self.cause() {
            Cause::Error(Error::Exit(code)) => Some(*code),
            _ => None,
        }
    }
}

/// What a caught panic said.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> String {
    if let Some(s) = payload.downcast_ref::<&str>() {
        (*s).to_string()
    } else if let Some(s) = payload.downcast_ref::<String>() {
        s.clone()
    } else {
        "a panic without a message".to_string()
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { id, name, .. } = &*self.0;
        match &self.0.cause {
            Cause::Error(_) if self.0.cancelled => write!(f, "task {id} ({name}) was cancelled"),
            Cause::Error(e) => write!(f, "task {id} ({name}) failed: {e}"),
            Cause::Panic(message) => write!(f, "task {id} ({name}) panicked: {message}"),
            Cause::Dropped(why) => write!(f, "task {id} ({name}) was dropped: {why}"),
            Cause::First(first, others) => write!(f, "{first} (and {} more)", others.len()),
        }
    }
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Cause::First(first, others) = &self.0.cause {
            write!(f, "{first:?}")?;
            return others.iter().try_for_each(|other| write!(f, "; also: {other:?}"));
        }
        write!(f, "{self}")?;
        if !self.0.cancelled {
            write!(f, " (spawned at {})", self.0.spawned)?;
        }
        Ok(())
    }
}

impl StdError for TaskError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self.cause() {
            Cause::Error(e) => Some(e),
            _ => None,
        }
    }
}
