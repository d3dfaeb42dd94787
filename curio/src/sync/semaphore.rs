//! Permits, of which there are only so many.
//!
//! `acquire` takes one, or waits in line until one is handed over; the drop of a [`Permit`] gives it back. A permit stands
//! for nothing but itself, so permits can also be made from nothing (`release`) and vanish (`forget`): what is counted
//! need not be held by a guard.
//!
//! P1. While somebody waits in a kernel that lives, `free` is 0: a permit that is given back is handed over, not counted.
//! P2. With a bound, `free` never exceeds it.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, ready};

use crate::error::{Error, Result};
use crate::line::Line;
use crate::mirror::Holder;
use crate::traps::{self, Label, Waiting};

const SEMA_ACQUIRE: Label = Label::new(&"SEMA_ACQUIRE");

/// A number of permits (Python Curio: `Semaphore`): how many tasks may do something at a time.
///
/// It is a handle: clone it to share the semaphore. Permits are handed out in the order in which they were asked for.
///
/// ```
/// use curio::{Semaphore, run, sleep, spawn};
/// use std::time::Duration;
///
/// run(async {
///     let desks = Semaphore::new(2);
///     let kids: Vec<_> = (0..6)
///         .map(|_| {
///             let desks = desks.clone();
///             spawn(async move {
///                 let _desk = desks.acquire().await?;
///                 sleep(Duration::from_millis(1)).await
///             })
///         })
///         .collect();
///     for kid in kids {
///         kid.join().await?;
///     }
///     assert_eq!(desks.value(), 2);
///     Ok(())
/// })
/// .unwrap();
/// ```
#[derive(Clone)]
pub struct Semaphore(Rc<Shared>);

struct Shared {
    /// P1.
    free: Cell<usize>,
    line: Line,
    /// P2.
    bound: usize,
}

impl Semaphore {
    /// A semaphore with so many permits to begin with.
    ///
    /// ```
    /// assert_eq!(curio::Semaphore::new(2).value(), 2);
    /// ```
    pub fn new(permits: usize) -> Semaphore {
        Semaphore::with_bound(permits, usize::MAX)
    }

    fn with_bound(permits: usize, bound: usize) -> Semaphore {
        Semaphore(Rc::new(Shared {
            free: Cell::new(permits),
            line: Line::default(),
            bound,
        }))
    }

    /// Waits for a permit. Dropping the permit gives it back.
    ///
    /// *Waits* until all who asked before have got theirs and there is one more; not at all if one is free. *Interrupted*
    /// by cancellation and timeouts: then no permit was taken.
    ///
    /// # Errors
    ///
    /// [`Error::NoKernel`] if it would wait outside of a task, or while tasks of another living kernel have waited for
    /// this semaphore.
    ///
    /// ```
    /// curio::run(async {
    ///     let desks = curio::Semaphore::new(1);
    ///     let desk = desks.acquire().await?;
    ///     assert!(desks.locked());
    ///     drop(desk);
    ///     assert!(!desks.locked());
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[inline]
    #[track_caller]
    pub fn acquire(&self) -> Acquire<'_> {
        self.acquire_at(Location::caller())
    }

    /// The same, for somebody else.
    #[inline]
    pub(crate) fn acquire_at(&self, place: &'static Location<'static>) -> Acquire<'_> {
        Acquire {
            semaphore: self,
            waiting: Waiting::new(),
            place,
        }
    }

    /// Takes a permit if one is free. It never waits, and works outside of a kernel.
    ///
    /// ```
    /// let desks = curio::Semaphore::new(1);
    /// let desk = desks.try_acquire();
    /// assert!(desk.is_some() && desks.try_acquire().is_none());
    /// ```
    #[inline]
    pub fn try_acquire(&self) -> Option<Permit> {
        let free = self.value().checked_sub(1)?;
        self.0.free.set(free);
        Some(self.permit())
    }

    /// Gives back a permit that was [forgotten](Permit::forget), or adds one more. It never waits.
    ///
    /// ```
    /// let desks = curio::Semaphore::new(0);
    /// desks.release();
    /// assert_eq!(desks.value(), 1);
    /// ```
    #[inline]
    pub fn release(&self) {
        let Shared { free, line, bound } = &*self.0;
        if !line.hand_over() {
            free.set(free.get().saturating_add(1).min(*bound));
        }
    }

    /// How many permits are free.
    ///
    /// ```
    /// assert_eq!(curio::Semaphore::new(2).value(), 2);
    /// ```
    #[inline]
    pub fn value(&self) -> usize {
        match self.0.line.granted() {
            0 => self.0.free.get(),
            _ => self.reclaim(),
        }
    }

    /// What was handed to operations whose kernel is gone is free (N3).
    #[inline(never)]
    fn reclaim(&self) -> usize {
        let Shared { free, line, bound } = &*self.0;
        let free_now = free.get().saturating_add(line.reclaim()).min(*bound);
        free.set(free_now);
        free_now
    }

    /// Whether no permit is free.
    ///
    /// ```
    /// assert!(curio::Semaphore::new(0).locked());
    /// ```
    pub fn locked(&self) -> bool {
        self.value() == 0
    }

    /// The poll of `Acquire` that has found no permit.
    #[cold]
    #[inline(never)]
    fn poll_slowly(
        &self,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<Permit>> {
        // There may be one if it, or those before it, waited in a kernel that is gone.
        if self.value() > 0 {
            if !waiting.is_waiting() {
                ready!(traps::poll_budget(cx));
            }
            waiting.complete();
            self.0.free.set(self.0.free.get() - 1);
            return Poll::Ready(Ok(self.permit()));
        }
        let Shared { line, bound, .. } = &*self.0;
        let holder = || Holder::Permits((*bound != usize::MAX).then_some(*bound));
        match line.wait_for(holder, waiting, cx, SEMA_ACQUIRE, place) {
            Ok(()) => Poll::Pending,
            Err(error) => {
                self.leave(waiting);
                Poll::Ready(Err(error))
            }
        }
    }

    #[inline]
    fn permit(&self) -> Permit {
        Permit(Some(self.clone()))
    }

    /// An operation leaves the line without a permit.
    #[inline]
    fn leave(&self, waiting: &mut Waiting) {
        self.0.line.leave(waiting, || self.release());
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore").field("value", &self.value()).finish()
    }
}

/// A semaphore that notices when more is given back than was taken (Python Curio: `BoundedSemaphore`).
///
/// It is a handle, as [`Semaphore`] is.
///
/// ```
/// use curio::BoundedSemaphore;
///
/// let desks = BoundedSemaphore::new(1);
/// let desk = desks.try_acquire().unwrap();
/// drop(desk);
/// let error = desks.release().unwrap_err();
/// assert_eq!(error.to_string(), "a BoundedSemaphore was released more often than acquired (its bound is 1)");
/// ```
#[derive(Clone)]
pub struct BoundedSemaphore(Semaphore);

impl BoundedSemaphore {
    /// A semaphore with so many permits, and never more.
    ///
    /// ```
    /// assert_eq!(curio::BoundedSemaphore::new(2).value(), 2);
    /// ```
    pub fn new(permits: usize) -> BoundedSemaphore {
        BoundedSemaphore(Semaphore::with_bound(permits, permits))
    }

    /// See [`Semaphore::acquire`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// curio::run(async {
    ///     let _desk = curio::BoundedSemaphore::new(1).acquire().await?;
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[inline]
    #[track_caller]
    pub fn acquire(&self) -> Acquire<'_> {
        self.0.acquire()
    }

    /// See [`Semaphore::try_acquire`].
    ///
    /// ```
    /// assert!(curio::BoundedSemaphore::new(0).try_acquire().is_none());
    /// ```
    pub fn try_acquire(&self) -> Option<Permit> {
        self.0.try_acquire()
    }

    /// Gives back a permit that was [forgotten](Permit::forget). It never waits.
    ///
    /// (A [`Permit`] that is dropped when none was missing, as after such a release too many, adds nothing.)
    ///
    /// # Errors
    ///
    /// [`Error::Other`] if no permit was missing: somebody gives back what nobody took.
    ///
    /// ```
    /// let desks = curio::BoundedSemaphore::new(1);
    /// desks.try_acquire().unwrap().forget();
    /// assert!(desks.release().is_ok());
    /// assert!(desks.release().is_err());
    /// ```
    pub fn release(&self) -> Result<()> {
        let bound = self.bound();
        if self.value() >= bound {
            return Err(Error::other(format!(
                "a BoundedSemaphore was released more often than acquired (its bound is {bound})"
            )));
        }
        self.0.release();
        Ok(())
    }

    /// How many permits are free.
    ///
    /// ```
    /// assert_eq!(curio::BoundedSemaphore::new(2).value(), 2);
    /// ```
    pub fn value(&self) -> usize {
        self.0.value()
    }

    /// Whether no permit is free.
    ///
    /// ```
    /// assert!(!curio::BoundedSemaphore::new(2).locked());
    /// ```
    pub fn locked(&self) -> bool {
        self.0.locked()
    }

    /// How many permits there are, free or taken.
    ///
    /// ```
    /// assert_eq!(curio::BoundedSemaphore::new(2).bound(), 2);
    /// ```
    pub fn bound(&self) -> usize {
        self.0.0.bound
    }
}

impl fmt::Debug for BoundedSemaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundedSemaphore")
            .field("value", &self.value())
            .field("bound", &self.bound())
            .finish()
    }
}

/// One permit of a [`Semaphore`] or [`BoundedSemaphore`].
///
/// Dropping it gives it back, wherever that happens: in another task, outside of the kernel, after its end. It never
/// waits.
///
/// ```
/// let desks = curio::Semaphore::new(1);
/// let desk = desks.try_acquire().unwrap();
/// drop(desk);
/// assert_eq!(desks.value(), 1);
/// ```
#[must_use = "the permit is given back at once if it is not kept"]
pub struct Permit(Option<Semaphore>);

impl Permit {
    /// Lets the permit vanish: it is not given back. [`Semaphore::release`] makes a new one.
    ///
    /// ```
    /// let desks = curio::Semaphore::new(1);
    /// desks.try_acquire().unwrap().forget();
    /// assert_eq!(desks.value(), 0);
    /// ```
    pub fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for Permit {
    #[inline]
    fn drop(&mut self) {
        if let Some(semaphore) = &self.0 {
            semaphore.release();
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}

/// The operation of [`Semaphore::acquire`] and [`BoundedSemaphore::acquire`].
#[must_use = "it does nothing unless it is awaited"]
pub struct Acquire<'a> {
    semaphore: &'a Semaphore,
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl Future for Acquire<'_> {
    type Output = Result<Permit>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<Permit>> {
        let Acquire {
            semaphore,
            waiting,
            place,
        } = &mut *self;
        let Shared { free, line, .. } = &*semaphore.0;
        if waiting.is_waiting() {
            if line.receive(waiting) {
                let permit = semaphore.permit();
                waiting.is_over();
                return Poll::Ready(Ok(permit));
            }
        } else if free.get() > 0 {
            ready!(traps::poll_budget(cx));
            free.set(free.get() - 1);
            let permit = semaphore.permit();
            waiting.is_over();
            return Poll::Ready(Ok(permit));
        } else if line.begin(waiting, cx, SEMA_ACQUIRE, place) {
            return Poll::Pending;
        }
        semaphore.poll_slowly(waiting, cx, place)
    }
}

impl Drop for Acquire<'_> {
    #[inline]
    fn drop(&mut self) {
        self.semaphore.leave(&mut self.waiting);
    }
}

impl fmt::Debug for Acquire<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire")
            .field("semaphore", self.semaphore)
            .finish()
    }
}
