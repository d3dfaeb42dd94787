//! Signals in a storm: many threads and another process at once, while tasks come and go that wait for them.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use curio::signal::{SIGUSR1, SIGUSR2, raise};
use curio::{Error, Result, SignalEvent, SignalQueue, sleep, spawn, timeout_after};

use crate::common::{Alone, descriptors, run};
use crate::process;

/// Comes, waits a little, goes away, and comes again.
async fn pass_by() -> Result<()> {
    loop {
        let event = SignalEvent::new([SIGUSR1])?;
        match timeout_after(Duration::from_micros(50), event.wait()).await {
            Err(Error::Timeout(_)) => {}
            done => drop(done?),
        }
        sleep(Duration::from_micros(50)).await?;
    }
}

/// The system merges what is pending. But a signal that is sent after everything was taken is taken, and whoever watches
/// sees each that is delivered.
#[test]
fn from_threads_and_another_process() {
    // What comes after the last queue has gone is ignored, as it was before: else it would end the process.
    let shell = "trap '' USR1 USR2; exec \"$@\"";
    process(shell, "storms::from_threads_and_another_process", || {
        let _guard = Alone::start();
        const EACH: usize = 5_000;
        // What the process keeps for ever.
        drop(SignalQueue::new([SIGUSR1]).unwrap());
        let before = descriptors().len();
        let id = std::process::id();
        let kill = |signal: &str| {
            let status = Command::new("kill")
                .args(["-s", signal, &id.to_string()])
                .status();
            assert!(status.unwrap().success());
        };
        for _ in 0..3 {
            let (all, again) = (
                SignalQueue::new([SIGUSR1, SIGUSR2]).unwrap(),
                SignalQueue::new([SIGUSR1]).unwrap(),
            );
            let delivered = Arc::new(AtomicU32::new(0));
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    let delivered = delivered.clone();
                    thread::spawn(move || {
                        // To this very thread: each is delivered before the call returns, so none of them is merged.
                        for _ in 0..EACH {
                            raise(SIGUSR1).unwrap();
                            delivered.fetch_add(1, Ordering::Relaxed);
                        }
                    })
                })
                .collect();
            let script = format!("i=0; while [ $i -lt {EACH} ]; do kill -USR1 {id}; i=$((i + 1)); done");
            let mut other = Command::new("sh").args(["-c", &script]).spawn().unwrap();
            run(async {
                // They take nothing from anybody.
                let passers_by = spawn(pass_by());
                let end = spawn(async move {
                    let end = move || {
                        threads.into_iter().for_each(|thread| thread.join().unwrap());
                        other.wait()
                    };
                    assert!(curio::run_in_thread(end).await??.success());
                    raise(SIGUSR2)
                });
                let mut count = 0;
                while all.get().await? == SIGUSR1 {
                    count += 1;
                }
                end.join().await?;
                passers_by.cancel().await?;
                let least = delivered.load(Ordering::Relaxed) as usize;
                assert_eq!(least, 4 * EACH);
                // (One of the other process may have come to a thread that has not got to run since: then it is late.)
                assert!((least..=least + EACH).contains(&count), "{count}");
                // And after the storm, each by itself.
                for _ in 0..10 {
                    kill("USR1");
                    assert_eq!(all.get().await?, SIGUSR1);
                    count += 1;
                }
                // The second one is told the same, a moment later.
                for _ in 0..count {
                    assert_eq!(again.get().await?, SIGUSR1);
                }
                Ok(())
            })
            .unwrap();
            drop((all, again));
            assert_eq!(descriptors().len(), before);
        }
    });
}
