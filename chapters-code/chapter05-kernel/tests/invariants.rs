//! The invariants of chapter 5. The chapter's page names these tests. Those of the keys are beside `src/pool.rs`.

#[path = "../../common/watchdog.rs"]
mod watchdog;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};

use chapter5::programs::channel::Channel;
use chapter5::programs::join2::join2;
use chapter5::programs::report::kernel;
use chapter5::programs::{both_here, voice};
use chapter5::{Error, Kernel, Result, State, Task, spawn, spawn_thread, task, yield_now};

/// Runs a check in the order of arrival and under 200 shuffled schedules.
fn under_all_schedules(check: fn(Option<u64>)) {
    watchdog::watch();
    check(None);
    for seed in 0..200 {
        println!("seed {seed}"); // shown if the check fails
        check(Some(seed));
    }
}

/// Runs until all have ended, and looks whether anything is left.
fn run_to_the_end(kernel: &Kernel) {
    watchdog::watch();
    kernel.run_all().expect("everybody ends");
    assert_eq!(format!("{kernel:?}"), "Kernel { tasks: 0, waits: 0 }");
}

/// So many cycles are more than these programs need.
fn run_for_a_while(kernel: &Kernel) {
    for _ in 0..100 {
        kernel.run_once().expect("no kernel runs here");
    }
}

/// The shape of a kernel's tables.
fn left(kernel: &Kernel) -> String {
    format!("{kernel:?}").replace("Kernel ", "")
}

async fn busy(turns: usize) -> Result<usize> {
    for _ in 0..turns {
        yield_now().await?;
    }
    Ok(turns)
}

/// Panics when it is dropped.
struct Grenade;

impl Drop for Grenade {
    fn drop(&mut self) {
        panic!("bang");
    }
}

/// What a task that has ended gave. A panic in it, of an assertion say, ends nobody else: so look here.
fn result<T>(task: &Task<T>) -> Result<T> {
    match pin!(task.join()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("{task:?} has not ended"),
    }
}

/// Runs the task and all others to the end, which must be a good one.
fn run_main(kernel: &Kernel, main: impl Future<Output = ()> + 'static) {
    let main = kernel.spawn(main);
    run_to_the_end(kernel);
    result(&main).expect("no assertion has failed");
}

/// What a join gave, in words.
fn words<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.map_or_else(|error| error.to_string(), |value| format!("{value:?}"))
}

#[test]
fn the_end_of_a_task_is_its_own() {
    under_all_schedules(|seed| {
        let heard: Rc<RefCell<Vec<String>>> = Rc::default();
        let kernel = kernel(seed);
        let out = heard.clone();
        run_main(&kernel, async move {
            let value = task(busy(3)).name("value").spawn();
            let error = async { Err::<(), _>(Error::other("no coffee")) };
            let error = task(error).name("error").spawn();
            let panic = async {
                yield_now().await?;
                if true {
                    panic!("ouch");
                }
                Ok(1)
            };
            let panic = task(panic).name("panic").spawn();
            let last = async {
                let _grenade = Grenade;
                yield_now().await
            };
            let last = task(last).name("last").spawn();
            let value = words(value.join().await);
            let error = words(error.join().await);
            let panic = words(panic.join().await);
            let last = words(last.join().await);
            out.replace(vec![value, error, panic, last]);
        });
        let expected = [
            "3",
            "task 3 (error) failed: no coffee",
            "task 4 (panic) panicked: ouch",
            "task 5 (last) panicked: bang",
        ];
        assert_eq!(*heard.borrow(), expected);
    });
}

#[test]
fn a_value_that_nobody_takes_hurts_nobody() {
    let kernel = Kernel::new();
    kernel.spawn(async { Ok(Grenade) });
    kernel.spawn(busy(3));
    run_to_the_end(&kernel);
}

#[test]
fn a_join_is_ready_after_the_end_and_not_before() {
    under_all_schedules(|seed| {
        let kernel = kernel(seed);
        let lives = Rc::new(Cell::new(0));
        let mark = lives.clone();
        let kid: Task<usize> = kernel.spawn(async move {
            struct Alive(Rc<Cell<i32>>);
            impl Drop for Alive {
                fn drop(&mut self) {
                    self.0.set(self.0.get() - 1);
                }
            }
            mark.set(mark.get() + 1);
            let _alive = Alive(mark);
            busy(2).await
        });
        let kid = Rc::new(kid);
        let taken = Rc::new(Cell::new(0));
        let joiners = [(); 3].map(|()| {
            let (kid, lives, taken) = (kid.clone(), lives.clone(), taken.clone());
            kernel.spawn(async move {
                match kid.join().await {
                    Ok(2) => taken.set(taken.get() + 1),
                    Err(Error::AlreadyJoined) => {}
                    other => panic!("{other:?}"),
                }
                assert!(kid.terminated(), "the kid has not ended");
                assert_eq!(lives.get(), 0, "what the kid held is still there");
                assert!(matches!(kid.join().await, Err(Error::AlreadyJoined)));
            })
        });
        run_to_the_end(&kernel);
        joiners
            .iter()
            .for_each(|joiner| result(joiner).expect("no assertion has failed"));
        assert_eq!(taken.get(), 1, "the value is for the first");
    });
}

/// A future that holds something for as long as it is there, also after its end.
#[test]
fn the_future_is_gone_before_anybody_hears_of_the_end() {
    let kernel = Kernel::new();
    let held = Rc::new(());
    let inner = held.clone();
    let kid = kernel.spawn(poll_fn(move |_| {
        let _ = &inner;
        Poll::Ready(())
    }));
    run_main(&kernel, async move {
        kid.join().await.expect("a value");
        assert_eq!(Rc::strong_count(&held), 1);
    });
}

#[test]
fn a_failure_may_be_heard_again_and_again() {
    let kernel = Kernel::new();
    let kid = kernel.spawn(async { Err::<(), _>(Error::other("no coffee")) });
    run_main(&kernel, async move {
        for _ in 0..3 {
            let name = "a_failure_may_be_heard_again_and_again";
            let expected = format!("task 1 ({name}) failed: no coffee");
            assert_eq!(words(kid.join().await), expected);
        }
    });
}

/// Leaves its waker in the slot, and waits.
fn leave_waker(slot: &Rc<RefCell<Option<Waker>>>) -> impl Future<Output = ()> + use<> {
    let slot = slot.clone();
    poll_fn(move |cx: &mut Context<'_>| {
        match slot.replace(Some(cx.waker().clone())) {
            None => Poll::Pending,
            Some(_) => Poll::Ready(()), // the second time
        }
    })
}

#[test]
fn a_stale_waker_wakes_nobody() {
    let slot = Rc::default();
    let kernel = Kernel::new();
    let old = kernel.spawn(leave_waker(&slot));
    run_for_a_while(&kernel);
    let waker = slot.borrow().clone().expect("it was polled");
    waker.wake_by_ref();
    run_for_a_while(&kernel);
    assert!(old.terminated());
    let tenant = kernel.spawn(poll_fn(|_| Poll::<()>::Pending));
    run_for_a_while(&kernel);
    assert_eq!(tenant.cycles(), 1);
    waker.wake_by_ref();
    run_for_a_while(&kernel);
    assert_eq!(tenant.cycles(), 1, "the tenant of its place was woken");
}

#[test]
fn a_wake_up_reaches_the_one_it_is_meant_for() {
    under_all_schedules(|seed| {
        let kernel = kernel(seed);
        let (pizza, film) = (Channel::new(), Channel::new());
        // It looks for pizza once, then waits for the film: its second note may have the place of the first.
        let kid = {
            let (pizza, film) = (pizza.clone(), film.clone());
            async move {
                {
                    let mut receive = pin!(pizza.receive());
                    poll_fn(|cx| Poll::Ready(receive.as_mut().poll(cx).is_pending())).await;
                }
                film.receive().await
            }
        };
        let kid = kernel.spawn(kid);
        run_for_a_while(&kernel);
        let friend = kernel.spawn({
            let pizza = pizza.clone();
            async move { pizza.receive().await }
        });
        run_for_a_while(&kernel);
        pizza.send("pizza".to_string());
        run_for_a_while(&kernel);
        assert!(friend.terminated(), "the pizza is there, and the friend waits");
        film.send("film".to_string());
        run_to_the_end(&kernel);
        assert_eq!(kid.cycles(), 2, "once to begin, once for the film");
    });
}

#[test]
fn a_task_is_polled_when_it_was_woken_and_not_otherwise() {
    under_all_schedules(|seed| {
        let kernel = kernel(seed);
        let channel = Channel::new();
        let receiver = channel.clone();
        let receiver = kernel.spawn(async move { receiver.receive().await });
        kernel.spawn(busy(50));
        run_for_a_while(&kernel);
        assert_eq!(receiver.cycles(), 1, "once, to begin");
        assert_eq!(receiver.state().as_str(), "RECEIVE_WAIT");
        channel.send("hello".to_string());
        run_to_the_end(&kernel);
        assert_eq!(receiver.cycles(), 2, "once more, to take the message");
        assert_eq!(receiver.state(), State::Terminated);
    });
}

#[test]
fn a_task_is_queued_once_however_often_it_is_woken() {
    let slot: Rc<RefCell<Option<Waker>>> = Rc::default();
    let kernel = Kernel::new();
    let left = slot.clone();
    let sleeper = kernel.spawn(poll_fn(move |cx| {
        left.replace(Some(cx.waker().clone()));
        Poll::<()>::Pending
    }));
    run_for_a_while(&kernel);
    let waker = slot.take().expect("it was polled");
    (0..5).for_each(|_| waker.wake_by_ref()); // from outside
    run_for_a_while(&kernel);
    assert_eq!(sleeper.cycles(), 2);
    kernel.spawn(async move { (0..5).for_each(|_| waker.wake_by_ref()) }); // from inside
    run_for_a_while(&kernel);
    assert_eq!(sleeper.cycles(), 3);
}

#[test]
fn who_is_polled_for_nothing_keeps_its_place() {
    under_all_schedules(|seed| {
        let kernel = kernel(seed);
        let channel = Channel::new();
        let receive = channel.receive();
        let first = kernel.spawn(async {
            let (message, _) = join2(receive, busy(3)).await;
            message
        });
        run_for_a_while(&kernel);
        let second = kernel.spawn({
            let channel = channel.clone();
            async move { channel.receive().await }
        });
        run_for_a_while(&kernel);
        channel.send("one".to_string());
        channel.send("two".to_string());
        run_to_the_end(&kernel);
        assert!(result(&first).is_ok() && result(&second).is_ok());
    });
}

#[test]
fn a_note_exists_exactly_while_an_operation_waits() {
    under_all_schedules(|seed| {
        let kernel = kernel(seed);
        let channel = Channel::new();
        let (inner, silent) = (channel.clone(), Channel::new());
        let main = kernel.spawn(async move {
            let mut late = inner.receive();
            let first = poll_fn(|cx| Poll::Ready(Pin::new(&mut late).poll(cx))).await;
            assert!(first.is_pending());
            yield_now().await?;
            (&mut late).await?;
            silent.receive().await?;
            drop(late);
            Ok(())
        });
        run_for_a_while(&kernel);
        assert_eq!(left(&kernel), "{ tasks: 1, waits: 1 }");
        channel.send("hello".to_string());
        run_for_a_while(&kernel);
        assert_eq!(
            left(&kernel),
            "{ tasks: 1, waits: 1 }",
            "one is over, another waits"
        );
        assert_eq!(main.state().as_str(), "RECEIVE_WAIT");
    });
}

#[test]
fn a_task_that_panics_leaves_no_note() {
    let kernel = Kernel::new();
    let clumsy = kernel.spawn(async {
        let mut receive = Channel::new().receive();
        let first = poll_fn(|cx| Poll::Ready(Pin::new(&mut receive).poll(cx))).await;
        assert!(first.is_ready(), "while it waits");
    });
    run_to_the_end(&kernel);
    assert!(words(result(&clumsy)).ends_with("panicked: while it waits"));
}

#[test]
fn outside_of_a_task_an_operation_refuses() {
    let mut cx = Context::from_waker(Waker::noop());
    let mut yields = yield_now();
    let mut receives = Channel::new().receive();
    let poll = Pin::new(&mut yields).poll(&mut cx);
    assert!(matches!(poll, Poll::Ready(Err(Error::NoKernel))));
    let poll = Pin::new(&mut receives).poll(&mut cx);
    assert!(matches!(poll, Poll::Ready(Err(Error::NoKernel))));
}

#[test]
fn there_is_one_kernel_at_a_time() {
    let kernel = Kernel::new();
    run_main(&kernel, async {
        assert!(matches!(Kernel::new().run_all(), Err(Error::KernelRunning)));
    });
}

#[test]
fn a_deadlock_names_everyone_who_waits() {
    under_all_schedules(|seed| {
        let kernel = kernel(seed);
        kernel.spawn(async {
            let kid = async { Channel::new().receive().await };
            let kid = task(kid).name("kid").spawn();
            task(poll_fn(|_| Poll::<()>::Pending)).name("foreign").spawn();
            spawn_thread(|| ()); // it goes without a word
            kid.join().await
        });
        let report = kernel.run_all().expect_err("nobody can go on").to_string();
        let expected = "\
deadlock: every task waits, and nothing can wake one
  task 1 (a_deadlock_names_everyone_who_waits): TASK_JOIN
  task 2 (kid): RECEIVE_WAIT
  task 3 (foreign): FOREIGN_WAIT";
        assert_eq!(report, expected);
    });
}

#[test]
fn while_a_thread_could_knock_the_kernel_waits() {
    let kernel = Kernel::new();
    run_main(&kernel, async {
        let (go, started) = mpsc::channel();
        let (home, waker) = mpsc::channel::<Waker>();
        spawn_thread(move || {
            let waker = waker.recv().expect("a waker");
            let _ = started.recv();
            waker.wake();
        });
        let mut polls = 0;
        let thread = poll_fn(move |cx| {
            polls += 1;
            let _ = home.send(cx.waker().clone());
            match polls {
                1 => Poll::Pending,
                _ => Poll::Ready(()),
            }
        });
        spawn(async move {
            let _ = go.send(());
        });
        thread.await;
    });
}

#[test]
fn everyone_is_there_before_the_parent_leaves() {
    under_all_schedules(|seed| {
        let kernel = kernel(seed);
        both_here::start(&kernel);
        let (_, said) = voice::listen(|| run_to_the_end(&kernel));
        assert_eq!(said.len(), 11);
        assert_eq!(said[10], "parent: Everyone is here. We're leaving!");
    });
}
