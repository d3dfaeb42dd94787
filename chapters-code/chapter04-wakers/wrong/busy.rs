//! A wrong turn: an operation that writes nothing down, but asks to be polled again at once.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::kernel::Kernel;
use crate::programs::kid;
use crate::task::{Task, spawn};
use crate::voice::say;

/// Waits for the end of a task, by looking again and again.
#[derive(Debug)]
pub struct BusyJoin {
    /// The task.
    pub task: Task,
}

impl Future for BusyJoin {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.task.terminated() {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// The parent of chapter 2, who can only ask.
pub async fn parent(bricks: u32) {
    let task = spawn("kid", kid("kid", bricks));
    BusyJoin { task }.await;
    say("parent", "We're leaving!");
}

/// Parent and kid.
pub fn start(kernel: &mut Kernel, bricks: u32) {
    kernel.spawn("parent", parent(bricks));
}
