//! The end of a kernel: all tasks are asked to end, newest first, and awaited together within a limit; what is left then is
//! dropped where it stands.

use std::task::{Context as TaskContext, Poll};
use std::time::Instant;

use super::{BATCH, Kernel, Main};
use crate::contain::log;
use crate::context::{self, Running};
use crate::error::Result;
use crate::task::drop_task;

/// How many tasks may be spawned during a shutdown for each that was there; with more, one is taken to spawn its like
/// without end.
const MAX_SPAWNED: u64 = 1_000;

/// How often a shutdown looks for tasks that were spawned while it dropped others.
const MAX_ROUNDS: usize = 64;

impl Kernel {
    /// Cancels all tasks, waits for them, drops the rest.
    pub(crate) fn close(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.closed, true) {
            return Ok(());
        }
        let context = self.context.clone();
        let running = Running::enter(&context);
        context.closing.set(true);
        let awaited = match &running {
            Ok(_) if !std::thread::panicking() => self.cancel_all(),
            _ => Ok(()),
        };
        for _ in 0..MAX_ROUNDS {
            context.tell();
            let tasks = context.with_tables(|tables| tables.newest_first());
            if tasks.is_empty() {
                break;
            }
            for task in tasks {
                drop_task(&context, task, "its kernel was shut down");
            }
        }
        // A future whose drop spawns its like would keep us here for ever: it is left where it is.
        let left = context.with_tables(|tables| tables.take_tasks());
        if !left.is_empty() {
            log(format_args!(
                "{} tasks are spawned anew whenever they are dropped; they are leaked",
                left.len()
            ));
            std::mem::forget(left);
        }
        if let Some(activations) = &context.activations {
            activations.end();
        }
        context.drop_belongings();
        context.tables.borrow_mut().forget_sources();
        self.watched = None;
        context.remote.unregister();
        running.map(drop).and(awaited)
    }

    /// All requests first, newest first, then awaited together.
    fn cancel_all(&self) -> Result<()> {
        let context = &*self.context;
        context.with_tables(|tables| {
            for task in tables.newest_first() {
                tables.request_cancel(task.index());
            }
        });
        context.forget_time();
        let until = context.after(context::nanos(self.shutdown_timeout));
        // A clean-up may spawn tasks of its own, but not without end. And the virtual clock stands still while a task only
        // yields, so the real one counts too.
        let tables = context.tables.borrow();
        let last_id = tables.next_id + MAX_SPAWNED * (1 + tables.tasks as u64);
        drop(tables);
        let start = Instant::now();
        let mut none = |_: &mut TaskContext<'_>| Poll::Pending;
        let mut main = Main::new(None, &mut none);
        loop {
            self.run_batch(BATCH, &mut main);
            self.answer_looks(&mut main);
            if context.tables.borrow().tasks == 0 {
                return Ok(());
            }
            context.forget_time();
            if context.now() >= until
                || start.elapsed() >= self.shutdown_timeout
                || context.tables.borrow().next_id > last_id
            {
                break;
            }
            self.gather(true, Some(until))?;
        }
        let limit = self.shutdown_timeout;
        let tables = context.tables.borrow();
        for (task, slot) in tables.all_tasks() {
            let task = tables.describe(task, slot);
            log(format_args!(
                "{task}: did not end within the {limit:?} that a shutdown may take, and is dropped"
            ));
        }
        Ok(())
    }
}
