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

/// Takes the first line out of what has come, if it is complete.
fn next_line(received: &mut Vec<u8>) -> Option<String> {
    let end = received.iter().position(|&byte| byte == b'\n')?;
    let line: Vec<u8> = received.drain(..=end).collect();
    Some(String::from_utf8_lossy(&line).trim().to_string())
}

async fn fib_client(client: TcpStream, addr: SocketAddr) -> Result<()> {
    println!("Connection from {addr}");
    let (mut received, mut data) = (Vec::new(), [0; 100]);
    loop {
        while let Some(line) = next_line(&mut received) {
            let answer = match line.parse() {
                Ok(n @ 0..=90) => format!("{}\n", run_in_thread(move || fib(n)).await?),
                _ => "a number up to 90, please\n".to_string(),
            };
            client.write_all(answer.as_bytes()).await?;
        }
        match client.read(&mut data).await? {
            0 => break,
            // Nobody's number is as long as that.
            _ if received.len() > 1000 => break,
            n => received.extend_from_slice(&data[..n]),
        }
    }
    println!("Connection closed");
    Ok(())
}

fn main() -> Result<()> {
    let addr = address::read(HELP);
    run(tcp_server(&addr, fib_client))
}
