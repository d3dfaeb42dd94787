//! The operations of the queue.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use super::UniversalQueue;
use super::state::{Front, Stand, State};
use crate::error::{Error, Result};
use crate::remote::{Line, Shared, Wakes};
use crate::traps::Label;
use crate::universal::operation::{Operation, Step};

/// The operation of [`UniversalQueue::get`].
#[must_use = "it does nothing unless it is awaited"]
pub struct Get<'a, T>(pub(super) Operation<'a, Getting<'a, T>>);

/// The operation of [`UniversalQueue::next`].
#[must_use = "it does nothing unless it is awaited"]
pub struct Next<'a, T>(pub(super) Get<'a, T>);

/// The operation of [`UniversalQueue::put`].
#[must_use = "it does nothing unless it is awaited"]
pub struct Put<'a, T: 'a>(pub(super) Operation<'a, Putting<T>>);

/// The operation of [`UniversalQueue::join`].
#[must_use = "it does nothing unless it is awaited"]
pub struct Join<'a, T: 'a>(pub(super) Operation<'a, Joining<T>>);

impl<T> Put<'_, T> {
    /// Gives up, and takes the item back; none if it is in the queue.
    ///
    /// ```
    /// use curio::{UniversalQueue, run, timeout_after};
    /// use std::time::Duration;
    ///
    /// run(async {
    ///     let queue = UniversalQueue::bounded(1);
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
        self.0.step.0.take()
    }
}

impl<'a, T> Get<'a, T> {
    #[track_caller]
    pub(super) fn new(queue: &'a UniversalQueue<T>) -> Get<'a, T> {
        Get(Operation::new(&queue.0.rest, Getting(&queue.0.front)))
    }
}

impl<'a, T> Put<'a, T> {
    #[track_caller]
    pub(super) fn new(queue: &'a UniversalQueue<T>, item: T) -> Put<'a, T> {
        Put(Operation::new(&queue.0.rest, Putting(Some(item))))
    }
}

impl<'a, T> Join<'a, T> {
    #[track_caller]
    pub(super) fn new(queue: &'a UniversalQueue<T>) -> Join<'a, T> {
        Join(Operation::new(&queue.0.rest, Joining(PhantomData)))
    }
}

pub(super) struct Getting<'a, T>(&'a Front<T>);
/// With the item, until it is in the queue.
pub(super) struct Putting<T>(Option<T>);
pub(super) struct Joining<T>(PhantomData<fn() -> T>);

impl<T> Step for Getting<'_, T> {
    type State = State<T>;
    type Output = T;
    const LABEL: Label = Label::new(&"UQUEUE_GET");

    fn line(state: &mut State<T>) -> &mut Line {
        &mut state.getters
    }

    fn attempt(&mut self, state: &mut State<T>, chosen: bool, wakes: &mut Wakes) -> Option<Result<T>> {
        let item = state.take(self.0, chosen, wakes).map(Ok);
        item.or_else(|| state.is_at_end().then_some(Err(Error::Closed)))
    }

    #[inline]
    fn attempt_first(&mut self, shared: &Shared<State<T>>) -> Option<Result<T>> {
        match self.0.pop() {
            Some(item) => Some(Ok(item)),
            None => shared.with(|state, wakes| self.attempt(state, false, wakes)),
        }
    }

    fn pass_on(state: &mut State<T>, wakes: &mut Wakes) {
        state.settle(wakes);
    }
}

impl From<Stand> for Option<Result<()>> {
    #[inline]
    fn from(stand: Stand) -> Option<Result<()>> {
        match stand {
            Stand::Done => Some(Ok(())),
            Stand::Closed => Some(Err(Error::Closed)),
            Stand::Full => None,
        }
    }
}

impl<T> Step for Putting<T> {
    type State = State<T>;
    type Output = ();
    const LABEL: Label = Label::new(&"UQUEUE_PUT");

    fn line(state: &mut State<T>) -> &mut Line {
        &mut state.putters
    }

    fn attempt(&mut self, state: &mut State<T>, chosen: bool, wakes: &mut Wakes) -> Option<Result<()>> {
        state.put(&mut self.0, chosen, wakes).into()
    }

    #[inline(always)]
    fn attempt_first(&mut self, shared: &Shared<State<T>>) -> Option<Result<()>> {
        shared
            .with(|state, wakes| state.put(&mut self.0, false, wakes))
            .into()
    }

    fn pass_on(state: &mut State<T>, wakes: &mut Wakes) {
        state.settle(wakes);
    }
}

impl<T> Step for Joining<T> {
    type State = State<T>;
    type Output = ();
    const LABEL: Label = Label::new(&"UQUEUE_JOIN");

    fn line(state: &mut State<T>) -> &mut Line {
        &mut state.joiners
    }

    fn attempt(&mut self, state: &mut State<T>, chosen: bool, _: &mut Wakes) -> Option<Result<()>> {
        (chosen || state.unfinished == 0).then_some(Ok(()))
    }
}

impl<T> Future for Get<'_, T> {
    type Output = Result<T>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<T>> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Future for Next<'_, T> {
    type Output = Option<Result<T>>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Result<T>>> {
        Pin::new(&mut self.0).poll(cx).map(|result| match result {
            Err(Error::Closed) => None,
            result => Some(result),
        })
    }
}

impl<T> Future for Put<'_, T> {
    type Output = Result<()>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        assert!(self.0.step.0.is_some(), "a Put was polled after it had completed");
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Future for Join<'_, T> {
    type Output = Result<()>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> fmt::Debug for Get<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Get").field(&self.0).finish()
    }
}

impl<T> fmt::Debug for Put<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Put").field(&self.0).finish()
    }
}

impl<T> fmt::Debug for Join<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Join").field(&self.0).finish()
    }
}

impl<T> fmt::Debug for Next<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Next").field(&self.0).finish()
    }
}
