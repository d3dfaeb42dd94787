//! The echo server again, for clients who want nobody else to listen.

use curio::tls::{self, TlsStream};
use curio::{Error, Result, run};
use std::fs;
use std::net::SocketAddr;

#[path = "common/arguments.rs"]
mod arguments;

const HELP: &str = "\
A server that says back whatever it is told, line by line, over TLS. Talk to
it with: cargo run --example tls_client --features tls
or with: openssl s_client -quiet -connect localhost:25000

Usage: cargo run --example tls_echo --features tls -- [ADDRESS]
       [--certificate FILE --key FILE]

ADDRESS is like 127.0.0.1:25000, or like :25000 for all interfaces, which is
the default. The files are in PEM; the first has the certificate and those
that vouch for it. Without them, it has a certificate for localhost from the
tests of curio, whose key is no secret. Ctrl-C ends the server.

Options:
  --help  show this help
";

/// For those who only want to try.
const CERTIFICATE: &str = include_str!("../curio/tests/certificates/server.pem");
const KEY: &str = include_str!("../curio/tests/certificates/server.key");

struct Options {
    addr: String,
    /// The files of certificate and key.
    files: Option<(String, String)>,
}

fn understand(given: &[&str]) -> Option<Options> {
    let (addr, rest) = match given {
        [addr, rest @ ..] if !addr.starts_with('-') => (*addr, rest),
        rest => (":25000", rest),
    };
    let files = match rest {
        [] => None,
        ["--certificate", certificate, "--key", key] => Some((certificate.to_string(), key.to_string())),
        _ => return None,
    };
    let addr = addr.to_string();
    Some(Options { addr, files })
}

/// What is in a file, or what is wrong with it.
fn read(file: &str) -> Result<Vec<u8>> {
    fs::read(file).map_err(|error| Error::other(format!("cannot read {file}: {error}")))
}

async fn echo_client(client: TlsStream, addr: SocketAddr) -> Result<()> {
    println!("Connection from {addr}");
    let mut s = client.into_stream();
    let mut line = Vec::new();
    while s.read_until(b'\n', &mut line).await? > 0 {
        s.write_all(&line).await?;
        line.clear();
    }
    println!("Connection closed");
    // Nothing is missing: without this, the client could not know.
    s.shutdown().await
}

fn main() -> Result<()> {
    let options = arguments::read(HELP, understand);
    let config = match &options.files {
        Some((certificate, key)) => tls::server_config(read(certificate)?, read(key)?)?,
        None => tls::server_config(CERTIFICATE, KEY)?,
    };
    run(tls::tcp_server(&options.addr, config, echo_client))
}
