//! The universal event.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use super::operation::{Operation, Step};
use crate::error::Result;
use crate::remote::{Line, Shared, Wakes};
use crate::traps::Label;

/// An event for tasks of any kernel, threads and other executors (Python Curio: `UniversalEvent`).
///
/// It is a handle: clone it to share the event.
///
/// ```
/// use curio::{UniversalEvent, run};
/// use std::thread;
///
/// let ready = UniversalEvent::new();
/// let worker = thread::spawn({
///     let ready = ready.clone();
///     move || ready.set()
/// });
/// run(ready.wait()).unwrap();
/// worker.join().unwrap();
/// ```
#[derive(Clone)]
pub struct UniversalEvent(Arc<Shared<State>>);

struct State {
    set: bool,
    waiters: Line,
}

impl UniversalEvent {
    /// An event that is not set.
    ///
    /// ```
    /// assert!(!curio::UniversalEvent::new().is_set());
    /// ```
    pub fn new() -> UniversalEvent {
        UniversalEvent(Arc::new(Shared::new(State {
            set: false,
            waiters: Line::new(),
        })))
    }

    /// Sets the event and wakes all who wait for it (Python Curio: `set`). It never waits.
    ///
    /// ```
    /// let event = curio::UniversalEvent::new();
    /// event.set();
    /// assert!(event.is_set());
    /// ```
    pub fn set(&self) {
        self.0.with(|state, wakes| {
            state.set = true;
            state.waiters.choose_all(wakes);
        });
    }

    /// Takes the event back (Python Curio: `clear`). Whoever was woken already goes on all the same. It never waits.
    ///
    /// ```
    /// let event = curio::UniversalEvent::new();
    /// event.set();
    /// event.clear();
    /// assert!(!event.is_set());
    /// ```
    pub fn clear(&self) {
        self.0.with(|state, _| state.set = false);
    }

    /// Whether the event is set.
    ///
    /// ```
    /// assert!(!curio::UniversalEvent::new().is_set());
    /// ```
    pub fn is_set(&self) -> bool {
        self.0.with(|state, _| state.set)
    }

    /// Waits for the event (Python Curio: `wait`).
    ///
    /// *Waits* until it is set, or not at all if it is. *Interrupted* by cancellation and timeouts, which changes nothing.
    ///
    /// ```
    /// use curio::{UniversalEvent, run};
    ///
    /// let event = UniversalEvent::new();
    /// event.set();
    /// run(event.wait()).unwrap();
    /// ```
    #[track_caller]
    pub fn wait(&self) -> EventWait<'_> {
        EventWait(Operation::new(&self.0, Waiter))
    }

    /// Blocks the thread until the event is set. For threads without a kernel.
    ///
    /// # Errors
    ///
    /// [`Error::KernelRunning`](crate::Error::KernelRunning) inside of a kernel, which would stand still.
    ///
    /// ```
    /// let event = curio::UniversalEvent::new();
    /// event.set();
    /// event.blocking_wait().unwrap();
    /// ```
    pub fn blocking_wait(&self) -> Result<()> {
        self.wait().0.block(None)
    }

    /// Blocks the thread until the event is set, and for so long at most.
    ///
    /// # Errors
    ///
    /// As for [`blocking_wait`](UniversalEvent::blocking_wait). [`Error::Timeout`](crate::Error::Timeout) if it was not set
    /// in time.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let never = curio::UniversalEvent::new();
    /// assert!(never.blocking_wait_timeout(Duration::from_millis(1)).unwrap_err().is_timeout());
    /// ```
    pub fn blocking_wait_timeout(&self, limit: Duration) -> Result<()> {
        self.wait().0.block(Some(limit))
    }
}

impl Default for UniversalEvent {
    fn default() -> UniversalEvent {
        UniversalEvent::new()
    }
}

impl fmt::Debug for UniversalEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UniversalEvent")
            .field("set", &self.is_set())
            .finish()
    }
}

/// The operation of [`UniversalEvent::wait`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct EventWait<'a>(Operation<'a, Waiter>);

struct Waiter;

impl Step for Waiter {
    type State = State;
    type Output = ();
    const LABEL: Label = Label::new(&"UEVENT_WAIT");

    fn line(state: &mut State) -> &mut Line {
        &mut state.waiters
    }

    fn attempt(&mut self, state: &mut State, chosen: bool, _: &mut Wakes) -> Option<Result<()>> {
        (chosen || state.set).then_some(Ok(()))
    }
}

impl Future for EventWait<'_> {
    type Output = Result<()>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll(cx)
    }
}
