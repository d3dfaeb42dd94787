//! The examples that compute in other processes. Those are looked for in `/proc`.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::child::{LIMIT, Running, example, has_netcat};
use crate::servers;
use crate::signals::{AFTER, BEFORE, HASTY, expect_lines};

/// The children of a process that run or sleep, with how they are.
fn children(parent: u32) -> Vec<(u32, char)> {
    let processes = fs::read_dir("/proc").expect("it is there").flatten();
    let mut found = Vec::new();
    for id in processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()) {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        // After the name, which is in parentheses and may contain anything.
        let Some((_, fields)) = stat.rsplit_once(") ") else {
            continue;
        };
        let mut fields = fields.split(' ');
        let state = fields.next().and_then(|state| state.chars().next());
        if let (Some(state), true) = (state, fields.next() == Some(&parent.to_string())) {
            found.push((id, state));
        }
    }
    found
}

/// Waits until the children of a process are as wanted.
#[track_caller]
fn eventually(parent: u32, what: &str, wanted: impl Fn(&[(u32, char)]) -> bool) -> Vec<(u32, char)> {
    let start = Instant::now();
    loop {
        let children = children(parent);
        if wanted(&children) {
            return children;
        }
        assert!(start.elapsed() < LIMIT, "{what}: {children:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Ctrl-C, as the terminal sends it: to the program and its children.
fn control_c(running: &Running) {
    for (child, _) in children(running.id()) {
        let kill = Command::new("kill")
            .args(["-s", "INT", &child.to_string()])
            .status();
        assert!(kill.expect("`kill` is there").success());
    }
    running.kill("INT");
}

/// As `kid_signals`, whose test waits as long at the same time.
#[test]
fn the_kid_computes_until_a_signal_comes() {
    let start = || Running::start(&mut example("kid_processes"));
    let (mut once, twice) = (start(), start());
    for running in [&once, &twice] {
        expect_lines(running, BEFORE);
        eventually(running.id(), "one computes", |all| matches!(all, [(_, 'R')]));
        control_c(running);
    }
    expect_lines(&twice, "Let's go\nT-minus 10\n");
    eventually(twice.id(), "it still computes", |all| matches!(all, [(_, 'R')]));
    let worker = children(twice.id())[0].0;
    control_c(&twice);
    let hasty = |line: &String| !line.starts_with("T-minus");
    let lines: Vec<_> = std::iter::from_fn(|| Some(twice.line()))
        .filter(hasty)
        .take(4)
        .collect();
    assert_eq!(lines, HASTY.lines().collect::<Vec<_>>());
    let finished = twice.finish();
    assert_eq!(
        (finished.status.code(), finished.stderr.as_str()),
        (Some(130), "")
    );
    assert!(!fs::exists(format!("/proc/{worker}")).expect("it can be seen"));

    expect_lines(&once, "Let's go\nT-minus 10\n");
    let worker = children(once.id())[0].0;
    expect_lines(&once, AFTER.split_once("T-minus 10\n").expect("it is there").1);
    // It prints its last line just before its end.
    let gone = || !fs::exists(format!("/proc/{worker}")).expect("it can be seen");
    let start = Instant::now();
    while !gone() {
        assert!(start.elapsed() < LIMIT && (once.is_alive() || gone()));
        std::thread::sleep(Duration::from_millis(5));
    }
    let finished = once.finish();
    assert!(finished.status.success(), "{}", finished.stderr);
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("", ""));
}

fn ask(mut client: &TcpStream, question: &str, answer: &str) {
    client.write_all(question.as_bytes()).expect("the server reads");
    let mut said = vec![0; answer.len()];
    client.read_exact(&mut said).expect("the server answers");
    assert_eq!(String::from_utf8_lossy(&said), answer);
}

#[test]
fn who_asks_for_too_much_is_told_and_nobody_works_on() {
    let (mut server, patient) = servers::start("fib_processes");
    let hasty = servers::another(&mut server, &patient);
    ask(&hasty, "10\n2", "55\n");
    let [(first, _)] = children(server.id())[..] else {
        panic!("one process is enough for one question")
    };
    ask(
        &hasty,
        "0\nten\n-1\n91\n",
        "6765\na number up to 90, please\na number up to 90, please\na number up to 90, please\n",
    );
    // Years.
    (&patient).write_all(b"90\n").expect("the server reads");
    eventually(server.id(), "one computes", |all| all.contains(&(first, 'R')));
    if std::thread::available_parallelism().is_ok_and(|cpus| cpus.get() > 1) {
        ask(&hasty, "20\n", "6765\n");
    }
    ask(&patient, "", "that takes too long\n");
    eventually(server.id(), "it was killed", |all| {
        all.iter().all(|(id, _)| *id != first)
    });
    ask(&patient, "11\n", "89\n");
    // The end of the server is the end of all, in the middle of what they do.
    (&hasty).write_all(b"89\n").expect("the server reads");
    let workers = eventually(server.id(), "one computes", |all| {
        all.iter().any(|(_, state)| *state == 'R')
    });
    server.kill("KILL");
    drop(server.finish());
    let start = Instant::now();
    for (id, _) in workers {
        while fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
            assert!(start.elapsed() < LIMIT, "worker {id} lives");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn netcat_asks_for_a_number() {
    if !has_netcat() {
        return;
    }
    let (server, first) = servers::start("fib_processes");
    let port = first.peer_addr().expect("it is connected").port();
    let script = format!("printf '10\\n90\\n20\\n' | nc -N 127.0.0.1 {port}");
    let finished = Running::start(Command::new("sh").args(["-c", &script])).finish();
    assert_eq!(finished.stdout, "55\nthat takes too long\n6765\n");
    assert!(server.line().starts_with("Connection from 127.0.0.1:"));
    assert_eq!(server.line(), "Connection closed");
}
