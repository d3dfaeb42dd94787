//! The service over HTTP, with curl.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::child::{LIMIT, Running, example};

/// The service, and its address.
fn start() -> (Running, String) {
    let running = Running::start(example("http_service").arg("127.0.0.1:0"));
    let line = running.line();
    let addr = line
        .strip_prefix("Server listening at ")
        .expect("the first line says where");
    (running, addr.to_string())
}

/// What curl gets, and the status.
fn curl(arguments: &[&str]) -> (String, u32) {
    let output = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--noproxy",
            "*",
            "--max-time",
            "120",
            "-w",
            "%{http_code}",
        ])
        .args(arguments)
        .output()
        .expect("curl runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut text = String::from_utf8(output.stdout).expect("text");
    let status = text.split_off(text.len() - 3);
    (text, status.parse().expect("a status"))
}

fn has_curl() -> bool {
    let there = Command::new("curl").arg("--version").output().is_ok();
    if !there {
        eprintln!("skipped: `curl` is not installed");
    }
    there
}

#[test]
fn curl_is_answered() {
    if !has_curl() {
        return;
    }
    let (_service, addr) = start();
    let url = |path: &str| format!("http://{addr}{path}");
    assert_eq!(curl(&[&url("/")]), ("This is request 1\n".to_string(), 200));
    assert_eq!(curl(&[&url("/")]), ("This is request 2\n".to_string(), 200));
    assert_eq!(curl(&[&url("/fib/20")]), ("6765\n".to_string(), 200));
    assert_eq!(curl(&[&url("/fib/x")]).1, 400);
    assert_eq!(curl(&[&url("/fib/51")]).1, 400);
    assert_eq!(
        curl(&["--data", "hello", &url("/echo")]),
        ("hello".to_string(), 200)
    );
    let began = Instant::now();
    assert_eq!(curl(&[&url("/nap/200")]), ("Good morning\n".to_string(), 200));
    assert!(began.elapsed() >= Duration::from_millis(200));
    assert_eq!(curl(&[&url("/coffee")]).1, 404);
    // In a build without optimisations 50 takes minutes, and 2 seconds in none.
    assert_eq!(curl(&[&url("/fib/50")]).1, 504);
}

#[test]
fn too_much_is_too_much() {
    let (_service, addr) = start();
    let mut client = TcpStream::connect(&addr).unwrap();
    client.set_read_timeout(Some(LIMIT)).unwrap();
    write!(
        client,
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n"
    )
    .unwrap();
    // It need not read all of it.
    let _ = client.write_all(&vec![b'x'; 1_100_000]);
    let mut answer = [0; 12];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

/// Who has asked is answered, and then the program ends.
#[test]
fn a_signal_ends_it_in_peace() {
    let (service, addr) = start();
    let mut client = TcpStream::connect(&addr).unwrap();
    let mut idle = TcpStream::connect(&addr).unwrap();
    for client in [&client, &idle] {
        client.set_read_timeout(Some(LIMIT)).unwrap();
    }
    // This is answered, so the connection is known.
    idle.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    idle.read_exact(&mut [0; 15]).unwrap();
    client
        .write_all(b"GET /nap/300 HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    // It has been read when this one, which came later, is answered.
    let mut last = TcpStream::connect(&addr).unwrap();
    last.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    last.read_to_end(&mut Vec::new()).unwrap();
    service.kill("TERM");
    assert_eq!(service.line(), "No more requests");
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("Good morning\n"), "{answer}");
    let finished = service.finish();
    assert!(finished.status.success(), "{}", finished.stderr);
}
