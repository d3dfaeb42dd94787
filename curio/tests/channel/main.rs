//! Messages between programs: what is interrupted loses nothing, hostile peers do no harm, and Python is at the other end.

#[path = "../common/mod.rs"]
mod common;
mod faults;
mod greetings;
mod messages;
mod python;

use std::io::{self, ErrorKind};
use std::time::Duration;

use common::Watchdog;
use curio::channel::{Channel, Connection};
use curio::net::{TcpListener, TcpStream};
use curio::{Error, Kernel, Result};

const KEY: Option<&[u8]> = Some(b"peekaboo");
const SEC: Duration = Duration::from_secs(1);

/// Runs a program on a kernel in which nothing may be left.
#[track_caller]
fn cleanly(program: impl AsyncFnOnce() -> Result<()>) {
    let _guard = Watchdog::start();
    let kernel = Kernel::new().unwrap();
    kernel.run(program()).unwrap();
    kernel.run_all().unwrap();
    assert_eq!(
        format!("{kernel:?}"),
        "Kernel { tasks: 0, waits: 0, scopes: 0, timers: 0, sockets: 0 }"
    );
}

/// A connection, and its peer by hand.
async fn by_hand() -> Result<(Connection, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let peer = TcpStream::connect(listener.local_addr()?).await?;
    Ok((Connection::new(listener.accept().await?.0), peer))
}

/// Two that are connected, on any system.
async fn pair() -> Result<(Connection, Connection)> {
    let (one, peer) = by_hand().await?;
    Ok((one, Connection::new(peer)))
}

/// A channel at a free port.
fn channel() -> Result<Channel> {
    let ch = Channel::new(("127.0.0.1", 0))?;
    ch.bind()?;
    Ok(ch)
}

#[track_caller]
fn io_error<T: std::fmt::Debug>(result: Result<T>, kind: ErrorKind, text: &str) -> io::Error {
    match result.unwrap_err() {
        Error::Io(error) => {
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(text), "{error}");
            error
        }
        other => panic!("{other:?}"),
    }
}
