//! Sockets of all families, servers with their options, and what peers can do to them. (`net.rs` has the rules that hold for
//! all sockets, shown with TCP.)

#![allow(missing_docs)]

#[path = "../common/mod.rs"]
mod common;
mod datagrams;
#[cfg(unix)]
mod descriptors;
mod faults;
mod seats;
mod servers;
#[cfg(unix)]
mod streams;
#[cfg(unix)]
mod unix;

use common::cleanly;
use curio::Result;
use curio::net::{TcpListener, TcpStream};

/// A connected pair.
async fn pair() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let one = TcpStream::connect(listener.local_addr()?).await?;
    let (two, _) = listener.accept().await?;
    Ok((one, two))
}

/// A path that nobody else has, and that is gone afterwards.
#[cfg(unix)]
struct TempPath(std::path::PathBuf);

#[cfg(unix)]
impl TempPath {
    fn new() -> TempPath {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "curio-test-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        TempPath(std::env::temp_dir().join(name))
    }
}

#[cfg(unix)]
impl Drop for TempPath {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
