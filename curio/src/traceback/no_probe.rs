//! The same where a thread cannot be asked.

use std::time::Duration;

use super::{Frame, Raw};

#[derive(Debug)]
pub(crate) struct Probe;

#[allow(dead_code)] // for the monitor
impl Probe {
    pub(crate) fn here() -> Probe {
        Probe
    }

    pub(crate) fn running(&self, _: Duration) -> Option<Raw> {
        None
    }
}

pub(super) fn frames(_: &[Vec<u64>]) -> Vec<Frame> {
    Vec::new()
}
