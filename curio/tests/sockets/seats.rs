//! Who has the seat at a socket (I11 of `readiness`): reads that change their task, and reads whose task is gone.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use curio::net::TcpStream;
use curio::{Busy, Error, Result, spawn, yield_now};

use crate::{cleanly, pair};

type Reading = Pin<Box<dyn Future<Output = Result<usize>>>>;

fn reading(socket: &Rc<TcpStream>) -> Reading {
    let socket = socket.clone();
    Box::pin(async move { socket.read(&mut [0]).await })
}

async fn once(reading: &mut Reading) -> Poll<Result<usize>> {
    poll_fn(|cx| Poll::Ready(reading.as_mut().poll(cx))).await
}

/// The read that a task has begun before it ended.
async fn left_by_another(socket: &Rc<TcpStream>) -> Result<Reading> {
    let mut reading = reading(socket);
    let begins = spawn(async move {
        assert!(once(&mut reading).await.is_pending());
        Ok(reading)
    });
    begins.join().await
}

/// The place of the ended task is used again, by one that waits at the same socket.
#[test]
fn a_read_whose_task_is_gone_does_not_have_the_seat_of_a_later_one() {
    cleanly(async || {
        let (one, two) = pair().await?;
        let one = Rc::new(one);
        let mut old = left_by_another(&one).await?;
        let new = spawn(reading(&one));
        yield_now().await?;
        two.write_all(b"x").await?;
        let polled = once(&mut old).await;
        assert!(
            matches!(polled, Poll::Ready(Err(Error::Busy(Busy::Reader)))),
            "{polled:?}"
        );
        drop(old);
        assert_eq!(new.join().await?, 1);
        Ok(())
    });
}

#[test]
fn a_read_whose_task_is_gone_goes_on_in_another() {
    cleanly(async || {
        let (one, two) = pair().await?;
        let one = Rc::new(one);
        let old = left_by_another(&one).await?;
        let here = spawn(old);
        yield_now().await?;
        two.write_all(b"x").await?;
        assert_eq!(here.join().await?, 1);
        Ok(())
    });
}

#[test]
fn a_read_takes_its_seat_along_to_another_task() {
    cleanly(async || {
        let (one, two) = pair().await?;
        let one = Rc::new(one);
        let mut moved = reading(&one);
        assert!(once(&mut moved).await.is_pending());
        let there = spawn(moved);
        yield_now().await?;
        let second = one.read(&mut [0]).await;
        assert!(matches!(second, Err(Error::Busy(Busy::Reader))), "{second:?}");
        two.write_all(b"x").await?;
        assert_eq!(there.join().await?, 1);
        Ok(())
    });
}
