//! How tasks are run: those that are ready, in batches.
//!
//! The loop is the hottest code there is, and most programs have nobody who looks on. So whatever only some want is decided
//! before a batch and not for each run: nearly always tasks are run plainly; else there are two ways through one function that
//! does more.

use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context as TaskContext;

use super::{Kernel, Main};
use crate::cell::{Ran, TaskCell};
use crate::key::Key;
use crate::mirror::Mirror;
use crate::tables::Next;
use crate::waker;

/// How tasks are run if not plainly: a monitor may look on, and sees which task runs;
const SHOWN: u8 = 1;
/// everything is told to somebody, or the order is shuffled.
const TOLD: u8 = 2;

/// Whether a monitor that is not there is wanted.
static NOBODY: AtomicBool = AtomicBool::new(false);

impl Kernel {
    /// Runs up to `count` tasks that are ready. The main task has not ended.
    #[inline(always)]
    pub(super) fn run_batch(&self, count: usize, main: &mut Main<'_>) {
        if self.context.is_plain {
            self.run_plainly(count, main);
        } else {
            self.run_otherwise(count, main);
        }
        self.context.task.set(None);
    }

    /// The same while nobody looks on.
    #[inline(always)]
    fn run_plainly(&self, count: usize, main: &mut Main<'_>) {
        let context = &*self.context;
        let mut left = count;
        while left > 0 {
            let next = context.tables.borrow_mut().next_ready();
            let Some(Next { key, cell, hot }) = next else { break };
            left -= 1;
            if hot {
                if self.run_hot(key, cell, main) {
                    break;
                }
                continue;
            }
            // No borrow is held while the task runs (I2).
            context.begin_run(key, false);
            let waker = waker::new(key);
            let mut cx = TaskContext::from_waker(&waker);
            match cell.run(&mut cx, &mut main.failure) {
                Ran::Pending => {}
                Ran::Ended => self.remove(key),
                Ran::Otherwise => {
                    if self.ran_otherwise(key, false, main, &mut cx) {
                        break;
                    }
                }
            }
        }
    }

    /// Runs a task that has something to look at its scopes for. True if the main task has ended.
    #[inline(never)]
    fn run_hot(&self, key: Key, cell: TaskCell, main: &mut Main<'_>) -> bool {
        let context = &*self.context;
        // Debts of earlier runs have lapsed (D4).
        let mut tables = context.tables.borrow_mut();
        tables.debts.clear();
        context.run_epoch.set(tables.epoch);
        drop(tables);
        context.begin_run(key, true);
        let waker = waker::new(key);
        let mut cx = TaskContext::from_waker(&waker);
        match cell.run(&mut cx, &mut main.failure) {
            Ran::Pending => self.look_at_boundary(key),
            Ran::Ended => self.remove(key),
            Ran::Otherwise => return self.ran_otherwise(key, true, main, &mut cx),
        }
        false
    }

    /// A task has ended without a value; or it is the main task, which is to be run now. True if that has ended.
    #[inline(never)]
    fn ran_otherwise(&self, key: Key, hot: bool, main: &mut Main<'_>, cx: &mut TaskContext<'_>) -> bool {
        match main.failure.take() {
            Some(failure) => self.has_failed(key, failure),
            None => self.run_main_once(key, hot, main, cx),
        }
        main.done
    }

    /// The same in one of the other ways.
    #[inline(never)]
    fn run_otherwise(&self, count: usize, main: &mut Main<'_>) {
        let context = &*self.context;
        let mut left = count;
        while left > 0 && !main.done {
            left = if context.shuffles || self.is_recorded() {
                self.run_tasks::<TOLD>(left, main)
            } else if context.activations.is_some() {
                self.run_tasks::<SHOWN>(left, main)
            } else {
                self.run_plainly(left, main);
                0
            };
        }
    }

    /// The same in one of three ways. Gives how many are still to be run, in another way.
    fn run_tasks<const WAY: u8>(&self, count: usize, main: &mut Main<'_>) -> usize {
        let context = &*self.context;
        let observed = WAY == SHOWN || context.activations.is_some();
        let mut recorded = WAY == TOLD && observed && self.is_recorded();
        let mirror = context.mirror.as_deref().filter(|_| observed);
        let wanted = mirror.map_or(&NOBODY, Mirror::wanted);
        let mut left = count;
        while left > 0 {
            if wanted.load(Ordering::Relaxed) {
                recorded = self.answer(main);
                // The main task was looked at, and has ended; or there is more to do from now on.
                if main.done || recorded && WAY == SHOWN {
                    break;
                }
            }
            let mut tables = context.tables.borrow_mut();
            if WAY == TOLD {
                if recorded {
                    tables.note_queue();
                }
                tables.draw();
            }
            let Some(Next { key, cell, mut hot }) = tables.next_ready() else {
                left = 0;
                break;
            };
            left -= 1;
            if hot {
                // Debts of earlier runs have lapsed (D4).
                tables.debts.clear();
                context.run_epoch.set(tables.epoch);
            }
            if observed {
                tables.show_running(key.index());
            }
            drop(tables);
            if WAY == TOLD && recorded {
                hot = self.tell_running(key);
            }
            // No borrow is held while the task runs (I2).
            context.begin_run(key, hot);
            let waker = waker::new(key);
            let mut cx = TaskContext::from_waker(&waker);
            let ran = cell.run(&mut cx, &mut main.failure);
            match ran {
                Ran::Pending if hot => self.look_at_boundary(key),
                Ran::Pending => {}
                Ran::Ended => self.remove(key),
                Ran::Otherwise => _ = self.ran_otherwise(key, hot, main, &mut cx),
            }
            if WAY == TOLD && recorded {
                let mut tables = context.tables.borrow_mut();
                tables.note(|log, tables| log.suspended(tables, key, main.done));
                drop(tables);
                if !main.done {
                    self.answer_looks(main);
                }
            }
            // A task that was looked at may have been the main one.
            if (ran == Ran::Otherwise || WAY == TOLD) && main.done {
                break;
            }
        }
        if observed {
            context.tables.borrow_mut().show_suspended();
            self.answer(main);
        }
        left
    }

    /// Whether everything is to be told to somebody.
    fn is_recorded(&self) -> bool {
        self.context.tables.borrow().is_recorded()
    }

    /// Does what a monitor has asked for. True if everything is to be told to somebody from now on.
    #[cold]
    #[inline(never)]
    fn answer(&self, main: &mut Main<'_>) -> bool {
        let context = &*self.context;
        if let Some(mirror) = &context.mirror
            && mirror.is_wanted()
        {
            context.task.set(None);
            context.tables.borrow_mut().show_suspended();
            mirror.answer(context);
            if !main.done {
                self.answer_looks(main);
            }
            // That may have taken long.
            context.forget_time();
        }
        self.is_recorded()
    }

    /// Tells the activations that a task runs, and everything before. What they do may concern it: gives whether it has
    /// anything to look at its scopes for.
    #[cold]
    fn tell_running(&self, key: Key) -> bool {
        let mut tables = self.context.tables.borrow_mut();
        tables.note(|log, tables| log.running(tables, key.index()));
        drop(tables);
        self.context.tell();
        self.context.is_hot(key)
    }
}
