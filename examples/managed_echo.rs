//! A server that starts afresh on SIGHUP: all clients are told and dropped, and new ones are served.
//!
//! A `SignalQueue` gives each signal that comes, also one that comes while the server is still shutting down.

use curio::net::{TcpListener, TcpStream};
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
A server that says back whatever it is told, and starts afresh on SIGHUP. Talk
to it with: nc 127.0.0.1 25000, and restart it with: pkill -HUP managed_echo

Usage: cargo run --example managed_echo -- [ADDRESS]

ADDRESS is like 127.0.0.1:25000, or like :25000 for all interfaces, which is
the default. Ctrl-C ends the server.

Options:
  --help  show this help
";

async fn echo_client(client: TcpStream, addr: SocketAddr) -> Result<()> {
    println!("Connection from {addr}");
    let echoed = echo(&client).await;
    if echoed.as_ref().is_err_and(Error::is_cancellation) {
        // A cancelled task may still wait. But not for ever, if this client does not read; and it may be gone.
        let told = client.write_all(b"SERVER IS GOING AWAY!\n");
        let _ = ignore_after(Duration::from_secs(1), told).await;
        return echoed;
    }
    println!("Connection closed");
    echoed
}

async fn echo(client: &TcpStream) -> Result<()> {
    let mut data = [0; 1000];
    loop {
        let n = client.read(&mut data).await?;
        if n == 0 {
            return Ok(());
        }
        client.write_all(&data[..n]).await?;
    }
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
