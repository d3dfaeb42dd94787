//! `curio/test/kernel.py` of October 2015, in the words of then: `kernel.add_task` and `kernel.run()`.
//!
//! | not translated | why |
//! |---|---|
//! | `test_task_signal`, `test_task_signal_waitone`, `test_task_signal_ignore`, `test_task_signal_timeout` | they stand in `test_signal` |
//!
//! | differs | how |
//! |---|---|
//! | `test_task_child_cancel` | a cancel reached the children by itself then; later, in Python too, only by a group |

use std::rc::Rc;
use std::time::Duration;

use curio::{Clock, Error, Event, Kernel, sleep, spawn};

use crate::common::Watchdog;
use crate::{Results, assert_empty, cause, fail, is_cancelled, is_value_error, with};

const SEC: Duration = Duration::from_secs(1);

/// Runs what the kernel is given until no task is left.
fn complete(prepare: impl FnOnce(&Kernel)) {
    let _guard = Watchdog::start();
    let kernel = Kernel::builder().clock(Clock::Virtual).build().unwrap();
    prepare(&kernel);
    kernel.run_all().unwrap();
    assert_empty(&kernel);
}

#[test]
fn test_hello() {
    let results = Results::default();
    complete(|kernel| {
        kernel.spawn(with!(results; results.append("hello")));
    });
    results.are(&["hello"]);
}

#[test]
fn test_sleep() {
    let results = Results::default();
    complete(|kernel| {
        kernel.spawn(with!(results; {
            results.append("start");
            sleep(SEC).await?;
            results.append("end");
            Ok(())
        }));
    });
    results.are(&["start", "end"]);
}

#[test]
fn test_sleep_cancel() {
    let results = Results::default();
    complete(|kernel| {
        let sleeper = kernel.spawn(with!(results; {
            results.append("start");
            let slept = sleep(100 * SEC).await;
            assert!(matches!(slept, Err(Error::Cancelled(_))));
            results.append("cancelled");
            slept
        }));
        kernel.spawn(async move {
            sleep(SEC).await?;
            sleeper.cancel().await
        });
    });
    results.are(&["start", "cancelled"]);
}

#[test]
fn test_task_join() {
    let results = Results::default();
    complete(|kernel| {
        kernel.spawn(with!(results; {
            let child = spawn(with!(results; {
                results.append("child");
                Ok(37)
            }));
            results.append(child.join().await?.to_string());
            Ok(())
        }));
    });
    results.are(&["child", "37"]);
}

#[test]
fn test_task_join_error() {
    let results = Results::default();
    complete(|kernel| {
        kernel.spawn(with!(results; {
            let error = spawn(fail::<()>()).join().await.unwrap_err();
            assert!(is_value_error(cause(&error)));
            results.append("failed");
        }));
    });
    results.are(&["failed"]);
}

#[test]
fn test_task_join_cancel() {
    let results = Results::default();
    complete(|kernel| {
        let child = Rc::new(kernel.spawn(with!(results; {
            sleep(5 * SEC).await?;
            results.append("child is done");
            Ok(())
        })));
        let joiner = kernel.spawn(with!(results, child; {
            let joined = child.join().await;
            assert!(matches!(joined, Err(Error::Cancelled(_))), "{joined:?}");
            results.append("joiner is cancelled");
            joined
        }));
        kernel.spawn(async move {
            sleep(SEC).await?;
            joiner.cancel().await
        });
    });
    results.are(&["joiner is cancelled", "child is done"]);
}

#[test]
fn test_task_cancel() {
    let results = Results::default();
    complete(|kernel| {
        let child = kernel.spawn(with!(results; {
            let slept = sleep(100 * SEC).await;
            results.append("cancelled");
            slept
        }));
        kernel.spawn(with!(results; {
            sleep(SEC).await?;
            child.cancel().await?;
            results.append("after it");
            is_cancelled(child.join().await);
            Ok(())
        }));
    });
    results.are(&["cancelled", "after it"]);
}

#[test]
fn test_task_child_cancel() {
    let results = Results::default();
    complete(|kernel| {
        let parent = kernel.spawn(with!(results; {
            spawn(with!(results; {
                sleep(5 * SEC).await?;
                results.append("child is done");
                Ok(())
            }));
            let slept = sleep(100 * SEC).await;
            results.append("parent is cancelled");
            slept
        }));
        kernel.spawn(async move {
            sleep(SEC).await?;
            parent.cancel().await
        });
    });
    results.are(&["parent is cancelled", "child is done"]);
}

#[test]
fn test_task_ready_cancel() {
    let results = Results::default();
    complete(|kernel| {
        let event = Event::new();
        let child = kernel.spawn(with!(results, event; {
            event.wait().await?;
            results.append("woken");
            let slept = sleep(100 * SEC).await;
            results.append("cancelled");
            slept
        }));
        kernel.spawn(async move {
            sleep(SEC).await?;
            event.set();
            child.cancel().await
        });
    });
    results.are(&["woken", "cancelled"]);
}
