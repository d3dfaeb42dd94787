//! A doorbell: a thread rings, a task waits.
//!
//! B1. Whether it was rung, and whom to wake when it is, are looked at and changed under one lock. So there is no moment
//!     between "not rung yet" and "wake me" in which somebody could ring unheard.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll, Waker};

use crate::traps::{Label, Waiting};

/// A doorbell that is rung once. Cloning it gives another handle of the same bell. One task can wait for it.
#[derive(Clone, Debug, Default)]
pub struct Doorbell {
    bell: Arc<Mutex<Bell>>,
}

#[derive(Debug, Default)]
struct Bell {
    rung: bool,
    waker: Option<Waker>,
}

impl Doorbell {
    /// A bell that nobody has rung.
    pub fn new() -> Doorbell {
        Doorbell::default()
    }

    fn bell(&self) -> MutexGuard<'_, Bell> {
        self.bell.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rings, from any thread.
    pub fn ring(&self) {
        let mut bell = self.bell();
        bell.rung = true;
        let waker = bell.waker.take();
        drop(bell);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Waits until somebody has rung.
    pub fn wait(&self) -> RingWait {
        RingWait {
            doorbell: self.clone(),
            waiting: Waiting::new(),
        }
    }
}

/// Waits for a ring; see [`Doorbell::wait`].
#[derive(Debug)]
#[must_use = "it does nothing unless it is awaited"]
pub struct RingWait {
    doorbell: Doorbell,
    waiting: Waiting,
}

/// For a ring.
pub const RING_WAIT: Label = Label::new("RING_WAIT");

impl Future for RingWait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let RingWait { doorbell, waiting } = self.get_mut();
        let mut bell = doorbell.bell();
        if bell.rung {
            waiting.complete();
            return Poll::Ready(());
        }
        bell.waker = Some(cx.waker().clone());
        waiting.wait(cx, RING_WAIT);
        Poll::Pending
    }
}
