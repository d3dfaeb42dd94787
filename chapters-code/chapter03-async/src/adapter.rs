//! From a future to a generator: all that is new between the kernel of chapter 2 and `async`.
//!
//! Its invariants, guarded by `tests/invariants.rs`:
//!
//! 1. One resume is one poll, and nothing of the future runs before the first.
//! 2. The request that the future leaves is handed out in the same turn, and its answer is there in the next.
//! 3. A future that is ready is dropped, and never polled again.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::context;
use crate::generator::{Generator, Step};
use crate::traps::{Reply, Trap};

/// A future in the shape of a generator.
pub struct Adapter {
    /// None when it has reached its end.
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

impl Adapter {
    /// Nothing of the future runs yet.
    pub fn new(future: impl Future<Output = ()> + 'static) -> Adapter {
        Adapter {
            future: Some(Box::pin(future)),
        }
    }
}

impl Generator for Adapter {
    type Yield = Trap;
    type Answer = Reply;

    fn resume(&mut self, answer: Reply) -> Step<Trap> {
        let Some(future) = &mut self.future else {
            return Step::Complete;
        };
        context::put_reply(answer);
        let mut cx = Context::from_waker(Waker::noop());
        match future.as_mut().poll(&mut cx) {
            Poll::Pending => {
                let request = context::take_request();
                // Who stops without a request gets another turn.
                Step::Yielded(request.unwrap_or(Trap::Yield))
            }
            Poll::Ready(()) => {
                self.future = None;
                Step::Complete
            }
        }
    }
}

impl fmt::Debug for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adapter").finish_non_exhaustive()
    }
}
