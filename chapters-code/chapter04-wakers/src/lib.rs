//! Chapter 4: who knocks?
//!
//! The request slot is gone. An operation that cannot complete writes down itself who waits and for what
//! ([`traps::Waiting`]), and `Pending` says no more than "somebody will knock". Whoever changes something knocks: it wakes
//! those on the list. So one task can wait for two things, and a thread can wake it.
//!
//! What stays: a task stops only in a trap, and the kernel decides when it goes on.

#![forbid(unsafe_code)]

pub mod both_here;
pub mod channel;
mod context;
pub mod doorbell;
pub mod error;
pub mod join2;
pub mod kernel;
pub mod postman;
pub mod programs;
pub mod record;
pub mod remote;
pub mod report;
pub mod scheduler;
pub mod shuffle;
pub mod state;
mod tables;
pub mod task;
pub mod traps;
pub mod voice;
mod waits;

// The wrong turns of the chapter. They compile, and their output is in the page.
#[path = "../wrong/mod.rs"]
pub mod wrong;
