//! What several threads share, and who waits for it.
//!
//! The universal objects are a state behind a mutex, and in it lines of those who wait for it to change. Who waits is a
//! waker, whatever it wakes: a task of any kernel, one of another executor, a thread. An entry of a line goes this way:
//!
//! ```text
//!          enter                 choose               leave (the operation completes)
//!  (new) --------> Waiting(waker) -------> Chosen ---------------> (gone)
//!                     |    | dismiss                               ^   ^
//!                     |    +-----------> Dismissed ----------------+   |
//!                     +------------------------------------------------+
//!                       leave (interrupted, dropped)
//! ```
//!
//! R5. No lock is held while a waker is called, cloned or dropped, or a value of the user's is dropped or cloned.
//!     Whatever a lock has loosened is carried out of it: by `Wakes`, or as a result.
//! R6. An entry belongs to its operation, which removes it: when it completes, is interrupted, or dropped. It is linked
//!     into the line exactly while it has its waker, and leaves it from the front only, or by its own wish.
//! R7. Who leaves as `Chosen` without having completed passes on what it was chosen for. So nothing is lost with it.

use std::task::Waker;

use slab::Slab;

use super::{Mutex, lock};
use crate::contain::contain;
use crate::key::NONE;

/// A state that several threads share.
#[derive(Debug)]
pub(crate) struct Shared<S>(Mutex<S>);

impl<S> Shared<S> {
    pub(crate) fn new(state: S) -> Shared<S> {
        Shared(Mutex::new(state))
    }

    /// Works on the state, then wakes whom that has chosen (R5).
    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut S, &mut Wakes) -> R) -> R {
        let mut wakes = Wakes::default();
        let mut state = lock(&self.0);
        let result = f(&mut state, &mut wakes);
        drop(state);
        if wakes.first.is_some() {
            wakes.wake();
        } else {
            // Nothing is in it, so there is nothing to be dropped.
            std::mem::forget(wakes);
        }
        result
    }
}

/// Whom to wake when the lock is released, in this order.
#[derive(Default)]
pub(crate) struct Wakes {
    /// Nearly always there is one at most, and nothing to allocate.
    first: Option<Waker>,
    others: Vec<Waker>,
}

impl Wakes {
    pub(crate) fn add(&mut self, waker: Waker) {
        match self.first {
            None => self.first = Some(waker),
            Some(_) => self.others.push(waker),
        }
    }

    #[inline(never)]
    fn wake(self) {
        let all = self.first.into_iter().chain(self.others);
        all.for_each(|waker| contain(|| waker.wake()));
    }
}

/// A line of operations that wait for the same thing, first in, first out.
#[derive(Debug)]
pub(crate) struct Line {
    entries: Slab<Entry>,
    head: u32,
    tail: u32,
    chosen: usize,
}

#[derive(Debug)]
struct Entry {
    call: Call,
    next: u32,
    prev: u32,
}

/// How an operation in a line stands.
#[derive(Debug)]
pub(crate) enum Call {
    Waiting(Waker),
    /// It is its turn. What it was chosen for is kept for it.
    Chosen,
    /// It is to look for itself: nothing is kept for it.
    Dismissed,
}

impl Line {
    pub(crate) fn new() -> Line {
        Line {
            entries: Slab::new(),
            head: NONE,
            tail: NONE,
            chosen: 0,
        }
    }

    /// How many were chosen and have not come yet.
    #[inline]
    pub(crate) fn chosen(&self) -> usize {
        self.chosen
    }

    /// Whether nobody waits (those who were called do not any more).
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.head == NONE
    }

    /// Takes a place at the end of the line.
    pub(crate) fn enter(&mut self, waker: Waker) -> u32 {
        let prev = self.tail;
        let place = self.entries.insert(Entry {
            call: Call::Waiting(waker),
            next: NONE,
            prev,
        }) as u32;
        self.tail = place;
        match prev {
            NONE => self.head = place,
            prev => self.entries[prev as usize].next = place,
        }
        place
    }

    /// How the operation at this place stands. It may get another waker.
    pub(crate) fn call(&mut self, place: u32) -> &mut Call {
        &mut self.entries[place as usize].call
    }

    /// Gives a place up. What comes back is to be dropped outside of the lock (R5), and to be minded (R7).
    pub(crate) fn leave(&mut self, place: u32) -> Call {
        if let Call::Waiting(_) = self.entries[place as usize].call {
            self.unlink(place);
        }
        let Entry { call, .. } = self.entries.remove(place as usize);
        if let Call::Chosen = call {
            self.chosen -= 1;
        }
        call
    }

    fn unlink(&mut self, place: u32) {
        let Entry { next, prev, .. } = self.entries[place as usize];
        match prev {
            NONE => self.head = next,
            prev => self.entries[prev as usize].next = next,
        }
        match next {
            NONE => self.tail = prev,
            next => self.entries[next as usize].prev = prev,
        }
    }

    /// Calls the one who has waited longest. False if nobody waits.
    fn call_next(&mut self, call: Call, wakes: &mut Wakes) -> bool {
        let place = self.head;
        if place == NONE {
            return false;
        }
        self.unlink(place);
        if let Call::Waiting(waker) = std::mem::replace(self.call(place), call) {
            wakes.add(waker);
        }
        true
    }

    /// Chooses the one who has waited longest. False if nobody waits.
    #[inline]
    pub(crate) fn choose(&mut self, wakes: &mut Wakes) -> bool {
        let called = self.call_next(Call::Chosen, wakes);
        self.chosen += usize::from(called);
        called
    }

    pub(crate) fn choose_all(&mut self, wakes: &mut Wakes) {
        while self.choose(wakes) {}
    }

    /// Sends all away who wait.
    pub(crate) fn dismiss_all(&mut self, wakes: &mut Wakes) {
        while self.call_next(Call::Dismissed, wakes) {}
    }
}
