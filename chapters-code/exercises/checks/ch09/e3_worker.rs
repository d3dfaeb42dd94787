//! Checks of exercise 3: a loop that can be cancelled.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use chapter9::programs::channel::Channel;
use chapter9::{Clock, Error, Kernel, Result, clock, sleep, task};

use super::subject::{Diary, worker};

/// How a worker's day was.
struct Day {
    /// Whether it had ended before it was sent home.
    ended_early: bool,
    /// What it gave.
    result: Result<()>,
    /// What it noted.
    notes: Vec<String>,
    /// How long its end took.
    to_end: Duration,
}

/// Gives a worker these jobs, and sends it home after so many tenths of a second.
async fn boss(jobs: &[&str], home_after: u64) -> Result<Day> {
    let (channel, diary) = (Channel::new(), Diary::default());
    let worker = worker(channel.clone(), diary.clone());
    let worker = task(worker).name("worker").spawn();
    for job in jobs {
        channel.send(job.to_string());
    }
    sleep(Duration::from_millis(100 * home_after)).await?;
    let (ended_early, asked) = (worker.terminated(), clock());
    worker.cancel().await?;
    Ok(Day {
        ended_early,
        result: worker.join().await,
        notes: diary.lines(),
        to_end: clock() - asked,
    })
}

/// The same, in a kernel on the virtual clock.
fn day(seed: Option<u64>, jobs: &'static [&'static str], home_after: u64) -> Day {
    let builder = Kernel::builder().clock(Clock::Virtual);
    let kernel = match seed {
        Some(seed) => builder.seed(seed).build(),
        None => builder.build(),
    };
    let day = Rc::new(RefCell::new(None));
    let out = day.clone();
    kernel.spawn(async move {
        let end = boss(jobs, home_after).await;
        out.replace(Some(end));
    });
    if let Err(error) = kernel.run_all() {
        panic!(
            "the worker was cancelled and goes on: a cancellation is delivered once, and whoever takes it for \
             something else has swallowed it\n{error}"
        );
    }
    let day = day.take().expect("the boss came to an end");
    let day = day.expect("nobody cancels the boss");
    if let Err(Error::Task(error)) = &day.result
        && let Some(message) = error.panic_message()
    {
        panic!("{message}");
    }
    day
}

fn it_does_one_job_after_the_other(seed: Option<u64>) {
    let day = day(seed, &["chair", "table"], 25);
    assert_eq!(day.notes[..2], ["done: chair", "done: table"]);
}

fn a_job_that_fails_is_noted_and_the_next_is_done(seed: Option<u64>) {
    let day = day(seed, &["broken lamp", "chair", "broken cup", "table"], 45);
    assert!(
        !day.ended_early,
        "it went home before anybody sent it: does a job that fails end it?"
    );
    let expected = [
        "failed: broken lamp: the lamp is broken",
        "done: chair",
        "failed: broken cup: the cup is broken",
        "done: table",
    ];
    assert_eq!(day.notes[..4], expected);
}

/// It was sent home, and did what is to be done then.
fn went_home(day: &Day, notes: &[&str]) {
    assert_eq!(
        day.notes.last().map(String::as_str),
        Some("locked up"),
        "it went home and did not lock up: there is something to do after the error, and to wait for"
    );
    let before = &day.notes[..day.notes.len() - 1];
    assert_eq!(
        before, notes,
        "a job that was interrupted was neither done nor has it failed"
    );
    assert_eq!(day.to_end, Duration::from_secs(1), "to lock up takes a second");
    let cancelled = matches!(&day.result, Err(Error::Task(error)) if error.cancelled());
    assert!(
        cancelled,
        "it was cancelled, and says {:?}: hand the error on, after the clean-up",
        day.result
    );
}

fn it_can_be_sent_home_while_it_waits_for_a_job(seed: Option<u64>) {
    went_home(&day(seed, &["chair"], 45), &["done: chair"]);
    went_home(&day(seed, &[], 5), &[]);
}

fn it_can_be_sent_home_in_the_middle_of_a_job(seed: Option<u64>) {
    went_home(&day(seed, &["chair", "table", "lamp"], 15), &["done: chair"]);
    went_home(
        &day(seed, &["broken cup", "table"], 15),
        &["failed: broken cup: the cup is broken"],
    );
}

exercises::checks! {
    under_seeds it_does_one_job_after_the_other;
    under_seeds a_job_that_fails_is_noted_and_the_next_is_done;
    under_seeds it_can_be_sent_home_while_it_waits_for_a_job;
    under_seeds it_can_be_sent_home_in_the_middle_of_a_job;
}
