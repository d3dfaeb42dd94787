//! The examples do what they say: their output, their command lines, and the servers with real clients.
//!
//! All in one test program, so that the rest does not wait for the programs that take 25 seconds.

mod arguments;
#[cfg(feature = "channel")]
mod channel;
mod chat;
mod child;
mod happy_eyeballs;
#[cfg(all(unix, feature = "hyper"))]
mod http;
#[cfg(unix)]
mod monitor;
#[cfg(unix)]
mod other_echoes;
#[cfg(all(target_os = "linux", feature = "process"))]
mod processes;
mod readme;
#[cfg(target_os = "linux")]
mod reuseport;
mod servers;
#[cfg(unix)]
mod signals;
#[cfg(all(unix, feature = "tls"))]
mod tls;
mod transcripts;
