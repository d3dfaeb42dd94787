//! A line of operations that wait for something to be handed to them: a lock, a permit, an item of a queue or a place in it.
//!
//! Whoever gives the thing back *hands* it to the operation that has waited longest. From that moment on it belongs to
//! that operation, although its task has yet to run: nobody can take it in between, and so nobody who waits is overtaken.
//! (The alternative, to wake somebody and let all try, needs fewer rules. But a task that asks again at once beats every
//! task that was woken, and where each run counts, as under a shuffled schedule, a waiter may starve.)
//!
//! | the operation | its node is | `granted` counts it | on its way out it |
//! |---|---|---|---|
//! | has not waited | none | no | is just dropped |
//! | waits | on the list | no | leaves the list |
//! | was chosen | notified | yes | passes on what it was handed |
//! | has it | none | no | is ready |
//!
//! N1. `granted` is the number of operations that were chosen and have neither taken nor passed on what they were handed.
//! N2. Who is handed something takes it when it is polled, whatever interruption is pending: the finished operation wins.
//!     So only an operation that is dropped, or polled where its kernel does not run, has anything to pass on.
//! N3. A kernel that is gone has taken its nodes along. What had been granted there is nobody's, and whoever looks next
//!     reclaims it, before anybody waits in another kernel.
//! N4. A line that was dissolved keeps no grants: those who were chosen look for themselves, like all others.

use std::cell::Cell;
use std::panic::Location;
use std::task::Context as TaskContext;

use crate::error::Result;
use crate::mirror::Holder;
use crate::traps::{Label, WaitList, Waiting};
use crate::waits::Chosen;

#[derive(Default)]
pub(crate) struct Line {
    list: WaitList,
    /// Whether somebody may wait. A hint that spares those who give back what nobody wants the look into the kernel.
    wanted: Cell<bool>,
    /// N1.
    granted: Cell<usize>,
}

impl Line {
    /// The operation waits at the end of the line, or goes on waiting where it is.
    #[inline]
    pub(crate) fn wait(
        &self,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        label: Label,
        place: &'static Location<'static>,
    ) -> Result<()> {
        self.wanted.set(true);
        waiting.wait_on(&self.list, cx, label, place)
    }

    /// An operation begins to wait at the end of the line, if that is as simple as it nearly always is (see
    /// [`WaitList::enter`]). False: it is not, and nothing has happened. If it is, this kernel lives, so nothing can be
    /// reclaimed (N3).
    #[inline(always)]
    pub(crate) fn begin(
        &self,
        waiting: &mut Waiting,
        cx: &TaskContext<'_>,
        label: Label,
        place: &'static Location<'static>,
    ) -> bool {
        let begun = waiting.begin_on(&self.list, cx, label, place);
        if begun {
            self.wanted.set(true);
        }
        begun
    }

    /// The same as `wait` for something that somebody has, of which a monitor is told. It is when the first one begins to
    /// wait, and as long as the line is not empty it knows from the tables to whom that is handed on.
    pub(crate) fn wait_for(
        &self,
        holder: impl FnOnce() -> Holder,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        label: Label,
        place: &'static Location<'static>,
    ) -> Result<()> {
        let is_first = !self.is_wanted();
        let waits = self.wait(waiting, cx, label, place);
        if is_first && waits.is_ok() {
            self.list.tell_holder(holder());
        }
        waits
    }

    /// False if nobody waits.
    #[inline]
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.get()
    }

    /// N1.
    #[inline]
    pub(crate) fn granted(&self) -> usize {
        self.granted.get()
    }

    /// Hands something to the operation that has waited longest. False if nobody waits.
    #[inline]
    pub(crate) fn hand_over(&self) -> bool {
        self.wanted.get() && self.choose()
    }

    #[inline(never)]
    fn choose(&self) -> bool {
        // Counted first: a foreign waker may already act on it.
        self.granted.set(self.granted.get() + 1);
        match self.list.notify_own() {
            Some(Chosen::Last | Chosen::First) => true,
            Some(Chosen::Nobody) | None => self.choose_slowly(),
        }
    }

    #[cold]
    #[inline(never)]
    fn choose_slowly(&self) -> bool {
        let chosen = self.list.notify_one();
        if !chosen {
            self.settle();
            self.wanted.set(false);
        }
        chosen
    }

    /// Whether the operation was handed something, which is its own now; then its wait is over.
    #[inline]
    pub(crate) fn receive(&self, waiting: &mut Waiting) -> bool {
        let received = waiting.is_waiting() && waiting.take_notification();
        if received {
            self.settle();
        }
        received
    }

    /// The same for an operation that may have to wait for something else now: its wait goes on.
    pub(crate) fn receive_and_go_on(&self, waiting: &Waiting) -> bool {
        let received = waiting.is_notified();
        if received {
            self.settle();
        }
        received
    }

    /// The operation is over without having received anything, if it still waits. If it had been handed something, that is
    /// passed on.
    #[inline]
    pub(crate) fn leave(&self, waiting: &mut Waiting, pass_on: impl FnOnce()) {
        if waiting.is_waiting() {
            self.leave_early(waiting, pass_on);
        }
    }

    #[cold]
    #[inline(never)]
    fn leave_early(&self, waiting: &mut Waiting, pass_on: impl FnOnce()) {
        if self.list.dismiss(waiting) {
            self.settle();
            pass_on();
        }
    }

    /// How many things had been handed to operations whose kernel is gone (N3): they are the caller's.
    #[inline]
    pub(crate) fn reclaim(&self) -> usize {
        if self.granted.get() > 0 && self.list.is_orphaned() {
            self.granted.take()
        } else {
            0
        }
    }

    /// Wakes all who wait (N4).
    pub(crate) fn dissolve(&self) {
        self.granted.set(0);
        self.wanted.set(false);
        self.list.notify_all();
    }

    /// One thing that was granted has been taken, or passed on. There may be none left to count (N4).
    #[inline]
    fn settle(&self) {
        self.granted.set(self.granted.get().saturating_sub(1));
    }
}
