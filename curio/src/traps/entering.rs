//! How an operation begins to wait, and what it meets when it is polled again and cannot complete.

use std::cell::RefMut;
use std::panic::Location;
use std::task::Context as TaskContext;

use super::{Label, Waiting};
use crate::context::{self, Context};
use crate::error::{Error, Result};
use crate::key::{Key, NONE};
use crate::tables::Tables;
use crate::waits::Armed;
use crate::waker;

/// What is to be done before an operation waits: puts it on the lists that will wake it.
type Arm<'a> = &'a mut dyn FnMut(&mut Tables, u32) -> Armed;

impl Waiting {
    pub(super) fn trap_unasked(
        &mut self,
        cx: &mut TaskContext<'_>,
        label: Label,
        place: &'static Location<'static>,
        arm: impl FnOnce(&mut Tables, u32) -> Armed,
    ) -> Result<()> {
        context::with_running(|context, task| {
            let hot = context.hot.replace(false);
            let result = self.enter(context, task, cx, label, place, arm);
            context.hot.set(hot);
            result
        })
    }

    #[inline]
    pub(super) fn trap(
        &mut self,
        cx: &mut TaskContext<'_>,
        label: Label,
        place: &'static Location<'static>,
        arm: impl FnOnce(&mut Tables, u32) -> Armed,
    ) -> Result<()> {
        context::with_running(|context, task| self.enter(context, task, cx, label, place, arm))
    }

    /// The one place where an operation begins to wait, waits on, or is interrupted. `arm` is called if nothing is armed
    /// yet, or not any more.
    #[inline]
    pub(super) fn enter(
        &mut self,
        context: &Context,
        task: Key,
        cx: &mut TaskContext<'_>,
        label: Label,
        place: &'static Location<'static>,
        arm: impl FnOnce(&mut Tables, u32) -> Armed,
    ) -> Result<()> {
        if self.may_begin(context, task, cx) {
            let mut tables = context.tables.borrow_mut();
            let wait = tables.begin_wait(task, context.scope.get(), label, place, arm);
            self.key = Some(wait);
            return Ok(());
        }
        let mut arm = Some(arm);
        let arm: Arm<'_> = &mut |tables, index| arm.take().map_or(Armed::Nothing, |arm| arm(tables, index));
        self.enter_slowly(context, task, cx, label, place, arm)
    }

    /// Nearly always: the operation does not wait yet, nobody interrupts it, all timeouts around it have their scopes, and
    /// no combinator is in between.
    #[inline]
    fn may_begin(&self, context: &Context, task: Key, cx: &TaskContext<'_>) -> bool {
        self.key.is_none()
            && !context.hot.get()
            && context.unopened.get() == 0
            && waker::is_of(task, cx.waker())
    }

    #[inline(never)]
    fn enter_slowly(
        &mut self,
        context: &Context,
        task: Key,
        cx: &mut TaskContext<'_>,
        label: Label,
        place: &'static Location<'static>,
        arm: Arm<'_>,
    ) -> Result<()> {
        let mut tables = context.tables.borrow_mut();
        let mut waiting = NONE;
        if self.key.is_some() {
            match self.find(&tables) {
                Some(index) if tables.waits.get(index).task == task.index() => waiting = index,
                _ => tables = self.move_here(context, tables),
            }
        }
        if waiting != NONE {
            let scope = context.open_scopes(&mut tables, task.index());
            if tables.waits.get(waiting).scope != scope {
                tables.move_wait(waiting, scope);
            }
        }
        if context.hot.get()
            && let Some(error) = Waiting::interruption(context, &mut tables, task.index(), waiting)
        {
            drop(tables);
            self.end();
            return Err(error);
        }
        let own = waker::is_own(context, cx.waker());
        let known = if waiting == NONE {
            let scope = context.open_scopes(&mut tables, task.index());
            let wait = tables.begin_wait(task, scope, label, place, arm);
            self.key = Some(wait);
            waiting = wait.index();
            own
        } else {
            if let Armed::Nothing | Armed::Notified = tables.waits.get(waiting).armed {
                let armed = arm(&mut tables, waiting);
                // It may wait for something else now, as a condition does that has to get its lock back.
                let wait = tables.waits.get_mut(waiting);
                (wait.armed, wait.label, wait.place) = (armed, label, place);
                tables.note(|log, tables| log.wait_again(tables, waiting));
            }
            match &tables.waits.get(waiting).foreign {
                Some(foreign) => foreign.will_wake(cx.waker()),
                None => own,
            }
        };
        drop(tables);
        if !known {
            self.set_waker(context, waiting, cx, own);
        }
        if context.recorder.is_on() {
            context.recorder.waits(waiting, own, label, place);
        }
        Ok(())
    }

    /// What is delivered to an operation that cannot complete; `waiting` is NONE if it does not wait yet.
    fn interruption(context: &Context, tables: &mut Tables, task: u32, waiting: u32) -> Option<Error> {
        if waiting == NONE {
            let scope = context.open_scopes(tables, task);
            return tables.interruption(task, scope, None);
        }
        let wait = tables.waits.get(waiting);
        let (scope, started) = (wait.scope, wait.started);
        let error = tables.interruption(task, scope, Some(started))?;
        tables.note(|log, _| log.interrupted(waiting));
        Some(error)
    }

    /// The operation was moved here from another task, where it had begun to wait.
    #[cold]
    fn move_here<'a>(&mut self, context: &'a Context, tables: RefMut<'a, Tables>) -> RefMut<'a, Tables> {
        drop(tables);
        self.end();
        context.tables.borrow_mut()
    }

    /// Enters the waker of a combinator. Cloning and dropping it is user code, so no borrow is held meanwhile (I2).
    #[cold]
    fn set_waker(&self, context: &Context, index: u32, cx: &TaskContext<'_>, own: bool) {
        let new = (!own).then(|| Box::new(cx.waker().clone()));
        let mut tables = context.tables.borrow_mut();
        let wait = tables.waits.get_mut(index);
        wait.disown();
        let old = std::mem::replace(&mut wait.foreign, new);
        drop(tables);
        drop(old);
    }
}
