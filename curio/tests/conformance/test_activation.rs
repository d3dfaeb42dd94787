//! `tests/test_activation.py`.
//!
//! | not translated | why |
//! |---|---|
//! | `test_activation_trap_patch` | traps are functions here, and cannot be replaced |
//!
//! | differs | how |
//! |---|---|
//! | `test_activation_count` | the kernel has no tasks of its own, so there is one |
//! | all | there are more events (`ready`, `wait`, `wake`, ...); these tests listen to Python's five |

use std::cell::RefCell;
use std::panic::Location;
use std::rc::Rc;
use std::time::{Duration, Instant};

use curio::activation::{Activation, Ending, KernelInfo, TaskInfo};
use curio::{Clock, Kernel, Result, State, TaskError, sleep};

use crate::common::Watchdog;
use crate::fail;

const SEC: Duration = Duration::from_secs(1);

#[derive(Clone, Default)]
struct Recorder(Rc<RefCell<Vec<&'static str>>>);

impl Recorder {
    fn record(&self, event: &'static str) {
        self.0.borrow_mut().push(event);
    }
}

impl Activation for Recorder {
    fn activate(&mut self, _: &KernelInfo) {
        self.record("activate");
    }
    fn created(&mut self, _: Instant, _: &TaskInfo) {
        self.record("created");
    }
    fn running(&mut self, _: Instant, _: &TaskInfo) {
        self.record("running");
    }
    fn suspended(&mut self, _: Instant, _: &TaskInfo, _: State, _: Option<&'static Location<'static>>) {
        self.record("suspended");
    }
    fn terminated(&mut self, _: Instant, _: &TaskInfo, _: Ending, _: Option<&TaskError>) {
        self.record("terminated");
    }
}

/// The events of a run that is followed by a shutdown.
fn record<T>(main: impl Future<Output = Result<T>>) -> (Result<T>, Vec<&'static str>) {
    let _guard = Watchdog::start();
    let recorder = Recorder::default();
    let kernel = Kernel::builder()
        .clock(Clock::Virtual)
        .activation(recorder.clone())
        .build()
        .unwrap();
    let result = kernel.run(main);
    kernel.shutdown().unwrap();
    let events = recorder.0.take();
    (result, events)
}

#[test]
fn test_activation_base() {
    let (result, events) = record(async {
        for _ in 0..3 {
            sleep(SEC).await?;
        }
        Ok(())
    });
    result.unwrap();
    let mut expected = vec!["activate", "created"];
    expected.extend(["running", "suspended"].repeat(4));
    expected.push("terminated");
    assert_eq!(events, expected);
}

#[test]
fn test_activation_crash() {
    let (result, events) = record(async {
        sleep(SEC).await?;
        fail::<()>().await
    });
    assert!(result.is_err());
    let mut expected = vec!["activate", "created"];
    expected.extend(["running", "suspended"].repeat(2));
    expected.push("terminated");
    assert_eq!(events, expected);
}

#[test]
fn test_activation_count() {
    let (result, events) = record(async { Ok(()) });
    result.unwrap();
    assert_eq!(events.iter().filter(|&&event| event == "created").count(), 1);
}
