//! A wrong turn: to cancel by dropping.
//!
//! A future that is dropped is gone at once, wherever it stands; nobody in it is asked. What must be done at the end can
//! only be done in a `drop`, and nothing in there can wait.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::goodbye;
use crate::programs::channel::{Channel, Receive};
use crate::programs::{Watch, seconds};
use crate::{Kernel, Result, sleep, spawn};

/// Runs a future until a message comes; then drops it.
pub struct Until<F> {
    stop: Receive,
    future: Pin<Box<F>>,
}

impl<F: Future<Output = Result<()>>> Future for Until<F> {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Until { stop, future } = self.get_mut();
        match Pin::new(stop).poll(cx) {
            Poll::Ready(message) => Poll::Ready(message.map(drop)),
            Poll::Pending => future.as_mut().poll(cx),
        }
    }
}

/// The kid that would say its goodbye, and a parent who does not wait for it.
async fn parent() -> Result<()> {
    let watch = Watch::start();
    let stop = Channel::new();
    let kid = spawn(Until {
        stop: stop.receive(),
        future: Box::pin(goodbye::kid(watch)),
    });
    sleep(seconds(5)).await?;
    watch.say("parent", "We're leaving!");
    stop.send("now".to_string());
    kid.join().await?;
    watch.say("parent", "Leaving. (Who has saved the Falcon?)");
    Ok(())
}

/// Kid and parent.
pub fn start(kernel: &Kernel) {
    kernel.spawn(parent());
}

impl<F> fmt::Debug for Until<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Until").finish_non_exhaustive()
    }
}
