//! Who waits for whom, and who belongs together.

use super::*;

#[test]
fn tasks_that_wait_for_each_other_are_shown() {
    let place = Place::new();
    let kernel = thread::spawn({
        let monitor = place.monitor();
        move || {
            let kernel = Kernel::builder().monitor(monitor).build().unwrap();
            kernel.run(async {
                let (first, second) = (Queue::<()>::new(), Queue::<()>::new());
                let (a, b) = (first.clone(), second.clone());
                let one = task(async move {
                    a.get().await?;
                    b.put(()).await
                })
                .name("one")
                .spawn();
                let two = task(async move {
                    second.get().await?;
                    first.put(()).await
                })
                .name("two")
                .spawn();
                let _ = one.wait().await;
                two.wait().await
            })
        }
    });
    // It is there a moment before anybody listens.
    while UnixStream::connect(place.socket()).is_err() {
        thread::sleep(Duration::from_millis(1));
    }
    let mut client = Local::connect(&place.socket());
    let table = client.ask_until("ps", |table| table.matches("QUEUE_GET").count() == 2);
    let (one, two) = (row(&table, "one")[0], row(&table, "two")[0]);
    client.ask(&format!("cancel {one}"));
    client.ask(&format!("cancel {two}"));
    let _ = kernel.join().unwrap();
}

#[test]
fn who_waits_for_whom_and_who_in_a_circle() {
    let place = Place::new();
    let program = Program::start(place.monitor(), |end| async move {
        let lock = Lock::new(());
        let holder = lock.lock().await?;
        for name in ["first", "second"] {
            let lock = lock.clone();
            task(async move { lock.lock().await.map(drop) })
                .name(name)
                .spawn();
        }
        let hen: Rc<std::cell::RefCell<Option<curio::TaskRef>>> = Rc::default();
        let egg = task({
            let hen = hen.clone();
            async move {
                let hen = hen.borrow().clone();
                hen.expect("it is there").wait().await
            }
        });
        let egg = egg.name("egg").spawn().reference();
        let whole = task(async move { egg.wait().await })
            .name("hen")
            .spawn()
            .reference();
        *hen.borrow_mut() = Some(whole);
        until(&end).await?;
        drop(holder);
        Ok(())
    });
    let mut client = Local::connect(&place.socket());
    let table = client.ask_until("ps", |table| table.matches("TASK_JOIN").count() == 2);
    let id = |name| format!("{} ({name})", row(&table, name)[0]);
    let shown = client.ask_kernel("locks");
    let (egg, hen) = (id("egg"), id("hen"));
    assert!(
        shown.contains(&format!("{egg} waits for the end of {hen} at ")),
        "{shown}"
    );
    assert!(
        shown.contains(&format!(
            ": {}, {}; held by {}\n",
            id("first"),
            id("second"),
            id("start")
        )),
        "{shown}"
    );
    assert!(deadlocked(&shown, &egg, &hen), "{shown}");
    assert_eq!(shown.matches("deadlock").count(), 1, "{shown}");
    program.finish();
}

/// Whether these two are said to wait for each other, with the places.
fn deadlocked(shown: &str, one: &str, other: &str) -> bool {
    let Some(line) = shown.lines().find(|line| line.starts_with("deadlock: ")) else {
        return false;
    };
    // Which of them comes first depends on the order of their ids.
    [(one, other), (other, one)].iter().any(|(a, b)| {
        let parts: Vec<&str> = line.split(" waits at ").collect();
        parts.len() == 3
            && parts[0] == format!("deadlock: {a}")
            && parts[1].contains("waits.rs:")
            && parts[1].ends_with(&format!(" for {b}"))
            && parts[2].contains("waits.rs:")
            && parts[2].ends_with(&format!(" for {a}"))
    })
}

#[test]
fn who_has_what_others_wait_for() {
    let place = Place::new();
    let program = Program::start(place.monitor(), |end| async move {
        // It goes from one to the next, and the monitor follows.
        let lock = Lock::new(());
        let first = lock.lock().await?;
        for name in ["one", "two", "three"] {
            let lock = lock.clone();
            let keep = async move {
                let _guard = lock.lock().await?;
                sleep(Duration::from_secs(1000)).await
            };
            task(keep).name(name).spawn();
        }
        yield_now().await?;
        drop(first);
        let rlock = RLock::new(());
        let _mine = rlock.lock().await?;
        let _again = rlock.lock().await?;
        task(async move { rlock.lock().await.map(drop) })
            .name("recursive")
            .spawn();
        let (desks, bounded) = (Semaphore::new(1), BoundedSemaphore::new(2));
        let _permits = (
            desks.acquire().await?,
            bounded.acquire().await?,
            bounded.acquire().await?,
        );
        task(async move { desks.acquire().await.map(drop) })
            .name("desk")
            .spawn();
        task(async move { bounded.acquire().await.map(drop) })
            .name("bounded")
            .spawn();
        until(&end).await
    });
    let mut client = Local::connect(&place.socket());
    let table = client.ask_until("ps", |table| {
        table.matches("SEMA_ACQUIRE").count() == 2 && table.matches("LOCK_ACQUIRE").count() == 3
    });
    let id = |name| format!("{} ({name})", row(&table, name)[0]);
    let shown = client.ask_kernel("locks");
    for line in [
        format!(": {}, {}; held by {}\n", id("two"), id("three"), id("one")),
        format!(": {}; held by {}\n", id("recursive"), id("start")),
        format!(": {}; no permit is free\n", id("desk")),
        format!(": {}; all 2 permits are taken\n", id("bounded")),
    ] {
        assert!(shown.contains(&line), "{line}{shown}");
    }
    assert!(!shown.contains("deadlock: "), "{shown}");
    client.ask(&format!("cancel {}", row(&table, "one")[0]));
    let line = format!(": {}; held by {}\n", id("three"), id("two"));
    client.ask_until("locks", |shown| shown.contains(&line));
    program.finish();
}

#[test]
fn a_circle_of_locks_is_a_deadlock() {
    let place = Place::new();
    let program = Program::start(place.monitor(), |end| async move {
        let (fork, knife) = (Lock::new(()), Lock::new(()));
        for (name, left, right) in [("plato", &fork, &knife), ("kant", &knife, &fork)] {
            let (left, right) = (left.clone(), right.clone());
            let dine = async move {
                let _left = left.lock().await?;
                yield_now().await?;
                let _right = right.lock().await?;
                Result::Ok(())
            };
            task(dine).name(name).spawn();
        }
        let own = Lock::new(());
        let twice = async move {
            let _guard = own.lock().await?;
            own.lock().await.map(drop)
        };
        task(twice).name("twice").spawn();
        // Not one: this one gives up.
        let (lock, patient) = (Lock::new(()), Duration::from_secs(1000));
        let gives_up = async move {
            let _guard = lock.lock().await?;
            timeout_after(patient, lock.lock()).await.map(drop)
        };
        task(gives_up).name("gives-up").spawn();
        until(&end).await
    });
    let mut client = Local::connect(&place.socket());
    let table = client.ask_until("ps", |table| table.matches("LOCK_ACQUIRE").count() == 4);
    let id = |name| format!("{} ({name})", row(&table, name)[0]);
    let shown = client.ask_kernel("locks");
    assert!(deadlocked(&shown, &id("plato"), &id("kant")), "{shown}");
    let alone = format!("deadlock: {} waits at ", id("twice"));
    let line = shown.lines().find(|line| line.starts_with(&alone));
    assert!(
        line.is_some_and(|line| line.ends_with(&format!(" for {}", id("twice")))),
        "{shown}"
    );
    assert_eq!(shown.matches("deadlock: ").count(), 2, "{shown}");
    program.finish();
}

#[test]
fn the_tree_tells_the_groups_apart() {
    let place = Place::new();
    let program = Program::start(place.monitor(), |end| async move {
        let groups = [TaskGroup::all(), TaskGroup::all()];
        for (n, group) in groups.iter().enumerate() {
            for _ in 0..2 {
                let kid = task(sleep(Duration::from_secs(1000)));
                group.add_task(kid.name(format!("kid-of-{n}")).spawn())?;
            }
        }
        task(sleep(Duration::from_secs(1000))).name("alone").spawn();
        until(&end).await
    });
    let mut client = Local::connect(&place.socket());
    let tree = client.ask_until("tree", |tree| tree.matches("TIME_SLEEP").count() == 5);
    for line in tree.lines() {
        let group = match line {
            _ if line.contains("kid-of-0") => Some(" [group 1]"),
            _ if line.contains("kid-of-1") => Some(" [group 2]"),
            _ => None,
        };
        match group {
            Some(group) => assert!(line.ends_with(group), "{tree}"),
            None => assert!(!line.contains("[group"), "{tree}"),
        }
    }
    // Programs are told the same, whomever they ask for.
    let mut groups = |command: &str| -> Vec<(String, Value)> {
        let told: Vec<Value> = client
            .ask(command)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let tasks = told.iter().filter(|line| line["name"].is_string());
        tasks
            .map(|line| (line["name"].as_str().unwrap().to_string(), line["group"].clone()))
            .collect()
    };
    for (name, group) in groups("ps --json") {
        let number = match name.as_str() {
            "kid-of-0" => Value::from(1),
            "kid-of-1" => Value::from(2),
            _ => Value::Null,
        };
        assert_eq!(group, number, "{name}");
    }
    let second = ("kid-of-1".to_string(), Value::from(2));
    assert_eq!(groups("ps --json kid-of-1"), [second.clone(), second]);
    program.finish();
}

/// One after the other they have the same lock. The kernel goes on while it is asked in slices.
#[test]
fn who_only_waits_for_a_turn_is_in_no_deadlock() {
    let place = Place::new();
    let program = Program::start(place.monitor(), |end| async move {
        let lock = Lock::new(());
        for _ in 0..600 {
            let (lock, end) = (lock.clone(), end.clone());
            spawn(async move {
                while !end.load(Ordering::Relaxed) {
                    let _turn = lock.lock().await?;
                    yield_now().await?;
                }
                Ok(())
            });
        }
        until(&end).await
    });
    let mut client = Local::connect(&place.socket());
    client.ask_until("locks", |shown| shown.contains("held by"));
    for _ in 0..100 {
        let shown = client.ask("locks");
        assert!(!shown.contains("deadlock: "), "{shown}");
    }
    program.finish();
}
