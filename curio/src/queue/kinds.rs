//! The queues that give their items in another order.
//!
//! Each is a [`Queue`] that was made with another order, and derefs to it: there is one implementation, and a function
//! that takes a `&Queue` takes them all. (A parameter for the order, as in `Queue<T, Smallest>`, was rejected: every user
//! would meet it, and it would have to be a trait.)

use std::fmt;
use std::ops::Deref;

use super::store::Order;
use super::{Queue, checked};

/// A queue that gives the smallest item first; of equal ones, what was put first (Python Curio: `PriorityQueue`).
///
/// It is a [`Queue`] in everything else. For the greatest first, put [`Reverse`](std::cmp::Reverse) items. Which item is
/// the smallest is decided when it is got: a task that waits is woken for *an* item.
///
/// Items are compared in `get` and never in `put`. An [`Ord`] that panics may lose the item it was asked about.
///
/// ```
/// use curio::{PriorityQueue, run};
///
/// run(async {
///     let queue = PriorityQueue::new();
///     queue.put((2, "water the plants")).await?;
///     queue.put((1, "put out the fire")).await?;
///     assert_eq!(queue.get().await?, (1, "put out the fire"));
///     Ok(())
/// })
/// .unwrap();
/// ```
pub struct PriorityQueue<T>(Queue<T>);

impl<T: Ord> PriorityQueue<T> {
    /// A queue that takes any number of items (Python Curio: `PriorityQueue()`).
    ///
    /// ```
    /// let queue = curio::PriorityQueue::new();
    /// [3, 1, 2].map(|n| queue.try_put(n).unwrap());
    /// assert_eq!(queue.try_get().unwrap(), Some(1));
    /// ```
    pub fn new() -> PriorityQueue<T> {
        PriorityQueue(Queue::with(Order::smallest(), usize::MAX))
    }

    /// A queue that takes so many items at most (Python Curio: `PriorityQueue(maxsize)`).
    ///
    /// # Panics
    ///
    /// If `capacity` is 0.
    ///
    /// ```
    /// assert_eq!(curio::PriorityQueue::<u32>::bounded(5).capacity(), Some(5));
    /// ```
    #[track_caller]
    pub fn bounded(capacity: usize) -> PriorityQueue<T> {
        PriorityQueue(Queue::with(Order::smallest(), checked(capacity)))
    }
}

/// A queue that gives first what was put last: a stack (Python Curio: `LifoQueue`).
///
/// It is a [`Queue`] in everything else. Tasks that wait are served in the order in which they came here, too.
///
/// ```
/// use curio::{LifoQueue, run};
///
/// run(async {
///     let queue = LifoQueue::new();
///     queue.put("first").await?;
///     queue.put("last").await?;
///     assert_eq!(queue.get().await?, "last");
///     Ok(())
/// })
/// .unwrap();
/// ```
pub struct LifoQueue<T>(Queue<T>);

impl<T> LifoQueue<T> {
    /// A queue that takes any number of items (Python Curio: `LifoQueue()`).
    ///
    /// ```
    /// let queue = curio::LifoQueue::new();
    /// [3, 1, 2].map(|n| queue.try_put(n).unwrap());
    /// assert_eq!(queue.try_get().unwrap(), Some(2));
    /// ```
    pub fn new() -> LifoQueue<T> {
        LifoQueue(Queue::with(Order::LastIn, usize::MAX))
    }

    /// A queue that takes so many items at most (Python Curio: `LifoQueue(maxsize)`).
    ///
    /// # Panics
    ///
    /// If `capacity` is 0.
    ///
    /// ```
    /// assert_eq!(curio::LifoQueue::<u32>::bounded(5).capacity(), Some(5));
    /// ```
    #[track_caller]
    pub fn bounded(capacity: usize) -> LifoQueue<T> {
        LifoQueue(Queue::with(Order::LastIn, checked(capacity)))
    }
}

impl<T> Deref for PriorityQueue<T> {
    type Target = Queue<T>;

    #[inline]
    fn deref(&self) -> &Queue<T> {
        &self.0
    }
}

impl<T> Deref for LifoQueue<T> {
    type Target = Queue<T>;

    #[inline]
    fn deref(&self) -> &Queue<T> {
        &self.0
    }
}

impl<T> Clone for PriorityQueue<T> {
    fn clone(&self) -> PriorityQueue<T> {
        PriorityQueue(self.0.clone())
    }
}

impl<T> Clone for LifoQueue<T> {
    fn clone(&self) -> LifoQueue<T> {
        LifoQueue(self.0.clone())
    }
}

impl<T: Ord> Default for PriorityQueue<T> {
    fn default() -> PriorityQueue<T> {
        PriorityQueue::new()
    }
}

impl<T> Default for LifoQueue<T> {
    fn default() -> LifoQueue<T> {
        LifoQueue::new()
    }
}

impl<T> fmt::Debug for PriorityQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.describe("PriorityQueue", f)
    }
}

impl<T> fmt::Debug for LifoQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.describe("LifoQueue", f)
    }
}
