//! UDP and Unix datagrams.

use std::rc::Rc;
use std::time::Duration;

use curio::net::UdpSocket;
use curio::{Busy, Error, spawn, timeout_after, yield_now};

use crate::cleanly;

#[test]
fn several_datagrams_in_one_event_are_all_received() {
    cleanly(async || {
        let (one, two) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
        let addr = two.local_addr()?;
        for round in 0..3u8 {
            for n in 0..20u8 {
                one.send_to(&[round, n], addr).await?;
            }
            // A datagram that is shorter than the buffer says nothing about the next one.
            for n in 0..20u8 {
                let mut buf = [0; 100];
                assert_eq!(two.recv_from(&mut buf).await?, (2, one.local_addr()?));
                assert_eq!(buf[..2], [round, n]);
            }
            let nothing = timeout_after(Duration::from_millis(5), two.recv(&mut [0; 10])).await;
            assert!(matches!(nothing, Err(Error::Timeout(_))));
        }
        Ok(())
    });
}

#[test]
fn an_empty_datagram_is_one_too() {
    cleanly(async || {
        let (one, two) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
        one.connect(two.local_addr()?)?;
        assert_eq!(one.peer_addr()?, two.local_addr()?);
        assert_eq!(one.send(b"").await?, 0);
        assert_eq!(two.recv_from(&mut [0; 10]).await?, (0, one.local_addr()?));
        Ok(())
    });
}

#[test]
fn a_look_leaves_the_datagram_there() {
    cleanly(async || {
        let (one, two) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
        let sender = spawn({
            let addr = two.local_addr()?;
            async move {
                yield_now().await?;
                one.send_to(b"hello", addr).await
            }
        });
        for _ in 0..3 {
            assert_eq!(two.peek(&mut [0; 10]).await?, 5);
            assert_eq!(two.peek_from(&mut [0; 3]).await?.0, 3);
        }
        assert_eq!(two.recv(&mut [0; 10]).await?, 5);
        assert_eq!(sender.join().await?, 5);
        Ok(())
    });
}

#[test]
fn nobody_at_the_other_end_is_an_error_and_not_the_end() {
    cleanly(async || {
        let (one, two) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
        let addr = two.local_addr()?;
        drop(two);
        one.connect(addr)?;
        one.send(b"anybody?").await?;
        if cfg!(target_os = "linux") {
            let refused = one.recv(&mut [0; 10]).await;
            assert!(
                matches!(&refused, Err(Error::Io(e)) if e.kind() == std::io::ErrorKind::ConnectionRefused),
                "{refused:?}"
            );
        }
        let two = UdpSocket::bind(addr)?;
        one.send(b"hello").await?;
        assert_eq!(two.recv(&mut [0; 10]).await?, 5);
        Ok(())
    });
}

#[test]
fn one_receives_while_another_sends_and_a_third_is_told_so() {
    cleanly(async || {
        let (one, two) = (
            Rc::new(UdpSocket::bind("127.0.0.1:0")?),
            UdpSocket::bind("127.0.0.1:0")?,
        );
        let receiver = spawn({
            let one = one.clone();
            async move { one.recv(&mut [0; 10]).await }
        });
        yield_now().await?;
        assert!(matches!(
            one.recv(&mut [0; 10]).await,
            Err(Error::Busy(Busy::Reader))
        ));
        assert!(matches!(
            one.peek(&mut [0; 10]).await,
            Err(Error::Busy(Busy::Reader))
        ));
        one.send_to(b"there", two.local_addr()?).await?;
        two.send_to(b"back", one.local_addr()?).await?;
        assert_eq!(receiver.join().await?, 4);
        // A socket that is closed wakes who waits.
        let receiver = spawn({
            let one = one.clone();
            async move { one.recv_from(&mut [0; 10]).await }
        });
        yield_now().await?;
        one.close();
        let error = receiver.join().await.unwrap_err();
        assert!(error.to_string().ends_with("closed"), "{error}");
        Ok(())
    });
}

#[test]
fn a_socket_goes_out_and_comes_back() {
    cleanly(async || {
        let one = UdpSocket::bind("127.0.0.1:0")?;
        let addr = one.local_addr()?;
        let one = one.into_std()?;
        let copy = one.try_clone()?;
        let two = UdpSocket::bind("127.0.0.1:0")?;
        two.send_to(b"hello", addr).await?;
        // It blocks again, so this is no error of timing.
        assert_eq!(one.recv(&mut [0; 10])?, 5);
        let one = UdpSocket::from_std(one)?;
        two.send_to(b"hello", addr).await?;
        assert_eq!(one.recv(&mut [0; 10]).await?, 5);
        // The copy keeps the socket alive. Nobody may hear of it any more.
        drop(one);
        for _ in 0..3 {
            two.send_to(b"hello", addr).await?;
            yield_now().await?;
        }
        drop(copy);
        Ok(())
    });
}

#[cfg(unix)]
mod unix {
    use curio::net::UnixDatagram;

    use super::*;
    use crate::TempPath;

    #[test]
    fn a_sender_waits_while_the_queue_is_full() {
        cleanly(async || {
            let path = TempPath::new();
            let server = UnixDatagram::bind(&path.0)?;
            let sender = spawn({
                let path = path.0.clone();
                async move {
                    let socket = UnixDatagram::unbound()?;
                    for n in 0..500u32 {
                        socket.send_to(&n.to_le_bytes(), &path).await?;
                    }
                    // Connected, it hears of it at once.
                    socket.connect(&path)?;
                    for n in 500..1000u32 {
                        socket.send(&n.to_le_bytes()).await?;
                    }
                    Ok(())
                }
            });
            yield_now().await?;
            for n in 0..1000u32 {
                let mut buf = [0; 10];
                let (len, from) = server.recv_from(&mut buf).await?;
                assert!(len == 4 && from.is_unnamed());
                assert_eq!(buf[..4], n.to_le_bytes());
            }
            sender.join().await
        });
    }

    #[test]
    fn a_sender_that_waits_can_be_interrupted() {
        cleanly(async || {
            let path = TempPath::new();
            let server = UnixDatagram::bind(&path.0)?;
            let socket = UnixDatagram::unbound()?;
            let mut sent = 0;
            loop {
                let send = socket.send_to(b"x", &path.0);
                match timeout_after(Duration::from_millis(5), send).await {
                    Ok(_) => sent += 1,
                    Err(Error::Timeout(_)) => break,
                    Err(error) => return Err(error),
                }
            }
            // The one that was interrupted has not been sent.
            for _ in 0..sent {
                server.recv(&mut [0; 10]).await?;
            }
            let nothing = timeout_after(Duration::from_millis(5), server.recv(&mut [0; 10])).await;
            assert!(matches!(nothing, Err(Error::Timeout(_))));
            Ok(())
        });
    }
}
