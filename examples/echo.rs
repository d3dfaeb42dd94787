//! A server that says back whatever it is told, made from a listener and a task for each client.
//!
//! `echo_server.rs` is the same with `tcp_server`, which also cancels the clients that are left when it ends, and survives
//! a shortage of file descriptors. This one ends then.

use curio::net::{TcpListener, TcpStream, ToAddrs};
use curio::{Result, run, spawn_daemon};
use std::net::SocketAddr;

#[path = "common/address.rs"]
mod address;

const HELP: &str = "\
A server that says back whatever it is told. Talk to it with: nc 127.0.0.1 25000

Usage: cargo run --example echo -- [ADDRESS]

ADDRESS is like 127.0.0.1:25000, or like :25000 for all interfaces, which is
the default. Port 0 is any free port; the first line that is printed names it.
Ctrl-C ends the server.

Options:
  --help  show this help
";

async fn echo_server(addr: impl ToAddrs) -> Result<()> {
    let listener = TcpListener::bind(addr)?;
    println!("Server listening at {}", listener.local_addr()?);
    loop {
        let (client, addr) = listener.accept().await?;
        spawn_daemon(echo_client(client, addr));
    }
}

async fn echo_client(client: TcpStream, addr: SocketAddr) -> Result<()> {
    println!("Connection from {addr}");
    let mut data = [0; 1000];
    loop {
        let n = client.read(&mut data).await?;
        if n == 0 {
            break;
        }
        client.write_all(&data[..n]).await?;
    }
    println!("Connection closed");
    Ok(())
}

fn main() -> Result<()> {
    let addr = address::read(HELP);
    run(echo_server(&addr))
}
