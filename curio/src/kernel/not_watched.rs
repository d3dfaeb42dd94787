//! The same where there is no monitor.

use std::convert::Infallible;
use std::sync::Arc;

use super::exits;
use crate::error::Result;
use crate::mirror::Mirror;

#[derive(Debug, Default)]
pub(super) struct Plan(());

pub(super) enum Ready {}

pub(super) struct Watched(#[allow(dead_code)] Infallible);

impl Plan {
    pub(super) fn open(self, _: &mut Vec<exits::Signal>) -> Result<Option<Ready>> {
        Ok(None)
    }
}

impl Ready {
    pub(super) fn start(self, _: Arc<Mirror>) -> Result<Watched> {
        match self {}
    }
}
