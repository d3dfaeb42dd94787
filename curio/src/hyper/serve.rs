//! The end of a connection, in peace.
//!
//! A connection whose task is cancelled would be broken off wherever it is, in the middle of an answer too. So [`serve`] puts a shield
//! around it and takes the interruption itself: it tells hyper to finish, and gives it some time to do so.

use std::cell::RefCell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::{Pin, pin};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use crate::cancellation::disable_cancellation;
use crate::error::{Error, Result};
use crate::time::Sleep;
use crate::traps::{Label, Waiting};

const HTTP_WAIT: Label = Label::new(&"HTTP_WAIT");

/// Serves a connection of hyper's until it ends. If the task is interrupted meanwhile, what was asked is answered still.
///
/// *Waits* for the end of the connection. *Interrupted* by cancellation and timeouts: then `wind_down` is called, which is to tell hyper to
/// finish: `|connection| connection.graceful_shutdown()`. A connection that is idle ends at once; a handler that runs can go on,
/// and waits as if nothing had happened, for as long as `grace`. Whoever is not ready then is dropped.
///
/// # Errors
///
/// hyper's, as [`Error::Other`]. The interruption.
///
/// See the [module's documentation](super) for an example.
#[track_caller]
pub fn serve<C, F>(connection: C, grace: Duration, wind_down: F) -> Serve
where
    C: Future<Output = std::result::Result<(), ::hyper::Error>> + 'static,
    F: FnOnce(Pin<&mut C>) + 'static,
{
    Serve {
        serving: Some(Box::pin(run(connection, grace, wind_down, Location::caller()))),
    }
}

async fn run<C, F>(
    connection: C,
    grace: Duration,
    wind_down: F,
    place: &'static Location<'static>,
) -> Result<()>
where
    C: Future<Output = std::result::Result<(), ::hyper::Error>>,
    F: FnOnce(Pin<&mut C>),
{
    let connection = pin!(connection);
    // It is polled below the shield, and told from outside of it.
    let connection = RefCell::new(connection);
    let poll = |cx: &mut TaskContext<'_>| connection.borrow_mut().as_mut().poll(cx);
    let mut shielded = pin!(disable_cancellation(poll_fn(poll)));
    let mut waiting = Waiting::new();
    let interrupted = poll_fn(|cx| match shielded.as_mut().poll(cx) {
        Poll::Ready(served) => {
            waiting.complete();
            Poll::Ready(Ok(served))
        }
        Poll::Pending => match waiting.wait(cx, HTTP_WAIT, place) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        },
    })
    .await;
    let error = match interrupted {
        Ok(served) => return served.map_err(Error::from),
        Err(error) => error,
    };
    wind_down(connection.borrow_mut().as_mut());
    // A race, since no timeout reaches what is below the shield. A second interruption, which only a timeout further out can be, is
    // as good as the end of the grace.
    let mut nap = Sleep::after(grace, place);
    poll_fn(|cx| match shielded.as_mut().poll(cx) {
        Poll::Ready(_) => Poll::Ready(()),
        Poll::Pending => Pin::new(&mut nap).poll(cx).map(drop),
    })
    .await;
    Err(error)
}

/// The operation of [`serve`].
#[must_use = "it does nothing unless it is awaited"]
pub struct Serve {
    /// None once it is over.
    serving: Option<Pin<Box<dyn Future<Output = Result<()>>>>>,
}

impl Future for Serve {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        let Some(serving) = &mut self.serving else {
            panic!("a Serve was polled after it had completed")
        };
        let served = serving.as_mut().poll(cx);
        if served.is_ready() {
            self.serving = None;
        }
        served
    }
}

impl fmt::Debug for Serve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("over", &self.serving.is_none())
            .finish()
    }
}
