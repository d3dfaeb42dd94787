//! What can come instead of what should.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream as StdStream};
use std::thread;
use std::time::Duration;

use curio::net::TcpListener;
use curio::tls::{self, Acceptor, Connector, TlsStream, rustls};
use curio::{Error, Result, open_connection, run_in_thread, spawn};

use crate::{Random, cleanly, client, complaint, kind, noise, server, sockets};

#[test]
fn what_talks_something_else_is_told_so() {
    cleanly(async || {
        for garbage in [
            b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
            b"\x16\x03\x01\xff\xff".to_vec(),
            vec![0; 100_000],
            noise(100_000),
            b"\x15\x03\x01\x00\x02\x02\x28".to_vec(),
        ] {
            let (one, two) = sockets().await?;
            let accepting = spawn(async move { Ok(Acceptor::from(server()).accept(two).await.map(drop)) });
            // It may hang up before all is sent.
            let _ = one.write_all(&garbage).await;
            complaint(accepting.join().await?);
            // The answer is an alert, and the end.
            let mut answer = Vec::new();
            let _ = one.as_stream().read_to_end(&mut answer).await;
            if !answer.is_empty() {
                assert_eq!(answer[..2], [21, 3], "{answer:?}");
            }
        }
        Ok(())
    });
}

#[test]
fn a_peer_that_leaves_during_the_handshake_is_told_from_one_that_lies() {
    cleanly(async || {
        for sent in [
            &b""[..],
            b"\x16",
            b"\x16\x03\x01\x02\x00",
            b"\x16\x03\x01\x00\x04\x01\x00\x01",
        ] {
            let (one, two) = sockets().await?;
            one.write_all(sent).await?;
            drop(one);
            assert_eq!(
                kind(Acceptor::from(server()).accept(two).await),
                ErrorKind::UnexpectedEof
            );
        }
        // A reset: it closes with something unread.
        let (one, two) = sockets().await?;
        two.write_all(b"unread").await?;
        drop(one);
        let failed = kind(Connector::from(client()).connect("localhost", two).await);
        let resets = [
            ErrorKind::ConnectionReset,
            ErrorKind::BrokenPipe,
            ErrorKind::UnexpectedEof,
        ];
        assert!(resets.contains(&failed), "{failed:?}");
        Ok(())
    });
}

/// A relay between client and server, which does something to what the server says after so many bytes.
fn relay(server: std::net::SocketAddr, after: usize, fault: Fault) -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || -> std::io::Result<()> {
        let (mut near, _) = listener.accept()?;
        let mut far = StdStream::connect(server)?;
        let (mut there, mut to) = (near.try_clone()?, far.try_clone()?);
        thread::spawn(move || {
            let _ = std::io::copy(&mut there, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
        let mut buf = [0; 1000];
        let mut passed = 0;
        loop {
            let n = far.read(&mut buf)?;
            if n == 0 {
                return Ok(());
            }
            let here = after.saturating_sub(passed).min(n);
            if here < n || after == passed + n {
                match fault {
                    Fault::Cut => {
                        near.write_all(&buf[..here])?;
                        near.shutdown(Shutdown::Both)?;
                        far.shutdown(Shutdown::Both)?;
                        return Ok(());
                    }
                    Fault::Flip if here < n && passed <= after => buf[here] ^= 0x41,
                    Fault::Flip => {}
                }
            }
            near.write_all(&buf[..n])?;
            passed += n;
        }
    });
    addr
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    /// The connection ends.
    Cut,
    /// A byte is changed.
    Flip,
}

/// Wherever the server's side of the conversation is cut off or changed, the client gets what came before or less, and then
/// an error: never the end of the stream, never another byte.
#[test]
fn nothing_is_taken_for_whole_that_is_not() {
    const SIZE: usize = 40_000;
    cleanly(async || {
        let data = noise(SIZE);
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        let answer = data.clone();
        let serving = spawn(tls::run_server(
            listener,
            server(),
            async move |client: TlsStream, _| {
                // What becomes of it is the client's affair here; nobody is to log it.
                let _ = client.write_all(&answer).await;
                let _ = client.shutdown().await;
                let _ = client.read(&mut [0; 10]).await;
                Ok(())
            },
        ));
        async fn fetch(addr: std::net::SocketAddr, patience: Duration, all: &mut Vec<u8>) -> Result<()> {
            let stream = open_connection(addr)
                .tls(client())
                .handshake_timeout(patience)
                .await?;
            stream.as_stream().read_to_end(all).await?;
            Ok(())
        }
        let mut all = Vec::new();
        fetch(addr, Duration::from_secs(100), &mut all).await?;
        assert!(all == data);
        let mut random = Random(5);
        let mut places: Vec<usize> = (0..12).chain([126, 127, 128, 132, 800]).collect();
        places.extend((0..40).map(|_| random.below(SIZE as u64) as usize));
        let (mut in_the_handshake, mut later) = (0, 0);
        for fault in [Fault::Cut, Fault::Flip] {
            for &after in &places {
                let addr = run_in_thread(move || relay(addr, after, fault)).await?;
                let mut all = Vec::new();
                let patience = match fault {
                    Fault::Cut => Duration::from_secs(100),
                    // A length that was changed promises more than there is.
                    Fault::Flip => Duration::from_secs(1),
                };
                let failed = fetch(addr, patience, &mut all).await;
                assert!(data.starts_with(&all), "another byte, after {after}");
                match failed {
                    Err(Error::Io(error)) => match (fault, error.kind()) {
                        (_, ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {}
                        (Fault::Flip, ErrorKind::InvalidData | ErrorKind::TimedOut) => {}
                        (_, ErrorKind::BrokenPipe) => {}
                        other => panic!("{other:?}: {error}"),
                    },
                    // It was a byte that says nothing, as the version of a record does today.
                    Ok(()) if fault == Fault::Flip => assert!(all == data),
                    other => panic!("{other:?} after {after}"),
                }
                if all.is_empty() {
                    in_the_handshake += 1;
                } else {
                    later += 1;
                }
            }
        }
        assert!(
            in_the_handshake > 20 && later > 20,
            "{in_the_handshake} and {later}"
        );
        serving.cancel().await
    });
}

/// What was right before is read before the error.
#[test]
fn what_was_right_is_read_first() {
    cleanly(async || {
        let (one, two) = sockets().await?;
        let accepting = spawn(Acceptor::from(server()).accept(two));
        let one = Connector::from(client()).connect("localhost", one).await?;
        let two = accepting.join().await?;
        one.write_all(b"right").await?;
        // Somebody writes past TLS.
        one.get_ref()
            .write_all(b"\x17\x03\x03\x00\x20 wrong: 32 bytes encrypted by none")
            .await?;
        let mut buf = [0; 100];
        assert_eq!(two.read(&mut buf[..3]).await?, 3);
        assert_eq!(two.read(&mut buf[3..]).await?, 2);
        assert_eq!(&buf[..5], b"right");
        assert_eq!(complaint(two.read(&mut buf).await), rustls::Error::DecryptError);
        assert_eq!(complaint(two.read(&mut buf).await), rustls::Error::DecryptError);
        complaint(two.write_all(b"x").await);
        // The other is told.
        let told = complaint(one.read(&mut buf).await);
        assert_eq!(
            told,
            rustls::Error::AlertReceived(rustls::AlertDescription::BadRecordMac)
        );
        Ok(())
    });
}

/// More than rustls takes at once, read late: it waits its turn.
#[test]
fn much_that_comes_at_once_is_kept_in_order() {
    cleanly(async || {
        let (one, two) = sockets().await?;
        let accepting = spawn(Acceptor::from(server()).accept(two));
        let one = Connector::from(client()).connect("localhost", one).await?;
        let two = accepting.join().await?;
        let data = noise(200_000);
        // Records of all sizes.
        let mut rest = &data[..];
        let mut random = Random(6);
        while !rest.is_empty() {
            let n = (1 + random.below(20_000) as usize).min(rest.len());
            one.write_all(&rest[..n]).await?;
            rest = &rest[n..];
        }
        one.shutdown().await?;
        let mut all = Vec::new();
        let mut buf = [0; 777];
        loop {
            match two.read(&mut buf).await? {
                0 => break,
                n => all.extend_from_slice(&buf[..n]),
            }
        }
        assert!(all == data);
        Ok(())
    });
}
