//! Exercise 3 of chapter 3, extend: a future by hand.
//!
//! Write this function without `async` and `.await`, as a type of your own:
//!
//! ```text
//! async fn receive_two(channel: ChannelId) -> (Message, Message) {
//!     let first = channel.receive().await;
//!     let second = channel.receive().await;
//!     (first, second)
//! }
//! ```
//!
//! To ask the kernel, use [`ask`], which makes a future of a trap. It is polled like this:
//! `Pin::new(&mut self.ask).poll(cx)`.

#![allow(clippy::todo, unused)] // until your code stands here

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use chapter3::channel::{ChannelId, Message};
use chapter3::operations::{Ask, ask};
use chapter3::traps::{Reply, Trap};

/// Waits for two messages. What must it remember while it waits for the second?
#[derive(Debug)]
pub struct ReceiveTwo {}

/// Waits for two messages out of the channel, and gives both.
pub fn receive_two(channel: ChannelId) -> ReceiveTwo {
    todo!("the state before the first poll")
}

impl Future for ReceiveTwo {
    type Output = (Message, Message);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<(Message, Message)> {
        todo!("go on as far as possible")
    }
}
