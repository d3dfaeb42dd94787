//! The ways through the diagram of `cell`; to be run under Miri, too: `cargo +nightly miri test -p curio --lib cell::`.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::*;
use crate::outcome::{Outcome, Value};

fn failed() -> TaskError {
    let here = std::panic::Location::caller();
    TaskError::failed(1, Name::OfType("test"), here, Error::Closed, false)
}

fn made<F: Future<Output: Outcome> + 'static>(future: F) -> ValueCell<Value<F>> {
    new(future, &Memory::default())
}

impl<T> ValueCell<T> {
    fn taken(&self) -> Option<Result<T, TaskError>> {
        self.take(1, Location::caller())
    }

    fn looked_at(&self, look: fn(&T) -> bool) -> Option<Result<bool, TaskError>> {
        self.inspect(1, Location::caller(), look)
    }
}

/// Runs a cell as the kernel does, which holds one reference itself.
fn run(cell: &TaskCell) -> (Ran, Option<Failure>) {
    let mut failure = None;
    let ran = cell
        .clone()
        .run(&mut Context::from_waker(Waker::noop()), &mut failure);
    (ran, failure)
}

/// Counts that it is dropped.
struct Dropped(Rc<Cell<u32>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn a_value_travels_from_the_future_to_who_takes_it() {
    let dropped = Rc::new(Cell::new(0));
    let (guard, mut runs) = (Dropped(dropped.clone()), 0);
    let cell = made(async move {
        let _guard = guard;
        // It refers to itself.
        let text = String::from("value");
        let part = &text[1..];
        poll_fn(|_| {
            runs += 1;
            if runs < 3 { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        Ok(part.to_string())
    });
    let kernel = cell.cell.clone();
    assert!(matches!(run(&kernel), (Ran::Pending, None)));
    assert!(matches!(run(&kernel), (Ran::Pending, None)));
    assert!(cell.taken().is_none() && dropped.get() == 0);
    assert!(matches!(run(&kernel), (Ran::Ended, None)));
    assert!(dropped.get() == 1 && cell.cell.header().terminated());
    // It is not run again.
    assert!(matches!(run(&kernel), (Ran::Pending, None)));
    assert_eq!(cell.cell.header().cycles(), 3);
    let is_it = |value: &String| value == "alue";
    assert!(cell.looked_at(is_it).unwrap().unwrap());
    assert_eq!(cell.taken().unwrap().unwrap(), "alue");
    assert!(cell.taken().is_none() && cell.looked_at(is_it).is_none());
}

#[test]
fn a_failure_is_for_the_kernel() {
    let cell = made(ready(Err::<(), _>(Error::Closed)));
    let kernel = cell.cell.clone();
    assert!(matches!(run(&kernel), (Ran::Otherwise, Some(Failure::Error(_)))));
    assert!(!cell.cell.header().terminated());
    cell.cell.fail(failed());
    assert!(cell.taken().unwrap().is_err() && cell.taken().unwrap().is_err());

    let cell = made(poll_fn(|_| -> Poll<()> {
        std::panic::resume_unwind(Box::new(7))
    }));
    let kernel = cell.cell.clone();
    assert!(matches!(run(&kernel), (Ran::Otherwise, Some(Failure::Panic(_)))));
    cell.cell.fail(failed());
    assert!(cell.cell.header().terminated());
}

/// The future ends its own task, runs it, and drops what holds it, while it is polled; and so does its drop.
#[test]
fn whoever_comes_back_in_touches_nothing() {
    type Own = Rc<RefCell<Option<TaskCell>>>;
    fn come_back(own: &Own) {
        let cell = own.borrow().clone();
        if let Some(cell) = cell {
            cell.fail(failed());
            assert!(matches!(run(&cell), (Ran::Pending, None)));
        }
    }
    struct Meddler {
        own: Own,
        _dropped: Dropped,
    }
    impl Drop for Meddler {
        fn drop(&mut self) {
            come_back(&self.own);
        }
    }
    for rounds in [0, 1] {
        let (own, dropped) = (Own::default(), Rc::new(Cell::new(0)));
        let meddler = Meddler {
            own: own.clone(),
            _dropped: Dropped(dropped.clone()),
        };
        let cell = made(async move {
            come_back(&meddler.own);
            if rounds > 0 {
                pending::<()>().await;
            }
        })
        .cell;
        *own.borrow_mut() = Some(cell.clone());
        let ran = run(&cell).0;
        assert!(ran == if rounds > 0 { Ran::Pending } else { Ran::Ended });
        // The first is over; the second ends while it waits.
        cell.fail(failed());
        assert!(cell.header().terminated() && dropped.get() == 1);
        own.take();
        assert_eq!(cell.header().references.get(), 1);
    }
}

/// The last reference goes while the future runs: it is dropped when the run is over, and a panic of its drop stays there.
#[test]
fn the_last_reference_goes_in_a_run() {
    struct Panics {
        _dropped: Dropped,
    }
    impl Drop for Panics {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new(8));
        }
    }
    let dropped = Rc::new(Cell::new(0));
    let table = Rc::new(RefCell::new(None::<TaskCell>));
    let (guard, inner) = (
        Panics {
            _dropped: Dropped(dropped.clone()),
        },
        table.clone(),
    );
    let cell = made(async move {
        let _guard = guard;
        drop(inner.take());
        pending::<()>().await;
    })
    .cell;
    *table.borrow_mut() = Some(cell.clone());
    let mut failure = None;
    let ran = cell.run(&mut Context::from_waker(Waker::noop()), &mut failure);
    assert!(ran == Ran::Pending && failure.is_none() && dropped.get() == 1);
}

/// A future whose drop panics leaves its task ended, and its result there.
#[test]
fn a_drop_that_panics() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new(9));
        }
    }
    impl Future for Panics {
        type Output = Result<u32, Error>;
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
            Poll::Ready(Ok(5))
        }
    }
    let cell = made(Panics);
    let kernel = cell.cell.clone();
    assert!(matches!(run(&kernel), (Ran::Otherwise, Some(Failure::Panic(_)))));
    cell.cell.fail(failed());
    assert!(cell.cell.header().terminated() && cell.taken().unwrap().is_err());
}
