//! The echo servers, with real clients. What they do with signals is in `signals`.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::child::{LIMIT, Running, example, has_netcat};

const SERVERS: [&str; 5] = [
    "echo",
    "echo_server",
    "managed_echo",
    "stream_echo",
    "socketserver_echo",
];

/// A server and its first client.
pub(crate) fn start(server: &str) -> (Running, TcpStream) {
    let mut running;
    let client = loop {
        let listens_at: SocketAddr;
        (running, listens_at) = match server {
            "echo" => {
                let running = Running::start(example("echo").arg("127.0.0.1:0"));
                let line = running.line();
                let addr = line
                    .strip_prefix("Server listening at ")
                    .expect("the first line says where");
                (running, addr.parse().expect("an address"))
            }
            // These do not say where they listen, so they get a port that was free a moment ago.
            other => {
                let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
                let addr = listener.local_addr().expect("it is bound");
                drop(listener);
                (Running::start(example(other).arg(addr.to_string())), addr)
            }
        };
        if let Some(client) = connect(&mut running, listens_at) {
            break client;
        }
    };
    if server == "managed_echo" {
        assert_eq!(running.line(), "Starting the server");
    }
    assert_eq!(running.line(), format!("Connection from {}", local_addr(&client)));
    (running, client)
}

/// Connects as soon as the server listens. None if the server has ended: somebody else took its port.
pub(crate) fn connect(server: &mut Running, addr: SocketAddr) -> Option<TcpStream> {
    let deadline = Instant::now() + LIMIT;
    loop {
        match TcpStream::connect(addr) {
            Ok(client) => {
                client.set_read_timeout(Some(LIMIT)).expect("a limit");
                client.set_write_timeout(Some(LIMIT)).expect("a limit");
                return Some(client);
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
                assert!(Instant::now() < deadline, "the server does not listen");
            }
        }
        if !server.is_alive() {
            return None;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn local_addr(client: &TcpStream) -> SocketAddr {
    client.local_addr().expect("it is connected")
}

/// A further client of the server that this one is connected to.
pub(crate) fn another(server: &mut Running, client: &TcpStream) -> TcpStream {
    let client = connect(server, client.peer_addr().expect("it is connected")).expect("the server lives");
    assert_eq!(server.line(), format!("Connection from {}", local_addr(&client)));
    client
}

pub(crate) fn say(mut client: &TcpStream, text: &str) {
    client.write_all(text.as_bytes()).expect("the server reads");
    let mut answer = vec![0; text.len()];
    client.read_exact(&mut answer).expect("the server answers");
    assert_eq!(answer, text.as_bytes());
}

/// Says that nothing will follow, and expects the same from the server.
pub(crate) fn leave(server: &Running, mut client: TcpStream) {
    client.shutdown(Shutdown::Write).expect("it is connected");
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).expect("the server closes, too");
    assert_eq!(rest, b"");
    assert_eq!(server.line(), "Connection closed");
}

#[test]
fn every_client_hears_what_it_said() {
    for name in SERVERS {
        let (mut server, first) = start(name);
        let second = another(&mut server, &first);
        say(&second, "Is anyone there?\n");
        say(&first, "Hello\n");
        say(&second, &"longer than the buffer of the server\n".repeat(1000));
        leave(&server, first);
        say(&second, "Hello\n");
        leave(&server, second);
        assert!(server.is_alive());
    }
}

#[test]
fn a_client_that_resets_its_connection_harms_nobody() {
    for name in SERVERS {
        let (mut server, first) = start(name);
        let mut second = another(&mut server, &first);
        second.write_all(b"never read\n").expect("the server reads");
        second.peek(&mut [0; 1]).expect("the answer is there");
        // A system that still holds data for whoever closes a connection tells the peer so: by a reset.
        drop(second);
        let error = server.error();
        assert!(
            error.contains(if name == "socketserver_echo" {
                "serve"
            } else {
                "echo_client"
            }) && error.contains("reset"),
            "{error}"
        );
        say(&first, "Hello\n");
        leave(&server, first);
    }
}

#[test]
fn a_client_that_asks_for_much_holds_up_nobody() {
    let (mut server, patient) = start("fib_service");
    let hasty = another(&mut server, &patient);
    (&patient).write_all(b"60\n").expect("the server reads"); // hours
    let answers = |mut client: &TcpStream, question: &str, answer: &str| {
        client.write_all(question.as_bytes()).expect("the server reads");
        let mut said = vec![0; answer.len()];
        client.read_exact(&mut said).expect("the server answers");
        assert_eq!(said, answer.as_bytes());
    };
    answers(&hasty, "10\n2", "55\n");
    answers(&hasty, "0\n0\n", "6765\n0\n");
    answers(&hasty, "ten\n-1\n", &"a number up to 90, please\n".repeat(2));
    leave(&server, hasty);
    let third = another(&mut server, &patient);
    drop(patient);
    answers(&third, "1\n", "1\n");
}

#[test]
fn netcat_is_a_client() {
    if !has_netcat() {
        return;
    }
    for name in SERVERS {
        let (server, first) = start(name);
        let port = first.peer_addr().expect("it is connected").port();
        // As a reader types it.
        let script = format!("printf 'hi\\n' | nc -N 127.0.0.1 {port}");
        let finished = Running::start(Command::new("sh").args(["-c", &script])).finish();
        assert_eq!(finished.stdout, "hi\n");
        assert!(finished.status.success(), "{}", finished.stderr);
        assert!(server.line().starts_with("Connection from 127.0.0.1:"));
        assert_eq!(server.line(), "Connection closed");
    }
}

#[test]
fn an_address_that_cannot_be_had_gets_one_clear_line() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken
        .local_addr()
        .map(|addr| (taken, addr.to_string()))
        .expect("it is bound");
    for name in SERVERS.into_iter().chain(["chat"]) {
        for (addr, error_begins) in [
            (
                taken.1.as_str(),
                format!("cannot listen at {}: Address already in use", taken.1),
            ),
            // Reserved for documentation: no machine has it.
            (
                "192.0.2.1:25000",
                "cannot listen at 192.0.2.1:25000: Cannot assign requested address".to_string(),
            ),
            ("nonsense", "\"nonsense\" is not an address".to_string()),
            (
                "127.0.0.1:65536",
                "\"127.0.0.1:65536\" is not an address".to_string(),
            ),
            ("", "\"\" is not an address".to_string()),
        ] {
            let finished = Running::start(example(name).arg(addr)).finish();
            assert_eq!(finished.status.code(), Some(1), "{name} {addr}");
            assert_eq!(finished.stdout, "", "{name} {addr}");
            let error = finished.stderr;
            assert_eq!(error.matches('\n').count(), 1, "{error}");
            assert!(error.starts_with("Error: ") && error.contains(addr), "{error}");
            // What the system says is worded by the system.
            assert!(
                error.starts_with(&format!("Error: {error_begins}")) || !cfg!(target_os = "linux"),
                "{error}"
            );
        }
    }
}

#[test]
#[cfg(unix)]
fn control_c_ends_a_server() {
    use std::os::unix::process::ExitStatusExt;

    const SIGINT: i32 = 2;
    for name in SERVERS {
        let (server, client) = start(name);
        say(&client, "Hello\n");
        server.kill("INT");
        assert_eq!(server.finish().status.signal(), Some(SIGINT), "{name}");
        let end = (&client).read(&mut [0; 1]);
        assert!(matches!(end, Ok(0) | Err(_)), "the client is still served");
    }
}
