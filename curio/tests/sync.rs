//! Events, locks, semaphores, conditions and promises, by situation.

#![allow(missing_docs)]

mod common;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use common::{Watchdog, everywhere, virtually};
use curio::{
    BoundedSemaphore, Clock, Condition, Error, Event, Kernel, Lock, Promise, PromiseError, RLock, Result,
    Semaphore, Task, disable_cancellation, ignore_after, run, sleep, spawn, timeout_after, yield_now,
};
use futures::future::{Either, select};
use futures::stream::{FuturesUnordered, StreamExt};
use proptest::prelude::*;

// ---- Everything with a line: one at a time may be in

/// What lets one task in at a time. All of them must behave alike.
#[derive(Clone, Debug)]
enum Gate {
    Lock(Lock<u32>),
    RLock(RLock<u32>),
    Semaphore(Semaphore),
    Bounded(BoundedSemaphore),
    /// A wait for a condition that has been notified holds the lock, too.
    Condition(Lock<u32>, Condition),
}

/// A guard or a permit.
type Pass = Box<dyn Any>;
type Entering = Pin<Box<dyn Future<Output = Result<Pass>>>>;

impl Gate {
    fn all() -> [Gate; 5] {
        [
            Gate::Lock(Lock::new(0)),
            Gate::RLock(RLock::new(0)),
            Gate::Semaphore(Semaphore::new(1)),
            Gate::Bounded(BoundedSemaphore::new(1)),
            Gate::Condition(Lock::new(0), Condition::new()),
        ]
    }

    async fn enter(&self) -> Result<Pass> {
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
    fn entering(&self) -> Entering {
        let gate = self.clone();
        Box::pin(async move { gate.enter().await })
    }

    fn try_enter(&self) -> Option<Pass> {
        Some(match self {
            Gate::Lock(lock) | Gate::Condition(lock, _) => Box::new(lock.try_lock()?),
            Gate::RLock(lock) => Box::new(lock.try_lock()?),
            Gate::Semaphore(semaphore) => Box::new(semaphore.try_acquire()?),
            Gate::Bounded(semaphore) => Box::new(semaphore.try_acquire()?),
        })
    }

    fn is_free(&self) -> bool {
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
struct Porter {
    asked: RefCell<Vec<u32>>,
    entered: RefCell<Vec<u32>>,
    inside: Cell<u32>,
}

impl Porter {
    async fn visit(
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
    fn check(&self, gate: &Gate) {
        let entered = self.entered.borrow();
        let mut asked = self.asked.borrow().clone();
        asked.retain(|who| entered.contains(who));
        assert_eq!(*entered, asked, "overtaken at {gate:?}");
        assert!(gate.is_free(), "{gate:?}");
    }
}

struct Inside<'a>(&'a Cell<u32>);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.set(0);
    }
}

const EMPTY: &str = "Kernel { tasks: 0, waits: 0, scopes: 0, timers: 0, sockets: 0 }";

fn poll_once<F: Future + Unpin>(future: &mut F) -> impl Future<Output = Poll<F::Output>> + '_ {
    std::future::poll_fn(move |cx| Poll::Ready(Pin::new(&mut *future).poll(cx)))
}

/// Polls where no task is.
fn poll_outside<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn kernel() -> Kernel {
    Kernel::builder().clock(Clock::Virtual).build().unwrap()
}

/// Runs the kernel until every task waits.
fn settle(kernel: &Kernel) {
    for _ in 0..20 {
        kernel.run_once().unwrap();
    }
}

#[test]
fn all_get_in_in_the_order_in_which_they_asked() {
    everywhere(async |w| {
        for gate in Gate::all() {
            let porter = Rc::new(Porter::default());
            let kids: Vec<_> = (0..6)
                .map(|who| {
                    spawn(
                        porter
                            .clone()
                            .visit(gate.clone(), who, async move || sleep(w.t(1)).await),
                    )
                })
                .collect();
            for kid in kids {
                kid.join().await?;
            }
            assert_eq!(porter.entered.borrow().len(), 6);
            porter.check(&gate);
        }
        Ok(())
    });
}

#[test]
fn nobody_takes_it_between_the_release_and_the_run_of_the_chosen() {
    virtually(async |w| {
        for gate in Gate::all() {
            let first = gate.enter().await?;
            let kid = spawn({
                let gate = gate.clone();
                async move {
                    let _pass = gate.enter().await?;
                    yield_now().await
                }
            });
            sleep(w.t(1)).await?;
            drop(first);
            // It is the kid's already, although the kid has not run.
            assert!(gate.try_enter().is_none() && !gate.is_free(), "{gate:?}");
            gate.enter().await?;
            assert!(kid.terminated(), "the kid was overtaken at {gate:?}");
        }
        Ok(())
    });
}

#[test]
fn one_that_completes_at_once_does_not_suspend_but_lets_others_run_now_and_then() {
    virtually(async |_| {
        for gate in Gate::all() {
            let mut entering = gate.entering();
            assert!(poll_once(&mut entering).await.is_ready());
            drop(entering);
            let others = Rc::new(Cell::new(false));
            spawn({
                let others = others.clone();
                async move { others.set(true) }
            });
            while !others.get() {
                gate.enter().await?;
            }
        }
        Ok(())
    });
}

// ---- Acceptance case 14: a holder is cancelled, one who was just chosen goes, and nobody hangs

#[test]
fn a_holder_is_cancelled_while_five_wait() {
    everywhere(async |w| {
        for gate in Gate::all() {
            let porter = Rc::new(Porter::default());
            let holder = spawn(
                porter
                    .clone()
                    .visit(gate.clone(), 0, async move || sleep(w.t(1000)).await),
            );
            while porter.inside.get() == 0 {
                yield_now().await?;
            }
            let kids: Vec<_> = (1..6)
                .map(|who| {
                    spawn(
                        porter
                            .clone()
                            .visit(gate.clone(), who, async || yield_now().await),
                    )
                })
                .collect();
            sleep(w.t(1)).await?;
            holder.cancel().await?;
            for kid in kids {
                kid.join().await?;
            }
            porter.check(&gate);
        }
        Ok(())
    });
}

/// What happens to the waiter that was just chosen, before it runs.
#[derive(Clone, Copy, Debug)]
enum Fate {
    CancelledBefore,
    CancelledAfter,
    /// Its `select!` looks at something else first, which has happened.
    Deselected,
    /// It times out in the instant in which it is chosen.
    TimedOut,
    /// Its task's future is dropped.
    Dropped,
    /// It is one of many in a set, which is dropped.
    Unordered,
    /// It goes on in another task.
    Moved,
}

#[test]
fn whoever_was_just_chosen_and_goes_passes_it_on() {
    use Fate::{CancelledAfter, CancelledBefore, Deselected, Dropped, Moved, TimedOut, Unordered};
    everywhere(async |w| {
        for fate in [
            CancelledBefore,
            CancelledAfter,
            Deselected,
            TimedOut,
            Dropped,
            Unordered,
            Moved,
        ] {
            for gate in Gate::all() {
                let pass = gate.enter().await?;
                let bell = Event::new();
                let entering = gate.entering();
                let chosen: Task<()> = {
                    let bell = bell.clone();
                    spawn(async move {
                        match fate {
                            CancelledBefore | CancelledAfter => drop(entering.await?),
                            Deselected => {
                                let bell = pin!(async { bell.wait().await });
                                match select(bell, entering).await {
                                    Either::Left((rung, _entering)) => rung?,
                                    Either::Right((pass, _)) => drop(pass?),
                                }
                            }
                            TimedOut => drop(ignore_after(w.t(2), entering).await?),
                            Dropped => drop(disable_cancellation(entering).await?),
                            Unordered => {
                                let mut set: FuturesUnordered<_> = [entering].into_iter().collect();
                                let bell = pin!(async { bell.wait().await });
                                if let Either::Right((pass, _)) = select(bell, set.next()).await {
                                    drop(pass);
                                }
                            }
                            Moved => {
                                let mut entering = entering;
                                assert!(poll_once(&mut entering).await.is_pending());
                                bell.wait().await?;
                                drop(spawn(entering).join().await?);
                            }
                        }
                        Ok(())
                    })
                };
                sleep(w.t(1)).await?;
                let next = spawn({
                    let gate = gate.clone();
                    async move { gate.enter().await.map(drop) }
                });
                sleep(w.t(1)).await?;
                if let CancelledBefore = fate {
                    chosen.cancel_nowait();
                }
                drop(pass);
                bell.set();
                match fate {
                    CancelledAfter => chosen.cancel_nowait(),
                    Dropped => chosen.cancel_within(Duration::ZERO).await?,
                    _ => {}
                }
                next.join().await?;
                chosen.wait().await?;
                assert!(gate.is_free(), "{fate:?}: {gate:?}");
            }
        }
        Ok(())
    });
}

/// How a task is ended.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Cancelled,
    /// It does not listen, and its future is dropped where it stands.
    Dropped,
}

#[test]
fn any_of_them_goes_after_any_number_of_steps() {
    let _guard = Watchdog::start();
    for gate in 0..Gate::all().len() {
        for victim in 0..4 {
            for second in [None, Some(0), Some(1), Some(2), Some(3)] {
                for seed in [None, Some(1), Some(2), Some(3)] {
                    for step in 0..16 {
                        for end in [End::Cancelled, End::Dropped] {
                            let how =
                                format!("{victim} and {second:?} {end:?} with seed {seed:?} after {step}");
                            let victims = [Some(victim), second].into_iter().flatten().collect::<Vec<_>>();
                            end_after(step, &Gate::all()[gate], &victims, end, seed, &how);
                        }
                    }
                }
            }
        }
    }
}

fn end_after(step: usize, gate: &Gate, victims: &[usize], end: End, seed: Option<u64>, how: &str) {
    let builder = Kernel::builder().clock(Clock::Virtual);
    let kernel = match seed {
        Some(seed) => builder.seed(seed),
        None => builder,
    }
    .build()
    .unwrap();
    let porter = Rc::new(Porter::default());
    let stay = async || {
        yield_now().await?;
        yield_now().await
    };
    let tasks: Vec<_> = (0..4)
        .map(|who| {
            let visit = porter.clone().visit(gate.clone(), who, stay);
            kernel.spawn(async move {
                match end {
                    End::Cancelled => visit.await,
                    End::Dropped => disable_cancellation(visit).await,
                }
            })
        })
        .collect();
    for _ in 0..step {
        kernel.run_once().unwrap();
    }
    for &victim in victims {
        match end {
            End::Cancelled => tasks[victim].cancel_nowait(),
            End::Dropped => kernel.run(tasks[victim].cancel_within(Duration::ZERO)).unwrap(),
        }
    }
    if let Err(error) = kernel.run_all() {
        panic!("{gate:?}, {how}: {error:?}");
    }
    for who in (0..4).filter(|who| !victims.contains(who)) {
        assert!(
            porter.entered.borrow().contains(&(who as u32)),
            "{who} did not get in: {how}"
        );
    }
    porter.check(gate);
    assert_eq!(format!("{kernel:?}"), EMPTY, "{gate:?}, {how}");
}

// ---- Below combinators

#[test]
fn below_combinators_each_gets_its_turn() {
    everywhere(async |w| {
        for gate in [Gate::Lock(Lock::new(0)), Gate::Semaphore(Semaphore::new(1))] {
            let pass = gate.enter().await?;
            let holder = spawn(async move {
                sleep(w.t(1)).await?;
                drop(pass);
                Ok(())
            });
            let (a, b) = futures::join!(async { gate.enter().await.map(drop) }, async {
                gate.enter().await.map(drop)
            });
            a.and(b)?;
            holder.join().await?;

            let pass = gate.enter().await?;
            let mut set: FuturesUnordered<_> = (0..5).map(|_| gate.entering()).collect();
            let holder = spawn(async move {
                sleep(w.t(1)).await?;
                drop(pass);
                Ok(())
            });
            let mut entered = 0;
            while let Some(pass) = set.next().await {
                drop(pass?);
                entered += 1;
            }
            assert_eq!(entered, 5);
            holder.join().await?;
        }
        Ok(())
    });
}

#[test]
fn all_who_wait_below_a_combinator_are_interrupted() {
    virtually(async |w| {
        for gate in Gate::all() {
            let pass = gate.enter().await?;
            let kid = spawn({
                let gate = gate.clone();
                async move {
                    let mut set: FuturesUnordered<_> = (0..3).map(|_| gate.entering()).collect();
                    let mut errors = 0;
                    while let Some(entered) = set.next().await {
                        assert!(entered.is_err_and(|e| e.is_cancellation()));
                        errors += 1;
                    }
                    Ok(errors)
                }
            });
            sleep(w.t(1)).await?;
            kid.cancel().await?;
            assert_eq!(kid.join().await?, 3);
            drop(pass);
            assert!(gate.is_free());
        }
        Ok(())
    });
}

// ---- Operations and guards without their kernel

#[test]
fn a_guard_may_be_dropped_anywhere() {
    for gate in Gate::all() {
        let pass = run(async { gate.enter().await }).unwrap();
        assert!(!gate.is_free());
        drop(pass);
        assert!(gate.is_free());

        // While others wait, in a kernel that does not run; and in the kernel's shutdown.
        let kernel = kernel();
        let pass = gate.try_enter().unwrap();
        let kid = kernel.spawn(gate.entering());
        settle(&kernel);
        drop(pass);
        assert!(!gate.is_free());
        let held = kernel.run(kid.join()).unwrap();
        kernel.spawn(async move {
            let _held = held;
            sleep(Duration::MAX).await
        });
        kernel.spawn(gate.entering());
        settle(&kernel);
        drop(kernel);
        assert!(gate.is_free(), "{gate:?}");
    }
}

#[test]
fn kernels_may_follow_one_another() {
    for gate in Gate::all() {
        for _ in 0..3 {
            run(async {
                let pass = gate.enter().await?;
                let kid = spawn(gate.entering());
                yield_now().await?;
                drop(pass);
                kid.join().await.map(drop)
            })
            .unwrap();
        }
    }
}

#[test]
fn a_held_one_outside_of_a_task_is_an_error_and_a_free_one_is_not() {
    for gate in Gate::all() {
        let mut entering = gate.entering();
        let Poll::Ready(Ok(pass)) = poll_outside(&mut entering) else {
            panic!("{gate:?}")
        };
        let mut entering = gate.entering();
        assert!(matches!(
            poll_outside(&mut entering),
            Poll::Ready(Err(Error::NoKernel))
        ));
        drop(pass);
        assert!(gate.is_free());
    }
}

#[test]
fn to_wait_in_two_living_kernels_is_an_error() {
    for gate in Gate::all() {
        let (one, two) = (kernel(), kernel());
        let pass = gate.try_enter().unwrap();
        let kid = one.spawn(gate.entering());
        settle(&one);
        let other = two.run(gate.entering());
        assert!(matches!(other, Err(Error::NoKernel)), "{gate:?}");
        drop(pass);
        drop(one.run(kid.join()).unwrap());
        drop(one);
        let pass = gate.try_enter().unwrap();
        let kid = two.spawn(gate.entering());
        settle(&two);
        drop(pass);
        two.run(kid.join()).unwrap();
    }
}

/// An operation that waits in a task of the kernel but is kept outside, so that it can outlive both.
fn kept(kernel: &Kernel, gate: &Gate) -> Rc<RefCell<Option<Entering>>> {
    let entering = Rc::new(RefCell::new(Some(gate.entering())));
    let (poll, mut polled) = (entering.clone(), false);
    kernel.spawn(std::future::poll_fn(move |cx| -> Poll<Result<()>> {
        if !std::mem::replace(&mut polled, true) {
            let mut entering = poll.borrow_mut().take().unwrap();
            assert!(entering.as_mut().poll(cx).is_pending());
            *poll.borrow_mut() = Some(entering);
        }
        Poll::Pending
    }));
    settle(kernel);
    entering
}

#[test]
fn a_waiter_that_is_dropped_while_its_kernel_does_not_run_is_passed_over() {
    for gate in Gate::all() {
        for chosen in [false, true] {
            let kernel = kernel();
            let pass = gate.try_enter().unwrap();
            let entering = kept(&kernel, &gate);
            let kid = kernel.spawn(gate.entering());
            settle(&kernel);
            let pass = if chosen {
                drop(pass);
                None
            } else {
                Some(pass)
            };
            drop(entering.take());
            drop(pass);
            drop(kernel.run(kid.join()).unwrap());
            assert!(gate.is_free(), "{gate:?}");
        }
    }
}

#[test]
fn a_chosen_waiter_that_is_polled_where_its_kernel_does_not_run_passes_it_on() {
    for gate in Gate::all() {
        let kernel = kernel();
        let pass = gate.try_enter().unwrap();
        let entering = kept(&kernel, &gate);
        drop(pass);
        let mut entering = entering.take().unwrap();
        assert!(matches!(
            poll_outside(&mut entering),
            Poll::Ready(Err(Error::NoKernel))
        ));
        assert!(gate.is_free(), "{gate:?}");
    }
}

#[test]
fn what_was_handed_to_a_waiter_whose_kernel_has_gone_is_free() {
    for gate in Gate::all() {
        for first in 0..3 {
            let one = kernel();
            let pass = gate.try_enter().unwrap();
            let entering = kept(&one, &gate);
            drop(pass);
            drop(one);
            let two = kernel();
            let left = entering.take().unwrap();
            match first {
                0 => drop(left),
                1 => drop(two.run(left).unwrap()),
                _ => {
                    // Somebody else is first.
                    let pass = two.run(gate.entering()).unwrap();
                    let kid = two.spawn(left);
                    settle(&two);
                    assert!(!kid.terminated());
                    drop(pass);
                    drop(two.run(kid.join()).unwrap());
                }
            }
            assert!(gate.is_free(), "{gate:?}");
        }
    }
}

// ---- Lock

#[test]
fn a_panic_of_the_holder_releases_the_lock_and_does_not_poison_it() {
    virtually(async |_| {
        let lock = Lock::new(1);
        let result = catch_unwind(AssertUnwindSafe(|| {
            let mut guard = lock.try_lock().unwrap();
            *guard = 2;
            std::panic::resume_unwind(Box::new("half-way"));
        }));
        assert!(result.is_err());
        assert_eq!(*lock.lock().await?, 2);
        Ok(())
    });
}

#[test]
fn the_value_is_dropped_once_and_not_under_a_borrow() {
    /// Uses its own lock when it is dropped.
    struct Value(Rc<Cell<u32>>, Semaphore);
    impl Drop for Value {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
            self.1.release();
        }
    }
    let (drops, semaphore) = (Rc::new(Cell::new(0)), Semaphore::new(0));
    let lock = Lock::new(Value(drops.clone(), semaphore.clone()));
    let guard = lock.try_lock().unwrap();
    drop(lock);
    assert_eq!(drops.get(), 0);
    drop(guard);
    assert_eq!((drops.get(), semaphore.value()), (1, 1));
}

// ---- RLock

#[test]
fn the_owner_enters_again_and_others_wait_for_the_last_guard() {
    virtually(async |w| {
        let lock = RLock::new(Cell::new(0));
        let outer = lock.lock().await?;
        let kid = spawn({
            let lock = lock.clone();
            async move {
                assert!(!lock.is_mine() && lock.try_lock().is_none());
                lock.lock().await?.set(1);
                Ok(())
            }
        });
        sleep(w.t(1)).await?;
        let inner = lock.lock().await?;
        assert!(lock.is_mine());
        drop(outer);
        sleep(w.t(1)).await?;
        assert_eq!(inner.get(), 0);
        drop(inner);
        kid.join().await?;
        assert_eq!(lock.lock().await?.get(), 1);
        Ok(())
    });
}

#[test]
fn a_guard_that_went_to_another_task_keeps_the_lock_with_its_owner() {
    virtually(async |_| {
        let lock = RLock::new(());
        let guard = lock.lock().await?;
        let kid = spawn({
            let lock = lock.clone();
            async move {
                assert!(!lock.is_mine() && lock.try_lock().is_none());
                // That would be an error in Python.
                drop(guard);
                assert!(!lock.locked());
                Ok(())
            }
        });
        assert!(lock.is_mine());
        drop(lock.lock().await?);
        kid.join().await?;
        assert!(lock.try_lock().is_some());
        Ok(())
    });
}

#[test]
fn two_arms_of_a_join_are_one_task() {
    virtually(async |_| {
        let lock = RLock::new(());
        let held = lock.lock().await?;
        let kid = spawn({
            let lock = lock.clone();
            async move {
                let both = futures::join!(lock.lock(), lock.lock());
                assert!(both.0.is_ok() && both.1.is_ok());
                Ok(())
            }
        });
        for _ in 0..4 {
            yield_now().await?;
        }
        drop(held);
        kid.join().await?;
        assert!(!lock.locked());
        Ok(())
    });
}

// ---- Semaphore

#[test]
fn permits_can_be_forgotten_and_made() {
    let semaphore = Semaphore::new(2);
    semaphore.try_acquire().unwrap().forget();
    let permit = semaphore.try_acquire().unwrap();
    assert!(semaphore.locked() && semaphore.try_acquire().is_none());
    drop(permit);
    assert_eq!(semaphore.value(), 1);
    semaphore.release();
    semaphore.release();
    assert_eq!(semaphore.value(), 3);
}

#[test]
fn releases_are_handed_to_as_many_as_wait() {
    virtually(async |_| {
        let semaphore = Semaphore::new(0);
        let kids: Vec<_> = (0..3)
            .map(|_| {
                let semaphore = semaphore.clone();
                spawn(async move {
                    semaphore.acquire().await?.forget();
                    Ok(())
                })
            })
            .collect();
        for _ in 0..8 {
            yield_now().await?;
        }
        for _ in 0..5 {
            semaphore.release();
        }
        let waited = 5 - semaphore.value();
        for kid in kids {
            kid.join().await?;
        }
        assert!(waited <= 3);
        assert_eq!(semaphore.value(), 2);
        Ok(())
    });
}

#[test]
fn a_bound_is_kept() {
    let semaphore = BoundedSemaphore::new(1);
    assert!(semaphore.release().is_err());
    let permit = semaphore.try_acquire().unwrap();
    assert!(semaphore.release().is_ok());
    assert!(semaphore.release().is_err());
    drop(permit);
    assert_eq!((semaphore.value(), semaphore.bound()), (1, 1));
}

// ---- Event

#[test]
fn set_wakes_all_and_clear_does_not_call_them_back() {
    virtually(async |w| {
        let event = Event::new();
        let kids: Vec<_> = (0..3)
            .map(|_| {
                let event = event.clone();
                spawn(async move { event.wait().await })
            })
            .collect();
        sleep(w.t(1)).await?;
        event.set();
        event.clear();
        for kid in kids {
            kid.join().await?;
        }
        let late = timeout_after(w.t(1), event.wait()).await;
        assert!(late.unwrap_err().is_timeout());
        event.set();
        event.wait().await?;
        // The timeout of a wait that is over does not hit a later one.
        event.clear();
        let kid = spawn({
            let event = event.clone();
            async move {
                sleep(w.t(2)).await?;
                event.set();
                Ok(())
            }
        });
        assert!(ignore_after(w.t(1), event.wait()).await?.is_none());
        event.wait().await?;
        kid.join().await
    });
}

#[test]
fn a_cancelled_wait_leaves_nothing() {
    everywhere(async |_| {
        let event = Event::new();
        let kid = spawn({
            let event = event.clone();
            async move { event.wait().await }
        });
        yield_now().await?;
        kid.cancel().await?;
        event.set();
        assert!(matches!(kid.join().await, Err(Error::Task(e)) if e.cancelled()));
        Ok(())
    });
}

#[test]
fn an_event_without_its_kernel() {
    let event = Event::new();
    assert!(matches!(
        poll_outside(&mut event.wait()),
        Poll::Ready(Err(Error::NoKernel))
    ));
    let one = kernel();
    let kid = one.spawn({
        let event = event.clone();
        async move { event.wait().await }
    });
    settle(&one);
    let two = kernel();
    assert!(matches!(two.run(event.wait()), Err(Error::NoKernel)));
    event.set();
    one.run(kid.join()).unwrap();
    assert!(poll_outside(&mut event.wait()).is_ready());
    drop(one);
    event.clear();
    let kid = two.spawn({
        let event = event.clone();
        async move { event.wait().await }
    });
    settle(&two);
    event.set();
    two.run(kid.join()).unwrap();
}

// ---- Condition

#[test]
fn notify_wakes_so_many_in_order_and_never_minds_if_there_are_fewer() {
    virtually(async |w| {
        let (lock, condition) = (Lock::new(vec![]), Condition::new());
        condition.notify(3);
        let order = Rc::new(RefCell::new(vec![]));
        let kids: Vec<_> = (0..5)
            .map(|who| {
                let (lock, condition, order) = (lock.clone(), condition.clone(), order.clone());
                spawn(async move {
                    let guard = lock.lock().await?;
                    order.borrow_mut().push(who);
                    condition.wait(guard).await?.push(who);
                    Ok(())
                })
            })
            .collect();
        sleep(w.t(1)).await?;
        let order = order.take();
        for (count, woken) in [(0, 0), (2, 2), (1, 3), (7, 5)] {
            condition.notify(count);
            sleep(w.t(1)).await?;
            let mut seen = lock.lock().await?.clone();
            let mut expected = order[..woken].to_vec();
            // Those who are notified at once ask for the lock in any order.
            seen.sort_unstable();
            expected.sort_unstable();
            assert_eq!(seen, expected);
        }
        for kid in kids {
            kid.join().await?;
        }
        Ok(())
    });
}

#[test]
fn nothing_is_missed_between_giving_the_lock_back_and_waiting() {
    virtually(async |_| {
        let (lock, condition) = (Lock::new(false), Condition::new());
        let guard = lock.lock().await?;
        // It can notify only once the lock is given back.
        let kid = spawn({
            let (lock, condition) = (lock.clone(), condition.clone());
            async move {
                *lock.lock().await? = true;
                condition.notify(1);
                Ok(())
            }
        });
        yield_now().await?;
        let guard = condition.wait(guard).await?;
        assert!(*guard);
        kid.join().await
    });
}

#[test]
fn wait_for_asks_at_once_and_after_each_notification() {
    virtually(async |w| {
        let (lock, condition) = (Lock::new(0), Condition::new());
        let asked = Rc::new(Cell::new(0));
        let kid = spawn({
            let (lock, condition, asked) = (lock.clone(), condition.clone(), asked.clone());
            async move {
                let guard = lock.lock().await?;
                let enough = |value: &i32| {
                    asked.set(asked.get() + 1);
                    *value >= 3
                };
                Ok(*condition.wait_for(guard, enough).await?)
            }
        });
        for value in 1..=3 {
            sleep(w.t(1)).await?;
            assert_eq!(asked.get(), value);
            *lock.lock().await? = value;
            condition.notify_all();
        }
        assert_eq!(kid.join().await?, 3);
        assert_eq!(asked.get(), 4);
        Ok(())
    });
}

#[test]
fn a_predicate_that_panics_gives_the_lock_back() {
    virtually(async |w| {
        let (lock, condition) = (Lock::new(0), Condition::new());
        let wait = condition.wait_for(lock.lock().await?, |value| {
            if *value > 0 {
                std::panic::resume_unwind(Box::new("no"));
            }
            false
        });
        let mut wait = Box::pin(wait);
        assert!(poll_once(&mut wait).await.is_pending());
        *lock.lock().await? = 1;
        condition.notify(1);
        sleep(w.t(1)).await?;
        let polled = std::future::poll_fn(|cx| {
            Poll::Ready(catch_unwind(AssertUnwindSafe(|| {
                wait.as_mut().poll(cx).is_ready()
            })))
        });
        assert!(polled.await.is_err());
        assert!(!lock.locked());
        drop(wait);
        assert!(!lock.locked());
        Ok(())
    });
}

/// Python Curio takes the lock again before it tells of an interruption, and a second one in there leaves the caller to
/// release the lock of somebody else.
#[test]
fn an_interrupted_wait_does_not_hold_the_lock_and_passes_the_notification_on() {
    everywhere(async |w| {
        // Interrupted while it listens; while it waits for the lock; and there by a timeout first, then by a cancel.
        for moment in 0..3 {
            let (lock, condition) = (Lock::new(0), Condition::new());
            let waiter = |limit: Option<Duration>| {
                let (lock, condition) = (lock.clone(), condition.clone());
                async move {
                    let guard = lock.lock().await?;
                    match timeout_after(limit, condition.wait(guard)).await {
                        Ok(mut guard) => *guard += 1,
                        Err(error) => {
                            assert!(error.is_cancellation());
                            let _ = ignore_after(w.t(1), lock.lock()).await?;
                            return Err(error);
                        }
                    }
                    Ok(())
                }
            };
            let first = spawn(waiter((moment == 2).then(|| w.t(4))));
            sleep(w.t(1)).await?;
            let second = spawn(waiter(None));
            sleep(w.t(1)).await?;
            let guard = lock.lock().await?;
            if moment > 0 {
                condition.notify(1);
                sleep(w.t(1)).await?;
            }
            if moment == 2 {
                sleep(w.t(1)).await?;
            }
            first.cancel().await?;
            assert!(lock.locked() && lock.try_lock().is_none());
            if moment == 0 {
                condition.notify(1);
            }
            drop(guard);
            second.join().await?;
            assert_eq!(*lock.lock().await?, 1);
            assert!(!lock.locked());
        }
        Ok(())
    });
}

#[test]
fn a_notified_wait_that_is_dropped_passes_the_notification_on() {
    virtually(async |w| {
        for outside in [false, true] {
            let (lock, condition) = (Lock::new(0), Condition::new());
            let mut first = Box::pin(condition.wait(lock.lock().await?));
            assert!(poll_once(&mut first).await.is_pending());
            let second = spawn({
                let (lock, condition) = (lock.clone(), condition.clone());
                async move {
                    condition
                        .wait(lock.lock().await?)
                        .await
                        .map(|mut guard| *guard += 1)
                }
            });
            sleep(w.t(1)).await?;
            let guard = lock.lock().await?;
            condition.notify(1);
            if outside {
                // It stands in line for the lock by now.
                assert!(poll_once(&mut first).await.is_pending());
            }
            drop(guard);
            drop(first);
            second.join().await?;
            assert!(!lock.locked());
        }
        Ok(())
    });
}

#[test]
fn a_condition_without_its_kernel() {
    let (lock, condition) = (Lock::new(0), Condition::new());
    let mut wait = condition.wait(lock.try_lock().unwrap());
    assert!(matches!(
        poll_outside(&mut wait),
        Poll::Ready(Err(Error::NoKernel))
    ));
    assert!(!lock.locked());

    // The lock's line is in another kernel than the condition's.
    let (one, two) = (kernel(), kernel());
    let guard = lock.try_lock().unwrap();
    let kid = one.spawn({
        let lock = lock.clone();
        async move { lock.lock().await.map(drop) }
    });
    settle(&one);
    drop(guard);
    one.run(kid.join()).unwrap();
    let wait = || {
        let (lock, condition) = (lock.clone(), condition.clone());
        async move {
            let Some(guard) = lock.try_lock() else {
                return Err(Error::Closed);
            };
            condition.wait(guard).await.map(drop)
        }
    };
    let first = two.spawn(wait());
    settle(&two);
    let second = two.spawn(wait());
    settle(&two);
    let guard = lock.try_lock().unwrap();
    condition.notify(1);
    settle(&two);
    let first = two.run(first.join());
    assert!(matches!(first, Err(Error::Task(_))), "{first:?}");
    // It was notified in place of the first, and has the same trouble.
    assert!(second.terminated());
    drop(guard);
    assert!(!lock.locked());
    assert_eq!(format!("{two:?}"), EMPTY);
}

// ---- Promise

#[test]
fn all_get_the_first_value() {
    virtually(async |_| {
        let promise = Promise::new();
        let kids: Vec<_> = (0..3)
            .map(|_| {
                let promise = promise.clone();
                spawn(async move { promise.wait().await })
            })
            .collect();
        yield_now().await?;
        assert!(promise.set("first"));
        assert!(!promise.set("second") && !promise.set_error(Error::Closed));
        for kid in kids {
            assert_eq!(kid.join().await?, "first");
        }
        assert_eq!(promise.get().unwrap()?, &"first");
        Ok(())
    });
}

#[test]
fn all_get_the_error_and_it_interrupts_nobody() {
    virtually(async |w| {
        let promise = Promise::<u32>::new();
        assert!(ignore_after(w.t(1), promise.wait()).await?.is_none());
        let cancelled = timeout_after(Duration::ZERO, sleep(w.t(9))).await.unwrap_err();
        promise.set_error(cancelled);
        for _ in 0..2 {
            let error = promise.wait().await.unwrap_err();
            assert!(!error.is_cancellation());
            let Error::Other(other) = &error else {
                panic!("{error:?}")
            };
            let failed = other.get_ref().downcast_ref::<PromiseError>().unwrap();
            assert!(failed.error().is_timeout());
        }
        Ok(())
    });
}

// ---- Against a model

/// What a visitor does, in units of time: asks for a permit after a while, waits for it so long at most, keeps it so long. If it
/// is cancelled, then at that time.
#[derive(Clone, Debug)]
struct Visitor {
    asks: u64,
    limit: Option<u64>,
    stays: u64,
    cancelled: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    Left,
    Entered,
    GaveUp,
    Cancelled,
}

/// What happened, when, and to whom; sorted.
type Log = Vec<(Duration, usize, Seen)>;

/// Each time with a mark of its own, so that no two sums of them are equal and nothing happens at the same instant.
fn marked(units: u64, visitor: usize, which: u32) -> Duration {
    Duration::from_nanos(units << 32 | 1 << (4 * visitor as u32 + which))
}

impl Visitor {
    fn times(&self, who: usize) -> (Duration, Option<Duration>, Duration, Option<Duration>) {
        (
            marked(self.asks, who, 0),
            self.limit.map(|t| marked(t, who, 1)),
            marked(self.stays, who, 2),
            self.cancelled.map(|t| marked(t, who, 3)),
        )
    }
}

/// What ought to happen, written from the rules: a clock, a queue, and a number.
fn model(mut free: usize, visitors: &[Visitor]) -> Log {
    #[derive(Clone, Copy)]
    enum State {
        Coming(Duration),
        Queueing(Duration),
        Inside(Duration),
        Gone,
    }
    let times: Vec<_> = visitors.iter().enumerate().map(|(who, v)| v.times(who)).collect();
    let mut states: Vec<_> = times.iter().map(|t| State::Coming(t.0)).collect();
    let mut queue: Vec<usize> = vec![];
    let mut log = vec![];
    loop {
        let next = states.iter().enumerate().filter_map(|(who, state)| {
            let (State::Coming(at) | State::Queueing(at) | State::Inside(at)) = *state else {
                return None;
            };
            let cancelled = times[who].3.unwrap_or(Duration::MAX);
            Some((at.min(cancelled), who, cancelled < at))
        });
        let Some((now, who, cancelled)) = next.min() else {
            break;
        };
        let was = std::mem::replace(&mut states[who], State::Gone);
        queue.retain(|&other| other != who);
        log.push(match was {
            _ if cancelled => (now, who, Seen::Cancelled),
            State::Inside(_) => (now, who, Seen::Left),
            State::Queueing(_) => (now, who, Seen::GaveUp),
            _ if free > 0 => (now, who, Seen::Entered),
            _ => {
                states[who] = State::Queueing(times[who].1.map_or(Duration::MAX, |limit| now + limit));
                queue.push(who);
                continue;
            }
        });
        let enters = match was {
            State::Coming(_) if !cancelled => {
                free -= 1;
                Some(who)
            }
            State::Inside(_) if !queue.is_empty() => Some(queue.remove(0)),
            State::Inside(_) => {
                free += 1;
                None
            }
            _ => None,
        };
        if let Some(enters) = enters {
            states[enters] = State::Inside(now + times[enters].2);
            if enters != who {
                log.push((now, enters, Seen::Entered));
            }
        }
    }
    log.sort();
    log
}

/// The same with the real thing.
fn visit(enter: impl AsyncFn() -> Result<Pass> + 'static, visitors: &[Visitor], seed: u64) -> Log {
    let kernel = Kernel::builder()
        .clock(Clock::Virtual)
        .seed(seed)
        .build()
        .unwrap();
    let log = Rc::new(RefCell::new(vec![]));
    let enter = Rc::new(enter);
    kernel
        .run(async {
            let start = curio::clock();
            for (who, visitor) in visitors.iter().enumerate() {
                let (asks, limit, stays, cancelled) = visitor.times(who);
                let (enter, log) = (enter.clone(), log.clone());
                let note = move |seen| log.borrow_mut().push((curio::clock() - start, who, seen));
                let task = spawn(async move {
                    let visited = async {
                        sleep(asks).await?;
                        let pass = match limit {
                            Some(limit) => ignore_after(limit, enter()).await?,
                            None => Some(enter().await?),
                        };
                        let Some(_pass) = pass else {
                            note(Seen::GaveUp);
                            return Ok(());
                        };
                        note(Seen::Entered);
                        sleep(stays).await?;
                        note(Seen::Left);
                        Ok(())
                    };
                    let visited = visited.await;
                    if visited.is_err() {
                        note(Seen::Cancelled);
                    }
                    visited
                });
                if let Some(cancelled) = cancelled {
                    spawn(async move {
                        sleep(cancelled).await?;
                        task.cancel_nowait();
                        Ok(())
                    });
                }
            }
            Ok(())
        })
        .unwrap();
    kernel.run_all().unwrap();
    assert_eq!(format!("{kernel:?}"), EMPTY);
    let mut log = log.take();
    log.sort();
    log
}

fn visitors() -> impl Strategy<Value = Vec<Visitor>> {
    let visitor = (
        0..6_u64,
        proptest::option::weighted(0.4, 0..6_u64),
        0..6_u64,
        proptest::option::weighted(0.3, 0..12_u64),
    );
    let visitor = visitor.prop_map(|(asks, limit, stays, cancelled)| Visitor {
        asks,
        limit,
        stays,
        cancelled,
    });
    proptest::collection::vec(visitor, 1..8)
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 500,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_semaphore_is_as_its_model(permits in 1..4_usize, visitors in visitors(), seed: u64) {
        let _guard = Watchdog::start();
        let semaphore = Semaphore::new(permits);
        let enter = {
            let semaphore = semaphore.clone();
            async move || Ok(Box::new(semaphore.acquire().await?) as Pass)
        };
        prop_assert_eq!(visit(enter, &visitors, seed), model(permits, &visitors));
        prop_assert_eq!(semaphore.value(), permits);
    }

    #[test]
    fn a_lock_is_as_its_model(visitors in visitors(), seed: u64) {
        let _guard = Watchdog::start();
        for gate in Gate::all() {
            let enter = {
                let gate = gate.clone();
                async move || gate.enter().await
            };
            prop_assert_eq!(visit(enter, &visitors, seed), model(1, &visitors));
            prop_assert!(gate.is_free());
        }
    }

    /// Without the marks, nearly everything happens in the same instants. Then nobody can say who is first; but nobody
    /// hangs, nobody is overtaken, and there are never too many inside.
    #[test]
    fn whatever_happens_in_the_same_instant(permits in 1..4_usize, visitors in visitors(), seed: u64) {
        let _guard = Watchdog::start();
        let kernel = Kernel::builder().clock(Clock::Virtual).seed(seed).build().unwrap();
        let semaphore = Semaphore::new(permits);
        let inside = Rc::new(Cell::new(0));
        let (asked, entered) = (Rc::new(RefCell::new(vec![])), Rc::new(RefCell::new(vec![])));
        for (who, visitor) in visitors.into_iter().enumerate() {
            let (semaphore, inside) = (semaphore.clone(), inside.clone());
            let (asked, entered) = (asked.clone(), entered.clone());
            let task = kernel.spawn(async move {
                sleep(Duration::from_secs(visitor.asks)).await?;
                let acquire = async {
                    asked.borrow_mut().push(who);
                    semaphore.acquire().await
                };
                let limit = visitor.limit.map(Duration::from_secs);
                let Some(_permit) = ignore_after(limit, acquire).await? else { return Ok(()) };
                entered.borrow_mut().push(who);
                inside.set(inside.get() + 1);
                assert!(inside.get() <= permits);
                let stayed = sleep(Duration::from_secs(visitor.stays)).await;
                inside.set(inside.get() - 1);
                stayed
            });
            if let Some(cancelled) = visitor.cancelled {
                kernel.spawn(async move {
                    sleep(Duration::from_secs(cancelled)).await?;
                    task.cancel_nowait();
                    Ok(())
                });
            }
        }
        kernel.run_all().unwrap();
        prop_assert_eq!(semaphore.value(), permits);
        let entered = entered.take();
        let mut asked = asked.take();
        asked.retain(|who| entered.contains(who));
        // Two who are handed a permit in the same instant may run in any order.
        if permits == 1 {
            prop_assert_eq!(entered, asked);
        }
        prop_assert_eq!(format!("{kernel:?}"), EMPTY);
    }
}
