//! What lets one task in at a time, whatever it is; and a porter who watches.

#![allow(unreachable_pub)]

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use curio::{BoundedSemaphore, Clock, Condition, Kernel, Lock, RLock, Result, Semaphore};

/// What lets one task in at a time. All of them must behave alike.
#[derive(Clone, Debug)]
pub enum Gate {
    Lock(Lock<u32>),
    RLock(RLock<u32>),
    Semaphore(Semaphore),
    Bounded(BoundedSemaphore),
    /// A wait for a condition that has been notified holds the lock, too.
    Condition(Lock<u32>, Condition),
}

/// A guard or a permit.
pub type Pass = Box<dyn Any>;
pub type Entering = Pin<Box<dyn Future<Output = Result<Pass>>>>;

impl Gate {
    pub fn all() -> [Gate; 5] {
        [
            Gate::Lock(Lock::new(0)),
            Gate::RLock(RLock::new(0)),
            Gate::Semaphore(Semaphore::new(1)),
            Gate::Bounded(BoundedSemaphore::new(1)),
            Gate::Condition(Lock::new(0), Condition::new()),
        ]
    }

    pub async fn enter(&self) -> Result<Pass> {
        Ok(match self {
            Gate::Lock(lock) => Box::new(lock.lock().await?),
            Gate::RLock(lock) => Box::new(lock.lock().await?),
            Gate::Semaphore(semaphore) => Box::new(semaphore.acquire().await?),
            Gate::Bounded(semaphore) => Box::new(semaphore.acquire().await?),
            Gate::Condition(lock, condition) => {
                let guard = lock.lock().await?;
                Box::new(condition.wait_for(guard, |_| true).await?)
            }
        })
    }

    /// The same as a thing that can be moved and kept.
    pub fn entering(&self) -> Entering {
        let gate = self.clone();
        Box::pin(async move { gate.enter().await })
    }

    pub fn try_enter(&self) -> Option<Pass> {
        Some(match self {
            Gate::Lock(lock) | Gate::Condition(lock, _) => Box::new(lock.try_lock()?),
            Gate::RLock(lock) => Box::new(lock.try_lock()?),
            Gate::Semaphore(semaphore) => Box::new(semaphore.try_acquire()?),
            Gate::Bounded(semaphore) => Box::new(semaphore.try_acquire()?),
        })
    }

    pub fn is_free(&self) -> bool {
        match self {
            Gate::Lock(lock) | Gate::Condition(lock, _) => !lock.locked(),
            Gate::RLock(lock) => !lock.locked(),
            Gate::Semaphore(semaphore) => semaphore.value() == 1,
            Gate::Bounded(semaphore) => semaphore.value() == 1,
        }
    }
}

/// Who asked, who got in, and whether anybody else was in.
#[derive(Default)]
pub struct Porter {
    pub asked: RefCell<Vec<u32>>,
    pub entered: RefCell<Vec<u32>>,
    pub inside: Cell<u32>,
}

impl Porter {
    pub async fn visit(
        self: Rc<Porter>,
        gate: Gate,
        who: u32,
        stay: impl AsyncFnOnce() -> Result<()>,
    ) -> Result<()> {
        self.asked.borrow_mut().push(who);
        let pass = gate.enter().await?;
        self.entered.borrow_mut().push(who);
        assert_eq!(self.inside.replace(1), 0, "{who} is not alone");
        // Left also if the task is dropped in here; before the pass is given back.
        let _inside = (Inside(&self.inside), pass);
        stay().await
    }

    /// Those who got in did so in the order in which they asked.
    #[track_caller]
    pub fn check(&self, gate: &Gate) {
        let entered = self.entered.borrow();
        let mut asked = self.asked.borrow().clone();
        asked.retain(|who| entered.contains(who));
        assert_eq!(*entered, asked, "overtaken at {gate:?}");
        assert!(gate.is_free(), "{gate:?}");
    }
}

pub struct Inside<'a>(&'a Cell<u32>);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.set(0);
    }
}

pub const EMPTY: &str = "Kernel { tasks: 0, waits: 0, scopes: 0, timers: 0, sockets: 0 }";

pub fn poll_once<F: Future + Unpin>(future: &mut F) -> impl Future<Output = Poll<F::Output>> + '_ {
    std::future::poll_fn(move |cx| Poll::Ready(Pin::new(&mut *future).poll(cx)))
}

/// Polls where no task is.
pub fn poll_outside<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

pub fn kernel() -> Kernel {
    Kernel::builder().clock(Clock::Virtual).build().unwrap()
}

/// Runs the kernel until every task waits.
pub fn settle(kernel: &Kernel) {
    for _ in 0..20 {
        kernel.run_once().unwrap();
    }
}
