//! Starting a program, talking to it and waiting for its end, in one.
//!
//! ```text
//!             spawn              all is said, and it has ended
//!  Command ──────────▶ Talking ─────────────────────────────────▶ the output
//!                         │ interrupted: kill
//!                         ▼            it has ended: read the rest
//!                       Killed ─────────────────────────────────▶ the interruption, with the output
//!                         │ interrupted once more
//!                         └─────────────────────────────────────▶ that interruption, with the output
//! ```

use std::borrow::BorrowMut;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::process::{ExitStatus, Output};
use std::task::{Context as TaskContext, Poll, ready};

use super::child::Child;
use super::command::{Command, Stdio};
use super::talk::{End, Talk};
use crate::error::{Error, Result};
use crate::traps::poll_budget;

/// Starts a program, talks to it and waits for its end (Python Curio: `run`). What the command says to be piped is collected,
/// and all else goes where it says. The command may be owned, as a task of its own wants it, or borrowed.
///
/// The status is not looked at; see [`check`](Run::check).
///
/// There is no limit to what is collected: only for programs that are trusted.
///
/// *Waits* until it has ended, and all who have its pipes have closed them. *Interrupted* by cancellation and timeouts: the
/// program is killed, and it takes as long as that takes; the error's [`Progress`](crate::Progress) has its output so far.
/// Dropped, it kills the program, too.
///
/// # Errors
///
/// As for [`Command::spawn`] and [`Child::wait`].
///
/// ```
/// use curio::subprocess::{Command, Stdio};
/// use curio::{Error, WithTimeout, subprocess};
/// use std::time::Duration;
///
/// curio::run(async {
///     let grep = subprocess::run(Command::new("grep").arg("-c").arg("o").stdout(Stdio::piped()))
///         .input("one\ntwo\nthree\n")
///         .await?;
///     assert!(grep.status.success());
///     assert_eq!(grep.stdout, b"2\n");
///
///     let mut slow = Command::new("sh");
///     slow.args(["-c", "echo T-minus 1000; exec sleep 1000"]).stdout(Stdio::piped());
///     match subprocess::run(slow).timeout(Duration::from_secs(1)).await {
///         Err(Error::Timeout(progress)) => assert_eq!(progress.stdout(), b"T-minus 1000\n"),
///         other => panic!("{other:?}"),
///     }
///     Ok(())
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn run<C: BorrowMut<Command>>(command: C) -> Run<C> {
    Run {
        stage: Stage::New(command),
        input: None,
        check: false,
        program: String::new(),
        place: Location::caller(),
    }
}

/// Starts a program, and gives its output (Python Curio: `check_output`). As [`run()`], but the output is always collected, and
/// a program that ends otherwise than with status 0 is an error.
///
/// *Waits* and is *interrupted* as [`run()`].
///
/// # Errors
///
/// As for [`run()`], and [`CalledProcessError`].
///
/// ```
/// use curio::subprocess::{Command, check_output};
///
/// curio::run(async {
///     let upper = check_output(Command::new("tr").args(["a-z", "A-Z"])).input("hello").await?;
///     assert_eq!(upper, b"HELLO");
///     Ok(())
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn check_output<C: BorrowMut<Command>>(mut command: C) -> CheckOutput<C> {
    command.borrow_mut().stdout(Stdio::piped());
    CheckOutput {
        run: run(command).check(),
    }
}

/// The operation of [`run()`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Run<C> {
    stage: Stage<C>,
    input: Option<Vec<u8>>,
    check: bool,
    program: String,
    place: &'static Location<'static>,
}

#[derive(Debug)]
enum Stage<C> {
    New(C),
    Talking(Child, Talk),
    Killed {
        child: Child,
        end: End,
        error: Error,
        written: usize,
    },
    Over,
}

/// The command is not pinned.
impl<C> Unpin for Run<C> {}

impl<C> Run<C> {
    /// What the program reads. One that does not read all of it is not at fault.
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Run<C> {
        self.input = Some(input.into());
        self
    }

    /// Makes it an error if the program ends otherwise than with status 0 (Python Curio: `check=True`).
    ///
    /// ```
    /// use curio::subprocess::{CalledProcessError, Command};
    /// use curio::{Error, subprocess};
    ///
    /// curio::run(async {
    ///     let Err(Error::Other(error)) = subprocess::run(Command::new("false")).check().await else {
    ///         panic!("it always fails")
    ///     };
    ///     let error = error.get_ref().downcast_ref::<CalledProcessError>().unwrap();
    ///     assert_eq!(error.status().code(), Some(1));
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn check(mut self) -> Run<C> {
        self.check = true;
        self
    }

    fn finish(&mut self, output: Output) -> Result<Output> {
        if self.check && !output.status.success() {
            return Err(Error::other(CalledProcessError {
                program: std::mem::take(&mut self.program),
                output,
            }));
        }
        Ok(output)
    }
}

impl<C: BorrowMut<Command>> Run<C> {
    fn start(&mut self, mut command: C) -> Result<Stage<C>> {
        let command = command.borrow_mut();
        if self.input.is_some() {
            command.stdin(Stdio::piped());
        }
        let mut child = command.spawn()?;
        child.set_kill_on_drop(true);
        self.program = command.program();
        let talk = Talk::new(&child, true, self.place);
        Ok(Stage::Talking(child, talk))
    }
}

impl<C: BorrowMut<Command>> Future for Run<C> {
    type Output = Result<Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<Output>> {
        let this = &mut *self;
        if matches!(this.stage, Stage::New(_)) {
            ready!(poll_budget(cx));
        }
        loop {
            this.stage = match std::mem::replace(&mut this.stage, Stage::Over) {
                Stage::New(command) => this.start(command)?,
                Stage::Talking(mut child, mut talk) => {
                    let input = this.input.as_deref().unwrap_or_default();
                    match talk.poll(&mut child, input, cx) {
                        Poll::Ready(Ok(status)) => {
                            let output = child.output(status);
                            return Poll::Ready(this.finish(output));
                        }
                        Poll::Ready(Err(error)) if error.is_cancellation() && child.kill().is_ok() => {
                            Stage::Killed {
                                end: End::new(child.seat(), this.place),
                                child,
                                error,
                                written: talk.written,
                            }
                        }
                        // Dropping the child kills it, if it can be.
                        Poll::Ready(Err(error)) => {
                            return Poll::Ready(Err(child.interrupted(error, talk.written)));
                        }
                        Poll::Pending => {
                            this.stage = Stage::Talking(child, talk);
                            return Poll::Pending;
                        }
                    }
                }
                Stage::Killed {
                    mut child,
                    mut end,
                    error,
                    written,
                } => {
                    let ended = end.poll(cx);
                    if ended.is_pending() {
                        this.stage = Stage::Killed {
                            child,
                            end,
                            error,
                            written,
                        };
                        return Poll::Pending;
                    }
                    child.read_rest();
                    // An interruption that comes on top of the first is from further out.
                    let error = match ended {
                        Poll::Ready(Err(again)) if again.is_cancellation() => again,
                        _ => error,
                    };
                    return Poll::Ready(Err(child.interrupted(error, written)));
                }
                Stage::Over => panic!("a Run was polled after it had completed"),
            };
        }
    }
}

/// The operation of [`check_output()`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct CheckOutput<C> {
    run: Run<C>,
}

impl<C> CheckOutput<C> {
    /// What the program reads. One that does not read all of it is not at fault.
    pub fn input(self, input: impl Into<Vec<u8>>) -> CheckOutput<C> {
        CheckOutput {
            run: self.run.input(input),
        }
    }
}

impl<C: BorrowMut<Command>> Future for CheckOutput<C> {
    type Output = Result<Vec<u8>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<Vec<u8>>> {
        let output = ready!(Pin::new(&mut self.run).poll(cx));
        Poll::Ready(output.map(|output| output.stdout))
    }
}

/// A program has ended otherwise than with status 0. It is inside of an [`Error::Other`].
///
/// ```
/// use curio::Error;
/// use curio::subprocess::{CalledProcessError, Command, Stdio, check_output};
///
/// curio::run(async {
///     let mut command = Command::new("sh");
///     command.args(["-c", "echo half; echo no coffee left >&2; exit 3"]).stderr(Stdio::piped());
///     let Err(Error::Other(error)) = check_output(command).await else { panic!("it fails") };
///     assert_eq!(error.get_ref().to_string(), "sh failed (exit status: 3): no coffee left");
///     let error = error.get_ref().downcast_ref::<CalledProcessError>().unwrap();
///     assert_eq!(error.status().code(), Some(3));
///     assert_eq!(error.stdout(), b"half\n");
///     Ok(())
/// })
/// .unwrap();
/// ```
#[derive(Debug)]
pub struct CalledProcessError {
    program: String,
    output: Output,
}

impl CalledProcessError {
    /// How it has ended (Python Curio: `returncode`).
    pub fn status(&self) -> ExitStatus {
        self.output.status
    }

    /// Its output, if that was collected.
    pub fn stdout(&self) -> &[u8] {
        &self.output.stdout
    }

    /// Its errors, if those were collected.
    pub fn stderr(&self) -> &[u8] {
        &self.output.stderr
    }
}

/// The program, its status, and the last line of its errors.
impl fmt::Display for CalledProcessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed ({})", self.program, self.output.status)?;
        let errors = self.output.stderr.trim_ascii_end();
        match errors.rsplit(|byte| *byte == b'\n').next() {
            None | Some([]) => Ok(()),
            Some(last) => write!(f, ": {}", String::from_utf8_lossy(last)),
        }
    }
}

impl std::error::Error for CalledProcessError {}
