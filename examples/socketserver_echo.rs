//! The echo server with a handler as a type, as it was written for Python Curio in 2015.

use curio::socketserver::{Handler, Request, TcpServer};
use curio::{Result, run};

#[path = "common/address.rs"]
mod address;

const HELP: &str = "\
A server that says back whatever it is told, line by line. Talk to it with:
nc 127.0.0.1 25000

Usage: cargo run --example socketserver_echo -- [ADDRESS]

ADDRESS is like 127.0.0.1:25000, or like :25000 for all interfaces, which is
the default. Ctrl-C ends the server.

Options:
  --help  show this help
";

struct EchoHandler(Request);

impl Handler for EchoHandler {
    async fn handle(&mut self) -> Result<()> {
        let Request {
            rfile,
            wfile,
            client_address,
        } = &mut self.0;
        println!("Connection from {client_address}");
        let mut line = Vec::new();
        while rfile.read_until(b'\n', &mut line).await? > 0 {
            wfile.write_all(&line).await?;
            line.clear();
        }
        println!("Connection closed");
        Ok(())
    }
}

fn main() -> Result<()> {
    let addr = address::read(HELP);
    let serv = TcpServer::new(&addr, EchoHandler);
    run(serv.serve_forever())
}
