//! The server with a kernel on each core.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use crate::child::{LIMIT, Running, example, has_netcat};

const CORES: usize = 4;

fn start() -> (Running, SocketAddr) {
    let cores = CORES.to_string();
    let server = Running::start(example("reuseport").args(["--cores", &cores, "127.0.0.1:0"]));
    let line = server.line();
    let addr = line
        .strip_prefix("Server listening at ")
        .and_then(|rest| rest.strip_suffix(&format!(", on {CORES} cores")))
        .expect("the first line says where");
    (server, addr.parse().expect("an address"))
}

/// Says a word. Gives how often it was said, who was asked and who has answered.
fn say(client: &mut BufReader<TcpStream>, word: &str) -> (u64, usize, usize) {
    writeln!(client.get_ref(), "{word}").expect("it reads");
    let mut answer = String::new();
    client.read_line(&mut answer).expect("it answers");
    let numbers = answer
        .strip_prefix(word)
        .and_then(|rest| rest.strip_prefix(": "))
        .and_then(|rest| rest.strip_suffix(")\n"))
        .unwrap_or_else(|| panic!("{answer:?}"));
    let (n, rest) = numbers.split_once(" (core ").expect("its core");
    let (asks, owns) = rest.split_once(" has asked core ").expect("the other core");
    let number = |text: &str| text.parse().expect("a number");
    (n.parse().expect("a number"), number(asks), number(owns))
}

#[test]
fn all_cores_count_together_and_end_together() {
    let (server, addr) = start();
    let mut clients = [0; CORES];
    let mut owners = HashMap::new();
    let mut open = Vec::new();
    for n in 1..=200 {
        let client = TcpStream::connect(addr).expect("it listens");
        client.set_read_timeout(Some(LIMIT)).expect("a limit");
        let mut client = BufReader::new(client);
        // All clients share one count, whatever cores they are with.
        let (count, asked, owner) = say(&mut client, "same");
        assert_eq!(count, n);
        assert_eq!(*owners.entry("same".to_string()).or_insert(owner), owner);
        let word = format!("word {}", n % 50);
        let (count, again, owner) = say(&mut client, &word);
        assert_eq!((count, again), (1 + (n - 1) / 50, asked));
        assert_eq!(*owners.entry(word).or_insert(owner), owner);
        clients[asked] += 1;
        open.push(client);
    }
    let mut seen: Vec<_> = owners.into_values().collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), CORES, "the words are divided");
    assert!(
        clients.iter().all(|&n| n > 0),
        "the clients are divided: {clients:?}"
    );
    // Ctrl-C ends all of them in order, whoever is there.
    server.kill("INT");
    for mut client in open {
        let end = client.get_mut().read(&mut [0; 10]);
        assert!(matches!(end, Ok(0) | Err(_)));
    }
    for (core, n) in clients.iter().enumerate() {
        assert_eq!(server.line(), format!("core {core} had {n} clients"));
    }
    let finished = server.finish();
    assert!(finished.status.success());
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("", ""));
}

#[test]
fn netcat_counts() {
    if !has_netcat() {
        return;
    }
    let (server, addr) = start();
    let script = format!("printf 'hello\nhello\n' | nc -N 127.0.0.1 {}", addr.port());
    let finished = Running::start(Command::new("sh").args(["-c", &script])).finish();
    let lines: Vec<_> = finished.stdout.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("hello: 1 (") && lines[1].starts_with("hello: 2 ("));
    server.kill("TERM");
    assert!(server.finish().status.success());
}

#[test]
fn an_address_that_is_taken_ends_all_cores() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = taken.local_addr().expect("it is bound").to_string();
    let finished = Running::start(example("reuseport").arg(&addr)).finish();
    assert_eq!(finished.status.code(), Some(1));
    assert_eq!(finished.stdout, "");
    let expected = format!("Error: cannot listen at {addr}: Address already in use");
    assert!(finished.stderr.starts_with(&expected), "{}", finished.stderr);
    assert_eq!(finished.stderr.matches('\n').count(), 1);
}
