//! Happy eyeballs (RFC 8305): connects to the first of several addresses that answers.
//!
//! A server with several addresses may not answer on all of them: on a network without IPv6 a connection over IPv6 may
//! hang for minutes. To try one address after the other makes people wait, to try all at once is rude. So there is a short
//! delay between the attempts, and they go on side by side.

use curio::net::TcpStream;
use curio::{Error, Result, TaskGroup, ignore_after, run};
use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

#[path = "common/arguments.rs"]
mod arguments;

const HELP: &str = "\
Connects to the first of several addresses that answers, and prints what the
server says until it closes the connection.

Usage: cargo run --example happy_eyeballs -- [--delay MS] ADDRESS...

ADDRESS is like 127.0.0.1:25000 or [::1]:25000. They are tried in this order.

Options:
  --delay MS  start the next attempt after so many milliseconds, or earlier if
              one fails (default: 250)
  --help      show this help
";

/// The first connection that succeeds. The other attempts have ended then, and their sockets are closed.
async fn happy_eyeballs(addrs: &[SocketAddr], delay: Duration) -> Result<TcpStream> {
    // When the body ends, the attempts that are left are of no use: this group cancels them.
    TaskGroup::none()
        .scope(async |attempts| {
            let mut addrs = addrs.iter();
            loop {
                // After the last one there is nothing to be in a hurry for, and no limit.
                let limit = addrs.next().map(|&addr| {
                    attempts.spawn(attempt(addr));
                    delay
                });
                match ignore_after(limit, attempts.next_result()).await {
                    Ok(Some(Some(stream))) => return Ok(stream),
                    Ok(Some(None)) => return Err(Error::other("no address is left to try")),
                    Ok(None) => {}            // no answer so far, so try another one
                    Err(Error::Task(_)) => {} // an attempt has failed, so try another one
                    Err(e) => return Err(e),  // somebody wants *us* to stop
                }
            }
        })
        .await
}

async fn attempt(addr: SocketAddr) -> Result<TcpStream> {
    println!("Trying {addr}");
    let connected = TcpStream::connect(addr).await;
    match &connected {
        Ok(_) => println!("Connected to {addr}"),
        Err(e) if e.is_cancellation() => println!("Gave up {addr}"),
        Err(e) => println!("Failed: {e}"),
    }
    connected
}

async fn visit(addrs: &[SocketAddr], delay: Duration) -> Result<()> {
    let server = happy_eyeballs(addrs, delay).await?;
    let mut data = [0; 1000];
    loop {
        let n = server.read(&mut data).await?;
        if n == 0 {
            return Ok(());
        }
        let mut out = std::io::stdout();
        out.write_all(&data[..n])?;
        out.flush()?;
    }
}

fn main() -> Result<()> {
    let (addrs, delay) = arguments::read(HELP, |given| {
        let (millis, addrs) = match given {
            ["--delay", millis, addrs @ ..] => (millis.parse().ok()?, addrs),
            addrs => (250, addrs),
        };
        let addrs: Option<Vec<SocketAddr>> = addrs.iter().map(|addr| addr.parse().ok()).collect();
        let addrs = addrs.filter(|addrs| !addrs.is_empty())?;
        Some((addrs, Duration::from_millis(millis)))
    });
    run(visit(&addrs, delay))
}
