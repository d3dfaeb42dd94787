//! Functions in worker threads. Nothing here sleeps and hopes: threads are held and released through channels.

#![allow(missing_docs)]

mod common;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use common::{Alone, Counted, counted, everywhere, run, virtually};
use curio::workers::Panicked;
use curio::{
    Error, Kernel, Result, TaskGroup, UniversalEvent, block_in_thread, disable_cancellation, run_in_executor,
    run_in_thread, sleep, spawn, timeout_after, yield_now,
};
use futures::future::{join_all, select};
use futures::stream::{FuturesUnordered, StreamExt};

const LONG: Duration = Duration::from_secs(1000);

/// A function that says that it runs, and then waits to be released. It gives the id of its thread.
fn held() -> (
    impl FnOnce() -> ThreadId + Send + 'static,
    UniversalEvent,
    Sender<()>,
) {
    let (started, (release, released)) = (UniversalEvent::new(), channel());
    let starts = started.clone();
    let function = move || {
        starts.set();
        let _ = released.recv();
        std::thread::current().id()
    };
    (function, started, release)
}

/// Tells when it is dropped, and in which thread.
struct Told(Sender<ThreadId>);

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.0.send(std::thread::current().id());
    }
}

fn told() -> (Told, Receiver<ThreadId>) {
    let (sender, receiver) = channel();
    (Told(sender), receiver)
}

fn small(threads: usize) -> Counted {
    counted(Kernel::builder().max_worker_threads(threads).build().unwrap())
}

// ---- A function and what it gives

#[test]
fn the_value_comes_back_from_another_thread() {
    let _guard = Alone::start();
    let here = std::thread::current().id();
    let there = run(run_in_thread(|| std::thread::current().id())).unwrap();
    assert_ne!(here, there);
}

#[test]
fn the_kernel_goes_on_meanwhile() {
    let _guard = Alone::start();
    run(async {
        let (function, started, release) = held();
        let waiter = spawn(run_in_thread(function));
        started.wait().await?;
        for _ in 0..1000 {
            yield_now().await?;
        }
        assert!(!waiter.terminated());
        drop(release);
        waiter.join().await.map(drop)
    })
    .unwrap();
}

#[test]
fn what_the_function_gives_is_the_value_also_an_error() {
    let _guard = Alone::start();
    let inner: std::result::Result<(), _> = run(run_in_thread(|| Err("no coffee left"))).unwrap();
    assert_eq!(inner, Err("no coffee left"));
}

#[test]
fn a_panic_reaches_the_caller_and_the_worker_works_on() {
    let _guard = Alone::start();
    small(1)
        .run(async {
            for _ in 0..3 {
                let error = run_in_thread(|| -> i32 { panic!("spilled {}", "milk") })
                    .await
                    .unwrap_err();
                assert_eq!(
                    error.to_string(),
                    "the function panicked in its thread: spilled milk"
                );
                assert!(!error.is_cancellation());
                let Error::Other(other) = error else {
                    panic!("{error:?}")
                };
                assert_eq!(
                    other.get_ref().downcast_ref::<Panicked>().unwrap().message(),
                    "spilled milk"
                );
                assert_eq!(run_in_thread(|| 7).await?, 7);
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_payload_and_a_value_that_panic_when_dropped_harm_nobody() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("boom");
        }
    }
    let _guard = Alone::start();
    small(1)
        .run(async {
            let error = run_in_thread(|| std::panic::panic_any(Bomb)).await.unwrap_err();
            assert!(error.to_string().contains("a panic without a message"), "{error}");
            let (function, started, release) = held();
            let zombie = spawn(run_in_thread(move || (function(), Bomb).1));
            started.wait().await?;
            zombie.cancel().await?;
            drop(release);
            assert_eq!(run_in_thread(|| 7).await?, 7);
            Ok(())
        })
        .unwrap();
}

#[test]
fn idle_workers_are_used_again() {
    let _guard = Alone::start();
    run(async {
        let first = run_in_thread(|| std::thread::current().id()).await?;
        for _ in 0..100 {
            // The worker may have yet to lie down, and then a second one is started; that one is idle after that.
            run_in_thread(|| ()).await?;
        }
        let mut seen = vec![first];
        for _ in 0..100 {
            let id = run_in_thread(|| std::thread::current().id()).await?;
            if !seen.contains(&id) {
                seen.push(id);
            }
        }
        assert!(seen.len() <= 4, "{} threads for one call at a time", seen.len());
        Ok(())
    })
    .unwrap();
}

// ---- The limit

#[test]
fn there_are_never_more_at_work_than_the_limit_and_all_are_served() {
    let _guard = Alone::start();
    let (working, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    small(3)
        .run(async {
            let all = (0..500).map(|n| {
                let (working, most) = (working.clone(), most.clone());
                run_in_thread(move || {
                    most.fetch_max(working.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::yield_now();
                    working.fetch_sub(1, Ordering::SeqCst);
                    n
                })
            });
            let values = join_all(all).await.into_iter().collect::<Result<Vec<_>>>()?;
            assert_eq!(values, (0..500).collect::<Vec<_>>());
            Ok(())
        })
        .unwrap();
    assert!(most.load(Ordering::SeqCst) <= 3);
}

#[test]
fn with_one_worker_they_are_served_in_turn() {
    let _guard = Alone::start();
    let order = Arc::new(Mutex::new(Vec::new()));
    small(1)
        .run(async {
            join_all((0..100).map(|n| {
                let order = order.clone();
                run_in_thread(move || order.lock().unwrap().push(n))
            }))
            .await;
            Ok(())
        })
        .unwrap();
    assert_eq!(*order.lock().unwrap(), (0..100).collect::<Vec<_>>());
}

#[test]
fn the_sixty_fifth_waits_for_one_of_the_sixty_four() {
    let _guard = Alone::start();
    run(async {
        let mut holders = Vec::new();
        for _ in 0..64 {
            let (function, started, release) = held();
            let task = spawn(run_in_thread(function));
            started.wait().await?;
            holders.push((task, release));
        }
        let late = spawn(run_in_thread(|| 65));
        let late_too = timeout_after(Duration::from_millis(20), run_in_thread(|| 66)).await;
        assert!(late_too.unwrap_err().is_timeout() && !late.terminated());
        let (one, release) = holders.pop().unwrap();
        drop(release);
        one.join().await?;
        assert_eq!(late.join().await?, 65);
        for (task, release) in holders {
            drop(release);
            task.join().await?;
        }
        Ok(())
    })
    .unwrap();
}

// ---- Interrupted

#[test]
fn a_cancelled_caller_leaves_at_once_and_the_value_is_dropped_in_its_thread() {
    let _guard = Alone::start();
    run(async {
        let (told, dropped) = told();
        let (function, started, release) = held();
        let caller = spawn(run_in_thread(move || {
            let _ = function();
            told
        }));
        started.wait().await?;
        caller.cancel().await?;
        assert!(matches!(caller.join().await, Err(Error::Task(e)) if e.cancelled()));
        assert!(dropped.try_recv().is_err(), "the function still runs");
        drop(release);
        assert_ne!(dropped.recv().unwrap(), std::thread::current().id());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_timed_out_caller_leaves_at_once() {
    let _guard = Alone::start();
    run(async {
        let (function, _started, release) = held();
        let error = timeout_after(Duration::from_millis(5), run_in_thread(function))
            .await
            .unwrap_err();
        assert!(error.is_timeout());
        drop(release);
        Ok(())
    })
    .unwrap();
}

#[test]
fn who_is_cancelled_before_has_done_nothing() {
    let _guard = Alone::start();
    run(async {
        let (told, dropped) = told();
        let kid = spawn(async move {
            let told = told;
            curio::current_task().cancel_nowait();
            run_in_thread(move || drop(told)).await
        });
        kid.wait().await?;
        assert_eq!(
            dropped.recv().unwrap(),
            std::thread::current().id(),
            "it never ran"
        );
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_function_that_has_not_begun_never_runs() {
    let _guard = Alone::start();
    small(1)
        .run(async {
            let (function, started, release) = held();
            let holder = spawn(run_in_thread(function));
            started.wait().await?;
            let (told, dropped) = told();
            let queued = spawn(run_in_thread(move || drop(told)));
            yield_now().await?;
            queued.cancel().await?;
            assert_eq!(dropped.recv().unwrap(), std::thread::current().id());
            drop(release);
            holder.join().await.map(drop)
        })
        .unwrap();
}

#[test]
fn a_zombie_is_replaced() {
    let _guard = Alone::start();
    small(1)
        .run(async {
            let mut releases = Vec::new();
            for _ in 0..20 {
                let (function, started, release) = held();
                let caller = spawn(run_in_thread(function));
                started.wait().await?;
                // Somebody waits behind it already.
                let next = spawn(run_in_thread(|| 7));
                yield_now().await?;
                caller.cancel().await?;
                assert_eq!(next.join().await?, 7);
                assert_eq!(run_in_thread(|| 8).await?, 8);
                releases.push(release);
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn zombies_that_end_do_not_come_back_beyond_the_limit() {
    let _guard = Alone::start();
    let (working, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    small(2)
        .run(async {
            for _ in 0..20 {
                let (function, started, release) = held();
                let caller = spawn(run_in_thread(function));
                started.wait().await?;
                caller.cancel().await?;
                drop(release);
            }
            join_all((0..200).map(|_| {
                let (working, most) = (working.clone(), most.clone());
                run_in_thread(move || {
                    most.fetch_max(working.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::yield_now();
                    working.fetch_sub(1, Ordering::SeqCst);
                })
            }))
            .await;
            Ok(())
        })
        .unwrap();
    assert!(most.load(Ordering::SeqCst) <= 2);
}

#[test]
fn a_thousand_cancelled_callers_leave_nothing_in_the_queue() {
    let _guard = Alone::start();
    let ran = Arc::new(AtomicUsize::new(0));
    small(4)
        .run(async {
            let mut holders = Vec::new();
            for _ in 0..4 {
                let (function, started, release) = held();
                holders.push((spawn(run_in_thread(function)), release));
                started.wait().await?;
            }
            for turn in 0..3 {
                let mut callers: Vec<_> = (0..1000)
                    .map(|_| {
                        let ran = ran.clone();
                        spawn(run_in_thread(move || ran.fetch_add(1, Ordering::SeqCst)))
                    })
                    .collect();
                yield_now().await?;
                match turn {
                    0 => {}
                    1 => callers.reverse(),
                    _ => callers.sort_by_key(|task| task.id() * 7919 % 1000),
                }
                callers.iter().for_each(|caller| caller.cancel_nowait());
                for caller in &callers {
                    caller.wait().await?;
                }
            }
            for (task, release) in holders {
                drop(release);
                task.join().await?;
            }
            assert_eq!(run_in_thread(|| 7).await?, 7);
            Ok(())
        })
        .unwrap();
    assert_eq!(ran.load(Ordering::SeqCst), 0);
}

#[test]
fn a_hundred_cancelled_at_any_moment_lose_nobody() {
    let _guard = Alone::start();
    small(3)
        .run(async {
            for round in 0..50_u64 {
                let g = TaskGroup::all();
                let mut tasks: Vec<_> = (0..100).map(|n| g.spawn(run_in_thread(move || n))).collect();
                for _ in 0..round % 7 {
                    yield_now().await?;
                }
                let spared = tasks.split_off(50);
                tasks.iter().for_each(|task| task.cancel_nowait());
                for (n, task) in spared.into_iter().enumerate() {
                    assert_eq!(task.join().await?, n as u64 + 50);
                }
                for task in tasks {
                    task.wait().await?;
                }
                g.cancel_remaining().await?;
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_shield_keeps_the_caller() {
    let _guard = Alone::start();
    run(async {
        let (function, started, release) = held();
        let caller = spawn(async {
            let shielded = disable_cancellation(run_in_thread(function)).await;
            assert!(shielded.is_ok());
            sleep(LONG).await
        });
        started.wait().await?;
        caller.cancel_nowait();
        yield_now().await?;
        assert!(!caller.terminated());
        drop(release);
        assert!(matches!(caller.join().await, Err(Error::Task(e)) if e.cancelled()));
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_finished_function_wins() {
    let _guard = Alone::start();
    run(async {
        let (done, finished) = channel::<()>();
        let caller = spawn(run_in_thread(move || drop(done)));
        yield_now().await?;
        // It ends while the kernel stands still here, and so does not know yet.
        let _ = finished.recv();
        while !caller.terminated() {
            caller.cancel_nowait();
            yield_now().await?;
        }
        // Whatever came first: either it was cancelled, or it has the value; never lost.
        match caller.join().await {
            Ok(()) => {}
            Err(Error::Task(e)) => assert!(e.cancelled()),
            Err(e) => return Err(e),
        }
        Ok(())
    })
    .unwrap();
}

// ---- The end of the kernel

#[test]
fn a_function_that_never_returns_does_not_hold_up_the_end() {
    let _guard = Alone::start();
    let (function, started, _release) = held();
    // Else it would use up the time of the shutdown, which is more than the guard's.
    let kernel = Kernel::builder().shutdown_timeout(Duration::MAX).build().unwrap();
    let kernel = counted(kernel);
    kernel
        .run(async {
            spawn(run_in_thread(function));
            started.wait().await
        })
        .unwrap();
}

#[test]
fn idle_workers_end_with_their_kernel_and_busy_ones_after_their_function() {
    thread_local! {
        static LIFE: RefCell<Option<Told>> = const { RefCell::new(None) };
    }
    let _guard = Alone::start();
    let ((idle, idle_ended), (busy, busy_ended)) = (told(), told());
    let (function, started, release) = held();
    run(async {
        spawn(run_in_thread(move || {
            LIFE.set(Some(busy));
            function()
        }));
        started.wait().await?;
        run_in_thread(|| LIFE.set(Some(idle))).await
    })
    .unwrap();
    idle_ended.recv().unwrap();
    assert!(busy_ended.try_recv().is_err());
    drop(release);
    busy_ended.recv().unwrap();
}

#[test]
fn a_worker_that_is_idle_for_too_long_ends() {
    thread_local! {
        static LIFE: RefCell<Option<Told>> = const { RefCell::new(None) };
    }
    let _guard = Alone::start();
    let kernel = counted(
        Kernel::builder()
            .worker_idle_time(Duration::from_millis(1))
            .build()
            .unwrap(),
    );
    kernel
        .run(async {
            for _ in 0..20 {
                let (told, ended) = told();
                run_in_thread(|| LIFE.set(Some(told))).await?;
                ended.recv().unwrap();
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn without_a_kernel_it_is_a_clear_error() {
    let _guard = Alone::start();
    fn poll<T>(future: impl Future<Output = T>) -> T {
        futures::executor::block_on(future)
    }
    assert!(matches!(poll(run_in_thread(|| ())), Err(Error::NoKernel)));
    assert!(matches!(poll(block_in_thread(1, || ())), Err(Error::NoKernel)));
    let executor = |_: Box<dyn FnOnce() + Send>| unreachable!();
    assert!(matches!(
        poll(run_in_executor(&executor, || ())),
        Err(Error::NoKernel)
    ));
}

#[test]
fn an_operation_may_outlive_its_kernel() {
    let _guard = Alone::start();
    let (function, _started, release) = held();
    let kernel = counted(Kernel::new().unwrap());
    let mut operation = kernel
        .run(async {
            let mut operation = Box::pin(run_in_thread(function));
            let none = futures::future::ready(());
            select(&mut operation, none).await;
            Ok(operation)
        })
        .unwrap();
    kernel.shutdown().unwrap();
    assert!(matches!(
        futures::executor::block_on(&mut operation),
        Err(Error::NoKernel)
    ));
    drop(release);
}

/// It has not begun, and nobody is left who would do it.
#[test]
fn an_operation_that_waits_for_its_turn_learns_of_the_end_of_its_kernel() {
    let _guard = Alone::start();
    let (function, _started, release) = held();
    let kernel = small(1);
    let none = || futures::future::ready(());
    let (queued, behind, elsewhere) = kernel
        .run(async {
            let first = spawn(block_in_thread("key", function));
            yield_now().await?;
            let mut queued = Box::pin(run_in_thread(|| ()));
            let mut behind = Box::pin(block_in_thread("key", || ()));
            let mut elsewhere = Box::pin(block_in_thread("other", || ()));
            select(&mut queued, none()).await;
            select(&mut behind, none()).await;
            select(&mut elsewhere, none()).await;
            drop(first);
            Ok((queued, behind, elsewhere))
        })
        .unwrap();
    kernel.shutdown().unwrap();
    run(async move {
        assert!(matches!(queued.await, Err(Error::NoKernel)));
        assert!(matches!(behind.await, Err(Error::NoKernel)));
        assert!(matches!(elsewhere.await, Err(Error::NoKernel)));
        Ok(())
    })
    .unwrap();
    drop(release);
}

#[test]
fn a_function_may_run_a_kernel_of_its_own_though_the_pool_is_full() {
    let _guard = Alone::start();
    let depth = |n| {
        fn nested(n: u32) -> Result<u32> {
            if n == 0 {
                return Ok(0);
            }
            small(1).run(async move { Ok(1 + run_in_thread(move || nested(n - 1)).await??) })
        }
        nested(n)
    };
    assert_eq!(depth(10).unwrap(), 10);
}

// ---- Below combinators, in other tasks

#[test]
fn it_works_below_the_combinators_of_others() {
    let _guard = Alone::start();
    run(async {
        let (a, b) = futures::join!(run_in_thread(|| 1), run_in_thread(|| 2));
        assert_eq!((a?, b?), (1, 2));
        let mut all: FuturesUnordered<_> = (0..50).map(|n| run_in_thread(move || n)).collect();
        let mut sum = 0;
        while let Some(n) = all.next().await {
            sum += n?;
        }
        assert_eq!(sum, 50 * 49 / 2);
        let (function, _, release) = held();
        let mut loser = run_in_thread(function);
        futures::select_biased! {
            _ = futures::FutureExt::fuse(&mut loser) => panic!("nobody has released it"),
            seven = futures::FutureExt::fuse(run_in_thread(|| 7)) => assert_eq!(seven?, 7),
        }
        drop(release);
        loser.await.map(drop)
    })
    .unwrap();
}

#[test]
fn both_arms_of_a_join_are_interrupted() {
    let _guard = Alone::start();
    run(async {
        let ((f, f_started, f_release), (g, g_started, g_release)) = (held(), held());
        let seen = Rc::new(Cell::new(0));
        let caller = spawn({
            let seen = seen.clone();
            async move {
                let (f, g) = futures::join!(run_in_thread(f), run_in_thread(g));
                for result in [f, g] {
                    seen.set(seen.get() + u32::from(matches!(result, Err(Error::Cancelled(_)))));
                }
                Ok(())
            }
        });
        f_started.wait().await?;
        g_started.wait().await?;
        caller.cancel().await?;
        assert_eq!(seen.get(), 2);
        drop((f_release, g_release));
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_operation_can_be_moved_to_another_task() {
    let _guard = Alone::start();
    run(async {
        let (function, started, release) = held();
        let mut operation = run_in_thread(function);
        select(&mut operation, Box::pin(started.wait())).await;
        let other = spawn(operation);
        yield_now().await?;
        drop(release);
        other.join().await.map(drop)
    })
    .unwrap();
}

// ---- The virtual clock

#[test]
fn virtual_time_stands_still_while_a_thread_is_at_work() {
    virtually(async |w| {
        let since = curio::clock();
        assert_eq!(timeout_after(w.t(1), run_in_thread(|| 7)).await?, 7);
        w.passed(since, 0);
        sleep(w.t(1)).await
    });
}

#[test]
fn many_tasks_and_threads_in_any_order() {
    virtually(async |w| {
        let g = TaskGroup::all();
        for n in 0..3_u32 {
            g.spawn(async move {
                sleep(w.t(n)).await?;
                let since = curio::clock();
                let n = run_in_thread(move || n).await?;
                w.passed(since, 0);
                Ok(n)
            });
        }
        g.join().await?;
        assert_eq!(g.results()?, [0, 1, 2]);
        Ok(())
    });
}

#[test]
fn a_shutdown_on_the_virtual_clock_does_not_wait_for_a_thread_for_ever() {
    let _guard = Alone::start();
    let kernel = counted(
        Kernel::builder()
            .clock(curio::Clock::Virtual)
            .shutdown_timeout(Duration::from_millis(50))
            .build()
            .unwrap(),
    );
    let (function, started, release) = held();
    kernel
        .run(async {
            spawn(disable_cancellation(run_in_thread(function)));
            started.wait().await
        })
        .unwrap();
    kernel.shutdown().unwrap();
    drop(release);
}

// ---- block_in_thread

/// Runs functions and knows how many run at once.
#[derive(Clone, Default)]
struct Census {
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Census {
    fn enter(&self) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        std::thread::yield_now();
        self.now.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn a_thousand_tasks_on_one_key_take_one_thread() {
    let _guard = Alone::start();
    let census = Census::default();
    run(async {
        let g = TaskGroup::all();
        for _ in 0..1000 {
            let census = census.clone();
            g.spawn(block_in_thread("key", move || census.enter()));
        }
        g.join().await?;
        assert_eq!(g.results()?.len(), 1000);
        Ok(())
    })
    .unwrap();
    assert_eq!(census.most.load(Ordering::SeqCst), 1);
}

#[test]
fn different_keys_do_not_wait_for_each_other() {
    let _guard = Alone::start();
    run(async {
        let (f, started, release) = held();
        let first = spawn(block_in_thread(1_u8, f));
        started.wait().await?;
        block_in_thread(2_u8, || ()).await?;
        block_in_thread(1_u16, || ()).await?;
        block_in_thread("1", || ()).await?;
        assert!(!first.terminated());
        drop(release);
        first.join().await.map(drop)
    })
    .unwrap();
}

#[test]
fn they_are_served_in_turn_and_who_leaves_the_line_is_not() {
    virtually(async |_| {
        let order = Arc::new(Mutex::new(Vec::new()));
        let (f, started, release) = held();
        let first = spawn(block_in_thread("key", f));
        started.wait().await?;
        let mut others = Vec::new();
        for n in 0..5 {
            let order = order.clone();
            others.push(spawn(block_in_thread("key", move || {
                order.lock().unwrap().push(n)
            })));
            while others[n].where_().is_empty() {
                yield_now().await?;
            }
        }
        others[1].cancel().await?;
        others[3].cancel_nowait();
        drop(release);
        first.join().await?;
        for other in others {
            other.wait().await?;
        }
        assert_eq!(*order.lock().unwrap(), [0, 2, 4]);
        // The gate is gone, or free.
        block_in_thread("key", || 7).await.map(drop)
    });
}

#[test]
fn who_was_let_in_and_goes_away_lets_the_next_one_in() {
    virtually(async |_| {
        let (f, started, release) = held();
        let first = spawn(block_in_thread("key", f));
        started.wait().await?;
        let next = [(); 3].map(|()| spawn(block_in_thread("key", || 7)));
        yield_now().await?;
        drop(release);
        first.join().await?;
        // It may wait, have been let in, be at work, or be over.
        next[0].cancel_nowait();
        next[1].cancel_nowait();
        assert_eq!(next[2].join().await?, 7);
        Ok(())
    });
}

#[test]
fn who_was_let_in_and_is_dropped_lets_the_next_one_in() {
    virtually(async |_| {
        let (f, started, release) = held();
        let first = spawn(block_in_thread("key", f));
        started.wait().await?;
        let mut let_in = Box::pin(block_in_thread("key", || 7));
        assert!(futures::poll!(&mut let_in).is_pending());
        let next = spawn(block_in_thread("key", || 8));
        while next.where_().is_empty() {
            yield_now().await?;
        }
        drop(release);
        first.join().await?;
        // The end of the function has let it in, and it has not looked.
        drop(let_in);
        assert_eq!(next.join().await?, 8);
        Ok(())
    });
}

#[test]
fn a_zombie_keeps_its_key_and_nobody_else() {
    let _guard = Alone::start();
    run(async {
        let (f, started, release) = held();
        let zombie = spawn(block_in_thread("key", f));
        started.wait().await?;
        zombie.cancel().await?;
        let next = spawn(block_in_thread("key", || 7));
        block_in_thread("other", || ()).await?;
        run_in_thread(|| ()).await?;
        yield_now().await?;
        assert!(!next.terminated());
        // Who waits behind it can be interrupted.
        let late = timeout_after(Duration::from_millis(1), block_in_thread("key", || 8)).await;
        assert!(late.unwrap_err().is_timeout());
        drop(release);
        assert_eq!(next.join().await?, 7);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_panic_opens_the_gate() {
    let _guard = Alone::start();
    run(async {
        assert!(block_in_thread("key", || panic!("no")).await.is_err());
        assert_eq!(block_in_thread("key", || 7).await?, 7);
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_end_of_the_kernel_does_not_wait_for_a_gate() {
    let _guard = Alone::start();
    let (f, started, release) = held();
    run(async {
        spawn(block_in_thread("key", f));
        started.wait().await?;
        spawn(block_in_thread("key", || 7));
        yield_now().await
    })
    .unwrap();
    drop(release);
}

// ---- Executors

#[test]
fn an_executor_of_ones_own() {
    let _guard = Alone::start();
    // One thread that runs what comes.
    let (jobs, inbox) = channel::<Box<dyn FnOnce() + Send>>();
    let worker = std::thread::spawn(move || {
        inbox.into_iter().for_each(|job| job());
        std::thread::current().id()
    });
    let executor = |job| jobs.send(job).unwrap();
    let ids = run(async {
        let first = run_in_executor(&executor, || std::thread::current().id());
        let second = run_in_executor(&executor, || std::thread::current().id());
        let (first, second) = futures::join!(first, second);
        assert!(run_in_executor(&executor, || panic!("no")).await.is_err());
        // An interrupted caller leaves at once.
        let (function, started, release) = held();
        {
            let mut slow = pin!(run_in_executor(&executor, function));
            assert!(futures::poll!(&mut slow).is_pending());
            // Else it need not begin at all.
            started.wait().await?;
            let slow = timeout_after(Duration::from_millis(5), slow).await;
            assert!(slow.unwrap_err().is_timeout());
        }
        drop(release);
        Ok((first?, second?))
    })
    .unwrap();
    drop(jobs);
    let id = worker.join().unwrap();
    assert_eq!(ids, (id, id));
}

#[test]
fn an_executor_that_drops_the_function_is_found_out() {
    let _guard = Alone::start();
    let forgetful = |job: Box<dyn FnOnce() + Send>| drop(job);
    let error = run(run_in_executor(&forgetful, || 7)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the executor has dropped the function without running it"
    );
    let late = |job: Box<dyn FnOnce() + Send>| {
        std::thread::spawn(move || drop(job));
    };
    assert!(run(run_in_executor(&late, || 7)).is_err());
    // One that runs it here and now, or panics, is bad but harms nobody.
    let hasty = |job: Box<dyn FnOnce() + Send>| job();
    assert_eq!(run(run_in_executor(&hasty, || 7)).unwrap(), 7);
    let angry = |_: Box<dyn FnOnce() + Send>| panic!("not today");
    assert!(catch_unwind(AssertUnwindSafe(|| run(run_in_executor(&angry, || 7)))).is_err());
}

#[test]
fn time_is_real_where_it_must_be() {
    everywhere(async |w| {
        let since = curio::clock();
        let tick = spawn(sleep(w.t(1)));
        run_in_thread(|| ()).await?;
        tick.join().await?;
        w.passed(since, 1);
        Ok(())
    });
}
