//! Checks of exercise 1: a doorbell whose ring is never lost.

use std::cell::Cell;
use std::future::{Future, pending};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};

use chapter4::kernel::Kernel;

use super::subject::Doorbell;

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

impl Woken {
    fn count(&self) -> usize {
        self.0.load(SeqCst)
    }
}

/// Polls a future with this waker.
fn poll(future: &mut (impl Future<Output = ()> + Unpin), woken: &Arc<Woken>) -> Poll<()> {
    let waker = Waker::from(woken.clone());
    Pin::new(future).poll(&mut Context::from_waker(&waker))
}

/// Runs this as the only task of a kernel, to its end.
fn in_a_task(task: impl FnOnce() + 'static) {
    let mut kernel = Kernel::new();
    kernel.spawn("parent", async move { task() });
    kernel.run_once();
}

fn a_ring_before_the_wait_is_enough() {
    in_a_task(|| {
        let doorbell = Doorbell::new();
        let mut wait = doorbell.wait();
        doorbell.ring();
        assert!(
            poll(&mut wait, &Arc::default()).is_ready(),
            "it was rung already, and the wait is not ready: look before you wait"
        );
    });
}

fn a_ring_wakes_who_waits() {
    in_a_task(|| {
        let (doorbell, woken) = (Doorbell::new(), Arc::<Woken>::default());
        let mut wait = doorbell.wait();
        assert!(
            poll(&mut wait, &woken).is_pending(),
            "nobody has rung, and it is ready"
        );
        assert_eq!(
            woken.count(),
            0,
            "nobody has rung, and it was woken: who waits does not wake itself, or it looks again and again"
        );
        doorbell.ring();
        assert_eq!(woken.count(), 1, "somebody has rung, and it was not woken");
        assert!(
            poll(&mut wait, &woken).is_ready(),
            "somebody has rung, and it still waits"
        );
    });
}

fn it_is_the_last_waker_that_is_woken() {
    in_a_task(|| {
        let (first, last) = (Arc::<Woken>::default(), Arc::<Woken>::default());
        let doorbell = Doorbell::new();
        let mut wait = doorbell.wait();
        let _ = poll(&mut wait, &first);
        let _ = poll(&mut wait, &last);
        doorbell.ring();
        assert_eq!(
            last.count(),
            1,
            "polled twice, and the waker of the second poll was not woken: each poll may bring another waker"
        );
    });
}

fn it_says_what_it_waits_for() {
    let mut kernel = Kernel::new();
    let doorbell = Doorbell::new();
    let task = kernel.spawn("parent", doorbell.wait());
    kernel.run_once();
    assert_eq!(
        kernel.describe(task.id()),
        "RING_WAIT",
        "it waits, and `ps` does not say so: is there a note?"
    );
    doorbell.ring();
    kernel.run_once();
    assert_eq!(kernel.tasks(), 0, "somebody has rung, and the task does not end");
}

fn the_note_goes_when_it_is_ready() {
    let mut kernel = Kernel::new();
    let doorbell = Doorbell::new();
    let mut wait = doorbell.wait();
    // It keeps the operation, so that the note is not taken away by a drop.
    let task = kernel.spawn("parent", async move {
        (&mut wait).await;
        pending::<()>().await;
        drop(wait);
    });
    kernel.run_once();
    doorbell.ring();
    kernel.run_once();
    assert_eq!(
        kernel.describe(task.id()),
        "FOREIGN_WAIT",
        "it waits for a ring no more, and its note is still there: does it call `complete` before it is ready?"
    );
}

/// Somebody rings whenever the lock is given back during a poll, for the first time, the second or the third.
fn a_ring_is_never_lost() {
    for nth in 1..=3 {
        in_a_task(move || {
            let (doorbell, woken) = (Doorbell::new(), Arc::<Woken>::default());
            let mut wait = doorbell.wait();
            let (bell, rung) = (doorbell.clone(), Rc::new(Cell::new(false)));
            let has_rung = rung.clone();
            exercises::meanwhile(nth, move || {
                bell.ring();
                has_rung.set(true);
            });
            let poll = poll(&mut wait, &woken);
            exercises::meanwhile(0, || ()); // not any more
            if !rung.get() {
                doorbell.ring();
            }
            assert!(
                poll.is_ready() || woken.count() > 0,
                "a ring was lost: somebody could ring between your look and the moment when you left the waker"
            );
        });
    }
}

exercises::checks! {
    once a_ring_before_the_wait_is_enough;
    once a_ring_wakes_who_waits;
    once it_is_the_last_waker_that_is_woken;
    once it_says_what_it_waits_for;
    once the_note_goes_when_it_is_ready;
    once a_ring_is_never_lost;
}
