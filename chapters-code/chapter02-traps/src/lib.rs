//! Chapter 2: asking the kernel.
//!
//! A task hands out requests, called traps ([`traps::Trap`]), and the [`kernel::Kernel`] serves them: it makes tasks, lets
//! one wait for the end of another, and carries messages through channels. A task that waits is not in the ready queue.
//!
//! From chapter 1 come generators, whose `resume` now takes an answer, the ready queue and its seeds. What stays from here
//! on: a task stops only in a trap, and the kernel decides when it goes on.

#![forbid(unsafe_code)]

pub mod channel;
pub mod error;
pub mod generator;
pub mod kernel;
pub mod polling;
pub mod programs;
pub mod record;
pub mod report;
pub mod scheduler;
pub mod shuffle;
pub mod state;
pub mod tables;
pub mod task;
pub mod traps;
pub mod voice;

// The wrong turn of the chapter. It compiles, and its output is in the page.
#[path = "../wrong/by_message.rs"]
pub mod wrong;
