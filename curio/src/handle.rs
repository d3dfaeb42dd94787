//! What is the same for all handles of a task, whether they know the type of its value or not.
//!
//! A [`Task<T>`](crate::Task) can be joined, and so there is one for each owner of the value; a [`TaskRef`] can do
//! everything else and be cloned. Both are a [`Handle`], which differs only in what it knows of the cell. (Rejected: a
//! `Task` that dereferences to a `TaskRef` inside it. It would hold the cell twice, and `task.clone()` would silently give
//! something that cannot be joined.)
//!
//! H1. A handle keeps the cell alive and the kernel not: what it asks of the tables, it asks by key.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Weak;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use crate::cell::{Header, TaskCell, ValueCell};
use crate::context::{self, Context};
use crate::error::{Result, TaskError};
use crate::key::Key;
use crate::name::{Name, short_name};
use crate::state::State;
use crate::traceback::TakeTraceback;
use crate::traps::{self, Waiting};
use crate::waits::Label;

/// A task, from outside.
pub(crate) struct Handle<C> {
    pub(crate) cell: C,
    pub(crate) context: Weak<Context>,
    pub(crate) key: Key,
    pub(crate) id: u64,
    pub(crate) spawned: &'static Location<'static>,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) daemon: bool,
}

impl<C> Handle<C> {
    fn with_cell<D>(&self, cell: D) -> Handle<D> {
        Handle {
            cell,
            context: self.context.clone(),
            key: self.key,
            id: self.id,
            spawned: self.spawned,
            name: self.name.clone(),
            daemon: self.daemon,
        }
    }
}

impl<T> Handle<ValueCell<T>> {
    pub(crate) fn reference(&self) -> TaskRef {
        TaskRef {
            handle: self.with_cell(self.cell.as_ref().clone()),
        }
    }

    /// See [`ValueCell::take`].
    #[inline]
    pub(crate) fn take(&self) -> Option<Result<T, TaskError>> {
        self.cell.take(self.id, self.spawned)
    }

    /// See [`ValueCell::inspect`].
    pub(crate) fn inspect(&self, look: fn(&T) -> bool) -> Option<Result<bool, TaskError>> {
        self.cell.inspect(self.id, self.spawned, look)
    }
}

impl<C: Clone> Clone for Handle<C> {
    fn clone(&self) -> Handle<C> {
        self.with_cell(self.cell.clone())
    }
}

impl<C: AsRef<TaskCell>> Handle<C> {
    pub(crate) fn header(&self) -> &Header {
        self.cell.as_ref().header()
    }

    pub(crate) fn name(&self) -> &str {
        match &self.name {
            Some(name) => name,
            None => short_name(self.cell.as_ref().type_name()),
        }
    }

    pub(crate) fn state(&self) -> State {
        match self.context.upgrade() {
            Some(context) if !self.header().terminated() => context.state(self.key),
            _ => State::Terminated,
        }
    }

    pub(crate) fn places(&self) -> Vec<(Label, &'static Location<'static>)> {
        let Some(context) = self.context.upgrade() else {
            return Vec::new();
        };
        let tables = context.tables.borrow();
        tables
            .find_task(self.key)
            .map_or(Vec::new(), |task| tables.places(task))
    }

    pub(crate) fn traceback(&self, place: &'static Location<'static>) -> TakeTraceback<'_> {
        TakeTraceback::new(&self.context, self.key, self.id, self.name(), place)
    }

    pub(crate) fn request_cancel(&self) {
        request_cancel(&self.context, self.key);
    }

    pub(crate) fn wait(&self, place: &'static Location<'static>) -> Wait<'_> {
        Wait {
            header: self.header(),
            key: self.key,
            end: End::new(place),
        }
    }

    pub(crate) fn cancel(&self, place: &'static Location<'static>) -> Cancel<'_> {
        Cancel {
            wait: self.wait(place),
            requested: false,
        }
    }
}

impl<C: AsRef<TaskCell>> fmt::Debug for Handle<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, name, state) = (self.id, self.name(), self.state());
        write!(f, "Task(id={id}, name='{name}', state='{state}')")
    }
}

/// The same, and where it waits; if for several things, where it began to wait last.
impl<C: AsRef<TaskCell>> fmt::Display for Handle<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")?;
        match self.places().last() {
            Some((_, place)) => write!(f, " at {}:{}", place.file(), place.line()),
            None => Ok(()),
        }
    }
}

/// The task that is running (Python Curio: `current_task`). It never waits.
///
/// # Panics
///
/// Outside of a task: there is none to speak of.
///
/// ```
/// use curio::{current_task, run, spawn};
///
/// run(async {
///     let kid = spawn(async { Ok(current_task().id()) });
///     assert_eq!(kid.join().await?, kid.id());
///     Ok(())
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn current_task() -> TaskRef {
    match running_task() {
        Some(handle) => TaskRef { handle },
        None => {
            panic!(
                "no task is running here: call current_task in a future that was given to curio::run or spawn"
            )
        }
    }
}

fn running_task() -> Option<Handle<TaskCell>> {
    context::with(|context| {
        let context = context?;
        let key = context.task.get()?;
        let tables = context.tables.borrow();
        let slot = tables.slot(tables.find_task(key)?);
        Some(Handle {
            cell: slot.cell.clone(),
            context: context.weak(),
            key,
            id: slot.id(),
            spawned: slot.spawned,
            name: match tables.name(slot) {
                Name::Given(name) => Some(name),
                Name::OfType(_) => None,
            },
            daemon: slot.is_daemon(),
        })
    })
}

/// A reference to a task that does not know the type of its value: it cannot join, but be cloned and kept in lists.
///
/// Dropping it does nothing to the task. [`current_task`] and [`Task::reference`](crate::Task::reference) give one.
///
/// ```
/// use curio::{TaskRef, current_task, run, sleep, spawn};
/// use std::time::Duration;
///
/// run(async {
///     let kids: Vec<TaskRef> = vec![
///         spawn(async { Ok("a string") }).reference(),
///         spawn(sleep(Duration::from_secs(1000))).reference(),
///     ];
///     for kid in &kids {
///         kid.cancel().await?;
///         assert!(kid.terminated());
///     }
///     current_task().cancel_nowait(); // a task may ask for its own end
///     assert!(sleep(Duration::from_secs(1000)).await.is_err());
///     Ok(())
/// })
/// .unwrap();
/// ```
#[derive(Clone)]
pub struct TaskRef {
    handle: Handle<TaskCell>,
}

impl TaskRef {
    /// The task's number in its kernel; see [`Task::id`](crate::Task::id).
    ///
    /// ```
    /// curio::run(async { assert_eq!(curio::current_task().id(), 3) }).unwrap();
    /// ```
    pub fn id(&self) -> u64 {
        self.handle.id
    }

    /// The task's name; see [`Task::name`](crate::Task::name).
    ///
    /// ```
    /// async fn kid() -> curio::Result<String> {
    ///     Ok(curio::current_task().name().to_string())
    /// }
    /// assert_eq!(curio::run(kid()).unwrap(), "kid");
    /// ```
    pub fn name(&self) -> &str {
        self.handle.name()
    }

    /// What the task is doing; see [`Task::state`](crate::Task::state).
    ///
    /// ```
    /// curio::run(async { assert_eq!(curio::current_task().state(), curio::State::Running) }).unwrap();
    /// ```
    pub fn state(&self) -> State {
        self.handle.state()
    }

    /// The operations in which the task waits; see [`Task::where_`](crate::Task::where_).
    ///
    /// ```
    /// curio::run(async { assert!(curio::current_task().where_().is_empty()) }).unwrap();
    /// ```
    pub fn where_(&self) -> Vec<(Label, &'static Location<'static>)> {
        self.handle.places()
    }

    /// The calls in which the task is; see [`Task::traceback`](crate::Task::traceback).
    ///
    /// *Waits* until the kernel has no task running. *Interrupted* by cancellation and timeouts.
    ///
    /// # Errors
    ///
    /// As for [`Task::traceback`](crate::Task::traceback).
    ///
    /// ```
    /// curio::run(async {
    ///     println!("{}", curio::current_task().traceback().await?);
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn traceback(&self) -> TakeTraceback<'_> {
        self.handle.traceback(Location::caller())
    }

    /// How often the task was run; see [`Task::cycles`](crate::Task::cycles).
    ///
    /// ```
    /// curio::run(async { assert_eq!(curio::current_task().cycles(), 1) }).unwrap();
    /// ```
    pub fn cycles(&self) -> u64 {
        self.handle.header().cycles()
    }

    /// Whether the task was spawned as a daemon.
    ///
    /// ```
    /// curio::run(async { assert!(!curio::current_task().is_daemon()) }).unwrap();
    /// ```
    pub fn is_daemon(&self) -> bool {
        self.handle.daemon
    }

    /// Whether somebody has asked for the task's cancellation; see [`Task::cancelled`](crate::Task::cancelled).
    ///
    /// ```
    /// curio::run(async { assert!(!curio::current_task().cancelled()) }).unwrap();
    /// ```
    pub fn cancelled(&self) -> bool {
        self.handle.header().cancelled()
    }

    /// Whether the task has ended.
    ///
    /// ```
    /// curio::run(async { assert!(!curio::current_task().terminated()) }).unwrap();
    /// ```
    pub fn terminated(&self) -> bool {
        self.handle.header().terminated()
    }

    /// Waits for the task to end; see [`Task::wait`](crate::Task::wait).
    ///
    /// *Waits* until the task has ended. *Interrupted* by cancellation and timeouts; that does not touch the task.
    ///
    /// # Errors
    ///
    /// As for [`Task::wait`](crate::Task::wait).
    ///
    /// ```
    /// curio::run(async {
    ///     let kid = curio::spawn(async {}).reference();
    ///     kid.wait().await
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn wait(&self) -> Wait<'_> {
        self.handle.wait(Location::caller())
    }

    /// Cancels the task and waits until it has ended; see [`Task::cancel`](crate::Task::cancel).
    ///
    /// *Waits* until the task has ended. *Interrupted* by cancellation and timeouts; the request stays in force.
    ///
    /// # Errors
    ///
    /// As for [`Task::cancel`](crate::Task::cancel).
    ///
    /// ```
    /// curio::run(async {
    ///     let kid = curio::spawn(std::future::pending::<()>()).reference();
    ///     kid.cancel().await
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn cancel(&self) -> Cancel<'_> {
        self.handle.cancel(Location::caller())
    }

    /// Asks for the task's cancellation and goes on; see [`Task::cancel_nowait`](crate::Task::cancel_nowait).
    ///
    /// ```
    /// curio::run(async {
    ///     let me = curio::current_task();
    ///     me.cancel_nowait();
    ///     assert!(me.cancelled());
    /// })
    /// .unwrap();
    /// ```
    pub fn cancel_nowait(&self) {
        self.handle.request_cancel();
    }
}

impl fmt::Debug for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.handle)
    }
}

impl fmt::Display for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.handle)
    }
}

/// Waits for the end of a task: what all operations on tasks are made of.
pub(crate) struct End {
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl End {
    #[inline]
    pub(crate) fn new(place: &'static Location<'static>) -> End {
        End {
            waiting: Waiting::new(),
            place,
        }
    }

    /// `header` and `key` are the task's.
    #[inline(always)]
    pub(crate) fn poll(&mut self, header: &Header, key: Key, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        if !header.terminated() {
            return self.wait(key, cx);
        }
        if self.waiting.is_waiting() {
            self.waiting.complete_notified();
        } else {
            ready!(traps::poll_budget(cx));
        }
        Poll::Ready(Ok(()))
    }

    #[inline(never)]
    fn wait(&mut self, key: Key, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        match self.waiting.wait_on_task(key, cx, self.place) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

fn request_cancel(context: &Weak<Context>, task: Key) {
    if let Some(context) = context.upgrade() {
        context.interrupting(|tables| {
            if let Some(task) = tables.find_task(task) {
                tables.request_cancel(task);
            }
        });
    }
}

/// The operation of [`Task::wait`](crate::Task::wait) and [`TaskRef::wait`].
#[must_use = "it does nothing unless it is awaited"]
pub struct Wait<'a> {
    header: &'a Header,
    key: Key,
    end: End,
}

/// The operation of [`Task::cancel`](crate::Task::cancel) and [`TaskRef::cancel`].
#[must_use = "it does nothing unless it is awaited"]
pub struct Cancel<'a> {
    wait: Wait<'a>,
    requested: bool,
}

impl Wait<'_> {
    #[inline]
    fn look(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        self.end.poll(self.header, self.key, cx)
    }
}

impl Future for Wait<'_> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        self.look(cx)
    }
}

impl Future for Cancel<'_> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        if !self.requested && !self.wait.header.terminated() {
            let task = self.wait.key;
            let requested = context::with_task(|context, _| {
                context.may_wait_for(task)?;
                // It is another one: the running task is not interrupted by this.
                context.with_tables(|tables| {
                    if let Some(task) = tables.find_task(task) {
                        tables.request_cancel(task);
                    }
                });
                Ok(())
            });
            if let Err(error) = requested {
                return Poll::Ready(Err(error));
            }
            self.requested = true;
        }
        self.wait.look(cx)
    }
}

impl fmt::Debug for Wait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait")
            .field("waiting", &self.end.waiting)
            .finish()
    }
}

impl fmt::Debug for Cancel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancel")
            .field("requested", &self.requested)
            .finish()
    }
}
