//! `tests/test_network.py`.
//!
//! | differs | how |
//! |---|---|
//! | `test_ssl_*`, `test_unix_ssl_server` | below, in `secret`, with the feature `tls`; an own context and one of the standard library's are the same here: a configuration of rustls |
//! | `test_ssl_outgoing` | asks a server of our own, since tests ask nobody in the internet |
//! | `test_errors` | the binds that fail; what is a wrong type here does not compile |
//! | `test_tcp_echo_baserequest` of 2015 | `socketserver`, see `curio/test/socketserver.py` |

use std::net::SocketAddr;

use curio::net::{TcpListener, TcpStream};
use curio::{Error, Result, open_connection, run_server, spawn, tcp_server};
#[cfg(unix)]
use curio::{net::UnixStream, open_unix_connection, unix_server, yield_now};

use crate::{Results, is_cancelled, really, with};

#[test]
fn test_tcp_echo() {
    really(async |_| {
        let results = Results::default();
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        let handler = with_results(&results);
        let server = spawn(run_server(listener, handler));
        let client = spawn(with!(results; {
            let socket = open_connection(addr).await?;
            for message in ["Msg1", "Msg2"] {
                socket.write_all(message.as_bytes()).await?;
                let mut buf = [0; 100];
                let n = socket.read(&mut buf).await?;
                results.append(format!("client {}", String::from_utf8_lossy(&buf[..n])));
            }
            drop(socket);
            server.cancel().await?;
            is_cancelled(server.join().await);
            results.append("server cancelled");
            Ok(())
        }));
        client.join().await?;
        // Whether the handler sees the end before the cancellation is a matter of luck.
        results.remove("handler done");
        results.are(&[
            "handler Msg1",
            "client Msg1",
            "handler Msg2",
            "client Msg2",
            "server cancelled",
        ]);
        Ok(())
    });
}

fn with_results(results: &Results) -> impl AsyncFn(TcpStream, SocketAddr) -> Result<()> + 'static {
    let results = results.clone();
    async move |client: TcpStream, _| {
        let mut buf = [0; 100];
        loop {
            let n = client.read(&mut buf).await?;
            if n == 0 {
                break;
            }
            results.append(format!("handler {}", String::from_utf8_lossy(&buf[..n])));
            client.write_all(&buf[..n]).await?;
        }
        results.append("handler done");
        Ok(())
    }
}

#[cfg(unix)]
#[test]
fn test_unix_echo() {
    really(async |_| {
        let path = std::env::temp_dir().join(format!("curio-unix-echo-{}", std::process::id()));
        let server = spawn(unix_server(&path, async |client: UnixStream, _| {
            let mut buf = [0; 100];
            loop {
                match client.read(&mut buf).await? {
                    0 => return Ok(()),
                    n => client.write_all(&buf[..n]).await?,
                }
            }
        }));
        yield_now().await?;
        let socket = open_unix_connection(&path).await?;
        for message in [b"Msg1", b"Msg2"] {
            socket.write_all(message).await?;
            let mut buf = [0; 4];
            socket.read_exact(&mut buf).await?;
            assert_eq!(&buf, message);
        }
        server.cancel().await?;
        is_cancelled(server.join().await);
        Ok(())
    });
}

#[test]
fn test_errors() {
    really(async |_| {
        let taken = TcpListener::bind("127.0.0.1:0")?;
        let handler = async |_: TcpStream, _| Ok(());
        let error = tcp_server(taken.local_addr()?, handler).await.unwrap_err();
        assert!(matches!(&error, Error::Io(e) if e.kind() == std::io::ErrorKind::AddrInUse));
        // An address of nobody here.
        let error = tcp_server("192.0.2.1:0", handler).await.unwrap_err();
        assert!(matches!(&error, Error::Io(e) if e.kind() == std::io::ErrorKind::AddrNotAvailable));
        #[cfg(unix)]
        {
            let nowhere = std::env::temp_dir().join("no").join("such").join("place");
            let error = unix_server(&nowhere, async |_: UnixStream, _| Ok(()))
                .await
                .unwrap_err();
            assert!(matches!(&error, Error::Io(e) if e.kind() == std::io::ErrorKind::NotFound));
            let error = open_unix_connection(&nowhere).await.unwrap_err();
            assert!(error.to_string().contains("no/such/place"), "{error}");
        }
        Ok(())
    });
}

#[cfg(feature = "tls")]
mod secret {
    use super::*;
    use curio::tls::rustls::{CertificateError, Error as TlsError};
    use curio::tls::{self, Acceptor, Connector, TlsStream};
    use std::io::ErrorKind;

    fn acceptor() -> Acceptor {
        let certificate = include_str!("../certificates/server.pem");
        let key = include_str!("../certificates/server.key");
        tls::server_config(certificate, key).unwrap().into()
    }

    fn connector() -> Connector {
        tls::client_config(include_str!("../certificates/ca.pem"))
            .unwrap()
            .into()
    }

    async fn echo<S, A>(client: TlsStream<S>, _: A) -> Result<()>
    where
        S: tls::Carrier,
    {
        let mut buf = [0; 100];
        loop {
            match client.read(&mut buf).await? {
                0 => return client.shutdown().await,
                n => client.write_all(&buf[..n]).await?,
            }
        }
    }

    async fn talk<S: tls::Carrier>(socket: TlsStream<S>) -> Result<()> {
        for message in [b"Msg1", b"Msg2"] {
            socket.write_all(message).await?;
            let mut buf = [0; 4];
            socket.read_exact(&mut buf).await?;
            assert_eq!(&buf, message);
        }
        socket.shutdown().await?;
        assert_eq!(socket.read(&mut [0; 10]).await?, 0);
        Ok(())
    }

    /// (With `tcp_server` on a port that was free just now.)
    #[test]
    fn test_ssl_server() {
        really(async |_| {
            let addr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
            let server = spawn(tls::tcp_server(addr, acceptor(), echo));
            curio::yield_now().await?;
            talk(open_connection(addr).tls(connector()).await?).await?;
            server.cancel().await?;
            is_cancelled(server.join().await);
            Ok(())
        });
    }

    #[cfg(unix)]
    #[test]
    fn test_unix_ssl_server() {
        really(async |_| {
            let path = std::env::temp_dir().join(format!("curio-unix-ssl-{}", std::process::id()));
            let server = spawn(tls::unix_server(&path, acceptor(), echo));
            yield_now().await?;
            let socket = open_unix_connection(&path)
                .tls(connector())
                .server_hostname("localhost")
                .await?;
            talk(socket).await?;
            server.cancel().await
        });
    }

    #[test]
    fn test_ssl_wrapping() {
        really(async |_| {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let addr = listener.local_addr()?;
            let server = spawn(tls::run_server(listener, acceptor(), echo));
            talk(open_connection(addr).tls(connector()).await?).await?;
            server.cancel().await
        });
    }

    /// With a name and without one, with a wrong one, and with ALPN. (Without a name Python does not look who it is. Here the address
    /// says who it has to be.)
    #[test]
    fn test_ssl_outgoing() {
        really(async |_| {
            let mut config = tls::server_config(
                include_str!("../certificates/server.pem"),
                include_str!("../certificates/server.key"),
            )?;
            config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let addr = listener.local_addr()?;
            let server = spawn(tls::run_server(listener, config, echo));
            talk(
                open_connection(("localhost", addr.port()))
                    .tls(connector())
                    .await?,
            )
            .await?;
            talk(open_connection(addr).tls(connector()).await?).await?;
            let by_name = open_connection(addr)
                .tls(connector())
                .server_hostname("localhost");
            let h2 = by_name.alpn_protocols(["h2"]).await?;
            assert_eq!(h2.alpn_protocol().as_deref(), Some(&b"h2"[..]));
            talk(h2).await?;
            let wrong = open_connection(addr)
                .tls(connector())
                .server_hostname("www.python.org")
                .await;
            let Err(Error::Io(error)) = wrong else {
                panic!("{wrong:?}")
            };
            let reason = error.get_ref().and_then(|e| e.downcast_ref());
            let Some(TlsError::InvalidCertificate(CertificateError::NotValidForNameContext { .. })) = reason
            else {
                panic!("{error:?}")
            };
            server.cancel().await
        });
    }

    /// Both ends by hand, over a connection that is there already (Python Curio's issues 206 and 291: the handshake was made at the
    /// wrong time, or not at all).
    #[test]
    fn test_ssl_manual_wrapping() {
        really(async |_| {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let addr = listener.local_addr()?;
            let acceptor = acceptor();
            let server = spawn(run_server(listener, async move |client: TcpStream, addr| {
                echo(acceptor.accept(client).await?, addr).await
            }));
            let socket = open_connection(addr).await?;
            talk(connector().connect("localhost", socket).await?).await?;
            server.cancel().await
        });
    }

    #[test]
    fn test_errors_of_ssl() {
        really(async |_| {
            let error = open_connection("127.0.0.1:1")
                .tls(connector())
                .server_hostname("")
                .await;
            assert!(matches!(&error, Err(Error::Io(e)) if e.kind() == ErrorKind::ConnectionRefused));
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let addr = listener.local_addr()?;
            let error = open_connection(addr).tls(connector()).server_hostname("").await;
            assert!(matches!(&error, Err(Error::Io(e)) if e.kind() == ErrorKind::InvalidInput));
            // What is no configuration does not compile; what is no certificate is said at once.
            assert!(tls::server_config("", "").is_err());
            Ok(())
        });
    }
}
