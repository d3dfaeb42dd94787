//! Exercise 2, wrong: it never looks into the slot.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use chapter3::context;
use chapter3::generator::{Generator, Step};
use chapter3::traps::{Reply, Trap};

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
            // Who stops without a request gets another turn.
            Poll::Pending => Step::Yielded(Trap::Yield),
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
