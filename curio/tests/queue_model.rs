//! Queues against a model, and in a crowd: random programs on the virtual clock.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use curio::{
    Clock, Error, Kernel, LifoQueue, PriorityQueue, Queue, Result, WithTimeout, ignore_after, sleep, spawn,
    timeout_after,
};
use futures::{FutureExt, select_biased};
use proptest::prelude::*;

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

/// Lets everybody run until all wait: only then does the virtual clock go on.
async fn settle() -> Result<()> {
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

#[derive(Debug, Clone)]
enum Step {
    /// A task that gets, with a timeout of so many seconds and a half.
    Get(Option<u32>),
    Put(u32, Option<u32>),
    TryGet,
    TryPut(u32),
    /// Cancels the task with this number, if there are so many.
    Cancel(usize),
    Sleep(u32),
    Close,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let limit = || prop_oneof![3 => Just(None), 1 => (0..4_u32).prop_map(Some)];
    let step = prop_oneof![
        6 => limit().prop_map(Step::Get),
        6 => (0..50_u32, limit()).prop_map(|(n, limit)| Step::Put(n, limit)),
        1 => Just(Step::TryGet),
        1 => (0..50_u32).prop_map(Step::TryPut),
        3 => (0..30_usize).prop_map(Step::Cancel),
        2 => (1..3_u32).prop_map(Step::Sleep),
        1 => Just(Step::Close),
    ];
    // Closing ends most of what is interesting, so it comes late.
    prop::collection::vec(step, 1..60).prop_map(|mut steps| {
        let late = steps.len() * 3 / 4;
        let mut at = 0;
        steps.retain(|step| {
            at += 1;
            at > late || !matches!(step, Step::Close)
        });
        steps
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Waits,
    Got(u32),
    Put,
    Closed,
    Cancelled,
    TimedOut,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    First,
    Last,
    Smallest,
}

/// A queue as one would describe it, in which everything happens at once.
struct Model {
    kind: Kind,
    capacity: usize,
    items: Vec<u32>,
    closed: bool,
    now: u32,
    seen: Vec<Seen>,
    getters: VecDeque<usize>,
    putters: VecDeque<(usize, u32)>,
    /// In half seconds.
    deadlines: Vec<Option<u32>>,
}

impl Model {
    fn take(&mut self) -> Option<u32> {
        let at = match self.kind {
            Kind::First => 0,
            Kind::Last => self.items.len().checked_sub(1)?,
            Kind::Smallest => (0..self.items.len()).min_by_key(|&at| self.items[at])?,
        };
        (at < self.items.len()).then(|| self.items.remove(at))
    }

    fn settle(&mut self) {
        loop {
            if !self.items.is_empty()
                && let Some(getter) = self.getters.pop_front()
            {
                let item = self.take().unwrap();
                self.seen[getter] = Seen::Got(item);
            } else if !self.closed
                && self.items.len() < self.capacity
                && let Some((putter, item)) = self.putters.pop_front()
            {
                self.items.push(item);
                self.seen[putter] = Seen::Put;
            } else {
                break;
            }
        }
        if self.closed {
            for getter in self.getters.drain(..) {
                self.seen[getter] = Seen::Closed;
            }
            for (putter, _) in self.putters.drain(..) {
                self.seen[putter] = Seen::Closed;
            }
        }
    }

    fn end(&mut self, task: usize, seen: Seen) {
        if self.seen.get(task) == Some(&Seen::Waits) {
            self.seen[task] = seen;
            self.getters.retain(|&getter| getter != task);
            self.putters.retain(|&(putter, _)| putter != task);
        }
    }

    fn begin(&mut self, limit: Option<u32>) -> usize {
        self.seen.push(Seen::Waits);
        self.deadlines.push(limit.map(|s| 2 * self.now + 2 * s + 1));
        self.seen.len() - 1
    }

    fn sleep(&mut self, seconds: u32) {
        self.now += seconds;
        for task in 0..self.seen.len() {
            if self.deadlines[task].is_some_and(|at| at < 2 * self.now) {
                self.end(task, Seen::TimedOut);
            }
        }
    }
}

fn seen<T>(result: Result<T>, fine: impl FnOnce(T) -> Seen) -> Seen {
    match result {
        Ok(value) => fine(value),
        Err(Error::Closed) => Seen::Closed,
        Err(Error::Timeout(_)) => Seen::TimedOut,
        Err(Error::Cancelled(_)) => Seen::Cancelled,
        Err(error) => panic!("{error}"),
    }
}

fn limited(limit: Option<u32>) -> Option<Duration> {
    limit.map(|s| s * SEC + SEC / 2)
}

async fn against_the_model(kind: Kind, capacity: usize, steps: &[Step]) -> Result<()> {
    let queue: Queue<u32> = match (kind, capacity) {
        (Kind::First, usize::MAX) => Queue::new(),
        (Kind::First, n) => Queue::bounded(n),
        (Kind::Last, n) => Queue::clone(&LifoQueue::bounded(n)),
        (Kind::Smallest, n) => Queue::clone(&PriorityQueue::bounded(n)),
    };
    let mut model = Model {
        kind,
        capacity,
        items: Vec::new(),
        closed: false,
        now: 0,
        seen: Vec::new(),
        getters: VecDeque::new(),
        putters: VecDeque::new(),
        deadlines: Vec::new(),
    };
    let real: Log<Seen> = Rc::default();
    let mut tasks = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        match *step {
            Step::Get(limit) => {
                let task = model.begin(limit);
                model.getters.push_back(task);
                real.borrow_mut().push(Seen::Waits);
                let (queue, real) = (queue.clone(), real.clone());
                tasks.push(spawn(async move {
                    let result = timeout_after(limited(limit), queue.get()).await;
                    real.borrow_mut()[task] = seen(result, Seen::Got);
                }));
            }
            Step::Put(item, limit) => {
                let task = model.begin(limit);
                model.putters.push_back((task, item));
                real.borrow_mut().push(Seen::Waits);
                let (queue, real) = (queue.clone(), real.clone());
                tasks.push(spawn(async move {
                    let result = timeout_after(limited(limit), queue.put(item)).await;
                    real.borrow_mut()[task] = seen(result, |()| Seen::Put);
                }));
            }
            Step::TryGet => assert_eq!(queue.try_get().ok().flatten(), model.take()),
            Step::TryPut(item) => {
                let room = !model.closed && model.items.len() < capacity;
                assert_eq!(queue.try_put(item).is_ok(), room);
                if room {
                    model.items.push(item);
                }
            }
            Step::Cancel(task) => {
                if let Some(task) = tasks.get(task) {
                    task.cancel().await?;
                }
                model.end(task, Seen::Cancelled);
            }
            Step::Sleep(seconds) => {
                sleep(seconds * SEC).await?;
                model.sleep(seconds);
            }
            Step::Close => {
                queue.close();
                model.closed = true;
            }
        }
        model.settle();
        settle().await?;
        assert_eq!(*real.borrow(), model.seen, "after step {at}");
        assert_eq!(queue.len(), model.items.len(), "after step {at}");
    }
    for task in tasks {
        task.cancel().await?;
    }
    Ok(())
}

fn quick() -> ProptestConfig {
    ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(quick())]

    #[test]
    fn queues_are_as_the_model_says(
        kind in prop_oneof![Just(Kind::First), Just(Kind::Last), Just(Kind::Smallest)],
        capacity in prop_oneof![Just(1_usize), Just(2), Just(5), Just(usize::MAX)],
        steps in steps(),
    ) {
        let kernel = virtual_kernel(None);
        kernel.run(against_the_model(kind, capacity, &steps)).unwrap();
        kernel.run_all().unwrap();
        assert_empty(&kernel);
    }

    /// Many at once, in any order: every item that was put is got once or still there, and each producer's come in order.
    #[test]
    fn nothing_is_lost_in_a_crowd(
        seed in any::<u64>(),
        capacity in 1_usize..4,
        producers in prop::collection::vec((1_u32..12, 0_u32..4), 1..4),
        consumers in prop::collection::vec((0_u32..4, any::<bool>()), 1..4),
        cancels in prop::collection::vec((0_usize..6, 0_u32..12), 0..4),
        close_after in prop::option::of(0_u32..12),
    ) {
        crowd(seed, capacity, &producers, &consumers, &cancels, close_after);
    }
}

/// In this test a unit of time is a second; pauses and limits of 0 are yields, and limits that expire at once.
fn crowd(
    seed: u64,
    capacity: usize,
    producers: &[(u32, u32)],
    consumers: &[(u32, bool)],
    cancels: &[(usize, u32)],
    close_after: Option<u32>,
) {
    let kernel = virtual_kernel(Some(seed));
    let (put, got): (Log<u32>, Log<u32>) = Default::default();
    let queue = Queue::bounded(capacity);
    kernel
        .run(async {
            let mut tasks = Vec::new();
            for (number, &(count, limit)) in producers.iter().enumerate() {
                let (queue, put) = (queue.clone(), put.clone());
                tasks.push(spawn(async move {
                    for n in 0..count {
                        let item = 1000 * number as u32 + n;
                        match ignore_after(limit * SEC, queue.put(item)).await {
                            Ok(Some(())) => put.borrow_mut().push(item),
                            Ok(None) => {}
                            Err(Error::Closed) => break,
                            Err(error) => return Err(error),
                        }
                        if n % 3 == 2 {
                            sleep(SEC).await?;
                        }
                    }
                    Ok(())
                }));
            }
            let ends = tasks.len();
            for &(limit, selects) in consumers {
                let (queue, got) = (queue.clone(), got.clone());
                tasks.push(spawn(async move {
                    loop {
                        let next = ignore_after(limit * SEC, async {
                            if !selects {
                                return queue.next().await.transpose();
                            }
                            let (mut one, mut two) = (queue.next().fuse(), queue.next().fuse());
                            select_biased! { item = one => item, item = two => item }.transpose()
                        });
                        match next.await? {
                            Some(Some(item)) => got.borrow_mut().push(item),
                            Some(None) => return Ok(()),
                            None => sleep(SEC).await?,
                        }
                    }
                }));
            }
            let tasks = Rc::new(tasks);
            for &(victim, after) in cancels {
                let tasks = tasks.clone();
                spawn(async move {
                    sleep(after * SEC / 2).await?;
                    match tasks.get(victim) {
                        Some(task) => task.cancel().await,
                        None => Ok(()),
                    }
                });
            }
            if let Some(after) = close_after {
                let queue = queue.clone();
                spawn(async move {
                    sleep(after * SEC).await?;
                    queue.close();
                    Ok(())
                });
            }
            // Somebody must take what is left, if all the consumers are cancelled.
            for producer in &tasks[..ends] {
                ignore_after(100 * SEC, producer.wait()).await?;
            }
            queue.close();
            for task in tasks.iter() {
                task.wait().timeout(100 * SEC).await?;
            }
            Ok(())
        })
        .unwrap();
    kernel.run_all().unwrap();
    assert_empty(&kernel);
    let mut got = got.borrow().clone();
    while let Ok(Some(item)) = queue.try_get() {
        got.push(item);
    }
    for producer in 0..producers.len() as u32 {
        let items = got.iter().filter(|&&n| n / 1000 == producer);
        assert!(items.is_sorted(), "{got:?}");
    }
    let mut put = put.borrow().clone();
    got.sort_unstable();
    put.sort_unstable();
    assert_eq!(got, put);
}
