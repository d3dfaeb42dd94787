//! TLS: both ends here, with real peers, and what goes wrong.

#![cfg(unix)]
#![allow(missing_docs)]

#[path = "../common/mod.rs"]
mod common;
mod faults;
mod handshakes;
mod peers;
mod streams;

use std::rc::Rc;

use common::Watchdog;
use curio::net::{TcpListener, TcpStream};
use curio::tls::rustls::{ClientConfig, ServerConfig};
use curio::tls::{self, Acceptor, Connector, TlsStream};
use curio::{Clock, Error, Kernel, Result, spawn};

const EMPTY: &str = "Kernel { tasks: 0, waits: 0, scopes: 0, timers: 0, sockets: 0 }";

const AUTHORITY: &str = include_str!("../certificates/ca.pem");
const CERTIFICATE: &str = include_str!("../certificates/server.pem");
const EXPIRED: &str = include_str!("../certificates/expired.pem");
const KEY: &str = include_str!("../certificates/server.key");

/// Runs a program on a kernel in which nothing may be left.
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

fn server() -> ServerConfig {
    tls::server_config(CERTIFICATE, KEY).unwrap()
}

fn client() -> ClientConfig {
    tls::client_config(AUTHORITY).unwrap()
}

/// A connected pair of sockets.
async fn sockets() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let one = TcpStream::connect(listener.local_addr()?).await?;
    let (two, _) = listener.accept().await?;
    Ok((one, two))
}

/// A pair that has shaken hands: client and server.
async fn pair() -> Result<(Rc<TlsStream>, Rc<TlsStream>)> {
    pair_of(Connector::from(client()), Acceptor::from(server())).await
}

async fn pair_of(connector: Connector, acceptor: Acceptor) -> Result<(Rc<TlsStream>, Rc<TlsStream>)> {
    let (one, two) = sockets().await?;
    let accepting = spawn(async move { acceptor.accept(two).await });
    let one = connector.connect("localhost", one).await?;
    Ok((Rc::new(one), Rc::new(accepting.join().await?)))
}

/// The kind of an error of the system, or of TLS.
#[track_caller]
fn kind<T>(result: Result<T>) -> std::io::ErrorKind {
    match result {
        Err(Error::Io(error)) => error.kind(),
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("this should not have worked"),
    }
}

/// What rustls says.
#[track_caller]
fn complaint<T>(result: Result<T>) -> tls::rustls::Error {
    match result {
        Err(Error::Io(error)) => {
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
            match inner {
                Some(inner) => tls::rustls::Error::clone(inner),
                None => panic!("{error:?}"),
            }
        }
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("this should not have worked"),
    }
}

/// Bytes in no order, the same every time.
fn noise(len: usize) -> Vec<u8> {
    (0..len as u32)
        .map(|n| (n.wrapping_mul(2654435761) >> 24) as u8)
        .collect()
}

/// Small and good enough.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) % n
    }
}
