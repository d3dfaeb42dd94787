//! The UDP echo server with a handler as a type, as it was written for Python Curio in 2015.

use curio::net::UdpSocket;
use curio::socketserver::{Datagram, Handler, UdpServer};
use curio::{Result, run};

#[path = "common/address.rs"]
mod address;

const HELP: &str = "\
A server that sends each datagram back to where it came from. Talk to it with:
nc -u 127.0.0.1 25000

Usage: cargo run --example socketserver_udp -- [ADDRESS]

ADDRESS is like 127.0.0.1:25000, or like :25000 for all interfaces, which is
the default. Port 0 is any free port; the first line that is printed names it.
Ctrl-C ends the server.

Options:
  --help  show this help
";

struct EchoHandler(Datagram);

impl Handler for EchoHandler {
    async fn handle(&mut self) -> Result<()> {
        let EchoHandler(datagram) = self;
        println!("{} bytes from {}", datagram.packet.len(), datagram.client_address);
        datagram.reply(&datagram.packet).await
    }
}

async fn serve(addr: &str) -> Result<()> {
    let socket = UdpSocket::bind(addr)?;
    println!("Server listening at {}", socket.local_addr()?);
    UdpServer::on(socket, EchoHandler).serve_forever().await
}

fn main() -> Result<()> {
    let addr = address::read(HELP);
    run(serve(&addr))
}
