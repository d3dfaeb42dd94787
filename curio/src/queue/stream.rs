//! A queue as a stream, for the combinators of other crates.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use futures_core::{FusedStream, Stream};

use super::Queue;
use super::operations::none_if_closed;
use crate::error::Result;
use crate::traps::Waiting;

/// The items of a queue as a [`Stream`] of results; see [`Queue::stream`].
///
/// A stream that is dropped, also while it waits, has taken nothing but what it gave.
#[must_use = "it does nothing unless it is polled"]
pub struct Items<T> {
    queue: Queue<T>,
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl<T> Items<T> {
    pub(super) fn new(queue: Queue<T>, place: &'static Location<'static>) -> Items<T> {
        Items {
            queue,
            waiting: Waiting::new(),
            place,
        }
    }
}

impl<T> Stream for Items<T> {
    type Item = Result<T>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Result<T>>> {
        let this = self.get_mut();
        this.queue
            .shared
            .poll_get(&mut this.waiting, cx, this.place)
            .map(none_if_closed)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // What is there now may be taken by others.
        let closed = self.queue.is_closed();
        (0, closed.then(|| self.queue.len()))
    }
}

impl<T> FusedStream for Items<T> {
    fn is_terminated(&self) -> bool {
        self.queue.is_closed() && self.queue.is_empty()
    }
}

impl<T> Drop for Items<T> {
    fn drop(&mut self) {
        if self.waiting.is_waiting() {
            self.queue.shared.leave_getters(&mut self.waiting);
        }
    }
}

impl<T> fmt::Debug for Items<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items")
            .field("queue", &self.queue)
            .field("waiting", &self.waiting)
            .finish()
    }
}
