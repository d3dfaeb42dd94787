//! Tasks: spawning them, and what their handles can do.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use crate::context::{self, Context};
use crate::remote::TaskWaker;
use crate::tables::Slot;
use crate::traps::{Label, WaitList, Waiting};

/// The number of a task. It is never given to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskId(pub(crate) u64);

/// The handle of a task. Dropping it does nothing to the task.
#[derive(Clone, Debug)]
pub struct Task {
    id: TaskId,
    end: Rc<End>,
}

/// Whether a task has ended, and who waits for that.
#[derive(Debug, Default)]
pub(crate) struct End {
    pub(crate) ended: Cell<bool>,
    pub(crate) joiners: WaitList,
}

/// Starts a task that runs beside this one. It never waits: the new task runs when this one waits.
///
/// # Panics
/// Outside of a task. There, use [`Kernel::spawn`](crate::kernel::Kernel::spawn).
pub fn spawn(name: &'static str, future: impl Future<Output = ()> + 'static) -> Task {
    spawn_in(&context::current().0, name, future)
}

/// Starts a task in this kernel.
pub(crate) fn spawn_in(
    context: &Context,
    name: &'static str,
    future: impl Future<Output = ()> + 'static,
) -> Task {
    let mut tables = context.tables.borrow_mut();
    tables.last_task += 1;
    let id = TaskId(tables.last_task);
    let end = Rc::<End>::default();
    let waker = TaskWaker {
        task: id,
        remote: context.remote.clone(),
    };
    let slot = Slot {
        name,
        future: Some(Box::pin(future)),
        waker: Waker::from(Arc::new(waker)),
        queued: false,
        cycles: 0,
        end: end.clone(),
    };
    slot.waker.wake_by_ref();
    tables.tasks.insert(id, slot);
    Task { id, end }
}

impl Task {
    /// The number of the task.
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// Whether the task has ended.
    pub fn terminated(&self) -> bool {
        self.end.ended.get()
    }

    /// Waits for the task to end.
    pub fn join(&self) -> Join {
        Join {
            task: self.clone(),
            waiting: Waiting::new(),
        }
    }
}

/// Waits for the end of a task; see [`Task::join`].
#[derive(Debug)]
#[must_use = "it does nothing unless it is awaited"]
pub struct Join {
    task: Task,
    waiting: Waiting,
}

impl Future for Join {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let Join { task, waiting } = self.get_mut();
        if task.terminated() {
            waiting.complete();
            return Poll::Ready(());
        }
        waiting.wait_on(&task.end.joiners, cx, Label::TASK_JOIN);
        Poll::Pending
    }
}

/// Lets the others have their turns; see [`yield_now`].
#[derive(Debug)]
#[must_use = "it does nothing unless it is awaited"]
pub struct YieldNow {
    yielded: bool,
}

/// Lets the others have their turns.
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref(); // it need not wait for anybody else
        Poll::Pending
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
