//! A server that computes Fibonacci numbers, the slow way: each in a process, which can be killed.
//!
//! `fib_service` does it in threads. There a number that takes for ever takes a thread for ever, since nobody can stop that
//! from outside. Here whoever asks for too much is told so, and the computation ends with the process.

use curio::net::TcpStream;
use curio::{Error, Result, run, run_in_process, tcp_server, timeout_after};
use std::net::SocketAddr;
use std::time::Duration;

#[path = "common/address.rs"]
mod address;

const HELP: &str = "\
A server that computes Fibonacci numbers in processes. Talk to it with:
nc 127.0.0.1 25000
and type 10, and then 90, which would take years: after two seconds, its
process is killed. Meanwhile `top` shows who works.

Usage: cargo run --example fib_processes --features process -- [ADDRESS]

ADDRESS is like 127.0.0.1:25000 or localhost:25000, or like :25000 for all
interfaces, which is the default. Ctrl-C ends the server.

Options:
  --help  show this help
";

/// So much time an answer may take.
const LIMIT: Duration = Duration::from_secs(2);

/// As slow as it gets.
fn fib(n: u64) -> u64 {
    if n < 2 { n } else { fib(n - 1) + fib(n - 2) }
}

async fn fib_client(client: TcpStream, addr: SocketAddr) -> Result<()> {
    println!("Connection from {addr}");
    let mut client = client.into_stream();
    let mut line = String::new();
    while client.read_line(&mut line).await? > 0 {
        let answer = match line.trim().parse() {
            Ok(n @ 0..=90) => match timeout_after(LIMIT, run_in_process(fib, n)).await {
                Err(Error::Timeout(_)) => "that takes too long\n".to_string(),
                computed => format!("{}\n", computed?),
            },
            _ => "a number up to 90, please\n".to_string(),
        };
        client.write_all(answer.as_bytes()).await?;
        line.clear();
    }
    println!("Connection closed");
    Ok(())
}

fn main() -> Result<()> {
    let addr = address::read(HELP);
    run(tcp_server(&addr, fib_client))
}
