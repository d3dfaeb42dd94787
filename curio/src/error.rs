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

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::panic::Location;
use std::sync::Arc;

use crate::activation::Ending;
use crate::contain::log;
use crate::name::Name;

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

/// How far an interrupted operation had got.
///
/// Only operations of several steps make progress: `write_all` counts the bytes that the system took, `read_exact` those
/// already in the buffer. A single-step operation that was interrupted has had no effect.
///
/// ```
/// assert_eq!(curio::Progress::default().bytes(), 0);
/// ```
#[derive(Default)]
pub struct Progress(Option<Box<Made>>);

/// There only if it is not all empty, and in a box, because an error is to stay small (E1).
#[derive(Default)]
struct Made {
    bytes: usize,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Progress {
    /// The bytes that were transferred before the interruption. Where a child process is talked to: those that it was
    /// given.
    pub fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |made| made.bytes)
    }

    /// What a child process had written to its standard output before the interruption (Python Curio: `e.stdout`), where its
    /// output was being collected.
    pub fn stdout(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |made| &made.stdout)
    }

    /// The same of its standard error (Python Curio: `e.stderr`).
    pub fn stderr(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |made| &made.stderr)
    }

    pub(crate) fn of_bytes(bytes: usize) -> Progress {
        Progress::new(bytes, Vec::new(), Vec::new())
    }

    pub(crate) fn new(bytes: usize, stdout: Vec<u8>, stderr: Vec<u8>) -> Progress {
        let none = bytes == 0 && stdout.is_empty() && stderr.is_empty();
        Progress((!none).then(|| {
            Box::new(Made {
                bytes,
                stdout,
                stderr,
            })
        }))
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Progress({} bytes", self.bytes())?;
        match self.stdout().len() + self.stderr().len() {
            0 => write!(f, ")"),
            n => write!(f, ", {n} bytes of output)"),
        }
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |n| if n == 1 { "" } else { "s" };
        match (self.bytes(), self.stdout().len() + self.stderr().len()) {
            (0, 0) => Ok(()),
            (n, 0) => write!(f, " (after {n} byte{})", plural(n)),
            (0, out) => write!(f, " (after {out} byte{} of output)", plural(out)),
            (n, out) => write!(f, " (after {n} byte{} in, {out} out)", plural(n)),
        }
    }
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

/// An error of somebody else's making; see [`Error::other`].
pub struct Other(Box<Box<dyn StdError + Send + Sync>>);

impl Other {
    /// The error itself, to look at or to downcast.
    pub fn get_ref(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &**self.0
    }

    /// The error itself, taken out.
    pub fn into_inner(self) -> Box<dyn StdError + Send + Sync> {
        *self.0
    }
}

impl fmt::Debug for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
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

    /// Wraps any other error, for `map_err(Error::other)?`. A `curio::Error` inside it is recovered, so an interruption
    /// that travelled through another error type is an interruption again.
    ///
    /// ```
    /// use curio::Error;
    /// let e = Error::other("no coffee left");
    /// assert_eq!(e.to_string(), "no coffee left");
    /// ```
    pub fn other(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        let error = error.into();
        match error.downcast::<Error>() {
            Ok(own) => *own,
            Err(error) => match error.downcast::<io::Error>() {
                Ok(io) => Error::from(*io),
                Err(error) => Error::Other(Other(Box::new(error))),
            },
        }
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
        matches!(self, Error::Cancelled(Progress(None)))
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
            Error::Other(e) => write!(f, "{}", e.0),
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

/// An interruption that an adapter wrapped is recovered (E2). A timeout of the operating system stays [`Error::Io`].
impl From<io::Error> for Error {
    fn from(e: io::Error) -> Error {
        match e.downcast::<Error>() {
            Ok(own) => own,
            Err(e) => Error::Io(e),
        }
    }
}

/// Timeouts become [`io::ErrorKind::TimedOut`], everything else `Other`; the conversion back restores the error (E2, E3).
impl From<Error> for io::Error {
    fn from(e: Error) -> io::Error {
        match e {
            Error::Io(e) => e,
            Error::Timeout(_) | Error::TimeoutCancellation(_) | Error::UncaughtTimeout => {
                io::Error::new(io::ErrorKind::TimedOut, e)
            }
            e => io::Error::other(e),
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
    fn interruptions_survive_io_errors() {
        for (error, kind) in [
            (Error::cancelled(), io::ErrorKind::Other),
            (Error::Timeout(Progress::of_bytes(7)), io::ErrorKind::TimedOut),
            (
                Error::TimeoutCancellation(Progress::default()),
                io::ErrorKind::TimedOut,
            ),
        ] {
            let text = error.to_string();
            let io = io::Error::from(error);
            assert_eq!(io.kind(), kind);
            let back = Error::from(io);
            assert!(back.is_cancellation());
            assert_eq!(back.to_string(), text);
            let again = Error::other(io::Error::from(back));
            assert_eq!(again.to_string(), text);
        }
    }

    #[test]
    fn a_timeout_of_the_system_is_not_ours() {
        let e = Error::from(io::Error::from(io::ErrorKind::TimedOut));
        assert!(matches!(e, Error::Io(_)));
        assert!(!e.is_cancellation());
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
