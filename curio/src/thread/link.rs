//! The link between a thread and the task that serves it.

use std::collections::VecDeque;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use super::THREAD_WAIT;
use crate::context::{self, Outside};
use crate::error::{Error, Result};
use crate::remote::Shared;
use crate::traps::Waiting;

pub(super) enum Request {
    /// Await the future that this makes. Its answer goes another way.
    Await(Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()>>> + Send>),
    /// The block with this number ends with this.
    Leave(u64, Result<()>),
    /// The function has returned.
    Finished,
}

pub(super) struct Link(Shared<State>);

struct State {
    requests: VecDeque<Request>,
    /// How to wake the task.
    server: Option<Waker>,
    /// Whether there is a task.
    open: bool,
    blocks: u64,
}

impl Link {
    pub(super) fn new() -> Link {
        Link(Shared::new(State {
            requests: VecDeque::new(),
            server: None,
            open: true,
            blocks: 0,
        }))
    }

    /// Asks the task for something.
    ///
    /// # Errors
    ///
    /// [`Error::Cancelled`] if there is no task any more.
    pub(super) fn ask(&self, request: Request) -> Result<()> {
        let refused = self.0.with(|state, wakes| {
            if !state.open {
                return Some(request);
            }
            state.requests.push_back(request);
            if let Some(server) = state.server.take() {
                wakes.add(server);
            }
            None
        });
        match refused {
            Some(_) => Err(Error::cancelled()),
            None => Ok(()),
        }
    }

    /// A number for a block.
    pub(super) fn next_block(&self) -> u64 {
        self.0.with(|state, _| {
            state.blocks += 1;
            state.blocks
        })
    }

    /// Waits for the next request. Meanwhile the thread is at work.
    pub(super) fn next(&self, place: &'static Location<'static>) -> Next<'_> {
        Next {
            link: self,
            waiting: Waiting::new(),
            outside: None,
            place,
        }
    }
}

/// The task's end of the link. When it is dropped, the thread is on its own.
pub(super) struct Serving(pub(super) Arc<Link>);

impl Drop for Serving {
    fn drop(&mut self) {
        let left = self.0.0.with(|state, _| {
            state.open = false;
            (std::mem::take(&mut state.requests), state.server.take())
        });
        // Requests are dropped here, which tells those who wait for an answer (T2).
        drop(left);
    }
}

/// The operation of [`Link::next`].
pub(super) struct Next<'a> {
    link: &'a Link,
    waiting: Waiting,
    outside: Option<Outside>,
    place: &'static Location<'static>,
}

impl Future for Next<'_> {
    type Output = Result<Request>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<Request>> {
        let this = &mut *self;
        let mut spare = None;
        loop {
            let (request, old, known) = this.link.0.with(|state, _| {
                if let Some(request) = state.requests.pop_front() {
                    return (Some(request), None, true);
                }
                match (&state.server, spare.take()) {
                    (Some(waker), spare) if waker.will_wake(cx.waker()) => (None, spare, true),
                    (_, Some(new)) => (None, state.server.replace(new), true),
                    (_, None) => (None, None, false),
                }
            });
            drop(old);
            if let Some(request) = request {
                this.waiting.complete();
                this.outside = None;
                return Poll::Ready(Ok(request));
            }
            if known {
                break;
            }
            // Cloning a waker is user code, so the lock was released; now look again.
            spare = Some(cx.waker().clone());
        }
        if this.outside.is_none() {
            this.outside = Some(context::with_task(|context, _| Ok(context.begin_outside()))?);
        }
        match this.waiting.wait(cx, THREAD_WAIT, this.place) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}
