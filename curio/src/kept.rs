//! What belongs to other threads, but stays in the kernel's.
//!
//! A lock, a socket or a guard is no good in another thread, and must not be dropped there. Yet a function in a thread may
//! be the one who decides how long it lives. So the value stays here, in a table, and what travels is a ticket with the
//! number of its place. When the last copy of the ticket is dropped, wherever that is, the place is given back through the
//! kernel's inbox (`remote`), and the value is dropped in the kernel's thread.
//!
//! V1. A place is taken exactly while a ticket for it exists, or its release is in the inbox.
//! V2. No borrow is held while a value is dropped.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use slab::Slab;

use crate::context::{self, Context};
use crate::remote::Remote;

#[derive(Default)]
pub(crate) struct Kept(RefCell<Slab<Rc<dyn Any>>>);

impl Kept {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Takes a value out, to be dropped by the caller (V2).
    pub(crate) fn take(&self, place: u32) -> Option<Rc<dyn Any>> {
        self.0.borrow_mut().try_remove(place as usize)
    }

    /// Takes all out.
    pub(crate) fn clear(&self) {
        let all = self.0.take();
        drop(all);
    }
}

/// Stands for a value that a kernel keeps.
pub(crate) struct Ticket {
    home: Arc<Remote>,
    place: u32,
}

impl Ticket {
    /// Leaves a value with the kernel.
    pub(crate) fn new(context: &Context, value: Rc<dyn Any>) -> Ticket {
        let place = context.kept.0.borrow_mut().insert(value);
        Ticket {
            home: context.remote.clone(),
            place: place as u32,
        }
    }

    /// The value, in the thread of the kernel that keeps it. None elsewhere, and after that kernel's end.
    pub(crate) fn value(&self) -> Option<Rc<dyn Any>> {
        self.at_home(|context| context.kept.0.borrow().get(self.place as usize).cloned())?
    }

    fn at_home<R>(&self, f: impl FnOnce(&Context) -> R) -> Option<R> {
        context::with(|context| {
            let context = context.filter(|context| Arc::ptr_eq(&context.remote, &self.home))?;
            Some(f(context))
        })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        match self.at_home(|context| context.kept.take(self.place)) {
            Some(value) => drop(value),
            None => self.home.release(self.place),
        }
    }
}
