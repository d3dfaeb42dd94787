//! `run_in_process`.
//!
//! ```text
//!            slot           written          reply
//!  QUEUED ---------> WRITES --------> READS --------> (worker is kept)
//!                      |                |
//!                      +--- the end ----+
//!                               |
//!                               v       status
//!                             ENDING ---------> (an error that says how)
//! ```
//!
//! C1. Who is interrupted, or dropped, before it has a slot has done nothing. After that, the worker is killed.
//! C2. A worker whose connection ends is asked how it has ended, which may take a moment: a thread waits for that.
//! C3. A worker is kept only after a whole reply. Whatever else ends a call kills it.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, ready};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::entry::Target;
use super::error::WorkerError;
use super::pool::Pool;
use super::wire::{self, Reply};
use super::worker::{Process, Worker};
use crate::context::{self, Outside};
use crate::error::{Error, Result};
use crate::traps::{Label, Waiting};
use crate::workers::{self, Errand};

const PROCESS_WAIT: Label = Label::new(&"PROCESS_WAIT");

/// Runs a function in a worker process (Python Curio: `run_in_process`, once `run_cpu_bound`). See the
/// [module's documentation](crate::process).
///
/// The function is one that has a name, or a closure that captures nothing. It has one argument; more come as a tuple.
///
/// There are as many workers at a time as CPUs ([`Builder::max_worker_processes`](crate::Builder::max_worker_processes));
/// who comes when all are busy is served in turn.
///
/// *Waits* until the function has returned. *Interrupted* by cancellation and timeouts, and then it leaves at once: a function
/// that has not begun never runs; one that has begun is killed with its process, wherever it is.
///
/// # Errors
///
/// [`Error::Other`] around a [`WorkerError`], if the function panicked, or the process exited, crashed or was killed.
/// [`Error::Io`] if the system starts no process, or with [`PermissionDenied`](std::io::ErrorKind::PermissionDenied) if the program
/// has more rights than whoever has started it. [`Error::NoKernel`] outside of a task. What the function itself gives, a
/// `Result` too, is the value.
///
/// ```
/// use curio::{run, run_in_process};
///
/// fn power((base, exponent): (u64, u32)) -> Option<u64> {
///     base.checked_pow(exponent)
/// }
///
/// run(async {
///     assert_eq!(run_in_process(power, (2, 10)).await?, Some(1024));
///     assert_eq!(run_in_process(|n: u64| (1..=n).sum::<u64>(), 100).await?, 5050);
///     assert_ne!(run_in_process(|()| std::process::id(), ()).await?, std::process::id());
///     Ok(())
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn run_in_process<A, T>(function: fn(A) -> T, argument: A) -> RunInProcess<A, T>
where
    A: Serialize + DeserializeOwned,
    T: Serialize + DeserializeOwned,
{
    RunInProcess {
        stage: Stage::New(function, argument),
        waiting: Waiting::new(),
        place: Location::caller(),
    }
}

/// The operation of [`run_in_process`].
#[must_use = "it does nothing unless it is awaited"]
pub struct RunInProcess<A, T> {
    stage: Stage<A, T>,
    waiting: Waiting,
    place: &'static Location<'static>,
}

enum Stage<A, T> {
    New(fn(A) -> T, A),
    Called(Call),
    Over,
}

/// The argument is moved and never pinned.
impl<A, T> Unpin for RunInProcess<A, T> {}

impl<A, T> Future for RunInProcess<A, T>
where
    A: Serialize + DeserializeOwned,
    T: Serialize + DeserializeOwned,
{
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<T>> {
        let RunInProcess {
            stage,
            waiting,
            place,
        } = self.get_mut();
        if let Stage::New(..) = stage
            && let Stage::New(function, argument) = std::mem::replace(stage, Stage::Over)
        {
            // Asked before anything is done: who is interrupted here has done nothing (C1).
            let called = waiting
                .wait(cx, PROCESS_WAIT, place)
                .and_then(|()| Call::new(function, &argument));
            match called {
                Ok(call) => *stage = Stage::Called(call),
                Err(error) => {
                    waiting.complete();
                    return Poll::Ready(Err(error));
                }
            }
        }
        let Stage::Called(call) = stage else {
            panic!("a RunInProcess was polled after it had completed")
        };
        let replied = ready!(call.poll(waiting, cx, place));
        call.leave_line(waiting);
        // From here on it completes. If reading the value panics, the call is dropped, and the worker with it.
        waiting.complete();
        let Stage::Called(call) = std::mem::replace(stage, Stage::Over) else {
            return Poll::Ready(Err(Error::NoKernel));
        };
        Poll::Ready(replied.and_then(|()| call.finish()))
    }
}

impl<A, T> Drop for RunInProcess<A, T> {
    fn drop(&mut self) {
        if let Stage::Called(call) = &mut self.stage {
            call.leave_line(&mut self.waiting);
        }
    }
}

impl<A, T> fmt::Debug for RunInProcess<A, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = matches!(&self.stage, Stage::Called(Call { slot: Some(_), .. }));
        f.debug_struct("RunInProcess")
            .field("runs", &runs)
            .finish_non_exhaustive()
    }
}

/// A call, whatever its types.
struct Call {
    pool: Rc<Pool>,
    request: Vec<u8>,
    /// Whether it is in the pool's line.
    queued: bool,
    slot: Option<Slot>,
}

/// What a call has once it has its turn. Dropping it kills the worker, if there still is one, and gives the slot back.
struct Slot {
    // In this order: the slot must not be free before the worker is gone.
    progress: Progress,
    _taken: Taken,
    /// A process is at work for a task that waits for it.
    _outside: Outside,
}

enum Progress {
    Writes(Worker, usize),
    Reads(Worker),
    /// C2.
    Ending {
        errand: Errand<EndOfProcess, WorkerError>,
        _outside: Outside,
        /// It is killed if nobody waits any more, or if it does not end.
        _process: Process,
    },
    Nothing,
}

type EndOfProcess = Box<dyn FnOnce() -> WorkerError + Send>;

struct Taken(Rc<Pool>);

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.give_slot_back();
    }
}

impl Call {
    fn new<A, T>(function: fn(A) -> T, argument: &A) -> Result<Call>
    where
        A: Serialize + DeserializeOwned,
        T: Serialize,
    {
        let pool = Pool::current()?;
        let target = Target::new(function);
        pool.check(target)?;
        let request = wire::request(target, |all| postcard::to_extend(argument, all))
            .map_err(|error| WorkerError::Argument(error.to_string()))?;
        Ok(Call {
            pool,
            request,
            queued: false,
            slot: None,
        })
    }

    /// Ready when the reply is there.
    fn poll(
        &mut self,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<()>> {
        if self.slot.is_none() {
            if self.pool.is_closed() {
                return Poll::Ready(Err(Error::NoKernel));
            }
            let granted = match self.queued {
                true => self.pool.line.receive(waiting),
                false => self.pool.take_slot(),
            };
            if !granted {
                self.queued = true;
                return match self.pool.line.wait(waiting, cx, PROCESS_WAIT, place) {
                    Ok(()) => Poll::Pending,
                    Err(error) => Poll::Ready(Err(error)),
                };
            }
            self.queued = false;
            let taken = Taken(self.pool.clone());
            let mut worker = self.pool.worker()?;
            worker.number += 1;
            wire::enter_number(&mut self.request, worker.number);
            self.slot = Some(Slot {
                progress: Progress::Writes(worker, 0),
                _taken: taken,
                _outside: context::with_task(|context, _| Ok(context.begin_outside()))?,
            });
        }
        let Some(Slot { progress, .. }) = &mut self.slot else {
            return Poll::Ready(Err(Error::NoKernel));
        };
        loop {
            match progress {
                Progress::Writes(worker, written) => {
                    let rest = &self.request[*written..];
                    match ready!(worker.poll_write(rest, waiting, cx, place)) {
                        Ok(count) if count < rest.len() => *written += count,
                        // If nobody reads it any more, there may be a reply that says why.
                        Ok(_) | Err(Error::Io(_)) => {
                            self.request = Vec::new();
                            progress.replace(Progress::Reads);
                        }
                        Err(error) => return Poll::Ready(Err(error)),
                    }
                }
                Progress::Reads(worker) => {
                    let read = worker.socket.poll_read(worker.inbox.free(), waiting, cx, place);
                    match ready!(read) {
                        Ok(count @ 1..) => {
                            worker.inbox.fill(count);
                            match worker.inbox.reply(worker.number) {
                                Ok(None) => {}
                                Ok(Some(_)) => return Poll::Ready(Ok(())),
                                Err(wire::Garbled) => {
                                    return Poll::Ready(Err(WorkerError::Garbled.into()));
                                }
                            }
                        }
                        Ok(0) | Err(Error::Io(_)) => {
                            let Progress::Reads(worker) = std::mem::replace(progress, Progress::Nothing)
                            else {
                                return Poll::Ready(Err(Error::NoKernel));
                            };
                            *progress = ending(worker, cx)?;
                        }
                        Err(error) => return Poll::Ready(Err(error)),
                    }
                }
                Progress::Ending { errand, .. } => {
                    if let Poll::Ready(ended) = errand.poll(cx) {
                        return Poll::Ready(Err(ended.map_or_else(|error| error, Error::from)));
                    }
                    return match waiting.wait(cx, PROCESS_WAIT, place) {
                        Ok(()) => Poll::Pending,
                        Err(error) => Poll::Ready(Err(error)),
                    };
                }
                Progress::Nothing => return Poll::Ready(Err(Error::NoKernel)),
            }
        }
    }

    /// Reads the reply, which is there, and gives the worker back (C3).
    fn finish<T: DeserializeOwned>(mut self) -> Result<T> {
        let Some(slot) = &mut self.slot else {
            return Err(Error::NoKernel);
        };
        let Progress::Reads(mut worker) = std::mem::replace(&mut slot.progress, Progress::Nothing) else {
            return Err(Error::NoKernel);
        };
        let Ok(Some((kind, content))) = worker.inbox.reply(worker.number) else {
            return Err(WorkerError::Garbled.into());
        };
        let text = || String::from_utf8_lossy(content).into_owned();
        let result = match kind {
            Reply::Value => {
                postcard::from_bytes(content).map_err(|error| WorkerError::Value(error.to_string()))
            }
            Reply::Panicked => Err(match postcard::from_bytes(content) {
                Ok((message, place)) => WorkerError::Panicked { message, place },
                Err(_) => WorkerError::Garbled,
            }),
            Reply::BadArgument => Err(WorkerError::Argument(text())),
            Reply::BadValue => Err(WorkerError::Value(text())),
            // It has said its last.
            Reply::OtherProgram => return Err(WorkerError::OtherProgram.into()),
        };
        worker.inbox.clear();
        // Before the slot is free.
        self.pool.keep(worker);
        Ok(result?)
    }

    /// What was handed to it goes to the next.
    fn leave_line(&mut self, waiting: &mut Waiting) {
        if self.queued {
            self.pool.line.leave(waiting, || self.pool.give_slot_back());
        }
    }
}

impl Progress {
    fn replace(&mut self, next: impl FnOnce(Worker) -> Progress) {
        *self = match std::mem::replace(self, Progress::Nothing) {
            Progress::Writes(worker, _) | Progress::Reads(worker) => next(worker),
            other => other,
        };
    }
}

/// The connection to a worker has ended (C2).
fn ending(worker: Worker, cx: &TaskContext<'_>) -> Result<Progress> {
    let process = worker.process;
    drop(worker.socket);
    match process.try_wait() {
        Some(ended) => Err(ended.into()),
        None => {
            let wait: EndOfProcess = Box::new(process.wait_with_grace());
            let (errand, outside) = workers::start(wait, cx)?;
            Ok(Progress::Ending {
                errand,
                _outside: outside,
                _process: process,
            })
        }
    }
}
