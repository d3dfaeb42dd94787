//! `test_channel.py`.
//!
//! | missing | why |
//! |---|---|
//! | `test_connection_from_connection` | it adopts an object of Python; [`Connection::new`] takes any stream |
//! | `test_channel_hello_bytes`, `test_channel_large`, `_auth`, `_send_partial_bytes`, `_from_connection`, `_recv_cancel`, `_recv_timeout`, `_send_cancel`, `_send_timeout` (2017) | the same as on connections, on what `Channel` was called then |
//! | `test_channel_rpc` (2016) | remote calls, gone from Python Curio too |
//!
//! | differs | how |
//! |---|---|
//! | `offset=`, `size=` of `send_bytes` | a slice; it panics or does not compile where Python had four error texts |
//! | `authkey=` | `Some(key)`, or `None` |
//! | `AuthenticationError` | `Error::Io` with `PermissionDenied` |
//! | a copy of a channel | a clone |
//!
//! `fault_` are known faults of its code.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;

use curio::channel::{Channel, Connection};
use curio::net::{TcpListener, TcpStream};
use curio::{Error, Result, TaskGroup, WithTimeout, sleep, spawn, yield_now};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Results, really, with};

/// Python's are a socketpair; this is there on every system.
async fn conns() -> Result<(Connection, Connection)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let one = TcpStream::connect(listener.local_addr()?).await?;
    let (two, _) = listener.accept().await?;
    Ok((Connection::new(one), Connection::new(two)))
}

fn chs() -> Result<(Channel, Channel)> {
    let ch1 = Channel::new(("127.0.0.1", 0))?;
    ch1.bind()?;
    Ok((ch1.clone(), ch1))
}

/// Python's `async with c:` around each end, in tasks of one group.
async fn both(
    server: impl Future<Output = Result<()>> + 'static,
    client: impl Future<Output = Result<()>> + 'static,
) -> Result<()> {
    TaskGroup::all()
        .scope(async |g| {
            g.spawn(server);
            g.spawn(client);
        })
        .await
}

/// The server sends one thing, the client another.
async fn hello<T>(server_says: T, client_says: T) -> Result<()>
where
    T: Serialize + DeserializeOwned + Clone + PartialEq + std::fmt::Debug + 'static,
{
    let (c1, c2) = conns().await?;
    let results = Rc::new(RefCell::new(Vec::new()));
    let expected = [server_says.clone(), client_says.clone()];
    let server = with!(results; {
        c1.send(&server_says).await?;
        let received = c1.recv::<T>().await?;
        results.borrow_mut().push(received);
        Ok(())
    });
    let client = with!(results; {
        let received = c2.recv::<T>().await?;
        results.borrow_mut().push(received);
        c2.send(&client_says).await
    });
    both(server, client).await?;
    assert_eq!(*results.borrow(), expected);
    Ok(())
}

#[test]
fn test_connection_hello() {
    really(async |_| hello("server hello world".to_string(), "client hello world".to_string()).await);
}

#[test]
fn test_connection_hello_bytes() {
    // Python's `bytes` is a value; a `Vec<u8>` is a list of numbers.
    really(async |_| hello(b"server hello world".to_vec(), b"client hello world".to_vec()).await);
}

#[test]
fn test_connection_large() {
    really(async |_| {
        let (c1, c2) = conns().await?;
        let data: Rc<Vec<u32>> = Rc::new((0..1_000_000).collect());
        let server = with!(data; {
            c1.send(&*data).await?;
            assert_eq!(c1.recv::<usize>().await?, data.len());
            Ok(())
        });
        let client = async move {
            let msg = c2.recv::<Vec<u32>>().await?;
            assert!(msg == *data);
            c2.send(&msg.len()).await
        };
        both(server, client).await
    });
}

#[test]
fn test_connection_auth() {
    really(async |_| {
        let (c1, c2) = conns().await?;
        let results = Results::default();
        let server = with!(results; {
            c1.authenticate_server(b"peekaboo").await?;
            c1.send("server hello world").await?;
            results.append(c1.recv::<String>().await?);
            Ok(())
        });
        let client = with!(results; {
            c2.authenticate_client(b"peekaboo").await?;
            results.append(c2.recv::<String>().await?);
            c2.send("client hello world").await
        });
        both(server, client).await?;
        results.are(&["server hello world", "client hello world"]);
        Ok(())
    });
}

#[track_caller]
fn is_authentication_error<T: std::fmt::Debug>(result: Result<T>) {
    match result.unwrap_err() {
        Error::Io(error) => assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn test_connection_auth_fail() {
    really(async |_| {
        let (c1, c2) = conns().await?;
        let server = async move {
            is_authentication_error(c1.authenticate_server(b"peekaboo").await);
            Ok(())
        };
        let client = async move {
            is_authentication_error(c2.authenticate_client(b"what?").await);
            Ok(())
        };
        both(server, client).await
    });
}

#[test]
fn test_connection_send_partial_bytes() {
    const DATA: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
    really(async |_| {
        let (c1, c2) = conns().await?;
        let parts = [&DATA[5..15], &DATA[5..], &DATA[..10]];
        let server = async move {
            for part in parts {
                c1.send_bytes(part).await?;
                assert_eq!(c1.recv::<usize>().await?, part.len());
            }
            // Python's "buffer length < offset" and "buffer length < offset + size"; the two negative ones cannot be said.
            assert!(DATA.get(50..).is_none() && DATA.get(..50).is_none());
            Ok(())
        };
        let client = async move {
            for part in parts {
                let msg = c2.recv_bytes().await?;
                assert_eq!(msg, part);
                c2.send(&msg.len()).await?;
            }
            Ok(())
        };
        both(server, client).await
    });
}

#[test]
fn test_connection_recv_cancel() {
    really(async |w| {
        let (_c1, c2) = conns().await?;
        let results = Results::default();
        let task = spawn(with!(results; {
            match c2.recv::<String>().await {
                Ok(msg) => results.append(msg),
                Err(error) if error.is_cancellation() => results.append("cancel"),
                Err(error) => return Err(error),
            }
            Ok(())
        }));
        sleep(w.t(1)).await?;
        task.cancel().await?;
        results.append("done cancel");
        results.are(&["cancel", "done cancel"]);
        Ok(())
    });
}

#[test]
fn test_connection_recv_timeout() {
    really(async |w| {
        let (_c1, c2) = conns().await?;
        let results = Results::default();
        let task = spawn(with!(results; {
            match c2.recv::<String>().timeout(w.t(1)).await {
                Ok(msg) => results.append(msg),
                Err(error) if error.is_timeout() => results.append("timeout"),
                Err(error) => return Err(error),
            }
            Ok(())
        }));
        task.join().await?;
        results.append("done");
        results.are(&["timeout", "done"]);
        Ok(())
    });
}

#[test]
fn test_connection_send_cancel() {
    really(async |w| {
        let (_c1, c2) = conns().await?;
        let results = Results::default();
        let task = spawn(with!(results; {
            let msg = "x".repeat(10_000_000);
            let sent = async {
                c2.send(&msg).await?;
                c2.send(&msg).await
            };
            match sent.await {
                Ok(()) => results.append("success"),
                Err(error) if error.is_cancellation() => results.append("cancel"),
                Err(error) => return Err(error),
            }
            Ok(())
        }));
        sleep(w.t(1)).await?;
        task.cancel().await?;
        results.append("done cancel");
        results.are(&["cancel", "done cancel"]);
        Ok(())
    });
}

#[test]
fn test_connection_send_timeout() {
    really(async |w| {
        let (_c1, c2) = conns().await?;
        let results = Results::default();
        let task = spawn(with!(results; {
            let msg = "x".repeat(10_000_000);
            let sent = async {
                c2.send(&msg).timeout(w.t(1)).await?;
                c2.send(&msg).timeout(w.t(1)).await
            };
            match sent.await {
                Ok(()) => results.append("success"),
                Err(error) if error.is_timeout() => results.append("timeout"),
                Err(error) => return Err(error),
            }
            Ok(())
        }));
        task.join().await?;
        results.append("done");
        results.are(&["timeout", "done"]);
        Ok(())
    });
}

async fn channel_hello(authkey: Option<&'static [u8]>) -> Result<()> {
    let (ch1, ch2) = chs()?;
    let results = Results::default();
    let server = with!(results; {
        let c = ch1.accept(authkey).await?;
        c.send("server hello world").await?;
        results.append(c.recv::<String>().await?);
        Ok(())
    });
    let client = with!(results; {
        let c = ch2.connect(authkey).await?;
        results.append(c.recv::<String>().await?);
        c.send("client hello world").await
    });
    both(server, client).await?;
    results.are(&["server hello world", "client hello world"]);
    Ok(())
}

#[test]
fn test_channel_hello() {
    really(async |_| channel_hello(None).await);
}

#[test]
fn test_channel_hello_auth() {
    really(async |_| channel_hello(Some(b"peekaboo")).await);
}

#[test]
fn test_channel_hello_auth_fail() {
    really(async |_| {
        let (ch1, ch2) = chs()?;
        let t1 = spawn(async move {
            let c = ch1.accept(Some(b"peekaboo")).await?;
            c.send("server hello world").await
        });
        let t2 = spawn(async move {
            is_authentication_error(ch2.connect(Some(b"what?")).await);
            Ok(())
        });
        t2.join().await?;
        t1.cancel().await?;
        assert!(t1.cancelled());
        Ok(())
    });
}

#[test]
fn test_recv_bytes_into() {
    really(async |_| {
        let (ch1, ch2) = chs()?;
        let sent: Rc<Vec<u8>> = Rc::new((0..100_000_u32).flat_map(u32::to_ne_bytes).collect());
        let t1 = spawn(with!(sent; {
            let c = ch1.accept(Some(b"peekaboo")).await?;
            c.send_bytes(&sent).await
        }));
        let t2 = spawn(async move {
            let c = ch2.connect(Some(b"peekaboo")).await?;
            let mut got = vec![0; 400_000];
            let nrecv = c.recv_bytes_into(&mut got).await?;
            Ok((nrecv, got))
        });
        t1.join().await?;
        let (nrecv, got) = t2.join().await?;
        assert_eq!(nrecv, sent.len());
        assert!(got == *sent);
        Ok(())
    });
}

/// Python's `connect` has tried again until there was somebody, up to 2019. Now that is a loop.
#[test]
fn test_channel_slow_connect() {
    really(async |w| {
        let addr = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let client = spawn(async move {
            let ch = Channel::new(addr)?;
            loop {
                match ch.connect(Some(b"peekaboo")).await {
                    Err(Error::Io(error)) if error.kind() == ErrorKind::ConnectionRefused => {
                        sleep(w.t(1)).await?;
                    }
                    connected => break connected?.recv::<String>().await,
                }
            }
        });
        sleep(w.t(2)).await?;
        Channel::new(addr)?
            .accept(Some(b"peekaboo"))
            .await?
            .send("hello")
            .await?;
        assert_eq!(client.join().await?, "hello");
        Ok(())
    });
}

/// `recv` takes the head of a message and forgets it if it is cancelled then: what comes next is taken for a head.
#[test]
fn fault_a_cancelled_recv_forgets_the_head() {
    really(async |w| {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let peer = TcpStream::connect(listener.local_addr()?).await?;
        let c = Connection::new(listener.accept().await?.0);
        peer.write_all(b"\0\0\0\x05he").await?;
        assert!(c.recv_bytes().timeout(w.t(1)).await.unwrap_err().is_timeout());
        peer.write_all(b"llo").await?;
        assert_eq!(c.recv_bytes().await?, b"hello");
        Ok(())
    });
}

/// After a `send` that was cancelled in the middle, the next message is taken for its rest.
#[test]
fn fault_a_cancelled_send_breaks_the_next() {
    really(async |w| {
        let (c1, c2) = conns().await?;
        let long = "x".repeat(20_000_000);
        assert!(c1.send(&long).timeout(w.t(1)).await.unwrap_err().is_timeout());
        let receiver = spawn(async move { Ok((c2.recv::<String>().await?, c2.recv::<u8>().await?)) });
        c1.send(&7).await?;
        assert!(receiver.join().await? == (long, 7));
        Ok(())
    });
}

/// `accept` greets one client after the other, so one that says nothing holds up all for a second.
#[test]
fn fault_a_silent_client_holds_up_the_others() {
    really(async |w| {
        let (ch1, ch2) = chs()?;
        ch1.set_handshake_timeout(w.t(100_000));
        let _silent = TcpStream::connect(ch1.address()).await?;
        let client = spawn(async move { ch2.connect(Some(b"peekaboo")).await?.recv::<u8>().await });
        yield_now().await?;
        ch1.accept(Some(b"peekaboo")).await?.send(&7).await?;
        assert_eq!(client.join().await?, 7);
        Ok(())
    });
}

/// B7: closing does not wake who waits.
#[test]
fn fault_close_leaves_a_receiver_asleep() {
    really(async |w| {
        let (c1, _c2) = conns().await?;
        let c1 = Rc::new(c1);
        let task = spawn(with!(c1; match c1.recv::<u8>().await {
            Err(Error::Closed) => Ok(()),
            other => panic!("{other:?}"),
        }));
        sleep(w.t(1)).await?;
        c1.close();
        task.join().await
    });
}
