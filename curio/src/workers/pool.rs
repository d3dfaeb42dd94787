//! The pool: who runs what, and when a thread is started or ends.
//!
//! ```text
//!            next: a job             run: done
//!   START ------------------> BUSY ------------> (looks for the next)
//!     |                        |
//!     | next: none             | its caller has gone: ZOMBIE, which counts no more and ends after its function
//!     v
//!   IDLE --- chosen by a job that comes ---> (looks for the next)
//!     |
//!     | idle for too long, or the pool is closed
//!     v
//!   (ends)
//! ```
//!
//! The worker that became idle last is chosen first: its memory is warm, and those that are not needed any more get old and
//! leave. A job is put into the queue even if somebody is idle, and whoever looks first takes it; so nobody is bound to a
//! worker that the system has yet to run.
//!
//! P1. `workers` counts the threads that are not zombies. It is at most the limit.
//! P2. While there is a job in the queue, a worker that counts will look at the queue again: it is busy, was chosen, or was
//!     started. So a job waits only while the limit is reached.
//! P3. A caller that leaves its job while that runs takes the worker's place away, and starts another one for whoever waits
//!     in the queue. The zombie learns of it when its function ends (J2), and touches nothing of the pool any more.
//! P4. A closed pool has no queue and nobody idle. Its busy workers end after their functions; nobody waits for them. Who had a
//!     job in the queue, and lives on, learns that there is no kernel.
//! P5. A worker is idle, or has its next job, before it wakes the caller of the last one. So a caller that comes again at once
//!     finds it, and does not wake or start another for nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::job::{Ran, Work};
use crate::contain::contain;
use crate::error::{Error, Result};
use crate::remote::{Parker, Shared};

/// The end of a pool that its kernel holds. Dropping it closes the pool.
pub(crate) struct Pool(Arc<Shared<State>>);

pub(super) struct State {
    /// Jobs that nobody has taken, with their numbers, which rise.
    queue: VecDeque<(u64, Arc<dyn Work>)>,
    next: u64,
    /// The workers that wait for a job, and how to wake them; the last one comes first.
    idle: Vec<(u64, Waker)>,
    /// P1.
    workers: usize,
    limit: usize,
    keep: Duration,
    closed: bool,
}

/// What a worker that has nothing to do is told.
enum Next {
    Job(Arc<dyn Work>),
    Wait,
    End,
}

impl Pool {
    /// No thread is started yet.
    pub(super) fn new(limit: usize, keep: Duration) -> Pool {
        Pool(Arc::new(Shared::new(State {
            queue: VecDeque::new(),
            next: 0,
            idle: Vec::new(),
            workers: 0,
            limit,
            keep,
            closed: false,
        })))
    }

    /// Has a worker run this, as soon as there is one.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if there is no worker, and the system starts no thread. [`Error::NoKernel`] if the pool is closed.
    pub(super) fn submit(&self, job: Arc<dyn Work>) -> Result<Queued> {
        let (number, start) = self.0.with(|state, wakes| {
            if state.closed {
                return Err(Error::NoKernel);
            }
            state.next += 1;
            state.queue.push_back((state.next, job));
            let start = match state.idle.pop() {
                Some((_, waker)) => {
                    wakes.add(waker);
                    false
                }
                None => state.may_start(),
            };
            Ok((state.next, start))
        })?;
        let queued = Queued {
            pool: self.0.clone(),
            number,
        };
        if start && let Err(error) = start_worker(&self.0) {
            queued.remove();
            return Err(error);
        }
        Ok(queued)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let queue = self.0.with(|state, wakes| {
            state.closed = true;
            state.idle.drain(..).for_each(|(_, waker)| wakes.add(waker));
            std::mem::take(&mut state.queue)
        });
        // An operation that is not dropped with its kernel learns that nobody will do it.
        queue.iter().for_each(|(_, job)| job.refuse());
    }
}

impl State {
    /// Whether there may be one more worker, who is then counted.
    fn may_start(&mut self) -> bool {
        let may = self.workers < self.limit;
        self.workers += usize::from(may);
        may
    }

    fn take_next(&mut self, worker: u64, waker: &mut Option<Waker>) -> Next {
        if self.closed {
            return Next::End;
        }
        if let Some((_, job)) = self.queue.pop_front() {
            return Next::Job(job);
        }
        // (It is there already if it woke up for nothing.)
        if !self.idle.iter().any(|(other, _)| *other == worker)
            && let Some(waker) = waker.take()
        {
            self.idle.push((worker, waker));
        }
        Next::Wait
    }

    /// A worker was idle for too long. False if it was chosen meanwhile.
    fn leave(&mut self, worker: u64) -> Option<Waker> {
        let at = self.idle.iter().position(|(other, _)| *other == worker)?;
        self.workers -= 1;
        Some(self.idle.remove(at).1)
    }
}

/// Starts the thread of a worker who is counted already.
///
/// # Errors
///
/// [`Error::Io`] if that was to be the only one, and cannot be had. (Otherwise the jobs wait for the others.)
fn start_worker(pool: &Arc<Shared<State>>) -> Result<()> {
    let shared = pool.clone();
    let Err(error) = spawn(move || work(&shared)) else {
        return Ok(());
    };
    let alone = pool.with(|state, _| {
        state.workers -= 1;
        state.workers == 0
    });
    if alone { Err(Error::Io(error)) } else { Ok(()) }
}

#[cfg(not(all(test, loom)))]
fn spawn(life: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    let thread = std::thread::Builder::new().name("curio-worker".into());
    thread.spawn(life).map(drop)
}

#[cfg(all(test, loom))]
fn spawn(life: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    ::loom::thread::spawn(life);
    Ok(())
}

/// What a worker does in its life.
fn work(pool: &Shared<State>) {
    let parker = Arc::new(Parker::default());
    let waker = Waker::from(parker.clone());
    let (worker, keep) = pool.with(|state, _| {
        state.next += 1;
        (state.next, state.keep)
    });
    let mut caller: Option<Waker> = None;
    loop {
        let mut spare = Some(waker.clone());
        let next = pool.with(|state, _| state.take_next(worker, &mut spare));
        // Only now (P5).
        if let Some(caller) = caller.take() {
            contain(|| caller.wake());
        }
        match next {
            Next::Job(job) => match job.run() {
                Ran::Done(waker) => caller = waker,
                Ran::Zombie(waker) => {
                    if let Some(waker) = waker {
                        contain(|| waker.wake());
                    }
                    return;
                }
            },
            Next::Wait => {
                // A time that is too long for the clock is for ever.
                if !parker.park(Instant::now().checked_add(keep))
                    && pool.with(|state, _| state.leave(worker)).is_some()
                {
                    return;
                }
            }
            Next::End => return,
        }
    }
}

/// A job's place in the queue of a pool, or what was its place.
pub(super) struct Queued {
    pool: Arc<Shared<State>>,
    number: u64,
}

impl Queued {
    /// Takes the job out of the queue, if it is there.
    pub(super) fn remove(&self) {
        let removed = self.pool.with(|state, _| {
            let at = state
                .queue
                .binary_search_by_key(&self.number, |(number, _)| *number);
            at.ok().and_then(|at| state.queue.remove(at))
        });
        drop(removed);
    }

    /// Whether the kernel has ended, and with it the pool.
    pub(super) fn is_closed(&self) -> bool {
        self.pool.with(|state, _| state.closed)
    }

    /// The worker that runs the job counts no more (P3).
    pub(super) fn replace_worker(&self) {
        let start = self.pool.with(|state, _| {
            state.workers -= 1;
            !state.closed && !state.queue.is_empty() && state.may_start()
        });
        if start && start_worker(&self.pool).is_err() {
            let stranded = self.pool.with(|state, _| std::mem::take(&mut state.queue));
            stranded.iter().for_each(|(_, job)| job.refuse());
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::job::Errand;
    use super::*;
    use std::sync::mpsc::channel;
    use std::task::Context as TaskContext;

    #[test]
    fn what_is_withdrawn_leaves_the_queue() {
        let pool = Pool::new(1, Duration::from_secs(10));
        let start = |function: Box<dyn FnOnce() + Send>| {
            let errand = Errand::new(function, &TaskContext::from_waker(Waker::noop()));
            let queued = pool.submit(errand.work()).unwrap();
            errand.queued(queued)
        };
        let waiting = || pool.0.with(|state, _| (state.queue.len(), state.workers));
        let ((begins, begun), (release, released)) = (channel(), channel::<()>());
        let busy = start(Box::new(move || {
            begins.send(()).unwrap();
            let _ = released.recv();
        }));
        begun.recv().unwrap();
        let mut queued: Vec<_> = (0..10).map(|_| start(Box::new(|| ()))).collect();
        assert_eq!(waiting(), (10, 1));
        for (at, left) in [(3, 9), (0, 8), (7, 7)] {
            drop(queued.remove(at));
            assert_eq!(waiting(), (left, 1));
        }
        assert!(queued[2].withdraw() && !queued[2].withdraw());
        assert_eq!(waiting(), (6, 1));
        queued.clear();
        assert_eq!(waiting(), (0, 1));
        drop(busy);
        assert_eq!(waiting(), (0, 0), "a zombie does not count");
        drop(release);
    }
}
