//! Exercise 3, wrong: the first job that fails is the last.

#![allow(unused)] // as in the stub

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
    let error = loop {
        let job = match jobs.receive().await {
            Ok(job) => job,
            Err(error) => break error,
        };
        match work_on(&job).await {
            Ok(()) => diary.note(format!("done: {job}")),
            Err(error) => break error,
        }
    };
    lock_up(&diary).await?;
    Err(error)
}
