//! `tests/test_io.py`.
//!
//! | differs | how |
//! |---|---|
//! | names | `readall`, `read_exactly`, `readline`, `writelines` are `read_to_end`, `read_exact`, `read_line`, `write_lines` |
//! | `makefile` | `as_stream`, as in the tests of sockets; a stream over a descriptor is a pipe |
//! | `..._blocking` | `into_std`, `into_file`: the socket leaves the kernel, and a thread of the system has it |
//! | `..._bad_blocking` | no error: what is in the buffer is there to be seen (`buffered`) before |
//! | `e.bytes_read` of a read of so many bytes | none: they are still in the stream |
//! | `test_readlines`, `..._timeout` | `lines()`; what was read is in the caller's list, no matter what comes then |
//! | `test_stream_bad_context`, `test_stream_bad_iter` | `with` and `for` without `async`, which does not compile here |
//! | `test_io_waiting` | which task waits is seen at the task (`state`), not at the descriptor |
//! | `test_io_unregister` | `into_std`, while another task waits |
//!
//! They run on the real clock, where sockets are.

#![cfg(unix)]

use std::io::{Read as _, Write as _};
use std::rc::Rc;
use std::thread;

use curio::net::{TcpListener, TcpStream, UdpSocket};
use curio::stream::{FileStream, SocketStream};
use curio::{
    Busy, Error, Event, Result, State, open_connection, run_server, sleep, spawn, timeout_after, yield_now,
};

use crate::common::World;
use crate::{Results, is_cancelled, really, with};

async fn pair() -> Result<(SocketStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let one = open_connection(listener.local_addr()?).await?;
    one.set_nodelay(true)?;
    Ok((listener.accept().await?.0.into_stream(), one))
}

/// Says these with a pause before each but the first, and then closes.
fn say(w: World, peer: TcpStream, messages: &'static [&'static str]) -> curio::Task<()> {
    spawn(async move {
        for (n, message) in messages.iter().enumerate() {
            if n > 0 {
                sleep(w.t(1)).await?;
            }
            peer.write_all(message.as_bytes()).await?;
        }
        Ok(())
    })
}

#[test]
fn test_socket_blocking() {
    really(async |_| {
        let (s, peer) = pair().await?;
        let mut socket = s.into_inner().into_std()?;
        let thread = thread::spawn(move || {
            socket.write_all(b"OK").unwrap();
            let mut buf = [0; 8];
            let n = socket.read(&mut buf).unwrap();
            buf[..n].to_vec()
        });
        let mut buf = [0; 8];
        assert_eq!(peer.read(&mut buf).await?, 2);
        peer.write_all(b"Message").await?;
        assert_eq!(thread.join().unwrap(), b"Message");
        Ok(())
    });
}

#[test]
fn test_socketstream_blocking() {
    really(async |_| {
        let (mut s, peer) = pair().await?;
        peer.write_all(b"line\n").await?;
        s.read_line(&mut String::new()).await?;
        assert!(s.buffered().is_empty());
        let mut socket = s.into_inner().into_std()?;
        let thread = thread::spawn(move || {
            let mut buf = [0; 4];
            socket.read_exact(&mut buf).unwrap();
            socket.write_all(&buf).unwrap();
        });
        peer.write_all(b"back").await?;
        let mut buf = [0; 4];
        peer.read_exact(&mut buf).await?;
        assert_eq!(&buf, b"back");
        thread.join().unwrap();
        Ok(())
    });
}

#[test]
fn test_filestream_blocking() {
    really(async |_| {
        let (reader, mut writer) = std::io::pipe()?;
        let mut s = FileStream::open(reader)?;
        writer.write_all(b"line\n")?;
        s.read_line(&mut String::new()).await?;
        let mut file = s.into_inner().into_file()?;
        let thread = thread::spawn(move || {
            let mut buf = [0; 4];
            // It blocks: there is nothing yet.
            file.read_exact(&mut buf).unwrap();
            buf
        });
        yield_now().await?;
        writer.write_all(b"back")?;
        assert_eq!(&thread.join().unwrap(), b"back");
        Ok(())
    });
}

#[test]
fn test_socketstream_bad_blocking() {
    really(async |_| {
        let (mut s, peer) = pair().await?;
        peer.write_all(b"line\nmore").await?;
        s.read_line(&mut String::new()).await?;
        assert_eq!(s.buffered(), b"more");
        Ok(())
    });
}

#[test]
fn test_filestream_bad_blocking() {
    really(async |_| {
        let (reader, mut writer) = std::io::pipe()?;
        let mut s = FileStream::open(reader)?;
        writer.write_all(b"line\nmore")?;
        s.read_line(&mut String::new()).await?;
        assert_eq!(s.buffered(), b"more");
        Ok(())
    });
}

#[test]
fn test_read_partial() {
    really(async |_| {
        let (mut s, peer) = pair().await?;
        peer.write_all(b"hello\nworld\n").await?;
        let mut line = String::new();
        s.read_line(&mut line).await?;
        assert_eq!(line, "hello\n");
        let mut buf = [0; 1000];
        assert_eq!(s.read(&mut buf[..2]).await?, 2);
        assert_eq!(&buf[..2], b"wo");
        assert_eq!(s.read(&mut buf).await?, 4);
        assert_eq!(&buf[..4], b"rld\n");
        Ok(())
    });
}

#[test]
fn test_readall() {
    really(async |w| {
        let (mut s, peer) = pair().await?;
        let said = say(w, peer, &["Msg1\n", "Msg2\n", "Msg3\n"]);
        let mut all = Vec::new();
        s.read_to_end(&mut all).await?;
        assert_eq!(all, b"Msg1\nMsg2\nMsg3\n");
        said.join().await
    });
}

#[test]
fn test_readall_partial() {
    really(async |_| {
        let (mut s, peer) = pair().await?;
        peer.write_all(b"hello\nworld\n").await?;
        drop(peer);
        s.read_line(&mut String::new()).await?;
        let mut all = Vec::new();
        s.read_to_end(&mut all).await?;
        assert_eq!(all, b"world\n");
        Ok(())
    });
}

#[test]
fn test_readall_timeout() {
    really(async |w| {
        let (mut s, peer) = pair().await?;
        peer.write_all(b"hello\n").await?;
        let mut all = Vec::new();
        let read = timeout_after(w.t(2), s.read_to_end(&mut all)).await;
        assert!(
            matches!(&read, Err(Error::Timeout(p)) if p.bytes() == 6),
            "{read:?}"
        );
        assert_eq!(all, b"hello\n");
        Ok(())
    });
}

#[test]
fn test_read_exactly() {
    really(async |w| {
        let (mut s, peer) = pair().await?;
        let said = say(w, peer, &["Msg1\n", "Msg2\n", "Msg3\n"]);
        for expected in [b"Msg1\n", b"Msg2\n", b"Msg3\n"] {
            let mut buf = [0; 5];
            s.read_exact(&mut buf).await?;
            assert_eq!(&buf, expected);
        }
        said.join().await
    });
}

#[test]
fn test_read_exactly_incomplete() {
    really(async |w| {
        let (mut s, peer) = pair().await?;
        let said = say(w, peer, &["Msg1\n", "Msg2\n", "Msg3\n"]);
        let error = s.read_exact(&mut [0; 100]).await.unwrap_err();
        assert!(
            matches!(&error, Error::Io(e) if e.kind() == std::io::ErrorKind::UnexpectedEof),
            "{error:?}"
        );
        assert_eq!(s.buffered().len(), 15);
        said.join().await
    });
}

#[test]
fn test_read_exactly_timeout() {
    really(async |w| {
        let (mut s, peer) = pair().await?;
        peer.write_all(b"Msg1\nMsg2\n").await?;
        let read = timeout_after(w.t(2), s.read_exact(&mut [0; 100])).await;
        assert!(matches!(read, Err(Error::Timeout(_))), "{read:?}");
        // Python has them in the error; here the next read gets them.
        assert_eq!(s.buffered(), b"Msg1\nMsg2\n");
        Ok(())
    });
}

#[test]
fn test_readline() {
    really(async |w| {
        let (mut s, peer) = pair().await?;
        let said = say(w, peer, &["Msg1\n", "Msg2\n", "Msg3\n"]);
        for expected in ["Msg1\n", "Msg2\n", "Msg3\n", ""] {
            let mut line = String::new();
            assert_eq!(s.read_line(&mut line).await?, expected.len());
            assert_eq!(line, expected);
        }
        said.join().await
    });
}

#[test]
fn test_readlines() {
    really(async |w| {
        let (mut s, peer) = pair().await?;
        let said = say(w, peer, &["Msg1\n", "Msg2\n", "Msg3\n"]);
        let mut all = Vec::new();
        let mut lines = s.lines();
        while let Some(line) = lines.next().await {
            all.push(line?);
        }
        assert_eq!(all, ["Msg1", "Msg2", "Msg3"]);
        said.join().await
    });
}

#[test]
fn test_readlines_timeout() {
    really(async |w| {
        let (mut s, peer) = pair().await?;
        peer.write_all(b"Msg1\nMsg2\nMsg").await?;
        let mut all = Vec::new();
        let mut lines = s.lines();
        let read = timeout_after(w.t(2), async {
            while let Some(line) = lines.next().await {
                all.push(line?);
            }
            Ok(())
        });
        let read = read.await;
        assert!(matches!(read, Err(Error::Timeout(_))), "{read:?}");
        assert_eq!(all, ["Msg1", "Msg2"]);
        assert_eq!(s.buffered(), b"Msg");
        Ok(())
    });
}

#[test]
fn test_writelines() {
    really(async |_| {
        let (mut s, peer) = pair().await?;
        s.write_lines(["Msg1\n", "Msg2\n", "Msg3\n"]).await?;
        drop(s);
        let mut all = Vec::new();
        peer.into_stream().read_to_end(&mut all).await?;
        assert_eq!(all, b"Msg1\nMsg2\nMsg3\n");
        Ok(())
    });
}

#[test]
fn test_writelines_timeout() {
    really(async |w| {
        let (mut s, peer) = pair().await?;
        let lines = (0..).map(|n| format!("This is line {n}\n"));
        let written = timeout_after(w.t(2), s.write_lines(lines)).await;
        let Err(Error::Timeout(progress)) = written else {
            panic!("{written:?}")
        };
        drop(s);
        let mut all = Vec::new();
        peer.into_stream().read_to_end(&mut all).await?;
        assert_eq!(all.len(), progress.bytes());
        Ok(())
    });
}

#[test]
fn test_write_timeout() {
    really(async |w| {
        let (mut s, peer) = pair().await?;
        let data = vec![b'x'; 100_000_000];
        let written = timeout_after(w.t(2), s.write_all(&data)).await;
        let Err(Error::Timeout(progress)) = written else {
            panic!("{written:?}")
        };
        drop(s);
        let mut all = Vec::new();
        peer.into_stream().read_to_end(&mut all).await?;
        assert_eq!(all.len(), progress.bytes());
        Ok(())
    });
}

#[test]
fn test_iterline() {
    really(async |_| {
        let results = Results::default();
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        let handler = {
            let results = results.clone();
            async move |client: TcpStream, _| {
                let mut s = client.into_stream();
                let mut lines = s.lines();
                while let Some(line) = lines.next().await {
                    results.append(line?);
                }
                results.append("handler done");
                Ok(())
            }
        };
        let server = spawn(run_server(listener, handler));
        let client = open_connection(addr).await?;
        client.write_all(b"Msg1\nMsg2\nMsg3\n").await?;
        client.shutdown(std::net::Shutdown::Write)?;
        assert_eq!(client.read(&mut [0; 1]).await?, 0);
        server.cancel().await?;
        is_cancelled(server.join().await);
        results.are(&["Msg1", "Msg2", "Msg3", "handler done"]);
        Ok(())
    });
}

#[test]
fn test_double_recv() {
    really(async |w| {
        let (s, peer) = pair().await?;
        let s = Rc::new(s.into_inner());
        let bad = spawn(with!(s; {
            let read = s.read(&mut [0; 10]).await;
            assert!(matches!(read, Err(Error::Busy(Busy::Reader))), "{read:?}");
            Ok(())
        }));
        let first = async {
            let mut buf = [0; 10];
            let n = s.read(&mut buf).await?;
            Ok::<_, Error>(buf[..n].to_vec())
        };
        let other = async {
            sleep(w.t(1)).await?;
            bad.join().await?;
            peer.write_all(b"hello").await
        };
        let (first, other) = futures::join!(first, other);
        other?;
        assert_eq!(first?, b"hello");
        Ok(())
    });
}

#[test]
fn test_io_waiting() {
    really(async |w| {
        let (mut s, peer) = pair().await?;
        let (ready, done) = (Event::new(), Event::new());
        let reader = spawn(with!(ready, done; {
            ready.set();
            s.read(&mut [0; 10]).await?;
            done.wait().await
        }));
        ready.wait().await?;
        sleep(w.t(1)).await?;
        assert_eq!(reader.state(), State::Waiting(curio::traps::Label::READ_WAIT));
        peer.write_all(b"x").await?;
        sleep(w.t(1)).await?;
        assert_ne!(reader.state(), State::Waiting(curio::traps::Label::READ_WAIT));
        done.set();
        reader.join().await
    });
}

#[test]
fn test_io_unregister() {
    really(async |w| {
        let socket = Rc::new(UdpSocket::bind("127.0.0.1:0")?);
        let addr = socket.local_addr()?;
        let reader = spawn(with!(socket; socket.recv(&mut [0; 100]).await));
        yield_now().await?;
        // The reader leaves, then the socket; the next one at its place is another.
        reader.cancel().await?;
        is_cancelled(reader.join().await);
        let socket = Rc::into_inner(socket).unwrap().into_std()?;
        let again = UdpSocket::from_std(socket.try_clone()?)?;
        let reader = spawn(async move { again.recv(&mut [0; 100]).await });
        sleep(w.t(1)).await?;
        UdpSocket::bind("127.0.0.1:0")?.send_to(b"hello", addr).await?;
        assert_eq!(reader.join().await?, 5);
        Ok(())
    });
}

#[test]
fn test_sendall_cancel() {
    really(async |w| {
        let (s, peer) = pair().await?;
        let sent = spawn(async move {
            let socket = s.into_inner();
            let data = vec![b'x'; 10_000_000];
            let Err(Error::Cancelled(progress)) = socket.write_all(&data).await else {
                panic!("it was not cancelled")
            };
            Ok(progress.bytes())
        });
        sleep(w.t(1)).await?;
        sent.cancel().await?;
        let mut all = Vec::new();
        peer.into_stream().read_to_end(&mut all).await?;
        assert_eq!(all.len(), sent.join().await?);
        Ok(())
    });
}
