//! A wrong turn: a doorbell that is looked at first and told afterwards whom to wake.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::task::{Context, Poll, Waker};

use crate::doorbell::RING_WAIT;
use crate::kernel::Kernel;
use crate::remote::spawn_thread;
use crate::traps::Waiting;
use crate::voice::{self, say};

/// A doorbell. Each of its methods takes the lock, and gives it back at its end.
#[derive(Clone, Debug, Default)]
pub struct LateDoorbell {
    bell: Arc<Mutex<(bool, Option<Waker>)>>,
}

impl LateDoorbell {
    fn with<R>(&self, f: impl FnOnce(&mut bool, &mut Option<Waker>) -> R) -> R {
        let mut bell = self.bell.lock().unwrap_or_else(PoisonError::into_inner);
        let (rung, waker) = &mut *bell;
        f(rung, waker)
    }

    /// Whether somebody has rung.
    pub fn is_rung(&self) -> bool {
        self.with(|rung, _| *rung)
    }

    /// Whom to wake.
    pub fn set_waker(&self, waker: &Waker) {
        self.with(|_, old| *old = Some(waker.clone()));
    }

    /// Rings, from any thread.
    pub fn ring(&self) {
        let waker = self.with(|rung, waker| {
            *rung = true;
            waker.take()
        });
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Waits for a ring.
pub struct LateWait<F> {
    doorbell: LateDoorbell,
    waiting: Waiting,
    /// What happens elsewhere, at the worst moment.
    meanwhile: Option<F>,
}

impl<F: FnOnce() + Unpin> Future for LateWait<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.doorbell.is_rung() {
            this.waiting.complete();
            return Poll::Ready(());
        }
        if let Some(something_happens) = this.meanwhile.take() {
            something_happens();
        }
        this.doorbell.set_waker(cx.waker());
        this.waiting.wait(cx, RING_WAIT);
        Poll::Pending
    }
}

/// The postman rings while the parent, who has seen that nobody has, is about to leave a waker.
pub async fn parent() {
    let doorbell = LateDoorbell::default();
    let (go, started) = mpsc::channel();
    let (done, ended) = mpsc::channel();
    let (bell, say_there) = (doorbell.clone(), voice::for_a_thread());
    spawn_thread(move || {
        let _ = started.recv();
        say_there("postman", "Ding dong!");
        bell.ring();
        let _ = done.send(());
    });
    say("parent", "I wait for the postman.");
    let meanwhile = move || {
        let _ = go.send(());
        let _ = ended.recv();
    };
    LateWait {
        doorbell,
        waiting: Waiting::new(),
        meanwhile: Some(meanwhile),
    }
    .await;
    say("parent", "Coming!");
}

/// Parent and postman.
pub fn start(kernel: &mut Kernel) {
    kernel.spawn("parent", parent());
}

impl<F> fmt::Debug for LateWait<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LateWait").finish_non_exhaustive()
    }
}
