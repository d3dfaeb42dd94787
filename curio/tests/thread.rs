//! Threads that can await. Most of it runs on the virtual clock, which stands still while a thread is at work: so what the
//! threads and the kernel do is as exact as without threads, under many schedules.

#![allow(missing_docs)]

mod common;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{Alone, Counted, World, counted, everywhere_under, in_order, run, virtually_under};
use curio::thread::{self, Token};
use curio::{
    Clock, Error, Event, Kernel, Lock, Outcome, Progress, Queue, Result, TaskGroup, UniversalEvent,
    async_thread, clock, current_task, interruptible, run_in_thread, sleep, spawn, timeout_after, yield_now,
};

const LONG: Duration = Duration::from_secs(1000);

/// Each schedule starts threads.
const SEEDS: u64 = 100;

#[track_caller]
fn virtually(program: impl AsyncFn(World) -> Result<()>) {
    virtually_under(SEEDS, program);
}

#[track_caller]
fn everywhere(program: impl AsyncFn(World) -> Result<()>) {
    everywhere_under(SEEDS, program);
}

#[track_caller]
fn was_cancelled<T: std::fmt::Debug>(joined: Result<T>) {
    match joined {
        Err(Error::Task(error)) => assert!(error.cancelled(), "{error:?}"),
        other => panic!("{other:?}"),
    }
}

fn real() -> Counted {
    counted(
        Kernel::builder()
            .shutdown_timeout(Duration::from_millis(50))
            .build()
            .unwrap(),
    )
}

// ---- Values and errors

#[test]
fn it_gives_what_its_function_gives() {
    virtually(async |w| {
        let one = thread::spawn(|| Ok(1));
        let none = thread::spawn(|| ());
        let failed = thread::spawn(|| Err::<(), _>(Error::other("no coffee left")));
        let slept = thread::spawn(move || {
            thread::await_(move || sleep(w.t(3)))?;
            thread::await_(|| async { Ok(7) })
        });
        assert_eq!(one.join().await?, 1);
        none.join().await?;
        assert!(
            failed
                .join()
                .await
                .unwrap_err()
                .to_string()
                .ends_with("failed: no coffee left")
        );
        assert_eq!(slept.join().await?, 7);
        w.passed(clock() - Duration::ZERO, 0);
        Ok(())
    });
}

#[test]
fn it_is_a_task_with_a_name_and_a_place() {
    fn worker() -> Result<()> {
        thread::await_(|| sleep(LONG))
    }
    virtually(async |_| {
        let task = thread::spawn(worker);
        assert_eq!(task.name(), "worker");
        while task
            .where_()
            .iter()
            .all(|(label, _)| label.as_str() != "TIME_SLEEP")
        {
            yield_now().await?;
        }
        task.cancel().await
    });
}

#[test]
fn what_it_awaits_is_awaited_by_its_task() {
    virtually(async |_| {
        let task = thread::spawn(|| thread::await_(|| async { Ok(current_task().id()) }));
        assert_eq!(task.join().await?, task.id());
        Ok(())
    });
}

#[test]
fn panics_go_where_they_belong() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("boom");
        }
    }
    // In order, because each panic is logged.
    in_order(async |_| {
        let function = thread::spawn(|| -> () { panic!("in the function") });
        async fn panics(text: &'static str) {
            std::panic::panic_any(text);
        }
        let future = thread::spawn(move || thread::await_(move || panics("in the future")));
        let make =
            thread::spawn(|| thread::await_(|| -> std::future::Ready<()> { panic!("before the future") }));
        let dropped = thread::spawn(|| {
            thread::await_(|| {
                let bomb = Bomb;
                std::future::poll_fn(move |_| {
                    let _ = &bomb;
                    std::task::Poll::Ready(())
                })
            })
        });
        let caught = thread::spawn(|| {
            let caught = catch_unwind(|| thread::await_(move || panics("in the future")));
            assert!(caught.is_err());
            thread::await_(|| async { Ok(7) })
        });
        for (task, text) in [
            (function, "in the function"),
            (future, "in the future"),
            (make, "before the future"),
            (dropped, "boom"),
        ] {
            match task.join().await {
                Err(Error::Task(error)) => assert_eq!(error.panic_message(), Some(text)),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(caught.join().await?, 7);
        Ok(())
    });
}

// ---- Cancellation

#[test]
fn it_is_told_where_it_awaits_and_once() {
    everywhere(async |w| {
        let task = thread::spawn(move || {
            let slept = thread::await_(|| sleep(LONG));
            assert!(matches!(slept, Err(Error::Cancelled(_))));
            thread::await_(move || sleep(w.t(3)))?;
            slept
        });
        sleep(w.t(1)).await?;
        let since = clock();
        task.cancel().await?;
        w.passed(since, 3);
        was_cancelled(task.join().await);
        Ok(())
    });
}

#[test]
fn while_it_computes_it_hears_of_nothing() {
    virtually(async |_| {
        let (started, (go_on, wait)) = (UniversalEvent::new(), channel::<()>());
        let starts = started.clone();
        let task = thread::spawn(move || {
            starts.set();
            let _ = wait.recv();
            thread::await_(|| async { Ok(()) })?; // nothing to wait for: the finished operation wins
            thread::await_(|| sleep(LONG))
        });
        started.wait().await?;
        task.cancel_nowait();
        for _ in 0..3 {
            yield_now().await?;
        }
        assert!(!task.terminated());
        drop(go_on);
        was_cancelled(task.join().await);
        Ok(())
    });
}

#[test]
fn one_that_was_cancelled_before_it_began_never_runs() {
    virtually(async |_| {
        let ran = Arc::new(AtomicBool::new(false));
        let runs = ran.clone();
        let task = thread::spawn(move || runs.store(true, Ordering::SeqCst));
        task.cancel().await?;
        was_cancelled(task.join().await);
        assert!(!ran.load(Ordering::SeqCst));
        Ok(())
    });
}

#[test]
fn the_end_of_the_task_is_the_end_of_the_function() {
    virtually(async |_| {
        let ended = Arc::new(AtomicBool::new(false));
        let ends = ended.clone();
        let task = thread::spawn(move || {
            let slept = thread::await_(|| sleep(LONG));
            std::thread::yield_now();
            ends.store(true, Ordering::SeqCst);
            slept
        });
        yield_now().await?;
        yield_now().await?;
        task.cancel().await?;
        // (Or it had not begun.)
        was_cancelled(task.join().await);
        assert!(ended.load(Ordering::SeqCst) || task.where_().is_empty());
        Ok(())
    });
}

#[test]
fn what_an_awaited_future_does_to_clean_up_is_not_interrupted() {
    everywhere(async |w| {
        let task = thread::spawn(move || {
            thread::await_(move || async move {
                let slept = sleep(LONG).await;
                sleep(w.t(2)).await?;
                std::future::ready(()).await;
                slept
            })
        });
        sleep(w.t(1)).await?;
        let since = clock();
        task.cancel().await?;
        w.passed(since, 2);
        was_cancelled(task.join().await);
        Ok(())
    });
}

#[test]
fn a_future_of_somebody_else_is_dropped_and_the_thread_goes_on() {
    struct Told(Arc<AtomicUsize>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    everywhere(async |w| {
        let (dropped, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (told, ends) = (dropped.clone(), ended.clone());
        let task = thread::spawn(move || {
            let r = thread::await_(move || async move {
                let _told = Told(told);
                std::future::pending::<()>().await;
            });
            assert!(matches!(r, Err(Error::Cancelled(_))));
            thread::await_(move || sleep(w.t(1)))?;
            ends.store(true, Ordering::SeqCst);
            r
        });
        sleep(w.t(1)).await?;
        let since = clock();
        task.cancel().await?;
        w.passed(since, 1);
        was_cancelled(task.join().await);
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
        assert!(
            ended.load(Ordering::SeqCst),
            "the task is not over before its thread is"
        );
        Ok(())
    });
}

#[test]
fn a_future_of_somebody_else_between_operations() {
    everywhere(async |w| {
        let (sender, receiver) = futures::channel::oneshot::channel();
        let task = thread::spawn(move || {
            thread::await_(move || async move {
                sleep(w.t(1)).await?;
                let seven = receiver.await.map_err(Error::other)?;
                sleep(w.t(1)).await?;
                Ok(seven)
            })
        });
        sleep(w.t(2)).await?;
        sender.send(7).unwrap();
        assert_eq!(task.join().await?, 7);
        Ok(())
    });
}

#[test]
fn one_that_ignores_its_cancellation_goes_on() {
    virtually(async |w| {
        let task = thread::spawn(move || {
            let _ = thread::await_(|| sleep(LONG));
            thread::await_(move || sleep(w.t(1)))?;
            Ok(7)
        });
        sleep(w.t(1)).await?;
        task.cancel().await?;
        assert_eq!(task.join().await?, 7);
        Ok(())
    });
}

// ---- Timeouts and shields

#[test]
fn a_timeout_around_what_is_awaited() {
    everywhere(async |w| {
        let task = thread::spawn(move || {
            let r = thread::await_(move || timeout_after(w.t(1), sleep(LONG)));
            assert!(matches!(r, Err(Error::Timeout(_))), "{r:?}");
            Ok(())
        });
        task.join().await
    });
}

#[test]
fn a_timeout_around_a_block() {
    everywhere(async |w| {
        let since = clock();
        let task = thread::spawn(move || {
            let mut turns = 0;
            let r: Result<()> = thread::timeout_after(w.t(5), || {
                loop {
                    thread::await_(move || sleep(w.t(2)))?;
                    turns += 1;
                }
            });
            assert!(r.unwrap_err().is_timeout());
            // It is over.
            thread::await_(move || sleep(w.t(10)))?;
            Ok(turns)
        });
        let turns = task.join().await?;
        assert!(turns <= 2);
        w.passed(since, 15);
        Ok(())
    });
}

#[test]
fn nested_timeouts_know_whose_they_were() {
    virtually(async |w| {
        let task = thread::spawn(move || {
            // The outer one expires.
            let r: Result<()> = thread::timeout_after(w.t(1), || {
                let inner: Result<()> = thread::timeout_after(w.t(5), || {
                    let r = thread::await_(|| sleep(LONG));
                    assert!(matches!(r, Err(Error::TimeoutCancellation(_))), "{r:?}");
                    r
                });
                assert!(matches!(inner, Err(Error::TimeoutCancellation(_))), "{inner:?}");
                inner
            });
            assert!(matches!(r, Err(Error::Timeout(_))), "{r:?}");
            // The inner one expires and is not handled.
            let r: Result<()> = thread::timeout_after(w.t(5), || {
                thread::timeout_after(w.t(1), || thread::await_(|| sleep(LONG)))
            });
            assert!(matches!(r, Err(Error::UncaughtTimeout)), "{r:?}");
            let ignored = thread::timeout_after(w.t(5), || {
                thread::ignore_after(w.t(1), || thread::await_(|| sleep(LONG)))
            });
            assert!(matches!(ignored, Ok(None)));
            assert!(matches!(thread::ignore_after(w.t(1), || Ok(7)), Ok(Some(7))));
            Ok(())
        });
        task.join().await
    });
}

#[test]
fn a_timeout_that_expires_while_the_thread_computes_is_delivered_where_it_awaits() {
    let _guard = Alone::start();
    run(async {
        let task = thread::spawn(|| {
            let mut computed = false;
            let r: Result<()> = thread::timeout_after(Duration::from_millis(1), || {
                std::thread::sleep(Duration::from_millis(10));
                computed = true;
                thread::await_(|| sleep(LONG))
            });
            assert!(computed && r.unwrap_err().is_timeout());
            // One that is left before is dropped.
            thread::timeout_after(Duration::from_millis(1), || {
                std::thread::sleep(Duration::from_millis(5));
                Ok(7)
            })
        });
        assert_eq!(task.join().await?, 7);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_shield_around_a_block() {
    everywhere(async |w| {
        let since = clock();
        let task = thread::spawn(move || {
            thread::disable_cancellation(|| {
                thread::await_(move || sleep(w.t(2)))?;
                // A timeout inside works.
                let r: Result<()> = thread::timeout_after(w.t(1), || thread::await_(|| sleep(LONG)));
                assert!(r.unwrap_err().is_timeout());
                thread::await_(move || sleep(w.t(2)))
            })?;
            thread::await_(|| sleep(LONG))
        });
        while task
            .where_()
            .iter()
            .all(|(label, _)| label.as_str() != "TIME_SLEEP")
        {
            yield_now().await?;
            sleep(Duration::ZERO).await?;
        }
        task.cancel().await?;
        w.passed(since, 5);
        was_cancelled(task.join().await);
        Ok(())
    });
}

#[test]
fn errors_values_and_panics_leave_a_block() {
    virtually(async |w| {
        let task = thread::spawn(move || {
            let not_send = thread::timeout_after(w.t(1), || Ok(Rc::new(7)))?;
            assert_eq!(*not_send, 7);
            let r: Result<()> = thread::timeout_after(w.t(1), || Err(Error::other("no")));
            assert_eq!(r.unwrap_err().to_string(), "no");
            let r = catch_unwind(|| thread::timeout_after(w.t(1), || -> Result<()> { panic!("no") }));
            assert_eq!(r.unwrap_err().downcast_ref(), Some(&"no"));
            thread::await_(|| async { Ok(7) })
        });
        assert_eq!(task.join().await?, 7);
        Ok(())
    });
}

#[test]
fn a_cancellation_goes_through_all_blocks() {
    virtually(async |w| {
        let task = thread::spawn(move || {
            let r: Result<()> = thread::timeout_after(w.t(50), || {
                thread::timeout_after(w.t(60), || thread::await_(|| sleep(LONG)))
            });
            assert!(matches!(r, Err(Error::Cancelled(_))), "{r:?}");
            r
        });
        sleep(w.t(1)).await?;
        task.cancel().await?;
        was_cancelled(task.join().await);
        Ok(())
    });
}

// ---- async_thread

#[test]
fn awaited_it_runs_in_a_thread_and_called_it_does_not() {
    virtually(async |_| {
        let here = std::thread::current().id();
        let there = async_thread(|| Ok(std::thread::current().id())).await?;
        assert_ne!(here, there);
        let called = async_thread(|| Ok(std::thread::current().id())).call()?;
        assert_eq!(here, called);
        // Called from a thread that is served, it is served too.
        let nested = async_thread(|| {
            let id = std::thread::current().id();
            async_thread(move || {
                assert_eq!(std::thread::current().id(), id);
                thread::await_(|| async { Ok(7) })
            })
            .call()
        });
        assert_eq!(nested.await?, 7);
        Ok(())
    });
}

#[test]
fn it_gives_the_functions_own_error_and_panic() {
    virtually(async |_| {
        let r = async_thread(|| Err::<(), _>(Error::other("no"))).await;
        assert_eq!(r.unwrap_err().to_string(), "no");
        let task = spawn(async_thread(|| -> () { panic!("spilled milk") }));
        assert!(
            task.join()
                .await
                .unwrap_err()
                .to_string()
                .ends_with("panicked: spilled milk")
        );
        Ok(())
    });
}

#[test]
fn timeouts_and_cancellation_reach_into_it() {
    everywhere(async |w| {
        let since = clock();
        let r = timeout_after(
            w.t(1),
            async_thread(move || {
                let r = thread::await_(|| sleep(LONG));
                assert!(matches!(r, Err(Error::Timeout(_))), "{r:?}");
                thread::await_(move || sleep(w.t(2)))?;
                r
            }),
        );
        assert!(r.await.unwrap_err().is_timeout());
        w.passed(since, 3);
        Ok(())
    });
}

#[test]
fn two_of_them_in_one_task() {
    virtually(async |w| {
        let nap = move |n| {
            async_thread(move || {
                thread::await_(move || sleep(w.t(n)))?;
                Ok(n)
            })
        };
        let since = clock();
        let (a, b) = futures::join!(nap(2), nap(3));
        assert_eq!((a?, b?), (2, 3));
        w.passed(since, 3);
        let both = spawn(async move {
            let (a, b) = futures::join!(nap(50), nap(60));
            assert!(matches!(
                (&a, &b),
                (Err(Error::Cancelled(_)), Err(Error::Cancelled(_)))
            ));
            a
        });
        sleep(w.t(1)).await?;
        both.cancel().await?;
        was_cancelled(both.join().await);
        Ok(())
    });
}

/// Below a `join!` there is no telling which of them a future of somebody else belongs to: one of them is told, and the other
/// waits on. `interruptible` makes an operation of such a future, and operations all hear.
#[test]
fn two_of_them_that_await_futures_of_somebody_else() {
    use std::future::pending;

    virtually(async |w| {
        let waits = || async_thread(|| thread::await_(|| interruptible(pending::<()>())));
        let both = spawn(async move {
            let (a, b) = futures::join!(waits(), waits());
            assert!(matches!(
                (&a, &b),
                (Err(Error::Cancelled(_)), Err(Error::Cancelled(_)))
            ));
            a
        });
        sleep(w.t(1)).await?;
        both.cancel().await?;
        was_cancelled(both.join().await);

        // Without it.
        let (sender, receiver) = futures::channel::oneshot::channel();
        let (other, waits) = futures::channel::oneshot::channel();
        let nap = |receiver: futures::channel::oneshot::Receiver<i32>| {
            async_thread(move || thread::await_(move || async move { receiver.await.map_err(Error::other) }))
        };
        let both = spawn(async move {
            let (a, b) = futures::join!(nap(receiver), nap(waits));
            let told = [&a, &b].map(|r| matches!(r, Err(Error::Cancelled(_))));
            assert_eq!(told.iter().filter(|told| **told).count(), 1);
            Ok(())
        });
        sleep(w.t(1)).await?;
        both.cancel_nowait();
        sleep(w.t(1)).await?;
        assert!(!both.terminated());
        // One of them has nobody who listens any more.
        let _ = (sender.send(1), other.send(2));
        both.wait().await
    });
}

#[test]
fn if_it_is_dropped_its_thread_is_told_and_the_value_is_dropped_there() {
    virtually(async |w| {
        let (told, hears) = channel();
        let thread = async_thread(move || {
            let r = thread::await_(|| sleep(LONG));
            let again = thread::await_(|| sleep(LONG));
            let block: Result<()> = thread::timeout_after(LONG, || unreachable!());
            told.send((r, again, block)).unwrap();
            Ok(7)
        });
        let first = futures::future::select(thread, Box::pin(sleep(w.t(1)))).await;
        assert!(matches!(first, futures::future::Either::Right(_)));
        drop(first);
        let (r, again, block) = hears.recv().unwrap();
        for r in [r, again, block] {
            assert!(matches!(r, Err(Error::Cancelled(_))), "{r:?}");
        }
        Ok(())
    });
}

// ---- Groups

#[test]
fn a_thread_is_a_member_as_any_other() {
    virtually(async |w| {
        let g = TaskGroup::all();
        g.spawn(async { Ok(1) });
        let member = g.spawn_thread(move || {
            thread::await_(move || sleep(w.t(1)))?;
            Ok(2)
        });
        assert!(
            member.name().contains("a_thread_is_a_member"),
            "{}",
            member.name()
        );
        g.join().await?;
        assert_eq!(g.results()?, [1, 2]);

        let g = TaskGroup::any();
        let loser = g.spawn_thread(|| thread::await_(|| sleep(LONG)));
        g.spawn(sleep(w.t(1)));
        g.join().await?;
        assert!(loser.terminated());

        let g = TaskGroup::<()>::all();
        let sibling = g.spawn(sleep(LONG));
        g.spawn_thread(|| Err(Error::other("no coffee left")));
        assert!(
            g.join()
                .await
                .unwrap_err()
                .to_string()
                .ends_with("failed: no coffee left")
        );
        assert!(sibling.cancelled());
        Ok(())
    });
}

#[test]
fn a_group_inside_of_a_thread() {
    virtually(async |w| {
        let task = thread::spawn(move || {
            thread::await_(move || async move {
                let g = TaskGroup::all();
                for n in 0..3 {
                    g.spawn(async move {
                        sleep(w.t(n)).await?;
                        Ok(n)
                    });
                }
                g.join().await?;
                g.results()
            })
        });
        assert_eq!(task.join().await?, [0, 1, 2]);
        Ok(())
    });
}

// ---- Tokens

#[test]
fn a_lock_is_held_across_the_threads_work() {
    virtually(async |w| {
        let lock = Lock::new(Vec::new());
        let token = Token::new(lock.clone())?;
        let held = UniversalEvent::new();
        let holds = held.clone();
        let task = thread::spawn(move || {
            let guard = {
                let token = token.clone();
                thread::await_(move || async move { Token::new(token.get()?.lock().await?) })?
            };
            let inner = guard.clone();
            thread::await_(move || async move {
                sleep(w.t(1)).await?;
                // The guard is shared here, so what it guards is reached another way.
                assert!(token.get()?.try_lock().is_none());
                inner.get().map(drop)
            })?;
            holds.set();
            drop(guard);
            Ok(())
        });
        held.wait().await?;
        lock.lock().await?.push(1);
        task.join().await?;
        Ok(())
    });
}

#[test]
fn a_token_is_of_use_only_at_home_and_its_value_is_dropped_there() {
    struct Told(Rc<Cell<u32>>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let _guard = Alone::start();
    let dropped = Rc::new(Cell::new(0));
    assert!(matches!(Token::new(7), Err(Error::NoKernel)));
    let kept = run(async {
        let here = Token::new(Told(dropped.clone()))?;
        drop(here);
        assert_eq!(dropped.get(), 1);
        let there = Token::new(Told(dropped.clone()))?;
        let clone = there.clone();
        run_in_thread(move || assert!(matches!(there.get(), Err(Error::NoKernel)))).await?;
        assert_eq!(dropped.get(), 1, "there is a copy");
        run_in_thread(move || drop(clone)).await?;
        while dropped.get() == 1 {
            sleep(Duration::ZERO).await?;
        }
        Token::new(Told(dropped.clone()))
    })
    .unwrap();
    assert_eq!(dropped.get(), 3, "at the end of the kernel");
    assert!(matches!(kept.get(), Err(Error::NoKernel)));
    run(async { assert!(matches!(kept.get(), Err(Error::NoKernel))) }).unwrap();
}

#[test]
fn a_kernel_that_sleeps_hears_that_a_token_is_given_back() {
    virtually(async |_| {
        let lock = Lock::new(0);
        let token = Token::new(lock.lock().await?)?;
        let (go, wait) = channel::<()>();
        let thread = std::thread::spawn(move || {
            let _ = wait.recv();
            drop(token);
        });
        drop(go);
        // Nobody but the token's drop can wake this task. A thread that no task waits for is foreign, so the virtual clock
        // must know of one more reason to wait.
        let outside = spawn(run_in_thread(move || thread.join().unwrap()));
        *lock.lock().await? += 1;
        outside.join().await
    });
}

// ---- The world around

#[test]
fn queues_and_events_between_threads_and_tasks() {
    virtually(async |_| {
        let (queue, done) = (Queue::bounded(2), Event::new());
        let (inbox, over) = (Token::new(queue.clone())?, Token::new(done.clone())?);
        let consumer = thread::spawn(move || {
            let mut sum = 0;
            while sum < 45 {
                let inbox = inbox.clone();
                sum += thread::await_(move || async move { inbox.get()?.get().await })?;
            }
            thread::await_(move || async move {
                over.get()?.set();
                Ok(sum)
            })
        });
        for n in 0..10 {
            queue.put(n).await?;
        }
        done.wait().await?;
        assert_eq!(consumer.join().await?, 45);
        Ok(())
    });
}

#[test]
fn many_threads_take_turns() {
    virtually(async |_| {
        let (lock, order) = (Lock::new(0), Arc::new(Mutex::new(Vec::new())));
        let g = TaskGroup::all();
        for n in 0..3 {
            let (token, order) = (Token::new(lock.clone())?, order.clone());
            g.spawn_thread(move || {
                for _ in 0..3 {
                    let token = token.clone();
                    let value = thread::await_(move || async move {
                        let lock = token.get()?;
                        let mut guard = lock.lock().await?;
                        let value = *guard;
                        yield_now().await?;
                        *guard = value + 1;
                        Ok(value)
                    })?;
                    order.lock().unwrap().push(value);
                }
                Ok(n)
            });
        }
        g.join().await?;
        let mut values = order.lock().unwrap().clone();
        values.sort_unstable();
        assert_eq!(values, (0..9).collect::<Vec<_>>());
        Ok(())
    });
}

#[test]
fn where_it_does_not_belong_it_says_so() {
    let _guard = Alone::start();
    fn is<T: std::fmt::Debug>(r: Result<T>, text: &str) {
        let error = r.unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
    }
    let outside = "no kernel serves this thread";
    is(thread::await_(|| async {}), outside);
    is(thread::timeout_after(LONG, || Ok(())), outside);
    is(thread::disable_cancellation(|| Ok(())), outside);
    run(async {
        let inside = "a kernel is running in this thread already";
        is(thread::await_(|| async {}), inside);
        is(thread::ignore_after(LONG, || Ok(())), inside);
        is(run_in_thread(|| thread::await_(|| async {})).await?, outside);
        // Also in what a thread awaits.
        thread::spawn(move || {
            thread::await_(move || {
                is(thread::await_(|| async {}), inside);
                async {}
            })
        })
        .join()
        .await
    })
    .unwrap();
    let nowhere = catch_unwind(|| thread::spawn(|| ()));
    assert!(nowhere.is_err());
    assert!(matches!(
        futures::executor::block_on(async_thread(|| ())),
        Err(Error::NoKernel)
    ));
}

#[test]
fn a_thread_that_never_returns_does_not_hold_up_the_end_for_ever() {
    let _guard = Alone::start();
    for clock in [Clock::Real, Clock::Virtual] {
        let kernel = counted(
            Kernel::builder()
                .clock(clock)
                .shutdown_timeout(Duration::from_millis(50))
                .build()
                .unwrap(),
        );
        let (started, (go_on, wait)) = (UniversalEvent::new(), channel::<()>());
        let (told, hears) = channel();
        let starts = started.clone();
        let begun = Instant::now();
        kernel
            .run(async {
                thread::spawn(move || {
                    starts.set();
                    let _ = wait.recv();
                    told.send(thread::await_(|| sleep(LONG))).unwrap();
                });
                started.wait().await
            })
            .unwrap();
        kernel.shutdown().unwrap();
        assert!(begun.elapsed() < Duration::from_secs(60));
        drop(go_on);
        assert!(matches!(hears.recv().unwrap(), Err(Error::Cancelled(_))));
    }
}

#[test]
fn one_that_awaits_at_the_end_is_cancelled_as_any_task() {
    let _guard = Alone::start();
    let (told, hears) = channel();
    run(async {
        let task = thread::spawn(move || {
            let slept = thread::await_(|| sleep(LONG));
            thread::await_(|| sleep(Duration::from_millis(1)))?;
            told.send(()).unwrap();
            slept
        });
        while task
            .where_()
            .iter()
            .all(|(label, _)| label.as_str() != "TIME_SLEEP")
        {
            sleep(Duration::ZERO).await?;
        }
        Ok(())
    })
    .unwrap();
    hears.try_recv().unwrap();
}

#[test]
fn a_task_that_is_dropped_leaves_its_thread_alone() {
    let _guard = Alone::start();
    real()
        .run(async {
            let (told, hears) = channel();
            let stubborn = thread::spawn(move || {
                let first = thread::disable_cancellation(|| thread::await_(|| sleep(LONG)));
                told.send(first).unwrap();
                Ok(())
            });
            while stubborn
                .where_()
                .iter()
                .all(|(label, _)| label.as_str() != "TIME_SLEEP")
            {
                sleep(Duration::ZERO).await?;
            }
            stubborn.cancel_within(Duration::from_millis(1)).await?;
            assert!(stubborn.terminated());
            assert!(matches!(hears.recv().unwrap(), Err(Error::Cancelled(_))));
            Ok(())
        })
        .unwrap();
}

#[test]
fn an_outcome_of_any_kind() {
    fn gives<R: Outcome<Value: Send> + 'static>(f: fn() -> R) -> Result<R::Value> {
        run(async move { thread::spawn(f).join().await })
    }
    let _guard = Alone::start();
    gives(|| ()).unwrap();
    assert_eq!(gives(|| Ok(7)).unwrap(), 7);
    let error = gives(|| Err::<(), _>(Error::Cancelled(Progress::default()))).unwrap_err();
    assert!(!error.is_cancellation(), "it concerns the thread");
    let log = RefCell::new(Vec::new());
    let r = catch_unwind(AssertUnwindSafe(|| log.borrow_mut().push(1)));
    assert!(r.is_ok());
}
