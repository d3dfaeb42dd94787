//! A server that computes Fibonacci numbers, the slow way: each in a thread, so that a large one holds up nobody.
//!
//! Without `run_in_thread`, the one client that asks for 45 would make all others wait, and nobody could be accepted.

use curio::net::TcpStream;
use curio::{Result, run, run_in_thread, tcp_server};
use std::net::SocketAddr;

#[path = "common/address.rs"]
mod address;

const HELP: &str = "\
A server that computes Fibonacci numbers. Talk to it with: nc 127.0.0.1 25000
and type 10, and then 45; type in another terminal meanwhile.

Usage: cargo run --example fib_service -- [ADDRESS]

ADDRESS is like 127.0.0.1:25000 or localhost:25000, or like :25000 for all
interfaces, which is the default. Ctrl-C ends the server.

Options:
  --help  show this help
";

/// As slow as it gets.
fn fib(n: u64) -> u64 {
    if n < 2 { n } else { fib(n - 1) + fib(n - 2) }
}

async fn fib_client(client: TcpStream, addr: SocketAddr) -> Result<()> {
    println!("Connection from {addr}");
    let mut s = client.into_stream();
    s.set_line_limit(1000); // nobody's number is as long as that
    let mut line = String::new();
    while s.read_line(&mut line).await? > 0 {
        let answer = match line.trim().parse() {
            Ok(n @ 0..=90) => format!("{}\n", run_in_thread(move || fib(n)).await?),
            _ => "a number up to 90, please\n".to_string(),
        };
        s.write_all(answer.as_bytes()).await?;
        line.clear();
    }
    println!("Connection closed");
    Ok(())
}

fn main() -> Result<()> {
    let addr = address::read(HELP);
    run(tcp_server(&addr, fib_client))
}
