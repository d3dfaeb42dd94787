//! Events, locks, semaphores, conditions and promises, by situation.

#![allow(missing_docs)]

#[path = "../common/mod.rs"]
mod common;
mod each;
mod gate;
mod line;
mod model;
mod orphans;
