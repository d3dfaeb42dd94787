//! What is peculiar to each of them.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use curio::{
    BoundedSemaphore, Condition, Error, Event, Lock, Promise, PromiseError, RLock, Semaphore, ignore_after,
    sleep, spawn, timeout_after, yield_now,
};

use futures::FutureExt;

use crate::common::{everywhere, virtually};
use crate::gate::poll_once;

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
fn who_was_notified_is_seen_to_wait_for_the_lock() {
    virtually(async |w| {
        let (lock, changed) = (Lock::new(()), Condition::new());
        let waiter = spawn({
            let (lock, changed) = (lock.clone(), changed.clone());
            async move { changed.wait(lock.lock().await?).await.map(drop) }
        });
        sleep(w.t(1)).await?;
        assert_eq!(waiter.state().as_str(), "COND_WAIT");
        let guard = lock.lock().await?;
        changed.notify(1);
        sleep(w.t(1)).await?;
        assert_eq!(waiter.state().as_str(), "LOCK_ACQUIRE");
        drop(guard);
        waiter.join().await
    });
}

#[test]
fn a_predicate_that_panics_passes_the_notification_on() {
    virtually(async |w| {
        let (lock, changed) = (Lock::new(false), Condition::new());
        let wait = async |lock: Lock<bool>, changed: Condition, panics: bool| {
            let predicate = |set: &bool| {
                if *set && panics {
                    std::panic::resume_unwind(Box::new("no"));
                }
                *set
            };
            changed.wait_for(lock.lock().await?, predicate).await.map(drop)
        };
        let first = AssertUnwindSafe(wait(lock.clone(), changed.clone(), true)).catch_unwind();
        let first = spawn(first.map(|caught| assert!(caught.is_err())));
        sleep(w.t(1)).await?;
        let second = spawn(wait(lock.clone(), changed.clone(), false));
        sleep(w.t(1)).await?;
        *lock.lock().await? = true;
        changed.notify(1);
        first.join().await?;
        timeout_after(w.t(1), second.join()).await
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
