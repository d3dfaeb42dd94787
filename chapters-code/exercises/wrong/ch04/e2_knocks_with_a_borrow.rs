//! Exercise 2, wrong: the messages are still borrowed when the receiver is woken.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};

use chapter4::channel::Message;
use chapter4::traps::{Label, WaitList, Waiting};

/// A channel. Cloning it gives another handle of the same channel.
#[derive(Clone, Debug, Default)]
pub struct Channel {
    inner: Rc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// What was sent and not received, oldest first.
    messages: RefCell<VecDeque<Message>>,
    receivers: WaitList,
}

impl Channel {
    /// An empty channel.
    pub fn new() -> Channel {
        Channel::default()
    }

    /// Puts a message into the channel. It never waits.
    pub fn send(&self, message: Message) {
        let mut messages = self.inner.messages.borrow_mut();
        messages.push_back(message);
        self.inner.receivers.notify_one();
    }

    /// Waits for a message out of the channel.
    pub fn receive(&self) -> Receive {
        Receive {
            channel: self.clone(),
            waiting: Waiting::new(),
        }
    }
}

/// Waits for a message; see [`Channel::receive`].
#[derive(Debug)]
#[must_use = "it does nothing unless it is awaited"]
pub struct Receive {
    channel: Channel,
    waiting: Waiting,
}

impl Future for Receive {
    type Output = Message;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Message> {
        let Receive { channel, waiting } = self.get_mut();
        let message = channel.inner.messages.borrow_mut().pop_front();
        if let Some(message) = message {
            waiting.complete();
            return Poll::Ready(message);
        }
        waiting.wait_on(&channel.inner.receivers, cx, Label::RECEIVE_WAIT);
        Poll::Pending
    }
}
