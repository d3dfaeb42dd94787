//! Programs that a test starts: they end with the test at the latest, and no test waits for them for ever.

use std::env;
#[cfg(target_os = "linux")]
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
#[cfg(target_os = "linux")]
use std::sync::OnceLock;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// No answer of a program takes longer, even on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// A program that runs, and is killed when this is dropped.
pub(crate) struct Running {
    command: String,
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

/// What is left of a program.
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The command that runs an example of this package.
pub(crate) fn example(name: &str) -> Command {
    // Tests are in `deps`, examples in `examples` beside it. Cargo has no variable that says so.
    let test = env::current_exe().expect("this program has a path");
    let folder = test
        .ancestors()
        .nth(2)
        .expect("a folder around `deps`")
        .join("examples");
    let program: PathBuf = folder.join(format!("{name}{}", env::consts::EXE_SUFFIX));
    assert!(
        program.exists(),
        "{} is not built: `cargo test -p examples` does, but with `--test` it does not",
        program.display()
    );
    Command::new(program)
}

/// Whether the example is built with the features of this test program.
pub(crate) fn is_enabled(example: &str) -> bool {
    let with_a_feature = [
        ("kid_tokio", cfg!(feature = "tokio")),
        ("fib_processes", cfg!(all(unix, feature = "process"))),
        ("kid_processes", cfg!(all(unix, feature = "process"))),
        ("tls_echo", cfg!(feature = "tls")),
        ("tls_client", cfg!(feature = "tls")),
        ("http_service", cfg!(feature = "hyper")),
        ("channel_producer", cfg!(feature = "channel")),
        ("channel_consumer", cfg!(feature = "channel")),
    ];
    let found = with_a_feature.iter().find(|(name, _)| *name == example);
    found.is_none_or(|(_, is_enabled)| *is_enabled)
}

/// Whether there is a netcat that knows `-N`. (If not, who calls this skips its test.)
pub(crate) fn has_netcat() -> bool {
    let help = Command::new("nc").arg("-h").stdin(Stdio::null()).output();
    let is_known = |output: &[u8]| String::from_utf8_lossy(output).contains("OpenBSD");
    let known = help.is_ok_and(|help| is_known(&help.stdout) || is_known(&help.stderr));
    if !known {
        eprintln!("skipped: `nc` is not installed, or not the one of OpenBSD");
    }
    known
}

/// Lets programs that are started from now on have their signals as in a terminal. A shell without jobs ignores SIGINT and
/// SIGQUIT for what it starts in the background, `nohup` ignores SIGHUP, and that is inherited; but where this program catches
/// a signal, one that it starts begins with what the system does with it.
#[cfg(target_os = "linux")]
fn hear_signals() {
    use curio::SignalQueue;
    use curio::signal::{SIGHUP, SIGINT, SIGQUIT};

    static CAUGHT: OnceLock<Option<SignalQueue>> = OnceLock::new();
    CAUGHT.get_or_init(|| {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let ignored = ignored.and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
        let ignored = ignored.unwrap_or_default();
        let mut signals = vec![SIGHUP, SIGINT, SIGQUIT];
        // Ctrl-C ends the tests, unless it would not anyway.
        signals.retain(|signal| ignored & (1 << (signal.number() - 1)) != 0);
        (!signals.is_empty()).then(|| SignalQueue::new(signals).expect("they can be caught"))
    });
}

#[cfg(not(target_os = "linux"))]
fn hear_signals() {}

impl Running {
    /// Starts a program that reads nothing.
    pub(crate) fn start(command: &mut Command) -> Running {
        Running::spawn(command.stdin(Stdio::null()))
    }

    /// Starts a program that reads what the test writes.
    pub(crate) fn start_with_input(command: &mut Command) -> (Running, ChildStdin) {
        let mut running = Running::spawn(command.stdin(Stdio::piped()));
        let stdin = running.child.stdin.take().expect("it is piped");
        (running, stdin)
    }

    fn spawn(command: &mut Command) -> Running {
        hear_signals();
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let stdout = child.stdout.take().expect("it is piped");
        let stderr = child.stderr.take().expect("it is piped");
        Running {
            command: format!("{command:?}"),
            child,
            stdout: lines(stdout),
            stderr: lines(stderr),
        }
    }

    /// Sends it a signal, as from another terminal.
    #[cfg(unix)]
    pub(crate) fn kill(&self, signal: &str) {
        let id = self.child.id().to_string();
        let kill = Command::new("kill").args(["-s", signal, &id]).status();
        assert!(kill.expect("`kill` is there").success());
    }

    /// The number of its process.
    #[cfg(unix)]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it is still there.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("it is ours").is_none()
    }

    /// The next line that it prints, without its end.
    pub(crate) fn line(&self) -> String {
        self.next_of(&self.stdout).trim_end_matches('\n').to_string()
    }

    /// The next line of its errors, without its end.
    pub(crate) fn error(&self) -> String {
        self.next_of(&self.stderr).trim_end_matches('\n').to_string()
    }

    fn next_of(&self, lines: &Receiver<String>) -> String {
        lines
            .recv_timeout(LIMIT)
            .unwrap_or_else(|error| panic!("{} prints no further line: {error}", self.command))
    }

    /// Waits until it ends by itself, for so long at most.
    pub(crate) fn finish_within(mut self, limit: Duration) -> Finished {
        let deadline = Instant::now() + limit;
        let stdout = self.rest(&self.stdout, deadline);
        let stderr = self.rest(&self.stderr, deadline);
        // It has closed its outputs, which is nearly always because it has ended.
        let status = loop {
            match self.child.try_wait().expect("it is ours") {
                Some(status) => break status,
                None if Instant::now() > deadline => panic!("{} does not end", self.command),
                None => thread::sleep(Duration::from_millis(5)),
            }
        };
        Finished {
            status,
            stdout,
            stderr,
        }
    }

    /// Waits until it ends by itself.
    pub(crate) fn finish(self) -> Finished {
        self.finish_within(LIMIT)
    }

    fn rest(&self, lines: &Receiver<String>, deadline: Instant) -> String {
        let mut text = String::new();
        loop {
            match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => text.push_str(&line),
                Err(RecvTimeoutError::Disconnected) => return text,
                Err(RecvTimeoutError::Timeout) => panic!("{} does not end; so far: {text}", self.command),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail if it has ended, and that is all that is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of an output, each with its end.
fn lines(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        loop {
            let mut line = String::new();
            match output.read_line(&mut line) {
                Ok(1..) if sender.send(line).is_ok() => {}
                _ => return,
            }
        }
    });
    receiver
}
