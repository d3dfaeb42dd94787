//! Universal objects: the bridge between kernels, threads and other executors.
//!
//! A kernel is one thread, and most of this crate stays in it. What must cross over goes through a [`UniversalQueue`], a
//! [`UniversalEvent`] or a [`UniversalResult`]. They look the same from all sides:
//!
//! - a task awaits them like any operation: it can be cancelled, timed out, and is shown in reports;
//! - a thread without a kernel calls the `blocking_*` methods;
//! - a task of another executor awaits them too: their operations are `Send` and `Sync`, and ordinary futures wherever no
//!   curio task polls them.
//!
//! All three are handles: clone one to share the object.
//!
//! ```
//! use curio::{UniversalQueue, run};
//! use std::thread;
//!
//! let queue = UniversalQueue::new();
//! let producer = thread::spawn({
//!     let queue = queue.clone();
//!     move || (1..=3).try_for_each(|n| queue.blocking_put(n))
//! });
//! run(async {
//!     for n in 1..=3 {
//!         assert_eq!(queue.get().await?, n);
//!     }
//!     Ok(())
//! })
//! .unwrap();
//! producer.join().unwrap().unwrap();
//! ```
//!
//! On the virtual clock a kernel whose tasks all wait, one of them for something universal, does not take that for a
//! deadlock: it waits for the other threads. But it does not wait while there is a deadline to jump to.

#[cfg(unix)]
mod descriptor;
#[cfg(not(unix))]
#[path = "universal/no_descriptor.rs"]
mod descriptor;
mod event;
pub(crate) mod operation;
mod queue;
mod result;

pub use crate::queue::TryPutError;
pub use event::{EventWait, UniversalEvent};
pub use queue::{Get, Join, Next, Put, UniversalQueue};
pub use result::{ResultWait, UniversalResult};
