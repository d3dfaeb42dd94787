//! Sends its input to a server over TLS, and prints what the server says: both at once.

use curio::stream::{stdin, stdout};
use curio::{Error, Result, TaskGroup, open_connection, run, tls};
use std::fs;

#[path = "common/arguments.rs"]
mod arguments;

const HELP: &str = "\
Sends each line of its input to a server over TLS, and prints what the server
says.

Usage: cargo run --example tls_client --features tls -- [ADDRESS]
       [--trust FILE]

ADDRESS is localhost:25000 if none is given (tls_echo, if it runs); the server
has to prove that it is what the address says. FILE has the certificates to be
trusted, in PEM, like /etc/ssl/certs/ca-certificates.crt. Without it, those of
the tests of curio are, for tls_echo.

Options:
  --help  show this help
";

const AUTHORITY: &str = include_str!("../curio/tests/certificates/ca.pem");

struct Options {
    addr: String,
    trust: Option<String>,
}

fn understand(given: &[&str]) -> Option<Options> {
    let (addr, rest) = match given {
        [addr, rest @ ..] if !addr.starts_with('-') => (*addr, rest),
        rest => ("localhost:25000", rest),
    };
    let trust = match rest {
        [] => None,
        ["--trust", file] => Some(file.to_string()),
        _ => return None,
    };
    let addr = addr.to_string();
    Some(Options { addr, trust })
}

async fn tls_client(options: Options) -> Result<()> {
    let config = match &options.trust {
        Some(file) => {
            let read = fs::read(file).map_err(|error| Error::other(format!("cannot read {file}: {error}")));
            tls::client_config(read?)?
        }
        None => tls::client_config(AUTHORITY)?,
    };
    let (mut from, mut to) = open_connection(&options.addr)
        .tls(config)
        .await?
        .into_stream()
        .split();
    TaskGroup::all()
        .scope(async |both| {
            let talks = both.spawn(async move {
                let mut input = stdin()?;
                let mut line = Vec::new();
                while input.read_until(b'\n', &mut line).await? > 0 {
                    to.write_all(&line).await?;
                    line.clear();
                }
                // The server is told that nothing more comes; what it still has to say is printed.
                to.shutdown().await
            });
            both.spawn(async move {
                let mut output = stdout()?;
                let mut data = [0; 1000];
                loop {
                    match from.read(&mut data).await? {
                        0 => break,
                        n => output.write_all(&data[..n]).await?,
                    }
                }
                // Nobody is there any more who would want to hear the next line.
                talks.cancel_nowait();
                Ok(())
            });
        })
        .await
}

fn main() -> Result<()> {
    run(tls_client(arguments::read(HELP, understand)))
}
