//! Chapter 9: cancellation delivered as a value.
//!
//! This stage stands on that of chapter 6. Chapters 7 and 8 are not written yet: of 8 there is no more than what chapter 4
//! brought, a wait list, and the channel that is built on it. That is enough to show the claim: sockets, locks and queues
//! wait through the same function.
//!
//! The way here, for whoever writes the page:
//!
//! - *What we cannot do yet.* The parent of chapter 6 waits 1000 seconds for its kid. To drop the kid's future is possible
//!   (`wrong::dropping`), and the kid is not asked: nothing that must be done at the end can wait for anything.
//! - *So ask it.* The only place where a task can be asked is where it waits, and there every operation resolves to a
//!   `Result` since chapter 5. So a request is one flag, and the operation that would wait next resolves to `Err(Cancelled)`.
//!   `?` carries it outwards, past all clean-up code that there is.
//! - *Delivered once.* Otherwise the clean-up itself could not wait. The price: whoever takes the error and goes on has
//!   swallowed it. Hence [`Error::is_cancellation`], which a loop looks at first.
//! - *The finished operation wins.* The flag is looked at by who would wait, not by who can complete. So an operation that
//!   was interrupted has had no effect: no message is lost.
//! - *What changed.* One function of `traps`, and what cannot be elsewhere: the flag (a field of the cell's header), the
//!   request (`handle`, `interrupt`), the error's new variant. Kernel, tables, timers, operations and the programs of
//!   chapter 6 are those of chapter 6 to the letter; `tests/program.rs` checks it, and runs them.
//! - *What is left.* A task that waits for two things has one flag: one of the two hears of it, the other sleeps on
//!   (`two-ears`). Chapter 10 asks which operations had begun to wait before the delivery, and gives flags to timeouts. A
//!   task that waits for a foreign future cannot be told at all; that is chapter 11's.
//!   (And chapter 8's: a receive that was woken for a message and is then *dropped* takes the wake-up with it. One that is
//!   *interrupted* does not: it looks for the message first.)

#![forbid(unsafe_code)]

mod cell;
mod contain;
mod context;
mod error;
#[path = "programs/goodbye.rs"]
pub mod goodbye;
mod handle;
mod interrupt;
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
pub use handle::Cancel;
pub use kernel::{Builder, Kernel};
pub use outcome::{Outcome, Value};
pub use remote::spawn_thread;
pub use state::State;
pub use task::{Join, Task, TaskBuilder, spawn, task};
pub use time::{Sleep, YieldNow, clock, sleep, sleep_until, yield_now};

// The wrong turn of the chapter. It compiles, and its output is in the page.
#[path = "../wrong/mod.rs"]
pub mod wrong;
