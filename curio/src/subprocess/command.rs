//! What to start, and how.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter};
use std::mem;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process;

use super::child::Child;
use super::reaper::{Pipes, Process};
use crate::context;
use crate::error::{Error, Result};
use crate::stream::FileStream;

/// What one of the three standard streams of a child is.
///
/// ```
/// use curio::subprocess::{Command, Stdio, check_output};
///
/// curio::run(async {
///     let both = check_output(Command::new("sh").args(["-c", "echo one; echo two >&2"]).stderr(Stdio::stdout())).await?;
///     assert_eq!(both, b"one\ntwo\n");
///     Ok(())
/// })
/// .unwrap();
/// ```
#[derive(Debug)]
pub struct Stdio(Kind);

#[derive(Debug)]
enum Kind {
    Inherit,
    Null,
    Piped,
    /// Where the standard output goes.
    Stdout,
    File(OwnedFd),
    /// It was meant to be a stream.
    Broken(Error),
    /// It was a file, which another child has got.
    Given,
}

impl Stdio {
    /// A new pipe, of which we have the other end (Python Curio: `PIPE`).
    pub fn piped() -> Stdio {
        Stdio(Kind::Piped)
    }

    /// The one that this program has.
    pub fn inherit() -> Stdio {
        Stdio(Kind::Inherit)
    }

    /// Nothing: no input, and no place for output (Python Curio: `DEVNULL`).
    pub fn null() -> Stdio {
        Stdio(Kind::Null)
    }

    /// For the standard error: where the standard output goes (Python Curio: `STDOUT`).
    pub fn stdout() -> Stdio {
        Stdio(Kind::Stdout)
    }
}

/// The other end of a child's pipe, or any other stream over a descriptor: it leaves the kernel, and blocks again. If that
/// fails, or something is in its buffer that the child would not see, [`Command::spawn`] says so.
impl From<FileStream> for Stdio {
    fn from(stream: FileStream) -> Stdio {
        let kind = match stream.buffered().len() {
            0 => match stream.into_inner().into_file() {
                Ok(file) => Kind::File(file.into()),
                Err(error) => Kind::Broken(error),
            },
            n => Kind::Broken(invalid(format!(
                "{n} bytes of the stream were read and are in its buffer"
            ))),
        };
        Stdio(kind)
    }
}

macro_rules! files {
    ($($file:ty)+) => {
        $(impl From<$file> for Stdio {
            fn from(file: $file) -> Stdio {
                Stdio(Kind::File(file.into()))
            }
        })+
    };
}

files! { OwnedFd File PipeReader PipeWriter process::ChildStdin process::ChildStdout process::ChildStderr }

fn invalid(message: String) -> Error {
    Error::Io(io::Error::new(io::ErrorKind::InvalidInput, message))
}

/// A program that is to be started, and how: that of `std`, for children that tasks can wait for (Python Curio: the arguments
/// of `Popen`).
///
/// What is not said is inherited: arguments none, everything else from this program.
///
/// ```
/// use curio::subprocess::{Command, Stdio};
///
/// curio::run(async {
///     let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
///     let (stdout, _) = child.communicate(b"hello").await?;
///     assert_eq!(stdout, b"hello");
///     assert!(child.wait().await?.success());
///     Ok(())
/// })
/// .unwrap();
/// ```
pub struct Command {
    command: process::Command,
    stdin: Stdio,
    stdout: Stdio,
    stderr: Stdio,
    kill_on_drop: bool,
}

impl Command {
    /// A command that starts this program. If it has no slash in it, it is looked for in the folders of `PATH`.
    pub fn new(program: impl AsRef<OsStr>) -> Command {
        process::Command::new(program).into()
    }

    /// Adds an argument. It is one argument whatever it contains: there is no shell in between.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Command {
        self.command.arg(arg);
        self
    }

    /// Adds arguments.
    pub fn args(&mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Command {
        self.command.args(args);
        self
    }

    /// Sets a variable of the child's environment.
    ///
    /// ```
    /// use curio::subprocess::{Command, check_output};
    ///
    /// curio::run(async {
    ///     let mut command = Command::new("sh");
    ///     command.args(["-c", "echo $GREETING"]).env("GREETING", "hello");
    ///     assert_eq!(check_output(command).await?, b"hello\n");
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn env(&mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Command {
        self.command.env(key, value);
        self
    }

    /// Sets variables of the child's environment.
    pub fn envs<K: AsRef<OsStr>, V: AsRef<OsStr>>(
        &mut self,
        vars: impl IntoIterator<Item = (K, V)>,
    ) -> &mut Command {
        self.command.envs(vars);
        self
    }

    /// Takes a variable out of the child's environment.
    pub fn env_remove(&mut self, key: impl AsRef<OsStr>) -> &mut Command {
        self.command.env_remove(key);
        self
    }

    /// The child has no variables but those that are set from now on.
    pub fn env_clear(&mut self) -> &mut Command {
        self.command.env_clear();
        self
    }

    /// The folder in which the child starts.
    pub fn current_dir(&mut self, dir: impl AsRef<Path>) -> &mut Command {
        self.command.current_dir(dir);
        self
    }

    /// What the child reads. A file or stream goes to one child; for a second one, say it again.
    pub fn stdin(&mut self, stdin: impl Into<Stdio>) -> &mut Command {
        self.stdin = stdin.into();
        self
    }

    /// Where the child's output goes. As for [`stdin`](Command::stdin).
    pub fn stdout(&mut self, stdout: impl Into<Stdio>) -> &mut Command {
        self.stdout = stdout.into();
        self
    }

    /// Where the child's errors go. As for [`stdin`](Command::stdin).
    pub fn stderr(&mut self, stderr: impl Into<Stdio>) -> &mut Command {
        self.stderr = stderr.into();
        self
    }

    /// The process group of the child: 0 for a new one that it leads.
    ///
    /// A new one gets no Ctrl-C from the terminal, and can be ended with all that the child has started; see
    /// [`signal_group`](Child::signal_group).
    pub fn process_group(&mut self, group: i32) -> &mut Command {
        self.command.process_group(group);
        self
    }

    /// Whether the child is killed when its [`Child`] is dropped. If nothing is said, it lives on.
    ///
    /// ```
    /// use curio::subprocess::Command;
    ///
    /// curio::run(async {
    ///     let child = Command::new("sleep").arg("1000").kill_on_drop(true).spawn()?;
    ///     drop(child); // it is killed, and reaped as all are
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn kill_on_drop(&mut self, kill: bool) -> &mut Command {
        self.kill_on_drop = kill;
        self
    }

    /// The program, as it was given.
    pub(super) fn program(&self) -> String {
        self.command.get_program().to_string_lossy().into_owned()
    }

    /// Starts the program (Python Curio: `Popen`). It does not wait, and is no interruption point; the system call takes as
    /// long as the system takes to start a program.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it cannot be started: there is no such program ([`NotFound`](io::ErrorKind::NotFound)), it may not be
    /// executed, there are no descriptors left. Nothing runs then. [`Error::NoKernel`] outside of a task.
    ///
    /// See [`Command`] for an example.
    #[track_caller]
    pub fn spawn(&mut self) -> Result<Child> {
        // Before anything is started: its pipes belong to a kernel.
        context::with_task(|_, _| Ok(()))?;
        let started = self.set_streams().and_then(|stdout| {
            let (process, pipes) = Process::spawn(|| self.command.spawn())?;
            Ok((process, pipes, stdout))
        });
        // A pipe whose other end is kept here never ends.
        self.command
            .stdin(process::Stdio::null())
            .stdout(process::Stdio::null())
            .stderr(process::Stdio::null());
        let (
            process,
            Pipes {
                stdin,
                stdout,
                stderr,
            },
            merged,
        ) = started.map_err(|error| self.failed(error))?;
        // From here on, whatever fails ends it (C5).
        let mut child = Child::new(process, true);
        child.stdin = stdin.map(FileStream::open).transpose()?;
        child.stdout = match merged {
            Some(merged) => Some(FileStream::open(merged)?),
            None => stdout.map(FileStream::open).transpose()?,
        };
        child.stderr = stderr.map(FileStream::open).transpose()?;
        child.set_kill_on_drop(self.kill_on_drop);
        Ok(child)
    }

    /// Tells the command of `std` about the streams. Our end of the pipe, if output and errors share one.
    fn set_streams(&mut self) -> Result<Option<PipeReader>> {
        let stdin = self.stdin.take("input")?;
        let mut stdout = self.stdout.take("output")?;
        let stderr = self.stderr.take("error")?;
        let mut merged = None;
        let stderr = match (stderr, &mut stdout) {
            (Kind::Stdout, stdout @ Kind::Piped) => {
                let (reader, writer) = io::pipe()?;
                let stderr = writer.try_clone()?;
                *stdout = Kind::File(writer.into());
                merged = Some(reader);
                Kind::File(stderr.into())
            }
            (Kind::Stdout, Kind::File(file)) => Kind::File(file.try_clone()?),
            (Kind::Stdout, Kind::Null) => Kind::Null,
            (Kind::Stdout, _) => Kind::File(io::stdout().as_fd().try_clone_to_owned()?),
            (stderr, _) => stderr,
        };
        self.command
            .stdin(stdin.into_std())
            .stdout(stdout.into_std())
            .stderr(stderr.into_std());
        Ok(merged)
    }

    #[cold]
    fn failed(&self, error: Error) -> Error {
        let Error::Io(error) = error else { return error };
        let message = format!("cannot start {}: {error}", self.program());
        Error::Io(io::Error::new(error.kind(), message))
    }
}

impl Stdio {
    /// What is to be given to the next child.
    fn take(&mut self, name: &str) -> Result<Kind> {
        let again = match &self.0 {
            Kind::Inherit => Kind::Inherit,
            Kind::Null => Kind::Null,
            Kind::Piped => Kind::Piped,
            Kind::Stdout => Kind::Stdout,
            Kind::File(_) | Kind::Broken(_) | Kind::Given => Kind::Given,
        };
        match mem::replace(&mut self.0, again) {
            Kind::Broken(error) => Err(error),
            Kind::Given => Err(invalid(format!(
                "an earlier start has used up its standard {name}"
            ))),
            kind => Ok(kind),
        }
    }
}

impl Kind {
    fn into_std(self) -> process::Stdio {
        match self {
            Kind::Null => process::Stdio::null(),
            Kind::Piped => process::Stdio::piped(),
            Kind::File(file) => file.into(),
            // The others were dealt with, or mean nothing here.
            _ => process::Stdio::inherit(),
        }
    }
}

/// For what is only there: the user, `arg0`, code that runs before the program does. What it says about the three standard
/// streams is forgotten.
impl From<process::Command> for Command {
    fn from(command: process::Command) -> Command {
        Command {
            command,
            stdin: Stdio::inherit(),
            stdout: Stdio::inherit(),
            stderr: Stdio::inherit(),
            kill_on_drop: false,
        }
    }
}

/// The program and its arguments.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.command, f)
    }
}
