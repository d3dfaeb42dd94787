//! What a task may give.
//!
//! The kernel must know of every task whether it gave a value or failed, so a task yields `()` or a
//! [`Result<T>`](crate::Result).

use crate::error::{Error, Result};

/// What a future must yield to be a task: `()` or a [`Result<T>`](crate::Result).
#[diagnostic::on_unimplemented(
    message = "a task gives `()` or a `Result<T>`, not `{Self}`",
    label = "this task gives `{Self}`",
    note = "wrap the value: end the task with `Ok(value)`"
)]
pub trait Outcome {
    /// What a join of the task gives.
    type Value;

    /// The value or the error.
    fn into_result(self) -> Result<Self::Value>;
}

/// The value that joining a task made from the future `F` gives.
pub type Value<F> = <<F as Future>::Output as Outcome>::Value;

impl Outcome for () {
    type Value = ();

    fn into_result(self) -> Result<()> {
        Ok(())
    }
}

impl<T> Outcome for Result<T, Error> {
    type Value = T;

    fn into_result(self) -> Result<T> {
        self
    }
}
