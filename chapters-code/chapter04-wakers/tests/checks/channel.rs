//! What a channel must do, checked over whatever `Channel` the module `subject` beside this one holds: the chapter's own
//! in `tests/invariants.rs`, a reader's in exercise 2.
//!
//! A check that takes a seed runs the schedule of that seed, or the order of arrival without one.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use chapter4::join2::join2;
use chapter4::kernel::Kernel;
use chapter4::task::yield_now;

use super::subject::Channel;

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

/// Runs until all have ended.
fn run_to_the_end(kernel: &mut Kernel) {
    run(kernel, "");
    assert_eq!(
        kernel.tasks(),
        0,
        "somebody waits for ever, and was never woken:\n{}",
        kernel.ps()
    );
}

/// What the tasks of a test have received: who, and what.
type Heard = Rc<RefCell<Vec<(&'static str, String)>>>;

async fn receiver(name: &'static str, channel: Channel, count: usize, heard: Heard) {
    for _ in 0..count {
        let message = channel.receive().await;
        heard.borrow_mut().push((name, message));
    }
}

async fn sender(channel: Channel, texts: &'static [&'static str]) {
    for text in texts {
        channel.send(text.to_string());
        yield_now().await;
    }
}

pub(crate) fn a_receive_waits_and_is_woken_by_a_send(seed: Option<u64>) {
    let heard = Heard::default();
    let mut kernel = kernel(seed);
    let channel = Channel::new();
    let kid = kernel.spawn("kid", receiver("kid", channel.clone(), 1, heard.clone()));
    run(&mut kernel, "kid");
    assert_eq!(
        kernel.tasks(),
        1,
        "nothing was sent, but the receive did not wait"
    );
    assert_eq!(
        kernel.describe(kid.id()),
        "RECEIVE_WAIT",
        "the receive waits, and `ps` does not say so: did it call `wait_on` before it returned `Pending`?"
    );
    kernel.spawn("sender", sender(channel, &["hello"]));
    let polls = run(&mut kernel, "kid");
    assert_eq!(
        kernel.tasks(),
        0,
        "a message is there, and the receiver was not woken: who sends must notify, and who waits must be on the list"
    );
    assert_eq!(polls, 1, "one poll to take the message");
    assert_eq!(
        *heard.borrow(),
        [("kid", "hello".to_string())],
        "not the message that was sent"
    );
}

pub(crate) fn each_message_is_received_once_and_in_order(seed: Option<u64>) {
    let heard = Heard::default();
    let mut kernel = kernel(seed);
    let channel = Channel::new();
    kernel.spawn("kid", receiver("kid", channel.clone(), 2, heard.clone()));
    kernel.spawn("friend", receiver("friend", channel.clone(), 3, heard.clone()));
    let texts = &["1", "2", "3", "4", "5"];
    kernel.spawn("sender", sender(channel, texts));
    run_to_the_end(&mut kernel);
    let mut all: Vec<_> = heard.borrow().iter().map(|(_, text)| text.clone()).collect();
    assert!(
        all.is_sorted(),
        "received in another order than sent: {all:?}; the oldest message comes first"
    );
    all.dedup();
    assert_eq!(all, texts, "not every message once");
}

pub(crate) fn a_message_that_nobody_waits_for_stays() {
    let heard = Heard::default();
    let mut kernel = kernel(None);
    let channel = Channel::new();
    kernel.spawn("sender", sender(channel.clone(), &["one", "two"]));
    run_to_the_end(&mut kernel);
    kernel.spawn("kid", receiver("kid", channel, 2, heard.clone()));
    let polls = run(&mut kernel, "kid");
    assert_eq!(
        heard.borrow().len(),
        2,
        "sent before anybody waited, and gone: who receives must look before it waits"
    );
    assert_eq!(polls, 1, "both are there, so nobody needs to wait");
}

pub(crate) fn a_note_exists_exactly_while_an_operation_waits(seed: Option<u64>) {
    let heard = Heard::default();
    let mut kernel = kernel(seed);
    let (channel, other) = (Channel::new(), Channel::new());
    kernel.spawn("kid", receiver("kid", channel.clone(), 2, heard.clone()));
    let sender = kernel.spawn("sender", sender(channel, &["one", "two"]));
    // Waits for a message, and then does not want it any more.
    kernel.spawn("fickle", async move {
        {
            let mut receive = pin!(other.receive());
            poll_fn(|cx| {
                assert!(
                    receive.as_mut().poll(cx).is_pending(),
                    "nothing was sent, and it is ready"
                );
                Poll::Ready(())
            })
            .await;
        }
        sender.join().await;
    });
    run_to_the_end(&mut kernel);
    assert_eq!(
        kernel.waits(),
        0,
        "all have ended, and there are still notes: does a receive call `complete` before it is ready?"
    );
    // With another operation in the same task, a note that was left behind shows in `ps`.
    let channel = Channel::new();
    channel.send("hello".to_string());
    let silent = Channel::new();
    let inner = channel.clone();
    let kid = kernel.spawn("kid", async move {
        let waits = inner.receive();
        yield_now().await;
        waits.await;
        let mut late = inner.receive();
        let first = poll_fn(|cx| Poll::Ready(pin!(&mut late).poll(cx))).await;
        assert!(
            first.is_pending(),
            "the only message was received already, and here it is again"
        );
        yield_now().await;
        (&mut late).await;
        silent.receive().await;
        drop(late);
    });
    run(&mut kernel, "kid");
    channel.send("again".to_string());
    run(&mut kernel, "kid");
    assert_eq!(
        kernel.describe(kid.id()),
        "RECEIVE_WAIT",
        "one operation waits, and there are two notes: does a receive call `complete` before it is ready?"
    );
}

pub(crate) fn who_waits_longest_is_woken_first() {
    let heard = Heard::default();
    let mut kernel = kernel(None);
    let channel = Channel::new();
    for name in ["first", "second", "third"] {
        kernel.spawn(name, receiver(name, channel.clone(), 1, heard.clone()));
    }
    kernel.spawn("sender", sender(channel, &["a", "b", "c"]));
    run_to_the_end(&mut kernel);
    let expected = [("first", "a"), ("second", "b"), ("third", "c")];
    let expected = expected.map(|(name, text)| (name, text.to_string()));
    assert_eq!(
        *heard.borrow(),
        expected,
        "the one who waits longest is woken first"
    );
}

pub(crate) fn one_message_wakes_one() {
    let heard = Heard::default();
    let mut kernel = kernel(None);
    let channel = Channel::new();
    for name in ["first", "second", "third"] {
        kernel.spawn(name, receiver(name, channel.clone(), 1, heard.clone()));
    }
    run(&mut kernel, "");
    let before = kernel.wakes();
    channel.send("hello".to_string());
    let woken = kernel.wakes() - before;
    assert_ne!(
        woken, 0,
        "three wait for a message, one is sent, and nobody is woken"
    );
    assert_eq!(
        woken, 1,
        "one message is for one receiver; the others would be woken for nothing"
    );
}

thread_local! {
    /// What the receiver does in the very moment in which it is woken.
    static WHEN_WOKEN: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

/// A waker that does not leave a number at the door, but comes in at once.
struct AtOnce;

impl Wake for AtOnce {
    fn wake(self: Arc<Self>) {
        if let Some(look) = WHEN_WOKEN.take() {
            look();
        }
    }
}

pub(crate) fn the_message_is_there_when_the_receiver_is_woken() {
    let found = Rc::new(Cell::new(None));
    let looked = found.clone();
    let mut kernel = kernel(None);
    kernel.spawn("kid", async move {
        let channel = Channel::new();
        let mut receive = channel.receive();
        let waker = Waker::from(Arc::new(AtOnce));
        let mut poll = move || {
            let mut cx = Context::from_waker(&waker);
            pin!(&mut receive).poll(&mut cx).is_ready()
        };
        poll();
        WHEN_WOKEN.set(Some(Box::new(move || {
            let poll = catch_unwind(AssertUnwindSafe(poll));
            looked.set(Some(poll.map_err(drop)));
        })));
        channel.send("hello".to_string());
    });
    kernel.run_once();
    WHEN_WOKEN.set(None);
    match found.take() {
        Some(Ok(true)) => (),
        Some(Ok(false)) => panic!("woken, and no message is there: put it in first, and then notify"),
        Some(Err(())) => panic!("woken while the messages are borrowed: let the borrow end, and then notify"),
        None => panic!("a message was sent, and the waker that the receiver left was not woken"),
    }
}

pub(crate) fn one_task_can_wait_for_two_messages(seed: Option<u64>) {
    let heard = Heard::default();
    let mut kernel = kernel(seed);
    let (left, right) = (Channel::new(), Channel::new());
    let (one, two, out) = (left.clone(), right.clone(), heard.clone());
    kernel.spawn("kid", async move {
        let (first, second) = join2(one.receive(), two.receive()).await;
        out.borrow_mut().extend([("left", first), ("right", second)]);
    });
    kernel.spawn("right", sender(right, &["R"]));
    kernel.spawn("left", sender(left, &["L"]));
    run_to_the_end(&mut kernel);
    assert_eq!(
        *heard.borrow(),
        [("left", "L".to_string()), ("right", "R".to_string())]
    );
}

pub(crate) fn a_receive_that_is_polled_for_nothing_keeps_its_place(seed: Option<u64>) {
    let heard = Heard::default();
    let mut kernel = kernel(seed);
    let channel = Channel::new();
    let receive = channel.receive();
    kernel.spawn("first", async {
        join2(receive, sender(Channel::new(), &["a", "b", "c"])).await;
    });
    run(&mut kernel, "");
    kernel.spawn("second", receiver("second", channel.clone(), 1, heard));
    run(&mut kernel, "");
    channel.send("one".to_string());
    channel.send("two".to_string());
    run_to_the_end(&mut kernel);
}
