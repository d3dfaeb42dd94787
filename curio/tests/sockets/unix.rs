//! Unix connections, and the paths they are named by.

use std::cell::Cell;
use std::fs;
use std::io;
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;

use curio::net::{ListenOptions, UnixListener, UnixStream};
use curio::{Error, open_unix_connection, sleep, spawn, timeout_after, unix_server, yield_now};

use crate::{TempPath, cleanly};

async fn echo(client: UnixStream, _: std::os::unix::net::SocketAddr) -> curio::Result<()> {
    let mut buf = [0; 1000];
    loop {
        match client.read(&mut buf).await? {
            0 => return Ok(()),
            n => client.write_all(&buf[..n]).await?,
        }
    }
}

fn is_in_use<T: std::fmt::Debug>(bound: curio::Result<T>) {
    let error = bound.unwrap_err();
    assert!(
        matches!(&error, Error::Io(e) if e.kind() == io::ErrorKind::AddrInUse),
        "{error:?}"
    );
}

#[test]
fn half_a_connection_can_be_closed() {
    cleanly(async || {
        let (one, two) = UnixStream::pair()?;
        one.write_all(b"question").await?;
        one.shutdown(Shutdown::Write)?;
        let mut buf = [0; 100];
        assert_eq!(two.read(&mut buf).await?, 8);
        assert_eq!(two.read(&mut buf).await?, 0);
        two.write_all(b"answer").await?;
        drop(two);
        assert_eq!(one.read(&mut buf).await?, 6);
        assert_eq!(one.read(&mut buf).await?, 0);
        Ok(())
    });
}

#[test]
fn a_large_message_passes_in_pieces() {
    cleanly(async || {
        let (one, two) = UnixStream::pair()?;
        let data: Vec<u8> = (0..5_000_000u32).map(|n| n as u8).collect();
        let sender = spawn({
            let data = data.clone();
            async move { one.write_all(&data).await }
        });
        let mut received = vec![0; data.len()];
        two.read_exact(&mut received).await?;
        assert!(received == data);
        sender.join().await
    });
}

#[test]
fn a_listener_leaves_its_path_and_a_server_does_not() {
    cleanly(async || {
        let path = TempPath::new();
        let listener = UnixListener::bind(&path.0)?;
        drop(listener);
        assert!(path.0.exists());
        is_in_use(UnixListener::bind(&path.0));

        // V1: nobody listens there any more, so the server takes it.
        let server = spawn(unix_server(&path.0, echo));
        yield_now().await?;
        let client = open_unix_connection(&path.0).await?;
        client.write_all(b"hello").await?;
        client.read_exact(&mut [0; 5]).await?;
        // But not from one who does.
        is_in_use(unix_server(&path.0, echo).await);
        client.write_all(b"hello").await?;
        client.read_exact(&mut [0; 5]).await?;
        // V2.
        server.cancel().await?;
        assert!(!path.0.exists());
        Ok(())
    });
}

#[test]
fn what_is_no_socket_is_left_alone() {
    cleanly(async || {
        let path = TempPath::new();
        fs::write(&path.0, "precious")?;
        is_in_use(unix_server(&path.0, echo).await);
        assert_eq!(fs::read_to_string(&path.0)?, "precious");
        // Not even through a link.
        let (socket, link) = (TempPath::new(), TempPath::new());
        drop(UnixListener::bind(&socket.0)?);
        std::os::unix::fs::symlink(&socket.0, &link.0)?;
        is_in_use(unix_server(&link.0, echo).await);
        assert!(socket.0.exists() && link.0.symlink_metadata().is_ok());
        Ok(())
    });
}

#[test]
fn a_server_removes_only_its_own_path() {
    cleanly(async || {
        let path = TempPath::new();
        let server = spawn(unix_server(&path.0, echo));
        yield_now().await?;
        fs::remove_file(&path.0)?;
        let other = UnixListener::bind(&path.0)?;
        server.cancel().await?;
        open_unix_connection(&path.0).await?;
        drop(other);
        // And if it is dropped, the same.
        let path = TempPath::new();
        let mut server = Box::pin(unix_server(&path.0, echo));
        let waited = timeout_after(Duration::from_millis(1), server.as_mut()).await;
        assert!(waited.is_err() && !path.0.exists());
        Ok(())
    });
}

#[test]
fn who_connects_waits_while_the_queue_is_full() {
    cleanly(async || {
        let path = TempPath::new();
        let listener = ListenOptions::new().backlog(1).listen_unix(&path.0)?;
        let connected = Rc::new(Cell::new(0));
        let clients: Vec<_> = (0..10)
            .map(|_| {
                let (path, connected) = (path.0.clone(), connected.clone());
                spawn(async move {
                    let stream = open_unix_connection(&path).await?;
                    connected.set(connected.get() + 1);
                    stream.read(&mut [0; 1]).await
                })
            })
            .collect();
        sleep(Duration::from_millis(5)).await?;
        assert!(
            connected.get() < 10,
            "the queue takes them all, so this shows nothing"
        );
        let given_up = timeout_after(Duration::from_millis(5), open_unix_connection(&path.0)).await;
        assert!(matches!(given_up, Err(Error::Timeout(_))));
        for _ in 0..10 {
            listener.accept().await?;
        }
        for client in clients {
            assert_eq!(client.join().await?, 0);
        }
        Ok(())
    });
}

#[test]
fn what_went_wrong_names_the_path() {
    cleanly(async || {
        let nowhere = TempPath::new();
        let error = open_unix_connection(&nowhere.0).await.unwrap_err().to_string();
        assert!(error.contains(nowhere.0.to_str().unwrap()), "{error}");
        let long = "x".repeat(200);
        assert!(UnixListener::bind(&long).is_err());
        assert!(unix_server(&long, echo).await.is_err());
        assert!(open_unix_connection(&long).await.is_err());
        Ok(())
    });
}
