//! What an adapter must do, checked over whatever `Adapter` the module `subject` beside this one holds: the chapter's own
//! in `tests/invariants.rs`, a reader's in exercise 2.
//!
//! A check that takes a seed runs the schedule of that seed, or the order of arrival without one.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::task::Poll;

use chapter3::context;
use chapter3::generator::{Generator, Step};
use chapter3::kernel::Kernel;
use chapter3::operations::{ask, yield_now};
use chapter3::traps::{Reply, Trap};

use super::subject::Adapter;

/// More turns than any of these programs needs.
const TURN_LIMIT: usize = 200;

fn kernel(seed: Option<u64>) -> Kernel {
    seed.map_or_else(Kernel::new, Kernel::with_seed)
}

/// Runs until nobody can go on, within reason. True if all have ended.
fn run(kernel: &mut Kernel) -> bool {
    let turns = std::iter::from_fn(|| kernel.run_once()).take(TURN_LIMIT).count();
    assert!(
        turns < TURN_LIMIT,
        "still running after {TURN_LIMIT} turns: does the request reach the kernel, and its answer the future?"
    );
    kernel.tables().tasks.is_empty()
}

/// Runs this. If it panics, the message says what kind of mistake it looks like; but a `todo!` is a `todo!`.
fn explained<R>(message: &str, f: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        match text {
            Some(text) if !text.starts_with("not yet implemented") => panic!("{text}: {message}"),
            _ => resume_unwind(panic),
        }
    })
}

/// What a generator hands out, in words; `None` at its end.
fn resume(adapter: &mut Adapter, answer: Reply) -> Option<String> {
    match adapter.resume(answer) {
        Step::Yielded(trap) => Some(trap.to_string()),
        Step::Complete => None,
    }
}

pub(crate) fn one_resume_is_one_poll() {
    let polls = Rc::new(Cell::new(0));
    let counter = polls.clone();
    let mut adapter = Adapter::new(poll_fn(move |_| {
        counter.set(counter.get() + 1);
        match counter.get() {
            5.. => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }));
    assert_eq!(polls.get(), 0, "polled before the first turn");
    for turn in 1..=5 {
        let out = resume(&mut adapter, Reply::Done);
        assert_eq!(
            polls.get(),
            turn,
            "polled {} times in {turn} turns: one resume is one poll, no loop",
            polls.get()
        );
        assert_eq!(
            out.is_none(),
            turn == 5,
            "turn {turn}: pending is yielded, ready is complete"
        );
    }
}

pub(crate) fn a_request_is_handed_out_in_the_same_turn() {
    let mut adapter = Adapter::new(async {
        ask(Trap::spawn("kid", chapter3::adapter::Adapter::new(async {}))).await;
        yield_now().await;
    });
    let message = "not the request that the future has left in the slot: is it taken out after the poll?";
    assert_eq!(
        resume(&mut adapter, Reply::Done).as_deref(),
        Some("spawn kid"),
        "{message}"
    );
    assert_eq!(
        resume(&mut adapter, Reply::Done).as_deref(),
        Some("yield"),
        "{message}"
    );
    assert!(
        context::take_request().is_none(),
        "the request is still in the slot, for the next task to find"
    );
}

pub(crate) fn an_answer_reaches_the_await_that_asked(seed: Option<u64>) {
    let heard = Rc::new(RefCell::new(Vec::new()));
    let mut kernel = kernel(seed);
    let (first, second) = (kernel.channel(), kernel.channel());
    let kid = kernel.spawn("kid", Adapter::new(async { yield_now().await }));
    let listener = heard.clone();
    kernel.spawn(
        "listener",
        Adapter::new(async move {
            let one = second.receive().await;
            kid.join().await;
            let two = first.receive().await;
            listener.borrow_mut().extend([one, two]);
        }),
    );
    kernel.spawn(
        "sender",
        Adapter::new(async move {
            first.send("first".to_string()).await;
            yield_now().await;
            second.send("second".to_string()).await;
        }),
    );
    let message = "an await got the answer to something else; is the answer in the slot before the poll?";
    let ended = explained(message, || run(&mut kernel));
    assert!(ended, "a task was never answered:{}", kernel.tables().report());
    assert_eq!(*heard.borrow(), ["second", "first"], "{message}");
}

pub(crate) fn a_future_that_asks_nothing_gets_another_turn(seed: Option<u64>) {
    let mut kernel = kernel(seed);
    let polls = Rc::new(Cell::new(0));
    let counter = polls.clone();
    let foreign = poll_fn(move |_| {
        counter.set(counter.get() + 1);
        match counter.get() {
            7.. => Poll::Ready(()),
            _ => Poll::Pending,
        }
    });
    kernel.spawn("foreign", Adapter::new(foreign));
    kernel.spawn("kid", Adapter::new(async { yield_now().await }));
    let message = "a future that is pending and has left no request did not get another turn";
    assert!(explained(message, || run(&mut kernel)), "{message}");
    assert_eq!(polls.get(), 7, "{message}, though it is not ready");
}

/// Counts how often it is dropped.
struct Dropped(Rc<Cell<u32>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

pub(crate) fn a_ready_future_is_dropped_and_never_polled_again() {
    let drops = Rc::new(Cell::new(0));
    let dropped = Dropped(drops.clone());
    // A future that holds it even when it is ready, until it is dropped.
    let mut holder = Some(dropped);
    let mut adapter = Adapter::new(poll_fn(move |_| {
        assert!(holder.as_mut().is_some());
        Poll::Ready(())
    }));
    assert_eq!(
        resume(&mut adapter, Reply::Done),
        None,
        "the future is ready, and the generator is not complete"
    );
    assert_eq!(
        drops.get(),
        1,
        "the future is ready, and still there with all it holds: drop it at its end"
    );
    let mut adapter = Adapter::new(async { yield_now().await });
    resume(&mut adapter, Reply::Done);
    for _ in 0..3 {
        // An `async` block that is polled after its end panics.
        let out = catch_unwind(AssertUnwindSafe(|| resume(&mut adapter, Reply::Done)));
        assert!(
            matches!(out, Ok(None)),
            "polled again after its end: once complete, a generator is complete for ever"
        );
    }
}
