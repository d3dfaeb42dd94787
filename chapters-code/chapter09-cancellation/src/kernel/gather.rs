//! What comes from outside of the tasks: wakes from other threads, and timers.
//!
//! When nothing is ready, the kernel sleeps until the next deadline. On the virtual clock it does not sleep: when every task
//! waits, the clock jumps there.

use std::time::Duration;

use super::Kernel;
use crate::context::Clock;

impl Kernel {
    /// Collects what has happened outside: wakes from other threads, and timers.
    pub(super) fn gather(&self) {
        let woken = self.context.remote.drain();
        let mut tables = self.context.tables.borrow_mut();
        woken.into_iter().for_each(|task| tables.schedule(task));
        drop(tables);
        let now = self.context.ticks(self.context.now());
        loop {
            let waker = self.context.tables.borrow_mut().expire_timer(now);
            let Some(waker) = waker else { break };
            waker.wake(); // outside of the borrow (I2)
        }
    }

    /// Nothing is ready: sleeps until somebody was woken or the next deadline has come. False if neither can happen.
    pub(super) fn falls_idle(&self) -> bool {
        let context = &*self.context;
        let mut tables = context.tables.borrow_mut();
        let deadline = tables.timers.next_deadline();
        tables.note(|trace| trace.idle(deadline));
        drop(tables);
        match context.clock {
            Clock::Real => {
                let now = context.ticks(context.now());
                let limit = deadline.map(|deadline| Duration::from_nanos(deadline.saturating_sub(now)));
                context.remote.sleep(limit) || deadline.is_some()
            }
            // A thread that could knock takes no virtual time: it comes first.
            Clock::Virtual if context.remote.sleep(None) => true,
            Clock::Virtual => {
                deadline
                    .into_iter()
                    .for_each(|deadline| context.set_time(deadline));
                deadline.is_some()
            }
        }
    }
}
