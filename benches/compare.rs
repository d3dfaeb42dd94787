//! Wall time of the same operations on curio, tokio and smol, side by side.
//!
//! For orientation: on a shared machine these numbers vary by half and more from run
//! to run. Decisions are made on the counts of the `instructions` bench.

#[allow(dead_code, reason = "each bench target uses its part of the scenarios")]
mod common;

use common::{Client, RUNTIMES};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// A settled time is not worth minutes here: few samples, short ones.
fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600))
        .without_plots()
}

/// Measures a whole run of a scenario for each runtime. Starting the runtime is
/// in the number, so a run does enough operations to drown it.
fn scenario(c: &mut Criterion, group: &str, name: &str, operations: u64, run: impl Fn(&common::Runtime)) {
    let mut group = c.benchmark_group(format!("{group}/{name}"));
    group.throughput(Throughput::Elements(operations));
    for runtime in &RUNTIMES {
        group.bench_function(runtime.name, |b| b.iter(|| run(runtime)));
    }
    group.finish();
}

fn switch(c: &mut Criterion) {
    scenario(c, "switch", "1 task", 20_000, |r| (r.switch)(1, 20_000));
    scenario(c, "switch", "1,000 tasks", 50_000, |r| (r.switch)(1000, 50));
}

fn spawn(c: &mut Criterion) {
    scenario(c, "spawn", "one by one", 10_000, |r| (r.spawn_each)(10_000));
    scenario(c, "spawn", "100,000, then join all", 100_000, |r| {
        (r.spawn_all)(100_000, 1)
    });
}

fn timers(c: &mut Criterion) {
    // The delays are over before the last task is asleep, so this is work and not waiting.
    let delays = Duration::from_micros(500)..Duration::from_millis(1);
    scenario(c, "timers", "create, expire, join", 10_000, |r| {
        (r.sleep)(10_000, 1, delays.clone())
    });
    scenario(c, "timers", "set and drop", 10_000, |r| (r.sleep_dropped)(10_000));
}

fn timeout(c: &mut Criterion) {
    scenario(c, "timeout", "around a ready future", 100_000, |r| {
        (r.timeout_ready)(100_000)
    });
    scenario(c, "timeout", "around one that yields once", 10_000, |r| {
        (r.timeout_yield)(10_000)
    });
}

fn cancel(c: &mut Criterion) {
    scenario(c, "cancel", "a sleeping task", 10_000, |r| (r.cancel)(10_000));
}

fn queue(c: &mut Criterion) {
    scenario(c, "queue", "round trip, unbounded", 10_000, |r| {
        (r.round_trip)(None, 10_000)
    });
    scenario(c, "queue", "round trip, capacity 1", 10_000, |r| {
        (r.round_trip)(Some(1), 10_000)
    });
    scenario(c, "queue", "item, unbounded", 100_000, |r| {
        (r.pass)(None, 100_000)
    });
    scenario(c, "queue", "item, capacity 128", 100_000, |r| {
        (r.pass)(Some(128), 100_000)
    });
    scenario(c, "queue", "item from a thread", 100_000, |r| {
        (r.from_thread)(100_000)
    });
    scenario(c, "thread", "a function in a thread", 2_000, |r| {
        (r.in_thread)(2_000)
    });
}

fn sync(c: &mut Criterion) {
    scenario(c, "sync", "lock, alone", 100_000, |r| (r.lock_alone)(100_000));
    scenario(c, "sync", "lock held across a yield, 10 tasks", 20_000, |r| {
        (r.lock_yield)(10, 2_000)
    });
    scenario(c, "sync", "semaphore hand-off", 20_000, |r| {
        (r.semaphore)(2, 10_000)
    });
    scenario(c, "sync", "event hand-off", 20_000, |r| (r.event)(2, 10_000));
}

/// Round trips of a message: the server has a thread and a runtime to itself, the
/// client is the thread that takes the time.
fn echo(c: &mut Criterion) {
    for (connections, name) in [(1, "echo/1 connection"), (50, "echo/50 connections")] {
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(connections as u64));
        for runtime in &RUNTIMES {
            group.bench_function(runtime.name, |b| {
                b.iter_custom(|rounds| {
                    let (listening, address) = mpsc::channel();
                    let echo = runtime.echo;
                    let server = thread::spawn(move || {
                        let listening = move |address| {
                            listening.send(address).expect("the client is there");
                        };
                        echo(connections, Box::new(listening));
                    });
                    let mut client =
                        Client::new(address.recv().expect("the server starts"), 64, Duration::ZERO);
                    client.connect(connections).expect("the server accepts");
                    client.round().expect("the server answers");
                    let start = Instant::now();
                    for _ in 0..rounds {
                        client.round().expect("the server answers");
                    }
                    let time = start.elapsed();
                    drop(client);
                    server.join().expect("the server ends well");
                    time
                });
            });
        }
        group.finish();
    }
}

criterion_group!(name = all; config = criterion(); targets = switch, spawn, timers, timeout, cancel, queue, sync, echo);
criterion_main!(all);
