//! The monitor: looking into a running program, from outside.
//!
//! A program that hangs does not say why. With a monitor one can ask it: which tasks are there, for what does each wait, and
//! where; and one can cancel them. It has a thread of its own, so that it answers while every task waits for another, or one
//! computes and lets nobody else run.
//!
//! Any program has one that is started with `CURIOMONITOR=1` in its environment; nothing need be rebuilt. One that always wants
//! it says so with [`Builder::monitor`](crate::Builder::monitor).
//!
//! ```text
//! $ CURIOMONITOR=1 cargo run --example kid &
//! $ curio-monitor
//! Curio Monitor: 4 tasks running
//! Type help for commands
//! curio > ps
//! Task   State        Cycles     Timeout Sleep   Task            Where
//! ------ ------------ ---------- ------- ------- ----- .. ------ ------------------------------
//! 1      READ_WAIT    7          None    None    kernel
//! 2      FUTURE_WAIT  1          None    None    monitor
//! 3      TASK_JOIN    3          9.01453 None    parent          examples/kid.rs:61
//! 4      TIME_SLEEP   1          None    984.014 kid             examples/kid.rs:36
//! curio > cancel 4
//! Cancelling task 4
//! ```
//!
//! # How to get to it
//!
//! It listens on a socket that only the user of the program can reach: `$XDG_RUNTIME_DIR/curio/PID.sock`, or
//! `/tmp/curio-UID/PID.sock` if that is not to be had. The program `curio-monitor` (in `curio/monitor`) finds it, and so
//! do `nc -U` and `socat - UNIX:`: it is lines of text. A second kernel in the same program has `PID.2.sock`. On request it
//! listens on a port of the loopback interface too ([`Monitor::tcp`]), where it only shows things unless told otherwise; or it
//! comes up in the program's own terminal, at Ctrl-C ([`Monitor::on_ctrl_c`]).
//!
//! | command | |
//! |---|---|
//! | `ps [all] [NAME]` | the tasks; with a name, those whose names contain it |
//! | `ps --json [NAME]` | the same for programs: a line of JSON for each task, then one about the kernel |
//! | `where N`, `w N` | where the task is |
//! | `parents N` | who has spawned it, and whom that |
//! | `tree [all]` | who has spawned whom, and which of them are in a task group together |
//! | `locks` | who waits for whom, who has what others wait for, and who waits in a circle |
//! | `top` | the tasks that have used most time since it was first asked for |
//! | `cancel N` | cancels the task |
//! | `signal NAME` | sends the program a signal |
//! | `trace on FILE`, `trace off` | records what happens (see [`trace`](crate::trace)) |
//! | `about` | the program, as a line of JSON |
//! | `help`, `quit` | |
//!
//! # What it costs
//!
//! Nothing where there is none. A kernel that has one writes down who waits for what (see `mirror`), which makes a switch
//! of tasks up to 1.3 times as expensive; that somebody is looking costs it next to nothing more. How long runs take is measured only
//! while somebody has asked for `top`, because reading the clock costs more than a switch.
//!
//! However many tasks there are, the kernel is not kept: it is asked for some of them at a time, and shares its lock for some at a
//! time. With 100,000 tasks, the longest pause between two runs of a task was 0.2 ms of the kernel's own time in a release build and
//! 1 ms in a debug build, for `ps all`, `ps --json`, `tree all`, `locks` and `top`. Only `trace on` takes longer, 8 µs for each task
//! there is, because it begins by writing down what there is at that moment. (`cargo test --release -p curio --test monitor --
//! --ignored --nocapture kept` measures it again. Two cores that had seven times as much to do as they could.)
//!
//! # Invariants
//!
//! V1. Nobody but the user of the program gets in: the directory is the user's own and closed to others, the socket too, and
//!     who connects is asked for their user id. Over TCP, anyone on this machine may look, and by default only look.
//! V2. No client can hurt the program or another client: there are 32 at most, half of them over TCP, each with a bounded line,
//!     a bounded buffer, and a bounded share of a turn. Who does not read is not written to, and costs nothing. What a busy kernel
//!     is asked for is kept until it has time, but only so much.
//! V3. The monitor asks the kernel and never waits long: one that has not answered within 200 ms is busy, and is not waited for
//!     again until it has run another task.
//! V4. What programs say (names of tasks) reaches a terminal without control characters.
//! V5. When the kernel has ended, so has the thread, and its sockets and their file are gone. The file of a program that
//!     was killed is removed by the next monitor that starts.

mod commands;
mod connection;
mod directory;
mod locks;
mod server;
mod show;
mod system;
mod terminal;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::contain::log;
use crate::error::{Error, Result};

pub(crate) use server::{Opened, Serving};

/// Where Python Curio's monitor listens.
const PORT: u16 = 48802;

/// What a monitor listens on; see the [module's documentation](self).
///
/// ```
/// use curio::Kernel;
/// use curio::monitor::Monitor;
///
/// let kernel = Kernel::builder().monitor(Monitor::new()).build().unwrap();
/// kernel.run(async { println!("now try: curio-monitor") }).unwrap();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Monitor {
    socket: Socket,
    tcp: Option<SocketAddr>,
    tcp_control: bool,
    on_ctrl_c: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Socket {
    /// Where `curio-monitor` looks.
    Found,
    At(PathBuf),
}

impl Monitor {
    /// A monitor that listens on a socket of the user's, where `curio-monitor` finds it.
    ///
    /// ```
    /// let monitor = curio::monitor::Monitor::new();
    /// # let _ = monitor;
    /// ```
    pub fn new() -> Monitor {
        Monitor {
            socket: Socket::Found,
            tcp: None,
            tcp_control: false,
            on_ctrl_c: false,
        }
    }

    /// Listens at this path instead. There must be nothing there, or the socket of a program that has ended; and it is up to you
    /// that only those get to it who may, but other users are turned away in any case.
    ///
    /// ```
    /// let monitor = curio::monitor::Monitor::new().socket("/run/my-service/monitor.sock");
    /// # let _ = monitor;
    /// ```
    pub fn socket(mut self, path: impl Into<PathBuf>) -> Monitor {
        self.socket = Socket::At(path.into());
        self
    }

    /// Listens here too, as Python Curio's monitor does at `127.0.0.1:48802`. It must be an address of the loopback interface:
    /// there is no encryption, and no password. Every user of this machine may then look at the tasks, but not change anything.
    ///
    /// ```
    /// let monitor = curio::monitor::Monitor::new().tcp(([127, 0, 0, 1], 48802));
    /// # let _ = monitor;
    /// ```
    pub fn tcp(mut self, address: impl Into<SocketAddr>) -> Monitor {
        self.tcp = Some(address.into());
        self
    }

    /// Lets those who come over TCP cancel tasks, send signals, and record to files, too. Every user of this machine can do
    /// that then, and everything that can make connections on it.
    ///
    /// ```
    /// let monitor = curio::monitor::Monitor::new().tcp(([127, 0, 0, 1], 48802)).allow_control();
    /// # let _ = monitor;
    /// ```
    pub fn allow_control(mut self) -> Monitor {
        self.tcp_control = true;
        self
    }

    /// Comes up in the program's own terminal when one presses Ctrl-C there (as in 2015's `Kernel(with_monitor=True)`). The
    /// kernel runs on underneath. `quit` leaves it, and everything goes on; a second Ctrl-C ends the program, in the way of
    /// [`Builder::exit_on`](crate::Builder::exit_on), and a third one at once. While the program itself waits for the signal,
    /// it has it to itself. Without a terminal, this does nothing.
    ///
    /// ```
    /// let monitor = curio::monitor::Monitor::new().on_ctrl_c();
    /// # let _ = monitor;
    /// ```
    pub fn on_ctrl_c(mut self) -> Monitor {
        self.on_ctrl_c = true;
        self
    }

    /// What the environment variable `CURIOMONITOR` asks for: `1` (or nearly anything) for the socket, and separated by commas
    /// `tcp` for `127.0.0.1:48802`, `tcp:PORT`, `control`, `ctrl-c`. Nothing, if it is not set, empty, or `0`, `false`, `no` or `off`;
    /// nor in a program that has more rights than whoever has started it and set its environment.
    ///
    /// Every [`Builder::build`](crate::Builder::build) looks there by itself, and so does [`run`](crate::run).
    ///
    /// ```
    /// // CURIOMONITOR=tcp,ctrl-c
    /// let monitor = curio::monitor::Monitor::from_env();
    /// # let _ = monitor;
    /// ```
    pub fn from_env() -> Option<Monitor> {
        let value = std::env::var_os("CURIOMONITOR").filter(|_| !crate::privilege::is_privileged())?;
        Monitor::from_words(&value.to_string_lossy())
    }

    fn from_words(words: &str) -> Option<Monitor> {
        let words = words.trim().to_ascii_lowercase();
        if matches!(words.as_str(), "" | "0" | "false" | "no" | "off") {
            return None;
        }
        let mut monitor = Monitor::new();
        for word in words.split(',').map(str::trim) {
            let port = word.strip_prefix("tcp:").map(str::parse);
            monitor = match (word, port) {
                ("" | "1" | "true" | "yes" | "on", _) => monitor,
                ("tcp", _) => monitor.tcp(([127, 0, 0, 1], PORT)),
                (_, Some(Ok(port))) => monitor.tcp(([127, 0, 0, 1], port)),
                ("control", _) => monitor.allow_control(),
                ("ctrl-c", _) => monitor.on_ctrl_c(),
                _ => {
                    log(format_args!(
                        "CURIOMONITOR says {word:?}, which means nothing more than 1"
                    ));
                    monitor
                }
            };
        }
        Some(monitor)
    }

    pub(crate) fn comes_on_ctrl_c(&self) -> bool {
        self.on_ctrl_c
    }

    /// Opens everything that it listens on.
    ///
    /// # Errors
    ///
    /// Those of the system. [`io::ErrorKind::InvalidInput`] for an address that others than this machine can reach.
    pub(crate) fn open(&self) -> Result<Opened> {
        if let Some(address) = self.tcp.filter(|address| !address.ip().is_loopback()) {
            let what = format!("a monitor listens on loopback addresses only, and {address} is none");
            return Err(Error::Io(io::Error::new(io::ErrorKind::InvalidInput, what)));
        }
        let unix = match &self.socket {
            Socket::Found => directory::bind(),
            Socket::At(path) => directory::bind_at(path),
        };
        let listen = |address| {
            let told = |error: io::Error| io::Error::new(error.kind(), format!("{address}: {error}"));
            mio::net::TcpListener::bind(address).map_err(told)
        };
        Ok(Opened {
            unix: unix.map_err(Error::Io)?,
            tcp: self.tcp.map(listen).transpose().map_err(Error::Io)?,
            tcp_control: self.tcp_control,
            on_ctrl_c: self.on_ctrl_c,
        })
    }
}

impl Default for Monitor {
    fn default() -> Monitor {
        Monitor::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_environment_asks_for() {
        for off in ["", " ", "0", "false", "OFF", "no"] {
            assert_eq!(Monitor::from_words(off), None, "{off:?}");
        }
        for on in ["1", "TRUE", "yes", "on", "banana"] {
            assert_eq!(Monitor::from_words(on), Some(Monitor::new()), "{on:?}");
        }
        assert_eq!(
            Monitor::from_words("tcp,ctrl-c"),
            Some(Monitor::new().tcp(([127, 0, 0, 1], 48802)).on_ctrl_c())
        );
        assert_eq!(
            Monitor::from_words("tcp:5, control"),
            Some(Monitor::new().tcp(([127, 0, 0, 1], 5)).allow_control())
        );
    }

    #[test]
    fn others_than_this_machine_cannot_be_listened_to() {
        for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
            let address: SocketAddr = address.parse().unwrap();
            let error = Monitor::new().tcp(address).open().err().unwrap();
            assert!(error.to_string().contains("loopback"), "{error}");
        }
    }
}
