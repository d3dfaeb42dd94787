//! Looking changes nothing: programs are run with and without, under the same schedules.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use crate::activation::{Activation, TaskInfo, WaitInfo};
use crate::trace::{Recorder, Text};
use crate::{
    Clock, Error, Event, Kernel, Lock, Queue, Result, Semaphore, State, TaskGroup, UniversalQueue, context,
    disable_cancellation, ignore_after, sleep, spawn, task, timeout_after, yield_now,
};

const SECOND: Duration = Duration::from_secs(1);

/// Asks for tracebacks of whomever, at every turn.
struct Looker {
    random: u64,
    looks: Rc<Cell<u64>>,
}

impl Looker {
    fn look(&mut self) {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let id = 3 + self.random % 12;
        let looks = self.looks.clone();
        context::with(|context| {
            super::request(context.unwrap(), id, move |raw| {
                looks.set(looks.get() + u64::from(raw.is_some()));
            });
        });
    }
}

impl Activation for Looker {
    fn created(&mut self, _: Instant, _: &TaskInfo) {
        self.look();
    }

    fn suspended(
        &mut self,
        _: Instant,
        _: &TaskInfo,
        _: State,
        _: Option<&'static std::panic::Location<'static>>,
    ) {
        self.look();
    }

    fn wake(&mut self, _: Instant, _: &WaitInfo, _: Option<u64>) {
        self.look();
    }

    fn idle(&mut self, _: Instant, _: Option<Instant>) {
        // Once in a while: as long as somebody asks, the kernel does not go to sleep.
        if self.random % 3 != 0 {
            self.look();
        } else {
            self.random += 1;
        }
    }
}

/// What has happened in a run, and what came of it.
fn record(
    seed: u64,
    looks: Option<&Rc<Cell<u64>>>,
    program: impl AsyncFn() -> Result<String>,
) -> (String, String) {
    let text = Text::new();
    let mut builder = Kernel::builder()
        .clock(Clock::Virtual)
        .seed(seed)
        .activation(Recorder::new(text.clone()).without_places());
    if let Some(looks) = looks {
        builder = builder.activation(Looker {
            random: seed * 2 + 1,
            looks: looks.clone(),
        });
    }
    let kernel = builder.build().unwrap();
    let result = kernel.run(program());
    kernel.run_all().unwrap();
    drop(kernel);
    // Who asks when the kernel is about to go to sleep keeps it from that, and it says so again.
    let mut lines: Vec<_> = text.to_string().lines().map(str::to_string).collect();
    lines.dedup_by(|a, b| a == b && a.contains("\"event\":\"idle\""));
    (format!("{result:?}"), lines.join("\n"))
}

#[track_caller]
fn compare(program: impl AsyncFn() -> Result<String>) {
    let looks = Rc::new(Cell::new(0));
    // Four programs: a thousand schedules.
    for seed in 0..250 {
        let without = record(seed, None, &program);
        let with = record(seed, Some(&looks), &program);
        if without != with {
            for (a, b) in without.1.lines().zip(with.1.lines()) {
                assert_eq!(a, b, "with seed {seed}");
            }
            assert_eq!(without, with, "with seed {seed}");
        }
    }
    assert!(looks.get() > 1_000, "{}", looks.get());
}

#[test]
fn sleeps_and_timeouts() {
    compare(async || {
        let mut tasks = Vec::new();
        for n in 1..5 {
            tasks.push(spawn(async move {
                sleep(SECOND * n).await?;
                let late = timeout_after(SECOND, disable_cancellation(sleep(SECOND * n))).await;
                let ignored = ignore_after(SECOND, sleep(SECOND * 9)).await?;
                Ok(format!("{late:?} {ignored:?}"))
            }));
        }
        tasks[3].cancel().await?;
        let mut results = String::new();
        for task in &tasks {
            results += &format!("{:?}", task.join().await);
        }
        Ok(results)
    });
}

#[test]
fn combinators() {
    compare(async || {
        let kid = spawn(async {
            let mut all: FuturesUnordered<_> = (1..6u32)
                .map(|n| async move {
                    let mut inner: FuturesUnordered<_> = (1..3).map(|m| sleep(SECOND * n * m)).collect();
                    while inner.next().await.is_some() {}
                    n
                })
                .collect();
            let mut order = Vec::new();
            while let Some(n) = all.next().await {
                order.push(n);
            }
            Ok(order)
        });
        let (tell, told) = futures::channel::oneshot::channel();
        let other = spawn(async move {
            let (sleep, told) = (pin!(sleep(SECOND * 3)), pin!(told));
            match futures::future::select(sleep, told).await {
                futures::future::Either::Left(_) => Ok(0),
                futures::future::Either::Right((told, _)) => told.map_err(|_| Error::other("gone")),
            }
        });
        let (joined, slept) = futures::join!(kid.join(), async {
            sleep(SECOND * 2).await?;
            let _ = tell.send(7);
            sleep(SECOND).await
        });
        slept?;
        Ok(format!("{:?} {:?}", joined?, other.join().await?))
    });
}

#[test]
fn queues_and_groups() {
    compare(async || {
        let (queue, universal) = (Queue::bounded(2), UniversalQueue::new());
        let total = Rc::new(Cell::new(0));
        TaskGroup::all()
            .scope(async |group| {
                for n in 0..3 {
                    let source = queue.clone();
                    group.spawn(async move {
                        for i in 0..5 {
                            source.put(n * 10 + i).await?;
                        }
                        Ok(())
                    });
                    let (queue, universal, total) = (queue.clone(), universal.clone(), total.clone());
                    group.spawn(async move {
                        for _ in 0..5 {
                            let item = queue.get().await?;
                            total.set(total.get() + item);
                            universal.put(item).await?;
                        }
                        Ok(())
                    });
                }
                Ok(())
            })
            .await?;
        let mut left = 0;
        for _ in 0..15 {
            left += universal.get().await?;
        }
        Ok(format!("{} {left}", total.get()))
    });
}

#[test]
fn locks_and_events() {
    compare(async || {
        let (lock, event, semaphore) = (
            Rc::new(Lock::new(0)),
            Rc::new(Event::new()),
            Rc::new(Semaphore::new(2)),
        );
        let mut tasks = Vec::new();
        for n in 0..6 {
            let (lock, event, semaphore) = (lock.clone(), event.clone(), semaphore.clone());
            tasks.push(
                task(async move {
                    event.wait().await?;
                    let _permit = semaphore.acquire().await?;
                    let mut guard = lock.lock().await?;
                    yield_now().await?;
                    *guard += n;
                    Ok(())
                })
                .name(format!("{n}"))
                .spawn(),
            );
        }
        sleep(SECOND).await?;
        event.set();
        for task in &tasks {
            task.join().await?;
        }
        let total = *lock.lock().await?;
        Ok(format!("{total}"))
    });
}
