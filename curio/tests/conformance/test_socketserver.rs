//! `curio/test/socketserver.py` of 2015, and `test_tcp_echo_baserequest` of `curio/test/network.py`.
//!
//! | differs | how |
//! |---|---|
//! | the handler's class | a type that is made from a `Request` |
//! | `UDPServer`, `DatagramRequestHandler` | a `UdpServer`, whose handler is made from a `Datagram` |
//! | `UnixDatagramServer` | a loop over `recv_from` |

use std::net::SocketAddr;

use curio::socketserver::{Handler, Request, TcpServer};
use curio::{Result, open_connection, sleep, spawn};

use crate::{Results, really, with};

struct EchoHandler(Request, Results);

impl Handler for EchoHandler {
    async fn handle(&mut self) -> Result<()> {
        let EchoHandler(Request { rfile, wfile, .. }, results) = self;
        results.append("handler start");
        let mut line = Vec::new();
        while rfile.read_until(b'\n', &mut line).await? > 0 {
            results.append(format!("handler {}", String::from_utf8_lossy(&line).trim()));
            wfile.write_all(&line).await?;
            line.clear();
        }
        results.append("handler done");
        Ok(())
    }
}

fn free_port() -> Result<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

#[test]
fn test_tcp_stream_echo() {
    really(async |w| {
        let results = Results::default();
        let addr = free_port()?;
        let make = {
            let results = results.clone();
            move |request| EchoHandler(request, results.clone())
        };
        let server = spawn(TcpServer::new(addr, make).serve_forever());
        sleep(w.t(1)).await?;
        let client = spawn(with!(results; {
            let socket = open_connection(addr).await?;
            for message in ["Msg1\n", "Msg2\n"] {
                socket.write_all(message.as_bytes()).await?;
                let mut buf = [0; 100];
                let n = socket.read(&mut buf).await?;
                results.append(format!("client {}", String::from_utf8_lossy(&buf[..n]).trim()));
            }
            socket.shutdown(std::net::Shutdown::Write)?;
            // The connection is closed when the handler is done.
            assert_eq!(socket.read(&mut [0; 1]).await?, 0);
            results.append("client close");
            Ok(())
        }));
        client.join().await?;
        server.cancel().await?;
        results.are(&[
            "handler start",
            "handler Msg1",
            "client Msg1",
            "handler Msg2",
            "client Msg2",
            "handler done",
            "client close",
        ]);
        Ok(())
    });
}

#[cfg(unix)]
#[test]
fn test_unix_stream_echo() {
    use curio::net::UnixStream;
    use curio::socketserver::UnixServer;

    struct Echo(Request<UnixStream, std::os::unix::net::SocketAddr>);

    impl Handler for Echo {
        async fn handle(&mut self) -> Result<()> {
            let mut line = String::new();
            while self.0.rfile.read_line(&mut line).await? > 0 {
                self.0.wfile.write_all(line.as_bytes()).await?;
                line.clear();
            }
            Ok(())
        }
    }

    really(async |w| {
        let path = std::env::temp_dir().join(format!("curio-socketserver-{}", std::process::id()));
        let server = spawn(UnixServer::new(&path, Echo).serve_forever());
        sleep(w.t(1)).await?;
        let mut s = UnixStream::connect(&path).await?.into_stream();
        s.write_all(b"hello\n").await?;
        assert_eq!(s.lines().next().await.unwrap()?, "hello");
        server.cancel().await
    });
}
