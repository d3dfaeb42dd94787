//! Threads and file descriptors, counted before and after. One test, so that nothing else in the process uses any.

#![allow(missing_docs)]
#![cfg(target_os = "linux")]

mod common;

use std::sync::mpsc::channel;
use std::time::Duration;

use common::Watchdog;
use curio::file::File;
use curio::thread::{self, Token};
use curio::{
    Kernel, UniversalEvent, block_in_thread, run, run_in_thread, sleep, spawn, timeout_after, yield_now,
};

fn count(what: &str) -> usize {
    std::fs::read_dir(format!("/proc/self/{what}")).unwrap().count()
}

#[test]
fn threads_and_descriptors_are_given_back() {
    let _guard = Watchdog::start();
    let threads = count("task");
    // What the process keeps for ever.
    run(async {}).unwrap();
    let mut releases = Vec::new();
    let before = (count("fd"), threads);
    for _ in 0..20 {
        let kernel = Kernel::builder()
            .shutdown_timeout(Duration::from_millis(10))
            .worker_idle_time(Duration::from_secs(1000))
            .build()
            .unwrap();
        let kernel_run = kernel.run(async {
            let (started, (release, released)) = (UniversalEvent::new(), channel::<()>());
            let starts = started.clone();
            spawn(run_in_thread(move || {
                starts.set();
                let _ = released.recv();
            }));
            started.wait().await?;
            releases.push(release);
            for n in 0..10 {
                spawn(run_in_thread(move || n));
                spawn(block_in_thread(n % 3, move || n));
                spawn(thread::spawn(|| thread::await_(|| sleep(Duration::from_secs(1000)))).wait_for_good());
            }
            let file = File::open("Cargo.toml").await?;
            let token = Token::new(file)?;
            run_in_thread(move || drop(token)).await?;
            let _ = timeout_after(Duration::from_micros(30), File::open("Cargo.toml")).await;
            yield_now().await
        });
        kernel_run.unwrap();
        kernel.shutdown().unwrap();
    }
    // Zombies, which have outlived their kernels.
    assert!(count("task") >= before.1 + 20);
    releases.clear();
    // They end by themselves; the watchdog sees to it that this does.
    while (count("fd"), count("task")) != before {
        std::thread::yield_now();
    }
}

/// A task that keeps the handle of another one.
trait WaitForGood {
    async fn wait_for_good(self) -> curio::Result<()>;
}

impl<T> WaitForGood for curio::Task<T> {
    async fn wait_for_good(self) -> curio::Result<()> {
        self.wait().await
    }
}
