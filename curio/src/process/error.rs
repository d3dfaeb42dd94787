//! What can befall a function in another process.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use crate::error::Error;
use crate::signal::Signal;

/// Why a function in another process gave no value. It is inside of an [`Error::Other`].
///
/// ```
/// use curio::process::WorkerError;
/// use curio::{Error, run, run_in_process};
///
/// fn drink(cups: u32) -> u32 {
///     cups.checked_sub(1).expect("no coffee left")
/// }
///
/// run(async {
///     match run_in_process(drink, 0).await {
///         Err(Error::Other(error)) => match error.get_ref().downcast_ref() {
///             Some(WorkerError::Panicked { message, .. }) => assert_eq!(message, "no coffee left"),
///             other => panic!("{other:?}"),
///         },
///         other => panic!("{other:?}"),
///     }
///     Ok(())
/// })
/// .unwrap();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerError {
    /// The function panicked. The worker is there for the next one.
    Panicked {
        /// What the panic said.
        message: String,
        /// File, line and column, if they are known.
        place: Option<String>,
    },
    /// The process exited before the function had returned.
    Exited {
        /// Its exit code, 0 too.
        code: i32,
    },
    /// The process was killed by a signal: by itself, as with `abort` or a bad pointer; by the system, which has no memory left;
    /// or by somebody else.
    Killed {
        /// The signal.
        signal: Signal,
    },
    /// The connection to the process has ended, but nobody knows how the process did: it has closed its files, or somebody else
    /// in this program has waited for it.
    Lost,
    /// What came from the process was no answer: the function has written to a file which is not its own.
    Garbled,
    /// The argument could not be written, or not be read in the other process; why. The function has not run.
    Argument(String),
    /// The function has run, but its value could not be written, or not be read here; why.
    Value(String),
    /// The file of this program has become another one, so that nobody can start this program any more. The function has
    /// not run.
    OtherProgram,
    /// The function is not in the program itself but in a library that was loaded, and so cannot be found in another process.
    NotInProgram,
}

impl WorkerError {
    pub(super) fn from_status(status: ExitStatus) -> WorkerError {
        match (status.code(), status.signal()) {
            (Some(code), _) => WorkerError::Exited { code },
            (None, Some(signal)) => WorkerError::Killed {
                signal: Signal::from(signal),
            },
            (None, None) => WorkerError::Lost,
        }
    }
}

impl From<WorkerError> for Error {
    fn from(error: WorkerError) -> Error {
        Error::other(error)
    }
}

impl fmt::Display for WorkerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WorkerError::Panicked { message, place } => {
                write!(f, "the function panicked in its process: {message}")?;
                place.iter().try_for_each(|place| write!(f, " (at {place})"))
            }
            WorkerError::Exited { code } => {
                write!(
                    f,
                    "the worker process exited with code {code} in the middle of the function"
                )
            }
            WorkerError::Killed { signal } => {
                write!(
                    f,
                    "the worker process was killed by {signal} in the middle of the function"
                )
            }
            WorkerError::Lost => write!(f, "the connection to the worker process has ended"),
            WorkerError::Garbled => write!(f, "what came from the worker process was no answer"),
            WorkerError::Argument(why) => {
                write!(f, "the argument cannot be sent to a worker process: {why}")
            }
            WorkerError::Value(why) => {
                write!(
                    f,
                    "the function's value cannot be sent from a worker process: {why}"
                )
            }
            WorkerError::OtherProgram => write!(
                f,
                "no worker process can be started, because the program's file was replaced while it ran"
            ),
            WorkerError::NotInProgram => write!(
                f,
                "the function is in a library that was loaded and not in the program itself, so no other process can find it"
            ),
        }
    }
}

impl std::error::Error for WorkerError {}
