//! Functions that block, in threads of their own.
//!
//! A function that blocks or computes for long would hold up all tasks of the kernel. [`run_in_thread`] gives it to a worker
//! thread and lets the task wait for what it gives:
//!
//! ```
//! use curio::{run, run_in_thread, spawn};
//!
//! fn fib(n: u64) -> u64 {
//!     if n < 2 { n } else { fib(n - 1) + fib(n - 2) }
//! }
//!
//! run(async {
//!     let other = spawn(async { println!("meanwhile") });
//!     assert_eq!(run_in_thread(|| fib(20)).await?, 6765);
//!     other.join().await
//! })
//! .unwrap();
//! ```
//!
//! # Interrupted
//!
//! Nobody can stop a thread from outside. So a caller that is cancelled or timed out *leaves at once*, and a function that
//! has begun runs on without it, as a *zombie*: what it gives is dropped, in its thread. (A lock that it takes too late is so
//! released, if the guard is what it gives.) A function that has not begun never runs. What must not get lost that way
//! goes through a [`UniversalQueue`](crate::UniversalQueue).
//!
//! A zombie does not count: another worker takes its place, and neither a shutdown nor the end of the process waits
//! for it. So there may be any number of zombies; [`block_in_thread`] bounds it for what many wait for.
//!
//! # One pool for each kernel
//!
//! The threads belong to the kernel and not to the process. They are started when they are needed, so a kernel that needs none
//! has none, and not even a pool; they end after ten idle seconds, and with the kernel. Several kernels do not meet
//! at a lock, and none can starve another one by its blocking functions. Most of all, a function may run a kernel of its
//! own: with a common pool that is full of such functions, each of which waits for a function of its own, all would wait
//! for ever. The price is that an idle thread of one kernel is of no use to another.
//!
//! (Rejected: to hand the job to a certain idle worker, because that one may be the last that the system lets run. And to
//! join the idle workers at the end, because a thread's own clean-up may block.)

mod block;
mod executor;
mod job;
#[cfg(all(test, loom))]
mod loom;
mod pool;
mod thread;

pub use block::{BlockInThread, block_in_thread};
pub use executor::{Executor, RunInExecutor, run_in_executor};
pub use job::Panicked;
pub(crate) use thread::{Errand, start};
pub use thread::{RunInThread, run_in_thread};
