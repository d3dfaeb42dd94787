//! The echo server for clients on the same machine, who find it by a path.

use curio::net::UnixStream;
use curio::{Result, run, unix_server};

#[path = "common/path.rs"]
mod path;

const HELP: &str = "\
A server that says back whatever it is told, at a path. Talk to it with:
nc -U /tmp/curio-echo

Usage: cargo run --example unix_echo -- [PATH]

PATH is /tmp/curio-echo if none is given. A socket that an earlier server has
left there is replaced; anything else is an error. Ctrl-C ends the server.

Options:
  --help  show this help
";

async fn echo_client(client: UnixStream) -> Result<()> {
    println!("Connection");
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
    let path = path::read(HELP);
    run(unix_server(path, async |client, _addr| echo_client(client).await))
}
