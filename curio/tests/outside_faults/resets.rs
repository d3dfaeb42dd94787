//! A reset, wherever it finds a connection: it is told to whoever reads or writes, once, and nothing is left of it.

use std::io::{self, ErrorKind, Write};
use std::net::{Shutdown, TcpStream as StdStream};
use std::rc::Rc;
use std::time::Duration;

use curio::net::{TcpListener, TcpStream};
use curio::{Error, Result, run_server, spawn, yield_now};

use crate::common::cleanly;

/// Ends a connection with a reset instead of a farewell.
fn reset(peer: StdStream) -> io::Result<()> {
    socket2::SockRef::from(&peer).set_linger(Some(Duration::ZERO))
}

/// A connection, and its other end.
async fn connection() -> Result<(TcpStream, StdStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let peer = StdStream::connect(listener.local_addr()?)?;
    Ok((listener.accept().await?.0, peer))
}

#[track_caller]
fn is<T: std::fmt::Debug>(result: Result<T>, kinds: &[ErrorKind]) {
    match result {
        Err(Error::Io(error)) if kinds.contains(&error.kind()) => {}
        other => panic!("{other:?} instead of {kinds:?}"),
    }
}

const READ: &[ErrorKind] = &[ErrorKind::ConnectionReset];
/// The first write tells of the reset, a later one of the broken pipe; the system does not say which is first.
const WRITE: &[ErrorKind] = &[ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];

#[test]
fn at_the_connect() {
    cleanly(async || {
        // The answer to the attempt is a reset: nobody is there.
        let addr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        is(TcpStream::connect(addr).await, &[ErrorKind::ConnectionRefused]);
        // The system has taken the connection, and the server goes away without taking it from there.
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let stream = TcpStream::connect(listener.local_addr()?).await?;
        drop(listener);
        is(stream.read(&mut [0; 10]).await, READ);
        is(stream.write_all(&[0; 10]).await, WRITE);
        Ok(())
    });
}

#[test]
fn before_the_accept() {
    cleanly(async || {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        for _ in 0..3 {
            reset(StdStream::connect(addr)?)?;
        }
        let patient = StdStream::connect(addr)?;
        // Linux hands them out all the same. Others leave them out, and then this one is the first.
        let mut resets = 0;
        loop {
            let (stream, from) = listener.accept().await?;
            if from == patient.local_addr()? {
                break;
            }
            is(stream.read(&mut [0; 10]).await, READ);
            resets += 1;
        }
        assert!(resets == 3 || !cfg!(target_os = "linux"));
        // And a server goes on.
        reset(StdStream::connect(addr)?)?;
        let server = spawn(run_server(listener, async |stream: TcpStream, _| {
            let mut byte = [0];
            stream.read_exact(&mut byte).await?;
            stream.write_all(&byte).await
        }));
        let client = TcpStream::connect(addr).await?;
        client.write_all(b"!").await?;
        client.read_exact(&mut [0]).await?;
        server.cancel().await
    });
}

#[test]
fn before_one_reads() {
    cleanly(async || {
        let (stream, peer) = connection().await?;
        reset(peer)?;
        is(stream.read(&mut [0; 10]).await, READ);
        // It is told once; then the connection is just over.
        assert_eq!(stream.read(&mut [0; 10]).await?, 0);

        // In the middle of what one asks for: a stream with a buffer keeps what has come.
        let (stream, mut peer) = connection().await?;
        let mut stream = stream.into_stream();
        peer.write_all(b"a line\nhalf a li")?;
        let mut line = String::new();
        assert_eq!(stream.read_line(&mut line).await?, 7);
        reset(peer)?;
        is(stream.read_line(&mut line).await, READ);
        assert_eq!(line, "a line\n");
        assert_eq!(stream.buffered(), b"half a li");
        Ok(())
    });
}

#[test]
fn while_one_reads() {
    cleanly(async || {
        let (stream, peer) = connection().await?;
        let reader = spawn(async move {
            is(stream.read_exact(&mut [0; 10]).await, READ);
            Ok(())
        });
        yield_now().await?;
        reset(peer)?;
        reader.join().await
    });
}

#[test]
fn before_one_writes() {
    cleanly(async || {
        let (stream, peer) = connection().await?;
        reset(peer)?;
        is(stream.write_all(&[0; 10]).await, WRITE);
        is(stream.write_all(&[0; 10]).await, WRITE);
        is(stream.into_stream().write_lines(["a line"]).await, WRITE);
        Ok(())
    });
}

#[test]
fn while_one_writes() {
    cleanly(async || {
        let (stream, peer) = connection().await?;
        let writer = spawn(async move {
            is(stream.write_all(&vec![0; 30_000_000]).await, WRITE);
            Ok(())
        });
        while writer.state().as_str() != "WRITE_WAIT" {
            yield_now().await?;
        }
        reset(peer)?;
        writer.join().await
    });
}

#[test]
fn while_one_reads_and_another_writes() {
    cleanly(async || {
        let (stream, peer) = connection().await?;
        let stream = Rc::new(stream);
        let reader = spawn({
            let stream = stream.clone();
            async move { stream.read(&mut [0; 10]).await }
        });
        let writer = spawn(async move { stream.write_all(&vec![0; 30_000_000]).await });
        while writer.state().as_str() != "WRITE_WAIT" {
            yield_now().await?;
        }
        reset(peer)?;
        // Both are woken. The system tells one of them what has happened.
        let (read, wrote) = (reader.join().await, writer.join().await);
        let cause = |error: Error| error.to_string();
        let wrote = cause(wrote.unwrap_err());
        assert!(wrote.contains("reset") || wrote.contains("roken pipe"), "{wrote}");
        match read {
            Ok(n) => assert_eq!(n, 0),
            Err(error) => assert!(cause(error).contains("reset")),
        }
        Ok(())
    });
}

#[test]
fn after_half_of_it_was_closed() {
    cleanly(async || {
        // By us: we have said everything, and wait for the answer.
        let (stream, peer) = connection().await?;
        stream.write_all(b"question").await?;
        stream.shutdown(Shutdown::Write)?;
        let reader = spawn(async move {
            is(stream.read(&mut [0; 10]).await, READ);
            is(stream.write_all(b"more").await, WRITE);
            Ok(())
        });
        yield_now().await?;
        reset(peer)?;
        reader.join().await?;

        // By the peer: it has said everything, and we answer.
        let (stream, peer) = connection().await?;
        peer.shutdown(Shutdown::Write)?;
        assert_eq!(stream.read(&mut [0; 10]).await?, 0);
        let writer = spawn(async move {
            is(stream.write_all(&vec![0; 30_000_000]).await, WRITE);
            assert_eq!(stream.read(&mut [0; 10]).await?, 0);
            Ok(())
        });
        while writer.state().as_str() != "WRITE_WAIT" {
            yield_now().await?;
        }
        reset(peer)?;
        writer.join().await
    });
}

/// The halves of a connection end one at a time, whoever begins, and each says so once it is over.
#[test]
fn half_closed_by_each_in_turn() {
    cleanly(async || {
        for first in [true, false] {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let one = TcpStream::connect(listener.local_addr()?).await?;
            let two = listener.accept().await?.0;
            let (closes, stays) = if first { (one, two) } else { (two, one) };
            let waits = spawn(async move {
                let mut all = Vec::new();
                closes.shutdown(Shutdown::Write)?;
                is(closes.write(b"more").await, &[ErrorKind::BrokenPipe]);
                closes.into_stream().read_to_end(&mut all).await?;
                Ok(all)
            });
            assert_eq!(stays.read(&mut [0; 10]).await?, 0);
            for _ in 0..100 {
                stays.write_all(&[7; 10_000]).await?;
                assert_eq!(stays.read(&mut [0; 10]).await?, 0);
                yield_now().await?;
            }
            stays.shutdown(Shutdown::Write)?;
            assert_eq!(waits.join().await?, [7; 1_000_000]);
        }
        Ok(())
    });
}
