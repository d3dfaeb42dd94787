//! What comes from outside: wakes from other threads, timers, events of sockets.
//!
//! When nothing is ready, the kernel blocks until the next deadline. On the virtual clock it does not block: when every task
//! waits, the clock jumps there.

use std::cell::RefMut;
use std::time::Duration;

use super::Kernel;
use crate::context::{self, Clock};
use crate::error::{Deadlock, Error, Result};
use crate::tables::Tables;

/// No wait for events is longer than this; selectors do not take any number.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

impl Kernel {
    /// Collects what has happened outside, in a plain kernel that is not called: wakes from other threads, timers, events; and
    /// sleeps until something has, but never while a task is ready.
    #[inline(always)]
    pub(super) fn gather_plainly(&self) -> Result<()> {
        let context = &*self.context;
        if context.remote.may_sleep_on() {
            // Nobody else has anything to do with the tables while this thread sleeps.
            let tables = context.tables.borrow_mut();
            if tables.is_all_run() && tables.timers.is_empty() {
                return self.wait_for_sockets(tables);
            }
        }
        self.gather(true, None)
    }

    /// Nothing else can happen than that sockets become ready, and that somebody rings.
    #[inline(always)]
    fn wait_for_sockets(&self, mut tables: RefMut<'_, Tables>) -> Result<()> {
        let mut selector = self.context.selector.borrow_mut();
        if let Err(error) = selector.poll(None) {
            return Err(Error::Io(error));
        }
        selector.for_each(|source, bits| tables.source_event(source, bits));
        drop(selector);
        if tables.afterwards.is_empty() {
            drop(tables);
        } else {
            context::run_afterwards(tables);
        }
        self.collect_wakes();
        Ok(())
    }

    /// The same in every kernel. Only with `block` it sleeps, and only until `until` has come.
    #[inline(never)]
    pub(super) fn gather(&self, block: bool, until: Option<u64>) -> Result<()> {
        let context = &*self.context;
        context.tell();
        context.forget_time();
        self.collect_wakes();
        let mut tables = context.tables.borrow();
        if let Some(due) = tables.timers.next_deadline() {
            drop(tables);
            self.expire_timers(due);
            tables = context.tables.borrow();
        }
        let ready = tables.ready_tasks() > 0 || context.recorder.is_asked();
        if ready && tables.open_sources == 0 {
            return Ok(());
        }
        let deadline = earlier(tables.timers.next_deadline(), until);
        drop(tables);
        if ready || !block && context.clock == Clock::Real {
            return self.poll(Some(Duration::ZERO));
        }
        match context.clock {
            Clock::Real => {
                if context.activations.is_some() && !self.falls_idle(deadline) {
                    return self.poll(Some(Duration::ZERO));
                }
                let wait =
                    deadline.map(|d| Duration::from_nanos(d.saturating_sub(context.now())).min(LONGEST_WAIT));
                self.poll(wait)?;
                if let Some(due) = deadline {
                    self.expire_timers(due);
                }
            }
            Clock::Virtual => {
                self.poll(Some(Duration::ZERO))?;
                if context.tables.borrow().ready_tasks() > 0 {
                    return Ok(());
                }
                let is_told = context.activations.is_some() && (block || deadline.is_some());
                if is_told && !self.falls_idle(deadline) {
                    return Ok(());
                }
                if context.works_outside() {
                    // Time stands still for a thread that is at work; but a shutdown is bounded by the real one.
                    let wait = until.map(|until| Duration::from_nanos(until.saturating_sub(context.now())));
                    return if block { self.poll(wait) } else { Ok(()) };
                }
                match deadline {
                    Some(deadline) => {
                        context.set_time(deadline);
                        self.expire_timers(deadline);
                    }
                    None if !block => {}
                    None if context.tables.borrow().is_woken_from_outside() => self.poll(None)?,
                    None => {
                        let report = context.tables.borrow().report();
                        return Err(Error::Deadlock(Deadlock::new(format!(
                            "deadlock: every task waits, and nothing can wake one{report}"
                        ))));
                    }
                }
            }
        }
        Ok(())
    }

    /// Tells the activations that nothing is ready, and everything before. False if they have changed that.
    #[cold]
    fn falls_idle(&self, until: Option<u64>) -> bool {
        let context = &*self.context;
        context.tables.borrow_mut().note(|log, _| log.idle(until));
        context.tell();
        context.tables.borrow().ready_tasks() == 0 && !context.recorder.is_asked()
    }

    /// Waits for events, and enters them.
    fn poll(&self, mut timeout: Option<Duration>) -> Result<()> {
        let context = &*self.context;
        if timeout != Some(Duration::ZERO) && !context.remote.fall_asleep() {
            timeout = Some(Duration::ZERO);
        }
        let mut selector = context.selector.borrow_mut();
        let polled = selector.poll(timeout);
        context.forget_time();
        context.with_tables(|tables| {
            selector.for_each(|source, bits| tables.source_event(source, bits));
        });
        drop(selector);
        self.collect_wakes();
        polled.map_err(Error::Io)
    }

    #[inline(always)]
    fn collect_wakes(&self) {
        if self.context.remote.has_mail() {
            self.open_mail();
        }
    }

    #[cold]
    #[inline(never)]
    fn open_mail(&self) {
        self.context.with_tables(|tables| {
            let mut woken = std::mem::take(&mut tables.remote_wakes);
            self.context.remote.drain(&mut woken);
            woken.drain(..).for_each(|task| {
                tables.schedule(task);
                tables.note_ready(task);
            });
            tables.remote_wakes = woken;
        });
        self.context.drop_released();
    }

    /// Wakes those whose time has come, if `due` has, the next deadline.
    #[inline(never)]
    fn expire_timers(&self, due: u64) {
        let context = &*self.context;
        let now = context.now();
        if due <= now {
            context.with_tables(|tables| tables.expire_timers(now));
        }
    }
}

/// The earlier of two deadlines.
fn earlier(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
