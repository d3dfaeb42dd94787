//! What a task can do: each of the kernel's traps, to be awaited.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::adapter::Adapter;
use crate::channel::{ChannelId, Message};
use crate::context;
use crate::task::TaskId;
use crate::traps::{Reply, Trap};

/// A trap, to be awaited; see [`ask`].
#[derive(Debug)]
#[must_use = "it does nothing unless it is awaited"]
pub struct Ask {
    /// None once it is asked.
    trap: Option<Trap>,
}

/// Asks the kernel, and waits for its answer.
pub fn ask(trap: Trap) -> Ask {
    Ask { trap: Some(trap) }
}

impl Future for Ask {
    type Output = Reply;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Reply> {
        match self.trap.take() {
            Some(trap) => {
                context::put_request(trap);
                Poll::Pending
            }
            None => context::take_reply().map_or(Poll::Pending, Poll::Ready),
        }
    }
}

/// Lets the others have their turns.
pub async fn yield_now() {
    ask(Trap::Yield).await;
}

/// Makes a task of this future.
pub async fn spawn<F>(name: &'static str, future: F) -> TaskId
where
    F: Future<Output = ()> + 'static,
{
    match ask(Trap::spawn(name, Adapter::new(future))).await {
        Reply::Spawned(task) => task,
        other => panic!("the kernel answered a spawn with {other:?}"),
    }
}

impl TaskId {
    /// Waits for the end of the task.
    pub async fn join(self) {
        ask(Trap::Join(self)).await;
    }
}

impl ChannelId {
    /// Puts a message into the channel.
    pub async fn send(self, message: Message) {
        ask(Trap::Send(self, message)).await;
    }

    /// Waits for a message out of the channel.
    pub async fn receive(self) -> Message {
        match ask(Trap::Receive(self)).await {
            Reply::Received(message) => message,
            other => panic!("the kernel answered a receive with {other:?}"),
        }
    }
}
