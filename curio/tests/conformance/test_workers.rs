//! `tests/test_workers.py`, and `curio/test/workers.py` of 2015. What is about processes is in a module of its own, behind the
//! feature.
//!
//! | not translated | why |
//! |---|---|
//! | `test_simple`, `test_bad_cmd`, `test_timeout` of 2015 | about `run_subprocess`, which became `curio.subprocess`: they stand in `test_subprocess` |
//!
//! | differs | how |
//! |---|---|
//! | `fib(36)` and the like in a process | a function that goes on until the test is done with it, so that nothing depends on time |
//! | the exception of a function in a process | a `Result` comes back as it is, and a panic as a `WorkerError` |
//! | `test_cpu`, `test_timeout` of 2015 with `run_cpu_bound(.., timeout=)` | `.timeout(..)`; the function is killed |
//! | `time.sleep(2)` in a thread | a thread that is held by the test, so that nothing depends on time |
//! | `test_blocking_timeout` | `run_blocking(.., timeout=)` is what `.timeout(..)` is here |

use std::sync::mpsc::{Sender, channel};

use curio::workers::Panicked;
use curio::{
    Error, Result, UniversalEvent, WithTimeout, run_in_executor, run_in_thread, sleep, spawn, timeout_after,
};

use crate::common::{Alone, everywhere, virtually};
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
    let _guard = Alone::start();
    crate::common::run(async {
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
    let _guard = Alone::start();
    crate::common::run(async {
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
    let _guard = Alone::start();
    crate::common::run(async {
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
    let _guard = Alone::start();
    crate::common::run(async {
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

#[cfg(all(unix, feature = "process"))]
mod processes {
    use curio::process::WorkerError;
    use curio::{WithTimeout, run_in_process};

    use super::*;
    use crate::common::Watchdog;

    fn fib(n: u64) -> u64 {
        if n < 2 { n } else { fib(n - 1) + fib(n - 2) }
    }

    /// Computes until the file is there.
    fn compute_until(path: std::path::PathBuf) -> u64 {
        loop {
            let sum = fib(std::hint::black_box(20));
            if path.exists() {
                return sum;
            }
        }
    }

    #[test]
    fn test_cpu() {
        let _guard = Watchdog::start();
        let path = std::env::temp_dir().join(format!("curio-test-cpu-{}", std::process::id()));
        let done = path.clone();
        curio::run(async move {
            let results = Results::default();
            let computing = spawn(with!(results; {
                let n = run_in_process(compute_until, path).await?;
                results.append(n.to_string());
                Ok(())
            }));
            let spin = spawn(with!(results; {
                for n in (1..=4).rev() {
                    results.append(n.to_string());
                    sleep(std::time::Duration::from_millis(1)).await?;
                }
                Ok(())
            }));
            spin.join().await?;
            std::fs::write(&done, "")?;
            computing.join().await?;
            std::fs::remove_file(&done)?;
            results.are(&["4", "3", "2", "1", "6765"]);
            Ok(())
        })
        .unwrap();
    }

    #[test]
    fn test_bad_cpu() {
        let _guard = Watchdog::start();
        curio::run(async {
            let r = run_in_process(
                |text: String| text.parse::<u64>().map_err(|e| e.to_string()),
                "x".into(),
            );
            assert_eq!(r.await?, Err("invalid digit found in string".to_string()));
            let r: Result<u64> = run_in_process(|text: String| text.parse().unwrap(), "x".into()).await;
            let Err(Error::Other(error)) = r else {
                panic!("{r:?}")
            };
            match error.get_ref().downcast_ref() {
                Some(WorkerError::Panicked { message, .. }) => assert!(message.contains("InvalidDigit")),
                other => panic!("{other:?}"),
            }
            Ok(())
        })
        .unwrap();
    }

    #[test]
    fn test_worker_cancel() {
        let _guard = Watchdog::start();
        curio::run(async {
            let results = Results::default();
            let task = spawn(with!(results; {
                match run_in_process(fib, 90).await {
                    Err(error @ Error::Cancelled(_)) => {
                        results.append("cancel");
                        Err(error)
                    }
                    other => other,
                }
            }));
            // It computes, as far as one can see from here.
            sleep(std::time::Duration::from_millis(20)).await?;
            results.append("3");
            task.cancel().await?;
            results.append("2");
            is_cancelled(task.join().await);
            results.are(&["3", "cancel", "2"]);
            Ok(())
        })
        .unwrap();
    }

    #[test]
    fn test_worker_timeout() {
        let _guard = Watchdog::start();
        curio::run(async {
            let r = timeout_after(std::time::Duration::from_millis(5), run_in_process(fib, 90)).await;
            assert!(matches!(r, Err(Error::Timeout(_))), "{r:?}");
            let r = run_in_process(fib, 90)
                .timeout(std::time::Duration::from_millis(5))
                .await;
            assert!(matches!(r, Err(Error::Timeout(_))), "{r:?}");
            Ok(())
        })
        .unwrap();
    }
}
