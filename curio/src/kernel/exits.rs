//! Signals that end a run in an orderly way; see `Builder::exit_on`.
//!
//! The signal does what a task does that gives [`Error::exit`](crate::Error::exit): the code is noted, the kernel is woken,
//! and the loop finds it. It does so once: from then on, in whatever state the run is, the next such signal does what it
//! always did. So nobody who presses Ctrl-C twice is at the mercy of a task that never waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use crate::error::Result;
use crate::remote::Remote;
pub(super) use crate::signal::Signal;
use crate::signal::{Rank, Watch, Watcher};

/// The signals are watched while this is there.
pub(super) struct Exits(Option<(Watch, Arc<Request>)>);

struct Request {
    /// 0: none.
    code: AtomicI32,
    kernel: Arc<Remote>,
}

impl Watcher for Request {
    fn arrived(&self, signals: &[Signal]) {
        if let Some(signal) = signals.first() {
            self.code.store(signal.exit_code(), Ordering::Release);
            self.kernel.ring();
        }
    }
}

impl Exits {
    pub(super) fn watch(signals: &[Signal], kernel: &Arc<Remote>) -> Result<Exits> {
        if signals.is_empty() {
            return Ok(Exits(None));
        }
        let request = Arc::new(Request {
            code: AtomicI32::new(0),
            kernel: kernel.clone(),
        });
        let watch = Watch::start(signals.iter().copied(), Rank::LastResort, request.clone())?;
        Ok(Exits(Some((watch, request))))
    }

    /// The code with which the run is to end, if one of them has come.
    #[inline]
    pub(super) fn code(&self) -> Option<i32> {
        let (_, request) = self.0.as_ref()?;
        Some(request.code.load(Ordering::Acquire)).filter(|code| *code != 0)
    }
}
