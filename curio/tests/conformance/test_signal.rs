//! `tests/test_signal.py`, of 2020 and before.
//!
//! | differs | how |
//! |---|---|
//! | all | a queue or an event watches from when it is made until it is dropped; Python's have to be entered |
//! | `test_task_signal_waitone` | `SignalSet.wait()` without a context is a [`SignalEvent`] that lives as long as the wait |
//! | `test_task_signal_ignore` | `sig.ignore()` is [`ignore`], which needs no set |
//!
//! They run one after the other, because signals belong to the whole process, and compare what it does with signals before
//! and after. Storms, shutdowns and other programs' handlers are in `tests/signals.rs`.

use curio::signal::{SIGCHLD, SIGUSR1, SIGUSR2, Signal, ignore, raise};
use curio::{Result, SignalEvent, SignalQueue, sleep, spawn, timeout_after};

use crate::common::{Alone, World, everywhere};
use crate::{Results, with};

/// Which signals the process catches and ignores, where the system tells. But SIGCHLD: a child that an earlier test has killed
/// and left may be reaped in the middle of this one.
fn dispositions() -> Vec<(String, u64)> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .filter_map(|line| line.split_once(":\t"))
        .filter(|(what, _)| ["SigCgt", "SigIgn"].contains(what))
        .map(|(what, set)| {
            let set = u64::from_str_radix(set, 16).unwrap();
            (what.to_string(), set & !(1 << (SIGCHLD.number() - 1)))
        })
        .collect()
}

/// Runs the program as all others are run, but without others that have to do with signals.
#[track_caller]
fn alone(program: impl AsyncFn(World) -> Result<()>) {
    let _guard = Alone::start();
    let before = dispositions();
    everywhere(program);
    assert_eq!(dispositions(), before);
}

#[test]
fn test_task_signal() {
    alone(async |w| {
        let results = Results::default();
        let child = spawn(with!(results; {
            let signals = SignalQueue::new([SIGUSR1, SIGUSR2])?;
            results.append("waits");
            for _ in 0..2 {
                results.append(signals.get().await?.to_string());
            }
            Ok(())
        }));
        sleep(w.t(1)).await?;
        raise(SIGUSR1)?;
        sleep(w.t(1)).await?;
        raise(SIGUSR2)?;
        child.join().await?;
        results.are(&["waits", "SIGUSR1", "SIGUSR2"]);
        Ok(())
    });
}

#[test]
fn test_task_signal_event() {
    alone(async |w| {
        let results = Results::default();
        let waits_for = |signal: Signal| {
            spawn(with!(results; {
                let event = SignalEvent::new([signal])?;
                assert_eq!(event.wait().await?, signal);
                // It is sticky.
                event.wait().await?;
                assert!(event.is_set());
                results.append(signal.to_string());
                Ok(())
            }))
        };
        let (one, two) = (waits_for(SIGUSR1), waits_for(SIGUSR2));
        sleep(w.t(1)).await?;
        raise(SIGUSR1)?;
        one.join().await?;
        raise(SIGUSR2)?;
        two.join().await?;
        results.are(&["SIGUSR1", "SIGUSR2"]);
        Ok(())
    });
}

#[test]
fn test_task_signal_timeout() {
    alone(async |w| {
        let results = Results::default();
        let child = spawn(with!(results; {
            let signals = SignalQueue::new([SIGUSR1])?;
            match timeout_after(w.t(1), signals.get()).await {
                Err(error) if error.is_timeout() => results.append("timeout"),
                other => results.append(format!("{other:?}")),
            }
            // The one that was too late is not lost.
            results.append(signals.get().await?.to_string());
            Ok(())
        }));
        sleep(w.t(2)).await?;
        raise(SIGUSR1)?;
        child.join().await?;
        results.are(&["timeout", "SIGUSR1"]);
        Ok(())
    });
}

#[test]
fn test_task_signal_waitone() {
    alone(async |w| {
        let results = Results::default();
        let child = spawn(with!(results; {
            for _ in 0..2 {
                results.append("waits");
                let signal = SignalEvent::new([SIGUSR1, SIGUSR2])?.wait().await?;
                results.append(signal.to_string());
            }
            Ok(())
        }));
        for (done, signal) in [(1, SIGUSR1), (3, SIGUSR2)] {
            // Until it waits again: it is the only one who watches.
            while results.0.borrow().len() < done || child.state().as_str() != "SIGNAL_WAIT" {
                sleep(w.t(1)).await?;
            }
            raise(signal)?;
        }
        child.join().await?;
        results.are(&["waits", "SIGUSR1", "waits", "SIGUSR2"]);
        Ok(())
    });
}

#[test]
fn test_task_signal_ignore() {
    alone(async |w| {
        let results = Results::default();
        let child = spawn(with!(results; {
            let signals = SignalQueue::new([SIGUSR1, SIGUSR2])?;
            results.append(signals.get().await?.to_string());
            let ignored = ignore([SIGUSR1])?;
            raise(SIGUSR1)?;
            sleep(w.t(1)).await?;
            drop(ignored);
            results.append("ignored one");
            raise(SIGUSR2)?;
            results.append(signals.get().await?.to_string());
            raise(SIGUSR1)?;
            results.append(signals.get().await?.to_string());
            Ok(())
        }));
        sleep(w.t(1)).await?;
        raise(SIGUSR1)?;
        child.join().await?;
        results.are(&["SIGUSR1", "ignored one", "SIGUSR2", "SIGUSR1"]);
        Ok(())
    });
}
