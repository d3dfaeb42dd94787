//! Checks of exercise 3: a future by hand.

use std::cell::RefCell;
use std::rc::Rc;

use chapter3::adapter::Adapter;
use chapter3::channel::{ChannelId, Message};
use chapter3::context;
use chapter3::generator::Step;
use chapter3::kernel::{Kernel, Turn};
use chapter3::operations::yield_now;

use super::subject::receive_two;

/// More turns than any of these programs needs.
const TURN_LIMIT: usize = 100;

type Received = Rc<RefCell<Vec<(Message, Message)>>>;

async fn receiver(channel: ChannelId, received: Received) {
    let two = receive_two(channel).await;
    received.borrow_mut().push(two);
}

async fn sender(channel: ChannelId, texts: &'static [&'static str]) {
    for text in texts {
        yield_now().await;
        channel.send(text.to_string()).await;
    }
}

fn run(kernel: &mut Kernel) -> Vec<Turn> {
    let turns: Vec<_> = std::iter::from_fn(|| kernel.run_once())
        .take(TURN_LIMIT)
        .collect();
    assert!(
        turns.len() < TURN_LIMIT,
        "still running after {TURN_LIMIT} turns: after the first message, is there a new request, and is it kept?"
    );
    turns
}

fn both(one: &str, two: &str) -> (Message, Message) {
    (one.to_string(), two.to_string())
}

fn it_gives_the_messages_in_the_order_in_which_they_came(seed: Option<u64>) {
    let received = Received::default();
    let mut kernel = seed.map_or_else(Kernel::new, Kernel::with_seed);
    let channel = kernel.channel();
    kernel.spawn("receiver", Adapter::new(receiver(channel, received.clone())));
    kernel.spawn("sender", Adapter::new(sender(channel, &["one", "two"])));
    run(&mut kernel);
    assert!(
        kernel.tables().tasks.is_empty(),
        "both messages were sent, and it still waits:{}\nIs the first message kept while it waits for the second?",
        kernel.tables().report()
    );
    assert_eq!(
        *received.borrow(),
        [both("one", "two")],
        "not the two messages in the order in which they came: first the one that it kept, then the new one"
    );
}

fn it_asks_twice_and_for_nothing_else() {
    let received = Received::default();
    let mut kernel = Kernel::new();
    let channel = kernel.channel();
    kernel.spawn("sender", Adapter::new(sender(channel, &["one", "two", "three"])));
    run(&mut kernel);
    kernel.spawn("receiver", Adapter::new(receiver(channel, received.clone())));
    let mut turns: Vec<_> = (0..2).filter_map(|_| kernel.run_once()).collect();
    let receive = || Step::Yielded("receive from channel 1".to_string());
    assert_ne!(
        turns.last().map(|turn| &turn.step),
        Some(&Step::Yielded("yield".to_string())),
        "after the first message it stopped without a request: make the second and poll it, in the same turn"
    );
    turns.extend(run(&mut kernel));
    let steps: Vec<_> = turns.into_iter().map(|turn| turn.step).collect();
    assert_eq!(
        steps,
        [receive(), receive(), Step::Complete],
        "two requests, and then the end"
    );
    assert_eq!(
        *received.borrow(),
        [both("one", "two")],
        "not the first two messages, in their order"
    );
}

fn it_does_nothing_before_it_is_polled() {
    let mut kernel = Kernel::new();
    let channel = kernel.channel();
    kernel.spawn("sender", Adapter::new(sender(channel, &["one", "two"])));
    kernel.spawn(
        "receiver",
        Adapter::new(async move {
            let _never_polled = receive_two(channel);
            assert!(
                context::take_request().is_none(),
                "it was made and never polled, and a request is in the slot: leave it in the first poll"
            );
            yield_now().await;
        }),
    );
    run(&mut kernel);
    let channels: Vec<_> = kernel.tables().channels.values().collect();
    assert_eq!(
        channels[0].messages,
        ["one", "two"],
        "it was made and never polled, and a message is gone"
    );
}

exercises::checks! {
    under_seeds it_gives_the_messages_in_the_order_in_which_they_came;
    once it_asks_twice_and_for_nothing_else;
    once it_does_nothing_before_it_is_polled;
}
