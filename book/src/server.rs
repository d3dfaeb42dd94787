//! Serves the book on curio: the runtime that the book builds.
//!
//! `run_server` gives every connection a task of its own, which talks HTTP. What a peer does (stall,
//! vanish, send rubbish) concerns its own task and no other.
//!
//! 1. Every wait for a peer has a limit, so that a silent one is let go.
//! 2. A cancellation is never taken for a peer's failure: it is handed on.
//! 3. Only programs on this machine can connect.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use curio::net::{TcpListener, TcpStream};
use curio::{Error, ignore_after, run_server};

use crate::http::{self, Received, Request, Status};
use crate::site::Site;

/// The port to serve on, unless another is asked for.
pub const PORT: u16 = 3000;

/// How many ports to try, when one after the other is in use.
const ATTEMPTS: u16 = 100;

/// How long we wait for a peer.
#[derive(Clone, Copy)]
struct Limits {
    /// For a request, and for a part of an answer to be taken.
    patience: Duration,
    /// For the end of what it sends, after our last answer; see [`part`].
    farewell: Duration,
}

const LIMITS: Limits = Limits {
    patience: Duration::from_secs(30),
    farewell: Duration::from_secs(2),
};

/// The size of the parts in which an answer is sent.
const PART: usize = 64 * 1024;

/// Loads the site in a folder and serves it on `port`, or on the next that is free, until the program
/// is ended. `ready` is called once, with the address.
pub fn run(site: &Path, port: u16, ready: impl FnOnce(SocketAddr) -> Result<()>) -> Result<()> {
    let site = Site::load(site)?;
    curio::run(async {
        let listener = listen(port).map_err(other)?;
        ready(listener.local_addr()?).map_err(other)?;
        serve(listener, site, LIMITS).await
    })
    .map_err(anyhow::Error::from)
}

fn other(error: anyhow::Error) -> Error {
    Error::other(format!("{error:#}"))
}

/// Listens on the first free port from `port` on.
fn listen(port: u16) -> Result<TcpListener> {
    for port in port..=port.saturating_add(ATTEMPTS) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        match TcpListener::bind(address) {
            Ok(listener) => return Ok(listener),
            Err(Error::Io(error)) if error.kind() == ErrorKind::AddrInUse => {
                eprintln!("Port {port} is in use; trying the next one");
            }
            Err(error) => return Err(error).with_context(|| format!("cannot listen on {address}")),
        }
    }
    bail!("no free port from {port} on; choose another with --port")
}

async fn serve(listener: TcpListener, site: Site, limits: Limits) -> curio::Result<()> {
    run_server(listener, async move |stream: TcpStream, _| {
        converse(&stream, &site, limits).await
    })
    .await
}

/// One connection, from its first request to its end.
async fn converse(stream: &TcpStream, site: &Site, limits: Limits) -> curio::Result<()> {
    match answer_all(stream, site, limits).await {
        // The peer is gone, which is its right.
        Err(Error::Io(_)) => Ok(()),
        result => result,
    }
}

async fn answer_all(stream: &TcpStream, site: &Site, limits: Limits) -> curio::Result<()> {
    // An answer is written at once: nothing is gained by holding back its last packet.
    stream.set_nodelay(true)?;
    let mut received = Vec::new();
    loop {
        let request = ignore_after(limits.patience, next_request(stream, &mut received)).await?;
        let answer = match request {
            None | Some(Asked::Nothing) => return Ok(()),
            Some(Asked::For(request)) => http::answer(site, &request),
            Some(Asked::Wrongly(status)) => http::refusal(status),
        };
        let sent = send(stream, answer.head.as_bytes(), limits.patience).await?
            && send(stream, &answer.body, limits.patience).await?;
        if !sent {
            return Ok(());
        }
        if !answer.keep_alive {
            return part(stream, limits.farewell).await;
        }
    }
}

/// What a peer asked.
enum Asked {
    For(Request),
    Wrongly(Status),
    /// It has ended the connection.
    Nothing,
}

/// Reads one request; what has come of the following ones stays in `received`.
async fn next_request(stream: &TcpStream, received: &mut Vec<u8>) -> curio::Result<Asked> {
    loop {
        match http::receive(received) {
            Received::Request(request, length) => {
                received.drain(..length);
                return Ok(Asked::For(request));
            }
            Received::Refused(status) => return Ok(Asked::Wrongly(status)),
            Received::Part => {}
        }
        let mut bytes = [0; 4096];
        match stream.read(&mut bytes).await? {
            0 => return Ok(Asked::Nothing),
            length => received.extend_from_slice(&bytes[..length]),
        }
    }
}

/// Sends all of `bytes`. False if the peer takes too long to receive a part of them.
async fn send(stream: &TcpStream, bytes: &[u8], patience: Duration) -> curio::Result<bool> {
    for part in bytes.chunks(PART) {
        if ignore_after(patience, stream.write_all(part)).await?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Ends a connection on our side and reads what still comes.
///
/// To close a socket with unread bytes is to reset the connection, and a reset can overtake our answer.
async fn part(stream: &TcpStream, farewell: Duration) -> curio::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    let rest = async {
        let mut bytes = [0; 4096];
        while stream.read(&mut bytes).await? > 0 {}
        Ok(())
    };
    ignore_after(farewell, rest).await?;
    Ok(())
}

/// Opens the book in the reader's browser, or says that it could not.
pub fn open_browser(address: SocketAddr) {
    let url = format!("http://{address}");
    let (program, arguments): (_, &[&str]) = if cfg!(target_os = "macos") {
        ("open", &[])
    } else if cfg!(windows) {
        // The empty string is the window's title.
        ("cmd", &["/c", "start", ""])
    } else {
        ("xdg-open", &[])
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .arg(&url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // Whether it works is known only when it ends, and it may take its time.
    std::thread::spawn(move || match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => eprintln!("Cannot open a browser ({program}: {status}); open {url} yourself"),
        Err(error) => eprintln!("Cannot open a browser ({program}: {error}); open {url} yourself"),
    });
}

#[cfg(test)]
mod tests {
    use std::future::Future;

    use curio::{Task, open_connection, sleep, spawn, timeout_after};

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

    /// More than the system keeps for a peer that does not read.
    const LARGE: usize = 64 * 1024 * 1024;

    const SHORT: Duration = Duration::from_millis(50);
    /// Longer than any test here takes.
    const LONG: Duration = Duration::from_secs(60);

    /// Serves a front page of `size` bytes while `client` runs.
    fn serving<F>(size: usize, patience: Duration, client: impl FnOnce(SocketAddr, Task<()>) -> F)
    where
        F: Future<Output = curio::Result<()>>,
    {
        let main = async {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let address = listener.local_addr()?;
            let mut site = Site::default();
            site.insert("/index.html", vec![b'x'; size]);
            let limits = Limits {
                patience,
                farewell: SHORT,
            };
            let server = spawn(serve(listener, site, limits));
            timeout_after(Duration::from_secs(20), client(address, server)).await
        };
        curio::run(main).expect("in time, and as it should be");
    }

    /// Reads to the end, in whatever way it comes; tells how much there was.
    async fn read_all(stream: &TcpStream) -> curio::Result<usize> {
        let mut bytes = vec![0; 64 * 1024];
        let mut total = 0;
        loop {
            match stream.read(&mut bytes).await {
                Ok(0) => return Ok(total),
                Ok(length) => total += length,
                Err(Error::Io(error)) if error.kind() == ErrorKind::ConnectionReset => return Ok(total),
                Err(error) => return Err(error),
            }
        }
    }

    #[test]
    fn a_peer_that_says_nothing_is_let_go() {
        serving(1, SHORT, async |address, _server| {
            for beginning in [&b""[..], b"GET / HT"] {
                let stream = open_connection(address).await?;
                stream.write_all(beginning).await?;
                assert_eq!(read_all(&stream).await?, 0);
            }
            // And one that asks once and then keeps silent.
            let stream = open_connection(address).await?;
            stream.write_all(REQUEST).await?;
            assert!(read_all(&stream).await? > 0);
            Ok(())
        });
    }

    #[test]
    fn a_peer_that_does_not_read_is_let_go() {
        serving(LARGE, SHORT, async |address, _server| {
            let stream = open_connection(address).await?;
            stream.write_all(REQUEST).await?;
            // What is sent to a closed socket is answered by a reset, which makes the next sending fail.
            loop {
                match stream.write_all(b"GET").await {
                    Ok(()) => sleep(Duration::from_millis(5)).await?,
                    Err(Error::Io(_)) => return Ok(()),
                    Err(error) => return Err(error),
                }
            }
        });
    }

    #[test]
    fn a_peer_that_reads_gets_all_of_a_large_answer() {
        serving(LARGE, LONG, async |address, _server| {
            let stream = open_connection(address).await?;
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
            assert!(read_all(&stream).await? > LARGE);
            Ok(())
        });
    }

    #[test]
    fn a_cancelled_server_leaves_no_connection_behind() {
        serving(LARGE, LONG, async |address, server| {
            let idle = open_connection(address).await?;
            let stalled = open_connection(address).await?;
            stalled.write_all(REQUEST).await?;
            let mut first = [0; 1];
            stalled.read_exact(&mut first).await?;
            server.cancel().await?;
            assert_eq!(read_all(&idle).await?, 0);
            assert!(read_all(&stalled).await? < LARGE);
            assert!(matches!(server.join().await, Err(Error::Task(error)) if error.cancelled()));
            Ok(())
        });
    }
}
