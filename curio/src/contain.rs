//! User code that the kernel calls outside of a task's run, and what the kernel has to say to the user.
//!
//! Drops of futures and values, wakers and the `Display` of errors may all panic. Such a panic concerns nobody but its
//! author: the panic hook has printed it, and the kernel goes on.

use std::any::Any;
use std::fmt;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls user code; a panic ends here.
#[inline]
pub(crate) fn contain(f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        drop_payload(payload);
    }
}

/// The payload is a value of the user's, too. One that panics when it is dropped is left alone after that.
#[cold]
fn drop_payload(payload: Box<dyn Any + Send>) {
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(another);
    }
}

/// Prints a line for the user. If nobody reads it any more, so be it: `eprintln!` would panic.
pub(crate) fn log(line: fmt::Arguments<'_>) {
    contain(|| {
        let _ = writeln!(io::stderr(), "curio: {line}");
    });
}
