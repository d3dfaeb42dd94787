//! What can be done with a connection.

use std::cell::Cell;
use std::io::ErrorKind;
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;

use curio::net::UnixStream;
use curio::tls::{Acceptor, Connector, TlsStream};
use curio::{
    Busy, Error, Result, State, TaskGroup, WithTimeout, current_task, ignore_after, sleep, spawn,
    timeout_after, yield_now,
};

use crate::common::lets_others_run;
use crate::{Random, cleanly, client, kind, noise, pair, pair_of, server};

const SEC: Duration = Duration::from_secs(1);

/// Sends all of it, and the goodbye.
async fn send_all(stream: Rc<TlsStream>, data: Rc<Vec<u8>>) -> Result<()> {
    stream.write_all(&data).await?;
    stream.shutdown().await
}

async fn receive_all(stream: Rc<TlsStream>) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    stream.as_stream().read_to_end(&mut all).await?;
    Ok(all)
}

#[test]
fn one_task_reads_while_another_writes() {
    cleanly(async || {
        let (one, two) = pair().await?;
        // More than fits into all buffers there are: it would hang if they took turns.
        let there = Rc::new(noise(8_000_000));
        let back = Rc::new(noise(9_000_000));
        let senders = TaskGroup::all();
        senders.spawn(send_all(one.clone(), there.clone()));
        senders.spawn(send_all(two.clone(), back.clone()));
        let receivers = [spawn(receive_all(one)), spawn(receive_all(two))];
        assert!(receivers[0].join().await? == *back);
        assert!(receivers[1].join().await? == *there);
        senders.join().await
    });
}

#[test]
fn buffers_lines_and_halves_work_above_it() {
    cleanly(async || {
        let (one, two) = UnixStream::pair()?;
        let accepting = spawn(Acceptor::from(server()).accept(two));
        let one = Connector::from(client()).connect("localhost", one).await?;
        let (mut read, mut write) = one.into_stream().split();
        let (mut two_read, mut two_write) = accepting.join().await?.into_stream().split();
        let echo = spawn(async move {
            let mut lines = two_read.lines();
            while let Some(line) = lines.next().await {
                two_write.write_lines([line?.as_str(), "\n"]).await?;
            }
            two_write.shutdown().await
        });
        write.write_lines(["one\n", "two\n", "three"]).await?;
        // The half that writes says goodbye, to the peer's half that reads.
        write.close()?;
        let mut all = Vec::new();
        read.read_to_end(&mut all).await?;
        assert_eq!(all, b"one\ntwo\nthree\n");
        echo.join().await
    });
}

#[test]
fn a_read_that_is_interrupted_loses_nothing() {
    cleanly(async || {
        let (one, two) = pair().await?;
        let data = Rc::new(noise(300_000));
        let sender = spawn({
            let data = data.clone();
            async move {
                let mut random = Random(1);
                let mut rest = &data[..];
                while !rest.is_empty() {
                    let n = (random.below(5_000) as usize).min(rest.len());
                    one.write_all(&rest[..n]).await?;
                    rest = &rest[n..];
                    if random.below(3) == 0 {
                        sleep(Duration::from_micros(random.below(300))).await?;
                    }
                }
                one.shutdown().await
            }
        });
        let mut random = Random(2);
        let (mut all, mut interrupted) = (Vec::new(), 0);
        loop {
            let mut buf = vec![0; 1 + random.below(3_000) as usize];
            let patience = Duration::from_micros(random.below(100));
            match ignore_after(patience, two.read(&mut buf)).await? {
                Some(0) => break,
                Some(n) => all.extend_from_slice(&buf[..n]),
                None => interrupted += 1,
            }
        }
        assert!(all == *data);
        assert!(interrupted > 10, "{interrupted} shows nothing");
        sender.join().await
    });
}

/// What was taken arrives, all of it and in order, whatever becomes of those who write: they go on where they were stopped.
#[test]
fn a_write_that_is_interrupted_or_dropped_can_be_continued() {
    for dropped in [false, true] {
        cleanly(async || {
            let (one, two) = pair().await?;
            let data = noise(6_000_000);
            let receiver = spawn(async move {
                let mut random = Random(3);
                let mut all = Vec::new();
                let mut buf = vec![0; 40_000];
                loop {
                    match two.read(&mut buf).await? {
                        0 => return Ok(all),
                        n => all.extend_from_slice(&buf[..n]),
                    }
                    if random.below(4) == 0 {
                        sleep(Duration::from_micros(random.below(200))).await?;
                    }
                }
            });
            let mut random = Random(4);
            let (mut done, mut interrupted) = (0, 0);
            while done < data.len() {
                let patience = Duration::from_micros(random.below(400));
                if dropped {
                    // A write takes something at once, or waits and has taken nothing.
                    let write = std::pin::pin!(one.write(&data[done..]));
                    let nap = std::pin::pin!(sleep(patience));
                    match futures::future::select(write, nap).await {
                        futures::future::Either::Left((written, _)) => done += written?,
                        futures::future::Either::Right(_) => interrupted += 1,
                    }
                    continue;
                }
                match curio::timeout_after(patience, one.write_all(&data[done..])).await {
                    Ok(()) => done = data.len(),
                    Err(Error::Timeout(progress)) => {
                        done += progress.bytes();
                        interrupted += 1;
                    }
                    Err(error) => return Err(error),
                }
            }
            one.shutdown().await?;
            assert!(receiver.join().await? == data);
            assert!(interrupted > 5, "{interrupted} shows nothing");
            Ok(())
        });
    }
}

/// Who has written everything may wait for the answer: nothing is kept back.
#[test]
fn what_was_written_arrives_without_more_ado() {
    async fn pair() -> Result<(TlsStream<UnixStream>, TlsStream<UnixStream>)> {
        // These have room for so much, always.
        let (one, two) = UnixStream::pair()?;
        let accepting = spawn(Acceptor::from(server()).accept(two));
        let one = Connector::from(client()).connect("localhost", one).await?;
        Ok((one, accepting.join().await?))
    }
    cleanly(async || {
        let data = noise(5_000_000);
        // So much is taken before the system is full: a part of the last is held.
        let (one, _two) = pair().await?;
        let mut taken = 0;
        while let Some(n) = ignore_after(Duration::from_millis(20), one.write(&data[taken..])).await? {
            taken += n;
        }
        // The same once more: so it is full when all is taken.
        let (one, two) = pair().await?;
        let expected = data[..taken].to_vec();
        let writer = current_task();
        let peer = spawn(async move {
            while writer.state() == State::Ready {
                yield_now().await?;
            }
            let mut all = vec![0; expected.len()];
            two.read_exact(&mut all).await?;
            assert!(all == expected);
            two.write_all(b"thanks").await
        });
        one.write_all(&data[..taken]).await?;
        one.read_exact(&mut [0; 6]).await?;
        peer.join().await
    });
}

#[test]
fn what_was_taken_and_not_sent_goes_with_the_flush() {
    cleanly(async || {
        let (one, two) = pair().await?;
        let data = noise(30_000_000);
        // The peer does not read: after a while nothing more is taken.
        let mut taken = 0;
        while let Some(n) = ignore_after(Duration::from_millis(20), one.write(&data[taken..])).await? {
            taken += n;
        }
        let flushed = ignore_after(Duration::from_millis(20), one.flush()).await?;
        assert!(flushed.is_none(), "there was nothing to be flushed");
        let goodbye = ignore_after(Duration::from_millis(20), one.shutdown()).await?;
        assert!(goodbye.is_none());
        let receiver = spawn(receive_all(two));
        one.flush().await?;
        one.shutdown().await?;
        assert!(receiver.join().await? == data[..taken]);
        Ok(())
    });
}

#[test]
fn who_has_said_goodbye_can_still_listen() {
    cleanly(async || {
        let (one, two) = pair().await?;
        one.write_all(b"what is left?").await?;
        one.shutdown().await?;
        one.shutdown().await?;
        assert_eq!(kind(one.write_all(b"more").await), ErrorKind::BrokenPipe);
        let mut question = Vec::new();
        two.as_stream().read_to_end(&mut question).await?;
        assert_eq!(question, b"what is left?");
        // The end stays where it is.
        assert_eq!(two.read(&mut [0; 10]).await?, 0);
        assert_eq!(two.read(&mut [0; 10]).await?, 0);
        two.write_all(b"the answer").await?;
        two.close();
        let mut answer = Vec::new();
        one.as_stream().read_to_end(&mut answer).await?;
        assert_eq!(answer, b"the answer");
        assert!(matches!(two.read(&mut [0; 10]).await, Err(Error::Closed)));
        assert!(matches!(two.write(b"x").await, Err(Error::Closed)));
        Ok(())
    });
}

/// The last of a message waits in TLS while the system has no room for it: whoever sends waits for that, too.
#[cfg(feature = "channel")]
#[test]
fn a_channel_over_it_sends_its_messages_to_the_end() {
    use curio::channel::Connection;
    cleanly(async || {
        let (one, two) = UnixStream::pair()?;
        let accepting = spawn(Acceptor::from(server()).accept(two));
        let one = Connection::new(Connector::from(client()).connect("localhost", one).await?);
        let two = Connection::new(accepting.join().await?);
        let message = noise(10_000);
        let mut sent = 0;
        let patience = Duration::from_millis(5);
        while ignore_after(patience, one.send_bytes(&message)).await?.is_some() {
            sent += 1;
        }
        // Those of which it was said so are with the system.
        for _ in 0..sent {
            assert!(timeout_after(100 * SEC, two.recv_bytes()).await? == message);
        }
        // The one that was interrupted has begun.
        one.flush().await?;
        assert!(timeout_after(100 * SEC, two.recv_bytes()).await? == message);
        Ok(())
    });
}

/// Who has said goodbye may say it again, also when there is no connection any more: in every way there is to say it.
#[test]
fn a_goodbye_to_who_has_gone_is_no_error() {
    cleanly(async || {
        let (one, two) = pair().await?;
        one.shutdown().await?;
        // With the goodbye unread, so the system resets the connection.
        drop(two);
        while one.read(&mut [0; 100]).await.is_ok() {}
        let error = one.get_ref().shutdown(Shutdown::Write);
        assert_eq!(kind(error), ErrorKind::NotConnected);
        one.shutdown().await?;
        one.as_stream().shutdown().await?;
        let (_read, mut write) = one.as_stream().split();
        write.close()
    });
}

#[test]
fn dropping_is_no_goodbye() {
    cleanly(async || {
        // Without the tickets that a client finds in its socket, and leaves there: then the system says that it was reset.
        let mut config = server();
        config.send_tls13_tickets = 0;
        let acceptor = Acceptor::from(config);
        let (one, two) = pair_of(Connector::from(client()), acceptor.clone()).await?;
        one.write_all(b"half of").await?;
        drop(one);
        let mut buf = [0; 100];
        assert_eq!(two.read(&mut buf).await?, 7);
        let error = two.read(&mut buf).await.unwrap_err();
        assert!(error.to_string().contains("close_notify"), "{error}");
        assert_eq!(kind(Err::<(), _>(error)), ErrorKind::UnexpectedEof);
        // It stays wrong.
        assert_eq!(kind(two.read(&mut buf).await), ErrorKind::UnexpectedEof);
        // Unless one does not mind.
        let (one, two) = pair_of(Connector::from(client()), acceptor.clone().tolerate_truncation()).await?;
        drop(one);
        assert_eq!(two.read(&mut buf).await?, 0);
        let (one, two) = pair_of(Connector::from(client()).tolerate_truncation(), acceptor).await?;
        drop(two);
        assert_eq!(one.read(&mut buf).await?, 0);
        Ok(())
    });
}

#[test]
fn there_is_one_reader_and_one_writer() {
    cleanly(async || {
        let (one, two) = pair().await?;
        let data = Rc::new(noise(20_000_000));
        let reader = spawn({
            let one = one.clone();
            async move { one.read(&mut [0; 10]).await }
        });
        let writer = spawn(send_all(one.clone(), data.clone()));
        // Until both wait, which the writer does soon: nobody reads what it writes.
        while [reader.state(), writer.state()].contains(&State::Ready) {
            yield_now().await?;
        }
        assert!(matches!(
            one.read(&mut [0; 10]).await,
            Err(Error::Busy(Busy::Reader))
        ));
        assert!(matches!(one.write(b"x").await, Err(Error::Busy(Busy::Writer))));
        assert!(matches!(one.flush().await, Err(Error::Busy(Busy::Writer))));
        // Nor is a goodbye said in the middle of what another writes.
        assert!(matches!(one.shutdown().await, Err(Error::Busy(Busy::Writer))));
        let receiver = spawn(receive_all(two.clone()));
        writer.join().await?;
        assert!(receiver.join().await? == *data);
        // Closing wakes who waits.
        one.close();
        assert!(reader.join().await.is_err());
        Ok(())
    });
}

/// Who finds everything in the buffer takes a byte at a time and never has to wait; others run all the same.
#[test]
fn who_never_waits_starves_nobody() {
    cleanly(async || {
        let (one, two) = pair().await?;
        let runs = Rc::new(Cell::new(0usize));
        let other = spawn({
            let runs = runs.clone();
            async move {
                while runs.get() < usize::MAX {
                    yield_now().await?;
                    runs.set(runs.get() + 1);
                }
                Ok(())
            }
        });
        one.write_all(&[7; 10_000]).await?;
        // All of it has come now.
        assert_eq!(two.read(&mut [0]).await?, 1);
        let before = runs.get();
        for _ in 1..10_000 {
            assert_eq!(two.read(&mut [0]).await?, 1);
        }
        assert!(runs.get() - before > 20, "{}", runs.get() - before);
        // The same for who writes little.
        let before = runs.get();
        for _ in 0..3_000 {
            one.write_all(&[7]).await?;
        }
        assert!(runs.get() - before > 10, "{}", runs.get() - before);
        // And for who asks for nothing, and gets it.
        let before = runs.get();
        for _ in 0..10_000 {
            assert_eq!(two.read(&mut []).await?, 0);
        }
        assert!(runs.get() - before > 20, "{}", runs.get() - before);
        // Who has closed it is told.
        two.close();
        assert!(matches!(two.read(&mut []).await, Err(Error::Closed)));
        other.cancel().await
    });
}

#[test]
fn nothing_works_without_a_kernel() {
    let mut kept = None;
    let kernel = curio::Kernel::new().unwrap();
    kernel
        .run(async {
            kept = Some(pair().await?.0);
            Ok(())
        })
        .unwrap();
    let stream = kept.unwrap();
    let mut buf = [0; 10];
    let read = futures::executor::block_on(stream.read(&mut buf));
    assert!(matches!(read, Err(Error::NoKernel)), "{read:?}");
    let read = futures::executor::block_on(stream.read(&mut []));
    assert!(matches!(read, Err(Error::NoKernel)), "{read:?}");
    let written = futures::executor::block_on(stream.write_all(b"x"));
    assert!(matches!(written, Err(Error::NoKernel)), "{written:?}");
    drop(kernel);
    stream.close();
}

/// With the traits of the futures crates, by somebody else's code.
#[test]
fn it_can_be_used_by_the_futures_crates() {
    use futures::io::{AsyncReadExt, AsyncWriteExt};
    cleanly(async || {
        let (one, two) = UnixStream::pair()?;
        let accepting = spawn(Acceptor::from(server()).accept(two));
        let one = Connector::from(client()).connect("localhost", one).await?;
        let mut two = accepting.join().await?.into_stream();
        let data = noise(3_000_000);
        let receiver = spawn(async move {
            let mut all = Vec::new();
            AsyncReadExt::read_to_end(&mut two, &mut all).await?;
            Ok(all)
        });
        let mut one = one.into_stream();
        AsyncWriteExt::write_all(&mut one, &data).await?;
        AsyncWriteExt::flush(&mut one).await?;
        AsyncWriteExt::close(&mut one).await?;
        assert!(receiver.join().await? == data);
        Ok(())
    });
}

#[test]
fn nothing_to_do_is_no_reason_to_let_nobody_run() {
    cleanly(async || {
        let (one, two) = pair().await?;
        lets_others_run(async || one.write_all(&[]).await.unwrap()).await?;
        lets_others_run(async || assert_eq!(one.read(&mut []).await.unwrap(), 0)).await?;
        two.shutdown().await?;
        lets_others_run(async || assert_eq!(one.read(&mut [0]).await.unwrap(), 0)).await?;
        one.close();
        lets_others_run(async || drop(one.read(&mut [0]).await.unwrap_err())).await?;
        lets_others_run(async || drop(one.write(&[0]).await.unwrap_err())).await
    });
}

#[test]
fn a_half_that_has_no_room_for_its_goodbye_says_so() {
    cleanly(async || {
        let (one, two) = UnixStream::pair()?;
        let accepting = spawn(Acceptor::from(server()).accept(two));
        let one = Connector::from(client()).connect("localhost", one).await?;
        let mut two = accepting.join().await?.into_stream();
        let (_read, mut write) = one.into_stream().split();
        let written = write
            .write_all(&vec![0; 10_000_000])
            .timeout(Duration::from_millis(20))
            .await;
        let Err(Error::Timeout(progress)) = written else {
            panic!("{written:?}")
        };
        let error = write.close().unwrap_err();
        assert!(error.to_string().contains("`shutdown` waits for it"), "{error}");
        let reader = spawn(async move { two.read_to_end(&mut Vec::new()).await });
        write.shutdown().await?;
        assert_eq!(reader.join().await?, progress.bytes());
        Ok(())
    });
}
