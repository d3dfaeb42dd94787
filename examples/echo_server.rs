//! A server that says back whatever it is told, in one call; `echo.rs` is the same by hand.

use curio::net::TcpStream;
use curio::{Result, run, tcp_server};
use std::net::SocketAddr;

#[path = "common/address.rs"]
mod address;

const HELP: &str = "\
A server that says back whatever it is told. Talk to it with: nc 127.0.0.1 25000

Usage: cargo run --example echo_server -- [ADDRESS]

ADDRESS is like 127.0.0.1:25000, or like :25000 for all interfaces, which is
the default. Ctrl-C ends the server.

Options:
  --help  show this help
";

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
    run(tcp_server(&addr, echo_client))
}
