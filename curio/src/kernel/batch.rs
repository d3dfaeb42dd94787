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
    pub(super) fn run_batch(&self, count: usize, main: &mut Main<'_>) {
        if self.context.is_plain {
            self.run_plainly(count, main);
        } else {
            self.run_otherwise(count, main);
        }
    }

    /// The same while nobody looks on. True if the main task has ended.
    #[inline(always)]
    pub(super) fn run_plainly(&self, count: usize, main: &mut Main<'_>) -> bool {
        let done = self.run_each_plainly(count, main);
        self.context.task.set(None);
        done
    }

    #[inline(always)]
    fn run_each_plainly(&self, count: usize, main: &mut Main<'_>) -> bool {
        let context = &*self.context;
        let mut left = count;
        while left > 0 {
            let mut tables = context.tables.borrow_mut();
            let Some(Next { key, cell, hot }) = tables.next_ready() else {
                return false;
            };
            if hot {
                context.begin_hot(&mut tables);
            }
            drop(tables);
            left -= 1;
            // Each by itself, so that whether it is hot need not be remembered.
            let done = if hot {
                self.run_as(key, cell, true, main)
            } else {
                self.run_as(key, cell, false, main)
            };
            if done {
                return true;
            }
        }
        false
    }

    /// Runs a task that has something to look at its scopes for.
    #[inline(never)]
    fn run_hot(&self, key: Key, cell: TaskCell, main: &mut Main<'_>) -> bool {
        self.run_as(key, cell, true, main)
    }

    /// Runs a task once. True if the main task has ended.
    #[inline(always)]
    fn run_as(&self, key: Key, cell: TaskCell, hot: bool, main: &mut Main<'_>) -> bool {
        // No borrow is held while the task runs (I2).
        self.context.begin_run(key, hot);
        let waker = waker::new(key);
        let mut cx = TaskContext::from_waker(&waker);
        match cell.run(&mut cx, &mut main.failure) {
            Ran::Pending if hot => self.look_at_boundary(key),
            Ran::Pending => {}
            Ran::Ended => self.remove(key),
            Ran::Otherwise => {
                match main.failure.take() {
                    Some(failure) => self.has_failed(key, failure),
                    None => self.run_main_once(key, hot, main, &mut cx),
                }
                return main.done;
            }
        }
        false
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
        context.task.set(None);
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
            if observed {
                tables.show_running(key.index());
            }
            if hot {
                context.begin_hot(&mut tables);
            }
            drop(tables);
            if WAY == TOLD && recorded {
                hot = self.tell_running(key);
            }
            let done = if hot {
                self.run_hot(key, cell, main)
            } else {
                self.run_as(key, cell, false, main)
            };
            if WAY == TOLD && recorded {
                let mut tables = context.tables.borrow_mut();
                tables.note(|log, tables| log.suspended(tables, key, main.done));
                drop(tables);
                if !main.done {
                    self.answer_looks(main);
                }
            }
            // A task that was looked at may have been the main one.
            if done || WAY == TOLD && main.done {
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
