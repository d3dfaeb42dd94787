//! Exercise 3 of chapter 4, extend: an operation of your own.
//!
//! An event is something that happens once, such as "dinner is ready". Any number of tasks can wait for it, before it
//! happens and after. When it has happened, all of them go on. In `ps`, one that waits shows `EVENT_WAIT`.

#![allow(clippy::todo, unused)] // until your code stands here

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use chapter4::traps::{Label, WaitList, Waiting};

/// Something that happens once. Cloning it gives another handle of the same event.
#[derive(Clone, Debug)]
pub struct Event {}

impl Event {
    /// An event that has not happened.
    pub fn new() -> Event {
        todo!("what does an event have to know?")
    }

    /// It has happened. Everyone who waits goes on.
    pub fn set(&self) {
        todo!("note it, and knock")
    }

    /// Whether it has happened.
    pub fn is_set(&self) -> bool {
        todo!("look at the note")
    }

    /// Waits until it has happened.
    pub fn wait(&self) -> Wait {
        todo!("an operation that does not wait yet")
    }
}

/// Waits for an event; see [`Event::wait`].
#[derive(Debug)]
pub struct Wait {}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        todo!("look, and leave a note if it has not happened")
    }
}
