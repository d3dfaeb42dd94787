//! What all handles of a queue share: the store, the two lines, and the rules between them.

use std::cell::Cell;
use std::fmt;
use std::panic::Location;
use std::task::{Context as TaskContext, Poll, ready};

use super::store::{Order, Store};
use crate::context;
use crate::error::{Error, Result};
use crate::line::Line;
use crate::traps::{self, Label, WaitList, Waiting};

/// What all handles of a queue share.
pub(super) struct Shared<T> {
    pub(super) store: Store<T>,
    /// `usize::MAX` if there are no bounds.
    pub(super) capacity: usize,
    /// How many items there may be: the capacity, and 0 once the queue is closed.
    pub(super) limit: Cell<usize>,
    pub(super) closed: Cell<bool>,
    /// How many `task_done` are missing.
    pub(super) unfinished: Cell<usize>,
    pub(super) getters: Line,
    pub(super) putters: Line,
    pub(super) joiners: WaitList,
}

const QUEUE_GET: Label = Label::new(&"QUEUE_GET");
const QUEUE_PUT: Label = Label::new(&"QUEUE_PUT");
pub(super) const QUEUE_JOIN: Label = Label::new(&"QUEUE_JOIN");

impl<T> Shared<T> {
    pub(super) fn new(order: Order<T>, capacity: usize) -> Shared<T> {
        Shared {
            store: Store::new(order),
            capacity,
            limit: Cell::new(capacity),
            closed: Cell::new(false),
            unfinished: Cell::new(0),
            getters: Line::default(),
            putters: Line::default(),
            joiners: WaitList::new(),
        }
    }

    /// Whether an item is there for somebody who was not chosen.
    #[inline]
    pub(super) fn has_item(&self) -> bool {
        self.store.len() > self.getters.granted()
    }

    /// Whether a place is there for somebody who was not chosen.
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        self.store.len() + self.putters.granted() < self.limit.get()
    }

    #[inline]
    pub(super) fn push(&self, item: T) {
        self.unfinished.set(self.unfinished.get() + 1);
        self.store.push(item);
        if self.getters.is_wanted() {
            self.offer_item();
        }
    }

    /// Nobody was due before (Q2), and one more item is for one.
    #[inline(never)]
    fn offer_item(&self) {
        if self.has_item() {
            self.getters.hand_over();
        }
    }

    #[inline]
    pub(super) fn take(&self) -> Option<T> {
        if !self.store.is_first_in() {
            return self.take_in_order();
        }
        let item = self.store.pop_first()?;
        if self.putters.is_wanted() {
            self.offer_room();
        }
        Some(item)
    }

    /// One more place likewise.
    #[inline(never)]
    fn offer_room(&self) {
        if self.has_room() {
            self.putters.hand_over();
        }
    }

    /// Comparing is user code, which may have put items meanwhile, and may panic: in any case, all is settled afterwards.
    #[inline(never)]
    fn take_in_order(&self) -> Option<T> {
        struct Settled<'a, T>(&'a Shared<T>);
        impl<T> Drop for Settled<'_, T> {
            fn drop(&mut self) {
                self.0.settle();
            }
        }
        let _settled = Settled(self);
        self.store.pop()
    }

    /// Chooses who is due (Q2). It may run wakers, hence anything (Q5).
    #[inline(never)]
    fn settle(&self) {
        while self.getters.is_wanted() && self.has_item() {
            self.getters.hand_over();
        }
        while self.putters.is_wanted() && self.has_room() {
            self.putters.hand_over();
        }
    }

    /// How one gets an item: the poll of `Get`, and of all that is made of it.
    #[inline(always)]
    pub(super) fn poll_get(
        &self,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<T>> {
        // Nearly always. This part is compiled into the code of the task, the other is kept out of it.
        let is_due = if waiting.is_waiting() {
            self.getters.receive(waiting)
        } else if self.has_item() {
            context::spend()
        } else if !self.closed.get() && self.getters.begin(waiting, cx, QUEUE_GET, place) {
            return Poll::Pending;
        } else {
            false
        };
        if is_due && let Some(item) = self.take() {
            waiting.is_over();
            return Poll::Ready(Ok(item));
        }
        self.poll_get_slowly(waiting, cx, place)
    }

    #[inline(never)]
    fn poll_get_slowly(
        &self,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<T>> {
        self.getters.reclaim();
        let waited = waiting.is_waiting();
        if self.has_item() {
            if !waited {
                ready!(traps::poll_budget(cx));
            }
            if let Some(item) = self.take() {
                waiting.complete();
                return Poll::Ready(Ok(item));
            }
        }
        if self.closed.get() {
            if !waited {
                ready!(traps::poll_budget(cx));
            }
            waiting.complete();
            return Poll::Ready(Err(Error::Closed));
        }
        match self.getters.wait(waiting, cx, QUEUE_GET, place) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// The same for `Put`. The item is taken if there is room.
    #[inline(always)]
    pub(super) fn poll_put(
        &self,
        item: &mut Option<T>,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<()>> {
        if !waiting.is_waiting()
            && let Some(taken) = item.take()
        {
            if self.has_room() && context::spend() {
                self.push(taken);
                waiting.is_over();
                return Poll::Ready(Ok(()));
            }
            *item = Some(taken);
        }
        self.poll_put_slowly(item, waiting, cx, place)
    }

    #[inline(never)]
    fn poll_put_slowly(
        &self,
        item: &mut Option<T>,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<()>> {
        assert!(item.is_some(), "a Put was polled after it had completed");
        self.putters.reclaim();
        let waited = waiting.is_waiting();
        let chosen = self.putters.receive(waiting);
        let closed = self.closed.get();
        if chosen || closed || self.has_room() {
            if !waited {
                ready!(traps::poll_budget(cx));
            }
            waiting.complete();
            if closed {
                return Poll::Ready(Err(Error::Closed));
            }
            if let Some(item) = item.take() {
                self.push(item);
            }
            return Poll::Ready(Ok(()));
        }
        match self.putters.wait(waiting, cx, QUEUE_PUT, place) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// A getter goes; if it was chosen, somebody else is now (Q3).
    #[cold]
    pub(super) fn leave_getters(&self, waiting: &mut Waiting) {
        self.getters.leave(waiting, || self.settle());
    }

    /// The same for a putter.
    #[cold]
    pub(super) fn leave_putters(&self, waiting: &mut Waiting) {
        self.putters.leave(waiting, || self.settle());
    }
}

impl<T> Shared<T> {
    pub(super) fn describe(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("len", &self.store.len())
            .field("closed", &self.closed.get())
            .field("unfinished", &self.unfinished.get())
            .finish_non_exhaustive()
    }
}
