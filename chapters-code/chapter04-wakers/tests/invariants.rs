//! The invariants of chapter 4. The chapter's page names these tests.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::{fs, hint, thread};

use chapter4::channel::Channel;
use chapter4::doorbell::Doorbell;
use chapter4::join2::join2;
use chapter4::kernel::Kernel;
use chapter4::remote::spawn_thread;
use chapter4::task::{spawn, yield_now};
use chapter4::{both_here, voice};

/// The channel to check. Exercise 2 puts a reader's channel in its place.
mod subject {
    pub(crate) use chapter4::channel::Channel;
}

#[path = "checks/channel.rs"]
mod checks;

fn kernel(seed: Option<u64>) -> Kernel {
    seed.map_or_else(Kernel::new, Kernel::with_seed)
}

/// Runs a check in the order of arrival and under 200 shuffled schedules.
fn under_all_schedules(check: fn(Option<u64>)) {
    check(None);
    for seed in 0..200 {
        println!("seed {seed}"); // shown if the check fails
        check(Some(seed));
    }
}

/// Runs until nobody is ready. How often a task with this name was polled.
fn polls(kernel: &mut Kernel, name: &str) -> usize {
    let turns = std::iter::from_fn(|| kernel.run_once()).take(1_000);
    turns.filter(|turn| turn.name == name).count()
}

#[test]
fn a_task_is_polled_when_it_was_woken_and_not_otherwise() {
    under_all_schedules(|seed| {
        let mut kernel = kernel(seed);
        let channel = Channel::new();
        let receiver = channel.clone();
        kernel.spawn("receiver", async move {
            receiver.receive().await;
        });
        kernel.spawn("busy", async {
            for _ in 0..50 {
                yield_now().await;
            }
        });
        assert_eq!(polls(&mut kernel, "receiver"), 1, "once, to begin");
        channel.send("hello".to_string());
        assert_eq!(
            polls(&mut kernel, "receiver"),
            1,
            "once more, to take the message"
        );
        assert_eq!(kernel.tasks(), 0);
    });
}

#[test]
fn a_task_is_queued_once_however_often_it_is_woken() {
    let slot: Rc<RefCell<Option<Waker>>> = Rc::default();
    let mut kernel = kernel(None);
    let left = slot.clone();
    kernel.spawn(
        "sleeper",
        poll_fn(move |cx| {
            *left.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        }),
    );
    assert_eq!(polls(&mut kernel, "sleeper"), 1);
    let waker = slot.take().expect("it was polled");
    for _ in 0..5 {
        waker.wake_by_ref();
    }
    assert_eq!(kernel.ready().count(), 1);
    assert_eq!(polls(&mut kernel, "sleeper"), 1);
}

#[test]
fn who_is_woken_while_it_runs_runs_again() {
    under_all_schedules(|seed| {
        let mut kernel = kernel(seed);
        let mut left = 5;
        kernel.spawn(
            "self",
            poll_fn(move |cx| {
                cx.waker().wake_by_ref();
                left -= 1;
                match left {
                    0 => Poll::Ready(()),
                    _ => Poll::Pending,
                }
            }),
        );
        assert_eq!(polls(&mut kernel, "self"), 5);
        assert_eq!(kernel.run_once(), None, "a wake after the end wakes nobody");
    });
}

#[test]
fn a_note_exists_exactly_while_an_operation_waits() {
    under_all_schedules(checks::a_note_exists_exactly_while_an_operation_waits);
    checks::one_message_wakes_one();
    under_all_schedules(|seed| {
        let mut kernel = kernel(seed);
        let channel = Channel::new();
        let (kid, other) = (kernel.spawn("kid", yield_now()), channel.clone());
        kernel.spawn("parent", async move {
            join2(kid.join(), other.receive()).await;
        });
        polls(&mut kernel, "parent");
        assert_eq!(kernel.waits(), 1, "the join is over, the receive waits");
        channel.send(String::new());
        assert_eq!(kernel.run_all(), Ok(()));
        assert_eq!(kernel.waits(), 0);
    });
}

#[test]
fn a_receive_waits_and_is_woken_by_a_send() {
    under_all_schedules(checks::a_receive_waits_and_is_woken_by_a_send);
    checks::a_message_that_nobody_waits_for_stays();
    checks::the_message_is_there_when_the_receiver_is_woken();
}

#[test]
fn each_message_is_received_once_and_in_order() {
    under_all_schedules(checks::each_message_is_received_once_and_in_order);
    checks::who_waits_longest_is_woken_first();
    under_all_schedules(checks::a_receive_that_is_polled_for_nothing_keeps_its_place);
}

#[test]
fn one_task_can_wait_for_two_messages() {
    under_all_schedules(checks::one_task_can_wait_for_two_messages);
}

#[test]
fn a_join_is_ready_after_the_end_and_not_before() {
    under_all_schedules(|seed| {
        let mut kernel = kernel(seed);
        let ended = Rc::new(Cell::new(false));
        let mark = ended.clone();
        let kid = kernel.spawn("kid", async move {
            yield_now().await;
            yield_now().await;
            mark.set(true);
        });
        for name in ["parent", "grandma"] {
            let (kid, ended) = (kid.clone(), ended.clone());
            kernel.spawn(name, async move {
                kid.join().await;
                assert!(ended.get(), "the kid has not ended");
                kid.join().await; // it has ended, so this is ready at once
            });
        }
        assert_eq!(kernel.run_all(), Ok(()));
    });
}

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Waits until the counter has come so far, without leaving the processor at first.
fn spin_until(counter: &AtomicUsize, so_far: usize) {
    let mut spins = 0;
    while counter.load(SeqCst) < so_far {
        spins += 1;
        match spins % 256 {
            0 => thread::yield_now(),
            _ => hint::spin_loop(),
        }
    }
}

/// The task looks at the bell at about the moment at which the thread rings, a little earlier or later in each round.
#[test]
fn a_ring_is_never_lost() {
    const ROUNDS: usize = 40_000;
    let bells: Vec<Doorbell> = (0..ROUNDS).map(|_| Doorbell::new()).collect();
    let (begun, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (ringing, begins, rung) = (bells.clone(), begun.clone(), done.clone());
    let postman = thread::spawn(move || {
        for (round, bell) in ringing.iter().enumerate() {
            spin_until(&begins, round + 1);
            (0..round % 32).for_each(|_| hint::spin_loop());
            bell.ring();
            rung.store(round + 1, SeqCst);
        }
    });
    let mut kernel = kernel(None);
    kernel.spawn("parent", async move {
        for (round, bell) in bells.iter().enumerate() {
            let woken = Arc::new(Woken::default());
            let waker = Waker::from(woken.clone());
            let mut wait = bell.wait();
            begun.store(round + 1, SeqCst);
            (0..round / 32 % 32).for_each(|_| hint::spin_loop());
            let poll = Pin::new(&mut wait).poll(&mut TaskContext::from_waker(&waker));
            spin_until(&done, round + 1);
            assert!(
                poll.is_ready() || woken.0.load(SeqCst) == 1,
                "round {round}: it waits, somebody has rung, and it was not woken"
            );
        }
    });
    assert_eq!(kernel.run_all(), Ok(()));
    postman.join().expect("the postman has come home");
}

#[test]
fn while_a_thread_could_knock_the_kernel_waits() {
    let mut kernel = kernel(None);
    kernel.spawn("parent", async {
        let doorbell = Doorbell::new();
        let (bell, (go, started)) = (doorbell.clone(), mpsc::channel());
        spawn_thread(move || {
            let _ = started.recv();
            bell.ring();
        });
        spawn("kid", async move {
            let _ = go.send(());
        });
        doorbell.wait().await;
    });
    assert_eq!(kernel.run_all(), Ok(()));
}

#[test]
fn a_deadlock_names_everyone_who_waits() {
    under_all_schedules(|seed| {
        let mut kernel = kernel(seed);
        let channel = Channel::new();
        let kid = kernel.spawn("kid", async move {
            channel.receive().await;
        });
        kernel.spawn("parent", async move { kid.join().await });
        kernel.spawn("foreign", poll_fn(|_| Poll::Pending));
        kernel.spawn("impatient", async {
            let doorbell = Doorbell::new();
            spawn_thread(|| ()); // it goes without a word
            doorbell.wait().await;
        });
        let report = kernel.run_all().expect_err("nobody can go on").to_string();
        let expected = "\
deadlock: every task waits, and nothing can wake one
  task 1 (kid): RECEIVE_WAIT
  task 2 (parent): TASK_JOIN
  task 3 (foreign): FOREIGN_WAIT
  task 4 (impatient): RING_WAIT";
        assert_eq!(report, expected);
    });
}

#[test]
fn everyone_is_there_before_the_parent_leaves() {
    under_all_schedules(|seed| {
        let mut kernel = kernel(seed);
        both_here::start(&mut kernel);
        let (ended, said) = voice::listen(|| kernel.run_all());
        assert_eq!(ended, Ok(()));
        assert_eq!(said.len(), 11);
        assert_eq!(said[10], "parent: Everyone is here. We're leaving!");
    });
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn join2_is_that_of_chapter_3_to_the_letter() {
    assert_eq!(read("src/join2.rs"), read("../chapter03-async/wrong/join2.rs"));
}

#[test]
fn not_one_line_of_the_ready_queue_has_changed() {
    for file in ["error", "scheduler", "shuffle", "voice"] {
        let here = read(&format!("src/{file}.rs"));
        let there = read(&format!("../chapter03-async/src/{file}.rs"));
        assert_eq!(here, there, "src/{file}.rs is not that of chapter 3");
    }
}
