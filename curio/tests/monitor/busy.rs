//! When the kernel does not answer.

use super::*;

/// A program whose task `kid` lets nobody else run, until it is told to end.
fn hogged(monitor: Monitor) -> Program {
    let (hogs, hogging) = std::sync::mpsc::channel();
    let program = Program::start(monitor, |end| async move {
        let door = Event::new();
        let waiting = door.clone();
        task(async move { waiting.wait().await }).name("guest").spawn();
        let kid = task(async move {
            sleep(Duration::from_millis(1)).await?;
            door.set();
            for _ in 0..3 {
                task(sleep(Duration::from_secs(1000))).name("friend").spawn();
            }
            hogs.send(()).unwrap();
            while !end.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
            Ok::<(), Error>(())
        });
        kid.name("kid").spawn().wait().await
    });
    // Before that, other tasks are seen to run, and not all is there.
    hogging.recv().unwrap();
    program
}

#[test]
fn a_task_that_hogs_the_thread_is_shown() {
    let place = Place::new();
    let program = hogged(place.monitor());
    let mut client = Local::connect(&place.socket());
    let table = client.ask("ps");
    assert_eq!(row(&table, "kid")[1..3], ["RUNNING", "2"]);
    assert_eq!(table.matches(" READY        0 ").count(), 3, "{table}");
    assert_eq!(
        row(&table, "guest")[1..3],
        ["READY", "1"],
        "the door was opened: {table}"
    );
    assert_eq!(row(&table, "start")[1..3], ["TASK_JOIN", "1"], "{table}");
    let kid = row(&table, "kid")[0];
    let stack = client.ask(&format!("w {kid}"));
    assert!(stack.contains("state='RUNNING'"), "{stack}");
    if cfg!(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64")
    )) {
        assert!(
            stack.contains("most recent call last") && stack.contains(" line "),
            "{stack}"
        );
    }
    let start = row(&table, "start")[0];
    let stack = client.ask(&format!("w {start}"));
    let busy = format!("The kernel is busy: task {kid} (kid) does not let go of it.\n");
    assert!(
        stack.starts_with(&format!(
            "Stack for Task(id={start}, name='start', state='TASK_JOIN')"
        )) && stack.contains("busy.rs\", line ")
            && stack.ends_with(&busy),
        "its place is known: {stack}"
    );
    let guest = client.ask(&format!("w {}", row(&table, "guest")[0]));
    assert!(
        guest.contains("\nIt has last waited at curio/tests/monitor/busy.rs:"),
        "{guest}"
    );
    let friend = row(&table, "friend")[0];
    let stack = client.ask(&format!("w {friend}"));
    assert!(
        stack.contains("\nIt was spawned at curio/tests/monitor/busy.rs:"),
        "{stack}"
    );
    let answer = client.ask(&format!("cancel {friend}"));
    assert_eq!(answer, format!("Cancelling task {friend}\n{busy}"));
    let busy = client.ask("locks");
    assert!(busy.contains("does not let go"), "{busy}");
    program.finish();
}

/// A kernel need not run all the time.
#[test]
fn a_kernel_that_does_not_run_is_looked_at() {
    let place = Place::new();
    let kernel = Kernel::builder().monitor(place.monitor()).build().unwrap();
    let kid = kernel.spawn(sleep(Duration::from_secs(1000)));
    let socket = place.socket();
    let looked = thread::spawn(move || {
        let mut client = Local::connect(&socket);
        let table = client.ask("ps");
        assert_eq!(row(&table, "Sleep")[1..3], ["READY", "0"]);
        client.ask("cancel 3")
    });
    let answer = looked.join().unwrap();
    assert_eq!(answer, "Cancelling task 3\nThe kernel does not run now.\n");
    kernel.run_once().unwrap();
    assert!(
        kid.terminated() || kid.cancelled(),
        "it was told when it could be"
    );
}

#[test]
fn one_that_was_cancelled_and_does_not_end_is_marked() {
    let place = Place::new();
    let program = Program::start(place.monitor(), |end| async move {
        let stubborn = task(async {
            let _ = sleep(Duration::from_secs(1000)).await;
            sleep(Duration::from_secs(1000)).await
        });
        let stubborn = stubborn.name("stubborn").spawn();
        until(&end).await?;
        drop(stubborn.cancel_within(Duration::ZERO).await);
        Ok(())
    });
    let mut client = Local::connect(&place.socket());
    let table = client.ask_until("ps", |table| is(table, "stubborn", "TIME_SLEEP"));
    assert!(!table.contains("cancelled"));
    client.ask(&format!("cancel {}", row(&table, "stubborn")[0]));
    client.ask_until("ps", |table| {
        row(table, "stubborn")[2] == "2" && table.contains(" (cancelled ") && table.contains(" s ago)")
    });
    program.finish();
}

/// What a kernel is asked for while it is busy is kept until it has time; but not without end, with a file for each recording.
#[test]
fn a_busy_kernel_is_asked_for_so_much_and_no_more() {
    let place = Place::new();
    let program = hogged(place.monitor());
    let mut client = Local::connect(&place.socket());
    let friend = row(&client.ask("ps"), "friend")[0].to_string();
    let before = open_files();
    for n in 0..400 {
        client.ask(&format!(
            "trace on {}",
            place.directory.join(n.to_string()).display()
        ));
        client.ask("trace off");
    }
    assert!(open_files() < before + 200, "{} > {before}", open_files());
    let answer = client.ask(&format!("cancel {friend}"));
    assert!(answer.starts_with("The kernel is busy: task "), "{answer}");
    program.finish();
    assert!(open_files() <= before, "{} > {before}", open_files());
}
