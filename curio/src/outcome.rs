//! What a task may give.
//!
//! The kernel must know of every task whether it gave a value, was cancelled or failed, so a task yields `()` or a
//! [`Result<T>`](crate::Result). One impl for `Result<_, Error>` keeps `spawn(async { .. ; Ok(()) })` inferring; a
//! generic error type would not. Endless loops and bodies that only panic have the type `!`, which stable Rust cannot
//! name; it can be reached as the associated type of a function pointer.

use crate::error::{Error, Result};

mod sealed {
    pub trait Sealed {}
}

/// What a future must yield to be a task: `()`, [`curio::Result<T>`](crate::Result), or nothing at all (an endless loop).
///
/// ```
/// use curio::{run, spawn};
///
/// run(async {
///     spawn(async { println!("a task that gives ()") });
///     let sum = spawn(async { Ok(1 + 2) }).join().await?;
///     assert_eq!(sum, 3);
///     Ok(())
/// })
/// .unwrap();
/// ```
#[diagnostic::on_unimplemented(
    message = "a task gives `()` or a `curio::Result<T>`, not `{Self}`",
    label = "this task gives `{Self}`",
    note = "wrap the value: end the task with `Ok(value)`, and map foreign errors with `.map_err(curio::Error::other)`"
)]
pub trait Outcome: sealed::Sealed {
    /// What a join of the task gives.
    type Value;

    /// The value or the error.
    fn into_result(self) -> Result<Self::Value>;
}

/// The value that joining a task made from the future `F` gives.
pub type Value<F> = <<F as Future>::Output as Outcome>::Value;

impl sealed::Sealed for () {}
impl Outcome for () {
    type Value = ();

    fn into_result(self) -> Result<()> {
        Ok(())
    }
}

impl<T> sealed::Sealed for Result<T, Error> {}
impl<T> Outcome for Result<T, Error> {
    type Value = T;

    fn into_result(self) -> Result<T> {
        self
    }
}

/// What a function pointer returns.
#[doc(hidden)]
pub trait Returns {
    type Output;
}
impl<R> Returns for fn() -> R {
    type Output = R;
}
type Never = <fn() -> ! as Returns>::Output;

impl sealed::Sealed for Never {}
impl Outcome for Never {
    type Value = Never;

    fn into_result(self) -> Result<Never> {
        self
    }
}
