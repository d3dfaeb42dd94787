//! The table: which operations are counted, how much work is compared with how much, and the targets.

use std::ops::Range;
use std::time::Duration;

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    /// The name to select it by.
    pub(crate) key: &'static str,
    /// What it says in the table.
    pub(crate) title: &'static str,
    pub(crate) measure: Measure,
    /// More than this and curio has missed its target.
    pub(crate) at_most: f64,
    /// What the tuning aims at; the target itself where nothing better is hoped for.
    pub(crate) aim: f64,
}

/// How a number comes about.
#[derive(Debug)]
pub(crate) enum Measure {
    /// User instructions of one operation.
    Instructions(Difference),
    /// How many times the instructions of `small` one operation of `large` takes. Of a runtime by
    /// itself; the others are only asked when they are named.
    Growth { small: Difference, large: Difference },
    /// User instructions of an echo server for one request.
    EchoInstructions(Requests),
    /// System calls of an echo server for one request.
    EchoCalls(Requests),
    /// CPU time of an echo server for one request, divided by tokio's. It depends
    /// on the clock, so it is shown but never a reason to fail.
    EchoTime(Requests),
    /// Wall time of one of so many operations with other threads or processes, in nanoseconds. Shown only, as well.
    ThreadTime(&'static str, usize),
    /// Bytes of one sleeping task with this many of them.
    SleepingMemory(usize),
    /// Bytes of one idle connection with this many of them.
    ConnectionMemory(usize),
}

/// The method of differences: the scenario runs in two fresh processes, with the
/// work of `less` and of `more`; what `more` costs beyond `less` is the cost of the operations between them.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) scenario: &'static str,
    pub(crate) less: Work,
    pub(crate) more: Work,
    /// How many operations lie between the two.
    pub(crate) operations: usize,
}

/// How much a scenario has to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    pub(crate) tasks: usize,
    pub(crate) rounds: usize,
}

/// The same for a server: two numbers of requests over so many connections.
#[derive(Debug)]
pub(crate) struct Requests {
    pub(crate) connections: usize,
    pub(crate) less: u64,
    pub(crate) more: u64,
}

/// The delays of the sleep scenarios. They begin only when even under valgrind all
/// `tasks` are asleep, so that the timer queue really holds all of them, and are as dense
/// for few tasks as for many (100,000 in a second), so that as many expire at a time.
pub(crate) fn delays(tasks: usize) -> Range<Duration> {
    let start = Duration::from_micros(60) * tasks as u32;
    start..start + Duration::from_micros(10) * tasks as u32
}

/// A scenario in which each task does one operation per round.
const fn difference(scenario: &'static str, less: (usize, usize), more: (usize, usize)) -> Difference {
    Difference {
        scenario,
        less: Work {
            tasks: less.0,
            rounds: less.1,
        },
        more: Work {
            tasks: more.0,
            rounds: more.1,
        },
        operations: more.0 * more.1 - less.0 * less.1,
    }
}

/// Turns of the loop while so many tasks sleep.
const fn turns(tasks: usize, rounds: usize) -> Difference {
    Difference {
        scenario: "sleeping",
        less: Work { tasks, rounds: 0 },
        more: Work { tasks, rounds },
        operations: rounds,
    }
}

const fn row(key: &'static str, title: &'static str, measure: Measure, at_most: f64, aim: f64) -> Row {
    Row {
        key,
        title,
        measure,
        at_most,
        aim,
    }
}

const fn instructions(less: (usize, usize), more: (usize, usize), scenario: &'static str) -> Measure {
    Measure::Instructions(difference(scenario, less, more))
}

const fn requests(connections: usize, less: u64, more: u64) -> Requests {
    Requests {
        connections,
        less,
        more,
    }
}

pub(crate) const ROWS: &[Row] = &[
    row(
        "switch-1000",
        "context switch, 1,000 tasks yielding",
        instructions((1000, 100), (1000, 200), "switch"),
        185.0,
        160.0,
    ),
    row(
        "switch-1",
        "context switch, 1 task yielding",
        instructions((1, 50_000), (1, 100_000), "switch"),
        200.0,
        180.0,
    ),
    row(
        "switch-monitor",
        "context switch, with a monitor that nobody asks against without",
        Measure::Growth {
            small: difference("switch", (1000, 100), (1000, 200)),
            large: difference("switch-monitored", (1000, 100), (1000, 200)),
        },
        1.3,
        1.1,
    ),
    row(
        "spawn-each",
        "spawn + await, one by one",
        instructions((1, 20_000), (1, 40_000), "spawn-each"),
        740.0,
        600.0,
    ),
    row(
        "spawn-all",
        "spawn 100,000, then join all",
        instructions((1000, 1), (101_000, 1), "spawn-all"),
        740.0,
        650.0,
    ),
    row(
        "round-trip",
        "round trip over two unbounded queues",
        instructions((1, 10_000), (1, 20_000), "round-trip"),
        780.0,
        520.0,
    ),
    row(
        "round-trip-1",
        "round trip over two queues of capacity 1",
        instructions((1, 10_000), (1, 20_000), "round-trip-1"),
        850.0,
        580.0,
    ),
    row(
        "pass",
        "item from producer to consumer, unbounded",
        instructions((1, 50_000), (1, 100_000), "pass"),
        115.0,
        100.0,
    ),
    row(
        "pass-128",
        "item from producer to consumer, capacity 128",
        instructions((1, 50_000), (1, 100_000), "pass-128"),
        150.0,
        130.0,
    ),
    row(
        "lock-alone",
        "lock and unlock, alone",
        instructions((1, 50_000), (1, 100_000), "lock-alone"),
        45.0,
        40.0,
    ),
    row(
        "lock-yield",
        "lock held across a yield, 10 tasks",
        instructions((10, 2_000), (10, 4_000), "lock-yield"),
        480.0,
        400.0,
    ),
    row(
        "semaphore",
        "semaphore hand-off",
        instructions((2, 10_000), (2, 20_000), "semaphore"),
        320.0,
        230.0,
    ),
    row(
        "event",
        "event hand-off",
        instructions((2, 10_000), (2, 20_000), "event"),
        320.0,
        230.0,
    ),
    row(
        "sleep",
        "sleep: create, expire, join (100,000 in 1 s)",
        instructions((1000, 1), (101_000, 1), "sleep"),
        1700.0,
        1600.0,
    ),
    row(
        "timeout-ready",
        "timeout around a ready future",
        instructions((1, 50_000), (1, 100_000), "timeout-ready"),
        40.0,
        35.0,
    ),
    row(
        "timeout-yield",
        "timeout around a future that yields once",
        instructions((1, 20_000), (1, 40_000), "timeout-yield"),
        540.0,
        450.0,
    ),
    row(
        "cancel",
        "spawn, let it wait, cancel, await its end (sleep)",
        instructions((1, 20_000), (1, 40_000), "cancel"),
        1400.0,
        1050.0,
    ),
    row(
        "echo-50",
        "echo, user instructions per request, 50 connections",
        Measure::EchoInstructions(requests(50, 5_000, 25_000)),
        400.0,
        330.0,
    ),
    row(
        "echo-1",
        "echo, user instructions per request, 1 connection",
        Measure::EchoInstructions(requests(1, 1_000, 5_000)),
        480.0,
        400.0,
    ),
    row(
        "calls-50",
        "echo, system calls per request, 50 connections",
        Measure::EchoCalls(requests(50, 5_000, 25_000)),
        2.1,
        2.04,
    ),
    row(
        "calls-1",
        "echo, system calls per request, 1 connection",
        Measure::EchoCalls(requests(1, 1_000, 5_000)),
        3.0,
        3.0,
    ),
    row(
        "time-50",
        "echo, server CPU per request against tokio, 50 connections",
        Measure::EchoTime(requests(50, 5_000, 55_000)),
        0.97,
        0.93,
    ),
    row(
        "time-thread",
        "item from a thread into the kernel, wall time in ns",
        Measure::ThreadTime("from-thread", 500_000),
        80.0,
        61.0,
    ),
    row(
        "time-in-thread",
        "a function in a thread and back, wall time in ns, one CPU",
        Measure::ThreadTime("in-thread", 20_000),
        8000.0,
        5300.0,
    ),
    row(
        "time-in-process",
        "a function in a process and back, wall time in ns, one CPU",
        Measure::ThreadTime("in-process", 20_000),
        30_000.0,
        15_000.0,
    ),
    row(
        "memory-sleep",
        "memory per sleeping task, 1,000,000 of them, in bytes",
        Measure::SleepingMemory(1_000_000),
        240.0,
        200.0,
    ),
    row(
        "memory-connection",
        "server memory per idle connection, 5,000 of them, in bytes",
        Measure::ConnectionMemory(5_000),
        500.0,
        279.0,
    ),
    row(
        "flat-switch",
        "context switch, 1,000,000 tasks against 1,000",
        Measure::Growth {
            small: difference("switch", (1000, 100), (1000, 200)),
            large: difference("switch", (1_000_000, 1), (1_000_000, 3)),
        },
        1.3,
        1.0,
    ),
    row(
        "flat-sleep",
        "sleep, 1,000,000 of them against 1,000",
        Measure::Growth {
            small: difference("sleep", (1000, 1), (1000, 11)),
            large: difference("sleep", (1000, 1), (1_000_000, 1)),
        },
        1.3,
        1.0,
    ),
    row(
        "flat-turn",
        "turn of the loop, 1,000,000 tasks asleep against 1,000",
        Measure::Growth {
            small: turns(1000, 1000),
            large: turns(1_000_000, 100),
        },
        1.3,
        1.0,
    ),
];
