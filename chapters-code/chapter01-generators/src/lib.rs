//! Chapter 1: functions that stop in the middle.
//!
//! Rust has no stable `yield`, so the functions that pause are written by hand, as state machines behind one
//! trait, [`generator::Generator`]. A [`scheduler::Scheduler`] lets several of them take turns on one thread.
//!
//! This is the first stage of the runtime that the book grows. A later stage gives the yielded value a meaning
//! (a request to the kernel), then lets the compiler write the state machines. The idea of a task, its turn and
//! the ready queue stay.

pub mod generator;
pub mod plain;
pub mod programs;
pub mod record;
pub mod report;
pub mod scheduler;
pub mod shuffle;
pub mod task;

// The wrong turns of the chapter. They compile, and their output is in the page.
#[path = "../wrong/generators.rs"]
pub mod wrong;
