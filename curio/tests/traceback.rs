//! Where a task is: its calls, found out without any help of its own.

#![cfg(unix)]
#![allow(missing_docs)]

mod common;

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io::{self, BufRead};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use common::{Watchdog, everywhere_under};
use curio::traceback::{Stack, Traceback};
use curio::traps::Label;
use curio::{
    Clock, Error, Event, Kernel, Lock, Queue, Result, Semaphore, State, TaskGroup, UniversalQueue, clock,
    current_task, disable_cancellation, ignore_after, interruptible, run, run_in_thread, sleep, spawn,
    spawn_daemon, task, timeout_after, yield_now,
};
use futures::StreamExt;
use futures::stream::FuturesUnordered;

const LONG: Duration = Duration::from_secs(1000);

/// The lines of this file that end with these marks.
fn lines(marks: &str) -> Vec<u32> {
    let all: Vec<_> = include_str!("traceback.rs").lines().collect();
    let of = |mark: &str| {
        let mark = format!("// L {mark}");
        let at = all.iter().position(|line| line.ends_with(&mark));
        at.unwrap_or_else(|| panic!("no line is marked {mark}")) as u32 + 1
    };
    marks.split(' ').map(of).collect()
}

/// The lines of the frames that are shown.
fn shown(stack: &Stack) -> Vec<u32> {
    let frames = stack.frames().iter().filter(|frame| !frame.is_hidden());
    frames
        .map(|frame| {
            assert!(
                frame.file().unwrap().ends_with("curio/tests/traceback.rs"),
                "{frame:?}"
            );
            frame.line().unwrap()
        })
        .collect()
}

/// Asserts that the stacks, in whatever order, have their frames at the lines with these marks.
#[track_caller]
fn assert_stacks(traceback: &Traceback, expected: &[&str]) {
    let mut seen: Vec<_> = traceback.stacks().iter().map(shown).collect();
    let mut expected: Vec<_> = expected.iter().map(|marks| lines(marks)).collect();
    seen.sort();
    expected.sort();
    assert_eq!(seen, expected, "{traceback:#}");
}

fn labels(traceback: &Traceback) -> Vec<&'static str> {
    let mut labels: Vec<_> = traceback
        .stacks()
        .iter()
        .map(|stack| stack.label().unwrap().as_str())
        .collect();
    labels.sort();
    labels
}

/// Runs a task until it waits, and asks where it is. Then it must be cancellable as ever.
#[track_caller]
fn trace<T: 'static>(future: impl Future<Output = Result<T>> + 'static) -> Traceback {
    let _guard = Watchdog::start();
    run(async {
        let kid = task(future).name("kid").spawn();
        let traceback = loop {
            sleep(Duration::from_millis(1)).await?;
            let traceback = kid.traceback().await?;
            if let State::Waiting(_) = traceback.state() {
                break traceback;
            }
        };
        let cycles = kid.cycles();
        let again = kid.traceback().await?;
        assert_eq!(again.stacks().len(), traceback.stacks().len(), "{again}");
        assert_eq!(kid.cycles(), cycles);
        kid.cancel_within(Duration::from_millis(1)).await?;
        Ok(traceback)
    })
    .unwrap()
}

async fn innermost() -> Result<()> {
    sleep(LONG).await // L innermost
}

async fn middle() -> Result<()> {
    innermost().await // L middle
}

async fn outer() -> Result<()> {
    middle().await // L outer
}

#[test]
fn a_sleeping_task_in_async_functions() {
    let traceback = trace(outer());
    assert_stacks(&traceback, &["outer middle innermost"]);
    assert_eq!(labels(&traceback), ["TIME_SLEEP"]);
    let functions: Vec<_> = traceback.stacks()[0]
        .frames()
        .iter()
        .map(|frame| frame.function())
        .collect();
    assert_eq!(
        functions[..3],
        ["traceback::outer", "traceback::middle", "traceback::innermost"].map(|f| f)[..],
        "{functions:?}"
    );
    let text = traceback.to_string();
    let head = "Stack for Task(id=4, name='kid', state='TIME_SLEEP') (most recent call last):\n";
    assert!(text.starts_with(head), "{text}");
    let line = lines("innermost")[0];
    let tail = format!("traceback.rs\", line {line}, in innermost\n    sleep(LONG).await // L innermost");
    assert!(text.ends_with(&tail), "{text}");
    assert!(!text.contains("curio/src") && !text.contains("/rustc/"), "{text}");
    assert!(format!("{traceback:#}").contains("Sleep"));
}

#[test]
fn it_may_be_shown_in_another_thread() {
    let traceback = trace(outer());
    let text = std::thread::spawn(move || traceback.to_string()).join().unwrap();
    assert!(text.contains("in middle"), "{text}");
}

#[test]
fn below_join() {
    let traceback = trace(async {
        futures::try_join!(outer(), middle()) // L join
    });
    assert_stacks(
        &traceback,
        &["join outer middle innermost", "join middle innermost"],
    );
}

#[test]
fn below_select() {
    let traceback = trace(async {
        let (mut a, mut b) = (
            pin!(futures::FutureExt::fuse(outer())),
            pin!(futures::FutureExt::fuse(sleep(LONG))),
        ); // L made
        futures::select! { // L select
            r = a => r,
            r = b => r,
        }
    });
    assert_eq!(traceback.stacks().len(), 2, "{traceback}");
    assert!(
        traceback
            .stacks()
            .iter()
            .any(|stack| shown(stack).ends_with(&lines("outer middle innermost")))
    );
}

#[test]
fn children_of_futures_unordered() {
    let traceback = trace(async {
        let mut all = FuturesUnordered::new();
        for _ in 0..40 {
            all.push(outer());
        }
        all.next().await; // L unordered
        Ok(())
    });
    assert_stacks(&traceback, &["unordered outer middle innermost"; 40]);
}

#[test]
fn sleeps_in_futures_unordered_in_futures_unordered() {
    let traceback = trace(async {
        let mut all = FuturesUnordered::new();
        for _ in 0..3 {
            all.push(async {
                let mut inner: FuturesUnordered<_> = (0..3).map(|_| sleep(LONG)).collect();
                while inner.next().await.is_some() {} // L inner
            });
        }
        while all.next().await.is_some() {} // L nested
        Ok(())
    });
    assert_stacks(&traceback, &["nested inner"; 9]);
}

#[test]
fn in_a_timeout_and_a_shield() {
    let traceback = trace(async {
        timeout_after(LONG, disable_cancellation(ignore_after(LONG, outer()))).await // L limits
    });
    assert_stacks(&traceback, &["limits outer middle innermost"]);
}

#[test]
fn in_the_scope_of_a_group() {
    let traceback = trace(async {
        TaskGroup::<()>::all()
            .scope(async |_| outer().await) // L body
            .await // L scope
    });
    assert_eq!(traceback.stacks().len(), 1, "{traceback}");
    assert!(
        shown(&traceback.stacks()[0]).ends_with(&lines("outer middle innermost")),
        "{traceback}"
    );
}

#[test]
fn joining_a_group() {
    let traceback = trace(async {
        let group = TaskGroup::<()>::all();
        group.spawn(outer());
        group.join().await // L group
    });
    assert_stacks(&traceback, &["group"]);
}

#[test]
fn in_each_kind_of_wait() {
    let traceback = trace(async {
        let queue = Queue::<u32>::new();
        queue.get().await // L get
    });
    assert_stacks(&traceback, &["get"]);

    let traceback = trace(async {
        let queue = Queue::bounded(1);
        queue.put(1).await?;
        queue.put(2).await // L put
    });
    assert_stacks(&traceback, &["put"]);

    let traceback = trace(async {
        let lock = Lock::new(());
        let _held = lock.lock().await?;
        let _second = lock.lock().await?; // L lock
        Ok(())
    });
    assert_stacks(&traceback, &["lock"]);

    let traceback = trace(async {
        let _permit = Semaphore::new(0).acquire().await?; // L acquire
        Ok(())
    });
    assert_stacks(&traceback, &["acquire"]);

    let traceback = trace(async {
        Event::new().wait().await // L event
    });
    assert_stacks(&traceback, &["event"]);

    let traceback = trace(async {
        let kid = spawn(outer());
        kid.join().await // L task
    });
    assert_stacks(&traceback, &["task"]);
    assert_eq!(labels(&traceback), ["TASK_JOIN"]);

    let traceback = trace(async {
        UniversalQueue::<u32>::new().get().await // L universal
    });
    assert_stacks(&traceback, &["universal"]);

    let (hold, held) = std::sync::mpsc::channel::<()>();
    let traceback = trace(async {
        run_in_thread(move || held.recv().is_ok()).await // L thread
    });
    assert_stacks(&traceback, &["thread"]);
    drop(hold);
}

#[test]
fn reading_and_accepting() {
    let traceback = trace(async {
        let listener = curio::net::TcpListener::bind("127.0.0.1:0")?;
        listener.accept().await?; // L accept
        Ok(())
    });
    assert_stacks(&traceback, &["accept"]);
    assert_eq!(labels(&traceback), ["READ_WAIT"]);

    let peer = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = peer.local_addr().unwrap();
    let traceback = trace(async move {
        let stream = curio::net::TcpStream::connect(address).await?;
        let mut buffer = [0; 16];
        stream.read(&mut buffer).await // L read
    });
    assert_stacks(&traceback, &["read"]);
}

async fn inside<F: Future>(foreign: F) -> F::Output {
    foreign.await // L inside
}

#[test]
fn foreign_futures() {
    let (keep, wait) = futures::channel::oneshot::channel::<()>();
    let traceback = trace(async move {
        wait.await.map_err(|_| Error::other("gone")) // L foreign
    });
    assert_stacks(&traceback, &["foreign"]);
    assert_eq!(labels(&traceback), ["FOREIGN_WAIT"]);
    drop(keep);

    let (keep, wait) = futures::channel::oneshot::channel::<()>();
    let traceback = trace(async move {
        let _ = interruptible(wait).await?; // L interruptible
        Ok(())
    });
    assert_stacks(&traceback, &["interruptible"]);
    drop(keep);

    let (keep, wait) = futures::channel::oneshot::channel::<()>();
    let traceback = trace(async move {
        let _ = interruptible(inside(wait)).await?; // L around
        Ok(())
    });
    assert_stacks(&traceback, &["around inside"]);
    drop(keep);

    let traceback = trace(async {
        std::future::pending::<()>().await;
        Ok(())
    });
    assert_eq!(
        traceback.to_string(),
        "No stack for Task(id=4, name='kid', state='FOREIGN_WAIT')"
    );
}

#[test]
fn a_foreign_future_beside_an_operation() {
    let (keep, wait) = futures::channel::oneshot::channel::<()>();
    let traceback = trace(async move {
        let (foreign, own) = (pin!(wait), pin!(outer()));
        futures::future::select(foreign, own).await; // L both
        Ok(())
    });
    assert_stacks(&traceback, &["both", "both outer middle innermost"]);
    drop(keep);
}

/// Looking leaves a foreign future with a waker that works.
#[test]
fn foreign_futures_are_woken_afterwards() {
    everywhere_under(100, async |w| {
        let (tell, told) = futures::channel::oneshot::channel();
        let kid = spawn(async move {
            let mut all = FuturesUnordered::new();
            all.push(told);
            all.next().await.unwrap().map_err(|_| Error::other("gone"))
        });
        let (tell_too, told_too) = futures::channel::oneshot::channel();
        let other = spawn(async move { told_too.await.map_err(|_| Error::other("gone")) });
        sleep(w.t(1)).await?;
        for _ in 0..3 {
            kid.traceback().await?;
            other.traceback().await?;
        }
        tell.send(7).unwrap();
        tell_too.send(8).unwrap();
        assert_eq!(kid.join().await?, 7);
        assert_eq!(other.join().await?, 8);
        Ok(())
    });
}

#[test]
fn children_complete_after_they_were_looked_at() {
    everywhere_under(100, async |w| {
        let start = clock();
        let kid = spawn(async move {
            let mut all: FuturesUnordered<_> = (1..6).map(|n| sleep(w.t(n))).collect();
            let mut done = 0;
            while let Some(slept) = all.next().await {
                slept?;
                done += 1;
            }
            Ok(done)
        });
        let looker = spawn({
            let kid = kid.reference();
            async move {
                while !kid.terminated() {
                    kid.traceback().await?;
                    sleep(w.t(1) / 3).await?;
                }
                Ok(())
            }
        });
        assert_eq!(kid.join().await?, 5);
        w.passed(start, 5);
        looker.join().await
    });
}

/// A future that only counts its polls makes progress: the task may end while it is looked at, and has ended then.
#[test]
fn a_task_that_ends_while_it_is_looked_at() {
    let _guard = Watchdog::start();
    let counts = |polls: u32| {
        let mut left = polls;
        poll_fn(move |_| {
            left -= 1;
            if left == 0 {
                Poll::Ready(Ok(polls))
            } else {
                Poll::Pending
            }
        })
    };
    run(async {
        let value = spawn(counts(2));
        let failure = spawn(async move {
            counts(2).await?;
            Err::<(), _>(Error::other("tired"))
        });
        let panic = spawn(async move {
            counts(2).await?;
            let nothing = std::hint::black_box(None::<u32>);
            Ok(nothing.expect("this panic is meant"))
        });
        yield_now().await?;
        for kid in [value.reference(), failure.reference(), panic.reference()] {
            assert!(!kid.terminated());
            kid.traceback().await?;
            assert!(kid.terminated());
        }
        assert_eq!(value.join().await?, 2);
        assert!(failure.join().await.is_err());
        assert!(matches!(panic.join().await, Err(Error::Task(e)) if e.to_string().contains("meant")));
        Ok(())
    })
    .unwrap();
}

/// So may the main task.
#[test]
fn the_main_task() {
    let _guard = Watchdog::start();
    let kernel = Kernel::builder().clock(Clock::Virtual).build().unwrap();
    let traceback = kernel
        .run(async {
            let me = current_task();
            let kid = spawn(async move { me.traceback().await });
            kid.join().await // L main
        })
        .unwrap();
    assert_eq!(traceback.id(), 3);
    assert_stacks(&traceback, &["main"]);
    // It ends while it is looked at.
    let mut polls = 0;
    let ended = kernel.run(poll_fn(|_| {
        polls += 1;
        if polls == 1 {
            let me = current_task();
            spawn(async move { me.traceback().await.map(drop) });
            return Poll::Pending;
        }
        Poll::Ready(Ok(polls))
    }));
    assert_eq!(ended.unwrap(), 2);
    kernel.run_all().unwrap();
}

#[test]
fn the_running_task_itself() {
    let _guard = Watchdog::start();
    async fn inside() -> Result<Traceback> {
        current_task().traceback().await // L own
    }
    let traceback = run(async {
        inside().await // L ask
    })
    .unwrap();
    assert_eq!(traceback.state(), State::Running);
    assert_stacks(&traceback, &["ask own"]);
}

/// A task that is ready is not run too early; one that has ended has no stack.
#[test]
fn tasks_that_do_not_wait() {
    let _guard = Watchdog::start();
    run(async {
        let event = Rc::new(Event::new());
        let kid = spawn({
            let event = event.clone();
            async move { event.wait().await } // L woken
        });
        let spawned = spawn(outer());
        yield_now().await?;
        let late = spawn(outer());
        event.set();
        // Those who are ready run before the answer comes, so let one ask who is before them.
        let _ = (spawned, late);
        kid.join().await?;
        let traceback = kid.traceback().await?;
        assert_eq!(traceback.state(), State::Terminated);
        assert!(traceback.stacks().is_empty());
        assert!(
            traceback.to_string().starts_with("No stack for Task(id=4, name="),
            "{traceback}"
        );
        Ok(())
    })
    .unwrap();
}

#[test]
fn asking_can_be_interrupted_and_given_up() {
    let _guard = Watchdog::start();
    run(async {
        let kid = spawn(outer());
        yield_now().await?;
        let asker = spawn({
            let kid = kid.reference();
            async move { kid.traceback().await.map(drop) }
        });
        asker.cancel_nowait();
        assert!(asker.join().await.is_err());
        // Polled once, and dropped.
        assert!(futures::poll!(pin!(kid.traceback())).is_pending());
        yield_now().await?;
        assert!(matches!(
            kid.traceback().await?.state(),
            State::Waiting(Label::TIME_SLEEP)
        ));
        Ok(())
    })
    .unwrap();
}

#[test]
fn elsewhere_there_is_no_kernel() {
    let _guard = Watchdog::start();
    let kernel = Kernel::new().unwrap();
    let kid = kernel.spawn(async {});
    let asked = run(async { kid.traceback().await });
    assert!(matches!(asked, Err(Error::NoKernel)));
    kernel.run_all().unwrap();
    drop(kernel);
    let asked = run(async { kid.traceback().await });
    assert!(matches!(asked, Err(Error::NoKernel)));
}

/// A cancelled task that cleans up is looked at meanwhile; what was delivered is not delivered again.
#[test]
fn a_task_that_cleans_up() {
    everywhere_under(100, async |w| {
        let kid = spawn(async move {
            let first = sleep(w.t(100)).await;
            sleep(w.t(4)).await?;
            timeout_after(w.t(100), sleep(w.t(4))).await?;
            first
        });
        yield_now().await?;
        kid.cancel_nowait();
        while !kid.terminated() {
            kid.traceback().await?;
            sleep(w.t(1)).await?;
        }
        assert!(matches!(kid.join().await, Err(Error::Task(e)) if e.cancelled()));
        Ok(())
    });
}

/// Nobody has told it that it can go on, but several look at it at once: for the first it ends, and for the others it is not
/// polled again.
#[test]
fn a_main_task_that_ends_when_it_is_looked_at() {
    let _guard = Watchdog::start();
    let states = Rc::new(RefCell::new(Vec::new()));
    let said = states.clone();
    let kernel = Kernel::new().unwrap();
    let value = kernel.run(async move {
        let (me, over) = (current_task(), Rc::new(Cell::new(false)));
        for _ in 0..3 {
            let (me, over, states) = (me.clone(), over.clone(), states.clone());
            spawn_daemon(async move {
                over.set(true);
                let traceback = me.traceback().await?;
                states.borrow_mut().push(traceback.state());
                sleep(LONG).await
            });
        }
        poll_fn(|_| match over.get() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
        Ok(7)
    });
    assert_eq!(value.unwrap(), 7);
    // Nobody hears of it, as the end of the main task is the end of the run.
    assert!(said.borrow().is_empty());
}

/// What is there at once spends budget all the same.
#[test]
fn who_looks_at_itself_all_the_time_starves_nobody() {
    let _guard = Watchdog::start();
    run(async {
        let done = Rc::new(Cell::new(false));
        let other = done.clone();
        spawn_daemon(async move { other.set(true) });
        let mut looks = 0;
        while !done.get() && looks < 2_000 {
            current_task().traceback().await?;
            looks += 1;
        }
        assert!(done.get(), "{looks}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn reading_as_a_stream_of_the_futures_crates() {
    let traceback = trace(async {
        let (a, _b) = std::os::unix::net::UnixStream::pair()?;
        a.set_nonblocking(true)?;
        let mut stream = curio::net::UnixStream::from_std(a)?.into_stream();
        let mut all = Vec::new();
        let read: io::Result<usize> = futures::AsyncReadExt::read_to_end(&mut stream, &mut all).await; // L futures_io
        Ok(read?)
    });
    assert_stacks(&traceback, &["futures_io"]);
}

/// Runs this test again, in a process of its own, and gives what that prints to the standard error output, until there is
/// this text in it.
fn errors_of(test: &str, last: &str) -> String {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("CURIO_TEST_CHILD", "1")
        .stderr(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut text = String::new();
    for line in io::BufReader::new(child.stderr.take().unwrap()).lines() {
        text += &(line.unwrap() + "\n");
        if text.contains(last) {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    text
}

#[test]
fn a_dump_on_demand() {
    use curio::signal::{SIGQUIT, raise};
    if std::env::var_os("CURIO_TEST_CHILD").is_none() {
        let text = errors_of("a_dump_on_demand", "// L raise");
        assert!(text.contains("curio: 4 tasks\n"), "{text}");
        for (task, last) in [
            (
                "Task(id=3, name='a_dump_on_demand', state='EVENT_WAIT')",
                "// L done",
            ),
            ("Task(id=4, name='kid', state='TIME_SLEEP')", "// L innermost"),
            ("Task(id=5, name='foreign', state='FOREIGN_WAIT')", ""),
        ] {
            let (_, rest) = text.split_once(task).unwrap_or_else(|| panic!("{task}: {text}"));
            assert!(rest.split("\n\n").next().unwrap().contains(last), "{text}");
        }
        return;
    }
    let _guard = Watchdog::start();
    let kernel = Kernel::builder().dump_on([SIGQUIT]).build().unwrap();
    kernel
        .run(async {
            let event = Rc::new(Event::new());
            let _kid = task(outer()).name("kid").spawn();
            let _foreign = task(std::future::pending::<()>()).name("foreign").spawn();
            let end = event.clone();
            let _last = spawn(async move {
                raise(SIGQUIT)?;
                sleep(LONG).await?; // L raise
                end.set();
                Ok(())
            });
            event.wait().await // L done
        })
        .unwrap();
}

#[test]
fn a_dump_of_a_hog() {
    use curio::signal::{SIGQUIT, raise};
    if std::env::var_os("CURIO_TEST_CHILD").is_none() {
        let last = "Task(id=4, name='kid', state='TIME_SLEEP') at ";
        let text = errors_of("a_dump_of_a_hog", last);
        let head = "curio: the kernel does not answer, as task 3 (a_dump_of_a_hog) does not let it run\n\n\
                    Stack for Task(id=3, name='a_dump_of_a_hog', state='RUNNING') (most recent call last):\n";
        assert!(text.contains(head), "{text}");
        if cfg!(feature = "probe") {
            assert!(text.contains("::hogs_the_processor\n"), "{text}");
        }
        assert!(
            text.contains(&format!(
                "{last}curio/tests/traceback.rs:{}\n",
                lines("hogkid")[0]
            )),
            "{text}"
        );
        return;
    }
    #[inline(never)]
    fn hogs_the_processor() -> u64 {
        let until = std::time::Instant::now() + Duration::from_secs(100);
        let mut n = 0_u64;
        while std::time::Instant::now() < until {
            n = std::hint::black_box(n + 1);
        }
        n
    }
    let kernel = Kernel::builder().dump_on([SIGQUIT]).build().unwrap();
    kernel
        .run(async {
            let kid = async { sleep(LONG).await }; // L hogkid
            let _kid = task(kid).name("kid").spawn();
            yield_now().await?;
            raise(SIGQUIT)?;
            Ok(hogs_the_processor())
        })
        .unwrap();
}

/// Whether the thread is there that prints dumps.
#[cfg(target_os = "linux")]
fn prints() -> bool {
    let name =
        |task: io::Result<std::fs::DirEntry>| std::fs::read_to_string(task.ok()?.path().join("comm")).ok();
    let mut all = std::fs::read_dir("/proc/self/task").unwrap();
    all.any(|task| name(task).is_some_and(|name| name == "curio-dump\n"))
}

/// Waits until the signals that were sent so far have been given to those who watch them, which is done in a row.
#[cfg(target_os = "linux")]
fn until_signals_are_seen() {
    use curio::signal::{SIGUSR1, raise};
    let other = std::thread::spawn(|| {
        run(async {
            let signals = curio::SignalQueue::new([SIGUSR1])?;
            raise(SIGUSR1)?;
            signals.get().await
        })
    });
    other.join().unwrap().unwrap();
}

/// Signals that come faster than answers can be given, and one at which the kernel ends. Neither is a kernel that does not
/// answer.
#[cfg(target_os = "linux")]
#[test]
fn dumps_of_an_impatient_user() {
    use curio::signal::{SIGQUIT, raise};
    if std::env::var_os("CURIO_TEST_CHILD").is_none() {
        let text = errors_of("dumps_of_an_impatient_user", "the end");
        assert!(!text.contains("does not answer"), "{text}");
        // All that came while the first was at work are one more.
        assert_eq!(text.matches("curio: 1 tasks\n").count(), 2, "{text}");
        return;
    }
    let _guard = Watchdog::start();
    let kernel = Kernel::builder().dump_on([SIGQUIT]).build().unwrap();
    kernel
        .run(async {
            raise(SIGQUIT)?;
            until_signals_are_seen();
            // It is there now, but gives itself its name.
            while !prints() {
                std::thread::sleep(Duration::from_millis(1));
            }
            for _ in 0..20 {
                raise(SIGQUIT)?;
            }
            until_signals_are_seen();
            while prints() {
                sleep(Duration::from_millis(1)).await?;
            }
            Ok(())
        })
        .unwrap();
    kernel.run(async { raise(SIGQUIT) }).unwrap();
    until_signals_are_seen();
    while prints() {
        std::thread::sleep(Duration::from_millis(1));
    }
    eprintln!("the end");
}

/// Says the place of every task.
#[test]
fn the_report_of_a_deadlock() {
    let _guard = Watchdog::start();
    let kernel = Kernel::builder().clock(Clock::Virtual).build().unwrap();
    let r = kernel.run(async {
        let queue = Queue::<u32>::new();
        let lock = Rc::new(Lock::new(()));
        let _held = lock.lock().await?;
        let other = lock.clone();
        let kid = task(async move {
            let _second = other.lock().await?; // L dead lock
            Ok(())
        });
        let _kid = kid.name("kid").spawn();
        queue.get().await // L dead queue
    });
    let text = r.unwrap_err().to_string();
    for mark in ["lock", "queue"] {
        let all = include_str!("traceback.rs").lines().collect::<Vec<_>>();
        let at = all
            .iter()
            .position(|line| line.ends_with(&format!("// L dead {mark}")))
            .unwrap()
            + 1;
        assert!(text.contains(&format!("tests/traceback.rs:{at}:")), "{text}");
    }
    assert!(text.contains("task 3") && text.contains("task 4 (kid)"), "{text}");
}
