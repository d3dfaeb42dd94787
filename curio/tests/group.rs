//! Task groups, situation by situation. Most programs run under 1,000 schedules on the virtual clock and once on the real
//! one; the numbers are units of time.

mod common;

use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::rc::Rc;
use std::sync::{Arc, Once};
use std::time::Duration;

use common::{Watchdog, World, everywhere, virtually};
use curio::{
    Clock, Error, Kernel, Result, Task, TaskError, TaskGroup, WithTimeout, clock, current_task,
    disable_cancellation, sleep, spawn, spawn_daemon, task, timeout_after, yield_now,
};
use futures::FutureExt;

/// Asserts what an operation resolved to.
macro_rules! gives {
    ($result:expr, $pattern:pat $(if $guard:expr)?) => {
        match $result {
            $pattern $(if $guard)? => {}
            other => panic!("expected {}, got {other:?}", stringify!($pattern)),
        }
    };
}

async fn nap(w: World, units: u32) -> Result<u32> {
    sleep(w.t(units)).await?;
    Ok(units)
}

async fn fail(w: World, units: u32, what: &'static str) -> Result<u32> {
    sleep(w.t(units)).await?;
    Err(Error::other(what))
}

/// The panics of these tests are not worth printing a thousand times.
fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let payload = info.payload();
            let expected = ["boom", "body"]
                .map(|s| payload.downcast_ref() == Some(&s))
                .contains(&true)
                || payload
                    .downcast_ref::<String>()
                    .is_some_and(|s| s.starts_with("panicked ") || s.starts_with("a task was spawned into"));
            if !expected {
                print(info);
            }
        }));
    });
}

async fn boom(w: World) -> Result<u32> {
    sleep(w.t(1)).await?;
    panic!("boom")
}

/// Sleeps; if it is cancelled, it cleans up for so long, and is cancelled then.
async fn slow_to_die(w: World, units: u32, clean_up: u32) -> Result<u32> {
    let slept = nap(w, units).await;
    if slept.is_err() {
        sleep(w.t(clean_up)).await?;
    }
    slept
}

/// Sleeps; if it is cancelled, it fails with something else after so long.
async fn fails_to_die(w: World, clean_up: u32, what: &'static str) -> Result<u32> {
    if sleep(w.t(1000)).await.is_err() {
        fail(w, clean_up, what).await?;
    }
    Ok(0)
}

/// What the tasks said that the errors are about, in order.
fn said(errors: &[TaskError]) -> Vec<String> {
    let cause = |e: &TaskError| std::error::Error::source(e).unwrap().to_string();
    errors.iter().map(cause).collect()
}

#[track_caller]
fn failed(result: Result<impl Sized>) -> TaskError {
    match result {
        Err(Error::Task(error)) => error,
        Err(error) => panic!("another error: {error:?}"),
        Ok(_) => panic!("no error"),
    }
}

// ---- The policies, as a table

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    /// Gives something, or nothing.
    Some,
    None,
    Fails,
    Panics,
    /// Sees the cancellation.
    Cancelled,
}
use Fate::{Cancelled, Fails, None as Nothing, Panics, Some as Something};

/// Ends at a time with a fate; if it is cancelled, it cleans up for a unit.
type Plan = (u32, Fate);

async fn follow(
    w: World,
    (units, fate): Plan,
    fates: Rc<RefCell<Vec<(u32, Fate)>>>,
    n: u32,
) -> Result<Option<u32>> {
    let start = clock();
    let slept = sleep(w.t(units)).await;
    let fate = if slept.is_err() { Cancelled } else { fate };
    let at = (clock() - start).div_duration_f64(w.t(1)) as u32;
    fates.borrow_mut().push((at, fate));
    match fate {
        Something => Ok(Some(n)),
        Nothing => Ok(None),
        Fails => Err(Error::other(format!("failed {n}"))),
        Panics => panic!("panicked {n}"),
        Cancelled => {
            sleep(w.t(1)).await?;
            slept.map(|()| None)
        }
    }
}

struct Row {
    policy: &'static str,
    plans: &'static [Plan],
    /// Who sees what, in the order in which it happens.
    fates: &'static [(u32, Fate)],
    /// When the join ends, who has finished the group, and whether the join fails.
    ends: u32,
    completed: Option<usize>,
    fails: bool,
}

#[rustfmt::skip]
const POLICIES: &[Row] = &[
    Row { policy: "all", plans: &[(2, Something), (1, Nothing), (3, Something)],
          fates: &[(1, Nothing), (2, Something), (3, Something)], ends: 3, completed: Some(1), fails: false },
    Row { policy: "all", plans: &[(2, Something), (1, Fails), (3, Something)],
          fates: &[(1, Fails), (1, Cancelled), (1, Cancelled)], ends: 2, completed: Some(1), fails: true },
    Row { policy: "all", plans: &[(1, Something), (3, Something), (2, Panics)],
          fates: &[(1, Something), (2, Panics), (2, Cancelled)], ends: 3, completed: Some(2), fails: true },
    Row { policy: "all", plans: &[], fates: &[], ends: 0, completed: None, fails: false },
    Row { policy: "any", plans: &[(2, Something), (1, Nothing), (3, Fails)],
          fates: &[(1, Nothing), (1, Cancelled), (1, Cancelled)], ends: 2, completed: Some(1), fails: false },
    Row { policy: "any", plans: &[(2, Something), (1, Fails)],
          fates: &[(1, Fails), (1, Cancelled)], ends: 2, completed: Some(1), fails: true },
    Row { policy: "any", plans: &[(1, Panics), (5, Something)],
          fates: &[(1, Panics), (1, Cancelled)], ends: 2, completed: Some(0), fails: true },
    Row { policy: "any", plans: &[], fates: &[], ends: 0, completed: None, fails: false },
    Row { policy: "some", plans: &[(3, Something), (1, Nothing), (2, Something)],
          fates: &[(1, Nothing), (2, Something), (2, Cancelled)], ends: 3, completed: Some(2), fails: false },
    Row { policy: "some", plans: &[(3, Something), (1, Nothing), (2, Fails)],
          fates: &[(1, Nothing), (2, Fails), (2, Cancelled)], ends: 3, completed: Some(2), fails: true },
    Row { policy: "some", plans: &[(2, Nothing), (1, Nothing)],
          fates: &[(1, Nothing), (2, Nothing)], ends: 2, completed: None, fails: false },
    Row { policy: "none", plans: &[(2, Something), (1, Fails)],
          fates: &[(0, Cancelled), (0, Cancelled)], ends: 1, completed: None, fails: false },
    Row { policy: "none", plans: &[], fates: &[], ends: 0, completed: None, fails: false },
];

fn group(policy: &str) -> TaskGroup<Option<u32>> {
    match policy {
        "all" => TaskGroup::all(),
        "any" => TaskGroup::any(),
        "some" => TaskGroup::first_some(),
        _ => TaskGroup::none(),
    }
}

#[test]
fn the_policies() {
    quiet();
    for (n, row) in POLICIES.iter().enumerate() {
        virtually(async |w| {
            let g = group(row.policy);
            let fates = Rc::new(RefCell::new(Vec::new()));
            let start = clock();
            let tasks: Vec<_> = row
                .plans
                .iter()
                .enumerate()
                .map(|(n, plan)| g.spawn(follow(w, *plan, fates.clone(), n as u32)))
                .collect();
            let joined = g.join().await;
            assert!(tasks.iter().all(Task::terminated), "row {n}");
            w.passed(start, row.ends);
            assert_eq!(*fates.borrow(), row.fates, "row {n}");
            let completed = row.completed.map(|n| tasks[n].id());
            assert_eq!(g.completed().map(|t| t.id()), completed, "row {n}");
            assert_eq!(joined.is_err(), row.fails, "row {n}");
            assert_eq!(
                g.error().map(|e| e.id()),
                completed.filter(|_| row.fails),
                "row {n}"
            );
            assert_eq!(g.errors().len(), usize::from(row.fails), "row {n}");
            match g.result() {
                Ok(_) => assert!(completed.is_some() && !row.fails, "row {n}"),
                Err(Error::Task(e)) => assert_eq!(Some(e.id()), completed, "row {n}"),
                Err(_) => assert_eq!(completed, None, "row {n}"),
            }
            // A second join says the same.
            assert_eq!(g.join().await.is_err(), row.fails, "row {n}");
            Ok(())
        });
    }
}

#[test]
fn losers_are_cancelled_all_at_once_in_the_order_of_spawning() {
    everywhere(async |w| {
        let start = clock();
        let g = TaskGroup::any();
        for _ in 0..3 {
            g.spawn(slow_to_die(w, 1000, 5));
        }
        g.spawn(nap(w, 1));
        g.join().await?;
        w.passed(start, 1 + 5);
        assert_eq!(g.result()?, 1);
        Ok(())
    });
    // Without a shuffle, the order can be seen.
    let kernel = Kernel::builder().clock(Clock::Virtual).build().unwrap();
    let order = Rc::new(RefCell::new(Vec::new()));
    kernel
        .run(TaskGroup::none().scope(async |g| {
            for n in 0..5 {
                let order = order.clone();
                g.spawn(async move {
                    let slept = sleep(Duration::MAX).await;
                    order.borrow_mut().push(n);
                    slept
                });
            }
            yield_now().await
        }))
        .unwrap();
    assert_eq!(*order.borrow(), [0, 1, 2, 3, 4]);
}

#[test]
fn what_has_ended_before_the_join_counts_in_its_order() {
    everywhere(async |w| {
        let g = TaskGroup::any();
        let second = g.spawn(nap(w, 2));
        let first = g.spawn(nap(w, 1));
        sleep(w.t(3)).await?;
        assert!(first.terminated() && second.terminated());
        assert!(g.completed().is_none(), "the policy counts from the join on");
        g.join().await?;
        assert_eq!(g.result()?, 1);
        Ok(())
    });
}

#[test]
fn a_failure_does_not_interrupt_the_body() {
    everywhere(async |w| {
        let start = clock();
        let sibling = Rc::new(RefCell::new(None));
        let error = failed(
            TaskGroup::all()
                .scope(async |g| {
                    g.spawn(fail(w, 1, "no"));
                    *sibling.borrow_mut() = Some(g.spawn(nap(w, 1000)));
                    sleep(w.t(4)).await
                })
                .await,
        );
        w.passed(start, 4);
        assert_eq!(said(&[error]), ["no"]);
        assert!(sibling.take().unwrap().cancelled());
        Ok(())
    });
}

// ---- Failures

#[test]
fn case_15_a_member_that_ignores_its_cancellation_is_waited_for() {
    everywhere(async |w| {
        let start = clock();
        let g = TaskGroup::all();
        g.spawn(fail(w, 1, "no"));
        let stubborn = g.spawn(async move {
            let _ = sleep(w.t(1000)).await;
            nap(w, 7).await
        });
        let error = failed(g.join().await);
        w.passed(start, 1 + 7);
        assert_eq!(said(&[error]), ["no"]);
        assert!(stubborn.cancelled() && stubborn.terminated());
        // It was not cancelled in the end, but has a value.
        assert_eq!(stubborn.join().await?, 7);
        Ok(())
    });
}

#[test]
fn failures_during_the_cancellation_are_attached() {
    everywhere(async |w| {
        let g = TaskGroup::all();
        g.spawn(fails_to_die(w, 3, "late"));
        g.spawn(fail(w, 1, "first"));
        g.spawn(fails_to_die(w, 2, "early"));
        g.spawn(nap(w, 1000));
        let error = failed(g.join().await);
        assert_eq!(said(std::slice::from_ref(&error)), ["first"]);
        assert_eq!(said(error.others()), ["early", "late"]);
        assert!(error.to_string().ends_with("failed: first (and 2 more)"));
        let long = format!("{error:?}");
        assert!(
            long.contains("also") && long.contains("early") && long.contains("late"),
            "{long}"
        );
        assert_eq!(said(&g.errors()), ["first", "early", "late"]);
        assert!(!Error::Task(error).is_cancellation());
        Ok(())
    });
}

#[test]
fn a_loser_that_fails_does_not_spoil_the_win() {
    everywhere(async |w| {
        let g = TaskGroup::any();
        g.spawn(fails_to_die(w, 2, "late"));
        g.spawn(nap(w, 1));
        g.join().await?;
        assert_eq!(g.result()?, 1);
        assert!(g.error().is_none());
        assert_eq!(said(&g.errors()), ["late"]);
        // But not all have given a value.
        assert_eq!(said(&[failed(g.results())]), ["late"]);
        Ok(())
    });
}

#[test]
fn the_error_of_the_body_wins() {
    everywhere(async |w| {
        let start = clock();
        let g = TaskGroup::all();
        let result: Result<()> = g
            .scope(async |g| {
                g.spawn(fail(w, 1, "before"));
                g.spawn(fails_to_die(w, 4, "after"));
                sleep(w.t(2)).await?;
                Err(Error::other("body"))
            })
            .await;
        w.passed(start, 2 + 4);
        assert_eq!(result.unwrap_err().to_string(), "body");
        assert_eq!(said(&g.errors()), ["before", "after"]);
        Ok(())
    });
}

#[test]
fn a_panic_of_the_body_goes_on_when_the_members_have_ended() {
    quiet();
    everywhere(async |w| {
        let start = clock();
        let member = Rc::new(RefCell::new(None));
        let body = TaskGroup::all().scope(async |g| {
            *member.borrow_mut() = Some(g.spawn(slow_to_die(w, 1000, 3)));
            sleep(w.t(1)).await?;
            if clock() > start {
                panic!("body");
            }
            Ok(())
        });
        let panic = AssertUnwindSafe(body).catch_unwind().await.unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"body"));
        w.passed(start, 1 + 3);
        assert!(member.borrow().as_ref().unwrap().terminated());
        Ok(())
    });
}

#[test]
fn case_19_a_member_that_panics_fails() {
    quiet();
    virtually(async |w| {
        let start = clock();
        let g = TaskGroup::all();
        g.spawn(boom(w));
        let sleeper = g.spawn(slow_to_die(w, 1000, 2));
        let error = failed(g.join().await);
        assert_eq!(error.panic_message(), Some("boom"));
        w.passed(start, 1 + 2);
        assert!(sleeper.terminated());
        // In the clean-up, too.
        let g = TaskGroup::any();
        g.spawn(async move {
            let _ = sleep(w.t(1000)).await;
            boom(w).await
        });
        g.spawn(nap(w, 1));
        g.join().await?;
        assert_eq!(g.errors()[0].panic_message(), Some("boom"));
        Ok(())
    });
}

#[test]
fn exit_out_of_a_member_ends_the_program_in_order() {
    let _guard = Watchdog::start();
    let kernel = Kernel::builder().clock(Clock::Virtual).build().unwrap();
    let cleaned = Rc::new(Cell::new(0));
    let main = TaskGroup::all().scope(async |g| {
        for _ in 0..3 {
            let cleaned = cleaned.clone();
            g.spawn(async move {
                let slept = sleep(Duration::MAX).await;
                sleep(Duration::from_secs(1)).await?;
                cleaned.set(cleaned.get() + 1);
                slept
            });
        }
        g.spawn(async { Err(Error::exit(3)) });
        Ok(())
    });
    gives!(kernel.run(main), Err(Error::Exit(3)));
    assert_eq!(cleaned.get(), 3);
}

// ---- Interruptions

#[test]
fn an_interrupted_join_takes_the_members_along() {
    everywhere(async |w| {
        let start = clock();
        let g = TaskGroup::all();
        let member = g.spawn(slow_to_die(w, 1000, 3));
        gives!(timeout_after(w.t(1), g.join()).await, Err(Error::Timeout(_)));
        w.passed(start, 1 + 3);
        assert!(member.terminated() && member.cancelled());
        // The members see a cancellation, whatever the cause was.
        gives!(member.join().await, Err(Error::Task(e)) if e.cancelled());
        Ok(())
    });
}

#[test]
fn a_cancelled_scope_takes_the_members_along() {
    everywhere(async |w| {
        let start = clock();
        let log = Rc::new(RefCell::new(Vec::new()));
        let kid = spawn({
            let log = log.clone();
            async move {
                let result = TaskGroup::all()
                    .scope(async |g| {
                        let log = log.clone();
                        g.spawn(async move {
                            let slept = sleep(w.t(1000)).await;
                            sleep(w.t(2)).await?;
                            log.borrow_mut().push("friend");
                            slept
                        });
                        sleep(w.t(1000)).await
                    })
                    .await;
                log.borrow_mut().push("kid");
                result
            }
        });
        sleep(w.t(1)).await?;
        kid.cancel().await?;
        w.passed(start, 1 + 2);
        assert_eq!(*log.borrow(), ["friend", "kid"]);
        gives!(kid.join().await, Err(Error::Task(e)) if e.cancelled());
        Ok(())
    });
}

#[test]
fn the_reaping_is_shielded() {
    everywhere(async |w| {
        let start = clock();
        let kid = spawn(async move {
            let g = TaskGroup::any();
            g.spawn(nap(w, 1));
            g.spawn(slow_to_die(w, 1000, 5));
            // The cancel comes while the loser cleans up: it waits for that.
            g.join().await?;
            assert_eq!(g.result()?, 1);
            sleep(w.t(1000)).await
        });
        sleep(w.t(3)).await?;
        kid.cancel().await?;
        w.passed(start, 1 + 5);
        gives!(kid.join().await, Err(Error::Task(e)) if e.cancelled());

        // A second interruption during the reaping for the first.
        let start = clock();
        let kid = spawn(timeout_after(w.t(1), async move {
            let g = TaskGroup::all();
            g.spawn(slow_to_die(w, 1000, 5));
            let joined = g.join().await;
            assert!(g.tasks().iter().all(|t| t.terminated()));
            joined
        }));
        sleep(w.t(3)).await?;
        kid.cancel().await?;
        w.passed(start, 1 + 5);
        Ok(())
    });
}

#[test]
fn a_timeout_inside_a_member_is_its_own() {
    everywhere(async |w| {
        let g = TaskGroup::all();
        g.spawn(async move {
            gives!(nap(w, 1000).timeout(w.t(1)).await, Err(Error::Timeout(_)));
            nap(w, 2).await
        });
        g.join().await?;
        assert_eq!(g.results()?, [2]);
        Ok(())
    });
}

#[test]
fn groups_nest() {
    everywhere(async |w| {
        let start = clock();
        let ended = Rc::new(Cell::new(0));
        let result = TaskGroup::all()
            .scope(async |outer| {
                for _ in 0..3 {
                    let ended = ended.clone();
                    outer.spawn(async move {
                        let inner = TaskGroup::all();
                        for _ in 0..3 {
                            let ended = ended.clone();
                            inner.spawn(async move {
                                let slept = slow_to_die(w, 1000, 2).await;
                                ended.set(ended.get() + 1);
                                slept
                            });
                        }
                        inner.join().await
                    });
                }
                outer.spawn(async move { fail(w, 1, "no").await.map(drop) });
                Ok(())
            })
            .await;
        assert_eq!(said(&[failed(result)]), ["no"]);
        assert_eq!(ended.get(), 9);
        w.passed(start, 1 + 2);
        Ok(())
    });
}

#[test]
fn a_group_below_foreign_combinators() {
    everywhere(async |w| {
        let (a, b) = (TaskGroup::all(), TaskGroup::any());
        for n in 1..=3 {
            a.spawn(nap(w, n));
            b.spawn(nap(w, n));
        }
        let (x, y) = futures::join!(a.join(), b.join());
        x.and(y)?;
        assert_eq!(a.results()?, [1, 2, 3]);
        assert_eq!(b.result()?, 1);

        // Both arms wait for the same group.
        let g = TaskGroup::all();
        g.spawn(nap(w, 1));
        let (x, y) = futures::join!(g.join(), g.join());
        x.and(y)?;

        // A join that is dropped by `select!` changes nothing.
        let g = TaskGroup::all();
        g.spawn(nap(w, 2));
        {
            let mut join = g.join().fuse();
            let mut nap = Box::pin(nap(w, 1)).fuse();
            futures::select! {
                _ = join => panic!("too early"),
                _ = nap => {}
            }
        }
        g.join().await?;
        assert_eq!(g.results()?, [2]);

        // A scope that is dropped takes its members along, seen off by the kernel; also if somebody else has a handle.
        let start = clock();
        let g = TaskGroup::all();
        let member = Rc::new(RefCell::new(None));
        {
            let mut scope = Box::pin(g.scope(async |g| {
                *member.borrow_mut() = Some(g.spawn(slow_to_die(w, 1000, 2)));
            }))
            .fuse();
            let mut nap = Box::pin(nap(w, 1)).fuse();
            futures::select! {
                _ = scope => panic!("too early"),
                _ = nap => {}
            }
        }
        let member = member.take().unwrap();
        assert!(member.cancelled() && !member.terminated());
        member.wait().await?;
        w.passed(start, 1 + 2);
        Ok(())
    });
}

#[test]
fn a_group_that_is_dropped_asks_its_members_to_end() {
    everywhere(async |w| {
        let g = TaskGroup::all();
        let other = g.clone();
        let member = g.spawn(slow_to_die(w, 1000, 2));
        sleep(w.t(1)).await?;
        drop(g);
        assert!(!member.cancelled());
        drop(other);
        assert!(member.cancelled() && !member.terminated());
        member.wait().await?;
        gives!(member.join().await, Err(Error::Task(e)) if e.cancelled());
        Ok(())
    });
}

#[test]
fn cancelled_at_every_step() {
    let _guard = Watchdog::start();
    for policy in ["all", "any", "some", "none"] {
        for seed in 0..20 {
            let mut step = 0;
            while cancelled_at(policy, seed, step) {
                step += 1;
            }
            assert!(step > 6, "{policy} is over at step {step}");
        }
    }
}

/// False if the program was over before.
fn cancelled_at(policy: &'static str, seed: u64, step: u32) -> bool {
    let w = World::VIRTUAL;
    let kernel = Kernel::builder()
        .clock(Clock::Virtual)
        .seed(seed)
        .build()
        .unwrap();
    let alive = Rc::new(Cell::new(0));
    struct Alive(Rc<Cell<i32>>);
    impl Drop for Alive {
        fn drop(&mut self) {
            self.0.set(self.0.get() - 1);
        }
    }
    let member = {
        let alive = alive.clone();
        move |units: u32, yields: u32, gives: Option<u32>| {
            alive.set(alive.get() + 1);
            let alive = Alive(alive.clone());
            async move {
                let _alive = alive;
                for _ in 0..yields {
                    yield_now().await?;
                }
                let slept = sleep(w.t(units)).await;
                if slept.is_err() {
                    sleep(w.t(2)).await?;
                    yield_now().await?;
                }
                slept.map(|()| gives)
            }
        }
    };
    let program = kernel.spawn({
        let alive = alive.clone();
        async move {
            let result = group(policy)
                .scope(async |g| {
                    g.spawn(member(4, 1, None));
                    g.spawn_daemon(member(1000, 2, None));
                    yield_now().await?;
                    let late = member(3, 0, Some(1));
                    let siblings = g.clone();
                    g.spawn(async move {
                        yield_now().await?;
                        siblings.spawn(late);
                        Ok(None)
                    });
                    sleep(w.t(1)).await?;
                    g.spawn(member(2, 3, Some(2)));
                    Ok(())
                })
                .await;
            assert_eq!(
                alive.get(),
                0,
                "{policy}, seed {seed}, step {step}: somebody is alive"
            );
            result
        }
    });
    for _ in 0..step {
        if !kernel.run_once().unwrap() {
            break;
        }
    }
    let over = program.terminated();
    program.cancel_nowait();
    kernel.run_all().unwrap();
    assert!(program.terminated());
    assert_eq!(
        format!("{kernel:?}"),
        "Kernel { tasks: 0, waits: 0, scopes: 0, timers: 0, sockets: 0 }"
    );
    match kernel.run(program.join()) {
        Ok(()) => {}
        Err(Error::Task(e)) => assert!(e.cancelled() && !over, "{e:?}"),
        Err(e) => panic!("{e:?}"),
    }
    !over
}

// ---- Members one by one

#[test]
fn members_come_in_the_order_in_which_they_end() {
    everywhere(async |w| {
        let g = TaskGroup::all();
        for units in [3, 1, 2] {
            g.spawn(nap(w, units));
        }
        g.spawn_daemon(nap(w, 1));
        let mut order = Vec::new();
        while let Some(task) = g.next_done().await? {
            order.push(task.join().await?);
        }
        assert_eq!(order, [1, 2, 3]);
        assert!(g.tasks().is_empty());
        g.join().await?;
        assert!(g.results()?.is_empty());
        Ok(())
    });
}

#[test]
fn next_result_gives_a_failure_and_leaves_the_others_alone() {
    everywhere(async |w| {
        let g = TaskGroup::all();
        g.spawn(fail(w, 1, "no"));
        let other = g.spawn(nap(w, 2));
        assert_eq!(said(&[failed(g.next_result().await)]), ["no"]);
        assert!(!other.cancelled());
        assert_eq!(g.next_result().await?, Some(2));
        assert_eq!(g.next_result().await?, None);
        assert!(g.errors().is_empty());
        g.join().await
    });
}

#[test]
fn members_that_are_spawned_meanwhile_are_seen_too() {
    everywhere(async |w| {
        let g = TaskGroup::all();
        let siblings = g.clone();
        g.spawn(async move {
            sleep(w.t(1)).await?;
            siblings.spawn(nap(w, 2));
            Ok(0)
        });
        assert_eq!(g.next_result().await?, Some(0));
        assert_eq!(g.next_result().await?, Some(2));
        assert_eq!(g.next_result().await?, None);

        // Also while the group is being joined; the last may spawn one more.
        let siblings = g.clone();
        g.spawn(async move {
            sleep(w.t(1)).await?;
            let last = siblings.clone();
            siblings.spawn(async move {
                sleep(w.t(1)).await?;
                last.spawn(nap(w, 3));
                Ok(2)
            });
            Ok(1)
        });
        g.join().await?;
        assert_eq!(g.results()?, [1, 2, 3]);
        Ok(())
    });
}

#[test]
fn a_sibling_that_is_spawned_into_an_ending_group_is_cancelled() {
    everywhere(async |w| {
        let start = clock();
        let g = TaskGroup::any();
        let siblings = g.clone();
        let late = Rc::new(RefCell::new(None));
        let keep = late.clone();
        g.spawn(async move {
            let slept = nap(w, 1000).await;
            *keep.borrow_mut() = Some(siblings.spawn(nap(w, 1000)));
            slept
        });
        g.spawn(nap(w, 1));
        g.join().await?;
        w.passed(start, 1);
        let late = late.take().unwrap();
        assert!(late.terminated() && late.cancelled());
        Ok(())
    });
}

#[test]
fn several_take_the_members_of_one_group() {
    everywhere(async |w| {
        let g = TaskGroup::all();
        for units in 1..=6 {
            g.spawn(nap(w, units));
        }
        let take = async || {
            let mut taken = Vec::new();
            while let Some(units) = g.next_result().await? {
                taken.push(units);
            }
            Ok::<_, Error>(taken)
        };
        let (a, b, c) = futures::join!(take(), take(), take());
        let mut all = [a?, b?, c?].concat();
        all.sort();
        assert_eq!(all, [1, 2, 3, 4, 5, 6]);
        Ok(())
    });
}

#[test]
fn case_14_a_taker_that_was_just_chosen_is_cancelled() {
    everywhere(async |w| {
        let g = TaskGroup::all();
        for units in 1..=5 {
            g.spawn(nap(w, units));
        }
        let taken = Rc::new(RefCell::new(Vec::new()));
        let takers: Vec<_> = (0..5)
            .map(|_| {
                let (g, taken) = (g.clone(), taken.clone());
                spawn(async move {
                    while let Some(units) = g.next_result().await? {
                        taken.borrow_mut().push(units);
                    }
                    Ok(())
                })
            })
            .collect();
        // Each time that a member ends, one of them is cancelled.
        for taker in &takers[..4] {
            sleep(w.t(1)).await?;
            taker.cancel().await?;
        }
        takers[4].join().await?;
        assert_eq!(*taken.borrow(), [1, 2, 3, 4, 5]);
        Ok(())
    });
}

#[test]
fn an_interrupted_taker_loses_nobody() {
    everywhere(async |w| {
        let g = TaskGroup::all();
        g.spawn(nap(w, 2));
        gives!(g.next_done().timeout(w.t(1)).await, Err(Error::Timeout(_)));
        assert_eq!(g.next_result().await?, Some(2));
        Ok(())
    });
}

#[test]
fn cancel_remaining_leaves_the_group_open() {
    everywhere(async |w| {
        let start = clock();
        let g = TaskGroup::all();
        g.cancel_remaining().await?; // nobody there
        g.spawn(nap(w, 1));
        for _ in 0..3 {
            g.spawn(slow_to_die(w, 1000, 2));
        }
        let daemon = g.spawn_daemon(nap(w, 1000));
        assert_eq!(g.next_result().await?, Some(1));
        g.cancel_remaining().await?;
        w.passed(start, 1 + 2);
        assert!(g.tasks().is_empty());
        assert!(!daemon.cancelled());
        g.spawn(nap(w, 4));
        g.join().await?;
        assert!(daemon.terminated());
        assert_eq!(g.results()?, [4]);

        // What fails meanwhile is kept; and a failure in the join has it attached.
        let g = TaskGroup::all();
        g.spawn(fails_to_die(w, 1, "late"));
        yield_now().await?;
        sleep(w.t(1)).await?;
        g.cancel_remaining().await?;
        assert_eq!(said(&g.errors()), ["late"]);
        g.spawn(fail(w, 1, "no"));
        let error = failed(g.join().await);
        assert_eq!(said(error.others()), ["late"]);
        Ok(())
    });
}

// ---- Members that somebody takes out

#[test]
fn joining_a_failing_member_handles_it() {
    everywhere(async |w| {
        let g = TaskGroup::all();
        let failing = g.spawn(fail(w, 1, "no"));
        let other = g.spawn(nap(w, 2));
        assert_eq!(said(&[failed(failing.join().await)]), ["no"]);
        g.join().await?;
        assert!(!other.cancelled());
        assert_eq!(g.results()?, [2]);
        assert!(g.errors().is_empty());

        // Long after it has ended, too.
        let g = TaskGroup::all();
        let failing = g.spawn(fail(w, 1, "no"));
        g.spawn(nap(w, 2));
        sleep(w.t(3)).await?;
        failed(failing.join().await);
        g.join().await?;
        assert_eq!(g.results()?, [2]);

        // And from a sibling, while the group is being joined.
        let g = TaskGroup::all();
        let failing = g.spawn(fail(w, 1, "no"));
        g.spawn(async move {
            failed(failing.join().await);
            nap(w, 2).await
        });
        g.join().await?;
        assert_eq!(g.results()?, [2]);
        Ok(())
    });
}

#[test]
fn a_join_that_gives_up_gives_the_member_back() {
    everywhere(async |w| {
        let g = TaskGroup::all();
        let failing = g.spawn(fail(w, 2, "no"));
        gives!(failing.join().timeout(w.t(1)).await, Err(Error::Timeout(_)));
        assert_eq!(said(&[failed(g.join().await)]), ["no"]);
        Ok(())
    });
}

#[test]
fn cancelling_one_member_is_no_failure() {
    everywhere(async |w| {
        let start = clock();
        let g = TaskGroup::all();
        let one = g.spawn(slow_to_die(w, 1000, 5));
        let two = g.spawn(nap(w, 2));
        sleep(w.t(1)).await?;
        one.cancel_nowait();
        g.join().await?;
        // It was waited for all the same.
        w.passed(start, 1 + 5);
        assert!(one.terminated() && !two.cancelled());
        assert_eq!(g.results()?, [2]);

        // Not the first of any, either.
        let g = TaskGroup::any();
        let one = g.spawn(nap(w, 1000));
        g.spawn(nap(w, 2));
        one.cancel().await?;
        g.join().await?;
        assert_eq!(g.result()?, 2);

        // Through a reference, and by itself.
        let g = TaskGroup::all();
        g.spawn(nap(w, 1000));
        g.spawn(async move {
            current_task().cancel_nowait();
            nap(w, 1000).await
        });
        let first = g.tasks()[0].clone();
        first.cancel().await?;
        g.join().await?;
        assert!(g.results()?.is_empty());
        Ok(())
    });
}

#[test]
fn daemons_are_ignored_and_cancelled_in_the_end() {
    everywhere(async |w| {
        let start = clock();
        let g = TaskGroup::all();
        g.add_task(spawn_daemon(slow_to_die(w, 1000, 3)))?;
        g.spawn_daemon(async { Ok(1) });
        let daemon = g.spawn_daemon(nap(w, 1000));
        g.spawn(nap(w, 2));
        g.join().await?;
        w.passed(start, 2 + 3);
        assert!(daemon.cancelled() && daemon.terminated());
        assert_eq!(g.results()?, [2]);

        // Nobody but daemons: over at once.
        let g = TaskGroup::all();
        let daemon = g.spawn_daemon(nap(w, 1000));
        g.join().await?;
        assert!(daemon.terminated() && g.completed().is_none());
        Ok(())
    });
}

#[test]
fn tasks_that_exist_can_be_added() {
    everywhere(async |w| {
        let done = spawn(nap(w, 0));
        done.wait().await?;
        let running = task(nap(w, 2)).name("named").spawn();
        let g = TaskGroup::all();
        g.add_task(running)?;
        g.add_task(done)?;
        g.spawn(nap(w, 1));
        assert_eq!(g.tasks()[1].name(), "named");
        g.join().await?;
        // In the order in which they were spawned.
        assert_eq!(g.results()?, [0, 2, 1]);

        // One that has failed, while the group is joined.
        let failing = spawn(async { Err(Error::NoKernel) });
        failing.wait().await?;
        let g = TaskGroup::<()>::all();
        let siblings = g.clone();
        g.spawn(async move {
            siblings.add_task(failing)?;
            sleep(w.t(1000)).await
        });
        gives!(g.join().await, Err(Error::Task(e)) if !e.cancelled());

        // One whose value is gone has left.
        let joined = spawn(nap(w, 0));
        joined.join().await?;
        let g = TaskGroup::all();
        g.add_task(joined)?;
        g.join().await?;
        assert!(g.results()?.is_empty());

        // One that is in a group already.
        let g = TaskGroup::all();
        let member = g.spawn(nap(w, 1));
        gives!(g.add_task(member), Err(Error::Other(e)) if e.get_ref().to_string().contains("already"));
        g.join().await?;

        // One that has left another group by `next_done`.
        let (a, b) = (TaskGroup::all(), TaskGroup::all());
        a.spawn(nap(w, 1));
        b.add_task(a.next_done().await?.unwrap())?;
        assert_eq!(b.next_result().await?, Some(1));
        Ok(())
    });
}

// ---- Misuse

#[test]
fn a_member_cannot_wait_for_its_own_group() {
    everywhere(async |w| {
        let g = TaskGroup::all();
        let me = g.clone();
        g.spawn(async move {
            gives!(me.join().await, Err(Error::Deadlock(_)));
            gives!(me.cancel_remaining().await, Err(Error::Deadlock(_)));
            assert!(!current_task().cancelled());
            Ok(0)
        });
        g.join().await?;

        // It may take its siblings, but not itself.
        let g = TaskGroup::all();
        let me = g.clone();
        g.spawn(async move {
            gives!(me.next_result().await, Ok(Some(2)));
            gives!(me.next_result().await, Err(Error::Deadlock(_)));
            Ok(0)
        });
        g.spawn(nap(w, 2));
        g.join().await?;
        assert_eq!(g.results()?, [0]);

        // It may join and cancel siblings, and not itself.
        let g = TaskGroup::all();
        let (x, y) = (g.spawn(nap(w, 1)), g.spawn(nap(w, 1000)));
        let own = Rc::new(RefCell::new(None));
        let me = own.clone();
        *own.borrow_mut() = Some(g.spawn(async move {
            let me: Task<u32> = me.take().unwrap();
            gives!(me.join().await, Err(Error::Deadlock(_)));
            gives!(me.cancel().await, Err(Error::Deadlock(_)));
            y.cancel().await?;
            x.join().await
        }));
        g.join().await?;
        assert_eq!(g.results()?, [1]);
        Ok(())
    });
}

#[test]
fn a_group_is_for_one_join() {
    quiet();
    everywhere(async |w| {
        let g = TaskGroup::all();
        for early in [g.results().map(drop), g.result().map(drop)] {
            gives!(early, Err(Error::Other(e)) if e.get_ref().to_string().contains("not joined"));
        }
        g.spawn(nap(w, 1));
        g.join().await?;
        g.join().await?;
        let spawned = catch_unwind(AssertUnwindSafe(|| g.spawn(nap(w, 1))));
        let panic = spawned.unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(message.contains("joined already"), "{message}");
        gives!(g.add_task(spawn(nap(w, 1))), Err(Error::Other(e)) if e.get_ref().to_string().contains("joined already"));
        let ran = Cell::new(false);
        let again = g.scope(async |_| ran.set(true)).await;
        gives!(again, Err(Error::Other(_)));
        assert!(!ran.get());
        assert!(g.next_done().await?.is_some(), "its members are there still");
        assert!(g.next_done().await?.is_none());

        // A value is handed out once.
        let g = TaskGroup::all();
        let member = g.spawn(nap(w, 1));
        g.join().await?;
        assert_eq!(g.result()?, 1);
        gives!(g.result(), Err(Error::AlreadyJoined));
        gives!(g.results(), Err(Error::AlreadyJoined));
        gives!(member.join().await, Err(Error::AlreadyJoined));

        // A body may join the group itself, and has heard its report then.
        TaskGroup::all()
            .scope(async |g| {
                g.spawn(fail(w, 1, "no"));
                failed(g.join().await);
                Ok(())
            })
            .await
    });
}

#[test]
fn groups_and_kernels() {
    let _guard = Watchdog::start();
    let make = || Kernel::builder().clock(Clock::Virtual).build().unwrap();
    let (a, b) = (make(), make());
    let g = TaskGroup::all();
    let spawned = catch_unwind(AssertUnwindSafe(|| g.spawn(async { Ok(1) })));
    assert!(spawned.is_err(), "no kernel runs");
    a.run(async { g.spawn(sleep(Duration::MAX).map(|slept| slept.map(|()| 1))) }.map(drop))
        .unwrap();
    // In the other kernel.
    b.run(async {
        gives!(g.join().await, Err(Error::NoKernel));
        gives!(g.next_done().await, Err(Error::NoKernel));
        gives!(g.cancel_remaining().await, Err(Error::NoKernel));
        gives!(g.add_task(spawn(async { Ok(2) })), Err(Error::NoKernel));
        let spawned = catch_unwind(AssertUnwindSafe(|| g.spawn(async { Ok(1) })));
        assert!(spawned.is_err());
        let kept = a.run(async {});
        gives!(kept, Err(Error::KernelRunning));
    })
    .unwrap();
    // With none at all.
    gives!(g.join().now_or_never(), Some(Err(Error::NoKernel)));
    assert_eq!(g.tasks().len(), 1, "nothing has happened by all that");
    // After its kernel has gone, the members have ended: somebody else has cancelled them.
    drop(a);
    gives!(g.join().now_or_never(), Some(Ok(())));
    assert!(g.tasks().is_empty());
    drop(g);
    drop(b);

    // A kernel that goes while a group is dropped with it, from within.
    let kernel = make();
    kernel
        .run(async {
            let g = TaskGroup::all();
            let inner = g.clone();
            g.spawn(async move {
                let _inner = inner;
                pending::<Result<()>>().await
            });
            std::mem::forget(g);
        })
        .unwrap();
    kernel.shutdown().unwrap();

    // A join that outlives its kernel.
    let kernel = make();
    let g = TaskGroup::all();
    kernel
        .run(async { g.spawn(disable_cancellation(sleep(Duration::MAX))).detach() })
        .unwrap();
    let mut join = Box::pin(g.join());
    kernel
        .run(async { assert!((&mut join).now_or_never().is_none()) })
        .unwrap();
    drop(kernel);
    gives!(join.now_or_never(), Some(Ok(())));
}

// ---- Size

#[test]
fn a_hundred_thousand_members() {
    let _guard = Watchdog::start();
    let kernel = Kernel::builder().clock(Clock::Virtual).build().unwrap();
    let count = 100_000;
    kernel
        .run(async {
            let g = TaskGroup::all();
            for n in 0..count {
                g.spawn(async move {
                    sleep(Duration::from_secs(n % 100)).await?;
                    Ok(n)
                });
            }
            g.join().await?;
            assert!(g.results()?.into_iter().eq(0..count));

            // One by one.
            let count = count / 5;
            let g = TaskGroup::all();
            for n in 0..count {
                g.spawn(async move { Ok(n) });
            }
            let mut sum = 0;
            while let Some(n) = g.next_result().await? {
                sum += n;
            }
            assert_eq!(sum, count * (count - 1) / 2);
            g.join().await?;

            // All cancelled.
            let g = TaskGroup::any();
            for _ in 0..count {
                g.spawn(sleep(Duration::MAX));
            }
            g.spawn(sleep(Duration::from_secs(1)));
            g.join().await
        })
        .unwrap();
}

#[test]
fn a_group_that_lives_long_forgets_whom_somebody_else_has_joined() {
    let _guard = Watchdog::start();
    let kernel = Kernel::builder().clock(Clock::Virtual).build().unwrap();
    // An error stays in its task, joined or not, so it tells who is kept.
    let errors = Arc::new(Failure);
    kernel
        .run(async {
            let g = TaskGroup::<()>::all();
            let mut most = 0;
            for _ in 0..1_000 {
                let error = Error::other(Shared(errors.clone()));
                let member = g.spawn(async move { Err(error) });
                spawn(async {}).wait().await?;
                yield_now().await?;
                assert!(member.terminated());
                failed(member.join().await);
                most = most.max(Arc::strong_count(&errors));
            }
            assert!(most < 300, "{most}");
            g.join().await
        })
        .unwrap();
    assert_eq!(Arc::strong_count(&errors), 1);
}

#[derive(Debug)]
struct Failure;

#[derive(Debug)]
struct Shared(#[allow(dead_code)] Arc<Failure>);

impl std::fmt::Display for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "failure")
    }
}

impl std::error::Error for Shared {}

// ---- Groups that meet other kernels, daemons that look on

/// Ids begin anew in each kernel: a group took a new member for one that had ended in another kernel, gave it to
/// `next_done` while it was alive, and then waited for it for ever.
#[test]
fn members_of_two_kernels_are_not_taken_for_each_other() {
    let _guard = Watchdog::start();
    let first = Kernel::builder().clock(Clock::Virtual).build().unwrap();
    let g = TaskGroup::all();
    first
        .run(async { g.spawn(async { Ok(1) }).wait().await })
        .unwrap();
    drop(first);
    let second = Kernel::builder().clock(Clock::Virtual).build().unwrap();
    second
        .run(async {
            let stranger = spawn(async { Ok(2) });
            assert!(matches!(g.add_task(stranger), Err(Error::NoKernel)));
            let old = g.next_done().await?.unwrap();
            assert_eq!(old.join().await?, 1);
            // It has no members any more, so it may have new ones.
            g.spawn(async {
                sleep(Duration::from_secs(1)).await?;
                Ok(3)
            });
            let new = g.next_done().await?.unwrap();
            assert!(new.terminated());
            assert_eq!(new.join().await?, 3);
            g.join().await
        })
        .unwrap();
}

/// The same for a task that had ended with its kernel and was put where a living member was: nobody waited for that one.
#[test]
fn a_task_of_a_kernel_that_is_gone_does_not_take_the_place_of_a_member() {
    let _guard = Watchdog::start();
    let first = Kernel::builder().clock(Clock::Virtual).build().unwrap();
    let old: Vec<_> = (0..5).map(|n| first.spawn(async move { Ok(n) })).collect();
    first.run_all().unwrap();
    drop(first);
    let second = Kernel::builder().clock(Clock::Virtual).build().unwrap();
    second
        .run(async {
            let g = TaskGroup::all();
            let member = g.spawn(async {
                sleep(Duration::from_secs(1)).await?;
                Ok(7)
            });
            for task in old {
                assert!(matches!(g.add_task(task), Err(Error::NoKernel)));
            }
            g.join().await?;
            assert!(member.terminated());
            assert_eq!(g.results()?, [7]);
            Ok(())
        })
        .unwrap();
}

/// Nobody waits for a daemon, so it may wait for the others.
#[test]
fn a_daemon_may_wait_for_the_members_of_its_group() {
    virtually(async |w| {
        let g = TaskGroup::all();
        let members = g.clone();
        let collector = g.spawn_daemon(async move {
            let next = members.next_result().await?;
            members.cancel_remaining().await?;
            Ok(next.unwrap_or_default())
        });
        g.spawn(async move {
            sleep(w.t(1)).await?;
            Ok(7)
        });
        let other = g.spawn(async move {
            sleep(w.t(100)).await?;
            Ok(8)
        });
        assert_eq!(collector.join().await?, 7);
        assert!(other.terminated());
        g.join().await
    });
}

// ---- What is logged

/// Runs this test again in a process of its own and gives what it writes to stderr; none in that process.
fn logged_by(test: &str, situation: &str) -> Option<String> {
    const CHILD: &str = "CURIO_TEST_SITUATION";
    if let Ok(chosen) = std::env::var(CHILD) {
        return (chosen != situation).then(String::new);
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD, situation)
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{situation}: {log}");
    let lines = log.lines().filter(|line| line.starts_with("curio: "));
    Some(lines.map(|line| format!("{line}\n")).collect())
}

/// A program, and which failures it is to log.
type Situation = (
    &'static str,
    fn() -> std::pin::Pin<Box<dyn Future<Output = Result<()>>>>,
    &'static [&'static str],
);

const W: World = World::VIRTUAL;

#[rustfmt::skip]
const SITUATIONS: &[Situation] = &[
    ("the join reports", || Box::pin(async {
        let g = TaskGroup::all();
        g.spawn(fail(W, 1, "one"));
        g.spawn(fails_to_die(W, 1, "two"));
        failed(g.join().await);
        Ok(())
    }), &[]),
    ("nobody waits", || Box::pin(async {
        let g = TaskGroup::all();
        g.spawn(fail(W, 1, "one"));
        sleep(W.t(2)).await?;
        failed(g.join().await);
        Ok(())
    }), &["one"]),
    ("several at once, and somebody takes them one by one", || Box::pin(async {
        let g = TaskGroup::all();
        for _ in 0..3 {
            g.spawn(fail(W, 1, "one"));
        }
        while let Some(task) = g.next_done().await? {
            assert!(task.join().await.is_err());
        }
        g.join().await
    }), &[]),
    ("nobody waits, and then the body fails", || Box::pin(async {
        let g = TaskGroup::all();
        let result = g.scope(async |g| {
            g.spawn(fail(W, 1, "one"));
            sleep(W.t(2)).await?;
            Err::<(), _>(Error::other("body"))
        }).await;
        assert!(result.is_err());
        Ok(())
    }), &["one"]),
    ("a loser", || Box::pin(async {
        let g = TaskGroup::any();
        g.spawn(nap(W, 1));
        g.spawn(fails_to_die(W, 1, "one"));
        g.join().await
    }), &["one"]),
    ("the body fails", || Box::pin(async {
        let g = TaskGroup::all();
        let result = g.scope(async |g| {
            g.spawn(fails_to_die(W, 1, "one"));
            yield_now().await?;
            Err::<(), _>(Error::other("body"))
        }).await;
        assert!(result.is_err());
        Ok(())
    }), &["one"]),
    ("the join is interrupted", || Box::pin(async {
        let g = TaskGroup::all();
        g.spawn(fails_to_die(W, 1, "one"));
        assert!(g.join().timeout(W.t(1)).await.is_err());
        Ok(())
    }), &["one"]),
    ("dropped", || Box::pin(async {
        let g = TaskGroup::all();
        let member = g.spawn(fails_to_die(W, 1, "one"));
        yield_now().await?;
        drop(g);
        member.wait().await
    }), &["one"]),
    ("taken", || Box::pin(async {
        let g = TaskGroup::all();
        g.spawn(fail(W, 1, "one"));
        g.spawn(fail(W, 2, "two"));
        assert!(g.next_done().await?.is_some());
        failed(g.next_result().await);
        g.join().await
    }), &[]),
    ("joined", || Box::pin(async {
        let g = TaskGroup::all();
        failed(g.spawn(fail(W, 1, "one")).join().await);
        g.join().await
    }), &[]),
    ("a join that is dropped with the failure in hand", || Box::pin(async {
        let g = TaskGroup::all();
        let member = g.spawn(fail(W, 1, "one"));
        let mut join = Box::pin(member.join());
        assert!(futures::poll!(&mut join).is_pending());
        let other = spawn(fail(W, 1, "other").map(drop));
        other.wait().await?;
        assert!(member.terminated());
        drop(join);
        g.join().await
    }), &["one"]),
    ("cancelled by hand", || Box::pin(async {
        let g = TaskGroup::all();
        let member = g.spawn(fails_to_die(W, 1, "one"));
        yield_now().await?;
        member.cancel_nowait();
        g.join().await
    }), &["one"]),
    ("a daemon", || Box::pin(async {
        let g = TaskGroup::all();
        g.spawn_daemon(fail(W, 1, "one"));
        g.spawn(nap(W, 2));
        g.join().await
    }), &["one"]),
    ("cancelled remaining", || Box::pin(async {
        let g = TaskGroup::all();
        g.spawn(fails_to_die(W, 1, "one"));
        yield_now().await?;
        g.cancel_remaining().await?;
        g.join().await
    }), &["one"]),
    ("added after its failure", || Box::pin(async {
        let member = spawn(fail(W, 1, "one"));
        member.wait().await?;
        let g = TaskGroup::all();
        g.add_task(member)?;
        failed(g.join().await);
        Ok(())
    }), &["one"]),
    ("an exit", || Box::pin(async {
        let g = TaskGroup::<()>::all();
        g.spawn(async { Err(Error::exit(3)) });
        sleep(W.t(1)).await
    }), &[]),
];

#[test]
fn each_failure_is_told_once() {
    let _guard = Watchdog::start();
    for (situation, program, expected) in SITUATIONS {
        match logged_by("each_failure_is_told_once", situation) {
            None => {
                let kernel = Kernel::builder().clock(Clock::Virtual).build().unwrap();
                match kernel.run(program()) {
                    Ok(()) | Err(Error::Exit(3)) => {}
                    Err(error) => panic!("{error:?}"),
                }
            }
            Some(_) if std::env::var_os("CURIO_TEST_SITUATION").is_some() => {}
            Some(log) => {
                assert_eq!(log.lines().count(), expected.len(), "{situation}: {log}");
                for (line, expected) in log.lines().zip(*expected) {
                    assert!(
                        line.contains(&format!("failed: {expected} ")),
                        "{situation}: {log}"
                    );
                }
            }
        }
    }
}
