//! Who waits for the processes, so that none stays a zombie: the children of [`subprocess`](crate::subprocess), and the
//! workers of `run_in_process`.
//!
//! A process that has ended stays in the system's table, as a *zombie*, until its parent asks for its status. The parent is
//! this whole program, not a task: whoever has started a child may have been cancelled since, its kernel may be gone. So all
//! children are on one list of the program, and who asks for their statuses is nobody's task:
//!
//! ```text
//!  child ends ──▶ SIGCHLD ──▶ handler ── pipe ──▶ thread "curio-signals": sweep
//!                                                   for each child on the list: waitpid(its id, WNOHANG)
//!                                                   the status is kept in its `Process`, and the waiters are woken
//! ```
//!
//! The signal, the pipe and the thread are those of [`signal`](crate::signal); they are there while a child is on the list. A
//! sweep costs a system call for each child that still runs, and there are as many sweeps as signals at most; the system merges
//! signals that come at once. Five hundred children that end at once take a few thousand calls, outside of the kernel's thread.
//!
//! Rejected:
//!
//! - *pidfd*: a descriptor for each child, which the kernel's selector could watch. It is Linux's alone, so that there would
//!   be two mechanisms; and it is watched by a kernel, so that children that outlive theirs would need a third.
//! - A thread for each child, blocked in `waitpid`: when that returns, the number may be another process's already, and a
//!   `kill` that is on its way hits that one.
//! - `waitpid(-1)`: it takes the statuses of children that other parts of the program have started.
//!
//! # Invariants
//!
//! C1. Only this file asks for the status of a child, and only under the lock of its `Process`. So as long as `ended` is not
//!     set, its number is its own, and may be given a signal, under the same lock.
//! C2. A child is on the list from its birth until its status is known; SIGCHLD is watched since before that. So the signal
//!     of its end either comes while it is on the list, or it had ended at its birth, when it is looked at once.
//! C3. The list's lock is taken before that of a process, and none of them is held while a waker is called, or the watch is
//!     dropped (which waits for its thread, which may be at a sweep).
//!
//! What cannot be helped: a part of the program that waits for any child takes statuses that are not its own (they are lost
//! then, and `wait` says so); one that replaces the handler of SIGCHLD, or blocks that signal in all threads, keeps the news
//! from us.

use std::fmt;
use std::io;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll};
#[cfg(feature = "process")]
use std::{
    task::{Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use crate::error::{Error, Result};
use crate::remote::{Call, Line, Shared};
use crate::signal::{self, Signal, Watch, Watcher};

/// A child process that was started here. It is reaped, whatever becomes of this.
pub(crate) struct Process {
    id: u32,
    shared: Shared<State>,
}

struct State {
    child: Child,
    /// C1. The error is that of the system, if somebody else has taken the status.
    ended: Option<Ended>,
    waiters: Line,
}

type Ended = std::result::Result<ExitStatus, i32>;

/// Our ends of the pipes that were asked for.
#[derive(Debug)]
pub(crate) struct Pipes {
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) stdout: Option<ChildStdout>,
    pub(crate) stderr: Option<ChildStderr>,
}

impl State {
    /// Asks for the status, if it is not known yet.
    fn reap(&mut self) -> Option<Ended> {
        if self.ended.is_none() {
            self.ended = match self.child.try_wait() {
                Ok(status) => status.map(Ok),
                Err(error) => Some(Err(error.raw_os_error().unwrap_or(0))),
            };
        }
        self.ended
    }
}

impl Process {
    /// Has a program started.
    pub(crate) fn spawn(start: impl FnOnce() -> io::Result<Child>) -> io::Result<(Arc<Process>, Pipes)> {
        let birth = Birth::announce()?;
        let mut child = start()?;
        let pipes = Pipes {
            stdin: child.stdin.take(),
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
        };
        let process = Arc::new(Process {
            id: child.id(),
            shared: Shared::new(State {
                child,
                ended: None,
                waiters: Line::new(),
            }),
        });
        birth.enter(&process);
        Ok((process, pipes))
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// The status, if the process has ended.
    pub(crate) fn try_wait(&self) -> Result<Option<ExitStatus>> {
        let ended = self.shared.with(|state, wakes| {
            let ended = state.reap();
            if ended.is_some() {
                state.waiters.dismiss_all(wakes);
            }
            ended
        });
        ended.map(|ended| self.status(ended)).transpose()
    }

    fn status(&self, ended: Ended) -> Result<ExitStatus> {
        ended.map_err(|code| {
            let (id, error) = (self.id, io::Error::from_raw_os_error(code));
            let message =
                format!("the status of process {id} is lost, somebody else has asked for it: {error}");
            Error::Io(io::Error::new(error.kind(), message))
        })
    }

    pub(crate) fn is_reaped(&self) -> bool {
        self.shared.with(|state, _| state.reap().is_some())
    }

    /// Blocks until the process has ended, or for so long at most. Not for a kernel's thread, but for its very end.
    #[cfg(feature = "process")]
    pub(crate) fn block(self: &Arc<Process>, limit: Duration) -> Option<Result<ExitStatus>> {
        struct Unpark(Thread);
        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let cx = TaskContext::from_waker(&waker);
        let (start, mut seat) = (Instant::now(), Seat::new(self.clone()));
        loop {
            if let Poll::Ready(ended) = seat.poll(&cx) {
                return Some(ended);
            }
            let left = limit.checked_sub(start.elapsed())?;
            // It looks now and then, too: somebody may keep SIGCHLD from us.
            thread::park_timeout(left.min(Duration::from_millis(20)));
        }
    }

    /// Sends it a signal; to one that has ended, none.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        self.send(signal, 1).map(drop)
    }

    /// The same to all processes of the group that it leads. That of one that has ended may be another's.
    pub(crate) fn signal_group(&self, signal: Signal) -> Result<()> {
        let sent = self.send(signal, -1)?;
        sent.then_some(()).ok_or_else(|| {
            let message = format!(
                "process {} has ended, and its group cannot be named any more",
                self.id
            );
            Error::Io(io::Error::new(io::ErrorKind::NotFound, message))
        })
    }

    /// False if it has ended.
    fn send(&self, signal: Signal, sign: i32) -> Result<bool> {
        self.shared.with(|state, _| match state.ended {
            // C1: it is there, be it as a zombie.
            None => match signal::kill(sign * self.id as i32, signal.number()) {
                Ok(()) => Ok(true),
                Err(error) => Err(Error::Io(error)),
            },
            Some(_) => Ok(false),
        })
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").field("id", &self.id).finish()
    }
}

/// The place of somebody who waits for the end of a process.
#[derive(Debug)]
pub(crate) struct Seat {
    process: Arc<Process>,
    place: Option<u32>,
}

impl Seat {
    pub(crate) fn new(process: Arc<Process>) -> Seat {
        Seat { process, place: None }
    }

    /// The status; if there is none yet, the task is woken when there is. Nothing here is an interruption point.
    pub(crate) fn poll(&mut self, cx: &TaskContext<'_>) -> Poll<Result<ExitStatus>> {
        let mut spare = None;
        loop {
            if let Some(status) = self.process.try_wait().transpose() {
                self.leave();
                return Poll::Ready(status);
            }
            let place = &mut self.place;
            let known = self.process.shared.with(|state, _| {
                if let Some(at) = *place
                    && let Call::Waiting(waker) = state.waiters.call(at)
                {
                    // A clone that is there is good, even one of a waker that does not know its own clones again.
                    return match &mut spare {
                        Some(new) => {
                            std::mem::swap(waker, new);
                            true
                        }
                        None => waker.will_wake(cx.waker()),
                    };
                }
                if state.ended.is_some() {
                    return false;
                }
                let Some(waker) = spare.take() else { return false };
                *place = Some(state.waiters.enter(waker));
                true
            });
            if known {
                return Poll::Pending;
            }
            // Cloning a waker is user code, so the lock was released; the process may have ended meanwhile.
            spare = Some(cx.waker().clone());
        }
    }

    /// Waits no more.
    pub(crate) fn leave(&mut self) {
        if let Some(place) = self.place.take() {
            let left = self.process.shared.with(|state, _| state.waiters.leave(place));
            drop(left);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.leave();
    }
}

/// The children that have not been reaped.
struct Children {
    all: Vec<Arc<Process>>,
    /// How many are being started.
    unborn: usize,
    /// There while there are any, or will be (C2).
    watch: Option<Watch>,
}

static CHILDREN: Mutex<Children> = Mutex::new(Children {
    all: Vec::new(),
    unborn: 0,
    watch: None,
});

fn children() -> MutexGuard<'static, Children> {
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Children {
    /// What comes back is to be dropped without the lock (C3).
    fn settle(&mut self) -> Option<Watch> {
        match self.all.is_empty() && self.unborn == 0 {
            true => self.watch.take(),
            false => None,
        }
    }
}

/// A child that is being started.
struct Birth;

impl Birth {
    fn announce() -> io::Result<Birth> {
        let mut children = children();
        if children.watch.is_none() {
            children.watch = Some(Watch::children(Arc::new(Sweeper))?);
        }
        children.unborn += 1;
        Ok(Birth)
    }

    fn enter(self, process: &Arc<Process>) {
        children().all.push(process.clone());
        // C2. Nobody waits for it yet.
        if process.is_reaped() {
            children().all.retain(|one| !Arc::ptr_eq(one, process));
        }
    }
}

impl Drop for Birth {
    fn drop(&mut self) {
        let mut children = children();
        children.unborn -= 1;
        let watch = children.settle();
        drop(children);
        drop(watch);
    }
}

/// Reaps the children that have ended.
struct Sweeper;

impl Watcher for Sweeper {
    fn arrived(&self, _: &[Signal]) {
        let mut ended = Vec::new();
        let mut children = children();
        children.all.retain(|process| {
            let reaped = process.is_reaped();
            if reaped {
                ended.push(process.clone());
            }
            !reaped
        });
        let watch = children.settle();
        drop(children);
        // Before anybody learns of it: who counts descriptors and threads then finds none of ours.
        drop(watch);
        for process in ended {
            process
                .shared
                .with(|state, wakes| state.waiters.dismiss_all(wakes));
        }
    }
}
