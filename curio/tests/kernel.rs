//! Running, shutting down, waking from outside, and what happens when something goes wrong.

mod common;

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use common::Watchdog;
use curio::{
    Clock, Error, Kernel, Result, State, Task, clock, disable_cancellation, run, running, sleep, spawn,
    spawn_daemon, task, yield_now,
};

const SEC: Duration = Duration::from_secs(1);

fn virtual_kernel() -> Kernel {
    Kernel::builder().clock(Clock::Virtual).build().unwrap()
}

const EMPTY: &str = "Kernel { tasks: 0, waits: 0, scopes: 0, timers: 0, sockets: 0 }";

#[test]
fn run_gives_the_value_or_the_error_as_it_is() {
    assert_eq!(run(async { Ok(7) }).unwrap(), 7);
    run(async {}).unwrap();
    let error = run(async { Err::<(), _>(Error::other("no")) }).unwrap_err();
    assert_eq!(format!("{error:?}"), "no");
    // A main future may borrow.
    let mut sum = 0;
    run(async { sum += 1 }).unwrap();
    assert_eq!(sum, 1);
}

#[test]
fn a_timeout_that_leaves_main_is_uncaught() {
    let r = virtual_kernel().run(curio::timeout_after(SEC, sleep(9 * SEC)));
    assert!(matches!(r, Err(Error::UncaughtTimeout)));
}

#[test]
fn nested_runs_are_refused() {
    run(async {
        assert!(matches!(run(async {}), Err(Error::KernelRunning)));
        let other = Kernel::new()?;
        assert!(matches!(other.run(async {}), Err(Error::KernelRunning)));
        assert!(matches!(other.run_once(), Err(Error::KernelRunning)));
        drop(other);
        // The running one is unharmed.
        assert!(running());
        sleep(Duration::from_millis(1)).await
    })
    .unwrap();
    assert!(!running());
}

#[test]
fn outside_of_a_kernel_there_is_a_clear_word() {
    let mut nap = std::pin::pin!(sleep(SEC));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(matches!(
        nap.as_mut().poll(&mut cx),
        Poll::Ready(Err(Error::NoKernel))
    ));
    assert!(matches!(
        curio::net::TcpListener::bind("127.0.0.1:0"),
        Err(Error::NoKernel)
    ));
    assert!(matches!(curio::check_cancellation(), Err(Error::NoKernel)));
    let panic = catch_unwind(|| spawn(async {})).unwrap_err();
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or(panic.downcast_ref::<&str>().copied());
    assert!(
        message.unwrap().contains("spawn inside curio::run"),
        "{message:?}"
    );
}

#[test]
fn other_tasks_survive_a_run_and_are_cancelled_at_the_end() {
    let kernel = virtual_kernel();
    let log = Rc::new(RefCell::new(Vec::new()));
    let kids: Vec<Task<()>> = (0..3)
        .map(|n| {
            let log = log.clone();
            kernel.spawn(async move {
                let result = sleep(1000 * SEC).await;
                log.borrow_mut().push(n);
                sleep(SEC).await?;
                result
            })
        })
        .collect();
    kernel.run(sleep(SEC)).unwrap();
    assert!(
        kids.iter()
            .all(|kid| kid.state() == State::Waiting(curio::traps::Label::TIME_SLEEP))
    );
    kernel.run(sleep(SEC)).unwrap();
    assert!(log.borrow().is_empty());
    kernel.shutdown().unwrap();
    // All are asked newest first, and awaited together.
    assert_eq!(*log.borrow(), [2, 1, 0]);
    assert!(kids.iter().all(|kid| kid.cancelled() && kid.terminated()));
}

#[test]
fn shutdown_is_bounded() {
    let start = std::time::Instant::now();
    let kernel = Kernel::builder()
        .shutdown_timeout(Duration::from_millis(20))
        .build()
        .unwrap();
    let dropped = Rc::new(Cell::new(false));
    struct Note(Rc<Cell<bool>>);
    impl Drop for Note {
        fn drop(&mut self) {
            // The kernel is there still: a drop may use it.
            assert!(running());
            spawn(async {}).detach();
            self.0.set(true);
        }
    }
    let note = Note(dropped.clone());
    let stubborn = kernel.spawn(async move {
        let _note = note;
        disable_cancellation(pending::<()>()).await;
    });
    let mild = kernel.spawn(sleep(1000 * SEC));
    kernel.run(yield_now()).unwrap();
    kernel.shutdown().unwrap();
    assert!(dropped.get() && stubborn.terminated() && mild.terminated());
    assert!(start.elapsed() >= Duration::from_millis(20));
}

#[test]
fn dropping_a_kernel_drops_every_kind_of_wait() {
    let _guard = Watchdog::start();
    struct Note(Rc<Cell<u32>>);
    impl Drop for Note {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let drops = Rc::new(Cell::new(0));
    let kernel = virtual_kernel();
    let note = || Note(drops.clone());
    type Op = Pin<Box<dyn Future<Output = ()>>>;
    let forever: Vec<Op> = vec![
        Box::pin(async { drop(sleep(1000 * SEC).await) }),
        Box::pin(async { drop(curio::timeout_after(900 * SEC, sleep(1000 * SEC)).await) }),
        Box::pin(async { drop(disable_cancellation(sleep(1000 * SEC)).await) }),
        Box::pin(async { pending().await }),
        Box::pin(async { drop(curio::interruptible(pending::<()>()).await) }),
        Box::pin(async {
            let listener = curio::net::TcpListener::bind("127.0.0.1:0").unwrap();
            drop(listener.accept().await);
        }),
        Box::pin(async { drop(spawn(sleep(1000 * SEC)).join().await) }),
    ];
    let count = forever.len() as u32;
    for op in forever {
        let note = note();
        kernel
            .spawn(async move {
                let _note = note;
                op.await;
            })
            .detach();
    }
    kernel.run(yield_now()).unwrap();
    kernel.run(yield_now()).unwrap();
    drop(kernel);
    assert_eq!(drops.get(), count);
}

#[test]
fn a_panic_in_main_comes_after_the_others_have_ended() {
    let cleaned = Rc::new(Cell::new(false));
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let cleaned = cleaned.clone();
        run(async move {
            spawn(async move {
                let _ = sleep(1000 * SEC).await;
                cleaned.set(true);
            });
            yield_now().await?;
            panic!("main");
            #[allow(unreachable_code)]
            Ok(())
        })
    }))
    .unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"main"));
    assert!(cleaned.get());
    assert!(!running());
    // A kernel that is dropped while its thread panics only drops.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let kernel = Kernel::new().unwrap();
        kernel.spawn(disable_cancellation(sleep(1000 * SEC))).detach();
        kernel.run(yield_now()).unwrap();
        panic!("outside");
    }));
}

#[test]
fn run_all_waits_for_all_but_daemons() {
    let kernel = virtual_kernel();
    let log = Rc::new(RefCell::new(Vec::new()));
    for n in [3, 1, 2] {
        let log = log.clone();
        kernel.spawn(async move {
            sleep(n * SEC).await?;
            log.borrow_mut().push(n);
            Ok(())
        });
    }
    kernel.spawn(async {
        spawn_daemon(sleep(1000 * SEC));
    });
    kernel.run_all().unwrap();
    assert_eq!(*log.borrow(), [1, 2, 3]);
    assert!(
        format!("{kernel:?}").starts_with("Kernel { tasks: 1,"),
        "{kernel:?}"
    );
}

#[test]
fn run_once_is_one_step() {
    let kernel = virtual_kernel();
    let steps = Rc::new(Cell::new(0));
    kernel.spawn({
        let steps = steps.clone();
        async move {
            for _ in 0..3 {
                steps.set(steps.get() + 1);
                yield_now().await?;
            }
            Ok(())
        }
    });
    for n in 1..=3 {
        assert!(kernel.run_once().unwrap());
        assert_eq!(steps.get(), n);
    }
    assert!(!kernel.run_once().unwrap());
    assert!(!kernel.run_once().unwrap());
}

#[test]
fn exit_ends_the_program_in_order() {
    let cleaned = Rc::new(Cell::new(0));
    let kernel = virtual_kernel();
    let clean = |n: u32| {
        let cleaned = cleaned.clone();
        async move {
            let r = sleep(1000 * SEC).await;
            sleep(SEC).await?;
            cleaned.set(cleaned.get() + n);
            r
        }
    };
    let main = clean(1);
    kernel.spawn(clean(10)).detach();
    let r = kernel.run(async {
        spawn(async {
            sleep(SEC).await?;
            Err::<(), _>(Error::exit(3))
        });
        main.await
    });
    assert!(matches!(r, Err(Error::Exit(3))));
    assert_eq!(cleaned.get(), 1);
    kernel.shutdown().unwrap();
    assert_eq!(cleaned.get(), 11);
    assert!(matches!(
        run(async { Err::<(), _>(Error::exit(4)) }),
        Err(Error::Exit(4))
    ));
}

#[test]
fn exit_does_not_wait_for_a_stubborn_main() {
    let kernel = Kernel::builder()
        .clock(Clock::Virtual)
        .shutdown_timeout(SEC)
        .build()
        .unwrap();
    let r = kernel.run(async {
        spawn(async { Err::<(), _>(Error::exit(5)) });
        disable_cancellation(sleep(1000 * SEC)).await
    });
    assert!(matches!(r, Err(Error::Exit(5))));
    assert_eq!(format!("{kernel:?}"), EMPTY);
}

#[test]
fn a_deadlock_on_the_virtual_clock_is_reported_with_every_place() {
    async fn kid() -> Result<()> {
        curio::interruptible(pending::<()>()).await
    }
    let kernel = virtual_kernel();
    let error = kernel
        .run(async {
            let kid = task(kid()).name("Max").spawn();
            kid.join().await
        })
        .unwrap_err();
    assert!(matches!(error, Error::Deadlock(_)));
    let report = error.to_string();
    let lines: Vec<&str> = report.lines().collect();
    assert_eq!(lines.len(), 3, "{report}");
    assert!(lines[0].starts_with("deadlock: every task waits"), "{report}");
    assert!(
        lines[1].contains("task 3 (a_deadlock_on_the_virtual_clock"),
        "{report}"
    );
    assert!(
        lines[1].contains("TASK_JOIN at curio/tests/kernel.rs:"),
        "{report}"
    );
    assert!(lines[2].contains("task 4 (Max)") && lines[2].contains("FOREIGN_WAIT at curio/tests/kernel.rs:"));
    // A future that waits without telling anybody is found, too.
    let error = virtual_kernel().run(pending::<()>()).unwrap_err();
    assert!(error.to_string().contains("FOREIGN_WAIT"), "{error}");
}

#[test]
fn a_foreign_thread_is_no_deadlock() {
    let _guard = Watchdog::start();
    let (sender, receiver) = futures::channel::oneshot::channel();
    let (go, gone) = mpsc::channel::<()>();
    let thread = thread::spawn(move || {
        gone.recv().unwrap();
        sender.send(5).unwrap();
    });
    let value = virtual_kernel().run(async {
        let mut first = true;
        let mut receiver = receiver;
        poll_fn(|cx| {
            let polled = Pin::new(&mut receiver).poll(cx);
            if std::mem::take(&mut first) {
                go.send(()).unwrap();
            }
            polled
        })
        .await
        .map_err(Error::other)
    });
    assert_eq!(value.unwrap(), 5);
    thread.join().unwrap();
}

#[test]
fn wakes_from_other_threads_are_never_lost() {
    let _guard = Watchdog::start();
    // A ball goes to a thread and back: the kernel falls asleep each time, in a race with the wake.
    let slot: Arc<Mutex<Option<Waker>>> = Arc::default();
    let (ask, asked) = mpsc::channel::<()>();
    let answered = Arc::new(Mutex::new(0u32));
    let thread = thread::spawn({
        let (slot, answered) = (slot.clone(), answered.clone());
        move || {
            while asked.recv().is_ok() {
                *answered.lock().unwrap() += 1;
                if let Some(waker) = slot.lock().unwrap().take() {
                    waker.wake();
                }
            }
        }
    });
    const ROUNDS: u32 = 20_000;
    run(async {
        for round in 1..=ROUNDS {
            let mut sent = false;
            poll_fn(|cx| {
                *slot.lock().unwrap() = Some(cx.waker().clone());
                if !std::mem::replace(&mut sent, true) {
                    ask.send(()).unwrap();
                }
                if *answered.lock().unwrap() >= round {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
        }
    })
    .unwrap();
    drop(ask);
    thread.join().unwrap();
}

#[test]
fn stale_wakers_wake_nobody() {
    let stolen: Rc<RefCell<Vec<Waker>>> = Rc::default();
    let steal = |stolen: &Rc<RefCell<Vec<Waker>>>| {
        let stolen = stolen.clone();
        poll_fn(move |cx| {
            stolen.borrow_mut().push(cx.waker().clone());
            Poll::Ready(())
        })
    };
    let kernel = virtual_kernel();
    kernel.run(steal(&stolen)).unwrap();
    kernel
        .run(async {
            // The place in the table has a new holder.
            let kid = spawn(sleep(5 * SEC));
            yield_now().await?;
            stolen.borrow().iter().for_each(Waker::wake_by_ref);
            kid.join().await?;
            assert_eq!(kid.cycles(), 2);
            Ok(())
        })
        .unwrap();
    kernel.shutdown().unwrap();
    let wakers = stolen.take();
    wakers.iter().for_each(Waker::wake_by_ref);
    thread::spawn(move || wakers.into_iter().for_each(Waker::wake))
        .join()
        .unwrap();
}

#[test]
fn a_waker_used_in_a_drop_and_in_a_poll() {
    struct WakesInDrop(Option<Waker>);
    impl Drop for WakesInDrop {
        fn drop(&mut self) {
            self.0.take().unwrap().wake();
        }
    }
    let kernel = virtual_kernel();
    kernel
        .run(async {
            let kid = spawn(poll_fn(|cx| {
                cx.waker().wake_by_ref();
                let _bomb = WakesInDrop(Some(cx.waker().clone()));
                Poll::<()>::Ready(())
            }));
            let value = spawn(async {
                let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
                Ok(WakesInDrop(Some(waker)))
            });
            kid.join().await?;
            drop(value.join().await?);
            // The value of a detached task is dropped by the kernel.
            spawn(async {
                let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
                Ok(WakesInDrop(Some(waker)))
            })
            .detach();
            sleep(SEC).await
        })
        .unwrap();
    assert_eq!(format!("{kernel:?}"), EMPTY);
}

#[test]
fn the_creator_goes_on_first_and_the_queue_is_fair() {
    let log = Rc::new(RefCell::new(Vec::new()));
    let write = |text: &'static str| log.borrow_mut().push(text);
    let kid = |name: &'static str| {
        let log = log.clone();
        async move {
            for _ in 0..2 {
                log.borrow_mut().push(name);
                yield_now().await?;
            }
            Ok(())
        }
    };
    run(async {
        let kids = [spawn(kid("a")), spawn(kid("b"))];
        write("main");
        for kid in kids {
            kid.join().await?;
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(*log.borrow(), ["main", "a", "b", "a", "b"]);
}

#[test]
fn a_seed_is_a_schedule() {
    let order = |seed: u64| {
        let log = Rc::new(RefCell::new(Vec::new()));
        let kernel = Kernel::builder()
            .clock(Clock::Virtual)
            .seed(seed)
            .build()
            .unwrap();
        for n in 0..10 {
            let log = log.clone();
            kernel.spawn(async move { log.borrow_mut().push(n) });
        }
        kernel.run_all().unwrap();
        log.take()
    };
    assert_eq!(order(7), order(7));
    assert!((0..20).any(|seed| order(seed) != order(seed + 1)));
}

#[test]
fn handles_know_their_tasks() {
    async fn kid() -> Result<()> {
        sleep(SEC).await
    }
    virtual_kernel()
        .run(async {
            let kid = spawn(kid());
            assert_eq!(
                (kid.id(), kid.name(), kid.state(), kid.cycles()),
                (4, "kid", State::Ready, 0)
            );
            yield_now().await?;
            assert_eq!(format!("{kid:?}"), "Task(id=4, name='kid', state='TIME_SLEEP')");
            assert!(!kid.is_daemon() && !kid.cancelled() && !kid.terminated());
            kid.join().await?;
            assert_eq!((kid.state(), kid.cycles()), (State::Terminated, 2));
            assert!(matches!(kid.join().await, Err(Error::AlreadyJoined)));
            let max = task(async {}).name("Max").daemon().spawn();
            assert_eq!((max.name(), max.is_daemon()), ("Max", true));
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_handle_that_meets_another_kernel_is_refused() {
    let one = virtual_kernel();
    let two = virtual_kernel();
    let kid = one.spawn(sleep(SEC));
    assert!(matches!(two.run(kid.join()), Err(Error::NoKernel)));
    assert!(matches!(two.run(kid.cancel()), Err(Error::NoKernel)));
    kid.cancel_nowait(); // reaches its own kernel, though that does not run
    assert!(kid.cancelled());
    one.shutdown().unwrap();
    assert!(kid.terminated());
    assert!(matches!(two.run(kid.join()), Err(Error::Task(e)) if e.cancelled()));
}

#[test]
fn a_failed_task_can_be_joined_again_and_again() {
    run(async {
        let kid = spawn(async { Err::<u32, _>(Error::other("tired")) });
        for _ in 0..2 {
            let error = kid.join().await.unwrap_err();
            assert!(error.to_string().contains("failed: tired"), "{error}");
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_task_that_spins_starves_nobody() {
    let _guard = Watchdog::start();
    run(async {
        spawn_daemon(async {
            loop {
                yield_now().await?;
            }
            #[allow(unreachable_code)]
            Ok(())
        });
        let start = clock();
        sleep(Duration::from_millis(2)).await?;
        assert!(clock() - start >= Duration::from_millis(2));
        Ok(())
    })
    .unwrap();
}

#[test]
fn many_kernels_in_many_threads() {
    let _guard = Watchdog::start();
    let threads: Vec<_> = (0..200)
        .map(|n| {
            thread::spawn(move || {
                run(async move {
                    let kid = spawn(async move {
                        sleep(Duration::from_millis(1)).await?;
                        Ok(n)
                    });
                    kid.join().await
                })
                .unwrap()
            })
        })
        .collect();
    for (n, thread) in threads.into_iter().enumerate() {
        assert_eq!(thread.join().unwrap(), n);
    }
}

#[test]
fn a_kernel_in_a_thread_local_does_no_harm() {
    // The thread's values are dropped when it ends, and the kernel's own thread-local may be gone by then.
    thread_local! {
        static KERNEL: RefCell<Option<Kernel>> = const { RefCell::new(None) };
    }
    thread::spawn(|| {
        let kernel = Kernel::new().unwrap();
        kernel.spawn(sleep(1000 * SEC)).detach();
        kernel.run(yield_now()).unwrap();
        KERNEL.set(Some(kernel));
    })
    .join()
    .unwrap();
}

#[test]
fn futures_of_all_layouts() {
    #[repr(align(128))]
    struct Aligned([u8; 128]);
    virtual_kernel()
        .run(async {
            let aligned = spawn(async {
                let value = Aligned([7; 128]);
                yield_now().await?;
                assert_eq!((&raw const value).addr() % 128, 0);
                Ok(value)
            });
            let big = spawn(async {
                let bytes = [1u8; 65536];
                yield_now().await?;
                Ok(bytes.iter().map(|&b| usize::from(b)).sum::<usize>())
            });
            let nothing = spawn(async {});
            assert_eq!(aligned.join().await?.0[127], 7);
            assert_eq!(big.join().await?, 65536);
            nothing.join().await
        })
        .unwrap();
}

#[test]
fn a_hundred_thousand_tasks() {
    let kernel = virtual_kernel();
    kernel
        .run(async {
            let tasks: Vec<_> = (0..100_000u64)
                .map(|n| {
                    spawn(async move {
                        sleep(Duration::from_millis(n * 7919 % 1000)).await?;
                        Ok(n)
                    })
                })
                .collect();
            let mut sum = 0;
            for task in tasks {
                sum += task.join().await?;
            }
            assert_eq!(sum, 99_999 * 100_000 / 2);
            Ok(())
        })
        .unwrap();
    assert_eq!(format!("{kernel:?}"), EMPTY);
}
