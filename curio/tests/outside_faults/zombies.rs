//! Functions in threads that panic, or never come back, when a program wants to end: it ends.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use curio::workers::Panicked;
use curio::{
    Error, Kernel, Result, UniversalEvent, block_in_thread, run_in_thread, sleep, spawn, thread,
    timeout_after,
};

use crate::common::{Alone, counted, run};
use crate::process;

/// The threads are left behind; the process ends with `main`, and with them.
#[test]
fn a_program_ends_though_its_threads_do_not() {
    let begun = Instant::now();
    process(
        "exec \"$@\"",
        "zombies::a_program_ends_though_its_threads_do_not",
        || {
            // Descriptors are not counted: a thread that never ends keeps that by which it would tell its kernel.
            let begun = Instant::now();
            let builder = Kernel::builder().shutdown_timeout(Duration::from_secs(1000));
            let kernel = counted(builder.build().unwrap());
            let program = async {
                let started = UniversalEvent::new();
                let mut tasks = Vec::new();
                for n in 0..10 {
                    let starts = started.clone();
                    tasks.push(spawn(run_in_thread(move || {
                        starts.set();
                        loop {
                            std::thread::park();
                        }
                    })));
                    tasks.push(spawn(block_in_thread(n % 3, || {
                        loop {
                            std::thread::park();
                        }
                    })));
                }
                started.wait().await?;
                // One of them is given up by hand, and whoever comes next finds a worker all the same.
                tasks[0].cancel().await?;
                assert_eq!(run_in_thread(|| 7).await?, 7);
                let late = timeout_after(Duration::from_millis(1), block_in_thread(0, || 7)).await;
                assert!(matches!(late, Err(Error::Timeout(_))), "the key is taken");
                Result::Ok(())
            };
            kernel.run(program).unwrap();
            drop(kernel);
            assert!(
                begun.elapsed() < Duration::from_secs(500),
                "the shutdown has waited for them"
            );
        },
    );
    assert!(begun.elapsed() < Duration::from_secs(500));
}

/// The panic is the caller's affair, also when it comes at the very end, and the worker works on.
#[test]
fn panics_at_the_end() {
    let printed = process("exec \"$@\"", "zombies::panics_at_the_end", || {
        let _guard = Alone::start();
        let over = UniversalEvent::new();
        let (alive, gone) = mpsc::channel::<()>();
        run(async {
            for _ in 0..3 {
                let error = run_in_thread(|| -> u32 { panic!("spilled milk") }).await;
                let Err(Error::Other(error)) = error else {
                    panic!("{error:?}")
                };
                assert_eq!(
                    error.get_ref().downcast_ref::<Panicked>().unwrap().message(),
                    "spilled milk"
                );
            }
            assert_eq!(run_in_thread(|| 7).await?, 7);
            // These panic when the kernel has ended, with nobody left who could be told.
            for _ in 0..3 {
                let started = UniversalEvent::new();
                let (starts, over, alive) = (started.clone(), over.clone(), alive.clone());
                spawn(run_in_thread(move || {
                    let _alive = alive;
                    starts.set();
                    over.blocking_wait().unwrap();
                    panic!("too late")
                }));
                started.wait().await?;
            }
            // This one awaits, is told to end, and panics at that.
            let awaits = thread::spawn(|| -> curio::Result<()> {
                let _ = thread::await_(|| sleep(Duration::from_secs(1000)));
                panic!("not now")
            });
            while awaits.state().as_str() != "TIME_SLEEP" {
                sleep(Duration::from_micros(100)).await?;
            }
            Ok(())
        })
        .unwrap();
        over.set();
        drop(alive);
        assert!(gone.recv().is_err(), "all of them are through with it");
    });
    assert!(printed.unwrap().contains("not now"), "a crash is told");
}
