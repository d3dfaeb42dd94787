//! 100 MB that are cut off at any moment: the error says how many bytes have left, and the peer got these and no more.

use std::io::Read;
use std::rc::Rc;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use curio::net::{TcpListener, TcpStream, UnixStream};
use curio::stream::SocketStream;
use curio::{Error, Result, sleep, spawn, timeout_after, yield_now};

use crate::Random;
use crate::common::cleanly;

const SIZE: usize = 100_000_000;

/// Bytes in which it shows if some are sent twice or left out: they repeat themselves, but not at any round number.
fn data() -> &'static [u8] {
    static DATA: OnceLock<Vec<u8>> = OnceLock::new();
    DATA.get_or_init(|| {
        let mut random = Random(7);
        let piece: Vec<u8> = (0..100_003).map(|_| random.below(256) as u8).collect();
        let mut data = piece.repeat(SIZE / piece.len() + 1);
        data.truncate(SIZE);
        data
    })
}

/// A thread that takes what comes, at a pace that is not steady, and gives how much that was.
fn peer(mut stream: impl Read + Send + 'static, mut random: Random) -> thread::JoinHandle<usize> {
    let data = data();
    thread::spawn(move || {
        let (mut count, mut buf) = (0, vec![0; 1 << 17]);
        loop {
            let room = 1 + random.below(buf.len() as u64) as usize;
            match stream.read(&mut buf[..room]).unwrap() {
                0 => return count,
                n => {
                    assert!(buf[..n] == data[count..count + n], "wrong bytes at {count}");
                    count += n;
                }
            }
            if random.below(20) == 0 {
                thread::sleep(Duration::from_micros(random.below(300)));
            }
        }
    })
}

/// What can be written to.
enum Way {
    Tcp(TcpStream),
    Unix(UnixStream),
    TcpStream(SocketStream<TcpStream>),
    UnixStream(SocketStream<UnixStream>),
    TcpPieces(SocketStream<TcpStream>),
    UnixPieces(SocketStream<UnixStream>),
}

const WAYS: usize = 6;

impl Way {
    /// One of the ways, with a peer at its other end.
    async fn number(way: usize, random: Random) -> Result<(Way, thread::JoinHandle<usize>)> {
        if way.is_multiple_of(2) {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let other = std::net::TcpStream::connect(listener.local_addr()?)?;
            let stream = listener.accept().await?.0;
            let way = match way {
                0 => Way::Tcp(stream),
                2 => Way::TcpStream(stream.into_stream()),
                _ => Way::TcpPieces(stream.into_stream()),
            };
            Ok((way, peer(other, random)))
        } else {
            let (stream, other) = UnixStream::pair()?;
            let way = match way {
                1 => Way::Unix(stream),
                3 => Way::UnixStream(stream.into_stream()),
                _ => Way::UnixPieces(stream.into_stream()),
            };
            let other = other.into_std()?;
            other.set_nonblocking(false)?;
            Ok((way, peer(other, random)))
        }
    }

    async fn write_all(&mut self, data: &[u8]) -> Result<()> {
        let pieces = data.chunks(997);
        match self {
            Way::Tcp(stream) => stream.write_all(data).await,
            Way::Unix(stream) => stream.write_all(data).await,
            Way::TcpStream(stream) => stream.write_all(data).await,
            Way::UnixStream(stream) => stream.write_all(data).await,
            Way::TcpPieces(stream) => stream.write_lines(pieces).await,
            Way::UnixPieces(stream) => stream.write_lines(pieces).await,
        }
    }
}

/// Timeouts at random moments, and each time it goes on where the error says that it was.
#[test]
fn a_write_of_100_megabytes_that_times_out_again_and_again() {
    let mut all = 0;
    for way in 0..WAYS {
        for seed in 0..2 {
            let mut random = Random(seed * 100 + way as u64);
            cleanly(async || {
                let (mut stream, peer) = Way::number(way, Random(seed)).await?;
                let (mut done, mut timeouts) = (0, 0);
                while done < SIZE {
                    let rest = &data()[done..];
                    // Of all sizes, from almost nothing to milliseconds.
                    let pause = Duration::from_micros(random.below(1 << (4 + timeouts % 10)));
                    match timeout_after(pause, stream.write_all(rest)).await {
                        Ok(()) => done = SIZE,
                        Err(Error::Timeout(progress)) => {
                            done += progress.bytes();
                            timeouts += 1;
                        }
                        Err(error) => return Err(error),
                    }
                }
                drop(stream);
                assert_eq!(peer.join().unwrap(), SIZE);
                all += timeouts;
                Ok(())
            });
        }
    }
    assert!(all > 50, "{all} timeouts show nothing");
}

/// A cancellation at a random moment; the peer counts what it got until then.
#[test]
fn a_write_of_100_megabytes_that_is_cancelled_says_exactly_how_far_it_got() {
    for way in 0..WAYS {
        let mut places = Vec::new();
        for seed in 0..6 {
            let mut random = Random(seed * 100 + way as u64);
            cleanly(async || {
                let (mut stream, peer) = Way::number(way, Random(seed)).await?;
                let stopped = Rc::new(std::cell::Cell::new(0));
                let writer = spawn({
                    let stopped = stopped.clone();
                    async move {
                        let written = stream.write_all(data()).await;
                        stopped.set(match &written {
                            Ok(()) => SIZE,
                            Err(Error::Cancelled(progress)) => progress.bytes(),
                            Err(_) => usize::MAX,
                        });
                        written
                    }
                });
                if seed % 4 == 0 {
                    for _ in 0..random.below(50) {
                        yield_now().await?;
                    }
                } else {
                    sleep(Duration::from_micros(random.below(40_000))).await?;
                }
                writer.cancel().await?;
                assert_eq!(peer.join().unwrap(), stopped.get(), "way {way}, seed {seed}");
                places.push(stopped.get());
                Ok(())
            });
        }
        let in_the_middle = places.iter().filter(|&&n| 0 < n && n < SIZE).count();
        assert!(in_the_middle >= 2, "{places:?} shows nothing");
    }
}
