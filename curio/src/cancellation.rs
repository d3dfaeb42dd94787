//! Control over interruptions: shields, polite questions, and operations made of foreign futures.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use pin_project_lite::pin_project;

use crate::context::{self, Context};
use crate::error::Result;
use crate::key::Key;
use crate::scopes::Kind;
use crate::traps::Waiting;
use crate::waits::Label;

/// Shields a future from all interruptions that come from outside of it (Python Curio: `disable_cancellation`).
///
/// *Waits* as long as the future does. What arrives meanwhile is delivered at the first operation after it that waits.
/// Timeouts that are set *inside* work. Without a kernel it is the future alone.
///
/// ```
/// use curio::{disable_cancellation, run, sleep, spawn, Error};
/// use std::time::Duration;
///
/// run(async {
///     let kid = spawn(async {
///         disable_cancellation(sleep(Duration::from_millis(2))).await?;
///         println!("the important thing is done");
///         sleep(Duration::from_secs(1000)).await
///     });
///     curio::yield_now().await?;
///     kid.cancel().await?;
///     assert!(matches!(kid.join().await, Err(Error::Task(e)) if e.cancelled()));
///     Ok(())
/// })
/// .unwrap();
/// ```
pub fn disable_cancellation<F: Future>(future: F) -> Shield<F> {
    Shield {
        future,
        scope: ShieldScope { key: None },
    }
}

/// Asks whether an interruption is pending (Python Curio: `check_cancellation`). It never waits.
///
/// `Ok(true)` inside a shield that holds one back; `Ok(false)` if there is none.
///
/// # Errors
///
/// The interruption itself, which is delivered by this, if no shield is in the way.
/// [`Error::NoKernel`](crate::Error::NoKernel) outside of a task.
///
/// ```
/// use curio::{check_cancellation, run};
///
/// run(async {
///     for _step in 0..1_000 {
///         check_cancellation()?; // a long computation that can be cancelled
///     }
///     Ok(())
/// })
/// .unwrap();
/// ```
pub fn check_cancellation() -> Result<bool> {
    context::with_task(|context, task| {
        let mut tables = context.tables.borrow_mut();
        if tables.slot(task).hot == 0 {
            return Ok(false);
        }
        let scope = context.open_scopes(&mut tables, task);
        match tables.interruption(task, scope, None) {
            Some(error) => Err(error),
            None => Ok(tables.is_pending(task, scope)),
        }
    })
}

/// Makes an operation of a future that is not this library's, so that an interruption is delivered to it as a value.
///
/// *Waits* as long as the future does. *Interrupted* by cancellation and timeouts: the future is dropped then and the
/// task may clean up. (Where a task awaits a foreign future without this, the task itself, or the timeout around it, is
/// dropped.)
///
/// # Errors
///
/// The interruption.
///
/// ```
/// use curio::{interruptible, run, timeout_after};
/// use std::time::Duration;
///
/// run(async {
///     let never = std::future::pending::<()>();
///     let r = timeout_after(Duration::from_millis(1), async {
///         if let Err(e) = interruptible(never).await {
///             println!("cleaning up");
///             return Err(e);
///         }
///         Ok(())
///     });
///     assert!(r.await.unwrap_err().is_timeout());
///     Ok(())
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn interruptible<F: Future>(future: F) -> Interruptible<F> {
    Interruptible {
        future: Some(future),
        waiting: Waiting::new(),
        place: Location::caller(),
    }
}

pin_project! {
    /// The operation of [`disable_cancellation`].
    #[must_use = "it does nothing unless it is awaited"]
    pub struct Shield<F> {
        // Declared before the scope, so dropped before it: what waits inside leaves first.
        #[pin]
        future: F,
        scope: ShieldScope,
    }
}

pin_project! {
    /// The operation of [`interruptible`].
    #[must_use = "it does nothing unless it is awaited"]
    pub struct Interruptible<F> {
        #[pin]
        future: Option<F>,
        waiting: Waiting,
        place: &'static Location<'static>,
    }
}

impl<F: Future> Future for Shield<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<F::Output> {
        let this = self.project();
        context::with(|context| {
            let Some((context, task)) = context.and_then(|c| Some((c, c.task.get()?))) else {
                return this.future.poll(cx);
            };
            let inside = this.scope.enter(context, task.index());
            let result = this.future.poll(cx);
            drop(inside);
            if result.is_ready() {
                this.scope.close(context);
            }
            result
        })
    }
}

impl<F: Future> Future for Interruptible<F> {
    type Output = Result<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<F::Output>> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            panic!("an interruptible future was polled after it had completed");
        };
        let result = match future.poll(cx) {
            Poll::Ready(value) => {
                this.waiting.complete();
                Ok(value)
            }
            Poll::Pending => match this.waiting.wait(cx, Label::FOREIGN_WAIT, this.place) {
                Ok(()) => return Poll::Pending,
                Err(error) => Err(error),
            },
        };
        this.future.set(None);
        Poll::Ready(result)
    }
}

/// The scope of a shield, from its first poll on.
struct ShieldScope {
    key: Option<Key>,
}

impl ShieldScope {
    /// Makes the shield the current scope, until the result is dropped.
    fn enter<'a>(&mut self, context: &'a Context, task: u32) -> Inside<'a> {
        let mut tables = context.tables.borrow_mut();
        let outer = context.open_scopes(&mut tables, task);
        let known = self
            .key
            .and_then(|key| tables.scopes.find(key))
            .filter(|&i| tables.scopes.get(i).task == task);
        let index = known.unwrap_or_else(|| {
            // A shield that was moved here from another task leaves its scope there.
            if let Some(there) = self.key.and_then(|key| tables.scopes.find(key)) {
                tables.close_scope(there);
            }
            let index = tables.open_scope(task, outer, Kind::Shield);
            self.key = tables.scopes.key(index);
            index
        });
        if tables.parent_scope(index) != outer {
            tables.move_scope(index, outer);
        }
        context.scope.set(index);
        Inside { context, outer }
    }

    /// The shield closes as its future has completed: what was delivered outside meanwhile is owed (D4).
    fn close(&mut self, context: &Context) {
        let mut tables = context.tables.borrow_mut();
        if let Some(index) = self.key.and_then(|key| tables.scopes.find(key)) {
            let opened = tables.scopes.get(index).opened;
            let (task, outer) = (tables.scopes.get(index).task, tables.parent_scope(index));
            tables.close_scope(index);
            if tables.slot(task).hot != 0 {
                tables.owe(task, outer, opened);
            }
        }
        self.key = None;
    }
}

impl Drop for ShieldScope {
    fn drop(&mut self) {
        context::with(|context| {
            if let Some(context) = context {
                let mut tables = context.tables.borrow_mut();
                if let Some(index) = self.key.and_then(|key| tables.scopes.find(key)) {
                    tables.close_scope(index);
                }
            }
        });
    }
}

/// Restores the surroundings of a shield, also when its future panicked.
struct Inside<'a> {
    context: &'a Context,
    outer: u32,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.context.scope.set(self.outer);
        self.context.unopened.set(0);
    }
}

impl<F> fmt::Debug for Shield<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shield").finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for Interruptible<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interruptible")
            .field("waiting", &self.waiting)
            .finish_non_exhaustive()
    }
}
