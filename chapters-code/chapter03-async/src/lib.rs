//! Chapter 3: the compiler writes the state machine.
//!
//! The tasks are `async` functions now. An [`adapter::Adapter`] makes a generator of a future, and the kernel of chapter 2
//! runs it: not one line of the kernel has changed. A future leaves its request in a slot ([`context`]), where the
//! adapter finds it.

#![forbid(unsafe_code)]

pub mod adapter;
pub mod channel;
pub mod context;
pub mod error;
pub mod generator;
pub mod kernel;
pub mod operations;
pub mod pinned;
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
#[path = "../wrong/mod.rs"]
pub mod wrong;
