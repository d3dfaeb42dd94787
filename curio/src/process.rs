//! Functions that compute, in processes of their own.
//!
//! A thread ([`run_in_thread`](crate::run_in_thread)) cannot be stopped from outside. A process can: whoever is cancelled or
//! timed out while a function runs in another process *kills that process*, and leaves at once. And what a function does to
//! its process, be it to crash or to eat all memory, it does not do to this one.
//!
//! ```
//! use curio::{Error, run, run_in_process, timeout_after};
//! use std::time::Duration;
//!
//! fn fib(n: u64) -> u64 {
//!     if n < 2 { n } else { fib(n - 1) + fib(n - 2) }
//! }
//!
//! run(async {
//!     assert_eq!(run_in_process(fib, 20).await?, 6765);
//!
//!     // Centuries. It ends here.
//!     let centuries = timeout_after(Duration::from_millis(50), run_in_process(fib, 100)).await;
//!     assert!(matches!(centuries, Err(Error::Timeout(_))));
//!     Ok(())
//! })
//! .unwrap();
//! ```
//!
//! This module needs the feature `process`, and Unix.
//!
//! # How a function gets there
//!
//! A *worker* is this very program, started once more. It never comes to its `main`: a constructor, which the system calls
//! before that, sees that it is to be a worker, and waits for functions. So it works in any program, in tests and
//! examples too, and `main` need not call anything. (Rejected: `fork`. The child would have a copy of the kernel and of all
//! locks, as some thread held them at that moment.)
//!
//! Code cannot be sent, but the worker has it already, at a place that differs by a constant. So the function is named by how
//! far it lies from something that both know. It can be a function or a closure that captures nothing; it has one argument,
//! and more come as a tuple: `run_in_process(|(a, b)| a + b, (1, 2))`. Argument and value are those of
//! [serde](https://serde.rs), in the compact form of [postcard](https://docs.rs/postcard). That names no fields, which is right
//! between two processes of one program. Types that want to see what comes before they decide what it is
//! (`#[serde(untagged)]`, `#[serde(flatten)]`, `serde_json::Value`) are not for this form, and give an error.
//!
//! Both may be as large as memory allows, and go through the socket while others run. But they are written and read by serde all
//! at once, in the kernel's thread: what has hundreds of megabytes is better left in a file whose name is sent.
//!
//! # What a worker is
//!
//! | | |
//! |---|---|
//! | how many | as many at a time as there are CPUs, or [`Builder::max_worker_processes`](crate::Builder::max_worker_processes); who comes when all are busy waits in turn |
//! | how long | started when it is needed, kept for the next function, and killed with its kernel |
//! | statics, environment, current directory | those of a program that has just started; what a function leaves there, the next one finds |
//! | standard output and error | those of this program |
//! | standard input | empty |
//! | all other files | none, even those which are not marked to be closed; and none but these go to a process that a function forks |
//! | Ctrl-C | does nothing to it: the whole program gets it, and this process decides. To programs that a function starts it does what it always does |
//! | other signals | do what they do |
//! | when this process dies | it dies at once |
//!
//! A function may do there what it likes: start threads, run a kernel, or more processes of its own, exit. Two things are not
//! as in `main`, because that has not begun: [`std::env::args`] has the program's name at most, and a C++ library that is linked
//! statically may not have been initialized.
//!
//! A program that has more rights than whoever starts it (setuid) has no workers: whoever starts it could have them call anything.
//!
//! # What can go wrong
//!
//! What a function gives is the value, a `Result` too. Everything that befell it instead is a [`WorkerError`], inside
//! of an [`Error::Other`](crate::Error::Other).

mod call;
mod entry;
mod error;
mod life;
mod pool;
mod wire;
mod worker;

pub use call::{RunInProcess, run_in_process};
pub use error::WorkerError;
