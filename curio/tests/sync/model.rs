//! Against a model, with random visitors.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use curio::{Clock, Kernel, Result, Semaphore, ignore_after, sleep, spawn};
use proptest::prelude::*;

use crate::common::Watchdog;
use crate::gate::{EMPTY, Gate, Pass};

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
