//! Exercise 2, wrong: who asks for nothing is taken for one who has ended.

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
            Poll::Pending => {
                let request = context::take_request();
                request.map_or(Step::Complete, Step::Yielded)
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
