//! A token for what must stay in the kernel's thread.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

use crate::context;
use crate::error::{Error, Result};
use crate::kept::Ticket;

/// Stands for a value that belongs to the kernel's thread, such as a [`Lock`](crate::Lock), a socket, or the guard of a lock.
///
/// The token may go to any thread, and be cloned there. The value stays where it is; in the kernel's thread, so inside of what
/// [`await_`](crate::thread::await_) makes, [`get`](Token::get) gives it. When the last copy of the token is dropped, in
/// whatever thread, the value is dropped in the kernel's, soon after; and when the kernel ends.
///
/// ```
/// use curio::{Lock, Result, run, thread};
///
/// run(async {
///     let counter = Lock::new(0);
///     let token = thread::Token::new(counter.clone())?;
///     let worker = thread::spawn(move || -> Result<()> {
///         // Take the lock, and keep it while the thread works.
///         let guard = thread::await_(move || async move {
///             thread::Token::new(token.get()?.lock().await?)
///         })?;
///         // .. the work ..
///         drop(guard);
///         Ok(())
///     });
///     worker.join().await?;
///     *counter.lock().await? += 1;
///     Ok(())
/// })
/// .unwrap();
/// ```
pub struct Token<T> {
    ticket: Arc<Ticket>,
    value: PhantomData<fn() -> T>,
}

impl<T: 'static> Token<T> {
    /// Leaves a value with the kernel that runs in this thread.
    ///
    /// # Errors
    ///
    /// [`Error::NoKernel`] if there is none. The value is dropped then.
    ///
    /// ```
    /// assert!(curio::thread::Token::new(7).is_err());
    /// ```
    pub fn new(value: T) -> Result<Token<T>> {
        let value: Rc<dyn Any> = Rc::new(value);
        let ticket = context::with(|context| match context {
            Some(context) => Ok(Ticket::new(context, value)),
            None => Err(Error::NoKernel),
        })?;
        Ok(Token {
            ticket: Arc::new(ticket),
            value: PhantomData,
        })
    }

    /// The value, in the thread of its kernel.
    ///
    /// # Errors
    ///
    /// [`Error::NoKernel`] everywhere else, and after the kernel's end.
    ///
    /// ```
    /// use curio::{run, thread::Token};
    ///
    /// run(async {
    ///     assert_eq!(*Token::new(7)?.get()?, 7);
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn get(&self) -> Result<Rc<T>> {
        let value = self.ticket.value().ok_or(Error::NoKernel)?;
        value.downcast().map_err(|_| Error::NoKernel)
    }
}

impl<T> Clone for Token<T> {
    fn clone(&self) -> Token<T> {
        Token {
            ticket: self.ticket.clone(),
            value: PhantomData,
        }
    }
}

impl<T> fmt::Debug for Token<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").finish_non_exhaustive()
    }
}
