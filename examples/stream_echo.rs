//! A server that says back whatever it is told, line by line; `echo_server.rs` does not care for lines.

use curio::net::TcpStream;
use curio::{Result, run, tcp_server};
use std::net::SocketAddr;

#[path = "common/address.rs"]
mod address;

const HELP: &str = "\
A server that says back whatever it is told, line by line. Talk to it with:
nc 127.0.0.1 25000

Usage: cargo run --example stream_echo -- [ADDRESS]

ADDRESS is like 127.0.0.1:25000, or like :25000 for all interfaces, which is
the default. Ctrl-C ends the server.

A client that sends more than 65536 bytes without ending the line is thrown
out.

Options:
  --help  show this help
";

async fn echo_client(client: TcpStream, addr: SocketAddr) -> Result<()> {
    println!("Connection from {addr}");
    let mut s = client.into_stream();
    let mut line = Vec::new();
    while s.read_until(b'\n', &mut line).await? > 0 {
        s.write_all(&line).await?;
        line.clear();
    }
    println!("Connection closed");
    Ok(())
}

fn main() -> Result<()> {
    let addr = address::read(HELP);
    run(tcp_server(&addr, echo_client))
}
