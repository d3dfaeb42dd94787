//! `tests/test_workers.py`, and `curio/test/workers.py` of 2015: what is about threads.
//!
//! | not translated | why |
//! |---|---|
//! | `test_cpu`, `test_bad_cpu`, `test_worker_cancel` and `test_worker_timeout` with processes; `test_simple`, `test_bad_cmd`, `test_timeout` of 2015 | processes come with a later stage |
//!
//! | differs | how |
//! |---|---|
//! | `time.sleep(2)` in a thread | a thread that is held by the test, so that nothing depends on time |
//! | `test_blocking_timeout` | `run_blocking(.., timeout=)` is what `.timeout(..)` is here |

use std::sync::mpsc::{Sender, channel};

use curio::workers::Panicked;
use curio::{
    Error, Result, UniversalEvent, WithTimeout, run_in_executor, run_in_thread, sleep, spawn, timeout_after,
};

use crate::common::{everywhere, virtually};
use crate::{Results, is_cancelled, with};

/// A function that blocks until it is released.
fn blocker() -> (impl FnOnce() + Send + 'static, UniversalEvent, Sender<()>) {
    let (started, (release, released)) = (UniversalEvent::new(), channel());
    let starts = started.clone();
    let block = move || {
        starts.set();
        let _ = released.recv();
    };
    (block, started, release)
}

#[test]
fn test_blocking() {
    curio::run(async {
        let results = Results::default();
        let (block, started, release) = blocker();
        let blocking = spawn(with!(results; {
            run_in_thread(block).await?;
            results.append("sleep done");
            Ok(())
        }));
        started.wait().await?;
        let spin = spawn(with!(results; {
            for n in (1..=4).rev() {
                results.append(n.to_string());
                sleep(std::time::Duration::from_millis(1)).await?;
            }
            drop(release);
            Ok(())
        }));
        spin.join().await?;
        blocking.join().await?;
        results.are(&["4", "3", "2", "1", "sleep done"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn test_worker_cancel() {
    curio::run(async {
        let results = Results::default();
        let (block, started, release) = blocker();
        let task = spawn(with!(results; {
            match run_in_thread(block).await {
                Err(error @ Error::Cancelled(_)) => {
                    results.append("cancel");
                    Err(error)
                }
                other => other,
            }
        }));
        started.wait().await?;
        results.append("3");
        // It returns although nobody has released the thread.
        task.cancel().await?;
        results.append("2");
        is_cancelled(task.join().await);
        results.are(&["3", "cancel", "2"]);
        drop(release);
        Ok(())
    })
    .unwrap();
}

#[test]
fn test_worker_timeout() {
    curio::run(async {
        let (block, _, release) = blocker();
        let r = timeout_after(std::time::Duration::from_millis(5), run_in_thread(block)).await;
        assert!(matches!(r, Err(Error::Timeout(_))), "{r:?}");
        drop(release);
        Ok(())
    })
    .unwrap();
}

#[test]
fn test_exception() {
    virtually(async |_| {
        // A `Result` comes back as it is.
        let r: std::result::Result<(), _> = run_in_thread(|| Err("no value")).await?;
        assert_eq!(r, Err("no value"));
        // A panic is an error of ours.
        let error = run_in_thread(|| -> () { std::panic::resume_unwind(Box::new("no value")) })
            .await
            .unwrap_err();
        let Error::Other(error) = error else {
            panic!("{error:?}")
        };
        assert_eq!(
            error.get_ref().downcast_ref::<Panicked>().unwrap().message(),
            "no value"
        );
        assert!(error.get_ref().source().is_none());
        Ok(())
    });
}

#[test]
fn test_executor() {
    everywhere(async |_| {
        let executor = |function: Box<dyn FnOnce() + Send>| {
            std::thread::spawn(function);
        };
        let fib = |n: u32| (0..n).fold((0_u64, 1), |(a, b), _| (b, a + b)).0;
        assert_eq!(run_in_executor(&executor, move || fib(10)).await?, 55);
        let failed: Result<()> =
            run_in_executor(&executor, || std::panic::resume_unwind(Box::new("no value"))).await;
        assert!(failed.unwrap_err().to_string().ends_with("no value"));
        Ok(())
    });
}

#[test]
fn test_blocking_timeout() {
    curio::run(async {
        let (block, _, release) = blocker();
        let r = run_in_thread(block)
            .timeout(std::time::Duration::from_millis(5))
            .await;
        assert!(r.unwrap_err().is_timeout());
        drop(release);
        Ok(())
    })
    .unwrap();
}
