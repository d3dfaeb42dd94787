//! Python Curio's test-suite, test by test.
//!
//! Each file here is one of its files, and each test has its name there and stands in its order, so that the two can be laid
//! side by side. They are written anew from what those tests assert. A table at the top of each file says which tests are
//! missing and why, and what differs here.
//!
//! Python's suite runs in order on the real clock, and one kernel runs all tests, so that leaks show. Here every test asserts
//! that it leaves nothing behind. It is run
//!
//! | by | on | because |
//! |---|---|---|
//! | `everywhere` | the virtual clock, in order and under 1,000 shuffled schedules; the real clock | it is about time |
//! | `virtually` | the same without the real clock | it is right in any order |
//! | `in_order` | the virtual clock, first in, first out | it pins the order |
//! | `really` | the real clock | it has sockets, and nobody can make the system hurry |
//!
//! | files that are not translated | why |
//! |---|---|
//! | `test_asyncgen`, `test_meta`, `test_blocking` and the like | Python's coroutines, and ways to tell them apart |
//! | `test_local`, `test_tls` | task-local values, gone from Python too |
//! | `test_asyncio`, `test_pytest_plugin` | bridges to parts of Python, gone from there too |
//! | `curio/test/sync.py`, `socket.py`, `network.py` of 2015 | older states of `test_sync` and so on; their `timeout=` is what `.timeout(..)` is here |
//!
//! `faults` is not one of Python's files: it has the known faults of its code.
//!
//! The times are in units (`w.t(1)`), whatever they were in Python.

#![allow(missing_docs)]

#[path = "../common/mod.rs"]
mod common;
mod faults;
mod test_activation;
#[cfg(feature = "channel")]
mod test_channel;
mod test_file;
mod test_io;
mod test_kernel;
mod test_kernel_2015;
mod test_network;
mod test_promise;
mod test_queue;
#[cfg(unix)]
mod test_signal;
mod test_socket;
mod test_socketserver;
#[cfg(unix)]
mod test_subprocess;
mod test_sync;
mod test_task;
mod test_thread;
mod test_timequeue;
mod test_workers;

use std::cell::RefCell;
use std::error::Error as _;
use std::rc::Rc;

use common::really;
use curio::{Error, Kernel, Result, Task};

/// What a program has done, in order: the list that Python's tests append to.
#[derive(Clone, Default)]
struct Results(Rc<RefCell<Vec<String>>>);

impl Results {
    fn append(&self, what: impl Into<String>) {
        self.0.borrow_mut().push(what.into());
    }

    /// Takes away what may be there or not.
    fn remove(&self, what: &str) {
        self.0.borrow_mut().retain(|done| done != what);
    }

    #[track_caller]
    fn are(&self, expected: &[&str]) {
        assert_eq!(*self.0.borrow(), expected);
    }
}

/// Makes a future from a function and clones of what it needs, so that a test reads as it does in Python.
macro_rules! with {
    ($($name:ident),+; $body:expr) => {{
        $(let $name = $name.clone();)+
        async move { $body }
    }};
}
use with;

/// The error that a task has ended with.
#[track_caller]
fn cause(error: &Error) -> &Error {
    let Error::Task(error) = error else {
        panic!("not the error of a task: {error:?}")
    };
    error.source().and_then(|cause| cause.downcast_ref()).unwrap()
}

/// Python's `try: await task.join() except TaskError as e: assert isinstance(e.__cause__, CancelledError)`.
#[track_caller]
fn is_cancelled<T: std::fmt::Debug>(joined: Result<T>) {
    let error = joined.unwrap_err();
    assert!(matches!(cause(&error), Error::Cancelled(_)), "{error:?}");
    assert!(matches!(&error, Error::Task(task) if task.cancelled()));
    assert!(!error.is_cancellation());
}

/// An error as a program would make it; Python's `ValueError`.
#[derive(Debug)]
struct ValueError(&'static str);

impl std::fmt::Display for ValueError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for ValueError {}

fn value_error() -> Error {
    Error::other(ValueError("no value"))
}

fn is_value_error(error: &Error) -> bool {
    matches!(error, Error::Other(other) if other.get_ref().is::<ValueError>())
}

/// Fails a task with its name, to see where it comes out.
async fn fail<T>() -> Result<T> {
    Err(value_error())
}

fn ids<T>(tasks: &[&Task<T>]) -> Vec<u64> {
    tasks.iter().map(|task| task.id()).collect()
}

#[track_caller]
fn assert_empty(kernel: &Kernel) {
    assert_eq!(
        format!("{kernel:?}"),
        "Kernel { tasks: 0, waits: 0, scopes: 0, timers: 0, sockets: 0 }"
    );
}
