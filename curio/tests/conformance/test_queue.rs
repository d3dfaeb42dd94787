//! `tests/test_queue.py`.
//!
//! | differs | how |
//! |---|---|
//! | names | `qsize`, `empty`, `full` are `len`, `is_empty`, `is_full`; `Queue(maxsize)` is `Queue::bounded` |
//! | in threads | `blocking_get` and so on |
//! | `async for` | `while let Some(item) = queue.next().await`; the end is `close`, no sentinel |
//! | asyncio | tokio |
//! | `test_univ_queue_withfd` | there is no `_read_wait` for any descriptor yet: a foreign event loop waits |
//! | `test_uqueue_withfd_corner` | what is behind the descriptor is not to be had, so nobody can drain it; the full one is here |
//! | `test_epic_...` | `EpicQueue` is the old name of `UniversalQueue` |

use std::cell::Cell;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use curio::queue::TryPutError;
use curio::universal::TryPutError as UniversalTryPutError;
use curio::{
    Error, LifoQueue, PriorityQueue, Queue, Result, TaskGroup, UniversalEvent, UniversalQueue, run, sleep,
    spawn, timeout_after,
};

use crate::common::{Watchdog, everywhere, in_order, virtually};
use crate::{Results, is_cancelled, with};

const MS: Duration = Duration::from_millis(1);

#[test]
fn test_queue_simple() {
    in_order(async |w| {
        let (results, queue) = (Results::default(), Queue::new());
        let consumer = |name: &'static str| {
            spawn(with!(results, queue; loop {
                let item: u32 = queue.get().await?;
                results.append(format!("{name} gets {item}"));
                queue.task_done();
            } as Result<()>))
        };
        let consumers = ["one", "two"].map(consumer);
        for n in 0..4 {
            sleep(w.t(1)).await?;
            queue.put(n).await?;
        }
        queue.join().await?;
        results.append("joined");
        for consumer in consumers {
            consumer.cancel().await?;
        }
        results.are(&["one gets 0", "two gets 1", "one gets 2", "two gets 3", "joined"]);
        Ok(())
    });
}

#[test]
fn test_queue_unbounded() {
    in_order(async |_| {
        let (results, queue) = (Results::default(), Queue::new());
        let consumer = spawn(with!(results, queue; {
            while let Some(item) = queue.next().await {
                results.append(format!("get {}", item?));
            }
            Ok(())
        }));
        for n in 0..3 {
            queue.put(n).await?;
            results.append(format!("put {n}"));
        }
        queue.close();
        consumer.join().await?;
        results.are(&["put 0", "put 1", "put 2", "get 0", "get 1", "get 2"]);
        Ok(())
    });
}

#[test]
fn test_queue_bounded() {
    in_order(async |w| {
        let (results, queue) = (Results::default(), Queue::bounded(2));
        let consumer = spawn(with!(results, queue; {
            while let Some(item) = queue.next().await {
                results.append(format!("get {}", item?));
                sleep(w.t(1)).await?;
            }
            Ok(())
        }));
        for n in 0..4 {
            queue.put(n).await?;
            results.append(format!("put {n}"));
        }
        queue.close();
        consumer.join().await?;
        results.are(&[
            "put 0", "put 1", "get 0", "put 2", "get 1", "put 3", "get 2", "get 3",
        ]);
        Ok(())
    });
}

#[test]
fn test_queue_get_cancel() {
    everywhere(async |w| {
        let (results, queue) = (Results::default(), Queue::<u32>::new());
        let task = spawn(with!(results, queue; {
            let got = queue.get().await;
            assert!(matches!(got, Err(Error::Cancelled(_))), "{got:?}");
            results.append("cancelled");
            got
        }));
        sleep(w.t(1)).await?;
        task.cancel().await?;
        results.are(&["cancelled"]);
        // Its place in the line is free.
        queue.put(7).await?;
        assert_eq!(queue.get().await?, 7);
        Ok(())
    });
}

#[test]
fn test_queue_put_cancel() {
    everywhere(async |w| {
        let (results, queue) = (Results::default(), Queue::bounded(1));
        queue.put(1).await?;
        let task = spawn(with!(results, queue; {
            let put = queue.put(2).await;
            assert!(matches!(put, Err(Error::Cancelled(_))), "{put:?}");
            results.append("cancelled");
            put
        }));
        sleep(w.t(1)).await?;
        task.cancel().await?;
        results.are(&["cancelled"]);
        assert_eq!(queue.get().await?, 1);
        assert!(queue.is_empty());
        is_cancelled(task.join().await);
        Ok(())
    });
}

#[test]
fn test_queue_get_timeout() {
    everywhere(async |w| {
        let queue = Queue::<u32>::new();
        let got = timeout_after(w.t(1), queue.get()).await;
        assert!(matches!(got, Err(Error::Timeout(_))), "{got:?}");
        Ok(())
    });
}

#[test]
fn test_queue_put_timeout() {
    everywhere(async |w| {
        let queue = Queue::bounded(1);
        queue.put(1).await?;
        let put = timeout_after(w.t(1), queue.put(2)).await;
        assert!(matches!(put, Err(Error::Timeout(_))), "{put:?}");
        assert_eq!(queue.len(), 1);
        Ok(())
    });
}

#[test]
fn test_queue_qsize() {
    virtually(async |_| {
        let queue = Queue::bounded(2);
        assert!(queue.is_empty() && !queue.is_full());
        queue.put(1).await?;
        assert_eq!(queue.len(), 1);
        assert!(!queue.is_empty() && !queue.is_full());
        queue.put(2).await?;
        assert_eq!(queue.len(), 2);
        assert!(queue.is_full());
        Ok(())
    });
}

#[test]
fn test_priority_queue() {
    virtually(async |_| {
        let queue = PriorityQueue::new();
        for priority in [4, 2, 3, 1] {
            queue.put((priority, format!("job {priority}"))).await?;
        }
        for expected in 1..=4 {
            let (priority, job) = queue.get().await?;
            assert_eq!((priority, job), (expected, format!("job {expected}")));
        }
        Ok(())
    });
}

#[test]
fn test_lifo_queue() {
    virtually(async |_| {
        let queue = LifoQueue::new();
        for item in 1..=3 {
            queue.put(item).await?;
        }
        for expected in [3, 2, 1] {
            assert_eq!(queue.get().await?, expected);
        }
        Ok(())
    });
}

// ---- UniversalQueue

#[test]
fn test_univ_queue_basic() {
    let queue = UniversalQueue::bounded(2);
    assert!(queue.is_empty() && !queue.is_full());
    queue.blocking_put(1).unwrap();
    assert_eq!(queue.len(), 1);
    queue.blocking_put(2).unwrap();
    assert!(queue.is_full());
    assert_eq!(queue.blocking_get().unwrap(), 1);
    assert!(!queue.is_full());
}

#[test]
fn test_univ_queue_sync_async() {
    let _guard = Watchdog::start();
    let queue = UniversalQueue::new();
    let producer = thread::spawn({
        let queue = queue.clone();
        move || {
            for n in 0..10 {
                queue.blocking_put(n)?;
                if n % 3 == 0 {
                    thread::sleep(MS);
                }
            }
            queue.blocking_join()?;
            queue.close();
            Ok::<_, Error>(())
        }
    });
    let got = run(async {
        let mut got = Vec::new();
        while let Some(item) = queue.next().await {
            got.push(item?);
            queue.task_done();
        }
        Ok(got)
    });
    producer.join().unwrap().unwrap();
    assert_eq!(got.unwrap(), Vec::from_iter(0..10));
}

#[test]
fn test_univ_queue_async_sync() {
    let _guard = Watchdog::start();
    let queue = UniversalQueue::new();
    let consumer = thread::spawn({
        let queue = queue.clone();
        move || {
            let mut got = Vec::new();
            while let Ok(item) = queue.blocking_get() {
                got.push(item);
                queue.task_done();
            }
            got
        }
    });
    run(async {
        for n in 0..10 {
            queue.put(n).await?;
            if n % 3 == 0 {
                sleep(MS).await?;
            }
        }
        queue.join().await?;
        queue.close();
        Ok(())
    })
    .unwrap();
    assert_eq!(consumer.join().unwrap(), Vec::from_iter(0..10));
}

#[test]
fn test_univ_queue_cancel() {
    let _guard = Watchdog::start();
    let (queue, timed_out) = (UniversalQueue::new(), UniversalEvent::new());
    let producer = thread::spawn({
        let (queue, timed_out) = (queue.clone(), timed_out.clone());
        move || {
            timed_out.blocking_wait().unwrap();
            for n in 0..10 {
                thread::sleep(3 * MS);
                queue.blocking_put(n).unwrap();
            }
            queue.close();
        }
    });
    let got = run(async {
        let mut got = Vec::new();
        loop {
            match timeout_after(MS, queue.get()).await {
                Ok(item) => got.push(item),
                Err(Error::Timeout(_)) => timed_out.set(),
                Err(Error::Closed) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(got)
    });
    producer.join().unwrap();
    assert_eq!(got.unwrap(), Vec::from_iter(0..10));
}

#[test]
fn test_univ_queue_multiple_consumer() {
    let _guard = Watchdog::start();
    let queue = UniversalQueue::bounded(10);
    let producer = thread::spawn({
        let queue = queue.clone();
        move || {
            (0..1_000).for_each(|n| queue.blocking_put(n).unwrap());
            queue.close();
        }
    });
    let group = TaskGroup::all();
    let got = run(async {
        for _ in 0..3 {
            group.spawn(with!(queue; {
                let mut got = Vec::new();
                while let Some(item) = queue.next().await {
                    got.push(item?);
                }
                Ok(got)
            }));
        }
        group.join().await?;
        group.results()
    });
    producer.join().unwrap();
    let mut got = got.unwrap().concat();
    got.sort_unstable();
    assert_eq!(got, Vec::from_iter(0..1_000));
}

#[test]
fn test_univ_queue_multiple_kernels() {
    let _guard = Watchdog::start();
    let queue = UniversalQueue::bounded(10);
    let consumers = [(); 3].map(|()| {
        let queue = queue.clone();
        thread::spawn(move || {
            run(async {
                let mut got = Vec::new();
                while let Some(item) = queue.next().await {
                    got.push(item?);
                }
                Ok(got)
            })
        })
    });
    (0..1_000).for_each(|n| queue.blocking_put(n).unwrap());
    queue.close();
    let mut got = consumers.map(|thread| thread.join().unwrap().unwrap()).concat();
    got.sort_unstable();
    assert_eq!(got, Vec::from_iter(0..1_000));
}

#[cfg(unix)]
fn is_readable(queue: &UniversalQueue<u32>, limit: Duration) -> bool {
    use mio::unix::SourceFd;
    use mio::{Events, Interest, Poll, Token};

    let (mut poll, mut events) = (Poll::new().unwrap(), Events::with_capacity(1));
    let number = queue.as_raw_fd().unwrap();
    let mut source = SourceFd(&number);
    poll.registry()
        .register(&mut source, Token(0), Interest::READABLE)
        .unwrap();
    poll.poll(&mut events, Some(limit)).unwrap();
    events.iter().any(|event| event.is_readable())
}

#[cfg(unix)]
#[test]
fn test_univ_queue_withfd() {
    let _guard = Watchdog::start();
    let queue = UniversalQueue::new();
    queue.as_raw_fd().unwrap();
    let producer = thread::spawn({
        let queue = queue.clone();
        move || run(async { queue.put(7).await })
    });
    assert!(is_readable(&queue, Duration::from_secs(60)));
    assert_eq!(queue.blocking_get().unwrap(), 7);
    producer.join().unwrap().unwrap();
}

fn tokio<T>(main: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(main)
}

#[test]
fn test_uqueue_asyncio_prod() {
    let _guard = Watchdog::start();
    let queue = UniversalQueue::bounded(2);
    let producer = thread::spawn({
        let queue = queue.clone();
        move || {
            tokio(async {
                for n in 0..10 {
                    queue.put(n).await?;
                }
                queue.join().await?;
                queue.close();
                Ok::<_, Error>(())
            })
        }
    });
    let got = run(async {
        let mut got = Vec::new();
        while let Some(item) = queue.next().await {
            got.push(item?);
            queue.task_done();
        }
        Ok(got)
    });
    producer.join().unwrap().unwrap();
    assert_eq!(got.unwrap(), Vec::from_iter(0..10));
}

#[test]
fn test_uqueue_asyncio_consumer() {
    let _guard = Watchdog::start();
    let queue = UniversalQueue::bounded(2);
    let consumer = thread::spawn({
        let queue = queue.clone();
        move || {
            tokio(async {
                let mut got = Vec::new();
                while let Some(item) = queue.next().await {
                    got.push(item?);
                    queue.task_done();
                }
                Ok::<_, Error>(got)
            })
        }
    });
    run(async {
        for n in 0..10 {
            queue.put(n).await?;
        }
        queue.join().await?;
        queue.close();
        Ok(())
    })
    .unwrap();
    assert_eq!(consumer.join().unwrap().unwrap(), Vec::from_iter(0..10));
}

#[cfg(unix)]
#[test]
fn test_uqueue_withfd_corner() {
    let _guard = Watchdog::start();
    let queue = UniversalQueue::new();
    queue.as_raw_fd().unwrap();
    // There may be more items than would fit into any pipe.
    let many = 200_000;
    (0..many).for_each(|n| queue.try_put(n).unwrap());
    assert!(is_readable(&queue, Duration::ZERO));
    (0..many).for_each(|n| assert_eq!(queue.try_get().unwrap(), Some(n)));
    assert!(!is_readable(&queue, Duration::ZERO));
    queue.try_put(2).unwrap();
    assert!(is_readable(&queue, Duration::ZERO));
}

#[test]
fn test_uqueue_put_cancel() {
    everywhere(async |w| {
        let queue = UniversalQueue::bounded(1);
        queue.put(1).await?;
        let put = timeout_after(w.t(1), queue.put(2)).await;
        assert!(matches!(put, Err(Error::Timeout(_))), "{put:?}");
        assert_eq!(queue.get().await?, 1);
        assert!(queue.is_empty());
        Ok(())
    });
}

// ---- Tests that are gone from Python's suite

#[test]
fn test_queue_simple_iter() {
    virtually(async |_| {
        let queue = Queue::new();
        let sum = Rc::new(Cell::new(0));
        let consumers = [(); 2].map(|()| {
            spawn(with!(queue, sum; {
                while let Some(item) = queue.next().await {
                    sum.set(sum.get() + item?);
                }
                Ok(())
            }))
        });
        for n in 1..=10 {
            queue.put(n).await?;
        }
        queue.close();
        for consumer in consumers {
            consumer.join().await?;
        }
        assert_eq!(sum.get(), 55);
        Ok(())
    });
}

#[test]
fn test_uqueue_simple_iter() {
    test_univ_queue_multiple_consumer();
}

#[test]
fn test_uqueue_asyncio_iter() {
    test_uqueue_asyncio_consumer();
}

#[test]
fn test_queue_sync() {
    // Where no kernel runs, and before one does.
    let queue = Queue::new();
    for n in 0..3 {
        queue.try_put(n).unwrap();
    }
    let sum = run(async { Ok(queue.get().await? + queue.get().await? + queue.get().await?) });
    assert_eq!(sum.unwrap(), 3);
}

#[test]
fn test_epic_queue_sync_async() {
    test_univ_queue_sync_async();
}

#[test]
fn test_epic_queue_async_sync() {
    test_univ_queue_async_sync();
}

#[test]
fn test_epic_queue_cancel() {
    test_univ_queue_cancel();
}

#[test]
fn test_epic_queue_multiple_consumer() {
    test_univ_queue_multiple_consumer();
}

// ---- curio/test/queue.py of October 2015

#[test]
fn test_queue_put_nowait() {
    let queue = Queue::bounded(1);
    queue.try_put(1).unwrap();
    assert!(matches!(queue.try_put(2), Err(TryPutError::Full(2))));
    let queue = UniversalQueue::bounded(1);
    queue.try_put(1).unwrap();
    assert!(matches!(queue.try_put(2), Err(UniversalTryPutError::Full(2))));
}

#[test]
fn test_queue_get_nowait() {
    let queue = Queue::new();
    assert_eq!(queue.try_get().unwrap(), None);
    queue.try_put(1).unwrap();
    assert_eq!(queue.try_get().unwrap(), Some(1));
    let queue = UniversalQueue::<u32>::new();
    assert_eq!(queue.try_get().unwrap(), None);
}
