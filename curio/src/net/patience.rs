//! Waits for which systems have no event.
//!
//! A server whose queue is full does not tell when there is a place again: not to a Unix socket that wants to connect, nor
//! to a datagram that is sent to a path. (A selector even says that one may go on.) So the operation looks again after a
//! while; after a longer one each time, so that waiting costs next to nothing.
//!
//! | instead | rejected because |
//! |---|---|
//! | wait until it is writable | a stream that is not connected is always said to be so; the attempt leaves nothing behind that could be waited for |
//! | wait in a blocking call, in a thread | the system keeps those who block in a queue, and wakes them in turn; but a thread that blocks there cannot be called back, so each attempt that is given up would take a worker along |
//! | for datagrams, connect first: Linux then does tell when the receiver has room | a connected socket receives from that peer only, and to undo it loses what others have sent meanwhile |

use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use crate::context;
use crate::error::{Error, Result};
use crate::time::Sleep;
use crate::traps::poll_budget;

/// How long it waits before it looks again: at first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

#[derive(Debug)]
pub(crate) struct Patience {
    pause: Duration,
    sleep: Option<Sleep>,
    place: &'static Location<'static>,
}

impl Patience {
    pub(crate) fn new(place: &'static Location<'static>) -> Patience {
        Patience {
            pause: PAUSE.0,
            sleep: None,
            place,
        }
    }

    /// Tries until it does not block any more.
    pub(crate) fn poll<R>(
        &mut self,
        cx: &mut TaskContext<'_>,
        mut call: impl FnMut() -> Result<R>,
    ) -> Poll<Result<R>> {
        loop {
            match &mut self.sleep {
                Some(sleep) => {
                    ready!(Pin::new(sleep).poll(cx))?;
                    self.sleep = None;
                }
                None => {
                    context::with_task(|_, _| Ok(()))?;
                    ready!(poll_budget(cx));
                }
            }
            match call() {
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.sleep = Some(Sleep::after(self.pause, self.place));
                    self.pause = (self.pause * 2).min(PAUSE.1);
                }
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return Poll::Ready(done),
            }
        }
    }
}
