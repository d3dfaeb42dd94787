//! Those who mean it harm.

use super::doors::free_port;
use super::*;

#[test]
fn garbage_is_answered_and_a_megabyte_without_an_end_is_not_kept() {
    let place = Place::new();
    let program = Program::hanging(place.monitor());
    let mut client = Local::connect(&place.socket());
    for garbage in [
        &b"\0\xff\xfe\x1b[2J"[..],
        b"ps\0",
        "p\u{0301}s \u{202e}".as_bytes(),
        b"\r",
        b"\x04",
    ] {
        client.stream.write_all(garbage).unwrap();
        let answer = client.ask("");
        assert!(
            ["Unknown command. Type help.\n", ""].contains(&&*answer),
            "{answer:?}"
        );
    }
    let long = "x".repeat(1 << 20);
    assert_eq!(client.ask(&long), "The line is too long.\n");
    assert_eq!(client.ask(&"y".repeat(5000)), "The line is too long.\n");
    // One that never ends.
    let mut endless = Local::connect(&place.socket());
    endless.stream.write_all(long.as_bytes()).unwrap();
    assert!(client.ask("ps").contains("kid"));
    // Many in one packet.
    client.say(&"w 999\n".repeat(1000));
    let mut told = String::new();
    while told.matches("No task 999\n").count() < 1000 {
        told.push_str(&client.answer());
    }
    program.finish();
}

#[test]
fn one_that_never_reads_is_not_waited_for() {
    let place = Place::new();
    let runs = Arc::new(AtomicU64::new(0));
    let counted = runs.clone();
    let program = Program::start(place.monitor(), move |end| async move {
        for _ in 0..1000 {
            spawn(sleep(Duration::from_secs(1000)));
        }
        while !end.load(Ordering::Relaxed) {
            counted.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(1)).await?;
        }
        Ok(())
    });
    let resident = || {
        let status = fs::read_to_string("/proc/self/statm").unwrap_or_default();
        status
            .split(' ')
            .nth(1)
            .and_then(|pages| pages.parse::<usize>().ok())
            .unwrap_or(0)
            * 4096
    };
    let mut lazy: Vec<Local> = (0..8).map(|_| Local::connect(&place.socket())).collect();
    let before = resident();
    for client in &mut lazy {
        client.stream.set_nonblocking(true).unwrap();
        // As much as is taken.
        while client.stream.write(&b"ps all\n".repeat(1000)).is_ok() {}
    }
    let mut client = Local::connect(&place.socket());
    let ran = runs.load(Ordering::Relaxed);
    for _ in 0..20 {
        assert!(client.ask("ps").contains("kernel"));
    }
    while runs.load(Ordering::Relaxed) < ran + 20 {
        thread::sleep(Duration::from_millis(1));
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 8 << 20, "it has kept {grown} bytes for them");
    drop(lazy);
    assert!(client.ask("ps").contains("kernel"));
    program.finish();
}

#[test]
fn a_thousand_cannot_crowd_it_out() {
    let place = Place::new();
    let before = (open_files(), threads());
    let program = Program::hanging(place.monitor());
    let with_one = open_files();
    let mut first = Local::connect(&place.socket());
    let mut clients = Vec::new();
    let mut turned_away = 0;
    for _ in 0..1000 {
        // Somebody may be turned away before they are even connected, if there are too many at the door.
        let Ok(stream) = UnixStream::connect(place.socket()) else {
            turned_away += 1;
            continue;
        };
        stream.set_read_timeout(Some(Duration::from_secs(300))).unwrap();
        let client = Client::new(stream);
        if client.banner.starts_with("Too many") {
            turned_away += 1;
        } else {
            assert!(client.banner.contains("Curio Monitor"), "{}", client.banner);
            clients.push(client);
        }
    }
    assert_eq!((clients.len(), turned_away), (31, 969));
    assert!(first.ask("ps").contains("kid"));
    assert!(open_files() <= with_one + 2 * 32 + 2, "{}", open_files());
    drop(clients);
    // There is room again.
    let start = Instant::now();
    while !Local::connect(&place.socket()).banner.contains("Curio Monitor") {
        assert!(start.elapsed() < Duration::from_secs(120));
    }
    drop(first);
    returns_to(with_one, open_files);
    program.finish();
    returns_to(before.0, open_files);
    returns_to(before.1, threads);
}

#[test]
fn one_who_dies_in_the_middle_leaves_nothing() {
    let place = Place::new();
    let program = Program::start(place.monitor(), |end| async move {
        for _ in 0..5000 {
            spawn(sleep(Duration::from_secs(1000)));
        }
        until(&end).await
    });
    Local::connect(&place.socket()).ask_until("ps", |table| table.contains("more"));
    let before = open_files();
    for _ in 0..100 {
        let mut client = Local::connect(&place.socket());
        client.say("ps all\nps all\nwhere 3\ntop");
        let mut some = [0; 100];
        client.stream.read_exact(&mut some).unwrap();
    }
    returns_to(before, open_files);
    assert!(Local::connect(&place.socket()).ask("ps").contains("kernel"));
    program.finish();
}

#[test]
fn those_who_look_see_the_end_of_the_program() {
    let place = Place::new();
    let before = threads();
    let program = Program::hanging(place.monitor());
    let mut clients: Vec<Local> = (0..5).map(|_| Local::connect(&place.socket())).collect();
    clients[0].say(&"ps all\n".repeat(100));
    program.finish();
    for client in &mut clients[1..] {
        assert_eq!(client.answer(), "<end>");
    }
    returns_to(before, threads);
}

/// A program that the program starts has neither the sockets nor what is recorded, and cannot keep anything open.
#[cfg(target_os = "linux")]
#[test]
fn programs_that_are_started_inherit_nothing() {
    let place = Place::new();
    let program = Program::hanging(place.monitor().tcp(free_port()));
    let mut client = Local::connect(&place.socket());
    client.ask(&format!("trace on {}", place.directory.join("trace").display()));
    let mut child = Command::new("sh");
    child.args(["-c", "ls -l /proc/self/fd"]).stdin(Stdio::null());
    let shown = String::from_utf8(child.output().unwrap().stdout).unwrap();
    assert!(shown.contains("/dev/null"), "{shown}");
    for ours in ["socket:", "anon_inode", "trace"] {
        assert!(!shown.contains(ours), "{shown}");
    }
    client.ask("trace off");
    program.finish();
}

/// What a program calls its tasks may be made from what strangers have said.
#[test]
fn a_name_cannot_forge_an_answer_nor_fill_the_memory() {
    const FORGED: &str = "kid\ncurio > \u{1b}]0;owned\u{7}";
    let place = Place::new();
    let program = Program::start(place.monitor(), |end| async move {
        let start = Event::new();
        for name in [FORGED.to_string(), "x".repeat(1 << 20)] {
            let start = start.clone();
            let kid = task(async move { start.wait().await }).name(name);
            kid.spawn();
        }
        until(&end).await
    });
    let mut client = Local::connect(&place.socket());
    client.ask_until("ps", |table| table.matches("EVENT_WAIT").count() == 2);
    for command in [
        "ps",
        "tree",
        "where 4",
        "parents 4",
        "locks",
        "ps --json",
        "where 5",
        "parents 5",
    ] {
        let answer = client.ask(command);
        assert!(
            !answer.contains(|c: char| c.is_control() && c != '\n'),
            "{command}: {answer:?}"
        );
        assert!(
            answer.lines().all(|line| !line.starts_with("curio >")),
            "{command}: {answer}"
        );
        assert!(answer.len() < 10_000, "{command}: {} bytes", answer.len());
    }
    let answer = client.ask_kernel("where 4");
    assert!(answer.contains("name='kid\u{fffd}curio > "), "{answer}");
    let told = client.ask("ps --json kid");
    let kid: Value = serde_json::from_str(told.lines().next().unwrap()).unwrap();
    assert_eq!(kid["name"], FORGED, "programs get it whole");
    program.finish();
}

/// Every user of the machine may come over TCP.
#[test]
fn those_who_come_over_tcp_keep_nobody_from_the_programs_own_socket() {
    let place = Place::new();
    let address = doors::free_port();
    let program = Program::hanging(place.monitor().tcp(address));
    let many: Vec<_> = (0..100).map(|_| doors::over_tcp(address)).collect();
    assert!(many[0].banner.contains("Curio Monitor"));
    assert!(many[99].banner.starts_with("Too many"), "{}", many[99].banner);
    let mut own = Local::connect(&place.socket());
    assert!(own.ask("ps").contains("kid"), "{}", own.banner);
    program.finish();
}
