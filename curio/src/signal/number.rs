//! The numbers of signals, and their names.

use std::fmt;
use std::io;
use std::str::FromStr;

use super::handler;
use crate::error::{Error, Result};

/// A signal: its number. It is shown by its name.
///
/// ```
/// use curio::signal::{SIGTERM, Signal};
///
/// assert_eq!(SIGTERM.number(), 15);
/// assert_eq!(SIGTERM.to_string(), "SIGTERM");
/// assert_eq!("term".parse::<Signal>().unwrap(), SIGTERM);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(i32);

macro_rules! signals {
    ($($name:ident $text:literal)+) => {
        $(
            #[doc = $text]
            pub const $name: Signal = Signal(libc::$name);
        )+

        const NAMES: &[(Signal, &str)] = &[$(($name, stringify!($name))),+];
    };
}

signals! {
    SIGHUP "The terminal has gone. Servers take it as the request to start afresh."
    SIGINT "Control-C."
    SIGQUIT "Control-\\\\."
    SIGILL "The program's fault: cannot be watched."
    SIGTRAP "A breakpoint."
    SIGABRT "The program has called `abort`."
    SIGBUS "The program's fault: cannot be watched."
    SIGFPE "The program's fault: cannot be watched."
    SIGKILL "The end: cannot be watched."
    SIGUSR1 "Whatever you want it to mean."
    SIGSEGV "The program's fault: cannot be watched."
    SIGUSR2 "Whatever you want it to mean."
    SIGPIPE "The reader of a pipe has gone. Rust programs ignore it, and see the error."
    SIGALRM "The timer of `alarm`."
    SIGTERM "The request to end, from `kill` and service managers."
    SIGCHLD "A child process has ended, or was stopped or continued."
    SIGCONT "The program goes on after it was stopped."
    SIGSTOP "Stops the program: cannot be watched."
    SIGTSTP "Control-Z."
    SIGTTIN "The program reads from the terminal, but is in the background."
    SIGTTOU "The program writes to the terminal, but is in the background."
    SIGURG "Urgent data at a socket."
    SIGXCPU "The program has used up its time."
    SIGXFSZ "A file has become too large."
    SIGVTALRM "A timer of `setitimer`."
    SIGPROF "A timer of `setitimer`, for profilers."
    SIGWINCH "The terminal has another size."
    SIGIO "A file is ready."
    SIGSYS "A system call that does not exist."
}

/// Nobody can catch these. (Of the process: the system says so only to whoever tries.)
const UNCATCHABLE: [Signal; 2] = [SIGKILL, SIGSTOP];

/// These say that the instruction that was just tried cannot be executed. A handler that returns goes back to it, and so on
/// for ever.
const FAULTS: [Signal; 4] = [SIGSEGV, SIGBUS, SIGFPE, SIGILL];

impl Signal {
    /// The number that the system has for it.
    ///
    /// ```
    /// assert_eq!(curio::signal::SIGINT.number(), 2);
    /// ```
    pub const fn number(self) -> i32 {
        self.0
    }

    fn name(self) -> Option<&'static str> {
        NAMES
            .iter()
            .find(|(signal, _)| *signal == self)
            .map(|(_, name)| *name)
    }

    /// The code with which a shell reports that a program was ended by it.
    pub(crate) fn exit_code(self) -> i32 {
        128 + self.0
    }

    /// Whether it may be watched, as far as can be told without trying.
    pub(super) fn check(self) -> Result<()> {
        let why = if UNCATCHABLE.contains(&self) {
            "the system lets nobody catch it"
        } else if FAULTS.contains(&self) {
            "it is about the very instruction that was tried, which a program cannot go on after"
        } else if !(1..handler::UNHEARD_CHILD).contains(&self.0) {
            "there is no such signal"
        } else {
            return Ok(());
        };
        Err(self.cannot_be_watched(io::ErrorKind::InvalidInput, why))
    }

    pub(super) fn cannot_be_watched(self, kind: io::ErrorKind, why: impl fmt::Display) -> Error {
        Error::Io(io::Error::new(kind, format!("{self} cannot be watched: {why}")))
    }
}

/// Any number is taken; whether it is that of a signal turns out when it is used.
impl From<i32> for Signal {
    fn from(number: i32) -> Signal {
        Signal(number)
    }
}

/// By name, with or without `SIG`, in capitals or not.
impl FromStr for Signal {
    type Err = Error;

    fn from_str(name: &str) -> Result<Signal> {
        let capitals = name.to_ascii_uppercase();
        let bare = capitals.strip_prefix("SIG").unwrap_or(&capitals);
        NAMES
            .iter()
            .find(|(_, known)| known.strip_prefix("SIG") == Some(bare))
            .map(|(signal, _)| *signal)
            .ok_or_else(|| Error::other(format!("{name:?} is not the name of a signal")))
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => f.pad(&format!("signal {}", self.0)),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Sends a signal to this very program. It never waits.
///
/// If the signal is watched, it has been caught when this returns, and gets to those who wait soon.
///
/// # Errors
///
/// [`Error::Io`] if there is no such signal.
///
/// ```standalone_crate
/// use curio::signal::{SIGUSR1, raise};
/// use curio::{SignalEvent, run};
///
/// let event = SignalEvent::new([SIGUSR1]).unwrap();
/// raise(SIGUSR1).unwrap();
/// run(event.wait()).unwrap();
/// ```
pub fn raise(signal: impl Into<Signal>) -> Result<()> {
    handler::raise(signal.into().0).map_err(Error::Io)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        for (signal, name) in NAMES {
            assert_eq!(signal.to_string(), *name);
            assert_eq!(name.parse::<Signal>().unwrap(), *signal);
            assert_eq!(name[3..].to_lowercase().parse::<Signal>().unwrap(), *signal);
        }
        assert_eq!(Signal::from(99).to_string(), "signal 99");
        assert_eq!(format!("{:>8}|{:?}", SIGINT, SIGHUP), "  SIGINT|SIGHUP");
        for name in ["", "SIG", "SIGSIGHUP", "HUPP", "1"] {
            let error = name.parse::<Signal>().unwrap_err();
            assert_eq!(error.to_string(), format!("{name:?} is not the name of a signal"));
        }
    }
}
