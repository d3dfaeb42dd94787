//! Exercise 2 of chapter 3, rebuild: the adapter without its heart.
//!
//! Everything is here but the body of `resume`. Write it again, from the page rather than from the chapter's code.

#![allow(clippy::todo, unused)] // until your code stands here

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
        todo!("the answer in, one poll, the request out")
    }
}

impl fmt::Debug for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adapter").finish_non_exhaustive()
    }
}
