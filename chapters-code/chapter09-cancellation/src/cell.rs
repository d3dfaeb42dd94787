//! The task cell: it holds a task's future, and later its result.
//!
//! It is held twice: by the kernel as `Rc<dyn Runnable>` and by the handle as `Rc<dyn Joinable<T>>`. So neither needs to
//! know the other's type parameter: the kernel polls a task without knowing what it will give, and a handle joins a task
//! without knowing what function it runs.
//!
//! ```text
//!             poll
//!   FUTURE ─────────▶ RUNNING ────────────▶ RESULT ──take──▶ TAKEN
//!      ▲                 │  a value, or fail
//!      ╰─────────────────╯
//!            pending
//! ```
//!
//! C1. While the future runs, it is not in the cell. So whatever it does, nobody can poll it a second time meanwhile.
//! C2. A value or an error is in the cell before anybody hears that the task has ended.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::error::{Result, TaskError};
use crate::interrupt::Request;
use crate::name::short_name;
use crate::outcome::{Outcome, Value};
use crate::traps::WaitList;

/// What the kernel and the handle know of a task without knowing its types.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) name: &'static str,
    pub(crate) cycles: Cell<u64>,
    pub(crate) terminated: Cell<bool>,
    pub(crate) joiners: WaitList,
    pub(crate) request: Cell<Request>,
}

enum Stage<F, T> {
    Future(Pin<Box<F>>),
    Running,
    Result(Result<T, TaskError>),
    Taken,
}

pub(crate) struct TaskCell<F: Future<Output: Outcome>> {
    header: Header,
    stage: RefCell<Stage<F, Value<F>>>,
}

/// A task as the kernel sees it.
pub(crate) trait Runnable {
    fn header(&self) -> &Header;
    /// Runs the task once. A value stays in the cell; an error is handed to the kernel, which calls `fail`.
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<()>>;
    /// Ends the task with an error.
    fn fail(&self, error: TaskError);
}

/// A task as its handle sees it.
pub(crate) trait Joinable<T>: Runnable {
    /// The result of a task that has ended, if it was not taken before. An error may be taken again and again.
    fn take(&self) -> Option<Result<T, TaskError>>;
}

impl<F: Future<Output: Outcome>> TaskCell<F> {
    /// A task that will run this future. Without a name, it is called after the function.
    pub(crate) fn new(future: F, name: Option<&'static str>) -> Rc<TaskCell<F>> {
        let header = Header {
            name: name.unwrap_or_else(|| short_name(std::any::type_name::<F>())),
            cycles: Cell::new(0),
            terminated: Cell::new(false),
            joiners: WaitList::new(),
            request: Cell::default(),
        };
        let stage = RefCell::new(Stage::Future(Box::pin(future)));
        Rc::new(TaskCell { header, stage })
    }

    fn put(&self, stage: Stage<F, Value<F>>) {
        // What is dropped here was `Running`, and holds nothing of the user's.
        self.stage.replace(stage);
    }
}

impl<F: Future<Output: Outcome>> Runnable for TaskCell<F> {
    fn header(&self) -> &Header {
        &self.header
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Stage::Future(mut future) = self.stage.replace(Stage::Running) else {
            unreachable!("a task that has ended is in no queue");
        };
        self.header.cycles.update(|cycles| cycles + 1);
        let result = match future.as_mut().poll(cx) {
            Poll::Pending => {
                self.put(Stage::Future(future));
                return Poll::Pending;
            }
            Poll::Ready(output) => output.into_result(),
        };
        drop(future); // what it held is gone before anybody hears of its end
        Poll::Ready(result.map(|value| self.put(Stage::Result(Ok(value)))))
    }

    fn fail(&self, error: TaskError) {
        self.put(Stage::Result(Err(error)));
    }
}

impl<F: Future<Output: Outcome>> Joinable<Value<F>> for TaskCell<F> {
    fn take(&self) -> Option<Result<Value<F>, TaskError>> {
        match self.stage.replace(Stage::Taken) {
            Stage::Result(Err(error)) => {
                self.fail(error.clone());
                Some(Err(error))
            }
            Stage::Result(result) => Some(result),
            _ => None,
        }
    }
}
