//! Operations and guards without their kernel.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use curio::{BoundedSemaphore, Condition, Error, Event, Kernel, Lock, Result, run, sleep, spawn, yield_now};

use crate::gate::{EMPTY, Entering, Gate, kernel, poll_outside, settle};

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
fn what_was_received_in_a_kernel_that_is_gone_stays_with_its_holder() {
    for gate in Gate::all() {
        let kernel = kernel();
        let pass = gate.try_enter().unwrap();
        let kid = kernel.spawn(gate.entering());
        settle(&kernel);
        drop(pass);
        let pass = kernel.run(kid.join()).unwrap();
        drop(kernel);
        assert!(gate.try_enter().is_none(), "{gate:?}");
        drop(pass);
        assert!(gate.is_free());
    }

    // The lock was handed to a wait for a condition.
    let (lock, condition, kernel) = (Lock::new(0), Condition::new(), kernel());
    let kid = kernel.spawn({
        let (lock, condition) = (lock.clone(), condition.clone());
        async move { condition.wait(lock.lock().await?).await }
    });
    settle(&kernel);
    let guard = lock.try_lock().unwrap();
    condition.notify(1);
    settle(&kernel);
    drop(guard);
    let guard = kernel.run(kid.join()).unwrap();
    drop(kernel);
    assert!(lock.try_lock().is_none());
    drop(guard);
    assert!(!lock.locked());
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

/// What was handed to an operation whose kernel is gone is free, beside what is free anyway.
#[test]
fn permits_that_were_handed_to_nobody_are_counted() {
    let desks = BoundedSemaphore::new(2);
    let (one, two) = (desks.try_acquire().unwrap(), desks.try_acquire().unwrap());
    let mut acquire = Box::pin(desks.acquire());
    let mut permits = Some((one, two));
    let kernel = kernel();
    kernel
        .run(poll_fn(|cx| {
            if let Some((one, two)) = permits.take() {
                assert!(acquire.as_mut().poll(cx).is_pending());
                drop(one);
                // Nobody else waits.
                drop(two);
                assert_eq!(desks.value(), 1);
            }
            Poll::Ready(())
        }))
        .unwrap();
    drop(kernel);
    std::mem::forget(acquire);
    assert_eq!(desks.value(), 2);
    assert!(desks.release().is_err());
}

/// Both kernels have the list of their first event at the same place of their tables.
#[test]
fn events_of_two_kernels_are_not_taken_for_each_other() {
    let waiter = |event: &Event| {
        let event = event.clone();
        async move { event.wait().await }
    };
    let (old, new) = (Event::new(), Event::new());
    let first = kernel();
    first.spawn(waiter(&old));
    settle(&first);
    drop(first);

    let second = kernel();
    let at_new = second.spawn(waiter(&new));
    settle(&second);
    old.set();
    settle(&second);
    assert!(!at_new.terminated(), "the old event's list is gone");
    old.clear();
    let at_old = second.spawn(waiter(&old));
    settle(&second);
    new.set();
    settle(&second);
    assert!(at_new.terminated() && !at_old.terminated());
    old.set();
    second.run(at_old.join()).unwrap();
}
