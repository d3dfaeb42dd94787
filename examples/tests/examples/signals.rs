//! The examples that answer signals, with real ones.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::child::{Running, example, has_netcat};
use crate::servers;

/// What is printed until the kid and all friends play.
pub(crate) const BEFORE: &str = "\
Can I play?
Wha!?!
Can I play?
Wha!?!
Can I play?
Wha!?!
Can I play?
Wha!?!
Can I play?
Yes, go play
Building the Millenium Falcon in Minecraft
Hi, my name is Max
Playing Minecraft
Hi, my name is Lillian
Playing Minecraft
Hi, my name is Thomas
Playing Minecraft
";

/// What is printed after the first Ctrl-C, as in Python Curio's tutorial.
pub(crate) const AFTER: &str = "\
Let's go
T-minus 10
T-minus 9
T-minus 8
T-minus 7
T-minus 6
T-minus 5
T-minus 4
T-minus 3
T-minus 2
T-minus 1
We're leaving!
I warned you!
Fine. Saving my work.
Max going home
Lillian going home
Thomas going home
Leaving!
";

/// Those who were there leave at once, the youngest first.
pub(crate) const HASTY: &str = "\
Thomas going home
Lillian going home
Max going home
Fine. Saving my work.
";

#[track_caller]
pub(crate) fn expect_lines(running: &Running, lines: &str) {
    for line in lines.lines() {
        assert_eq!(running.line(), line);
    }
}

/// They wait most of the time, so they wait together: for 25 seconds.
#[test]
fn the_kid_may_play_until_a_signal_comes() {
    let start = || Running::start(&mut example("kid_signals"));
    let (once, terminated, twice, late, killed) = (start(), start(), start(), start(), start());
    for running in [&once, &terminated, &twice, &late, &killed] {
        expect_lines(running, BEFORE);
    }
    terminated.kill("TERM");
    for running in [&once, &twice, &late, &killed] {
        running.kill("INT");
    }
    // The second one is heard wherever the parent is.
    let hasty: Vec<&str> = HASTY.lines().collect();
    assert_eq!(after_haste(&twice, "T-minus 10"), hasty);
    expect_hasty_end(twice);
    assert_eq!(after_haste(&late, "We're leaving!"), hasty);
    expect_hasty_end(late);
    // SIGTERM was let go of, too, and nothing else was said about it.
    killed.kill("TERM");
    assert_eq!(killed.finish().status.signal(), Some(15));
    expect_orderly_end(once);
    expect_orderly_end(terminated);
}

/// What the kid computes takes minutes, in a thread that cannot be stopped. Nobody waits for it.
#[test]
fn the_kid_may_compute_until_a_signal_comes() {
    let start = || Running::start(&mut example("kid_blocking"));
    let (once, twice) = (start(), start());
    for running in [&once, &twice] {
        expect_lines(running, BEFORE);
        running.kill("INT");
    }
    // The kid may just have been given a number, and be about to ask for the next one: then it has its turn before the others.
    let mut said = after_haste(&twice, "T-minus 10");
    let expected: Vec<&str> = HASTY.lines().collect();
    said.sort_by_key(|line| expected.iter().position(|expected| expected == line));
    assert_eq!(said, expected);
    expect_hasty_end(twice);
    expect_orderly_end(once);
}

/// What is said after the second Ctrl-C, which comes when the parent has said this. Nobody is waited for, else there would be
/// other lines among these.
fn after_haste(running: &Running, parent: &str) -> Vec<String> {
    let mut lines = std::iter::from_fn(|| Some(running.line()));
    assert!(lines.any(|line| line == parent));
    running.kill("INT");
    // On a busy machine it may have come further by now.
    let lines = lines.skip_while(|line| line.starts_with("T-minus") || line == "We're leaving!");
    lines.take(HASTY.lines().count()).collect()
}

fn expect_hasty_end(running: Running) {
    let finished = running.finish();
    assert_eq!(
        (finished.status.code(), finished.stdout.as_str()),
        (Some(130), "")
    );
    assert_eq!(finished.stderr, "");
}

fn expect_orderly_end(running: Running) {
    expect_lines(&running, AFTER);
    let finished = running.finish();
    assert!(finished.status.success(), "{}", finished.stderr);
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("", ""));
}

/// What the server says until it listens again, but about connections.
fn restart(server: &Running) {
    server.kill("HUP");
    let mut lines = std::iter::from_fn(|| Some(server.line()));
    let other = lines.by_ref().find(|line| !line.starts_with("Connection "));
    assert_eq!(other.as_deref(), Some("Server shutting down"));
    assert_eq!(lines.next().as_deref(), Some("Starting the server"));
}

fn is_told(mut client: TcpStream) {
    let mut rest = String::new();
    client.read_to_string(&mut rest).expect("UTF-8, then the end");
    assert_eq!(rest, "SERVER IS GOING AWAY!\n");
}

#[test]
fn sighup_restarts_the_managed_echo_server() {
    let (mut server, first) = servers::start("managed_echo");
    let addr = first.peer_addr().expect("it is connected");
    let mut clients = vec![first];
    for round in 0..5 {
        while clients.len() < 40 {
            let client = servers::another(&mut server, &clients[0]);
            servers::say(&client, "Hello\n");
            clients.push(client);
        }
        servers::leave(&server, clients.pop().expect("there are many"));
        restart(&server);
        clients.drain(..).for_each(is_told);
        let client = servers::connect(&mut server, addr).expect("it listens again");
        assert_eq!(
            server.line(),
            format!("Connection from {}", client.local_addr().expect("it is"))
        );
        servers::say(&client, &format!("round {round}\n"));
        clients.push(client);
    }
}

#[test]
fn a_client_that_does_not_read_is_told_in_vain() {
    let (mut server, quiet) = servers::start("managed_echo");
    let client = servers::another(&mut server, &quiet);
    // Neither this one nor the server can write any more.
    quiet.set_nonblocking(true).expect("it can be");
    let said = "a line of a peer that only talks\n".repeat(2000);
    let deadline = Instant::now() + Duration::from_millis(300);
    while Instant::now() < deadline {
        // It takes what fits.
        if let Err(error) = (&quiet).write_all(said.as_bytes()) {
            assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
        }
    }
    restart(&server);
    is_told(client);
    drop(quiet);
}

#[test]
fn netcat_is_told() {
    if !has_netcat() {
        return;
    }
    let (server, first) = servers::start("managed_echo");
    let port = first.peer_addr().expect("it is connected").port().to_string();
    let (nc, mut says) = Running::start_with_input(Command::new("nc").args(["127.0.0.1", &port]));
    writeln!(says, "Hello").expect("it reads");
    assert_eq!(nc.line(), "Hello");
    restart(&server);
    drop(says);
    assert_eq!(nc.line(), "SERVER IS GOING AWAY!");
    let finished = nc.finish();
    assert_eq!(finished.stdout, "");
}

/// A storm of signals is a storm of restarts, and the server lives.
#[test]
fn many_signals_are_many_restarts() {
    let (mut server, first) = servers::start("managed_echo");
    for _ in 0..20 {
        server.kill("HUP");
    }
    is_told(first);
    assert_eq!(server.line(), "Server shutting down");
    assert_eq!(server.line(), "Starting the server");
    assert!(server.is_alive());
    server.kill("TERM");
    assert_eq!(server.finish().status.signal(), Some(15));
}
