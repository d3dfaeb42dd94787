//! What a kernel must do, checked over whatever `Kernel` the module `subject` beside this one holds: the chapter's own in
//! `tests/invariants.rs`, a reader's in exercise 2.
//!
//! A check that takes a seed runs the schedule of that seed, or the order of arrival without one.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use chapter2::generator::{Generator, Step};
use chapter2::kernel::Turn;
use chapter2::state::State;
use chapter2::task::TaskId;
use chapter2::traps::{Reply, Trap};

use super::subject::Kernel;

/// More turns than any of these programs needs.
const TURN_LIMIT: usize = 200;

fn kernel(seed: Option<u64>) -> Kernel {
    seed.map_or_else(Kernel::new, Kernel::with_seed)
}

/// What the tasks of a test have heard: who, and which answer.
type Heard = Rc<RefCell<Vec<(&'static str, Reply)>>>;

/// A task that asks for one thing after the other, and writes down the answers.
struct Script {
    name: &'static str,
    traps: VecDeque<Trap>,
    begun: bool,
    heard: Heard,
}

impl Script {
    fn new(name: &'static str, heard: &Heard, traps: impl IntoIterator<Item = Trap>) -> Script {
        Script {
            name,
            traps: traps.into_iter().collect(),
            begun: false,
            heard: heard.clone(),
        }
    }
}

impl Generator for Script {
    type Yield = Trap;
    type Answer = Reply;

    fn resume(&mut self, answer: Reply) -> Step<Trap> {
        if std::mem::replace(&mut self.begun, true) {
            self.heard.borrow_mut().push((self.name, answer));
        }
        self.traps.pop_front().map_or(Step::Complete, Step::Yielded)
    }
}

fn yields(count: usize) -> impl Iterator<Item = Trap> {
    (0..count).map(|_| Trap::Yield)
}

/// Runs until nobody can go on, within reason.
fn run(kernel: &mut Kernel) -> Vec<Turn> {
    run_and_look(kernel, |_| {})
}

/// The same, with a look at the kernel after each turn.
fn run_and_look(kernel: &mut Kernel, look: impl Fn(&Kernel)) -> Vec<Turn> {
    let mut turns = Vec::new();
    look(kernel);
    while let Some(turn) = kernel.run_once() {
        turns.push(turn);
        look(kernel);
        assert!(
            turns.len() < TURN_LIMIT,
            "still running after {TURN_LIMIT} turns: does a task that waits stay out of the ready queue?"
        );
    }
    turns
}

/// Which turn was the last of this task.
fn end_of(name: &str, turns: &[Turn]) -> usize {
    let end = |turn: &Turn| turn.name == name && turn.step == Step::Complete;
    let end = turns.iter().position(end);
    end.unwrap_or_else(|| {
        panic!(
            "{name} has not ended: was it never woken? Or was a task woken twice, and ended the run with a turn too many?"
        )
    })
}

/// What a task has heard, in order.
fn answers(name: &str, heard: &Heard) -> Vec<Reply> {
    let heard = heard.borrow();
    let own = heard.iter().filter(|(who, _)| *who == name);
    own.map(|(_, reply)| reply.clone()).collect()
}

fn received(text: &str) -> Reply {
    Reply::Received(text.to_string())
}

pub(crate) fn each_task_is_in_one_place(seed: Option<u64>) {
    let heard = Heard::default();
    let mut kernel = kernel(seed);
    let (full, empty) = (kernel.channel(), kernel.channel());
    let slow = kernel.spawn("slow", Script::new("slow", &heard, yields(4)));
    kernel.spawn("joiner", Script::new("joiner", &heard, [Trap::Join(slow)]));
    kernel.spawn(
        "other",
        Script::new("other", &heard, [Trap::Join(slow), Trap::Yield]),
    );
    let sends = (0..3).map(|n| Trap::Send(full, n.to_string()));
    let kid = Trap::spawn("kid", Script::new("kid", &heard, yields(2)));
    kernel.spawn("sender", Script::new("sender", &heard, sends.chain([kid])));
    let receives = (0..3).map(|_| Trap::Receive(full));
    kernel.spawn("receiver", Script::new("receiver", &heard, receives));
    kernel.spawn("stuck", Script::new("stuck", &heard, [Trap::Receive(empty)]));
    run_and_look(&mut kernel, |kernel| {
        let tables = kernel.tables();
        for (id, task) in &tables.tasks {
            let ready = kernel.ready().filter(|task| task == id).count();
            let joiners = tables.tasks.values().flat_map(|task| &task.joiners);
            let receivers = tables.channels.values().flat_map(|channel| &channel.receivers);
            let waits = joiners.chain(receivers).filter(|task| *task == id).count();
            let name = task.name;
            assert_ne!(
                ready + waits,
                0,
                "{name} is nowhere: it is neither ready nor on a list, so nobody will ever resume it"
            );
            assert_eq!(
                ready + waits,
                1,
                "{name} is in {} places: does a task that waits stay out of the ready queue?",
                ready + waits
            );
            assert_eq!(
                matches!(task.state, State::Waiting(_)),
                waits == 1,
                "{name} is said to be {}, which is not where it is",
                task.state.as_str()
            );
        }
    });
}

pub(crate) fn a_task_goes_on_with_the_answer_to_its_trap(seed: Option<u64>) {
    let heard = Heard::default();
    let mut kernel = kernel(seed);
    let channel = kernel.channel();
    let kid = kernel.spawn("kid", Script::new("kid", &heard, yields(2)));
    let grandkid = Trap::spawn("grandkid", Script::new("grandkid", &heard, yields(1)));
    let message = "hello".to_string();
    let traps = [
        Trap::Yield,
        Trap::Send(channel, message),
        Trap::Join(kid),
        Trap::Receive(channel),
        grandkid,
    ];
    kernel.spawn("parent", Script::new("parent", &heard, traps));
    let turns = run(&mut kernel);
    end_of("parent", &turns);
    end_of("grandkid", &turns);
    let answers = answers("parent", &heard);
    let expected = [Reply::Done, Reply::Done, Reply::Done, received("hello")];
    assert_eq!(
        answers[..4],
        expected,
        "the answers to yield, send, join and receive: a message is the answer to a receive, and `Done` to the others"
    );
    let grandkid = turns.iter().find(|turn| turn.name == "grandkid");
    assert_eq!(
        Some(&answers[4]),
        grandkid.map(|turn| Reply::Spawned(turn.task)).as_ref(),
        "the answer to a spawn is the number of the new task"
    );
}

pub(crate) fn a_join_is_answered_after_the_end_and_not_before(seed: Option<u64>) {
    let heard = Heard::default();
    let mut kernel = kernel(seed);
    let kid = kernel.spawn("kid", Script::new("kid", &heard, yields(3)));
    kernel.spawn("parent", Script::new("parent", &heard, [Trap::Join(kid)]));
    kernel.spawn("grandma", Script::new("grandma", &heard, [Trap::Join(kid)]));
    let turns = run(&mut kernel);
    for joiner in ["parent", "grandma"] {
        assert!(
            end_of("kid", &turns) < end_of(joiner, &turns),
            "{joiner} went on before the kid had ended: a join of a running task is not answered at once"
        );
    }
}

pub(crate) fn a_join_after_the_end_is_answered(seed: Option<u64>) {
    let heard = Heard::default();
    let mut kernel = kernel(seed);
    let kid = kernel.spawn("kid", Script::new("kid", &heard, []));
    run(&mut kernel);
    let late = Script::new("parent", &heard, [Trap::Join(kid), Trap::Join(kid)]);
    kernel.spawn("parent", late);
    let turns = run(&mut kernel);
    assert_eq!(
        turns.last().map(|turn| &turn.step),
        Some(&Step::Complete),
        "the parent asked after the kid's end, and was not answered: who is not in the table has ended"
    );
}

pub(crate) fn each_message_is_received_once_and_in_order(seed: Option<u64>) {
    let heard = Heard::default();
    let mut kernel = kernel(seed);
    let channel = kernel.channel();
    let texts = ["one", "two", "three", "four", "five"];
    let sends = texts.map(|text| Trap::Send(channel, text.to_string()));
    let receives = |count: usize| (0..count).map(move |_| Trap::Receive(channel));
    kernel.spawn("kid", Script::new("kid", &heard, receives(2)));
    kernel.spawn("friend", Script::new("friend", &heard, receives(3)));
    kernel.spawn("sender", Script::new("sender", &heard, sends));
    let turns = run(&mut kernel);
    let (kid, friend) = (answers("kid", &heard), answers("friend", &heard));
    let all: Vec<_> = kid.iter().chain(&friend).collect();
    for text in texts {
        let count = all.iter().filter(|reply| ***reply == received(text)).count();
        assert_eq!(
            count, 1,
            "message {text:?} was received {count} times: it goes to one receiver, or waits in the channel"
        );
    }
    let place = |reply: &Reply| texts.iter().position(|text| *reply == received(text));
    for answers in [&kid, &friend] {
        assert!(
            answers.is_sorted_by_key(place),
            "received in another order than sent: {answers:?}"
        );
    }
    end_of("kid", &turns);
    end_of("friend", &turns);
}

pub(crate) fn who_waits_longest_is_served_first() {
    let heard = Heard::default();
    let mut kernel = kernel(None);
    let channel = kernel.channel();
    for name in ["first", "second", "third"] {
        kernel.spawn(name, Script::new(name, &heard, [Trap::Receive(channel)]));
    }
    let sends = ["a", "b", "c"].map(|text| Trap::Send(channel, text.to_string()));
    kernel.spawn("sender", Script::new("sender", &heard, sends));
    run(&mut kernel);
    let order = [("first", "a"), ("second", "b"), ("third", "c")];
    for (name, text) in order {
        assert_eq!(
            answers(name, &heard),
            [received(text)],
            "{name}: the oldest message belongs to the one who has waited longest"
        );
    }
}

pub(crate) fn a_waiting_task_has_no_turn(seed: Option<u64>) {
    let heard = Heard::default();
    let mut kernel = kernel(seed);
    let channel = kernel.channel();
    let busy = kernel.spawn("busy", Script::new("busy", &heard, yields(50)));
    kernel.spawn("joiner", Script::new("joiner", &heard, [Trap::Join(busy)]));
    kernel.spawn(
        "receiver",
        Script::new("receiver", &heard, [Trap::Receive(channel)]),
    );
    let turns = run(&mut kernel);
    let count = |name| turns.iter().filter(|turn| turn.name == name).count();
    assert_eq!(
        count("joiner"),
        2,
        "turns of a task that joins: one to ask, one to go on after the end of the other, none between"
    );
    assert_eq!(
        count("receiver"),
        1,
        "turns of a task that asks for a message which never comes: one to ask, and none after it"
    );
}

pub(crate) fn a_deadlock_names_everyone_who_waits(seed: Option<u64>) {
    let heard = Heard::default();
    let mut kernel = kernel(seed);
    let channel = kernel.channel();
    let kid = kernel.spawn("kid", Script::new("kid", &heard, [Trap::Receive(channel)]));
    let parent = [Trap::Yield, Trap::Join(kid), Trap::Send(channel, String::new())];
    kernel.spawn("parent", Script::new("parent", &heard, parent));
    kernel.spawn("friend", Script::new("friend", &heard, [Trap::Yield]));
    let Err(deadlock) = kernel.run_all() else {
        panic!("two tasks wait for each other, but both went on: was a request answered that should wait?");
    };
    let report = deadlock.to_string();
    let expected = "\
deadlock: every task waits, and nothing can wake one
  task 1 (kid) waits for a message from channel 1
  task 2 (parent) waits for the end of task 1";
    assert_eq!(
        report, expected,
        "not the ones who wait: does `wait` get the right label, and does a task that ends leave the table?"
    );
}

pub(crate) fn no_task_left_is_no_deadlock(seed: Option<u64>) {
    let heard = Heard::default();
    let mut kernel = kernel(seed);
    kernel.spawn("kid", Script::new("kid", &heard, yields(3)));
    assert_eq!(
        kernel.run_all(),
        Ok(()),
        "a task is left: was it woken after each `Yield`, and does it leave the table at its end?"
    );
    assert_eq!(kernel.tables().tasks.len(), 0, "tasks in the table after the end");
    assert_eq!(kernel.run_once(), None, "a turn after the end");
}

pub(crate) fn a_seed_is_a_schedule() {
    let order = |seed| -> Vec<TaskId> {
        let heard = Heard::default();
        let mut kernel = kernel(Some(seed));
        for name in ["kid", "friend", "parent"] {
            kernel.spawn(name, Script::new(name, &heard, yields(4)));
        }
        run(&mut kernel).iter().map(|turn| turn.task).collect()
    };
    let mut orders: Vec<_> = (0..100).map(order).collect();
    assert!(
        (0..100).map(order).eq(orders.iter().cloned()),
        "a seed made two schedules"
    );
    orders.sort();
    orders.dedup();
    assert!(
        orders.len() > 50,
        "only {} schedules from 100 seeds: does every task that yields come back into the ready queue?",
        orders.len()
    );
}
