//! `tests/test_task.py`.
//!
//! | not translated | why |
//! |---|---|
//! | `test_cancel_custom_exception`, `test_cancel_custom_exception_instance` | `cancel(exc=)`: there is one [`Error::Cancelled`] |
//! | `test_set_cancellation` | `set_cancellation`: an interruption belongs to a scope and cannot be exchanged |
//! | `test_contextvars` | Python's context variables |
//! | `test_diag` | stacks of Python's generators |
//! | `test_task_group_..` with `spawn_thread` | they stand in `test_thread` |
//! | `test_enable_cancellation_function`, `test_illegal_enable_cancellation` | there is no `enable_cancellation`; gone from Python too |
//! | `test_aside_basic`, `test_aside_cancel` | there is no `aside`, a task in a process of its own; gone from Python too |
//! | `test_task_wait_no_cancel`, `test_task_wait_cancel`, `test_task_wait_add` | they stand in `test_kernel`, as in Python before |
//!
//! | differs | how |
//! |---|---|
//! | a group with a member that failed | the join and the scope give the failure; in Python it is silent unless asked for |
//! | `g.exceptions` | [`errors`](TaskGroup::errors) lists failures; being cancelled is none |
//! | `g.results` after a member was cancelled | a clear error, as in Python, where it is the member's |
//! | values | are handed out once |
//! | `next_result` of an empty group | `None` |
//! | `test_explicit_raise_cancel_disable`, `test_disable_cancellation_explicit_raise`, `test_illegal_disable_cancellation_exception` | an error that is made by hand is a value, which every shield lets through |

use std::panic::{AssertUnwindSafe, catch_unwind};

use curio::{
    Error, Event, Progress, Result, State, TaskError, TaskGroup, check_cancellation, clock, current_task,
    disable_cancellation, ignore_after, sleep, spawn, task, timeout_after, yield_now,
};

use crate::common::{World, everywhere, in_order, virtually};
use crate::{Results, cause, fail, ids, is_cancelled, is_value_error, value_error, with};

async fn nap(w: World, units: u32) -> Result<u32> {
    sleep(w.t(units)).await?;
    Ok(units)
}

/// Fails after a while.
async fn fail_after<T>(w: World, units: u32) -> Result<T> {
    sleep(w.t(units)).await?;
    fail().await
}

/// Waits for its cancellation.
async fn wait_for_cancel<T>(results: Results) -> Result<T> {
    let waited = Event::new().wait().await;
    assert!(matches!(waited, Err(Error::Cancelled(_))), "{waited:?}");
    results.append("cancelled");
    Err(waited.unwrap_err())
}

#[track_caller]
fn failed_with_value_error(error: &TaskError) {
    assert!(is_value_error(cause(&Error::Task(error.clone()))), "{error:?}");
}

#[test]
fn test_cancel_noblock() {
    everywhere(async |w| {
        let results = Results::default();
        let task = spawn(with!(results; {
            let slept = sleep(w.t(1000)).await;
            results.append("cancelled");
            sleep(w.t(2)).await?;
            results.append("done");
            slept
        }));
        sleep(w.t(1)).await?;
        task.cancel_nowait();
        results.append("posted");
        task.cancel().await?;
        results.append("waited");
        results.are(&["posted", "cancelled", "done", "waited"]);
        Ok(())
    });
}

#[test]
fn test_task_group() {
    virtually(async |w| {
        let group = TaskGroup::all();
        group
            .scope(async |g| {
                g.spawn(nap(w, 3));
                g.spawn(nap(w, 1));
                g.spawn(nap(w, 2));
            })
            .await?;
        assert_eq!(group.results()?, [3, 1, 2]);
        Ok(())
    });
}

#[test]
fn test_task_group_daemon() {
    virtually(async |w| {
        let results = Results::default();
        let group = TaskGroup::all();
        group
            .scope(async |g| {
                g.add_task(task(wait_for_cancel(results.clone())).daemon().spawn())?;
                g.spawn_daemon(wait_for_cancel(results.clone()));
                g.spawn_daemon(fail_after(w, 1));
                g.spawn(nap(w, 3));
                g.spawn(nap(w, 2));
                Ok(())
            })
            .await?;
        results.are(&["cancelled", "cancelled"]);
        assert_eq!(group.results()?, [3, 2]);
        assert!(group.errors().is_empty() && group.error().is_none());
        Ok(())
    });
}

#[test]
fn test_task_group_daemon_error() {
    virtually(async |w| {
        let results = Results::default();
        let group = TaskGroup::<()>::all();
        let body = group
            .scope(async |g| {
                g.spawn_daemon(wait_for_cancel(results.clone()));
                sleep(w.t(1)).await?;
                fail::<()>().await
            })
            .await;
        assert!(is_value_error(&body.unwrap_err()));
        results.are(&["cancelled"]);
        Ok(())
    });
}

#[test]
fn test_task_group_existing() {
    virtually(async |w| {
        let [one, two, three, four] = [1, 5, 4, 3].map(|units| spawn(nap(w, units)));
        sleep(w.t(2)).await?;
        assert!(one.terminated());
        let group = TaskGroup::all();
        for task in [one, two, three] {
            group.add_task(task)?;
        }
        group.scope(async |g| g.add_task(four)).await?;
        assert_eq!(group.results()?, [1, 5, 4, 3]);
        Ok(())
    });
}

#[test]
fn test_task_any_cancel() {
    virtually(async |w| {
        let group = TaskGroup::any();
        let tasks = group
            .scope(async |g| Ok([1, 20, 30].map(|units| g.spawn(nap(w, units)))))
            .await?;
        assert_eq!(group.completed().unwrap().id(), tasks[0].id());
        assert_eq!(group.result()?, 1);
        assert!(!tasks[0].cancelled());
        for task in &tasks[1..] {
            assert!(task.cancelled() && task.terminated());
            is_cancelled(task.join().await);
        }
        Ok(())
    });
}

#[test]
fn test_task_any_error() {
    virtually(async |w| {
        let group = TaskGroup::any();
        let failing = group.spawn(fail_after(w, 1));
        let others = [20, 30].map(|units| group.spawn(nap(w, units)));
        let joined = group.join().await.unwrap_err();
        assert!(is_value_error(cause(&joined)));
        assert_eq!(group.completed().unwrap().id(), failing.id());
        assert!(is_value_error(cause(&group.result().unwrap_err())));
        failed_with_value_error(&group.error().unwrap());
        assert_eq!(group.errors().len(), 1);
        for other in &others {
            is_cancelled(other.join().await);
        }
        Ok(())
    });
}

#[test]
fn test_task_group_iter() {
    virtually(async |w| {
        let group = TaskGroup::all();
        let done = group
            .scope(async |g| {
                g.spawn(nap(w, 1));
                g.spawn(nap(w, 2));
                g.spawn(nap(w, 3));
                let mut done = Vec::new();
                while let Some(task) = g.next_done().await? {
                    done.push(task.join().await?);
                }
                Ok(done)
            })
            .await?;
        assert_eq!(done, [1, 2, 3]);
        assert_eq!(group.results()?, []);
        Ok(())
    });
}

#[test]
fn test_task_wait_none() {
    virtually(async |w| {
        let results = Results::default();
        let group = TaskGroup::<()>::none();
        let tasks = group
            .scope(async |g| {
                let tasks = [(); 3].map(|()| g.spawn(wait_for_cancel(results.clone())));
                sleep(w.t(1)).await?;
                Ok(tasks)
            })
            .await?;
        results.are(&["cancelled"; 3]);
        for task in &tasks {
            is_cancelled(task.join().await);
        }
        assert!(group.completed().is_none());
        Ok(())
    });
}

#[test]
fn test_task_join_daemon() {
    virtually(async |w| {
        let group = TaskGroup::all();
        group
            .scope(async |g| {
                g.spawn(nap(w, 1));
                let daemon = g.spawn_daemon(nap(w, 2));
                g.spawn(nap(w, 3));
                assert_eq!(daemon.join().await?, 2);
                Ok(())
            })
            .await?;
        assert_eq!(group.results()?, [1, 3]);
        Ok(())
    });
}

#[test]
fn test_task_group_error() {
    virtually(async |w| {
        let results = Results::default();
        let group = TaskGroup::<()>::all();
        let (mut failing, mut evt) = (None, None);
        let scope = group
            .scope(async |g| {
                g.spawn(wait_for_cancel(results.clone()));
                failing = Some(g.spawn(fail_after(w, 1)).id());
                evt = Some(g.spawn(wait_for_cancel(results.clone())));
            })
            .await;
        assert!(is_value_error(cause(&scope.unwrap_err())));
        results.are(&["cancelled", "cancelled"]);
        assert_eq!(group.completed().map(|task| task.id()), failing);
        failed_with_value_error(&group.error().unwrap());
        Ok(())
    });
}

#[test]
fn test_task_group_error_block() {
    virtually(async |w| {
        let results = Results::default();
        let group = TaskGroup::<()>::all();
        let body = group
            .scope(async |g| {
                for _ in 0..3 {
                    g.spawn(wait_for_cancel(results.clone()));
                }
                sleep(w.t(1)).await?;
                Err::<(), _>(value_error())
            })
            .await;
        assert!(is_value_error(&body.unwrap_err()));
        results.are(&["cancelled"; 3]);
        Ok(())
    });
}

#[test]
fn test_task_group_join() {
    virtually(async |w| {
        let group = TaskGroup::all();
        group
            .scope(async |g| {
                g.spawn(nap(w, 3));
                let failing = g.spawn(fail_after(w, 1));
                g.spawn(nap(w, 2));
                let error = failing.join().await.unwrap_err();
                assert!(is_value_error(cause(&error)));
                Ok(())
            })
            .await?;
        assert_eq!(group.results()?, [3, 2]);
        assert!(group.errors().is_empty());
        Ok(())
    });
}

#[test]
fn test_task_group_cancel() {
    virtually(async |w| {
        let results = Results::default();
        let owner = spawn(with!(results; {
            let scope = TaskGroup::<()>::all()
                .scope(async |g| {
                    for _ in 0..3 {
                        g.spawn(wait_for_cancel(results.clone()));
                    }
                })
                .await;
            assert!(matches!(scope, Err(Error::Cancelled(_))), "{scope:?}");
            results.append("owner");
            scope
        }));
        sleep(w.t(1)).await?;
        owner.cancel().await?;
        results.are(&["cancelled", "cancelled", "cancelled", "owner"]);
        is_cancelled(owner.join().await);
        Ok(())
    });
}

#[test]
fn test_task_group_timeout() {
    virtually(async |w| {
        let results = Results::default();
        let scope = timeout_after(
            w.t(2),
            TaskGroup::<()>::all().scope(async |g| {
                for _ in 0..3 {
                    g.spawn(wait_for_cancel(results.clone()));
                }
            }),
        )
        .await;
        assert!(matches!(scope, Err(Error::Timeout(_))), "{scope:?}");
        results.are(&["cancelled"; 3]);
        // The same while the body waits.
        let results = Results::default();
        let scope = timeout_after(
            w.t(2),
            TaskGroup::<()>::all().scope(async |g| {
                g.spawn(wait_for_cancel(results.clone()));
                sleep(w.t(100)).await
            }),
        )
        .await;
        assert!(matches!(scope, Err(Error::Timeout(_))), "{scope:?}");
        results.are(&["cancelled"]);
        Ok(())
    });
}

#[test]
fn test_task_group_cancel_remaining() {
    virtually(async |w| {
        let group = TaskGroup::all();
        group
            .scope(async |g| {
                let tasks = [1, 2, 30, 40].map(|units| g.spawn(nap(w, units)));
                let first = g.next_done().await?.unwrap();
                assert_eq!(first.id(), tasks[0].id());
                assert_eq!(g.next_result().await?, Some(2));
                let start = clock();
                g.cancel_remaining().await?;
                w.passed(start, 0);
                assert!(tasks.iter().all(|task| task.terminated()));
                let cancelled: Vec<_> = tasks.iter().map(|task| task.cancelled()).collect();
                assert_eq!(cancelled, [false, false, true, true]);
                Ok(())
            })
            .await?;
        assert_eq!(group.results()?, []);
        Ok(())
    });
}

#[test]
fn test_task_group_use_error() {
    virtually(async |w| {
        let group = TaskGroup::all();
        let member = spawn(nap(w, 1));
        group.add_task(member)?;
        // Twice: a handle goes in by value, so only what `spawn` gave can be put in again.
        let member = group.spawn(nap(w, 1));
        let twice = group.add_task(member).unwrap_err();
        assert_eq!(twice.to_string(), "the task is in a group already");
        group.join().await?;
        let late = group.add_task(spawn(nap(w, 1))).unwrap_err();
        assert!(late.to_string().contains("joined already"), "{late}");
        let late = catch_unwind(AssertUnwindSafe(|| group.spawn(nap(w, 1)))).unwrap_err();
        let late = late.downcast_ref::<String>().unwrap();
        assert!(late.contains("joined already (make a new one"), "{late}");
        Ok(())
    });
}

#[test]
fn test_task_group_empty() {
    virtually(async |_| {
        let group = TaskGroup::<u32>::all();
        group.scope(async |_| ()).await?;
        assert!(group.error().is_none());
        assert!(group.errors().is_empty());
        assert_eq!(group.results()?, []);
        let none = group.result().unwrap_err();
        assert!(matches!(none, Error::Other(_)), "{none:?}");
        Ok(())
    });
}

#[test]
fn test_defer_cancellation() {
    everywhere(async |w| {
        let results = Results::default();
        let task = spawn(with!(results; {
            disable_cancellation(async {
                sleep(w.t(3)).await?;
                assert!(check_cancellation()?);
                results.append("seen");
                Ok::<_, Error>(())
            })
            .await?;
            let error = check_cancellation().unwrap_err();
            assert!(matches!(error, Error::Cancelled(_)), "{error:?}");
            results.append("delivered");
            // Once.
            sleep(w.t(1)).await?;
            Err::<(), _>(error)
        }));
        sleep(w.t(1)).await?;
        task.cancel().await?;
        results.are(&["seen", "delivered"]);
        is_cancelled(task.join().await);
        Ok(())
    });
}

#[test]
fn test_explicit_raise_cancel_disable() {
    virtually(async |w| {
        let made = disable_cancellation(async {
            let inner = disable_cancellation(async { Err::<(), _>(Error::Cancelled(Progress::default())) });
            let error = inner.await.unwrap_err();
            // It is not turned into a request.
            assert!(!check_cancellation()?);
            sleep(w.t(1)).await?;
            Err::<(), _>(error)
        });
        assert!(matches!(made.await, Err(Error::Cancelled(_))));
        sleep(w.t(1)).await
    });
}

#[test]
fn test_disable_cancellation_function() {
    everywhere(async |w| {
        let task = spawn(async move {
            let units = disable_cancellation(nap(w, 3)).await?;
            assert_eq!(units, 3);
            let slept = sleep(w.t(100)).await;
            assert!(matches!(slept, Err(Error::Cancelled(_))), "{slept:?}");
            slept
        });
        sleep(w.t(1)).await?;
        task.cancel().await?;
        is_cancelled(task.join().await);
        Ok(())
    });
}

#[test]
fn test_self_cancellation() {
    virtually(async |_| {
        let results = Results::default();
        let task = spawn(with!(results; {
            current_task().cancel_nowait();
            results.append("asked for");
            let yielded = yield_now().await;
            assert!(matches!(yielded, Err(Error::Cancelled(_))), "{yielded:?}");
            results.append("got");
            yielded
        }));
        is_cancelled(task.join().await);
        results.are(&["asked for", "got"]);
        Ok(())
    });
}

#[test]
fn test_disable_cancellation_explicit_raise() {
    virtually(async |_| {
        let made: Result<()> =
            disable_cancellation(async { Err(Error::Cancelled(Progress::default())) }).await;
        assert!(matches!(made, Err(Error::Cancelled(_))));
        Ok(())
    });
}

#[test]
fn test_taskgroup_misc() {
    virtually(async |w| {
        // Nobody is left.
        let group = TaskGroup::<u32>::all();
        group.cancel_remaining().await?;
        group.join().await?;
        group.join().await?;
        // Not joined yet.
        let group = TaskGroup::all();
        let task = group.spawn(nap(w, 100));
        group.cancel_remaining().await?;
        assert!(task.terminated());
        assert_eq!(group.next_result().await?, None);
        group.join().await
    });
}

#[test]
fn test_task_group_result() {
    virtually(async |w| {
        let group = TaskGroup::any();
        group
            .scope(async |g| {
                g.spawn(nap(w, 3));
                g.spawn(nap(w, 1));
                g.spawn(nap(w, 2));
            })
            .await?;
        assert_eq!(group.result()?, 1);
        Ok(())
    });
}

#[test]
fn test_task_diag() {
    in_order(async |w| {
        let task = task(nap(w, 3)).name("kid").spawn();
        assert_eq!(
            task.to_string(),
            format!("Task(id={}, name='kid', state='READY')", task.id())
        );
        assert!(task.where_().is_empty());
        sleep(w.t(1)).await?;
        assert_eq!(task.state().as_str(), "TIME_SLEEP");
        let places = task.where_();
        assert!(places[0].1.file().ends_with("test_task.rs"), "{places:?}");
        let place = format!(
            "state='TIME_SLEEP') at {}:{}",
            places[0].1.file(),
            places[0].1.line()
        );
        assert!(task.to_string().ends_with(&place), "{task}");
        let traceback = task.traceback().await?.to_string();
        let head = format!("Stack for {task:?} (most recent call last):\n");
        assert!(
            traceback.starts_with(&head) && traceback.contains("in test_task::nap"),
            "{traceback}"
        );
        assert_eq!(format!("{:?}", task.reference()), format!("{task:?}"));
        task.join().await?;
        assert_eq!(task.state(), State::Terminated);
        assert!(task.where_().is_empty());
        // And a running one.
        let me = current_task();
        assert_eq!(me.state(), State::Running);
        assert!(me.to_string().ends_with("state='RUNNING')"), "{me}");
        Ok(())
    });
}

#[test]
fn test_late_join() {
    virtually(async |w| {
        let task = spawn(nap(w, 1));
        sleep(w.t(2)).await?;
        task.cancel().await?;
        assert!(task.terminated() && !task.cancelled());
        assert_eq!(task.join().await?, 1);
        Ok(())
    });
}

#[test]
fn test_task_group_join_done() {
    virtually(async |w| {
        let group = TaskGroup::all();
        group
            .scope(async |g| {
                g.spawn(nap(w, 1));
                let second = g.spawn(nap(w, 2));
                g.spawn(nap(w, 3));
                sleep(w.t(5)).await?;
                assert_eq!(second.join().await?, 2);
                Ok(())
            })
            .await?;
        assert_eq!(group.results()?, [1, 3]);
        Ok(())
    });
}

#[test]
fn test_errors() {
    virtually(async |w| {
        let group = TaskGroup::all();
        group.spawn(nap(w, 1));
        for early in [group.result().map(drop), group.results().map(drop)] {
            let early = early.unwrap_err();
            assert!(matches!(early, Error::Other(_)), "{early:?}");
        }
        assert!(group.error().is_none() && group.errors().is_empty() && group.completed().is_none());
        group.join().await?;
        assert_eq!(group.results()?, [1]);
        let again = group.results().unwrap_err();
        assert!(matches!(again, Error::AlreadyJoined), "{again:?}");
        assert_eq!(TaskGroup::<()>::all().next_result().await?, None);
        Ok(())
    });
}

// ---- Tests that are gone from Python's suite

#[test]
fn test_task_schedule() {
    in_order(async |_| {
        let results = Results::default();
        let child = spawn(with!(results; {
            for n in 0..3 {
                results.append(format!("child {n}"));
                yield_now().await?;
            }
            Ok(())
        }));
        for n in 0..3 {
            results.append(format!("parent {n}"));
            yield_now().await?;
        }
        child.join().await?;
        results.are(&[
            "parent 0", "child 0", "parent 1", "child 1", "parent 2", "child 2",
        ]);
        Ok(())
    });
}

#[test]
fn test_task_wait_error() {
    virtually(async |w| {
        let group = TaskGroup::all();
        group.add_task(spawn(nap(w, 2)))?;
        group.add_task(spawn(fail_after(w, 1)))?;
        let failed = group.next_done().await?.unwrap();
        assert!(is_value_error(cause(&failed.join().await.unwrap_err())));
        assert_eq!(group.next_result().await?, Some(2));
        group.join().await
    });
}

#[test]
fn test_task_wait_iter() {
    test_task_group_iter();
}

#[test]
fn test_wait_misc() {
    virtually(async |w| {
        let group = TaskGroup::<u32>::all();
        assert!(group.next_done().await?.is_none());
        let [one, two] = [1, 2].map(|units| group.spawn(nap(w, units)));
        let members: Vec<_> = group.tasks().iter().map(|task| task.id()).collect();
        assert_eq!(members, ids(&[&one, &two]));
        // To give up waiting for the next one loses none.
        assert!(ignore_after(w.t(1) / 2, group.next_done()).await?.is_none());
        assert_eq!(group.next_result().await?, Some(1));
        assert_eq!(group.next_result().await?, Some(2));
        Ok(())
    });
}

#[test]
fn test_illegal_disable_cancellation_exception() {
    test_disable_cancellation_explicit_raise();
}

#[test]
fn test_task_group_multierror() {
    virtually(async |w| {
        let group = TaskGroup::<()>::all();
        let gate = Event::new();
        let tasks: Vec<_> = (0..3)
            .map(|_| {
                group.spawn(with!(gate; {
                    disable_cancellation(gate.wait()).await?;
                    fail().await
                }))
            })
            .collect();
        spawn(async move {
            sleep(w.t(1)).await?;
            gate.set();
            Ok(())
        });
        let Err(Error::Task(first)) = group.join().await else {
            panic!("it has failed")
        };
        failed_with_value_error(&first);
        assert_eq!(first.others().len(), 2);
        first.others().iter().for_each(failed_with_value_error);
        let mut failed: Vec<_> = group.errors().iter().map(TaskError::id).collect();
        failed.sort_unstable();
        assert_eq!(failed, ids(&tasks.iter().collect::<Vec<_>>()));
        Ok(())
    });
}
