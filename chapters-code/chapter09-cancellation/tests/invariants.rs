//! The invariants of chapter 9. The chapter's page names these tests.

#[path = "../../common/watchdog.rs"]
mod watchdog;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use chapter9::programs::channel::Channel;
use chapter9::programs::report::kernel;
use chapter9::programs::{seconds, voice};
use chapter9::{Error, Kernel, Result, Task, clock, goodbye, sleep, spawn, yield_now};

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

/// Runs the task and all others to the end, which must be a good one. How long it took.
fn run_main(seed: Option<u64>, main: impl Future<Output = Result<()>> + 'static) -> Duration {
    let kernel = kernel(seed);
    let main = kernel.spawn(async move {
        let start = clock();
        main.await?;
        Ok(clock() - start)
    });
    run_to_the_end(&kernel);
    result(&main).expect("no assertion has failed")
}

/// Whether the task has ended as one that was cancelled.
async fn was_cancelled<T>(task: &Task<T>) -> bool {
    matches!(task.join().await, Err(Error::Task(error)) if error.cancelled())
}

#[test]
fn it_is_a_value_and_the_clean_up_may_wait() {
    under_all_schedules(|seed| {
        let passed = run_main(seed, async {
            let kid = spawn(async {
                let error = sleep(seconds(100)).await.expect_err("it is cancelled");
                assert!(error.is_cancellation());
                sleep(seconds(3)).await?; // not again
                Ok(7)
            });
            sleep(seconds(1)).await?;
            kid.cancel().await?;
            assert!(kid.terminated() && kid.cancelled());
            assert_eq!(kid.join().await?, 7, "it was asked, and has decided otherwise");
            Ok(())
        });
        assert_eq!(passed, seconds(4));
    });
}

#[test]
fn who_hands_it_on_was_cancelled() {
    under_all_schedules(|seed| {
        let passed = run_main(seed, async {
            let kid = spawn(async { sleep(seconds(100)).await });
            sleep(seconds(1)).await?;
            kid.cancel().await?;
            assert!(was_cancelled(&kid).await);
            let error = kid.join().await.expect_err("it gave no value");
            assert!(!error.is_cancellation(), "it concerns the kid, not who joins it");
            Ok(())
        });
        assert_eq!(passed, seconds(1));
    });
}

#[test]
fn it_is_delivered_once_however_many_ask() {
    under_all_schedules(|seed| {
        let passed = run_main(seed, async {
            let told = Rc::new(Cell::new(0));
            let count = told.clone();
            let kid = Rc::new(spawn(async move {
                for time in [100, 3, 3] {
                    if sleep(seconds(time)).await.is_err() {
                        count.set(count.get() + 1);
                    }
                }
                Ok(())
            }));
            let ends = [1, 2, 3].map(|time| {
                let kid = kid.clone();
                spawn(async move {
                    sleep(seconds(time)).await?;
                    kid.cancel().await?;
                    assert!(kid.terminated());
                    kid.cancel().await // it has ended, and nothing happens
                })
            });
            for end in ends {
                end.join().await?;
            }
            assert_eq!(told.get(), 1);
            Ok(())
        });
        assert_eq!(passed, seconds(7));
    });
}

/// Everything that can wait.
async fn wait_in(which: usize, channel: &Channel, task: &Task<()>) -> Result<()> {
    match which {
        0 => sleep(seconds(100)).await,
        1 => sleep(Duration::ZERO).await,
        2 => yield_now().await,
        3 => channel.receive().await.map(drop),
        4 => task.join().await,
        _ => task.cancel().await,
    }
}

#[test]
fn any_operation_that_would_wait_gets_it() {
    for which in 0..6 {
        let passed = run_main(None, async move {
            let (channel, other) = (Channel::new(), spawn(sleep(seconds(50))));
            let me = Rc::new(RefCell::new(None::<Task<()>>));
            let kid = me.clone();
            let kid = spawn(async move {
                // It asks for its own end: the next that waits gets it.
                kid.borrow().as_ref().expect("it was put there").cancel_nowait();
                let first = wait_in(which, &channel, &other).await;
                assert!(first.is_err_and(|error| error.is_cancellation()), "{which}");
                wait_in(2, &channel, &other).await
            });
            me.replace(Some(kid));
            sleep(seconds(1)).await?;
            let kid = me.take().expect("it is there");
            kid.join().await
        });
        assert!(passed >= seconds(1));
    }
}

#[test]
fn a_task_that_has_not_run_gets_it_when_it_waits() {
    under_all_schedules(|seed| {
        run_main(seed, async {
            let ran = Rc::new(Cell::new(false));
            let mark = ran.clone();
            let kid = spawn(async move {
                mark.set(true);
                sleep(seconds(100)).await
            });
            kid.cancel_nowait();
            assert!(kid.cancelled() && !kid.terminated());
            assert!(was_cancelled(&kid).await && ran.get());
            Ok(())
        });
    });
}

#[test]
fn an_operation_that_can_complete_does() {
    under_all_schedules(|seed| {
        run_main(seed, async {
            let channel = Channel::new();
            let inbox = channel.clone();
            let kid = spawn(async move {
                let first = inbox.receive().await?;
                assert_eq!(first, "one", "it came before the request");
                assert_eq!(inbox.receive().await?, "two", "it is there: no need to wait");
                let error = inbox.receive().await.expect_err("there is nothing more");
                assert!(error.is_cancellation());
                Ok(())
            });
            sleep(seconds(1)).await?;
            channel.send("one".to_string());
            channel.send("two".to_string());
            kid.cancel().await?;
            kid.join().await
        });
    });
}

#[test]
fn an_operation_that_was_interrupted_has_had_no_effect() {
    under_all_schedules(|seed| {
        run_main(seed, async {
            let channel = Channel::new();
            let wait = |channel: Channel| spawn(async move { channel.receive().await });
            let kid = wait(channel.clone());
            sleep(seconds(1)).await?;
            let friend = wait(channel.clone()); // behind the kid
            sleep(seconds(1)).await?;
            kid.cancel().await?;
            channel.send("pizza".to_string());
            assert_eq!(friend.join().await?, "pizza", "the kid is on no list any more");
            assert!(was_cancelled(&kid).await);
            Ok(())
        });
    });
}

#[test]
fn an_operation_that_was_interrupted_has_no_note() {
    let kernel = Rc::new(kernel(None));
    let tables = kernel.clone();
    let main = kernel.spawn(async {
        let kid = spawn(async move {
            let mut long = pin!(sleep(seconds(100)));
            assert!(long.as_mut().await.is_err());
            // It is still there, and does not wait; who cancels does.
            assert_eq!(format!("{tables:?}"), "Kernel { tasks: 2, waits: 1, timers: 0 }");
            Ok(7)
        });
        sleep(seconds(1)).await?;
        kid.cancel().await?;
        assert_eq!(kid.join().await?, 7);
        Ok(())
    });
    run_to_the_end(&kernel);
    result(&main).expect("no assertion has failed");
}

#[test]
fn who_is_not_cancelled_is_not_woken() {
    under_all_schedules(|seed| {
        run_main(seed, async {
            let (kid, friend) = (spawn(sleep(seconds(9))), spawn(sleep(seconds(9))));
            sleep(seconds(1)).await?;
            kid.cancel().await?;
            friend.join().await?;
            assert_eq!((kid.cycles(), friend.cycles()), (2, 2));
            Ok(())
        });
    });
}

#[test]
fn who_cancels_may_be_cancelled_and_the_request_stays() {
    under_all_schedules(|seed| {
        let passed = run_main(seed, async {
            let kid = Rc::new(spawn(async {
                let error = sleep(seconds(100)).await.expect_err("it is cancelled");
                sleep(seconds(5)).await?;
                Err::<(), _>(error)
            }));
            let target = kid.clone();
            let parent = spawn(async move { target.cancel().await });
            sleep(seconds(1)).await?;
            parent.cancel().await?;
            assert!(was_cancelled(&parent).await);
            assert!(!kid.terminated(), "it saves its work");
            assert!(was_cancelled(&kid).await);
            Ok(())
        });
        assert_eq!(passed, seconds(5));
    });
}

#[test]
fn what_a_task_has_spawned_is_not_touched() {
    under_all_schedules(|seed| {
        let passed = run_main(seed, async {
            let parent = spawn(async {
                spawn(sleep(seconds(9)));
                sleep(seconds(100)).await
            });
            sleep(seconds(1)).await?;
            parent.cancel().await
        });
        assert_eq!(passed, seconds(1));
    });
}

#[test]
fn a_panic_in_the_clean_up_is_the_end_of_that_task_alone() {
    run_main(None, async {
        let kid = spawn(async {
            if sleep(seconds(100)).await.is_err() {
                panic!("where is the lid?");
            }
            Ok(())
        });
        sleep(seconds(1)).await?;
        kid.cancel().await?;
        let error = kid.join().await.expect_err("it panicked").to_string();
        assert!(error.ends_with("panicked: where is the lid?"), "{error}");
        Ok(())
    });
}

/// What is left for the next chapters: see the front page.
#[test]
fn one_flag_reaches_one_of_two_operations() {
    under_all_schedules(|seed| {
        let kernel = kernel(seed);
        goodbye::two_ears(&kernel);
        let (_, said) = voice::listen(|| run_to_the_end(&kernel));
        let late = |line: &&String| line.starts_with("  2000 s");
        assert_eq!(said.iter().filter(late).count(), 3, "{said:#?}");
    });
}

/// The same.
#[test]
fn who_waits_for_a_foreign_future_cannot_be_told() {
    let kernel = kernel(None);
    kernel.spawn(async {
        let kid = spawn(poll_fn(|_| Poll::<()>::Pending));
        sleep(seconds(1)).await?;
        kid.cancel().await
    });
    let report = kernel.run_all().expect_err("the kid does not hear").to_string();
    assert!(report.contains("FOREIGN_WAIT"), "{report}");
}
