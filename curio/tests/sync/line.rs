//! Everything with a line: in order, one at a time, whoever goes and whenever.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use curio::{
    Clock, Condition, Event, Kernel, Lock, Promise, Result, Semaphore, Task, disable_cancellation,
    ignore_after, sleep, spawn, yield_now,
};
use futures::future::{Either, select};
use futures::stream::{FuturesUnordered, StreamExt};

use crate::common::{Watchdog, everywhere, virtually};
use crate::gate::{EMPTY, Gate, Porter, poll_once};

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

/// An operation that completes although a delivery was made meanwhile leaves it to the next one (D4).
#[test]
fn a_loop_beside_a_sleeper_hears_of_the_cancel_that_the_sleeper_took() {
    virtually(async |w| {
        // If the sleeper yields first, the loop is the first to wait, and so waits in the task's own node.
        for (what, yields) in (0..5).flat_map(|what| [(what, false), (what, true)]) {
            let (event, condition, lock) = (Event::new(), Condition::new(), Lock::new(0));
            let (semaphore, promise) = (Semaphore::new(0), Promise::new());
            let kid = spawn({
                let (event, condition, lock) = (event.clone(), condition.clone(), lock.clone());
                let (semaphore, promise) = (semaphore.clone(), promise.clone());
                async move {
                    let work = async {
                        loop {
                            match what {
                                0 => event.wait().await?,
                                1 => drop(condition.wait(lock.lock().await?).await?),
                                2 => semaphore.acquire().await?.forget(),
                                3 => {
                                    promise.wait().await?;
                                    Event::new().wait().await?;
                                }
                                _ => drop(condition.wait_for(lock.lock().await?, |value| *value > 0).await?),
                            }
                            event.clear();
                            lock.try_lock().iter_mut().for_each(|value| **value = 0);
                        }
                    };
                    let sleeps = async {
                        if yields {
                            yield_now().await?;
                        }
                        sleep(w.t(1000)).await
                    };
                    let (slept, worked) = futures::join!(sleeps, work);
                    let worked: Result<()> = worked;
                    slept.and(worked)
                }
            });
            sleep(w.t(1)).await?;
            kid.cancel_nowait();
            event.set();
            semaphore.release();
            promise.set(());
            **lock.try_lock().as_mut().unwrap() = 1;
            condition.notify(1);
            kid.wait().await?;
        }
        Ok(())
    });
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
