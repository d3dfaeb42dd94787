//! Looking changes nothing: programs are run with and without, under the same schedules. And threads that are busy in
//! several ways bear being asked where they are.

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
        if !self.random.is_multiple_of(3) {
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

/// What keeps a thread busy until it is told to stop.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod hogs {
    use std::hint::black_box;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;
    use std::time::Duration;

    #[cfg(feature = "probe")]
    use crate::Kernel;
    use crate::traceback::{Options, Probe};
    use crate::{Error, run, sleep};

    #[inline(never)]
    fn fib(n: u64) -> u64 {
        if n < 2 {
            1
        } else {
            black_box(fib(n - 1)) + fib(n - 2)
        }
    }

    #[inline(never)]
    fn allocates() -> usize {
        let all: Vec<Box<[u8]>> = (0..50).map(|n| vec![7; n * 40].into_boxed_slice()).collect();
        black_box(&all).len()
    }

    #[inline(never)]
    fn panics() -> usize {
        // Without the hook, which would print.
        let caught = std::panic::catch_unwind(|| std::panic::resume_unwind(Box::new(7_u32)));
        usize::from(black_box(caught).is_err())
    }

    #[inline(never)]
    fn calls_the_system() -> usize {
        let name = format!("/{}/{}", "nowhere", black_box(7));
        usize::from(std::fs::metadata(name).is_err())
    }

    #[inline(never)]
    async fn hog(stop: Arc<AtomicBool>, work: fn() -> usize) -> usize {
        let mut total = 0;
        while !stop.load(Ordering::Relaxed) {
            total += black_box(work());
        }
        total
    }

    /// With line tables only, as in a release build, names have no path.
    fn is_called(function: &str, name: &str) -> bool {
        function.rsplit("::").next() == Some(name)
    }

    /// Takes so many samples of a task that does this, and gives how many hold the name of the function.
    fn sample(samples: usize, name: &str, work: fn() -> usize) -> usize {
        let stop = Arc::new(AtomicBool::new(false));
        let (tell, told) = mpsc::channel();
        let thread = std::thread::spawn({
            let stop = stop.clone();
            move || {
                run(async {
                    tell.send(Probe::here()).unwrap();
                    hog(stop, work).await;
                })
            }
        });
        let probe = told.recv().unwrap();
        let mut found = 0;
        // To look one up takes long; without unwinding, each is many.
        let (samples, every) = if cfg!(feature = "probe") {
            (samples, samples / 20)
        } else {
            (20, 5)
        };
        for n in 0..samples {
            let raw = probe.running(Duration::from_secs(20)).expect("an answer");
            if n % every == 0 {
                let traceback = raw.about(3, "hog").resolve(Options::default());
                let text = format!("{traceback:#}");
                assert!(
                    text.starts_with("Stack for Task(id=3, name='hog', state='RUNNING')"),
                    "{text}"
                );
                let all = traceback.stacks()[0].frames();
                found += usize::from(all.iter().any(|frame| is_called(frame.function(), name)));
            }
        }
        stop.store(true, Ordering::Relaxed);
        thread.join().unwrap().unwrap();
        found
    }

    /// In how many of the samples the name is found at least. Without unwinding it is found where frame pointers allow.
    fn least(unwound: usize) -> usize {
        if cfg!(feature = "probe") { unwound } else { 0 }
    }

    #[test]
    fn one_that_computes() {
        let found = sample(2_000, "fib", || fib(20) as usize);
        assert!(
            found >= if cfg!(feature = "probe") { 18 } else { 1 },
            "{found} of 20"
        );
    }

    #[test]
    fn one_that_allocates() {
        let found = sample(2_000, "allocates", allocates);
        assert!(found >= least(18), "{found} of 20");
    }

    #[test]
    fn one_that_panics() {
        let found = sample(2_000, "panics", panics);
        assert!(found >= least(14), "{found} of 20");
    }

    #[test]
    fn one_that_calls_the_system() {
        let found = sample(2_000, "calls_the_system", calls_the_system);
        assert!(found >= least(18), "{found} of 20");
    }

    /// The whole stack, from the task's own function on, with lines.
    #[cfg(feature = "probe")]
    #[test]
    fn the_whole_stack() {
        let stop = Arc::new(AtomicBool::new(false));
        let (tell, told) = mpsc::channel();
        let thread = std::thread::spawn({
            let stop = stop.clone();
            move || {
                let kernel = Kernel::new().unwrap();
                let kid = kernel.spawn(async move {
                    tell.send(Probe::here()).unwrap();
                    Ok(hog(stop, || fib(25) as usize).await)
                });
                kernel.run(kid.join())
            }
        });
        let probe = told.recv().unwrap();
        let text = (0..1_000).find_map(|_| {
            let raw = probe.running(Duration::from_secs(20)).unwrap();
            let traceback = raw.about(4, "kid").resolve(Options::default());
            let frames = traceback.stacks()[0].frames();
            let is_there = frames.iter().any(|frame| is_called(frame.function(), "fib"));
            is_there.then(|| format!("{traceback:#}"))
        });
        stop.store(true, Ordering::Relaxed);
        thread.join().unwrap().unwrap();
        let text = text.expect("it computes nearly always");
        assert!(
            ["::hog\n", " {async_fn#0}\n"]
                .iter()
                .any(|name| text.contains(name))
                && text.contains("tests.rs\", line "),
            "{text}"
        );
        assert!(
            !text.contains("run_batch") && !text.contains("__libc_start"),
            "{text}"
        );
    }

    /// A kernel that sleeps is woken by the signal, and goes on sleeping.
    #[test]
    fn a_kernel_that_sleeps() {
        let (tell, told) = mpsc::channel();
        let (wake, woken) = futures::channel::oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            run(async {
                tell.send(Probe::here()).unwrap();
                sleep(Duration::from_millis(20)).await?;
                woken.await.map_err(|_| Error::other("gone"))
            })
        });
        let probe = told.recv().unwrap();
        for _ in 0..50 {
            probe.running(Duration::from_secs(20)).unwrap();
        }
        wake.send(()).unwrap();
        thread.join().unwrap().unwrap();
    }
}
