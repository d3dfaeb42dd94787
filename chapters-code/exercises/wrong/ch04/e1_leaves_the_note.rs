//! Exercise 1, wrong: it is ready, and its note stays.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use chapter4::doorbell::RING_WAIT;
use chapter4::traps::Waiting;
use exercises::{Lock, LockGuard};

/// A doorbell. Cloning it gives another handle of the same bell.
#[derive(Clone, Debug, Default)]
pub struct Doorbell {
    bell: Arc<Lock<Bell>>,
}

/// What is under the lock.
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

    /// Takes the lock. It is given back when the guard is dropped.
    fn bell(&self) -> LockGuard<'_, Bell> {
        self.bell.lock()
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
pub struct RingWait {
    doorbell: Doorbell,
    waiting: Waiting,
}

impl Future for RingWait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let RingWait { doorbell, waiting } = self.get_mut();
        let mut bell = doorbell.bell();
        if bell.rung {
            return Poll::Ready(());
        }
        bell.waker = Some(cx.waker().clone());
        waiting.wait(cx, RING_WAIT);
        Poll::Pending
    }
}
