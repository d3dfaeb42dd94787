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

use std::cell::Cell;
use std::fmt;
use std::panic::Location;
use std::task::{Context as TaskContext, Poll};

use crate::context::{self, Context};
use crate::error::{Busy, Error, Result};
use crate::key::{Key, NONE};
use crate::readiness::Direction;
use crate::tables::Tables;
use crate::waits::{Armed, Wait};
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
            let index = self.find(context, &tables);
            index.is_some_and(|index| tables.waits.get(index).notified)
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
        self.trap(cx, label, place, |_, _, _| Ok(()))
    }

    /// The same on the list of a primitive. The operation is notified in its turn.
    ///
    /// # Errors
    ///
    /// As for [`wait`](Waiting::wait).
    ///
    /// See the [module's documentation](self) for an example.
    pub fn wait_on(
        &mut self,
        list: &WaitList,
        cx: &mut TaskContext<'_>,
        label: Label,
        place: &'static Location<'static>,
    ) -> Result<()> {
        self.trap(cx, label, place, |context, tables, index| {
            if tables.waits.get(index).armed == Armed::Nothing {
                tables.waits.get_mut(index).notified = false;
                list.enlist(context, tables, index);
            }
            Ok(())
        })
    }

    /// The same on the list of those who wait for the end of a task.
    pub(crate) fn wait_on_task(
        &mut self,
        joiners: &Cell<u32>,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Result<()> {
        self.trap(cx, Label::TASK_JOIN, place, |_, tables, index| {
            if tables.waits.get(index).armed == Armed::Nothing {
                joiners.set(tables.waits.enlist(joiners.get(), index));
            }
            Ok(())
        })
    }

    /// The same until a timer fires, which then notifies the operation.
    pub(crate) fn wait_until(
        &mut self,
        deadline: u64,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Result<()> {
        self.trap(cx, Label::TIME_SLEEP, place, |_, tables, index| {
            if tables.waits.get(index).armed == Armed::Nothing {
                tables.arm_timer(index, deadline);
            }
            Ok(())
        })
    }

    /// The same until a socket is ready. There is one seat for each direction.
    pub(crate) fn wait_ready(
        &mut self,
        source: Key,
        direction: Direction,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Result<()> {
        let label = match direction {
            Direction::Read => Label::READ_WAIT,
            Direction::Write => Label::WRITE_WAIT,
        };
        self.trap(cx, label, place, |_, tables, index| {
            match tables.find_source(source).map(|s| *s.seat(direction)) {
                None => Err(Error::Closed),
                Some(NONE) => {
                    tables.arm_source(index, source, direction);
                    Ok(())
                }
                Some(seated) if seated == index => Ok(()),
                Some(_) => Err(Error::Busy(busy(direction))),
            }
        })
    }

    /// Waits without asking for an interruption: for a boundary, which has asked already.
    pub(crate) fn watch(
        &mut self,
        cx: &mut TaskContext<'_>,
        label: Label,
        place: &'static Location<'static>,
    ) -> Result<()> {
        self.enter(cx, label, place, false, |_, _, _| Ok(()))
    }

    fn trap(
        &mut self,
        cx: &mut TaskContext<'_>,
        label: Label,
        place: &'static Location<'static>,
        arm: impl FnOnce(&Context, &mut Tables, u32) -> Result<()>,
    ) -> Result<()> {
        self.enter(cx, label, place, true, arm)
    }

    /// The one place where an operation begins to wait, waits on, or is interrupted.
    #[inline]
    fn enter(
        &mut self,
        cx: &mut TaskContext<'_>,
        label: Label,
        place: &'static Location<'static>,
        interruptible: bool,
        arm: impl FnOnce(&Context, &mut Tables, u32) -> Result<()>,
    ) -> Result<()> {
        context::with_task(|context, task| {
            let mut tables = context.tables.borrow_mut();
            let waiting = self
                .find(context, &tables)
                .filter(|&i| tables.waits.get(i).task == task);
            let (scope, started) = match waiting.map(|index| tables.waits.get(index)) {
                Some(wait) => (wait.scope, Some(wait.started)),
                None => (context.open_scopes(&mut tables), None),
            };
            if interruptible && let Some(error) = tables.interruption(task, scope, started) {
                drop(tables);
                self.end();
                return Err(error);
            }
            let index = match waiting {
                Some(index) => index,
                None => {
                    if self.key.is_some() {
                        // The operation was moved here from another task, where it had begun to wait.
                        drop(tables);
                        self.end();
                        tables = context.tables.borrow_mut();
                    }
                    let started = tables.epoch;
                    let index = tables.begin_wait(Wait {
                        foreign: None,
                        place,
                        label,
                        started,
                        task,
                        scope,
                        next: NONE,
                        prev: NONE,
                        serial: 0,
                        armed: Armed::Nothing,
                        notified: false,
                    });
                    self.key = Some(Key::new(context.id, tables.waits.get(index).serial, index));
                    index
                }
            };
            let armed = arm(context, &mut tables, index);
            let own = waker::is_running(context, cx.waker());
            let known = match &tables.waits.get(index).foreign {
                Some(foreign) => foreign.will_wake(cx.waker()),
                None => own,
            };
            drop(tables);
            if armed.is_err() {
                self.end();
            } else if !known {
                self.set_waker(context, index, cx, own);
            }
            armed
        })
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

    /// Whether a system call may be tried: the socket is thought to be ready, and nobody else waits at this seat.
    #[inline]
    pub(crate) fn may_try(&self, source: Key, direction: Direction) -> Result<bool> {
        context::with_task(|context, _| {
            if context.id != source.kernel() {
                return Err(Error::NoKernel);
            }
            let mut tables = context.tables.borrow_mut();
            let own = self.find(context, &tables).unwrap_or(NONE);
            let entry = tables.find_source(source).ok_or(Error::Closed)?;
            let seat = *entry.seat(direction);
            if seat != NONE && seat != own {
                return Err(Error::Busy(busy(direction)));
            }
            Ok(entry.is_ready(direction))
        })
    }

    /// A system call has succeeded: completes the operation, and notes whether the socket is exhausted.
    #[inline]
    pub(crate) fn complete_io(&mut self, source: Key, direction: Direction, is_exhausted: bool) {
        if is_exhausted {
            exhausted(source, direction);
        }
        self.complete();
    }

    /// Completes the operation if it was notified. False if it was not.
    pub(crate) fn take_notification(&mut self) -> bool {
        context::with(|context| {
            let Some(context) = context else { return false };
            let mut tables = context.tables.borrow_mut();
            let Some(index) = self
                .find(context, &tables)
                .filter(|&i| tables.waits.get(i).notified)
            else {
                return false;
            };
            let node = tables.complete_wait(index);
            drop(tables);
            drop(node);
            self.key = None;
            true
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
            self.leave(Tables::complete_wait);
        }
    }

    /// The operation is over without having completed.
    pub(crate) fn end(&mut self) {
        if self.key.is_some() {
            self.leave(Tables::end_wait);
        }
    }

    fn leave(&mut self, how: fn(&mut Tables, u32) -> Wait) {
        // Without its kernel, the node has gone already, or goes with its task.
        context::with(|context| {
            let Some(context) = context else { return };
            let mut tables = context.tables.borrow_mut();
            let node = self.find(context, &tables).map(|index| how(&mut tables, index));
            drop(tables);
            drop(node);
        });
        self.key = None;
    }

    pub(crate) fn find(&self, context: &Context, tables: &Tables) -> Option<u32> {
        let key = self.key.filter(|key| key.kernel() == context.id)?;
        tables.find_wait(key)
    }
}

impl Drop for Waiting {
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

fn busy(direction: Direction) -> Busy {
    match direction {
        Direction::Read => Busy::Reader,
        Direction::Write => Busy::Writer,
    }
}

/// A system call has proved that there is nothing left to read, or no room to write.
#[inline]
pub(crate) fn exhausted(source: Key, direction: Direction) {
    context::with(|context| {
        if let Some(context) = context
            && let Some(entry) = context.tables.borrow_mut().find_source(source)
        {
            entry.clear(direction);
        }
    });
}

/// The operations that wait for a primitive, in the order in which they came.
///
/// It belongs to the kernel in which it was first waited on. None of its methods waits or switches.
///
/// See the [module's documentation](self) for an example.
#[derive(Default)]
pub struct WaitList {
    /// Kernel and place of the list; none until somebody waits.
    list: Cell<Option<Key>>,
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
        }
    }

    fn enlist(&self, context: &Context, tables: &mut Tables, index: u32) {
        let known = self.list.get().filter(|key| key.kernel() == context.id);
        let list = tables.waits.enlist(known.map_or(NONE, Key::index), index);
        self.list.set(Some(Key::new(context.id, 0, list)));
    }

    fn with_list<R>(&self, none: R, f: impl FnOnce(&mut Tables, u32) -> R) -> R {
        let Some(key) = self.list.get() else { return none };
        context::with(|context| match context {
            Some(context) if context.id == key.kernel() => {
                context.with_tables(|tables| f(tables, key.index()))
            }
            _ => none,
        })
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
