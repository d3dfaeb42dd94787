//! The pool, a job and a slot under every interleaving; see `remote::loom`.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context as TaskContext, Waker};
use std::time::Duration;

use ::loom::sync::atomic::{AtomicUsize, Ordering};
use ::loom::thread;

use super::job::Errand;
use super::pool::Pool;
use crate::error::Result;
use crate::remote::block_on;
use crate::remote::loom::explore;
use crate::slot::Slot;

/// A pool whose workers never leave by themselves.
fn pool(limit: usize) -> Pool {
    Pool::new(limit, Duration::MAX)
}

fn start<F, T>(pool: &Pool, function: F) -> Errand<F, T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let errand = Errand::new(function, &TaskContext::from_waker(Waker::noop()));
    let queued = pool.submit(errand.work()).unwrap();
    errand.queued(queued)
}

fn wait<F, T>(errand: &Errand<F, T>) -> Result<T> {
    block_on(poll_fn(|cx| errand.poll(cx)), None).unwrap()
}

#[test]
fn a_value_goes_one_way_and_a_waiter_is_woken() {
    explore(|| {
        let slot = Arc::new(Slot::new());
        let maker = slot.clone();
        let made = thread::spawn(move || maker.put(7).wake() == Some(7));
        let got = block_on(poll_fn(|cx| slot.poll(cx)), None).flatten();
        assert_eq!(got, Some(7));
        assert!(!made.join().unwrap());
    });
}

#[test]
fn who_leaves_and_who_puts_agree_on_who_was_first() {
    explore(|| {
        let slot = Arc::new(Slot::new());
        let maker = slot.clone();
        let refused = thread::spawn(move || maker.put(7).wake() == Some(7));
        let still_at_work = slot.leave();
        assert_eq!(still_at_work, refused.join().unwrap());
    });
}

#[test]
fn a_maker_that_goes_away_is_noticed() {
    explore(|| {
        let slot = Arc::new(Slot::<i32>::new());
        let maker = slot.clone();
        thread::spawn(move || maker.close());
        assert_eq!(block_on(poll_fn(|cx| slot.poll(cx)), None).flatten(), None);
    });
}

#[test]
fn two_jobs_and_one_worker() {
    explore(|| {
        let pool = pool(1);
        let (first, second) = (start(&pool, || 1), start(&pool, || 2));
        assert_eq!(wait(&second).unwrap(), 2);
        assert_eq!(wait(&first).unwrap(), 1);
        let third = start(&pool, || 3);
        assert_eq!(wait(&third).unwrap(), 3);
    });
}

#[test]
fn two_jobs_and_two_workers() {
    explore(|| {
        let pool = pool(2);
        let (first, second) = (start(&pool, || 1), start(&pool, || 2));
        assert_eq!(wait(&first).unwrap() + wait(&second).unwrap(), 3);
    });
}

#[test]
fn a_job_that_is_left_at_any_moment_does_not_hold_up_the_next() {
    explore(|| {
        let pool = pool(1);
        let ran = Arc::new(AtomicUsize::new(0));
        let runs = ran.clone();
        let left = start(&pool, move || runs.fetch_add(1, Ordering::Relaxed));
        let next = start(&pool, || 2);
        drop(left);
        assert_eq!(wait(&next).unwrap(), 2);
        assert!(ran.load(Ordering::Relaxed) <= 1);
    });
}

#[test]
fn a_job_that_is_detached_still_gives_its_value() {
    explore(|| {
        let pool = pool(1);
        let later = start(&pool, || 1);
        later.detach();
        let next = start(&pool, || 2);
        assert_eq!(wait(&next).unwrap(), 2);
        assert_eq!(wait(&later).unwrap(), 1);
    });
}

#[test]
fn a_pool_that_is_closed_keeps_nobody() {
    explore(|| {
        let pool = pool(1);
        let job = start(&pool, || 1);
        drop(pool);
        // It has run, or it never will; and the worker ends, or this model would not.
        drop(job);
    });
}
