//! Universal objects: between kernels, threads and other executors.

#![allow(missing_docs)]

mod common;

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use common::{Watchdog, everywhere, virtually};
use curio::universal::TryPutError;
use curio::{
    Clock, Error, Kernel, Result, State, UniversalEvent, UniversalQueue, UniversalResult, run, sleep, spawn,
    timeout_after, yield_now,
};
use futures::executor::block_on;
use futures::future::{Either, join_all, select};
use futures::stream::{FuturesUnordered, StreamExt};

/// Far more than any test takes.
const LONG: Duration = Duration::from_secs(60);

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn tokio() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

fn try_get<T>(queue: &UniversalQueue<T>) -> Option<T> {
    queue.try_get().ok().flatten()
}

/// Random numbers, always the same.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

// ---- The queue, from all sides

#[test]
fn a_queue_counts_its_items() {
    let queue = UniversalQueue::bounded(2);
    assert!(queue.is_empty() && !queue.is_full());
    queue.try_put(1).unwrap();
    queue.try_put(2).unwrap();
    assert!(!queue.is_empty() && queue.is_full());
    assert_eq!(queue.len(), 2);
    assert!(matches!(queue.try_put(3), Err(TryPutError::Full(3))));
    assert_eq!(
        (try_get(&queue), try_get(&queue), try_get(&queue)),
        (Some(1), Some(2), None)
    );
    assert_eq!(
        format!("{queue:?}"),
        "UniversalQueue { len: 0, closed: false, unfinished: 2, .. }"
    );
    assert_eq!(
        format!("{:?}", queue.get()),
        "Get(Operation { label: Label(\"UQUEUE_GET\"), waits: false })"
    );
}

/// Whatever is done with it, and wherever its items are by then (Q5).
#[test]
fn a_queue_is_a_queue() {
    for seed in 1..=1000 {
        let mut random = Random(seed);
        let (capacity, queue) = match random.below(3) {
            0 => (4, UniversalQueue::bounded(4)),
            _ => (usize::MAX, UniversalQueue::new()),
        };
        let mut expected = VecDeque::new();
        for n in 0..60 {
            match random.below(8) {
                0..=3 => {
                    assert_eq!(queue.try_put(n).is_ok(), expected.len() < capacity);
                    if expected.len() < capacity {
                        expected.push_back(n);
                    }
                }
                4 | 5 => assert_eq!(try_get(&queue), expected.pop_front()),
                6 if !expected.is_empty() => {
                    assert_eq!(queue.blocking_get().ok(), expected.pop_front());
                }
                // A getter waits and is chosen; others come first, but leave it one; and perhaps it goes away.
                6 => {
                    let mut getter = Box::pin(queue.get());
                    assert!(poll_once(getter.as_mut()).is_pending());
                    queue.try_put(n).unwrap();
                    assert_eq!(try_get(&queue), None);
                    queue.try_put(n + 100).unwrap();
                    expected.extend([n, n + 100]);
                    for _ in 0..random.below(3) {
                        let item = (expected.len() > 1).then(|| expected.pop_front()).flatten();
                        assert_eq!(try_get(&queue), item);
                    }
                    if random.below(2) == 0 {
                        let Poll::Ready(item) = poll_once(getter.as_mut()) else {
                            panic!("it was chosen")
                        };
                        assert_eq!(item.ok(), expected.pop_front());
                    }
                }
                #[cfg(unix)]
                7 if random.below(8) == 0 => assert!(queue.as_raw_fd().unwrap() >= 0),
                _ => {}
            }
            assert_eq!(queue.len(), expected.len(), "seed {seed}");
            assert_eq!(queue.is_full(), expected.len() >= capacity);
        }
        queue.close();
        while let Some(n) = expected.pop_front() {
            assert_eq!(queue.try_get().unwrap(), Some(n));
        }
        assert!(matches!(queue.try_get(), Err(Error::Closed)));
    }
}

#[test]
fn items_that_nobody_takes_are_dropped_in_order() {
    struct Item(i32, Arc<Mutex<Vec<i32>>>);
    impl Drop for Item {
        fn drop(&mut self) {
            self.1.lock().unwrap().push(self.0);
        }
    }
    let dropped = Arc::new(Mutex::new(Vec::new()));
    let queue = UniversalQueue::new();
    let put = |n| assert!(queue.try_put(Item(n, dropped.clone())).is_ok());
    (1..=3).for_each(put);
    drop(queue.try_get());
    (4..=5).for_each(put);
    assert_eq!(*dropped.lock().unwrap(), [1]);
    drop(queue);
    assert_eq!(*dropped.lock().unwrap(), [1, 2, 3, 4, 5]);
}

#[test]
fn a_thread_produces_for_a_task() {
    let _guard = Watchdog::start();
    let queue = UniversalQueue::bounded(3);
    let producer = thread::spawn({
        let queue = queue.clone();
        move || {
            (0..100).try_for_each(|n| queue.blocking_put(n))?;
            queue.blocking_join()
        }
    });
    run(async {
        for n in 0..100 {
            assert_eq!(queue.get().await?, n);
            queue.task_done();
        }
        Ok(())
    })
    .unwrap();
    producer.join().unwrap().unwrap();
}

#[test]
fn a_task_produces_for_a_thread() {
    let _guard = Watchdog::start();
    let queue = UniversalQueue::bounded(3);
    let consumer = thread::spawn({
        let queue = queue.clone();
        move || {
            let mut sum = 0;
            while let Ok(n) = queue.blocking_get() {
                sum += n;
                queue.task_done();
            }
            sum
        }
    });
    run(async {
        for n in 0..100 {
            queue.put(n).await?;
        }
        queue.join().await?;
        queue.close();
        Ok(())
    })
    .unwrap();
    assert_eq!(consumer.join().unwrap(), 4950);
}

/// Python Curio: `test_univ_queue_multiple_kernels`.
#[test]
fn kernels_talk_to_each_other() {
    let _guard = Watchdog::start();
    let (there, back) = (UniversalQueue::<i32>::new(), UniversalQueue::<i32>::new());
    let kernels: Vec<_> = (0..3)
        .map(|_| {
            let (there, back) = (there.clone(), back.clone());
            thread::spawn(move || {
                run(async {
                    while let Ok(n) = there.get().await {
                        back.put(n * 2).await?;
                    }
                    Ok(())
                })
            })
        })
        .collect();
    let sum = run(async {
        let mut sum = 0;
        for n in 0..2_000 {
            there.put(n).await?;
            sum += back.get().await?;
        }
        there.close();
        Ok(sum)
    });
    assert_eq!(sum.unwrap(), 3_998_000);
    kernels.into_iter().for_each(|k| k.join().unwrap().unwrap());
}

#[test]
fn other_executors_await_the_same_operations() {
    let _guard = Watchdog::start();
    let (numbers, squares) = (UniversalQueue::bounded(1), UniversalQueue::bounded(1));
    let square = |from: UniversalQueue<u64>, to: UniversalQueue<u64>| async move {
        while let Ok(n) = from.get().await {
            to.put(n * n).await?;
        }
        Ok::<(), Error>(())
    };
    let threads = [
        thread::spawn({
            let square = square(numbers.clone(), squares.clone());
            move || block_on(square)
        }),
        thread::spawn({
            let square = square(numbers.clone(), squares.clone());
            move || tokio().block_on(square)
        }),
        thread::spawn({
            let square = square(numbers.clone(), squares.clone());
            move || {
                let runtime = tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(2)
                    .build()
                    .unwrap();
                let task = runtime.spawn(square);
                runtime.block_on(task).unwrap()
            }
        }),
    ];
    let sum = run(async {
        let producer = spawn({
            let numbers = numbers.clone();
            async move {
                for n in 1..=100 {
                    numbers.put(n).await?;
                }
                numbers.close();
                Ok(())
            }
        });
        let mut sum = 0;
        for _ in 1..=100 {
            sum += squares.get().await?;
        }
        producer.join().await?;
        Ok(sum)
    });
    assert_eq!(sum.unwrap(), 338_350);
    threads.into_iter().for_each(|t| t.join().unwrap().unwrap());
}

/// What an end of a queue lives in.
#[derive(Debug, Clone, Copy)]
enum World {
    Thread,
    Curio,
    Tokio,
    Futures,
}

impl World {
    const ALL: [World; 4] = [World::Thread, World::Curio, World::Tokio, World::Futures];

    fn put(self, queue: UniversalQueue<u64>, items: std::ops::Range<u64>) -> thread::JoinHandle<Result<()>> {
        let program = |queue: UniversalQueue<u64>, items| async move {
            for n in items {
                queue.put(n).await?;
            }
            Ok(())
        };
        thread::spawn(move || match self {
            World::Thread => items.into_iter().try_for_each(|n| queue.blocking_put(n)),
            World::Curio => run(program(queue, items)),
            World::Tokio => tokio().block_on(program(queue, items)),
            World::Futures => block_on(program(queue, items)),
        })
    }

    fn get(self, queue: UniversalQueue<u64>) -> thread::JoinHandle<Vec<u64>> {
        let program = |queue: UniversalQueue<u64>| async move {
            let mut items = Vec::new();
            while let Ok(n) = queue.get().await {
                items.push(n);
            }
            Ok(items)
        };
        thread::spawn(move || match self {
            World::Thread => std::iter::from_fn(|| queue.blocking_get().ok()).collect(),
            World::Curio => run(program(queue)).unwrap(),
            World::Tokio => tokio().block_on(program(queue)).unwrap(),
            World::Futures => block_on(program(queue)).unwrap(),
        })
    }
}

#[test]
fn four_producers_and_four_consumers_of_all_kinds_lose_and_duplicate_nothing() {
    let _guard = Watchdog::start();
    const EACH: u64 = 5_000;
    for queue in [
        UniversalQueue::bounded(1),
        UniversalQueue::bounded(16),
        UniversalQueue::new(),
    ] {
        let consumers = World::ALL.map(|world| world.get(queue.clone()));
        let producers = [0, 1, 2, 3].map(|p| {
            let items = p * EACH..(p + 1) * EACH;
            World::ALL[p as usize].put(queue.clone(), items)
        });
        producers.into_iter().for_each(|p| p.join().unwrap().unwrap());
        queue.close();
        let mut all = Vec::new();
        for consumer in consumers {
            let items = consumer.join().unwrap();
            // What one producer has put, nobody receives in another order.
            for p in 0..4 {
                assert!(items.iter().filter(|&n| n / EACH == p).is_sorted());
            }
            all.extend(items);
        }
        all.sort_unstable();
        assert!(all.into_iter().eq(0..4 * EACH));
    }
}

// ---- Waiting

#[test]
fn who_has_waited_longest_is_served_first_whatever_it_is() {
    let _guard = Watchdog::start();
    let queue = UniversalQueue::new();
    let mut first = pin!(queue.get());
    assert!(poll_once(first.as_mut()).is_pending());
    let kernel = Kernel::new().unwrap();
    let second = kernel.spawn({
        let queue = queue.clone();
        async move { queue.get().await }
    });
    kernel.run_once().unwrap();
    let mut third = pin!(queue.get());
    assert!(poll_once(third.as_mut()).is_pending());

    queue.try_put(1).unwrap();
    assert_eq!(try_get(&queue), None, "it is kept for the first");
    kernel.run_once().unwrap();
    assert!(poll_once(third.as_mut()).is_pending() && !second.terminated());
    assert!(matches!(poll_once(first.as_mut()), Poll::Ready(Ok(1))));

    queue.try_put(2).unwrap();
    assert!(poll_once(third.as_mut()).is_pending());
    assert_eq!(kernel.run(second.join()).unwrap(), 2);

    queue.try_put(3).unwrap();
    assert!(matches!(poll_once(third.as_mut()), Poll::Ready(Ok(3))));
}

#[test]
fn room_goes_to_who_has_waited_longest() {
    let queue = UniversalQueue::bounded(1);
    queue.try_put(1).unwrap();
    let (mut first, mut second) = (pin!(queue.put(2)), pin!(queue.put(3)));
    assert!(poll_once(first.as_mut()).is_pending() && poll_once(second.as_mut()).is_pending());
    assert_eq!(try_get(&queue), Some(1));
    assert!(queue.try_put(4).is_err(), "the room is kept for the first");
    assert!(poll_once(second.as_mut()).is_pending());
    assert!(poll_once(first.as_mut()).is_ready());
    assert_eq!(try_get(&queue), Some(2));
    assert!(poll_once(second.as_mut()).is_ready());
    assert_eq!(try_get(&queue), Some(3));
}

#[test]
fn one_who_was_chosen_and_goes_away_passes_it_on() {
    let queue = UniversalQueue::bounded(1);
    {
        let (mut first, mut second) = (Box::pin(queue.get()), pin!(queue.get()));
        assert!(poll_once(first.as_mut()).is_pending() && poll_once(second.as_mut()).is_pending());
        queue.try_put(1).unwrap();
        drop(first);
        assert!(matches!(poll_once(second.as_mut()), Poll::Ready(Ok(1))));
    }
    queue.try_put(1).unwrap();
    {
        let (mut first, mut second) = (Box::pin(queue.put(2)), pin!(queue.put(3)));
        assert!(poll_once(first.as_mut()).is_pending() && poll_once(second.as_mut()).is_pending());
        assert_eq!(try_get(&queue), Some(1));
        drop(first);
        assert!(poll_once(second.as_mut()).is_ready());
    }
    assert_eq!(try_get(&queue), Some(3));
    // With nobody to pass it on to, it is there for anybody.
    {
        let mut alone = Box::pin(queue.get());
        assert!(poll_once(alone.as_mut()).is_pending());
        queue.try_put(4).unwrap();
    }
    assert_eq!(try_get(&queue), Some(4));
}

#[test]
fn a_closed_queue_is_emptied_before_anybody_is_told() {
    let queue = UniversalQueue::new();
    let (mut first, mut second) = (Box::pin(queue.get()), pin!(queue.get()));
    assert!(poll_once(first.as_mut()).is_pending() && poll_once(second.as_mut()).is_pending());
    queue.try_put(1).unwrap();
    queue.close();
    assert!(
        poll_once(second.as_mut()).is_pending(),
        "the first may yet go away"
    );
    drop(first);
    assert!(matches!(poll_once(second.as_mut()), Poll::Ready(Ok(1))));
    assert!(matches!(queue.blocking_get(), Err(Error::Closed)));
    assert!(matches!(queue.blocking_put(2), Err(Error::Closed)));

    let full = UniversalQueue::bounded(1);
    full.try_put(1).unwrap();
    let mut putter = pin!(full.put(2));
    assert!(poll_once(putter.as_mut()).is_pending());
    full.close();
    assert!(matches!(
        poll_once(putter.as_mut()),
        Poll::Ready(Err(Error::Closed))
    ));
    assert_eq!((try_get(&full), try_get(&full)), (Some(1), None));
}

#[test]
fn closing_wakes_all_who_wait_in_vain() {
    let _guard = Watchdog::start();
    let queue = UniversalQueue::new();
    let consumers = World::ALL.map(|world| world.get(queue.clone()));
    queue.blocking_put(1).unwrap();
    queue.close();
    let got: Vec<_> = consumers.into_iter().flat_map(|c| c.join().unwrap()).collect();
    assert_eq!(got, [1]);
}

/// Counts how often it was woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn nobody_is_woken_for_nothing() {
    let queue = UniversalQueue::new();
    let counts: [Arc<Count>; 2] = Default::default();
    let mut getters = [Box::pin(queue.get()), Box::pin(queue.get())];
    let wakers = counts.clone().map(Waker::from);
    for (getter, waker) in getters.iter_mut().zip(&wakers) {
        for _ in 0..3 {
            assert!(getter.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
        }
    }
    let woken = || [0, 1].map(|n: usize| counts[n].0.load(Ordering::Relaxed));
    queue.try_put(1).unwrap();
    assert_eq!(woken(), [1, 0]);
    queue.try_put(2).unwrap();
    queue.try_put(3).unwrap();
    assert_eq!(woken(), [1, 1]);
    drop(getters);
    assert_eq!(queue.len(), 3);
    drop(wakers);
    assert_eq!(
        counts.map(|count| Arc::strong_count(&count)),
        [1, 1],
        "a waker is left"
    );
}

#[test]
fn only_the_last_waker_counts() {
    let queue = UniversalQueue::new();
    let counts: [Arc<Count>; 3] = Default::default();
    let mut getter = Box::pin(queue.get());
    for count in &counts {
        let waker = Waker::from(count.clone());
        assert!(
            getter
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
    }
    queue.try_put(1).unwrap();
    assert_eq!(
        counts.each_ref().map(|count| count.0.load(Ordering::Relaxed)),
        [0, 0, 1]
    );
    assert_eq!(
        counts.map(|count| Arc::strong_count(&count)),
        [1; 3],
        "a waker is left"
    );
}

#[test]
fn an_operation_may_move_to_another_waker_kernel_and_thread() {
    let _guard = Watchdog::start();
    let queue: &'static UniversalQueue<i32> = Box::leak(Box::new(UniversalQueue::new()));
    let mut get = Box::pin(queue.get());
    let wait_in = |kernel: &Kernel, get: &mut Pin<Box<curio::universal::Get<'static, i32>>>| {
        let polled =
            kernel.run(async { Ok(std::future::poll_fn(|cx| Poll::Ready(get.as_mut().poll(cx))).await) });
        assert!(polled.unwrap().is_pending());
    };
    let kernel = Kernel::new().unwrap();
    wait_in(&kernel, &mut get);
    let get = thread::spawn(move || {
        let mut get = get;
        wait_in(&Kernel::new().unwrap(), &mut get);
        assert!(poll_once(get.as_mut()).is_pending());
        get
    });
    let get = get.join().unwrap();
    queue.try_put(7).unwrap();
    assert_eq!(block_on(get).unwrap(), 7);
    assert_eq!(
        format!("{kernel:?}"),
        "Kernel { tasks: 0, waits: 0, scopes: 0, timers: 0, sockets: 0 }"
    );
}

#[test]
fn operations_are_send_and_sync() {
    fn check<T: Send + Sync>(_: T) {}
    let queue = UniversalQueue::<i32>::new();
    check(queue.get());
    check(queue.put(1));
    check(queue.join());
    check(UniversalEvent::new().wait());
    check(UniversalResult::<i32>::new().wait());
    check(queue);
}

// ---- Operations like all others

#[test]
fn a_task_that_waits_says_for_what() {
    virtually(async |_| {
        let queue = UniversalQueue::<i32>::bounded(1);
        queue.try_put(1).unwrap();
        let event = UniversalEvent::new();
        let result = UniversalResult::<i32>::new();
        let tasks = [
            (
                spawn({
                    let q = queue.clone();
                    async move { q.put(2).await }
                }),
                "UQUEUE_PUT",
            ),
            (
                spawn({
                    let q = queue.clone();
                    async move { q.join().await }
                }),
                "UQUEUE_JOIN",
            ),
            (
                spawn({
                    let e = event.clone();
                    async move { e.wait().await }
                }),
                "UEVENT_WAIT",
            ),
            (
                spawn({
                    let r = result.clone();
                    async move { r.wait().await.map(drop) }
                }),
                "URESULT_WAIT",
            ),
        ];
        sleep(Duration::from_secs(1)).await?;
        for (task, label) in tasks {
            let State::Waiting(waits) = task.state() else {
                panic!("{:?}", task.state())
            };
            assert_eq!(waits.as_str(), label);
            task.cancel().await?;
            assert!(matches!(task.join().await, Err(Error::Task(e)) if e.cancelled()));
        }
        assert_eq!(queue.len(), 1);
        Ok(())
    });
}

/// Python Curio: `test_univ_queue_cancel`, `test_uqueue_put_cancel`.
#[test]
fn timeouts_lose_nothing() {
    everywhere(async |w| {
        let queue = UniversalQueue::bounded(1);
        let consumer = spawn({
            let queue = queue.clone();
            async move {
                let mut got = Vec::new();
                while got.len() < 5 {
                    match timeout_after(w.t(2), queue.get()).await {
                        Ok(n) => got.push(n),
                        Err(e) => assert!(e.is_timeout()),
                    }
                }
                Ok(got)
            }
        });
        for n in 0..5 {
            sleep(w.t(n % 3 * 2)).await?;
            queue.put(n).await?;
        }
        assert_eq!(consumer.join().await?, [0, 1, 2, 3, 4]);
        queue.put(5).await?;
        for _ in 0..3 {
            assert!(
                timeout_after(w.t(1), queue.put(6))
                    .await
                    .unwrap_err()
                    .is_timeout()
            );
        }
        assert_eq!((try_get(&queue), try_get(&queue)), (Some(5), None));
        Ok(())
    });
}

#[test]
fn a_cancellation_and_an_item_in_one_turn_lose_nothing() {
    virtually(async |w| {
        for put_first in [true, false] {
            let queue = UniversalQueue::new();
            let getters = [(); 2].map(|()| {
                let queue = queue.clone();
                spawn(async move { Ok(queue.get().await) })
            });
            sleep(w.t(1)).await?;
            if put_first {
                queue.try_put(1).unwrap();
            }
            getters[0].cancel_nowait();
            if !put_first {
                queue.try_put(1).unwrap();
            }
            sleep(w.t(1)).await?;
            queue.close();
            let [first, second] = getters.each_ref().map(|g| g.join());
            // The finished operation wins: if the first was chosen in time, it took the item; else the second did.
            match (first.await?, second.await?) {
                (Ok(1), Err(Error::Closed)) => {}
                (Err(Error::Cancelled(_)), Ok(1)) => {}
                other => panic!("{other:?}"),
            }
        }
        Ok(())
    });
}

#[test]
fn combinators_wait_and_are_interrupted() {
    everywhere(async |w| {
        let queue = UniversalQueue::new();
        let all = spawn({
            let queue = queue.clone();
            async move {
                let (a, b) = futures::join!(queue.get(), queue.get());
                let mut others: FuturesUnordered<_> = (0..3).map(|_| queue.get()).collect();
                let mut sum = a? + b?;
                while let Some(n) = others.next().await {
                    sum += n?;
                }
                let ended = join_all((0..3).map(|_| queue.get())).await;
                assert!(ended.iter().all(|e| matches!(e, Err(e) if e.is_cancellation())));
                Ok(sum)
            }
        });
        for n in 1..=5 {
            sleep(w.t(n % 2)).await?;
            queue.put(n).await?;
        }
        sleep(w.t(1)).await?;
        yield_now().await?;
        all.cancel().await?;
        assert_eq!(all.join().await?, 15);
        Ok(())
    });
}

#[test]
fn a_task_with_a_queue_that_is_never_empty_lets_others_run() {
    virtually(async |_| {
        let queue = UniversalQueue::new();
        queue.try_put(()).unwrap();
        let seen = Rc::new(Cell::new(false));
        let other = spawn({
            let seen = seen.clone();
            async move { seen.set(true) }
        });
        while !seen.get() {
            queue.get().await?;
            queue.put(()).await?;
        }
        other.join().await
    });
}

#[test]
fn interruptions_at_any_moment_lose_nothing() {
    let _guard = Watchdog::start();
    for seed in 0..200 {
        let kernel = Kernel::builder()
            .clock(Clock::Virtual)
            .seed(seed)
            .build()
            .unwrap();
        let mut random = Random(seed * 2 + 1);
        let queue = UniversalQueue::bounded(1 + random.below(3) as usize);
        let got = Rc::new(Cell::new(0));
        let put = Rc::new(Cell::new(0));
        let tasks: Vec<_> = (0..8)
            .map(|n| {
                let (queue, got, put) = (queue.clone(), got.clone(), put.clone());
                let mut random = Random(seed * 100 + n + 1);
                kernel.spawn(async move {
                    let pause = |random: &mut Random| sleep(Duration::from_secs(random.below(3)));
                    for _ in 0..10 {
                        let (a, b) = (pause(&mut random), pause(&mut random));
                        let gets = n % 2 == 0;
                        let moved = match random.below(3) {
                            0 if gets => timeout_after(Duration::from_secs(1), queue.get()).await,
                            0 => timeout_after(Duration::from_secs(1), queue.put(1))
                                .await
                                .map(|()| 1),
                            _ if gets => match select(pin!(queue.get()), pin!(a)).await {
                                Either::Left((item, _)) => item,
                                Either::Right((slept, _)) => slept.map(|()| 0),
                            },
                            _ => match select(pin!(queue.put(1)), pin!(a)).await {
                                Either::Left((put, _)) => put.map(|()| 1),
                                Either::Right((slept, _)) => slept.map(|()| 0),
                            },
                        };
                        let count = if gets { &got } else { &put };
                        match moved {
                            Ok(n) => count.set(count.get() + n),
                            Err(e) if e.is_timeout() => {}
                            Err(e) => return Err(e),
                        }
                        b.await?;
                    }
                    Ok(())
                })
            })
            .collect();
        kernel
            .run(async {
                for _ in 0..4 {
                    sleep(Duration::from_secs(random.below(6))).await?;
                    tasks[random.below(8) as usize].cancel_nowait();
                }
                Ok(())
            })
            .unwrap();
        kernel.run_all().unwrap();
        let left = std::iter::from_fn(|| try_get(&queue)).count() as i32;
        assert_eq!(got.get() + left, put.get(), "with seed {seed}");
        assert!(queue.is_empty() && !queue.is_full());
    }
}

// ---- Kernels and threads that come and go

#[test]
fn a_kernel_that_is_shut_down_gives_everything_back() {
    let _guard = Watchdog::start();
    for round in 0..100 {
        let queue = UniversalQueue::new();
        let got = Arc::new(Mutex::new(Vec::new()));
        let begun = Arc::new(Barrier::new(2));
        let producer = thread::spawn({
            let (queue, begun) = (queue.clone(), begun.clone());
            move || {
                begun.wait();
                (0..100).for_each(|n| queue.try_put(n).unwrap());
            }
        });
        let kernel = Kernel::new().unwrap();
        for _ in 0..3 {
            let (queue, got) = (queue.clone(), got.clone());
            kernel.spawn(async move {
                loop {
                    let item = queue.get().await?;
                    got.lock().unwrap().push(item);
                }
                #[allow(unreachable_code)]
                Ok(())
            });
        }
        begun.wait();
        for _ in 0..round % 10 {
            kernel.run_once().unwrap();
        }
        kernel.shutdown().unwrap();
        producer.join().unwrap();
        let mut all = std::mem::take(&mut *got.lock().unwrap());
        all.extend(std::iter::from_fn(|| try_get(&queue)));
        assert!(all.into_iter().eq(0..100), "in round {round}");
    }
}

#[test]
fn a_thread_that_gives_up_passes_the_item_on() {
    let _guard = Watchdog::start();
    let queue = UniversalQueue::new();
    let impatient = thread::spawn({
        let queue = queue.clone();
        move || {
            let limit = Duration::from_micros(50);
            let mut got = 0;
            while !queue.is_closed() {
                got += i32::from(queue.blocking_get_timeout(limit).is_ok());
            }
            got
        }
    });
    let got = run(async {
        let mut got = 0;
        for n in 0..200 {
            queue.put(n).await?;
            sleep(Duration::from_micros(n % 100)).await?;
            got += i32::from(
                timeout_after(Duration::from_micros(50), queue.get())
                    .await
                    .is_ok(),
            );
        }
        Ok(got)
    });
    queue.close();
    let total = got.unwrap() + impatient.join().unwrap() + queue.len() as i32;
    assert_eq!(total, 200);
}

#[test]
fn the_virtual_clock_waits_for_threads() {
    let _guard = Watchdog::start();
    let kernel = Kernel::builder().clock(Clock::Virtual).build().unwrap();
    let (queue, event, result) = (
        UniversalQueue::new(),
        UniversalEvent::new(),
        UniversalResult::new(),
    );
    let begun = Arc::new(Barrier::new(2));
    let other = thread::spawn({
        let (queue, event, result, begun) = (queue.clone(), event.clone(), result.clone(), begun.clone());
        move || {
            begun.wait();
            // Gives the kernel the time to make a mistake.
            let pause = || thread::sleep(Duration::from_millis(5));
            pause();
            queue.blocking_put(1).unwrap();
            pause();
            event.set();
            pause();
            result.set(2);
        }
    });
    let sum = kernel.run(async {
        let waiter = spawn({
            let event = event.clone();
            async move { event.wait().await }
        });
        begun.wait();
        let one = queue.get().await?;
        waiter.join().await?;
        Ok(one + result.wait().await?)
    });
    assert_eq!(sum.unwrap(), 3);
    other.join().unwrap();
}

#[test]
fn blocking_inside_of_a_kernel_is_an_error() {
    run(async {
        let queue = UniversalQueue::bounded(1);
        assert!(matches!(queue.blocking_put(1), Err(Error::KernelRunning)));
        assert!(matches!(queue.blocking_get(), Err(Error::KernelRunning)));
        assert!(matches!(queue.blocking_join(), Err(Error::KernelRunning)));
        assert!(queue.is_empty());
        assert!(matches!(
            UniversalEvent::new().blocking_wait(),
            Err(Error::KernelRunning)
        ));
        let result = UniversalResult::new();
        result.set(1);
        assert!(matches!(result.blocking_wait(), Err(Error::KernelRunning)));
    })
    .unwrap();
}

#[test]
fn blocking_takes_as_long_as_it_may() {
    let _guard = Watchdog::start();
    let queue = UniversalQueue::<i32>::new();
    let begin = Instant::now();
    let limit = Duration::from_millis(5);
    assert!(queue.blocking_get_timeout(limit).unwrap_err().is_timeout());
    assert!(begin.elapsed() >= limit);
    assert!(
        queue
            .blocking_get_timeout(Duration::ZERO)
            .unwrap_err()
            .is_timeout()
    );
    queue.try_put(1).unwrap();
    assert_eq!(queue.blocking_get_timeout(Duration::ZERO).unwrap(), 1);
    let other = queue.clone();
    let producer = thread::spawn(move || other.blocking_put(2));
    assert_eq!(queue.blocking_get_timeout(Duration::MAX).unwrap(), 2);
    producer.join().unwrap().unwrap();
}

#[test]
#[should_panic(expected = "task_done was called more often than items were put")]
fn a_task_that_was_not_put_cannot_be_done() {
    let queue = UniversalQueue::new();
    queue.try_put(1).unwrap();
    queue.task_done();
    queue.task_done();
}

// ---- The descriptor

#[cfg(unix)]
mod descriptor {
    use super::*;
    use mio::unix::SourceFd;
    use mio::{Events, Interest, Poll, Token};

    fn wait(queue: &UniversalQueue<i32>, limit: Duration) -> bool {
        let (mut poll, mut events) = (Poll::new().unwrap(), Events::with_capacity(1));
        let number = queue.as_raw_fd().unwrap();
        poll.registry()
            .register(&mut SourceFd(&number), Token(0), Interest::READABLE)
            .unwrap();
        poll.poll(&mut events, Some(limit)).unwrap();
        events.iter().any(|event| event.is_readable())
    }

    #[track_caller]
    fn check(queue: &UniversalQueue<i32>) {
        assert_eq!(
            wait(queue, Duration::ZERO),
            !queue.is_empty() || queue.is_closed()
        );
    }

    #[test]
    fn it_is_readable_exactly_while_there_are_items() {
        for before in [0, 1, 2] {
            let queue = UniversalQueue::new();
            (0..before).for_each(|n| queue.try_put(n).unwrap());
            check(&queue);
            for n in 0..3 {
                queue.try_put(n).unwrap();
                check(&queue);
            }
            while try_get(&queue).is_some() {
                check(&queue);
            }
            let mut getter = Box::pin(queue.get());
            assert!(poll_once(getter.as_mut()).is_pending());
            queue.try_put(1).unwrap();
            assert!(!wait(&queue, Duration::ZERO), "it is kept for the getter");
            drop(getter);
            check(&queue);
            assert!(wait(&queue, Duration::ZERO));
            queue.close();
            check(&queue);
            assert_eq!(try_get(&queue), Some(1));
            assert!(wait(&queue, Duration::ZERO), "it is at its end");
        }
    }

    /// Python Curio: `test_univ_queue_withfd`.
    #[test]
    fn another_event_loop_waits_for_a_task() {
        let _guard = Watchdog::start();
        let queue = UniversalQueue::new();
        queue.as_raw_fd().unwrap();
        let producer = thread::spawn({
            let queue = queue.clone();
            move || {
                run(async {
                    for n in 0..10 {
                        queue.put(n).await?;
                        yield_now().await?;
                    }
                    Ok(())
                })
            }
        });
        for n in 0..10 {
            assert!(wait(&queue, LONG));
            assert_eq!(try_get(&queue), Some(n));
        }
        producer.join().unwrap().unwrap();
    }
}

// ---- Events and results

#[test]
fn an_event_is_set_and_taken_back() {
    everywhere(async |w| {
        let event = UniversalEvent::new();
        assert!(
            timeout_after(w.t(1), event.wait())
                .await
                .unwrap_err()
                .is_timeout()
        );
        let waiters = [(); 3].map(|()| {
            let event = event.clone();
            spawn(async move { event.wait().await })
        });
        sleep(w.t(1)).await?;
        waiters[1].cancel().await?;
        event.set();
        // Who was woken goes on, though the event is not set any more when its turn comes.
        event.clear();
        assert!(!event.is_set());
        waiters[0].join().await?;
        waiters[2].join().await?;
        assert!(
            timeout_after(w.t(1), event.wait())
                .await
                .unwrap_err()
                .is_timeout()
        );
        event.set();
        event.wait().await
    });
}

#[test]
fn an_event_wakes_threads_kernels_and_others() {
    let _guard = Watchdog::start();
    let event = UniversalEvent::new();
    let waiters = World::ALL.map(|world| {
        let event = event.clone();
        thread::spawn(move || match world {
            World::Thread => event.blocking_wait(),
            World::Curio => run(event.wait()),
            World::Tokio => tokio().block_on(event.wait()),
            World::Futures => block_on(event.wait()),
        })
    });
    event.set();
    waiters.into_iter().for_each(|w| w.join().unwrap().unwrap());
}

/// Python Curio: `test_universal_value`, `test_universal_error`: from a thread to another executor to a kernel.
#[test]
fn a_result_goes_from_hand_to_hand() {
    let _guard = Watchdog::start();
    for fails in [false, true] {
        let results: [UniversalResult<String>; 3] = Default::default();
        let [first, second, third] = results.clone();
        let begin = thread::spawn({
            let first = first.clone();
            move || match fails {
                false => first.set("42".to_string()),
                true => first.set_error(Error::other("no idea")),
            }
        });
        let copy = |from: Result<String>, to: UniversalResult<String>| {
            assert!(match from {
                Ok(value) => to.set(value),
                Err(error) => to.set_error(error),
            });
        };
        let middle = thread::spawn({
            let second = second.clone();
            move || tokio().block_on(async { copy(first.wait().await, second) })
        });
        let last = thread::spawn({
            let third = third.clone();
            move || run(async move { copy(second.wait().await, third) })
        });
        let end = third.blocking_wait();
        match fails {
            false => assert_eq!(end.unwrap(), "42"),
            true => assert_eq!(end.unwrap_err().to_string(), "no idea"),
        }
        begin.join().unwrap();
        middle.join().unwrap();
        last.join().unwrap().unwrap();
    }
}

#[test]
fn an_error_of_another_is_no_interruption() {
    let result = UniversalResult::<i32>::new();
    let cancelled = run(async {
        let kid = spawn({
            let result = result.clone();
            async move {
                let interrupted = sleep(LONG).await.unwrap_err();
                assert!(interrupted.is_cancellation());
                assert!(result.set_error(interrupted));
            }
        });
        yield_now().await?;
        kid.cancel().await?;
        result.wait().await
    });
    let error = cancelled.unwrap_err();
    assert!(!error.is_cancellation());
    assert_eq!(format!("{error} {error:?}"), "cancelled cancelled");
}

// ---- No code of the user's runs under the lock

/// A value that uses the objects in all it does.
struct Nosy(UniversalQueue<Nosy>, UniversalResult<Nosy>);

impl Nosy {
    fn look(&self) {
        let _ = (self.0.len(), self.1.is_set());
    }
}

impl Clone for Nosy {
    fn clone(&self) -> Nosy {
        self.look();
        Nosy(self.0.clone(), self.1.clone())
    }
}

impl Drop for Nosy {
    fn drop(&mut self) {
        self.look();
    }
}

impl Wake for Nosy {
    fn wake(self: Arc<Self>) {
        self.look();
    }
}

#[test]
fn values_and_wakers_may_use_the_objects() {
    let _guard = Watchdog::start();
    let (queue, result) = (UniversalQueue::bounded(1), UniversalResult::new());
    let nosy = || Nosy(queue.clone(), result.clone());
    let waker = || Waker::from(Arc::new(nosy()));
    let poll = |future: Pin<&mut dyn Future<Output = Result<()>>>| {
        // Each poll with another waker, which is dropped with it unless somebody keeps it.
        future.poll(&mut Context::from_waker(&waker()))
    };

    let mut get = Box::pin(async { queue.get().await.map(drop) });
    assert!(poll(get.as_mut()).is_pending() && poll(get.as_mut()).is_pending());
    queue.try_put(nosy()).ok().unwrap();
    assert!(poll(get.as_mut()).is_ready());

    let mut dropped = Box::pin(async { queue.get().await.map(drop) });
    assert!(poll(dropped.as_mut()).is_pending());
    drop(dropped);

    queue.try_put(nosy()).ok().unwrap();
    let mut put = Box::pin(queue.put(nosy()));
    assert!(poll(put.as_mut()).is_pending() && poll(put.as_mut()).is_pending());
    drop(put);
    let mut put = Box::pin(queue.put(nosy()));
    assert!(poll(put.as_mut()).is_pending());
    queue.close();
    assert!(matches!(poll(put.as_mut()), Poll::Ready(Err(Error::Closed))));
    drop(queue.try_put(nosy()));
    drop(try_get(&queue));

    let mut wait = Box::pin(async { result.wait().await.map(drop) });
    assert!(poll(wait.as_mut()).is_pending());
    assert!(result.set(nosy()));
    assert!(!result.set(nosy()));
    assert!(poll(wait.as_mut()).is_ready());
    assert!(!result.set_error(Error::Closed));
    drop(result.get());
}
