//! Chapter 5: a kernel for tasks that may fail.
//!
//! From here on, the files of a stage have the names and the places of those of `curio`; they are smaller. What the crate
//! does not have, the programs that a stage runs, is below [`programs`].
//!
//! The way here from chapter 4, for whoever writes the page:
//!
//! - *Why now.* In chapter 4 a task that panics takes the kernel with it, and a task can give nothing, neither a value nor
//!   the news that it has failed. A kernel is one that outlives its tasks.
//! - *First the result.* A task gives `()` or a [`Result`] ([`Outcome`]); so does whoever waits for it: `join` gives the
//!   value, or an [`Error::Task`] that says what became of it. The kernel learns of three ends: value, error, panic. One
//!   allocation holds the future and later the result (`cell`).
//! - *Then every operation.* When a join may fail, so may every operation. They all wait through `Waiting::trap` in
//!   [`traps`], and so far there is one reason why it refuses: no task is running. In chapter 4 that was a panic. Chapter 9
//!   adds another reason to that function, and no operation notices.
//! - *Then the table.* With ends of all kinds, places are given back all the time, so the tables become slabs: a place is
//!   used again. A number alone may then mean the wrong one (`wrong::bare_index`: a lost wake-up); a key is a place and a
//!   serial (`pool`).
//! - *Then the ready queue.* A wake on the kernel's own thread finds the task in the table and queues it at once; only
//!   other threads leave a letter (`waker`, `remote`). So the scheduler's file of chapter 1 ends as a part of `tables`.
//! - *Say:* that Rust prints a panic to standard error before anybody catches it, and that the kernel adds a line there for
//!   each task that has failed; the transcripts are of standard output. And that tests must join: an assertion that fails in
//!   a task is the end of that task alone.
//! - *Unchanged:* what a note is and when it exists, who knocks, that a task is queued once, `join2`. The doorbell and the
//!   postman are left out, not refuted; threads are back in chapter 12.
//!
//! | chapter 2's request | chapter 4's note | here |
//! |---|---|---|
//! | `Yield` | none: wakes itself | the same, and it may be refused: `traps::pause` |
//! | `Spawn` | none: never waits | the same; the task may give a value |
//! | `Join(task)` | `TASK_JOIN`, on the list of the task's `End` | the same list, in the task's cell; gives its result |
//! | `Send(channel, ..)` | none: never waits | the same |
//! | `Receive(channel)` | `RECEIVE_WAIT`, on the list of the channel | the same; gives a `Result` |

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
pub mod traps;
mod waits;
mod waker;

pub use error::{Deadlock, Error, Other, Result, TaskError};
pub use kernel::{Builder, Kernel};
pub use outcome::{Outcome, Value};
pub use remote::spawn_thread;
pub use state::State;
pub use task::{Join, Task, TaskBuilder, spawn, task};
pub use time::{YieldNow, yield_now};

// The wrong turn of the chapter. It compiles, and its output is in the page.
#[path = "../wrong/mod.rs"]
pub mod wrong;
