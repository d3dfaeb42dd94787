//! Activations: what they are told, in which order, and what they may do. And the recorder, whose traces are read by a
//! checker that rebuilds the kernel from them.

#![allow(missing_docs)]

#[path = "common/mod.rs"]
mod common;
#[path = "common/trace_checker.rs"]
mod trace_checker;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::panic::Location;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use common::Watchdog;
use curio::activation::{
    Delivery, Ending, KernelInfo, Left, Readiness, ScopeInfo, TaskInfo, TimerEvent, TimerInfo, TimerOf,
    Until, WaitInfo,
};
use curio::trace::{Recorder, Text};
use curio::traps::{Label, WaitList, Waiting};
use curio::{
    Activation, Clock, Error, Kernel, Result, State, TaskError, disable_cancellation, ignore_after, sleep,
    spawn, task, timeout_after, yield_now,
};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use trace_checker::{check, check_ended, check_onlookers};

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Writes short lines: the second, what, and the task.
#[derive(Clone, Default)]
struct Diary {
    lines: Rc<RefCell<Vec<String>>>,
    start: Option<Instant>,
}

impl Diary {
    fn put(&mut self, at: Instant, line: String) {
        let second = self.start.map_or(0, |start| (at - start).as_secs());
        self.lines.borrow_mut().push(format!("{second} {line}"));
    }

    fn lines(&self) -> Vec<String> {
        self.lines.borrow().clone()
    }

    /// Only the lines with one of these words.
    fn only(&self, words: &[&str]) -> Vec<String> {
        let mut lines = self.lines();
        lines.retain(|line| line.split(' ').any(|word| words.contains(&word)));
        lines
    }
}

impl Activation for Diary {
    fn activate(&mut self, kernel: &KernelInfo) {
        self.start = Some(kernel.start);
        self.put(kernel.start, "activate".to_string());
    }
    fn created(&mut self, at: Instant, task: &TaskInfo) {
        let parent = task.parent.map_or("-".to_string(), |parent| parent.to_string());
        self.put(at, format!("created {} {} by {parent}", task.id, task.name));
    }
    fn ready(&mut self, at: Instant, task: &TaskInfo) {
        self.put(at, format!("ready {}", task.id));
    }
    fn running(&mut self, at: Instant, task: &TaskInfo) {
        self.put(at, format!("running {}", task.id));
    }
    fn suspended(
        &mut self,
        at: Instant,
        task: &TaskInfo,
        state: State,
        place: Option<&'static Location<'static>>,
    ) {
        let waits = matches!(state, State::Waiting(label) if label.as_str() != "FOREIGN_WAIT");
        assert_eq!(place.is_some(), waits, "{state}");
        self.put(at, format!("suspended {} {state}", task.id));
    }
    fn terminated(&mut self, at: Instant, task: &TaskInfo, ending: Ending, error: Option<&TaskError>) {
        let error = error.map_or(String::new(), |error| format!(": {error}"));
        self.put(at, format!("terminated {} {ending:?}{error}", task.id));
    }
    fn wait(&mut self, at: Instant, wait: &WaitInfo) {
        let until = match wait.until {
            Until::Time(deadline) => {
                format!(
                    "time {}",
                    self.start.map_or(0, |start| (deadline - start).as_secs())
                )
            }
            Until::Task(task) => format!("task {task}"),
            other => format!("{other:?}"),
        };
        self.put(
            at,
            format!(
                "wait {} #{} {} {until}",
                wait.task.id,
                wait.id,
                wait.label.as_str()
            ),
        );
    }
    fn wake(&mut self, at: Instant, wait: &WaitInfo, by: Option<u64>) {
        let by = by.map_or("-".to_string(), |by| by.to_string());
        self.put(at, format!("wake {} #{} by {by}", wait.task.id, wait.id));
    }
    fn left(&mut self, at: Instant, wait: &WaitInfo, how: Left) {
        self.put(at, format!("left {} #{} {how:?}", wait.task.id, wait.id));
    }
    fn interrupt(&mut self, at: Instant, scope: &ScopeInfo) {
        self.put(at, format!("interrupt {} {:?}", scope.task.id, scope.kind));
    }
    fn deliver(&mut self, at: Instant, delivery: &Delivery) {
        let wait = delivery
            .wait
            .as_ref()
            .map_or("-".to_string(), |wait| format!("#{}", wait.id));
        let (task, error) = (delivery.scope.task.id, delivery.error);
        self.put(at, format!("deliver {task} {wait} {error:?}"));
    }
    fn timer(&mut self, at: Instant, timer: &TimerInfo, what: TimerEvent) {
        let of = match &timer.of {
            TimerOf::Wait(wait) => format!("{} #{}", wait.task.id, wait.id),
            TimerOf::Timeout(scope) => format!("{} timeout", scope.task.id),
            _ => unreachable!(),
        };
        self.put(at, format!("timer {of} {what:?}"));
    }
    fn readiness(&mut self, at: Instant, ready: &Readiness) {
        self.put(
            at,
            format!("readiness {} {} {}", ready.socket, ready.readable, ready.writable),
        );
    }
    fn idle(&mut self, at: Instant, until: Option<Instant>) {
        let until = until.map_or("-".to_string(), |until| {
            self.start
                .map_or(0, |start| (until - start).as_secs())
                .to_string()
        });
        self.put(at, format!("idle until {until}"));
    }
}

fn virtual_kernel(activation: impl Activation + 'static) -> Kernel {
    Kernel::builder()
        .clock(Clock::Virtual)
        .activation(activation)
        .build()
        .unwrap()
}

/// Runs a program on the virtual clock and ends its kernel.
#[track_caller]
fn watch<T>(main: impl Future<Output = Result<T>>) -> (Result<T>, Diary) {
    let _guard = Watchdog::start();
    let diary = Diary::default();
    let kernel = virtual_kernel(diary.clone());
    let result = kernel.run(main);
    kernel.shutdown().unwrap();
    (result, diary)
}

const CYCLE: &[&str] = &["activate", "created", "running", "suspended", "terminated"];

// ---- Python Curio's four tests

#[test]
fn activation_base() {
    async fn main() -> Result<()> {
        for _ in 0..3 {
            sleep(secs(1)).await?;
        }
        Ok(())
    }
    let (result, diary) = watch(main());
    result.unwrap();
    assert_eq!(
        diary.only(CYCLE),
        [
            "0 activate",
            "0 created 3 main by -",
            "0 running 3",
            "0 suspended 3 TIME_SLEEP",
            "1 running 3",
            "1 suspended 3 TIME_SLEEP",
            "2 running 3",
            "2 suspended 3 TIME_SLEEP",
            "3 running 3",
            "3 suspended 3 TERMINATED",
            "3 terminated 3 Value",
        ]
    );
}

#[test]
fn activation_crash() {
    async fn kid() -> Result<()> {
        sleep(secs(1)).await?;
        Err(Error::other("tired"))
    }
    async fn main() -> Result<()> {
        assert!(spawn(kid()).join().await.is_err());
        sleep(secs(1)).await?;
        Err(Error::other("tired, too"))
    }
    let (result, diary) = watch(main());
    assert!(result.is_err());
    let ends = |task| diary.only(&[task]).split_off(diary.only(&[task]).len() - 3);
    assert_eq!(
        ends("4"),
        [
            "1 left 4 #2 Completed",
            "1 suspended 4 TERMINATED",
            "1 terminated 4 Failed: task 4 (kid) failed: tired"
        ]
    );
    assert_eq!(
        ends("3"),
        [
            "2 left 3 #3 Completed",
            "2 suspended 3 TERMINATED",
            "2 terminated 3 Failed"
        ]
    );
}

#[test]
fn activation_count() {
    // Python has helpers of its own here; this kernel needs none.
    let (result, diary) = watch(async { Ok(()) });
    result.unwrap();
    assert_eq!(diary.only(&["created"]).len(), 1);
}

#[test]
fn activation_trap_patch() {
    // Traps cannot be replaced here, but they can be seen.
    let (result, diary) = watch(async {
        sleep(secs(1)).await?;
        sleep(secs(1)).await
    });
    result.unwrap();
    assert_eq!(
        diary.only(&["wait"]),
        ["0 wait 3 #1 TIME_SLEEP time 1", "1 wait 3 #2 TIME_SLEEP time 2"]
    );
}

// ---- Order and completeness

#[test]
fn spawn_and_join() {
    async fn kid() -> Result<u32> {
        yield_now().await?;
        Ok(7)
    }
    let (result, diary) = watch(async { spawn(kid()).join().await });
    assert_eq!(result.unwrap(), 7);
    assert_eq!(
        diary.lines()[1..],
        [
            "0 created 3 spawn_and_join by -",
            "0 ready 3",
            "0 running 3",
            "0 created 4 kid by 3",
            "0 ready 4",
            "0 wait 3 #1 TASK_JOIN task 4",
            "0 suspended 3 TASK_JOIN",
            "0 running 4",
            "0 ready 4",
            "0 suspended 4 READY",
            "0 running 4",
            "0 suspended 4 TERMINATED",
            "0 terminated 4 Value",
            "0 wake 3 #1 by -",
            "0 ready 3",
            "0 running 3",
            "0 left 3 #1 Completed",
            "0 suspended 3 TERMINATED",
            "0 terminated 3 Value",
        ]
    );
}

#[test]
fn a_timeout() {
    async fn main() -> Result<()> {
        ignore_after(secs(2), sleep(secs(5))).await?;
        timeout_after(secs(5), sleep(secs(1))).await
    }
    let (result, diary) = watch(main());
    result.unwrap();
    assert_eq!(
        diary.lines()[4..],
        [
            "0 wait 3 #1 TIME_SLEEP time 5",
            "0 timer 3 #1 Set",
            "0 timer 3 timeout Set",
            "0 suspended 3 TIME_SLEEP",
            "0 idle until 2",
            "2 timer 3 timeout Fired",
            "2 interrupt 3 Timeout",
            "2 wake 3 #1 by -",
            "2 ready 3",
            "2 running 3",
            "2 deliver 3 #1 Timeout",
            "2 timer 3 #1 Removed",
            "2 left 3 #1 Interrupted",
            "2 wait 3 #2 TIME_SLEEP time 3",
            "2 timer 3 #2 Set",
            "2 timer 3 timeout Set",
            "2 suspended 3 TIME_SLEEP",
            "2 idle until 3",
            "3 timer 3 #2 Fired",
            "3 wake 3 #2 by -",
            "3 ready 3",
            "3 running 3",
            "3 left 3 #2 Completed",
            "3 timer 3 timeout Removed",
            "3 suspended 3 TERMINATED",
            "3 terminated 3 Value",
        ]
    );
}

#[test]
fn a_cancel_during_a_wait() {
    async fn main() -> Result<()> {
        let kid = task(sleep(secs(100))).name("kid").spawn();
        sleep(secs(1)).await?;
        kid.cancel().await
    }
    let (result, diary) = watch(main());
    result.unwrap();
    let lines = diary.lines();
    let cancelled = lines.iter().position(|line| line == "1 running 3").unwrap();
    assert_eq!(
        lines[cancelled..],
        [
            "1 running 3",
            "1 left 3 #1 Completed",
            "1 interrupt 4 Task",
            "1 wake 4 #2 by 3",
            "1 ready 4",
            "1 wait 3 #3 TASK_JOIN task 4",
            "1 suspended 3 TASK_JOIN",
            "1 running 4",
            "1 deliver 4 #2 Cancelled",
            "1 timer 4 #2 Removed",
            "1 left 4 #2 Interrupted",
            "1 suspended 4 TERMINATED",
            "1 terminated 4 Cancelled: task 4 (kid) was cancelled",
            "1 wake 3 #3 by -",
            "1 ready 3",
            "1 running 3",
            "1 left 3 #3 Completed",
            "1 suspended 3 TERMINATED",
            "1 terminated 3 Value",
        ]
    );
}

#[test]
fn a_foreign_future_is_dropped_by_the_boundary() {
    let (result, diary) = watch(async {
        let kid = spawn(std::future::pending::<Result<()>>());
        yield_now().await?;
        kid.cancel().await
    });
    result.unwrap();
    assert_eq!(
        diary.only(&["4"])[2..],
        [
            "0 running 4",
            "0 suspended 4 FOREIGN_WAIT",
            "0 interrupt 4 Task",
            "0 ready 4",
            "0 wait 3 #1 TASK_JOIN task 4",
            "0 running 4",
            "0 deliver 4 - Cancelled",
            "0 suspended 4 TERMINATED",
            "0 terminated 4 Cancelled: task 4 (Pending) was cancelled",
        ]
        .map(|line| line)
    );
}

#[test]
fn an_outer_timeout_disarms_the_inner() {
    let (result, diary) = watch(timeout_after(
        secs(1),
        timeout_after(secs(5), async {
            let interrupted = sleep(secs(100)).await;
            sleep(secs(10)).await?;
            interrupted
        }),
    ));
    assert!(matches!(result, Err(Error::UncaughtTimeout)));
    assert_eq!(
        diary.only(&["timeout", "deliver", "interrupt"]),
        [
            "0 timer 3 timeout Set",
            "0 timer 3 timeout Set",
            "1 timer 3 timeout Fired",
            "1 interrupt 3 Timeout",
            "1 timer 3 timeout Removed",
            "1 deliver 3 #1 TimeoutCancellation",
        ]
    );
}

#[test]
fn what_was_swallowed_is_due_again() {
    let (result, diary) = watch(timeout_after(secs(1), async {
        let swallowed = timeout_after(secs(5), async {
            assert!(sleep(secs(100)).await.is_err());
            Ok(())
        });
        swallowed.await?;
        sleep(secs(100)).await
    }));
    assert!(matches!(result, Err(Error::UncaughtTimeout)));
    assert_eq!(
        diary.only(&["deliver", "interrupt"]),
        [
            "1 interrupt 3 Timeout",
            "1 deliver 3 #1 TimeoutCancellation",
            "1 interrupt 3 Timeout",
            "1 deliver 3 - Timeout",
        ]
    );
}

#[test]
fn a_wait_that_begins_anew() {
    let list = Rc::new(WaitList::new());
    let (result, diary) = watch(async {
        // It wants to be notified twice.
        let kid = spawn({
            let list = list.clone();
            let (mut waiting, mut rounds) = (Waiting::new(), 0);
            poll_fn(move |cx| {
                rounds += u32::from(waiting.is_notified());
                if rounds == 2 {
                    waiting.complete();
                    return Poll::Ready(Ok(()));
                }
                let waits = waiting.wait_on(&list, cx, Label::new(&"DOOR_WAIT"), Location::caller());
                waits.map_or_else(|error| Poll::Ready(Err(error)), |()| Poll::Pending)
            })
        });
        for _ in 0..2 {
            yield_now().await?;
            list.notify_one();
        }
        kid.join().await
    });
    result.unwrap();
    assert_eq!(
        diary.only(&["#1"]),
        [
            "0 wait 4 #1 DOOR_WAIT Listed(1)",
            "0 wake 4 #1 by 3",
            "0 wait 4 #1 DOOR_WAIT Listed(1)",
            "0 wake 4 #1 by 3",
            "0 left 4 #1 Completed",
        ]
    );
}

#[test]
fn what_is_leaked_is_told_of_all_the_same() {
    let trace = record(Kernel::builder().clock(Clock::Virtual), async {
        spawn(async {
            let mut leaked = Box::pin(timeout_after(secs(5), sleep(secs(7))));
            assert!(futures::poll!(&mut leaked).is_pending());
            std::mem::forget(leaked);
        })
        .join()
        .await
    });
    let state = check_ended(&trace).unwrap();
    assert_eq!((state.now, state.counts["timer"]), (0, 4));
}

#[test]
fn all_endings() {
    let (result, diary) = watch(async {
        let panics = spawn(async { panic!("ouch") });
        let stubborn = spawn(disable_cancellation(sleep(secs(1000))));
        panics.wait().await?;
        stubborn.cancel_within(secs(1)).await?;
        spawn(async { Err::<(), _>(Error::exit(3)) }).wait().await
    });
    assert!(matches!(result, Err(Error::Exit(3))));
    assert_eq!(
        diary.only(&["terminated"]),
        [
            "0 terminated 4 Panicked: task 4 (all_endings) panicked: ouch",
            "1 terminated 5 Dropped: task 5 (Shield) was dropped: it did not end in time after its cancellation",
            "1 terminated 6 Exit: task 6 (all_endings) failed: exit with code 3",
            // The operation that had finished won over the cancel.
            "1 terminated 3 Value",
        ]
        .map(|line| line)
    );
}

#[test]
fn a_shutdown() {
    let diary = Diary::default();
    let kernel = virtual_kernel(diary.clone());
    kernel
        .run(async {
            for _ in 0..2 {
                spawn(sleep(secs(100)));
            }
            spawn(disable_cancellation(sleep(secs(1000))));
            yield_now().await
        })
        .unwrap();
    let before = diary.lines().len();
    kernel.shutdown().unwrap();
    let lines = diary.lines().split_off(before);
    assert_eq!(lines[0], "0 interrupt 6 Task");
    let mut ends = diary.only(&["terminated"]);
    ends.remove(0);
    assert_eq!(
        ends,
        [
            "0 terminated 5 Cancelled: task 5 (Sleep) was cancelled",
            "0 terminated 4 Cancelled: task 4 (Sleep) was cancelled",
            "10 terminated 6 Dropped: task 6 (Shield) was dropped: its kernel was shut down",
        ]
    );
}

#[test]
fn sockets() {
    let _guard = Watchdog::start();
    let (diary, text) = (Diary::default(), Text::new());
    let kernel = Kernel::builder()
        .activation(diary.clone())
        .activation(Recorder::new(text.clone()))
        .build()
        .unwrap();
    kernel
        .run(async {
            let listener = curio::net::TcpListener::bind("127.0.0.1:0")?;
            let address = listener.local_addr()?;
            let server = spawn(async move {
                let (stream, _) = listener.accept().await?;
                let mut byte = [0];
                stream.read(&mut byte).await?;
                Ok(byte[0])
            });
            yield_now().await?;
            let client = curio::net::TcpStream::connect(address).await?;
            // The server waits for the byte before it is sent.
            while !matches!(server.state(), State::Waiting(label) if label.as_str() == "READ_WAIT")
                || server.cycles() < 2
            {
                sleep(Duration::from_millis(1)).await?;
            }
            client.write_all(b"x").await?;
            server.join().await
        })
        .map(|byte| assert_eq!(byte, b'x'))
        .unwrap();
    drop(kernel);
    let waits: Vec<_> = diary
        .only(&["wait"])
        .into_iter()
        .filter(|line| line.contains("READ_WAIT"))
        .collect();
    assert_eq!(waits.len(), 2, "{waits:?}");
    // Each wait was woken by the readiness of its own socket.
    for wait in waits {
        let words: Vec<_> = wait.split(' ').collect();
        let socket = words[5].trim_start_matches("Readable(").trim_end_matches(')');
        let lines = diary.lines();
        let woken = lines
            .iter()
            .position(|line| line.ends_with(&format!("wake {} {} by -", words[2], words[3])))
            .unwrap();
        assert!(
            lines[woken - 1].contains(&format!("readiness {socket} true")),
            "{}",
            lines[woken - 1]
        );
    }
    let state = check_ended(&text.to_string()).unwrap();
    assert!(state.counts["readiness"] >= 2);
}

// ---- What activations may do

#[test]
fn one_that_spawns() {
    let _guard = Watchdog::start();
    struct Spawner(Rc<Cell<u32>>, bool);
    impl Spawner {
        fn spawn(&self) {
            let count = self.0.clone();
            spawn(async move {
                sleep(secs(1)).await?;
                count.set(count.get() + 1);
                Ok(())
            });
        }
    }
    impl Activation for Spawner {
        fn activate(&mut self, _: &KernelInfo) {
            self.spawn();
        }
        fn running(&mut self, _: Instant, task: &TaskInfo) {
            // Not for ever.
            if task.id < 10 {
                self.spawn();
            }
        }
        fn idle(&mut self, _: Instant, _: Option<Instant>) {
            if !std::mem::replace(&mut self.1, true) {
                self.spawn();
            }
        }
        fn terminated(&mut self, _: Instant, task: &TaskInfo, _: Ending, _: Option<&TaskError>) {
            if task.id == 3 {
                self.spawn();
            }
        }
    }
    for seed in 0..20 {
        let (count, text) = (Rc::new(Cell::new(0)), Text::new());
        let kernel = Kernel::builder()
            .clock(Clock::Virtual)
            .seed(seed)
            .activation(Spawner(count.clone(), false))
            .activation(Recorder::new(text.clone()))
            .build()
            .unwrap();
        kernel.run(sleep(secs(2))).unwrap();
        kernel.run_all().unwrap();
        drop(kernel);
        let state = check_onlookers(&text.to_string()).unwrap();
        assert_eq!(
            count.get() as usize,
            state.tasks.len() - 1,
            "all but the main task"
        );
        assert!(
            state
                .tasks
                .iter()
                .all(|(&id, task)| id == 3 || task.parent.is_none())
        );
        assert!(state.tasks.len() > 10);
    }
}

#[test]
fn one_that_spawns_for_ever_keeps_nobody_from_running() {
    let _guard = Watchdog::start();
    struct Forever;
    impl Activation for Forever {
        fn created(&mut self, _: Instant, _: &TaskInfo) {
            spawn(sleep(secs(1000)));
        }
    }
    let kernel = Kernel::builder()
        .clock(Clock::Virtual)
        .shutdown_timeout(Duration::from_millis(50))
        .activation(Forever)
        .build()
        .unwrap();
    kernel
        .run(async {
            for _ in 0..100 {
                yield_now().await?;
            }
            Ok(())
        })
        .unwrap();
    // The shutdown ends as well.
    drop(kernel);
}

#[test]
fn one_that_wakes_ends_the_idleness() {
    struct Setter(Rc<Cell<bool>>, Rc<RefCell<Option<std::task::Waker>>>);
    impl Activation for Setter {
        fn idle(&mut self, _: Instant, _: Option<Instant>) {
            self.0.set(true);
            if let Some(waker) = self.1.borrow_mut().take() {
                waker.wake();
            }
        }
    }
    for clock in [Clock::Virtual, Clock::Real] {
        let _guard = Watchdog::start();
        let (set, waker) = (Rc::new(Cell::new(false)), Rc::new(RefCell::new(None)));
        let kernel = Kernel::builder()
            .clock(clock)
            .activation(Setter(set.clone(), waker.clone()))
            .build()
            .unwrap();
        kernel
            .run(poll_fn(|cx| {
                if set.get() {
                    return Poll::Ready(Ok(()));
                }
                *waker.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            }))
            .unwrap();
    }
}

#[test]
fn one_that_cancels_what_is_about_to_run() {
    struct Canceller(Rc<RefCell<Option<curio::Task<()>>>>);
    impl Activation for Canceller {
        fn running(&mut self, _: Instant, task: &TaskInfo) {
            if task.id == 4
                && let Some(kid) = self.0.borrow_mut().take()
            {
                kid.cancel_nowait();
            }
        }
    }
    let kid = Rc::new(RefCell::new(None));
    let (diary, kernel) = (Diary::default(), Kernel::builder().clock(Clock::Virtual));
    let kernel = kernel
        .activation(Canceller(kid.clone()))
        .activation(diary.clone())
        .build()
        .unwrap();
    *kid.borrow_mut() = Some(kernel.spawn(async { Ok(()) }));
    // That one had number 3.
    *kid.borrow_mut() = Some(kernel.spawn(sleep(secs(5))));
    kernel.run_all().unwrap();
    // In its first run, which had not begun.
    assert_eq!(diary.only(&["running"]), ["0 running 3", "0 running 4"]);
    assert_eq!(
        diary.only(&["terminated"]),
        [
            "0 terminated 3 Value",
            "0 terminated 4 Cancelled: task 4 (Sleep) was cancelled"
        ]
    );
}

#[test]
fn one_that_panics_is_not_called_again() {
    struct Panics(Rc<Cell<u32>>);
    impl Activation for Panics {
        fn running(&mut self, _: Instant, _: &TaskInfo) {
            self.0.set(self.0.get() + 1);
            panic!("an activation's own fault");
        }
    }
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("and another one");
        }
    }
    let (calls, diary) = (Rc::new(Cell::new(0)), Diary::default());
    let kernel = Kernel::builder()
        .clock(Clock::Virtual)
        .activation(Panics(calls.clone()))
        .activation(diary.clone())
        .build()
        .unwrap();
    kernel.run(sleep(secs(1))).unwrap();
    assert_eq!(calls.get(), 1);
    assert_eq!(
        diary.only(&["running", "terminated"]).len(),
        3,
        "{:?}",
        diary.lines()
    );
}

#[test]
fn several_are_called_in_order_and_times_are_those_of_the_events() {
    struct Slow(Rc<RefCell<Vec<(&'static str, Instant)>>>, &'static str);
    impl Activation for Slow {
        fn running(&mut self, at: Instant, _: &TaskInfo) {
            std::thread::sleep(Duration::from_millis(5));
            self.0.borrow_mut().push((self.1, at));
        }
    }
    let seen = Rc::new(RefCell::new(Vec::new()));
    let kernel = Kernel::builder()
        .activation(Slow(seen.clone(), "a"))
        .activation(Slow(seen.clone(), "b"))
        .build()
        .unwrap();
    let before = Instant::now();
    kernel.run(async {}).unwrap();
    let seen = seen.borrow();
    let names: Vec<_> = seen.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(seen[0].1, seen[1].1);
    assert!(seen[0].1 - before < before.elapsed() - Duration::from_millis(9));
}

#[test]
fn tasks_spawned_before_the_run_are_told_of() {
    let diary = Diary::default();
    let kernel = virtual_kernel(diary.clone());
    kernel.spawn(async {});
    assert!(diary.lines().is_empty());
    assert!(!kernel.run_once().unwrap());
    assert_eq!(
        diary.only(CYCLE)[..2],
        [
            "0 activate",
            "0 created 3 tasks_spawned_before_the_run_are_told_of by -"
        ]
    );
}

#[test]
fn activations_go_with_their_kernel() {
    let alive = Rc::new(());
    struct Holder(#[allow(dead_code)] Rc<()>);
    impl Activation for Holder {}
    let kernel = Kernel::builder()
        .activation(Holder(alive.clone()))
        .build()
        .unwrap();
    kernel.run(async {}).unwrap();
    assert_eq!(Rc::strong_count(&alive), 2);
    drop(kernel);
    assert_eq!(Rc::strong_count(&alive), 1);
}

#[test]
fn the_end_of_an_errors_life_is_outside_of_the_tables() {
    // The log may hold the last reference to an error; its drop is user code that spawns.
    #[derive(Debug)]
    struct Spawns;
    impl std::fmt::Display for Spawns {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("spawns")
        }
    }
    impl std::error::Error for Spawns {}
    impl Drop for Spawns {
        fn drop(&mut self) {
            spawn(async {});
        }
    }
    let (result, diary) = watch(async {
        drop(spawn(async { Err::<(), _>(Error::other(Spawns)) }));
        sleep(secs(1)).await
    });
    result.unwrap();
    assert_eq!(diary.only(&["created"]).len(), 3);
}

// ---- The recorder

/// Python Curio's tutorial.
mod tutorial {
    use super::*;

    async fn kid() -> Result<()> {
        let playing = sleep(secs(1000)).await;
        if playing.is_err() {
            // Saving the work.
            sleep(secs(3)).await?;
        }
        playing
    }

    async fn countdown(from: u64) -> Result<()> {
        for _ in 0..from {
            sleep(secs(1)).await?;
        }
        Ok(())
    }

    pub(super) async fn parent() -> Result<()> {
        let kid = spawn(kid());
        let count = spawn(countdown(2));
        count.join().await?;
        match timeout_after(secs(5), kid.join()).await {
            Err(Error::Timeout(_)) => kid.cancel().await,
            other => other,
        }
    }
}

fn record<T>(kernel: curio::Builder, main: impl Future<Output = Result<T>>) -> String {
    let _guard = Watchdog::start();
    let text = Text::new();
    let kernel = kernel
        .activation(Recorder::new(text.clone()).without_places())
        .build()
        .unwrap();
    let _ = kernel.run(main);
    drop(kernel);
    text.to_string()
}

#[test]
fn kid_and_parent_are_recorded_as_ever() {
    let trace = record(Kernel::builder().clock(Clock::Virtual), tutorial::parent());
    let golden = include_str!("golden/kid_and_parent.jsonl");
    if trace != golden {
        // To be looked at, and put into its place if it is right.
        eprint!("{trace}");
        panic!("the trace is not the golden one any more");
    }
    let state = check_ended(&trace).unwrap();
    assert_eq!(state.now, 10_000_000_000);
    assert_eq!(state.tasks[&4].ended.as_deref(), Some("cancelled"));
}

#[test]
fn places_are_recorded() {
    let text = Text::new();
    let kernel = virtual_kernel(Recorder::new(text.clone()));
    kernel.run(async { spawn(sleep(secs(1))).join().await }).unwrap();
    drop(kernel);
    check_ended(&text.to_string()).unwrap();
    let here = format!("\"place\":\"{}:", file!().replace('\\', "\\\\"));
    assert_eq!(text.to_string().matches(&here).count(), 6, "{text}");
}

#[test]
fn a_writer_that_fails_ends_the_recording_and_nothing_else() {
    struct Full(Rc<Cell<u32>>);
    impl io::Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            self.0.set(self.0.get() + 1);
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            unreachable!()
        }
    }
    let writes = Rc::new(Cell::new(0));
    let kernel = virtual_kernel(Recorder::new(Full(writes.clone())));
    kernel.run(sleep(secs(1))).unwrap();
    drop(kernel);
    assert_eq!(writes.get(), 1);
}

#[test]
fn names_are_escaped() {
    let mut name: String = (0..0x300).filter_map(char::from_u32).collect();
    name.push_str("\u{2028}\u{fffd}\u{10ffff}🦀");
    let trace = record(Kernel::builder().clock(Clock::Virtual), async {
        task(async { Err::<(), _>(Error::other("no\nway")) })
            .name(&*name)
            .spawn()
            .wait()
            .await
    });
    let state = check_ended(&trace).unwrap();
    assert_eq!(state.tasks[&4].name, name);
}

/// A bit of everything: joins, sleeps, timeouts around timeouts, cancels, shields, combinators, panics, foreign futures.
/// `random` makes another program for each number.
async fn busy(random: u64) -> Result<()> {
    let chance = move |n: u64, of: u64| (random.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (8 + n)) % of;
    let list = Rc::new(WaitList::new());
    let (sender, receiver) = futures::channel::oneshot::channel::<()>();
    let listener = spawn({
        let list = list.clone();
        async move {
            const DOOR_WAIT: Label = Label::new(&"DOOR_WAIT");
            let place = Location::caller();
            let mut waiting = Waiting::new();
            let mut rounds = 0;
            poll_fn(|cx| {
                if waiting.is_notified() {
                    rounds += 1;
                }
                if rounds == 2 {
                    waiting.complete();
                    return Poll::Ready(Ok(()));
                }
                match waiting.wait_on(&list, cx, DOOR_WAIT, place) {
                    Ok(()) => Poll::Pending,
                    Err(error) => Poll::Ready(Err(error)),
                }
            })
            .await
        }
    });
    let joiner = spawn(async move {
        let all: FuturesUnordered<_> = (1..4).map(|n| sleep(secs(chance(n, 4)))).collect();
        let r: Vec<_> = timeout_after(secs(1 + chance(9, 3)), async { Ok(all.collect().await) }).await?;
        r.into_iter().collect::<Result<()>>()
    });
    let shielded = spawn(async move {
        let inner = timeout_after(secs(2), sleep(secs(1 + chance(3, 3))));
        let (a, b) = futures::join!(disable_cancellation(inner), sleep(secs(chance(4, 5))));
        a.and(b)
    });
    let foreign = spawn(async move { ignore_after(secs(chance(5, 4)), async { Ok(receiver.await) }).await });
    let panics = spawn(async move {
        sleep(secs(chance(6, 3))).await?;
        if true {
            panic!("on purpose");
        }
        Ok(())
    });
    let stubborn = spawn(async {
        let cleanup = sleep(secs(50)).await;
        sleep(secs(1)).await?;
        cleanup
    });
    for n in 0..4 {
        match chance(10 + n, 5) {
            0 => joiner.cancel_nowait(),
            1 => shielded.cancel().await?,
            2 => list.notify_all(),
            3 => sleep(secs(1)).await?,
            _ => yield_now().await?,
        }
    }
    if chance(7, 2) == 0 {
        let _ = sender.send(());
    }
    let nested = timeout_after(secs(2), ignore_after(secs(3), stubborn.join())).await;
    assert!(nested.is_err());
    stubborn.cancel_within(secs(chance(8, 2))).await?;
    foreign.wait().await?;
    panics.wait().await?;
    while !listener.terminated() {
        list.notify_all();
        yield_now().await?;
    }
    joiner.wait().await
}

#[test]
fn the_rules_hold_under_many_schedules() {
    std::panic::set_hook(Box::new(|info| {
        // Those on purpose are many.
        if info.payload_as_str() != Some("on purpose") {
            eprintln!("{info}");
        }
    }));
    let _guard = Watchdog::start();
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for seed in 0..200 {
        let (text, seen) = (Text::new(), Rc::new(Cell::new(0)));
        let mut builder = Kernel::builder()
            .clock(Clock::Virtual)
            .activation(Recorder::new(text.clone()));
        if seed % 4 != 0 {
            builder = builder.seed(seed);
        }
        let kernel = builder.build().unwrap();
        let main = kernel.spawn(busy(seed));
        let mut state = trace_checker::State::default();
        // After every cycle the checker must have come to what the kernel says of itself.
        let mut cycles = 0;
        while !main.terminated() {
            kernel.run_once().unwrap();
            cycles += 1;
            assert!(cycles < 1_000, "seed {seed} does not end\n{text}");
            for line in text.to_string().lines().skip(seen.get()) {
                let step = if seen.replace(seen.get() + 1) == 0 {
                    state.header(line)
                } else {
                    state.step(line)
                };
                step.unwrap_or_else(|error| panic!("seed {seed}: {error}: {line}\n{text}"));
            }
            let rebuilt = (state.alive(), state.waits.len(), state.timers.len());
            let kernel = format!("{kernel:?}");
            let number = |name: &str| -> usize {
                let rest = kernel.split_once(name).unwrap().1;
                rest.split([',', ' ']).next().unwrap().parse().unwrap()
            };
            assert_eq!(
                rebuilt,
                (number("tasks: "), number("waits: "), number("timers: ")),
                "seed {seed}\n{text}"
            );
        }
        drop(kernel);
        let state =
            check_ended(&text.to_string()).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}"));
        for (event, count) in state.counts {
            *counts.entry(event).or_default() += count;
        }
        for task in state.tasks.into_values() {
            *counts.entry(task.ended.unwrap()).or_default() += 1;
        }
    }
    // It was a bit of everything indeed.
    for what in [
        "deliver",
        "interrupt",
        "idle",
        "left",
        "cancelled",
        "failed",
        "panicked",
        "dropped",
        "value",
    ] {
        assert!(counts.get(what).is_some_and(|&n| n >= 20), "{what}: {counts:?}");
    }
}

#[test]
fn on_the_real_clock_the_rules_hold_too() {
    let trace = record(Kernel::builder(), async {
        let kids: Vec<_> = (0..20)
            .map(|n| spawn(sleep(Duration::from_millis(n % 7))))
            .collect();
        ignore_after(Duration::from_millis(3), sleep(secs(100))).await?;
        for kid in kids {
            kid.cancel().await?;
        }
        Ok(())
    });
    check_ended(&trace).unwrap();
}

// ---- The checker

/// A trace with one thing changed must be refused, for the right reason.
#[test]
fn broken_traces_are_refused() {
    let good = include_str!("golden/kid_and_parent.jsonl");
    check_ended(good).unwrap();
    let lines: Vec<_> = good.lines().collect();
    let find = |parts: &[&str]| {
        let place = lines
            .iter()
            .position(|line| parts.iter().all(|part| line.contains(part)));
        place.unwrap_or_else(|| panic!("no line has {parts:?}"))
    };
    let refuse = |what: &str, lines: Vec<String>| {
        let trace = lines.join("\n") + "\n";
        match check_ended(&trace) {
            Ok(_) => panic!("accepted, though it should have said: {what}"),
            Err(error) => assert!(error.contains(what), "{error}\nshould have been: {what}"),
        }
    };
    let own = || lines.iter().map(ToString::to_string).collect::<Vec<_>>();
    let change = |parts: &[&str], from: &str, to: &str, what: &str| {
        let (place, mut lines) = (find(parts), own());
        assert!(lines[place].contains(from), "{}", lines[place]);
        lines[place] = lines[place].replace(from, to);
        refuse(what, lines);
    };
    let remove = |parts: &[&str], what: &str| {
        let (place, mut lines) = (find(parts), own());
        lines.remove(place);
        refuse(what, lines);
    };
    let twice = |parts: &[&str], what: &str| {
        let (place, mut lines) = (find(parts), own());
        lines.insert(place, lines[place].clone());
        refuse(what, lines);
    };
    // 1
    change(&["format"], "1", "2", "version must be 1");
    change(&["format"], "virtual", "sundial", "clock must be");
    change(&["created"], "created", "born", "is no event");
    change(
        &["running"],
        "\"task\":3",
        "\"task\":3,\"x\":1",
        "must have the fields",
    );
    change(
        &["created"],
        "\"parent\":null,\"daemon\":false",
        "\"daemon\":false,\"parent\":null",
        "in this order",
    );
    change(
        &["created"],
        "\"daemon\":false",
        "\"daemon\":null",
        "daemon must not be null",
    );
    change(&["ready"], "}", "", "is no JSON");
    change(
        &["suspended", "TASK_JOIN"],
        "\"at\":0",
        "\"at\":1",
        "time goes back",
    );
    // 2
    twice(&["created"], "the task exists");
    twice(&["terminated", ":5"], "the task has ended");
    change(
        &["created", "kid"],
        "\"parent\":3",
        "\"parent\":null",
        "the parent is not",
    );
    remove(&["terminated", ":5"], "has not happened");
    remove(&["terminated", ":3"], "at the end");
    // 3
    twice(&["ready"], "the task is in the queue");
    remove(&["ready"], "the task is not ready");
    twice(&["running"], "another task is running");
    change(&["running", ":4"], "\"task\":4", "\"task\":5", "not the first");
    // 4
    remove(&["suspended"], "another task is running");
    change(
        &["suspended", "TASK_JOIN"],
        "TASK_JOIN",
        "READY",
        "cannot be its state",
    );
    change(
        &["suspended", "TASK_JOIN"],
        "TASK_JOIN",
        "TIME_SLEEP",
        "cannot be its state",
    );
    change(
        &["suspended", "TERMINATED"],
        "TERMINATED",
        "FOREIGN_WAIT",
        "not come to an end",
    );
    // 5
    twice(&["wait\"", "TASK_JOIN"], "another wait has this number");
    change(
        &["wait\"", "TASK_JOIN"],
        "\"task\":3",
        "\"task\":4",
        "the task is not running",
    );
    change(
        &["wait\"", "TASK_JOIN"],
        "\"what\":5",
        "\"what\":9",
        "a task that is not there",
    );
    change(&["wake"], "\"by\":null", "\"by\":3", "by is not the running task");
    remove(&["wait\"", "TASK_JOIN"], "cannot be its state");
    // 6
    change(&["left", "completed"], "completed", "interrupted", "do not fit");
    change(&["left", "interrupted"], "interrupted", "dropped", "do not fit");
    remove(&["left", "interrupted"], "must end now");
    remove(&["left", "completed"], "the task waits");
    // 7
    remove(&["timer", "set"], "must be set now");
    change(
        &["timer", "set"],
        "\"deadline\":",
        "\"deadline\":1",
        "the wait is for something else",
    );
    remove(&["timer", "fired"], "leaves its timer behind");
    change(&["timer", "fired"], "fired", "removed", "must end now");
    remove(&["timer", "removed"], "its timer behind");
    change(
        &["timer", "fired"],
        "\"deadline\":",
        "\"deadline\":1",
        "no such timer",
    );
    // 8
    remove(&["interrupt\"", "\"kind\":\"timeout\""], "that was not due");
    change(
        &["deliver", "Timeout"],
        "\"Timeout\"",
        "\"Cancelled\"",
        "error must be one of",
    );
    remove(&["deliver", "Cancelled"], "do not fit");
    // 9
    change(&["idle"], "\"until\":", "\"until\":9", "oversleep");
    let (idle, mut early) = (find(&["idle"]), own());
    early.swap(idle, idle - 1);
    refuse("a task is running", early);
    let mut long = own();
    long.truncate(lines.len() - 3);
    refuse("at the end", long);
    assert!(check(good.trim_end()).is_err(), "a line that breaks off");
    assert!(check("").is_err());
}
