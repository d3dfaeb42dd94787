//! A channel: messages that nobody has received yet, and the list of those who wait for one.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};

use crate::Result;
use crate::traps::{Label, WaitList, Waiting};

/// What is sent.
pub type Message = String;

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
        self.inner.messages.borrow_mut().push_back(message);
        self.inner.receivers.notify_one();
    }

    /// Waits for a message out of the channel.
    ///
    /// # Errors
    /// That of [`Waiting::wait_on`].
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

/// For a message from a channel.
const RECEIVE_WAIT: Label = Label::new("RECEIVE_WAIT");

impl Future for Receive {
    type Output = Result<Message>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<Message>> {
        let Receive { channel, waiting } = self.get_mut();
        let message = channel.inner.messages.borrow_mut().pop_front();
        if let Some(message) = message {
            waiting.complete();
            return Poll::Ready(Ok(message));
        }
        match waiting.wait_on(&channel.inner.receivers, cx, RECEIVE_WAIT) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}
