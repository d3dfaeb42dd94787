//! Signals: storms, shutdowns, handlers of others, and nothing left behind.
//!
//! Signals, their dispositions and file descriptors belong to the whole process. So each test runs in a process of its own:
//! this very program, started again with the name of the test.

#![cfg(unix)]
#![allow(missing_docs)]
// For what no safe function does: `fork`, and handlers that are not curio's.
#![allow(unsafe_code)]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use common::{Alone, counted, run};
use curio::signal::{self, SIGBUS, SIGFPE, SIGHUP, SIGILL, SIGINT, SIGKILL, SIGSEGV, SIGSTOP, SIGTERM};
use curio::signal::{SIGUSR1, SIGUSR2, Signal, raise};
use curio::{
    Clock, Error, Kernel, Result, SignalEvent, SignalQueue, TaskGroup, disable_cancellation, sleep, spawn,
    timeout_after, yield_now,
};

const SEC: Duration = Duration::from_secs(1);

/// Far more than any test takes.
const LONG: Duration = Duration::from_secs(1000);

/// What a process has that a test could leave behind.
#[derive(Debug, PartialEq)]
struct Belongings {
    descriptors: usize,
    threads: usize,
    /// The signals that are ignored and caught.
    signals: Vec<String>,
}

impl Belongings {
    fn now() -> Belongings {
        let count = |folder: &str| fs::read_dir(folder).map_or(0, Iterator::count);
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let signals = ["SigIgn", "SigCgt"];
        let is_about_signals = |line: &&str| signals.iter().any(|name| line.starts_with(name));
        Belongings {
            descriptors: count("/proc/self/fd"),
            threads: count("/proc/self/task"),
            signals: status
                .lines()
                .filter(is_about_signals)
                .map(String::from)
                .collect(),
        }
    }
}

/// This program again, with its signals as a program in the foreground has them: a shell without jobs ignores SIGINT and
/// SIGQUIT for what it starts in the background, `nohup` ignores SIGHUP, and that is inherited. (Only GNU's `env` can undo it.)
fn again() -> Command {
    let program = std::env::current_exe().unwrap();
    let env = || {
        let mut env = Command::new("env");
        env.arg("--default-signal=INT,QUIT,HUP");
        env
    };
    let can = env().arg("true").stderr(Stdio::null()).status();
    if can.is_ok_and(|status| status.success()) {
        let mut env = env();
        env.arg(program);
        env
    } else {
        Command::new(program)
    }
}

/// Runs a test in a process of its own, and gives how that has ended and what it has printed.
#[track_caller]
fn process(name: &str, program: impl FnOnce()) -> (ExitStatus, String) {
    const NAME: &str = "CURIO_SIGNAL_TEST";
    if std::env::var(NAME).is_ok_and(|given| given == name) {
        let guard = Alone::start();
        program();
        drop(guard);
        std::process::exit(0);
    }
    let output = again()
        .args(["--exact", name, "--nocapture"])
        .env(NAME, name)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status, printed.into_owned())
}

/// Runs a test in a process of its own, which leaves nothing behind.
#[track_caller]
fn alone(name: &str, program: impl FnOnce()) {
    let (status, printed) = process(name, || {
        let before = Belongings::now();
        program();
        // A thread has ended a moment before the system takes it off its list.
        let start = Instant::now();
        while Belongings::now() != before {
            assert!(
                start.elapsed() < 60 * SEC,
                "{before:?} and now {:?}",
                Belongings::now()
            );
            thread::yield_now();
        }
    });
    assert!(status.success(), "{status}\n{printed}");
}

/// Sends a signal to this process from another one.
fn kill(signal: Signal) {
    let (number, id) = (signal.number().to_string(), std::process::id().to_string());
    let status = Command::new("kill").args(["-s", &number, &id]).status();
    assert!(status.expect("`kill` is there").success());
}

/// Does something while this signal is ignored by whoever does not watch it. What other processes send may come to a thread that
/// does not get to run for a while: after the last queue has gone, it would end the process.
fn in_a_storm_of(signal: Signal, storm: impl FnOnce()) {
    // SAFETY: this process is the test's own, and here is its only thread that touches this signal.
    unsafe { libc::signal(signal.number(), libc::SIG_IGN) };
    storm();
    // SAFETY: as above. What was pending was forgotten when the last queue went.
    unsafe { libc::signal(signal.number(), libc::SIG_DFL) };
}

/// Waits until a task waits for a signal.
async fn until_it_waits<T>(task: &curio::Task<T>) -> Result<()> {
    while task.state().as_str() != "SIGNAL_WAIT" {
        yield_now().await?;
    }
    Ok(())
}

// ---- Nothing is lost

#[test]
fn a_storm_of_100000() {
    alone("a_storm_of_100000", || {
        const THREADS: usize = 4;
        const EACH: usize = 25_000;
        let signals = SignalQueue::new([SIGUSR1]).unwrap();
        let second = SignalQueue::new([SIGUSR1]).unwrap();
        let storm: Vec<_> = (0..THREADS)
            .map(|_| thread::spawn(|| (0..EACH).for_each(|_| raise(SIGUSR1).unwrap())))
            .collect();
        run(async {
            for _ in 0..THREADS * EACH {
                assert_eq!(signals.get().await?, SIGUSR1);
            }
            Ok(())
        })
        .unwrap();
        storm.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(signals.try_get(), None);
        // Here nobody has waited meanwhile.
        (0..THREADS * EACH).for_each(|_| assert_eq!(second.blocking_get().unwrap(), SIGUSR1));
        assert_eq!(second.try_get(), None);
    });
}

/// What the system merges is its affair. But whatever comes last does come.
#[test]
fn a_storm_from_another_process() {
    alone("a_storm_from_another_process", || {
        in_a_storm_of(SIGUSR1, || {
            let signals = SignalQueue::new([SIGUSR1, SIGUSR2]).unwrap();
            let id = std::process::id();
            let script = format!(
                "i=0; while [ $i -lt 20000 ]; do kill -USR1 {id}; i=$((i + 1)); done; kill -USR2 {id}"
            );
            let mut storm = Command::new("sh").args(["-c", &script]).spawn().unwrap();
            let mut count = 0;
            run(async {
                while signals.get().await? == SIGUSR1 {
                    count += 1;
                }
                Ok(())
            })
            .unwrap();
            assert!((1..=20_000).contains(&count), "{count}");
            assert!(storm.wait().unwrap().success());
        });
    });
}

#[test]
fn signals_are_kept_while_nobody_waits() {
    alone("signals_are_kept_while_nobody_waits", || {
        let signals = SignalQueue::new([SIGUSR1, SIGUSR2, SIGHUP]).unwrap();
        let event = SignalEvent::new([SIGUSR2, SIGHUP]).unwrap();
        let all = [SIGUSR2, SIGUSR1, SIGHUP, SIGUSR2];
        for signal in all {
            raise(signal).unwrap();
        }
        run(async {
            for signal in all {
                assert_eq!(signals.get().await?, signal);
            }
            assert_eq!(event.wait().await?, SIGUSR2);
            assert_eq!(event.wait().await?, SIGUSR2);
            event.clear();
            raise(SIGHUP)?;
            assert_eq!(event.wait().await?, SIGHUP);
            Ok(())
        })
        .unwrap();
        assert_eq!(event.blocking_wait().unwrap(), SIGHUP);
        assert_eq!(signals.blocking_get().unwrap(), SIGHUP);
        assert!(
            signals
                .blocking_get_timeout(Duration::from_millis(1))
                .unwrap_err()
                .is_timeout()
        );
    });
}

/// Signals that come at the same instant, because they were blocked, are handled one after the other.
#[test]
fn signals_that_were_blocked_come_in_order() {
    alone("signals_that_were_blocked_come_in_order", || {
        let signals = SignalQueue::new([SIGUSR1, SIGUSR2, SIGTERM]).unwrap();
        // SAFETY: the set lives here.
        let set = unsafe {
            let mut set = std::mem::zeroed();
            libc::sigfillset(&mut set);
            set
        };
        let mask = |how| {
            // SAFETY: as above.
            let failed = unsafe { libc::pthread_sigmask(how, &set, std::ptr::null_mut()) };
            assert_eq!(failed, 0);
        };
        mask(libc::SIG_BLOCK);
        for signal in [SIGTERM, SIGUSR2, SIGUSR1] {
            raise(signal).unwrap();
        }
        assert_eq!(signals.try_get(), None);
        mask(libc::SIG_UNBLOCK);
        // In the order of their numbers, which is the system's.
        for signal in [SIGUSR1, SIGUSR2, SIGTERM] {
            assert_eq!(signals.blocking_get().unwrap(), signal);
        }
    });
}

/// Whoever was chosen for a signal and goes away before it comes passes it on.
#[test]
fn a_signal_for_one_who_goes_away_is_for_the_next() {
    alone("a_signal_for_one_who_goes_away_is_for_the_next", || {
        let signals = SignalQueue::new([SIGUSR1]).unwrap();
        let program = async {
            let mut first = signals.get();
            assert!(futures::poll!(&mut first).is_pending());
            let second = spawn({
                let signals = signals.clone();
                async move { signals.get().await }
            });
            until_it_waits(&second).await?;
            raise(SIGUSR1)?;
            // It has come, and is kept for the first.
            while format!("{signals:?}") != "SignalQueue { pending: 1 }" {
                thread::yield_now();
            }
            assert_eq!(signals.try_get(), None);
            assert_eq!(second.state().as_str(), "SIGNAL_WAIT");
            drop(first);
            assert_eq!(second.join().await?, SIGUSR1);
            Ok(())
        };
        run(program).unwrap();
    });
}

/// A cancelled task either has the signal or has left it to the next.
#[test]
fn a_signal_and_a_cancel_at_once() {
    alone("a_signal_and_a_cancel_at_once", || {
        let signals = SignalQueue::new([SIGUSR1]).unwrap();
        for seed in 0..200 {
            let kernel = counted(
                Kernel::builder()
                    .clock(Clock::Virtual)
                    .seed(seed)
                    .build()
                    .unwrap(),
            );
            let program = async {
                let get = || {
                    let signals = signals.clone();
                    spawn(async move { signals.get().await })
                };
                let (first, second) = (get(), get());
                until_it_waits(&first).await?;
                until_it_waits(&second).await?;
                raise(SIGUSR1)?;
                first.cancel_nowait();
                first.wait().await?;
                match first.join().await {
                    Ok(signal) => {
                        assert_eq!(signal, SIGUSR1);
                        second.cancel().await?;
                    }
                    Err(_) => assert_eq!(second.join().await?, SIGUSR1),
                }
                Ok(())
            };
            kernel.run(program).unwrap();
            assert_eq!(signals.try_get(), None);
        }
    });
}

#[test]
fn several_tasks_at_one_queue_share_the_signals() {
    alone("several_tasks_at_one_queue_share_the_signals", || {
        let signals = SignalQueue::new([SIGUSR1]).unwrap();
        run(async {
            let group = TaskGroup::all();
            for _ in 0..10 {
                let signals = signals.clone();
                group.spawn(async move { signals.get().await });
            }
            yield_now().await?;
            for _ in 0..10 {
                raise(SIGUSR1)?;
            }
            group.join().await
        })
        .unwrap();
        assert_eq!(signals.try_get(), None);
    });
}

// ---- Kernels, threads and other executors

#[test]
fn two_kernels_and_a_thread_and_tokio_watch_one_signal() {
    alone("two_kernels_and_a_thread_and_tokio_watch_one_signal", || {
        const MANY: usize = 1_000;
        let ready = Arc::new(Barrier::new(5));
        let watch = |wait: fn(SignalQueue)| {
            let ready = ready.clone();
            thread::spawn(move || {
                let signals = SignalQueue::new([SIGUSR1]).unwrap();
                ready.wait();
                wait(signals);
            })
        };
        async fn get_many(signals: SignalQueue) -> Result<()> {
            for _ in 0..MANY {
                signals.get().await?;
            }
            Ok(())
        }
        let kernel: fn(SignalQueue) = |signals| run(get_many(signals)).unwrap();
        let watchers = [
            watch(kernel),
            watch(kernel),
            watch(|signals| (0..MANY).for_each(|_| assert_eq!(signals.blocking_get().unwrap(), SIGUSR1))),
            watch(|signals| {
                let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
                tokio.block_on(get_many(signals)).unwrap();
            }),
        ];
        ready.wait();
        (0..MANY).for_each(|_| raise(SIGUSR1).unwrap());
        watchers.into_iter().for_each(|watcher| watcher.join().unwrap());
    });
}

#[test]
fn a_signal_interrupts_no_sleep() {
    alone("a_signal_interrupts_no_sleep", || {
        in_a_storm_of(SIGUSR1, || {
            let signals = SignalQueue::new([SIGUSR1]).unwrap();
            // Some end a wait of the selector, whichever thread they get; the others are handled by the reader.
            let done = Arc::new(AtomicBool::new(false));
            let storm = thread::spawn({
                let done = done.clone();
                move || {
                    while !done.load(Ordering::SeqCst) {
                        kill(SIGUSR1);
                    }
                }
            });
            run(async {
                for _ in 0..10 {
                    let limit = Duration::from_millis(30);
                    let start = Instant::now();
                    sleep(limit).await?;
                    assert!(start.elapsed() >= limit);
                    let slept = timeout_after(limit, sleep(LONG)).await;
                    assert!(slept.unwrap_err().is_timeout());
                }
                signals.get().await
            })
            .unwrap();
            done.store(true, Ordering::SeqCst);
            storm.join().unwrap();
        });
    });
}

/// On the virtual clock, nobody who waits for a signal is deadlocked.
#[test]
fn the_virtual_clock_waits_for_signals() {
    alone("the_virtual_clock_waits_for_signals", || {
        let kernel = counted(Kernel::builder().clock(Clock::Virtual).build().unwrap());
        let event = SignalEvent::new([SIGUSR1]).unwrap();
        let sender = thread::spawn(|| kill(SIGUSR1));
        kernel.run(event.wait()).unwrap();
        sender.join().unwrap();
    });
}

#[test]
fn interrupted_waits_leave_nothing() {
    alone("interrupted_waits_leave_nothing", || {
        let signals = SignalQueue::new([SIGUSR1]).unwrap();
        let event = SignalEvent::new([SIGUSR1]).unwrap();
        let kernel = counted(Kernel::new().unwrap());
        kernel
            .run(async {
                for _ in 0..3 {
                    assert!(
                        timeout_after(Duration::ZERO, signals.get())
                            .await
                            .unwrap_err()
                            .is_timeout()
                    );
                    assert!(
                        timeout_after(Duration::ZERO, event.wait())
                            .await
                            .unwrap_err()
                            .is_timeout()
                    );
                }
                raise(SIGUSR1)?;
                signals.get().await
            })
            .unwrap();
        let empty = "Kernel { tasks: 0, waits: 0, scopes: 0, timers: 0, sockets: 0 }";
        assert_eq!(format!("{kernel:?}"), empty);
        // Outside of any kernel, inside of one, and after its end.
        let get = signals.get();
        drop(kernel);
        drop(get);
        run(async { assert!(matches!(signals.blocking_get(), Err(Error::KernelRunning))) }).unwrap();
    });
}

// ---- What signals did before

/// The signals that are ignored, or caught, as a bit mask.
fn mask(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    u64::from_str_radix(line.trim_start_matches(':').trim(), 16).unwrap()
}

fn is_in(name: &str, signal: Signal) -> bool {
    mask(name) & 1 << (signal.number() - 1) != 0
}

#[test]
#[cfg(target_os = "linux")]
fn the_last_watcher_gives_the_signal_back() {
    alone("the_last_watcher_gives_the_signal_back", || {
        assert!(!is_in("SigCgt", SIGINT));
        let one = SignalEvent::new([SIGINT, SIGTERM]).unwrap();
        let two = SignalQueue::new([SIGINT]).unwrap();
        let copy = one.clone();
        drop(one);
        assert!(is_in("SigCgt", SIGINT) && is_in("SigCgt", SIGTERM));
        drop(copy);
        assert!(is_in("SigCgt", SIGINT) && !is_in("SigCgt", SIGTERM));
        let ignored = signal::ignore([SIGINT, SIGHUP]).unwrap();
        drop(two);
        assert!(is_in("SigCgt", SIGINT) && is_in("SigCgt", SIGHUP));
        // Not by the system, which would ignore them in child processes as well.
        assert!(!is_in("SigIgn", SIGINT));
        assert_eq!(format!("{ignored:?}"), "Ignored {SIGHUP, SIGINT}");
        raise(SIGINT).unwrap();
        raise(SIGHUP).unwrap();
        drop(ignored);
        assert!(!is_in("SigCgt", SIGINT) && !is_in("SigCgt", SIGHUP));
    });
}

#[test]
fn a_signal_that_nobody_watches_any_more_ends_the_program() {
    let (status, printed) = process("a_signal_that_nobody_watches_any_more_ends_the_program", || {
        run(async {
            let event = SignalEvent::new([SIGTERM])?;
            raise(SIGTERM)?;
            event.wait().await?;
            println!("once");
            drop(event);
            raise(SIGTERM)?;
            println!("twice");
            Ok(())
        })
        .unwrap();
    });
    assert_eq!(status.signal(), Some(SIGTERM.number()), "{printed}");
    assert!(
        printed.contains("once") && !printed.contains("twice"),
        "{printed}"
    );
}

#[test]
fn an_ignored_signal_is_ignored_again() {
    alone("an_ignored_signal_is_ignored_again", || {
        // SAFETY: nobody else touches this signal.
        unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
        for _ in 0..3 {
            let signals = SignalQueue::new([SIGHUP]).unwrap();
            raise(SIGHUP).unwrap();
            assert_eq!(signals.blocking_get().unwrap(), SIGHUP);
            drop(signals);
            raise(SIGHUP).unwrap();
        }
        // SAFETY: as above.
        let now = unsafe { libc::signal(libc::SIGHUP, libc::SIG_DFL) };
        assert_eq!(now, libc::SIG_IGN);
    });
}

static OTHERS: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];
static SENDER: AtomicI32 = AtomicI32::new(0);

extern "C" fn others(_: libc::c_int) {
    OTHERS[0].fetch_add(1, Ordering::SeqCst);
}

extern "C" fn others_with_more(number: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    assert_eq!(number, libc::SIGUSR2);
    // SAFETY: the system has given it.
    SENDER.store(unsafe { (*info).si_pid() }, Ordering::SeqCst);
    OTHERS[1].fetch_add(1, Ordering::SeqCst);
}

fn set_handler(number: libc::c_int, handler: libc::sighandler_t, flags: libc::c_int) -> libc::sighandler_t {
    // SAFETY: the structures live here, and the handlers above do nothing but atomic operations.
    unsafe {
        let (mut new, mut old): (libc::sigaction, libc::sigaction) = std::mem::zeroed();
        new.sa_sigaction = handler;
        new.sa_flags = flags;
        assert_eq!(libc::sigaction(number, &new, &mut old), 0);
        old.sa_sigaction
    }
}

/// Other libraries have handlers, too: they still hear of their signals.
#[test]
fn handlers_of_others_are_called_and_come_back() {
    alone("handlers_of_others_are_called_and_come_back", || {
        let one = others as extern "C" fn(_) as libc::sighandler_t;
        let two = others_with_more as extern "C" fn(_, _, _) as libc::sighandler_t;
        set_handler(libc::SIGUSR1, one, 0);
        set_handler(libc::SIGUSR2, two, libc::SA_SIGINFO);
        let signals = SignalQueue::new([SIGUSR1, SIGUSR2]).unwrap();
        for signal in [SIGUSR1, SIGUSR2, SIGUSR2] {
            raise(signal).unwrap();
            assert_eq!(signals.blocking_get().unwrap(), signal);
        }
        let called = || OTHERS.each_ref().map(|count| count.load(Ordering::SeqCst));
        assert_eq!(called(), [1, 2]);
        assert_eq!(SENDER.load(Ordering::SeqCst), std::process::id() as i32);
        drop(signals);
        raise(SIGUSR1).unwrap();
        raise(SIGUSR2).unwrap();
        assert_eq!(called(), [2, 3]);
        assert_eq!(set_handler(libc::SIGUSR1, libc::SIG_DFL, 0), one);
        assert_eq!(set_handler(libc::SIGUSR2, libc::SIG_DFL, 0), two);
    });
}

/// Whoever replaces the handler while we watch keeps the signal.
#[test]
fn a_handler_that_came_after_ours_stays() {
    alone("a_handler_that_came_after_ours_stays", || {
        let one = others as extern "C" fn(_) as libc::sighandler_t;
        let signals = SignalQueue::new([SIGUSR1]).unwrap();
        let ours = set_handler(libc::SIGUSR1, one, 0);
        drop(signals);
        raise(SIGUSR1).unwrap();
        assert_eq!(OTHERS[0].load(Ordering::SeqCst), 1);
        // They give back what they have found: our handler, which has nobody to tell. A new watcher makes use of it.
        assert_eq!(set_handler(libc::SIGUSR1, ours, libc::SA_SIGINFO), one);
        raise(SIGUSR1).unwrap();
        let signals = SignalQueue::new([SIGUSR1]).unwrap();
        raise(SIGUSR1).unwrap();
        assert_eq!(signals.blocking_get().unwrap(), SIGUSR1);
        drop(signals);
        assert_eq!(set_handler(libc::SIGUSR1, libc::SIG_DFL, 0), libc::SIG_DFL);
    });
}

/// In a forked child, a signal does what it did before, and the parent does not hear of it.
#[test]
fn a_forked_child_is_none_of_ours() {
    alone("a_forked_child_is_none_of_ours", || {
        let signals = SignalQueue::new([SIGUSR1, SIGUSR2]).unwrap();
        let fork = |child: fn()| {
            // SAFETY: the child only calls what a child of a process with threads may: `raise`, and the end.
            unsafe {
                let id = libc::fork();
                assert!(id >= 0);
                if id == 0 {
                    child();
                    libc::_exit(7);
                }
                let mut status = 0;
                assert_eq!(libc::waitpid(id, &mut status, 0), id);
                ExitStatus::from_raw(status)
            }
        };
        let ended = fork(|| raise(SIGUSR1).unwrap());
        assert_eq!(ended.signal(), Some(libc::SIGUSR1));
        drop(signals);
        // SAFETY: nobody else touches this signal.
        unsafe { libc::signal(libc::SIGUSR1, libc::SIG_IGN) };
        let signals = SignalQueue::new([SIGUSR1, SIGUSR2]).unwrap();
        let ended = fork(|| raise(SIGUSR1).unwrap());
        assert_eq!(ended.code(), Some(7));
        raise(SIGUSR2).unwrap();
        assert_eq!(signals.blocking_get().unwrap(), SIGUSR2);
        assert_eq!(signals.try_get(), None);
        drop(signals);
        // SAFETY: as above.
        unsafe { libc::signal(libc::SIGUSR1, libc::SIG_DFL) };
    });
}

/// A program that is started starts afresh.
#[test]
fn programs_that_are_started_know_nothing_of_it() {
    alone("programs_that_are_started_know_nothing_of_it", || {
        let _signals = SignalQueue::new([SIGTERM]).unwrap();
        let _ignored = signal::ignore([SIGHUP]).unwrap();
        for (name, signal) in [("TERM", SIGTERM), ("HUP", SIGHUP)] {
            let script = format!("kill -{name} $$; exit 7");
            let status = Command::new("sh").args(["-c", &script]).status().unwrap();
            assert_eq!(status.signal(), Some(signal.number()));
        }
    });
}

/// The pipe is closed while handlers of other threads run. None of them may write to what its number means then.
#[test]
fn no_handler_writes_to_what_the_pipe_once_was() {
    alone("no_handler_writes_to_what_the_pipe_once_was", || {
        // SAFETY: nobody else touches this signal.
        unsafe { libc::signal(libc::SIGUSR1, libc::SIG_IGN) };
        let done = Arc::new(AtomicBool::new(false));
        let storm: Vec<_> = (0..2)
            .map(|_| {
                let done = done.clone();
                thread::spawn(move || {
                    while !done.load(Ordering::SeqCst) {
                        raise(SIGUSR1).unwrap();
                    }
                })
            })
            .collect();
        let others: Vec<_> = (0..2)
            .map(|_| {
                let done = done.clone();
                thread::spawn(move || {
                    while !done.load(Ordering::SeqCst) {
                        let (mut reader, mut writer) = std::io::pipe().unwrap();
                        thread::yield_now();
                        writer.write_all(b"mine").unwrap();
                        drop(writer);
                        let mut bytes = Vec::new();
                        reader.read_to_end(&mut bytes).unwrap();
                        assert_eq!(bytes, b"mine");
                    }
                })
            })
            .collect();
        let start = Instant::now();
        while start.elapsed() < 2 * SEC {
            let signals = SignalQueue::new([SIGUSR1]).unwrap();
            signals.blocking_get().unwrap();
        }
        done.store(true, Ordering::SeqCst);
        storm
            .into_iter()
            .chain(others)
            .for_each(|thread| thread.join().unwrap());
        // SAFETY: as above.
        unsafe { libc::signal(libc::SIGUSR1, libc::SIG_DFL) };
    });
}

#[test]
fn what_cannot_be_watched_is_a_clear_error() {
    alone("what_cannot_be_watched_is_a_clear_error", || {
        let fault = "it is about the very instruction that was tried, which a program cannot go on after";
        for (signal, why) in [
            (SIGKILL, "the system lets nobody catch it"),
            (SIGSTOP, "the system lets nobody catch it"),
            (SIGSEGV, fault),
            (SIGBUS, fault),
            (SIGFPE, fault),
            (SIGILL, fault),
            (Signal::from(0), "there is no such signal"),
            (Signal::from(-1), "there is no such signal"),
            (Signal::from(i32::MIN), "there is no such signal"),
            (Signal::from(128), "there is no such signal"),
            (Signal::from(i32::MAX), "there is no such signal"),
            // Not even this is for the library to know.
            (Signal::from(100), "Invalid argument"),
        ] {
            let expected = format!("{signal} cannot be watched: {why}");
            // The one before it is not left behind.
            for error in [
                SignalQueue::new([SIGTERM, signal]).unwrap_err(),
                SignalEvent::new([signal]).unwrap_err(),
                signal::ignore([SIGTERM, signal]).unwrap_err(),
                counted(Kernel::builder().exit_on([signal]).build().unwrap())
                    .run(async {})
                    .unwrap_err(),
            ] {
                assert!(error.to_string().starts_with(&expected), "{error}");
                let Error::Io(error) = error else {
                    panic!("{error}")
                };
                assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
            }
        }
        assert!(raise(0).is_err() && raise(1000).is_err());
    });
}

#[test]
#[cfg(target_os = "linux")]
fn without_descriptors_it_is_an_error() {
    alone("without_descriptors_it_is_an_error", || {
        let null = || fs::File::open("/dev/null");
        let limit = |number: u64| {
            // SAFETY: the structure lives here.
            unsafe {
                let mut limit = std::mem::zeroed();
                assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
                let before = limit.rlim_cur;
                limit.rlim_cur = number;
                assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
                before
            }
        };
        let before = limit(64);
        let mut files = Vec::new();
        let error = loop {
            match null() {
                Ok(file) => files.push(file),
                Err(error) => break error,
            }
        };
        let refused = SignalQueue::new([SIGTERM]).unwrap_err();
        assert_eq!(refused.to_string(), error.to_string());
        assert!(!is_in_without_files(SIGTERM, &mut files));
        drop(files);
        limit(before);
        SignalQueue::new([SIGTERM]).unwrap();
    });
}

/// One descriptor is needed to look.
#[cfg(target_os = "linux")]
fn is_in_without_files(signal: Signal, files: &mut Vec<fs::File>) -> bool {
    files.pop();
    is_in("SigCgt", signal)
}

// ---- The orderly end

/// Says how it ends.
async fn careful(name: &'static str, cleanup: Duration) -> Result<()> {
    let slept = sleep(LONG).await;
    println!("{name} is told");
    disable_cancellation(sleep(cleanup)).await?;
    println!("{name} has ended");
    slept
}

#[test]
fn a_signal_ends_the_run_in_an_orderly_way() {
    alone("a_signal_ends_the_run_in_an_orderly_way", || {
        for signal in [SIGINT, SIGTERM] {
            let kernel = counted(Kernel::builder().exit_on([SIGINT, SIGTERM]).build().unwrap());
            let kid = kernel.spawn(careful("kid", Duration::from_millis(1)));
            let ended = kernel.run(async {
                let sender = thread::spawn(move || kill(signal));
                let ended = careful("main", Duration::from_millis(1)).await;
                sender.join().unwrap();
                ended
            });
            let code = 128 + signal.number();
            assert!(matches!(ended, Err(Error::Exit(n)) if n == code), "{ended:?}");
            // Only the main task was told; the others when the kernel ends.
            assert!(!kid.terminated());
            // A second run starts afresh.
            raise_soon_after_start(&kernel);
            kernel.shutdown().unwrap();
            assert!(kid.terminated());
        }
    });
}

fn raise_soon_after_start(kernel: &Kernel) {
    let ended = kernel.run(async {
        raise(SIGINT)?;
        sleep(LONG).await
    });
    assert!(matches!(ended, Err(Error::Exit(130))), "{ended:?}");
}

#[test]
fn run_all_ends_as_well() {
    alone("run_all_ends_as_well", || {
        let kernel = counted(Kernel::builder().exit_on([SIGINT]).build().unwrap());
        kernel.spawn(async {
            raise(SIGINT)?;
            sleep(LONG).await
        });
        assert!(matches!(kernel.run_all(), Err(Error::Exit(130))));
        // And not while none of the two runs: then the signal does what it always did.
        assert_eq!(format!("{kernel:?}").find("tasks: 1"), Some(9));
        kernel.shutdown().unwrap();
    });
}

#[test]
fn a_main_task_that_is_busy_hears_of_it_when_it_waits() {
    alone("a_main_task_that_is_busy_hears_of_it_when_it_waits", || {
        let kernel = counted(Kernel::builder().exit_on([SIGINT]).build().unwrap());
        let ended = kernel.run(async {
            raise(SIGINT)?;
            loop {
                yield_now().await?;
            }
            #[allow(unreachable_code)]
            Ok(())
        });
        assert!(matches!(ended, Err(Error::Exit(130))), "{ended:?}");
        // If it has ended all the same, its value does not matter: somebody wants the program to end.
        let ended = kernel.run(async {
            raise(SIGINT)?;
            disable_cancellation(sleep(Duration::from_millis(50))).await?;
            Ok(7)
        });
        assert!(matches!(ended, Err(Error::Exit(130))), "{ended:?}");
    });
}

#[test]
fn all_kernels_end_on_the_same_signal() {
    alone("all_kernels_end_on_the_same_signal", || {
        let ready = Arc::new(Barrier::new(4));
        let kernels: Vec<_> = (0..3)
            .map(|_| {
                let ready = ready.clone();
                thread::spawn(move || {
                    let kernel = counted(Kernel::builder().exit_on([SIGINT]).build().unwrap());
                    kernel.run(async {
                        ready.wait();
                        sleep(LONG).await
                    })
                })
            })
            .collect();
        ready.wait();
        raise(SIGINT).unwrap();
        for kernel in kernels {
            assert!(matches!(kernel.join().unwrap(), Err(Error::Exit(130))));
        }
    });
}

#[test]
fn who_watches_the_signal_goes_first() {
    alone("who_watches_the_signal_goes_first", || {
        let kernel = counted(Kernel::builder().exit_on([SIGINT]).build().unwrap());
        let ended = kernel.run(async {
            let event = SignalEvent::new([SIGINT])?;
            for _ in 0..3 {
                raise(SIGINT)?;
                event.wait().await?;
                event.clear();
            }
            drop(event);
            println!("the event is gone");
            raise(SIGINT)?;
            sleep(LONG).await
        });
        assert!(matches!(ended, Err(Error::Exit(130))), "{ended:?}");
    });
}

/// The second one is heard at once.
#[track_caller]
fn second_one(name: &str, in_main: bool) {
    let (status, printed) = process(name, || {
        let kernel = counted(Kernel::builder().exit_on([SIGINT]).build().unwrap());
        kernel.spawn(async {
            let _ = sleep(LONG).await;
            println!("shutdown");
            raise(SIGINT)?;
            println!("not reached");
            Ok(())
        });
        let _ = kernel.run(async move {
            raise(SIGINT)?;
            let slept = sleep(LONG).await;
            println!("main is told");
            if in_main {
                raise(SIGINT)?;
                println!("not reached");
            }
            slept
        });
        kernel.shutdown().unwrap();
    });
    assert_eq!(status.signal(), Some(2), "{printed}");
    assert!(
        printed.contains("main is told") && !printed.contains("not reached"),
        "{printed}"
    );
    assert_eq!(printed.contains("shutdown"), !in_main, "{printed}");
}

#[test]
fn the_second_one_ends_the_program_while_main_cleans_up() {
    second_one("the_second_one_ends_the_program_while_main_cleans_up", true);
}

#[test]
fn the_second_one_ends_the_program_during_the_shutdown() {
    second_one("the_second_one_ends_the_program_during_the_shutdown", false);
}

/// No signal gets through to a task that never waits. But whoever presses Ctrl-C twice is heard.
#[test]
fn the_second_one_ends_a_program_that_never_waits() {
    let (status, printed) = process("the_second_one_ends_a_program_that_never_waits", || {
        let kernel = counted(Kernel::builder().exit_on([SIGINT]).build().unwrap());
        let _ = kernel.run(async {
            println!("computing");
            raise(SIGINT)?;
            thread::spawn(|| {
                while is_in("SigCgt", SIGINT) {
                    thread::yield_now();
                }
                kill(SIGINT);
            });
            loop {
                std::hint::spin_loop();
            }
            #[allow(unreachable_code)]
            Ok(())
        });
    });
    assert_eq!(status.signal(), Some(2), "{printed}");
    assert!(printed.contains("computing"), "{printed}");
}

/// A kernel leaves all signals alone, unless it is told otherwise.
#[test]
fn by_default_a_signal_ends_the_program() {
    let (status, printed) = process("by_default_a_signal_ends_the_program", || {
        run(async {
            println!("running");
            raise(SIGINT)?;
            println!("not reached");
            Ok(())
        })
        .unwrap();
    });
    assert_eq!(status.signal(), Some(2), "{printed}");
    assert!(
        printed.contains("running") && !printed.contains("not reached"),
        "{printed}"
    );
}
