//! Looking where a task is, by running it once more, out of turn; see `traceback`.

use std::task::{Context as TaskContext, Waker};

use super::{Kernel, Main};
use crate::cell::{Ran, TaskCell};
use crate::contain::contain;
use crate::key::Key;
use crate::tables::Tables;
use crate::traceback::{Raw, Recording, Request, Subject, outermost};
use crate::waker;

/// How often a task that was woken in the extra run is run again: a combinator that has polled some of its children wakes
/// itself for the others.
const MAX_ROUNDS: usize = 64;

impl Kernel {
    /// Answers those who have asked for tracebacks. Between two runs (B5).
    #[inline]
    pub(super) fn answer_looks(&self, main: &mut Main<'_>) {
        if self.context.recorder.is_asked() {
            self.answer_all(main);
        }
    }

    #[cold]
    #[inline(never)]
    fn answer_all(&self, main: &mut Main<'_>) {
        for Request { task, reply } in self.context.recorder.take_requests() {
            let raw = self.look_at(task, main);
            contain(|| reply(raw));
        }
    }

    /// The traceback of a task. None if there is no such task.
    fn look_at(&self, id: u64, main: &mut Main<'_>) -> Option<Raw> {
        let context = &*self.context;
        let key = context.tables.borrow().find_id(id)?;
        if main.done && main.key == Some(key) {
            // It has ended when it was looked at for another, and is still in the tables.
            return None;
        }
        let subject = Subject::of(context, key)?;
        let mut tables = context.tables.borrow_mut();
        let (waits, slot) = (tables.wait_keys(key.index()), tables.slot(key.index()));
        if slot.is_queued() {
            // B2.
            return Some(Raw::new(subject, Recording::default(), &indices(&waits), &tables));
        }
        let mut mark = 0;
        tables.note(|log, tables| mark = log.begin_look(tables, key.index()));
        // What it waits for is seen now: it may be over after the run, or be something else.
        drop(tables);
        for &wait in &waits {
            self.wake_again(wait);
        }
        context.recorder.start();
        for round in 0..MAX_ROUNDS {
            // B3. Whoever has woken the task means this run.
            let woken = context.tables.borrow_mut().unschedule(key);
            if round > 0 && !woken || !self.run_out_of_turn(key, main) {
                break;
            }
        }
        let recording = context.recorder.stop();
        let mut tables = context.tables.borrow_mut();
        tables.note(|log, tables| log.end_look(tables, key, mark, main.done));
        tables.show_suspended();
        let here = tables.find_task(key).is_some();
        let waits = if here {
            tables.wait_keys(key.index())
        } else {
            Vec::new()
        };
        Some(Raw::new(subject, recording, &indices(&waits), &tables))
    }

    /// Wakes an operation by its own waker, so that a combinator polls it. It keeps the waker: nothing has happened to it.
    fn wake_again(&self, wait: Key) {
        let context = &*self.context;
        let take = |tables: &mut Tables| {
            let index = tables.waits.find(wait)?;
            tables.waits.get_mut(index).foreign.take()
        };
        let Some(waker) = take(&mut context.tables.borrow_mut()) else {
            return;
        };
        contain(|| waker.wake_by_ref());
        let mut waker = Some(waker);
        let mut tables = context.tables.borrow_mut();
        if let Some(index) = tables.waits.find(wait)
            && tables.waits.get(index).foreign.is_none()
            && !tables.waits.get(index).is_idle()
        {
            tables.waits.get_mut(index).foreign = waker.take();
        }
        drop(tables);
        contain(|| drop(waker));
    }

    /// Runs a task that is not queued, with a waker by which it is seen. True if it goes on: then the run is not counted.
    fn run_out_of_turn(&self, key: Key, main: &mut Main<'_>) -> bool {
        let context = &*self.context;
        let mut tables = context.tables.borrow_mut();
        let Some(index) = tables.find_task(key) else {
            return false;
        };
        let hot = tables.slot(index).hot != 0;
        let cell = tables.slot(index).cell.clone();
        if hot {
            // As before any other run (D4).
            tables.debts.clear();
            context.run_epoch.set(tables.epoch);
        }
        tables.show_look(index);
        drop(tables);
        context.begin_run(key, hot);
        let waker = waker::looking(key);
        let pending = outermost(|| self.poll_looked_at(key, &cell, hot, main, &waker));
        if pending {
            cell.header().discount_cycle();
        }
        context.task.set(None);
        pending
    }

    /// As `run_tasks` does it. True if the task goes on.
    fn poll_looked_at(
        &self,
        key: Key,
        cell: &TaskCell,
        hot: bool,
        main: &mut Main<'_>,
        waker: &Waker,
    ) -> bool {
        let boundary = || {
            let mut tables = self.context.tables.borrow_mut();
            let task = tables.find_task(key).filter(|_| hot)?;
            tables.task_boundary(task)
        };
        let mut cx = TaskContext::from_waker(waker);
        let mut failure = None;
        let ran = cell.clone().run(&mut cx, &mut failure);
        match ran {
            Ran::Pending => match boundary() {
                None => return true,
                Some(error) => self.fail(key, error),
            },
            Ran::Ended => self.remove(key),
            Ran::Otherwise => match failure {
                Some(failure) => self.has_failed(key, failure),
                None => {
                    main.done = (main.poll)(&mut cx).is_ready();
                    if !main.done {
                        main.dropped = boundary();
                        main.done = main.dropped.is_some();
                    }
                    return !main.done;
                }
            },
        }
        false
    }
}

fn indices(waits: &[Key]) -> Vec<u32> {
    waits.iter().map(|wait| wait.index()).collect()
}
