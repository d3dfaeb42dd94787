//! TLS: connections that nobody else can read or change, with [rustls]; the feature `tls`.
//!
//! [rustls] does the cryptography and knows no sockets; this module moves bytes between the two. The names are those of the
//! crate's root, with one argument more: [`tcp_server`], `unix_server`, [`run_server`]; and `open_connection(addr).tls(config)`.
//! What comes out is a [`TlsStream`], which is used like any other connection: with lines and buffers above it
//! ([`as_stream`](TlsStream::as_stream)), below hyper, in two tasks at once.
//!
//! ```
//! use curio::net::TcpListener;
//! use curio::tls::{self, TlsStream};
//! use curio::{open_connection, run, spawn};
//! # let certificate = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certificates/server.pem"));
//! # let private_key = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certificates/server.key"));
//! # let authority = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certificates/ca.pem"));
//!
//! run(async {
//!     // `certificate` and `private_key` are what is in the files: std::fs::read("server.pem")?, say.
//!     let config = tls::server_config(certificate, private_key)?;
//!     let listener = TcpListener::bind("127.0.0.1:0")?;
//!     let addr = listener.local_addr()?;
//!     let server = spawn(tls::run_server(listener, config, async |client: TlsStream, _addr| {
//!         let mut buf = [0; 5];
//!         client.read_exact(&mut buf).await?;
//!         client.write_all(&buf).await?;
//!         client.shutdown().await // nothing is missing
//!     }));
//!
//!     let config = tls::client_config(authority)?;
//!     let s = open_connection(addr).tls(config).await?;
//!     s.write_all(b"hello").await?;
//!     let mut answer = Vec::new();
//!     s.as_stream().read_to_end(&mut answer).await?;
//!     assert_eq!(answer, b"hello");
//!     server.cancel().await
//! })
//! .unwrap();
//! ```
//!
//! # The handshake
//!
//! A server makes it in the task of the client, so it holds up nobody but this client, and gives it up after 10 seconds
//! ([`Acceptor::handshake_timeout`]). Rejected: making it with the first read or write, as Python's sockets can. Then a
//! connection would have two states, the first task to read or write would do both, and a second one had to wait for it;
//! nobody could ask what was agreed upon before.
//!
//! The arithmetic of a handshake takes the thread for some hundred microseconds (with keys of elliptic curves) to some milliseconds (with
//! RSA). A server that has many new connections per second wants the former.
//!
//! # What holds
//!
//! L1. Whoever has a [`TlsStream`] has shaken hands: the peer is who it has to be, and what was agreed upon is known.
//! L2. A read loses nothing: what has come and was not read is with rustls, or waits before it. What was right before the peer did wrong is
//!     read before the error.
//! L3. A write waits only before it takes something. What it has taken is encrypted and has its place in the stream, whether or not the
//!     system has it; so it cannot be taken back, only be sent: first of all, by the next write or flush. `write_all` flushes. Its
//!     progress, if it is interrupted, counts what was taken; one goes on with the rest. (To say exactly what the system has is
//!     impossible: it takes half a record.) No more than 64 KiB are ever held.
//! L4. The end of the stream is where the peer says that it is (`close_notify`). A connection that ends without that may have been cut off by
//!     anybody, and is an [`UnexpectedEof`](std::io::ErrorKind::UnexpectedEof); see [`Acceptor::tolerate_truncation`].
//! L5. The same way round: [`shutdown`](TlsStream::shutdown) and [`close`](TlsStream::close) say goodbye, dropping does not. Else the peer
//!     of a task that was cancelled in the middle of its answer would take that for all.
//! L6. Reader and writer share what rustls keeps, and each borrows it for as long as rustls calculates or the system copies: never
//!     while somebody waits or is woken. What a reader has to send (an alert, an answer to a change of keys) it sends if the system takes
//!     it, and else leaves it to the next write.
//!
//! # Configuration
//!
//! [`server_config`] and [`client_config`] make what most programs need. Everything else (certificates of clients, versions, tickets, ALPN of
//! servers: `config.alpn_protocols`) is in [`rustls::ServerConfig`] and [`rustls::ClientConfig`]; rustls is [`curio::tls::rustls`](rustls).
//! Nothing here turns checks off. For the certificates that the machine trusts, give the file that has them to [`client_config`]
//! (`/etc/ssl/certs/ca-certificates.crt` on many systems), or use the crates `rustls-native-certs`, `rustls-platform-verifier` or
//! `webpki-roots`.

mod connect;
mod handshake;
mod server;
mod session;
mod stream;

use std::io;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::error::{Error, Result};

pub use crate::net::carrier::Carrier;
pub use connect::ConnectTls;
pub use handshake::{Acceptor, Connector, Handshake};
pub use rustls;
#[cfg(unix)]
pub use server::unix_server;
pub use server::{run_server, tcp_server};
pub use stream::TlsStream;

/// What a server needs: its certificate with those that vouch for it, its own first, and its private key, as PEM (Python:
/// `context.load_cert_chain`).
///
/// # Errors
///
/// [`Error::Io`] with [`InvalidInput`](io::ErrorKind::InvalidInput) if there is no certificate, no key, or one does not belong to the
/// other.
///
/// See the [module's documentation](self) for an example.
pub fn server_config(certificates: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Result<ServerConfig> {
    let key = PrivateKeyDer::from_pem_slice(key.as_ref())
        .map_err(|error| invalid(format!("this is no private key (in PEM): {error}")))?;
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(session::broken)?
        .with_no_client_auth();
    config
        .with_single_cert(read_certificates(certificates.as_ref())?, key)
        .map_err(|error| invalid(format!("this certificate and key cannot be used: {error}")))
}

/// What a client needs: the certificates that it trusts, as PEM (Python: `ssl.create_default_context(cafile=)`). A server has to
/// have one of them, or one for which they vouch.
///
/// # Errors
///
/// [`Error::Io`] with [`InvalidInput`](io::ErrorKind::InvalidInput) if there is no certificate, or one that is none.
///
/// See the [module's documentation](self) for an example.
pub fn client_config(trusted: impl AsRef<[u8]>) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(trusted.as_ref())? {
        roots
            .add(certificate)
            .map_err(|error| invalid(format!("this certificate cannot be trusted: {error}")))?;
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(session::broken)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// Said, so that it does not matter which others the program has.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn read_certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(text).collect();
    match read {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(invalid("there is no certificate (in PEM) in this".to_string())),
        Err(error) => Err(invalid(format!("this is no certificate (in PEM): {error}"))),
    }
}

fn invalid(text: String) -> Error {
    Error::Io(io::Error::new(io::ErrorKind::InvalidInput, text))
}
