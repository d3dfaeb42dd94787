//! A server that starts afresh on SIGHUP: all clients are told and dropped, and new ones are served.
//!
//! A `SignalQueue` gives each signal that comes, also one that comes while the server is still shutting down.

use curio::net::{TcpListener, TcpStream};
use curio::stream::SocketStream;
use curio::{Error, Result, ignore_after, run, run_server, spawn};
use std::net::SocketAddr;
use std::time::Duration;

#[cfg(unix)]
use curio::{SignalQueue, signal::SIGHUP};

#[cfg(not(unix))]
#[path = "common/no_signals.rs"]
mod no_signals;
#[cfg(not(unix))]
use no_signals::{SignalQueue, signal::SIGHUP};

#[path = "common/address.rs"]
mod address;

const HELP: &str = "\
A server that says back each line, and starts afresh on SIGHUP. Talk
to it with: nc 127.0.0.1 25000, and restart it with: pkill -HUP managed_echo

Usage: cargo run --example managed_echo -- [ADDRESS]

ADDRESS is like 127.0.0.1:25000, or like :25000 for all interfaces, which is
the default. Ctrl-C ends the server.

Options:
  --help  show this help
";

async fn echo_client(client: TcpStream, addr: SocketAddr) -> Result<()> {
    println!("Connection from {addr}");
    let mut s = client.into_stream();
    let echoed = echo(&mut s).await;
    if echoed.as_ref().is_err_and(Error::is_cancellation) {
        // A cancelled task may still wait. But not for ever, if this client does not read; and it may be gone.
        let told = s.write_all(b"SERVER IS GOING AWAY!\n");
        let _ = ignore_after(Duration::from_secs(1), told).await;
        return echoed;
    }
    println!("Connection closed");
    echoed
}

async fn echo(s: &mut SocketStream) -> Result<()> {
    let mut line = Vec::new();
    while s.read_until(b'\n', &mut line).await? > 0 {
        s.write_all(&line).await?;
        line.clear();
    }
    Ok(())
}

async fn manage(addr: &str) -> Result<()> {
    let restart = SignalQueue::new([SIGHUP])?;
    loop {
        let listener = TcpListener::bind(addr)?;
        println!("Starting the server");
        let server = spawn(run_server(listener, echo_client));
        restart.get().await?;
        println!("Server shutting down");
        // Its clients are its children: they are cancelled, too, and have ended when this has.
        server.cancel().await?;
    }
}

fn main() -> Result<()> {
    let addr = address::read(HELP);
    run(manage(&addr))
}
