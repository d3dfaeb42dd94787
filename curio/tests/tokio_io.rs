//! The streams below what is made for tokio's `AsyncRead` and `AsyncWrite`: `tokio_util::compat` makes these of the traits of the
//! futures crates, which the streams have. tokio's runtime is not needed for any of it.

#![cfg(unix)]
#![allow(missing_docs)]

mod common;

use std::time::Duration;

use common::really;
use curio::net::{TcpListener, TcpStream, UnixStream};
use curio::{Error, Result, open_connection, run_server, sleep, spawn, timeout_after};
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio_util::codec::{Framed, LinesCodec};
use tokio_util::compat::FuturesAsyncReadCompatExt;

/// A codec of tokio's, on both ends.
#[test]
fn frames_of_tokios() {
    really(async |_| {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        let server = spawn(run_server(listener, async |client: TcpStream, _| {
            let mut lines = Framed::new(
                client.into_stream().compat(),
                LinesCodec::new_with_max_length(100),
            );
            while let Some(line) = lines.next().await {
                let line = line.map_err(Error::other)?;
                lines.send(line.to_uppercase()).await.map_err(Error::other)?;
            }
            Ok(())
        }));
        let stream = open_connection(addr).await?.into_stream();
        let mut lines = Framed::new(stream.compat(), LinesCodec::new());
        for word in ["one", "two", "three"] {
            lines.send(word).await.map_err(Error::other)?;
            let answer = lines.next().await.unwrap().map_err(Error::other)?;
            assert_eq!(answer, word.to_uppercase());
        }
        drop(lines);
        server.cancel().await
    });
}

#[test]
fn readers_and_writers_of_tokios() {
    really(async |_| {
        let (one, two) = UnixStream::pair()?;
        let (mut one, two) = (one.into_stream().compat(), two.into_stream().compat());
        let sum = spawn(async move {
            let mut lines = tokio::io::BufReader::new(two).lines();
            let mut sum = 0;
            while let Some(line) = lines.next_line().await? {
                sum += line.parse::<u64>().map_err(Error::other)?;
            }
            Ok(sum)
        });
        for n in 0..10_000 {
            one.write_all(format!("{n}\n").as_bytes()).await?;
        }
        one.shutdown().await?;
        assert_eq!(sum.join().await?, 49_995_000);
        let mut rest = Vec::new();
        one.read_to_end(&mut rest).await?;
        Ok(())
    });
}

/// tokio's own copying, in both directions at once.
#[test]
fn a_relay_of_tokios() {
    really(async |_| {
        let (near, left) = UnixStream::pair()?;
        let (right, far) = UnixStream::pair()?;
        let relay = spawn(async move {
            let (mut left, mut right) = (left.into_stream().compat(), right.into_stream().compat());
            Ok(tokio::io::copy_bidirectional(&mut left, &mut right).await?)
        });
        let data: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
        let echo = spawn(async move {
            let mut buf = [0; 5000];
            loop {
                match far.read(&mut buf).await? {
                    0 => return far.shutdown(std::net::Shutdown::Write),
                    n => far.write_all(&buf[..n]).await?,
                }
            }
        });
        let (mut read, mut write) = near.into_stream().split();
        let sent = data.clone();
        let writer = spawn(async move {
            write.write_all(&sent).await?;
            write.shutdown().await
        });
        let mut all = Vec::new();
        read.read_to_end(&mut all).await?;
        assert!(all == data);
        writer.join().await?;
        echo.join().await?;
        assert_eq!(relay.join().await?, (3_000_000, 3_000_000));
        Ok(())
    });
}

/// An interruption comes through as what it is.
#[test]
fn interruptions_come_through_tokios_traits() {
    really(async |world| {
        let (one, _two) = UnixStream::pair()?;
        let mut one = one.into_stream().compat();
        let read = async { Ok(one.read_u8().await?) };
        let r: Result<u8> = timeout_after(world.t(1), read).await;
        assert!(matches!(r, Err(Error::Timeout(_))), "{r:?}");
        let waiter = spawn(async move { Ok(one.read_u8().await?) });
        sleep(Duration::from_millis(1)).await?;
        waiter.cancel().await?;
        assert!(matches!(waiter.join().await, Err(Error::Task(e)) if e.cancelled()));
        Ok(())
    });
}

#[cfg(feature = "tls")]
#[test]
fn frames_in_secret() {
    use curio::tls;
    really(async |_| {
        let acceptor: tls::Acceptor = tls::server_config(
            include_str!("certificates/server.pem"),
            include_str!("certificates/server.key"),
        )?
        .into();
        let connector: tls::Connector = tls::client_config(include_str!("certificates/ca.pem"))?.into();
        let (one, two) = UnixStream::pair()?;
        let accepting = spawn(acceptor.accept(two));
        let one = connector.connect("localhost", one).await?.into_stream();
        let two = accepting.join().await?.into_stream();
        let mut one = Framed::new(one.compat(), LinesCodec::new());
        let mut two = Framed::new(two.compat(), LinesCodec::new());
        one.send("hello").await.map_err(Error::other)?;
        assert_eq!(two.next().await.unwrap().map_err(Error::other)?, "hello");
        // The sink's end is TLS's goodbye.
        SinkExt::<&str>::close(&mut one).await.map_err(Error::other)?;
        assert!(two.next().await.is_none());
        Ok(())
    });
}
