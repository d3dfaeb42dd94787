//! The echo servers that are not reached by TCP, with their own clients and with others.

use std::env;
use std::io::Write;
use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::{self, Command};
use std::thread;
use std::time::{Duration, Instant};

use crate::child::{LIMIT, Running, example, has_netcat};

fn udp_server(name: &str) -> (Running, String) {
    let server = Running::start(example(name).arg("127.0.0.1:0"));
    let line = server.line();
    let addr = line
        .strip_prefix("Server listening at ")
        .expect("the first line says where");
    (server, addr.to_string())
}

/// Runs a client that is told these lines.
fn run_client(client: &mut Command, input: &str) -> String {
    let (running, mut stdin) = Running::start_with_input(client);
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    let finished = running.finish();
    assert!(finished.status.success(), "{}", finished.stderr);
    assert_eq!(finished.stderr, "");
    finished.stdout
}

#[test]
fn datagrams_come_back() {
    come_back("udp_echo");
    come_back("socketserver_udp");
}

fn come_back(name: &str) {
    let (server, addr) = udp_server(name);
    let said = run_client(example("udp_client").arg(&addr), "one\n\ntwo\n");
    assert_eq!(said, "one\n\ntwo\n");
    for size in [3, 0, 3] {
        assert!(
            server
                .line()
                .starts_with(&format!("{size} bytes from 127.0.0.1:"))
        );
    }
    let client = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    client.set_read_timeout(Some(LIMIT)).expect("a limit");
    client.send_to(&[7; 60_000], &addr).expect("it is sent");
    let mut answer = vec![0; 65536];
    let n = client.recv(&mut answer).expect("it comes back");
    assert!(n == 60_000 && answer[..n].iter().all(|&byte| byte == 7));
    if has_netcat() {
        // As a reader types it. It waits a second for more, and then ends.
        let (host, port) = addr.split_once(':').expect("a port");
        let script = format!("printf 'hi\\n' | nc -u -w 1 {host} {port}");
        let finished = Running::start(Command::new("sh").args(["-c", &script])).finish();
        assert_eq!(finished.stdout, "hi\n");
    }
}

#[test]
fn a_udp_client_whose_server_is_silent_gives_up() {
    // It is there, and takes what comes.
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let addr = silent.local_addr().expect("it is bound").to_string();
    let (running, mut stdin) = Running::start_with_input(example("udp_client").arg(&addr));
    stdin.write_all(b"anybody?\n").expect("it reads");
    let finished = running.finish();
    assert_eq!(finished.stderr, "Error: no answer\n");
    let mut question = [0; 100];
    for _ in 0..3 {
        assert_eq!(silent.recv(&mut question).expect("it was sent three times"), 8);
    }
}

/// A path for one test.
fn path(name: &str) -> PathBuf {
    env::temp_dir().join(format!("curio-example-{name}-{}", process::id()))
}

/// A server at this path, which listens.
fn unix_server(path: &PathBuf) -> Running {
    let mut server = Running::start(example("unix_echo").arg(path));
    let deadline = Instant::now() + LIMIT;
    while std::os::unix::net::UnixStream::connect(path).is_err() {
        assert!(
            server.is_alive() && Instant::now() < deadline,
            "the server does not listen"
        );
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(server.line(), "Connection");
    assert_eq!(server.line(), "Connection closed");
    server
}

#[test]
fn clients_at_a_path_hear_what_they_said() {
    let path = path("clients");
    let server = unix_server(&path);
    let long = "longer than all buffers\n".repeat(20_000);
    assert_eq!(run_client(example("unix_client").arg(&path), &long), long);
    assert_eq!(server.line(), "Connection");
    assert_eq!(server.line(), "Connection closed");
    if has_netcat() {
        // As a reader types it.
        let script = format!("printf 'hi\\n' | nc -N -U {}", path.display());
        let finished = Running::start(Command::new("sh").args(["-c", &script])).finish();
        assert_eq!(finished.stdout, "hi\n");
    }
    drop(server);
    // It was killed, so it has left its path. The next one takes it.
    assert!(path.exists());
    let next = unix_server(&path);
    // And nobody can while it listens.
    let finished = Running::start(example("unix_echo").arg(&path)).finish();
    assert!(
        finished.stderr.contains("Address already in use"),
        "{}",
        finished.stderr
    );
    assert_eq!(
        run_client(example("unix_client").arg(&path), "hello\n"),
        "hello\n"
    );
    drop(next);
    std::fs::remove_file(&path).expect("it was left");
}

/// Although somebody could still type something.
#[test]
fn a_client_ends_with_its_server() {
    let path = path("ends");
    let listener = std::os::unix::net::UnixListener::bind(&path).expect("a path of our own");
    let (client, _input) = Running::start_with_input(example("unix_client").arg(&path));
    let (mut server, _) = listener.accept().expect("the client connects");
    std::io::Write::write_all(&mut server, b"goodbye\n").expect("the client is there");
    drop(server);
    let finished = client.finish();
    assert_eq!(
        (finished.stdout.as_str(), finished.stderr.as_str()),
        ("goodbye\n", "")
    );
    assert!(finished.status.success());
    std::fs::remove_file(&path).expect("it was made here");
}

#[test]
fn a_client_without_a_server_gets_one_clear_line() {
    let nowhere = path("nowhere");
    let finished = Running::start(example("unix_client").arg(&nowhere)).finish();
    assert!(
        finished
            .stderr
            .starts_with(&format!("Error: cannot connect to {}", nowhere.display()))
    );
    assert_eq!(finished.stderr.matches('\n').count(), 1);
}
