//! Exercise 3, wrong: the first request is left before anybody has polled.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use chapter3::context;
use chapter3::channel::{ChannelId, Message};
use chapter3::operations::{Ask, ask};
use chapter3::traps::{Reply, Trap};

/// Waits for two messages: the request that is open now, and the first message once it is there.
#[derive(Debug)]
pub struct ReceiveTwo {
    channel: ChannelId,
    ask: Ask,
    first: Option<Message>,
}

/// Waits for two messages out of the channel, and gives both.
pub fn receive_two(channel: ChannelId) -> ReceiveTwo {
    context::put_request(Trap::Receive(channel));
    ReceiveTwo {
        channel,
        ask: ask(Trap::Receive(channel)),
        first: None,
    }
}

impl Future for ReceiveTwo {
    type Output = (Message, Message);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<(Message, Message)> {
        loop {
            let message = match Pin::new(&mut self.ask).poll(cx) {
                Poll::Ready(Reply::Received(message)) => message,
                Poll::Ready(other) => panic!("the kernel answered a receive with {other:?}"),
                Poll::Pending => return Poll::Pending,
            };
            match self.first.take() {
                Some(first) => return Poll::Ready((first, message)),
                None => self.first = Some(message),
            }
            self.ask = ask(Trap::Receive(self.channel));
        }
    }
}
