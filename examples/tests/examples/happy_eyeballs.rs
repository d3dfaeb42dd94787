//! Happy eyeballs, with addresses that answer, refuse, and keep silent.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::child::{Running, example};

/// A delay that no test waits for.
const NEVER: &str = "3600000";

/// Somebody who answers.
fn good() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("it is bound");
    (listener, addr)
}

/// An address that refuses as long as the streams live: one of them has it, and nobody listens any more.
fn refusing() -> ([TcpStream; 2], SocketAddr) {
    let (listener, addr) = good();
    let client = TcpStream::connect(addr).expect("it answers");
    let (server, _) = listener.accept().expect("it is there");
    ([client, server], addr)
}

/// Starts the example.
fn start(delay: &str, addrs: &[SocketAddr]) -> Running {
    let addrs = addrs.iter().map(SocketAddr::to_string);
    Running::start(example("happy_eyeballs").args(["--delay", delay]).args(addrs))
}

/// Takes a connection and greets it.
fn greet(listener: &TcpListener) -> TcpStream {
    let (mut client, _) = listener.accept().expect("somebody connects");
    client.write_all(b"Welcome\n").expect("it is connected");
    client
}

#[test]
fn the_first_that_answers_is_the_only_one_that_is_asked() {
    let ((listener, first), (_second, second)) = (good(), good());
    let program = start(NEVER, &[first, second]);
    drop(greet(&listener));
    let finished = program.finish();
    assert!(finished.status.success(), "{}", finished.stderr);
    let expected = format!("Trying {first}\nConnected to {first}\nWelcome\n");
    assert_eq!(finished.stdout, expected);
}

#[test]
fn after_a_refusal_the_next_is_asked_at_once() {
    let ((_streams, bad), (listener, good)) = (refusing(), good());
    let program = start(NEVER, &[bad, bad, good]);
    drop(greet(&listener));
    let finished = program.finish();
    assert!(finished.status.success(), "{}", finished.stderr);
    let refused = format!("Trying {bad}\nFailed: cannot connect to {bad}: ");
    assert_eq!(
        finished.stdout.matches(&refused).count(),
        2,
        "{}",
        finished.stdout
    );
    let connected = format!("Trying {good}\nConnected to {good}\nWelcome\n");
    assert!(finished.stdout.ends_with(&connected), "{}", finished.stdout);
}

#[test]
fn if_all_refuse_it_says_so() {
    let (_streams, bad) = refusing();
    let finished = start(NEVER, &[bad, bad]).finish();
    assert_eq!(finished.status.code(), Some(1));
    assert_eq!(finished.stderr, "Error: no address is left to try\n");
    assert_eq!(finished.stdout.matches("Failed: ").count(), 2);
}

#[test]
fn addresses_are_needed_and_delays_are_numbers() {
    for arguments in [
        &[][..],
        &["--delay"],
        &["--delay", "1"],
        &["--delay", "soon", "127.0.0.1:1"],
        &["--delay", "-1", "127.0.0.1:1"],
        &["localhost:1"],
        &[":1"],
        &["127.0.0.1:1", "--delay", "1"],
    ] {
        let finished = Running::start(example("happy_eyeballs").args(arguments)).finish();
        assert_eq!(finished.status.code(), Some(2), "{arguments:?}");
        assert_eq!(finished.stdout, "", "{arguments:?}");
        let given = arguments.join(" ");
        let expected = format!("happy_eyeballs: does not understand {given:?}; try --help\n");
        assert_eq!(finished.stderr, expected);
    }
}

/// What is needed to keep silent, and to see who waits, differs from system to system.
#[cfg(target_os = "linux")]
mod silence {
    use std::io::ErrorKind;
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    use super::{NEVER, good, greet, refusing, start};
    use crate::child::LIMIT;

    /// An address that keeps silent: its queue is full, and nobody accepts.
    fn silent() -> ((TcpListener, Vec<TcpStream>), SocketAddr) {
        let (listener, addr) = good();
        let mut queue = Vec::new();
        loop {
            // How long one waits for an answer makes no difference: the queue stays full.
            match TcpStream::connect_timeout(&addr, Duration::from_millis(500)) {
                Ok(client) => queue.push(client),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::TimedOut);
                    return ((listener, queue), addr);
                }
            }
        }
    }

    /// How many connections to this address are waiting for an answer.
    fn attempts(addr: SocketAddr) -> usize {
        const SYN_SENT: &str = "02";
        let table = std::fs::read_to_string("/proc/net/tcp").expect("the system tells");
        let port = format!(":{:04X}", addr.port());
        let rows = table
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>());
        rows.filter(|row| row.len() > 3 && row[2].ends_with(&port) && row[3] == SYN_SENT)
            .count()
    }

    #[test]
    fn who_keeps_silent_is_overtaken_and_given_up() {
        let ((_streams, bad), (_queue, silent), (listener, good)) = (refusing(), silent(), good());
        // This test would see an attempt that goes on.
        let waits = start(NEVER, &[silent]);
        assert_eq!(waits.line(), format!("Trying {silent}"));
        let deadline = Instant::now() + LIMIT;
        while attempts(silent) == 0 {
            assert!(Instant::now() < deadline, "no attempt is seen");
            std::thread::yield_now();
        }
        drop(waits);
        assert_eq!(attempts(silent), 0);

        let program = start("1000", &[bad, silent, good]);
        let client = greet(&listener);
        assert_eq!(program.line(), format!("Trying {bad}"));
        assert!(program.line().starts_with("Failed: "));
        for line in [
            format!("Trying {silent}"),
            format!("Trying {good}"),
            format!("Connected to {good}"),
            format!("Gave up {silent}"),
            "Welcome".to_string(),
        ] {
            assert_eq!(program.line(), line);
        }
        // It lives and talks to the winner, and nothing is left of the loser.
        assert_eq!(attempts(silent), 0);
        drop(client);
        assert!(program.finish().status.success());
    }
}
