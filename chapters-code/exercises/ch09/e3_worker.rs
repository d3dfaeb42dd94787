//! Exercise 3 of chapter 9, extend: a worker that can be sent home.
//!
//! A worker takes jobs out of a channel, one after the other, for ever. It notes `done: JOB` for each that is done, and
//! `failed: JOB: ERROR` for each that is not; after that it takes the next.
//!
//! It works until it is cancelled, whatever it does at that moment. Then it locks up, and ends as a task that was cancelled.
//! A job that was interrupted was neither done nor has it failed: there is no note of it.

#![allow(clippy::todo, unused)] // until your code stands here

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use chapter9::programs::channel::Channel;
use chapter9::{Error, Result, sleep};

/// What the worker notes down. Cloning it gives another handle of the same diary.
#[derive(Clone, Debug, Default)]
pub struct Diary(Rc<RefCell<Vec<String>>>);

impl Diary {
    /// Adds a line.
    pub fn note(&self, line: impl Into<String>) {
        self.0.borrow_mut().push(line.into());
    }

    /// All lines.
    pub fn lines(&self) -> Vec<String> {
        self.0.borrow().clone()
    }
}

/// Does a job, in a second. Some cannot be done.
async fn work_on(job: &str) -> Result<()> {
    sleep(Duration::from_secs(1)).await?;
    match job.strip_prefix("broken ") {
        Some(thing) => Err(Error::other(format!("the {thing} is broken"))),
        None => Ok(()),
    }
}

/// Locks the workshop up, in a second.
async fn lock_up(diary: &Diary) -> Result<()> {
    sleep(Duration::from_secs(1)).await?;
    diary.note("locked up");
    Ok(())
}

/// Works on the jobs that come out of the channel, one after the other.
pub async fn worker(jobs: Channel, diary: Diary) -> Result<()> {
    todo!("take a job, work on it, note it; and know when to stop")
}
