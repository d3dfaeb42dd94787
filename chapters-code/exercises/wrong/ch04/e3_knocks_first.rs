//! Exercise 3, wrong: they are woken before it has happened.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use chapter4::traps::{Label, WaitList, Waiting};

/// Something that happens once. Cloning it gives another handle of the same event.
#[derive(Clone, Debug, Default)]
pub struct Event {
    inner: Rc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    set: Cell<bool>,
    waiters: WaitList,
}

impl Event {
    /// An event that has not happened.
    pub fn new() -> Event {
        Event::default()
    }

    /// It has happened. Everyone who waits goes on.
    pub fn set(&self) {
        self.inner.waiters.notify_all();
        self.inner.set.set(true);
    }

    /// Whether it has happened.
    pub fn is_set(&self) -> bool {
        self.inner.set.get()
    }

    /// Waits until it has happened.
    pub fn wait(&self) -> Wait {
        Wait {
            event: self.clone(),
            waiting: Waiting::new(),
        }
    }
}

/// Waits for an event; see [`Event::wait`].
#[derive(Debug)]
pub struct Wait {
    event: Event,
    waiting: Waiting,
}

const EVENT_WAIT: Label = Label::new("EVENT_WAIT");

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Wait { event, waiting } = self.get_mut();
        if event.is_set() {
            waiting.complete();
            return Poll::Ready(());
        }
        waiting.wait_on(&event.inner.waiters, cx, EVENT_WAIT);
        Poll::Pending
    }
}
