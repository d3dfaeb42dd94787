//! The main task of a run: how it is run, and how it ends.
//!
//! To all others it is a task like any. But its future need not be `'static`, and its result is nobody's but the caller's; so it
//! stays on the stack of the run, and in the tables is a cell that stands for it.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Instant;

use super::ending::at_task_edge;
use super::{BATCH, Dumps, Exits, Kernel};
use crate::activation::Ending;
use crate::cell::{Failure, TaskCell};
use crate::context::{self, Running};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::outcome::{Outcome, Value};

/// The main task of a run. Its future is not in a task cell, because it need not be `'static`.
pub(super) struct Main<'a> {
    pub(super) key: Option<Key>,
    pub(super) poll: &'a mut dyn FnMut(&mut TaskContext<'_>) -> Poll<()>,
    pub(super) done: bool,
    /// Why the task that has run last has no value. For a moment only; it is here so that not every batch has to clear it.
    pub(super) failure: Option<Failure>,
    /// The interruption for which the kernel ended it, if its future could not take it (`interrupt`, D6).
    pub(super) dropped: Option<Error>,
}

impl<'a> Main<'a> {
    pub(super) fn new(
        key: Option<Key>,
        poll: &'a mut dyn FnMut(&mut TaskContext<'_>) -> Poll<()>,
    ) -> Main<'a> {
        Main {
            key,
            poll,
            done: false,
            failure: None,
            dropped: None,
        }
    }
}

impl Kernel {
    /// Runs the main task; its panic is given back.
    pub(super) fn run_main<F>(
        &self,
        main: F,
        spawned: &'static Location<'static>,
    ) -> Result<Result<Value<F>>, Box<dyn Any + Send>>
    where
        F: Future<Output: Outcome>,
    {
        let running = match Running::enter(&self.context) {
            Ok(running) => running,
            Err(error) => return Ok(Err(error)),
        };
        let context = &*self.context;
        let cell = TaskCell::for_main(std::any::type_name::<F>(), &context.memory);
        let (key, _) = context.with_tables(|tables| tables.add_task(cell.clone(), spawned));
        let mut future = pin!(Some(main));
        let mut output = None;
        let mut poll = |cx: &mut TaskContext<'_>| {
            let Some(main) = future.as_mut().as_pin_mut() else {
                return Poll::Ready(());
            };
            match catch_unwind(AssertUnwindSafe(|| main.poll(cx))) {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(value)) => output = Some(Ok(value.into_result())),
                Err(panic) => output = Some(Err(panic)),
            }
            Poll::Ready(())
        };
        let mut main = Main::new(Some(key), &mut poll);
        let driven = self.drive(&mut main);
        let boundary = main.dropped.take();
        // Whatever has happened, the main future ends here, before the task leaves the tables.
        let dropped = catch_unwind(AssertUnwindSafe(|| future.set(None)));
        cell.end_main();
        let cancelled = context.with_tables(|tables| {
            let cancelled = cell.header().was_told();
            let ending = main_ending(cancelled, boundary.as_ref(), output.as_ref());
            tables.note(|log, tables| log.ends(tables, key, ending, None));
            cancelled
        });
        drop(context.remove_task(key));
        context.tell();
        // A second request for the end was made on the way to it.
        context.exit.set(None);
        drop(running);
        dropped?;
        Ok(match (driven, boundary, output) {
            (Err(error), ..) => Err(error),
            (Ok(()), None, Some(Ok(Ok(value)))) => Ok(value),
            (Ok(()), None, Some(Ok(Err(error)))) | (Ok(()), Some(error), _) => {
                Err(at_task_edge(error, cancelled).0)
            }
            (Ok(()), None, Some(Err(panic))) => return Err(panic),
            (Ok(()), None, None) => Err(Error::NoKernel),
        })
    }

    /// Runs everything until the main task has ended.
    fn drive(&self, main: &mut Main<'_>) -> Result<()> {
        let context = &*self.context;
        let mut exits = Some(Exits::watch(&self.exit_on, &context.remote)?);
        let dumps = Dumps::watch(&self.dump_on, context)?;
        let mut exit: Option<(i32, u64, Instant)> = None;
        // Nearly always there is nobody who watches for signals, or looks on.
        let mut is_usual = context.is_plain && self.exit_on.is_empty() && self.dump_on.is_empty();
        loop {
            if is_usual {
                self.turn_plainly(main)?;
            } else {
                self.run_batch(BATCH, main);
            }
            if !main.done {
                dumps.answer(context);
                self.answer_looks(main);
            }
            if let Some(signals) = &exits
                && let Some(code) = context.exit.take().or_else(|| signals.code())
            {
                (exits, is_usual) = (None, false);
                // Somebody asked for the end. The main task is told as any other, and has as long.
                context.forget_time();
                let until = context.after(context::nanos(self.shutdown_timeout));
                exit = Some((code, until, Instant::now()));
                if let Some(key) = main.key.filter(|_| !main.done) {
                    context.with_tables(|tables| tables.request_cancel(key.index()));
                }
            }
            if main.done {
                break;
            }
            self.gather(true, exit.map(|(_, until, _)| until))?;
            if exit.is_some_and(|(_, until, since)| {
                context.now() >= until || since.elapsed() >= self.shutdown_timeout
            }) {
                break;
            }
        }
        exit.map_or(Ok(()), |(code, ..)| Err(Error::Exit(code)))
    }

    /// Runs everything until the main task has ended, or somebody calls, in a plain kernel.
    #[inline(never)]
    fn turn_plainly(&self, main: &mut Main<'_>) -> Result<()> {
        loop {
            if self.run_plainly(BATCH, main) || self.context.is_called() {
                return Ok(());
            }
            self.gather_plainly()?;
        }
    }

    #[inline(never)]
    pub(super) fn run_main_once(&self, key: Key, hot: bool, main: &mut Main<'_>, cx: &mut TaskContext<'_>) {
        main.done = (main.poll)(cx).is_ready();
        if hot && !main.done {
            main.dropped = self.context.tables.borrow_mut().task_boundary(key.index());
            main.done = main.dropped.is_some();
        }
    }
}

/// How the main task has ended, for the activations: `boundary` is the interruption for which the kernel has ended it.
fn main_ending<T>(
    cancelled: bool,
    boundary: Option<&Error>,
    output: Option<&Result<Result<T>, Box<dyn Any + Send>>>,
) -> Ending {
    match (boundary, output) {
        (None, Some(Ok(Ok(_)))) => Ending::Value,
        (Some(error), _) | (None, Some(Ok(Err(error)))) => match error {
            Error::Exit(_) => Ending::Exit,
            Error::Cancelled(_) if cancelled => Ending::Cancelled,
            _ => Ending::Failed,
        },
        (None, Some(Err(_))) => Ending::Panicked,
        (None, None) => Ending::Dropped,
    }
}
