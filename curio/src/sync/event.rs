//! Something that happens, and that any number of tasks may wait for.
//!
//! The smallest primitive: a flag and a list. `set` notifies all who wait; each returns in its turn, also when the flag
//! has been cleared by then, for the event did happen while it waited.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, ready};

use crate::error::Result;
use crate::traps::{self, Label, WaitList, Waiting};

const EVENT_WAIT: Label = Label::new(&"EVENT_WAIT");

/// Something that happens once, until it is cleared (Python Curio: `Event`).
///
/// It is a handle: clone it to share the event.
///
/// ```
/// use curio::{Event, run, spawn};
///
/// run(async {
///     let evening = Event::new();
///     let kid = spawn({
///         let evening = evening.clone();
///         async move {
///             evening.wait().await?;
///             println!("Coming!");
///             Ok(())
///         }
///     });
///     evening.set();
///     kid.join().await
/// })
/// .unwrap();
/// ```
#[derive(Clone, Default)]
pub struct Event(Rc<Shared>);

#[derive(Default)]
struct Shared {
    set: Cell<bool>,
    waiters: WaitList,
}

impl Event {
    /// An event that has not happened.
    ///
    /// ```
    /// assert!(!curio::Event::new().is_set());
    /// ```
    pub fn new() -> Event {
        Event::default()
    }

    /// Whether it has happened.
    ///
    /// ```
    /// assert!(!curio::Event::new().is_set());
    /// ```
    pub fn is_set(&self) -> bool {
        self.0.set.get()
    }

    /// It happens: all who wait go on. It never waits.
    ///
    /// ```
    /// let event = curio::Event::new();
    /// event.set();
    /// assert!(event.is_set());
    /// ```
    #[inline]
    pub fn set(&self) {
        if !self.0.set.replace(true) {
            self.0.waiters.notify_all();
        }
    }

    /// It may happen again: who waits from now on waits for the next time.
    ///
    /// ```
    /// let event = curio::Event::new();
    /// event.set();
    /// event.clear();
    /// assert!(!event.is_set());
    /// ```
    pub fn clear(&self) {
        self.0.set.set(false);
    }

    /// Waits until it happens.
    ///
    /// *Waits* not at all if it has happened already. Who waits when it is set returns, even if it is cleared before that
    /// task runs. *Interrupted* by cancellation and timeouts.
    ///
    /// # Errors
    ///
    /// [`Error::NoKernel`](crate::Error::NoKernel) if it would wait outside of a task, or while tasks of another living
    /// kernel have waited for this event.
    ///
    /// ```
    /// curio::run(async {
    ///     let event = curio::Event::new();
    ///     event.set();
    ///     event.wait().await
    /// })
    /// .unwrap();
    /// ```
    #[inline]
    #[track_caller]
    pub fn wait(&self) -> EventWait<'_> {
        EventWait {
            event: self,
            waiting: Waiting::new(),
            place: Location::caller(),
        }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("is_set", &self.is_set()).finish()
    }
}

/// The operation of [`Event::wait`].
#[must_use = "it does nothing unless it is awaited"]
pub struct EventWait<'a> {
    event: &'a Event,
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl Future for EventWait<'_> {
    type Output = Result<()>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        let EventWait {
            event,
            waiting,
            place,
        } = &mut *self;
        if !waiting.is_waiting() {
            if event.is_set() {
                ready!(traps::poll_budget(cx));
                return Poll::Ready(Ok(()));
            }
        } else if waiting.take_notification() {
            return Poll::Ready(Ok(()));
        } else if event.is_set() {
            // It waited in a kernel that is gone.
            waiting.complete();
            return Poll::Ready(Ok(()));
        }
        match waiting.wait_on(&event.0.waiters, cx, EVENT_WAIT, place) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl fmt::Debug for EventWait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventWait").field("event", self.event).finish()
    }
}
