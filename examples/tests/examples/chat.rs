//! The chat server, with sockets and with netcat.
//!
//! Whoever joins hears of it itself, and all hear all in the same order. So a test need not wait for anything but the next
//! line.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{ChildStdin, Command};

use crate::child::{LIMIT, Running, example, has_netcat};

/// More lines of this length than all buffers of the system take, for one connection.
const LONG: usize = 900;
const MANY: usize = 50_000;

/// A chat server.
struct Server {
    running: Running,
    addr: SocketAddr,
}

impl Server {
    fn start() -> Server {
        let running = Running::start(example("chat").arg("127.0.0.1:0"));
        assert_eq!(running.line(), "Starting the server");
        let line = running.line();
        let addr = line.strip_prefix("Server listening at ").expect("it says where");
        let addr = addr.parse().expect("an address");
        Server { running, addr }
    }

    /// Expects the server to have served so many clients, and to serve nobody else.
    fn expect_clients(&self, n: usize) {
        let mut lines: Vec<String> = (0..2 * n).map(|_| self.running.line()).collect();
        lines.retain(|line| !line.starts_with("Connection from 127.0.0.1:"));
        assert_eq!(lines, vec!["Connection closed"; n]);
    }
}

/// A client that speaks the protocol itself.
struct Client {
    stream: BufReader<TcpStream>,
    name: String,
}

impl Client {
    fn connect(server: &Server) -> Client {
        let stream = TcpStream::connect(server.addr).expect("the server listens");
        stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        stream.set_write_timeout(Some(LIMIT)).expect("a limit");
        Client {
            stream: BufReader::new(stream),
            name: String::new(),
        }
    }

    /// A client who has joined.
    fn join(server: &Server, name: &str) -> Client {
        let mut client = Client::connect(server);
        client.send(name);
        client.send("\n");
        client.name = name.to_string();
        client.expect(&format!("Your name: {name}:joined"));
        client
    }

    fn send(&self, text: &str) {
        self.send_bytes(text.as_bytes());
    }

    fn send_bytes(&self, bytes: &[u8]) {
        self.stream.get_ref().write_all(bytes).expect("the server reads");
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("the server sends UTF-8");
        assert!(line.ends_with('\n'), "the server has ended in {line:?}");
        line.pop();
        line
    }

    #[track_caller]
    fn expect(&mut self, line: &str) {
        assert_eq!(self.line(), line, "as heard by {:?}", self.name);
    }

    /// Says that it has nothing more to say.
    fn finish(&self) {
        let stream = self.stream.get_ref();
        stream.shutdown(Shutdown::Write).expect("it is connected");
    }

    /// What the server sends until it closes the connection.
    fn rest(mut self) -> String {
        let mut rest = String::new();
        self.stream
            .read_to_string(&mut rest)
            .expect("UTF-8, then the end");
        rest
    }
}

/// All hear the line.
#[track_caller]
fn expect(clients: &mut [&mut Client], line: &str) {
    clients.iter_mut().for_each(|client| client.expect(line));
}

#[test]
fn what_one_says_all_hear() {
    let server = Server::start();
    let mut max = Client::join(&server, "Max");
    let mut lillian = Client::join(&server, "Lillian");
    max.expect("Lillian:joined");
    max.send("hello\nis anyone there?\n");
    expect(&mut [&mut max, &mut lillian], "Max:hello");
    expect(&mut [&mut max, &mut lillian], "Max:is anyone there?");
    let mut thomas = Client::join(&server, "Thomas");
    expect(&mut [&mut max, &mut lillian], "Thomas:joined");
    thomas.send("I am\n");
    expect(&mut [&mut max, &mut lillian, &mut thomas], "Thomas:I am");
    drop(lillian);
    expect(&mut [&mut max, &mut thomas], "Lillian:has gone away");
    max.send("bye\n");
    expect(&mut [&mut max, &mut thomas], "Max:bye");
}

#[test]
fn who_has_said_everything_hears_the_rest() {
    let server = Server::start();
    let mut max = Client::join(&server, "Max");
    let lillian = Client::join(&server, "Lillian");
    // The last line has no end.
    lillian.send("I must go\nbye");
    lillian.finish();
    assert_eq!(lillian.rest(), "Lillian:I must go\nLillian:bye\n");
    for line in ["joined", "I must go", "bye", "has gone away"] {
        max.expect(&format!("Lillian:{line}"));
    }
}

#[test]
fn names_are_asked_for_until_there_is_one() {
    let server = Server::start();
    let mut max = Client::join(&server, "Max");
    let mut nobody = Client::connect(&server);
    nobody.send("\n \t \r\n");
    let mut asked = [0; 33];
    nobody.stream.read_exact(&mut asked).expect("it is asked");
    assert_eq!(asked, *b"Your name: Your name: Your name: ");
    nobody.finish();
    assert_eq!(nobody.rest(), "");
    let scanner = Client::connect(&server);
    drop(scanner);
    // Both have come and gone, Max is there, and nobody has heard of them.
    let closed = (0..5).filter(|_| server.running.line() == "Connection closed");
    assert_eq!(closed.count(), 2);
    let mut long = Client::connect(&server);
    long.send(&format!("  {} \r\n", "ä".repeat(500)));
    max.expect(&format!("{}:joined", "ä".repeat(30)));
    assert_eq!(long.line(), format!("Your name: {}:joined", "ä".repeat(30)));
}

#[test]
fn lines_are_made_harmless() {
    let server = Server::start();
    let mut max = Client::join(&server, "Max");
    let mut lillian = Client::join(&server, "Lillian");
    max.expect("Lillian:joined");
    for (said, heard) in [
        (&b"from telnet\r\n"[..], "from telnet"),
        (b"\n", ""),
        (
            b"\xffnot \xc3\x28 UTF-8\xf0\x9f\n",
            "\u{fffd}not \u{fffd}( UTF-8\u{fffd}",
        ),
        (b"\x1b[2J\x07a\tb\rc\0\n", " [2J a b c "),
        ("schön \u{1f600}\n".as_bytes(), "schön \u{1f600}"),
    ] {
        lillian.send_bytes(said);
        expect(&mut [&mut max, &mut lillian], &format!("Lillian:{heard}"));
    }
}

#[test]
fn a_long_line_comes_in_pieces() {
    let server = Server::start();
    let mut max = Client::join(&server, "Max");
    for length in [999, 1000, 1001, 2000, 1_000_000] {
        let (client, text) = (max.stream.get_ref().try_clone(), "x".repeat(length) + "\n");
        let mut client = client.expect("a second handle");
        let writer = std::thread::spawn(move || client.write_all(text.as_bytes()).expect("the server reads"));
        let mut rest = length;
        while rest > 0 {
            let piece = rest.min(1000);
            max.expect(&format!("Max:{}", "x".repeat(piece)));
            rest -= piece;
        }
        writer.join().expect("it has written");
    }
    max.send("short\n");
    max.expect("Max:short");
}

#[test]
fn a_connection_that_is_reset_is_one_that_has_gone_away() {
    let server = Server::start();
    let mut max = Client::join(&server, "Max");
    let lillian = Client::join(&server, "Lillian");
    max.expect("Lillian:joined");
    max.send("never read\n");
    max.expect("Max:never read");
    let stream = lillian.stream.get_ref();
    stream.peek(&mut [0; 1]).expect("the line is there");
    // A system that still holds data for whoever closes a connection tells the peer so: by a reset.
    drop(lillian);
    max.expect("Lillian:has gone away");
    let error = server.running.error();
    assert!(error.contains("reset"), "{error}");
    max.send("still here\n");
    max.expect("Max:still here");
}

#[test]
fn who_does_not_read_is_thrown_out_and_hinders_nobody() {
    let server = Server::start();
    let mut max = Client::join(&server, "Max");
    let slow = Client::join(&server, "Slow");
    max.expect("Slow:joined");
    let text = "x".repeat(LONG);
    let (said, heard) = (format!("{text}\n"), format!("Max:{text}"));
    let mut lines = 0;
    loop {
        max.send(&said);
        lines += 1;
        let line = max.line();
        if line == "Slow:has gone away" {
            max.expect(&heard);
            break;
        }
        assert_eq!(line, heard);
        assert!(lines < MANY, "the server remembers too much");
    }
    // It was given a chance, and has missed only what came at the end.
    let rest = slow.rest();
    let heard = rest.matches("Max:").count();
    assert!(
        (100..lines).contains(&heard) && heard + 110 >= lines,
        "{heard} of {lines}"
    );
    max.send("that is better\n");
    max.expect("Max:that is better");
    drop(max);
    server.expect_clients(2);
}

#[test]
fn who_talks_and_does_not_read_is_thrown_out_as_well() {
    let server = Server::start();
    let mut max = Client::join(&server, "Max");
    let flooder = Client::join(&server, "Flooder");
    max.expect("Flooder:joined");
    let mut flood = flooder.stream.get_ref().try_clone().expect("a second handle");
    let flood = std::thread::spawn(move || {
        let said = "x".repeat(LONG) + "\n";
        (0..MANY).find_map(|_| flood.write_all(said.as_bytes()).err())
    });
    let heard = format!("Flooder:{}", "x".repeat(LONG));
    let last = loop {
        let line = max.line();
        if line != heard {
            break line;
        }
    };
    assert_eq!(last, "Flooder:has gone away");
    let error = flood.join().expect("it does not panic");
    assert!(error.is_some(), "the flood was never stopped");
    max.send("that is better\n");
    max.expect("Max:that is better");
}

/// More at once than an inbox takes: nobody was slow.
#[test]
fn a_crowd_is_no_flood() {
    const CROWD: usize = 150;
    let server = Server::start();
    let mut max = Client::join(&server, "Max");
    let crowd: Vec<Client> = (0..CROWD).map(|_| Client::connect(&server)).collect();
    for (n, client) in crowd.iter().enumerate() {
        client.send(&format!("{n}\n"));
    }
    for _ in 0..CROWD {
        assert!(max.line().ends_with(":joined"));
    }
    for _ in 0..10 {
        for client in &crowd {
            client.send("hi\n");
        }
    }
    for _ in 0..10 * CROWD {
        assert!(max.line().ends_with(":hi"));
    }
    for (n, client) in crowd.into_iter().enumerate() {
        client.finish();
        max.expect(&format!("{n}:has gone away"));
        let rest = client.rest();
        assert_eq!(rest.matches(":hi\n").count(), 10 * CROWD, "heard by {n}");
    }
}

/// A netcat that has joined.
fn netcat(server: &Server, name: &str) -> (Running, ChildStdin) {
    let port = server.addr.port().to_string();
    let (nc, mut stdin) = Running::start_with_input(Command::new("nc").args(["-N", "127.0.0.1", &port]));
    writeln!(stdin, "{name}").expect("it reads");
    assert_eq!(nc.line(), format!("Your name: {name}:joined"));
    (nc, stdin)
}

#[test]
fn netcats_can_chat() {
    if !has_netcat() {
        return;
    }
    let server = Server::start();
    let (max, mut max_says) = netcat(&server, "Max");
    let (lillian, lillian_says) = netcat(&server, "Lillian");
    let (thomas, _thomas_says) = netcat(&server, "Thomas");
    writeln!(max_says, "hello").expect("it reads");
    for line in ["Lillian:joined", "Thomas:joined", "Max:hello"] {
        assert_eq!(max.line(), line);
    }
    for line in ["Thomas:joined", "Max:hello"] {
        assert_eq!(lillian.line(), line);
    }
    assert_eq!(thomas.line(), "Max:hello");
    // Killed, with all its input still open: `kill -9`.
    drop(thomas);
    assert_eq!(lillian.line(), "Thomas:has gone away");
    // End of input: Control-D.
    drop(lillian_says);
    let finished = lillian.finish();
    assert!(finished.status.success(), "{}", finished.stderr);
    assert_eq!(finished.stdout, "");
    for line in ["Thomas:has gone away", "Lillian:has gone away"] {
        assert_eq!(max.line(), line);
    }
    drop(max_says);
    assert!(max.finish().status.success());
    server.expect_clients(3);
}

#[test]
#[cfg(unix)]
fn control_c_ends_the_server() {
    use std::os::unix::process::ExitStatusExt;

    let server = Server::start();
    let max = Client::join(&server, "Max");
    server.running.kill("INT");
    let finished = server.running.finish();
    assert_eq!(finished.status.signal(), Some(2));
    assert_eq!(finished.stderr, "");
    assert_eq!(max.rest(), "");
}

#[test]
#[cfg(unix)]
fn sighup_restarts_the_server_and_all_are_told() {
    let server = Server::start();
    for _ in 0..3 {
        let mut max = Client::join(&server, "Max");
        let mut lillian = Client::join(&server, "Lillian");
        max.expect("Lillian:joined");
        max.send("hello\n");
        expect(&mut [&mut max, &mut lillian], "Max:hello");
        let mut shy = Client::connect(&server);
        let mut asked = [0; 11];
        shy.stream.read_exact(&mut asked).expect("it is asked");
        let mut gone = Client::join(&server, "Gone");
        gone.send("bye\n");
        gone.expect("Gone:bye");
        gone.finish();
        assert_eq!(gone.rest(), "");
        server.running.kill("HUP");
        let told = "SERVER IS GOING AWAY!\n";
        // What was said before the signal is heard before.
        for client in [max, lillian] {
            let rest = client.rest();
            assert_eq!(rest.lines().last(), Some(told.trim_end()), "{rest}");
        }
        assert_eq!(shy.rest(), told);
        let mut lines = std::iter::from_fn(|| Some(server.running.line()));
        let connections = lines.by_ref().take_while(|line| line != "Server shutting down");
        assert_eq!(
            connections
                .filter(|line| line.starts_with("Connection from"))
                .count(),
            4
        );
        for _ in 0..3 {
            assert_eq!(lines.next().as_deref(), Some("Connection closed"));
        }
        assert_eq!(lines.next().as_deref(), Some("Starting the server"));
        assert_eq!(lines.next(), Some(format!("Server listening at {}", server.addr)));
    }
}
