//! What holds this package and curio's recorder together: the same run gives the same text, byte for byte, and one strict
//! reader accepts both.

#![allow(missing_docs)]

#[path = "../../../curio/tests/common/trace_checker.rs"]
mod trace_checker;

use std::time::Duration;

use chapter1::generator::{Generator, Step};
use chapter1::programs::{Countdown, Kid};
use chapter1::scheduler::Scheduler;
use curio::trace::{Recorder, Text};
use curio::{Clock as CurioClock, Kernel, Result, ignore_after, sleep, spawn, yield_now};
use serde_json::Value;
use trace::{Clock, Ending, Left, Of, Scope, Timer, Trace, Until};
use trace_checker::check_ended;

/// How often these two hand something out before they end.
const TASKS: [(&str, u64); 2] = [("countdown", 5), ("kid", 3)];

/// The first chapter's program, told by what its scheduler says of itself.
fn chapter1(clock: Clock, seed: Option<u64>) -> String {
    let mut trace = Trace::new(clock, seed);
    let mut scheduler = seed.map_or_else(Scheduler::new, Scheduler::with_seed);
    let number = |name: &str| {
        let place = TASKS.iter().position(|(task, _)| *task == name);
        place.unwrap() as u64 + 3
    };
    for (name, _) in TASKS {
        trace.created(number(name), name);
        trace.ready(number(name));
    }
    scheduler.spawn("countdown", Countdown::new(3));
    scheduler.spawn("kid", Kid::new(3));
    while let Some(turn) = scheduler.run_once() {
        let task = number(turn.task);
        trace.running(task);
        if turn.step == Step::Complete {
            trace.suspended(task, "TERMINATED");
            trace.terminated(task, Ending::Value);
        } else {
            trace.ready(task);
            trace.suspended(task, "READY");
        }
    }
    trace.text().to_string()
}

/// The same with tasks of curio.
fn curio_program(seed: Option<u64>) -> String {
    async fn countdown(stops: u64) -> Result<()> {
        for _ in 0..stops {
            yield_now().await?;
        }
        Ok(())
    }
    async fn kid(stops: u64) -> Result<()> {
        countdown(stops).await
    }
    let text = Text::new();
    let mut kernel = Kernel::builder()
        .clock(CurioClock::Virtual)
        .activation(Recorder::new(text.clone()).without_places());
    if let Some(seed) = seed {
        kernel = kernel.seed(seed);
    }
    let kernel = kernel.build().unwrap();
    kernel.spawn(countdown(TASKS[0].1));
    kernel.spawn(kid(TASKS[1].1));
    kernel.run_all().unwrap();
    drop(kernel);
    text.to_string()
}

#[test]
fn the_stops_are_counted_right() {
    let mut countdown = Countdown::new(3);
    let stops = std::iter::from_fn(|| (countdown.resume() != Step::Complete).then_some(())).count();
    assert_eq!(stops as u64, TASKS[0].1);
}

#[test]
fn the_same_program_gives_the_same_text() {
    let ours = chapter1(Clock::Virtual, None);
    assert_eq!(ours, curio_program(None));
    check_ended(&ours).unwrap();
}

#[test]
fn all_schedules_are_accepted() {
    for seed in 0..200 {
        for trace in [chapter1(Clock::Steps, Some(seed)), curio_program(Some(seed))] {
            let state = check_ended(&trace).unwrap();
            assert_eq!(state.counts["running"], 10, "{trace}");
        }
    }
}

#[test]
fn steps_count_runs() {
    let trace = chapter1(Clock::Steps, None);
    assert_eq!(check_ended(&trace).unwrap().now, 10);
}

#[test]
fn a_broken_kernel_is_found_out() {
    // It forgets to queue the kid again.
    let mut trace = Trace::new(Clock::Steps, None);
    trace.created(1, "kid");
    trace.ready(1);
    for _ in 0..2 {
        trace.running(1);
        trace.suspended(1, "READY");
    }
    let error = check_ended(trace.text()).unwrap_err();
    assert!(error.contains("line 5: that cannot be its state"), "{error}");
}

/// Tells a trace once more, by way of this package.
fn retell(text: &str) -> String {
    let values: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let clock = match values[0]["clock"].as_str().unwrap() {
        "virtual" => Clock::Virtual,
        "real" => Clock::Real,
        _ => Clock::Steps,
    };
    let mut trace = Trace::new(clock, values[0]["seed"].as_u64());
    for value in &values[1..] {
        let number = |name: &str| value[name].as_u64().unwrap();
        let maybe = |name: &str| value[name].as_u64();
        let text = |name: &str| value[name].as_str().unwrap();
        let error = value["error"].as_str();
        let scope = || match text("kind") {
            "task" => Scope::Task(number("scope")),
            _ => Scope::Timeout(number("scope")),
        };
        let task = maybe("task").unwrap_or_default();
        trace.at(number("at"));
        match text("event") {
            "created" => trace.created(task, text("name")),
            "ready" => trace.ready(task),
            "running" => trace.running(task),
            "suspended" => trace.suspended(task, text("state")),
            "terminated" => {
                let ending = match text("how") {
                    "value" => Ending::Value,
                    "cancelled" => Ending::Cancelled(error),
                    "failed" => Ending::Failed(error),
                    "exit" => Ending::Exit(error),
                    "panicked" => Ending::Panicked(error),
                    _ => Ending::Dropped(error),
                };
                trace.terminated(task, ending);
            }
            "wait" => {
                let until = match text("until") {
                    "woken" => Until::Woken,
                    "time" => Until::Time(number("what")),
                    "task" => Until::Task(number("what")),
                    "readable" => Until::Readable(number("what")),
                    "writable" => Until::Writable(number("what")),
                    _ => Until::Listed(number("what")),
                };
                trace.wait(task, number("wait"), text("label"), until);
            }
            "wake" => trace.wake(task, number("wait")),
            "left" => {
                let how = match text("how") {
                    "completed" => Left::Completed,
                    "interrupted" => Left::Interrupted,
                    _ => Left::Dropped,
                };
                trace.left(task, number("wait"), how);
            }
            "interrupt" => trace.interrupt(task, scope()),
            "deliver" => trace.deliver(task, scope(), maybe("wait"), text("error")),
            "timer" => {
                let of = maybe("wait").map_or_else(|| Of::Scope(number("scope")), Of::Wait);
                let how = match text("how") {
                    "set" => Timer::Set,
                    "fired" => Timer::Fired,
                    _ => Timer::Removed,
                };
                trace.timer(task, of, number("deadline"), how);
            }
            "readiness" => {
                trace.readiness(
                    number("socket"),
                    value["readable"] == true,
                    value["writable"] == true,
                );
            }
            "idle" => trace.idle(maybe("until")),
            other => panic!("{other} cannot be told"),
        }
    }
    trace.text().to_string()
}

#[test]
fn both_write_their_lines_with_the_same_code() {
    let code = |file: &'static str| file.split("#[cfg(test)]").next();
    let ours = include_str!("../src/line.rs");
    assert_eq!(code(ours), code(include_str!("../../../curio/src/json.rs")));
}

#[test]
fn whatever_curio_records_can_be_told_here() {
    let golden = include_str!("../../../curio/tests/golden/kid_and_parent.jsonl");
    assert_eq!(retell(golden), golden);
    // A bit of the rest: sockets, lists, panics, names that must be escaped.
    let text = Text::new();
    let kernel = Kernel::builder()
        .activation(Recorder::new(text.clone()).without_places())
        .build()
        .unwrap();
    let r = kernel.run(async {
        let listener = curio::net::TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let server = spawn(async move { listener.accept().await.map(drop) });
        curio::task(async { panic!("\"ouch\"\n\u{1}é") })
            .name("tab\tand \\")
            .spawn();
        ignore_after(Duration::from_millis(5), sleep(Duration::from_secs(100))).await?;
        curio::net::TcpStream::connect(address).await?;
        server.join().await
    });
    r.unwrap();
    drop(kernel);
    let text = text.to_string();
    check_ended(&text).unwrap();
    assert_eq!(retell(&text), text);
    for event in ["readiness", "deliver", "idle", "timer"] {
        assert!(
            text.contains(&format!("\"event\":\"{event}\"")),
            "{event}\n{text}"
        );
    }
}
