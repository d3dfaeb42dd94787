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

mod entering;
mod sockets;
mod wait_list;

use std::fmt;
use std::panic::Location;
use std::task::{Context as TaskContext, Poll};

use crate::context::{self, Context};
use crate::error::{Error, Result};
use crate::key::{Key, NONE};
use crate::tables::Tables;
use crate::waits::Armed;
use crate::waker;

pub use crate::waits::Label;
pub(crate) use sockets::apart;
pub use wait_list::WaitList;

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
            index.is_some_and(|index| tables.waits.get(index).is_notified())
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
        if self.begin_on(list, cx, label, place) {
            Ok(())
        } else {
            self.wait_on_slowly(list, cx, label, place)
        }
    }

    /// The same in the simple case (see [`WaitList::enter`]). False: it is not, and nothing has happened.
    #[inline(always)]
    pub(crate) fn begin_on(
        &mut self,
        list: &WaitList,
        cx: &TaskContext<'_>,
        label: Label,
        place: &'static Location<'static>,
    ) -> bool {
        if self.key.is_none() {
            self.key = list.enter(cx, label, place);
            self.key.is_some()
        } else {
            false
        }
    }

    #[cold]
    #[inline(never)]
    fn wait_on_slowly(
        &mut self,
        list: &WaitList,
        cx: &mut TaskContext<'_>,
        label: Label,
        place: &'static Location<'static>,
    ) -> Result<()> {
        context::with_running(|context, task| {
            let list = list.join(context)?;
            self.enter(context, task, cx, label, place, |tables, index| {
                tables.waits.enlist(list, index)
            })
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
        if self.key.is_none() {
            self.key = Waiting::join_own(target, cx, place);
            if self.key.is_some() {
                return Ok(());
            }
        }
        self.wait_on_task_slowly(target, cx, place)
    }

    /// The plain case: see [`WaitList::enter`].
    #[inline(always)]
    fn join_own(target: Key, cx: &TaskContext<'_>, place: &'static Location<'static>) -> Option<Key> {
        context::with(|context| {
            let context = context?;
            let task = context.task.get()?;
            if task == target || !context.is_undisturbed() || !waker::is_of(task, cx.waker()) {
                return None;
            }
            let mut tables = context.tables.try_borrow_mut().ok()?;
            let is_logged = tables.log.is_some();
            let epoch = tables.epoch;
            let joined = !is_logged && tables.waits.join_own(task.index(), target, place, epoch);
            joined.then_some(task)
        })
    }

    #[inline(never)]
    fn wait_on_task_slowly(
        &mut self,
        target: Key,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Result<()> {
        context::with_running(|context, task| {
            context.may_wait_for(target)?;
            self.enter(context, task, cx, Label::TASK_JOIN, place, |tables, index| {
                tables.arm_join(index, target.index())
            })
        })
    }

    /// The same until a timer fires, which then notifies the operation.
    pub(crate) fn wait_until(
        &mut self,
        deadline: u64,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Result<()> {
        context::with_running(|context, task| self.wait_until_in(context, task, deadline, cx, place))
    }

    /// The same in the plain case (see [`WaitList::enter`]) for one who does not wait yet.
    #[inline(always)]
    pub(crate) fn begin_until(
        context: &Context,
        task: Key,
        deadline: u64,
        place: &'static Location<'static>,
    ) -> Option<Waiting> {
        let mut tables = context.tables.try_borrow_mut().ok()?;
        let begun = tables.sleep_own(task.index(), deadline, place);
        // Not made in vain: it would be dropped again, and that ends the wait.
        begun.then(|| Waiting { key: Some(task) })
    }

    /// The same for one who knows already which task is running.
    #[inline(never)]
    pub(crate) fn wait_until_in(
        &mut self,
        context: &Context,
        task: Key,
        deadline: u64,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Result<()> {
        self.enter(context, task, cx, Label::TIME_SLEEP, place, |tables, index| {
            tables.arm_timer(index, deadline)
        })
    }

    /// Waits without asking for an interruption: for a boundary, which has asked already.
    pub(crate) fn watch(
        &mut self,
        cx: &mut TaskContext<'_>,
        label: Label,
        place: &'static Location<'static>,
    ) -> Result<()> {
        self.trap_unasked(cx, label, place, |_, _| Armed::Nothing)
    }

    /// The same until a timer fires, for who could do nothing with an interruption.
    #[cfg(feature = "hyper")]
    pub(crate) fn watch_until(
        &mut self,
        deadline: u64,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Result<()> {
        self.trap_unasked(cx, Label::TIME_SLEEP, place, |tables, index| {
            tables.arm_timer(index, deadline)
        })
    }

    /// An operation that waits is polled again, and `take_own` has failed: nearly always it is interrupted. None if it is to wait
    /// on, or if there is more to look at.
    #[inline(always)]
    pub(crate) fn settle(&mut self) -> Option<Result<()>> {
        let settled = self.cancel_own();
        settled.or_else(|| self.settle_slowly())
    }

    /// The same if it is cancelled, the node is the running task's own, and there is nothing else to be seen to. If not, nothing
    /// has happened.
    #[inline(always)]
    fn cancel_own(&mut self) -> Option<Result<()>> {
        context::with(|context| {
            let (context, key) = (context?, self.key?);
            // The task lives, and so its key does (W4).
            if context.task.get() != Some(key) {
                return None;
            }
            let mut tables = context.tables.try_borrow_mut().ok()?;
            if !context.is_here(NONE) || !tables.cancel_own_wait(key.index()) {
                return None;
            }
            self.key = None;
            Some(Err(Error::cancelled()))
        })
    }

    #[inline(never)]
    fn settle_slowly(&mut self) -> Option<Result<()>> {
        context::with(|context| {
            let context = context?;
            context.with_tables(|tables| {
                let index = self.find(tables)?;
                if tables.waits.get(index).is_notified() {
                    tables.end_wait(index, true);
                    self.key = None;
                    return Some(Ok(()));
                }
                // Only if it is polled where it was polled before: in the same task and scope.
                let wait = tables.waits.get(index);
                let (task, scope, started) = (wait.task, wait.scope, wait.started);
                if !context.is_here(scope) || context.task.get().is_none_or(|here| here.index() != task) {
                    return None;
                }
                let error = tables.interruption(task, scope, Some(started))?;
                tables.note(|log, _| log.interrupted(index));
                tables.end_wait(index, false);
                self.key = None;
                Some(Err(error))
            })
        })
    }

    /// Completes the operation if it was notified. False if it was not.
    #[inline]
    pub(crate) fn take_notification(&mut self) -> bool {
        self.take_own() || self.take_slowly()
    }

    /// The same if the node is the running task's own, and there is nothing to be seen to. False if not.
    #[inline(always)]
    pub(crate) fn take_own(&mut self) -> bool {
        context::with(|context| {
            let (Some(context), Some(key)) = (context, self.key) else {
                return false;
            };
            // The task lives, and so its key does (W4).
            if context.task.get() != Some(key) {
                return false;
            }
            let Ok(mut tables) = context.tables.try_borrow_mut() else {
                return false;
            };
            let taken = tables.leave_own(key.index());
            if taken {
                self.key = None;
            }
            taken
        })
    }

    #[cold]
    #[inline(never)]
    fn take_slowly(&mut self) -> bool {
        context::with(|context| {
            let Some(context) = context else { return false };
            context.with_tables(|tables| {
                let Some(index) = self.find(tables) else {
                    return false;
                };
                if !tables.waits.get(index).is_notified() {
                    return false;
                }
                tables.end_wait(index, true);
                self.key = None;
                true
            })
        })
    }

    /// For a wait that has no object, as that of `poll_read`: nobody tells when it is given up. So what was delivered before
    /// the present run of the task does not concern it; whoever was concerned has looked in that run.
    #[cfg_attr(not(any(feature = "futures-io", feature = "hyper")), allow(dead_code))]
    pub(crate) fn renew(&mut self) {
        context::with(|context| {
            if let Some(context) = context.filter(|context| context.hot.get()) {
                let mut tables = context.tables.borrow_mut();
                if let Some(index) = self.find(&tables) {
                    let wait = tables.waits.get_mut(index);
                    wait.started = wait.started.max(context.run_epoch.get());
                }
            }
        });
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

    /// The operation does not wait any more, or never did. This changes nothing. It spares the drop of the operation a look,
    /// as the compiler cannot remember that over what has been stored since.
    #[inline(always)]
    pub(crate) fn is_over(&mut self) {
        debug_assert!(self.key.is_none());
        self.key = None;
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

    /// The same for an operation that was nearly always notified first.
    #[inline]
    pub(crate) fn complete_notified(&mut self) {
        if !self.take_own() {
            self.complete();
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
            context.with_tables(|tables| {
                if let Some(index) = self.find(tables) {
                    tables.end_wait(index, completed);
                }
            });
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
    if context::spend() {
        Poll::Ready(())
    } else {
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
