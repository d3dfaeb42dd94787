//! What it says.

use super::*;

#[test]
fn the_table_is_pythons_with_the_place() {
    let place = Place::new();
    let program = Program::hanging(place.monitor());
    let mut client = Local::connect(&place.socket());
    let table = client.ask_until("ps", |table| table.contains("TASK_JOIN"));
    let mut lines = table.lines();
    assert!(
        lines
            .next()
            .unwrap()
            .starts_with("Task   State        Cycles     Timeout Sleep   Task   ")
    );
    let dashes =
        "------ ------------ ---------- ------- ------- --------------------------------------------------";
    assert!(lines.next().unwrap().starts_with(dashes));
    assert_eq!(lines.clone().count(), 5);
    assert_eq!(row(&table, "kernel")[..2], ["1", "READ_WAIT"]);
    assert_eq!(row(&table, "monitor")[..2], ["2", "FUTURE_WAIT"]);
    let parent = row(&table, "parent");
    assert_eq!(parent[1..5], ["TASK_JOIN", "1", "None", "None"]);
    let kid = row(&table, "kid");
    assert_eq!(kid[1..4], ["TIME_SLEEP", "1", "None"]);
    assert_eq!(kid[4].len(), 7);
    assert!((900.0..1000.0).contains(&kid[4].parse().unwrap()), "{kid:?}");
    assert!(
        parent[6].starts_with("curio/tests/monitor/main.rs:"),
        "{parent:?}"
    );
    let line = lines.find(|line| line.contains("kid")).unwrap();
    assert_eq!(&line[47..50], "kid");
    let banner = Local::connect(&place.socket()).banner;
    assert_eq!(
        banner,
        "\nCurio Monitor: 5 tasks running\nType help for commands\n"
    );
    program.finish();
}

#[test]
fn one_task_can_be_looked_at_and_cancelled() {
    let place = Place::new();
    let program = Program::hanging(place.monitor());
    let mut client = Local::connect(&place.socket());
    let table = client.ask_until("ps", |table| {
        is(table, "parent", "TASK_JOIN") && is(table, "kid", "TIME_SLEEP")
    });
    let (parent, kid) = (row(&table, "parent")[0], row(&table, "kid")[0]);
    for command in ["where", "w"] {
        let stack = client.ask_kernel(&format!("{command} {parent}"));
        let head = format!(
            "Stack for Task(id={parent}, name='parent', state='TASK_JOIN') (most recent call last):\n  File \""
        );
        assert!(stack.starts_with(&head), "{stack}");
        assert!(stack.contains("main.rs"), "{stack}");
    }
    let parents = client.ask(&format!("parents {kid}"));
    assert_eq!(
        parents.lines().next(),
        Some(&*format!("{kid:<6}   TIME_SLEEP kid"))
    );
    // The main task, which may be about to look whether it is to end.
    assert!(parents.lines().nth(1).unwrap().starts_with("3  "), "{parents}");
    let tree = client.ask("tree");
    assert!(tree.starts_with("3 "), "{tree}");
    assert!(tree.contains(&format!("├─ {kid} kid TIME_SLEEP ")), "{tree}");
    assert!(tree.contains(&format!("└─ {parent} parent TASK_JOIN ")), "{tree}");
    // (On a busy machine it may not have heard of it for some time, and that is said, too.)
    let told = client.ask(&format!("cancel {kid}"));
    assert!(told.starts_with(&format!("Cancelling task {kid}\n")), "{told}");
    let table = client.ask_until("ps", |table| !table.contains("kid"));
    assert!(!table.contains("parent"), "it waited for the kid only: {table}");
    assert_eq!(client.ask(&format!("cancel {kid}")), format!("No task {kid}\n"));
    program.finish();
}

#[test]
fn what_is_not_understood_is_said_to_be() {
    let place = Place::new();
    let program = Program::hanging(place.monitor());
    let mut client = Local::connect(&place.socket());
    for (line, answer) in [
        ("banana", "Unknown command. Type help.\n"),
        ("where", "Bad command. Type help.\n"),
        ("where x", "Bad task id\n"),
        ("where -1", "Bad task id\n"),
        ("w 999", "No task 999\n"),
        ("w 18446744073709551615", "No task 18446744073709551615\n"),
        ("parents 999", "No task 999\n"),
        ("cancel 999", "No task 999\n"),
        ("cancel 1", "Task 1 is no task, but the kernel.\n"),
        ("signal BANANA", "Unknown signal BANANA\n"),
        ("signal \u{1b}[2J", "Unknown signal \u{fffd}[2J\n"),
        ("trace off", "There is no recording under way.\n"),
        ("", ""),
        ("   ", ""),
    ] {
        assert_eq!(client.ask(line), answer, "{line}");
    }
    assert!(client.ask("help").starts_with("Commands:\n"));
    assert_eq!(client.ask("quit"), "<end>");
    program.finish();
}

#[test]
fn a_signal_is_sent_to_the_program() {
    let place = Place::new();
    let program = Program::start(place.monitor(), |end| async move {
        let signals = curio::SignalQueue::new([curio::signal::SIGUSR1])?;
        signals.get().await?;
        task(sleep(Duration::from_secs(1000))).name("heard").spawn();
        until(&end).await
    });
    let mut client = Local::connect(&place.socket());
    client.ask_until("ps", |table| table.contains("SIGNAL_WAIT"));
    assert_eq!(client.ask("signal SIGUSR1"), "");
    client.ask_until("ps", |table| table.contains(" heard "));
    program.finish();
}

#[test]
fn deadlines_are_shown() {
    let place = Place::new();
    let program = Program::start(place.monitor(), |end| async move {
        let hour = Duration::from_secs(3600);
        let doors = Event::new();
        let door = doors.clone();
        task(async move { timeout_after(3 * hour, timeout_after(hour, door.wait())).await })
            .name("patient")
            .spawn();
        task(async move { timeout_after(2 * hour, std::future::pending::<Result<()>>()).await })
            .name("foreign")
            .spawn();
        until(&end).await
    });
    let mut client = Local::connect(&place.socket());
    let table = client.ask_until("ps", |table| {
        table.contains("FOREIGN_WAIT") && table.contains("EVENT_WAIT")
    });
    for (name, state, hours) in [("patient", "EVENT_WAIT", 1.0), ("foreign", "FOREIGN_WAIT", 2.0)] {
        let cells = row(&table, name);
        assert_eq!((cells[1], cells[2], cells[4]), (state, "1", "None"), "{table}");
        let left: f64 = cells[3].parse().unwrap();
        assert!(
            (hours * 3600.0 - 600.0..hours * 3600.0).contains(&left),
            "{table}"
        );
    }
    program.finish();
}

#[test]
fn names_can_be_searched_for_and_control_nothing() {
    let place = Place::new();
    let program = Program::start(place.monitor(), |end| async move {
        for name in ["kid", "kidney", "evil\u{1b}[2J\ncurio > "] {
            task(sleep(Duration::from_secs(1000))).name(name).spawn();
        }
        until(&end).await
    });
    let mut client = Local::connect(&place.socket());
    let table = client.ask_until("ps kid", |table| table.matches("TIME_SLEEP").count() == 2);
    assert!(!table.contains("evil"), "{table}");
    let table = client.ask("ps evil");
    assert!(table.contains("evil\u{fffd}[2J\u{fffd}curio >"), "{table:?}");
    program.finish();
}

#[test]
fn programs_get_json() {
    let place = Place::new();
    let program = Program::hanging(place.monitor());
    let mut client = Local::connect(&place.socket());
    client.ask_until("ps", |table| table.contains("TASK_JOIN"));
    let lines: Vec<Value> = client
        .ask("ps --json")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 4);
    let kid = lines.iter().find(|line| line["name"] == "kid").unwrap();
    assert_eq!(
        (&kid["state"], &kid["parent"]),
        (&Value::from("TIME_SLEEP"), &Value::from(3))
    );
    assert!(kid["sleep"].as_u64().unwrap() > 500_000_000_000);
    assert_eq!(lines[3]["tasks"], 3);
    let about: Value = serde_json::from_str(&client.ask("about")).unwrap();
    assert_eq!(about["pid"], std::process::id());
    // No prompts from here on.
    client.say("batch\nabout\nquit");
    assert!(client.answer().ends_with("}\n<end>"));
    program.finish();
}

#[test]
fn how_long_runs_take_is_known_to_those_who_have_asked() {
    let place = Place::new();
    let program = Program::start(place.monitor(), |end| async move {
        let busy = task(async move {
            loop {
                let start = Instant::now();
                while start.elapsed() < Duration::from_millis(3) {}
                sleep(Duration::from_millis(1)).await?;
            }
            #[allow(unreachable_code)]
            Ok::<(), Error>(())
        });
        busy.name("busy").spawn();
        until(&end).await
    });
    let mut client = Local::connect(&place.socket());
    assert!(client.ask("top").starts_with("From now on"));
    let top = client.ask_until("top", |top| top.lines().count() > 2);
    let busy = row(&top, "busy");
    assert!(busy[3].parse::<f64>().unwrap() >= 3.0, "{top}");
    assert!(busy[4].parse::<f64>().unwrap() >= 3.0, "{top}");
    assert!(
        top.lines().nth(1).unwrap().ends_with(" busy"),
        "it comes first: {top}"
    );
    program.finish();
}
