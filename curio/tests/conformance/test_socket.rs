//! `tests/test_socket.py`.
//!
//! | differs | how |
//! |---|---|
//! | names | `recv`, `sendall` of a connection are `read`, `write_all`; `recv_into` is what `read` is |
//! | `test_buffer_makefile_into` | `test_buffer_stream_into`: `makefile` and `as_stream` are both `as_stream` |
//! | `test_fromfd_tcp_echo` | `into_std` and `from_std` |
//! | `test_buffer_into` | an array of bytes, not of integers |
//! | `test_create_connection` | `open_connection(..).source_addr(..)` |
//! | `test_socket_funcs` | it is skipped in Python, because it asks the network |
//!
//! They run on the real clock, where sockets are.

use std::net::SocketAddr;
use std::rc::Rc;

use curio::net::{TcpListener, TcpStream, UdpSocket};
use curio::{Error, Event, Result, current_task, open_connection, sleep, spawn, timeout_after};

use crate::common::World;
use crate::{Results, is_cancelled, really, with};

async fn pair() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let one = open_connection(listener.local_addr()?).await?;
    Ok((one, listener.accept().await?.0))
}

/// The order of all that a server, its handler and a client do.
async fn tcp_echo(
    handler: impl AsyncFn(TcpStream, Results) -> Result<()> + 'static,
    results: Results,
) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?;
    let handler = Rc::new(handler);
    let server = spawn(with!(results, handler; {
        results.append("accept wait");
        let (client, _) = listener.accept().await?;
        results.append("accept done");
        let handled = spawn(with!(results, handler; handler(client, results).await));
        handled.join().await?;
        Ok(())
    }));
    let client = spawn(with!(results; {
        results.append("client start");
        let socket = open_connection(addr).await?;
        socket.write_all(b"Msg1").await?;
        let mut buf = [0; 100];
        let n = socket.read(&mut buf).await?;
        assert_eq!(&buf[..n], b"Msg1");
        results.append("client Msg1");
        socket.write_all(b"Msg2").await?;
        let n = socket.read(&mut buf).await?;
        assert_eq!(&buf[..n], b"Msg2");
        results.append("client Msg2");
        drop(socket);
        results.append("client close");
        Ok(())
    }));
    client.join().await?;
    server.join().await?;
    Ok(())
}

const ECHO: [&str; 9] = [
    "accept wait",
    "client start",
    "accept done",
    "handler start",
    "handler Msg1",
    "client Msg1",
    "handler Msg2",
    "client Msg2",
    "client close",
];

#[track_caller]
fn assert_echo(results: &Results) {
    let mut expected = ECHO.to_vec();
    expected.push("handler done");
    results.are(&expected);
}

async fn handle(client: TcpStream, results: Results) -> Result<()> {
    results.append("handler start");
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

#[test]
fn test_tcp_echo() {
    really(async |_| {
        let results = Results::default();
        tcp_echo(handle, results.clone()).await?;
        assert_echo(&results);
        Ok(())
    });
}

#[test]
fn test_udp_echo() {
    really(async |_| {
        let results = Results::default();
        let server = UdpSocket::bind("127.0.0.1:0")?;
        let addr = server.local_addr()?;
        let server = spawn(with!(results; {
            let mut buf = [0; 1000];
            results.append("recvfrom wait");
            let (n, client) = server.recv_from(&mut buf).await?;
            results.append(format!("server {}", String::from_utf8_lossy(&buf[..n])));
            server.send_to(&buf[..n], client).await?;
            results.append("server close");
            Ok(())
        }));
        let client = spawn(with!(results; {
            results.append("client start");
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.send_to(b"Msg1", addr).await?;
            let mut buf = [0; 1000];
            let (n, from) = socket.recv_from(&mut buf).await?;
            assert_eq!(from, addr);
            results.append(format!("client {}", String::from_utf8_lossy(&buf[..n])));
            results.append("client close");
            Ok(())
        }));
        client.join().await?;
        server.join().await?;
        results.are(&[
            "recvfrom wait",
            "client start",
            "server Msg1",
            "server close",
            "client Msg1",
            "client close",
        ]);
        Ok(())
    });
}

#[test]
fn test_fromfd_tcp_echo() {
    really(async |_| {
        let results = Results::default();
        let detached = async |client: TcpStream, results: Results| {
            handle(TcpStream::from_std(client.into_std()?)?, results).await
        };
        tcp_echo(detached, results.clone()).await?;
        assert_echo(&results);
        Ok(())
    });
}

async fn handle_stream(client: TcpStream, results: Results) -> Result<()> {
    results.append("handler start");
    let mut s = client.as_stream();
    let mut buf = [0; 100];
    loop {
        let n = s.read(&mut buf).await?;
        if n == 0 {
            break;
        }
        results.append(format!("handler {}", String::from_utf8_lossy(&buf[..n])));
        s.write_all(&buf[..n]).await?;
    }
    results.append("handler done");
    Ok(())
}

#[test]
fn test_tcp_file_echo() {
    really(async |_| {
        let results = Results::default();
        tcp_echo(handle_stream, results.clone()).await?;
        assert_echo(&results);
        Ok(())
    });
}

#[test]
fn test_buffer_stream_into() {
    really(async |_| {
        let data: Vec<u8> = (0..1_000_000u32).flat_map(u32::to_le_bytes).collect();
        let (one, two) = pair().await?;
        let sender = spawn(with!(data; {
            one.write_all(b"OK\n").await?;
            one.write_all(&data).await
        }));
        let mut s = two.as_stream();
        let mut line = String::new();
        s.read_line(&mut line).await?;
        assert_eq!(line, "OK\n");
        let mut received = vec![0; data.len()];
        s.read_exact(&mut received).await?;
        assert!(received == data);
        sender.join().await
    });
}

/// Something that waits for ever, and what it is interrupted by.
async fn times_out<T: std::fmt::Debug>(
    w: World,
    wait: impl Future<Output = Result<T>>,
    results: &Results,
) -> Result<()> {
    results.append("wait");
    let waited = timeout_after(w.t(1), wait).await;
    assert!(matches!(waited, Err(Error::Timeout(_))), "{waited:?}");
    results.append("timeout");
    results.are(&["wait", "timeout"]);
    Ok(())
}

/// The same for a task that is cancelled.
async fn is_cancelled_there<T: std::fmt::Debug + 'static>(
    w: World,
    wait: impl Future<Output = Result<T>> + 'static,
) -> Result<()> {
    let results = Results::default();
    let task = spawn(with!(results; {
        results.append("wait");
        let waited = wait.await;
        assert!(matches!(waited, Err(Error::Cancelled(_))), "{waited:?}");
        results.append("cancel");
        waited
    }));
    sleep(w.t(1)).await?;
    task.cancel().await?;
    results.are(&["wait", "cancel"]);
    is_cancelled(task.join().await);
    Ok(())
}

#[test]
fn test_accept_timeout() {
    really(async |w| {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        times_out(w, listener.accept(), &Results::default()).await
    });
}

#[test]
fn test_accept_cancel() {
    really(async |w| {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        is_cancelled_there(w, async move { listener.accept().await }).await
    });
}

#[test]
fn test_recv_timeout() {
    really(async |w| {
        let (one, _two) = pair().await?;
        times_out(w, one.read(&mut [0; 100]), &Results::default()).await
    });
}

#[test]
fn test_recv_cancel() {
    really(async |w| {
        let (one, _two) = pair().await?;
        is_cancelled_there(w, async move { one.read(&mut [0; 100]).await }).await
    });
}

#[test]
fn test_recvfrom_timeout() {
    really(async |w| {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        times_out(w, socket.recv_from(&mut [0; 100]), &Results::default()).await
    });
}

#[test]
fn test_recvfrom_cancel() {
    really(async |w| {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        is_cancelled_there(w, async move { socket.recv_from(&mut [0; 100]).await }).await
    });
}

#[test]
fn test_buffer_into() {
    really(async |_| {
        let data: Vec<u8> = (0..1_000_000u32).flat_map(u32::to_le_bytes).collect();
        let (one, two) = pair().await?;
        let sender = spawn(with!(data; one.write_all(&data).await));
        let mut received = vec![0; data.len()];
        let mut done = 0;
        while done < received.len() {
            let n = two.read(&mut received[done..]).await?;
            assert_ne!(n, 0);
            done += n;
        }
        assert!(received == data);
        sender.join().await
    });
}

#[test]
fn test_read_write_on_same_socket() {
    really(async |_| {
        let (one, two) = pair().await?;
        let (one, ready) = (Rc::new(one), Event::new());
        let reader = spawn(with!(one, ready; {
            ready.set();
            let mut buf = [0; 100];
            let n = one.read(&mut buf).await?;
            Ok(buf[..n].to_vec())
        }));
        let writer = spawn(with!(one, ready; {
            ready.wait().await?;
            one.write_all(&vec![b'x'; 10_000_000]).await
        }));
        let mut buf = vec![0; 1 << 16];
        let mut received = 0;
        while received < 10_000_000 {
            received += two.read(&mut buf).await?;
        }
        writer.join().await?;
        two.write_all(b"hello").await?;
        assert_eq!(reader.join().await?, b"hello");
        Ok(())
    });
}

#[test]
fn test_create_connection() {
    really(async |_| {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let source: SocketAddr = {
            // A port that was free a moment ago.
            let socket = std::net::TcpListener::bind("127.0.0.1:0")?;
            socket.local_addr()?
        };
        let stream = open_connection(listener.local_addr()?)
            .source_addr(source)
            .await?;
        let (_client, from) = listener.accept().await?;
        assert_eq!((stream.local_addr()?, from), (source, source));
        Ok(())
    });
}

#[test]
fn test_create_bad_connection() {
    really(async |_| {
        let free = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let error = open_connection(free).await.unwrap_err();
        assert!(
            matches!(&error, Error::Io(e) if e.kind() == std::io::ErrorKind::ConnectionRefused),
            "{error:?}"
        );
        assert!(!current_task().name().is_empty());
        Ok(())
    });
}
