//! Unix signals, for tasks, threads and other executors.
//!
//! - [`SignalQueue`] gives each signal that comes, for programs that answer more than once.
//! - [`SignalEvent`] is set by the first one that comes, for programs that wait for the end.
//! - [`ignore`] makes signals pass without effect for a while.
//! - [`Builder::exit_on`](crate::Builder::exit_on) makes them end a whole run in an orderly way.
//!
//! Any number of them may watch the same signal, from any number of kernels and threads: each gets it. While somebody
//! watches a signal, it does not do what it did before (end the program, as a rule); as soon as nobody does, it does again.
//!
//! ```standalone_crate
//! use curio::signal::{SIGHUP, SIGTERM, raise};
//! use curio::{Result, SignalQueue, run};
//!
//! async fn program() -> Result<()> {
//!     let signals = SignalQueue::new([SIGHUP, SIGTERM])?;
//!     raise(SIGHUP)?; // or from a terminal: kill -HUP ..
//!     assert_eq!(signals.get().await?, SIGHUP);
//!     Ok(())
//! }
//!
//! run(program()).unwrap();
//! ```
//!
//! # How a signal gets to a task
//!
//! A signal may come between any two instructions, in any thread, with any lock held. So its handler can do next to
//! nothing: it writes one byte into a pipe, and a thread at the other end does the rest.
//!
//! ```text
//!             any thread                        one thread                any kernel, thread, executor
//!  signal ──▶ handler ── byte ──▶ pipe ──▶ reader ── watchers ──▶ state ── waker ──▶ operation
//!                └ if the pipe is full: counted
//! ```
//!
//! The last step is that of the [`universal`](crate::universal) objects, and so is the operation. The pipe and its reader are
//! there while somebody watches any signal, and at no other time.
//!
//! Rejected:
//!
//! - To take `signal-hook` or `signal-hook-registry`: they leave their handler in place when the last one has gone, so that the
//!   second Ctrl-C of a program that has let go of the first would do nothing. To give the signal back is the point here.
//! - To take `nix`: it would spare three of the calls their `unsafe`, but not the handler its argument. `libc` is in the tree
//!   anyway.
//! - `signalfd`: it is Linux's alone, it wants the signals blocked in every thread and hence in every child process, and it
//!   merges what comes while nobody reads.
//! - To let each kernel read a pipe of its own: it would spare the thread, but threads and other executors would not hear
//!   anything.
//! - To have only a counter for each signal: the order among different ones would be lost.
//!
//! # Invariants
//!
//! N1. The handler touches atomics, writes to the pipe, and calls what was there before it. It takes no lock, allocates
//!     nothing, cannot panic, and leaves `errno` as it was.
//! N2. Each run of the handler comes out of the reader exactly once: as a byte, or from the count of its signal, and then there
//!     is a byte in the pipe after it was counted, for which the reader wakes up and looks at the counts.
//! N3. The pipe is closed only after no handler can write to it any more; or it would write to what the number means then.
//! N4. A signal has our handler exactly while somebody watches it. What it did before is kept meanwhile, and given back with
//!     the last watcher, unless others have replaced our handler: then theirs stays.
//! N5. In a child that was forked and has not executed another program yet, a signal does what it did before it was watched:
//!     the pipe is the parent's.
//! N6. What is ignored does not get into the pipe. But the end of a child does, under a number that is no signal's, and only
//!     who reaps children is told.

mod event;
mod handler;
mod number;
mod queue;
mod watch;

pub use event::{SignalEvent, Wait};
pub use number::*;
pub use queue::{Get, SignalQueue};
pub use watch::{Ignored, ignore};

pub(crate) use handler::kill;
pub(crate) use watch::{Rank, Watch, Watcher};
