//! The invariants of chapter 6. The chapter's page names these tests. Those of the timers are beside `src/timers.rs`.

#[path = "../../common/watchdog.rs"]
mod watchdog;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use chapter6::programs::channel::Channel;
use chapter6::programs::join2::join2;
use chapter6::programs::report::kernel;
use chapter6::programs::seconds;
use chapter6::{Error, Kernel, Result, Task, clock, sleep, sleep_until, spawn, spawn_thread, yield_now};

/// Runs a check in the order of arrival and under 200 shuffled schedules.
fn under_all_schedules(check: fn(Option<u64>)) {
    watchdog::watch();
    check(None);
    for seed in 0..200 {
        println!("seed {seed}"); // shown if the check fails
        check(Some(seed));
    }
}

/// Runs until all have ended, and looks whether anything is left.
fn run_to_the_end(kernel: &Kernel) {
    watchdog::watch();
    kernel.run_all().expect("everybody ends");
    assert_eq!(format!("{kernel:?}"), "Kernel { tasks: 0, waits: 0, timers: 0 }");
}

/// What a task that has ended gave. A panic in it, of an assertion say, ends nobody else: so look here.
fn result<T>(task: &Task<T>) -> Result<T> {
    match pin!(task.join()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("{task:?} has not ended"),
    }
}

/// Runs the task and all others to the end, which must be a good one.
fn run_main<T>(kernel: &Kernel, main: impl Future<Output = Result<T>> + 'static) -> T {
    let main = kernel.spawn(main);
    run_to_the_end(kernel);
    result(&main).expect("no assertion has failed")
}

#[test]
fn a_sleep_ends_when_its_time_has_come_and_not_before() {
    under_all_schedules(|seed| {
        let kernel = kernel(seed);
        let mut sleepers = Vec::new();
        for time in [3, 1, 4, 1, 5, 0, 2, 6] {
            sleepers.push(kernel.spawn(async move {
                let start = clock();
                sleep(seconds(time)).await?;
                Ok(clock() - start == seconds(time))
            }));
        }
        run_to_the_end(&kernel);
        assert!(sleepers.iter().all(|sleeper| result(sleeper).expect("no error")));
    });
}

#[test]
fn equal_deadlines_end_in_the_order_in_which_they_began() {
    let kernel = kernel(None);
    let order: Rc<RefCell<Vec<u32>>> = Rc::default();
    for number in 0..20 {
        let order = order.clone();
        kernel.spawn(async move {
            sleep(seconds(5)).await?;
            order.borrow_mut().push(number);
            Ok(())
        });
    }
    run_to_the_end(&kernel);
    assert!(order.borrow().is_sorted());
}

#[test]
fn the_virtual_clock_stands_still_while_a_task_is_ready() {
    under_all_schedules(|seed| {
        run_main(&kernel(seed), async {
            let start = clock();
            let busy = spawn(async {
                for _ in 0..100 {
                    yield_now().await?;
                }
                Ok(clock())
            });
            let sleeper = spawn(sleep(Duration::from_nanos(1)));
            assert_eq!(busy.join().await? - start, Duration::ZERO);
            sleeper.join().await
        });
    });
}

#[test]
fn the_virtual_clock_takes_no_time() {
    let start = Instant::now();
    let year = seconds(365 * 24 * 60 * 60);
    let passed = run_main(&kernel(None), async move {
        let start = clock();
        sleep(year).await?;
        Ok(clock() - start)
    });
    assert_eq!(passed, year, "it jumps to the deadline, and no further");
    assert!(start.elapsed() < seconds(60));
}

#[test]
fn a_thread_that_could_knock_comes_before_the_next_deadline() {
    let passed = run_main(&kernel(None), async {
        let start = clock();
        let (home, waker) = mpsc::channel::<Waker>();
        spawn_thread(move || waker.recv().expect("a waker").wake());
        spawn(sleep(seconds(1)));
        let mut polls = 0;
        poll_fn(move |cx| {
            polls += 1;
            let _ = home.send(cx.waker().clone());
            match polls {
                1 => Poll::Pending,
                _ => Poll::Ready(()),
            }
        })
        .await;
        Ok(clock() - start)
    });
    assert_eq!(passed, Duration::ZERO);
}

#[test]
fn a_sleep_that_is_dropped_leaves_no_timer() {
    under_all_schedules(|seed| {
        let passed = run_main(&kernel(seed), async {
            let start = clock();
            {
                let mut long = pin!(sleep(seconds(100)));
                poll_fn(|cx| Poll::Ready(long.as_mut().poll(cx).is_pending())).await;
                sleep(seconds(1)).await?;
            }
            sleep(seconds(1)).await?;
            Ok(clock() - start)
        });
        assert_eq!(passed, seconds(2));
    });
}

#[test]
fn nothing_to_wait_for_lets_the_others_run() {
    let kernel = kernel(None);
    let turn = Rc::new(Cell::new(0));
    let seen = turn.clone();
    let main = kernel.spawn(async move {
        let before = clock() - Duration::from_nanos(1);
        for nothing in [sleep(Duration::ZERO), sleep_until(clock()), sleep_until(before)] {
            let turns = seen.get();
            nothing.await?;
            assert!(seen.get() > turns, "the other had no turn");
        }
        Ok(())
    });
    kernel.spawn(async move {
        for _ in 0..10 {
            turn.set(turn.get() + 1);
            yield_now().await?;
        }
        Ok(())
    });
    run_to_the_end(&kernel);
    result(&main).expect("no assertion has failed");
}

#[test]
fn huge_durations_are_very_long() {
    let passed = run_main(&kernel(None), async {
        let start = clock();
        sleep(Duration::MAX).await?;
        Ok(clock() - start)
    });
    assert!(passed > seconds(50 * 365 * 24 * 60 * 60));
}

#[test]
fn one_task_can_wait_for_two_deadlines() {
    under_all_schedules(|seed| {
        let passed = run_main(&kernel(seed), async {
            let start = clock();
            let (short, long) = join2(sleep(seconds(2)), sleep(seconds(5))).await;
            short.and(long)?;
            Ok(clock() - start)
        });
        assert_eq!(passed, seconds(5));
    });
}

#[test]
fn the_real_clock_is_not_early_either() {
    let kernel = Kernel::new();
    let start = Instant::now();
    let passed = run_main(&kernel, async {
        let start = clock();
        sleep(Duration::from_millis(5)).await?;
        spawn(sleep(Duration::from_millis(1))).join().await?;
        Ok(clock() - start)
    });
    assert!(passed >= Duration::from_millis(6) && start.elapsed() >= passed);
}

#[test]
fn outside_of_a_task_a_sleep_refuses() {
    let mut sleeps = sleep(seconds(1));
    let poll = Pin::new(&mut sleeps).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(poll, Poll::Ready(Err(Error::NoKernel))));
}

#[test]
fn a_deadlock_is_reported_when_the_last_timer_has_fired() {
    under_all_schedules(|seed| {
        let kernel = kernel(seed);
        kernel.spawn(sleep(seconds(3)));
        kernel.spawn(async { Channel::new().receive().await });
        let report = kernel.run_all().expect_err("nobody can go on").to_string();
        let name = "a_deadlock_is_reported_when_the_last_timer_has_fired";
        assert!(
            report.ends_with(&format!("\n  task 2 ({name}): RECEIVE_WAIT")),
            "{report}"
        );
    });
}
