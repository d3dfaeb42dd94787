//! One error type for the whole library.
//!
//! Interruptions are ordinary values here: a cancelled task or an expired timeout makes the operation that waits resolve
//! to `Err(..)`, and `?` carries it outwards. So the type must tell three things apart at a glance: an interruption that
//! concerns *me* ([`Error::is_cancellation`]), the failure of *another* task ([`Error::Task`]) and everything else.
//!
//! Rejected: a generic error parameter on timeouts and groups (it does not infer: every `async` block would need a type
//! annotation), and `Clone` (an `io::Error` has none; shared causes sit behind an `Arc` inside [`TaskError`]).
//!
//! E1. `Error` is at most 16 bytes, so that a `Result<usize>` stays in registers.
//! E2. A round trip through [`io::Error`] loses nothing: a `Cancelled` that passes through an `AsyncRead` adapter comes
//!     back as `Cancelled`.
//! E3. An interruption never becomes [`io::ErrorKind::Interrupted`] or `WouldBlock`: helpers all over the ecosystem
//!     retry on those and would swallow it.

mod conversions;
mod progress;
mod task_error;

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;

pub use conversions::Other;
pub use progress::Progress;
pub use task_error::TaskError;
pub(crate) use task_error::panic_message;

/// The result of everything that can fail in this crate.
///
/// ```
/// async fn nap() -> curio::Result<()> {
///     curio::sleep(std::time::Duration::from_millis(1)).await?;
///     Ok(())
/// }
/// curio::run(nap()).unwrap();
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation did not give a value.
///
/// The first three variants are *interruptions* of the task that sees them ([`Error::is_cancellation`]); code that loops
/// over errors looks for them first and hands them on:
///
/// ```
/// # use curio::{Error, Result};
/// # async fn serve_one() -> Result<()> { Ok(()) }
/// # async fn serve() -> Result<()> {
/// # for _ in 0..1 {
/// match serve_one().await {
///     Ok(()) => {}
///     Err(e) if e.is_cancellation() => return Err(e),
///     Err(e) => eprintln!("one client failed: {e}"),
/// }
/// # }
/// # Ok(())
/// # }
/// # curio::run(serve()).unwrap();
/// ```
#[non_exhaustive]
// What goes with a variant begins at the second word. Else it may be anywhere behind the tag, and a result on its way out of an
// operation, which nearly always is a value, is moved in pieces of four, two and one bytes.
#[repr(usize)]
pub enum Error {
    /// The task was cancelled (Python Curio: `TaskCancelled`).
    Cancelled(Progress),
    /// The innermost timeout around the operation expired (Python Curio: `TaskTimeout`).
    Timeout(Progress),
    /// A timeout further out expired, not the innermost one (Python Curio: `TimeoutCancellationError`).
    TimeoutCancellation(Progress),
    /// A `Timeout` was not handled where it belonged and escaped through another timeout or out of its task. A
    /// programming error, not an interruption (Python Curio: `UncaughtTimeoutError`).
    UncaughtTimeout,
    /// Another task, which was joined, gave no value: it was cancelled, failed or panicked.
    Task(TaskError),
    /// The value of the task was already handed out by an earlier join.
    AlreadyJoined,
    /// Another task waits for the same thing, of which there can be only one.
    Busy(Busy),
    /// The object was closed.
    Closed,
    /// There is no running kernel, or not the one that the object belongs to.
    NoKernel,
    /// A kernel is running in this thread already: there cannot be a second one, and to block the thread would stop it.
    KernelRunning,
    /// Nothing can ever happen again: every task waits for another.
    Deadlock(Deadlock),
    /// The program asks to end with this code (Python's `SystemExit`).
    Exit(i32),
    /// The operating system refused.
    Io(io::Error),
    /// Any other error; see [`Error::other`].
    Other(Other),
}

/// What was in use when an operation resolved to [`Error::Busy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Busy {
    /// Another task reads from (or accepts on) this socket.
    Reader,
    /// Another task writes to this socket.
    Writer,
}

/// Which tasks wait for what, when nothing can ever happen again.
///
/// On the virtual clock this is exact: no task is ready, no timer is set, no socket is waited for and no waker of a task
/// is in the hands of a future that is not the library's.
#[derive(Clone)]
pub struct Deadlock(Arc<String>);

impl Deadlock {
    pub(crate) fn new(report: String) -> Deadlock {
        Deadlock(Arc::new(report))
    }
}

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error {
    /// Whether the task that sees this error is being interrupted: it was cancelled, or a timeout around it expired.
    ///
    /// False for [`Error::Task`], even if that task was cancelled: it concerns the task that was joined, not the joiner.
    ///
    /// ```
    /// use curio::{Error, Progress};
    /// assert!(Error::Cancelled(Progress::default()).is_cancellation());
    /// assert!(!Error::UncaughtTimeout.is_cancellation());
    /// ```
    pub fn is_cancellation(&self) -> bool {
        matches!(
            self,
            Error::Cancelled(_) | Error::Timeout(_) | Error::TimeoutCancellation(_)
        )
    }

    /// Whether this is [`Error::Timeout`]: the innermost timeout expired.
    ///
    /// ```
    /// use curio::{run, sleep, timeout_after};
    /// use std::time::Duration;
    ///
    /// run(async {
    ///     let r = timeout_after(Duration::from_millis(1), sleep(Duration::from_secs(9))).await;
    ///     assert!(r.unwrap_err().is_timeout());
    /// }).unwrap();
    /// ```
    pub fn is_timeout(&self) -> bool {
        matches!(self, Error::Timeout(_))
    }

    /// Ends the whole program in an orderly way: any task that gives this makes [`run`](crate::run) cancel all tasks,
    /// wait for them, and return this error (Python's `SystemExit`). What it does with the code is up to the caller of `run`:
    /// `std::process::exit(code)`, as a rule.
    ///
    /// ```
    /// use curio::{run, spawn, sleep, Error, Result};
    /// use std::time::Duration;
    ///
    /// let r: Result<()> = run(async {
    ///     spawn(async { Err::<(), _>(Error::exit(3)) });
    ///     sleep(Duration::from_secs(1000)).await
    /// });
    /// assert!(matches!(r, Err(Error::Exit(3))));
    /// ```
    pub fn exit(code: i32) -> Error {
        Error::Exit(code)
    }

    pub(crate) fn cancelled() -> Error {
        Error::Cancelled(Progress::default())
    }

    /// Whether it is just that: nothing had been done before.
    pub(crate) fn is_plain_cancellation(&self) -> bool {
        matches!(self, Error::Cancelled(progress) if progress.is_none())
    }

    /// How many bytes had been transferred, as an interruption says.
    pub(crate) fn progress(&self) -> usize {
        match self {
            Error::Cancelled(p) | Error::Timeout(p) | Error::TimeoutCancellation(p) => p.bytes(),
            _ => 0,
        }
    }

    /// The same interruption, saying how many bytes had been transferred.
    pub(crate) fn after_bytes(self, bytes: usize) -> Error {
        self.after(Progress::of_bytes(bytes))
    }

    /// The same interruption, saying how far it had got.
    pub(crate) fn after(self, progress: Progress) -> Error {
        match self {
            Error::Cancelled(_) => Error::Cancelled(progress),
            Error::Timeout(_) => Error::Timeout(progress),
            Error::TimeoutCancellation(_) => Error::TimeoutCancellation(progress),
            other => other,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Cancelled(p) => write!(f, "cancelled{p}"),
            Error::Timeout(p) => write!(f, "timed out{p}"),
            Error::TimeoutCancellation(p) => write!(f, "an outer timeout expired{p}"),
            Error::UncaughtTimeout => {
                write!(f, "a timeout was not handled where it was set (uncaught timeout)")
            }
            Error::Task(e) => write!(f, "{e}"),
            Error::AlreadyJoined => write!(f, "the task was joined already, its value is gone"),
            Error::Busy(Busy::Reader) => write!(f, "another task reads from this socket already"),
            Error::Busy(Busy::Writer) => write!(f, "another task writes to this socket already"),
            Error::Closed => write!(f, "closed"),
            Error::NoKernel => write!(
                f,
                "this needs the running kernel that it belongs to (use it inside curio::run)"
            ),
            Error::KernelRunning => write!(
                f,
                "a kernel is running in this thread already (spawn or await there, or use another thread)"
            ),
            Error::Deadlock(d) => write!(f, "{d}"),
            Error::Exit(code) => write!(f, "exit with code {code}"),
            Error::Io(e) => write!(f, "{e}"),
            Error::Other(e) => write!(f, "{}", e.get_ref()),
        }
    }
}

/// The one-line message with its causes: what a `fn main() -> curio::Result<()>` prints.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut last = self.to_string();
        let mut cause = self.source();
        while let Some(e) = cause {
            let text = e.to_string();
            // Many errors repeat their cause in their own message.
            if !last.ends_with(&text) {
                write!(f, ": {text}")?;
            }
            last = text;
            cause = e.source();
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Error::Task(e) => e.source(),
            Error::Io(e) => e.source(),
            Error::Other(e) => e.get_ref().source(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits_in_two_words() {
        assert!(size_of::<Error>() <= 16);
        assert!(size_of::<Result<usize>>() <= 16);
    }

    #[test]
    fn is_send_and_sync() {
        fn check<T: Send + Sync>() {}
        check::<Error>();
    }

    #[test]
    fn debug_shows_the_causes_once() {
        #[derive(Debug)]
        struct Outer(io::Error);
        impl fmt::Display for Outer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "could not brew")
            }
        }
        impl StdError for Outer {
            fn source(&self) -> Option<&(dyn StdError + 'static)> {
                Some(&self.0)
            }
        }
        let e = Error::other(Outer(io::Error::other("no water")));
        assert_eq!(format!("{e:?}"), "could not brew: no water");
    }
}
