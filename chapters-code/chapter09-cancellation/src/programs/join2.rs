//! Waiting for two things at once.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Waits for two futures; see [`join2`].
#[must_use = "it does nothing unless it is awaited"]
pub struct Join2<A, B> {
    left: Half<A>,
    right: Half<B>,
}

/// One of the two, and its value when it is ready.
struct Half<T> {
    future: Pin<Box<dyn Future<Output = T>>>,
    value: Option<T>,
}

/// Waits until both futures are ready, and gives the values of both. Meanwhile, each goes on when it can.
pub fn join2<A, B>(
    left: impl Future<Output = A> + 'static,
    right: impl Future<Output = B> + 'static,
) -> Join2<A, B> {
    Join2 {
        left: Half::new(left),
        right: Half::new(right),
    }
}

impl<T> Half<T> {
    fn new(future: impl Future<Output = T> + 'static) -> Half<T> {
        Half {
            future: Box::pin(future),
            value: None,
        }
    }

    /// Polls the future, unless it is ready already. Whether it is ready now.
    fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        if self.value.is_none()
            && let Poll::Ready(value) = self.future.as_mut().poll(cx)
        {
            self.value = Some(value);
        }
        self.value.is_some()
    }
}

impl<A: Unpin, B: Unpin> Future for Join2<A, B> {
    type Output = (A, B);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<(A, B)> {
        let (left, right) = (self.left.poll(cx), self.right.poll(cx));
        if !(left && right) {
            return Poll::Pending;
        }
        let values = self.left.value.take().zip(self.right.value.take());
        values.map_or(Poll::Pending, Poll::Ready)
    }
}

impl<A, B> fmt::Debug for Join2<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join2").finish_non_exhaustive()
    }
}
