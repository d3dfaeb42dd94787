//! The operations of a queue that can wait.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use super::shared::{QUEUE_JOIN, Shared};
use crate::error::{Error, Result};
use crate::traps::{self, Waiting};

/// The operation of [`Queue::get`](super::Queue::get).
#[must_use = "it does nothing unless it is awaited"]
pub struct Get<'a, T> {
    queue: &'a Shared<T>,
    waiting: Waiting,
    place: &'static Location<'static>,
}

/// The operation of [`Queue::next`](super::Queue::next).
#[must_use = "it does nothing unless it is awaited"]
pub struct Next<'a, T> {
    get: Get<'a, T>,
}

/// The operation of [`Queue::put`](super::Queue::put).
#[must_use = "it does nothing unless it is awaited"]
pub struct Put<'a, T> {
    queue: &'a Shared<T>,
    /// None when it is in the queue.
    item: Option<T>,
    waiting: Waiting,
    place: &'static Location<'static>,
}

/// The operation of [`Queue::join`](super::Queue::join).
#[must_use = "it does nothing unless it is awaited"]
pub struct Join<'a, T> {
    queue: &'a Shared<T>,
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl<'a, T> Get<'a, T> {
    #[inline]
    pub(super) fn new(queue: &'a Shared<T>, place: &'static Location<'static>) -> Get<'a, T> {
        Get {
            queue,
            waiting: Waiting::new(),
            place,
        }
    }
}

impl<'a, T> Next<'a, T> {
    #[inline]
    pub(super) fn new(get: Get<'a, T>) -> Next<'a, T> {
        Next { get }
    }
}

impl<'a, T> Put<'a, T> {
    #[inline]
    pub(super) fn new(queue: &'a Shared<T>, item: T, place: &'static Location<'static>) -> Put<'a, T> {
        Put {
            queue,
            item: Some(item),
            waiting: Waiting::new(),
            place,
        }
    }

    /// Gives up, and takes the item back; none if it is in the queue.
    ///
    /// ```
    /// use curio::{Queue, run, timeout_after};
    /// use std::time::Duration;
    ///
    /// run(async {
    ///     let queue = Queue::bounded(1);
    ///     queue.put("one").await?;
    ///     let mut put = queue.put("two");
    ///     let put_in_time = timeout_after(Duration::from_millis(1), &mut put).await;
    ///     assert!(put_in_time.is_err());
    ///     assert_eq!(put.into_item(), Some("two"));
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn into_item(mut self) -> Option<T> {
        self.item.take()
    }
}

impl<'a, T> Join<'a, T> {
    pub(super) fn new(queue: &'a Shared<T>, place: &'static Location<'static>) -> Join<'a, T> {
        Join {
            queue,
            waiting: Waiting::new(),
            place,
        }
    }
}

/// The item is moved out, never pinned.
impl<T> Unpin for Put<'_, T> {}

impl<T> Future for Get<'_, T> {
    type Output = Result<T>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<T>> {
        let this = self.get_mut();
        this.queue.poll_get(&mut this.waiting, cx, this.place)
    }
}

impl<T> Future for Next<'_, T> {
    type Output = Option<Result<T>>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Result<T>>> {
        Pin::new(&mut self.get_mut().get).poll(cx).map(none_if_closed)
    }
}

/// For loops, a closed queue is the end and not an error.
#[inline]
pub(super) fn none_if_closed<T>(result: Result<T>) -> Option<Result<T>> {
    match result {
        Err(Error::Closed) => None,
        result => Some(result),
    }
}

impl<T> Future for Put<'_, T> {
    type Output = Result<()>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        this.queue
            .poll_put(&mut this.item, &mut this.waiting, cx, this.place)
    }
}

impl<T> Future for Join<'_, T> {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        let waited = this.waiting.is_waiting();
        if this.queue.unfinished.get() == 0 || (waited && this.waiting.take_notification()) {
            if !waited {
                ready!(traps::poll_budget(cx));
            }
            this.waiting.complete();
            return Poll::Ready(Ok(()));
        }
        match this
            .waiting
            .wait_on(&this.queue.joiners, cx, QUEUE_JOIN, this.place)
        {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl<T> Drop for Get<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.waiting.is_waiting() {
            self.queue.leave_getters(&mut self.waiting);
        }
    }
}

impl<T> Drop for Put<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.waiting.is_waiting() {
            self.queue.leave_putters(&mut self.waiting);
        }
    }
}

impl<T> fmt::Debug for Get<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Get").field("waiting", &self.waiting).finish()
    }
}

impl<T> fmt::Debug for Next<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").field("get", &self.get).finish()
    }
}

impl<T> fmt::Debug for Put<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Put")
            .field("is_put", &self.item.is_none())
            .field("waiting", &self.waiting)
            .finish()
    }
}

impl<T> fmt::Debug for Join<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join").field("waiting", &self.waiting).finish()
    }
}
