//! The rules of interruption, case by case: each program runs under 1,000 shuffled schedules on the virtual clock, and
//! once on the real clock. The numbers are those of the acceptance cases.

mod common;

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use common::{World, everywhere, virtually};
use curio::{
    Error, Result, WithTimeout, check_cancellation, clock, disable_cancellation, ignore_after, ignore_at,
    interruptible, sleep, sleep_until, spawn, timeout_after, timeout_at, yield_now,
};
use futures::stream::{FuturesUnordered, StreamExt};
use futures::{FutureExt, future};

/// Asserts what an operation resolved to.
macro_rules! gives {
    ($result:expr, $pattern:pat $(if $guard:expr)?) => {
        match $result {
            $pattern $(if $guard)? => {}
            other => panic!("expected {}, got {other:?}", stringify!($pattern)),
        }
    };
}

/// A future that nothing ever completes, and that keeps the waker as a foreign one does. Notes its drop.
struct Foreign {
    dropped: Rc<Cell<bool>>,
    waker: Option<Waker>,
}

fn foreign() -> (Foreign, Rc<Cell<bool>>) {
    let dropped = Rc::new(Cell::new(false));
    let future = Foreign {
        dropped: dropped.clone(),
        waker: None,
    };
    (future, dropped)
}

impl Future for Foreign {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        self.dropped.set(true);
    }
}

/// A queue of items that are all the same, made of the public low level.
#[derive(Default, Clone)]
struct Tokens {
    inner: Rc<(Cell<u32>, curio::traps::WaitList)>,
}

impl Tokens {
    fn put(&self) {
        self.inner.0.set(self.inner.0.get() + 1);
        self.inner.1.notify_one();
    }

    async fn get(&self) -> Result<()> {
        let mut waiting = curio::traps::Waiting::new();
        let place = std::panic::Location::caller();
        const GET: curio::traps::Label = curio::traps::Label::new(&"QUEUE_GET");
        poll_fn(|cx| {
            let (count, waiters) = &*self.inner;
            if count.get() > 0 {
                count.set(count.get() - 1);
                waiting.complete();
                return Poll::Ready(Ok(()));
            }
            match waiting.wait_on(waiters, cx, GET, place) {
                Ok(()) => Poll::Pending,
                Err(e) => Poll::Ready(Err(e)),
            }
        })
        .await
    }
}

#[test]
fn case_01_cancel_waits_for_the_clean_up() {
    everywhere(async |w| {
        let task = spawn(async move {
            gives!(sleep(w.t(1000)).await, Err(Error::Cancelled(_)));
            sleep(w.t(3)).await?;
            Ok(7)
        });
        sleep(w.t(1)).await?;
        let start = clock();
        task.cancel().await?;
        w.passed(start, 3);
        assert!(task.cancelled());
        gives!(task.join().await, Ok(7));
        gives!(task.join().await, Err(Error::AlreadyJoined));
        Ok(())
    });
}

#[test]
fn case_02_the_outer_timeout_expires_first() {
    everywhere(async |w| {
        let start = clock();
        let outer = timeout_after(w.t(1), async {
            let inner = timeout_after(w.t(5), sleep(w.t(100))).await;
            w.passed(start, 1);
            gives!(inner, Err(Error::TimeoutCancellation(_)));
            inner
        });
        gives!(outer.await, Err(Error::Timeout(_)));
        w.passed(start, 1);
        Ok(())
    });
}

#[test]
fn case_03_the_inner_timeout_expires_first_and_is_handled() {
    everywhere(async |w| {
        let start = clock();
        let outer = timeout_after(w.t(5), async {
            gives!(
                timeout_after(w.t(1), sleep(w.t(100))).await,
                Err(Error::Timeout(_))
            );
            w.passed(start, 1);
            sleep(w.t(100)).await
        });
        gives!(outer.await, Err(Error::Timeout(_)));
        w.passed(start, 5);
        Ok(())
    });
}

#[test]
fn case_04_a_timeout_that_escapes_is_uncaught() {
    everywhere(async |w| {
        let outer = timeout_after(w.t(5), async { timeout_after(w.t(1), sleep(w.t(100))).await });
        gives!(outer.await, Err(Error::UncaughtTimeout));
        // Also through a timeout in which nothing has ever waited, and through ignore_after.
        let at_once = timeout_after(w.t(5), async { Err::<(), _>(timed_out(w).await) });
        gives!(at_once.await, Err(Error::UncaughtTimeout));
        let error = timed_out(w).await;
        gives!(
            ignore_after(w.t(5), async { Err::<(), _>(error) }).await,
            Err(Error::UncaughtTimeout)
        );
        // And out of a task that nobody has cancelled.
        let task = spawn(async move { timeout_after(w.t(1), sleep(w.t(100))).await });
        let error = task.join().await.unwrap_err();
        assert!(!error.is_cancellation());
        gives!(cause(&error), Error::UncaughtTimeout);
        Ok(())
    });
}

async fn timed_out(w: World) -> Error {
    timeout_after(w.t(1), sleep(w.t(100))).await.unwrap_err()
}

fn cause(error: &Error) -> &Error {
    std::error::Error::source(error).unwrap().downcast_ref().unwrap()
}

#[test]
fn case_05_cancel_hits_both_arms_of_a_join() {
    everywhere(async |w| {
        let task = spawn(async move {
            let start = clock();
            let both = futures::join!(sleep(w.t(50)), sleep(w.t(100)));
            gives!(both, (Err(Error::Cancelled(_)), Err(Error::Cancelled(_))));
            Ok(clock() - start)
        });
        sleep(w.t(1)).await?;
        let start = clock();
        task.cancel().await?;
        w.passed(start, 0);
        assert!(task.join().await? < w.t(50));
        Ok(())
    });
}

#[test]
fn case_06_cancel_hits_all_members_of_combinators() {
    everywhere(async |w| {
        let unordered = spawn(async move {
            let mut all: FuturesUnordered<_> = (50..60).map(|n| sleep(w.t(n))).collect();
            let mut cancelled = 0;
            while let Some(result) = all.next().await {
                gives!(result, Err(Error::Cancelled(_)));
                cancelled += 1;
            }
            assert_eq!(cancelled, 10);
            Ok(())
        });
        let selecting = spawn(async move {
            let (mut a, mut b) = (pin!(sleep(w.t(50)).fuse()), pin!(sleep(w.t(60)).fuse()));
            let first = futures::select_biased! { r = a => r, r = b => r };
            gives!(first, Err(Error::Cancelled(_)));
            // The other one was waiting too.
            gives!(
                if future::FusedFuture::is_terminated(&a) {
                    b.await
                } else {
                    a.await
                },
                Err(Error::Cancelled(_))
            );
            Ok(())
        });
        let trying = spawn(async move {
            gives!(
                futures::try_join!(sleep(w.t(50)), sleep(w.t(60))),
                Err(Error::Cancelled(_))
            );
            Ok(())
        });
        let all = spawn(async move {
            let (first, _, rest) = future::select_all((50..60).map(|n| sleep(w.t(n)))).await;
            gives!(first, Err(Error::Cancelled(_)));
            for result in future::join_all(rest).await {
                gives!(result, Err(Error::Cancelled(_)));
            }
            Ok(())
        });
        let many = spawn(async move {
            for result in future::join_all((50..100).map(|n| sleep(w.t(n)))).await {
                gives!(result, Err(Error::Cancelled(_)));
            }
            Ok(())
        });
        sleep(w.t(1)).await?;
        for task in [unordered, selecting, trying, all, many] {
            let start = clock();
            task.cancel().await?;
            w.passed(start, 0);
            task.join().await?;
        }
        Ok(())
    });
}

#[test]
fn case_07_a_foreign_future_is_dropped_at_the_boundary() {
    everywhere(async |w| {
        let start = clock();
        let (never, dropped) = foreign();
        let r = timeout_after(w.t(3), async {
            never.await;
            Ok(())
        });
        gives!(r.await, Err(Error::Timeout(_)));
        w.passed(start, 3);
        assert!(dropped.get());

        // A real one, whose sender stays.
        let (_sender, receiver) = futures::channel::oneshot::channel::<()>();
        let start = clock();
        gives!(
            timeout_after(w.t(3), async { Ok(receiver.await) }).await,
            Err(Error::Timeout(_))
        );
        w.passed(start, 3);

        let (never, dropped) = foreign();
        let task = spawn(async move {
            never.await;
            Ok(())
        });
        sleep(w.t(1)).await?;
        task.cancel().await?;
        assert!(dropped.get());
        gives!(task.join().await, Err(Error::Task(e)) if e.cancelled());
        Ok(())
    });
}

#[test]
fn case_07b_a_boundary_inside_a_combinator() {
    everywhere(async |w| {
        let (never, dropped) = foreign();
        let limited = timeout_after(w.t(3), async {
            never.await;
            Ok(())
        });
        let mut all = FuturesUnordered::from_iter([limited.boxed_local(), sleep(w.t(1)).boxed_local()]);
        gives!(all.next().await, Some(Ok(())));
        gives!(all.next().await, Some(Err(Error::Timeout(_))));
        assert!(dropped.get());
        Ok(())
    });
}

#[test]
fn case_08_a_shield_holds_the_cancel_back() {
    everywhere(async |w| {
        let start = clock();
        let task = spawn(async move {
            disable_cancellation(async {
                sleep(w.t(5)).await?;
                gives!(check_cancellation(), Ok(true));
                Ok::<_, Error>(())
            })
            .await?;
            w.passed(start, 5);
            sleep(w.t(100)).await
        });
        sleep(w.t(1)).await?;
        task.cancel().await?;
        w.passed(start, 5);
        gives!(task.join().await, Err(Error::Task(e)) if e.cancelled());
        Ok(())
    });
}

#[test]
fn case_09_two_timeouts_in_one_task() {
    everywhere(async |w| {
        let start = clock();
        let both = futures::join!(
            timeout_after(w.t(1), sleep(w.t(100))),
            timeout_after(w.t(50), sleep(w.t(3)))
        );
        gives!(both, (Err(Error::Timeout(_)), Ok(())));
        w.passed(start, 3);
        Ok(())
    });
}

#[test]
fn case_10_a_timeout_inside_a_shield_works() {
    everywhere(async |w| {
        let start = clock();
        let task = spawn(async move {
            let inner = disable_cancellation(timeout_after(w.t(2), sleep(w.t(50)))).await;
            gives!(inner, Err(Error::Timeout(_)));
            w.passed(start, 2);
            sleep(w.t(100)).await
        });
        sleep(w.t(1)).await?;
        task.cancel().await?;
        w.passed(start, 2);
        gives!(task.join().await, Err(Error::Task(e)) if e.cancelled());
        Ok(())
    });
}

#[test]
fn case_11_a_timeout_around_unordered_sleeps() {
    everywhere(async |w| {
        let start = clock();
        let r = timeout_after(w.t(2), async {
            let mut all: FuturesUnordered<_> = (50..60).map(|n| sleep(w.t(n))).collect();
            let mut last = Ok(());
            while let Some(result) = all.next().await {
                gives!(result, Err(Error::Timeout(_)));
                last = result;
            }
            last
        });
        gives!(r.await, Err(Error::Timeout(_)));
        w.passed(start, 2);
        Ok(())
    });
}

#[test]
fn case_12_two_cancellers() {
    everywhere(async |w| {
        let deliveries = Rc::new(Cell::new(0));
        let task = Rc::new(spawn({
            let deliveries = deliveries.clone();
            async move {
                gives!(sleep(w.t(100)).await, Err(Error::Cancelled(_)));
                deliveries.set(deliveries.get() + 1);
                sleep(w.t(10)).await
            }
        }));
        sleep(w.t(1)).await?;
        let start = clock();
        let cancellers = [0, 3].map(|delay| {
            let task = task.clone();
            spawn(async move {
                sleep(w.t(delay)).await?;
                task.cancel().await?;
                w.passed(start, 10);
                Ok(())
            })
        });
        for canceller in cancellers {
            canceller.join().await?;
        }
        assert_eq!(deliveries.get(), 1);
        task.join().await
    });
}

#[test]
fn case_13_cancel_and_timeout_in_the_same_instant() {
    everywhere(async |w| {
        let start = clock();
        let task = spawn(async move {
            let r = timeout_at(start + w.t(1), sleep(w.t(100))).await;
            let e = r.unwrap_err();
            assert!(e.is_cancellation(), "{e}");
            sleep(w.t(2)).await?;
            Ok(())
        });
        sleep_until(start + w.t(1)).await?;
        task.cancel().await?;
        // If the timeout came first, the cancel hit the sleep after it; otherwise the clean-up was left in peace.
        if let Err(error) = task.join().await {
            gives!(error, Error::Task(e) if e.cancelled());
        }
        Ok(())
    });
}

#[test]
fn case_13_extreme_deadlines() {
    everywhere(async |w| {
        let start = clock();
        gives!(
            timeout_after(Duration::ZERO, sleep(w.t(100))).await,
            Err(Error::Timeout(_))
        );
        gives!(
            timeout_at(start - w.t(1), sleep(w.t(100))).await,
            Err(Error::Timeout(_))
        );
        gives!(ignore_at(start - w.t(1), sleep(w.t(100))).await, Ok(None));
        gives!(timeout_after(Duration::ZERO, async { Ok(1) }).await, Ok(1));
        w.passed(start, 0);
        gives!(timeout_after(Duration::MAX, sleep(w.t(1))).await, Ok(()));
        gives!(timeout_after(None, sleep(w.t(1))).await, Ok(()));
        w.passed(start, 2);
        sleep_until(start).await?;
        w.passed(start, 2);
        gives!(
            timeout_after(w.t(1), sleep(Duration::MAX)).await,
            Err(Error::Timeout(_))
        );
        gives!(
            timeout_after(w.t(1), timeout_after(None, sleep(Duration::MAX))).await,
            Err(Error::Timeout(_))
        );
        w.passed(start, 4);
        Ok(())
    });
}

#[test]
fn case_15b_an_item_and_a_cancel_in_one_turn() {
    everywhere(async |w| {
        for cancel_first in [false, true] {
            let tokens = Tokens::default();
            let task = spawn({
                let tokens = tokens.clone();
                async move {
                    let looping = async {
                        loop {
                            if let Err(e) = tokens.get().await {
                                return e;
                            }
                        }
                    };
                    let (slept, error) = futures::join!(sleep(w.t(100)), looping);
                    gives!(slept, Err(Error::Cancelled(_)));
                    gives!(error, Error::Cancelled(_));
                    Ok(())
                }
            });
            sleep(w.t(1)).await?;
            if cancel_first {
                task.cancel_nowait();
                tokens.put();
            } else {
                tokens.put();
                task.cancel_nowait();
            }
            task.cancel().await?;
            task.join().await?;
        }
        Ok(())
    });
}

#[test]
fn case_15b_a_shield_that_closes_owes() {
    everywhere(async |w| {
        let tokens = Tokens::default();
        let task = spawn({
            let tokens = tokens.clone();
            async move {
                let shielded = async {
                    disable_cancellation(tokens.get()).await?;
                    sleep(w.t(1000)).await
                };
                let (slept, shielded) = futures::join!(sleep(w.t(100)), shielded);
                gives!(slept, Err(Error::Cancelled(_)));
                gives!(shielded, Err(Error::Cancelled(_)));
                Ok(())
            }
        });
        sleep(w.t(1)).await?;
        tokens.put();
        let start = clock();
        task.cancel().await?;
        w.passed(start, 0);
        task.join().await
    });
}

#[test]
fn case_15b_a_foreign_boundary_beside_an_operation() {
    everywhere(async |w| {
        for swapped in [false, true] {
            let (never, dropped) = foreign();
            let task = spawn(async move {
                let limited = timeout_after(w.t(5), async {
                    never.await;
                    Ok(())
                });
                let (a, b) = if swapped {
                    let (b, a) = futures::join!(limited, sleep(w.t(100)));
                    (a, b)
                } else {
                    futures::join!(sleep(w.t(100)), limited)
                };
                gives!(a, Err(Error::Cancelled(_)));
                gives!(b, Err(Error::Cancelled(_)));
                Ok(())
            });
            sleep(w.t(1)).await?;
            let start = clock();
            task.cancel().await?;
            w.passed(start, 0);
            assert!(dropped.get());
            task.join().await?;
        }
        Ok(())
    });
}

/// A timeout whose future has only yielded has no scope yet. It must not miss what happens until its future waits.
#[test]
fn case_15b_a_timeout_around_what_yields_first() {
    everywhere(async |w| {
        for swapped in [false, true] {
            let (never, dropped) = foreign();
            let begun = Rc::new(Cell::new(false));
            let begins = begun.clone();
            let task = spawn(async move {
                let limited = timeout_after(w.t(5), async {
                    begins.set(true);
                    yield_now().await?;
                    never.await;
                    Ok(())
                });
                let (a, b) = if swapped {
                    let (b, a) = futures::join!(limited, sleep(w.t(100)));
                    (a, b)
                } else {
                    futures::join!(sleep(w.t(100)), limited)
                };
                gives!(a, Err(Error::Cancelled(_)));
                gives!(b, Err(Error::Cancelled(_)));
                Ok(())
            });
            while !begun.get() {
                yield_now().await?;
            }
            let start = clock();
            task.cancel().await?;
            w.passed(start, 0);
            assert!(dropped.get());
            task.join().await?;
        }
        Ok(())
    });
}

#[test]
fn a_timeout_around_what_yields_first_ends_in_time() {
    everywhere(async |w| {
        let start = clock();
        let yields = async {
            yield_now().await?;
            sleep(w.t(100)).await
        };
        gives!(timeout_after(w.t(2), yields).await, Err(Error::Timeout(_)));
        w.passed(start, 2);
        // Below a combinator, nobody polls it again but for its own waker.
        let (never, dropped) = foreign();
        let yields = timeout_after(w.t(2), async {
            yield_now().await?;
            never.await;
            Ok(())
        });
        let mut all = FuturesUnordered::from_iter([yields]);
        gives!(all.next().await, Some(Err(Error::Timeout(_))));
        assert!(dropped.get());
        w.passed(start, 4);
        Ok(())
    });
}

#[test]
fn case_16_a_cancel_disarms_older_deadlines() {
    everywhere(async |w| {
        let cleaned = Rc::new(Cell::new(false));
        let task = spawn({
            let cleaned = cleaned.clone();
            async move {
                timeout_after(w.t(5), async {
                    let r = sleep(w.t(100)).await;
                    gives!(r, Err(Error::Cancelled(_)));
                    sleep(w.t(10)).await?;
                    cleaned.set(true);
                    r
                })
                .await
            }
        });
        sleep(w.t(1)).await?;
        let start = clock();
        task.cancel().await?;
        w.passed(start, 10);
        assert!(cleaned.get());
        gives!(task.join().await, Err(Error::Task(e)) if e.cancelled());
        Ok(())
    });
}

#[test]
fn case_16b_a_timeout_set_in_the_clean_up_works() {
    everywhere(async |w| {
        let task = spawn(async move {
            let r = sleep(w.t(100)).await;
            gives!(ignore_after(w.t(2), sleep(w.t(50))).await, Ok(None));
            r
        });
        sleep(w.t(1)).await?;
        let start = clock();
        task.cancel().await?;
        w.passed(start, 2);
        gives!(task.join().await, Err(Error::Task(e)) if e.cancelled());
        Ok(())
    });
}

#[test]
fn case_17_swallowing_does_not_save_you() {
    everywhere(async |w| {
        let start = clock();
        let outer = timeout_after(w.t(1), async {
            let inner = timeout_after(w.t(5), async {
                gives!(sleep(w.t(100)).await, Err(Error::TimeoutCancellation(_)));
                Ok(())
            });
            gives!(inner.await, Ok(()));
            gives!(sleep(w.t(100)).await, Err(Error::Timeout(_)));
            sleep(w.t(3)).await?; // after that it is delivered, once again
            Ok(5)
        });
        gives!(outer.await, Ok(5));
        w.passed(start, 4);
        Ok(())
    });
}

#[test]
fn case_18_the_completion_wins() {
    virtually(async |w| {
        // The deadline and the end of the sleep fall on the same instant. Whichever timer was set first, the sleep
        // completes, and nothing is left that could hit what comes later.
        let start = clock();
        gives!(
            timeout_at(start + w.t(2), sleep_until(start + w.t(2))).await,
            Ok(())
        );
        sleep(w.t(5)).await?;
        gives!(timeout_after(w.t(1), sleep(w.t(1))).await, Ok(()));
        sleep(w.t(5)).await?;

        let task = spawn(async move {
            sleep_until(start + w.t(20)).await?;
            Ok(3)
        });
        sleep_until(start + w.t(20)).await?;
        task.cancel_nowait();
        gives!(task.join().await, Ok(3));
        Ok(())
    });
}

#[test]
fn case_18b_a_cancel_at_the_completion_hits_the_next_operation() {
    virtually(async |w| {
        let tokens = Tokens::default();
        let task = spawn({
            let tokens = tokens.clone();
            async move {
                tokens.get().await?;
                gives!(sleep(w.t(10)).await, Err(Error::Cancelled(_)));
                Ok(())
            }
        });
        sleep(w.t(1)).await?;
        tokens.put();
        task.cancel().await?;
        task.join().await
    });
}

#[test]
fn case_19_panics() {
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    everywhere(async |w| {
        // Inside a timeout, in a task of its own: the task alone crashes, with its message.
        let task = spawn(async move {
            timeout_after(w.t(5), async {
                sleep(w.t(1)).await?;
                panic!("boom {}", 1);
                #[allow(unreachable_code)]
                Ok(())
            })
            .await
        });
        let error = task.join().await.unwrap_err();
        gives!(&error, Error::Task(e) if e.panic_message() == Some("boom 1") && !e.cancelled());
        assert!(!error.is_cancellation());

        // Around: caught inside the timeout, which goes on and still works.
        let limited = timeout_after(w.t(5), async {
            let inner = timeout_after(w.t(1), async {
                yield_now().await?;
                panic!("inner");
                #[allow(unreachable_code)]
                Ok(())
            });
            assert!(AssertUnwindSafe(inner).catch_unwind().await.is_err());
            sleep(w.t(100)).await
        });
        let start = clock();
        gives!(limited.await, Err(Error::Timeout(_)));
        w.passed(start, 5);

        // Beside: the sibling's timeout does not notice.
        let panicking = spawn(async move {
            sleep(w.t(1)).await?;
            panic!("beside");
            #[allow(unreachable_code)]
            Ok(())
        });
        gives!(timeout_after(w.t(5), sleep(w.t(2))).await, Ok(()));
        assert!(panicking.terminated());

        // In the clean-up after a cancel, and in the drop of the future.
        let task = spawn(async move {
            let _ = sleep(w.t(100)).await;
            panic!("while cleaning up");
            #[allow(unreachable_code)]
            Ok(())
        });
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("in drop");
            }
        }
        let dropped = spawn(async {
            let _bomb = Bomb;
            pending::<()>().await;
        });
        sleep(w.t(1)).await?;
        task.cancel().await?;
        gives!(task.join().await, Err(Error::Task(e)) if e.panic_message() == Some("while cleaning up"));
        dropped.cancel().await?;
        assert!(dropped.terminated());
        Ok(())
    });
    std::panic::set_hook(quiet);
}

#[test]
fn a_foreign_future_that_yields_is_not_dropped_early() {
    virtually(async |w| {
        let progress = Rc::new(Cell::new(0));
        let task = spawn({
            let progress = progress.clone();
            async move {
                sleep(w.t(1)).await.unwrap_or(());
                // A foreign yield: 20 times woken during its own poll.
                let mut left = 20;
                poll_fn(|cx| {
                    progress.set(progress.get() + 1);
                    if left == 0 {
                        return Poll::Ready(());
                    }
                    left -= 1;
                    cx.waker().wake_by_ref();
                    Poll::Pending
                })
                .await;
                sleep(w.t(100)).await
            }
        });
        sleep(w.t(1)).await?;
        yield_now().await?;
        task.cancel().await?;
        assert_eq!(progress.get(), 21);
        Ok(())
    });
}

#[test]
fn a_foreign_future_that_yields_for_ever_is_dropped_in_the_end() {
    virtually(async |w| {
        let polls = Rc::new(Cell::new(0));
        let task = spawn({
            let polls = polls.clone();
            poll_fn(move |cx| -> Poll<()> {
                polls.set(polls.get() + 1);
                cx.waker().wake_by_ref();
                Poll::Pending
            })
        });
        yield_now().await?;
        task.cancel().await?;
        assert!(polls.get() >= 64);
        assert!(
            timeout_after(
                w.t(0),
                poll_fn(|cx| -> Poll<Result<()>> {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                })
            )
            .await
            .unwrap_err()
            .is_timeout()
        );
        Ok(())
    });
}

#[test]
fn a_shielded_foreign_future_is_not_dropped() {
    virtually(async |w| {
        let (sender, receiver) = futures::channel::oneshot::channel::<u32>();
        let task = spawn(async move {
            let value = disable_cancellation(receiver).await.unwrap();
            assert_eq!(value, 5);
            sleep(w.t(100)).await
        });
        sleep(w.t(1)).await?;
        task.cancel_nowait();
        sleep(w.t(1)).await?;
        assert!(!task.terminated());
        sender.send(5).unwrap();
        let start = clock();
        task.wait().await?;
        w.passed(start, 0);
        gives!(task.join().await, Err(Error::Task(e)) if e.cancelled());
        Ok(())
    });
}

#[test]
fn an_interruptible_future_lets_the_task_clean_up() {
    virtually(async |w| {
        let (never, dropped) = foreign();
        let task = spawn(async move {
            let r = interruptible(never).await;
            gives!(r, Err(Error::Cancelled(_)));
            assert!(dropped.get());
            sleep(w.t(2)).await?;
            r
        });
        sleep(w.t(1)).await?;
        let start = clock();
        task.cancel().await?;
        w.passed(start, 2);
        gives!(interruptible(async { 4 }).await, Ok(4));
        Ok(())
    });
}

#[test]
fn yielding_is_an_interruption_point() {
    virtually(async |w| {
        for kind in 0..4 {
            let task = spawn(async move {
                loop {
                    match kind {
                        0 => yield_now().await?,
                        1 => sleep(Duration::ZERO).await?,
                        2 => sleep_until(clock()).await?,
                        _ => timeout_after(w.t(1), yield_now()).await?,
                    }
                }
                #[allow(unreachable_code)]
                Ok(())
            });
            yield_now().await?;
            task.cancel().await?;
            gives!(task.join().await, Err(Error::Task(e)) if e.cancelled());
        }
        // In both arms of a join, too.
        let task = spawn(async move {
            let spin = async {
                loop {
                    yield_now().await?;
                }
                #[allow(unreachable_code)]
                Ok::<(), Error>(())
            };
            let both = futures::join!(spin, sleep(w.t(100)));
            gives!(both, (Err(Error::Cancelled(_)), Err(Error::Cancelled(_))));
            Ok(())
        });
        while task.cycles() < 2 {
            yield_now().await?;
        }
        task.cancel().await?;
        task.join().await
    });
}

#[test]
fn a_task_that_has_not_run_gets_the_cancel_at_its_first_wait() {
    virtually(async |w| {
        let log = Rc::new(RefCell::new(Vec::new()));
        let task = spawn({
            let log = log.clone();
            async move {
                log.borrow_mut().push("runs");
                gives!(sleep(w.t(10)).await, Err(Error::Cancelled(_)));
                log.borrow_mut().push("is told");
                Ok(())
            }
        });
        task.cancel().await?;
        assert_eq!(*log.borrow(), ["runs", "is told"]);
        let task = spawn(async { Ok(4) });
        task.cancel().await?;
        assert!(task.cancelled());
        gives!(task.join().await, Ok(4));
        Ok(())
    });
}

#[test]
fn cancelling_oneself() {
    virtually(async |w| {
        let me: Rc<RefCell<Option<curio::Task<()>>>> = Rc::default();
        let task = spawn({
            let me = me.clone();
            async move {
                yield_now().await?;
                let task = me.borrow_mut().take().unwrap();
                gives!(task.cancel().await, Err(Error::Deadlock(_)));
                gives!(task.join().await, Err(Error::Deadlock(_)));
                gives!(task.wait().await, Err(Error::Deadlock(_)));
                task.cancel_nowait();
                gives!(sleep(w.t(1)).await, Err(Error::Cancelled(_)));
                sleep(w.t(1)).await
            }
        });
        *me.borrow_mut() = Some(task);
        sleep(w.t(5)).await
    });
}

#[test]
fn a_canceller_that_is_interrupted_leaves_the_request_in_force() {
    virtually(async |w| {
        let task = spawn(async move {
            gives!(sleep(w.t(100)).await, Err(Error::Cancelled(_)));
            sleep(w.t(10)).await
        });
        sleep(w.t(1)).await?;
        let start = clock();
        gives!(task.cancel().timeout(w.t(2)).await, Err(Error::Timeout(_)));
        w.passed(start, 2);
        task.join().await?;
        w.passed(start, 10);
        Ok(())
    });
}

#[test]
fn cancel_within_drops_the_stubborn() {
    virtually(async |w| {
        let (never, dropped) = foreign();
        let task = spawn(disable_cancellation(never));
        let mild = spawn(async move {
            let _ = sleep(w.t(100)).await;
            sleep(w.t(1)).await?;
            Ok(1)
        });
        sleep(w.t(1)).await?;
        let start = clock();
        mild.cancel_within(w.t(5)).await?;
        w.passed(start, 1);
        gives!(mild.join().await, Ok(1));
        task.cancel_within(w.t(5)).await?;
        w.passed(start, 6);
        assert!(dropped.get() && task.terminated());
        gives!(task.join().await, Err(Error::Task(_)));
        Ok(())
    });
}

#[test]
fn nested_shields_and_timeouts() {
    virtually(async |w| {
        let start = clock();
        let task = spawn(async move {
            let r = timeout_after(w.t(3), async {
                disable_cancellation(async {
                    // Both deadlines pass in here; only the inner one is felt.
                    gives!(
                        timeout_after(w.t(2), sleep(w.t(50))).await,
                        Err(Error::Timeout(_))
                    );
                    w.passed(start, 2);
                    disable_cancellation(sleep(w.t(4))).await
                })
                .await?;
                w.passed(start, 6);
                gives!(check_cancellation(), Err(Error::Timeout(_)));
                sleep(w.t(1)).await?;
                Ok(())
            });
            gives!(r.await, Ok(()));
            w.passed(start, 7);
            Ok(())
        });
        task.join().await
    });
}

#[test]
fn an_operation_moved_between_tasks_waits_where_it_is_polled() {
    virtually(async |w| {
        let start = clock();
        let mut nap = Box::pin(sleep(w.t(5)));
        assert!(future::poll_immediate(&mut nap).await.is_none());
        let mut limited = Box::pin(timeout_after(w.t(3), sleep(w.t(100))));
        assert!(future::poll_immediate(&mut limited).await.is_none());
        let mut shielded = Box::pin(disable_cancellation(sleep(w.t(4))));
        assert!(future::poll_immediate(&mut shielded).await.is_none());
        let task = spawn(async move {
            let (a, b, c) = futures::join!(nap, limited, shielded);
            gives!((a, b, c), (Ok(()), Err(Error::Timeout(_)), Ok(())));
            Ok(())
        });
        task.join().await?;
        w.passed(start, 5);
        Ok(())
    });
}

#[test]
fn forgotten_futures_do_no_harm() {
    virtually(async |w| {
        let task = spawn(async move {
            let mut nap = Box::pin(sleep(w.t(5)));
            assert!(future::poll_immediate(&mut nap).await.is_none());
            std::mem::forget(nap);
            let mut limited = Box::pin(timeout_after(w.t(1), sleep(w.t(100))));
            assert!(future::poll_immediate(&mut limited).await.is_none());
            std::mem::forget(limited);
            gives!(timeout_after(w.t(10), sleep(w.t(2))).await, Ok(()));
            Ok(())
        });
        task.join().await
    });
}

#[test]
fn deadlines_are_kept_in_order() {
    virtually(async |w| {
        let log = Rc::new(RefCell::new(Vec::new()));
        let tasks: Vec<_> = [5, 1, 4, 2, 3]
            .into_iter()
            .map(|n| {
                let log = log.clone();
                spawn(async move {
                    sleep(w.t(n)).await?;
                    log.borrow_mut().push(n);
                    Ok(())
                })
            })
            .collect();
        for task in tasks {
            task.join().await?;
        }
        assert_eq!(*log.borrow(), [1, 2, 3, 4, 5]);
        Ok(())
    });
}

#[test]
fn a_wake_up_is_told_to_the_right_waker() {
    // An operation polled first with one waker and then with another wakes the second.
    virtually(async |w| {
        let mut nap = Box::pin(sleep(w.t(5)));
        assert!(nap.as_mut().now_or_never().is_none());
        let start: Instant = clock();
        nap.await?;
        w.passed(start, 5);
        Ok(())
    });
}
