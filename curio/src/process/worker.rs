//! A worker as its kernel sees it: a process and the socket to it.
//!
//! O1. Whoever lets go of a worker kills it. There is no other end: it has nothing to lose between two functions, and in the
//!     middle of one, nobody wants its value any more.
//! O2. Who was killed is waited for, so that no zombie stays; in a thread, because a process that has much memory to give
//!     back takes its time to die.

use std::convert::Infallible;
use std::io::{self, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::entry::{self, Identity};
use super::error::WorkerError;
use super::wire::{self, Inbox};
use crate::error::{Error, Result};
use crate::net::source::Registered;

/// For how long somebody who has ended the connection may take to end itself.
const GRACE: Duration = Duration::from_secs(1);

pub(super) struct Worker {
    pub(super) socket: Registered<mio::net::UnixStream>,
    pub(super) inbox: Inbox,
    /// The number of its last request (W1).
    pub(super) number: u64,
    pub(super) process: Process,
}

impl Worker {
    /// Starts the program once more. It is not known yet whether that works out; a worker that ends at once looks as
    /// one that ends later.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the system has no descriptor or process left, [`WorkerError::OtherProgram`].
    pub(super) fn start(alive: Sender<Infallible>) -> Result<Worker> {
        let program = entry::program()?;
        if !Identity::of(program.clone()).is_ok_and(|now| now == Identity::own()) {
            return Err(WorkerError::OtherProgram.into());
        }
        let (mut ours, theirs) = UnixStream::pair().map_err(cannot_start)?;
        // There is room for it.
        ours.write_all(&wire::greeting(Identity::own()))?;
        ours.set_nonblocking(true)?;
        let mut command = Command::new(program);
        if let Some(name) = std::env::args_os().next() {
            command.arg0(name);
        }
        command.env(entry::MARK, "1").stdin(OwnedFd::from(theirs));
        let child = command.spawn().map_err(cannot_start)?;
        let process = Process {
            child: Some(child),
            alive,
        };
        Ok(Worker {
            socket: Registered::new(mio::net::UnixStream::from_std(ours))?,
            inbox: Inbox::default(),
            number: 0,
            process,
        })
    }

    /// Whether it still waits for a request, as far as one can see: nothing has come, nor has the end.
    pub(super) fn is_idle(&self) -> bool {
        let look = |socket: &mio::net::UnixStream| {
            let looked = SockRef::from(socket).peek(&mut [MaybeUninit::uninit()]);
            Ok(matches!(looked, Err(error) if error.kind() == io::ErrorKind::WouldBlock))
        };
        self.socket.with(look).unwrap_or(false)
    }
}

/// What the system says, and about what.
fn cannot_start(error: io::Error) -> Error {
    Error::Io(io::Error::new(
        error.kind(),
        format!("cannot start a worker process: {error}"),
    ))
}

/// The process of a worker. Dropping it kills it (O1, O2).
pub(super) struct Process {
    /// None once it was waited for, or somebody else does.
    child: Option<Child>,
    /// Whoever waits for its end has a copy.
    alive: Sender<Infallible>,
}

impl Process {
    pub(super) fn kill(&mut self) {
        if let Some(child) = &mut self.child {
            // It fails if it has ended, and that is all that is wanted.
            let _ = child.kill();
        }
    }

    /// What it has ended with. None if it has not.
    pub(super) fn try_wait(&mut self) -> Option<WorkerError> {
        let ended = match self.child.as_mut().map(Child::try_wait) {
            Some(Ok(None)) => return None,
            Some(Ok(Some(status))) => WorkerError::from_status(status),
            // Somebody else has waited for it.
            None | Some(Err(_)) => WorkerError::Lost,
        };
        self.child = None;
        Some(ended)
    }

    /// Waits for the end of a process that has closed its socket, and so should have ended. For a thread.
    pub(super) fn wait_with_grace(mut self) -> WorkerError {
        let (start, mut pause) = (Instant::now(), Duration::from_micros(20));
        while start.elapsed() < GRACE {
            if let Some(ended) = self.try_wait() {
                return ended;
            }
            thread::sleep(pause);
            pause = (2 * pause).min(Duration::from_millis(20));
        }
        WorkerError::Lost
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if self.try_wait().is_none() {
            reap(self.child.take().into_iter(), &self.alive);
        }
    }
}

/// Kills all of them, and then waits (O2).
pub(super) fn end_all(mut workers: Vec<Worker>) {
    workers.iter_mut().for_each(|worker| worker.process.kill());
    let Some(alive) = workers.first().map(|worker| worker.process.alive.clone()) else {
        return;
    };
    reap(workers.iter_mut().filter_map(|worker| worker.process.child.take()), &alive);
}

/// Waits for processes that were killed (O2).
fn reap(killed: impl Iterator<Item = Child>, alive: &Sender<Infallible>) {
    let (give, take) = channel::<Child>();
    let alive = alive.clone();
    let wait = move || {
        // It fails if somebody else has waited for them.
        take.into_iter().for_each(|mut child| drop(child.wait()));
        drop(alive);
    };
    let thread = thread::Builder::new().name("curio-reaper".into()).spawn(wait);
    for mut child in killed {
        match &thread {
            Ok(_) => drop(give.send(child)),
            Err(_) => drop(child.wait()),
        }
    }
}
