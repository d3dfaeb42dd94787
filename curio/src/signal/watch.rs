//! Who watches which signal, and the thread that tells them.

use std::fmt;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use mio::unix::pipe;

use super::handler::{self, Disposition};
use super::{SIGCHLD, Signal};
use crate::error::{Error, Result};

/// Somebody who is told of signals, by the reader.
pub(crate) trait Watcher: Send + Sync {
    /// So many have come, in this order. No lock of this module is held meanwhile.
    fn arrived(&self, signals: &[Signal]);
}

/// Whom a signal concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rank {
    /// All of these.
    Each,
    /// All of these, but only if there is none of the others; and only once: it is as if they had left then.
    LastResort,
    /// The same, but as often as there is none of the others.
    #[cfg_attr(not(feature = "monitor"), allow(dead_code))]
    StandBy,
}

/// A set of signals, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Set(u128);

impl Set {
    pub(super) fn new(signals: impl IntoIterator<Item = impl Into<Signal>>) -> Result<Set> {
        let mut set = Set::default();
        for signal in signals {
            let signal = signal.into();
            signal.check()?;
            set.0 |= 1 << signal.number();
        }
        Ok(set)
    }

    fn has(self, signal: Signal) -> bool {
        self.0 & 1 << signal.number() != 0
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Signal> {
        (0..handler::SIGNALS as i32)
            .map(Signal::from)
            .filter(move |signal| self.has(*signal))
    }
}

/// Somebody watches, until this is dropped.
pub(crate) struct Watch(u64);

impl Watch {
    /// From now on, `watcher` is told of these signals.
    pub(crate) fn start(
        signals: impl IntoIterator<Item = impl Into<Signal>>,
        rank: Rank,
        watcher: Arc<dyn Watcher>,
    ) -> Result<Watch> {
        Watch::of(Set::new(signals)?, rank, watcher)
    }

    /// From now on, `watcher` is told that children may have ended, even while SIGCHLD is ignored (N6).
    pub(crate) fn children(watcher: Arc<dyn Watcher>) -> Result<Watch> {
        let mut set = Set::new([SIGCHLD])?;
        set.0 |= 1 << handler::UNHEARD_CHILD;
        Watch::of(set, Rank::Each, watcher)
    }

    fn of(set: Set, rank: Rank, watcher: Arc<dyn Watcher>) -> Result<Watch> {
        let mut registry = lock();
        let number = registry.last + 1;
        registry.last = number;
        registry.entries.push(Entry {
            number,
            set,
            rank,
            watcher,
        });
        let installed = registry.install(set);
        drop(registry);
        // If that has failed, it is withdrawn here, with everything that was done for it.
        let watch = Watch(number);
        installed.map(|()| watch)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut registry = lock();
        let entry = registry.entries.iter().position(|entry| entry.number == self.0);
        let entry = entry.map(|entry| registry.entries.remove(entry));
        let ended = registry.settle();
        drop(registry);
        drop(entry);
        if let Some(reader) = ended {
            reader.end();
        }
    }
}

struct Entry {
    number: u64,
    set: Set,
    rank: Rank,
    watcher: Arc<dyn Watcher>,
}

/// All who watch. Nobody's code runs under its lock: not the watchers', and no waker's.
struct Registry {
    entries: Vec<Entry>,
    last: u64,
    /// What the signals did that have our handler now (N4).
    before: Vec<(Signal, Disposition)>,
    /// There exactly while `entries` is not empty.
    reader: Option<Reader>,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry {
    entries: Vec::new(),
    last: 0,
    before: Vec::new(),
    reader: None,
});

fn lock() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    /// Sees to it that signals of this set get to the reader.
    fn install(&mut self, set: Set) -> Result<()> {
        if !handler::is_owner() {
            // There may be one if this is a forked child, but then it is the parent's (N5).
            std::mem::forget(self.reader.take());
        }
        if self.reader.is_none() {
            self.reader = Some(Reader::start(self.last)?);
        }
        for signal in set
            .iter()
            .filter(|signal| signal.number() != handler::UNHEARD_CHILD)
        {
            if self.before.iter().all(|(watched, _)| *watched != signal) {
                let before = handler::install(signal.number())
                    .map_err(|error| signal.cannot_be_watched(error.kind(), error))?;
                self.before.push((signal, before));
            }
        }
        Ok(())
    }

    /// Gives back what nobody watches any more. The reader that comes back is to be ended, without the lock.
    fn settle(&mut self) -> Option<Reader> {
        let Registry {
            entries,
            before,
            reader,
            ..
        } = self;
        before.retain(|(signal, before)| {
            let watched = entries.iter().any(|entry| entry.set.has(*signal));
            if !watched {
                handler::restore(signal.number(), before);
            }
            watched
        });
        if !entries.is_empty() {
            return None;
        }
        let reader = reader.take()?;
        handler::disconnect();
        Some(reader)
    }
}

/// The other end of the pipe.
struct Reader {
    /// Which one it is: the bytes in the pipe of an earlier one are of no interest.
    number: u64,
    pipe: pipe::Sender,
    thread: JoinHandle<()>,
}

impl Reader {
    fn start(number: u64) -> Result<Reader> {
        // The handler must not block; the reader is there to.
        let (pipe, receiver) = pipe::new().map_err(Error::Io)?;
        receiver.set_nonblocking(false).map_err(Error::Io)?;
        let thread = thread::Builder::new()
            .name("curio-signals".to_string())
            .spawn(move || read(receiver, number))
            .map_err(Error::Io)?;
        handler::connect(pipe.as_raw_fd());
        Ok(Reader { number, pipe, thread })
    }

    /// Waits until the thread has ended, so that nothing of it is left.
    fn end(self) {
        if !handler::is_owner() {
            // A forked child: there is no such thread (N5).
            return std::mem::forget(self);
        }
        drop(self.pipe);
        // A waker may have dropped the last watcher; then this is the very thread.
        if self.thread.thread().id() != thread::current().id() {
            let _ = self.thread.join();
        }
    }
}

/// The thread: passes on what comes, until the pipe is closed.
fn read(mut pipe: pipe::Receiver, number: u64) {
    let mut bytes = [0; 4096];
    let mut signals = Vec::new();
    loop {
        let n = match pipe.read(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Ok(0) | Err(_) => return,
            Ok(n) => n,
        };
        signals.clear();
        let sent = bytes[..n].iter().filter(|byte| **byte != handler::COUNTED);
        signals.extend(sent.map(|byte| Signal::from(i32::from(*byte))));
        // After the bytes were taken: now there is room for the next ones (N2).
        handler::take_counts(|number, count| {
            signals.extend(std::iter::repeat_n(Signal::from(number), count as usize));
        });
        tell(number, &signals);
    }
}

/// Tells the watchers.
fn tell(reader: u64, signals: &[Signal]) {
    let mut registry = lock();
    if registry.reader.as_ref().is_none_or(|now| now.number != reader) {
        return;
    }
    let all = |rank: Rank| registry.entries.iter().filter(move |entry| entry.rank == rank);
    let taken = Set(all(Rank::Each).fold(0, |taken, entry| taken | entry.set.0));
    let mut told = Vec::new();
    registry.entries.retain(|entry| {
        let set = match entry.rank {
            Rank::Each => entry.set,
            Rank::LastResort | Rank::StandBy => Set(entry.set.0 & !taken.0),
        };
        let signals: Vec<Signal> = signals
            .iter()
            .copied()
            .filter(|signal| set.has(*signal))
            .collect();
        let concerned = !signals.is_empty();
        if concerned {
            told.push((entry.watcher.clone(), signals));
        }
        entry.rank != Rank::LastResort || !concerned
    });
    let ended = registry.settle();
    drop(registry);
    for (watcher, signals) in told {
        watcher.arrived(&signals);
    }
    if let Some(reader) = ended {
        reader.end();
    }
}

/// Makes signals pass without effect, until what it gives is dropped (Python Curio: `SignalSet.ignore`, `ignore_signals`).
///
/// Nobody who watches them hears of them meanwhile. Other than with the system's own way to ignore a signal, child processes
/// are not affected; and those who wait for the end of a child are told of it although SIGCHLD is ignored.
///
/// # Errors
///
/// As for [`SignalQueue::new`](super::SignalQueue::new).
///
/// ```standalone_crate
/// use curio::signal::{SIGTERM, ignore, raise};
///
/// let ignored = ignore([SIGTERM]).unwrap();
/// raise(SIGTERM).unwrap();
/// drop(ignored); // from here on, it would end the program
/// ```
pub fn ignore(signals: impl IntoIterator<Item = impl Into<Signal>>) -> Result<Ignored> {
    struct Nobody;
    impl Watcher for Nobody {
        fn arrived(&self, _: &[Signal]) {}
    }

    let set = Set::new(signals)?;
    let watch = Watch::of(set, Rank::Each, Arc::new(Nobody))?;
    set.iter()
        .for_each(|signal| handler::set_ignored(signal.number(), true));
    Ok(Ignored { set, _watch: watch })
}

/// Signals that are ignored until this is dropped; see [`ignore`].
#[must_use = "the signals are ignored until this is dropped"]
pub struct Ignored {
    set: Set,
    _watch: Watch,
}

impl Drop for Ignored {
    fn drop(&mut self) {
        self.set
            .iter()
            .for_each(|signal| handler::set_ignored(signal.number(), false));
    }
}

impl fmt::Debug for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ignored ")?;
        f.debug_set().entries(self.set.iter()).finish()
    }
}
