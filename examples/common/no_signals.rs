//! Where there are no Unix signals, none ever comes.

#![allow(dead_code)]

use curio::{Result, sleep};
use std::time::Duration;

pub(crate) mod signal {
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct Signal;

    pub(crate) const SIGHUP: Signal = Signal;
    pub(crate) const SIGINT: Signal = Signal;
    pub(crate) const SIGTERM: Signal = Signal;
}

use signal::Signal;

pub(crate) struct SignalQueue;

impl SignalQueue {
    pub(crate) fn new<const N: usize>(_: [Signal; N]) -> Result<SignalQueue> {
        Ok(SignalQueue)
    }

    pub(crate) async fn get(&self) -> Result<Signal> {
        loop {
            sleep(Duration::MAX).await?;
        }
    }
}

pub(crate) struct SignalEvent(SignalQueue);

impl SignalEvent {
    pub(crate) fn new<const N: usize>(signals: [Signal; N]) -> Result<SignalEvent> {
        SignalQueue::new(signals).map(SignalEvent)
    }

    pub(crate) async fn wait(&self) -> Result<Signal> {
        self.0.get().await
    }
}
