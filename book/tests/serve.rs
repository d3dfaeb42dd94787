//! Serves a small book with the program and talks to it over sockets.

mod common;

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::Fixture;

/// No answer takes this long: a test that waits for more has failed.
const LIMIT: Duration = Duration::from_secs(120);

/// The program, serving; ended when dropped.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(fixture: &Fixture, port: u16) -> Server {
        let mut child = fixture
            .book(&["--port", &port.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let mut line = String::new();
        let out = child.stdout.as_mut().expect("piped");
        BufReader::new(out).read_line(&mut line).expect("readable");
        let address = line
            .split("http://")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        let address = address.and_then(|address| address.parse().ok());
        let Some(address) = address else {
            panic!("no address in {line:?}; it says {:?}", ended(child));
        };
        Server { child, address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect_timeout(&self.address, LIMIT).expect("it listens");
        stream.set_read_timeout(Some(LIMIT)).expect("set");
        stream.set_write_timeout(Some(LIMIT)).expect("set");
        stream
    }

    /// Sends bytes and reads until the server ends the connection.
    fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        stream.write_all(bytes).expect("sent");
        stream.shutdown(Shutdown::Write).expect("open");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an end in good order");
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn get(&self, path: &str) -> String {
        self.exchange(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which the test has noticed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ends the program and returns what it said on standard error.
fn ended(mut child: Child) -> String {
    let _ = child.kill();
    let _ = child.wait();
    let mut said = String::new();
    child
        .stderr
        .take()
        .expect("piped")
        .read_to_string(&mut said)
        .expect("text");
    said
}

/// Reads one answer with a `Content-Length` from a connection that stays open.
fn read_answer(stream: &mut BufReader<TcpStream>) -> (String, String) {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(
            stream.read_line(&mut head).expect("readable") > 0,
            "ended within {head:?}"
        );
    }
    let length = head
        .split("Content-Length: ")
        .nth(1)
        .and_then(|rest| rest.lines().next());
    let mut body = vec![0; length.expect("given").parse().expect("a number")];
    stream.read_exact(&mut body).expect("the whole body");
    (head, String::from_utf8_lossy(&body).into_owned())
}

#[test]
fn the_book_is_served() {
    let fixture = Fixture::new();
    let server = Server::start(&fixture, 0);
    assert!(server.address.ip().is_loopback());

    let page = server.get("/one.html");
    assert!(
        page.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"),
        "{page}"
    );
    assert!(page.contains("pub fn add(a: u32, b: u32)"), "{page}");
    assert!(server.get("/").contains("<h1 id=\"front\">"));
    // All that the page loads is there too.
    for part in page.split(['"', '\'']) {
        let path = part.trim_start_matches('/');
        let loaded = [".css", ".js", ".svg", ".png", ".woff2"]
            .iter()
            .any(|end| path.ends_with(end));
        if loaded && !path.contains(' ') {
            let answer = server.get(&format!("/{path}"));
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{path}: {answer:.200}");
        }
    }
    let missing = server.get("/no/such/page.html");
    assert!(
        missing.starts_with("HTTP/1.1 404 Not Found\r\nContent-Type: text/html"),
        "{missing}"
    );
    // Its links and styles work from anywhere.
    assert!(missing.contains("<base href=\"/\">"), "{missing}");
}

#[test]
fn what_is_outside_of_the_book_is_out_of_reach() {
    let fixture = Fixture::new();
    fixture.write("secret.txt", "secret");
    let server = Server::start(&fixture, 0);
    for path in [
        "/../../secret.txt",
        "/..%2f..%2fsecret.txt",
        "/%2e%2e/%2e%2e/secret.txt",
        "/theme/../../../secret.txt",
        "//../../secret.txt",
        "/..\\..\\secret.txt",
        &format!("/{}", fixture.0.path().join("secret.txt").display()),
    ] {
        let answer = server.get(path);
        let refused = answer.starts_with("HTTP/1.1 400 ") || answer.starts_with("HTTP/1.1 404 ");
        assert!(refused && !answer.contains("secret"), "{path}: {answer:.300}");
    }
}

#[test]
fn one_connection_carries_many_requests() {
    let fixture = Fixture::new();
    let server = Server::start(&fixture, 0);
    let mut stream = BufReader::new(server.connect());
    let request = |method: &str, path: &str| format!("{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    stream
        .get_mut()
        .write_all(request("GET", "/one.html").as_bytes())
        .expect("sent");
    assert!(read_answer(&mut stream).1.contains("The sum"));
    // Three at once; the last one's second half comes later.
    let three = [
        request("GET", "/"),
        request("GET", "/none"),
        request("GET", "/part/deep.html"),
    ];
    let three = three.concat();
    let (now, later) = three.split_at(three.len() - 10);
    stream.get_mut().write_all(now.as_bytes()).expect("sent");
    assert!(read_answer(&mut stream).1.contains("Front"));
    assert!(read_answer(&mut stream).0.starts_with("HTTP/1.1 404 "));
    stream.get_mut().write_all(later.as_bytes()).expect("sent");
    assert!(read_answer(&mut stream).1.contains("Deep"));
    // A head without its body, and then the end as asked for.
    let last = "HEAD /one.html HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.get_mut().write_all(last.as_bytes()).expect("sent");
    let mut rest = String::new();
    stream.read_to_string(&mut rest).expect("an end in good order");
    assert!(
        rest.starts_with("HTTP/1.1 200 OK\r\n") && rest.ends_with("close\r\n\r\n"),
        "{rest}"
    );
}

#[test]
fn rubbish_is_refused_and_harms_no_one() {
    let fixture = Fixture::new();
    let server = Server::start(&fixture, 0);
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(100_000));
    let wide = format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", "a".repeat(100_000));
    for (bytes, status) in [
        (
            &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"[..],
            "400",
        ),
        (b"hello\r\n\r\n", "400"),
        (b"GET / HTTP/1.1\r\n\r\n", "400"),
        (
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
            "405",
        ),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"),
        (long.as_bytes(), "414"),
        (wide.as_bytes(), "431"),
        (b"", ""),
        (b"GET / HTTP/1.1\r\nHo", ""),
    ] {
        let answer = server.exchange(bytes);
        let start = if status.is_empty() {
            String::new()
        } else {
            format!("HTTP/1.1 {status} ")
        };
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]);
        assert!(answer.starts_with(&start), "{shown}: {answer:.200}");
        assert_eq!(answer.is_empty(), status.is_empty(), "{shown}: {answer:.200}");
    }
    assert!(server.get("/").contains("Front"));
}

#[test]
fn peers_that_stall_or_vanish_hold_up_no_one() {
    let fixture = Fixture::new();
    let server = Server::start(&fixture, 0);
    let large = "GET /print.html HTTP/1.1\r\nHost: x\r\n\r\n".repeat(200);
    let mut stalled = Vec::new();
    for n in 0..60 {
        let mut stream = server.connect();
        match n % 3 {
            // Says nothing, or half of a request.
            0 => {}
            1 => stream.write_all(b"GET / HT").expect("sent"),
            // Asks for much and reads none of it.
            _ => stream.write_all(large.as_bytes()).expect("sent"),
        }
        // Half of them are closed with the answer unread, which resets the connection.
        if n % 2 == 0 {
            stalled.push(stream);
        }
    }
    for _ in 0..10 {
        assert!(server.get("/").contains("Front"));
    }
    drop(stalled);
    assert!(server.get("/").contains("Front"));
}

#[test]
fn a_port_in_use_is_stepped_over() {
    let fixture = Fixture::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port();
    let mut server = Server::start(&fixture, port);
    assert_ne!(server.address.port(), port);
    assert!(server.get("/").contains("Front"));
    server.child.kill().expect("running");
    let mut said = String::new();
    let mut errors = server.child.stderr.take().expect("piped");
    errors.read_to_string(&mut said).expect("text");
    assert!(
        said.starts_with(&format!("Port {port} is in use; trying the next one\n")),
        "{said}"
    );
}

#[test]
fn a_book_that_does_not_build_is_not_served() {
    let fixture = Fixture::new();
    fixture.write("book/pages/one.md", "# One\n{{item demo::gone}}\n");
    let output = fixture.book(&["--port", "0"]).output().expect("the program ends");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said, "book/pages/one.md:2: `demo`: no item `gone`\n");
}

#[test]
fn curl_understands_it() {
    let fixture = Fixture::new();
    let server = Server::start(&fixture, 0);
    let url = |path: &str| format!("http://{}{path}", server.address);
    let curl = |arguments: &[&str]| {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--max-time", "20", "--noproxy", "*"]);
        command.args(arguments).output()
    };
    let fetched = match curl(&["--fail", "--include", &url("/one.html"), &url("/part/deep.html")]) {
        // Not every machine has it.
        Err(error) if error.kind() == ErrorKind::NotFound => return,
        result => result.expect("curl runs"),
    };
    let text = String::from_utf8_lossy(&fetched.stdout);
    assert!(fetched.status.success(), "{fetched:?}");
    assert!(text.contains("The sum") && text.contains("Deep"), "{text}");
    let posted = curl(&["--data", "x=1", "--write-out", "%{http_code}", &url("/")]).expect("runs");
    assert!(
        String::from_utf8_lossy(&posted.stdout).ends_with("405"),
        "{posted:?}"
    );
}
