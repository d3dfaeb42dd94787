//! What went wrong once, each named after the rule that it broke: panics of user code in places where none is expected,
//! operations that change tasks, kernels that rest between two runs, and time that grew with the square.

mod common;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, Location, catch_unwind, panic_any, resume_unwind};
use std::pin::pin;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use common::Watchdog;
use curio::net::{TcpListener, TcpStream};
use curio::traps::{Label, WaitList, Waiting};
use curio::{
    Clock, Error, Kernel, Result, Task, check_cancellation, clock, current_task, disable_cancellation,
    interruptible, run, running, sleep, spawn, timeout_after, yield_now,
};
use futures::stream::{FuturesUnordered, StreamExt};

const SEC: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);
const EMPTY: &str = "Kernel { tasks: 0, waits: 0, scopes: 0, timers: 0, sockets: 0 }";

fn virtual_kernel() -> Kernel {
    Kernel::builder().clock(Clock::Virtual).build().unwrap()
}

#[track_caller]
fn assert_empty(kernel: &Kernel) {
    assert_eq!(format!("{kernel:?}"), EMPTY);
}

/// Something that has happened or not, made as users make their own primitives.
#[derive(Default)]
struct Event {
    happened: Cell<bool>,
    list: WaitList,
}

impl Event {
    fn new() -> Rc<Event> {
        Rc::default()
    }

    fn set(&self) {
        self.happened.set(true);
        self.list.notify_all();
    }

    fn wait(self: &Rc<Event>) -> impl Future<Output = Result<()>> + 'static {
        let event = self.clone();
        let mut waiting = Waiting::new();
        let place = Location::caller();
        poll_fn(move |cx| {
            if event.happened.get() {
                waiting.complete();
                return Poll::Ready(Ok(()));
            }
            match waiting.wait_on(&event.list, cx, Label::new(&"EVENT_WAIT"), place) {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            }
        })
    }
}

/// A second of sleep, polled with a waker of which the kernel knows nothing.
async fn sleep_with(waker: impl Fn(&Waker) -> Waker) -> Result<()> {
    let mut sleep = pin!(sleep(SEC));
    poll_fn(|cx| sleep.as_mut().poll(&mut Context::from_waker(&waker(cx.waker())))).await
}

/// A waker that panics when it is woken.
struct Bomb;

impl Wake for Bomb {
    fn wake(self: Arc<Self>) {
        panic!("a waker panics");
    }
}

/// Starts this very binary anew with nothing but this test, which finds `CURIO_REGRESSIONS_CHILD` set then. None in the
/// child.
fn child(test: &str) -> Option<Command> {
    const CHILD: &str = "CURIO_REGRESSIONS_CHILD";
    if std::env::var_os(CHILD).is_some() {
        return None;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .stdout(Stdio::null());
    Some(command)
}

// ---- User code that panics, or comes back, where the kernel calls it

/// The waker of a leaked operation was dropped with its task while the tables were borrowed: the drop of a waker that
/// used the kernel panicked.
#[test]
fn a_waker_that_is_dropped_with_its_task_may_use_the_kernel() {
    struct Spawning;
    impl Wake for Spawning {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Spawning {
        fn drop(&mut self) {
            if running() {
                spawn(async {}).detach();
            }
        }
    }
    let kernel = virtual_kernel();
    kernel
        .run(async {
            let kid = spawn(async {
                let mut sleep = Box::pin(sleep(SEC));
                let waker = Waker::from(Arc::new(Spawning));
                assert!(sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
                drop(waker);
                std::mem::forget(sleep);
            });
            kid.wait().await
        })
        .unwrap();
    kernel.run_all().unwrap();
    assert_empty(&kernel);
}

/// A panic in a combinator's waker left the kernel, and all whom the same instant was to wake slept on for ever.
#[test]
fn a_waker_that_panics_loses_no_wake_up_of_others() {
    struct Pass(Waker);
    impl Wake for Pass {
        fn wake(self: Arc<Self>) {
            self.0.wake_by_ref();
        }
    }
    let _guard = Watchdog::start();
    let kernel = virtual_kernel();
    let bad = kernel.spawn(sleep_with(|_| Arc::new(Bomb).into()));
    let good = kernel.spawn(sleep_with(|own| Arc::new(Pass(own.clone())).into()));
    let ended = catch_unwind(AssertUnwindSafe(|| kernel.run(sleep(3 * SEC))));
    assert!(matches!(ended, Ok(Ok(()))), "the panic left the kernel");
    assert!(good.terminated(), "the second sleeper was not woken");
    assert!(!bad.terminated());
}

/// After such a panic the task of `Kernel::run` stayed in the tables.
#[test]
fn a_waker_that_panics_leaves_no_main_task_behind() {
    let _guard = Watchdog::start();
    let kernel = virtual_kernel();
    kernel.spawn(sleep_with(|_| Arc::new(Bomb).into())).detach();
    for _ in 0..2 {
        let _ = catch_unwind(AssertUnwindSafe(|| kernel.run(sleep(3 * SEC))));
    }
    // The sleeper is there still, as nobody has told it to go on.
    let text = format!("{kernel:?}");
    assert!(text.starts_with("Kernel { tasks: 1,"), "{text}");
}

/// The kernel reports a crash on stderr with `eprintln!`, which panics if nobody reads there: the program went down.
#[test]
#[cfg(unix)]
fn a_report_that_nobody_reads_harms_nobody() {
    if let Some(mut child) = child("a_report_that_nobody_reads_harms_nobody") {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let status = child.stderr(writer).status().unwrap();
        assert!(status.success(), "{status}");
        return;
    }
    run(async {
        let kid = spawn(async { Err::<(), _>(Error::other("nobody reads this")) });
        assert!(matches!(kid.join().await, Err(Error::Task(_))));
        sleep(MS).await
    })
    .unwrap();
}

/// The report of a crash calls the error's `Display`, whose panic left the kernel.
#[test]
fn an_error_that_panics_when_it_is_shown_is_contained() {
    #[derive(Debug)]
    struct Shy;
    impl fmt::Display for Shy {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("Display panics")
        }
    }
    impl std::error::Error for Shy {}

    let kernel = virtual_kernel();
    let ended = catch_unwind(AssertUnwindSafe(|| {
        kernel.run(async {
            spawn(async { Err::<(), _>(Error::other(Shy)) }).detach();
            sleep(SEC).await
        })
    }));
    assert!(matches!(ended, Ok(Ok(()))), "the panic left the kernel");
    assert_empty(&kernel);
}

/// What a task panics with is a value of the user's. The panic of its drop left the kernel.
#[test]
fn a_payload_that_panics_when_it_is_dropped_is_contained() {
    struct Payload;
    impl Drop for Payload {
        fn drop(&mut self) {
            assert!(thread::panicking(), "a payload panics");
        }
    }
    let kernel = virtual_kernel();
    let ended = catch_unwind(AssertUnwindSafe(|| {
        kernel.run(async {
            spawn(async { panic_any(Payload) }).detach();
            sleep(SEC).await
        })
    }));
    assert!(matches!(ended, Ok(Ok(()))), "the panic left the kernel");
    assert_empty(&kernel);
}

/// The value of a task whose handle is gone is dropped when the task has left the tables, but the kernel still took that
/// task for the running one: `check_cancellation` in the drop looked for it and panicked.
#[test]
fn a_value_that_is_dropped_may_ask_for_cancellation() {
    struct Asking(Rc<RefCell<Option<Result<bool>>>>);
    impl Drop for Asking {
        fn drop(&mut self) {
            *self.0.borrow_mut() = catch_unwind(check_cancellation).ok();
        }
    }
    let answer = Rc::new(RefCell::new(None));
    virtual_kernel()
        .run(async {
            let value = Asking(answer.clone());
            spawn(async { Ok(value) }).detach();
            sleep(SEC).await
        })
        .unwrap();
    let answer = answer.borrow();
    assert!(matches!(*answer, Some(Err(Error::NoKernel))), "{answer:?}");
}

/// A future whose drop ended its own task by force took the task out of the tables twice, which panicked.
#[test]
fn a_drop_may_end_its_own_task() {
    type Slot = Rc<RefCell<Option<Rc<Task<()>>>>>;
    struct Ending(Slot);
    impl Drop for Ending {
        fn drop(&mut self) {
            if let Some(task) = self.0.borrow_mut().take() {
                let mut ending = pin!(task.cancel_within(Duration::ZERO));
                for _ in 0..3 {
                    let _ = ending.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                }
            }
        }
    }
    let kernel = virtual_kernel();
    kernel
        .run(async {
            let slot = Slot::default();
            let ending = Ending(slot.clone());
            let kid = Rc::new(spawn(async move {
                let _ending = ending;
                disable_cancellation(sleep(100 * SEC)).await
            }));
            *slot.borrow_mut() = Some(kid.clone());
            yield_now().await?;
            kid.cancel_within(SEC).await?;
            assert!(slot.borrow().is_none(), "the future was not dropped");
            sleep(SEC).await
        })
        .unwrap();
    assert_empty(&kernel);
}

// ---- Interruptions

/// How many scopes of a task were interrupted was counted in 16 bits: 65,536 expired timeouts in one task made the
/// kernel forget all of them, or panic.
#[test]
fn a_task_may_have_any_number_of_expired_timeouts() {
    let _guard = Watchdog::start();
    let kernel = virtual_kernel();
    kernel
        .run(async {
            let mut all: FuturesUnordered<_> = (0..=u16::MAX)
                .map(|_| {
                    timeout_after(SEC, async {
                        let result = sleep(100 * SEC).await;
                        assert!(result.is_err());
                        // All of them are interrupted before the first one ends.
                        sleep(SEC).await?;
                        result
                    })
                })
                .collect();
            while let Some(result) = all.next().await {
                assert!(result.unwrap_err().is_timeout());
            }
            Ok(())
        })
        .unwrap();
    assert_empty(&kernel);
}

/// An operation stayed in the scope in which it had begun to wait, so a shield around it came too late.
#[test]
fn a_shield_protects_what_began_to_wait_before_it() {
    virtual_kernel()
        .run(async {
            let kid = spawn(async {
                let start = clock();
                let mut sleep = pin!(sleep(5 * SEC));
                assert!(futures::poll!(&mut sleep).is_pending());
                let result = disable_cancellation(sleep).await;
                assert_eq!(clock() - start, 5 * SEC);
                result
            });
            sleep(SEC).await?;
            kid.cancel().await?;
            kid.join().await
        })
        .unwrap();
}

/// The nodes of a combinator's members went with the task in which they had been polled first, and nobody told the
/// members to enlist in the task that has the combinator now.
#[test]
fn a_combinator_that_moves_to_another_task_is_woken() {
    let _guard = Watchdog::start();
    let kernel = virtual_kernel();
    kernel
        .run(async {
            let start = clock();
            let (hand_over, received) = futures::channel::oneshot::channel();
            let first = spawn(async move {
                let mut all: FuturesUnordered<_> = (1..4).map(|n| sleep(n * SEC)).collect();
                assert!(futures::poll!(all.next()).is_pending());
                drop(hand_over.send(all));
            });
            let second = spawn(async move {
                let mut all = received.await.map_err(Error::other)?;
                first.join().await?;
                while let Some(result) = all.next().await {
                    result?;
                }
                Ok(())
            });
            timeout_after(100 * SEC, second.join()).await?;
            assert_eq!(clock() - start, 3 * SEC);
            Ok(())
        })
        .unwrap();
    assert_empty(&kernel);
}

/// Not a defect but the price of rule D4, pinned here so that nobody is surprised twice.
///
/// One arm of a `join!` takes the cancellation; the other, polled after it in the same run, completes and *owes* it.
/// Whatever waits next in that run pays, be it the first wait of the clean-up. With the arms in the other order, nothing
/// is owed. (Without the rule, a task that is cancelled while items keep coming would never hear of it in the other
/// arm.) Only one wait pays: the clean-up's second one is safe.
#[test]
fn a_debt_may_hit_the_clean_up() {
    // In the third case the arm that is polled second is the first to wait, and so waits in the task's own node.
    for (sleeps_first, yields) in [(true, false), (false, false), (true, true)] {
        let event = Event::new();
        let waits = event.wait();
        virtual_kernel()
            .run(async {
                let kid = spawn(async move {
                    let sleeps = async {
                        if yields {
                            yield_now().await?;
                        }
                        sleep(100 * SEC).await
                    };
                    let result = if sleeps_first {
                        futures::join!(sleeps, waits).0
                    } else {
                        futures::join!(waits, sleeps).1
                    };
                    assert!(matches!(result, Err(Error::Cancelled(_))));
                    let first = sleep(3 * SEC).await;
                    assert_eq!(first.is_err(), sleeps_first, "{first:?}");
                    sleep(3 * SEC).await.unwrap();
                    result
                });
                sleep(SEC).await?;
                event.set();
                kid.cancel().await?;
                match kid.join().await {
                    Err(Error::Task(error)) if error.cancelled() => Ok(()),
                    other => other,
                }
            })
            .unwrap();
    }
}

// ---- Time

/// Computes, so that time passes within a run of the task.
fn compute(length: Duration) {
    let start = Instant::now();
    while start.elapsed() < length {
        std::hint::spin_loop();
    }
}

/// The time is read once in each run of a task. So a sleep after a long computation counted from before it, and was
/// shorter than was asked for.
#[test]
fn a_sleep_is_never_shorter_for_a_computation() {
    run(async {
        // The first arm is why the time was read already.
        let (first, second) = futures::join!(sleep(MS), async {
            compute(20 * MS);
            let start = Instant::now();
            sleep(10 * MS).await?;
            assert!(start.elapsed() >= 10 * MS, "slept only {:?}", start.elapsed());
            Ok::<_, Error>(())
        });
        first.and(second)
    })
    .unwrap();
}

/// A join of a task that has ended completes at once and cost nothing of the task's budget: in a loop it kept all others
/// from running.
#[test]
fn an_operation_that_is_always_complete_starves_nobody() {
    virtual_kernel()
        .run(async {
            let done = spawn(async {});
            done.wait().await?;
            let other = spawn(async {});
            for _ in 0..10_000 {
                if other.terminated() {
                    return Ok(());
                }
                done.wait().await?;
            }
            panic!("the other task did not run")
        })
        .unwrap();
}

// ---- Kernels that rest, or are gone

/// A second `Error::exit` during the clean-up after the first one was kept, and ended the *next* run.
#[test]
fn an_exit_is_over_with_its_run() {
    let kernel = virtual_kernel();
    let result = kernel.run(async {
        spawn(async { Err::<(), _>(Error::exit(3)) }).detach();
        spawn(async {
            sleep(SEC).await?;
            Err::<(), _>(Error::exit(4))
        })
        .detach();
        let result = sleep(100 * SEC).await;
        sleep(5 * SEC).await?;
        result
    });
    assert!(matches!(result, Err(Error::Exit(3))), "{result:?}");
    kernel.run(sleep(SEC)).unwrap();
}

/// A list was known to its kernel by number only. When that number was given to a later kernel, the drop of the old list
/// took the new kernel's list away from those who waited there.
#[test]
fn a_list_of_a_dead_kernel_touches_nobody() {
    /// How many kernels it takes until a number is given out again.
    const NUMBERS: u32 = u16::MAX as u32;
    // In a process of its own, as other tests take numbers, too.
    if let Some(mut child) = child("a_list_of_a_dead_kernel_touches_nobody") {
        let output = child.stderr(Stdio::piped()).output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        return;
    }
    let _guard = Watchdog::start();
    let old = Event::new();
    let kernel = virtual_kernel();
    kernel.spawn(old.wait()).detach();
    kernel.run(yield_now()).unwrap();
    drop(kernel);
    for _ in 1..NUMBERS {
        drop(virtual_kernel());
    }
    virtual_kernel()
        .run(async {
            let new = Event::new();
            let kid = spawn(new.wait());
            sleep(SEC).await?;
            drop(old);
            new.set();
            kid.join().await
        })
        .unwrap();
}

/// A second kernel took over a list on which tasks of the first one waited, and those were forgotten.
#[test]
fn a_list_belongs_to_its_first_kernel() {
    let event = Event::new();
    let (one, two) = (virtual_kernel(), virtual_kernel());
    let kid = one.spawn(event.wait());
    one.run(yield_now()).unwrap();
    let other = two.run(timeout_after(SEC, event.wait()));
    assert!(matches!(other, Err(Error::NoKernel)), "{other:?}");
    one.run(async {
        event.set();
        sleep(SEC).await
    })
    .unwrap();
    assert!(kid.terminated(), "the waiter of the first kernel was forgotten");
    // When the first kernel is gone, the list is free for another one.
    drop(one);
    event.happened.set(false);
    two.run(async {
        let other = timeout_after(SEC, event.wait()).await;
        assert!(matches!(other, Err(Error::Timeout(_))), "{other:?}");
        Ok(())
    })
    .unwrap();
}

/// A notification while the kernel did not run was ignored.
#[test]
fn a_notification_between_two_runs_is_not_lost() {
    let event = Event::new();
    let kernel = virtual_kernel();
    let kid = kernel.spawn(event.wait());
    kernel.run(yield_now()).unwrap();
    event.set();
    kernel.run(sleep(SEC)).unwrap();
    assert!(kid.terminated());
}

/// So was the close of a socket: whoever waited there waited for ever.
#[test]
fn a_close_between_two_runs_wakes_the_reader() {
    let _guard = Watchdog::start();
    let kernel = Kernel::new().unwrap();
    let (stream, _peer) = kernel
        .run(async {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let stream = TcpStream::connect(listener.local_addr()?).await?;
            let (peer, _) = listener.accept().await?;
            Ok((Rc::new(stream), peer))
        })
        .unwrap();
    let reader = stream.clone();
    let kid = kernel.spawn(async move { reader.read(&mut [0; 10]).await });
    kernel.run(yield_now()).unwrap();
    stream.close();
    let result = kernel.run(timeout_after(10 * SEC, kid.join()));
    match result {
        Err(Error::Task(error)) => assert!(error.to_string().contains("closed"), "{error}"),
        other => panic!("{other:?}"),
    }
}

/// And its drop, which left the entry in the tables.
#[test]
fn a_drop_between_two_runs_leaves_no_entry() {
    let kernel = Kernel::new().unwrap();
    let listener = kernel.run(async { TcpListener::bind("127.0.0.1:0") }).unwrap();
    drop(listener);
    assert_empty(&kernel);
}

// ---- Sockets

/// A read stops short at the mark of urgent data. That was taken for "nothing is left", and the reader waited for an
/// event that had come already.
#[test]
#[cfg(target_os = "linux")]
fn urgent_data_does_not_stall_the_reader() {
    use std::io::Write as _;
    let _guard = Watchdog::start();
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let mut peer = std::net::TcpStream::connect(listener.local_addr()?)?;
        let (stream, _) = listener.accept().await?;
        peer.write_all(b"abc")?;
        socket2::SockRef::from(&peer).send_out_of_band(b"!")?;
        peer.write_all(b"def")?;
        // The kernel sees the events before the first read, unless the system is late: then there was nothing to lose.
        sleep(MS).await?;
        let mut received = Vec::new();
        let mut buf = [0; 100];
        while received.len() < 6 {
            let n = timeout_after(10 * SEC, stream.read(&mut buf)).await?;
            received.extend_from_slice(&buf[..n]);
        }
        assert_eq!(received, b"abcdef");
        Ok(())
    })
    .unwrap();
}

// ---- Shutdown

/// A future that starts its like when it is dropped, as a careless supervisor does, kept the shutdown busy for ever.
#[test]
fn a_task_that_is_spawned_anew_by_its_drop_does_not_stop_the_shutdown() {
    struct Again(Rc<Cell<u32>>);
    impl Drop for Again {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
            if running() && self.0.get() < 100_000 {
                spawn(body(Again(self.0.clone()))).detach();
            }
        }
    }
    async fn body(again: Again) -> Result<()> {
        let _again = again;
        sleep(1000 * SEC).await
    }
    let _guard = Watchdog::start();
    let count = Rc::new(Cell::new(0));
    let kernel = virtual_kernel();
    kernel.spawn(body(Again(count.clone()))).detach();
    kernel.run(yield_now()).unwrap();
    drop(kernel);
    assert!(count.get() < 100_000, "the shutdown did not end by itself");
}

// ---- Time that grew with the square of the number of tasks

/// Asserts that four times as many at once take about as long as four times so many. If the time grows with the square,
/// they take four times as long. (Both halves are as much work, so that a busy machine slows both down; that can still
/// spoil an attempt, so several may fail.)
#[track_caller]
fn assert_linear(n: u32, work: impl Fn(u32)) {
    let _guard = Watchdog::start();
    let time = |times, n| {
        let start = Instant::now();
        (0..times).for_each(|_| work(n));
        start.elapsed().as_secs_f64()
    };
    // The first use of anything costs more.
    work(n);
    let mut ratios = Vec::new();
    for _ in 0..8 {
        let ratio = time(1, 4 * n) / time(4, n);
        if ratio < 2.0 {
            return;
        }
        ratios.push(ratio);
    }
    panic!("four times as many take {ratios:.1?} times as long as they should");
}

/// The newest task was looked for in the whole table each time.
#[test]
fn a_kernel_that_is_dropped_in_a_panic_takes_linear_time() {
    assert_linear(1_000, |n| {
        let unwound = catch_unwind(|| {
            let kernel = virtual_kernel();
            (0..n).for_each(|_| kernel.spawn(sleep(SEC)).detach());
            kernel.run(yield_now()).unwrap();
            resume_unwind(Box::new(()));
        });
        assert!(unwound.is_err());
    });
}

/// A task that had been told of one timeout looked for a shield among all the others, in each run.
#[test]
fn timeouts_that_expire_one_after_another_take_linear_time() {
    assert_linear(500, |n| {
        let expired = virtual_kernel().run(async {
            let mut all: FuturesUnordered<_> = (1..=n)
                .map(|n| timeout_after(n * MS, sleep(1_000 * SEC)))
                .collect();
            while let Some(expired) = all.next().await {
                assert!(expired.unwrap_err().is_timeout());
            }
        });
        expired.unwrap();
    });
}

/// Each report looked through all operations that wait in the kernel. (In a child, because the reports are many.)
#[test]
fn survivors_of_a_shutdown_take_linear_time() {
    if let Some(mut child) = child("survivors_of_a_shutdown_take_linear_time") {
        let output = child.stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let said: Vec<_> = said.lines().filter(|line| !line.starts_with("curio: ")).collect();
        assert!(output.status.success(), "{said:#?}");
        return;
    }
    assert_linear(1_000, |n| {
        let kernel = Kernel::builder()
            .clock(Clock::Virtual)
            .shutdown_timeout(SEC)
            .build()
            .unwrap();
        for _ in 0..n {
            kernel.spawn(disable_cancellation(sleep(100 * SEC))).detach();
        }
        kernel.run(yield_now()).unwrap();
        drop(kernel);
    });
}

/// So did each line of a deadlock report.
#[test]
fn a_deadlock_report_takes_linear_time() {
    assert_linear(1_000, |n| {
        let event = Event::new();
        let kernel = virtual_kernel();
        (0..n).for_each(|_| kernel.spawn(event.wait()).detach());
        let Err(Error::Deadlock(report)) = kernel.run_all() else {
            panic!("no deadlock")
        };
        assert_eq!(report.to_string().matches("EVENT_WAIT").count(), n as usize);
    });
}

/// A task that had been woken when it ended was looked for in the whole ready queue.
#[test]
fn tasks_that_end_although_they_were_woken_take_linear_time() {
    assert_linear(3_000, |n| {
        let kernel = virtual_kernel();
        for _ in 0..n {
            let woken = poll_fn(|cx| {
                cx.waker().wake_by_ref();
                Poll::Ready(())
            });
            kernel.spawn(woken).detach();
        }
        kernel.run_all().unwrap();
        assert_empty(&kernel);
    });
}

/// A limit was counted from a time that was read before a long computation in the same run of the task.
#[test]
fn a_timeout_is_never_shorter_for_a_computation() {
    run(async {
        let (first, second) = futures::join!(sleep(MS), async {
            compute(20 * MS);
            let start = Instant::now();
            let result = timeout_after(10 * MS, interruptible(pending::<()>())).await;
            assert!(result.unwrap_err().is_timeout());
            assert!(start.elapsed() >= 10 * MS, "only {:?}", start.elapsed());
            Ok(())
        });
        first.and(second)
    })
    .unwrap();
}

/// One permit, handed over by `notify_one` (the grant is the notification), as in the example of `traps`.
#[derive(Default)]
struct Turn(WaitList);
impl Turn {
    fn wait(self: &Rc<Self>) -> impl Future<Output = Result<()>> + Unpin + 'static {
        struct W(Rc<Turn>, Waiting);
        impl Drop for W {
            fn drop(&mut self) {
                // Passes the wake-up on.
                if self.1.is_notified() {
                    self.0.0.notify_one();
                }
            }
        }
        let mut w = W(self.clone(), Waiting::new());
        let place = std::panic::Location::caller();
        poll_fn(move |cx| {
            let W(turn, waiting) = &mut w;
            if waiting.is_notified() {
                waiting.complete();
                return Poll::Ready(Ok(()));
            }
            match waiting.wait_on(&turn.0, cx, Label::new(&"TURN"), place) {
                Ok(()) => Poll::Pending,
                Err(e) => Poll::Ready(Err(e)),
            }
        })
    }
}

/// An operation was chosen by its list, its task ended before it was polled again, and the operation lived on elsewhere: its
/// node was freed, and the hand-off was lost.
#[test]
fn a_notification_survives_the_end_of_the_task_it_began_in() {
    for dropped in [false, true] {
        let k = virtual_kernel();
        let r = k.run(async {
            let turn = Rc::new(Turn::default());
            let slot = Rc::new(Cell::new(None));
            let first = spawn({
                let mut op = turn.wait();
                let (slot, turn) = (slot.clone(), turn.clone());
                async move {
                    assert!(futures::poll!(&mut op).is_pending());
                    slot.set(Some(op));
                    assert!(turn.0.notify_one());
                }
            });
            first.join().await?;
            let op = slot.take().unwrap();
            let result = if dropped {
                let other = spawn(turn.wait());
                yield_now().await?;
                drop(op);
                timeout_after(SEC, other.join()).await
            } else {
                timeout_after(SEC, op).await
            };
            assert!(
                result.is_ok(),
                "dropped {dropped}: the hand-off is lost: {result:?}"
            );
            Ok(())
        });
        r.unwrap();
    }
}

/// An operation that began outside of a timeout was taken for one that had waited inside when the timeout was delivered, and
/// the clean-up was interrupted a second time (D1).
#[test]
fn a_clean_up_may_await_what_began_outside() {
    let k = virtual_kernel();
    k.run(async {
        let start = clock();
        let mut goodbye = pin!(sleep(5 * SEC));
        assert!(futures::poll!(&mut goodbye).is_pending());
        let r = timeout_after(SEC, async {
            let r = sleep(100 * SEC).await;
            assert!(r.is_err());
            let cleaned = goodbye.await;
            assert!(
                cleaned.is_ok(),
                "interrupted again at {:?}: {cleaned:?}",
                clock() - start
            );
            r
        })
        .await;
        assert!(r.unwrap_err().is_timeout());
        assert_eq!(clock() - start, 5 * SEC);
        Ok(())
    })
    .unwrap();
}

/// A bound on what may be spawned during a shutdown hit a large server whose tasks say goodbye in tasks of their own.
#[test]
fn a_large_orderly_shutdown_is_not_cut_short() {
    let _guard = Watchdog::start();
    const N: u32 = 12_000;
    let done = Rc::new(Cell::new(0));
    let k = virtual_kernel();
    for _ in 0..N {
        let done = done.clone();
        k.spawn(async move {
            let r = sleep(1000 * SEC).await;
            let goodbye = spawn(disable_cancellation(async move {
                sleep(SEC).await?;
                done.set(done.get() + 1);
                Ok(())
            }));
            goodbye.wait().await?;
            r
        })
        .detach();
    }
    k.run(yield_now()).unwrap();
    k.shutdown().unwrap();
    assert_eq!(done.get(), N);
}

/// Entries of tasks that had ended were counted as ready, so that a task could run twice in one cycle.
#[test]
fn run_once_runs_each_task_once() {
    let k = virtual_kernel();
    let woken = |cx: &mut std::task::Context<'_>| {
        cx.waker().wake_by_ref();
        Poll::Ready(())
    };
    k.spawn(poll_fn(woken)).detach();
    k.run_once().unwrap();
    let kid = k.spawn(async {
        for _ in 0..10 {
            yield_now().await?;
        }
        Ok(())
    });
    for n in 1..5 {
        k.run_once().unwrap();
        assert_eq!(kid.cycles(), n);
    }
}

/// An operation that was pinned and not polled at present counted as waiting, so that a task in a foreign wait could not be
/// cancelled while it kept, say, a ticker for later (D6).
#[test]
fn a_task_is_cancelled_in_a_foreign_wait_though_it_keeps_an_operation_for_later() {
    let k = virtual_kernel();
    let r = k.run(async {
        let kid = spawn(async {
            let mut ticker = pin!(sleep(10_000 * SEC));
            assert!(futures::poll!(&mut ticker).is_pending());
            pending::<()>().await;
            ticker.await
        });
        sleep(SEC).await?;
        let start = clock();
        let r = timeout_after(100 * SEC, kid.cancel()).await;
        assert!(r.is_ok(), "not cancelled after {:?}", clock() - start);
        Ok(())
    });
    r.unwrap();
}

/// A delivery disarms what is open inside (D3), but a timeout that was not unwound, and awaited outside later, had lost its
/// deadline.
#[test]
fn a_timeout_that_was_not_unwound_keeps_its_deadline() {
    let k = virtual_kernel();
    k.run(async {
        let start = clock();
        let mut bounded = pin!(timeout_after(5 * SEC, sleep(100 * SEC)));
        let outer = timeout_after(SEC, async {
            assert!(futures::poll!(&mut bounded).is_pending());
            sleep(100 * SEC).await
        })
        .await;
        assert!(outer.unwrap_err().is_timeout());
        let r = bounded.await;
        assert_eq!(clock() - start, 5 * SEC, "{r:?}");
        Ok(())
    })
    .unwrap();
}

/// On the virtual clock, a task that only yields holds the time still, and the limit of the shutdown never came.
#[test]
fn a_shutdown_on_the_virtual_clock_ends_though_a_task_yields_for_ever() {
    let _guard = Watchdog::start();
    let k = Kernel::builder()
        .clock(Clock::Virtual)
        .shutdown_timeout(20 * MS)
        .build()
        .unwrap();
    k.spawn(async {
        loop {
            let _ = yield_now().await;
        }
        #[allow(unreachable_code)]
        Ok(())
    })
    .detach();
    k.run(yield_now()).unwrap();
    drop(k);
}

/// Moved timeouts and shields in all nestings: nothing is left behind, and times are right.
#[test]
fn a_task_that_ended_while_it_was_ready_does_not_keep_single_cycles_from_time() {
    let kernel = Kernel::builder().clock(Clock::Virtual).build().unwrap();
    let sleeper = kernel.spawn(sleep(SEC));
    kernel.spawn(poll_fn(|cx| {
        cx.waker().wake_by_ref();
        Poll::Ready(())
    }));
    for _ in 0..3 {
        kernel.run_once().unwrap();
    }
    assert!(sleeper.terminated());
}

#[test]
fn scopes_that_change_places() {
    let k = virtual_kernel();
    k.run(async {
        // A timeout into a shield, cancelled from outside.
        let kid = spawn(async {
            let start = clock();
            let mut t = pin!(timeout_after(5 * SEC, sleep(100 * SEC)));
            assert!(futures::poll!(&mut t).is_pending());
            let r = disable_cancellation(&mut t).await;
            assert!(r.unwrap_err().is_timeout());
            assert_eq!(clock() - start, 5 * SEC);
            let r = sleep(100 * SEC).await;
            assert!(matches!(r, Err(Error::Cancelled(_))), "{r:?}");
            assert_eq!(clock() - start, 5 * SEC);
            r
        });
        sleep(SEC).await?;
        kid.cancel().await?;
        // A timeout that was inside another one, and then around it.
        let start = clock();
        let mut a = Box::pin(timeout_after(7 * SEC, sleep(100 * SEC)));
        {
            let mut b = Box::pin(timeout_after(3 * SEC, &mut a));
            assert!(futures::poll!(&mut b).is_pending());
        }
        let r = timeout_after(5 * SEC, a).await;
        assert!(r.unwrap_err().is_timeout());
        assert_eq!(clock() - start, 5 * SEC);
        Ok(())
    })
    .unwrap();
    assert_eq!(
        format!("{k:?}"),
        "Kernel { tasks: 0, waits: 0, scopes: 0, timers: 0, sockets: 0 }"
    );
}

/// A cancellation is delivered once, also where the task is told in the run in which it asked for it itself, and goes on while
/// others are cancelled: what it began after that is none of the cancellation's business.
#[test]
fn what_is_begun_after_a_cancellation_is_not_cancelled() {
    for asked_from_inside in [true, false] {
        let k = virtual_kernel();
        k.run(async {
            let kid = spawn(async move {
                let mut before = pin!(sleep(100 * SEC));
                assert!(futures::poll!(&mut before).is_pending());
                if asked_from_inside {
                    current_task().cancel_nowait();
                } else {
                    yield_now().await?;
                }
                let told = futures::poll!(&mut before);
                assert!(matches!(told, Poll::Ready(Err(Error::Cancelled(_)))), "{told:?}");
                // In the same run, and in later ones.
                let mut after = pin!(sleep(3 * SEC));
                assert!(futures::poll!(&mut after).is_pending());
                for _ in 0..3 {
                    yield_now().await?;
                }
                let start = clock();
                timeout_after(SEC, sleep(100 * SEC)).await.unwrap_err();
                after.await?;
                assert_eq!(clock() - start, 3 * SEC);
                Ok(7)
            });
            let others: Vec<_> = (0..3).map(|_| spawn(sleep(100 * SEC))).collect();
            yield_now().await?;
            if !asked_from_inside {
                kid.cancel_nowait();
            }
            for other in others {
                other.cancel().await?;
            }
            assert_eq!(kid.join().await?, 7);
            assert!(kid.cancelled());
            Ok(())
        })
        .unwrap();
        assert_empty(&k);
    }
}
