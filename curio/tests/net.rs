//! Sockets, against the real system.

mod common;

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream as StdStream};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use common::{Alone, cleanly, counted, run};
use curio::net::{TcpListener, TcpStream};
use curio::{
    Busy, Error, Kernel, Result, clock, open_connection, run_server, sleep, spawn, tcp_server, timeout_after,
};

const SEC: Duration = Duration::from_secs(1);
async fn echo(client: TcpStream, _addr: SocketAddr) -> Result<()> {
    let mut data = vec![0; 16 * 1024];
    loop {
        match client.read(&mut data).await? {
            0 => return Ok(()),
            n => client.write_all(&data[..n]).await?,
        }
    }
}

/// A connected pair.
async fn pair() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let one = TcpStream::connect(listener.local_addr()?).await?;
    let (two, _) = listener.accept().await?;
    Ok((one, two))
}

#[test]
fn an_echo_server_serves_blocking_clients() {
    cleanly(async || {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        let server = spawn(run_server(listener, echo));
        let (done, finished) = futures::channel::oneshot::channel();
        let clients = thread::spawn(move || {
            let threads: Vec<_> = (0..20u8)
                .map(|n| {
                    thread::spawn(move || {
                        let mut stream = StdStream::connect(addr).unwrap();
                        for size in [1, 100, 70_000] {
                            let message = vec![n; size];
                            let mut writer = stream.try_clone().unwrap();
                            let to_write = message.clone();
                            let writing = thread::spawn(move || writer.write_all(&to_write).unwrap());
                            let mut answer = vec![0; size];
                            stream.read_exact(&mut answer).unwrap();
                            writing.join().unwrap();
                            assert_eq!(answer, message);
                        }
                    })
                })
                .collect();
            threads.into_iter().for_each(|t| t.join().unwrap());
            done.send(()).unwrap();
        });
        finished.await.map_err(Error::other)?;
        clients.join().unwrap();
        server.cancel().await
    });
}

#[test]
fn a_cancelled_server_takes_its_clients_along() {
    cleanly(async || {
        let goodbyes = Rc::new(Cell::new(0));
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        let server = spawn(run_server(listener, {
            let goodbyes = goodbyes.clone();
            async move |client: TcpStream, _| {
                let r = client.read(&mut [0; 10]).await;
                if r.is_err() {
                    goodbyes.set(goodbyes.get() + 1);
                    client.write_all(b"bye").await?;
                }
                r.map(|_| ())
            }
        }));
        let (one, two) = (open_connection(addr).await?, open_connection(addr).await?);
        sleep(Duration::from_millis(5)).await?;
        while goodbyes.get() == 0 {
            server.cancel().await?;
        }
        assert_eq!(goodbyes.get(), 2);
        for stream in [one, two] {
            let mut bye = [0; 3];
            stream.read_exact(&mut bye).await?;
            assert_eq!(&bye, b"bye");
        }
        // Also when the server's future is dropped on the way.
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        let mut server = Box::pin(run_server(listener, echo));
        let client = async {
            let stream = open_connection(addr).await?;
            stream.write_all(b"x").await?;
            stream.read_exact(&mut [0; 1]).await?;
            Ok::<_, Error>(stream)
        };
        let stream = {
            let client = std::pin::pin!(client);
            match futures::future::select(server.as_mut(), client).await {
                futures::future::Either::Right((stream, _)) => stream?,
                futures::future::Either::Left((ended, _)) => panic!("{ended:?}"),
            }
        };
        drop(server);
        assert_eq!(stream.read(&mut [0; 1]).await?, 0);
        Ok(())
    });
}

#[test]
fn bad_addresses_and_ports_in_use_are_clear_errors() {
    cleanly(async || {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        let error = TcpListener::bind(addr).unwrap_err();
        assert!(
            matches!(&error, Error::Io(e) if e.kind() == io::ErrorKind::AddrInUse),
            "{error:?}"
        );
        let error = tcp_server("nowhere", echo).await.unwrap_err();
        assert!(
            error.to_string().contains("\"nowhere\" is not an address"),
            "{error}"
        );
        drop(listener);
        let error = open_connection(addr).await.unwrap_err();
        assert!(
            matches!(&error, Error::Io(e) if e.kind() == io::ErrorKind::ConnectionRefused),
            "{error:?}"
        );
        // The first of several that works.
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let both = [addr, listener.local_addr()?];
        let stream = open_connection(&both[..]).await?;
        assert_eq!(stream.peer_addr()?, listener.local_addr()?);
        Ok(())
    });
}

#[test]
fn the_second_reader_is_told_that_the_seat_is_taken() {
    cleanly(async || {
        let (one, two) = pair().await?;
        let one = Rc::new(one);
        let reader = spawn({
            let one = one.clone();
            async move { one.read(&mut [0; 10]).await }
        });
        curio::yield_now().await?;
        assert!(matches!(
            one.read(&mut [0; 10]).await,
            Err(Error::Busy(Busy::Reader))
        ));
        // Writing is another matter, and the first reader is unharmed.
        one.write_all(b"abc").await?;
        two.write_all(b"hello").await?;
        assert_eq!(reader.join().await?, 5);
        // A reader that was cancelled leaves its seat.
        let reader = spawn({
            let one = one.clone();
            async move { one.read(&mut [0; 10]).await }
        });
        curio::yield_now().await?;
        reader.cancel().await?;
        two.write_all(b"x").await?;
        assert_eq!(one.read(&mut [0; 10]).await?, 1);
        Ok(())
    });
}

#[test]
fn closing_wakes_those_who_wait() {
    cleanly(async || {
        let (one, _two) = pair().await?;
        let one = Rc::new(one);
        let reader = spawn({
            let one = one.clone();
            async move { one.read(&mut [0; 10]).await }
        });
        let listener = Rc::new(TcpListener::bind("127.0.0.1:0")?);
        let acceptor = spawn({
            let listener = listener.clone();
            async move { listener.accept().await }
        });
        curio::yield_now().await?;
        one.close();
        listener.close();
        for (name, error) in [
            ("reader", reader.join().await.unwrap_err()),
            ("acceptor", acceptor.join().await.map(|_| ()).unwrap_err()),
        ] {
            assert!(error.to_string().ends_with("closed"), "{name}: {error}");
        }
        assert!(matches!(one.write(b"x").await, Err(Error::Closed)));
        Ok(())
    });
}

#[test]
fn an_interrupted_write_says_how_far_it_got() {
    cleanly(async || {
        let (one, two) = pair().await?;
        let data: Vec<u8> = (0..20_000_000u32).map(|n| n as u8).collect();
        let error = timeout_after(Duration::from_millis(20), one.write_all(&data))
            .await
            .unwrap_err();
        let Error::Timeout(progress) = error else {
            panic!("{error:?}")
        };
        assert!(progress.bytes() > 0 && progress.bytes() < data.len());
        one.shutdown(Shutdown::Write)?;
        let mut received = Vec::new();
        let mut buf = vec![0; 1 << 16];
        loop {
            match two.read(&mut buf).await? {
                0 => break,
                n => received.extend_from_slice(&buf[..n]),
            }
        }
        assert_eq!(received.len(), progress.bytes());
        assert!(received == data[..received.len()]);

        // And an interrupted read_exact how much is in the buffer.
        two.write_all(b"abc").await?;
        let mut buf = [0; 10];
        let error = timeout_after(Duration::from_millis(10), one.read_exact(&mut buf))
            .await
            .unwrap_err();
        assert!(matches!(&error, Error::Timeout(p) if p.bytes() == 3), "{error}");
        assert_eq!(&buf[..3], b"abc");
        Ok(())
    });
}

#[test]
fn ends_and_resets() {
    cleanly(async || {
        // Data and the end in one event.
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        let peer = thread::spawn(move || {
            let mut stream = StdStream::connect(addr).unwrap();
            stream.write_all(b"last words").unwrap();
        });
        let (stream, _) = listener.accept().await?;
        peer.join().unwrap();
        let mut buf = [0; 100];
        assert_eq!(stream.read(&mut buf).await?, 10);
        assert_eq!(stream.read(&mut buf).await?, 0);
        assert_eq!(stream.read(&mut buf).await?, 0);
        let error = stream.read_exact(&mut buf).await.unwrap_err();
        assert!(matches!(&error, Error::Io(e) if e.kind() == io::ErrorKind::UnexpectedEof));

        // A reset while we read, and while we write.
        for write in [false, true] {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let peer = StdStream::connect(listener.local_addr()?)?;
            let (stream, _) = listener.accept().await?;
            let waiting = spawn(async move {
                let data = vec![0; 20_000_000];
                if write {
                    stream.write_all(&data).await
                } else {
                    stream.read_exact(&mut [0; 100]).await
                }
            });
            curio::yield_now().await?;
            // The close of this socket is a reset.
            socket2::SockRef::from(&peer).set_linger(Some(Duration::ZERO))?;
            drop(peer);
            let error = waiting.join().await.unwrap_err();
            let text = error.to_string();
            assert!(text.contains("reset") || text.contains("roken pipe"), "{text}");
        }
        Ok(())
    });
}

#[test]
fn one_byte_at_a_time() {
    cleanly(async || {
        let (one, two) = pair().await?;
        one.set_nodelay(true)?;
        let writer = spawn(async move {
            for n in 0..2000u32 {
                one.write_all(&[n as u8]).await?;
                if n % 3 == 0 {
                    curio::yield_now().await?;
                }
            }
            Ok(())
        });
        let mut all = vec![0; 2000];
        two.read_exact(&mut all).await?;
        assert!(all.iter().enumerate().all(|(n, &b)| b == n as u8));
        writer.join().await?;
        assert_eq!(two.read(&mut all).await?, 0);
        Ok(())
    });
}

#[test]
fn a_connection_attempt_can_be_given_up() {
    cleanly(async || {
        // A listener whose queue is full answers no more.
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
        socket.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into())?;
        socket.listen(0)?;
        let addr = socket.local_addr()?.as_socket().unwrap();
        let mut held = Vec::new();
        let error = loop {
            match timeout_after(Duration::from_millis(30), open_connection(addr)).await {
                Ok(stream) => held.push(stream),
                Err(error) => break error,
            }
            assert!(held.len() < 100);
        };
        assert!(error.is_timeout(), "{error}");
        Ok(())
    });
}

#[test]
fn a_busy_socket_does_not_starve_the_others() {
    cleanly(async || {
        let (one, two) = pair().await?;
        let flood = spawn(async move {
            let data = vec![1; 1 << 16];
            loop {
                one.write_all(&data).await?;
            }
            #[allow(unreachable_code)]
            Ok(())
        });
        let drain = spawn(async move {
            let mut buf = vec![0; 100];
            loop {
                if two.read(&mut buf).await? == 0 {
                    return Ok(());
                }
            }
        });
        let start = clock();
        for _ in 0..20 {
            sleep(Duration::from_millis(1)).await?;
        }
        assert!(clock() - start < 60 * SEC);
        drain.cancel().await?;
        flood.cancel().await
    });
}

#[test]
fn a_socket_of_another_kernel_is_refused() {
    let _guard = Alone::start();
    let one = Kernel::new().unwrap(); // is not counted: a socket of it outlives it
    let two = counted(Kernel::new().unwrap());
    let listener = one.run(async { TcpListener::bind("127.0.0.1:0") }).unwrap();
    assert!(matches!(two.run(listener.accept()), Err(Error::NoKernel)));
    drop(one);
    assert!(matches!(two.run(listener.accept()), Err(Error::NoKernel)));
    listener.close();
}

#[test]
fn what_the_futures_say_when_shown() {
    let _guard = Alone::start();
    run(async {
        let (one, _two) = pair().await?;
        assert!(
            format!("{one:?}").starts_with("TcpStream { peer_addr: Some(127.0.0.1:"),
            "{one:?}"
        );
        Ok(())
    })
    .unwrap();
}

// ---- Names

#[test]
fn names_are_looked_up() {
    let _guard = Alone::start();
    run(async {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let server = spawn(async move {
            for _ in 0..2 {
                let (client, _) = listener.accept().await?;
                client.write_all(b"hello").await?;
            }
            Ok(())
        });
        for stream in [
            TcpStream::connect(("localhost", port)).await?,
            curio::open_connection(format!("localhost:{port}")).await?,
        ] {
            let mut greeting = [0; 5];
            stream.read_exact(&mut greeting).await?;
            assert_eq!(&greeting, b"hello");
        }
        server.join().await?;
        let error = TcpStream::connect(("no such host.invalid", 1)).await.unwrap_err();
        assert!(
            error
                .to_string()
                .contains("cannot look up \"no such host.invalid\""),
            "{error}"
        );
        let error = curio::tcp_server("no such host.invalid:1", async |_, _| Ok(()))
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Io(_)), "{error}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_lookup_can_be_interrupted() {
    let _guard = Alone::start();
    let kernel = counted(curio::Kernel::builder().max_worker_threads(1).build().unwrap());
    kernel
        .run(async {
            // The only worker is busy, so the lookup waits for as long as it likes.
            let (release, released) = std::sync::mpsc::channel::<()>();
            let busy = spawn(curio::run_in_thread(move || released.recv().is_err()));
            sleep(Duration::ZERO).await?;
            let limit = Duration::from_millis(2);
            let error = timeout_after(limit, TcpStream::connect("localhost:1"))
                .await
                .unwrap_err();
            assert!(error.is_timeout());
            drop(release);
            busy.join().await.map(drop)
        })
        .unwrap();
}
