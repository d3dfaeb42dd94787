//! Tasks: spawning them, and what their handles can do.

use std::fmt;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context as TaskContext, Poll};

use crate::cell::{Joinable, TaskCell};
use crate::context::{self, Context};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::outcome::{Outcome, Value};
use crate::state::State;
use crate::traps::{Label, Waiting};
use crate::waker;

/// Starts a task that runs beside this one. It never waits: the new task runs when this one waits.
///
/// # Panics
/// If no kernel runs in this thread. Outside of one, use [`Kernel::spawn`](crate::Kernel::spawn).
pub fn spawn<F>(future: F) -> Task<Value<F>>
where
    F: Future<Output: Outcome> + 'static,
{
    spawn_in(&here(), future, None)
}

/// Prepares a task, to give it a name before it is spawned. Without one, it is called after its function.
pub fn task<F>(future: F) -> TaskBuilder<F>
where
    F: Future<Output: Outcome> + 'static,
{
    TaskBuilder { future, name: None }
}

/// A task that is not spawned yet; see [`task`].
#[must_use = "the task does not run unless it is spawned"]
pub struct TaskBuilder<F> {
    future: F,
    name: Option<&'static str>,
}

impl<F> TaskBuilder<F>
where
    F: Future<Output: Outcome> + 'static,
{
    /// The name that reports show.
    pub fn name(mut self, name: &'static str) -> Self {
        self.name = Some(name);
        self
    }

    /// Starts the task.
    ///
    /// # Panics
    /// As for [`spawn`].
    pub fn spawn(self) -> Task<Value<F>> {
        spawn_in(&here(), self.future, self.name)
    }
}

fn here() -> Rc<Context> {
    context::kernel().expect("no kernel runs in this thread: spawn inside of a task, or use Kernel::spawn")
}

/// Starts a task in this kernel.
pub(crate) fn spawn_in<F>(context: &Rc<Context>, future: F, name: Option<&'static str>) -> Task<Value<F>>
where
    F: Future<Output: Outcome> + 'static,
{
    let cell = TaskCell::new(future, name);
    let waker = |key| waker::new(key, context.remote.clone());
    let key = context.tables.borrow_mut().add_task(cell.clone(), waker);
    Task {
        cell,
        context: Rc::downgrade(context),
        key,
    }
}

/// The handle of a task. Dropping it detaches the task: it goes on by itself.
pub struct Task<T> {
    pub(crate) cell: Rc<dyn Joinable<T>>,
    pub(crate) context: Weak<Context>,
    pub(crate) key: Key,
}

impl<T> Task<T> {
    /// Waits for the task to end and gives its value. The first join that completes takes the value out.
    ///
    /// # Errors
    /// [`Error::Task`] if the task failed or panicked. [`Error::AlreadyJoined`] if the value was taken.
    /// [`Error::NoKernel`] outside of a task.
    pub fn join(&self) -> Join<'_, T> {
        Join {
            task: self,
            waiting: Waiting::new(),
        }
    }

    /// Whether the task has ended.
    pub fn terminated(&self) -> bool {
        self.cell.header().terminated.get()
    }

    /// The task's number. It is never given to another one.
    pub fn id(&self) -> u64 {
        self.key.serial
    }

    /// The task's name: that of its function, or what [`TaskBuilder::name`] said.
    pub fn name(&self) -> &str {
        self.cell.header().name
    }

    /// How often the task was run.
    pub fn cycles(&self) -> u64 {
        self.cell.header().cycles.get()
    }

    /// What the task is doing. If it waits for several things, what it began to wait for last.
    pub fn state(&self) -> State {
        match self.context.upgrade() {
            Some(context) if context.task.get() == Some(self.key) => State::Running,
            Some(context) => {
                let states = context.tables.borrow().states(self.key);
                states.last().map_or(State::Terminated, |state| *state)
            }
            None => State::Terminated,
        }
    }
}

/// Waits for the end of a task; see [`Task::join`].
#[derive(Debug)]
#[must_use = "it does nothing unless it is awaited"]
pub struct Join<'a, T> {
    task: &'a Task<T>,
    waiting: Waiting,
}

impl<T> Future for Join<'_, T> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<T>> {
        let Join { task, waiting } = self.get_mut();
        if task.terminated() {
            waiting.complete();
            let result = task.cell.take().ok_or(Error::AlreadyJoined);
            return Poll::Ready(result.and_then(|result| result.map_err(Error::Task)));
        }
        match waiting.wait_on(&task.cell.header().joiners, cx, Label::TASK_JOIN) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl<F> fmt::Debug for TaskBuilder<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskBuilder")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, name, state) = (self.id(), self.name(), self.state().as_str());
        write!(f, "Task(id={id}, name='{name}', state='{state}')")
    }
}
