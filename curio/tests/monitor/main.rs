//! The monitor, and those who mean it harm. Each test has the process to itself, as most count what is open in it.

#![cfg(all(unix, feature = "monitor"))]

mod answers;
mod busy;
#[path = "../common/mod.rs"]
mod common;
mod doors;
mod effects;
mod harm;
#[path = "../common/trace_checker.rs"]
mod trace_checker;
mod waits;

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use common::Watchdog;
use curio::monitor::Monitor;
use curio::{
    BoundedSemaphore, Clock, Error, Event, Kernel, Lock, Queue, RLock, Result, Semaphore, TaskGroup, sleep,
    spawn, task, timeout_after, yield_now,
};
use serde_json::Value;

const PROMPT: &str = "curio > ";

/// A place of its own for a test, which has the process to itself meanwhile.
struct Place {
    directory: PathBuf,
    _alone: MutexGuard<'static, ()>,
    _watchdog: Watchdog,
}

impl Place {
    fn new() -> Place {
        static ALONE: Mutex<()> = Mutex::new(());
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("curio-monitor-{}-{count}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        Place {
            directory,
            _alone: alone,
            _watchdog: Watchdog::start(),
        }
    }

    fn socket(&self) -> PathBuf {
        self.directory.join("kernel.sock")
    }

    fn monitor(&self) -> Monitor {
        Monitor::new().socket(self.socket())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A program in a thread of its own, that runs until it is told to end.
struct Program {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Program {
    /// Runs this main task, which should look whether it is to end.
    fn start<F>(monitor: Monitor, main: impl FnOnce(Arc<AtomicBool>) -> F + Send + 'static) -> Program
    where
        F: Future<Output = Result<()>>,
    {
        let end = Arc::new(AtomicBool::new(false));
        let (started, starts) = std::sync::mpsc::channel();
        let thread = thread::spawn({
            let end = end.clone();
            move || {
                // On a slow machine, the end of very many tasks takes its time.
                let builder = Kernel::builder().shutdown_timeout(Duration::MAX);
                let kernel = builder.monitor(monitor).build().unwrap();
                kernel
                    .run(async {
                        started.send(()).unwrap();
                        main(end).await
                    })
                    .unwrap();
            }
        });
        starts.recv().unwrap();
        Program {
            end,
            thread: Some(thread),
        }
    }

    /// A parent that joins a kid who sleeps.
    fn hanging(monitor: Monitor) -> Program {
        Program::start(monitor, |end| async move {
            let kid = task(sleep(Duration::from_secs(1000))).name("kid").spawn();
            task(async move { kid.wait().await }).name("parent").spawn();
            until(&end).await
        })
    }

    fn finish(mut self) {
        self.end.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
    }
}

async fn until(end: &AtomicBool) -> Result<()> {
    while !end.load(Ordering::Relaxed) {
        sleep(Duration::from_millis(2)).await?;
    }
    Ok(())
}

/// One who looks.
struct Client<S> {
    stream: S,
    banner: String,
}

type Local = Client<UnixStream>;

impl Local {
    fn connect(path: &Path) -> Local {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(300))).unwrap();
        Client::new(stream)
    }
}

impl<S: Read + Write> Client<S> {
    fn new(stream: S) -> Client<S> {
        let mut client = Client {
            stream,
            banner: String::new(),
        };
        client.banner = client.answer();
        client
    }

    /// What comes until the next prompt, or the end.
    fn answer(&mut self) -> String {
        let mut said = Vec::new();
        let mut bytes = [0; 65536];
        loop {
            if said.ends_with(PROMPT.as_bytes()) {
                said.truncate(said.len() - PROMPT.len());
                return String::from_utf8(said).unwrap();
            }
            match self.stream.read(&mut bytes) {
                Ok(n) if n > 0 => said.extend(&bytes[..n]),
                // A signal for the program may come to this thread, and ends a read that has a time limit.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                _ => return format!("{}<end>", String::from_utf8_lossy(&said)),
            }
        }
    }

    fn say(&mut self, line: &str) {
        self.stream.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn ask(&mut self, line: &str) -> String {
        self.say(line);
        self.answer()
    }

    /// Asks what the kernel answers itself, which has not run yet on a machine that is busy enough.
    fn ask_kernel(&mut self, line: &str) -> String {
        self.ask_until(line, |answer| {
            !answer.contains("The kernel is busy") && !answer.contains("The kernel does not run")
        })
    }

    /// Asks until the answer will do.
    fn ask_until(&mut self, line: &str, enough: impl Fn(&str) -> bool) -> String {
        loop {
            let answer = self.ask(line);
            if enough(&answer) {
                return answer;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

/// The cells of the row of this task.
fn row<'a>(table: &'a str, name: &str) -> Vec<&'a str> {
    find_row(table, name).unwrap_or_else(|| panic!("{name} is not in\n{table}"))
}

fn find_row<'a>(table: &'a str, name: &str) -> Option<Vec<&'a str>> {
    let rows = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|cells| cells.len() > 5)
        .find(|cells| cells[5] == name)
}

/// Whether this task is there, in this state.
fn is(table: &str, name: &str, state: &str) -> bool {
    find_row(table, name).is_some_and(|cells| cells[1] == state)
}

fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// How many threads there are that the library has started.
fn threads() -> usize {
    let name = |task: std::io::Result<fs::DirEntry>| fs::read_to_string(task.ok()?.path().join("comm")).ok();
    let all = fs::read_dir("/proc/self/task").into_iter().flatten();
    all.filter_map(name)
        .filter(|name| name.starts_with("curio-"))
        .count()
}

/// Waits until there are as many again.
#[track_caller]
fn returns_to(before: usize, count: fn() -> usize) {
    let start = Instant::now();
    while count() > before {
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "{} > {before}",
            count()
        );
        thread::sleep(Duration::from_millis(5));
    }
}
