//! What is asked of the kernel: put down by others, done between two runs of tasks (M4, M5).

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::time::Duration;

use super::{Mirror, lock};
use crate::contain::contain;
use crate::context::Context;

/// How much may lie there: a kernel that is busy, or does not run, comes to it later, or never.
const MOST: usize = 256;

/// Something to be done in the kernel's thread, between two runs of tasks.
type Work = Box<dyn FnOnce(&Context) + Send>;

#[derive(Default)]
pub(super) struct Desk {
    /// M5.
    closed: bool,
    requests: VecDeque<Work>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    /// The kernel is busy, or does not run.
    Busy,
    /// The kernel has ended.
    Gone,
}

/// Where an answer goes. Dropping it tells that there is none.
pub(crate) struct Answer<R>(SyncSender<R>);

impl<R> Answer<R> {
    /// If it comes too late, nobody hears it.
    pub(crate) fn give(self, answer: R) {
        let _ = self.0.try_send(answer);
    }
}

impl Mirror {
    /// Has something done in the kernel's thread, when it has time. False if there is no kernel any more.
    pub(crate) fn tell(&self, work: impl FnOnce(&Context) + Send + 'static) -> bool {
        let mut desk = lock(&self.desk);
        if desk.closed {
            return false;
        }
        desk.requests.push_back(Box::new(work));
        drop(desk);
        self.wanted.store(true, Ordering::Release);
        self.remote.ring();
        true
    }

    /// Whether so much was asked for that was not done yet that nobody may ask for more.
    pub(crate) fn is_crowded(&self) -> bool {
        lock(&self.desk).requests.len() >= MOST
    }

    /// Asks something of the kernel, and waits for so long for the answer, which may be given later. A question that was not
    /// answered is withdrawn.
    pub(crate) fn ask<R: Send + 'static>(
        &self,
        patience: Duration,
        question: impl FnOnce(&Context, Answer<R>) + Send + 'static,
    ) -> Result<R, Silence> {
        if self.is_crowded() {
            return Err(Silence::Busy);
        }
        let (answer, answered) = mpsc::sync_channel(1);
        let withdrawn = Arc::new(AtomicBool::new(false));
        let asked = self.tell({
            let withdrawn = withdrawn.clone();
            move |context| {
                if !withdrawn.load(Ordering::Relaxed) {
                    question(context, Answer(answer));
                }
            }
        });
        if !asked {
            return Err(Silence::Gone);
        }
        answered.recv_timeout(patience).map_err(|silence| {
            withdrawn.store(true, Ordering::Relaxed);
            match silence {
                RecvTimeoutError::Timeout => Silence::Busy,
                RecvTimeoutError::Disconnected => Silence::Gone,
            }
        })
    }

    /// Whether there are requests.
    #[inline]
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    /// The same, for who asks again and again.
    pub(crate) fn wanted(&self) -> &AtomicBool {
        &self.wanted
    }

    /// Does what was asked for. No borrow of the tables is held meanwhile, and no task runs.
    #[cold]
    pub(crate) fn answer(&self, context: &Context) {
        self.wanted.store(false, Ordering::Relaxed);
        // Only what is there now: who asks again and again must not keep the kernel from its tasks.
        let requests = std::mem::take(&mut lock(&self.desk).requests);
        for work in requests {
            contain(|| work(context));
        }
    }

    /// The kernel ends (M5).
    pub(crate) fn close(&self) {
        let mut desk = lock(&self.desk);
        desk.closed = true;
        let requests = std::mem::take(&mut desk.requests);
        drop(desk);
        drop(requests);
    }
}
