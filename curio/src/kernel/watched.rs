//! The monitor of a kernel, if it has one; see `Builder::monitor`.

use std::sync::Arc;

use super::Builder;
use super::exits;
use crate::contain::log;
use crate::error::{Error, Result};
use crate::mirror::Mirror;
use crate::monitor::{Monitor, Opened, Serving};
use crate::signal::SIGINT;

/// What the builder was told of it.
#[derive(Debug, Default)]
pub(super) struct Plan(Option<Monitor>);

/// It listens, but nobody answers yet.
pub(super) struct Ready {
    opened: Opened,
    is_asked_for: bool,
}

/// The monitor is there as long as this is, if it could begin.
pub(super) struct Watched(#[allow(dead_code)] Option<Serving>);

impl Builder {
    /// Gives the kernel a monitor: those who connect to it see what it does, and can cancel its tasks; see
    /// [`monitor`](crate::monitor) (Python Curio: `with_monitor=True`).
    ///
    /// A kernel that is not given one has one nevertheless if the environment variable `CURIOMONITOR` is set, as
    /// [`Monitor::from_env`] says. Unix only, with the feature `monitor`, which is on by default.
    ///
    /// ```
    /// use curio::Kernel;
    /// use curio::monitor::Monitor;
    ///
    /// let kernel = Kernel::builder().monitor(Monitor::new()).build().unwrap();
    /// kernel.run(async {}).unwrap();
    /// ```
    pub fn monitor(mut self, monitor: Monitor) -> Builder {
        self.monitor = Plan(Some(monitor));
        self
    }
}

impl Plan {
    /// Opens what the monitor is to listen on.
    pub(super) fn open(self, exit_on: &mut Vec<exits::Signal>) -> Result<Option<Ready>> {
        let (monitor, is_asked_for) = match (self.0, Monitor::from_env()) {
            (Some(monitor), _) => (monitor, true),
            (None, Some(monitor)) => (monitor, false),
            (None, None) => return Ok(None),
        };
        match monitor.open() {
            Ok(opened) => {
                if monitor.comes_on_ctrl_c() && opened.has_terminal() {
                    // The monitor does that, at the second one.
                    exit_on.retain(|signal| *signal != SIGINT);
                }
                Ok(Some(Ready { opened, is_asked_for }))
            }
            Err(error) => without(is_asked_for, error).map(|()| None),
        }
    }
}

/// There is no monitor, for this reason. One that only the environment asks for is no reason for a program not to run.
fn without(is_asked_for: bool, error: Error) -> Result<()> {
    if is_asked_for {
        return Err(error);
    }
    log(format_args!("there is no monitor: {error}"));
    Ok(())
}

impl Ready {
    pub(super) fn start(self, mirror: Arc<Mirror>) -> Result<Watched> {
        match self.opened.start(mirror) {
            Ok(serving) => Ok(Watched(Some(serving))),
            Err(error) => without(self.is_asked_for, error).map(|()| Watched(None)),
        }
    }
}
