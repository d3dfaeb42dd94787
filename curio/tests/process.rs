//! Functions in worker processes. Zombies, children and file descriptors are counted before and after every test, so the
//! tests take turns.
//!
//! Nothing here sleeps and hopes: what a process does is seen in `/proc`, or told through a file.

#![cfg(unix)]
#![allow(missing_docs)]
#![allow(unsafe_code)]

mod common;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use common::Watchdog;
use curio::process::WorkerError;
use curio::signal::{SIGABRT, SIGCHLD, SIGINT, SIGKILL, SIGSEGV, SIGSTOP, SIGTERM, Signal};
use curio::{
    Clock, Error, Kernel, Result, TaskGroup, UniversalQueue, disable_cancellation, run, run_in_process,
    sleep, spawn, timeout_after, yield_now,
};
use futures::stream::{FuturesUnordered, StreamExt};
use serde::{Deserialize, Serialize};

const LONG: Duration = Duration::from_secs(1000);

/// No process takes longer to come or to go, even on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

// ---- Counting

/// Our descriptors, and what they are.
fn descriptors() -> BTreeSet<(PathBuf, PathBuf)> {
    let all = fs::read_dir("/dev/fd").unwrap().flatten();
    all.map(|entry| (entry.path(), fs::read_link(entry.path()).unwrap_or_default()))
        .collect()
}

/// Our children: number and state.
fn children() -> Vec<(u32, char)> {
    let here = std::process::id();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if let Some((state, parent)) = state_of(id)
            && parent == here
        {
            found.push((id, state));
        }
    }
    found
}

/// State and parent of a process. None if it has gone.
fn state_of(id: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name is in parentheses, and may contain anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// Whether a process has ended, with all its threads: only then its files are closed.
fn has_ended(id: u32) -> bool {
    let threads = || fs::read_dir(format!("/proc/{id}/task")).map_or(0, Iterator::count);
    state_of(id).is_none_or(|(state, _)| state == 'Z' && threads() <= 1)
}

#[track_caller]
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LIMIT, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Runs a test alone, and sees that it leaves nothing behind.
fn alone(test: impl FnOnce()) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let _guard = Watchdog::start();
    let before = (descriptors(), children());
    test();
    // No waiting: when a kernel has ended, so have its workers.
    assert_eq!(children(), before.1);
    // A thread of the kernel that is just leaving may still have its bell.
    eventually("all files are closed", || descriptors() == before.0);
}

fn on(kernel: curio::Builder, main: impl AsyncFnOnce() -> Result<()>) {
    alone(|| kernel.build().unwrap().run(main()).unwrap());
}

fn with_one_worker(main: impl AsyncFnOnce() -> Result<()>) {
    on(Kernel::builder().max_worker_processes(1), main);
}

fn error<T: std::fmt::Debug>(result: Result<T>) -> WorkerError {
    match result {
        Err(Error::Other(error)) => error.get_ref().downcast_ref::<WorkerError>().unwrap().clone(),
        other => panic!("{other:?}"),
    }
}

// ---- What runs in workers

fn pid((): ()) -> u32 {
    std::process::id()
}

fn for_ever((): ()) {
    std::thread::sleep(LONG);
}

/// Says that it runs, in a file, and goes on until somebody removes that.
fn until_it_is_taken_away(path: PathBuf) {
    fs::write(&path, std::process::id().to_string()).unwrap();
    eventually("it is taken away", || !path.exists());
}

/// Says that it runs, in a file, and never returns.
fn announced(path: PathBuf) {
    fs::write(&path, std::process::id().to_string()).unwrap();
    std::thread::sleep(LONG);
}

/// A file that a worker can write to.
struct Announcement(PathBuf);

impl Announcement {
    fn new() -> Announcement {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Announcement(std::env::temp_dir().join(format!("curio-process-{}-{number}", std::process::id())))
    }

    /// Who has written it, as soon as it is there.
    async fn wait(&self) -> Result<u32> {
        loop {
            if let Some(id) = fs::read_to_string(&self.0)
                .ok()
                .and_then(|text| text.parse().ok())
            {
                return Ok(id);
            }
            sleep(Duration::from_millis(1)).await?;
        }
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn kill(id: u32, signal: Signal) {
    // SAFETY: it takes numbers. The process is a child that nobody has waited for.
    assert_eq!(unsafe { libc::kill(id as i32, signal.number()) }, 0);
}

// ---- A function and what it gives

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shape {
    Circle { radius: f64 },
    Polygon(Vec<(i64, i64)>),
    Named(String, Option<Box<Shape>>),
}

fn mirrored(shape: Shape) -> Shape {
    match shape {
        Shape::Circle { radius } => Shape::Circle { radius: -radius },
        Shape::Polygon(points) => Shape::Polygon(points.into_iter().map(|(x, y)| (-x, y)).collect()),
        Shape::Named(name, inner) => Shape::Named(
            name.chars().rev().collect(),
            inner.map(|inner| Box::new(mirrored(*inner))),
        ),
    }
}

fn generic<T: std::ops::Add<Output = T> + Clone>(x: T) -> T {
    x.clone() + x
}

#[test]
fn argument_and_value_travel() {
    with_one_worker(async || {
        assert_ne!(run_in_process(pid, ()).await?, std::process::id());
        assert_eq!(
            run_in_process(|(a, b): (u8, i128)| i128::from(a) + b, (1, -2)).await?,
            -1
        );
        assert_eq!(run_in_process(generic::<u32>, 4).await?, 8);
        assert_eq!(run_in_process(generic::<f32>, 1.25).await?, 2.5);
        let pointer: fn(String) -> usize = |text| text.len();
        assert_eq!(run_in_process(pointer, "hello".to_string()).await?, 5);
        let shape = Shape::Named(
            "line".into(),
            Some(Box::new(Shape::Polygon(vec![(1, i64::MIN), (-2, 3)]))),
        );
        assert_eq!(run_in_process(mirrored, shape.clone()).await?, mirrored(shape));
        assert_eq!(
            run_in_process(mirrored, Shape::Circle { radius: 1.5 }).await?,
            Shape::Circle { radius: -1.5 }
        );
        let inner: std::result::Result<(), String> =
            run_in_process(|text: String| Err(text), "no".to_string()).await?;
        assert_eq!(inner, Err("no".to_string()));
        Ok(())
    });
}

#[test]
fn what_is_huge_travels_in_both_directions() {
    with_one_worker(async || {
        let text = "0123456789".repeat(1_000_000);
        let other = spawn(sleep(LONG));
        let mut back = run_in_process(|text: String| text + "!", text.clone()).await?;
        assert_eq!((back.pop(), back), (Some('!'), text));
        assert_eq!(
            run_in_process(|n: usize| "x".repeat(n), 10_000_000).await?.len(),
            10_000_000
        );
        // And small ones after that.
        assert_eq!(run_in_process(|n: usize| n, 7).await?, 7);
        other.cancel().await?;
        Ok(())
    });
}

#[test]
fn a_worker_is_used_again_and_remembers() {
    use std::sync::atomic::{AtomicU32, Ordering};
    static CALLS: AtomicU32 = AtomicU32::new(0);
    with_one_worker(async || {
        let first = run_in_process(pid, ()).await?;
        for calls in 1..=100 {
            let counted = run_in_process(|()| (pid(()), CALLS.fetch_add(1, Ordering::SeqCst) + 1), ());
            assert_eq!(counted.await?, (first, calls));
        }
        assert_eq!(CALLS.load(Ordering::SeqCst), 0, "not in this process");
        Ok(())
    });
}

// ---- What goes wrong in there

#[test]
fn a_panic_comes_back_with_its_place() {
    with_one_worker(async || {
        let before = run_in_process(pid, ()).await?;
        let line = line!() + 1;
        let failed = run_in_process(|n: u32| -> () { panic!("spilled {n} cups") }, 3).await;
        let shown = failed.as_ref().unwrap_err().to_string();
        assert!(shown.starts_with("the function panicked in its process: spilled 3 cups (at "));
        let WorkerError::Panicked { message, place } = error(failed) else {
            panic!("another error")
        };
        assert_eq!(message, "spilled 3 cups");
        let place = place.unwrap();
        assert!(place.contains(&format!("process.rs:{line}:")), "{place}");
        // One without a hook has no place, not even that of the last one.
        let failed = run_in_process(|()| -> () { std::panic::resume_unwind(Box::new("quietly")) }, ()).await;
        assert_eq!(
            error(failed),
            WorkerError::Panicked {
                message: "quietly".into(),
                place: None
            }
        );
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("boom");
            }
        }
        let failed = error(run_in_process(|()| -> () { std::panic::panic_any(Bomb) }, ()).await);
        assert!(
            matches!(failed, WorkerError::Panicked { message, .. } if message.contains("without a message"))
        );
        assert_eq!(run_in_process(pid, ()).await?, before, "it works on");
        Ok(())
    });
}

fn overflow(n: u64) -> u64 {
    let place = std::hint::black_box([n; 1000]);
    if n == 0 {
        0
    } else {
        overflow(n - 1) + place[(n % 1000) as usize]
    }
}

fn out_of_memory((): ()) {
    let most = libc::rlimit {
        rlim_cur: 1 << 30,
        rlim_max: 1 << 30,
    };
    // SAFETY: it reads a structure on this stack.
    unsafe { libc::setrlimit(libc::RLIMIT_AS, &most) };
    let mut all = Vec::new();
    loop {
        all.push(std::hint::black_box(Vec::<u8>::with_capacity(1 << 24)));
    }
}

#[test]
fn a_process_that_ends_is_replaced_and_says_how() {
    let exited = |code| WorkerError::Exited { code };
    let killed = |signal| WorkerError::Killed { signal };
    let ends: [(fn(()), WorkerError); 8] = [
        (|()| std::process::exit(0), exited(0)),
        (|()| std::process::exit(3), exited(3)),
        (|()| std::process::abort(), killed(SIGABRT)),
        (|()| kill(std::process::id(), SIGTERM), killed(SIGTERM)),
        (|()| kill(std::process::id(), SIGKILL), killed(SIGKILL)),
        (
            // SAFETY: none. That is what is tried.
            |()| unsafe { std::ptr::with_exposed_provenance_mut::<u8>(8).write_volatile(1) },
            killed(SIGSEGV),
        ),
        (|()| assert_ne!(overflow(u64::MAX), 1), killed(SIGSEGV)),
        (out_of_memory, killed(SIGABRT)),
    ];
    // A thread exits, while the function goes on.
    let by_thread: fn(()) = |()| {
        std::thread::spawn(|| std::process::exit(4));
        std::thread::sleep(LONG);
    };
    with_one_worker(async || {
        for (end, expected) in ends.clone().into_iter().chain([(by_thread, exited(4))]) {
            let before = run_in_process(pid, ()).await?;
            assert_eq!(error(run_in_process(end, ()).await), expected);
            assert_ne!(run_in_process(pid, ()).await?, before);
            assert_eq!(children().len(), 1, "no zombies");
        }
        let failed = run_in_process(ends[1].0, ()).await.unwrap_err();
        assert_eq!(
            failed.to_string(),
            "the worker process exited with code 3 in the middle of the function"
        );
        let failed = run_in_process(ends[4].0, ()).await.unwrap_err();
        assert_eq!(
            failed.to_string(),
            "the worker process was killed by SIGKILL in the middle of the function"
        );
        assert!(!failed.is_cancellation());
        Ok(())
    });
}

#[test]
fn a_worker_that_is_killed_from_outside_is_an_error_or_nothing() {
    with_one_worker(async || {
        // In the middle of a function.
        let announcement = Announcement::new();
        let busy = spawn(run_in_process(announced, announcement.0.clone()));
        let id = announcement.wait().await?;
        kill(id, SIGKILL);
        let failed = busy.join().await.unwrap_err();
        assert!(failed.to_string().contains("killed by SIGKILL"), "{failed}");
        // Between two functions: nobody gets to know.
        for signal in [SIGKILL, SIGTERM] {
            let id = run_in_process(pid, ()).await?;
            kill(id, signal);
            eventually("it dies", || has_ended(id));
            assert_ne!(run_in_process(pid, ()).await?, id);
        }
        Ok(())
    });
}

#[test]
fn control_c_is_not_for_workers() {
    with_one_worker(async || {
        let id = run_in_process(pid, ()).await?;
        kill(id, SIGINT);
        assert_eq!(run_in_process(pid, ()).await?, id);
        // The terminal sends it to the whole group, which is ours.
        // SAFETY: it takes numbers.
        let group = |()| unsafe { libc::getpgrp() };
        assert_eq!(run_in_process(group, ()).await?, group(()));
        Ok(())
    });
}

/// What a program does that a function has started, and that is told to end.
#[test]
fn control_c_is_for_the_children_of_workers() {
    fn child(signal: i32) -> Result<String, String> {
        let script = format!("kill -{signal} $$; echo it goes on");
        let output = std::process::Command::new("sh").args(["-c", &script]).output();
        output
            .map(|output| format!("{}, {:?}", output.status, String::from_utf8_lossy(&output.stdout)))
            .map_err(|error| error.to_string())
    }
    with_one_worker(async || {
        // Whoever has started the tests may have had it ignored; that is handed on.
        // SAFETY: it takes numbers.
        let before = unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
        assert_eq!(
            run_in_process(child, 2).await?.unwrap(),
            r#"signal: 2 (SIGINT), """#
        );
        assert_eq!(
            run_in_process(child, 13).await?.unwrap(),
            r#"signal: 13 (SIGPIPE), """#
        );
        // The worker itself goes on, in the middle of whatever it does.
        let announcement = Announcement::new();
        let goes_on = spawn(run_in_process(until_it_is_taken_away, announcement.0.clone()));
        kill(announcement.wait().await?, SIGINT);
        fs::remove_file(&announcement.0)?;
        goes_on.join().await?;
        // SAFETY: this is what it was.
        unsafe { libc::signal(libc::SIGINT, before) };
        Ok(())
    });
}

/// The sockets of this process: in a worker, the private one.
fn write_garbage(text: &[u8]) {
    for number in 3..10 {
        // SAFETY: it reads from a slice. Whatever the number is, that is what is tried.
        unsafe { libc::write(number, text.as_ptr().cast(), text.len()) };
    }
}

#[test]
fn garbage_is_known_as_such() {
    with_one_worker(async || {
        for garbage in ["x", "this is longer than the head of a reply by far"] {
            let before = run_in_process(pid, ()).await?;
            let failed =
                run_in_process(|text: String| write_garbage(text.as_bytes()), garbage.to_string()).await;
            assert_eq!(error(failed), WorkerError::Garbled, "{garbage}");
            assert_ne!(run_in_process(pid, ()).await?, before);
        }
        let failed = run_in_process(
            |()| {
                write_garbage(&[0xff; 100]);
                std::thread::sleep(LONG);
            },
            (),
        );
        assert_eq!(error(failed.await), WorkerError::Garbled, "at once");
        // What comes between two functions concerns neither.
        let late = |path: PathBuf| {
            std::thread::spawn(move || {
                while path.exists() {
                    std::thread::yield_now();
                }
                write_garbage(b"x");
                fs::write(path, pid(()).to_string()).unwrap();
            });
            pid(())
        };
        let announcement = Announcement::new();
        fs::write(&announcement.0, "").unwrap();
        let before = run_in_process(late, announcement.0.clone()).await?;
        fs::remove_file(&announcement.0).unwrap();
        assert_eq!(announcement.wait().await?, before);
        assert_ne!(run_in_process(pid, ()).await?, before);
        // Who closes it has nothing to answer with.
        let closed = run_in_process(
            |()| {
                for number in 3..10 {
                    // SAFETY: it takes a number. Nobody else in here has files.
                    unsafe { libc::close(number) };
                }
            },
            (),
        );
        assert_eq!(error(closed.await), WorkerError::Exited { code: 0 });
        Ok(())
    });
}

/// Ends the connection, and stops: so it does not see that the other end is closed, too, and end itself.
fn hang_up(path: PathBuf) {
    fs::write(path, pid(()).to_string()).unwrap();
    for number in 3..10 {
        // SAFETY: it takes numbers.
        unsafe { libc::shutdown(number, libc::SHUT_WR) };
    }
    kill(pid(()), SIGSTOP);
}

#[test]
fn who_leaves_a_worker_that_has_hung_up_kills_it_at_once() {
    with_one_worker(async || {
        let hung_up = async || {
            let announcement = Announcement::new();
            let call = spawn(run_in_process(hang_up, announcement.0.clone()));
            yield_now().await?;
            // The kernel is held until it has stopped.
            let id = || fs::read_to_string(&announcement.0).ok()?.parse().ok();
            let stopped = |id| state_of(id).is_some_and(|(state, _)| state == 'T');
            eventually("it stops", || id().is_some_and(stopped));
            Ok::<_, Error>((call, id().unwrap()))
        };
        // It is given a second to end by itself, if its caller waits that long.
        let (call, id) = hung_up().await?;
        let Err(Error::Task(lost)) = call.join().await else {
            panic!("it has come back")
        };
        assert!(lost.to_string().contains("has ended"), "{lost}");
        eventually("it is killed", || has_ended(id));
        // On a busy machine, once is proof enough.
        let mut took = Duration::MAX;
        for _ in 0..20 {
            let (call, id) = hung_up().await?;
            // Until the end of the connection was seen, and it waits again.
            let cycles = call.cycles();
            while call.cycles() == cycles {
                yield_now().await?;
            }
            call.cancel().await?;
            let start = Instant::now();
            eventually("it is killed", || has_ended(id));
            took = took.min(start.elapsed());
            if took < Duration::from_millis(300) {
                break;
            }
        }
        assert!(took < Duration::from_millis(300), "{took:?}");
        Ok(())
    });
}

/// Forks, as some libraries do. What comes of it lives on, with whatever the worker had. Both numbers are written down.
#[cfg(target_os = "linux")]
fn forked(path: PathBuf) {
    // SAFETY: what it makes does nothing but sleep.
    let other = unsafe { libc::fork() };
    if other == 0 {
        loop {
            // SAFETY: it takes a number.
            unsafe { libc::sleep(1000) };
        }
    }
    fs::write(path.with_extension("fork"), other.to_string()).unwrap();
    announced(path);
}

#[test]
#[cfg(target_os = "linux")]
fn a_worker_that_has_forked_ends_all_the_same() {
    with_one_worker(async || {
        let announcement = Announcement::new();
        let call = spawn(run_in_process(forked, announcement.0.clone()));
        let id = announcement.wait().await?;
        let file = announcement.0.with_extension("fork");
        let other: u32 = fs::read_to_string(&file)?.parse().unwrap();
        fs::remove_file(&file)?;
        // What was forked has nothing that it could write to, and the number is taken all the same. (The connection is closed there
        // before the function goes on, but it has gone on here already.)
        let mut files = BTreeSet::new();
        eventually("it has no connection", || {
            let entries = fs::read_dir(format!("/proc/{other}/fd")).unwrap().flatten();
            files = entries
                .filter_map(|entry| fs::read_link(entry.path()).ok())
                .collect();
            files
                .iter()
                .all(|file: &PathBuf| !file.to_string_lossy().starts_with("socket:"))
        });
        kill(id, SIGKILL);
        let ended = timeout_after(LIMIT, call.join()).await;
        // SAFETY: it takes numbers.
        assert_eq!(unsafe { libc::kill(other as i32, libc::SIGKILL) }, 0);
        let Err(Error::Task(killed)) = ended else {
            panic!("{ended:?}")
        };
        assert!(killed.to_string().contains("was killed by SIGKILL"), "{killed}");
        assert!(files.contains(&PathBuf::from("/dev/null")), "{files:?}");
        Ok(())
    });
}

#[test]
fn a_program_that_ignores_the_end_of_children_is_told_of_it() {
    // As a program inherits it from one that does not want to know of its children. The system then forgets them at once, and
    // what has the number next is somebody else.
    // SAFETY: it takes numbers; nobody else has children meanwhile.
    let set = |what| unsafe { libc::signal(SIGCHLD.number(), what) };
    alone(|| {
        let before = set(libc::SIG_IGN);
        let ended = run(async {
            let aborted = run_in_process(|()| std::process::abort(), ()).await;
            Ok(error::<()>(aborted))
        });
        // The thread that watches for it may learn a moment later that there is nothing left to watch for.
        eventually("it does again what it did", || {
            let status = fs::read_to_string("/proc/self/status").unwrap();
            let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:\t"));
            let ignored = u64::from_str_radix(ignored.unwrap(), 16).unwrap();
            ignored & 1 << (SIGCHLD.number() - 1) != 0
        });
        set(before);
        assert_eq!(ended.unwrap(), WorkerError::Killed { signal: SIGABRT });
    });
}

/// Cannot be written, nor read, as it does not say what it is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(u32),
    Text(String),
}

#[derive(Debug, Clone, Copy)]
enum Picky {
    Fine,
    BadToWrite,
    BadToRead,
    PanicsToRead,
}

impl Serialize for Picky {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Picky::BadToWrite => serializer.collect_map(std::iter::repeat_n((1, 2), 3).filter(|_| true)),
            picky => serializer.serialize_u8(*picky as u8),
        }
    }
}

impl<'de> Deserialize<'de> for Picky {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Picky, D::Error> {
        match u8::deserialize(deserializer)? {
            0 => Ok(Picky::Fine),
            3 => panic!("this panics"),
            _ => Err(serde::de::Error::custom("not to my taste")),
        }
    }
}

fn pick(which: u8) -> Picky {
    [
        Picky::Fine,
        Picky::BadToWrite,
        Picky::BadToRead,
        Picky::PanicsToRead,
    ][which as usize]
}

#[test]
fn what_cannot_travel_is_a_clear_error() {
    with_one_worker(async || {
        let argument = |error| matches!(error, WorkerError::Argument(why) if !why.is_empty());
        let value = |error| matches!(error, WorkerError::Value(why) if !why.is_empty());
        let id = run_in_process(pid, ()).await?;
        assert!(argument(error(
            run_in_process(|_: Untagged| (), Untagged::Number(1)).await
        )));
        assert!(value(error(
            run_in_process(|()| Untagged::Text("x".into()), ()).await
        )));
        assert!(argument(error(
            run_in_process(|_: Picky| (), Picky::BadToWrite).await
        )));
        assert!(argument(error(
            run_in_process(|_: Picky| (), Picky::BadToRead).await
        )));
        assert!(value(error(run_in_process(pick, 1).await)));
        assert!(value(error(run_in_process(pick, 2).await)));
        let failed = error(run_in_process(|_: Picky| (), Picky::PanicsToRead).await);
        assert!(matches!(failed, WorkerError::Panicked { message, .. } if message == "this panics"));
        run_in_process(|_: Picky| (), Picky::Fine).await?;
        assert_eq!(run_in_process(pid, ()).await?, id, "nobody had to be killed");
        // Here it is the caller who panics.
        let panicked = spawn(run_in_process(pick, 3)).join().await.unwrap_err();
        assert!(panicked.to_string().contains("this panics"), "{panicked}");
        assert_ne!(run_in_process(pid, ()).await?, id);
        Ok(())
    });
}

// ---- Interruptions

#[test]
fn cancelled_in_mid_call_the_process_is_killed_and_the_caller_leaves() {
    with_one_worker(async || {
        for how in 0..3 {
            let announcement = Announcement::new();
            let call = run_in_process(announced, announcement.0.clone());
            let start = Instant::now();
            let id = match how {
                0 => {
                    let busy = spawn(call);
                    let id = announcement.wait().await?;
                    busy.cancel().await?;
                    id
                }
                1 => {
                    let busy = spawn(timeout_after(Duration::from_millis(300), call));
                    let failed = busy.join().await;
                    assert!(matches!(failed, Err(Error::Task(_))), "{failed:?}");
                    // On a busy machine it may not have come so far.
                    match fs::read_to_string(&announcement.0) {
                        Ok(id) => id.parse().unwrap_or(0),
                        Err(_) => 0,
                    }
                }
                _ => {
                    let mut wait = Box::pin(announcement.wait());
                    let mut call = Box::pin(call);
                    let id = futures::future::select(&mut call, &mut wait).await;
                    let futures::future::Either::Right((id, _)) = id else {
                        panic!("it returned")
                    };
                    drop(call);
                    id?
                }
            };
            assert!(start.elapsed() < LIMIT);
            eventually("it is gone, and no zombie", || {
                children().iter().all(|(child, _)| *child != id)
            });
            assert_ne!(run_in_process(pid, ()).await?, id);
        }
        Ok(())
    });
}

#[test]
fn interrupted_before_its_turn_it_has_done_nothing() {
    with_one_worker(async || {
        // To start a worker would fail.
        let none_left: Vec<_> = std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect();
        let early = spawn(run_in_process(for_ever, ()));
        early.cancel().await?;
        let late = spawn(async {
            curio::current_task().cancel_nowait();
            run_in_process(for_ever, ()).await
        });
        late.wait().await?;
        drop(none_left);
        for cancelled in [early, late] {
            let joined = cancelled.join().await;
            assert!(
                matches!(&joined, Err(Error::Task(task)) if task.cancelled()),
                "{joined:?}"
            );
        }
        assert_eq!(children().len(), 0, "nobody was started");
        // In the line.
        let (announcement, second) = (Announcement::new(), Announcement::new());
        let busy = spawn(run_in_process(announced, announcement.0.clone()));
        let id = announcement.wait().await?;
        let waits = timeout_after(
            Duration::from_millis(1),
            run_in_process(announced, second.0.clone()),
        );
        assert!(waits.await.unwrap_err().is_timeout());
        assert_eq!(children(), [(id, children()[0].1)]);
        busy.cancel().await?;
        assert!(!second.0.exists());
        Ok(())
    });
}

/// The one socket that there was not before: that to a worker.
fn socket_beyond(before: &BTreeSet<(PathBuf, PathBuf)>) -> i32 {
    let now = descriptors();
    let new = now.difference(before);
    let mut sockets = new.filter(|(_, what)| what.to_string_lossy().starts_with("socket"));
    let socket = sockets.next().expect("a worker was started");
    assert_eq!(sockets.next(), None);
    socket.0.file_name().unwrap().to_str().unwrap().parse().unwrap()
}

fn is_readable(socket: i32) -> bool {
    let mut count: libc::c_int = 0;
    // SAFETY: it writes a number to this stack. Whatever the descriptor is, it is only looked at.
    assert_eq!(unsafe { libc::ioctl(socket, libc::FIONREAD, &mut count) }, 0);
    count > 0
}

#[test]
fn the_result_that_has_come_wins() {
    with_one_worker(async || {
        let before = descriptors();
        let id = run_in_process(pid, ()).await?;
        let socket = socket_beyond(&before);
        let call = spawn(run_in_process(|()| 7, ()));
        yield_now().await?;
        eventually("the reply has come", || is_readable(socket));
        // The kernel hears of it when this one has yielded, and is to run it first. So the caller has both then.
        while call.state() != curio::State::Ready {
            assert!(!call.terminated());
            yield_now().await?;
        }
        call.cancel().await?;
        assert_eq!(call.join().await?, 7);
        assert_eq!(run_in_process(pid, ()).await?, id);
        Ok(())
    });
}

#[test]
fn a_shield_keeps_the_process_alive() {
    with_one_worker(async || {
        let task = spawn(async {
            let value = disable_cancellation(run_in_process(|n: u32| n + 1, 6)).await?;
            assert_eq!(value, 7);
            sleep(LONG).await
        });
        yield_now().await?;
        task.cancel().await?;
        assert!(task.join().await.is_err());
        Ok(())
    });
}

// ---- The pool

#[test]
fn callers_wait_in_turn_and_those_who_leave_are_passed_over() {
    alone(|| {
        explore_kernels_of_one(60, async || {
            let order = Rc::new(RefCell::new(Vec::new()));
            let mut tasks = Vec::new();
            for n in 0..12 {
                let order = order.clone();
                tasks.push(spawn(async move {
                    let n = run_in_process(|n: u32| n, n).await?;
                    order.borrow_mut().push(n);
                    Ok(())
                }));
                // Whoever is there first is first in the line.
                while tasks[n as usize].state() == curio::State::Ready {
                    yield_now().await?;
                }
            }
            for n in [3, 7, 11] {
                tasks[n].cancel().await?;
            }
            while order.borrow().len() < 9 {
                sleep(Duration::from_millis(1)).await?;
            }
            assert_eq!(*order.borrow(), [0, 1, 2, 4, 5, 6, 8, 9, 10]);
            Ok(())
        });
    });
}

/// Runs a program under shuffled schedules, with a worker.
fn explore_kernels_of_one(seeds: u64, program: impl AsyncFn() -> Result<()>) {
    for seed in 0..seeds {
        let kernel = Kernel::builder()
            .seed(seed)
            .max_worker_processes(1)
            .build()
            .unwrap();
        if let Err(error) = kernel.run(program()) {
            panic!("seed {seed}: {error:?}");
        }
    }
}

/// Futures that are polled by hand, dropped at any time, in any order: a slot that is handed to one that goes away goes on.
#[test]
fn no_slot_is_lost() {
    with_one_worker(async || {
        let mut numbers = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = |below: u64| {
            numbers ^= numbers << 13;
            numbers ^= numbers >> 7;
            numbers ^= numbers << 17;
            numbers % below
        };
        for _ in 0..30 {
            let mut calls: Vec<_> = (0..6).map(|n| Box::pin(run_in_process(|n: u64| n, n))).collect();
            for _ in 0..random(40) {
                if calls.is_empty() {
                    break;
                }
                let at = random(calls.len() as u64) as usize;
                if random(4) == 0 || futures::poll!(&mut calls[at]).is_ready() {
                    drop(calls.swap_remove(at));
                }
                if random(3) == 0 {
                    sleep(Duration::from_millis(1)).await?;
                }
            }
            drop(calls);
            assert_eq!(run_in_process(|n: u32| n, 7).await?, 7);
        }
        Ok(())
    });
}

#[test]
fn there_are_as_many_as_allowed() {
    on(Kernel::builder().max_worker_processes(3), async || {
        let g = TaskGroup::all();
        for _ in 0..10 {
            g.spawn(run_in_process(
                |()| {
                    std::thread::sleep(Duration::from_millis(30));
                    pid(())
                },
                (),
            ));
        }
        g.join().await?;
        let ids: BTreeSet<u32> = g.results()?.into_iter().collect();
        assert_eq!(ids.len(), 3);
        assert_eq!(children().len(), 3);
        Ok(())
    });
}

#[test]
fn it_works_below_combinators() {
    on(Kernel::builder().max_worker_processes(2), async || {
        let (one, two) = futures::join!(run_in_process(|n: u32| n, 1), run_in_process(|n: u32| n, 2));
        assert_eq!((one?, two?), (1, 2));
        let mut many: FuturesUnordered<_> = (0..10).map(|n| run_in_process(|n: u32| n * n, n)).collect();
        let mut sum = 0;
        while let Some(square) = many.next().await {
            sum += square?;
        }
        assert_eq!(sum, 285);
        // All of them are interrupted, wherever they are.
        let busy = spawn(async {
            let many: FuturesUnordered<_> = (0..5).map(|_| run_in_process(for_ever, ())).collect();
            let all: Vec<_> = many.collect().await;
            assert!(all.iter().all(|one| matches!(one, Err(Error::Cancelled(_)))));
            all.into_iter().collect::<Result<Vec<()>>>()
        });
        sleep(Duration::from_millis(20)).await?;
        busy.cancel().await?;
        assert!(busy.join().await.is_err());
        Ok(())
    });
}

#[test]
fn a_call_that_is_moved_to_another_task_goes_on_there() {
    with_one_worker(async || {
        let mut call = Box::pin(run_in_process(
            |()| std::thread::sleep(Duration::from_millis(50)),
            (),
        ));
        assert!(futures::poll!(&mut call).is_pending());
        spawn(call).join().await?;
        // One that waits in the line, too.
        let mut first = Box::pin(run_in_process(|n: u32| n, 1));
        let mut second = Box::pin(run_in_process(|n: u32| n, 2));
        assert!(futures::poll!(&mut first).is_pending());
        assert!(futures::poll!(&mut second).is_pending());
        let second = spawn(second);
        yield_now().await?;
        assert_eq!((first.await?, second.join().await?), (1, 2));
        Ok(())
    });
}

#[test]
fn outside_of_its_kernel_there_is_an_error_and_nothing_is_left() {
    alone(|| {
        let none = futures::executor::block_on(run_in_process(pid, ()));
        assert!(matches!(none, Err(Error::NoKernel)), "{none:?}");
        // One that outlives its kernel.
        let mut kept = Vec::new();
        run(async {
            for _ in 0..4 {
                let mut call = Box::pin(run_in_process(for_ever, ()));
                assert!(futures::poll!(&mut call).is_pending());
                kept.push(call);
            }
            Ok(())
        })
        .unwrap();
        let other = run(kept.pop().unwrap());
        assert!(matches!(other, Err(Error::NoKernel)), "{other:?}");
        let other = run(kept.remove(0));
        assert!(matches!(other, Err(Error::NoKernel)), "{other:?}");
        drop(kept);
        eventually("they are gone", || children().is_empty());
    });
}

#[test]
fn the_end_of_a_kernel_is_the_end_of_its_workers() {
    alone(|| {
        let mut ids = Vec::new();
        let kernel = Kernel::builder().max_worker_processes(2).build().unwrap();
        let announcement = Announcement::new();
        kernel.spawn(run_in_process(announced, announcement.0.clone()));
        kernel
            .run(async {
                ids.push(announcement.wait().await?);
                ids.push(run_in_process(pid, ()).await?);
                Ok(())
            })
            .unwrap();
        // They are kept between two runs.
        assert_eq!(kernel.run(run_in_process(pid, ())).unwrap(), ids[1]);
        assert_eq!(children().len(), 2);
        kernel.shutdown().unwrap();
        assert_eq!(children(), []);
    });
}

#[test]
fn on_the_virtual_clock_time_stands_still_for_them() {
    on(Kernel::builder().clock(Clock::Virtual), async || {
        let start = curio::clock();
        let call = run_in_process(|()| std::thread::sleep(Duration::from_millis(20)), ());
        timeout_after(Duration::from_millis(1), call).await?;
        assert_eq!(curio::clock(), start);
        sleep(LONG).await?;
        run_in_process(pid, ()).await.map(drop)
    });
}

#[test]
fn a_storm_of_cancellations_leaves_nothing() {
    on(Kernel::builder().max_worker_processes(3), async || {
        for n in 0..150 {
            let call = spawn(run_in_process(for_ever, ()));
            for _ in 0..n % 5 {
                sleep(Duration::from_micros(300)).await?;
            }
            call.cancel().await?;
        }
        Ok(())
    });
}

// ---- What a worker is

#[derive(Debug, Serialize, Deserialize)]
struct Surroundings {
    files: Vec<(i32, PathBuf)>,
    is_marked: bool,
    arguments: usize,
}

fn surroundings((): ()) -> Surroundings {
    let mut files: Vec<(i32, PathBuf)> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.parse().ok()?;
            Some((number, fs::read_link(entry.path()).ok()?))
        })
        .collect();
    files.retain(|(_, file)| !file.starts_with("/proc"));
    files.sort();
    Surroundings {
        files,
        is_marked: std::env::var_os("CURIO_WORKER").is_some(),
        arguments: std::env::args().count(),
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_worker_has_no_files_but_its_own() {
    on(Kernel::builder().max_worker_processes(2), async || {
        let (inherited, _write) = std::io::pipe().unwrap();
        // SAFETY: it takes numbers. Children get the descriptor from now on.
        unsafe { libc::fcntl(inherited.as_raw_fd(), libc::F_SETFD, 0) };
        // The sockets of other workers are not for it either.
        let other = spawn(run_in_process(for_ever, ()));
        yield_now().await?;
        let Surroundings {
            files,
            is_marked,
            arguments,
        } = run_in_process(surroundings, ()).await?;
        other.cancel().await?;
        let numbers: Vec<i32> = files.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [0, 1, 2, 3], "{files:?}");
        assert_eq!(files[0].1, PathBuf::from("/dev/null"));
        for n in [1, 2] {
            assert_eq!(files[n].1, fs::read_link(format!("/proc/self/fd/{n}")).unwrap());
        }
        // The connection.
        assert!(files[3].1.to_string_lossy().starts_with("socket:"), "{files:?}");
        assert!(!is_marked);
        assert_eq!(arguments, 1);
        // And none of them goes to a child of the worker.
        let listed = |()| {
            let ls = Command::new("ls")
                .args(["-l", "/proc/self/fd"])
                .stderr(Stdio::null())
                .output();
            String::from_utf8(ls.unwrap().stdout).unwrap()
        };
        let listed = run_in_process(listed, ()).await?;
        assert!(!listed.contains("socket:"), "{listed}");
        Ok(())
    });
}

#[test]
fn a_function_may_do_there_what_it_likes() {
    fn nested(n: u32) -> u32 {
        let local = run(async {
            let queue = UniversalQueue::new();
            let (sender, sum) = (queue.clone(), (0..n).sum::<u32>());
            let thread = std::thread::spawn(move || sender.blocking_put(sum).unwrap());
            let sum = queue.get().await?;
            thread.join().unwrap();
            // A worker of the worker.
            let (further, id) = (run_in_process(|n: u32| (n + 1, pid(())), sum).await?, pid(()));
            assert_ne!(further.1, id);
            Ok(further.0)
        });
        local.unwrap()
    }
    with_one_worker(async || {
        assert_eq!(run_in_process(nested, 10).await?, 46);
        assert_eq!(run_in_process(nested, 11).await?, 56);
        Ok(())
    });
}

#[test]
fn a_worker_of_a_worker_dies_with_it() {
    fn nested(path: PathBuf) {
        run(run_in_process(announced, path)).unwrap();
    }
    with_one_worker(async || {
        let announcement = Announcement::new();
        let busy = spawn(run_in_process(nested, announcement.0.clone()));
        let id = announcement.wait().await?;
        busy.cancel().await?;
        eventually("it dies", || has_ended(id));
        Ok(())
    });
}

#[test]
fn who_has_no_descriptors_gets_an_error() {
    with_one_worker(async || {
        let mut taken = Vec::new();
        while let Ok(file) = fs::File::open("/dev/null") {
            taken.push(file);
        }
        for free in 0..2 {
            let failed = run_in_process(pid, ()).await;
            let Err(Error::Io(error)) = failed else {
                panic!("{free}: {failed:?}")
            };
            assert!(
                error.to_string().starts_with("cannot start a worker process: "),
                "{error}"
            );
            taken.pop();
        }
        drop(taken);
        run_in_process(pid, ()).await.map(drop)
    });
}

// ---- Programs of their own

/// This program once more, as the helper of that name.
fn helper(program: PathBuf, name: &str) -> Command {
    let mut command = Command::new(program);
    command.args([name, "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env("CURIO_HELPER", "1");
    command
}

fn is_helper() -> bool {
    std::env::var_os("CURIO_HELPER").is_some()
}

#[test]
#[ignore = "only as the helper of the next one"]
fn helper_with_two_workers() {
    if !is_helper() {
        return;
    }
    let kernel = Kernel::builder().max_worker_processes(2).build().unwrap();
    let announcement = Announcement::new();
    kernel.spawn(run_in_process(announced, announcement.0.clone()));
    let ended = kernel.run(async {
        let busy = announcement.wait().await?;
        fs::remove_file(&announcement.0)?;
        let idle = run_in_process(pid, ()).await?;
        println!("\n{busy} {idle}");
        sleep(LONG).await
    });
    ended.unwrap();
}

#[test]
fn workers_die_with_their_parent_whatever_they_do() {
    alone(|| {
        for _ in 0..3 {
            let mut parent = helper(std::env::current_exe().unwrap(), "helper_with_two_workers")
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut lines = BufReader::new(parent.stdout.take().unwrap())
                .lines()
                .map(|line| line.unwrap());
            let ids: Vec<u32> = lines
                .find_map(|line| line.split(' ').map(|id| id.parse().ok()).collect())
                .unwrap();
            assert!(ids.iter().all(|id| state_of(*id).is_some()));
            parent.kill().unwrap();
            parent.wait().unwrap();
            for id in ids {
                eventually("they are gone", || has_ended(id));
            }
        }
    });
}

#[test]
#[ignore = "only as the helper of the next one"]
fn helper_whose_terminal_sends_control_c() {
    use std::sync::atomic::{AtomicBool, Ordering};
    if !is_helper() {
        return;
    }
    let over = AtomicBool::new(false);
    let _watched = curio::SignalEvent::new([SIGINT]).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                // SAFETY: it takes numbers. The group is that of this program.
                unsafe { libc::kill(0, SIGINT.number()) };
                std::thread::sleep(Duration::from_micros(100));
            }
        });
        let ended: Vec<String> = (0..20)
            .map(|n| format!("{:?}", run(async { run_in_process(|n: u32| n + 1, n).await })))
            .collect();
        over.store(true, Ordering::SeqCst);
        println!("\n<{}>", ended.join(" "));
    });
}

/// Nor is it from a worker's first moment on, when its libraries have yet to be loaded.
#[test]
fn control_c_is_not_for_workers_that_begin() {
    use std::os::unix::process::CommandExt;
    alone(|| {
        let mut helper = helper(
            std::env::current_exe().unwrap(),
            "helper_whose_terminal_sends_control_c",
        );
        let output = helper.process_group(0).output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let expected: Vec<String> = (1..=20).map(|n| format!("Ok({n})")).collect();
        assert!(stdout.contains(&format!("<{}>", expected.join(" "))), "{stdout}");
    });
}

#[test]
#[ignore = "only as the helper of the next one"]
fn helper_that_deletes_itself() {
    if !is_helper() {
        return;
    }
    let own = std::env::current_exe().unwrap();
    fs::remove_file(&own).unwrap();
    fs::write(&own, "#!/bin/sh\nexit 9\n").unwrap();
    run(async {
        print!("\n<{}>", run_in_process(|n: u32| n + 1, 6).await?);
        run_in_process(|()| print!("<no end of line>"), ()).await
    })
    .unwrap();
    fs::remove_file(&own).unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn a_program_whose_file_was_deleted_or_replaced_goes_on() {
    alone(|| {
        let copy = Announcement::new();
        fs::copy(std::env::current_exe().unwrap(), &copy.0).unwrap();
        let output = helper(copy.0.clone(), "helper_that_deletes_itself")
            .output()
            .unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{stdout}");
        assert!(stdout.contains("<7>"), "{stdout}");
        assert!(
            stdout.contains("<no end of line>"),
            "what was printed is not lost: {stdout}"
        );
    });
}

#[test]
fn a_worker_that_cannot_be_one_does_not_run_the_program() {
    alone(|| {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        // One descriptor to start with, and not the two that it takes to wait for functions.
        let output = Command::new("sh")
            .args(["-c", "ulimit -c 0; ulimit -n 4; exec \"$0\" --list"])
            .arg(std::env::current_exe().unwrap())
            .env("CURIO_WORKER", "1")
            .stdin(std::os::fd::OwnedFd::from(theirs))
            .output()
            .unwrap();
        drop(ours);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains("standard input of a worker"), "{errors}");
        assert!(!output.status.success());
    });
}

/// Whoever starts a program that has more rights than they (setuid) says what is in its environment, and what its standard input
/// is. If that made a worker of it, they could have it call anything.
#[test]
#[cfg(target_os = "linux")]
fn a_program_with_more_rights_is_no_worker() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    // SAFETY: it has no arguments.
    if unsafe { libc::geteuid() } != 0 {
        println!("skipped: only the superuser can give rights away");
        return;
    }
    alone(|| {
        let copy = Announcement::new();
        fs::copy(std::env::current_exe().unwrap(), &copy.0).unwrap();
        fs::set_permissions(&copy.0, fs::Permissions::from_mode(0o4755)).unwrap();
        let found = fs::metadata(&copy.0).unwrap();
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let greeting = [
            u64::from_ne_bytes(*b"curio\0\x01\xfe"),
            found.dev(),
            found.ino(),
            found.size(),
            found.mtime().cast_unsigned(),
            found.mtime_nsec().cast_unsigned(),
        ];
        // A function at an address where there is none.
        let request = [greeting[0] + 1, 0x4141_4141_4141_4141, 0, 0];
        for number in greeting.into_iter().chain(request) {
            std::io::Write::write_all(&mut &ours, &number.to_ne_bytes()).unwrap();
        }
        let mut command = Command::new("sh");
        command
            .args(["-c", "ulimit -c 0; exec \"$0\" --list"])
            .arg(&copy.0);
        command.env("CURIO_WORKER", "1").uid(65534).gid(65534);
        let output = command
            .stdin(std::os::fd::OwnedFd::from(theirs))
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains("more rights"), "{:?} {errors}", output.status);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    });
}

#[test]
fn the_mark_alone_makes_no_worker() {
    alone(|| {
        let list = || {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.arg("--list").env("CURIO_WORKER", "1");
            command
        };
        for stdin in [Stdio::null(), Stdio::piped()] {
            let output = list().stdin(stdin).output().unwrap();
            assert!(output.status.success());
            assert!(
                String::from_utf8(output.stdout)
                    .unwrap()
                    .contains("the_mark_alone")
            );
        }
        // Nor does a socket from which nothing comes, or something else: it ends, and is no program either.
        for greeting in [&b""[..], b"hello", &[7; 100]] {
            let (mut ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
            std::io::Write::write_all(&mut ours, greeting).unwrap();
            let mut child = list();
            child
                .stdin(std::os::fd::OwnedFd::from(theirs))
                .stdout(Stdio::piped());
            let child = child.spawn().unwrap();
            drop(ours);
            let output = child.wait_with_output().unwrap();
            assert_eq!((output.status.code(), output.stdout), (Some(0), Vec::new()));
        }
    });
}
