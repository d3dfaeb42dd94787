//! Every kind of operation below the combinators of the `futures` crate, and beside its channels.
//!
//! The combinators know nothing of kernels: they poll what they like, with wakers of their own, and drop what they do not
//! need. Each operation is tried in each of them, in four situations: it completes; its task is cancelled; a timeout around
//! the combinator expires; the combinator drops it.

#![allow(missing_docs)]

mod common;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io::{Read, Write};
use std::net::TcpStream as StdStream;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use common::{Watchdog, World, in_order, virtually};
use curio::net::{TcpListener, TcpStream};
use curio::{
    BoundedSemaphore, Condition, Error, Event, Kernel, LifoQueue, Lock, PriorityQueue, Promise, Queue, RLock,
    Result, Semaphore, TaskGroup, UniversalEvent, UniversalQueue, UniversalResult, WithTimeout, clock,
    ignore_after, interruptible, sleep, sleep_until, spawn, timeout_after, yield_now,
};
use futures::channel::{mpsc, oneshot};
use futures::future::{self, Either, FutureExt, select};
use futures::stream::{self, FuturesOrdered, FuturesUnordered, StreamExt, TryStreamExt};
use futures::{SinkExt, pin_mut};

type Operation = Pin<Box<dyn Future<Output = Result<()>>>>;

/// An operation that waits, and what ends its wait. What has to be cleaned up is, by what is left of it.
struct Case {
    operation: Operation,
    end: Box<dyn FnOnce()>,
}

fn case(operation: impl Future<Output = Result<()>> + 'static, end: impl FnOnce() + 'static) -> Case {
    Case {
        operation: Box::pin(operation),
        end: Box::new(end),
    }
}

/// A task that ends when it is told, cancelled or not; and how to tell it.
fn task_to_end() -> (Rc<curio::Task<()>>, impl FnOnce()) {
    let end = Event::new();
    let ended = end.clone();
    let task = spawn(async move { curio::disable_cancellation(ended.wait()).await });
    (Rc::new(task), move || end.set())
}

/// The same as the only member of a group.
fn group_to_end() -> (TaskGroup<()>, impl FnOnce()) {
    let (end, group) = (Event::new(), TaskGroup::all());
    let ended = end.clone();
    group.spawn(async move { curio::disable_cancellation(ended.wait()).await });
    (group, move || end.set())
}

type Make = fn(World) -> Case;

/// How to make each kind of operation. All wait until they are ended, or for five units.
const KINDS: &[(&str, Make)] = &[
    ("sleep", |w| case(sleep(w.t(5)), || {})),
    ("sleep_until", |w| case(sleep_until(clock() + w.t(5)), || {})),
    ("a timeout that does not expire", |w| {
        let event = Event::new();
        let ended = event.clone();
        case(
            async move { timeout_after(w.t(9), ended.wait()).await },
            move || event.set(),
        )
    }),
    ("a timeout that expires and is ignored", |w| {
        case(
            async move { ignore_after(w.t(5), sleep(w.t(100))).await.map(drop) },
            || {},
        )
    }),
    ("a timeout without a limit", |w| {
        case(sleep(w.t(5)).timeout(None), || {})
    }),
    ("interruptible", |_| {
        let (sender, receiver) = oneshot::channel::<()>();
        case(
            async move { interruptible(receiver).await?.map_err(Error::other) },
            move || sender.send(()).unwrap_or(()),
        )
    }),
    ("Event::wait", |_| {
        let event = Event::new();
        let ended = event.clone();
        case(async move { ended.wait().await }, move || event.set())
    }),
    ("Lock::lock", |_| {
        let lock = Lock::new(());
        let guard = lock.try_lock();
        case(async move { lock.lock().await.map(drop) }, move || drop(guard))
    }),
    ("RLock::lock", |_| {
        let (lock, ended) = (RLock::new(()), Event::new());
        let guard = Rc::new(RefCell::new(None));
        // The owner is another task.
        let (owned, held, end) = (lock.clone(), guard.clone(), ended.clone());
        let owner = spawn(async move {
            *held.borrow_mut() = owned.try_lock();
            end.wait().await
        });
        case(
            async move {
                while !lock.locked() {
                    yield_now().await?;
                }
                lock.lock().await.map(drop)
            },
            move || {
                ended.set();
                owner.detach();
                drop(guard.take());
            },
        )
    }),
    ("Semaphore::acquire", |_| {
        let semaphore = Semaphore::new(0);
        let ended = semaphore.clone();
        case(async move { ended.acquire().await.map(drop) }, move || {
            semaphore.release()
        })
    }),
    ("BoundedSemaphore::acquire", |_| {
        let semaphore = BoundedSemaphore::new(1);
        let permit = semaphore.try_acquire();
        case(async move { semaphore.acquire().await.map(drop) }, move || {
            drop(permit)
        })
    }),
    ("Condition::wait", |_| {
        let (lock, condition) = (Lock::new(()), Condition::new());
        let ended = condition.clone();
        case(
            async move { condition.wait(lock.lock().await?).await.map(drop) },
            move || ended.notify_all(),
        )
    }),
    ("Condition::wait_for", |_| {
        let (lock, condition) = (Lock::new(Rc::new(Cell::new(false))), Condition::new());
        let (flag, ended) = (lock.try_lock().unwrap().clone(), condition.clone());
        case(
            async move {
                let guard = lock.lock().await?;
                condition.wait_for(guard, |flag| flag.get()).await.map(drop)
            },
            move || {
                flag.set(true);
                ended.notify_all();
            },
        )
    }),
    ("Promise::wait", |_| {
        let promise = Promise::new();
        let ended = promise.clone();
        case(async move { ended.wait().await }, move || {
            assert!(promise.set(()))
        })
    }),
    ("Queue::get", |_| {
        let queue = Queue::new();
        let ended = queue.clone();
        case(async move { ended.get().await }, move || {
            queue.try_put(()).unwrap()
        })
    }),
    ("Queue::next", |_| {
        let queue = Queue::new();
        let ended = queue.clone();
        case(async move { ended.next().await.unwrap() }, move || {
            queue.try_put(()).unwrap()
        })
    }),
    ("Queue::stream", |_| {
        let queue = Queue::new();
        let mut stream = queue.stream();
        case(async move { stream.next().await.unwrap() }, move || {
            queue.try_put(()).unwrap()
        })
    }),
    ("Queue::put", |_| {
        let queue = Queue::bounded(1);
        queue.try_put(1).unwrap();
        let ended = queue.clone();
        case(async move { ended.put(2).await }, move || {
            assert_eq!(queue.try_get().unwrap(), Some(1));
        })
    }),
    ("Queue::join", |_| {
        let queue = Queue::new();
        queue.try_put(1).unwrap();
        let ended = queue.clone();
        case(async move { ended.join().await }, move || queue.task_done())
    }),
    ("LifoQueue::get", |_| {
        let queue = LifoQueue::new();
        let ended = queue.clone();
        case(async move { ended.get().await }, move || {
            queue.try_put(()).unwrap()
        })
    }),
    ("PriorityQueue::get", |_| {
        let queue = PriorityQueue::new();
        let ended = queue.clone();
        case(async move { ended.get().await }, move || {
            queue.try_put(()).unwrap()
        })
    }),
    ("UniversalQueue::get", |_| {
        let queue = UniversalQueue::new();
        let ended = queue.clone();
        case(async move { ended.get().await }, move || {
            queue.try_put(()).unwrap()
        })
    }),
    ("UniversalQueue::next", |_| {
        let queue = UniversalQueue::new();
        let ended = queue.clone();
        case(async move { ended.next().await.unwrap() }, move || {
            queue.try_put(()).unwrap()
        })
    }),
    ("UniversalQueue::put", |_| {
        let queue = UniversalQueue::bounded(1);
        queue.try_put(1).unwrap();
        let ended = queue.clone();
        case(async move { ended.put(2).await }, move || {
            assert_eq!(queue.try_get().unwrap(), Some(1));
        })
    }),
    ("UniversalQueue::join", |_| {
        let queue = UniversalQueue::new();
        queue.try_put(1).unwrap();
        let ended = queue.clone();
        case(async move { ended.join().await }, move || queue.task_done())
    }),
    ("UniversalEvent::wait", |_| {
        let event = UniversalEvent::new();
        let ended = event.clone();
        case(async move { ended.wait().await }, move || event.set())
    }),
    ("UniversalResult::wait", |_| {
        let result = UniversalResult::new();
        let ended = result.clone();
        case(async move { ended.wait().await }, move || assert!(result.set(())))
    }),
    ("Task::join", |_| {
        let (task, end) = task_to_end();
        case(async move { task.join().await }, end)
    }),
    ("Task::wait", |_| {
        let (task, end) = task_to_end();
        case(async move { task.wait().await }, end)
    }),
    ("Task::cancel", |_| {
        let (task, end) = task_to_end();
        case(async move { task.cancel().await }, end)
    }),
    ("Task::cancel_within", |w| {
        let (task, end) = task_to_end();
        case(async move { task.cancel_within(w.t(9)).await }, end)
    }),
    ("TaskRef::wait", |_| {
        let (task, end) = task_to_end();
        let task = task.reference();
        case(async move { task.wait().await }, end)
    }),
    ("TaskRef::cancel", |_| {
        let (task, end) = task_to_end();
        let task = task.reference();
        case(async move { task.cancel().await }, end)
    }),
    ("TaskGroup::join", |_| {
        let (group, end) = group_to_end();
        case(async move { group.join().await }, end)
    }),
    ("TaskGroup::next_done", |_| {
        let (group, end) = group_to_end();
        case(async move { group.next_done().await.map(drop) }, end)
    }),
    ("TaskGroup::next_result", |_| {
        let (group, end) = group_to_end();
        case(async move { group.next_result().await.map(drop) }, end)
    }),
    ("TaskGroup::cancel_remaining", |_| {
        let (group, end) = group_to_end();
        case(async move { group.cancel_remaining().await }, end)
    }),
    ("TaskGroup::scope", |_| {
        let event = Event::new();
        let ended = event.clone();
        case(
            async move {
                let group = TaskGroup::<()>::none();
                group
                    .scope(async |g| {
                        g.spawn(std::future::pending::<Result<()>>());
                        ended.wait().await
                    })
                    .await
            },
            move || event.set(),
        )
    }),
];

/// The combinators. Each gives what the operation gave.
const COMBINATORS: &[&str] = &[
    "join!",
    "try_join!",
    "join_all",
    "select!",
    "select",
    "select_all",
    "FuturesUnordered",
    "FuturesOrdered",
    "buffer_unordered",
    "buffered",
    "for_each_concurrent",
    "catch_unwind, boxed, shared",
    "beside a channel",
];

/// Waits beside the operation, and for something else; ends with it if the combinator wants all to end.
async fn companion(done: Event) -> Result<()> {
    done.wait().await
}

async fn below(combinator: &str, operation: Operation) -> Result<()> {
    let done = Event::new();
    let told = done.clone();
    // Tells the others when it has completed. If it is interrupted, so must they be.
    let operation: Operation = Box::pin(async move {
        operation.await?;
        told.set();
        Ok(())
    });
    let other = || -> Operation { Box::pin(companion(done.clone())) };
    let never = || -> Operation { Box::pin(companion(Event::new())) };
    match combinator {
        "join!" => {
            let (left, result, right) = futures::join!(other(), operation, other());
            same_kind(&result, &[left, right]);
            result
        }
        "try_join!" => futures::try_join!(other(), operation, other()).map(drop),
        "join_all" => {
            let mut all = future::join_all([other(), operation, other()]).await;
            let result = all.remove(1);
            same_kind(&result, &all);
            result
        }
        "select!" => {
            let (mut operation, mut never) = (operation.fuse(), never().fuse());
            futures::select! {
                result = operation => result,
                result = never => { assert!(result.is_err()); result },
            }
        }
        "select" => match select(operation, never()).await {
            Either::Left((result, _)) | Either::Right((result, _)) => result,
        },
        "select_all" => future::select_all([never(), operation, never()]).await.0,
        "FuturesUnordered" => {
            let mut all: FuturesUnordered<_> = [other(), operation, other()].into_iter().collect();
            let mut results = Vec::new();
            while let Some(result) = all.next().await {
                results.push(result);
            }
            results.into_iter().collect()
        }
        "FuturesOrdered" => {
            let mut all: FuturesOrdered<_> = [other(), operation, other()].into_iter().collect();
            let mut results = Vec::new();
            while let Some(result) = all.next().await {
                results.push(result);
            }
            results.remove(1)
        }
        "buffer_unordered" => {
            let all = stream::iter([other(), operation, other()]).buffer_unordered(3);
            all.collect::<Vec<_>>().await.into_iter().collect()
        }
        "buffered" => {
            let all = stream::iter([other(), operation, other()]).buffered(3);
            all.collect::<Vec<_>>().await.remove(1)
        }
        "for_each_concurrent" => {
            let results = RefCell::new(Vec::new());
            stream::iter([other(), operation, other()])
                .for_each_concurrent(None, async |operation| {
                    let result = operation.await;
                    results.borrow_mut().push(result);
                })
                .await;
            results.into_inner().into_iter().collect()
        }
        "catch_unwind, boxed, shared" => {
            let operation = AssertUnwindSafe(operation).catch_unwind();
            let shared = operation
                .map(|result| Rc::new(result.unwrap()))
                .boxed_local()
                .shared();
            let (one, two) = futures::join!(shared.clone(), shared);
            assert!(Rc::ptr_eq(&one, &two));
            drop(one);
            Rc::into_inner(two).unwrap()
        }
        "beside a channel" => {
            let (sender, receiver) = oneshot::channel();
            let sending = async {
                let result = operation.await;
                sender.send(result).unwrap();
            };
            // The receiver is no operation, but it is told whatever comes out.
            let ((), result) = futures::join!(sending, receiver);
            result.unwrap()
        }
        other => unreachable!("{other}"),
    }
}

/// All that waited in the task were interrupted alike. (An operation with a timeout of its own says of one further out that
/// it is further out.)
#[track_caller]
fn same_kind(result: &Result<()>, others: &[Result<()>]) {
    let kind = |result: &Result<()>| match result {
        Ok(()) => "completed",
        Err(Error::Cancelled(_)) => "cancelled",
        Err(Error::Timeout(_) | Error::TimeoutCancellation(_)) => "timed out",
        Err(error) => panic!("{error:?}"),
    };
    for other in others {
        assert_eq!(kind(other), kind(result));
    }
}

/// Runs a program for all operations, each below one combinator in each schedule, until all have had their turn.
fn everything(program: impl AsyncFn(World, &str, Case) -> Result<()>) {
    let turn = Cell::new(0);
    virtually(async |w| {
        let combinator = COMBINATORS[turn.get() % COMBINATORS.len()];
        // Of two schedules each takes half of the operations.
        let half = turn.get() / COMBINATORS.len() % 2;
        turn.set(turn.get() + 1);
        for (name, make) in KINDS.iter().skip(half).step_by(2) {
            let tried = Named(format!("{name} below {combinator}"));
            program(w, combinator, make(w)).await?;
            tried.well();
        }
        Ok(())
    });
    assert!(turn.get() > 30 * COMBINATORS.len());
}

/// Says what was tried, if it fails.
struct Named(String);

impl Named {
    fn well(mut self) {
        self.0.clear();
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        if !self.0.is_empty() {
            eprintln!("this was {}", self.0);
        }
    }
}

#[test]
fn each_completes_below_each() {
    everything(async |w, combinator, case| {
        let start = clock();
        let end = case.end;
        let ender = spawn(async move {
            sleep(w.t(1)).await?;
            end();
            Ok(())
        });
        let combinator = combinator.to_string();
        let task = spawn(async move { below(&combinator, case.operation).await });
        task.join().await?;
        ender.join().await?;
        let passed = clock() - start;
        assert!(passed == w.t(1) || passed == w.t(5), "after {passed:?}");
        Ok(())
    });
}

#[test]
fn a_cancel_reaches_each_below_each() {
    everything(async |w, combinator, case| {
        let combinator = combinator.to_string();
        let task = spawn(async move {
            let result = below(&combinator, case.operation).await;
            assert!(matches!(result, Err(Error::Cancelled(_))), "{result:?}");
            // Once.
            sleep(w.t(1)).await?;
            result
        });
        sleep(w.t(1)).await?;
        task.cancel_nowait();
        // A group waits for its member.
        sleep(w.t(1)).await?;
        (case.end)();
        let joined = task.join().await;
        assert!(
            matches!(&joined, Err(Error::Task(error)) if error.cancelled()),
            "{joined:?}"
        );
        // All that was to end has ended.
        sleep(w.t(9)).await
    });
}

#[test]
fn a_timeout_reaches_each_below_each() {
    everything(async |w, combinator, case| {
        let combinator = combinator.to_string();
        let task = spawn(async move {
            let result = timeout_after(w.t(1), below(&combinator, case.operation)).await;
            assert!(matches!(result, Err(Error::Timeout(_))), "{result:?}");
            // And it is over.
            sleep(w.t(2)).await
        });
        sleep(w.t(2)).await?;
        (case.end)();
        task.join().await?;
        sleep(w.t(9)).await
    });
}

#[test]
fn a_timeout_inside_each_is_its_own() {
    everything(async |w, combinator, case| {
        let combinator = combinator.to_string();
        let task = spawn(async move {
            let limited: Operation = Box::pin(async move {
                let result = timeout_after(w.t(1), case.operation).await;
                assert!(matches!(result, Err(Error::Timeout(_))), "{result:?}");
                Ok(())
            });
            below(&combinator, limited).await
        });
        sleep(w.t(2)).await?;
        (case.end)();
        task.join().await?;
        sleep(w.t(9)).await
    });
}

#[test]
fn each_may_be_dropped_below_each() {
    everything(async |w, combinator, case| {
        let combinator = combinator.to_string();
        let task = spawn(async move {
            let all = below(&combinator, case.operation);
            pin_mut!(all);
            match select(all, sleep(w.t(1))).await {
                Either::Left((result, _)) => panic!("{result:?}"),
                Either::Right((slept, _)) => slept?,
            }
            Ok(())
        });
        task.join().await?;
        (case.end)();
        sleep(w.t(9)).await
    });
}

#[test]
fn each_is_dropped_with_its_task_below_each() {
    everything(async |w, combinator, case| {
        let combinator = combinator.to_string();
        let task = spawn(async move {
            let never = std::future::pending::<()>();
            let all = below(&combinator, case.operation);
            // Shielded, so that it does not hear of the cancel and the task is dropped where it stands.
            curio::disable_cancellation(async { futures::join!(never, all).1 }).await
        });
        sleep(w.t(1)).await?;
        task.cancel_within(w.t(1)).await?;
        assert!(task.terminated());
        (case.end)();
        sleep(w.t(9)).await
    });
}

// ---- Sockets, on the real clock

const MS: Duration = Duration::from_millis(1);

async fn pair() -> Result<(Rc<TcpStream>, StdStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let peer = StdStream::connect(listener.local_addr()?)?;
    Ok((Rc::new(listener.accept().await?.0), peer))
}

/// One that takes no more bytes.
async fn full_pair() -> Result<(Rc<TcpStream>, StdStream)> {
    let (stream, peer) = pair().await?;
    while ignore_after(2 * MS, stream.write(&[0; 1 << 16])).await?.is_some() {}
    Ok((stream, peer))
}

/// Takes everything that comes, on a thread of its own.
fn swallow_all(mut peer: StdStream) {
    thread::spawn(move || {
        let mut buf = vec![0; 1 << 16];
        while peer.read(&mut buf).is_ok_and(|n| n > 0) {}
    });
}

async fn sockets() -> Result<Vec<(&'static str, Case)>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let accept = case(async move { listener.accept().await.map(drop) }, move || {
        drop(StdStream::connect(address))
    });
    let (stream, mut peer) = pair().await?;
    let read = case(
        async move { stream.read(&mut [0; 10]).await.map(drop) },
        move || drop(peer.write_all(b"abc")),
    );
    let (stream, mut peer) = pair().await?;
    peer.write_all(b"ab")?;
    let read_exact = case(async move { stream.read_exact(&mut [0; 3]).await }, move || {
        drop(peer.write_all(b"c"))
    });
    let (stream, peer) = full_pair().await?;
    let write = case(async move { stream.write(b"abc").await.map(drop) }, move || {
        swallow_all(peer)
    });
    let (stream, peer) = full_pair().await?;
    let write_all = case(async move { stream.write_all(b"abc").await }, move || {
        swallow_all(peer)
    });
    Ok(vec![
        ("accept", accept),
        ("read", read),
        ("read_exact", read_exact),
        ("write", write),
        ("write_all", write_all),
    ])
}

#[test]
fn sockets_below_each() {
    async fn situation(what: &str, combinator: &str, operation: Operation) -> Result<()> {
        let all = below(combinator, operation);
        match what {
            "completes" => all.await,
            "is cancelled" => {
                let result = all.await;
                assert!(matches!(result, Err(Error::Cancelled(_))), "{result:?}");
                result
            }
            "times out" => {
                let result = timeout_after(MS, all).await;
                assert!(matches!(result, Err(Error::Timeout(_))), "{result:?}");
                Ok(())
            }
            _ => {
                pin_mut!(all);
                select(all, sleep(MS)).await.factor_first().0
            }
        }
    }
    let _guard = Watchdog::start();
    let kernel = Kernel::new().unwrap();
    for combinator in COMBINATORS {
        for what in ["completes", "is cancelled", "times out", "is dropped"] {
            let program = async {
                let mut tasks = Vec::new();
                for (name, case) in sockets().await? {
                    let task = spawn(situation(what, combinator, case.operation));
                    tasks.push((name, task, case.end));
                }
                sleep(2 * MS).await?;
                for (name, task, end) in tasks {
                    let tried = Named(format!("{name} below {combinator} that {what}"));
                    match what {
                        "completes" => {
                            assert!(!task.terminated());
                            end();
                            task.join().await?;
                        }
                        "is cancelled" => {
                            task.cancel().await?;
                            end();
                            let joined = task.join().await;
                            let cancelled = matches!(&joined, Err(Error::Task(e)) if e.cancelled());
                            assert!(cancelled, "{joined:?}");
                        }
                        _ => {
                            task.join().await?;
                            end();
                        }
                    }
                    tried.well();
                }
                Ok(())
            };
            kernel.run(program).unwrap();
            kernel.run_all().unwrap();
            assert_eq!(
                format!("{kernel:?}"),
                "Kernel { tasks: 0, waits: 0, scopes: 0, timers: 0, sockets: 0 }"
            );
        }
    }
}

// ---- Beside channels

#[test]
fn items_go_through_foreign_and_own_queues() {
    virtually(async |w| {
        let (mut sender, mut receiver) = mpsc::channel::<u32>(2);
        let queue = Queue::bounded(2);
        let producer = spawn(async move {
            for n in 0..20 {
                sender.send(n).await.map_err(Error::other)?;
                if n % 5 == 0 {
                    sleep(w.t(1)).await?;
                }
            }
            Ok(())
        });
        let porter = spawn({
            let queue = queue.clone();
            async move {
                while let Some(item) = receiver.next().await {
                    queue.put(item).await?;
                }
                queue.close();
                Ok(())
            }
        });
        let got: Vec<u32> = queue.stream().try_collect().await?;
        assert_eq!(got, Vec::from_iter(0..20));
        producer.join().await?;
        porter.join().await
    });
}

/// An item is in the queue, or was received: whatever interrupts the loop, and however `select!` decides.
#[test]
fn a_select_loop_loses_nothing() {
    virtually(async |w| {
        let (queue, got) = (Queue::bounded(3), Rc::new(RefCell::new(Vec::new())));
        let producer = spawn({
            let queue = queue.clone();
            async move {
                for n in 0..30 {
                    queue.put(n).await?;
                    if n % 4 == 3 {
                        sleep(w.t(1)).await?;
                    }
                }
                queue.close();
                Ok(())
            }
        });
        // Three consumers: one is cancelled, one gives up again and again, and one is interrupted by a foreign channel.
        let cancelled = spawn({
            let (queue, got) = (queue.clone(), got.clone());
            async move {
                loop {
                    let (mut item, mut tick) = (queue.get().fuse(), sleep(w.t(1)).fuse());
                    futures::select! {
                        item = item => got.borrow_mut().push(item?),
                        tick = tick => tick?,
                    }
                }
                #[allow(unreachable_code)]
                Result::Ok(())
            }
        });
        let impatient = spawn({
            let (queue, got) = (queue.clone(), got.clone());
            async move {
                loop {
                    match timeout_after(w.t(1) / 2, queue.get()).await {
                        Ok(item) => got.borrow_mut().push(item),
                        Err(Error::Timeout(_)) => {}
                        Err(Error::Closed) => return Ok(()),
                        Err(error) => return Err(error),
                    }
                }
            }
        });
        let (mut interrupt, mut interrupted) = mpsc::unbounded();
        let disturbed = spawn({
            let (queue, got) = (queue.clone(), got.clone());
            async move {
                loop {
                    let mut item = queue.get().fuse();
                    futures::select! {
                        item = item => match item {
                            Ok(item) => got.borrow_mut().push(item),
                            Err(Error::Closed) => return Ok(()),
                            Err(error) => return Err(error),
                        },
                        _ = interrupted.next() => {}
                    }
                }
            }
        });
        for _ in 0..4 {
            sleep(w.t(1)).await?;
            interrupt.send(()).await.map_err(Error::other)?;
        }
        cancelled.cancel().await?;
        // Ended by somebody else's channel no more; that ends, too.
        producer.join().await?;
        impatient.join().await?;
        disturbed.join().await?;
        let mut got = got.take();
        got.sort_unstable();
        assert_eq!(got, Vec::from_iter(0..30));
        Ok(())
    });
}

#[test]
fn a_stream_of_operations_is_interrupted_and_goes_on() {
    virtually(async |w| {
        let queue = Queue::new();
        for n in 1..=12u32 {
            queue.put(n).await?;
        }
        queue.close();
        let done = Rc::new(Cell::new(0));
        // At most three at a time, each of them for one unit: four in all; two are allowed.
        let work = queue.stream().try_for_each_concurrent(3, async |_| {
            sleep(w.t(1)).await?;
            done.set(done.get() + 1);
            Ok(())
        });
        let stopped = timeout_after(w.t(5) / 2, work).await;
        assert!(matches!(stopped, Err(Error::Timeout(_))), "{stopped:?}");
        assert_eq!(done.get(), 6);
        // Three more were taken and are lost with the work on them, which is the program's matter; no other is.
        assert_eq!(queue.len(), 3);
        let rest: Vec<u32> = queue.stream().try_collect().await?;
        assert_eq!(rest, [10, 11, 12]);
        Ok(())
    });
}

#[test]
fn a_cancelled_task_hears_of_it_beside_a_foreign_channel() {
    virtually(async |w| {
        let (sender, receiver) = oneshot::channel::<()>();
        let task = spawn(async move {
            let slept = Cell::new(None);
            let sleeper = async { slept.set(Some(sleep(w.t(100)).await.is_err())) };
            let waiter = interruptible(receiver);
            let ((), waited) = futures::join!(sleeper, waiter);
            assert_eq!(slept.get(), Some(true));
            let error = waited.unwrap_err();
            assert!(matches!(error, Error::Cancelled(_)), "{error:?}");
            Err::<(), _>(error)
        });
        sleep(w.t(1)).await?;
        task.cancel().await?;
        assert!(sender.is_canceled(), "the receiver was dropped");
        Ok(())
    });
}

/// The future that all share is polled by whichever task is woken.
#[test]
fn a_shared_operation_wakes_all_who_share_it() {
    virtually(async |w| {
        let (event, results) = (Event::new(), Rc::new(Cell::new(0)));
        let operation = {
            let event = event.clone();
            async move { event.wait().await.is_ok() }.boxed_local().shared()
        };
        let tasks: Vec<_> = (0..3)
            .map(|_| {
                let (operation, results) = (operation.clone(), results.clone());
                spawn(async move {
                    assert!(operation.await);
                    results.set(results.get() + 1);
                })
            })
            .collect();
        sleep(w.t(1)).await?;
        event.set();
        for task in tasks {
            task.join().await?;
        }
        assert_eq!(results.get(), 3);
        Ok(())
    });
}

#[test]
fn an_operation_that_is_aborted_is_dropped() {
    virtually(async |w| {
        let queue = Queue::new();
        let (operation, abort) = future::abortable({
            let queue = queue.clone();
            async move { queue.get().await }
        });
        let task = spawn(async move { operation.await.map_err(Error::other)? });
        sleep(w.t(1)).await?;
        abort.abort();
        let joined = task.join().await.unwrap_err();
        assert!(joined.to_string().contains("aborted"), "{joined}");
        queue.put(7).await?;
        assert_eq!(queue.try_get()?, Some(7));
        Ok(())
    });
}

#[test]
fn an_operation_that_was_polled_in_passing_waits_all_the_same() {
    virtually(async |w| {
        let event = Event::new();
        let mut wait = event.wait();
        // With a waker that wakes nobody.
        assert!((&mut wait).now_or_never().is_none());
        spawn({
            let event = event.clone();
            async move {
                sleep(w.t(1)).await?;
                event.set();
                Ok(())
            }
        });
        wait.await
    });
}

#[test]
fn unordered_sleeps_come_in_the_order_of_their_deadlines() {
    virtually(async |w| {
        let delays = [5, 3, 9, 1, 7];
        let mut sleeps: FuturesUnordered<_> = delays
            .iter()
            .map(|&units| sleep(w.t(units)).map(move |slept| slept.map(|()| units)))
            .collect();
        let mut order = Vec::new();
        while let Some(units) = sleeps.try_next().await? {
            order.push(units);
        }
        assert_eq!(order, [1, 3, 5, 7, 9]);
        Ok(())
    });
}

#[test]
fn a_thousand_operations_below_one_combinator() {
    in_order(async |w| {
        let semaphore = Semaphore::new(7);
        let inside = Cell::new(0);
        let start = clock();
        stream::iter(0..1_000)
            .for_each_concurrent(None, async |_| {
                let _permit = semaphore.acquire().await.unwrap();
                inside.set(inside.get() + 1);
                assert!(inside.get() <= 7);
                sleep(w.t(1)).await.unwrap();
                inside.set(inside.get() - 1);
            })
            .await;
        w.passed(start, 143);
        Ok(())
    });
}
