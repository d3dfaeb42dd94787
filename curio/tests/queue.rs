//! Queues, by situation. (For random programs, see `queue_model`.)

mod common;

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use common::{Watchdog, everywhere, virtually};
use curio::queue::TryPutError;
use curio::{
    Clock, Error, Kernel, LifoQueue, PriorityQueue, Queue, Result, WithTimeout, ignore_after, run, sleep,
    spawn, timeout_after, yield_now,
};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, Stream, StreamExt, TryStreamExt, join, select_biased};

const SEC: Duration = Duration::from_secs(1);

fn virtual_kernel(seed: Option<u64>) -> Kernel {
    let builder = Kernel::builder().clock(Clock::Virtual);
    match seed {
        Some(seed) => builder.seed(seed),
        None => builder,
    }
    .build()
    .unwrap()
}

/// Lets everybody run until all wait: only then does the virtual clock go on. (On the real one, the order is known.)
async fn settle() -> Result<()> {
    for _ in 0..8 {
        yield_now().await?;
    }
    sleep(Duration::from_nanos(1)).await
}

#[track_caller]
fn assert_empty(kernel: &Kernel) {
    assert_eq!(
        format!("{kernel:?}"),
        "Kernel { tasks: 0, waits: 0, scopes: 0, timers: 0, sockets: 0 }"
    );
}

type Log<T> = Rc<RefCell<Vec<T>>>;

// ---- Order

#[test]
fn items_come_out_in_the_order_of_the_queue() {
    run(async {
        let (first, last, smallest) = (Queue::new(), LifoQueue::new(), PriorityQueue::new());
        for queue in [&first, &*last, &*smallest] {
            for n in [3, 1, 2] {
                queue.put(n).await?;
            }
            queue.close();
        }
        assert_eq!(first.stream().try_collect::<Vec<_>>().await?, [3, 1, 2]);
        assert_eq!(last.stream().try_collect::<Vec<_>>().await?, [2, 1, 3]);
        assert_eq!(smallest.stream().try_collect::<Vec<_>>().await?, [1, 2, 3]);
        Ok(())
    })
    .unwrap();
}

/// Equal by its first part only.
#[derive(Debug)]
struct Job(u32, u32);

impl Ord for Job {
    fn cmp(&self, other: &Job) -> Ordering {
        self.0.cmp(&other.0)
    }
}
impl PartialOrd for Job {
    fn partial_cmp(&self, other: &Job) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Job {
    fn eq(&self, other: &Job) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Job {}

#[test]
fn of_equal_items_the_first_comes_first() {
    let queue = PriorityQueue::new();
    let mut got = Vec::new();
    for number in 0..100 {
        queue.try_put(Job(number * 7 % 5, number)).unwrap();
        if number % 10 == 9 {
            got.push(queue.try_get().unwrap().unwrap());
        }
    }
    assert_eq!(queue.len(), 90);
    while let Some(job) = queue.try_get().unwrap() {
        got.push(job);
    }
    for kind in 0..5 {
        let numbers: Vec<_> = got.iter().filter(|j| j.0 == kind).map(|j| j.1).collect();
        assert!(numbers.is_sorted(), "{numbers:?}");
        assert_eq!(numbers.len(), 20);
    }
    assert!(got[10..].is_sorted_by_key(|job| job.0));
}

/// Python Curio: `test_queue_simple`.
#[test]
fn two_consumers_take_turns() {
    let kernel = virtual_kernel(None);
    let log: Log<String> = Rc::default();
    async fn consumer(queue: Queue<u32>, name: &str, log: Log<String>) -> Result<()> {
        while let Some(item) = queue.next().await {
            log.borrow_mut().push(format!("{name}{}", item?));
            queue.task_done();
        }
        log.borrow_mut().push(format!("{name}done"));
        Ok(())
    }
    kernel
        .run(async {
            let queue = Queue::new();
            let kids = ["a", "b"].map(|name| spawn(consumer(queue.clone(), name, log.clone())));
            settle().await?;
            for n in 0..4 {
                queue.put(n).await?;
                sleep(SEC).await?;
            }
            queue.join().await?;
            queue.close();
            for kid in kids {
                kid.join().await?;
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(*log.borrow(), ["a0", "b1", "a2", "b3", "adone", "bdone"]);
}

/// Python Curio: `test_queue_bounded`.
#[test]
fn a_full_queue_makes_putters_wait() {
    let kernel = virtual_kernel(None);
    let log: Log<String> = Rc::default();
    kernel
        .run(async {
            let queue = Queue::bounded(2);
            let consumer = spawn({
                let (queue, log) = (queue.clone(), log.clone());
                async move {
                    while let Some(item) = queue.next().await {
                        let item: u32 = item?;
                        log.borrow_mut().push(format!("get{item}"));
                        sleep(SEC).await?;
                        queue.task_done();
                    }
                    Ok(())
                }
            });
            for n in 0..4 {
                queue.put(n).await?;
                log.borrow_mut().push(format!("put{n}"));
                assert!(queue.len() <= 2);
            }
            queue.join().await?;
            log.borrow_mut().push("done".to_string());
            queue.close();
            consumer.join().await
        })
        .unwrap();
    assert_eq!(
        *log.borrow(),
        [
            "put0", "put1", "get0", "put2", "get1", "put3", "get2", "get3", "done"
        ]
    );
}

#[test]
fn what_is_known_about_a_queue() {
    let queue = Queue::bounded(2);
    assert_eq!((queue.len(), queue.capacity()), (0, Some(2)));
    assert!(queue.is_empty() && !queue.is_full() && !queue.is_closed());
    queue.try_put('a').unwrap();
    assert!(!queue.is_empty() && !queue.is_full());
    queue.try_put('b').unwrap();
    assert!(queue.is_full());
    assert_eq!(queue.try_put('c'), Err(TryPutError::Full('c')));
    queue.close();
    queue.close();
    assert!(queue.is_closed() && queue.is_full());
    assert_eq!(queue.try_put('c'), Err(TryPutError::Closed('c')));
    assert_eq!(queue.try_get().unwrap(), Some('a'));
    assert_eq!(
        format!("{queue:?}"),
        "Queue { len: 1, closed: true, unfinished: 2, .. }"
    );
    assert_eq!(TryPutError::Full(Cell::new(1)).to_string(), "the queue is full");
    assert_eq!(format!("{:?}", TryPutError::Closed(Cell::new(1))), "Closed(..)");
    for none in [0, 0] {
        assert!(catch_unwind(|| Queue::<u32>::bounded(none)).is_err());
        assert!(catch_unwind(|| PriorityQueue::<u32>::bounded(none)).is_err());
    }
}

// ---- Nobody passes by, nothing is lost

/// The fault of Python Curio: a late getter takes the item of one that was woken, which then goes to the end of the line.
#[test]
fn a_late_getter_does_not_pass_by() {
    virtually(async |_| {
        let queue = Queue::new();
        let kid = spawn({
            let queue = queue.clone();
            async move { queue.get().timeout(5 * SEC).await }
        });
        settle().await?;
        queue.put("first").await?;
        // The kid is chosen, and has not run.
        assert_eq!((queue.len(), queue.try_get()?), (1, None));
        let late = spawn({
            let queue = queue.clone();
            async move { queue.get().await }
        });
        let mut get = pin!(queue.get());
        assert!(poll_fn(|cx| Poll::Ready(get.as_mut().poll(cx).is_pending())).await);
        settle().await?;
        queue.put("second").await?;
        queue.put("third").await?;
        assert_eq!(kid.join().await?, "first");
        let mut rest = [late.join().await?, get.await?];
        rest.sort();
        assert_eq!(rest, ["second", "third"]);
        Ok(())
    });
}

#[test]
fn a_late_putter_does_not_pass_by() {
    virtually(async |_| {
        let queue = Queue::bounded(1);
        queue.put(0).await?;
        let kid = spawn({
            let queue = queue.clone();
            async move { queue.put(1).await }
        });
        settle().await?;
        assert_eq!(queue.try_get()?, Some(0));
        assert_eq!(queue.try_put(2), Err(TryPutError::Full(2)));
        queue.put(2).timeout(SEC).await.unwrap_err();
        kid.join().await?;
        assert_eq!(queue.get().await?, 1);
        assert!(queue.is_empty());
        Ok(())
    });
}

#[test]
fn waiting_tasks_are_served_in_the_order_in_which_they_came() {
    let kernel = virtual_kernel(None);
    let got: Log<(u32, u32)> = Rc::default();
    kernel
        .run(async {
            let queue = Queue::bounded(2);
            let kids: Vec<_> = (0..20)
                .map(|kid| {
                    let (queue, got) = (queue.clone(), got.clone());
                    spawn(async move {
                        let item = queue.get().await?;
                        got.borrow_mut().push((kid, item));
                        Ok(())
                    })
                })
                .collect();
            settle().await?;
            // From the middle, the end and the start of the line.
            for kid in [7, 19, 0] {
                kids[kid].cancel().await?;
            }
            let putters: Vec<_> = (0..17)
                .map(|n| {
                    let queue = queue.clone();
                    spawn(async move { queue.put(n).await })
                })
                .collect();
            for kid in putters {
                kid.join().await?;
            }
            for (kid, task) in kids.iter().enumerate() {
                assert_eq!(task.join().await.is_err(), [0, 7, 19].contains(&kid));
            }
            Ok(())
        })
        .unwrap();
    let order: Vec<u32> = (0..20).filter(|kid| ![0, 7, 19].contains(kid)).collect();
    let expected: Vec<(u32, u32)> = order.into_iter().zip(0..).collect();
    assert_eq!(*got.borrow(), expected);
}

#[test]
fn a_getter_that_was_chosen_and_is_cancelled_has_its_item() {
    everywhere(async |w| {
        let queue = Queue::new();
        let got: Log<u32> = Rc::default();
        let kids: Vec<_> = (0..3)
            .map(|_| {
                let (queue, got) = (queue.clone(), got.clone());
                spawn(async move {
                    let item = queue.get().await?;
                    got.borrow_mut().push(item);
                    sleep(w.t(100)).await
                })
            })
            .collect();
        settle().await?;
        // Chosen and cancelled in one turn: the finished operation wins, and the next one that waits hears of it.
        queue.put(1).await?;
        for kid in &kids {
            kid.cancel().await?;
        }
        assert_eq!(*got.borrow(), [1]);
        assert!(queue.is_empty());
        Ok(())
    });
}

#[test]
fn a_getter_that_was_chosen_and_is_dropped_passes_it_on() {
    virtually(async |_| {
        let queue = Queue::new();
        let mut first = Box::pin(queue.get());
        let mut second = Box::pin(queue.stream());
        poll_fn(|cx| {
            Poll::Ready(first.as_mut().poll(cx).is_ready() || second.poll_next_unpin(cx).is_ready())
        })
        .map(|ready| assert!(!ready))
        .await;
        let third = spawn({
            let queue = queue.clone();
            async move { queue.get().await }
        });
        settle().await?;
        queue.put("item").await?;
        drop(first);
        assert_eq!(queue.try_get()?, None, "it is the second's");
        drop(second);
        assert_eq!(queue.try_get()?, None, "it is the third's");
        assert_eq!(third.join().await?, "item");
        Ok(())
    });
}

#[test]
fn a_putter_that_was_chosen_and_is_dropped_passes_it_on() {
    virtually(async |_| {
        let queue = Queue::bounded(1);
        queue.put("one").await?;
        let mut first = Box::pin(queue.put("dropped"));
        let mut second = queue.put("taken back");
        poll_fn(|cx| {
            Poll::Ready(first.as_mut().poll(cx).is_ready() || Pin::new(&mut second).poll(cx).is_ready())
        })
        .map(|ready| assert!(!ready))
        .await;
        let third = spawn({
            let queue = queue.clone();
            async move { queue.put("two").await }
        });
        settle().await?;
        assert_eq!(queue.try_get()?, Some("one"));
        drop(first);
        assert_eq!(second.into_item(), Some("taken back"));
        assert!(queue.try_put("late").is_err(), "the place is the third's");
        third.join().await?;
        assert_eq!(queue.try_get()?, Some("two"));
        Ok(())
    });
}

/// Python Curio: `test_queue_get_cancel`, `test_queue_put_timeout` and their like.
#[test]
fn an_interrupted_operation_has_had_no_effect() {
    everywhere(async |w| {
        let queue: Queue<u32> = Queue::bounded(1);
        let timed_out = timeout_after(w.t(1), queue.get()).await;
        assert!(timed_out.unwrap_err().is_timeout());
        queue.put(1).await?;
        let mut put = queue.put(2);
        assert!(timeout_after(w.t(1), &mut put).await.unwrap_err().is_timeout());
        // It may be tried again.
        let get = spawn({
            let queue = queue.clone();
            async move {
                sleep(w.t(1)).await?;
                queue.get().await
            }
        });
        (&mut put).await?;
        assert_eq!(put.into_item(), None);
        assert_eq!(get.join().await?, 1);
        let kid = spawn({
            let queue = queue.clone();
            async move { queue.put(3).await }
        });
        settle().await?;
        kid.cancel().await?;
        assert!(matches!(kid.join().await, Err(Error::Task(e)) if e.cancelled()));
        assert_eq!((queue.try_get()?, queue.try_get()?), (Some(2), None));
        Ok(())
    });
}

#[test]
fn an_item_and_a_deadline_in_the_same_instant() {
    virtually(async |_| {
        let queue = Queue::new();
        let got = Rc::new(Cell::new(0));
        let kid = spawn({
            let (queue, got) = (queue.clone(), got.clone());
            async move {
                while let Some(item) = ignore_after(SEC, queue.get()).await? {
                    assert_eq!(item, got.get());
                    got.set(item + 1);
                }
                Ok(())
            }
        });
        let mut put = 0;
        while !kid.terminated() && put < 5 {
            sleep(SEC).await?;
            queue.put(put).await?;
            put += 1;
        }
        kid.join().await?;
        assert_eq!(got.get() + queue.len(), put);
        Ok(())
    });
}

// ---- Below combinators

#[test]
fn below_join_and_futures_unordered() {
    everywhere(async |w| {
        let queue = Queue::bounded(2);
        let all = async {
            let mut getters: FuturesUnordered<_> = (0..5).map(|_| queue.get()).collect();
            let mut items = Vec::new();
            while let Some(item) = getters.next().await {
                items.push(item?);
            }
            items.sort();
            Ok::<_, Error>(items)
        };
        let puts = async {
            let mut putters: FuturesUnordered<_> = (0..3).map(|n| queue.put(n)).collect();
            while let Some(put) = putters.next().await {
                put?;
            }
            join!(queue.put(3), queue.put(4)).0
        };
        let (items, put) = join!(all, puts);
        put?;
        assert_eq!(items?, [0, 1, 2, 3, 4]);
        // An interruption reaches all of them.
        let both = timeout_after(w.t(1), async {
            let (a, b) = join!(queue.get(), queue.get());
            assert!(a.is_err() && b.is_err());
            a
        });
        assert!(both.await.unwrap_err().is_timeout());
        Ok(())
    });
}

#[test]
fn a_losing_arm_loses_nothing() {
    virtually(async |_| {
        let (left, right) = (Queue::bounded(1), Queue::bounded(1));
        let putters = [left.clone(), right.clone()].map(|queue| {
            spawn(async move {
                for n in 0..50 {
                    queue.put(n).await?;
                }
                Ok(())
            })
        });
        let mut expected = [0, 0];
        while expected[0] + expected[1] < 100 {
            let (mut from_left, mut from_right) = (left.get().fuse(), right.get().fuse());
            let (side, item) = select_biased! {
                item = from_left => (0, item?),
                item = from_right => (1, item?),
            };
            assert_eq!(item, expected[side]);
            expected[side] += 1;
        }
        for putter in putters {
            putter.join().await?;
        }
        assert!(left.is_empty() && right.is_empty());
        Ok(())
    });
}

#[test]
fn as_a_stream() {
    virtually(async |_| {
        let queue = Queue::bounded(3);
        let sum = spawn({
            let items = queue.stream();
            async move { items.try_fold(0, |sum, n: u32| async move { Ok(sum + n) }).await }
        });
        for n in 1..=10 {
            queue.put(n).await?;
        }
        queue.close();
        assert_eq!(sum.join().await?, 55);

        // An interruption is an item; the stream goes on.
        let queue = Queue::new();
        let mut items = queue.stream();
        assert_eq!(items.size_hint(), (0, None));
        let none = timeout_after(SEC, async { items.next().await.unwrap() }).await;
        assert!(none.unwrap_err().is_timeout());
        queue.put(7).await?;
        queue.close();
        assert_eq!(items.size_hint(), (0, Some(1)));
        let mut items = items.fuse();
        assert_eq!(items.select_next_some().await?, 7);
        assert!(items.next().await.is_none());
        Ok(())
    });
}

#[test]
fn tasks_that_never_have_to_wait_let_others_run() {
    run(async {
        let queue = Queue::new();
        let ticks = Rc::new(Cell::new(0));
        let ticker = spawn({
            let ticks = ticks.clone();
            async move {
                loop {
                    ticks.set(ticks.get() + 1);
                    yield_now().await?;
                }
                #[allow(unreachable_code)]
                Ok(())
            }
        });
        for n in 0..10_000 {
            queue.put(n).await?;
            assert_eq!(queue.get().await?, n);
        }
        queue.close();
        for _ in 0..10_000 {
            assert!(queue.get().await.is_err() && queue.put(0).await.is_err());
        }
        assert!(ticks.get() > 250, "{}", ticks.get());
        ticker.cancel().await
    })
    .unwrap();
}

// ---- Closing

#[test]
fn closing_wakes_everybody() {
    everywhere(async |_| {
        let (empty, full) = (Queue::<u32>::new(), Queue::bounded(1));
        full.put(0).await?;
        let getters: Vec<_> = (0..3)
            .map(|_| {
                let empty = empty.clone();
                spawn(async move { Ok(empty.get().await) })
            })
            .collect();
        let putters: Vec<_> = (1..4)
            .map(|n| {
                let full = full.clone();
                spawn(async move {
                    let mut put = full.put(n);
                    let result = (&mut put).await;
                    assert_eq!(put.into_item(), Some(n));
                    Ok(result)
                })
            })
            .collect();
        settle().await?;
        empty.close();
        full.close();
        for getter in getters {
            assert!(matches!(getter.join().await?, Err(Error::Closed)));
        }
        for putter in putters {
            assert!(matches!(putter.join().await?, Err(Error::Closed)));
        }
        // What was in it is still there.
        assert_eq!(full.get().await?, 0);
        assert!(matches!(full.get().await, Err(Error::Closed)));
        assert!(full.next().await.is_none() && full.try_get().is_err());
        Ok(())
    });
}

#[test]
fn a_queue_that_is_closed_while_a_task_is_chosen() {
    virtually(async |_| {
        let (queue, full) = (Queue::new(), Queue::bounded(1));
        full.put(0).await?;
        let kids: Vec<_> = (0..2)
            .map(|_| {
                let queue = queue.clone();
                spawn(async move { queue.next().await.transpose() })
            })
            .collect();
        let putter = spawn({
            let full = full.clone();
            async move { Ok(full.put(1).await) }
        });
        settle().await?;
        queue.put("item").await?;
        assert_eq!(full.get().await?, 0);
        queue.close();
        full.close();
        let mut got = Vec::new();
        for kid in kids {
            got.extend(kid.join().await?);
        }
        assert_eq!(got, ["item"], "one of them has it, the other saw the end");
        assert!(matches!(putter.join().await?, Err(Error::Closed)));
        Ok(())
    });
}

#[test]
fn a_closed_queue_keeps_no_promises() {
    virtually(async |_| {
        let queue = Queue::new();
        let kid = spawn({
            let queue = queue.clone();
            async move { queue.next().await.transpose() }
        });
        settle().await?;
        queue.put("item").await?;
        assert_eq!(queue.try_get()?, None);
        queue.close();
        assert_eq!(queue.try_get()?, Some("item"));
        assert_eq!(kid.join().await?, None);
        Ok(())
    });
}

// ---- join and task_done

#[test]
fn join_waits_until_all_is_done() {
    everywhere(async |w| {
        let queue = Queue::new();
        queue.join().await?;
        let joiners: Vec<_> = (0..2)
            .map(|_| {
                let queue = queue.clone();
                queue.try_put(1).unwrap();
                spawn(async move { queue.join().await })
            })
            .collect();
        queue.close();
        assert!(queue.join().timeout(w.t(1)).await.unwrap_err().is_timeout());
        queue.get().await?;
        queue.task_done();
        settle().await?;
        assert!(!joiners[0].terminated());
        queue.get().await?;
        queue.task_done();
        for joiner in joiners {
            joiner.join().await?;
        }
        queue.join().await
    });
}

/// Who was told that all was done goes on, even if more has come meanwhile.
#[test]
fn join_does_not_care_for_what_comes_later() {
    virtually(async |_| {
        let queue = Queue::new();
        queue.put(1).await?;
        let joiner = spawn({
            let queue = queue.clone();
            async move { queue.join().await }
        });
        settle().await?;
        queue.task_done();
        queue.put(2).await?;
        joiner.join().timeout(SEC).await
    });
}

#[test]
fn too_many_task_done_are_a_clear_panic() {
    let queue = Queue::new();
    queue.try_put(1).unwrap();
    queue.task_done();
    let panic = catch_unwind(AssertUnwindSafe(|| queue.task_done())).unwrap_err();
    let said = panic.downcast_ref::<&str>().unwrap();
    assert!(said.contains("task_done was called more often"), "{said}");
    // Nothing else has come of it.
    queue.try_put(2).unwrap();
    queue.task_done();
}

// ---- User code that runs inside

/// An item that uses its queue while it is compared and dropped.
struct Meddler {
    number: u32,
    queue: PriorityQueue<Meddler>,
    meddles: bool,
}

impl Ord for Meddler {
    fn cmp(&self, other: &Meddler) -> Ordering {
        let queue = &self.queue;
        if self.meddles && queue.len() < 20 {
            let (number, queue) = (100 + queue.len() as u32, queue.clone());
            let len = queue.len();
            let more = Meddler {
                number,
                queue: queue.clone(),
                meddles: false,
            };
            queue.try_put(more).unwrap();
            assert_eq!(queue.len(), len + 1);
            assert!(queue.try_get().unwrap().is_none(), "it is being compared");
        }
        self.number.cmp(&other.number)
    }
}
impl PartialOrd for Meddler {
    fn partial_cmp(&self, other: &Meddler) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Meddler {
    fn eq(&self, other: &Meddler) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Meddler {}
impl Drop for Meddler {
    fn drop(&mut self) {
        let _ = self.queue.len();
        let _ = self.queue.is_full();
    }
}

#[test]
fn comparisons_may_use_the_queue() {
    let kernel = virtual_kernel(None);
    kernel
        .run(async {
            let queue = PriorityQueue::new();
            let waiting = spawn({
                let queue: PriorityQueue<Meddler> = queue.clone();
                async move { Ok(queue.get().await?.number) }
            });
            settle().await?;
            for number in [5, 3, 4, 1, 2] {
                let item = Meddler {
                    number,
                    queue: queue.clone(),
                    meddles: true,
                };
                queue.try_put(item).unwrap_or_else(|_| unreachable!());
            }
            assert_eq!(waiting.join().await?, 1);
            let mut numbers = Vec::new();
            while let Some(item) = queue.try_get()? {
                numbers.push(item.number);
            }
            assert!(numbers.len() > 4 && numbers.is_sorted(), "{numbers:?}");
            Ok(())
        })
        .unwrap();
}

/// Panics at the comparison at which the fuse has burnt down.
#[derive(PartialEq, Eq)]
struct Bomb(u32, Rc<Cell<u32>>);

impl Ord for Bomb {
    fn cmp(&self, other: &Bomb) -> Ordering {
        let left = self.1.get();
        self.1.set(left.saturating_sub(1));
        assert!(left != 1, "boom");
        self.0.cmp(&other.0)
    }
}
impl PartialOrd for Bomb {
    fn partial_cmp(&self, other: &Bomb) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[test]
fn a_comparison_that_panics_leaves_a_queue_that_works() {
    let mut lost = 0;
    for fuse_length in 1.. {
        let kernel = virtual_kernel(None);
        let fuse = Rc::new(Cell::new(0));
        let queue = PriorityQueue::bounded(6);
        let exploded = kernel
            .run(async {
                for n in [3, 5, 2, 6, 1, 4] {
                    queue.put(Bomb(n, fuse.clone())).await?;
                }
                queue.get().await?;
                queue.put(Bomb(0, fuse.clone())).await?;
                let putters: Vec<_> = (7..9)
                    .map(|n| {
                        let (queue, fuse) = (queue.clone(), fuse.clone());
                        spawn(async move { queue.put(Bomb(n, fuse)).await })
                    })
                    .collect();
                settle().await?;
                fuse.set(fuse_length);
                let exploded = catch_unwind(AssertUnwindSafe(|| queue.try_get())).is_err();
                fuse.set(0);
                // If an item went down with it, there was room for another, and who waited has heard of it.
                settle().await?;
                assert_eq!(queue.len(), 6);
                lost += u32::from(exploded && putters[0].terminated());
                // What is counted is there.
                queue.close();
                let left = queue.stream().try_collect::<Vec<_>>().await?;
                assert_eq!((left.len(), queue.len()), (6, 0));
                Ok(exploded)
            })
            .unwrap();
        kernel.run_all().unwrap();
        assert_empty(&kernel);
        assert_eq!(Rc::strong_count(&fuse), 1, "and nothing else is");
        if !exploded {
            assert!(fuse_length > 3 && lost > 0);
            break;
        }
    }
}

#[test]
fn drops_may_use_the_queue() {
    struct Returns(u32, Queue<Returns>);
    impl Drop for Returns {
        fn drop(&mut self) {
            if self.0 > 0 {
                let again = Returns(self.0 - 1, self.1.clone());
                if let Err(error) = self.1.try_put(again) {
                    error.into_item().0 = 0;
                }
            }
        }
    }
    run(async {
        let queue = Queue::bounded(1);
        queue.put(Returns(3, queue.clone())).await?;
        // This put waits, is dropped, and its item is put into the queue by its own drop if it can be.
        let late = timeout_after(Duration::from_millis(1), queue.put(Returns(2, queue.clone())));
        assert!(late.await.is_err());
        while let Some(item) = queue.try_get()? {
            drop(item);
        }
        queue.close();
        let closed = queue.put(Returns(5, queue.clone())).await;
        assert!(matches!(closed, Err(Error::Closed)));
        Ok(())
    })
    .unwrap();
}

/// Wakers are user code, too: this one takes the item before the getter that it is to wake.
#[test]
fn a_waker_may_use_the_queue() {
    use std::sync::Arc;
    use std::task::Wake;
    thread_local! {
        static QUEUE: Queue<u32> = Queue::new();
    }
    struct Thief;
    impl Wake for Thief {
        fn wake(self: Arc<Self>) {
            QUEUE.with(|queue| assert_eq!(queue.try_get().unwrap(), None, "it is promised"));
            QUEUE.with(|queue| queue.try_put(2).unwrap());
        }
    }
    let kernel = virtual_kernel(None);
    kernel
        .run(async {
            let queue = QUEUE.with(Queue::clone);
            let mut get = pin!(queue.get());
            let waker = Waker::from(Arc::new(Thief));
            assert!(get.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            queue.put(1).await?;
            assert_eq!(get.await?, 1);
            assert_eq!(queue.get().await?, 2);
            Ok(())
        })
        .unwrap();
}

// ---- Kernels

#[test]
fn without_a_kernel_only_waiting_is_an_error() {
    let queue = Queue::bounded(1);
    let mut cx = Context::from_waker(Waker::noop());
    let no_kernel = |result| assert!(matches!(result, Poll::Ready(Err(Error::NoKernel))));
    no_kernel(pin!(queue.get()).poll(&mut cx).map_ok(drop));
    assert!(pin!(queue.put(1)).poll(&mut cx).is_ready());
    no_kernel(pin!(queue.put(2)).poll(&mut cx));
    no_kernel(pin!(queue.join()).poll(&mut cx));
    assert!(matches!(pin!(queue.get()).poll(&mut cx), Poll::Ready(Ok(1))));
    queue.close();
    assert!(matches!(
        pin!(queue.get()).poll(&mut cx),
        Poll::Ready(Err(Error::Closed))
    ));
    assert!(matches!(pin!(queue.next()).poll(&mut cx), Poll::Ready(None)));
}

#[test]
fn a_queue_outlives_its_kernel() {
    let _guard = Watchdog::start();
    let (queue, full) = (Queue::new(), Queue::bounded(1));
    full.try_put(0).unwrap();
    let mut get = Box::pin(queue.get());
    let mut put = Box::pin(full.put(1));
    let kernel = virtual_kernel(None);
    kernel
        .run(async {
            poll_fn(|cx| Poll::Ready(get.as_mut().poll(cx).is_ready() || put.as_mut().poll(cx).is_ready()))
                .map(|ready| assert!(!ready))
                .await;
            // Both are chosen, and will never run.
            queue.try_put(1).unwrap();
            assert_eq!(full.try_get()?, Some(0));
            Ok(())
        })
        .unwrap();
    // The promises hold as long as the kernel, which could run again.
    assert_eq!(queue.try_get().unwrap(), None);
    assert!(full.try_put(2).is_err());
    drop(kernel);
    full.try_put(2).unwrap();
    // In another kernel everything works, with what is left of the first still there.
    virtual_kernel(None)
        .run(async {
            assert_eq!(queue.get().await?, 1);
            let kid = spawn({
                let queue = queue.clone();
                async move { queue.get().await }
            });
            settle().await?;
            queue.put(2).await?;
            assert_eq!(kid.join().await?, 2);
            queue.put(3).await?;
            assert_eq!(get.as_mut().await?, 3);
            full.get().await?;
            put.as_mut().await?;
            Ok(())
        })
        .unwrap();
    assert_eq!(full.try_get().unwrap(), Some(1));
}

/// Operations that wait may be dropped while their kernel does not run: they leave nothing behind, and pass on what they
/// were promised.
#[test]
fn operations_are_dropped_between_two_runs() {
    let _guard = Watchdog::start();
    let queue = Queue::new();
    let kernel = virtual_kernel(None);
    let begun = Rc::new(RefCell::new(Vec::new()));
    // The operations belong to a task that lives on, and not to the main one.
    let holder = kernel.spawn({
        let (queue, begun) = (queue.clone(), begun.clone());
        async move {
            for _ in 0..3 {
                let mut items = Box::pin(queue.stream());
                assert!(poll_fn(|cx| Poll::Ready(items.poll_next_unpin(cx).is_pending())).await);
                begun.borrow_mut().push(items);
            }
            sleep(10 * SEC).await
        }
    });
    kernel.run_once().unwrap();
    assert_eq!(begun.borrow().len(), 3);
    queue.try_put("item").unwrap();
    assert_eq!(queue.try_get().unwrap(), None);
    drop(begun.borrow_mut().remove(0));
    assert_eq!(queue.try_get().unwrap(), None, "it is the second's");
    begun.borrow_mut().clear();
    assert_eq!(queue.try_get().unwrap(), Some("item"));
    kernel.run(holder.join()).unwrap();
    assert_empty(&kernel);
}

#[test]
fn two_kernels_cannot_wait_at_one_queue() {
    let _guard = Watchdog::start();
    let (one, two) = (virtual_kernel(None), virtual_kernel(None));
    let queue = Queue::new();
    let kid = one.spawn({
        let queue = queue.clone();
        async move { queue.get().await }
    });
    one.run_once().unwrap();
    two.run(async {
        assert!(matches!(queue.get().await, Err(Error::NoKernel)));
        // But to put does not wait.
        queue.put(7).await
    })
    .unwrap();
    assert_eq!(one.run(kid.join()).unwrap(), 7);
    assert_empty(&two);
}

#[test]
fn a_getter_that_moves_to_another_task_loses_nothing() {
    virtually(async |_| {
        let queue = Rc::new(Queue::new());
        for chosen_before in [true, false] {
            type Operation = Pin<Box<dyn Future<Output = Result<u32>>>>;
            let get: Rc<RefCell<Option<Operation>>> = Rc::default();
            let queue = queue.clone();
            *get.borrow_mut() = Some(Box::pin({
                let queue = queue.clone();
                async move { queue.get().await }
            }));
            let kid = spawn({
                let get = get.clone();
                async move {
                    let polled =
                        poll_fn(|cx| Poll::Ready(get.borrow_mut().as_mut().unwrap().as_mut().poll(cx)));
                    assert!(polled.await.is_pending());
                    yield_now().await?;
                    yield_now().await
                }
            });
            while kid.cycles() == 0 {
                yield_now().await?;
            }
            if chosen_before {
                queue.put(1).await?;
                kid.join().await?;
            } else {
                // With its task, its place in the line is gone.
                kid.join().await?;
                queue.put(1).await?;
            }
            let get = get.take().unwrap();
            assert_eq!(get.timeout(SEC).await?, 1);
        }
        Ok(())
    });
}

#[test]
fn a_deadlock_report_says_who_waits_at_a_queue() {
    let kernel = virtual_kernel(None);
    let queue = Queue::bounded(1);
    queue.try_put(1).unwrap();
    let error = kernel
        .run(async { join!(queue.put(2), queue.join()).0 })
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("QUEUE_PUT at") && error.contains("QUEUE_JOIN at"),
        "{error}"
    );
    assert!(error.contains("queue.rs"), "{error}");
}

// ---- An interruption at every step

/// Polls a task's body, and after its k-th run does something.
struct AtRun<F> {
    body: Pin<Box<F>>,
    left: u32,
    act: Option<Box<dyn FnOnce()>>,
}

impl<F: Future> Future for AtRun<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let polled = self.body.as_mut().poll(cx);
        self.left = self.left.saturating_sub(1);
        if self.left == 0
            && let Some(act) = self.act.take()
        {
            act();
        }
        polled
    }
}

/// Two producers and two consumers, one of which is cancelled after each step of a fifth task. No item is lost, none is
/// there twice, and whoever is left goes on to the end.
#[test]
fn a_cancel_after_every_step() {
    let _guard = Watchdog::start();
    let mut steps = 0;
    for (seed, capacity) in (0..60).map(|seed| (seed, 1 + (seed % 3) as usize)) {
        for victim in 0..4 {
            let mut k = 1;
            while cancelled_after(k, victim, seed, capacity) {
                k += 1;
            }
            steps += k;
        }
    }
    assert!(steps > 2_000, "the program is too short: {steps}");
}

fn cancelled_after(k: u32, victim: usize, seed: u64, capacity: usize) -> bool {
    let kernel = virtual_kernel(Some(seed));
    let (put, got): (Log<u32>, Log<u32>) = Default::default();
    let acted = Rc::new(Cell::new(false));
    kernel
        .run(async {
            let queue = Queue::bounded(capacity);
            let mut tasks = Vec::new();
            for producer in 0..2 {
                let (queue, put) = (queue.clone(), put.clone());
                tasks.push(spawn(async move {
                    for n in 0..6 {
                        let item = 100 * producer + n;
                        queue.put(item).await?;
                        put.borrow_mut().push(item);
                    }
                    Ok(())
                }));
            }
            for _ in 0..2 {
                let (queue, got) = (queue.clone(), got.clone());
                tasks.push(spawn(async move {
                    while let Some(item) = queue.next().await {
                        got.borrow_mut().push(item?);
                    }
                    Ok(())
                }));
            }
            let tasks = Rc::new(tasks);
            let tasks = Rc::new(tasks);
            let actor = spawn(AtRun {
                body: Box::pin({
                    let tasks = tasks.clone();
                    async move {
                        while tasks[..2].iter().any(|producer| !producer.terminated()) {
                            yield_now().await?;
                        }
                        Ok(())
                    }
                }),
                left: k,
                act: Some(Box::new({
                    let (acted, tasks) = (acted.clone(), tasks.clone());
                    move || {
                        acted.set(true);
                        tasks[victim].cancel_nowait();
                    }
                })),
            });
            // Takes what is left if the victim leaves too much to do.
            spawn({
                let (queue, got) = (queue.clone(), got.clone());
                async move {
                    sleep(SEC).await?;
                    while let Some(item) = queue.next().await {
                        got.borrow_mut().push(item?);
                    }
                    Ok(())
                }
            });
            for producer in &tasks[..2] {
                producer.wait().await?;
            }
            queue.close();
            for task in &tasks[2..] {
                task.wait().await?;
            }
            actor.join().await?;
            assert!(queue.is_empty());
            Ok(())
        })
        .unwrap();
    kernel.run_all().unwrap();
    assert_empty(&kernel);
    let got = got.borrow();
    for producer in 0..2 {
        let from =
            |log: &[u32]| -> Vec<u32> { log.iter().copied().filter(|n| n / 100 == producer).collect() };
        assert!(
            from(&got).is_sorted(),
            "k {k}, victim {victim}, seed {seed}: {got:?}"
        );
    }
    let (mut got, mut put) = (got.clone(), put.borrow().clone());
    got.sort_unstable();
    put.sort_unstable();
    assert_eq!(got, put, "k {k}, victim {victim}, seed {seed}");
    acted.get()
}

/// It waited for room for nothing at all.
#[test]
fn a_put_that_is_polled_after_it_has_completed_panics() {
    let _guard = Watchdog::start();
    for queue in [Queue::new(), Queue::bounded(1)] {
        let polled_again = catch_unwind(AssertUnwindSafe(|| {
            run(async {
                let mut put = queue.put(1);
                (&mut put).await?;
                put.await
            })
        }));
        assert!(polled_again.is_err());
    }
}
