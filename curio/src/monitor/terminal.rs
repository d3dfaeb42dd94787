//! Ctrl-C in the program's own terminal.
//!
//! ```text
//!            Ctrl-C: it comes up          Ctrl-C: the program is asked to end
//!   away ────────────────────────▶ up ──────────────────────────────────────▶ ended ── Ctrl-C ──▶ what it always did
//!     ▲                            │
//!     └──────── quit, Ctrl-D ──────┘
//! ```
//!
//! The terminal is opened anew, so that neither the program's standard input nor its flags are touched.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use mio::Waker;

use super::system;
use crate::error::Error;
use crate::signal::{Rank, SIGINT, Signal, Watch, Watcher};

/// What a shell reports of a program that was ended by Ctrl-C.
pub(super) const EXIT_CODE: i32 = 130;

/// Ctrl-C was pressed, and so what?
pub(super) struct Summons {
    /// How often it was pressed and nobody has seen to it yet.
    pressed: AtomicUsize,
    is_up: AtomicBool,
    bell: Arc<Waker>,
    /// The signal is ours while this is there.
    watch: Mutex<Option<Watch>>,
}

/// The signal is watched until this is dropped.
pub(super) struct Control(Arc<Summons>);

impl Control {
    /// None if there is no terminal to come up in.
    pub(super) fn take(summons: &Arc<Summons>) -> io::Result<Option<Control>> {
        if !io::stdin().is_terminal() {
            return Ok(None);
        }
        let watch = Watch::start([SIGINT], Rank::StandBy, summons.clone());
        let watch = watch.map_err(|error| match error {
            Error::Io(error) => error,
            error => io::Error::other(error),
        })?;
        summons.set(Some(watch));
        Ok(Some(Control(summons.clone())))
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.0.set(None);
    }
}

impl Watcher for Summons {
    fn arrived(&self, signals: &[Signal]) {
        self.pressed.fetch_add(signals.len(), Ordering::Release);
        let _ = self.bell.wake();
    }
}

impl Summons {
    pub(super) fn new(bell: Arc<Waker>) -> Summons {
        Summons {
            pressed: AtomicUsize::new(0),
            is_up: AtomicBool::new(false),
            bell,
            watch: Mutex::new(None),
        }
    }

    fn set(&self, watch: Option<Watch>) {
        let mut place = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *place, watch);
        drop(place);
        drop(before);
    }

    /// Whether Ctrl-C was pressed since this was last asked.
    pub(super) fn is_there(&self) -> bool {
        self.pressed.swap(0, Ordering::Acquire) > 0
    }

    /// The terminal, to come up in. None if the program is to end: then the signal is given back.
    pub(super) fn take(&self) -> Option<File> {
        let terminal = match self.is_up.swap(true, Ordering::Relaxed) {
            true => None,
            false => terminal(),
        };
        if terminal.is_none() {
            self.set(None);
        }
        terminal
    }

    /// The monitor was left.
    pub(super) fn left(&self) {
        self.is_up.store(false, Ordering::Relaxed);
    }
}

/// The terminal, if it is this program's for now: one that runs in the background would be stopped if it read from there.
fn terminal() -> Option<File> {
    let terminal = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open("/dev/tty")
        .ok()?;
    system::is_in_front(&terminal).then_some(terminal)
}
