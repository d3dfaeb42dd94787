//! Messages, whole and in pieces.

use std::cell::Cell;
use std::future::Future;
use std::io::ErrorKind;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use curio::channel::Connection;
use curio::{Busy, Error, Kernel, Result, WithTimeout, spawn, yield_now};

use crate::common::{Watchdog, lets_others_run, virtually_under};
use crate::{SEC, by_hand, cleanly, io_error, pair};

#[test]
fn messages_of_all_sizes() {
    cleanly(async || {
        let (one, two) = pair().await?;
        let sizes = [0, 1, 4, 8191, 8192, 16384, 16385, 100_000, 3_000_000];
        let sender = spawn(async move {
            for size in sizes {
                one.send_bytes(&vec![size as u8; size]).await?;
            }
            Ok(())
        });
        for size in sizes {
            let message = two.recv_bytes().await?;
            assert!(
                message.len() == size && message.iter().all(|&byte| byte == size as u8),
                "{size}"
            );
        }
        sender.join().await
    });
}

#[test]
fn the_long_form_of_a_length() {
    cleanly(async || {
        let (c, peer) = by_hand().await?;
        peer.write_all(b"\xff\xff\xff\xff\0\0\0\0\0\0\0\x05hello\0\0\0\0")
            .await?;
        assert_eq!(c.recv_bytes().await?, b"hello");
        assert_eq!(c.recv_bytes().await?, b"");
        Ok(())
    });
}

/// C1, at every place where a message can be cut.
#[test]
fn an_interrupted_recv_loses_nothing() {
    cleanly(async || {
        let (c, peer) = by_hand().await?;
        for message in [
            &b"\0\0\0\x05hello"[..],
            b"\xff\xff\xff\xff\0\0\0\0\0\0\0\x05hello",
        ] {
            for cut in 0..message.len() {
                peer.write_all(&message[..cut]).await?;
                let interrupted = c.recv_bytes().timeout(Duration::from_micros(500)).await;
                assert!(matches!(interrupted, Err(Error::Timeout(progress)) if progress.bytes() == 0));
                peer.write_all(&message[cut..]).await?;
                assert_eq!(c.recv_bytes().await?, b"hello", "cut at {cut}");
            }
        }
        Ok(())
    });
}

/// C2.
#[test]
fn a_message_that_has_begun_is_sent() {
    cleanly(async || {
        let (one, two) = pair().await?;
        let first = vec![1; 20_000_000];
        let begun = one
            .send_bytes(&first)
            .timeout(Duration::from_millis(5))
            .await
            .unwrap_err();
        assert!(
            matches!(&begun, Error::Timeout(progress) if progress.bytes() > 0),
            "{begun:?}"
        );
        // The next has not begun: it waits for the rest of the first.
        let second = one
            .send("second")
            .timeout(Duration::from_millis(5))
            .await
            .unwrap_err();
        assert!(
            matches!(&second, Error::Timeout(progress) if progress.bytes() == 0),
            "{second:?}"
        );
        let receiver = spawn(async move {
            let first = two.recv_bytes().await?;
            Ok((first, two.recv::<String>().await?))
        });
        one.send("third").await?;
        assert_eq!(receiver.join().await?, (first, "third".to_string()));
        Ok(())
    });
}

#[test]
fn a_send_that_is_dropped_is_no_other_case() {
    cleanly(async || {
        let (one, two) = pair().await?;
        let first = "x".repeat(20_000_000);
        {
            let mut send = std::pin::pin!(one.send(&first));
            assert!(
                std::future::poll_fn(|cx| Poll::Ready(send.as_mut().poll(cx)))
                    .await
                    .is_pending()
            );
        }
        // Nor is one that was not even polled.
        drop(one.send("second"));
        let receiver = spawn(async move {
            let first = two.recv::<String>().await?;
            Ok((first, two.recv::<String>().await?))
        });
        one.flush().await?;
        one.flush().await?;
        one.send("third").await?;
        assert_eq!(receiver.join().await?, (first, "third".to_string()));
        Ok(())
    });
}

/// Both ends are interrupted whenever they would wait, in any order of the two; nothing is lost, nor comes twice.
#[test]
fn both_ends_interrupted_all_the_time() {
    const MESSAGES: u32 = 12;
    virtually_under(100, async |_| {
        let (one, two) = pair().await?;
        let message = |n: u32| vec![n as u8; 1 + 300_000 * (n as usize % 3)];
        let sender = spawn(async move {
            let mut n = 0;
            while n < MESSAGES {
                match one.send_bytes(&message(n)).timeout(Duration::ZERO).await {
                    Err(Error::Timeout(progress)) if progress.bytes() == 0 => yield_now().await?,
                    Ok(()) | Err(Error::Timeout(_)) => n += 1,
                    Err(error) => return Err(error),
                }
            }
            one.flush().await?;
            Ok(())
        });
        for n in 0..MESSAGES {
            loop {
                match two.recv_bytes().timeout(Duration::ZERO).await {
                    Err(Error::Timeout(_)) => yield_now().await?,
                    received => break assert!(received? == message(n), "message {n}"),
                }
            }
        }
        sender.join().await
    });
}

#[test]
fn the_end_between_messages_and_in_the_middle() {
    cleanly(async || {
        let (c, peer) = by_hand().await?;
        peer.write_all(b"\0\0\0\x05hello").await?;
        drop(peer);
        assert_eq!(c.recv_bytes().await?, b"hello");
        io_error(c.recv_bytes().await, ErrorKind::UnexpectedEof, "between messages");
        assert!(c.next::<u8>().await.is_none());
        for cut in [
            &b"\0"[..],
            b"\0\0\0\x05",
            b"\0\0\0\x05hell",
            b"\xff\xff\xff\xff\0",
        ] {
            let (c, peer) = by_hand().await?;
            peer.write_all(cut).await?;
            drop(peer);
            io_error(c.recv_bytes().await, ErrorKind::UnexpectedEof, "in the middle");
            io_error(
                c.next::<u8>().await.unwrap(),
                ErrorKind::UnexpectedEof,
                "in the middle",
            );
        }
        Ok(())
    });
}

#[test]
fn a_message_of_another_type_is_gone_alone() {
    cleanly(async || {
        let (one, two) = pair().await?;
        one.send("text").await?;
        one.send_bytes(b"no pickle").await?;
        one.send(&7).await?;
        io_error(two.recv::<u8>().await, ErrorKind::InvalidData, "invalid type");
        io_error(two.recv::<u8>().await, ErrorKind::InvalidData, "no pickle");
        assert_eq!(two.recv::<u8>().await?, 7);
        io_error(one.send(&u128::MAX).await, ErrorKind::InvalidInput, "too large");
        Ok(())
    });
}

/// C3.
#[test]
fn one_sends_and_one_receives() {
    cleanly(async || {
        let (one, two) = pair().await?;
        let one = Rc::new(one);
        let receiver = spawn({
            let one = one.clone();
            async move { one.recv::<u8>().await }
        });
        let sender = spawn({
            let one = one.clone();
            async move { one.send_bytes(&vec![0; 20_000_000]).await }
        });
        yield_now().await?;
        assert!(matches!(one.recv::<u8>().await, Err(Error::Busy(Busy::Reader))));
        assert!(matches!(
            one.next::<u8>().await,
            Some(Err(Error::Busy(Busy::Reader)))
        ));
        assert!(matches!(one.send("x").await, Err(Error::Busy(Busy::Writer))));
        assert!(matches!(one.flush().await, Err(Error::Busy(Busy::Writer))));
        two.send(&1).await?;
        assert_eq!(receiver.join().await?, 1);
        assert_eq!(two.recv_bytes().await?.len(), 20_000_000);
        sender.join().await?;
        // Who was told so is out of the way.
        one.send("x").await?;
        assert_eq!(two.recv::<String>().await?, "x");
        Ok(())
    });
}

#[test]
fn close_wakes_who_waits() {
    cleanly(async || {
        let (one, two) = pair().await?;
        let one = Rc::new(one);
        let receiver = spawn({
            let one = one.clone();
            async move { one.recv::<u8>().await }
        });
        let sender = spawn({
            let one = one.clone();
            async move { one.send_bytes(&vec![0; 20_000_000]).await }
        });
        yield_now().await?;
        one.close();
        for failed in [
            receiver.join().await.unwrap_err(),
            sender.join().await.unwrap_err(),
        ] {
            assert!(failed.to_string().contains("closed"), "{failed}");
        }
        assert!(matches!(one.recv::<u8>().await, Err(Error::Closed)));
        assert!(matches!(one.send(&1).await, Err(Error::Closed)));
        assert!(matches!(one.flush().await, Err(Error::Closed)));
        // The other end sees a message that has no end.
        io_error(two.recv_bytes().await, ErrorKind::UnexpectedEof, "in the middle");
        Ok(())
    });
}

/// The halves of a socket are closed each for itself, so that nothing happens to the one that reads.
#[test]
fn close_wakes_who_waits_at_half_a_socket() {
    cleanly(async || {
        let (one, two) = by_hand().await?;
        let (read, write) = two.into_stream().split();
        let c = Rc::new(Connection::over(read.into_inner(), write.into_inner()));
        for closes in [false, true] {
            let receiver = spawn({
                let c = c.clone();
                async move { c.recv::<u8>().await }
            });
            let sender = spawn({
                let c = c.clone();
                async move { c.send_bytes(&vec![0; 20_000_000]).await }
            });
            yield_now().await?;
            if !closes {
                receiver.cancel().await?;
                sender.cancel().await?;
                continue;
            }
            c.close();
            yield_now().await?;
            assert!(receiver.terminated() && sender.terminated());
            for failed in [
                receiver.join().await.unwrap_err(),
                sender.join().await.unwrap_err(),
            ] {
                assert!(failed.to_string().ends_with("failed: closed"), "{failed}");
            }
        }
        drop(one);
        Ok(())
    });
}

/// What always has a message does not keep the others from running.
#[test]
fn many_messages_at_once_leave_room_for_others() {
    cleanly(async || {
        let (one, two) = pair().await?;
        one.send_bytes(&[]).await?;
        for n in 0..1000 {
            one.send(&n).await?;
        }
        let turns = Rc::new(Cell::new(0));
        let other = spawn({
            let turns = turns.clone();
            async move {
                while turns.get() < u32::MAX {
                    turns.set(turns.get() + 1);
                    yield_now().await?;
                }
                Ok(())
            }
        });
        two.recv_bytes().await?;
        for n in 0..1000 {
            assert_eq!(two.recv::<i32>().await?, n);
        }
        assert!(turns.get() > 3, "{} turns", turns.get());
        other.cancel().await?;
        Ok(())
    });
}

#[test]
fn a_combinator_and_another_task_take_it_over() {
    cleanly(async || {
        let (one, two) = pair().await?;
        let (sent, received) = futures::join!(one.send("both"), two.recv::<String>());
        sent?;
        assert_eq!(received?, "both");
        // An operation that has begun to wait in one task goes on in another.
        let two: &'static Connection = Box::leak(Box::new(two));
        let mut receive = Box::pin(two.recv::<String>());
        assert!(futures::poll!(receive.as_mut()).is_pending());
        let other = spawn(receive);
        yield_now().await?;
        one.send("moved").await?;
        assert_eq!(other.join().await?, "moved");
        two.close();
        Ok(())
    });
}

#[test]
fn without_its_kernel() {
    let _guard = Watchdog::start();
    let kernel = Kernel::new().unwrap();
    let (one, two) = kernel
        .run(async {
            let (one, two) = pair().await?;
            one.send("there").await?;
            Ok((one, two))
        })
        .unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let received = std::pin::pin!(two.recv::<String>()).poll(&mut cx);
    assert!(
        matches!(received, Poll::Ready(Err(Error::NoKernel))),
        "{received:?}"
    );
    let sent = std::pin::pin!(one.send("x")).poll(&mut cx);
    assert!(matches!(sent, Poll::Ready(Err(Error::NoKernel))), "{sent:?}");
    // And in its kernel again:
    assert_eq!(kernel.run(two.recv::<String>()).unwrap(), "there");
    drop(kernel);
    drop((one, two));
}

#[test]
fn a_closed_peer_is_an_error_for_the_sender() {
    cleanly(async || {
        let (one, two) = pair().await?;
        drop(two);
        let sending = async {
            loop {
                one.send_bytes(&[0; 1000]).await?;
            }
        };
        let error: Result<()> = sending.timeout(10 * SEC).await;
        assert!(matches!(error, Err(Error::Io(_))), "{error:?}");
        Ok(())
    });
}

#[test]
fn what_fails_at_once_is_no_reason_to_let_nobody_run() {
    cleanly(async || {
        let (one, two) = pair().await?;
        lets_others_run(async || one.flush().await.unwrap()).await?;
        lets_others_run(async || drop(one.send(&u128::MAX).await.unwrap_err())).await?;
        one.close();
        lets_others_run(async || drop(one.send(&1).await.unwrap_err())).await?;
        lets_others_run(async || drop(one.recv::<u8>().await.unwrap_err())).await?;
        lets_others_run(async || assert!(two.next::<u8>().await.is_none())).await?;
        let (broken, peer) = by_hand().await?;
        peer.write_all(&[0xff, 0, 0, 0]).await?;
        lets_others_run(async || drop(broken.recv::<u8>().await.unwrap_err())).await?;
        let ch = crate::channel()?;
        ch.close();
        lets_others_run(async || drop(ch.accept(None).await.unwrap_err())).await
    });
}
