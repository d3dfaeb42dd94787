//! `tests/test_kernel.py`.
//!
//! | not translated | why |
//! |---|---|
//! | `test_coro_partial` | Python's ways to say "a coroutine"; here there are only futures |
//! | `test_custom_cancel` | `cancel(exc=)`: there is one [`Error::Cancelled`]; who cancels can leave a word in a shared value |
//! | `test_kernel_badtrap`, `test_submit_errors` | the compiler refuses such programs |
//! | `test_nested_timeout_defer` | `defer_timeout`, gone from Python too: a shield holds back cancels and timeouts alike |
//! | `test_illegal_enable_cancellation` | there is no `enable_cancellation`, so it cannot be misplaced |
//! | `test_io_priority_registration` | no writer is evicted for another; gone from Python too |
//! | `test_interruption` | `Task.interrupt`, gone from Python too |
//! | `test_self_cancellation`, `test_disable_cancellation_function` | moved to `test_task`, as in Python |
//!
//! | differs | how |
//! |---|---|
//! | `..._context_...` | there is one form of timeout; these tests have an `async` block inside of it, the others an operation |
//! | `test_timeout_badness` | no warning: an `Ok` stays an `Ok` |
//! | `test_kernel_no_shutdown` | dropping a kernel shuts it down; to run one that was shut down does not compile |
//! | `test_task_wait_...`, `test_task_gather...` | with groups, which have come instead |
//! | `test_kernel_debug` | the debug modules are activations, with the feature `tracing` |
//! | `test_illegal_disable_cancellation_exception` | an error that is made by hand is a value as any other |

use std::cell::Cell;
use std::io::Read;
use std::net::TcpStream as StdStream;
use std::pin::Pin;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use curio::net::{TcpListener, TcpStream};
use curio::{
    Busy, Clock, Condition, Error, Event, Kernel, Lock, Progress, Promise, Queue, RLock, Result, Semaphore,
    Task, TaskGroup, check_cancellation, clock, current_task, disable_cancellation, ignore_after, ignore_at,
    interruptible, run, sleep, sleep_until, spawn, timeout_after, timeout_at, yield_now,
};

use crate::common::{Watchdog, World, everywhere, in_order, virtually};
use crate::{Results, assert_empty, cause, fail, is_cancelled, is_value_error, with};

const MS: Duration = Duration::from_millis(1);

fn virtual_kernel() -> Kernel {
    Kernel::builder().clock(Clock::Virtual).build().unwrap()
}

#[test]
fn test_hello() {
    async fn hello() -> Result<&'static str> {
        Ok("hello")
    }
    let kernel = Kernel::new().unwrap();
    assert_eq!(kernel.run(hello()).unwrap(), "hello");
    assert_eq!(run(hello()).unwrap(), "hello");
}

#[test]
fn test_raise() {
    let kernel = Kernel::new().unwrap();
    assert!(is_value_error(&kernel.run(fail::<()>()).unwrap_err()));
    assert!(is_value_error(&run(fail::<()>()).unwrap_err()));
}

#[test]
fn test_sleep() {
    everywhere(async |w| {
        let start = clock();
        sleep(w.t(1)).await?;
        w.passed(start, 1);
        Ok(())
    });
}

#[test]
fn test_clock() {
    everywhere(async |w| {
        let start = clock();
        sleep(w.t(1)).await?;
        let end = clock();
        assert!(end - start >= w.t(1));
        Ok(())
    });
}

#[test]
fn test_sleep_cancel() {
    everywhere(async |w| {
        let results = Results::default();
        let task = spawn(with!(results; {
            results.append("start");
            let slept = sleep(w.t(100)).await;
            assert!(matches!(slept, Err(Error::Cancelled(_))), "{slept:?}");
            results.append("cancelled");
            Ok(())
        }));
        sleep(w.t(1)).await?;
        task.cancel().await?;
        results.are(&["start", "cancelled"]);
        Ok(())
    });
}

#[test]
fn test_sleep_timeout() {
    everywhere(async |w| {
        let start = clock();
        let slept = timeout_after(w.t(1), sleep(w.t(100))).await;
        assert!(matches!(slept, Err(Error::Timeout(_))), "{slept:?}");
        w.passed(start, 1);
        // The same with a block.
        let slept = timeout_after(w.t(1), async {
            sleep(w.t(100)).await?;
            unreachable!()
        })
        .await;
        let slept: Result<()> = slept;
        assert!(matches!(slept, Err(Error::Timeout(_))), "{slept:?}");
        w.passed(start, 2);
        Ok(())
    });
}

#[test]
fn test_sleep_ignore_timeout() {
    everywhere(async |w| {
        assert_eq!(ignore_after(w.t(1), sleep(w.t(100))).await?, None);
        let block = ignore_after(w.t(1), async {
            sleep(w.t(100)).await?;
            Ok("woken")
        });
        assert_eq!(block.await?, None);
        Ok(())
    });
}

#[test]
fn test_sleep_notimeout() {
    everywhere(async |w| {
        let start = clock();
        timeout_after(w.t(3), sleep(w.t(1))).await?;
        assert_eq!(ignore_after(w.t(3), sleep(w.t(1))).await?, Some(()));
        // Nothing is left to hit this.
        sleep(w.t(5)).await?;
        w.passed(start, 7);
        Ok(())
    });
}

#[test]
fn test_task_join() {
    virtually(async |w| {
        let task = spawn(async move {
            sleep(w.t(1)).await?;
            Ok(37)
        });
        assert_eq!(task.join().await?, 37);
        Ok(())
    });
}

#[test]
fn test_task_join_error() {
    virtually(async |_| {
        let task = spawn(fail::<()>());
        let error = task.join().await.unwrap_err();
        assert!(matches!(error, Error::Task(_)));
        assert!(is_value_error(cause(&error)));
        Ok(())
    });
}

#[test]
fn test_task_cancel() {
    in_order(async |w| {
        let results = Results::default();
        let task = spawn(with!(results; {
            results.append("start");
            let slept = sleep(w.t(1)).await;
            assert!(matches!(slept, Err(Error::Cancelled(_))), "{slept:?}");
            results.append("cancelled");
            sleep(w.t(1)).await?;
            results.append("done");
            slept
        }));
        // It has not run yet.
        assert_eq!(task.cycles(), 0);
        let start = clock();
        task.cancel().await?;
        w.passed(start, 1);
        results.append("after cancel");
        results.are(&["start", "cancelled", "done", "after cancel"]);
        Ok(())
    });
}

#[test]
fn test_task_cancel_poll() {
    everywhere(async |w| {
        let results = Results::default();
        let task = spawn(with!(results; {
            disable_cancellation(async {
                sleep(w.t(2)).await?;
                results.append("slept");
                assert!(check_cancellation()?);
                results.append("seen");
                Ok(())
            })
            .await
        }));
        sleep(w.t(1)).await?;
        task.cancel().await?;
        results.are(&["slept", "seen"]);
        Ok(())
    });
}

#[test]
fn test_task_cancel_not_blocking() {
    everywhere(async |w| {
        let (results, go_on) = (Results::default(), Event::new());
        let task = spawn(with!(results, go_on; {
            results.append("start");
            let slept = sleep(w.t(1000)).await;
            results.append("cancelled");
            go_on.wait().await?;
            results.append("done");
            slept
        }));
        sleep(w.t(1)).await?;
        task.cancel_nowait();
        results.append("cancel posted");
        sleep(w.t(1)).await?;
        results.append("go on");
        go_on.set();
        is_cancelled(task.join().await);
        results.are(&["start", "cancel posted", "cancelled", "go on", "done"]);
        Ok(())
    });
}

#[test]
fn test_task_cancel_join() {
    virtually(async |w| {
        let task = spawn(sleep(w.t(1000)));
        sleep(w.t(1)).await?;
        task.cancel().await?;
        is_cancelled(task.join().await);
        Ok(())
    });
}

#[test]
fn test_task_cancel_join_wait() {
    virtually(async |w| {
        let event = Event::new();
        let task = Rc::new(spawn(with!(event; event.wait().await)));
        spawn(with!(task; {
            sleep(w.t(1)).await?;
            task.cancel().await
        }));
        is_cancelled(task.join().await);
        assert!(!event.is_set());
        Ok(())
    });
}

#[test]
fn test_task_child_cancel() {
    async fn person(w: World, name: &'static str, child: Option<Task<()>>, results: Results) -> Result<()> {
        let waited = match &child {
            Some(child) => child.join().await,
            None => sleep(w.t(1000)).await,
        };
        assert!(matches!(waited, Err(Error::Cancelled(_))), "{name}: {waited:?}");
        if let Some(child) = child {
            child.cancel().await?;
        }
        results.append(format!("{name} cancelled"));
        waited
    }
    virtually(async |w| {
        let results = Results::default();
        let child = spawn(person(w, "child", None, results.clone()));
        let parent = spawn(person(w, "parent", Some(child), results.clone()));
        let grandparent = spawn(person(w, "grandparent", Some(parent), results.clone()));
        sleep(w.t(1)).await?;
        grandparent.cancel().await?;
        results.are(&["child cancelled", "parent cancelled", "grandparent cancelled"]);
        Ok(())
    });
}

#[test]
fn test_task_ready_cancel() {
    virtually(async |w| {
        let (results, event) = (Results::default(), Event::new());
        let task = spawn(with!(results, event; {
            event.wait().await?;
            results.append("woken");
            let slept = sleep(w.t(10)).await;
            results.append("cancelled");
            slept
        }));
        sleep(w.t(1)).await?;
        // It is on the ready queue when the request comes, so its wait completes.
        event.set();
        let start = clock();
        task.cancel().await?;
        w.passed(start, 0);
        results.are(&["woken", "cancelled"]);
        is_cancelled(task.join().await);
        Ok(())
    });
}

#[test]
fn test_double_cancel() {
    everywhere(async |w| {
        let results = Results::default();
        let task = spawn(with!(results; {
            let slept = sleep(w.t(1000)).await;
            results.append("cancelled");
            sleep(w.t(5)).await?;
            results.append("cleaned up");
            slept
        }));
        sleep(w.t(1)).await?;
        let start = clock();
        let cancelled = timeout_after(w.t(1), task.cancel()).await;
        assert!(matches!(cancelled, Err(Error::Timeout(_))), "{cancelled:?}");
        results.append("timed out");
        task.cancel().await?;
        w.passed(start, 5);
        results.are(&["cancelled", "timed out", "cleaned up"]);
        Ok(())
    });
}

#[test]
fn test_nested_timeout() {
    everywhere(async |w| {
        let results = Results::default();
        let start = clock();
        // Swallows what interrupts it.
        let first = async {
            results.append("first starts");
            let slept = sleep(w.t(100)).await;
            assert!(matches!(slept, Err(Error::TimeoutCancellation(_))), "{slept:?}");
            results.append("first is cancelled by a timeout");
            Ok(())
        };
        let second = async {
            results.append("second starts");
            let slept = sleep(w.t(100)).await;
            results.append("second ends");
            slept
        };
        let both = timeout_after(w.t(3), async {
            timeout_after(w.t(20), first).await?;
            second.await
        });
        assert!(both.await.unwrap_err().is_timeout());
        w.passed(start, 3);
        results.append("timeout outside");
        sleep(w.t(30)).await?;
        results.are(&[
            "first starts",
            "first is cancelled by a timeout",
            "second starts",
            "second ends",
            "timeout outside",
        ]);
        Ok(())
    });
}

#[test]
fn test_nested_context_timeout() {
    everywhere(async |w| {
        let results = Results::default();
        let both = timeout_after(w.t(3), async {
            let first = timeout_after(w.t(20), async {
                sleep(w.t(100)).await?;
                results.append("never");
                Ok(())
            });
            let error = first.await.unwrap_err();
            assert!(matches!(error, Error::TimeoutCancellation(_)), "{error:?}");
            results.append("first is cancelled by a timeout");
            Err::<(), _>(error)
        });
        assert!(both.await.unwrap_err().is_timeout());
        results.append("timeout outside");
        results.are(&["first is cancelled by a timeout", "timeout outside"]);
        Ok(())
    });
}

#[test]
fn test_nested_context_timeout2() {
    everywhere(async |w| {
        let results = Results::default();
        let start = clock();
        let outer = timeout_after(w.t(1), async {
            let middle = timeout_after(w.t(20), async {
                let inner = timeout_after(w.t(40), async { sleep(w.t(100)).await });
                let error = inner.await.unwrap_err();
                assert!(matches!(error, Error::TimeoutCancellation(_)), "{error:?}");
                results.append("inner");
                Err::<(), _>(error)
            });
            let error = middle.await.unwrap_err();
            assert!(matches!(error, Error::TimeoutCancellation(_)), "{error:?}");
            results.append("middle");
            Err::<(), _>(error)
        });
        assert!(outer.await.unwrap_err().is_timeout());
        w.passed(start, 1);
        results.append("outer");
        results.are(&["inner", "middle", "outer"]);
        Ok(())
    });
}

#[test]
fn test_nested_context_timeout3() {
    async fn limited(
        w: World,
        limit: u32,
        operation: Operation,
        name: &'static str,
        results: Results,
    ) -> Result<()> {
        let result = timeout_after(w.t(limit), operation).await;
        let what = match &result {
            Err(Error::Timeout(_)) => "Timeout",
            Err(Error::TimeoutCancellation(_)) => "TimeoutCancellation",
            other => panic!("{other:?}"),
        };
        results.append(format!("{name}: {what}"));
        result
    }
    everywhere(async |w| {
        let results = Results::default();
        let inner = limited(w, 40, Box::pin(sleep(w.t(100))), "inner", results.clone());
        let middle = limited(w, 20, Box::pin(inner), "middle", results.clone());
        let outer = limited(w, 1, Box::pin(middle), "outer", results.clone());
        assert!(outer.await.unwrap_err().is_timeout());
        results.are(&[
            "inner: TimeoutCancellation",
            "middle: TimeoutCancellation",
            "outer: Timeout",
        ]);
        Ok(())
    });
}

#[test]
fn test_nested_timeout_uncaught() {
    everywhere(async |w| {
        let start = clock();
        let outer = timeout_after(w.t(50), timeout_after(w.t(1), sleep(w.t(100)))).await;
        assert!(matches!(outer, Err(Error::UncaughtTimeout)), "{outer:?}");
        w.passed(start, 1);
        Ok(())
    });
}

#[test]
fn test_nested_context_timeout_uncaught() {
    everywhere(async |w| {
        let outer = timeout_after(w.t(50), async {
            timeout_after(w.t(1), async { sleep(w.t(100)).await }).await?;
            unreachable!()
        });
        let outer: Result<()> = outer.await;
        assert!(matches!(outer, Err(Error::UncaughtTimeout)), "{outer:?}");
        // Also out of a timeout that ignores its own.
        let outer = ignore_after(w.t(50), timeout_after(w.t(1), sleep(w.t(100)))).await;
        assert!(matches!(outer, Err(Error::UncaughtTimeout)), "{outer:?}");
        Ok(())
    });
}

#[test]
fn test_nested_timeout_none() {
    everywhere(async |w| {
        let start = clock();
        let outer = timeout_after(w.t(2), async {
            let slept = timeout_after(None, sleep(w.t(100))).await;
            assert!(matches!(slept, Err(Error::TimeoutCancellation(_))), "{slept:?}");
            slept
        });
        assert!(outer.await.unwrap_err().is_timeout());
        w.passed(start, 2);
        Ok(())
    });
}

#[test]
fn test_task_run_error() {
    let kernel = virtual_kernel();
    let error = kernel
        .run(async {
            let task = spawn(yield_now());
            task.join().await?;
            fail::<()>().await
        })
        .unwrap_err();
    assert!(is_value_error(&error), "{error:?}");
    assert_empty(&kernel);
}

/// The real system, and the real clock.
#[test]
fn test_sleep_0_starvation() {
    let _guard = Watchdog::start();
    let kernel = Kernel::new().unwrap();
    kernel
        .run(async {
            let turns = Rc::new(Cell::new(0));
            let spinner = spawn(with!(turns; loop {
                yield_now().await?;
                turns.set(turns.get() + 1);
            } as Result<()>));
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let address = listener.local_addr()?;
            let echo = spawn(async move {
                let (client, _) = listener.accept().await?;
                let mut data = [0; 100];
                loop {
                    match client.read(&mut data).await? {
                        0 => return Ok(()),
                        n => client.write_all(&data[..n]).await?,
                    }
                }
            });
            let client = TcpStream::connect(address).await?;
            for n in 0..10u8 {
                client.write_all(&[n; 20]).await?;
                let mut answer = [0; 20];
                client.read_exact(&mut answer).await?;
                assert_eq!(answer, [n; 20]);
            }
            drop(client);
            echo.join().await?;
            assert!(turns.get() > 0);
            spinner.cancel().await?;
            is_cancelled(spinner.join().await);
            Ok(())
        })
        .unwrap();
    assert_empty(&kernel);
}

#[test]
fn test_ping_pong_starvation() {
    virtually(async |_| {
        let turns = Rc::new(Cell::new(0));
        let spinner = spawn(with!(turns; loop {
            yield_now().await?;
            turns.set(turns.get() + 1);
        } as Result<()>));
        let (there, back) = (Queue::new(), Queue::new());
        let pong = spawn(with!(there, back; {
            for _ in 0..100 {
                back.put(there.get().await?).await?;
            }
            Ok(())
        }));
        for n in 0..100 {
            there.put(n).await?;
            assert_eq!(back.get().await?, n);
        }
        pong.join().await?;
        assert!(turns.get() > 10, "{} turns", turns.get());
        spinner.cancel().await
    });
}

#[test]
fn test_task_cancel_timeout() {
    everywhere(async |w| {
        let results = Results::default();
        let task = spawn(with!(results; {
            timeout_after(w.t(3), async {
                let slept = sleep(w.t(1000)).await;
                assert!(matches!(slept, Err(Error::Cancelled(_))), "{slept:?}");
                // Longer than the deadline.
                sleep(w.t(6)).await?;
                results.append("cleaned up");
                slept
            })
            .await
        }));
        sleep(w.t(1)).await?;
        task.cancel().await?;
        results.are(&["cleaned up"]);
        is_cancelled(task.join().await);
        Ok(())
    });
}

#[test]
fn test_reentrant_kernel() {
    let kernel = Kernel::new().unwrap();
    let inner = kernel.run(async { kernel.run(async {}) });
    assert!(matches!(inner, Err(Error::KernelRunning)), "{inner:?}");
    let inner = kernel.run(async { run(async {}) });
    assert!(matches!(inner, Err(Error::KernelRunning)), "{inner:?}");
    // It is unharmed.
    kernel.run(async {}).unwrap();
}

type Operation = Pin<Box<dyn Future<Output = Result<()>>>>;

/// All operations that wait. (The sockets' are where sockets are tested.)
fn operations(w: World) -> Vec<(&'static str, Operation)> {
    async fn pass<T>(operation: impl Future<Output = Result<T>>) -> Result<()> {
        operation.await.map(drop)
    }
    let event = Event::new();
    let lock = Lock::new(());
    let held = lock.try_lock();
    let (condition, condition_lock) = (Condition::new(), Lock::new(()));
    let guard = condition_lock.try_lock().unwrap();
    let rlock = RLock::new(());
    let semaphore = Semaphore::new(0);
    let promise = Promise::<()>::new();
    let (empty, full) = (Queue::<()>::new(), Queue::bounded(1));
    full.try_put(()).unwrap();
    let undone = full.clone();
    let [one, two, three] = [(); 3].map(|()| spawn(sleep(w.t(2))));
    let group = TaskGroup::<()>::all();
    group.spawn(sleep(w.t(2)));
    let next = TaskGroup::<()>::all();
    next.spawn(sleep(w.t(2)));
    vec![
        ("sleep", Box::pin(sleep(w.t(1)))),
        ("sleep for no time", Box::pin(sleep(Duration::ZERO))),
        ("sleep_until", Box::pin(sleep_until(clock() + w.t(1)))),
        ("yield_now", Box::pin(yield_now())),
        (
            "interruptible",
            Box::pin(pass(interruptible(std::future::pending::<()>()))),
        ),
        ("join", Box::pin(async move { one.join().await })),
        ("wait", Box::pin(async move { two.wait().await })),
        ("cancel", Box::pin(async move { three.cancel().await })),
        ("Event::wait", Box::pin(async move { event.wait().await })),
        (
            "Lock::lock",
            Box::pin(async move {
                let _held = held;
                pass(lock.lock()).await
            }),
        ),
        (
            "RLock::lock",
            Box::pin(async move {
                let holder = spawn(with!(rlock; {
                    let _guard = rlock.lock().await?;
                    disable_cancellation(sleep(w.t(1))).await
                }));
                // Its request is pending, so no other operation may wait here.
                disable_cancellation(sleep(w.t(0))).await?;
                disable_cancellation(yield_now()).await?;
                let locked = pass(rlock.lock()).await;
                disable_cancellation(holder.wait()).await?;
                locked
            }),
        ),
        (
            "Semaphore::acquire",
            Box::pin(async move { pass(semaphore.acquire()).await }),
        ),
        (
            "Condition::wait",
            Box::pin(async move { pass(condition.wait(guard)).await }),
        ),
        ("Promise::wait", Box::pin(async move { promise.wait().await })),
        ("Queue::get", Box::pin(async move { empty.get().await })),
        ("Queue::put", Box::pin(async move { full.put(()).await })),
        ("Queue::join", Box::pin(async move { undone.join().await })),
        ("TaskGroup::join", Box::pin(async move { group.join().await })),
        (
            "TaskGroup::next_done",
            Box::pin(async move { pass(next.next_done()).await }),
        ),
    ]
}

#[test]
fn test_pending_cancellation() {
    in_order(async |w| {
        let count = operations(w).len();
        for n in 0..count {
            let task = spawn(async move {
                let (name, operation) = operations(w).swap_remove(n);
                current_task().cancel_nowait();
                // Leaving a timeout delivers nothing.
                timeout_after(w.t(1), async { Ok(()) }).await?;
                let result = operation.await;
                assert!(
                    matches!(result, Err(Error::Cancelled(_))),
                    "{name} gave {result:?}"
                );
                // And it was delivered once.
                sleep(w.t(1)).await?;
                result
            });
            is_cancelled(task.join().await);
            sleep(w.t(5)).await?;
        }
        Ok(())
    });
}

#[test]
fn test_single_stepping() {
    let _guard = Watchdog::start();
    let results = Results::default();
    let kernel = virtual_kernel();
    kernel.spawn(with!(results; {
        for n in 0..3 {
            results.append(n.to_string());
            yield_now().await?;
        }
        Ok(())
    }));
    for n in 1..=3 {
        assert!(kernel.run_once().unwrap());
        results.are(&["0", "1", "2"][..n]);
    }
    assert!(!kernel.run_once().unwrap());

    // And timers.
    let woken = Event::new();
    let kernel = Kernel::new().unwrap();
    kernel.spawn(with!(woken; {
        sleep(5 * MS).await?;
        woken.set();
        Ok(())
    }));
    let start = Instant::now();
    assert!(kernel.run_once().unwrap());
    while start.elapsed() < 8 * MS {
        kernel.run_once().unwrap();
        assert!(!woken.is_set() || start.elapsed() >= 5 * MS);
    }
    assert!(!kernel.run_once().unwrap());
    assert!(woken.is_set());
}

#[test]
fn test_io_registration() {
    let _guard = Watchdog::start();
    let kernel = Kernel::new().unwrap();
    kernel
        .run(async {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let mut peer = StdStream::connect(listener.local_addr()?)?;
            let stream = Rc::new(listener.accept().await?.0);
            // Until it takes no more.
            let chunk = vec![0; 1 << 16];
            let mut sent = 0;
            while let Some(n) = ignore_after(5 * MS, stream.write(&chunk)).await? {
                sent += n;
            }
            let reader = spawn(with!(stream; stream.read(&mut [0; 10]).await));
            let writer = spawn(with!(stream; stream.write(&[0; 10]).await));
            sleep(2 * MS).await?;
            assert!(!reader.terminated() && !writer.terminated());
            let second = stream.write(&[0; 10]).await;
            assert!(matches!(second, Err(Error::Busy(Busy::Writer))), "{second:?}");
            let second = stream.read(&mut [0; 10]).await;
            assert!(matches!(second, Err(Error::Busy(Busy::Reader))), "{second:?}");
            // The first two are still registered, each by itself, and one goes without the other.
            assert!(!reader.terminated() && !writer.terminated());
            reader.cancel().await?;
            let reader = spawn(with!(stream; stream.read(&mut [0; 10]).await));
            sleep(2 * MS).await?;
            let drain = thread::spawn(move || {
                let mut got = vec![0; sent];
                peer.read_exact(&mut got).map(|()| peer)
            });
            assert_eq!(writer.join().await?, 10);
            writer.cancel().await?;
            reader.cancel().await?;
            is_cancelled(reader.join().await);
            drop(drain.join().unwrap()?);
            Ok(())
        })
        .unwrap();
    assert_empty(&kernel);
}

#[test]
fn test_timeout_badness() {
    let _guard = Watchdog::start();
    let kernel = Kernel::new().unwrap();
    kernel
        .run(async {
            timeout_after(MS, async {
                yield_now().await?;
                thread::sleep(5 * MS);
                Ok(())
            })
            .await?;
            // Nothing comes late.
            sleep(2 * MS).await
        })
        .unwrap();
    assert_empty(&kernel);
}

#[test]
fn test_kernel_no_shutdown() {
    let results = Results::default();
    let kernel = virtual_kernel();
    let task = kernel.spawn(with!(results; {
        let slept = sleep(1000 * MS).await;
        assert!(matches!(slept, Err(Error::Cancelled(_))), "{slept:?}");
        sleep(MS).await?;
        results.append("cleaned up");
        slept
    }));
    kernel.run(yield_now()).unwrap();
    drop(kernel);
    assert!(task.terminated());
    results.are(&["cleaned up"]);
}

#[test]
fn test_kernel_exit() {
    let kernel = virtual_kernel();
    let result = kernel.run(async { Err::<(), _>(Error::exit(1)) });
    assert!(matches!(result, Err(Error::Exit(1))), "{result:?}");
    // Also out of a task that is not the main one; the main one may clean up.
    let results = Results::default();
    let result = kernel.run(with!(results; {
        spawn(async { Err::<(), _>(Error::exit(2)) });
        let slept = sleep(1000 * MS).await;
        sleep(MS).await?;
        results.append("cleaned up");
        slept
    }));
    assert!(matches!(result, Err(Error::Exit(2))), "{result:?}");
    results.are(&["cleaned up"]);
}

#[test]
fn test_kernel_multischedule() {
    in_order(async |w| {
        // In the same instant on the virtual clock..
        assert_eq!(ignore_after(w.t(1), sleep(w.t(1))).await?, Some(()));
        sleep(w.t(3)).await
    });
    // ..and in the same cycle on the real one, because somebody has computed.
    let _guard = Watchdog::start();
    let kernel = Kernel::new().unwrap();
    kernel
        .run(async {
            spawn(async {
                sleep(MS).await?;
                thread::sleep(50 * MS);
                Ok(())
            });
            assert_eq!(ignore_after(20 * MS, sleep(10 * MS)).await?, Some(()));
            let start = clock();
            sleep(5 * MS).await?;
            assert!(clock() - start >= 5 * MS);
            Ok(())
        })
        .unwrap();
    assert_empty(&kernel);
}

// ---- Tests that are gone from Python's suite

#[test]
fn test_return() {
    test_hello();
}

#[test]
fn test_wakeat() {
    everywhere(async |w| {
        let alarm = clock() + w.t(2);
        sleep_until(alarm).await?;
        assert!(clock() >= alarm);
        Ok(())
    });
}

#[test]
fn test_sleep_timeout_absolute() {
    everywhere(async |w| {
        let start = clock();
        let slept = timeout_at(start + w.t(1), sleep(w.t(100))).await;
        assert!(slept.unwrap_err().is_timeout());
        w.passed(start, 1);
        Ok(())
    });
}

#[test]
fn test_sleep_timeout_absolute_context() {
    everywhere(async |w| {
        let block = timeout_at(clock() + w.t(1), async {
            sleep(w.t(100)).await?;
            unreachable!()
        });
        let slept: Result<()> = block.await;
        assert!(slept.unwrap_err().is_timeout());
        Ok(())
    });
}

#[test]
fn test_sleep_ignore_timeout_absolute() {
    everywhere(async |w| {
        let start = clock();
        assert_eq!(ignore_at(start + w.t(1), sleep(w.t(100))).await?, None);
        w.passed(start, 1);
        let block = ignore_at(start + w.t(2), async {
            sleep(w.t(100)).await?;
            Ok(1)
        });
        assert_eq!(block.await?, None);
        w.passed(start, 2);
        Ok(())
    });
}

async fn nap(w: World, units: u32) -> Result<u32> {
    sleep(w.t(units)).await?;
    Ok(units)
}

#[test]
fn test_task_wait_no_cancel() {
    everywhere(async |w| {
        let group = TaskGroup::all();
        for units in [7, 1, 4] {
            group.add_task(spawn(nap(w, units)))?;
        }
        let mut done = Vec::new();
        while let Some(units) = group.next_result().await? {
            done.push(units);
        }
        assert_eq!(done, [1, 4, 7]);
        Ok(())
    });
}

#[test]
fn test_task_wait_cancel() {
    everywhere(async |w| {
        let tasks = [7, 1, 4].map(|units| Some(spawn(nap(w, units))));
        let group = TaskGroup::none();
        let others = group
            .scope(async |group| {
                let mut others = Vec::new();
                for task in tasks.into_iter().flatten() {
                    others.push(task.reference());
                    group.add_task(task)?;
                }
                assert_eq!(group.next_result().await?, Some(1));
                Ok(others)
            })
            .await?;
        let ends: Vec<_> = others
            .iter()
            .map(|task| (task.terminated(), task.cancelled()))
            .collect();
        assert_eq!(ends, [(true, true), (true, false), (true, true)]);
        Ok(())
    });
}

#[test]
fn test_task_wait_add() {
    everywhere(async |w| {
        let group = TaskGroup::all();
        group.add_task(spawn(nap(w, 1)))?;
        assert_eq!(group.next_result().await?, Some(1));
        group.add_task(spawn(nap(w, 2)))?;
        group.add_task(spawn(nap(w, 1)))?;
        assert_eq!(group.next_result().await?, Some(1));
        assert_eq!(group.next_result().await?, Some(2));
        assert_eq!(group.next_result().await?, None);
        Ok(())
    });
}

#[test]
fn test_task_gather() {
    everywhere(async |w| {
        let group = TaskGroup::all();
        for units in [7, 1, 4] {
            group.spawn(nap(w, units));
        }
        group.join().await?;
        assert_eq!(group.results()?, [7, 1, 4]);
        Ok(())
    });
}

#[test]
fn test_task_gather_timeout() {
    everywhere(async |w| {
        let group = TaskGroup::all();
        let tasks = [1, 30].map(|units| group.spawn(nap(w, units)));
        let joined = timeout_after(w.t(5), group.join()).await;
        assert!(joined.unwrap_err().is_timeout());
        assert_eq!(tasks[0].join().await?, 1);
        is_cancelled(tasks[1].join().await);
        Ok(())
    });
}

#[test]
fn test_task_cancel_no_wait() {
    test_task_cancel_not_blocking();
}

#[test]
fn test_defer_cancellation() {
    everywhere(async |w| {
        let results = Results::default();
        let task = spawn(with!(results; {
            disable_cancellation(sleep(w.t(3))).await?;
            results.append("held back");
            let slept = sleep(w.t(100)).await;
            results.append("delivered");
            slept
        }));
        sleep(w.t(1)).await?;
        task.cancel().await?;
        results.are(&["held back", "delivered"]);
        is_cancelled(task.join().await);
        Ok(())
    });
}

#[test]
fn test_defer_cancellation_timeout() {
    everywhere(async |w| {
        let results = Results::default();
        let start = clock();
        let limited = timeout_after(w.t(1), async {
            disable_cancellation(sleep(w.t(3))).await?;
            results.append("held back");
            let slept = sleep(w.t(100)).await;
            results.append("delivered");
            slept
        });
        assert!(limited.await.unwrap_err().is_timeout());
        w.passed(start, 3);
        results.are(&["held back", "delivered"]);
        Ok(())
    });
}

#[test]
fn test_defer_cancellation_nesting() {
    everywhere(async |w| {
        let results = Results::default();
        let task = spawn(with!(results; {
            disable_cancellation(async {
                disable_cancellation(sleep(w.t(3))).await?;
                results.append("inner");
                sleep(w.t(1)).await?;
                results.append("outer");
                Ok::<_, Error>(())
            })
            .await?;
            sleep(w.t(100)).await
        }));
        sleep(w.t(1)).await?;
        task.cancel().await?;
        results.are(&["inner", "outer"]);
        is_cancelled(task.join().await);
        Ok(())
    });
}

#[test]
fn test_illegal_disable_cancellation_exception() {
    virtually(async |w| {
        let made = disable_cancellation(async { Err::<(), _>(Error::Cancelled(Progress::default())) });
        let made = made.await;
        assert!(matches!(made, Err(Error::Cancelled(_))), "{made:?}");
        assert!(!check_cancellation()?);
        sleep(w.t(1)).await?;
        // A task that ends with it, and was not cancelled, has failed.
        let task = spawn(async { Err::<(), _>(Error::Cancelled(Progress::default())) });
        let joined = task.join().await;
        assert!(
            matches!(&joined, Err(Error::Task(error)) if !error.cancelled()),
            "{joined:?}"
        );
        Ok(())
    });
}

#[cfg(feature = "tracing")]
#[test]
fn test_kernel_debug() {
    use curio::debug::{Level, logcrash, longblock, schedtrace, traptrace};
    let _guard = Watchdog::start();
    let builders = [
        Kernel::builder().activation(schedtrace()).activation(traptrace()),
        Kernel::builder().activation(schedtrace().level(Level::DEBUG).filter(["nap"])),
        Kernel::builder()
            .activation(longblock().max_time(Duration::ZERO))
            .activation(logcrash()),
    ];
    for builder in builders {
        let kernel = builder.clock(Clock::Virtual).build().unwrap();
        let ended = kernel.run(async {
            let kid = spawn(nap(World::VIRTUAL, 1));
            kid.join().await
        });
        assert_eq!(ended.unwrap(), 1);
    }
}
