//! Debug modules: what they tell, by which filter, at which level.

#![allow(missing_docs)]

mod common;

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::Alone;
use curio::activation::Activation;
use curio::debug::{Level, logcrash, longblock, schedtrace, traptrace};
use curio::{Clock, Error, Kernel, Result, sleep, task};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Level, target, name of the task, message.
type Told = (Level, String, String, String);

/// Collects events.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Told>>>);

#[derive(Default)]
struct Fields {
    name: String,
    message: String,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "name" {
            self.name = value.to_string();
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }
}

impl Subscriber for Collector {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let (level, target) = (*event.metadata().level(), event.metadata().target().to_string());
        self.0
            .lock()
            .unwrap()
            .push((level, target, fields.name, fields.message));
    }
}

async fn kid() -> Result<()> {
    sleep(Duration::from_secs(1)).await
}

async fn program() -> Result<()> {
    let kid = task(kid()).name("kid").spawn();
    let crash = task(async { Err::<(), _>(Error::other("tired")) })
        .name("crash")
        .spawn();
    let gone = task(sleep(Duration::from_secs(9))).name("gone").spawn();
    kid.join().await?;
    gone.cancel().await?;
    crash.wait().await
}

/// (Alone: `tracing` notes for all threads whether anybody listens, at the first event of each kind, and while there is one
/// subscriber it asks only the thread of the event. So a thread that has none may switch off the events of another that has.)
fn collect(clock: Clock, activation: impl Activation + 'static) -> Vec<Told> {
    let _guard = Alone::start();
    let collector = Collector::default();
    tracing::subscriber::with_default(collector.clone(), || {
        let kernel = Kernel::builder()
            .clock(clock)
            .activation(activation)
            .build()
            .unwrap();
        kernel.run(program()).unwrap();
    });
    collector.0.lock().unwrap().clone()
}

#[test]
fn schedtrace_tells_of_tasks() {
    let events = collect(Clock::Virtual, schedtrace().filter(["kid"]));
    let messages: Vec<_> = events.iter().map(|(_, _, _, message)| message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "CREATE:0.000000:Task(id=4, name='kid', state='READY')",
            "RUN:0.000000:Task(id=4, name='kid', state='RUNNING')",
            "SUSPEND:0.000000:Task(id=4, name='kid', state='TIME_SLEEP')",
            "RUN:1.000000:Task(id=4, name='kid', state='RUNNING')",
            "SUSPEND:1.000000:Task(id=4, name='kid', state='TERMINATED')",
            "TERMINATED:1.000000:Task(id=4, name='kid', state='TERMINATED')",
        ]
    );
    let is_right = |(level, target, name, _): &Told| {
        *level == Level::INFO && target == "curio::debug::schedtrace" && name == "kid"
    };
    assert!(events.iter().all(is_right), "{events:?}");
    // Without a filter it is all tasks.
    let all = collect(Clock::Virtual, schedtrace().level(Level::DEBUG));
    assert!(
        all.len() > 15 && all.iter().all(|(level, ..)| *level == Level::DEBUG),
        "{all:?}"
    );
}

#[test]
fn traptrace_tells_of_waits_as_well() {
    let events = collect(Clock::Virtual, traptrace().filter(["kid", "program"]));
    let traps = events.iter().filter_map(|(_, _, name, message)| {
        let (label, place) = message.strip_prefix("TRAP:")?.split_once(" at ")?;
        assert!(place.contains("tests/debug.rs:"), "{message}");
        Some((name.as_str(), label))
    });
    let expected = [
        ("program", "TASK_JOIN"),
        ("kid", "TIME_SLEEP"),
        ("program", "TASK_JOIN"),
    ];
    assert_eq!(traps.collect::<Vec<_>>(), expected);
}

#[test]
fn logcrash_tells_of_failures_only() {
    let events = collect(Clock::Virtual, logcrash());
    assert_eq!(events.len(), 1, "{events:?}");
    let (level, _, name, message) = &events[0];
    assert_eq!((*level, name.as_str()), (Level::ERROR, "crash"));
    assert!(
        message.starts_with("Task Crash: Task(id=5, name='crash', state='TERMINATED'): "),
        "{message}"
    );
    assert!(message.contains("tired"), "{message}");
    assert!(collect(Clock::Virtual, logcrash().filter(["kid"])).is_empty());
}

#[test]
fn longblock_tells_who_kept_all_others_waiting() {
    let _guard = Alone::start();
    let collector = Collector::default();
    tracing::subscriber::with_default(collector.clone(), || {
        let kernel = Kernel::builder()
            .activation(longblock().max_time(Duration::from_millis(20)))
            .build();
        kernel
            .unwrap()
            .run(async {
                let hog = async {
                    std::thread::sleep(Duration::from_millis(30));
                    sleep(Duration::from_millis(1)).await
                };
                task(hog).name("hog").spawn().join().await
            })
            .unwrap();
    });
    let events = collector.0.lock().unwrap();
    let hogs: Vec<_> = events.iter().filter(|(_, _, name, _)| name == "hog").collect();
    // (Its second run may be told of, too, if others had the processor meanwhile.)
    assert!(!hogs.is_empty(), "{events:?}");
    let (level, _, _, message) = hogs[0];
    assert_eq!(*level, Level::WARN);
    // Longer, if others ran on the machine meanwhile.
    let took = message.strip_prefix("Task(id=4, name='hog', state='TIME_SLEEP') ran for ");
    let took = took.and_then(|took| took.split(' ').next()?.parse::<f64>().ok());
    assert!(took.is_some_and(|took| took >= 0.03), "{message}");
    assert!(message.contains("tests/debug.rs:"), "{message}");
}

#[test]
fn several_at_once() {
    let _guard = Alone::start();
    let kernel = Kernel::builder()
        .clock(Clock::Virtual)
        .activation(schedtrace())
        .activation(traptrace())
        .activation(logcrash().filter(["nobody"]))
        .activation(longblock())
        .build()
        .unwrap();
    kernel.run(program()).unwrap();
}
