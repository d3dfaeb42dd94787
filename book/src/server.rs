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

/// How long a peer may take for a request, and for a part of an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long to read on after the last answer; see [`part`].
const FAREWELL: Duration = Duration::from_secs(2);

/// The size of the parts in which an answer is sent.
const PART: usize = 64 * 1024;

/// Loads the site in a folder and serves it on `port`, or on the next that is free, until the program
/// is ended. `ready` is called once, with the address.
pub fn run(site: &Path, port: u16, ready: impl FnOnce(SocketAddr) -> Result<()>) -> Result<()> {
    let site = Site::load(site)?;
    curio::run(async {
        let listener = listen(port).map_err(other)?;
        ready(listener.local_addr()?).map_err(other)?;
        run_server(listener, async move |stream: TcpStream, _| {
            converse(&stream, &site).await
        })
        .await
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

/// One connection, from its first request to its end.
async fn converse(stream: &TcpStream, site: &Site) -> curio::Result<()> {
    match answer_all(stream, site).await {
        // The peer is gone, which is its right.
        Err(Error::Io(_)) => Ok(()),
        result => result,
    }
}

async fn answer_all(stream: &TcpStream, site: &Site) -> curio::Result<()> {
    // An answer is written at once: nothing is gained by holding back its last packet.
    stream.set_nodelay(true)?;
    let mut received = Vec::new();
    loop {
        let request = ignore_after(PATIENCE, next_request(stream, &mut received)).await?;
        let answer = match request {
            None | Some(Asked::Nothing) => return Ok(()),
            Some(Asked::For(request)) => http::answer(site, &request),
            Some(Asked::Wrongly(status)) => http::refusal(status),
        };
        let sent = send(stream, answer.head.as_bytes()).await? && send(stream, &answer.body).await?;
        if !sent {
            return Ok(());
        }
        if !answer.keep_alive {
            return part(stream).await;
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
async fn send(stream: &TcpStream, bytes: &[u8]) -> curio::Result<bool> {
    for part in bytes.chunks(PART) {
        if ignore_after(PATIENCE, stream.write_all(part)).await?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Ends a connection on our side and reads what still comes.
///
/// To close a socket with unread bytes is to reset the connection, and a reset can overtake our answer.
async fn part(stream: &TcpStream) -> curio::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    let rest = async {
        let mut bytes = [0; 4096];
        while stream.read(&mut bytes).await? > 0 {}
        Ok(())
    };
    ignore_after(FAREWELL, rest).await?;
    Ok(())
}

/// Opens the book in the reader's browser, or says that it could not.
pub fn open_browser(address: SocketAddr) {
    let url = format!("http://{address}");
    let (program, arguments) = if cfg!(target_os = "macos") {
        ("open", vec![url.as_str()])
    } else if cfg!(windows) {
        // The empty string is the window's title.
        ("cmd", vec!["/c", "start", "", url.as_str()])
    } else {
        ("xdg-open", vec![url.as_str()])
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    match command.spawn() {
        // Someone must wait for it to end, and it may take its time.
        Ok(mut browser) => drop(std::thread::spawn(move || browser.wait())),
        Err(error) => eprintln!("Cannot open a browser ({program}: {error}); open {url} yourself"),
    }
}
