//! The two halves of a universal queue.
//!
//! ```text
//!             lock and cache lines of its own     lock of the state
//!  getters <---- front: the first items <---- items: the last ones <---- putters
//!                                         ^
//!                            all at once, when nothing is in front
//! ```
//!
//! A thread that puts and a task that takes would quarrel about one lock for each item. So whoever finds nothing in front
//! exchanges the two: it takes everything that was put since, and the putters get its empty buffer. Once in a batch the two
//! sides meet; for each item they have a lock that is nearly always free and in their own cache, which is 5 ns. (A list
//! of blocks without locks was rejected: it has as many atomic operations for an item, and memory orderings to prove.)
//!
//! The state is locked before the front, if it must be both; whoever finds an item in front needs no more than that.
//!
//! Q1. `items.len() > getters.chosen()` only if no getter waits: an item nobody was chosen for has nobody to take it.
//! Q2. `items.len() + putters.chosen() < capacity` only if no putter waits.
//! Q3. A closed queue without items has no getter that waits, and a closed one no putter. So a getter that finds the queue
//!     closed but items in it that others were chosen for, waits: they may yet go away without them.
//! Q4. The descriptor, if there is one, is readable exactly while `items.len() > getters.chosen()`, or at the end.
//! Q5. Something is in front only while no getter waits or is chosen, and never with a capacity or a descriptor. So who takes
//!     it passes nobody, and has nobody to tell. Nothing comes there but under the state's lock.
//!
//! `settle` restores the first four after any change.

use std::collections::VecDeque;
#[cfg(unix)]
use std::os::fd::RawFd;

#[cfg(unix)]
use crate::error::Result;
use crate::remote::{Line, Shared, Wakes};
use crate::universal::descriptor::Descriptor;

pub(super) struct Halves<T> {
    pub(super) front: Front<T>,
    pub(super) rest: Shared<State<T>>,
}

/// The first items (Q5).
#[repr(align(128))]
pub(super) struct Front<T>(Shared<VecDeque<T>>);

pub(super) struct State<T> {
    /// Those that are not in front.
    items: VecDeque<T>,
    /// `usize::MAX` if it has none.
    pub(super) capacity: usize,
    pub(super) closed: bool,
    /// Items that were put, and for which nobody has called `task_done`.
    pub(super) unfinished: usize,
    pub(super) getters: Line,
    pub(super) putters: Line,
    pub(super) joiners: Line,
    descriptor: Option<Descriptor>,
}

/// How an attempt to put something has ended. (Not a `Result` with an error in it: to move its two words about in memory took
/// longer than everything else.)
pub(super) enum Stand {
    Done,
    Closed,
    Full,
}

impl<T> Front<T> {
    #[inline]
    pub(super) fn pop(&self) -> Option<T> {
        self.0.with(|front, _| front.pop_front())
    }
}

impl<T> Halves<T> {
    pub(super) fn new(capacity: usize) -> Halves<T> {
        Halves {
            front: Front(Shared::new(VecDeque::new())),
            rest: Shared::new(State {
                items: VecDeque::new(),
                capacity,
                closed: false,
                unfinished: 0,
                getters: Line::new(),
                putters: Line::new(),
                joiners: Line::new(),
                descriptor: None,
            }),
        }
    }

    /// Shows the state, and how many items there are.
    pub(super) fn look<R>(&self, f: impl FnOnce(&State<T>, usize) -> R) -> R {
        self.rest.with(|state, _| {
            let len = self.front.0.with(|front, _| front.len()) + state.items.len();
            f(state, len)
        })
    }

    /// The number of the descriptor, which is made if there is none.
    #[cfg(unix)]
    pub(super) fn descriptor(&self) -> Result<RawFd> {
        self.rest.with(|state, _| {
            if let Some(descriptor) = &state.descriptor {
                return Ok(descriptor.number());
            }
            let descriptor = Descriptor::new()?;
            let number = descriptor.number();
            state.descriptor = Some(descriptor);
            // From now on nothing is in front (Q5).
            self.front.0.with(|front, _| {
                front.append(&mut state.items);
                std::mem::swap(front, &mut state.items);
            });
            state.show();
            Ok(number)
        })
    }
}

impl<T> State<T> {
    fn has_item(&self) -> bool {
        self.items.len() > self.getters.chosen()
    }

    fn has_room(&self) -> bool {
        self.items.len() + self.putters.chosen() < self.capacity
    }

    /// Nothing is there, and nothing will come. (For those who know that nothing is in front.)
    pub(super) fn is_at_end(&self) -> bool {
        self.closed && self.items.is_empty()
    }

    /// Restores the invariants, whatever has changed.
    #[inline]
    pub(super) fn settle(&mut self, wakes: &mut Wakes) {
        // Nearly always nobody waits, so there is nothing to do.
        if !self.getters.is_empty() || !self.putters.is_empty() || self.descriptor.is_some() {
            self.settle_slowly(wakes);
        }
    }

    #[inline(never)]
    fn settle_slowly(&mut self, wakes: &mut Wakes) {
        while self.has_item() && self.getters.choose(wakes) {}
        if self.closed {
            self.putters.dismiss_all(wakes);
            // If there are any, nothing is in front (Q5).
            if self.is_at_end() {
                self.getters.dismiss_all(wakes);
            }
        }
        while self.has_room() && self.putters.choose(wakes) {}
        self.show();
    }

    /// Keeps the descriptor up to date (Q4).
    fn show(&mut self) {
        let readable = self.has_item() || self.is_at_end();
        if let Some(descriptor) = &mut self.descriptor {
            descriptor.show(readable);
        }
    }

    /// Adds the item, if it can; else it stays where it is.
    #[inline(always)]
    pub(super) fn put(&mut self, item: &mut Option<T>, chosen: bool, wakes: &mut Wakes) -> Stand {
        if self.closed {
            return Stand::Closed;
        }
        if !chosen && !self.has_room() {
            return Stand::Full;
        }
        if let Some(item) = item.take() {
            self.items.push_back(item);
            self.unfinished += 1;
            self.settle(wakes);
        }
        Stand::Done
    }

    /// Takes the first item, if there is one that nobody else was chosen for. If not, nothing is in front either.
    pub(super) fn take(&mut self, front: &Front<T>, chosen: bool, wakes: &mut Wakes) -> Option<T> {
        let item = front.0.with(|front, _| {
            if !front.is_empty() || !chosen && !self.has_item() {
                return front.pop_front();
            }
            let item = self.items.pop_front();
            if self.getters.chosen() == 0 && self.capacity == usize::MAX && self.descriptor.is_none() {
                // What is left has nobody who waits for it (Q1).
                std::mem::swap(front, &mut self.items);
            }
            item
        });
        self.settle(wakes);
        item
    }
}
