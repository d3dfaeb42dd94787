//! Chapter 6: time.
//!
//! The way here from chapter 5, for whoever writes the page:
//!
//! - *What we cannot do yet.* A task can let others run, and cannot wait for five seconds. Whoever looks at the clock again
//!   and again (`wrong::looking`) keeps the kernel from ever sleeping.
//! - *First who knocks.* A sleep waits as everything waits: it writes a note. What is new is who knocks: the kernel itself,
//!   when nobody else does anything. So the note has a timer, and `traps` a third way to wait, through the same function.
//! - *Then which timer is next.* A sorted list would do, and be slow to set; a heap is enough, because only the first
//!   matters. Most timers are taken out before they fire (chapter 10 will set one around every read), so a timer must be
//!   found in the middle: the heap has an index (`timers`).
//! - *Then the clock as a setting.* When every task waits, and no thread could knock, nothing can happen before the next
//!   deadline. So a kernel may as well *say* that it is then: the virtual clock. From here on transcripts and tests with
//!   seconds and hours in them are exact and take no time.
//! - *Unchanged:* the files named in `tests/program.rs`, among them the task cell, the pool, the wakers, the channel.
//!   Deadlines of other operations wait for chapter 10: a timeout is a kind of cancellation.
//!
//! The programs of earlier chapters are left out; the kernel would run them as before.

#![forbid(unsafe_code)]

mod cell;
mod contain;
mod context;
mod error;
mod kernel;
mod key;
mod name;
mod outcome;
mod pool;
pub mod programs;
mod remote;
mod state;
mod tables;
mod task;
mod time;
mod timers;
pub mod traps;
mod waits;
mod waker;

pub use context::Clock;
pub use error::{Deadlock, Error, Other, Result, TaskError};
pub use kernel::{Builder, Kernel};
pub use outcome::{Outcome, Value};
pub use remote::spawn_thread;
pub use state::State;
pub use task::{Join, Task, TaskBuilder, spawn, task};
pub use time::{Sleep, YieldNow, clock, sleep, sleep_until, yield_now};

// The wrong turn of the chapter. It compiles, and its output is in the page.
#[path = "../wrong/mod.rs"]
pub mod wrong;
