//! Checks of exercise 3: an operation of one's own.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Wake as StdWake, Waker};

use chapter4::join2::join2;
use chapter4::kernel::Kernel;
use chapter4::task::yield_now;

use super::subject::Event;

/// More turns than any of these programs needs.
const TURN_LIMIT: usize = 200;

fn kernel(seed: Option<u64>) -> Kernel {
    seed.map_or_else(Kernel::new, Kernel::with_seed)
}

/// Runs until nobody can go on, within reason. How often a task with this name was polled.
fn run(kernel: &mut Kernel, name: &str) -> usize {
    let turns: Vec<_> = std::iter::from_fn(|| kernel.run_once())
        .take(TURN_LIMIT)
        .collect();
    assert!(
        turns.len() < TURN_LIMIT,
        "still running after {TURN_LIMIT} turns: does an operation that waits wake itself, again and again?"
    );
    turns.iter().filter(|turn| turn.name == name).count()
}

fn a_set_lets_everyone_go_on(seed: Option<u64>) {
    let (mut kernel, event) = (kernel(seed), Event::new());
    for name in ["kid", "friend", "grandma"] {
        kernel.spawn(name, event.wait());
    }
    run(&mut kernel, "");
    assert_eq!(
        kernel.tasks(),
        3,
        "it has not happened, and somebody did not wait"
    );
    let cook = event.clone();
    kernel.spawn("cook", async move {
        yield_now().await;
        cook.set();
    });
    run(&mut kernel, "");
    assert_eq!(
        kernel.tasks(),
        0,
        "it has happened, and these still wait; all are to go on, not one:\n{}",
        kernel.ps()
    );
}

fn who_comes_late_does_not_wait(seed: Option<u64>) {
    let (mut kernel, event) = (kernel(seed), Event::new());
    assert!(!event.is_set());
    event.set();
    for name in ["kid", "friend"] {
        kernel.spawn(name, event.wait());
    }
    run(&mut kernel, "");
    assert_eq!(
        kernel.tasks(),
        0,
        "it has happened before they came, and they wait for ever: a knock alone is not remembered"
    );
    assert!(
        event.is_set(),
        "it has happened, and is forgotten: nobody may use it up"
    );
}

fn who_waits_has_no_turns_and_says_so(seed: Option<u64>) {
    let (mut kernel, event) = (kernel(seed), Event::new());
    let kid = kernel.spawn("kid", event.wait());
    kernel.spawn("busy", async {
        for _ in 0..20 {
            yield_now().await;
        }
    });
    assert_eq!(
        run(&mut kernel, "kid"),
        1,
        "one poll to begin to wait, and no other until it has happened"
    );
    assert_eq!(
        kernel.describe(kid.id()),
        "EVENT_WAIT",
        "it waits, and `ps` does not say for what"
    );
    event.set();
    assert_eq!(run(&mut kernel, "kid"), 1, "one poll to go on");
}

thread_local! {
    /// What whoever is woken looks at, in that very moment.
    static LOOK: RefCell<Option<(Event, Rc<Cell<bool>>)>> = const { RefCell::new(None) };
}

/// A waker that does not leave a number at the door, but looks at once.
struct AtOnce;

impl StdWake for AtOnce {
    fn wake(self: Arc<Self>) {
        if let Some((event, too_early)) = LOOK.take() {
            too_early.set(!event.is_set());
        }
    }
}

fn it_has_happened_when_they_are_woken() {
    let too_early = Rc::new(Cell::new(false));
    let (event, noted) = (Event::new(), too_early.clone());
    let mut kernel = Kernel::new();
    kernel.spawn("kid", async move {
        let waker = Waker::from(Arc::new(AtOnce));
        let mut wait = event.wait();
        let _ = pin!(&mut wait).poll(&mut Context::from_waker(&waker));
        LOOK.set(Some((event.clone(), noted)));
        event.set();
    });
    kernel.run_once();
    LOOK.set(None);
    assert!(
        !too_early.get(),
        "woken, and `is_set` says that it has not happened: note it first, and then notify"
    );
}

fn one_task_can_wait_for_two_events(seed: Option<u64>) {
    let (mut kernel, dinner, bath) = (kernel(seed), Event::new(), Event::new());
    let both = join2(dinner.wait(), bath.wait());
    kernel.spawn("kid", async {
        both.await;
    });
    run(&mut kernel, "");
    assert_eq!(
        kernel.waits(),
        2,
        "one task waits for two events, with a note for each"
    );
    dinner.set();
    run(&mut kernel, "");
    assert_eq!(
        kernel.tasks(),
        1,
        "one of two has happened, and both waits are ready: to be polled again does not mean that it has happened"
    );
    assert_eq!(
        kernel.waits(),
        1,
        "one of two has happened, and the notes are not right: does a wait call `complete` before it is ready?"
    );
    bath.set();
    run(&mut kernel, "");
    assert_eq!((kernel.tasks(), kernel.waits()), (0, 0), "both have happened");
}

exercises::checks! {
    under_seeds a_set_lets_everyone_go_on;
    under_seeds who_comes_late_does_not_wait;
    under_seeds who_waits_has_no_turns_and_says_so;
    once it_has_happened_when_they_are_woken;
    under_seeds one_task_can_wait_for_two_events;
}
