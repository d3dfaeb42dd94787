//! A worker as its kernel sees it: a process and the socket to it.
//!
//! O1. Whoever lets go of a worker kills it. There is no other end: it has nothing to lose between two functions, and in the
//!     middle of one, nobody wants its value any more.
//! O2. Who was killed is reaped, as all children of this program are (`subprocess::reaper`). Nobody waits for that but the end
//!     of a kernel: a process that has much memory to give back takes its time to die.
//! O3. Nearly every request has room in the socket. So nobody wants to hear that there is room again, and the selector would
//!     wake up the kernel for that each time a worker takes a request. It is asked once there was no room.

use std::cell::RefCell;
use std::io::{self, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::panic::Location;
use std::process::{Command, ExitStatus};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::entry::{self, Identity};
use super::error::WorkerError;
use super::wire::{self, Inbox};
use crate::error::{Error, Result};
use crate::net::source::Registered;
use crate::privilege::is_privileged;
use crate::signal::SIGKILL;
use crate::subprocess::reaper;
use crate::traps::Waiting;

/// For how long somebody who has ended the connection may take to end itself.
const GRACE: Duration = Duration::from_secs(1);

pub(super) struct Worker {
    pub(super) socket: Registered<mio::net::UnixStream>,
    /// O3.
    watches_writing: bool,
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
    /// [`Error::Io`] if the system has no descriptor or process left, or this program has more rights than whoever has started
    /// it (E4); [`WorkerError::OtherProgram`].
    pub(super) fn start(dying: Rc<Dying>) -> Result<Worker> {
        if is_privileged() {
            let text = "a program with more rights than whoever has started it (setuid) has none";
            return Err(cannot_start(io::Error::new(
                io::ErrorKind::PermissionDenied,
                text,
            )));
        }
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
        command.stdin(OwnedFd::from(theirs));
        let started = reaper::Process::spawn(|| {
            let held = entry::Held::new(libc::SIGINT);
            let mark = if held.was_held_before() { entry::HELD } else { "1" };
            command.env(entry::MARK, mark).spawn()
        });
        let (process, _) = started.map_err(cannot_start)?;
        let process = Process { process, dying };
        Ok(Worker {
            socket: Registered::reading(mio::net::UnixStream::from_std(ours))?,
            watches_writing: false,
            inbox: Inbox::default(),
            number: 0,
            process,
        })
    }

    /// Writes some of a request (O3).
    pub(super) fn poll_write(
        &mut self,
        rest: &[u8],
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<usize>> {
        if !self.watches_writing {
            match self.socket.with(|mut socket| socket.write(rest)) {
                Err(Error::Io(error)) if is_no_answer(&error) => {}
                written => return Poll::Ready(written),
            }
            self.socket.watch_writing()?;
            self.watches_writing = true;
        }
        self.socket.poll_write(rest, waiting, cx, place)
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

/// Whether the system has neither done nor refused it.
fn is_no_answer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
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
    process: Arc<reaper::Process>,
    dying: Rc<Dying>,
}

impl Process {
    /// What it has ended with. None if it has not.
    pub(super) fn try_wait(&self) -> Option<WorkerError> {
        self.process.try_wait().transpose().map(ended_with)
    }

    /// Waits for the end of a process that has closed its socket, and so should have ended. For a thread.
    pub(super) fn wait_with_grace(&self) -> impl FnOnce() -> WorkerError + Send + use<> {
        let process = self.process.clone();
        move || process.block(GRACE).map_or(WorkerError::Lost, ended_with)
    }
}

fn ended_with(status: Result<ExitStatus>) -> WorkerError {
    // If there is none, somebody else has taken it.
    status.map_or(WorkerError::Lost, WorkerError::from_status)
}

impl Drop for Process {
    fn drop(&mut self) {
        // It fails only if there is nothing to kill.
        let _ = self.process.signal(SIGKILL);
        self.dying.enter(&self.process);
    }
}

/// The processes of a pool that were killed and may not be gone yet.
#[derive(Debug, Default)]
pub(super) struct Dying(RefCell<Vec<Arc<reaper::Process>>>);

impl Dying {
    fn enter(&self, process: &Arc<reaper::Process>) {
        let mut all = self.0.borrow_mut();
        all.push(process.clone());
        all.retain(|one| !one.is_reaped());
    }

    /// Blocks until all of them are gone, but not for longer than this.
    pub(super) fn block(&self, limit: Duration) {
        let start = Instant::now();
        for process in self.0.take() {
            // What has become of it is nobody's concern any more.
            let _ = process.block(limit.saturating_sub(start.elapsed()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Child;

    use super::super::entry::Target;
    use super::super::wire::Reply;
    use super::*;

    /// Starts a worker by hand, which is told that its parent is this program.
    fn started_by(identity: Identity) -> (UnixStream, Child) {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        ours.write_all(&wire::greeting(identity)).unwrap();
        let mut command = Command::new(entry::program().unwrap());
        command.env(entry::MARK, "1").stdin(OwnedFd::from(theirs));
        (ours, command.spawn().unwrap())
    }

    #[test]
    fn a_worker_of_another_program_says_so_and_calls_nothing() {
        let mut others: Vec<Identity> = (0..5).map(|_| Identity::own()).collect();
        for (n, other) in others.iter_mut().enumerate() {
            other.0[n] ^= 1;
        }
        for identity in [Identity::own()].into_iter().chain(others) {
            let (mut socket, mut child) = started_by(identity);
            let target = Target::new(|n: u8| n + 1);
            let mut request = wire::request(target, |mut all| {
                all.push(6);
                Ok::<_, ()>(all)
            })
            .unwrap();
            wire::enter_number(&mut request, 1);
            socket.write_all(&request).unwrap();
            let mut inbox = Inbox::default();
            let (kind, content) = loop {
                let count = io::Read::read(&mut socket, inbox.free()).unwrap();
                assert_ne!(count, 0, "it ended without a word");
                inbox.fill(count);
                if let Some((kind, content)) = inbox.reply(1).unwrap() {
                    break (kind, content.to_vec());
                }
            };
            match identity == Identity::own() {
                true => assert_eq!((kind, &content[..]), (Reply::Value, &[7][..])),
                false => assert_eq!((kind, &content[..]), (Reply::OtherProgram, &[][..])),
            }
            // It ends when we do.
            drop(socket);
            assert_eq!(child.wait().unwrap().code(), Some(0));
        }
    }

    #[test]
    fn what_lies_in_a_library_is_not_in_the_program() {
        let here: fn(u8) -> u8 = |n| n;
        let there: unsafe extern "C" fn() -> i32 = libc::getpid;
        assert!(entry::is_ours(here as usize));
        assert!(entry::is_ours(Target::new(here).call));
        // (A program that has the C library in itself has no there.)
        assert!(!entry::is_ours(there as usize) || cfg!(target_feature = "crt-static"));
        assert!(!entry::is_ours(8) || cfg!(target_feature = "crt-static"));
    }
}
