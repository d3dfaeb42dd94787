//! A process that was started.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::process::{ExitStatus, Output};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use super::reaper::{Process, Seat};
use super::talk::{End, Talk, read_rest};
use crate::error::{Error, Progress, Result};
use crate::signal::{SIGKILL, SIGTERM, Signal};
use crate::stream::FileStream;
use crate::traps::poll_budget;

/// A process that was started by [`Command::spawn`](super::Command::spawn) (Python Curio: `Popen`).
///
/// Its pipes are fields, so that one task can have the input and another the output: `child.stdin.take()`.
///
/// Dropping it closes the pipes that are still in it. Else nothing becomes of the process, unless
/// [`kill_on_drop`](super::Command::kill_on_drop) was chosen; when it ends, it is reaped.
///
/// ```
/// use curio::subprocess::{Command, Stdio};
///
/// curio::run(async {
///     let mut child = Command::new("sort").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
///     let mut stdin = child.stdin.take().unwrap();
///     stdin.write_lines(["two\n", "three\n", "one\n"]).await?;
///     drop(stdin); // that was all
///     let mut first = String::new();
///     child.stdout.as_mut().unwrap().read_line(&mut first).await?;
///     assert_eq!(first, "one\n");
///     Ok(())
/// })
/// .unwrap();
/// ```
#[derive(Debug)]
pub struct Child {
    /// What is written here, the child reads; dropping it says that this was all. None if it is not piped.
    pub stdin: Option<FileStream>,
    /// What the child writes. None if it is not piped.
    pub stdout: Option<FileStream>,
    /// What the child writes to its standard error. None if it is not piped.
    pub stderr: Option<FileStream>,
    /// C4.
    pub(super) collected: (Vec<u8>, Vec<u8>),
    leash: Leash,
}

/// Kills, when it is dropped, if that was chosen. (Not `Child` itself: its fields could not be moved out then.)
struct Leash {
    process: Arc<Process>,
    kill_on_drop: bool,
}

impl Drop for Leash {
    fn drop(&mut self) {
        if self.kill_on_drop {
            // It fails only if there is nothing to kill.
            let _ = self.process.signal(SIGKILL);
        }
    }
}

impl fmt::Debug for Leash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.process.fmt(f)
    }
}

impl Child {
    pub(super) fn new(process: Arc<Process>, kill_on_drop: bool) -> Child {
        Child {
            stdin: None,
            stdout: None,
            stderr: None,
            collected: Default::default(),
            leash: Leash {
                process,
                kill_on_drop,
            },
        }
    }

    pub(super) fn set_kill_on_drop(&mut self, kill: bool) {
        self.leash.kill_on_drop = kill;
    }

    pub(super) fn seat(&self) -> Seat {
        Seat::new(self.leash.process.clone())
    }

    /// Its number in the system (Python Curio: `pid`). When it has ended, the number may become another's.
    pub fn id(&self) -> u32 {
        self.leash.process.id()
    }

    /// Waits until it has ended (Python Curio: `wait`).
    ///
    /// The child can be used meanwhile, also to wait once more. Its pipes stay as they are: who has its input drops that
    /// first, if the child waits for it (`std` does that by itself), and who does not read its output may wait for ever.
    ///
    /// *Waits* until it has ended, or not at all if it has. *Interrupted* by cancellation and timeouts: nothing becomes of the
    /// child.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if some other part of the program has taken the status.
    ///
    /// ```
    /// use curio::WithTimeout;
    /// use curio::subprocess::Command;
    /// use std::time::Duration;
    ///
    /// curio::run(async {
    ///     let child = Command::new("sleep").arg("1000").spawn()?;
    ///     assert!(child.wait().timeout(Duration::from_millis(1)).await.is_err());
    ///     child.terminate()?;
    ///     assert!(!child.wait().await?.success());
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn wait(&self) -> Wait {
        Wait {
            end: End::new(self.seat(), Location::caller()),
        }
    }

    /// The status if it has ended, or `None` (Python Curio: `poll`). It never waits.
    ///
    /// # Errors
    ///
    /// As for [`wait`](Child::wait).
    ///
    /// ```
    /// use curio::subprocess::Command;
    ///
    /// curio::run(async {
    ///     let child = Command::new("sleep").arg("1000").kill_on_drop(true).spawn()?;
    ///     assert!(child.try_wait()?.is_none());
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn try_wait(&self) -> Result<Option<ExitStatus>> {
        self.leash.process.try_wait()
    }

    /// Ends it at once, by SIGKILL, against which no program can do anything. It never waits: the end comes soon, and
    /// [`wait`](Child::wait) tells. One that has ended already is left alone.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the system refuses, as for programs that run as another user.
    ///
    /// ```
    /// use curio::subprocess::Command;
    /// use std::os::unix::process::ExitStatusExt;
    ///
    /// curio::run(async {
    ///     let child = Command::new("sleep").arg("1000").spawn()?;
    ///     child.kill()?;
    ///     assert_eq!(child.wait().await?.signal(), Some(9));
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn kill(&self) -> Result<()> {
        self.signal(SIGKILL)
    }

    /// Asks it to end, by SIGTERM. It may take its time, or ignore it. As [`kill`](Child::kill) in all else.
    ///
    /// # Errors
    ///
    /// As for [`kill`](Child::kill).
    ///
    /// ```
    /// use curio::subprocess::Command;
    /// use curio::{Result, ignore_after};
    /// use std::time::Duration;
    ///
    /// /// First politely.
    /// async fn stop(child: &curio::subprocess::Child) -> Result<()> {
    ///     child.terminate()?;
    ///     if ignore_after(Duration::from_millis(20), child.wait()).await?.is_none() {
    ///         child.kill()?;
    ///         child.wait().await?;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// curio::run(async {
    ///     stop(&Command::new("sh").args(["-c", "trap '' TERM; while :; do :; done"]).spawn()?).await
    /// })
    /// .unwrap();
    /// ```
    pub fn terminate(&self) -> Result<()> {
        self.signal(SIGTERM)
    }

    /// Sends it a signal (Python Curio: `send_signal`): a constant of [`signal`](crate::signal), or a number. One that has
    /// ended already is left alone.
    ///
    /// # Errors
    ///
    /// As for [`kill`](Child::kill), or if there is no such signal.
    ///
    /// ```
    /// use curio::signal::SIGHUP;
    /// use curio::subprocess::Command;
    /// use std::os::unix::process::ExitStatusExt;
    ///
    /// curio::run(async {
    ///     let child = Command::new("sleep").arg("1000").spawn()?;
    ///     child.signal(SIGHUP)?;
    ///     assert_eq!(child.wait().await?.signal(), Some(1));
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn signal(&self, signal: impl Into<Signal>) -> Result<()> {
        self.leash.process.signal(signal.into())
    }

    /// Sends a signal to the whole process group that it leads: to the child, and to what it has started that is still in the
    /// group.
    ///
    /// # Errors
    ///
    /// As for [`signal`](Child::signal), or if it leads no group; see [`process_group`](super::Command::process_group).
    /// [`Error::Io`] with [`NotFound`](io::ErrorKind::NotFound) if the child has ended: the number by which its group is known
    /// may have become another's.
    ///
    /// ```
    /// use curio::signal::SIGKILL;
    /// use curio::subprocess::Command;
    ///
    /// curio::run(async {
    ///     let mut command = Command::new("sh");
    ///     let child = command.args(["-c", "sleep 1000 & sleep 1000"]).process_group(0).spawn()?;
    ///     child.signal_group(SIGKILL)?; // all three
    ///     child.wait().await.map(drop)
    /// })
    /// .unwrap();
    /// ```
    pub fn signal_group(&self, signal: impl Into<Signal>) -> Result<()> {
        self.leash.process.signal_group(signal.into())
    }

    /// Gives it this input, reads all of its output and errors, and waits until it has ended (Python Curio: `communicate`).
    /// All at once, so that nobody waits for the other. What is not piped is left out. Gives the output and the errors; the
    /// status is there then, for [`wait`](Child::wait).
    ///
    /// There is no limit to what is collected: only for programs that are trusted.
    ///
    /// *Waits* until all who have the pipes have closed them, which may be children of the child, and it has ended.
    /// *Interrupted* by cancellation and timeouts: the error's [`Progress`] has what was read so far, and says how much of the
    /// input was written. Nothing becomes of the child, and one can go on with the rest of the input.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] with [`BrokenPipe`](io::ErrorKind::BrokenPipe) if the child does not read all of its input, and as for
    /// [`wait`](Child::wait). What was read by then comes out of the next call, which is to have no input. [`Error::Io`] with
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if there is input, and no pipe for it.
    ///
    /// ```
    /// use curio::subprocess::{Command, Stdio};
    ///
    /// curio::run(async {
    ///     let mut command = Command::new("sh");
    ///     command.args(["-c", "tr a-z A-Z; echo done >&2"]);
    ///     let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    ///     let (stdout, stderr) = child.communicate(b"hello").await?;
    ///     assert_eq!((&stdout[..], &stderr[..]), (&b"HELLO"[..], &b"done\n"[..]));
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn communicate<'a>(&'a mut self, input: &'a [u8]) -> Communicate<'a> {
        let talk = Talk::new(self, false, Location::caller());
        Communicate {
            child: self,
            input,
            talk,
        }
    }

    /// Reads all of its output and errors, and waits until it has ended. Its input is closed first. What is not piped is left
    /// out.
    ///
    /// *Waits* and is *interrupted* as [`communicate`](Child::communicate); as the child is given away, it is as if it were
    /// dropped then.
    ///
    /// # Errors
    ///
    /// As for [`wait`](Child::wait).
    ///
    /// ```
    /// use curio::subprocess::{Command, Stdio};
    ///
    /// curio::run(async {
    ///     let child = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?;
    ///     let output = child.wait_with_output().await?;
    ///     assert!(output.status.success());
    ///     assert_eq!(output.stdout, b"hello\n");
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn wait_with_output(self) -> WaitWithOutput {
        WaitWithOutput {
            talk: Talk::new(&self, true, Location::caller()),
            child: self,
        }
    }

    /// The interruption, with what was read so far.
    pub(super) fn interrupted(&mut self, error: Error, written: usize) -> Error {
        if !error.is_cancellation() {
            return error;
        }
        let (stdout, stderr) = std::mem::take(&mut self.collected);
        error.after(Progress::new(written, stdout, stderr))
    }

    pub(super) fn read_rest(&mut self) {
        let (stdout, stderr) = &mut self.collected;
        read_rest(&mut self.stdout, stdout);
        read_rest(&mut self.stderr, stderr);
    }

    pub(super) fn output(&mut self, status: ExitStatus) -> Output {
        let (stdout, stderr) = std::mem::take(&mut self.collected);
        Output {
            status,
            stdout,
            stderr,
        }
    }
}

/// The operation of [`Child::wait`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Wait {
    end: End,
}

impl Future for Wait {
    type Output = Result<ExitStatus>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<ExitStatus>> {
        ready!(poll_budget(cx));
        self.end.poll(cx)
    }
}

/// The operation of [`Child::communicate`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Communicate<'a> {
    child: &'a mut Child,
    input: &'a [u8],
    talk: Talk,
}

impl Future for Communicate<'_> {
    type Output = Result<(Vec<u8>, Vec<u8>)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let Communicate { child, input, talk } = &mut *self;
        if child.stdin.is_none() && talk.written < input.len() {
            ready!(poll_budget(cx));
            let message = "there is input for a child, and no pipe for it";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidInput, message).into()));
        }
        Poll::Ready(match ready!(talk.poll(child, input, cx)) {
            Ok(_) => Ok(std::mem::take(&mut child.collected)),
            Err(error) => Err(child.interrupted(error, talk.written)),
        })
    }
}

/// The operation of [`Child::wait_with_output`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct WaitWithOutput {
    child: Child,
    talk: Talk,
}

impl Future for WaitWithOutput {
    type Output = Result<Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<Output>> {
        let WaitWithOutput { child, talk } = &mut *self;
        Poll::Ready(match ready!(talk.poll(child, &[], cx)) {
            Ok(status) => Ok(child.output(status)),
            Err(error) => Err(child.interrupted(error, talk.written)),
        })
    }
}
