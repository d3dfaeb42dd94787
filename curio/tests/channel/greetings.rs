//! Channels: who is let in, and what happens to the others (C6).

use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use curio::channel::Channel;
use curio::net::{TcpListener, TcpStream};
use curio::{Busy, Error, Result, WithTimeout, sleep, spawn, timeout_after, yield_now};

use crate::{KEY, SEC, channel, cleanly, io_error, pair};

/// Somebody who connects by hand.
async fn stranger(ch: &Channel) -> Result<TcpStream> {
    TcpStream::connect(ch.address()).await
}

/// Reads to the end, which is an answer, too.
async fn hear_out(stranger: &TcpStream) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    let mut buf = [0; 1000];
    loop {
        match stranger.read(&mut buf).await {
            Ok(0) => return Ok(all),
            Ok(n) => all.extend_from_slice(&buf[..n]),
            Err(Error::Io(error)) if error.kind() == ErrorKind::ConnectionReset => return Ok(all),
            Err(error) => return Err(error),
        }
    }
}

#[test]
fn a_wrong_key_is_an_error_at_both_ends() {
    cleanly(async || {
        let (one, two) = pair().await?;
        let client = spawn(async move { two.authenticate_client(b"what?").await });
        let refused = one.authenticate_server(b"peekaboo").await;
        io_error(refused, ErrorKind::PermissionDenied, "the peer has another key");
        assert!(
            client
                .join()
                .await
                .unwrap_err()
                .to_string()
                .contains("refuses our key")
        );
        assert!(matches!(one.recv_bytes().await, Err(Error::Closed)));
        Ok(())
    });
}

/// A server that knows the answers of the first half only, and so has not the key.
#[test]
fn the_client_asks_too() {
    cleanly(async || {
        let (one, two) = pair().await?;
        let client = spawn(async move { two.authenticate_client(b"peekaboo").await });
        one.send_bytes(&[&b"#CHALLENGE#{sha256}"[..], &[1; 40]].concat())
            .await?;
        one.recv_bytes().await?;
        one.send_bytes(b"#WELCOME#").await?;
        assert!(one.recv_bytes().await?.starts_with(b"#CHALLENGE#{sha256}"));
        one.send_bytes(&[&b"{sha256}"[..], &[1; 32]].concat()).await?;
        assert_eq!(one.recv_bytes().await?, b"#FAILURE#");
        assert!(
            client
                .join()
                .await
                .unwrap_err()
                .to_string()
                .contains("another key")
        );
        Ok(())
    });
}

#[test]
fn the_next_client_is_accepted() {
    cleanly(async || {
        let ch = channel()?;
        let server = spawn({
            let ch = ch.clone();
            async move { ch.accept(KEY).await?.recv::<u8>().await }
        });
        io_error(
            ch.connect(Some(b"what?")).await,
            ErrorKind::PermissionDenied,
            "refuses our key",
        );
        for nonsense in [
            &b"GET / HTTP/1.0\r\n\r\n"[..],
            b"\0\0\0\x04what",
            b"\0",
            b"\xff\xff\xff\xfe",
        ] {
            let stranger = stranger(&ch).await?;
            stranger.write_all(nonsense).await?;
            stranger.shutdown(std::net::Shutdown::Write)?;
            let heard = hear_out(&stranger).await?;
            assert!(heard.starts_with(b"\0\0\0\x3b#CHALLENGE#{sha256}"), "{heard:?}");
        }
        ch.connect(KEY).await?.send(&7).await?;
        assert_eq!(server.join().await?, 7);
        Ok(())
    });
}

#[test]
fn who_stalls_holds_up_nobody() {
    cleanly(async || {
        let ch = channel()?;
        ch.set_handshake_timeout(1000 * SEC);
        let mut strangers = Vec::new();
        for said in [&b""[..], b"\0\0\0", b"\0\0\0\x28{sha256}"] {
            let stranger = stranger(&ch).await?;
            stranger.write_all(said).await?;
            strangers.push(stranger);
        }
        let client = spawn({
            let ch = ch.clone();
            async move { ch.connect(KEY).await }
        });
        ch.accept(KEY).await?.send("hello").await?;
        assert_eq!(client.join().await?.recv::<String>().await?, "hello");
        // They are let go when the channel is closed.
        ch.close();
        for stranger in &strangers {
            hear_out(stranger).await?;
        }
        Ok(())
    });
}

#[test]
fn who_stalls_is_left() {
    cleanly(async || {
        let ch = channel()?;
        ch.set_handshake_timeout(Duration::from_millis(5));
        let server = spawn({
            let ch = ch.clone();
            async move { ch.accept(KEY).await }
        });
        hear_out(&stranger(&ch).await?).await?;
        server.cancel().await?;
        // A server that says nothing, or wants no key.
        let silent = TcpListener::bind("127.0.0.1:0")?;
        let ch = Channel::new(silent.local_addr()?)?;
        ch.set_handshake_timeout(Duration::from_millis(5));
        io_error(ch.connect(KEY).await, ErrorKind::TimedOut, "within 5ms");
        // The timeout of the caller is another.
        ch.set_handshake_timeout(1000 * SEC);
        let late = ch.connect(KEY).timeout(Duration::from_millis(5)).await;
        assert!(matches!(late, Err(Error::Timeout(_))), "{late:?}");
        Ok(())
    });
}

/// More at once than are greeted at once: the others wait their turn.
#[test]
fn a_crowd_of_strangers() {
    cleanly(async || {
        let ch = channel()?;
        let server = spawn({
            let ch = ch.clone();
            async move { ch.accept(KEY).await?.send("hello").await }
        });
        let mut limit = Duration::from_millis(50);
        ch.set_handshake_timeout(limit);
        let mut strangers = Vec::new();
        // Each has two descriptors of this process, of which there may be no more than 256.
        for _ in 0..100 {
            strangers.push(stranger(&ch).await?);
            yield_now().await?;
        }
        let friend = Channel::new(ch.address())?;
        // On a busy machine, 50 ms may be too short for a friend, too; even one who is let in may not hear of it in time.
        let heard = loop {
            let heard = match friend.connect(KEY).await {
                Ok(client) => client.recv::<String>().await,
                Err(error) => Err(error),
            };
            match heard {
                Err(Error::Io(_)) => limit *= 2,
                heard => break heard?,
            }
            ch.set_handshake_timeout(limit);
        };
        assert_eq!(heard, "hello");
        server.join().await
    });
}

/// Fault B8 of Python Curio: the socket of a connect that was cancelled stays open.
#[test]
fn a_cancelled_connect_closes_its_socket() {
    cleanly(async || {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let ch = Channel::new(listener.local_addr()?)?;
        let client = spawn(async move { ch.connect(KEY).await });
        let (peer, _) = listener.accept().await?;
        // In the middle of the greeting.
        peer.write_all(b"\0\0\0\x3b#CHALL").await?;
        // Until it has seen this, or is about to.
        let cycles = client.cycles();
        while client.cycles() == cycles {
            yield_now().await?;
        }
        client.cancel().await?;
        hear_out(&peer).await?;
        Ok(())
    });
}

#[test]
fn an_interrupted_accept_loses_no_connection() {
    cleanly(async || {
        let ch = channel()?;
        let mut clients = Vec::new();
        for n in 0..20_u32 {
            let ch = ch.clone();
            clients.push(spawn(async move {
                let c = ch.connect(KEY).await?;
                c.send(&n).await?;
                c.recv::<u32>().await
            }));
        }
        let mut served = 0;
        while served < 20 {
            match ch.accept(KEY).timeout(Duration::from_micros(300)).await {
                Ok(c) => {
                    let n = c.recv::<u32>().await?;
                    c.send(&(n + 1)).await?;
                    served += 1;
                }
                Err(Error::Timeout(_)) => {}
                Err(error) => return Err(error),
            }
        }
        for (n, client) in (1..).zip(&clients) {
            assert_eq!(client.join().await?, n);
        }
        Ok(())
    });
}

#[test]
fn accept_is_for_one_task_and_ends_with_the_channel() {
    cleanly(async || {
        for key in [None, KEY] {
            let ch = channel()?;
            let first = spawn({
                let ch = ch.clone();
                async move { ch.accept(key).await.map(drop) }
            });
            yield_now().await?;
            assert!(matches!(ch.accept(key).await, Err(Error::Busy(Busy::Reader))));
            ch.close();
            let closed = first.join().await.unwrap_err();
            assert!(closed.to_string().contains("closed"), "{closed}");
            assert!(matches!(ch.accept(key).await, Err(Error::Closed)));
            assert!(matches!(ch.bind(), Err(Error::Closed)));
            assert!(ch.connect(key).await.is_err());
        }
        Ok(())
    });
}

/// Wherever its greeting is when the channel is closed; at its last message, too.
#[test]
fn nobody_is_kept_by_a_channel_that_is_closed() {
    for turns in 0..200 {
        cleanly(async || {
            let ch = channel()?;
            let server = spawn({
                let ch = ch.clone();
                async move { ch.accept(KEY).await }
            });
            let client = ch.connect(KEY).await?;
            for _ in 0..turns {
                yield_now().await?;
            }
            ch.close();
            if server.join().await.is_err() {
                let end = client.recv_bytes().timeout(SEC).await.unwrap_err();
                assert!(matches!(end, Error::Io(_)), "after {turns}: {end:?}");
            }
            drop(ch);
            Ok(())
        });
    }
}

#[test]
fn an_accept_is_cancelled_once() {
    cleanly(async || {
        let ch = channel()?;
        let stranger = stranger(&ch).await?;
        let server = spawn({
            let ch = ch.clone();
            async move {
                let first = ch.accept(KEY).await;
                assert!(matches!(first, Err(Error::Cancelled(_))), "{first:?}");
                // Clean-up may wait.
                sleep(Duration::from_millis(1)).await
            }
        });
        // Until it is being greeted.
        stranger.read_exact(&mut [0; 4]).await?;
        server.cancel().await?;
        server.join().await
    });
}

/// They hear nothing, not even that there is a key, and the next is accepted. The check may use the channel.
#[test]
fn who_has_a_wrong_address_is_left() {
    cleanly(async || {
        for key in [KEY, None] {
            let ch = channel()?;
            let asked = Rc::new(RefCell::new(Vec::new()));
            ch.set_address_check(|_| panic!("another has replaced it"));
            ch.set_address_check({
                let (ch, asked) = (ch.clone(), asked.clone());
                move |addr| {
                    assert_ne!(addr.to_string(), ch.address());
                    ch.set_message_limit(1000);
                    asked.borrow_mut().push(addr);
                    asked.borrow().len() > 2
                }
            });
            let server = spawn({
                let ch = ch.clone();
                async move { ch.accept(key).await }
            });
            let mut addrs = Vec::new();
            for _ in 0..2 {
                let stranger = stranger(&ch).await?;
                addrs.push(stranger.local_addr()?);
                assert_eq!(hear_out(&stranger).await?, b"");
            }
            assert_eq!(*asked.borrow(), addrs);
            let client = ch.connect(key).await?;
            server.join().await?.send("hello").await?;
            assert_eq!(client.recv::<String>().await?, "hello");
            // And it is gone with the channel, though it holds it.
            ch.close();
            drop(ch);
            assert_eq!(Rc::strong_count(&asked), 1);
        }
        Ok(())
    });
}

#[test]
fn without_a_key() {
    cleanly(async || {
        let ch = channel()?;
        let (server, client) = futures::join!(ch.accept(None), ch.connect(None));
        let (server, client) = (server?, client?);
        server.send("hello").await?;
        assert_eq!(client.recv::<String>().await?, "hello");
        Ok(())
    });
}

#[test]
fn names_are_looked_up() {
    cleanly(async || {
        let ch = Channel::new(("localhost", 0))?;
        assert_eq!(ch.address(), "localhost:0");
        assert!(ch.bind().unwrap_err().to_string().contains("lookup_host"));
        let ch = Rc::new(ch);
        let server = spawn({
            let ch = ch.clone();
            async move { ch.accept(KEY).await }
        });
        let port = timeout_after(10 * SEC, async {
            loop {
                let address = ch.address();
                match address.rsplit_once(':') {
                    Some((_, port)) if port != "0" => break Ok(port.parse::<u16>().unwrap()),
                    _ => sleep(Duration::from_millis(1)).await?,
                }
            }
        })
        .await?;
        let client = Channel::new(("localhost", port))?.connect(KEY).await?;
        server.join().await?.send("hello").await?;
        assert_eq!(client.recv::<String>().await?, "hello");
        let nobody = Channel::new(("no-such-host.invalid", 1))?;
        assert!(matches!(nobody.connect(None).await, Err(Error::Io(_))));
        assert!(matches!(nobody.accept(None).await, Err(Error::Io(_))));
        Ok(())
    });
}

#[cfg(unix)]
#[test]
fn at_a_path() {
    let path = std::env::temp_dir().join(format!("curio-channel-{}", std::process::id()));
    cleanly(async || {
        // Somebody has left it behind.
        drop(std::os::unix::net::UnixListener::bind(&path)?);
        let ch = Channel::unix(&path);
        ch.bind()?;
        let (server, client) = futures::join!(ch.accept(KEY), ch.connect(KEY));
        let (server, client) = (server?, client?);
        client.send("hello").await?;
        assert_eq!(server.recv::<String>().await?, "hello");
        io_error(Channel::unix(&path).bind().map(drop), ErrorKind::AddrInUse, "");
        drop(ch);
        assert!(!path.exists());
        Ok(())
    });
}
