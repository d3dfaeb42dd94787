//! What a peer can do to a server and to a stream of bytes: reset at each step, half-close, send a byte at a time. (What else
//! there is between a program and the world is in `outside_faults`.)

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream as StdStream};
use std::thread;
use std::time::Duration;

use curio::net::{TcpListener, TcpStream};
use curio::{Error, run_server, sleep, spawn, timeout_after, yield_now};

use crate::{cleanly, pair};

/// Small and good enough.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) % n
    }
}

/// What a reset finds a server doing.
#[test]
fn a_reset_at_each_step_ends_one_client_only() {
    cleanly(async || {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        let server = spawn(run_server(listener, async |client: TcpStream, _| {
            let mut line = [0; 4];
            client.read_exact(&mut line).await?;
            client.write_all(&vec![7; 3_000_000]).await?;
            client.read_exact(&mut line).await?;
            client.shutdown(Shutdown::Write)
        }));
        for step in 0..6 {
            let steps = thread::spawn(move || -> std::io::Result<()> {
                let mut stream = StdStream::connect(addr)?;
                let rest = |stream: &mut StdStream, n: usize| stream.read_exact(&mut vec![0; n]);
                if step > 0 {
                    stream.write_all(b"pi")?;
                }
                if step > 1 {
                    stream.write_all(b"ng")?;
                    rest(&mut stream, 1000)?;
                }
                if step > 2 {
                    rest(&mut stream, 2_999_000)?;
                }
                if step > 3 {
                    stream.write_all(b"po")?;
                }
                if step > 4 {
                    stream.write_all(b"ng")?;
                    assert_eq!(stream.read(&mut [0; 10])?, 0);
                }
                // The close of this socket is a reset.
                socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))
            });
            while !steps.is_finished() {
                sleep(Duration::from_millis(1)).await?;
            }
            steps.join().unwrap()?;
            // The next one is served all the same.
            let next = TcpStream::connect(addr).await?;
            next.write_all(b"ping").await?;
            let mut all = vec![0; 3_000_000];
            next.read_exact(&mut all).await?;
            next.write_all(b"pong").await?;
            assert_eq!(next.read(&mut [0; 10]).await?, 0);
        }
        server.cancel().await
    });
}

#[test]
fn each_half_can_be_closed_while_the_other_goes_on() {
    cleanly(async || {
        let (one, two) = pair().await?;
        one.write_all(b"question").await?;
        one.shutdown(Shutdown::Write)?;
        let mut buf = [0; 100];
        assert_eq!(two.read(&mut buf).await?, 8);
        // The end is seen as often as one looks, and does not hinder the other direction.
        for _ in 0..3 {
            assert_eq!(two.read(&mut buf).await?, 0);
            two.write_all(b"answer").await?;
            assert_eq!(one.read(&mut buf).await?, 6);
        }
        let late = one.write(b"too late").await;
        assert!(
            matches!(&late, Err(Error::Io(e)) if e.kind() == std::io::ErrorKind::BrokenPipe),
            "{late:?}"
        );
        two.shutdown(Shutdown::Both)?;
        assert_eq!(one.read(&mut buf).await?, 0);
        Ok(())
    });
}

/// It holds nobody else up, and what it says arrives in one piece for those who ask for that.
#[test]
fn a_peer_that_sends_a_byte_at_a_time() {
    cleanly(async || {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        let peer = thread::spawn(move || {
            let mut stream = StdStream::connect(addr).unwrap();
            stream.set_nodelay(true).unwrap();
            for n in 0..100u8 {
                stream.write_all(&[n]).unwrap();
                thread::sleep(Duration::from_micros(300));
            }
            stream
        });
        let (stream, _) = listener.accept().await?;
        let mut all = [0; 100];
        let mut done = 0;
        // Interrupted again and again, none is lost.
        while done < all.len() {
            let read = stream.read_exact(&mut all[done..]);
            match timeout_after(Duration::from_millis(2), read).await {
                Ok(()) => done = all.len(),
                Err(Error::Timeout(progress)) => done += progress.bytes(),
                Err(error) => return Err(error),
            }
        }
        assert!(all.iter().enumerate().all(|(n, &byte)| byte == n as u8));
        drop(peer.join().unwrap());
        assert_eq!(stream.read(&mut all).await?, 0);
        Ok(())
    });
}

/// A look does not take away what the next event would tell.
#[test]
fn a_look_and_then_a_read() {
    cleanly(async || {
        let (one, two) = pair().await?;
        let reader = spawn(async move {
            let mut buf = [0; 100];
            for round in 0..50u8 {
                let n = two.peek(&mut buf).await?;
                assert!(n >= 1 && buf[0] == round);
                assert_eq!(two.read(&mut buf[..1]).await?, 1);
            }
            assert_eq!(two.peek(&mut buf).await?, 0);
            Ok(())
        });
        for round in 0..50u8 {
            one.write_all(&[round]).await?;
            if round % 3 == 0 {
                yield_now().await?;
            }
        }
        drop(one);
        reader.join().await
    });
}

/// A socket that came from outside is taken off the selector when it is dropped: a copy keeps it open, and events would
/// come for nobody, or for whoever has its number then.
#[test]
fn a_copy_of_a_socket_disturbs_nobody() {
    cleanly(async || {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        for _ in 0..50 {
            let client = StdStream::connect(addr)?;
            let copy = client.try_clone()?;
            let stream = TcpStream::from_std(client)?;
            let (server, _) = listener.accept().await?;
            server.write_all(b"one").await?;
            stream.read_exact(&mut [0; 3]).await?;
            drop(stream);
            // Most likely under the number that it had.
            let again = copy.try_clone()?;
            // Events for the copy, while another socket has the place.
            let (other, _another) = pair().await?;
            server.write_all(b"two").await?;
            let waited = timeout_after(Duration::from_micros(100), other.read(&mut [0; 10])).await;
            assert!(matches!(waited, Err(Error::Timeout(_))));
            drop(other);
            drop(copy);
            let again = TcpStream::from_std(again)?;
            again.read_exact(&mut [0; 3]).await?;
        }
        Ok(())
    });
}
