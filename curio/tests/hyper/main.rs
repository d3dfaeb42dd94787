//! hyper on the kernel: serving, fetching, and what peers and cancellations do to it.

#![cfg(unix)]
#![allow(missing_docs)]

#[path = "../common/mod.rs"]
mod common;
mod peers;
mod serving;

use std::cell::Cell;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use common::Watchdog;
use curio::hyper::{Io, Timer};
use curio::net::{TcpListener, TcpStream};
use curio::{Clock, Error, Kernel, Result, Task, run_server, sleep, spawn};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};

const EMPTY: &str = "Kernel { tasks: 0, waits: 0, scopes: 0, timers: 0, sockets: 0 }";

#[track_caller]
fn cleanly(program: impl AsyncFnOnce() -> Result<()>) {
    cleanly_on(Clock::Real, program);
}

#[track_caller]
fn cleanly_on(clock: Clock, program: impl AsyncFnOnce() -> Result<()>) {
    let _guard = Watchdog::start();
    let kernel = Kernel::builder().clock(clock).build().unwrap();
    kernel.run(program()).unwrap();
    kernel.run_all().unwrap();
    assert_eq!(format!("{kernel:?}"), EMPTY);
}

/// What the handlers of a server share.
#[derive(Default)]
struct Site {
    connections: Cell<usize>,
    requests: Cell<usize>,
    /// Requests to /slow and /endless that are being answered.
    slow: Cell<usize>,
}

type Body = BoxBody<Bytes, Infallible>;

fn text(text: impl Into<Bytes>) -> Response<Body> {
    Response::new(Full::new(text.into()).boxed())
}

/// `/` greets, `/echo` says back what was posted, `/big` is 5 MB, `/slow` takes a tenth of a second, `/endless` an hour,
/// `/fail` fails.
async fn answer(site: Rc<Site>, request: Request<Incoming>) -> Result<Response<Body>> {
    site.requests.set(site.requests.get() + 1);
    match request.uri().path() {
        "/echo" => Ok(text(request.into_body().collect().await?.to_bytes())),
        "/big" => Ok(text(vec![b'x'; 5_000_000])),
        path @ ("/slow" | "/endless") => {
            struct Leave<'a>(&'a Cell<usize>);
            impl Drop for Leave<'_> {
                fn drop(&mut self) {
                    self.0.set(self.0.get() - 1);
                }
            }
            site.slow.set(site.slow.get() + 1);
            let _leave = Leave(&site.slow);
            let endless = path == "/endless";
            sleep(Duration::from_millis(if endless { 3_600_000 } else { 100 })).await?;
            Ok(text("at last"))
        }
        "/fail" => Err(Error::other("no coffee")),
        _ => Ok(text("hello")),
    }
}

/// Serves one connection.
async fn serve<S>(site: Rc<Site>, stream: S, grace: Duration) -> Result<()>
where
    Io<S>: hyper::rt::Read + hyper::rt::Write + Unpin,
    S: 'static,
{
    site.connections.set(site.connections.get() + 1);
    let connection = http1::Builder::new()
        .timer(Timer)
        .header_read_timeout(Duration::from_secs(5))
        .serve_connection(
            Io::new(stream),
            service_fn(move |request| answer(site.clone(), request)),
        );
    curio::hyper::serve(connection, grace, |connection| connection.graceful_shutdown()).await
}

/// A server on a port of its own.
fn site() -> Result<(Rc<Site>, SocketAddr, Task<()>)> {
    let site = Rc::new(Site::default());
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?;
    let handler = {
        let site = site.clone();
        async move |stream: TcpStream, _: SocketAddr| {
            serve(site.clone(), stream, Duration::from_secs(60)).await
        }
    };
    Ok((site, addr, spawn(run_server(listener, handler))))
}

/// A client, and the task that does its work.
async fn client(addr: SocketAddr) -> Result<(SendRequest<Full<Bytes>>, Task<()>)> {
    let stream = Io::new(curio::open_connection(addr).await?);
    let (sender, connection) = handshake(stream).await?;
    Ok((sender, spawn(async { connection.await.map_err(Error::from) })))
}

fn post(path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post(path)
        .header("Host", "localhost")
        .body(Full::new(body.into()))
        .unwrap()
}

async fn fetch(sender: &mut SendRequest<Full<Bytes>>, request: Request<Full<Bytes>>) -> Result<Bytes> {
    let answer = sender.send_request(request).await?;
    assert_eq!(answer.status(), 200);
    Ok(answer.into_body().collect().await?.to_bytes())
}

#[test]
fn a_connection_is_kept_for_many_requests() {
    cleanly(async || {
        let (site, addr, server) = site()?;
        let (mut sender, _connection) = client(addr).await?;
        for n in 0..500 {
            let said = format!("{n} bottles");
            assert_eq!(fetch(&mut sender, post("/echo", said.clone())).await?, said);
        }
        assert_eq!((site.connections.get(), site.requests.get()), (1, 500));
        server.cancel().await
    });
}

#[test]
fn bodies_may_be_big() {
    cleanly(async || {
        let (_, addr, server) = site()?;
        let (mut sender, _connection) = client(addr).await?;
        assert_eq!(fetch(&mut sender, post("/big", "")).await?.len(), 5_000_000);
        let big: Vec<u8> = (0..5_000_000u32).map(|n| (n % 251) as u8).collect();
        assert!(fetch(&mut sender, post("/echo", big.clone())).await? == big);
        server.cancel().await
    });
}

#[test]
fn what_hyper_wants_to_be_run_is_a_daemon() {
    use hyper::rt::Executor;
    // It does not keep the program from ending.
    curio::run(async {
        let done = Rc::new(Cell::new(false));
        let own = done.clone();
        curio::hyper::Spawner.execute(async move { own.set(true) });
        curio::yield_now().await?;
        assert!(done.get());
        curio::hyper::Spawner.execute(std::future::pending::<()>());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_body_that_is_empty_is_one() {
    cleanly(async || {
        let (_, addr, server) = site()?;
        let stream = Io::new(curio::open_connection(addr).await?);
        let (mut sender, connection) = handshake(stream).await?;
        spawn(async { connection.await.map_err(Error::from) });
        let request = Request::get("/")
            .header("Host", "x")
            .body(Empty::<Bytes>::new())
            .unwrap();
        let answer = sender.send_request(request).await?.into_body().collect().await?;
        assert_eq!(answer.to_bytes(), "hello");
        server.cancel().await
    });
}
