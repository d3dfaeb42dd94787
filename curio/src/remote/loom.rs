//! Proofs by exhaustion: `loom` runs each of these programs in every order that its threads can take (with so many
//! preemptions at most), and fails if one of them deadlocks, panics or breaks an assertion.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Wake, Waker};

use ::loom::model::Builder;
use ::loom::sync::atomic::{AtomicUsize, Ordering};
use ::loom::thread;

use super::{Mailbox, Parker, Registry};
use crate::{Error, UniversalEvent, UniversalQueue, UniversalResult};

/// Errors that need more preemptions than these are not known to exist.
const PREEMPTIONS: usize = 3;

pub(crate) fn explore(program: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS);
    builder.check(program);
}

/// What other threads see of a kernel, with a bell that `loom` understands.
#[derive(Default)]
struct Kernel {
    mailbox: Mailbox,
    bell: Arc<Parker>,
}

impl Kernel {
    fn wake(&self, task: u32) {
        if self.mailbox.post(task) {
            self.bell.wake_by_ref();
        }
    }

    /// The tasks that were woken; sleeps while there is none.
    fn gather(&self) -> Vec<u32> {
        let mut woken = Vec::new();
        loop {
            if self.mailbox.has_mail() {
                self.mailbox.drain(&mut woken);
                return woken;
            }
            if self.mailbox.fall_asleep() {
                self.bell.park(None);
            }
        }
    }

    /// Runs a future as the only task.
    fn run<F: Future>(self: &Arc<Self>, future: F) -> F::Output {
        let mut future = pin!(future);
        loop {
            if let Poll::Ready(value) = self.poll(future.as_mut()) {
                return value;
            }
            assert_eq!(self.gather(), [0]);
        }
    }

    fn poll<F: Future>(self: &Arc<Self>, future: Pin<&mut F>) -> Poll<F::Output> {
        let waker = Waker::from(Arc::new(TaskZero(self.clone())));
        future.poll(&mut TaskContext::from_waker(&waker))
    }
}

struct TaskZero(Arc<Kernel>);

impl Wake for TaskZero {
    fn wake(self: Arc<Self>) {
        self.0.wake(0);
    }
}

// ---- Waking a task

#[test]
fn a_kernel_that_falls_asleep_misses_nobody() {
    explore(|| {
        let kernel = Arc::new(Kernel::default());
        for task in [0, 1] {
            let kernel = kernel.clone();
            thread::spawn(move || kernel.wake(task));
        }
        let mut woken = Vec::new();
        while woken.len() < 2 {
            woken.append(&mut kernel.gather());
        }
        woken.sort_unstable();
        assert_eq!(woken, [0, 1]);
    });
}

#[test]
fn a_kernel_that_was_roused_by_something_else_misses_nobody() {
    explore(|| {
        let kernel = Arc::new(Kernel::default());
        for is_wake in [false, true] {
            let kernel = kernel.clone();
            thread::spawn(move || {
                if is_wake {
                    kernel.wake(0);
                } else {
                    // As an event of a socket: the kernel goes to sleep again with its flag still set.
                    kernel.bell.wake_by_ref();
                }
            });
        }
        assert_eq!(kernel.gather(), [0]);
    });
}

#[test]
fn a_kernel_that_falls_asleep_misses_nothing_that_is_given_back() {
    explore(|| {
        let kernel = Arc::new(Kernel::default());
        for place in [3, 4] {
            let kernel = kernel.clone();
            thread::spawn(move || {
                if kernel.mailbox.release(place) {
                    kernel.bell.wake_by_ref();
                }
            });
        }
        let mut released = Vec::new();
        while released.len() < 2 {
            assert!(kernel.gather().is_empty());
            released.append(&mut kernel.mailbox.take_released());
        }
        released.sort_unstable();
        assert_eq!(released, [3, 4]);
    });
}

#[test]
fn a_task_that_is_woken_again_runs_again() {
    explore(|| {
        let kernel = Arc::new(Kernel::default());
        let done = Arc::new(AtomicUsize::new(0));
        for _ in 0..2 {
            let (kernel, done) = (kernel.clone(), done.clone());
            thread::spawn(move || {
                done.fetch_add(1, Ordering::Relaxed);
                kernel.wake(0);
            });
        }
        // One wake-up may stand for both, but not if it came before the second was done.
        while done.load(Ordering::Relaxed) < 2 {
            assert_eq!(kernel.gather(), [0]);
        }
    });
}

#[test]
fn a_waker_may_outlive_its_kernel() {
    explore(|| {
        let registry = Arc::new(Registry::<Kernel>::new());
        let enter = |registry: &Registry<Kernel>| {
            let mut number = 0;
            let make = |id| {
                number = id;
                Kernel::default()
            };
            let kernel = registry.enter(make).unwrap();
            (number, kernel)
        };
        let (first, kernel) = enter(&registry);
        let threads = [(); 2].map(|()| {
            let registry = registry.clone();
            thread::spawn(move || {
                if let Some(kernel) = registry.find(first) {
                    kernel.wake(0);
                }
            })
        });
        registry.leave(first);
        assert!(registry.find(first).is_none());
        drop(kernel);
        let (second, kernel) = enter(&registry);
        assert_ne!(first, second, "numbers are used again as late as possible");
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(kernel.mailbox.fall_asleep(), "nobody has woken this one");
        assert_eq!(Arc::strong_count(&kernel), 2);
    });
}

// ---- Sharing something

#[test]
fn producers_and_consumers_lose_nothing() {
    explore(|| {
        let queue = UniversalQueue::bounded(1);
        let producer = queue.clone();
        thread::spawn(move || (1..=3).for_each(|n| producer.blocking_put(n).unwrap()));
        for n in 1..=3 {
            assert_eq!(queue.blocking_get().unwrap(), n);
        }
    });
}

#[test]
fn two_consumers_both_get_theirs() {
    explore(|| {
        let queue = UniversalQueue::new();
        let other = queue.clone();
        let consumer = thread::spawn(move || other.blocking_get().unwrap());
        let producer = queue.clone();
        thread::spawn(move || (1..=2).for_each(|n| producer.try_put(n).unwrap()));
        let sum = queue.blocking_get().unwrap() + consumer.join().unwrap();
        assert_eq!(sum, 3);
        assert!(queue.is_empty());
    });
}

#[test]
fn what_is_taken_at_once_is_shared_in_order() {
    explore(|| {
        let queue = UniversalQueue::new();
        queue.try_put(1).unwrap();
        let producer = queue.clone();
        thread::spawn(move || (2..=3).for_each(|n| producer.try_put(n).unwrap()));
        let other = queue.clone();
        let consumer = thread::spawn(move || other.blocking_get().unwrap());
        let (first, second) = (queue.blocking_get().unwrap(), queue.blocking_get().unwrap());
        assert!(first < second);
        assert_eq!(first + second + consumer.join().unwrap(), 6);
        assert!(queue.is_empty());
    });
}

#[test]
fn an_item_on_its_way_to_the_front_is_counted() {
    explore(|| {
        let queue = UniversalQueue::new();
        (1..=3).for_each(|n| queue.try_put(n).unwrap());
        let consumer = queue.clone();
        let consumer = thread::spawn(move || {
            assert_eq!(consumer.try_get().unwrap(), Some(1));
            consumer.try_put(4).unwrap();
        });
        let len = queue.len();
        assert!(len == 2 || len == 3, "{len}");
        consumer.join().unwrap();
        assert_eq!([(); 3].map(|()| queue.try_get().unwrap()), [2, 3, 4].map(Some));
    });
}

#[test]
fn a_descriptor_takes_back_what_is_in_front() {
    explore(|| {
        let queue = UniversalQueue::new();
        (1..=3).for_each(|n| queue.try_put(n).unwrap());
        let other = queue.clone();
        let consumer = thread::spawn(move || {
            let (first, second) = (other.try_get().unwrap(), other.try_get().unwrap());
            assert_eq!((first, second), (Some(1), Some(2)));
        });
        queue.as_raw_fd().unwrap();
        queue.try_put(4).unwrap();
        consumer.join().unwrap();
        assert_eq!(
            [(); 3].map(|()| queue.try_get().unwrap()),
            [Some(3), Some(4), None]
        );
    });
}

/// Polls the future once, and drops it.
fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut TaskContext::from_waker(Waker::noop()))
}

#[test]
fn a_getter_that_goes_away_passes_the_item_on() {
    explore(|| {
        let queue = UniversalQueue::new();
        let impatient = queue.clone();
        thread::spawn(move || {
            if let Poll::Ready(item) = poll_once(impatient.get()) {
                impatient.try_put(item.unwrap()).unwrap();
            }
        });
        let producer = queue.clone();
        thread::spawn(move || producer.try_put(7).unwrap());
        assert_eq!(queue.blocking_get().unwrap(), 7);
    });
}

#[test]
fn a_putter_that_goes_away_passes_the_room_on() {
    explore(|| {
        let queue = UniversalQueue::bounded(1);
        queue.try_put(1).unwrap();
        let impatient = queue.clone();
        let sent = thread::spawn(move || poll_once(impatient.put(2)).is_ready());
        let producer = queue.clone();
        thread::spawn(move || producer.blocking_put(3).unwrap());
        let mut got = vec![queue.blocking_get().unwrap(), queue.blocking_get().unwrap()];
        if sent.join().unwrap() {
            got.push(queue.blocking_get().unwrap());
        }
        got.sort_unstable();
        assert!(got == [1, 3] || got == [1, 2, 3], "{got:?}");
    });
}

#[test]
fn what_was_put_before_the_end_is_received() {
    explore(|| {
        let queue = UniversalQueue::new();
        let producer = queue.clone();
        thread::spawn(move || {
            producer.try_put(1).unwrap();
            producer.close();
        });
        let other = queue.clone();
        let consumer = thread::spawn(move || other.blocking_get());
        let got = [queue.blocking_get(), consumer.join().unwrap()];
        assert!(
            matches!(got, [Ok(1), Err(Error::Closed)] | [Err(Error::Closed), Ok(1)]),
            "{got:?}"
        );
    });
}

#[test]
fn a_join_ends_with_the_last_item() {
    explore(|| {
        let queue = UniversalQueue::new();
        (1..=2).for_each(|n| queue.try_put(n).unwrap());
        for _ in 0..2 {
            let worker = queue.clone();
            thread::spawn(move || {
                worker.try_get().unwrap().unwrap();
                worker.task_done();
            });
        }
        queue.blocking_join().unwrap();
        assert!(queue.is_empty());
    });
}

#[test]
fn an_event_wakes_all() {
    explore(|| {
        let event = UniversalEvent::new();
        let setter = event.clone();
        thread::spawn(move || {
            setter.set();
            // Whoever has waited by now is woken all the same; the others find it set a second time.
            setter.clear();
            setter.set();
        });
        let other = event.clone();
        let waiter = thread::spawn(move || other.blocking_wait().unwrap());
        event.blocking_wait().unwrap();
        waiter.join().unwrap();
    });
}

#[test]
fn a_result_reaches_all() {
    explore(|| {
        let result = UniversalResult::new();
        let setter = result.clone();
        thread::spawn(move || setter.set(7));
        let other = result.clone();
        let waiter = thread::spawn(move || other.blocking_wait().unwrap());
        assert_eq!(result.blocking_wait().unwrap(), 7);
        assert_eq!(waiter.join().unwrap(), 7);
    });
}

// ---- Both

#[test]
fn a_sleeping_kernel_gets_its_item() {
    explore(|| {
        let kernel = Arc::new(Kernel::default());
        let queue = UniversalQueue::bounded(1);
        let producer = queue.clone();
        thread::spawn(move || (1..=2).for_each(|n| producer.blocking_put(n).unwrap()));
        let sum = kernel.run(async { queue.get().await.unwrap() + queue.get().await.unwrap() });
        assert_eq!(sum, 3);
    });
}

#[test]
fn a_kernel_that_is_shut_down_loses_no_item() {
    explore(|| {
        let queue = UniversalQueue::new();
        let producer = queue.clone();
        thread::spawn(move || producer.try_put(7).unwrap());
        let other = queue.clone();
        let survivor = thread::spawn(move || other.blocking_get().unwrap());
        let kernel = Arc::new(Kernel::default());
        let mut task = Box::pin(queue.get());
        if let Poll::Ready(item) = kernel.poll(task.as_mut()) {
            queue.try_put(item.unwrap()).unwrap();
        }
        drop(task);
        assert_eq!(survivor.join().unwrap(), 7);
    });
}
