//! User code that the kernel calls outside of a task's run.
//!
//! The drop of a value may panic. Such a panic concerns nobody but its author: the panic hook has printed it, and the
//! kernel goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls user code; a panic ends here.
pub(crate) fn contain(f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        // What the panic carried is a value of the user's, too. One that panics when it is dropped is left alone.
        if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(another);
        }
    }
}
