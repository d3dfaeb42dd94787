//! Streams over connections that are made by this very system: pieces, lines, interruptions at any byte.

use std::rc::Rc;
use std::time::Duration;

use curio::net::UnixStream;
use curio::stream::{SocketStream, Stream};
use curio::{
    Busy, Error, Result, TaskGroup, disable_cancellation, open_connection, sleep, spawn, timeout_after,
    yield_now,
};

use crate::common::lets_others_run;
use crate::faults::Random;
use crate::{cleanly, pair};

const MS: Duration = Duration::from_millis(1);

fn is_timeout<T: std::fmt::Debug>(result: Result<T>) {
    assert!(matches!(result, Err(Error::Timeout(_))), "{result:?}");
}

fn streams() -> Result<(SocketStream<UnixStream>, UnixStream)> {
    let (one, two) = UnixStream::pair()?;
    Ok((one.into_stream(), two))
}

#[test]
fn every_way_to_read_takes_from_the_same_buffer() {
    cleanly(async || {
        let (mut s, peer) = streams()?;
        peer.write_all(b"line one\nline two\r\n12345678the rest\nand more")
            .await?;
        drop(peer);
        let mut line = String::from("> ");
        assert_eq!(s.read_line(&mut line).await?, 9);
        assert_eq!(line, "> line one\n");
        assert_eq!(s.lines().next().await.unwrap()?, "line two");
        let mut buf = [0; 4];
        s.read_exact(&mut buf).await?;
        assert_eq!(&buf, b"1234");
        assert_eq!(s.read(&mut buf).await?, 4);
        assert_eq!(s.buffered(), b"the rest\nand more");
        let mut bytes = Vec::new();
        assert_eq!(s.read_until(b' ', &mut bytes).await?, 4);
        assert_eq!(s.read_to_end(&mut bytes).await?, 13);
        assert_eq!(bytes, b"the rest\nand more");
        assert_eq!(s.read(&mut buf).await?, 0);
        assert_eq!(s.read_line(&mut line).await?, 0);
        assert!(s.lines().next().await.is_none());
        Ok(())
    });
}

#[test]
fn a_peer_that_sends_a_byte_at_a_time_is_read_in_lines() {
    cleanly(async || {
        let (mut s, peer) = streams()?;
        let text = "one\n\nthree\r\nfour and five\nsix";
        let writer = spawn(async move {
            for byte in text.bytes() {
                peer.write_all(&[byte]).await?;
                yield_now().await?;
            }
            Ok(())
        });
        let mut all = Vec::new();
        let mut lines = s.lines();
        while let Some(line) = lines.next().await {
            all.push(line?);
        }
        assert_eq!(all, ["one", "", "three", "four and five", "six"]);
        writer.join().await
    });
}

/// Drops the operation if it has to wait.
async fn or_dropped<T>(operation: impl Future<Output = Result<T>> + Unpin) -> Option<Result<T>> {
    match futures::future::select(operation, yield_now()).await {
        futures::future::Either::Left((result, _)) => Some(result),
        futures::future::Either::Right(_) => None,
    }
}

/// T1: reads are interrupted again and again, wherever, and nothing is lost, doubled or out of order.
#[test]
fn whatever_is_interrupted_no_byte_is_lost() {
    let (mut interrupted, mut dropped) = (0, 0);
    for seed in 0..20 {
        cleanly(async || {
            let (mut s, peer) = streams()?;
            let mut random = Random(seed);
            let data: Rc<Vec<u8>> = Rc::new(
                (0..40_000)
                    .map(|_| match random.below(20) {
                        0 => b'\n',
                        n => b'a' + n as u8,
                    })
                    .collect(),
            );
            let writer = spawn({
                let (data, mut random) = (data.clone(), Random(seed + 1));
                async move {
                    let mut rest = &data[..];
                    while !rest.is_empty() {
                        let n = rest.len().min(1 + random.below(300) as usize);
                        peer.write_all(&rest[..n]).await?;
                        rest = &rest[n..];
                        // Sometimes the reader must wait, and sometimes not.
                        match random.below(3) {
                            0 => sleep(Duration::from_micros(20)).await?,
                            _ => yield_now().await?,
                        }
                    }
                    Ok(())
                }
            });
            let mut read = Vec::new();
            let mut ended = false;
            while !ended {
                let limit = Duration::from_micros(random.below(3));
                let before = read.len();
                let mut buf = vec![0; 1 + random.below(2000) as usize];
                let result: Result<usize> = match random.below(5) {
                    0 => timeout_after(limit, s.read_until(b'\n', &mut read)).await,
                    1 => match timeout_after(limit, s.read_exact(&mut buf)).await {
                        Ok(()) => Ok(buf.len()).inspect(|_| read.extend_from_slice(&buf)),
                        Err(Error::Io(_)) => s.read_to_end(&mut read).await,
                        Err(error) => Err(error),
                    },
                    2 => timeout_after(limit, s.read(&mut buf)).await.inspect(|&n| {
                        read.extend_from_slice(&buf[..n]);
                    }),
                    3 => {
                        let mut text = String::new();
                        let line = or_dropped(s.read_line(&mut text)).await;
                        read.extend_from_slice(text.as_bytes());
                        line.unwrap_or(Ok(usize::MAX))
                    }
                    _ => match or_dropped(s.read_exact(&mut buf)).await {
                        Some(Ok(())) => Ok(buf.len()).inspect(|_| read.extend_from_slice(&buf)),
                        Some(Err(Error::Io(_))) => s.read_to_end(&mut read).await,
                        Some(Err(error)) => Err(error),
                        None => Ok(usize::MAX),
                    },
                };
                match result {
                    Ok(0) => ended = true,
                    Ok(usize::MAX) => dropped += 1,
                    Ok(_) => {}
                    Err(Error::Timeout(_)) => {
                        interrupted += 1;
                        assert_eq!(read.len(), before);
                    }
                    Err(error) => return Err(error),
                }
            }
            writer.join().await?;
            assert!(read == *data, "{} of {} bytes", read.len(), data.len());
            Ok(())
        });
    }
    assert!(
        interrupted > 50 && dropped > 50,
        "{interrupted} and {dropped} show nothing"
    );
}

#[test]
fn a_line_that_never_ends_takes_no_more_memory_than_allowed() {
    cleanly(async || {
        let (mut s, peer) = streams()?;
        s.set_line_limit(100);
        let flood = spawn(async move {
            loop {
                peer.write_all(&[b'x'; 1000]).await?;
            }
            #[allow(unreachable_code)]
            Ok(())
        });
        for _ in 0..3 {
            let mut line = String::new();
            let error = s.read_line(&mut line).await.unwrap_err();
            assert!(error.to_string().contains("more than 100 bytes"), "{error}");
            let error = s.lines().next().await.unwrap().unwrap_err();
            assert!(!error.is_cancellation() && line.is_empty());
            assert!(s.buffered().len() <= 8 * 1024);
        }
        // It can still be read.
        let mut some = [0; 50];
        s.read_exact(&mut some).await?;
        assert_eq!(some, [b'x'; 50]);
        flood.cancel().await?;

        // Exactly as long as allowed, its end included.
        let (mut s, peer) = streams()?;
        s.set_line_limit(5);
        peer.write_all(b"1234\n12345\n").await?;
        assert_eq!(s.lines().next().await.unwrap()?, "1234");
        assert!(s.lines().next().await.unwrap().is_err());
        s.set_line_limit(6);
        assert_eq!(s.lines().next().await.unwrap()?, "12345");
        // And longer than the buffer.
        s.set_line_limit(1_000_000);
        let long = spawn(async move {
            let line = vec![b'y'; 100_000];
            peer.write_all(&line).await?;
            peer.write_all(b"\n").await
        });
        assert_eq!(s.lines().next().await.unwrap()?.len(), 100_000);
        long.join().await
    });
}

#[test]
fn what_is_no_text_is_not_lost_either() {
    cleanly(async || {
        let (mut s, peer) = streams()?;
        peer.write_all(b"caf\xe9\nnext\n").await?;
        let mut line = String::new();
        for _ in 0..2 {
            let error = s.read_line(&mut line).await.unwrap_err();
            assert!(error.to_string().contains("no text"), "{error}");
            assert!(s.lines().next().await.unwrap().is_err());
        }
        let mut bytes = Vec::new();
        s.read_until(b'\n', &mut bytes).await?;
        assert_eq!(bytes, b"caf\xe9\n");
        assert_eq!(s.lines().next().await.unwrap()?, "next");
        Ok(())
    });
}

#[test]
fn an_interrupted_write_of_lines_says_how_far_it_got() {
    cleanly(async || {
        let (mut s, peer) = streams()?;
        let lines: Vec<String> = (0..200_000).map(|n| format!("this is line {n}\n")).collect();
        let error = timeout_after(10 * MS, s.write_lines(&lines)).await.unwrap_err();
        let Error::Timeout(progress) = error else {
            panic!("{error:?}")
        };
        s.close()?;
        let mut received = Vec::new();
        peer.into_stream().read_to_end(&mut received).await?;
        assert_eq!(received.len(), progress.bytes());
        assert!(!received.is_empty() && lines.concat().as_bytes().starts_with(&received));
        Ok(())
    });
}

#[test]
fn small_pieces_are_sent_together() {
    cleanly(async || {
        let (mut s, peer) = streams()?;
        s.write_lines(["one\n", "two\n"]).await?;
        s.write_lines(Vec::<Vec<u8>>::new()).await?;
        let mut buf = [0; 100];
        assert_eq!(peer.read(&mut buf).await?, 8);
        s.flush().await
    });
}

#[test]
fn the_halves_work_at_the_same_time_and_end_one_after_the_other() {
    cleanly(async || {
        let (one, two) = pair().await?;
        let mut s = one.into_stream();
        two.write_all(b"early\n").await?;
        assert_eq!(s.read(&mut [0; 1]).await?, 1);
        // What is in the buffer goes along.
        let (mut read, mut write) = s.split();
        assert_eq!(read.lines().next().await.unwrap()?, "arly");
        let count = 2_000_000;
        let g = TaskGroup::<usize>::all();
        g.spawn(async move {
            write.write_all(&vec![1; count]).await?;
            write.close()?;
            assert!(write.write(b"x").await.is_err());
            Ok(0)
        });
        g.spawn(async move {
            let mut all = Vec::new();
            read.read_to_end(&mut all).await
        });
        g.spawn(async move {
            let (mut read, mut write) = two.into_stream().split();
            let mut all = Vec::new();
            read.read_to_end(&mut all).await?;
            write.write_all(&all).await?;
            Ok(0)
        });
        g.join().await?;
        assert_eq!(g.results()?.into_iter().sum::<usize>(), count);
        Ok(())
    });
}

#[test]
fn a_borrowed_stream_leaves_the_socket_as_it_is() {
    cleanly(async || {
        let (one, two) = UnixStream::pair()?;
        one.write_all(b"a line\n").await?;
        {
            let mut s = two.as_stream();
            assert_eq!(s.lines().next().await.unwrap()?, "a line");
            s.write_all(b"thanks").await?;
        }
        assert_eq!(one.read(&mut [0; 10]).await?, 6);
        let two = Rc::new(two);
        let reader = spawn({
            let two = two.clone();
            async move { two.as_stream().read_line(&mut String::new()).await }
        });
        yield_now().await?;
        let second = two.as_stream().read(&mut [0; 10]).await;
        assert!(matches!(second, Err(Error::Busy(Busy::Reader))), "{second:?}");
        // Closing either closes the socket, and wakes who waits.
        two.as_stream().close()?;
        let error = reader.join().await.unwrap_err();
        assert!(error.to_string().ends_with("closed"), "{error}");
        Ok(())
    });
}

#[test]
fn clean_up_may_use_the_stream_that_was_interrupted() {
    cleanly(async || {
        let (mut s, peer) = streams()?;
        let server = spawn(async move {
            let mut line = String::new();
            let read = s.read_line(&mut line).await;
            if read.is_err() {
                s.write_all(b"SERVER IS GOING AWAY!\n").await?;
                s.read_exact(&mut [0; 7]).await?;
            }
            read.map(|_| ())
        });
        peer.write_all(b"half a ").await?;
        sleep(MS).await?;
        let mut peer = peer.into_stream();
        let cancelled = async {
            assert_eq!(peer.lines().next().await.unwrap()?, "SERVER IS GOING AWAY!");
            Ok::<_, Error>(())
        };
        let (cancel, said) = futures::join!(server.cancel(), cancelled);
        said?;
        cancel
    });
}

/// Streams below the combinators of the futures crates, which call `poll_read` and tell nobody when they stop.
#[cfg(feature = "futures-io")]
mod futures_io {
    use futures::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
    use futures::{FutureExt, StreamExt};

    use super::*;

    #[test]
    fn streams_are_what_the_futures_crates_expect() {
        cleanly(async || {
            let (one, two) = UnixStream::pair()?;
            let (one, mut two) = (Stream::new(one), Stream::new(two));
            let echo = spawn(async move {
                let (read, mut write) = one.split();
                futures::io::copy_buf(read, &mut write).await?;
                AsyncWriteExt::close(&mut write).await?;
                Ok(())
            });
            AsyncWriteExt::write_all(&mut two, b"one\ntwo\n").await?;
            AsyncWriteExt::flush(&mut two).await?;
            AsyncWriteExt::close(&mut two).await?;
            let lines: Vec<_> = AsyncBufReadExt::lines(two).collect().await;
            let lines: Vec<_> = lines.into_iter().map(std::result::Result::unwrap).collect();
            assert_eq!(lines, ["one", "two"]);
            echo.join().await
        });
    }

    #[test]
    fn an_interruption_comes_through_as_what_it_is() {
        cleanly(async || {
            let (mut s, _peer) = streams()?;
            let read = async { Ok(AsyncReadExt::read(&mut s, &mut [0; 10]).await?) };
            is_timeout(timeout_after(MS, read).await);
            let (mut s, _peer) = streams()?;
            let task = spawn(async move { Ok(AsyncReadExt::read(&mut s, &mut [0; 10]).await?) });
            sleep(MS).await?;
            task.cancel().await?;
            assert!(matches!(task.join().await, Err(Error::Task(e)) if e.cancelled()));
            Ok(())
        });
    }

    #[test]
    fn both_arms_of_a_join_hear_of_a_cancellation() {
        cleanly(async || {
            for other_first in [false, true] {
                let (mut s, _peer) = streams()?;
                let task = spawn(async move {
                    let mut buf = [0; 10];
                    let read = async { Ok::<_, Error>(AsyncReadExt::read(&mut s, &mut buf).await?) };
                    let slept = sleep(Duration::from_secs(1000));
                    let (read, slept) = if other_first {
                        let (slept, read) = futures::join!(slept, read);
                        (read, slept)
                    } else {
                        futures::join!(read, slept)
                    };
                    assert!(read.unwrap_err().is_cancellation());
                    slept
                });
                sleep(MS).await?;
                task.cancel().await?;
            }
            Ok(())
        });
    }

    /// The call was given up; what is delivered later to somebody else is none of its business.
    #[test]
    fn a_call_that_was_given_up_is_forgotten() {
        cleanly(async || {
            let (mut s, peer) = streams()?;
            let task = spawn(async move {
                let mut buf = [0; 10];
                // Polled once, then given up.
                assert!(AsyncReadExt::read(&mut s, &mut buf).now_or_never().is_none());
                let slept = sleep(Duration::from_secs(1000)).await;
                assert!(slept.unwrap_err().is_cancellation());
                sleep(MS).await?; // the clean-up goes on in another run
                // This begins after the delivery, whatever the stream remembers.
                assert_eq!(AsyncReadExt::read(&mut s, &mut buf).await?, 5);
                // And a method takes the place of a call that was given up.
                assert!(AsyncReadExt::read(&mut s, &mut buf).now_or_never().is_none());
                assert_eq!(s.read(&mut buf).await?, 5);
                Ok(())
            });
            sleep(MS).await?;
            let answers = async {
                sleep(10 * MS).await?;
                peer.write_all(b"hello").await?;
                sleep(5 * MS).await?;
                peer.write_all(b"world").await
            };
            let (cancelled, answered) = futures::join!(task.cancel(), answers);
            answered?;
            cancelled?;
            task.join().await
        });
    }

    /// It still waits, and is woken when the socket is ready. But it stands in nobody's way: not where the task waits for
    /// something that is not this library's, and would be dropped.
    #[test]
    fn a_call_that_was_given_up_holds_up_no_interruption() {
        cleanly(async || {
            for data_comes in [false, true] {
                let (mut s, peer) = streams()?;
                let given_up = async {
                    assert!(AsyncReadExt::read(&mut s, &mut [0; 10]).now_or_never().is_none());
                    std::future::pending::<()>().await;
                    Ok(())
                };
                let talks = async {
                    if data_comes {
                        sleep(MS).await?;
                        peer.write_all(b"hello").await?;
                    }
                    Ok::<_, Error>(())
                };
                let (waited, talked) = futures::join!(timeout_after(5 * MS, given_up), talks);
                is_timeout(waited);
                talked?;
                // Both may have been due at once: what was sent is to be seen by the kernel.
                sleep(MS).await?;

                let task = spawn(async move {
                    assert!(AsyncReadExt::read(&mut s, &mut [0; 10]).now_or_never().is_none() != data_comes);
                    assert!(AsyncReadExt::read(&mut s, &mut [0; 10]).now_or_never().is_none());
                    std::future::pending::<()>().await;
                });
                yield_now().await?;
                if data_comes {
                    peer.write_all(b"hello").await?;
                    sleep(MS).await?;
                }
                task.cancel().await?;
            }
            Ok(())
        });
    }

    /// The same for writing: the seat is free again.
    #[test]
    fn a_write_that_was_given_up_leaves_its_seat() {
        cleanly(async || {
            let (mut s, peer) = streams()?;
            let data = vec![0; 1 << 20];
            while AsyncWriteExt::write(&mut s, &data).now_or_never().is_some() {}
            let drain = spawn(async move {
                let mut buf = vec![0; 1 << 16];
                while peer.read(&mut buf).await? > 0 {}
                Ok(())
            });
            s.write_all(&data).await?;
            s.write(&data).await?;
            s.write_lines([&data]).await?;
            drop(s);
            drain.join().await
        });
    }

    #[test]
    fn a_stream_may_be_dropped_while_somebody_has_polled_it() {
        cleanly(async || {
            let (mut s, _peer) = streams()?;
            assert!(AsyncReadExt::read(&mut s, &mut [0; 10]).now_or_never().is_none());
            drop(s);
            let (mut s, _peer) = streams()?;
            assert!(AsyncReadExt::read(&mut s, &mut [0; 10]).now_or_never().is_none());
            let moved = spawn(async move {
                // In another task, with the wait of the first.
                let read = async { Ok::<_, Error>(AsyncReadExt::read(&mut s, &mut [0; 10]).await?) };
                disable_cancellation(read).await
            });
            yield_now().await?;
            _peer.write_all(b"hello").await?;
            assert_eq!(moved.join().await?, 5);
            Ok(())
        });
    }
}

#[test]
fn nothing_to_do_is_no_reason_to_let_nobody_run() {
    cleanly(async || {
        let (one, two) = pair().await?;
        lets_others_run(async || one.write_all(&[]).await.unwrap()).await?;
        lets_others_run(async || one.read_exact(&mut []).await.unwrap()).await?;
        let mut s = one.into_stream();
        lets_others_run(async || s.write_all(&[]).await.unwrap()).await?;
        lets_others_run(async || s.read_exact(&mut []).await.unwrap()).await?;
        lets_others_run(async || s.write_lines([""; 0]).await.unwrap()).await?;
        lets_others_run(async || s.flush().await.unwrap()).await?;
        drop(two);
        lets_others_run(async || assert!(s.lines().next().await.is_none())).await?;
        lets_others_run(async || drop(open_connection("nonsense").await.unwrap_err())).await
    });
}
