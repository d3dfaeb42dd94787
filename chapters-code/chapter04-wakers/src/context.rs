//! The kernel as the operations see it: its tables, and which task is running.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use crate::remote::Remote;
use crate::tables::Tables;
use crate::task::TaskId;

/// What a kernel shares with the operations of its tasks.
#[derive(Debug, Default)]
pub(crate) struct Context {
    pub(crate) tables: RefCell<Tables>,
    pub(crate) remote: Arc<Remote>,
    /// The running task.
    pub(crate) task: Cell<Option<TaskId>>,
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<Context>>> = const { RefCell::new(None) };
}

/// Runs this as a part of a task.
pub(crate) fn enter<F, R>(context: &Rc<Context>, task: TaskId, f: F) -> R
where
    F: FnOnce() -> R,
{
    context.task.set(Some(task));
    let before = CURRENT.replace(Some(Rc::clone(context)));
    let result = f();
    CURRENT.set(before);
    context.task.set(None);
    result
}

/// The kernel that runs in this thread, and its running task.
///
/// # Panics
/// Outside of a task.
pub(crate) fn current() -> (Rc<Context>, TaskId) {
    let context = CURRENT.with_borrow(Clone::clone);
    let context = context.expect("only a task can do this, and none is running");
    let task = context.task.get().expect("a task is running");
    (context, task)
}
