//! Servers and their options.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::common::{Alone, counted, run};
#[cfg(target_os = "linux")]
use curio::Kernel;
use curio::net::{ListenOptions, TcpListener, TcpStream};
use curio::{Error, Result, open_connection, run_server, sleep, spawn, tcp_server, timeout_after, yield_now};

use crate::cleanly;

#[test]
fn no_more_clients_at_once_than_allowed() {
    cleanly(async || {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        let (now, most, served) = (
            Rc::new(Cell::new(0)),
            Rc::new(Cell::new(0)),
            Rc::new(Cell::new(0)),
        );
        let handler = {
            let (now, most, served) = (now.clone(), most.clone(), served.clone());
            async move |client: TcpStream, _| {
                now.set(now.get() + 1);
                most.set(most.get().max(now.get()));
                let read = client.read(&mut [0; 1]).await;
                now.set(now.get() - 1);
                served.set(served.get() + 1);
                // Whether it fails, panics or returns, its place is free.
                match served.get() % 3 {
                    0 => Err(Error::other("as it should")),
                    1 => panic!("as it should"),
                    _ => read.map(|_| ()),
                }
            }
        };
        let server = spawn(run_server(listener, handler).max_clients(3));
        let clients: Vec<_> = (0..12)
            .map(|_| {
                spawn(async move {
                    let stream = open_connection(addr).await?;
                    sleep(Duration::from_millis(2)).await?;
                    stream.write_all(b"x").await?;
                    // It is closed when it was served, or reset.
                    let _ = stream.read(&mut [0; 1]).await;
                    Ok(())
                })
            })
            .collect();
        for client in clients {
            client.join().await?;
        }
        assert_eq!((most.get(), served.get()), (3, 12));
        server.cancel().await
    });
}

#[test]
fn a_full_server_can_be_cancelled() {
    cleanly(async || {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        let server = spawn(
            run_server(listener, async |client: TcpStream, _| {
                client.read(&mut [0; 1]).await.map(|_| ())
            })
            .max_clients(1),
        );
        let (one, two) = (open_connection(addr).await?, open_connection(addr).await?);
        sleep(Duration::from_millis(5)).await?;
        server.cancel().await?;
        assert_eq!(one.read(&mut [0; 1]).await?, 0);
        // This one was never accepted: the system resets it.
        assert!(!matches!(two.read(&mut [0; 1]).await, Ok(1..)));
        Ok(())
    });
}

#[test]
#[cfg(target_os = "linux")]
fn several_kernels_share_a_port() {
    let _guard = Alone::start();
    let first = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = first.local_addr().unwrap();
    drop(first);
    let (ready, is_ready) = std::sync::mpsc::channel();
    let (end, ended) = curio_ends();
    let threads: Vec<_> = (0..2u8)
        .map(|n| {
            let (ready, ended) = (ready.clone(), ended.clone());
            std::thread::spawn(move || {
                counted(Kernel::new().unwrap()).run(async move {
                    let options = ListenOptions::new().reuse_port(true);
                    let listener = options.listen(addr)?;
                    ready.send(()).unwrap();
                    let server = spawn(run_server(listener, async move |client: TcpStream, _| {
                        client.write_all(&[n]).await
                    }));
                    ended.wait().await?;
                    server.cancel().await
                })
            })
        })
        .collect();
    is_ready.recv().unwrap();
    is_ready.recv().unwrap();
    // Who does not ask for it does not get it.
    run(async {
        assert!(TcpListener::bind(addr).is_err());
        Ok(())
    })
    .unwrap();
    let mut seen = [0; 2];
    for _ in 0..200 {
        use std::io::Read;
        let mut buf = [0];
        std::net::TcpStream::connect(addr)
            .unwrap()
            .read_exact(&mut buf)
            .unwrap();
        seen[usize::from(buf[0])] += 1;
    }
    assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
    end.set();
    for thread in threads {
        thread.join().unwrap().unwrap();
    }
}

#[cfg(target_os = "linux")]
fn curio_ends() -> (curio::UniversalEvent, curio::UniversalEvent) {
    let event = curio::UniversalEvent::new();
    (event.clone(), event)
}

#[test]
fn the_options_of_a_server_are_those_of_its_listener() {
    cleanly(async || {
        let taken = TcpListener::bind("127.0.0.1:0")?;
        let addr = taken.local_addr()?;
        let handler = async |_: TcpStream, _| Ok(());
        let server = tcp_server(addr, handler).backlog(5).reuse_address(true);
        assert!(format!("{server:?}").contains("Server"));
        assert!(server.await.is_err());
        let server = tcp_server(addr, handler)
            .options(ListenOptions::new().only_v6(false))
            .max_clients(0);
        assert!(server.await.is_err());
        drop(taken);
        let server = tcp_server(addr, handler).backlog(u32::MAX);
        assert!(matches!(
            timeout_after(Duration::from_millis(1), server).await,
            Err(Error::Timeout(_))
        ));
        Ok(())
    });
}

#[test]
fn a_queue_that_is_short_is_short() {
    cleanly(async || {
        let listener = ListenOptions::new().backlog(1).listen("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        let mut held = Vec::new();
        let waited = loop {
            match timeout_after(Duration::from_millis(30), open_connection(addr)).await {
                Ok(stream) => held.push(stream),
                Err(error) => break error,
            }
            assert!(held.len() < 10);
        };
        assert!(waited.is_timeout(), "{waited}");
        Ok(())
    });
}

#[test]
fn outside_of_a_kernel_all_is_one_clear_error() {
    let _guard = Alone::start();
    fn refused<T: std::fmt::Debug>(result: Result<T>) {
        assert!(matches!(result, Err(Error::NoKernel)), "{result:?}");
    }
    refused(TcpListener::bind("127.0.0.1:0"));
    refused(curio::net::UdpSocket::bind("127.0.0.1:0"));
    let handler = async |_: TcpStream, _| Ok(());
    refused(futures::executor::block_on(tcp_server("127.0.0.1:0", handler)));
    let addr = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    refused(futures::executor::block_on(open_connection(addr)));
    #[cfg(unix)]
    {
        use curio::net::{UnixDatagram, UnixListener, UnixStream};
        refused(UnixStream::pair());
        refused(UnixDatagram::pair());
        refused(UnixDatagram::unbound());
        let path = crate::TempPath::new();
        refused(UnixListener::bind(&path.0));
        assert!(!path.0.exists());
        refused(futures::executor::block_on(UnixStream::connect(&path.0)));
    }
}

/// Answers each datagram when it is allowed to.
struct Answer(curio::socketserver::Datagram, Rc<Handled>);

#[derive(Default)]
struct Handled {
    begun: Cell<usize>,
    ended: Cell<usize>,
    most: Cell<usize>,
    go_on: curio::Event,
}

impl curio::socketserver::Handler for Answer {
    async fn handle(&mut self) -> Result<()> {
        let Answer(datagram, handled) = self;
        handled.begun.set(handled.begun.get() + 1);
        let at_work = handled.begun.get() - handled.ended.get();
        handled.most.set(handled.most.get().max(at_work));
        let waited = handled.go_on.wait().await;
        handled.ended.set(handled.ended.get() + 1);
        waited?;
        if datagram.packet == b"nonsense" {
            return Err(Error::other("this is nonsense"));
        }
        datagram.reply(&datagram.packet).await
    }
}

#[test]
fn a_server_for_datagrams_serves_each_by_itself() {
    use curio::net::UdpSocket;
    use curio::socketserver::UdpServer;

    cleanly(async || {
        let handled = Rc::new(Handled::default());
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let addr = socket.local_addr()?;
        let make = {
            let handled = handled.clone();
            move |datagram| Answer(datagram, handled.clone())
        };
        let server = spawn(UdpServer::on(socket, make).max_clients(3).serve_forever());
        let client = UdpSocket::bind("127.0.0.1:0")?;
        for text in ["one", "nonsense", "", "four", "five"] {
            client.send_to(text.as_bytes(), addr).await?;
        }
        // Three are being served, and the others wait.
        while handled.begun.get() < 3 {
            yield_now().await?;
        }
        for _ in 0..100 {
            yield_now().await?;
        }
        assert_eq!(handled.begun.get(), 3);
        handled.go_on.set();
        let (mut answers, mut buf) = (Vec::new(), vec![0; 70_000]);
        for _ in 0..4 {
            let (n, from) = client.recv_from(&mut buf).await?;
            assert_eq!(from, addr);
            answers.push(String::from_utf8_lossy(&buf[..n]).into_owned());
        }
        // One was nonsense, which is its own affair.
        assert_eq!(answers, ["one", "", "four", "five"]);
        assert_eq!(handled.most.get(), 3);
        // Whole, however long; and a client that has gone does not matter either.
        client.send_to(&[7; 60_000], addr).await?;
        assert_eq!(client.recv(&mut buf).await?, 60_000);
        client.send_to(b"goodbye", addr).await?;
        drop(client);
        let next = UdpSocket::bind("127.0.0.1:0")?;
        next.send_to(b"next", addr).await?;
        assert_eq!(next.recv(&mut buf).await?, 4);
        // Those that are being served end with the server.
        handled.go_on.clear();
        let begun = handled.begun.get();
        next.send_to(b"never", addr).await?;
        while handled.begun.get() == begun {
            yield_now().await?;
        }
        server.cancel().await?;
        assert_eq!(handled.begun.get(), handled.ended.get());
        Ok(())
    });
}

struct Idle;

impl curio::socketserver::Handler for Idle {
    async fn handle(&mut self) -> Result<()> {
        sleep(Duration::from_secs(1000)).await
    }
}

/// Reports and the monitor show where a task waits: that is where the server was made, and not inside of it.
#[test]
fn a_server_waits_where_it_was_made() {
    use curio::socketserver::{Request, TcpServer, UdpServer};
    #[cfg(unix)]
    use {crate::TempPath, curio::socketserver::UnixServer, curio::unix_server};

    fn waits_here(server: &curio::Task<()>, label: &str, line: u32) {
        let all: Vec<_> = server
            .where_()
            .iter()
            .map(|(label, place)| (label.as_str(), place.file(), place.line()))
            .collect();
        assert_eq!(all, [(label, file!(), line)]);
    }
    let at = "127.0.0.1:0";
    cleanly(async || {
        let (tcp, udp) = (
            TcpServer::new(at, |_: Request| Idle),
            UdpServer::new(at, |_| Idle),
        );
        let mut servers = vec![
            (line!(), spawn(tcp_server(at, async |_, _| Ok(())))),
            (line!(), spawn(tcp.serve_forever())),
            (line!(), spawn(udp.serve_forever())),
        ];
        #[cfg(unix)]
        let paths = (TempPath::new(), TempPath::new());
        #[cfg(unix)]
        let unix = UnixServer::new(&paths.1.0, |_: Request<_, _>| Idle);
        #[cfg(unix)]
        servers.extend([
            (line!(), spawn(unix_server(&paths.0.0, async |_, _| Ok(())))),
            (line!(), spawn(unix.serve_forever())),
        ]);
        for _ in 0..10 {
            yield_now().await?;
        }
        for (line, server) in servers {
            waits_here(&server, "READ_WAIT", line);
            server.cancel().await?;
        }
        // There is no place for another client.
        let listener = TcpListener::bind(at)?;
        let addr = listener.local_addr()?;
        let patient = async |_: TcpStream, _| sleep(Duration::from_secs(1000)).await;
        let (line, full) = (line!(), run_server(listener, patient));
        let full = spawn(full.max_clients(1));
        let client = TcpStream::connect(addr).await?;
        while full
            .where_()
            .first()
            .is_none_or(|(label, _)| label.as_str() != "SEMA_ACQUIRE")
        {
            yield_now().await?;
        }
        waits_here(&full, "SEMA_ACQUIRE", line);
        drop(client);
        full.cancel().await
    });
}
