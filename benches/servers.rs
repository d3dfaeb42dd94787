//! What a request costs a server whose bytes go through somebody else's code: TLS by rustls, HTTP by hyper. The same servers on curio
//! and on tokio, in turns, measured by the CPU time of their processes.
//!
//! It starts itself again for each server: `servers SERVER` says where it listens and serves until its standard input ends.

use std::convert::Infallible;
use std::env;
use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;

use curio::tls::rustls::pki_types::ServerName;
use curio::tls::rustls::{ClientConfig, ClientConnection, ServerConfig, StreamOwned};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};

type Result<T> = std::result::Result<T, Box<dyn Error>>;
type Connect = fn(TcpStream) -> Result<Client>;

/// What is measured: its name, the server on curio, the server on tokio, and how a client talks to it.
const ROWS: [(&str, [&str; 2], Connect); 2] = [
    ("TLS echo, 64 bytes", ["curio-tls", "tokio-tls"], tls_client),
    ("hyper, plaintext", ["curio-http", "tokio-http"], http_client),
];

const CONNECTIONS: usize = 50;
/// Servers of each kind, in turns; the one in the middle counts.
const ROUNDS: usize = 5;
/// The length of a message of the echo clients.
const LENGTH: usize = 64;
const REQUEST: &[u8] = b"GET /plaintext HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let chosen = arguments
        .iter()
        .find(|a| !a.starts_with("--"))
        .map(String::as_str);
    let done = match chosen {
        Some("curio-tls") => on_curio::tls(),
        Some("curio-http") => on_curio::http(),
        Some("tokio-tls") => on_tokio::tls(),
        Some("tokio-http") => on_tokio::http(),
        // `cargo test` wants to know whether it works.
        _ if arguments.iter().any(|a| a == "--test") || !arguments.iter().any(|a| a == "--bench") => {
            compare(100, 1)
        }
        _ => compare(50_000, ROUNDS),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("servers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(requests: usize, rounds: usize) -> Result<()> {
    println!(
        "| requests per CPU second of the server | curio | tokio | curio's CPU time per request against tokio's |"
    );
    println!("|---|--:|--:|--:|");
    for (name, servers, connect) in ROWS {
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..rounds {
            for (server, times) in servers.iter().zip(&mut times) {
                times.push(measure(server, connect, requests)?);
            }
        }
        let [curio, tokio] = times.map(|mut times| {
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        });
        let rate = |nanos: f64| 1e9 / nanos;
        println!(
            "| {name} | {:.0} | {:.0} | {:.2} |",
            rate(curio),
            rate(tokio),
            curio / tokio
        );
    }
    Ok(())
}

/// CPU nanoseconds of a server for one request.
fn measure(server: &str, connect: Connect, requests: usize) -> Result<f64> {
    let server = Server::start(server)?;
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let stream = TcpStream::connect(server.addr)?;
        stream.set_nodelay(true)?;
        clients.push(connect(stream)?);
    }
    let mut turn = || -> Result<()> {
        for client in &mut clients {
            client.stream.write_all(&client.question)?;
            client.stream.flush()?;
        }
        for client in &mut clients {
            client.stream.read_exact(&mut client.answer)?;
        }
        Ok(())
    };
    // Handshakes, and whatever is done once, are no request.
    for _ in 0..10 {
        turn()?;
    }
    let before = server.cpu()?;
    let turns = requests.div_ceil(CONNECTIONS);
    for _ in 0..turns {
        turn()?;
    }
    Ok((server.cpu()? - before) / (turns * CONNECTIONS) as f64)
}

/// A server in a process of its own, ended when this value goes.
struct Server {
    child: Child,
    addr: SocketAddr,
}

impl Server {
    fn start(name: &str) -> Result<Server> {
        let mut child = Command::new(env::current_exe()?)
            .arg(name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("it is piped")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let addr = line.trim().parse()?;
        Ok(Server { child, addr })
    }

    /// What the scheduler has given to all its threads so far, in nanoseconds.
    fn cpu(&self) -> Result<f64> {
        let mut sum = 0.0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let stat = fs::read_to_string(thread?.path().join("schedstat"))?;
            let time = stat.split_whitespace().next().ok_or("an empty schedstat")?;
            sum += time.parse::<f64>()?;
        }
        Ok(sum)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

/// A connection, what it asks, and room for the answer.
struct Client {
    stream: Box<dyn Stream>,
    question: Vec<u8>,
    answer: Vec<u8>,
}

fn tls_client(stream: TcpStream) -> Result<Client> {
    let conn = ClientConnection::new(Arc::new(client_config()?), ServerName::try_from("localhost")?)?;
    Ok(Client {
        stream: Box::new(StreamOwned::new(conn, stream)),
        question: vec![7; LENGTH],
        answer: vec![0; LENGTH],
    })
}

/// Its answers are of one length, which it finds out first.
fn http_client(mut stream: TcpStream) -> Result<Client> {
    stream.write_all(REQUEST)?;
    let mut answer = vec![0; 4096];
    let n = stream.read(&mut answer)?;
    if !answer[..n].starts_with(b"HTTP/1.1 200 OK\r\n") || !answer[..n].ends_with(b"Hello, World!") {
        return Err("this is no answer".into());
    }
    answer.truncate(n);
    Ok(Client {
        stream: Box::new(stream),
        question: REQUEST.to_vec(),
        answer,
    })
}

fn server_config() -> Result<ServerConfig> {
    Ok(curio::tls::server_config(
        include_str!("../curio/tests/certificates/server.pem"),
        include_str!("../curio/tests/certificates/server.key"),
    )?)
}

fn client_config() -> Result<ClientConfig> {
    let authority = include_str!("../curio/tests/certificates/ca.pem");
    Ok(curio::tls::client_config(authority)?)
}

async fn plaintext(_: Request<Incoming>) -> std::result::Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(b"Hello, World!"))))
}

mod on_curio {
    use super::*;
    use curio::hyper::Io;
    use curio::net::TcpListener;
    use curio::tls::{self, TlsStream};

    pub(super) fn tls() -> Result<()> {
        let config = server_config()?;
        curio::run(async {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            println!("{}", listener.local_addr()?);
            tls::run_server(listener, config, async |client: TlsStream, _| {
                client.get_ref().set_nodelay(true)?;
                let mut data = [0; 4096];
                loop {
                    match client.read(&mut data).await? {
                        0 => return client.shutdown().await,
                        n => client.write_all(&data[..n]).await?,
                    }
                }
            })
            .await
        })?;
        Ok(())
    }

    pub(super) fn http() -> Result<()> {
        curio::run(async {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            println!("{}", listener.local_addr()?);
            curio::run_server(listener, async |client: curio::net::TcpStream, _| {
                client.set_nodelay(true)?;
                let connection =
                    http1::Builder::new().serve_connection(Io::new(client), service_fn(plaintext));
                connection.await.map_err(Into::into)
            })
            .await
        })?;
        Ok(())
    }
}

mod on_tokio {
    use super::*;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    fn run(future: impl Future<Output = Result<()>>) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(tokio::task::LocalSet::new().run_until(future))
    }

    pub(super) fn tls() -> Result<()> {
        let acceptor = TlsAcceptor::from(Arc::new(server_config()?));
        run(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            println!("{}", listener.local_addr()?);
            loop {
                let (client, _) = listener.accept().await?;
                let acceptor = acceptor.clone();
                tokio::task::spawn_local(async move {
                    client.set_nodelay(true)?;
                    let mut client = acceptor.accept(client).await?;
                    let mut data = [0; 4096];
                    loop {
                        match client.read(&mut data).await? {
                            0 => return client.shutdown().await,
                            n => client.write_all(&data[..n]).await?,
                        }
                        client.flush().await?;
                    }
                });
            }
        })
    }

    pub(super) fn http() -> Result<()> {
        run(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            println!("{}", listener.local_addr()?);
            loop {
                let (client, _) = listener.accept().await?;
                client.set_nodelay(true)?;
                tokio::task::spawn_local(async move {
                    let connection =
                        http1::Builder::new().serve_connection(TokioIo::new(client), service_fn(plaintext));
                    connection.await
                });
            }
        })
    }
}
