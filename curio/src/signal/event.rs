//! The signal event.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use super::{Rank, Signal, Watch, Watcher};
use crate::error::Result;
use crate::remote::{Line, Shared, Wakes};
use crate::traps::Label;
use crate::universal::operation::{Operation, Step};

/// An event that a signal sets (Python Curio: `SignalEvent`).
///
/// From when it is made until it is dropped, the first signal sets it, and further ones change nothing. All who wait for it go
/// on, and whoever comes later does not wait.
///
/// It is a handle: clone it to share the event. When the last one is dropped, and nobody else watches the signal, it does again
/// what it did before. So a program that answers the first Ctrl-C with an orderly end, and wants the second one to be heard,
/// drops the event in between (Python: `del goodbye`):
///
/// ```standalone_crate
/// use curio::signal::{SIGINT, SIGTERM, raise};
/// use curio::{Error, Kernel, Result, SignalEvent, sleep};
/// use std::time::Duration;
///
/// async fn parent() -> Result<()> {
///     let goodbye = SignalEvent::new([SIGINT, SIGTERM])?;
///     raise(SIGINT)?; // Ctrl-C
///     goodbye.wait().await?;
///     drop(goodbye);
///
///     println!("Let's go");
///     raise(SIGINT)?; // Ctrl-C again
///     sleep(Duration::from_secs(10)).await
/// }
///
/// let kernel = Kernel::builder().exit_on([SIGINT]).build().unwrap();
/// assert!(matches!(kernel.run(parent()), Err(Error::Exit(130))));
/// ```
#[derive(Clone)]
pub struct SignalEvent(Arc<Inner>);

struct Inner {
    shared: Arc<Shared<State>>,
    _watch: Watch,
}

struct State {
    set: bool,
    /// The signal that has set it, even if it was taken back since: whoever was woken is to be told.
    signal: Option<Signal>,
    waiters: Line,
}

impl Watcher for Shared<State> {
    fn arrived(&self, signals: &[Signal]) {
        self.with(|state, wakes| {
            if !state.set {
                state.set = true;
                state.signal = signals.first().copied();
                state.waiters.choose_all(wakes);
            }
        });
    }
}

impl SignalEvent {
    /// An event that is set by the first of these signals that comes from now on. They may be the constants of
    /// [`signal`](crate::signal), or numbers.
    ///
    /// # Errors
    ///
    /// As for [`SignalQueue::new`](super::SignalQueue::new).
    ///
    /// ```
    /// use curio::SignalEvent;
    /// use curio::signal::{SIGINT, SIGTERM};
    ///
    /// let goodbye = SignalEvent::new([SIGINT, SIGTERM]).unwrap();
    /// assert!(!goodbye.is_set());
    /// ```
    pub fn new(signals: impl IntoIterator<Item = impl Into<Signal>>) -> Result<SignalEvent> {
        let shared = Arc::new(Shared::new(State {
            set: false,
            signal: None,
            waiters: Line::new(),
        }));
        let watch = Watch::start(signals, Rank::Each, shared.clone())?;
        Ok(SignalEvent(Arc::new(Inner {
            shared,
            _watch: watch,
        })))
    }

    /// Waits for the event, and gives the signal that has set it (Python Curio: `wait`).
    ///
    /// *Waits* until it is set, or not at all if it is. *Interrupted* by cancellation and timeouts, which changes nothing.
    ///
    /// ```standalone_crate
    /// use curio::signal::{SIGUSR1, SIGUSR2, raise};
    /// use curio::{SignalEvent, run};
    ///
    /// let event = SignalEvent::new([SIGUSR1, SIGUSR2]).unwrap();
    /// raise(SIGUSR2).unwrap();
    /// assert_eq!(run(event.wait()).unwrap(), SIGUSR2);
    /// ```
    #[track_caller]
    pub fn wait(&self) -> Wait<'_> {
        Wait(Operation::new(&self.0.shared, Waiter))
    }

    /// Whether the event is set.
    ///
    /// ```
    /// use curio::{SignalEvent, signal::SIGHUP};
    /// assert!(!SignalEvent::new([SIGHUP]).unwrap().is_set());
    /// ```
    pub fn is_set(&self) -> bool {
        self.0.shared.with(|state, _| state.set)
    }

    /// Takes the event back, so that the next signal sets it again (Python Curio: `clear`). Whoever was woken already goes on
    /// all the same. It never waits.
    ///
    /// ```standalone_crate
    /// use curio::signal::{SIGUSR1, raise};
    /// use curio::{SignalEvent, run};
    ///
    /// let event = SignalEvent::new([SIGUSR1]).unwrap();
    /// raise(SIGUSR1).unwrap();
    /// run(event.wait()).unwrap();
    /// event.clear();
    /// assert!(!event.is_set());
    /// ```
    pub fn clear(&self) {
        self.0.shared.with(|state, _| state.set = false);
    }

    /// Blocks the thread until the event is set. For threads without a kernel.
    ///
    /// # Errors
    ///
    /// [`Error::KernelRunning`](crate::Error::KernelRunning) inside of a kernel, which would stand still.
    ///
    /// ```standalone_crate
    /// use curio::SignalEvent;
    /// use curio::signal::{SIGUSR1, raise};
    ///
    /// let event = SignalEvent::new([SIGUSR1]).unwrap();
    /// raise(SIGUSR1).unwrap();
    /// assert_eq!(event.blocking_wait().unwrap(), SIGUSR1);
    /// ```
    pub fn blocking_wait(&self) -> Result<Signal> {
        self.wait().0.block(None)
    }

    /// Blocks the thread until the event is set, and for so long at most.
    ///
    /// # Errors
    ///
    /// As for [`blocking_wait`](SignalEvent::blocking_wait). [`Error::Timeout`](crate::Error::Timeout) if it was not set in
    /// time.
    ///
    /// ```
    /// use curio::{SignalEvent, signal::SIGUSR1};
    /// use std::time::Duration;
    ///
    /// let event = SignalEvent::new([SIGUSR1]).unwrap();
    /// assert!(event.blocking_wait_timeout(Duration::from_millis(1)).unwrap_err().is_timeout());
    /// ```
    pub fn blocking_wait_timeout(&self, limit: Duration) -> Result<Signal> {
        self.wait().0.block(Some(limit))
    }
}

impl fmt::Debug for SignalEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignalEvent")
            .field("set", &self.is_set())
            .finish()
    }
}

/// The operation of [`SignalEvent::wait`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Wait<'a>(Operation<'a, Waiter>);

struct Waiter;

impl Step for Waiter {
    type State = State;
    type Output = Signal;
    const LABEL: Label = Label::new(&"SIGNAL_WAIT");

    fn line(state: &mut State) -> &mut Line {
        &mut state.waiters
    }

    fn attempt(&mut self, state: &mut State, chosen: bool, _: &mut Wakes) -> Option<Result<Signal>> {
        match chosen || state.set {
            true => state.signal.map(Ok),
            false => None,
        }
    }
}

impl Future for Wait<'_> {
    type Output = Result<Signal>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<Signal>> {
        Pin::new(&mut self.0).poll(cx)
    }
}
