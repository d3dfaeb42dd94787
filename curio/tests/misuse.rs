//! Mistakes that a program can make, and what it is told: what is wrong, and what to do instead.
//!
//! Each row of a table is a mistake, how it shows (an error to be handled, or a panic that the documentation announces),
//! and the words. What cannot be written (a guard that was not acquired, a kernel that was shut down, a value that is no
//! `Result`) the compiler refuses: `tests/compile`.

#![allow(missing_docs)]

mod common;

use std::any::Any;
use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use common::Watchdog;
use curio::net::{TcpListener, TcpStream};
use curio::{
    BoundedSemaphore, Clock, Condition, Error, Event, Kernel, LifoQueue, Lock, Outcome, PriorityQueue,
    Promise, Queue, RLock, Result, Semaphore, Task, TaskGroup, UniversalEvent, UniversalQueue,
    UniversalResult, check_cancellation, current_task, interruptible, run, sleep, spawn, spawn_daemon, task,
    yield_now,
};

const SEC: Duration = Duration::from_secs(1);

fn virtual_kernel() -> Kernel {
    Kernel::builder().clock(Clock::Virtual).build().unwrap()
}

/// On the virtual clock, where a program that cannot go on is an error and not a test that hangs.
fn try_run<F: Future<Output: Outcome>>(main: F) -> Result<curio::Value<F>> {
    let kernel = virtual_kernel();
    let result = kernel.run(main);
    kernel.shutdown()?;
    result
}

/// How a mistake shows.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shows {
    Error,
    Panic,
}
use Shows::{Error as E, Panic as P};

/// What is wrong; how it shows; the mistake; the words.
type Row<'a> = (&'a str, Shows, fn() -> Result<()>, &'a str);

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}

/// What a mistake says, and how.
fn show(mistake: impl FnOnce() -> Result<()>) -> Option<(Shows, String)> {
    match catch_unwind(AssertUnwindSafe(mistake)) {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some((E, error.to_string())),
        Err(panic) => Some((P, words(&*panic))),
    }
}

#[track_caller]
fn check(table: &[Row<'_>]) {
    let _guard = Watchdog::start();
    for &(what, how, mistake, says) in table {
        let shown = show(mistake);
        let (shown, said) = shown.unwrap_or_else(|| panic!("{what}: nothing is said"));
        assert_eq!(shown, how, "{what}: {said}");
        assert!(said.contains(says), "{what}: {said}");
    }
}

/// A task that has its own handle.
async fn with_itself<F>(body: impl FnOnce(Rc<Task<()>>) -> F + 'static) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    let (handle, given) = (Rc::new(RefCell::new(None)), Event::new());
    let task = spawn({
        let (handle, given) = (handle.clone(), given.clone());
        async move {
            given.wait().await?;
            let me: Rc<Task<()>> = handle.borrow_mut().take().unwrap();
            body(me).await
        }
    });
    let task = Rc::new(task);
    *handle.borrow_mut() = Some(task.clone());
    given.set();
    match task.join().await {
        Err(Error::Task(error)) if error.cancelled() => Ok(()),
        Err(Error::Task(error)) => Err(Error::other(error)),
        result => result,
    }
}

const ONESELF: &str = "a task cannot wait for its own end (to cancel oneself, use cancel_nowait)";

#[test]
fn a_task_and_itself() {
    check(&[
        (
            "it joins itself",
            E,
            || try_run(with_itself(async |me| me.join().await)),
            ONESELF,
        ),
        (
            "it waits for itself",
            E,
            || try_run(with_itself(async |me| me.wait().await)),
            ONESELF,
        ),
        (
            "it cancels itself and waits for that",
            E,
            || try_run(with_itself(async |me| me.cancel().await)),
            ONESELF,
        ),
        (
            "with a limit",
            E,
            || try_run(with_itself(async |me| me.cancel_within(SEC).await)),
            ONESELF,
        ),
        (
            "by its reference",
            E,
            || try_run(async { current_task().cancel().await }),
            ONESELF,
        ),
        (
            "by its reference, only waiting",
            E,
            || try_run(async { current_task().wait().await }),
            ONESELF,
        ),
    ]);
    // What was refused has asked for nothing.
    try_run(async {
        let me = current_task();
        assert!(me.cancel().await.is_err() && !me.cancelled());
        yield_now().await
    })
    .unwrap();
    // And this is what to do.
    let cancelled = try_run(async {
        current_task().cancel_nowait();
        yield_now().await
    });
    assert!(matches!(cancelled, Err(Error::Cancelled(_))), "{cancelled:?}");
}

#[test]
fn a_value_is_handed_out_once() {
    check(&[
        (
            "a task is joined twice",
            E,
            || {
                try_run(async {
                    let kid = spawn(async {});
                    kid.join().await?;
                    kid.join().await
                })
            },
            "the task was joined already, its value is gone",
        ),
        (
            "a group's values are taken twice",
            E,
            || {
                try_run(async {
                    let group = TaskGroup::<()>::all();
                    group.spawn(async {});
                    group.join().await?;
                    group.results()?;
                    group.results().map(drop)
                })
            },
            "the task was joined already, its value is gone",
        ),
    ]);
}

#[test]
fn outside_of_a_kernel() {
    /// Polls where no task is.
    fn poll<T>(operation: impl Future<Output = Result<T>>) -> Result<()> {
        let mut operation = std::pin::pin!(operation);
        match operation.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => result.map(drop),
            Poll::Pending => Ok(()),
        }
    }
    const USE: &str = "this needs the running kernel that it belongs to (use it inside curio::run)";
    const SPAWN: &str = "no kernel runs in this thread: spawn inside curio::run, or use Kernel::spawn";
    check(&[
        (
            "spawn",
            P,
            || {
                spawn(async {}).detach();
                Ok(())
            },
            SPAWN,
        ),
        (
            "spawn_daemon",
            P,
            || {
                spawn_daemon(async {}).detach();
                Ok(())
            },
            SPAWN,
        ),
        (
            "task().spawn",
            P,
            || {
                task(async {}).spawn().detach();
                Ok(())
            },
            SPAWN,
        ),
        (
            "TaskGroup::spawn",
            P,
            || {
                TaskGroup::all().spawn(async {}).detach();
                Ok(())
            },
            SPAWN,
        ),
        (
            "current_task",
            P,
            || {
                current_task();
                Ok(())
            },
            "no task is running here: call current_task in a future that was given to curio::run or spawn",
        ),
        ("check_cancellation", E, || check_cancellation().map(drop), USE),
        ("sleep", E, || poll(sleep(SEC)), USE),
        ("yield_now", E, || poll(yield_now()), USE),
        (
            "interruptible",
            E,
            || poll(interruptible(std::future::pending::<()>())),
            USE,
        ),
        ("Event::wait", E, || poll(Event::new().wait()), USE),
        (
            "Lock::lock",
            E,
            || {
                let lock = Lock::new(());
                let _held = lock.try_lock();
                poll(lock.lock())
            },
            USE,
        ),
        (
            "RLock::lock",
            E,
            || {
                let lock = RLock::new(());
                let _held = lock.try_lock();
                poll(lock.lock())
            },
            USE,
        ),
        ("Semaphore::acquire", E, || poll(Semaphore::new(0).acquire()), USE),
        (
            "Condition::wait",
            E,
            || poll(Condition::new().wait(Lock::new(()).try_lock().unwrap())),
            USE,
        ),
        ("Promise::wait", E, || poll(Promise::<()>::new().wait()), USE),
        ("Queue::get", E, || poll(Queue::<()>::new().get()), USE),
        (
            "Queue::put",
            E,
            || {
                let queue = Queue::bounded(1);
                queue.try_put(1).unwrap();
                poll(queue.put(2))
            },
            USE,
        ),
        (
            "TcpListener::bind",
            E,
            || TcpListener::bind("127.0.0.1:0").map(drop),
            USE,
        ),
        (
            "TcpStream::connect",
            E,
            || poll(TcpStream::connect("127.0.0.1:1")),
            USE,
        ),
    ]);
}

#[test]
fn a_kernel_in_a_kernel() {
    const RUNNING: &str =
        "a kernel is running in this thread already (spawn or await there, or use another thread)";
    check(&[
        ("run", E, || try_run(async { run(async {}) }), RUNNING),
        (
            "its own run",
            E,
            || {
                let k = virtual_kernel();
                k.run(async { k.run(async {}) })
            },
            RUNNING,
        ),
        (
            "another's run",
            E,
            || try_run(async { virtual_kernel().run(async {}) }),
            RUNNING,
        ),
        (
            "run_all",
            E,
            || try_run(async { virtual_kernel().run_all() }),
            RUNNING,
        ),
        (
            "run_once",
            E,
            || try_run(async { virtual_kernel().run_once().map(drop) }),
            RUNNING,
        ),
        (
            "shutdown",
            E,
            || try_run(async { virtual_kernel().shutdown() }),
            RUNNING,
        ),
        // To block the thread would stop everything.
        (
            "UniversalQueue::blocking_get",
            E,
            || try_run(async { UniversalQueue::<()>::new().blocking_get() }),
            RUNNING,
        ),
        (
            "UniversalQueue::blocking_get_timeout",
            E,
            || try_run(async { UniversalQueue::<()>::new().blocking_get_timeout(SEC) }),
            RUNNING,
        ),
        (
            "UniversalQueue::blocking_put",
            E,
            || try_run(async { UniversalQueue::new().blocking_put(1) }),
            RUNNING,
        ),
        (
            "UniversalQueue::blocking_put_timeout",
            E,
            || try_run(async { UniversalQueue::new().blocking_put_timeout(1, SEC) }),
            RUNNING,
        ),
        (
            "UniversalQueue::blocking_join",
            E,
            || try_run(async { UniversalQueue::<()>::new().blocking_join() }),
            RUNNING,
        ),
        (
            "UniversalEvent::blocking_wait",
            E,
            || try_run(async { UniversalEvent::new().blocking_wait() }),
            RUNNING,
        ),
        (
            "UniversalEvent::blocking_wait_timeout",
            E,
            || try_run(async { UniversalEvent::new().blocking_wait_timeout(SEC) }),
            RUNNING,
        ),
        (
            "UniversalResult::blocking_wait",
            E,
            || try_run(async { UniversalResult::<()>::new().blocking_wait() }),
            RUNNING,
        ),
        (
            "UniversalResult::blocking_wait_timeout",
            E,
            || try_run(async { UniversalResult::<()>::new().blocking_wait_timeout(SEC) }),
            RUNNING,
        ),
    ]);
    // What is refused does no harm.
    try_run(async {
        assert!(run(async {}).is_err());
        drop(virtual_kernel());
        sleep(SEC).await
    })
    .unwrap();
}

type Operation = Pin<Box<dyn Future<Output = Result<()>>>>;

/// An operation that is kept while it waits.
struct Kept {
    name: &'static str,
    operation: Operation,
    /// Makes a second operation on the same thing.
    again: Box<dyn Fn() -> Operation>,
}

fn kept<F: Future<Output = Result<()>> + 'static>(
    name: &'static str,
    make: impl Fn() -> F + 'static,
) -> Kept {
    Kept {
        name,
        operation: Box::pin(make()),
        again: Box::new(move || Box::pin(make())),
    }
}

/// One of each kind. To be made in a task.
fn one_of_each() -> Vec<Kept> {
    let (event, lock, rlock, semaphore) = (Event::new(), Lock::new(()), RLock::new(()), Semaphore::new(0));
    let bounded = BoundedSemaphore::new(0);
    let (condition, free) = (Condition::new(), Lock::new(()));
    let promise = Promise::<()>::new();
    let (empty, full) = (Queue::<()>::new(), Queue::bounded(1));
    full.try_put(()).unwrap();
    let (undone, next) = (full.clone(), empty.clone());
    let (lifo, smallest) = (LifoQueue::<u32>::new(), PriorityQueue::<u32>::new());
    let held = Rc::new((lock.try_lock(), RefCell::new(None)));
    let kid = Rc::new(spawn(sleep(Duration::MAX)));
    let (waited, reference) = (kid.clone(), kid.reference());
    let group = TaskGroup::<()>::all();
    group.spawn(sleep(Duration::MAX));
    let members = group.clone();
    // The owner is another task.
    *held.1.borrow_mut() = rlock.try_lock();
    let rlocked = held.clone();
    vec![
        kept("Event::wait", move || {
            let event = event.clone();
            async move { event.wait().await }
        }),
        kept("Lock::lock", move || {
            let (lock, _held) = (lock.clone(), held.clone());
            async move { lock.lock().await.map(drop) }
        }),
        kept("RLock::lock", move || {
            let (rlock, _held) = (rlock.clone(), rlocked.clone());
            async move { rlock.lock().await.map(drop) }
        }),
        kept("Semaphore::acquire", move || {
            let semaphore = semaphore.clone();
            async move { semaphore.acquire().await.map(drop) }
        }),
        kept("BoundedSemaphore::acquire", move || {
            let bounded = bounded.clone();
            async move { bounded.acquire().await.map(drop) }
        }),
        kept("Condition::wait", move || {
            let (condition, free) = (condition.clone(), free.clone());
            async move { condition.wait(free.lock().await?).await.map(drop) }
        }),
        kept("Promise::wait", move || {
            let promise = promise.clone();
            async move { promise.wait().await }
        }),
        kept("Queue::get", move || {
            let queue = empty.clone();
            async move { queue.get().await }
        }),
        kept("Queue::next", move || {
            let queue = next.clone();
            async move { queue.next().await.unwrap() }
        }),
        kept("Queue::put", move || {
            let queue = full.clone();
            async move { queue.put(()).await }
        }),
        kept("Queue::join", move || {
            let queue = undone.clone();
            async move { queue.join().await }
        }),
        kept("LifoQueue::get", move || {
            let queue = lifo.clone();
            async move { queue.get().await.map(drop) }
        }),
        kept("PriorityQueue::get", move || {
            let queue = smallest.clone();
            async move { queue.get().await.map(drop) }
        }),
        kept("Task::join", move || {
            let kid = kid.clone();
            async move { kid.join().await }
        }),
        kept("Task::wait", move || {
            let kid = waited.clone();
            async move { kid.wait().await }
        }),
        kept("TaskRef::wait", move || {
            let kid = reference.clone();
            async move { kid.wait().await }
        }),
        kept("TaskGroup::next_done", move || {
            let group = members.clone();
            async move { group.next_done().await.map(drop) }
        }),
        kept("TaskGroup::join", move || {
            let group = group.clone();
            async move { group.join().await }
        }),
    ]
}

async fn begin(kept: &mut Kept) {
    let name = kept.name;
    poll_fn(|cx| {
        let polled = kept.operation.as_mut().poll(cx);
        assert!(polled.is_pending(), "{name}: {polled:?}");
        Poll::Ready(())
    })
    .await;
}

/// Operations that wait in one living kernel, and something that does so in another.
#[test]
fn two_kernels() {
    let _guard = Watchdog::start();
    let (one, two) = (virtual_kernel(), virtual_kernel());
    let mut all = one.run(async { Ok(one_of_each()) }).unwrap();
    one.run(async {
        for kept in &mut all {
            begin(kept).await;
        }
    })
    .unwrap();
    let names = two
        .run(async {
            let mut refused = 0;
            for kept in &mut all {
                let result = (kept.again)().await;
                let error = result.expect_err(kept.name);
                assert!(matches!(error, Error::NoKernel), "{}: {error:?}", kept.name);
                assert!(error.to_string().contains("(use it inside curio::run)"));
                // The operation itself may not move there either.
                let moved = kept.operation.as_mut().await;
                assert!(matches!(moved, Err(Error::NoKernel)), "{}: {moved:?}", kept.name);
                refused += 1;
            }
            Ok(refused)
        })
        .unwrap();
    assert_eq!(names, all.len());
    drop(all);
    assert_empty(&two);
}

#[track_caller]
fn assert_empty(kernel: &Kernel) {
    assert_eq!(
        format!("{kernel:?}"),
        "Kernel { tasks: 0, waits: 0, scopes: 0, timers: 0, sockets: 0 }"
    );
}

/// Guards, handles and operations that outlive their kernel do no harm, in any order, and say a clear word.
#[test]
fn what_outlives_its_kernel() {
    let _guard = Watchdog::start();
    let kernel = virtual_kernel();
    let mut all = kernel.run(async { Ok(one_of_each()) }).unwrap();
    let (lock, rlock, semaphore) = (Lock::new(1), RLock::new(2), Semaphore::new(1));
    let (guards, kids, group) = kernel
        .run(async {
            for kept in &mut all {
                begin(kept).await;
            }
            let guards = (
                lock.lock().await?,
                rlock.lock().await?,
                semaphore.acquire().await?,
            );
            let kids = [spawn(sleep(SEC)), spawn(sleep(Duration::MAX))];
            let group = TaskGroup::all();
            group.spawn(sleep(Duration::MAX));
            sleep(2 * SEC).await?;
            Ok((guards, kids, group))
        })
        .unwrap();
    kernel.shutdown().unwrap();

    // Handles know what has happened.
    assert!(kids.iter().all(Task::terminated));
    kids[1].cancel_nowait();
    let next = virtual_kernel();
    next.run(async {
        kids[1].cancel().await?;
        kids[0].join().await?;
        let joined = kids[1].join().await;
        assert!(
            matches!(&joined, Err(Error::Task(error)) if error.cancelled()),
            "{joined:?}"
        );
        group.join().await?;
        // The guards still guard.
        assert!(lock.locked() && rlock.locked() && semaphore.locked());
        assert!(!rlock.is_mine());
        Ok(())
    })
    .unwrap();
    drop(guards);
    assert!(!lock.locked() && !rlock.locked() && !semaphore.locked());

    // Operations that waited there do not hang here: they complete, wait anew, or say what is wrong.
    for mut kept in all {
        let name = kept.name;
        let result = next.run(async { curio::ignore_after(SEC, kept.operation.as_mut()).await });
        match (name, result) {
            // What they waited for has happened: it is gone.
            ("TaskRef::wait" | "Task::wait" | "TaskGroup::join" | "TaskGroup::next_done", Ok(Some(()))) => {}
            ("Task::join", Err(Error::Task(error))) => assert!(error.cancelled()),
            // Nobody has waited in a living kernel, so they may wait in this one.
            (_, Ok(None)) => {}
            (name, other) => panic!("{name}: {other:?}"),
        }
    }
    assert_empty(&next);
    next.run(async {
        let _guard = lock.lock().await?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn queues() {
    const FULL: &str = "the queue is full";
    const CLOSED: &str = "the queue is closed";
    check(&[
        (
            "without room",
            P,
            || {
                Queue::<()>::bounded(0);
                Ok(())
            },
            "a queue with room for no items: `new` makes one without bounds",
        ),
        (
            "without room, universal",
            P,
            || {
                UniversalQueue::<()>::bounded(0);
                Ok(())
            },
            "a queue with room for no items: `new` makes one without bounds",
        ),
        (
            "one more than there is room for",
            E,
            || {
                let queue = Queue::bounded(1);
                queue.try_put(1).unwrap();
                queue.try_put(2).map_err(Error::other)
            },
            FULL,
        ),
        (
            "the same in a universal queue",
            E,
            || {
                let queue = UniversalQueue::bounded(1);
                queue.try_put(1).unwrap();
                queue.try_put(2).map_err(Error::other)
            },
            FULL,
        ),
        (
            "put without waiting into a closed one",
            E,
            || {
                let queue = Queue::new();
                queue.close();
                queue.try_put(1).map_err(Error::other)
            },
            CLOSED,
        ),
        (
            "the same in a universal queue",
            E,
            || {
                let queue = UniversalQueue::new();
                queue.close();
                queue.try_put(1).map_err(Error::other)
            },
            CLOSED,
        ),
        (
            "put into a closed one",
            E,
            || try_run(async { closed().put(()).await }),
            "closed",
        ),
        (
            "get from a closed one",
            E,
            || try_run(async { closed().get().await }),
            "closed",
        ),
        (
            "try_get from a closed one",
            E,
            || closed().try_get().map(drop),
            "closed",
        ),
        (
            "a full one is closed while somebody waits for room",
            E,
            || {
                try_run(async {
                    let queue = Queue::bounded(1);
                    queue.put(1).await?;
                    let closer = queue.clone();
                    spawn(async move { closer.close() });
                    queue.put(2).await
                })
            },
            "closed",
        ),
        (
            "more done than put",
            P,
            || {
                Queue::<()>::new().task_done();
                Ok(())
            },
            "task_done was called more often than items were put into the queue (call it once for each item that was got)",
        ),
        (
            "more done than put, universal",
            P,
            || {
                UniversalQueue::<()>::new().task_done();
                Ok(())
            },
            "task_done was called more often than items were put into the queue (call it once for each item that was got)",
        ),
    ]);
}

fn closed() -> Queue<()> {
    let queue = Queue::new();
    queue.close();
    queue
}

#[test]
fn primitives() {
    check(&[
        (
            "a semaphore is released too often",
            E,
            || BoundedSemaphore::new(1).release(),
            "a BoundedSemaphore was released more often than acquired (its bound is 1)",
        ),
        (
            "a task locks twice",
            E,
            || {
                try_run(async {
                    let lock = Lock::new(());
                    let _guard = lock.lock().await?;
                    lock.lock().await.map(drop)
                })
            },
            // With the place.
            "tests/misuse.rs",
        ),
        (
            "nobody can set the event",
            E,
            || try_run(async { Event::new().wait().await }),
            "deadlock: every task waits, and nothing can wake one",
        ),
        (
            "two tasks lock two locks in two orders",
            E,
            || {
                try_run(async {
                    let (a, b) = (Lock::new(()), Lock::new(()));
                    let lock = async |first: Lock<()>, second: Lock<()>| {
                        let _first = first.lock().await?;
                        yield_now().await?;
                        let _second = second.lock().await?;
                        Ok::<_, Error>(())
                    };
                    let kid = spawn(lock(a.clone(), b.clone()));
                    lock(b, a).await?;
                    kid.join().await
                })
            },
            "LOCK",
        ),
    ]);
}

#[test]
fn groups() {
    const JOINED: &str = "this task group was joined already (make a new one for more tasks)";
    async fn joined() -> Result<TaskGroup<()>> {
        let group = TaskGroup::all();
        group.join().await?;
        Ok(group)
    }
    check(&[
        (
            "a task is spawned after the join",
            P,
            || try_run(async { joined().await.map(|group| group.spawn(async {}).detach()) }),
            JOINED,
        ),
        (
            "a daemon, too",
            P,
            || try_run(async { joined().await.map(|group| group.spawn_daemon(async {}).detach()) }),
            JOINED,
        ),
        (
            "a task is added after the join",
            E,
            || try_run(async { joined().await?.add_task(spawn(async {})) }),
            JOINED,
        ),
        (
            "a scope after the join",
            E,
            || try_run(async { joined().await?.scope(async |_| ()).await }),
            JOINED,
        ),
        (
            "a task is in two groups",
            E,
            || {
                try_run(async {
                    let (one, two) = (TaskGroup::all(), TaskGroup::all());
                    two.add_task(one.spawn(async {}))
                })
            },
            "the task is in a group already",
        ),
        (
            "a member joins its group",
            E,
            || {
                try_run(async {
                    let group = TaskGroup::all();
                    let handle = group.clone();
                    let member = group.spawn(async move { handle.join().await });
                    member.join().await
                })
            },
            "a member of a task group cannot wait for the end of its own group (let a task outside of it do that)",
        ),
        (
            "a member cancels its group and waits for that",
            E,
            || {
                try_run(async {
                    let group = TaskGroup::all();
                    let handle = group.clone();
                    let member = group.spawn(async move { handle.cancel_remaining().await });
                    member.join().await
                })
            },
            "(let a task outside of it do that)",
        ),
        (
            "results before the join",
            E,
            || try_run(async { TaskGroup::<()>::all().results().map(drop) }),
            "the task group is not joined yet: its results are known after join, or outside of scope",
        ),
        (
            "the result before the join",
            E,
            || try_run(async { TaskGroup::<()>::all().result() }),
            "the task group is not joined yet: its results are known after join, or outside of scope",
        ),
        (
            "the result of nobody",
            E,
            || try_run(async { joined().await?.result() }),
            "no task of the group has completed (completed() tells whether one has)",
        ),
        (
            "members of two kernels",
            P,
            || {
                let group = TaskGroup::all();
                let (one, two) = (virtual_kernel(), virtual_kernel());
                one.run(async { group.spawn(sleep(SEC)).detach() })?;
                two.run(async { group.spawn(sleep(SEC)).detach() })
            },
            "this needs the running kernel that it belongs to",
        ),
    ]);
    // To join again is no mistake.
    try_run(async { joined().await?.join().await }).unwrap();
}

#[test]
fn results_are_for_those_who_look() {
    check(&[
        (
            "an error leaves its timeout",
            E,
            || {
                try_run(curio::timeout_after(
                    3 * SEC,
                    curio::timeout_after(SEC, sleep(9 * SEC)),
                ))
            },
            "a timeout was not handled where it was set (uncaught timeout)",
        ),
        (
            "an address that is none",
            E,
            || try_run(async { TcpListener::bind("nowhere").map(drop) }),
            "\"nowhere\" is not an address",
        ),
    ]);
}
