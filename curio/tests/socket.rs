//! `socket::Socket`: what `net` does not have.

#![cfg(unix)]

mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::AsFd;
use std::rc::Rc;

use common::{Alone, really};
use curio::net::TcpListener;
use curio::socket::{Domain, SockAddr, Socket, Type};
use curio::{Busy, Error, Result, spawn, timeout_after, yield_now};

fn local() -> SockAddr {
    SocketAddr::from(([127, 0, 0, 1], 0)).into()
}

fn stream() -> Result<Socket> {
    Socket::new(Domain::IPV4, Type::STREAM, None)
}

fn is_timeout<T: std::fmt::Debug>(result: Result<T>) {
    assert!(matches!(result, Err(Error::Timeout(_))), "{result:?}");
}

#[test]
fn a_server_and_a_client_with_options() {
    really(async |w| {
        let listener = stream()?;
        listener.options(|s| s.set_reuse_address(true))?;
        listener.bind(&local())?;
        listener.listen(5)?;
        let addr = listener.options(|s| s.local_addr())?;
        // It waits, is interrupted, and waits again.
        is_timeout(timeout_after(w.t(1), listener.accept()).await);
        let server = spawn(async move {
            let (client, _) = listener.accept().await?;
            let mut line = String::new();
            let mut s = client.as_stream();
            while s.read_line(&mut line).await? > 0 {
                s.write_all(line.as_bytes()).await?;
                line.clear();
            }
            Ok(())
        });
        let socket = stream()?;
        socket.connect(&addr).await?;
        socket.options(|s| s.set_keepalive(true))?;
        assert!(socket.options(|s| s.keepalive())?);
        let data = "a line\n".repeat(200_000);
        let socket = Rc::new(socket);
        let sender = spawn({
            let (socket, data) = (socket.clone(), data.clone());
            async move {
                socket.sendall(data.as_bytes()).await?;
                socket.shutdown(Shutdown::Write)
            }
        });
        let mut all = Vec::new();
        socket.as_stream().read_to_end(&mut all).await?;
        assert!(all == data.as_bytes());
        sender.join().await?;
        server.join().await
    });
}

/// K1: the selector thinks that it is broken. It must not be asked, and nothing may spin.
#[test]
fn a_socket_that_is_not_connected_can_still_be() {
    really(async |w| {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = SockAddr::from(listener.local_addr()?);
        let socket = stream()?;
        assert!(matches!(socket.recv(&mut [0; 10]).await, Err(Error::Io(_))));
        assert!(matches!(socket.send(b"x").await, Err(Error::Io(_))));
        assert!(matches!(socket.accept().await, Err(Error::Io(_))));
        socket.connect(&addr).await?;
        let (client, _) = listener.accept().await?;
        is_timeout(timeout_after(w.t(1), socket.recv(&mut [0; 10])).await);
        client.write_all(b"hello").await?;
        assert_eq!(socket.recv(&mut [0; 10]).await?, 5);
        let refused = stream()?;
        drop(listener);
        assert!(matches!(refused.connect(&addr).await, Err(Error::Io(_))));
        Ok(())
    });
}

#[test]
fn descriptors_travel_and_are_counted() {
    really(async |w| {
        let (one, two) = Socket::pair(Domain::UNIX, Type::STREAM, None)?;
        let receiver = spawn(async move {
            let mut buf = [0; 10];
            is_timeout(timeout_after(w.t(1), two.recvmsg(&mut buf, 3)).await);
            let message = two.recvmsg(&mut buf, 3).await?;
            assert_eq!(
                (message.len, message.descriptors.len(), message.truncated),
                (4, 2, false)
            );
            // More than there is room for: the rest is closed by the system.
            let few = two.recvmsg(&mut buf, 0).await?;
            assert!(
                few.len == 4 && few.descriptors.is_empty() && few.truncated,
                "{few:?}"
            );
            let none = two.recvmsg(&mut buf, 3).await?;
            assert_eq!((none.len, none.descriptors.len()), (5, 0));
            assert_eq!(two.recvmsg(&mut buf, 3).await?.len, 0);
            Ok(message)
        });
        let (reader, writer) = std::io::pipe()?;
        let both = [reader.as_fd(), writer.as_fd()];
        curio::sleep(w.t(2)).await?;
        assert_eq!(one.sendmsg(b"both", &both).await?, 4);
        yield_now().await?;
        curio::sleep(w.t(1)).await?;
        assert_eq!(one.sendmsg(b"both", &both).await?, 4);
        curio::sleep(w.t(1)).await?;
        assert_eq!(one.sendmsg(b"plain", &[]).await?, 5);
        drop(one);
        let message = receiver.join().await?;
        let [theirs_to_read, theirs_to_write] = &message.descriptors[..] else {
            panic!("{message:?}")
        };
        std::fs::File::from(theirs_to_write.try_clone()?).write_all(b"x")?;
        std::fs::File::from(theirs_to_read.try_clone()?).read_exact(&mut [0])?;
        // When all copies are closed, the pipe has ended.
        drop((writer, message));
        assert_eq!((&reader).read(&mut [0; 10])?, 0);
        Ok(())
    });
}

#[test]
fn datagrams_packets_and_seats() {
    really(async |_| {
        let (one, two) = (
            Socket::new(Domain::IPV4, Type::DGRAM, None)?,
            Socket::new(Domain::IPV4, Type::DGRAM, None)?,
        );
        two.bind(&local())?;
        let addr = two.options(|s| s.local_addr())?;
        let two = Rc::new(two);
        let reader = spawn({
            let two = two.clone();
            async move { two.recv(&mut [0; 10]).await }
        });
        yield_now().await?;
        assert!(matches!(
            two.recv(&mut [0; 10]).await,
            Err(Error::Busy(Busy::Reader))
        ));
        one.send_to(b"hello", &addr).await?;
        assert_eq!(reader.join().await?, 5);
        let reader = spawn({
            let two = two.clone();
            async move { two.recv(&mut [0; 10]).await }
        });
        yield_now().await?;
        two.close();
        assert!(reader.join().await.unwrap_err().to_string().ends_with("closed"));
        assert!(matches!(two.recv(&mut [0; 10]).await, Err(Error::Closed)));
        one.close();
        assert!(matches!(one.into_socket2(), Err(Error::Closed)));
        Ok(())
    });
}

#[test]
fn it_goes_out_and_comes_back() {
    really(async |w| {
        let (one, two) = Socket::pair(Domain::UNIX, Type::STREAM, None)?;
        is_timeout(timeout_after(w.t(1), one.recv(&mut [0; 1])).await);
        let mut one = one.into_socket2()?;
        two.send(b"x").await?;
        one.read_exact(&mut [0])?;
        let one = Socket::from_socket2(one)?;
        two.send(b"y").await?;
        assert_eq!(one.recv(&mut [0; 1]).await?, 1);
        Ok(())
    });
}

#[test]
fn outside_of_a_kernel_it_says_so() {
    let _guard = Alone::start();
    let (one, _two) = Socket::pair(Domain::UNIX, Type::STREAM, None).unwrap();
    let received = futures::executor::block_on(one.recv(&mut [0; 1]));
    assert!(matches!(received, Err(Error::NoKernel)), "{received:?}");
    let addr = local();
    let connected = futures::executor::block_on(stream().unwrap().connect(&addr));
    assert!(matches!(connected, Err(Error::NoKernel)), "{connected:?}");
}

#[test]
fn who_connects_to_a_path_waits_while_the_queue_is_full() {
    really(async |w| {
        let path = std::env::temp_dir().join(format!("curio-socket-queue-{}", std::process::id()));
        let addr = SockAddr::unix(&path)?;
        let server = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        server.bind(&addr)?;
        server.listen(0)?;
        let client = || Socket::new(Domain::UNIX, Type::STREAM, None);
        let first = client()?;
        first.connect(&addr).await?;
        let (second, third) = (client()?, client()?);
        // (Some systems have room for one more than they say.)
        let mut connected = timeout_after(w.t(1), second.connect(&addr)).await;
        if connected.is_ok() {
            connected = timeout_after(w.t(1), third.connect(&addr)).await;
        }
        is_timeout(connected);
        let last = client()?;
        let connecting = spawn(async move { last.connect(&addr).await });
        while !connecting.terminated() {
            timeout_after(w.t(1), server.accept())
                .await
                .map(drop)
                .or_else(|error| match error {
                    Error::Timeout(_) => Ok(()),
                    error => Err(error),
                })?;
        }
        connecting.join().await?;
        std::fs::remove_file(&path)?;
        Ok(())
    });
}
