//! The signal queue.
//!
//! `pending.len() > getters.chosen()` only if no getter waits, as in the universal queue (Q1).

use std::collections::VecDeque;
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

/// A queue of the signals that have come (Python Curio: `SignalQueue`, and once `SignalSet`).
///
/// From when it is made until it is dropped, each signal is kept until somebody gets it, also while nobody waits. Several
/// queues may watch the same signal, and each gets it. Where several tasks or threads wait at one queue, each signal goes to
/// the one that has waited longest.
///
/// It is a handle: clone it to share the queue. What a signal did before comes back when the last one who watches it goes.
///
/// The system keeps no count of the signals that a program has yet to handle: the same signal sent twice in quick succession
/// may come once. Each that comes is in the queue once, in the order in which they came. (With more than 60,000 on their way
/// at once, the order among different ones is lost.)
///
/// ```no_run
/// use curio::signal::SIGHUP;
/// use curio::{Result, SignalQueue, net::TcpStream, run, spawn, tcp_server};
///
/// async fn program() -> Result<()> {
///     let restart = SignalQueue::new([SIGHUP])?;
///     loop {
///         println!("Starting the server");
///         let server = spawn(tcp_server(("", 25000), async |_client: TcpStream, _addr| Ok(())));
///         restart.get().await?;
///         println!("Server shutting down");
///         server.cancel().await?;
///     }
/// }
///
/// run(program()).unwrap();
/// ```
#[derive(Clone)]
pub struct SignalQueue(Arc<Inner>);

struct Inner {
    shared: Arc<Shared<State>>,
    _watch: Watch,
}

struct State {
    pending: VecDeque<Signal>,
    getters: Line,
}

impl State {
    fn has_signal(&self) -> bool {
        self.pending.len() > self.getters.chosen()
    }

    fn settle(&mut self, wakes: &mut Wakes) {
        while self.has_signal() && self.getters.choose(wakes) {}
    }
}

impl Watcher for Shared<State> {
    fn arrived(&self, signals: &[Signal]) {
        self.with(|state, wakes| {
            state.pending.extend(signals);
            state.settle(wakes);
        });
    }
}

impl SignalQueue {
    /// A queue that gets these signals, from now on. They may be the constants of [`signal`](crate::signal), or numbers.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) of the kind [`InvalidInput`](std::io::ErrorKind::InvalidInput) for what is no signal,
    /// and for those that cannot be watched: nobody can catch SIGKILL and SIGSTOP, and after SIGSEGV, SIGBUS, SIGFPE and
    /// SIGILL a program cannot go on. Other kinds if the system has no thread or file descriptor left.
    ///
    /// ```
    /// use curio::SignalQueue;
    /// use curio::signal::{SIGHUP, SIGKILL};
    ///
    /// assert!(SignalQueue::new([SIGHUP]).is_ok());
    /// let error = SignalQueue::new([SIGKILL]).unwrap_err();
    /// assert_eq!(error.to_string(), "SIGKILL cannot be watched: the system lets nobody catch it");
    /// ```
    pub fn new(signals: impl IntoIterator<Item = impl Into<Signal>>) -> Result<SignalQueue> {
        let shared = Arc::new(Shared::new(State {
            pending: VecDeque::new(),
            getters: Line::new(),
        }));
        let watch = Watch::start(signals, Rank::Each, shared.clone())?;
        Ok(SignalQueue(Arc::new(Inner {
            shared,
            _watch: watch,
        })))
    }

    /// Takes the next signal (Python Curio: `get`).
    ///
    /// *Waits* until there is one. *Interrupted* by cancellation and timeouts: then no signal was taken.
    ///
    /// ```standalone_crate
    /// use curio::signal::{SIGUSR1, SIGUSR2, raise};
    /// use curio::{SignalQueue, run};
    ///
    /// let signals = SignalQueue::new([SIGUSR1, SIGUSR2]).unwrap();
    /// raise(SIGUSR2).unwrap();
    /// assert_eq!(run(signals.get()).unwrap(), SIGUSR2);
    /// ```
    #[track_caller]
    pub fn get(&self) -> Get<'_> {
        Get(Operation::new(&self.0.shared, Getting))
    }

    /// Takes the next signal if there is one that nobody waits for. It never waits.
    ///
    /// ```
    /// use curio::{SignalQueue, signal::SIGHUP};
    /// assert_eq!(SignalQueue::new([SIGHUP]).unwrap().try_get(), None);
    /// ```
    pub fn try_get(&self) -> Option<Signal> {
        self.0.shared.with(|state, _| match state.has_signal() {
            true => state.pending.pop_front(),
            false => None,
        })
    }

    /// Blocks the thread until there is a signal, and takes it. For threads without a kernel.
    ///
    /// # Errors
    ///
    /// [`Error::KernelRunning`](crate::Error::KernelRunning) inside of a kernel, which would stand still.
    ///
    /// ```standalone_crate
    /// use curio::SignalQueue;
    /// use curio::signal::{SIGUSR1, raise};
    ///
    /// let signals = SignalQueue::new([SIGUSR1]).unwrap();
    /// raise(SIGUSR1).unwrap();
    /// assert_eq!(signals.blocking_get().unwrap(), SIGUSR1);
    /// ```
    pub fn blocking_get(&self) -> Result<Signal> {
        self.get().0.block(None)
    }

    /// Blocks the thread until there is a signal, and for so long at most, and takes it.
    ///
    /// # Errors
    ///
    /// As for [`blocking_get`](SignalQueue::blocking_get). [`Error::Timeout`](crate::Error::Timeout) if none came in time.
    ///
    /// ```
    /// use curio::{SignalQueue, signal::SIGUSR1};
    /// use std::time::Duration;
    ///
    /// let signals = SignalQueue::new([SIGUSR1]).unwrap();
    /// assert!(signals.blocking_get_timeout(Duration::from_millis(1)).unwrap_err().is_timeout());
    /// ```
    pub fn blocking_get_timeout(&self, limit: Duration) -> Result<Signal> {
        self.get().0.block(Some(limit))
    }
}

impl fmt::Debug for SignalQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pending = self.0.shared.with(|state, _| state.pending.len());
        f.debug_struct("SignalQueue").field("pending", &pending).finish()
    }
}

/// The operation of [`SignalQueue::get`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Get<'a>(Operation<'a, Getting>);

struct Getting;

impl Step for Getting {
    type State = State;
    type Output = Signal;
    const LABEL: Label = Label::new(&"SIGNAL_WAIT");

    fn line(state: &mut State) -> &mut Line {
        &mut state.getters
    }

    fn attempt(&mut self, state: &mut State, chosen: bool, _: &mut Wakes) -> Option<Result<Signal>> {
        match chosen || state.has_signal() {
            true => state.pending.pop_front().map(Ok),
            false => None,
        }
    }

    fn pass_on(state: &mut State, wakes: &mut Wakes) {
        state.settle(wakes);
    }
}

impl Future for Get<'_> {
    type Output = Result<Signal>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<Signal>> {
        Pin::new(&mut self.0).poll(cx)
    }
}
