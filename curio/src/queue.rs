//! Queues: how tasks hand items to each other.
//!
//! [`Queue`] gives first what was put first, [`LifoQueue`] what was put last, [`PriorityQueue`] the smallest. They are one
//! thing: a store of items (`store`), with a line of tasks at either end (`line`): getters who wait for an item, and
//! putters who wait for room; `shared` is where they meet. A queue is a cheap handle; clone it to share it.
//!
//! An operation that can complete completes at once. The others stand in line, and are *chosen* one by one, in the order
//! in which they came, as soon as there is an item or room for them. To be chosen is a promise: one item, or one place, is
//! kept for the task that is chosen until it runs. Newcomers pass by only if there is more than was promised. (In Python
//! Curio a task that comes late can take the item from under the nose of the one that was woken for it, which then goes to
//! the end of the line. To put the item straight into the hands of the getter was rejected: a getter may be interrupted
//! or dropped before it runs, and its item would have to go back, behind items it came before.)
//!
//! | | in the store | chosen, not run yet | so, for a newcomer |
//! |---|---|---|---|
//! | getters | `len` items | `getters.granted` of them are promised | waits unless `len > chosen` |
//! | putters | `capacity - len` places | `putters.granted` of them are promised | waits unless `len + chosen < capacity` |
//!
//! Q1. An item is in the store, in the `Put` that has not completed, or in the hands of who got it; and nowhere else.
//!     So an operation that was interrupted or dropped has had no effect.
//! Q2. While an item is there that is not promised, nobody waits in the line of getters who was not chosen; while a place
//!     is there that is not promised, nobody in the line of putters. Whatever disturbs that calls `settle`, which is the
//!     only place that chooses.
//! Q3. Who was chosen and goes without completing gives the promise back, and `settle` passes it on. Promises to tasks
//!     whose kernel is gone are void.
//! Q4. A queue that is closed keeps no promises: all are woken, and what is left goes to whoever asks first.
//! Q5. No borrow is held while user code runs: items are dropped and compared, and wakers called, when the queue is in
//!     order and may be used again from there.

mod kinds;
mod operations;
mod shared;
mod store;
#[cfg(feature = "stream")]
mod stream;

use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use crate::error::{Error, Result};

use shared::Shared;
use store::Order;

pub use kinds::{LifoQueue, PriorityQueue};
pub use operations::{Get, Join, Next, Put};
#[cfg(feature = "stream")]
pub use stream::Items;

/// A queue between tasks: what was put first is got first (Python Curio: `Queue`).
///
/// It is a cheap handle: clone it to share the queue. All clones are alike; there is no sender's and no receiver's side, so
/// the queue does not end when one of them is gone: say so with [`close`](Queue::close).
///
/// Tasks that wait are served in the order in which they came, and nobody passes them. An item is either in the queue or
/// was received: a `get` or `put` that is interrupted or dropped, as the losing arm of a `select!` is, has had no effect.
///
/// The tasks that wait must be of one kernel. Whatever completes at once can be done anywhere in the thread.
///
/// ```
/// use curio::{Queue, Result, run, spawn};
///
/// async fn consumer(queue: Queue<u32>) -> Result<u32> {
///     let mut sum = 0;
///     while let Some(item) = queue.next().await {
///         sum += item?;
///     }
///     Ok(sum)
/// }
///
/// run(async {
///     let queue = Queue::bounded(10);
///     let sum = spawn(consumer(queue.clone()));
///     for n in 1..=100 {
///         queue.put(n).await?;
///     }
///     queue.close();
///     assert_eq!(sum.join().await?, 5050);
///     Ok(())
/// })
/// .unwrap();
/// ```
pub struct Queue<T> {
    shared: Rc<Shared<T>>,
}

impl<T> Queue<T> {
    /// A queue that takes any number of items: `put` never waits (Python Curio: `Queue()`).
    ///
    /// ```
    /// let queue = curio::Queue::new();
    /// queue.try_put("item").unwrap();
    /// assert!(!queue.is_full());
    /// ```
    pub fn new() -> Queue<T> {
        Queue::with(Order::FirstIn, usize::MAX)
    }

    /// A queue that takes so many items at most, beyond which `put` waits (Python Curio: `Queue(maxsize)`). No memory is
    /// set aside.
    ///
    /// # Panics
    ///
    /// If `capacity` is 0. (In Python Curio that is a queue without bounds: here, [`Queue::new`].)
    ///
    /// ```
    /// let queue = curio::Queue::bounded(1);
    /// queue.try_put("item").unwrap();
    /// assert!(queue.is_full());
    /// ```
    #[track_caller]
    pub fn bounded(capacity: usize) -> Queue<T> {
        Queue::with(Order::FirstIn, checked(capacity))
    }

    fn with(order: Order<T>, capacity: usize) -> Queue<T> {
        Queue {
            shared: Rc::new(Shared::new(order, capacity)),
        }
    }

    /// Takes the next item out of the queue (Python Curio: `get`).
    ///
    /// *Waits* while there is no item that is not promised to a task that has waited longer. *Interrupted* by cancellation
    /// and timeouts: then it has taken nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] if the queue is closed and empty; what was in it when it was closed can still be got.
    /// [`Error::NoKernel`] if it would have to wait outside of a task, or in a second kernel. The interruption.
    ///
    /// ```
    /// use curio::{Queue, run, spawn};
    ///
    /// run(async {
    ///     let queue = Queue::new();
    ///     let kid = spawn({
    ///         let queue = queue.clone();
    ///         async move { queue.get().await }
    ///     });
    ///     queue.put("toy").await?;
    ///     assert_eq!(kid.join().await?, "toy");
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    #[inline]
    pub fn get(&self) -> Get<'_, T> {
        Get::new(&self.shared, Location::caller())
    }

    /// The same for a loop: the next item, or none when the queue is closed and empty (Python Curio: `async for`).
    ///
    /// *Waits* and is *interrupted* as [`get`](Queue::get).
    ///
    /// An interruption is an item like any other error, and comes only once. **A loop that ends at it or passes over it
    /// (`while let Some(Ok(item))`, `if let Ok(item)`) has swallowed the cancellation of its task.** Hand it on with `?`:
    ///
    /// ```
    /// use curio::{Queue, run};
    ///
    /// run(async {
    ///     let queue = Queue::new();
    ///     queue.put(1).await?;
    ///     queue.put(2).await?;
    ///     queue.close();
    ///     let mut sum = 0;
    ///     while let Some(item) = queue.next().await {
    ///         sum += item?;
    ///     }
    ///     assert_eq!(sum, 3);
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    #[inline]
    pub fn next(&self) -> Next<'_, T> {
        Next::new(self.get())
    }

    /// Takes the next item if one is there. It never waits.
    ///
    /// None if the queue is empty, or has no more items than are promised to tasks that have waited for them and were
    /// woken.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] if the queue is closed and empty.
    ///
    /// ```
    /// let queue = curio::Queue::new();
    /// queue.try_put(7).unwrap();
    /// assert_eq!(queue.try_get().unwrap(), Some(7));
    /// assert_eq!(queue.try_get().unwrap(), None);
    /// queue.close();
    /// assert!(queue.try_get().is_err());
    /// ```
    pub fn try_get(&self) -> Result<Option<T>> {
        self.shared.getters.reclaim();
        if self.shared.has_item() {
            Ok(self.shared.take())
        } else if self.is_closed() {
            Err(Error::Closed)
        } else {
            Ok(None)
        }
    }

    /// Puts an item into the queue (Python Curio: `put`).
    ///
    /// *Waits* while the queue is full, or the room is promised to tasks that have waited longer. *Interrupted* by
    /// cancellation and timeouts: then the item is not in the queue. An item that was not put is dropped with the
    /// operation, unless [`Put::into_item`] takes it back.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] if the queue is closed, also while it waits. [`Error::NoKernel`] if it would have to wait outside
    /// of a task, or in a second kernel. The interruption.
    ///
    /// ```
    /// use curio::{Queue, run};
    ///
    /// run(async {
    ///     let queue = Queue::bounded(1);
    ///     queue.put("one").await?;
    ///     assert_eq!(queue.get().await?, "one");
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    #[inline]
    pub fn put(&self, item: T) -> Put<'_, T> {
        Put::new(&self.shared, item, Location::caller())
    }

    /// Puts an item into the queue if there is room. It never waits.
    ///
    /// # Errors
    ///
    /// [`TryPutError`], with the item, if the queue is closed or full, or the room is promised to tasks that have waited
    /// for it and were woken.
    ///
    /// ```
    /// use curio::queue::TryPutError;
    ///
    /// let queue = curio::Queue::bounded(1);
    /// queue.try_put(1).unwrap();
    /// assert!(matches!(queue.try_put(2), Err(TryPutError::Full(2))));
    /// queue.close();
    /// assert!(matches!(queue.try_put(3), Err(TryPutError::Closed(3))));
    /// ```
    pub fn try_put(&self, item: T) -> Result<(), TryPutError<T>> {
        self.shared.putters.reclaim();
        if self.is_closed() {
            Err(TryPutError::Closed(item))
        } else if self.shared.has_room() {
            self.shared.push(item);
            Ok(())
        } else {
            Err(TryPutError::Full(item))
        }
    }

    /// Says that the work on one item that was got is done (Python Curio: `task_done`). It never waits.
    ///
    /// That is for [`join`](Queue::join); who does not join a queue need not call it.
    ///
    /// # Panics
    ///
    /// If it is called more often than items were put.
    ///
    /// ```
    /// let queue = curio::Queue::new();
    /// queue.try_put(7).unwrap();
    /// queue.try_get().unwrap();
    /// queue.task_done();
    /// ```
    #[track_caller]
    pub fn task_done(&self) {
        let shared = &self.shared;
        let Some(unfinished) = shared.unfinished.get().checked_sub(1) else {
            panic!(
                "task_done was called more often than items were put into the queue (call it once for each item that was got)"
            );
        };
        shared.unfinished.set(unfinished);
        if unfinished == 0 {
            shared.joiners.notify_all();
        }
    }

    /// Waits until [`task_done`](Queue::task_done) was called for every item that was put (Python Curio: `join`).
    ///
    /// *Waits* until then, and not at all if nothing is missing; what is put afterwards does not matter. *Interrupted* by
    /// cancellation and timeouts. Closing the queue does not end it: what is left is still to be done.
    ///
    /// # Errors
    ///
    /// [`Error::NoKernel`] if it would have to wait outside of a task, or in a second kernel. The interruption.
    ///
    /// ```
    /// use curio::{Queue, Result, run, spawn};
    ///
    /// async fn consumer(queue: Queue<u32>) -> Result<()> {
    ///     loop {
    ///         println!("got {}", queue.get().await?);
    ///         queue.task_done();
    ///     }
    /// }
    ///
    /// run(async {
    ///     let queue = Queue::new();
    ///     let consumer = spawn(consumer(queue.clone()));
    ///     for n in 0..10 {
    ///         queue.put(n).await?;
    ///     }
    ///     queue.join().await?;
    ///     consumer.cancel().await
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn join(&self) -> Join<'_, T> {
        Join::new(&self.shared, Location::caller())
    }

    /// Ends the queue. It never waits, and doing it again does nothing.
    ///
    /// Nothing can be put any more; putters that wait get [`Error::Closed`]. What is in the queue can still be got, by
    /// whoever asks first; after that getters get [`Error::Closed`], too, and loops end.
    ///
    /// ```
    /// use curio::{Error, Queue, run};
    ///
    /// run(async {
    ///     let queue = Queue::new();
    ///     queue.put("last").await?;
    ///     queue.close();
    ///     assert_eq!(queue.get().await?, "last");
    ///     assert!(matches!(queue.get().await, Err(Error::Closed)));
    ///     assert!(matches!(queue.put("more").await, Err(Error::Closed)));
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn close(&self) {
        if !self.shared.closed.replace(true) {
            // Q4.
            self.shared.limit.set(0);
            self.shared.getters.dissolve();
            self.shared.putters.dissolve();
        }
    }

    /// Whether the queue was closed. There may still be items in it.
    ///
    /// ```
    /// assert!(!curio::Queue::<u32>::new().is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.shared.closed.get()
    }

    /// How many items are in the queue (Python Curio: `qsize`), those included that are promised to tasks that were woken.
    ///
    /// ```
    /// assert_eq!(curio::Queue::<u32>::new().len(), 0);
    /// ```
    pub fn len(&self) -> usize {
        self.shared.store.len()
    }

    /// Whether there is no item in the queue (Python Curio: `empty`).
    ///
    /// ```
    /// assert!(curio::Queue::<u32>::new().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there are as many items in the queue as it takes (Python Curio: `full`). A queue without bounds never is.
    ///
    /// ```
    /// assert!(!curio::Queue::<u32>::new().is_full());
    /// ```
    pub fn is_full(&self) -> bool {
        self.len() >= self.shared.capacity
    }

    /// How many items the queue takes; none if it is without bounds (Python Curio: `maxsize`).
    ///
    /// ```
    /// assert_eq!(curio::Queue::<u32>::new().capacity(), None);
    /// assert_eq!(curio::Queue::<u32>::bounded(5).capacity(), Some(5));
    /// ```
    pub fn capacity(&self) -> Option<usize> {
        Some(self.shared.capacity).filter(|&capacity| capacity != usize::MAX)
    }

    /// The items as a [`Stream`](futures_core::Stream) of results, for the combinators of other crates: it waits as
    /// [`get`](Queue::get) does and ends when the queue is closed and empty.
    ///
    /// It has its own handle of the queue. Two streams of a queue share its items.
    ///
    /// An interruption is an item of the stream, and comes only once; after it the stream goes on. **A loop that ends at
    /// it or passes over it (`while let Some(Ok(item))`, `filter_map(Result::ok)`) has swallowed the cancellation of its
    /// task**; `try_for_each`, `try_collect` and the like hand it on.
    ///
    /// ```
    /// use curio::{Queue, run};
    /// use futures::TryStreamExt;
    ///
    /// run(async {
    ///     let queue = Queue::new();
    ///     (1..=3).for_each(|n| queue.try_put(n).unwrap());
    ///     queue.close();
    ///     let doubled: Vec<u32> = queue.stream().map_ok(|n| 2 * n).try_collect().await?;
    ///     assert_eq!(doubled, [2, 4, 6]);
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[cfg(feature = "stream")]
    #[track_caller]
    pub fn stream(&self) -> Items<T> {
        Items::new(self.clone(), Location::caller())
    }
}

/// What `bounded` takes.
#[track_caller]
pub(crate) fn checked(capacity: usize) -> usize {
    assert!(
        capacity > 0,
        "a queue with room for no items: `new` makes one without bounds"
    );
    capacity
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Queue<T> {
        Queue {
            shared: self.shared.clone(),
        }
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Queue<T> {
        Queue::new()
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.describe("Queue", f)
    }
}

/// Why [`Queue::try_put`] or [`UniversalQueue::try_put`](crate::UniversalQueue::try_put) did not put the item, which it gives
/// back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TryPutError<T> {
    /// There is no room.
    Full(T),
    /// The queue was closed.
    Closed(T),
}

impl<T> TryPutError<T> {
    /// The item.
    ///
    /// ```
    /// let queue = curio::Queue::new();
    /// queue.close();
    /// assert_eq!(queue.try_put("item").unwrap_err().into_item(), "item");
    /// ```
    pub fn into_item(self) -> T {
        match self {
            TryPutError::Full(item) | TryPutError::Closed(item) => item,
        }
    }
}

impl<T> fmt::Debug for TryPutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryPutError::Full(_) => "Full(..)",
            TryPutError::Closed(_) => "Closed(..)",
        })
    }
}

impl<T> fmt::Display for TryPutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryPutError::Full(_) => "the queue is full",
            TryPutError::Closed(_) => "the queue is closed",
        })
    }
}

impl<T> std::error::Error for TryPutError<T> {}
