//! The monitor, and those who mean it harm. Each test has the process to itself, as most count what is open in it.

#![cfg(all(unix, feature = "monitor"))]

mod common;
#[path = "common/trace_checker.rs"]
mod trace_checker;

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
                let kernel = Kernel::builder().monitor(monitor).build().unwrap();
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
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
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
    let rows = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|cells| cells.len() > 5)
        .find(|cells| cells[5] == name)
        .unwrap_or_else(|| panic!("{name} is not in\n{table}"))
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

/// For how long this thread has worked so far. (Wall time is of no use: others use the machine, too.)
fn worked() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Waits until there are as many again.
#[track_caller]
fn returns_to(before: usize, count: fn() -> usize) {
    let start = Instant::now();
    while count() > before {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{} > {before}",
            count()
        );
        thread::sleep(Duration::from_millis(5));
    }
}

// ---- What it says

#[test]
fn the_table_is_pythons_with_the_place() {
    let place = Place::new();
    let program = Program::hanging(place.monitor());
    let mut client = Local::connect(&place.socket());
    let table = client.ask_until("ps", |table| table.contains("TASK_JOIN"));
    let mut lines = table.lines();
    assert!(
        lines
            .next()
            .unwrap()
            .starts_with("Task   State        Cycles     Timeout Sleep   Task   ")
    );
    let dashes =
        "------ ------------ ---------- ------- ------- --------------------------------------------------";
    assert!(lines.next().unwrap().starts_with(dashes));
    assert_eq!(lines.clone().count(), 5);
    assert_eq!(row(&table, "kernel")[..2], ["1", "READ_WAIT"]);
    assert_eq!(row(&table, "monitor")[..2], ["2", "FUTURE_WAIT"]);
    let parent = row(&table, "parent");
    assert_eq!(parent[1..5], ["TASK_JOIN", "1", "None", "None"]);
    let kid = row(&table, "kid");
    assert_eq!(kid[1..4], ["TIME_SLEEP", "1", "None"]);
    assert_eq!(kid[4].len(), 7);
    assert!(kid[4].starts_with("99"), "{kid:?}");
    assert!(parent[6].starts_with("curio/tests/monitor.rs:"), "{parent:?}");
    let line = lines.find(|line| line.contains("kid")).unwrap();
    assert_eq!(&line[47..50], "kid");
    let banner = Local::connect(&place.socket()).banner;
    assert_eq!(
        banner,
        "\nCurio Monitor: 5 tasks running\nType help for commands\n"
    );
    program.finish();
}

#[test]
fn one_task_can_be_looked_at_and_cancelled() {
    let place = Place::new();
    let program = Program::hanging(place.monitor());
    let mut client = Local::connect(&place.socket());
    let table = client.ask_until("ps", |table| table.contains("TASK_JOIN"));
    let (parent, kid) = (row(&table, "parent")[0], row(&table, "kid")[0]);
    for command in ["where", "w"] {
        let stack = client.ask(&format!("{command} {parent}"));
        let head = format!(
            "Stack for Task(id={parent}, name='parent', state='TASK_JOIN') (most recent call last):\n  File \""
        );
        assert!(stack.starts_with(&head), "{stack}");
        assert!(stack.contains("monitor.rs"), "{stack}");
    }
    let parents = client.ask(&format!("parents {kid}"));
    let main = "3        TIME_SLEEP ";
    assert_eq!(
        parents.lines().next(),
        Some(&*format!("{kid:<6}   TIME_SLEEP kid"))
    );
    assert!(parents.lines().nth(1).unwrap().starts_with(main), "{parents}");
    let tree = client.ask("tree");
    assert!(tree.starts_with("3 "), "{tree}");
    assert!(tree.contains(&format!("├─ {kid} kid TIME_SLEEP ")), "{tree}");
    assert!(tree.contains(&format!("└─ {parent} parent TASK_JOIN ")), "{tree}");
    assert_eq!(
        client.ask(&format!("cancel {kid}")),
        format!("Cancelling task {kid}\n")
    );
    let table = client.ask_until("ps", |table| !table.contains("kid"));
    assert!(!table.contains("parent"), "it waited for the kid only: {table}");
    assert_eq!(client.ask(&format!("cancel {kid}")), format!("No task {kid}\n"));
    program.finish();
}

#[test]
fn what_is_not_understood_is_said_to_be() {
    let place = Place::new();
    let program = Program::hanging(place.monitor());
    let mut client = Local::connect(&place.socket());
    for (line, answer) in [
        ("banana", "Unknown command. Type help.\n"),
        ("where", "Bad command. Type help.\n"),
        ("where x", "Bad task id\n"),
        ("where -1", "Bad task id\n"),
        ("w 999", "No task 999\n"),
        ("w 18446744073709551615", "No task 18446744073709551615\n"),
        ("parents 999", "No task 999\n"),
        ("cancel 999", "No task 999\n"),
        ("cancel 1", "Task 1 is no task, but the kernel.\n"),
        ("signal BANANA", "Unknown signal BANANA\n"),
        ("signal \u{1b}[2J", "Unknown signal \u{fffd}[2J\n"),
        ("trace off", "There is no recording under way.\n"),
        ("", ""),
        ("   ", ""),
    ] {
        assert_eq!(client.ask(line), answer, "{line}");
    }
    assert!(client.ask("help").starts_with("Commands:\n"));
    assert_eq!(client.ask("quit"), "<end>");
    program.finish();
}

#[test]
fn a_signal_is_sent_to_the_program() {
    let place = Place::new();
    let program = Program::start(place.monitor(), |end| async move {
        let signals = curio::SignalQueue::new([curio::signal::SIGUSR1])?;
        signals.get().await?;
        end.store(true, Ordering::Relaxed);
        Ok(())
    });
    let mut client = Local::connect(&place.socket());
    client.ask_until("ps", |table| table.contains("SIGNAL_WAIT"));
    assert_eq!(client.ask("signal SIGUSR1"), "");
    program.finish();
}

#[test]
fn deadlines_are_shown() {
    let place = Place::new();
    let program = Program::start(place.monitor(), |end| async move {
        let hour = Duration::from_secs(3600);
        let doors = Event::new();
        let door = doors.clone();
        task(async move { timeout_after(3 * hour, timeout_after(hour, door.wait())).await })
            .name("patient")
            .spawn();
        task(async move { timeout_after(2 * hour, std::future::pending::<Result<()>>()).await })
            .name("foreign")
            .spawn();
        until(&end).await
    });
    let mut client = Local::connect(&place.socket());
    let table = client.ask_until("ps", |table| {
        table.contains("FOREIGN_WAIT") && table.contains("EVENT_WAIT")
    });
    let shown = |name| row(&table, name)[1..5].join(" ");
    assert!(shown("patient").starts_with("EVENT_WAIT 1 3599."), "{table}");
    assert!(shown("foreign").starts_with("FOREIGN_WAIT 1 7199."), "{table}");
    program.finish();
}

#[test]
fn names_can_be_searched_for_and_control_nothing() {
    let place = Place::new();
    let program = Program::start(place.monitor(), |end| async move {
        for name in ["kid", "kidney", "evil\u{1b}[2J\ncurio > "] {
            task(sleep(Duration::from_secs(1000))).name(name).spawn();
        }
        until(&end).await
    });
    let mut client = Local::connect(&place.socket());
    let table = client.ask_until("ps kid", |table| table.matches("TIME_SLEEP").count() == 2);
    assert!(!table.contains("evil"), "{table}");
    let table = client.ask("ps evil");
    assert!(table.contains("evil\u{fffd}[2J\u{fffd}curio >"), "{table:?}");
    program.finish();
}

#[test]
fn programs_get_json() {
    let place = Place::new();
    let program = Program::hanging(place.monitor());
    let mut client = Local::connect(&place.socket());
    client.ask_until("ps", |table| table.contains("TASK_JOIN"));
    let lines: Vec<Value> = client
        .ask("ps --json")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 4);
    let kid = lines.iter().find(|line| line["name"] == "kid").unwrap();
    assert_eq!(
        (&kid["state"], &kid["parent"]),
        (&Value::from("TIME_SLEEP"), &Value::from(3))
    );
    assert!(kid["sleep"].as_u64().unwrap() > 900_000_000_000);
    assert_eq!(lines[3]["tasks"], 3);
    let about: Value = serde_json::from_str(&client.ask("about")).unwrap();
    assert_eq!(about["pid"], std::process::id());
    // No prompts from here on.
    client.say("batch\nabout\nquit");
    assert!(client.answer().ends_with("}\n<end>"));
    program.finish();
}

#[test]
fn how_long_runs_take_is_known_to_those_who_have_asked() {
    let place = Place::new();
    let program = Program::start(place.monitor(), |end| async move {
        let busy = task(async move {
            loop {
                let start = Instant::now();
                while start.elapsed() < Duration::from_millis(3) {}
                sleep(Duration::from_millis(1)).await?;
            }
            #[allow(unreachable_code)]
            Ok::<(), Error>(())
        });
        busy.name("busy").spawn();
        until(&end).await
    });
    let mut client = Local::connect(&place.socket());
    assert!(client.ask("top").starts_with("From now on"));
    let top = client.ask_until("top", |top| top.lines().count() > 2);
    let busy = row(&top, "busy");
    assert!(busy[3].parse::<f64>().unwrap() >= 3.0, "{top}");
    assert!(busy[4].parse::<f64>().unwrap() >= 3.0, "{top}");
    assert!(
        top.lines().nth(1).unwrap().ends_with(" busy"),
        "it comes first: {top}"
    );
    program.finish();
}

// ---- When the kernel does not answer

#[test]
fn a_task_that_hogs_the_thread_is_shown() {
    let place = Place::new();
    let program = Program::start(place.monitor(), |end| async move {
        let door = Event::new();
        let waiting = door.clone();
        task(async move { waiting.wait().await }).name("guest").spawn();
        let kid = task(async move {
            sleep(Duration::from_millis(1)).await?;
            door.set();
            for _ in 0..3 {
                task(sleep(Duration::from_secs(1000))).name("friend").spawn();
            }
            while !end.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
            Ok::<(), Error>(())
        });
        kid.name("kid").spawn().wait().await
    });
    let mut client = Local::connect(&place.socket());
    let table = client.ask_until("ps", |table| table.contains("RUNNING"));
    assert_eq!(row(&table, "kid")[1..3], ["RUNNING", "2"]);
    assert_eq!(table.matches(" READY        0 ").count(), 3, "{table}");
    assert_eq!(
        row(&table, "guest")[1..3],
        ["READY", "1"],
        "the door was opened: {table}"
    );
    assert_eq!(row(&table, "start")[1..3], ["TASK_JOIN", "1"], "{table}");
    let start = Instant::now();
    let kid = row(&table, "kid")[0];
    assert!(client.ask(&format!("w {kid}")).contains("state='RUNNING'"));
    let friend = row(&table, "friend")[0];
    let answer = client.ask(&format!("cancel {friend}"));
    let busy = format!("The kernel is busy: task {kid} (kid) does not let go of it.\n");
    assert_eq!(answer, format!("Cancelling task {friend}\n{busy}"));
    assert!(client.ask("ps").contains("(cancelled") || client.ask("ps").contains("READY"));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    program.finish();
}

#[test]
fn tasks_that_wait_for_each_other_are_shown() {
    let place = Place::new();
    let kernel = thread::spawn({
        let monitor = place.monitor();
        move || {
            let kernel = Kernel::builder().monitor(monitor).build().unwrap();
            kernel.run(async {
                let (first, second) = (Queue::<()>::new(), Queue::<()>::new());
                let (a, b) = (first.clone(), second.clone());
                let one = task(async move {
                    a.get().await?;
                    b.put(()).await
                })
                .name("one")
                .spawn();
                let two = task(async move {
                    second.get().await?;
                    first.put(()).await
                })
                .name("two")
                .spawn();
                let _ = one.wait().await;
                two.wait().await
            })
        }
    });
    while !place.socket().exists() {
        thread::sleep(Duration::from_millis(1));
    }
    let mut client = Local::connect(&place.socket());
    let table = client.ask_until("ps", |table| table.matches("QUEUE_GET").count() == 2);
    let (one, two) = (row(&table, "one")[0], row(&table, "two")[0]);
    client.ask(&format!("cancel {one}"));
    client.ask(&format!("cancel {two}"));
    let _ = kernel.join().unwrap();
}

#[test]
fn who_waits_for_whom_and_who_in_a_circle() {
    let place = Place::new();
    let program = Program::start(place.monitor(), |end| async move {
        let lock = Lock::new(());
        let holder = lock.lock().await?;
        for name in ["first", "second"] {
            let lock = lock.clone();
            task(async move { lock.lock().await.map(drop) })
                .name(name)
                .spawn();
        }
        let hen: Rc<std::cell::RefCell<Option<curio::TaskRef>>> = Rc::default();
        let egg = task({
            let hen = hen.clone();
            async move {
                let hen = hen.borrow().clone();
                hen.expect("it is there").wait().await
            }
        });
        let egg = egg.name("egg").spawn().reference();
        let whole = task(async move { egg.wait().await })
            .name("hen")
            .spawn()
            .reference();
        *hen.borrow_mut() = Some(whole);
        until(&end).await?;
        drop(holder);
        Ok(())
    });
    let mut client = Local::connect(&place.socket());
    let table = client.ask_until("ps", |table| table.matches("TASK_JOIN").count() == 2);
    let id = |name| format!("{} ({name})", row(&table, name)[0]);
    let shown = client.ask("locks");
    let (egg, hen) = (id("egg"), id("hen"));
    assert!(
        shown.contains(&format!("{egg} waits for the end of {hen} at ")),
        "{shown}"
    );
    assert!(
        shown.contains(&format!(
            ": {}, {}; held by {}\n",
            id("first"),
            id("second"),
            id("start")
        )),
        "{shown}"
    );
    assert!(deadlocked(&shown, &egg, &hen), "{shown}");
    assert_eq!(shown.matches("deadlock").count(), 1, "{shown}");
    program.finish();
}

/// Whether these two are said to wait for each other, with the places.
fn deadlocked(shown: &str, one: &str, other: &str) -> bool {
    let Some(line) = shown.lines().find(|line| line.starts_with("deadlock: ")) else {
        return false;
    };
    // Which of them comes first depends on the order of their ids.
    [(one, other), (other, one)].iter().any(|(a, b)| {
        let parts: Vec<&str> = line.split(" waits at ").collect();
        parts.len() == 3
            && parts[0] == format!("deadlock: {a}")
            && parts[1].contains("monitor.rs:")
            && parts[1].ends_with(&format!(" for {b}"))
            && parts[2].contains("monitor.rs:")
            && parts[2].ends_with(&format!(" for {a}"))
    })
}

#[test]
fn who_has_what_others_wait_for() {
    let place = Place::new();
    let program = Program::start(place.monitor(), |end| async move {
        // It goes from one to the next, and the monitor follows.
        let lock = Lock::new(());
        let first = lock.lock().await?;
        for name in ["one", "two", "three"] {
            let lock = lock.clone();
            let keep = async move {
                let _guard = lock.lock().await?;
                sleep(Duration::from_secs(1000)).await
            };
            task(keep).name(name).spawn();
        }
        yield_now().await?;
        drop(first);
        let rlock = RLock::new(());
        let _mine = rlock.lock().await?;
        let _again = rlock.lock().await?;
        task(async move { rlock.lock().await.map(drop) })
            .name("recursive")
            .spawn();
        let (desks, bounded) = (Semaphore::new(1), BoundedSemaphore::new(2));
        let _permits = (
            desks.acquire().await?,
            bounded.acquire().await?,
            bounded.acquire().await?,
        );
        task(async move { desks.acquire().await.map(drop) })
            .name("desk")
            .spawn();
        task(async move { bounded.acquire().await.map(drop) })
            .name("bounded")
            .spawn();
        until(&end).await
    });
    let mut client = Local::connect(&place.socket());
    let table = client.ask_until("ps", |table| {
        table.matches("SEMA_ACQUIRE").count() == 2 && table.matches("LOCK_ACQUIRE").count() == 3
    });
    let id = |name| format!("{} ({name})", row(&table, name)[0]);
    let shown = client.ask("locks");
    for line in [
        format!(": {}, {}; held by {}\n", id("two"), id("three"), id("one")),
        format!(": {}; held by {}\n", id("recursive"), id("start")),
        format!(": {}; no permit is free\n", id("desk")),
        format!(": {}; all 2 permits are taken\n", id("bounded")),
    ] {
        assert!(shown.contains(&line), "{line}{shown}");
    }
    assert!(!shown.contains("deadlock"), "{shown}");
    client.ask(&format!("cancel {}", row(&table, "one")[0]));
    let line = format!(": {}; held by {}\n", id("three"), id("two"));
    client.ask_until("locks", |shown| shown.contains(&line));
    program.finish();
}

#[test]
fn a_circle_of_locks_is_a_deadlock() {
    let place = Place::new();
    let program = Program::start(place.monitor(), |end| async move {
        let (fork, knife) = (Lock::new(()), Lock::new(()));
        for (name, left, right) in [("plato", &fork, &knife), ("kant", &knife, &fork)] {
            let (left, right) = (left.clone(), right.clone());
            let dine = async move {
                let _left = left.lock().await?;
                yield_now().await?;
                let _right = right.lock().await?;
                Result::Ok(())
            };
            task(dine).name(name).spawn();
        }
        let own = Lock::new(());
        let twice = async move {
            let _guard = own.lock().await?;
            own.lock().await.map(drop)
        };
        task(twice).name("twice").spawn();
        // Not one: this one gives up.
        let (lock, patient) = (Lock::new(()), Duration::from_secs(1000));
        let gives_up = async move {
            let _guard = lock.lock().await?;
            timeout_after(patient, lock.lock()).await.map(drop)
        };
        task(gives_up).name("gives-up").spawn();
        until(&end).await
    });
    let mut client = Local::connect(&place.socket());
    let table = client.ask_until("ps", |table| table.matches("LOCK_ACQUIRE").count() == 4);
    let id = |name| format!("{} ({name})", row(&table, name)[0]);
    let shown = client.ask("locks");
    assert!(deadlocked(&shown, &id("plato"), &id("kant")), "{shown}");
    let alone = format!("deadlock: {} waits at ", id("twice"));
    let line = shown.lines().find(|line| line.starts_with(&alone));
    assert!(
        line.is_some_and(|line| line.ends_with(&format!(" for {}", id("twice")))),
        "{shown}"
    );
    assert_eq!(shown.matches("deadlock: ").count(), 2, "{shown}");
    program.finish();
}

#[test]
fn the_tree_tells_the_groups_apart() {
    let place = Place::new();
    let program = Program::start(place.monitor(), |end| async move {
        let groups = [TaskGroup::all(), TaskGroup::all()];
        for (n, group) in groups.iter().enumerate() {
            for _ in 0..2 {
                let kid = task(sleep(Duration::from_secs(1000)));
                group.add_task(kid.name(format!("kid-of-{n}")).spawn())?;
            }
        }
        task(sleep(Duration::from_secs(1000))).name("alone").spawn();
        until(&end).await
    });
    let mut client = Local::connect(&place.socket());
    let tree = client.ask_until("tree", |tree| tree.matches("TIME_SLEEP").count() == 5);
    for line in tree.lines() {
        let group = match line {
            _ if line.contains("kid-of-0") => Some(" [group 1]"),
            _ if line.contains("kid-of-1") => Some(" [group 2]"),
            _ => None,
        };
        match group {
            Some(group) => assert!(line.ends_with(group), "{tree}"),
            None => assert!(!line.contains("[group"), "{tree}"),
        }
    }
    program.finish();
}

/// A kernel need not run all the time.
#[test]
fn a_kernel_that_does_not_run_is_looked_at() {
    let place = Place::new();
    let kernel = Kernel::builder().monitor(place.monitor()).build().unwrap();
    let kid = kernel.spawn(sleep(Duration::from_secs(1000)));
    let socket = place.socket();
    let looked = thread::spawn(move || {
        let mut client = Local::connect(&socket);
        let table = client.ask("ps");
        assert_eq!(row(&table, "Sleep")[1..3], ["READY", "0"]);
        client.ask("cancel 3")
    });
    let answer = looked.join().unwrap();
    assert_eq!(answer, "Cancelling task 3\nThe kernel does not run now.\n");
    kernel.run_once().unwrap();
    assert!(
        kid.terminated() || kid.cancelled(),
        "it was told when it could be"
    );
}

#[test]
fn one_that_was_cancelled_and_does_not_end_is_marked() {
    let place = Place::new();
    let program = Program::start(place.monitor(), |end| async move {
        let stubborn = task(async {
            let _ = sleep(Duration::from_secs(1000)).await;
            sleep(Duration::from_secs(1000)).await
        });
        let stubborn = stubborn.name("stubborn").spawn();
        until(&end).await?;
        drop(stubborn.cancel_within(Duration::ZERO).await);
        Ok(())
    });
    let mut client = Local::connect(&place.socket());
    let table = client.ask_until("ps", |table| row(table, "stubborn")[1] == "TIME_SLEEP");
    assert!(!table.contains("cancelled"));
    client.ask(&format!("cancel {}", row(&table, "stubborn")[0]));
    client.ask_until("ps", |table| {
        row(table, "stubborn")[2] == "2" && table.contains(" (cancelled 0 s ago)")
    });
    program.finish();
}

// ---- Who gets in

#[test]
fn the_socket_is_the_users_alone() {
    let place = Place::new();
    let program = Program::hanging(place.monitor());
    let socket = fs::metadata(place.socket()).unwrap();
    assert_eq!(socket.mode() & 0o777, 0o600);
    if socket.uid() != 0 {
        eprintln!("skipped: only root can try to come as somebody else");
        return program.finish();
    }
    // Whoever gets past the permissions is still asked for their name.
    fs::set_permissions(place.socket(), fs::Permissions::from_mode(0o666)).unwrap();
    fs::set_permissions(&place.directory, fs::Permissions::from_mode(0o755)).unwrap();
    let nc = |user: u32| {
        let mut nc = Command::new("nc");
        nc.args(["-N", "-U"])
            .arg(place.socket())
            .uid(user)
            .stdin(Stdio::null());
        nc.output()
    };
    let (Ok(ours), Ok(theirs)) = (nc(0), nc(65534)) else {
        eprintln!("skipped: there is no nc");
        return program.finish();
    };
    assert!(
        String::from_utf8_lossy(&ours.stdout).contains("Curio Monitor"),
        "{ours:?}"
    );
    assert_eq!(String::from_utf8_lossy(&theirs.stdout), "", "{theirs:?}");
    program.finish();
}

fn free_port() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

fn over_tcp(address: SocketAddr) -> Client<TcpStream> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    Client::new(stream)
}

#[test]
fn over_tcp_one_can_look_but_not_touch() {
    let place = Place::new();
    let address = free_port();
    let program = Program::hanging(place.monitor().tcp(address));
    let mut client = over_tcp(address);
    let table = client.ask_until("ps", |table| table.contains("TASK_JOIN"));
    let kid = row(&table, "kid")[0];
    for command in [
        &*format!("cancel {kid}"),
        "signal SIGKILL",
        "trace on /tmp/x",
        "trace off",
    ] {
        assert!(client.ask(command).starts_with("This is for those"), "{command}");
    }
    assert!(client.ask("ps").contains("kid"));
    assert!(client.ask(&format!("w {kid}")).contains("TIME_SLEEP"));
    program.finish();
}

#[test]
fn over_tcp_one_can_touch_if_that_was_allowed() {
    let place = Place::new();
    let address = free_port();
    let program = Program::hanging(place.monitor().tcp(address).allow_control());
    let mut client = over_tcp(address);
    let table = client.ask_until("ps", |table| table.contains("TASK_JOIN"));
    let kid = row(&table, "kid")[0];
    client.ask(&format!("cancel {kid}"));
    client.ask_until("ps", |table| !table.contains("kid"));
    // A web page cannot, whatever it makes a browser say.
    let mut page = over_tcp(address);
    page.say("POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nsignal SIGKILL");
    assert!(page.answer().ends_with("<end>"));
    program.finish();
}

#[test]
fn nobody_comes_over_tcp_unless_that_was_asked_for() {
    let place = Place::new();
    let program = Program::hanging(place.monitor());
    let inodes: Vec<String> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|fd| fs::read_link(fd.ok()?.path()).ok())
        .filter_map(|link| {
            Some(
                link.to_str()?
                    .strip_prefix("socket:[")?
                    .trim_end_matches(']')
                    .to_string(),
            )
        })
        .collect();
    for table in ["/proc/self/net/tcp", "/proc/self/net/tcp6"] {
        let table = fs::read_to_string(table).unwrap_or_default();
        let ours = |line: &&str| {
            line.split_whitespace()
                .nth(9)
                .is_some_and(|inode| inodes.iter().any(|ours| ours == inode))
        };
        assert_eq!(table.lines().skip(1).find(ours), None);
    }
    let outside = Monitor::new()
        .socket(place.directory.join("other"))
        .tcp(([0, 0, 0, 0], 0));
    let error = Kernel::builder().monitor(outside).build().unwrap_err();
    assert!(matches!(error, Error::Io(error) if error.kind() == ErrorKind::InvalidInput));
    program.finish();
}

#[test]
fn a_socket_that_was_left_behind_is_replaced_and_one_that_is_used_is_not() {
    let place = Place::new();
    // The file stays when the listener goes, as after a kill.
    drop(UnixListener::bind(place.socket()).unwrap());
    assert!(place.socket().exists());
    let program = Program::hanging(place.monitor());
    assert!(Local::connect(&place.socket()).ask("ps").contains("kernel"));
    let error = Kernel::builder().monitor(place.monitor()).build().unwrap_err();
    assert!(matches!(error, Error::Io(error) if error.kind() == ErrorKind::AddrInUse));
    assert!(Local::connect(&place.socket()).ask("ps").contains("kernel"));
    program.finish();
    assert!(!place.socket().exists(), "it goes with its kernel");
    // What is no socket is not touched.
    fs::write(place.socket(), "precious").unwrap();
    assert!(Kernel::builder().monitor(place.monitor()).build().is_err());
    assert_eq!(fs::read_to_string(place.socket()).unwrap(), "precious");
}

#[test]
fn two_kernels_of_a_program_are_told_apart() {
    let _place = Place::new();
    let first = Kernel::builder().monitor(Monitor::new()).build().unwrap();
    let second = Kernel::builder().monitor(Monitor::new()).build().unwrap();
    let user = fs::metadata("/proc/self").unwrap().uid();
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(|path| PathBuf::from(path).join("curio"));
    let directory = runtime
        .filter(|path| path.is_dir())
        .unwrap_or_else(|| PathBuf::from(format!("/tmp/curio-{user}")));
    assert_eq!(fs::metadata(&directory).unwrap().mode() & 0o777, 0o700);
    let process = std::process::id();
    let sockets = [format!("{process}.sock"), format!("{process}.2.sock")].map(|name| directory.join(name));
    first.spawn(async {});
    assert!(Local::connect(&sockets[0]).banner.contains("3 tasks"));
    assert!(Local::connect(&sockets[1]).banner.contains("2 tasks"));
    drop(first);
    assert!(!sockets[0].exists() && sockets[1].exists());
    drop(second);
    assert!(!sockets[1].exists());
}

// ---- Those who mean it harm

#[test]
fn garbage_is_answered_and_a_megabyte_without_an_end_is_not_kept() {
    let place = Place::new();
    let program = Program::hanging(place.monitor());
    let mut client = Local::connect(&place.socket());
    for garbage in [
        &b"\0\xff\xfe\x1b[2J"[..],
        b"ps\0",
        "p\u{0301}s \u{202e}".as_bytes(),
        b"\r",
        b"\x04",
    ] {
        client.stream.write_all(garbage).unwrap();
        let answer = client.ask("");
        assert!(
            ["Unknown command. Type help.\n", ""].contains(&&*answer),
            "{answer:?}"
        );
    }
    let long = "x".repeat(1 << 20);
    assert_eq!(client.ask(&long), "The line is too long.\n");
    assert_eq!(client.ask(&"y".repeat(5000)), "The line is too long.\n");
    // One that never ends.
    let mut endless = Local::connect(&place.socket());
    endless.stream.write_all(long.as_bytes()).unwrap();
    assert!(client.ask("ps").contains("kid"));
    // Many in one packet.
    client.say(&"w 999\n".repeat(1000));
    let mut told = String::new();
    while told.matches("No task 999\n").count() < 1000 {
        told.push_str(&client.answer());
    }
    program.finish();
}

#[test]
fn one_that_never_reads_is_not_waited_for() {
    let place = Place::new();
    let runs = Arc::new(AtomicU64::new(0));
    let counted = runs.clone();
    let program = Program::start(place.monitor(), move |end| async move {
        for _ in 0..1000 {
            spawn(sleep(Duration::from_secs(1000)));
        }
        while !end.load(Ordering::Relaxed) {
            counted.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(1)).await?;
        }
        Ok(())
    });
    let resident = || {
        let status = fs::read_to_string("/proc/self/statm").unwrap_or_default();
        status
            .split(' ')
            .nth(1)
            .and_then(|pages| pages.parse::<usize>().ok())
            .unwrap_or(0)
            * 4096
    };
    let mut lazy: Vec<Local> = (0..8).map(|_| Local::connect(&place.socket())).collect();
    let before = resident();
    for client in &mut lazy {
        client.stream.set_nonblocking(true).unwrap();
        // As much as is taken.
        while client.stream.write(&b"ps all\n".repeat(1000)).is_ok() {}
    }
    let mut client = Local::connect(&place.socket());
    let ran = runs.load(Ordering::Relaxed);
    for _ in 0..20 {
        assert!(client.ask("ps").contains("kernel"));
    }
    while runs.load(Ordering::Relaxed) < ran + 20 {
        thread::sleep(Duration::from_millis(1));
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 8 << 20, "it has kept {grown} bytes for them");
    drop(lazy);
    assert!(client.ask("ps").contains("kernel"));
    program.finish();
}

#[test]
fn a_thousand_cannot_crowd_it_out() {
    let place = Place::new();
    let before = (open_files(), threads());
    let program = Program::hanging(place.monitor());
    let with_one = open_files();
    let mut first = Local::connect(&place.socket());
    let mut clients = Vec::new();
    let mut turned_away = 0;
    for _ in 0..1000 {
        // Somebody may be turned away before they are even connected, if there are too many at the door.
        let Ok(stream) = UnixStream::connect(place.socket()) else {
            turned_away += 1;
            continue;
        };
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let client = Client::new(stream);
        if client.banner.starts_with("Too many") {
            turned_away += 1;
        } else {
            assert!(client.banner.contains("Curio Monitor"), "{}", client.banner);
            clients.push(client);
        }
    }
    assert_eq!((clients.len(), turned_away), (31, 969));
    assert!(first.ask("ps").contains("kid"));
    assert!(open_files() <= with_one + 2 * 32 + 2, "{}", open_files());
    drop(clients);
    // There is room again.
    let start = Instant::now();
    while !Local::connect(&place.socket()).banner.contains("Curio Monitor") {
        assert!(start.elapsed() < Duration::from_secs(20));
    }
    drop(first);
    returns_to(with_one, open_files);
    program.finish();
    returns_to(before.0, open_files);
    returns_to(before.1, threads);
}

#[test]
fn one_who_dies_in_the_middle_leaves_nothing() {
    let place = Place::new();
    let program = Program::start(place.monitor(), |end| async move {
        for _ in 0..5000 {
            spawn(sleep(Duration::from_secs(1000)));
        }
        until(&end).await
    });
    Local::connect(&place.socket()).ask_until("ps", |table| table.contains("more"));
    let before = open_files();
    for _ in 0..100 {
        let mut client = Local::connect(&place.socket());
        client.say("ps all\nps all\nwhere 3\ntop");
        let mut some = [0; 100];
        client.stream.read_exact(&mut some).unwrap();
    }
    returns_to(before, open_files);
    assert!(Local::connect(&place.socket()).ask("ps").contains("kernel"));
    program.finish();
}

#[test]
fn those_who_look_see_the_end_of_the_program() {
    let place = Place::new();
    let before = threads();
    let program = Program::hanging(place.monitor());
    let mut clients: Vec<Local> = (0..5).map(|_| Local::connect(&place.socket())).collect();
    clients[0].say(&"ps all\n".repeat(100));
    program.finish();
    for client in &mut clients[1..] {
        assert_eq!(client.answer(), "<end>");
    }
    returns_to(before, threads);
}

// ---- What it does to the program

#[test]
fn a_hundred_thousand_tasks_are_shown_in_part_and_stop_nobody() {
    const TASKS: usize = 100_000;
    let place = Place::new();
    let longest = Arc::new(AtomicU64::new(0));
    let gaps = longest.clone();
    let program = Program::start(place.monitor(), move |end| async move {
        for _ in 0..TASKS {
            spawn(sleep(Duration::from_secs(1000)));
        }
        yield_now().await?;
        let mut last = worked();
        while !end.load(Ordering::Relaxed) {
            yield_now().await?;
            spawn(async {}).join().await?;
            let now = worked();
            gaps.fetch_max((now - last).as_nanos() as u64, Ordering::Relaxed);
            last = now;
        }
        Ok(())
    });
    let mut client = Local::connect(&place.socket());
    let table = client.ask_until("ps", |table| table.matches("TIME_SLEEP").count() == 199);
    let count = |shown: &str| shown.matches(" TIME_SLEEP").count();
    assert!(
        table.contains(&format!("... and {} more: ", TASKS + 1 - 200)),
        "{}",
        table.len()
    );
    longest.store(0, Ordering::Relaxed);
    for _ in 0..3 {
        let shown = count(&client.ask("ps all"));
        assert!((TASKS..TASKS + 2).contains(&shown), "{shown}");
        assert!(client.ask("tree").contains(" more: "));
        client.ask("locks");
    }
    let longest = Duration::from_nanos(longest.load(Ordering::Relaxed));
    assert!(
        longest < Duration::from_millis(5),
        "the kernel was kept busy for {longest:?}"
    );
    assert!(client.ask("ps --json").lines().count() >= TASKS + 2);
    program.finish();
}

/// A program of tasks that talk, lock, are cancelled and time out; what it gives is what happened, in order.
async fn story() -> Result<Vec<String>> {
    let said = Rc::new(std::cell::RefCell::new(Vec::new()));
    let queue = Queue::bounded(2);
    let lock = Lock::new(0);
    let sec = Duration::from_secs(1);
    let say = {
        let said = said.clone();
        move |what: String| said.borrow_mut().push(what)
    };
    let makers: Vec<_> = (0..3)
        .map(|n| {
            let (queue, lock, say) = (queue.clone(), lock.clone(), say.clone());
            spawn(async move {
                for item in 0..5 {
                    queue.put(10 * n + item).await?;
                    let mut count = lock.lock().await?;
                    sleep(sec / 10).await?;
                    *count += 1;
                    say(format!("{n} has put {item}, the {count}th"));
                }
                Ok(())
            })
        })
        .collect();
    let taker = spawn({
        let (queue, say) = (queue.clone(), say.clone());
        async move {
            loop {
                let item = queue.get().await?;
                say(format!("got {item}"));
                yield_now().await?;
            }
            #[allow(unreachable_code)]
            Ok::<(), Error>(())
        }
    });
    let raced = TaskGroup::any()
        .scope(async |group| {
            for n in 1..4 {
                group.spawn(async move { sleep(n * sec).await.map(|()| n) });
            }
            Ok(())
        })
        .await;
    say(format!("raced: {}", raced.is_ok()));
    let never = Event::new();
    say(format!("{:?}", timeout_after(sec, never.wait()).await.is_err()));
    for maker in makers {
        maker.join().await?;
    }
    taker.cancel().await?;
    Ok(said.take())
}

#[test]
fn it_does_not_change_what_programs_do() {
    let place = Place::new();
    let run = |seed, monitor: Option<Monitor>| {
        let mut builder = Kernel::builder().clock(Clock::Virtual).seed(seed);
        if let Some(monitor) = monitor {
            builder = builder.monitor(monitor);
        }
        let kernel = builder.build().unwrap();
        let told = kernel.run(story()).unwrap();
        assert_eq!(
            format!("{kernel:?}"),
            "Kernel { tasks: 0, waits: 0, scopes: 0, timers: 0, sockets: 0 }"
        );
        told
    };
    let ended = Arc::new(AtomicBool::new(false));
    let looked = Arc::new(AtomicU64::new(0));
    let onlooker = thread::spawn({
        let (ended, looked, socket) = (ended.clone(), looked.clone(), place.socket());
        move || {
            let mut n = 0;
            while !ended.load(Ordering::Relaxed) {
                let Ok(mut stream) = UnixStream::connect(&socket) else {
                    continue;
                };
                n += 1;
                let id = 3 + n % 8;
                let lines = format!(
                    "ps\nwhere {id}\nwhere {}\ntree\nlocks\ntop\nparents {id}\nquit\n",
                    id + 1
                );
                if stream.write_all(lines.as_bytes()).is_err() {
                    continue;
                }
                let mut said = String::new();
                let _ = stream.read_to_string(&mut said);
                looked.fetch_add(said.contains("Curio Monitor").into(), Ordering::Relaxed);
            }
        }
    });
    // A run is over so soon that not every one is seen.
    let was_seen = |seed: &u64| *seed < 1000 || looked.load(Ordering::Relaxed) < 50;
    for seed in (0..).take_while(was_seen) {
        assert_eq!(run(seed, Some(place.monitor())), run(seed, None), "seed {seed}");
    }
    ended.store(true, Ordering::Relaxed);
    onlooker.join().unwrap();
}

#[test]
fn what_happens_is_recorded_from_then_on() {
    let place = Place::new();
    let program = Program::start(place.monitor(), |end| async move {
        let queue = Queue::bounded(1);
        let other = queue.clone();
        task(async move {
            loop {
                other.get().await?;
            }
            #[allow(unreachable_code)]
            Ok::<(), Error>(())
        })
        .name("taker")
        .spawn();
        task(timeout_after(
            Duration::from_secs(500),
            std::future::pending::<Result<()>>(),
        ))
        .spawn();
        let mut n = 0;
        while !end.load(Ordering::Relaxed) {
            queue.put(n).await?;
            n += 1;
            if n % 3 == 0 {
                sleep(Duration::from_millis(1)).await?;
            }
        }
        Ok(())
    });
    let mut client = Local::connect(&place.socket());
    for round in 0..3 {
        let file = place.directory.join(format!("trace{round}"));
        let shown = file.display();
        client.ask_until("ps", |table| table.contains("taker"));
        assert_eq!(
            client.ask(&format!("trace on {shown}")),
            format!("Recording to {shown}\n")
        );
        assert!(client.ask("trace on /nowhere/else").starts_with("A recording"));
        thread::sleep(Duration::from_millis(30));
        assert_eq!(client.ask("trace off"), "The recording has ended.\n");
        let again = client.ask(&format!("trace on {shown}"));
        assert!(again.contains("exists"), "nothing is overwritten: {again}");
        let trace = fs::read_to_string(&file).unwrap();
        assert!(trace.lines().count() > 20, "{trace}");
        if let Err(error) = trace_checker::check(&trace) {
            let _ = fs::write("/dev/stderr", &trace);
            panic!("round {round}: {error}");
        }
    }
    program.finish();
}

// ---- With what is at hand

#[test]
fn netcat_and_socat_will_do() {
    let place = Place::new();
    let program = Program::hanging(place.monitor());
    let socket = place.socket();
    let commands: [(&str, Vec<String>); 2] = [
        ("nc", vec!["-N".into(), "-U".into(), socket.display().to_string()]),
        ("socat", vec!["-".into(), format!("UNIX:{}", socket.display())]),
    ];
    for (name, arguments) in commands {
        let child = Command::new(name)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else {
            eprintln!("skipped: there is no {name}");
            continue;
        };
        let mut input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("Curio Monitor") {
            line.clear();
            output.read_line(&mut line).unwrap();
        }
        input.write_all(b"ps\n").unwrap();
        while !line.contains("kid") {
            line.clear();
            output.read_line(&mut line).unwrap();
        }
        input.write_all(b"quit\n").unwrap();
        assert!(child.wait().unwrap().success());
    }
    program.finish();
}
