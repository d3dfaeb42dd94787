//! A service over HTTP, with hyper: its handlers wait, time out and compute in threads like any other task.

use curio::hyper::{Io, Timer};
use curio::net::{TcpListener, TcpStream};
use curio::{Error, Result, ignore_after, run, run_in_thread, run_server, sleep, spawn};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

#[cfg(unix)]
use curio::signal::{self, SignalEvent};

#[cfg(not(unix))]
#[path = "common/no_signals.rs"]
mod no_signals;
#[cfg(not(unix))]
use no_signals::{SignalEvent, signal};

#[path = "common/address.rs"]
mod address;

const HELP: &str = "\
A service over HTTP. Ask it with: curl http://localhost:25000/

Usage: cargo run --example http_service --features hyper -- [ADDRESS]

ADDRESS is like 127.0.0.1:25000, or like :25000 for all interfaces, which is
the default. Ctrl-C ends the server: who has asked is answered still, within a
second.

  GET  /         how many requests there were
  GET  /fib/N    a Fibonacci number, computed in a thread within 2 seconds
  GET  /nap/MS   the answer comes after so many milliseconds
  POST /echo     the same back, up to a megabyte

Options:
  --help  show this help
";

/// How long a handler may take, and how long those that have begun when the server is to end.
const PATIENCE: Duration = Duration::from_secs(2);
const GRACE: Duration = Duration::from_secs(1);

/// What all handlers share. They are in one thread, so this is all that it takes.
#[derive(Default)]
struct Service {
    requests: Cell<u64>,
}

type Answer = Response<Full<Bytes>>;

fn answer(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(text.into()));
    *answer.status_mut() = status;
    answer
}

/// As slow as it gets.
fn fib(n: u64) -> u64 {
    if n < 2 { n } else { fib(n - 1) + fib(n - 2) }
}

impl Service {
    async fn handle(&self, request: Request<Incoming>) -> Result<Answer> {
        self.requests.set(self.requests.get() + 1);
        let path = request.uri().path().to_string();
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let number = |text: &str| text.parse::<u64>().ok();
        match (request.method(), &parts[..]) {
            (&Method::GET, [""]) => {
                let count = self.requests.get();
                Ok(answer(StatusCode::OK, format!("This is request {count}\n")))
            }
            (&Method::GET, ["fib", n]) => match number(n) {
                // The thread goes on when nobody waits for it any more; so not too large.
                Some(n @ 0..=50) => {
                    let computed = ignore_after(PATIENCE, run_in_thread(move || fib(n))).await?;
                    Ok(match computed {
                        Some(value) => answer(StatusCode::OK, format!("{value}\n")),
                        None => answer(StatusCode::GATEWAY_TIMEOUT, "That takes too long\n"),
                    })
                }
                _ => Ok(answer(StatusCode::BAD_REQUEST, "A number up to 50, please\n")),
            },
            (&Method::GET, ["nap", n]) => match number(n) {
                Some(n @ 0..=60_000) => {
                    sleep(Duration::from_millis(n)).await?;
                    Ok(answer(StatusCode::OK, "Good morning\n"))
                }
                _ => Ok(answer(
                    StatusCode::BAD_REQUEST,
                    "Milliseconds, please, and not more than a minute\n",
                )),
            },
            (&Method::POST, ["echo"]) => {
                let body = Limited::new(request.into_body(), 1_000_000).collect().await;
                match body.map_err(Error::other) {
                    Ok(body) => Ok(answer(StatusCode::OK, body.to_bytes())),
                    Err(error) if error.is_cancellation() => Err(error),
                    Err(_) => Ok(answer(StatusCode::PAYLOAD_TOO_LARGE, "That is too much\n")),
                }
            }
            _ => Ok(answer(StatusCode::NOT_FOUND, "There is no such thing here\n")),
        }
    }

    /// Answers what comes on one connection.
    async fn serve(self: Rc<Self>, client: TcpStream) -> Result<()> {
        let service = service_fn(move |request| {
            let service = self.clone();
            async move { service.handle(request).await }
        });
        let connection = http1::Builder::new()
            .timer(Timer)
            .header_read_timeout(Duration::from_secs(10))
            .serve_connection(Io::new(client), service);
        curio::hyper::serve(connection, GRACE, |connection| connection.graceful_shutdown()).await
    }
}

async fn serve(addr: &str) -> Result<()> {
    let listener = TcpListener::bind(addr)?;
    println!("Server listening at {}", listener.local_addr()?);
    let service = Rc::new(Service::default());
    let server = spawn(run_server(listener, async move |client, _addr| {
        service.clone().serve(client).await
    }));
    SignalEvent::new([signal::SIGINT, signal::SIGTERM])?
        .wait()
        .await?;
    println!("No more requests");
    server.cancel().await
}

fn main() -> Result<()> {
    let addr = address::read(HELP);
    run(serve(&addr))
}
