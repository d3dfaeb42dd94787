//! The universal queue.

use std::fmt;
#[cfg(unix)]
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::queue::{TryPutError, checked};
use crate::universal::operation::Step;

mod operations;
mod state;

pub use operations::{Get, Join, Next, Put};
use state::{Halves, Stand};

/// A queue between tasks of any kernel, threads and other executors (Python Curio: `UniversalQueue`).
///
/// It is a handle: clone it to share the queue.
///
/// ```
/// use curio::{UniversalQueue, run};
/// use std::thread;
///
/// let queue = UniversalQueue::bounded(2);
/// let consumer = thread::spawn({
///     let queue = queue.clone();
///     move || std::iter::from_fn(|| queue.blocking_get().ok()).sum::<i32>()
/// });
/// run(async {
///     for n in 1..=10 {
///         queue.put(n).await?;
///     }
///     queue.close();
///     Ok(())
/// })
/// .unwrap();
/// assert_eq!(consumer.join().unwrap(), 55);
/// ```
pub struct UniversalQueue<T>(Arc<Halves<T>>);

impl<T> UniversalQueue<T> {
    /// A queue for any number of items.
    ///
    /// ```
    /// let queue = curio::UniversalQueue::new();
    /// queue.try_put(1).unwrap();
    /// assert_eq!(queue.try_get().unwrap(), Some(1));
    /// ```
    pub fn new() -> UniversalQueue<T> {
        UniversalQueue::with_capacity(usize::MAX)
    }

    /// A queue for so many items at most; who puts more must wait (Python Curio: `maxsize`).
    ///
    /// # Panics
    ///
    /// If the capacity is zero.
    ///
    /// ```
    /// let queue = curio::UniversalQueue::bounded(1);
    /// queue.try_put(1).unwrap();
    /// assert!(queue.is_full());
    /// ```
    #[track_caller]
    pub fn bounded(capacity: usize) -> UniversalQueue<T> {
        UniversalQueue::with_capacity(checked(capacity))
    }

    fn with_capacity(capacity: usize) -> UniversalQueue<T> {
        UniversalQueue(Arc::new(Halves::new(capacity)))
    }

    /// Takes the first item (Python Curio: `get`).
    ///
    /// *Waits* while the queue is empty. *Interrupted* by cancellation and timeouts; no item has been taken then. It may
    /// also be dropped: an item is either received or still in the queue.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] if the queue is closed and empty.
    ///
    /// ```
    /// use curio::{UniversalQueue, run};
    ///
    /// let queue = UniversalQueue::new();
    /// queue.try_put("hello").unwrap();
    /// assert_eq!(run(queue.get()).unwrap(), "hello");
    /// ```
    #[track_caller]
    pub fn get(&self) -> Get<'_, T> {
        Get::new(self)
    }

    /// The same for a loop: the next item, or none when the queue is closed and empty (Python Curio: `async for`).
    ///
    /// *Waits* and is *interrupted* as [`get`](UniversalQueue::get).
    ///
    /// An interruption is an item like any other error, and comes only once. **A loop that ends at it or passes over it
    /// (`while let Some(Ok(item))`) has swallowed the cancellation of its task.** Hand it on with `?`:
    ///
    /// ```
    /// use curio::{UniversalQueue, run};
    ///
    /// run(async {
    ///     let queue = UniversalQueue::new();
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
    pub fn next(&self) -> Next<'_, T> {
        Next(self.get())
    }

    /// Adds an item at the end (Python Curio: `put`).
    ///
    /// *Waits* while the queue is full. *Interrupted* by cancellation and timeouts; the item has not been put then. It is
    /// dropped with the operation, unless [`Put::into_item`] takes it back.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] if the queue is closed, also while it waits.
    ///
    /// ```
    /// use curio::{UniversalQueue, run};
    ///
    /// let queue = UniversalQueue::bounded(1);
    /// run(queue.put(7)).unwrap();
    /// assert_eq!(queue.try_get().unwrap(), Some(7));
    /// ```
    #[track_caller]
    pub fn put(&self, item: T) -> Put<'_, T> {
        Put::new(self, item)
    }

    /// Takes the first item if one is there. It never waits.
    ///
    /// None if the queue is empty, or has no more items than are kept for those who have waited for them and were woken.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] if the queue is closed and empty.
    ///
    /// ```
    /// let queue = curio::UniversalQueue::new();
    /// queue.try_put(7).unwrap();
    /// assert_eq!(queue.try_get().unwrap(), Some(7));
    /// assert_eq!(queue.try_get().unwrap(), None);
    /// queue.close();
    /// assert!(queue.try_get().is_err());
    /// ```
    pub fn try_get(&self) -> Result<Option<T>> {
        self.get().0.step.attempt_first(&self.0.rest).transpose()
    }

    /// Adds an item at the end if there is room. It never waits.
    ///
    /// # Errors
    ///
    /// [`TryPutError`], with the item, if the queue is closed or full, or the room is kept for those who have waited for it
    /// and were woken.
    ///
    /// ```
    /// use curio::universal::TryPutError;
    ///
    /// let queue = curio::UniversalQueue::bounded(1);
    /// queue.try_put(1).unwrap();
    /// assert!(matches!(queue.try_put(2), Err(TryPutError::Full(2))));
    /// queue.close();
    /// assert!(matches!(queue.try_put(3), Err(TryPutError::Closed(3))));
    /// ```
    pub fn try_put(&self, item: T) -> Result<(), TryPutError<T>> {
        let mut item = Some(item);
        let stand = self
            .0
            .rest
            .with(|state, wakes| state.put(&mut item, false, wakes));
        match (stand, item) {
            (Stand::Closed, Some(item)) => Err(TryPutError::Closed(item)),
            (Stand::Full, Some(item)) => Err(TryPutError::Full(item)),
            _ => Ok(()),
        }
    }

    /// Takes the first item, and blocks the thread while the queue is empty.
    ///
    /// For threads without a kernel. In a task of another executor it would block its thread as well: await
    /// [`get`](UniversalQueue::get) there.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] if the queue is closed and empty. [`Error::KernelRunning`] inside of a kernel, which would stand
    /// still.
    ///
    /// ```
    /// let queue = curio::UniversalQueue::new();
    /// queue.try_put(1).unwrap();
    /// assert_eq!(queue.blocking_get().unwrap(), 1);
    /// ```
    pub fn blocking_get(&self) -> Result<T> {
        self.get().0.block(None)
    }

    /// Takes the first item, and blocks the thread for so long at most.
    ///
    /// # Errors
    ///
    /// As for [`blocking_get`](UniversalQueue::blocking_get). [`Error::Timeout`] if no item came in time.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let queue = curio::UniversalQueue::<i32>::new();
    /// let nothing = queue.blocking_get_timeout(Duration::from_millis(1));
    /// assert!(nothing.unwrap_err().is_timeout());
    /// ```
    pub fn blocking_get_timeout(&self, limit: Duration) -> Result<T> {
        self.get().0.block(Some(limit))
    }

    /// Adds an item at the end, and blocks the thread while the queue is full. For threads without a kernel.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] if the queue is closed; the item is dropped. [`Error::KernelRunning`] inside of a kernel, which
    /// would stand still.
    ///
    /// ```
    /// let queue = curio::UniversalQueue::bounded(1);
    /// queue.blocking_put(1).unwrap();
    /// assert!(queue.is_full());
    /// ```
    pub fn blocking_put(&self, item: T) -> Result<()> {
        self.put(item).0.block(None)
    }

    /// Adds an item at the end, and blocks the thread for so long at most.
    ///
    /// # Errors
    ///
    /// As for [`blocking_put`](UniversalQueue::blocking_put). [`Error::Timeout`] if there was no room in time; the item is
    /// dropped.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let queue = curio::UniversalQueue::bounded(1);
    /// queue.try_put(1).unwrap();
    /// let full = queue.blocking_put_timeout(2, Duration::from_millis(1));
    /// assert!(full.unwrap_err().is_timeout());
    /// ```
    pub fn blocking_put_timeout(&self, item: T, limit: Duration) -> Result<()> {
        self.put(item).0.block(Some(limit))
    }

    /// One item that was taken is done with (Python Curio: `task_done`). It never waits.
    ///
    /// # Panics
    ///
    /// If it is called more often than items were put.
    ///
    /// ```
    /// use curio::{UniversalQueue, run};
    ///
    /// let queue = UniversalQueue::new();
    /// queue.try_put(1).unwrap();
    /// queue.try_get().unwrap();
    /// queue.task_done();
    /// run(queue.join()).unwrap();
    /// ```
    #[track_caller]
    pub fn task_done(&self) {
        let done = self.0.rest.with(|state, wakes| {
            let left = state.unfinished.checked_sub(1);
            if let Some(left) = left {
                state.unfinished = left;
                if left == 0 {
                    state.joiners.choose_all(wakes);
                }
            }
            left
        });
        assert!(
            done.is_some(),
            "task_done was called more often than items were put into the queue (call it once for each item that was got)"
        );
    }

    /// Waits until [`task_done`](UniversalQueue::task_done) was called for each item (Python Curio: `join`).
    ///
    /// *Waits* until then, or not at all if there is nothing left to do. *Interrupted* by cancellation and timeouts, which
    /// changes nothing.
    ///
    /// ```
    /// use curio::{UniversalQueue, run};
    ///
    /// run(UniversalQueue::<i32>::new().join()).unwrap();
    /// ```
    #[track_caller]
    pub fn join(&self) -> Join<'_, T> {
        Join::new(self)
    }

    /// Blocks the thread until [`task_done`](UniversalQueue::task_done) was called for each item. For threads without a
    /// kernel.
    ///
    /// # Errors
    ///
    /// [`Error::KernelRunning`] inside of a kernel, which would stand still.
    ///
    /// ```
    /// curio::UniversalQueue::<i32>::new().blocking_join().unwrap();
    /// ```
    pub fn blocking_join(&self) -> Result<()> {
        self.join().0.block(None)
    }

    /// Nobody puts anything any more. What is in the queue can still be taken; who waits in vain gets [`Error::Closed`].
    /// It never waits.
    ///
    /// ```
    /// use curio::{Error, UniversalQueue, run};
    ///
    /// let queue = UniversalQueue::new();
    /// queue.try_put(1).unwrap();
    /// queue.close();
    /// assert!(queue.try_put(2).is_err());
    /// assert_eq!(queue.try_get().unwrap(), Some(1));
    /// assert!(matches!(run(queue.get()), Err(Error::Closed)));
    /// ```
    pub fn close(&self) {
        self.0.rest.with(|state, wakes| {
            state.closed = true;
            state.settle(wakes);
        });
    }

    /// Whether the queue was closed.
    ///
    /// ```
    /// assert!(!curio::UniversalQueue::<i32>::new().is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.0.rest.with(|state, _| state.closed)
    }

    /// How many items are in the queue (Python Curio: `qsize`), those included that are kept for somebody who was woken.
    ///
    /// ```
    /// assert_eq!(curio::UniversalQueue::<i32>::new().len(), 0);
    /// ```
    pub fn len(&self) -> usize {
        self.0.look(|_, len| len)
    }

    /// Whether there is no item in the queue (Python Curio: `empty`).
    ///
    /// ```
    /// assert!(curio::UniversalQueue::<i32>::new().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there are as many items in the queue as it takes (Python Curio: `full`). A queue without bounds never is.
    ///
    /// ```
    /// assert!(!curio::UniversalQueue::<i32>::new().is_full());
    /// ```
    pub fn is_full(&self) -> bool {
        self.0.look(|state, len| len >= state.capacity)
    }

    /// How many items the queue takes; none if it is without bounds (Python Curio: `maxsize`).
    ///
    /// ```
    /// assert_eq!(curio::UniversalQueue::<i32>::new().capacity(), None);
    /// assert_eq!(curio::UniversalQueue::<i32>::bounded(5).capacity(), Some(5));
    /// ```
    pub fn capacity(&self) -> Option<usize> {
        let capacity = self.0.rest.with(|state, _| state.capacity);
        Some(capacity).filter(|&capacity| capacity != usize::MAX)
    }

    /// A file descriptor for other event loops (Python Curio: `withfd=True`, `fileno`). It is readable exactly while
    /// [`try_get`](UniversalQueue::try_get) has an item to give, and, as with any file, at the end: when the queue is closed
    /// and empty.
    ///
    /// Ask only whether it is readable, and then call `try_get`. It stays open as long as there is a handle of the queue.
    /// Without it the queue makes no system calls of its own; from the first call on it makes one each time that there is
    /// an item or none any more.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the system gives no descriptor.
    ///
    /// ```
    /// let queue = curio::UniversalQueue::<i32>::new();
    /// assert!(queue.as_raw_fd().unwrap() >= 0);
    /// ```
    #[cfg(unix)]
    pub fn as_raw_fd(&self) -> Result<RawFd> {
        self.0.descriptor()
    }
}

impl<T> Default for UniversalQueue<T> {
    fn default() -> UniversalQueue<T> {
        UniversalQueue::new()
    }
}

impl<T> Clone for UniversalQueue<T> {
    fn clone(&self) -> UniversalQueue<T> {
        UniversalQueue(self.0.clone())
    }
}

impl<T> fmt::Debug for UniversalQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (len, closed, unfinished) = self.0.look(|state, len| (len, state.closed, state.unfinished));
        f.debug_struct("UniversalQueue")
            .field("len", &len)
            .field("closed", &closed)
            .field("unfinished", &unfinished)
            .finish_non_exhaustive()
    }
}
