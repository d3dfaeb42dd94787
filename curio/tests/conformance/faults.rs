//! The faults that were found in Python Curio, each by the number under which this project knows it.
//!
//! | | in Python Curio | here |
//! |---|---|---|
//! | B1 | `timeout_after(None)` breaks on a normal exit, and as the outer one of a timeout that fires | below |
//! | B2 | `Condition.notify(n)` with fewer than n waiters ends the kernel | below |
//! | B3 | a cancelled task that leaves a timeout arms the outer deadline again | below |
//! | B4 | a thread that outlives its kernel writes to a descriptor that is closed, or another's by now | below, for wakers and universal objects; for worker threads: `tests/workers.rs`, `tests/leaks.rs` |
//! | B5 | to cancel one member of a group fails the group | below |
//! | B6 | a getter that comes late takes the item of one that was woken, which goes to the end of the line | below |
//! | B7 | closing a socket does not wake its reader | below |
//! | B8 | a connection attempt that is cancelled leaks its socket | below; `tests/net.rs` |
//! | B9 | the losers of a group are cancelled one after the other | below |
//! | B10 | an accept loop that dies does so in silence, and new clients hang | cannot be: what ends the loop is what `run_server` gives; that the loop outlives a lack of descriptors: `tests/faults.rs` |
//! | B11 | several small faults of streams | when streams come |
//! | B12 | `UniversalQueue.full()` is always false, `Queue.full()` not always a bool | below |
//! | B13 | `run_in_thread(call_on_cancel=)` always fails | there is none: what a function gives too late is dropped, and `Drop` is that call; `tests/workers.rs` |
//! | B14 | the waiters of universal events and results are kept without the lock | below |
//! | B15 | a monitor that cannot have its port ends with a traceback | when the monitor comes |
//! | B16 | `SystemExit` in a member leaves at once, its siblings are cancelled much later | below |
//! | B17 | an interrupted `Condition.wait` lets another task's lock be released | below |
//! | B18 | a deadline that passes inside a shield is lost if nothing waits between the shield and the timeout's end | below: it is the rule (an `Ok` stays an `Ok`), and who wants to know can ask |

use std::cell::Cell;
use std::net::TcpStream as StdStream;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use curio::net::TcpListener;
use curio::{
    Clock, Condition, Error, Kernel, Lock, Queue, TaskGroup, UniversalEvent, UniversalQueue, UniversalResult,
    check_cancellation, clock, disable_cancellation, ignore_after, open_connection, sleep, spawn,
    timeout_after, yield_now,
};

use crate::common::{Alone, cleanly, counted, everywhere, run, virtually};
use crate::{Results, assert_empty, fail, is_cancelled, with};

const MS: Duration = Duration::from_millis(1);

#[test]
fn b1_a_timeout_without_a_limit() {
    everywhere(async |w| {
        // A normal exit, with and without waiting.
        timeout_after(None, async { Ok(()) }).await?;
        timeout_after(None, sleep(w.t(1))).await?;
        assert_eq!(ignore_after(None, sleep(w.t(1))).await?, Some(()));
        // The outer one of a timeout that fires, whose error is handled, or is not.
        let start = clock();
        timeout_after(None, async {
            let inner = timeout_after(w.t(1), sleep(w.t(100))).await;
            assert!(inner.unwrap_err().is_timeout());
            sleep(w.t(1)).await
        })
        .await?;
        w.passed(start, 2);
        let uncaught = timeout_after(None, timeout_after(w.t(1), sleep(w.t(100)))).await;
        assert!(matches!(uncaught, Err(Error::UncaughtTimeout)), "{uncaught:?}");
        Ok(())
    });
}

#[test]
fn b2_to_notify_more_than_wait() {
    virtually(async |w| {
        let (lock, condition) = (Lock::new(()), Condition::new());
        condition.notify(1);
        condition.notify(usize::MAX);
        condition.notify_all();
        let waiters = [(); 2]
            .map(|()| spawn(with!(lock, condition; condition.wait(lock.lock().await?).await.map(drop))));
        sleep(w.t(1)).await?;
        let guard = lock.lock().await?;
        condition.notify(3);
        drop(guard);
        for waiter in waiters {
            waiter.join().await?;
        }
        Ok(())
    });
}

#[test]
fn b3_a_cancel_disarms_all_deadlines_around() {
    everywhere(async |w| {
        let results = Results::default();
        let task = spawn(with!(results; {
            timeout_after(w.t(5), async {
                let inner = timeout_after(w.t(3), sleep(w.t(100))).await;
                assert!(matches!(inner, Err(Error::Cancelled(_))), "{inner:?}");
                // Out of the inner block, and longer than both.
                sleep(w.t(10)).await?;
                results.append("cleaned up");
                inner
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
fn b4_threads_that_outlive_the_kernel() {
    let _guard = Alone::start();
    let (event, queue, result) = (
        UniversalEvent::new(),
        UniversalQueue::new(),
        UniversalResult::new(),
    );
    let (sender, receiver) = futures::channel::oneshot::channel();
    let gone = UniversalEvent::new();
    let thread = thread::spawn({
        let (event, queue, result, gone) = (event.clone(), queue.clone(), result.clone(), gone.clone());
        move || {
            gone.blocking_wait().unwrap();
            event.set();
            queue.try_put(7).unwrap();
            assert!(result.set(8));
            sender.send(9)
        }
    });
    let kernel = counted(Kernel::new().unwrap());
    kernel.spawn(with!(event; event.wait().await));
    kernel.spawn(with!(queue; queue.get().await));
    kernel.spawn(with!(result; result.wait().await));
    kernel.spawn(async move { receiver.await.map_err(Error::other) });
    kernel.run(sleep(MS)).unwrap();
    kernel.shutdown().unwrap();
    // What has its descriptors now is not disturbed.
    let next = counted(Kernel::new().unwrap());
    gone.set();
    assert!(thread.join().unwrap().is_err(), "nobody was there to receive");
    next.run(async {
        sleep(MS).await?;
        event.wait().await?;
        assert_eq!(queue.get().await? + result.wait().await?, 15);
        Ok(())
    })
    .unwrap();
    assert_empty(&next);
}

#[test]
fn b5_cancelling_one_member_fails_nobody() {
    virtually(async |w| {
        let group = TaskGroup::all();
        let quick = |units| async move {
            sleep(w.t(units)).await?;
            Ok(units)
        };
        group.spawn(quick(2));
        let victims = [(); 2].map(|()| group.spawn(quick(100)));
        group.spawn(quick(3));
        sleep(w.t(1)).await?;
        victims[0].cancel().await?;
        // Nobody waits for this one but the group.
        victims[1].cancel_nowait();
        group.join().await?;
        assert_eq!(group.results()?, [2, 3]);
        assert!(group.error().is_none() && group.tasks().len() == 2);
        Ok(())
    });
}

#[test]
fn b6_a_late_getter_passes_nobody() {
    virtually(async |w| {
        let (results, queue) = (Results::default(), Queue::new());
        let patient = |name: &'static str| {
            spawn(with!(results, queue; {
                let item: u32 = queue.get().await?;
                results.append(format!("{name} gets {item}"));
                Ok(())
            }))
        };
        let first = patient("first");
        sleep(w.t(1)).await?;
        let second = patient("second");
        sleep(w.t(1)).await?;
        queue.put(1).await?;
        // The first one has been woken, but has not run.
        assert_eq!(queue.try_get()?, None);
        let late = ignore_after(w.t(1), queue.get()).await?;
        assert_eq!(late, None);
        queue.put(2).await?;
        first.join().await?;
        second.join().await?;
        results.are(&["first gets 1", "second gets 2"]);
        Ok(())
    });
}

#[test]
fn b7_closing_a_socket_wakes_its_reader() {
    cleanly(async || {
        let listener = Rc::new(TcpListener::bind("127.0.0.1:0")?);
        let _peer = StdStream::connect(listener.local_addr()?)?;
        let stream = Rc::new(listener.accept().await?.0);
        let reader = spawn(with!(stream; stream.read(&mut [0; 10]).await));
        let acceptor = spawn(with!(listener; listener.accept().await.map(drop)));
        sleep(2 * MS).await?;
        assert!(!reader.terminated() && !acceptor.terminated());
        stream.close();
        listener.close();
        for error in [
            reader.join().await.unwrap_err(),
            acceptor.join().await.unwrap_err(),
        ] {
            assert!(matches!(crate::cause(&error), Error::Closed), "{error:?}");
        }
        Ok(())
    });
}

#[test]
fn b8_a_cancelled_connection_attempt_leaves_no_socket() {
    cleanly(async || {
        // A listener whose queue is full answers no more.
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
        socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into())?;
        socket.listen(0)?;
        let address = socket.local_addr()?.as_socket().unwrap();
        let mut held = Vec::new();
        loop {
            let attempt = spawn(open_connection(address));
            match ignore_after(30 * MS, attempt.wait()).await? {
                Some(()) => held.push(attempt.join().await?),
                None => {
                    attempt.cancel().await?;
                    is_cancelled(attempt.join().await);
                    return Ok(());
                }
            }
            assert!(held.len() < 100);
        }
    });
}

#[test]
fn b9_losers_are_cancelled_at_once() {
    everywhere(async |w| {
        let group = TaskGroup::any();
        for _ in 0..3 {
            // Slow to die.
            group.spawn(async move {
                let slept = sleep(w.t(1000)).await;
                sleep(w.t(5)).await?;
                slept
            });
        }
        group.spawn(sleep(w.t(1)));
        let start = clock();
        group.join().await?;
        w.passed(start, 6);
        assert!(clock() - start < w.t(11));
        Ok(())
    });
}

#[test]
fn b12_full_is_full() {
    let _guard = Alone::start();
    let queue = UniversalQueue::bounded(1);
    assert!(!queue.is_full());
    queue.try_put(1).unwrap();
    assert!(queue.is_full());
    let queue = UniversalQueue::new();
    queue.try_put(1).unwrap();
    assert!(!queue.is_full());
    let queue = Queue::bounded(1);
    assert!(!queue.is_full());
    queue.try_put(1).unwrap();
    assert!(queue.is_full());
    let queue = Queue::new();
    queue.try_put(1).unwrap();
    assert!(!queue.is_full());
}

#[test]
fn b14_waiters_come_and_go_while_others_set() {
    let _guard = Alone::start();
    const ROUNDS: usize = 300;
    let event = UniversalEvent::new();
    let (done, turns) = (Arc::new(Mutex::new(0)), Arc::new(AtomicU32::new(0)));
    let setters = [(); 2].map(|()| {
        let (event, done, turns) = (event.clone(), done.clone(), turns.clone());
        thread::spawn(move || {
            while *done.lock().unwrap() < 2 {
                event.set();
                turns.fetch_add(1, Ordering::Relaxed);
                event.clear();
                thread::yield_now();
            }
        })
    });
    // Tasks that wait, give up, and wait again.
    let kernels = [(); 2].map(|()| {
        let (event, done) = (event.clone(), done.clone());
        thread::spawn(move || {
            let result = run(async {
                let group = TaskGroup::all();
                for _ in 0..10 {
                    group.spawn(with!(event; {
                        for round in 0..ROUNDS {
                            if round % 3 == 0 {
                                let _ = futures::poll!(std::pin::pin!(event.wait()));
                                yield_now().await?;
                            } else {
                                ignore_after(MS / 10, event.wait()).await?;
                            }
                        }
                        Ok(())
                    }));
                }
                group.join().await
            });
            *done.lock().unwrap() += 1;
            result
        })
    });
    kernels
        .into_iter()
        .for_each(|kernel| kernel.join().unwrap().unwrap());
    setters.into_iter().for_each(|setter| setter.join().unwrap());
    assert!(turns.load(Ordering::Relaxed) > 0);
    event.set();
    run(event.wait()).unwrap();
    // And a result is set in the very moment in which tasks come to wait for it.
    for _ in 0..100 {
        let result = UniversalResult::new();
        let setter = thread::spawn({
            let result = result.clone();
            move || result.set(7)
        });
        let got = run(async {
            let group = TaskGroup::all();
            for _ in 0..3 {
                group.spawn(with!(result; result.wait().await));
            }
            group.join().await?;
            group.results()
        });
        assert_eq!(got.unwrap(), [7; 3]);
        assert!(setter.join().unwrap());
    }
}

#[test]
fn b16_an_exit_out_of_a_member_lets_its_siblings_clean_up() {
    let _guard = Alone::start();
    let results = Results::default();
    let kernel = counted(Kernel::builder().clock(Clock::Virtual).build().unwrap());
    let result = kernel.run(with!(results; {
        let group = TaskGroup::<()>::all();
        let scope = group
            .scope(async |g| {
                g.spawn(with!(results; {
                    let slept = sleep(1_000_000 * MS).await;
                    sleep(5 * MS).await?;
                    results.append("sibling has cleaned up");
                    slept
                }));
                g.spawn(async {
                    sleep(MS).await?;
                    Err(Error::exit(3))
                });
            })
            .await;
        results.append("group has ended");
        scope
    }));
    assert!(matches!(result, Err(Error::Exit(3))), "{result:?}");
    results.are(&["sibling has cleaned up", "group has ended"]);
    assert_empty(&kernel);
}

#[test]
fn b17_who_has_lost_the_lock_releases_nobody_elses() {
    virtually(async |w| {
        let (lock, condition) = (Lock::new(()), Condition::new());
        let inside = Rc::new(Cell::new(0));
        // Is notified and stands in line for the lock when its time is up; and is cancelled soon after.
        let victim = spawn(with!(lock, condition; {
            let guard = lock.lock().await?;
            match timeout_after(w.t(1), condition.wait(guard)).await {
                Ok(_guard) => unreachable!("others have the lock"),
                Err(error) => {
                    assert!(error.is_cancellation());
                    sleep(w.t(100)).await
                }
            }
        }));
        sleep(w.t(1) / 2).await?;
        let holders = [(); 3].map(|()| {
            spawn(with!(lock, inside; {
                let _guard = lock.lock().await?;
                assert_eq!(inside.replace(1), 0, "two hold the lock");
                sleep(w.t(2)).await?;
                inside.set(0);
                Ok(())
            }))
        });
        sleep(w.t(1) / 4).await?;
        condition.notify(1);
        sleep(w.t(1)).await?;
        victim.cancel().await?;
        for holder in holders {
            holder.join().await?;
        }
        is_cancelled(victim.join().await);
        assert!(!lock.locked());
        Ok(())
    });
}

#[test]
fn b18_a_deadline_that_passes_inside_a_shield() {
    everywhere(async |w| {
        // Nothing waits after the shield: the timeout's value stays, and nothing comes late.
        timeout_after(w.t(1), disable_cancellation(sleep(w.t(3)))).await?;
        assert!(!check_cancellation()?);
        sleep(w.t(1)).await?;
        // Who wants to know asks, inside of the shield or after it.
        let asked = timeout_after(w.t(1), async {
            disable_cancellation(async {
                sleep(w.t(3)).await?;
                assert!(check_cancellation()?);
                Ok::<_, Error>(())
            })
            .await?;
            check_cancellation().map(drop)
        });
        assert!(asked.await.unwrap_err().is_timeout());
        // And something that waits there hears of it.
        let waited = timeout_after(w.t(1), async {
            disable_cancellation(sleep(w.t(3))).await?;
            yield_now().await
        });
        assert!(waited.await.unwrap_err().is_timeout());
        // What fails in there has failed.
        let failed = timeout_after(w.t(1), disable_cancellation(fail::<()>())).await;
        assert!(crate::is_value_error(&failed.unwrap_err()));
        Ok(())
    });
}
