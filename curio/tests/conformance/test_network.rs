//! `tests/test_network.py`.
//!
//! | differs | how |
//! |---|---|
//! | `test_ssl_*`, `test_unix_ssl_server` | with TLS |
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
