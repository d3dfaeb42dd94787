//! Who waits for a primitive.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
use std::ptr::{self, NonNull};
use std::rc::Weak;
use std::task::Context as TaskContext;

use super::{Label, Waiting};
use crate::context::{self, Context};
use crate::error::{Error, Result};
use crate::key::{Key, NONE};
use crate::mirror::Holder;
use crate::tables::Tables;
use crate::waits::Chosen;
use crate::waker;

/// The operations that wait for a primitive, in the order in which they came.
///
/// It belongs to the kernel in which it was first waited on, until that is gone. It may be notified from there, and while
/// that kernel does not run. None of its methods waits or switches.
///
/// See the [module's documentation](super) for an example.
pub struct WaitList {
    /// The place of the list in the tables of its kernel.
    list: Cell<u32>,
    /// That kernel, if nobody looks on at what it does: so this tells where waits are simple. It is only compared: while
    /// `context` is kept, nobody else gets the address. If somebody looks on, or until somebody waits, it is nobody's.
    home: Cell<NonNull<Context>>,
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
            list: Cell::new(NONE),
            home: Cell::new(NonNull::dangling()),
            context: RefCell::new(Weak::new()),
        }
    }

    /// The place of the list in this kernel, for somebody who is going to wait.
    pub(super) fn join(&self, context: &Context) -> Result<u32> {
        if self.is_of(context) {
            return Ok(self.list.get());
        }
        let mut home = self.context.borrow_mut();
        if home.strong_count() > 0 {
            return Err(Error::NoKernel);
        }
        *home = context.weak();
        let mut tables = context.tables.borrow_mut();
        let list = tables.waits.add_list();
        if tables.log.is_some() {
            // There may have been another one of this number.
            tables.set_holder(list, None);
            self.home.set(NonNull::dangling());
        } else {
            self.home.set(NonNull::from(context));
        }
        self.list.set(list);
        Ok(list)
    }

    /// The running task begins to wait here, and gets the key of its node, if all is as it nearly always is: the list
    /// belongs to this kernel, nobody looks on, nobody interrupts the task, it waits in nothing else, and there is neither a
    /// timeout nor a combinator around the operation. If not, nothing has happened.
    #[inline(never)]
    pub(super) fn enter(
        &self,
        cx: &TaskContext<'_>,
        label: Label,
        place: &'static Location<'static>,
    ) -> Option<Key> {
        context::with_this(self.home.get(), |context| {
            let task = context.task.get()?;
            if !context.is_undisturbed() || !waker::is_of(task, cx.waker()) {
                return None;
            }
            let mut tables = context.tables.try_borrow_mut().ok()?;
            let Tables { waits, epoch, .. } = &mut *tables;
            let entered = waits.enlist_own(task.index(), self.list.get(), label, place, epoch);
            entered.then_some(task)
        })
    }

    /// Notifies the operation that has waited longest, in the simple case: see `enter`. None: it is not, and nothing has
    /// happened.
    #[inline(always)]
    pub(crate) fn notify_own(&self) -> Option<Chosen> {
        context::with_this(self.home.get(), |context| {
            context.tables.try_borrow_mut().ok()?.notify_own(self.list.get())
        })
    }

    /// Works on the list in its kernel, whether that runs or not.
    #[inline(never)]
    fn with_list<R>(&self, none: R, f: fn(&mut Tables, u32) -> R) -> R {
        let home = self.context.borrow().upgrade();
        home.map_or(none, |context| {
            context.with_tables(|tables| f(tables, self.list.get()))
        })
    }

    fn is_of(&self, context: &Context) -> bool {
        ptr::eq(self.context.borrow().as_ptr(), context)
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
        match self.notify_own() {
            Some(Chosen::Nobody) => false,
            Some(Chosen::Last | Chosen::First) => true,
            None => self.with_list(false, Tables::notify_one),
        }
    }

    /// Tells a monitor, if there is one, who has what is waited for here. From then on it learns by itself to whom that is
    /// handed on.
    #[cold]
    #[inline(never)]
    pub(crate) fn tell_holder(&self, holder: Holder) {
        context::with(|running| {
            if let Some(context) = running.filter(|context| self.is_of(context) && context.mirror.is_some()) {
                context
                    .tables
                    .borrow_mut()
                    .set_holder(self.list.get(), Some(holder));
            }
        });
    }

    /// Whether somebody has waited here, in a kernel that is gone.
    pub(crate) fn is_orphaned(&self) -> bool {
        self.list.get() != NONE && self.context.borrow().strong_count() == 0
    }

    /// Ends the wait of an operation that is dropped; unlike dropping it, also while the kernel does not run. True if it
    /// had been notified.
    pub(crate) fn dismiss(&self, waiting: &mut Waiting) -> bool {
        let Some(context) = self.context.borrow().upgrade() else {
            waiting.key = None;
            return false;
        };
        context.with_tables(|tables| {
            let found = waiting.find(tables);
            waiting.key = None;
            let Some(index) = found else { return false };
            let notified = tables.waits.get(index).is_notified();
            tables.end_wait(index, false);
            notified
        })
    }

    /// Notifies all who wait here.
    ///
    /// ```
    /// curio::traps::WaitList::new().notify_all();
    /// ```
    pub fn notify_all(&self) {
        loop {
            match self.notify_own() {
                Some(Chosen::First) => {}
                Some(Chosen::Nobody | Chosen::Last) => return,
                None => return self.with_list((), Tables::notify_all),
            }
        }
    }
}

impl Default for WaitList {
    fn default() -> WaitList {
        WaitList::new()
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
