//! Sends lines to a UDP server and prints the answers.
//!
//! A datagram may be lost, and nobody says so. So what is not answered in time is sent again, a few times.

use curio::net::{ToAddrs, UdpSocket};
use curio::stream::stdin;
use curio::{Error, Result, WithTimeout, run};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

#[path = "common/arguments.rs"]
mod arguments;

const HELP: &str = "\
Sends each line of its input to a UDP server, and prints the answers.

Usage: cargo run --example udp_client -- [ADDRESS]

ADDRESS is that of the server, 127.0.0.1:25000 if none is given (udp_echo, if
it runs).

Options:
  --help  show this help
";

const TRIES: u32 = 3;
const PATIENCE: Duration = Duration::from_millis(500);

async fn udp_client(server: SocketAddr) -> Result<()> {
    let any = match server {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(server)?;
    let mut input = stdin()?;
    let mut lines = input.lines();
    while let Some(line) = lines.next().await {
        println!("{}", ask(&socket, &line?).await?);
    }
    Ok(())
}

async fn ask(socket: &UdpSocket, question: &str) -> Result<String> {
    let mut answer = vec![0; 65536];
    for _ in 0..TRIES {
        socket.send(question.as_bytes()).await?;
        match socket.recv(&mut answer).timeout(PATIENCE).await {
            Ok(n) => return Ok(String::from_utf8_lossy(&answer[..n]).into_owned()),
            Err(Error::Timeout(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::other("no answer"))
}

fn main() -> Result<()> {
    let server = arguments::read(HELP, |given| match given {
        [] => Some("127.0.0.1:25000".to_string()),
        [address] if !address.starts_with('-') => Some((*address).to_string()),
        _ => None,
    });
    run(async { udp_client(server.to_addrs()?[0]).await })
}
