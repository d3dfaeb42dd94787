//! The low level: how an operation waits.
//!
//! Python Curio called a request to its kernel a *trap*, and so do we. There is one: "I cannot go on; wake me when this
//! happens". Everything that waits in this crate waits through [`Waiting`], and so can primitives of your own: they are
//! then interrupted, timed out and shown in reports like ours.
//!
//! An operation is a future that holds a [`Waiting`]. When it is polled, it first looks whether it can complete. If so it
//! calls [`Waiting::complete`] and is ready. If not, it calls [`Waiting::wait_on`] and returns `Pending`, or resolves to
//! the error that this gives: that is how an interruption is delivered.
//!
//! # Example: an event
//!
//! ```
//! use curio::traps::{Label, WaitList, Waiting};
//! use curio::{Result, run, spawn, yield_now};
//! use std::cell::Cell;
//! use std::future::Future;
//! use std::panic::Location;
//! use std::pin::Pin;
//! use std::rc::Rc;
//! use std::task::{Context, Poll};
//!
//! #[derive(Default)]
//! struct Event {
//!     set: Cell<bool>,
//!     waiters: WaitList,
//! }
//!
//! impl Event {
//!     fn set(&self) {
//!         self.set.set(true);
//!         self.waiters.notify_all();
//!     }
//!
//!     #[track_caller]
//!     fn wait(&self) -> Wait<'_> {
//!         Wait { event: self, waiting: Waiting::new(), place: Location::caller() }
//!     }
//! }
//!
//! struct Wait<'a> {
//!     event: &'a Event,
//!     waiting: Waiting,
//!     place: &'static Location<'static>,
//! }
//!
//! impl Future for Wait<'_> {
//!     type Output = Result<()>;
//!
//!     fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
//!         let this = self.get_mut();
//!         if this.event.set.get() {
//!             this.waiting.complete();
//!             return Poll::Ready(Ok(()));
//!         }
//!         const EVENT_WAIT: Label = Label::new(&"EVENT_WAIT");
//!         match this.waiting.wait_on(&this.event.waiters, cx, EVENT_WAIT, this.place) {
//!             Ok(()) => Poll::Pending,
//!             Err(e) => Poll::Ready(Err(e)),
//!         }
//!     }
//! }
//!
//! run(async {
//!     let door = Rc::new(Event::default());
//!     let kid = spawn({
//!         let door = door.clone();
//!         async move { door.wait().await }
//!     });
//!     yield_now().await?;
//!     door.set();
//!     kid.join().await
//! })
//! .unwrap();
//! ```

use std::cell::{Cell, RefCell, RefMut};
use std::fmt;
use std::io;
use std::panic::Location;
use std::rc::Weak;
use std::task::{Context as TaskContext, Poll};

use crate::activation::Left;
use crate::context::{self, Context};
use crate::error::{Busy, Error, Result};
use crate::key::{Key, NONE};
use crate::readiness::Direction;
use crate::tables::Tables;
use crate::waits::Armed;
use crate::waker;

pub use crate::waits::Label;

/// The waiting side of one operation: its node in the kernel while it waits, and nothing before and after.
///
/// Dropping it while it waits takes the operation off every list. It holds a key and no pointer, so it is `Send + Sync`;
/// used where its kernel does not run, it gives [`Error::NoKernel`], and dropped there, it does nothing.
///
/// See the [module's documentation](self) for an example.
#[derive(Default)]
pub struct Waiting {
    key: Option<Key>,
}

impl Waiting {
    /// An operation that does not wait yet.
    ///
    /// ```
    /// assert!(!curio::traps::Waiting::new().is_notified());
    /// ```
    pub const fn new() -> Waiting {
        Waiting { key: None }
    }

    /// Whether the operation has begun to wait and is not over.
    pub(crate) fn is_waiting(&self) -> bool {
        self.key.is_some()
    }

    /// Whether the operation was chosen to be woken by its [`WaitList`].
    ///
    /// An operation that is dropped in this state should pass the wake-up on, if it was meant for one.
    ///
    /// ```
    /// assert!(!curio::traps::Waiting::new().is_notified());
    /// ```
    pub fn is_notified(&self) -> bool {
        context::with(|context| {
            let Some(context) = context else { return false };
            let tables = context.tables.borrow();
            let index = self.find(&tables);
            index.is_some_and(|index| tables.waits.get(index).armed == Armed::Notified)
        })
    }

    /// The operation cannot complete: it waits, until something wakes `cx` or the task is interrupted.
    ///
    /// `label` and `place` are what reports show.
    ///
    /// # Errors
    ///
    /// The interruption that concerns this operation; it does not wait any more then, and should resolve to the error.
    /// [`Error::NoKernel`] outside of a task.
    ///
    /// ```
    /// use curio::traps::{Label, Waiting};
    /// use std::task::Poll;
    ///
    /// // Waits until it is cancelled.
    /// let kernel = curio::Kernel::builder().clock(curio::Clock::Virtual).build().unwrap();
    /// let r = kernel.run(async {
    ///     let mut waiting = Waiting::new();
    ///     let place = std::panic::Location::caller();
    ///     let forever = std::future::poll_fn(move |cx| {
    ///         match waiting.wait(cx, Label::new(&"FOREVER"), place) {
    ///             Ok(()) => Poll::Pending,
    ///             Err(e) => Poll::Ready(Err::<(), _>(e)),
    ///         }
    ///     });
    ///     curio::timeout_after(std::time::Duration::from_secs(1), forever).await
    /// });
    /// assert!(r.is_err());
    /// ```
    pub fn wait(
        &mut self,
        cx: &mut TaskContext<'_>,
        label: Label,
        place: &'static Location<'static>,
    ) -> Result<()> {
        self.trap(cx, label, place, |_, _| Armed::Nothing)
    }

    /// The same on the list of a primitive. The operation is notified in its turn.
    ///
    /// # Errors
    ///
    /// As for [`wait`](Waiting::wait).
    ///
    /// See the [module's documentation](self) for an example.
    #[inline]
    pub fn wait_on(
        &mut self,
        list: &WaitList,
        cx: &mut TaskContext<'_>,
        label: Label,
        place: &'static Location<'static>,
    ) -> Result<()> {
        context::with_task(|context, task| {
            let mut tables = context.tables.borrow_mut();
            let list = list.join(context, &mut tables)?;
            let arm = |tables: &mut Tables, index| tables.waits.enlist(list, index);
            self.enter(context, tables, task, cx, label, place, arm)
        })
    }

    /// The same until another task of this kernel ends, which notifies the operation. The task has not ended yet.
    #[inline]
    pub(crate) fn wait_on_task(
        &mut self,
        target: Key,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Result<()> {
        context::with_task(|context, task| {
            context.may_wait_for(target)?;
            let arm = |tables: &mut Tables, index| tables.arm_join(index, target.index());
            self.enter(
                context,
                context.tables.borrow_mut(),
                task,
                cx,
                Label::TASK_JOIN,
                place,
                arm,
            )
        })
    }

    /// The same until a timer fires, which then notifies the operation.
    #[inline]
    pub(crate) fn wait_until(
        &mut self,
        deadline: u64,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Result<()> {
        self.trap(cx, Label::TIME_SLEEP, place, |tables, index| {
            tables.arm_timer(index, deadline)
        })
    }

    /// Tries a system call on a socket, and waits if it would block. `call` tells besides its result whether the socket
    /// is exhausted. There is one seat for each direction, for the operation that waits.
    #[inline]
    pub(crate) fn poll_io<R>(
        &mut self,
        source: Key,
        direction: Direction,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
        mut call: impl FnMut() -> io::Result<(R, bool)>,
    ) -> Poll<Result<R>> {
        context::with(|context| {
            let Some((context, task)) = context.and_then(|c| Some((c, c.task.get()?.index()))) else {
                return Poll::Ready(Err(Error::NoKernel));
            };
            if !context.spend() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            loop {
                let seat = match self.may_try(context, source, direction) {
                    Ok(Try::Now(seat)) => seat,
                    Ok(Try::Later) => return self.wait_ready(context, task, source, direction, cx, place),
                    Err(error) => return Poll::Ready(Err(error)),
                };
                match call() {
                    Ok((value, short)) => {
                        if short || self.key.is_some() {
                            self.complete_io(context, source, direction, short, seat);
                        }
                        return Poll::Ready(Ok(value));
                    }
                    Err(error) => {
                        if let Some(error) = self.failed_io(context, source, direction, error) {
                            return Poll::Ready(Err(error));
                        }
                    }
                }
            }
        })
    }

    /// Whether a system call may be tried: the socket is thought to be ready, and nobody else waits for it.
    #[inline]
    fn may_try(&mut self, context: &Context, source: Key, direction: Direction) -> Result<Try> {
        let mut tables = context.tables.borrow_mut();
        let Some(entry) = tables.find_source(source) else {
            drop(tables);
            return Err(self.gone(context, source));
        };
        let (ready, seat) = (entry.is_ready(direction), *entry.seat(direction));
        if seat != NONE && self.find(&tables) != Some(seat) {
            return Err(Error::Busy(direction.into()));
        }
        Ok(if ready { Try::Now(seat) } else { Try::Later })
    }

    #[inline(never)]
    fn wait_ready<R>(
        &mut self,
        context: &Context,
        task: u32,
        source: Key,
        direction: Direction,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<R>> {
        let tables = context.tables.borrow_mut();
        let arm = |tables: &mut Tables, index: u32| tables.arm_source(index, source, direction);
        match self.enter(context, tables, task, cx, direction.into(), place, arm) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// A system call has failed. None: it is to be tried again, when the socket is ready.
    #[cold]
    fn failed_io(
        &mut self,
        context: &Context,
        source: Key,
        direction: Direction,
        error: io::Error,
    ) -> Option<Error> {
        match error.kind() {
            io::ErrorKind::Interrupted => None,
            io::ErrorKind::WouldBlock => {
                if let Some(entry) = context.tables.borrow_mut().find_source(source) {
                    entry.clear(direction);
                }
                None
            }
            _ => {
                self.complete();
                Some(Error::Io(error))
            }
        }
    }

    /// A system call has succeeded. `seat` is the operation's own node, if it has waited.
    #[inline]
    fn complete_io(&mut self, context: &Context, source: Key, direction: Direction, short: bool, seat: u32) {
        let mut tables = context.tables.borrow_mut();
        if short && let Some(entry) = tables.find_source(source) {
            entry.short(direction);
        }
        if seat != NONE {
            let waker = tables.complete_wait(seat);
            self.key = None;
            drop(tables);
            drop(waker);
        } else {
            drop(tables);
            self.complete();
        }
    }

    /// The source is not in the tables any more, or never was.
    #[cold]
    fn gone(&mut self, context: &Context, source: Key) -> Error {
        self.complete();
        if context.id == source.kernel() {
            Error::Closed
        } else {
            Error::NoKernel
        }
    }

    /// Waits without asking for an interruption: for a boundary, which has asked already.
    pub(crate) fn watch(
        &mut self,
        cx: &mut TaskContext<'_>,
        label: Label,
        place: &'static Location<'static>,
    ) -> Result<()> {
        context::with_task(|context, task| {
            let hot = context.hot.replace(false);
            let result = self.enter(
                context,
                context.tables.borrow_mut(),
                task,
                cx,
                label,
                place,
                |_, _| Armed::Nothing,
            );
            context.hot.set(hot);
            result
        })
    }

    #[inline]
    fn trap(
        &mut self,
        cx: &mut TaskContext<'_>,
        label: Label,
        place: &'static Location<'static>,
        arm: impl FnOnce(&mut Tables, u32) -> Armed,
    ) -> Result<()> {
        context::with_task(|context, task| {
            self.enter(context, context.tables.borrow_mut(), task, cx, label, place, arm)
        })
    }

    /// The one place where an operation begins to wait, waits on, or is interrupted. `arm` is called if nothing is armed
    /// yet, or not any more.
    #[allow(clippy::too_many_arguments)]
    #[inline]
    fn enter<'a>(
        &mut self,
        context: &'a Context,
        mut tables: RefMut<'a, Tables>,
        task: u32,
        cx: &mut TaskContext<'_>,
        label: Label,
        place: &'static Location<'static>,
        arm: impl FnOnce(&mut Tables, u32) -> Armed,
    ) -> Result<()> {
        // Nearly always: it does not wait yet, nobody interrupts it, and no combinator is in between.
        if self.key.is_none() && !context.hot.get() && waker::is_running(context, cx.waker()) {
            self.begin(context, &mut tables, task, label, place, arm);
            return Ok(());
        }
        let mut arm = Some(arm);
        let arm: Arm<'_> = &mut |tables, index| arm.take().map_or(Armed::Nothing, |arm| arm(tables, index));
        self.enter_slowly(context, tables, task, cx, label, place, arm)
    }

    #[inline]
    fn begin(
        &mut self,
        context: &Context,
        tables: &mut Tables,
        task: u32,
        label: Label,
        place: &'static Location<'static>,
        arm: impl FnOnce(&mut Tables, u32) -> Armed,
    ) {
        let scope = context.open_scopes(tables, task);
        self.key = Some(tables.begin_wait(task, scope, label, place, arm));
    }

    #[allow(clippy::too_many_arguments)]
    #[inline(never)]
    fn enter_slowly<'a>(
        &mut self,
        context: &'a Context,
        mut tables: RefMut<'a, Tables>,
        task: u32,
        cx: &mut TaskContext<'_>,
        label: Label,
        place: &'static Location<'static>,
        arm: Arm<'_>,
    ) -> Result<()> {
        let mut waiting = NONE;
        if self.key.is_some() {
            match self.find(&tables) {
                Some(index) if tables.waits.get(index).task == task => waiting = index,
                _ => tables = self.move_here(context, tables),
            }
        }
        if waiting != NONE {
            let scope = context.open_scopes(&mut tables, task);
            if tables.waits.get(waiting).scope != scope {
                tables.move_wait(waiting, scope);
            }
        }
        if context.hot.get()
            && let Some(error) = Waiting::interruption(context, &mut tables, task, waiting)
        {
            drop(tables);
            self.end();
            return Err(error);
        }
        let own = waker::is_running(context, cx.waker());
        let known = if waiting == NONE {
            self.begin(context, &mut tables, task, label, place, arm);
            waiting = self.key.map_or(NONE, Key::index);
            own
        } else {
            if let Armed::Nothing | Armed::Notified = tables.waits.get(waiting).armed {
                let armed = arm(&mut tables, waiting);
                tables.waits.get_mut(waiting).armed = armed;
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
        Ok(())
    }

    /// What is delivered to an operation that cannot complete; `waiting` is NONE if it does not wait yet.
    #[cold]
    fn interruption(context: &Context, tables: &mut Tables, task: u32, waiting: u32) -> Option<Error> {
        if waiting == NONE {
            let scope = context.open_scopes(tables, task);
            return tables.interruption(task, scope, None);
        }
        let wait = tables.waits.get(waiting);
        let (scope, started) = (wait.scope, wait.started);
        let error = tables.interruption(task, scope, Some(started))?;
        tables.note(|log, _| log.leaves(waiting, Left::Interrupted));
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
        let old = std::mem::replace(&mut tables.waits.get_mut(index).foreign, new);
        drop(tables);
        drop(old);
    }

    /// Completes the operation if it was notified. False if it was not.
    #[inline]
    pub(crate) fn take_notification(&mut self) -> bool {
        context::with(|context| {
            let Some(context) = context else { return false };
            let mut tables = context.tables.borrow_mut();
            let Some(index) = self.find(&tables) else {
                return false;
            };
            if tables.waits.get(index).armed != Armed::Notified {
                return false;
            }
            let waker = tables.complete_wait(index);
            drop(tables);
            drop(waker);
            self.key = None;
            true
        })
    }

    /// Where the operation began to wait, if it waits.
    pub(crate) fn place(&self) -> Option<&'static Location<'static>> {
        context::with(|context| {
            let context = context?;
            let tables = context.tables.borrow();
            let index = self.find(&tables)?;
            Some(tables.waits.get(index).place)
        })
    }

    /// The operation completes. Call this whenever it resolves to anything but an error of `wait`; if it never waited,
    /// nothing happens.
    ///
    /// ```
    /// curio::traps::Waiting::new().complete();
    /// ```
    #[inline]
    pub fn complete(&mut self) {
        if self.key.is_some() {
            self.finish();
        }
    }

    #[inline(never)]
    fn finish(&mut self) {
        self.leave(true);
    }

    /// The operation is over without having completed.
    #[inline]
    pub(crate) fn end(&mut self) {
        if self.key.is_some() {
            self.abort();
        }
    }

    #[inline(never)]
    fn abort(&mut self) {
        self.leave(false);
    }

    #[inline(always)]
    fn leave(&mut self, completed: bool) {
        // Without its kernel, the node has gone already, or goes with its task.
        context::with(|context| {
            let Some(context) = context else { return };
            let mut tables = context.tables.borrow_mut();
            let waker = match self.find(&tables) {
                Some(index) if completed => tables.complete_wait(index),
                Some(index) => tables.end_wait(index),
                None => None,
            };
            drop(tables);
            drop(waker);
        });
        self.key = None;
    }

    #[inline]
    pub(crate) fn find(&self, tables: &Tables) -> Option<u32> {
        tables.waits.find(self.key?)
    }
}

impl Drop for Waiting {
    #[inline]
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting")
            .field("waits", &self.key.is_some())
            .finish()
    }
}

/// What is to be done before an operation waits: puts it on the lists that will wake it.
type Arm<'a> = &'a mut dyn FnMut(&mut Tables, u32) -> Armed;

/// Whether to try a system call.
enum Try {
    /// With the operation's own node, or NONE if it has not waited.
    Now(u32),
    Later,
}

impl From<Direction> for Label {
    fn from(direction: Direction) -> Label {
        match direction {
            Direction::Read => Label::READ_WAIT,
            Direction::Write => Label::WRITE_WAIT,
        }
    }
}

impl From<Direction> for Busy {
    fn from(direction: Direction) -> Busy {
        match direction {
            Direction::Read => Busy::Reader,
            Direction::Write => Busy::Writer,
        }
    }
}

/// The operations that wait for a primitive, in the order in which they came.
///
/// It belongs to the kernel in which it was first waited on, until that is gone. It may be notified from there, and while
/// that kernel does not run. None of its methods waits or switches.
///
/// See the [module's documentation](self) for an example.
#[derive(Default)]
pub struct WaitList {
    /// None until somebody waits.
    list: Cell<Option<Key>>,
    context: RefCell<Weak<Context>>,
}

impl WaitList {
    /// An empty list.
    ///
    /// ```
    /// assert!(curio::traps::WaitList::new().is_empty());
    /// ```
    pub const fn new() -> WaitList {
        WaitList {
            list: Cell::new(None),
            context: RefCell::new(Weak::new()),
        }
    }

    /// The place of the list in this kernel, for somebody who is going to wait.
    #[inline]
    fn join(&self, context: &Context, tables: &mut Tables) -> Result<u32> {
        match self.list.get().and_then(|key| tables.waits.find_list(key)) {
            Some(list) => Ok(list),
            None => self.settle(context, tables),
        }
    }

    #[cold]
    fn settle(&self, context: &Context, tables: &mut Tables) -> Result<u32> {
        let mut home = self.context.borrow_mut();
        if self.list.get().is_some() && home.upgrade().is_some() {
            return Err(Error::NoKernel);
        }
        *home = context.weak();
        let key = tables.waits.add_list();
        self.list.set(Some(key));
        Ok(key.index())
    }

    #[inline]
    fn with_list<R>(&self, none: R, f: impl FnOnce(&mut Tables, u32) -> R) -> R {
        let Some(key) = self.list.get() else { return none };
        let look = |tables: &mut Tables| tables.waits.find_list(key).map(|list| f(tables, list));
        let seen = context::with(|running| match running {
            // Nearly always: the list belongs here. (The kernel's number would not do: it may be another's by now.)
            Some(context) if self.is_of(context) => context.with_tables(look),
            _ => {
                let home = self.context.borrow().upgrade();
                home.and_then(|context| context.with_tables(look))
            }
        });
        seen.unwrap_or(none)
    }

    #[inline]
    fn is_of(&self, context: &Context) -> bool {
        std::ptr::eq(self.context.borrow().as_ptr(), context)
    }

    /// Whether nobody waits here.
    ///
    /// ```
    /// assert!(curio::traps::WaitList::new().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.with_list(true, |tables, list| tables.waits.first(list).is_none())
    }

    /// Notifies the operation that has waited longest. False if nobody waits.
    ///
    /// ```
    /// assert!(!curio::traps::WaitList::new().notify_one());
    /// ```
    pub fn notify_one(&self) -> bool {
        self.with_list(false, Tables::notify_one)
    }

    /// Whether somebody has waited here, in a kernel that is gone.
    pub(crate) fn is_orphaned(&self) -> bool {
        self.list.get().is_some() && self.context.borrow().strong_count() == 0
    }

    /// Ends the wait of an operation that is dropped; unlike dropping it, also while the kernel does not run. True if it
    /// had been notified.
    pub(crate) fn dismiss(&self, waiting: &mut Waiting) -> bool {
        let Some(context) = self.context.borrow().upgrade() else {
            waiting.key = None;
            return false;
        };
        let mut tables = context.tables.borrow_mut();
        let found = waiting.find(&tables);
        waiting.key = None;
        let Some(index) = found else { return false };
        let notified = tables.waits.get(index).armed == Armed::Notified;
        let waker = tables.end_wait(index);
        drop(tables);
        drop(waker);
        notified
    }

    /// Notifies all who wait here.
    ///
    /// ```
    /// curio::traps::WaitList::new().notify_all();
    /// ```
    pub fn notify_all(&self) {
        self.with_list((), Tables::notify_all);
    }
}

impl Drop for WaitList {
    fn drop(&mut self) {
        self.with_list((), |tables, list| tables.waits.remove_list(list));
    }
}

impl fmt::Debug for WaitList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitList")
            .field("is_empty", &self.is_empty())
            .finish()
    }
}

/// For operations that complete without waiting: lets the task pause now and then, so that one that never has to wait
/// does not keep all others from running. `Pending` means: the task has had its share of this run and was queued again.
/// It is no interruption point.
///
/// ```
/// use curio::traps::poll_budget;
/// use std::task::Poll;
///
/// curio::run(async {
///     std::future::poll_fn(|cx| poll_budget(cx)).await;
///     Ok(())
/// })
/// .unwrap();
/// ```
#[inline]
pub fn poll_budget(cx: &TaskContext<'_>) -> Poll<()> {
    if context::with(|context| context.is_none_or(Context::spend)) {
        Poll::Ready(())
    } else {
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
