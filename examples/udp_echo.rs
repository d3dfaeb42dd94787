//! A server that sends each datagram back to where it came from.

use curio::net::{ToAddrs, UdpSocket};
use curio::{Result, run};

#[path = "common/address.rs"]
mod address;

const HELP: &str = "\
A server that sends each datagram back to where it came from. Talk to it with:
nc -u 127.0.0.1 25000

Usage: cargo run --example udp_echo -- [ADDRESS]

ADDRESS is like 127.0.0.1:25000, or like :25000 for all interfaces, which is
the default. Port 0 is any free port; the first line that is printed names it.
Ctrl-C ends the server.

Options:
  --help  show this help
";

async fn udp_echo(addr: impl ToAddrs) -> Result<()> {
    let socket = UdpSocket::bind(addr)?;
    println!("Server listening at {}", socket.local_addr()?);
    let mut data = vec![0; 65536];
    loop {
        let (n, addr) = socket.recv_from(&mut data).await?;
        println!("{n} bytes from {addr}");
        socket.send_to(&data[..n], addr).await?;
    }
}

fn main() -> Result<()> {
    let addr = address::read(HELP);
    run(udp_echo(&addr))
}
