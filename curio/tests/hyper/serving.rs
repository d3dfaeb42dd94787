//! Interruptions, timers, and peers that leave.

use std::time::Duration;

use curio::hyper::Io;
use curio::net::UnixStream;
use curio::{Clock, Error, WithTimeout, clock, open_connection, sleep, spawn, timeout_after};

use hyper::client::conn::http1::handshake;

use crate::{Site, cleanly, cleanly_on, client, fetch, post, serve, site};

/// Until something holds, on the real clock.
async fn until(what: impl Fn() -> bool) -> curio::Result<()> {
    while !what() {
        sleep(Duration::from_millis(1)).await?;
    }
    Ok(())
}

#[test]
fn a_client_that_vanishes_takes_its_handler_with_it() {
    cleanly(async || {
        let (site, addr, server) = site()?;
        let stream = open_connection(addr).await?;
        stream
            .write_all(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            .await?;
        until(|| site.slow.get() == 1).await?;
        drop(stream);
        // Before its time is over, and the guard's.
        until(|| site.slow.get() == 0).await?;
        // In the middle of a big answer, and of a request.
        for said in [
            "GET /big HTTP/1.1\r\nHost: x\r\n\r\n",
            "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhal",
        ] {
            let stream = open_connection(addr).await?;
            stream.write_all(said.as_bytes()).await?;
            stream
                .read(&mut [0; 10])
                .timeout(Duration::from_millis(5))
                .await
                .ok();
        }
        let (mut sender, _connection) = client(addr).await?;
        assert_eq!(fetch(&mut sender, post("/", "")).await?, "hello");
        server.cancel().await
    });
}

#[test]
fn a_handler_that_fails_ends_its_connection() {
    cleanly(async || {
        let (_, addr, server) = site()?;
        let (mut sender, _connection) = client(addr).await?;
        assert!(fetch(&mut sender, post("/fail", "")).await.is_err());
        let (mut sender, _connection) = client(addr).await?;
        assert_eq!(fetch(&mut sender, post("/", "")).await?, "hello");
        server.cancel().await
    });
}

/// A server that is cancelled answers what it was asked, says that this was the last, and closes what is idle.
#[test]
fn a_cancelled_server_answers_what_it_was_asked() {
    cleanly(async || {
        let (site, addr, server) = site()?;
        let (mut idle, idle_connection) = client(addr).await?;
        assert_eq!(fetch(&mut idle, post("/", "")).await?, "hello");
        let (mut busy, _connection) = client(addr).await?;
        let asking = spawn(async move { fetch(&mut busy, post("/slow", "")).await });
        until(|| site.slow.get() == 1).await?;
        server.cancel().await?;
        assert_eq!(site.slow.get(), 0);
        assert_eq!(asking.join().await?, "at last");
        idle_connection.wait().await?;
        Ok(())
    });
}

/// The grace is over some time, and who is late is dropped. The task is cancelled, and has not failed.
#[test]
fn the_grace_ends() {
    cleanly_on(Clock::Virtual, async || {
        let site = std::rc::Rc::new(Site::default());
        let (one, two) = UnixStream::pair()?;
        let serving = spawn(serve(site.clone(), one, Duration::from_millis(30)));
        two.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await?;
        sleep(Duration::from_millis(1)).await?;
        assert_eq!(site.slow.get(), 1);
        let began = clock();
        serving.cancel().await?;
        assert_eq!(clock() - began, Duration::from_millis(30));
        assert_eq!(site.slow.get(), 0);
        assert!(matches!(serving.join().await, Err(Error::Task(e)) if e.cancelled()));
        Ok(())
    });
}

/// Without `serve`, it is an interruption like any other, although it has gone through hyper; unless there was nothing to do.
#[test]
fn an_interruption_comes_through_hyper() {
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    cleanly_on(Clock::Virtual, async || {
        for (said, idle) in [("", true), ("GET / HT", false)] {
            for timed in [false, true] {
                let (one, two) = UnixStream::pair()?;
                two.write_all(said.as_bytes()).await?;
                let connection = http1::Builder::new().timer(curio::hyper::Timer).serve_connection(
                    curio::hyper::Io::new(one),
                    service_fn(|request| crate::answer(Default::default(), request)),
                );
                let serving = spawn(async move {
                    let limit = timed.then_some(Duration::from_secs(2));
                    timeout_after(limit, async { connection.await.map_err(Error::from) }).await
                });
                if !timed {
                    sleep(Duration::from_secs(1)).await?;
                    serving.cancel().await?;
                }
                match serving.join().await {
                    Ok(()) => assert!(idle),
                    Err(Error::Task(e)) if !timed => assert!(e.cancelled() && !idle),
                    // The task let the timeout escape, so it is its failure.
                    Err(Error::Task(e)) => assert!(!idle && e.to_string().contains("uncaught timeout")),
                    Err(error) => return Err(error),
                }
                while two.read(&mut [0; 1000]).await? > 0 {}
            }
        }
        Ok(())
    });
}

/// Whoever waits for an answer is another task than that which drives the connection, and not interrupted with it.
#[test]
fn what_interrupts_a_connection_does_not_interrupt_who_uses_it() {
    cleanly_on(Clock::Virtual, async || {
        for timed in [false, true] {
            let (_site, addr, server) = site()?;
            let stream = Io::new(curio::open_connection(addr).await?);
            let (mut sender, connection) = handshake(stream).await?;
            let limit = timed.then_some(Duration::from_millis(10));
            let driver = spawn(async move {
                timeout_after(limit, async { connection.await.map_err(Error::from) }).await
            });
            let asker = spawn(async move {
                let answer = fetch(&mut sender, post("/slow", "")).await;
                let error = answer.unwrap_err();
                assert!(!error.is_cancellation(), "{error:?}");
                // Its own is still its own.
                fetch(&mut sender, post("/", "")).await.map(drop)
            });
            sleep(Duration::from_millis(20)).await?;
            driver.cancel().await?;
            let Err(Error::Task(failed)) = asker.join().await else {
                panic!("there is no answer")
            };
            assert!(
                !failed.cancelled() && failed.panic_message().is_none(),
                "{failed}"
            );
            server.cancel().await?;
        }
        Ok(())
    });
}

/// hyper's timers are the kernel's.
#[test]
fn a_client_that_says_nothing_is_given_up() {
    for said in ["", "GET / HT"] {
        cleanly_on(Clock::Virtual, async || {
            let (one, two) = UnixStream::pair()?;
            let began = clock();
            let serving = spawn(serve(Default::default(), one, Duration::ZERO));
            two.write_all(said.as_bytes()).await?;
            let served = serving.wait().await;
            served?;
            assert_eq!(clock() - began, Duration::from_secs(5));
            let mut buf = [0; 1000];
            while two.read(&mut buf).await? > 0 {}
            Ok(())
        });
    }
}

#[test]
fn a_timer_of_hypers_is_set_and_reset() {
    use hyper::rt::Timer as _;
    cleanly_on(Clock::Virtual, async || {
        let timer = curio::hyper::Timer;
        let began = timer.now();
        timer.sleep(Duration::from_secs(3)).await;
        assert_eq!(timer.now() - began, Duration::from_secs(3));
        let mut sleep = timer.sleep_until(began + Duration::from_secs(5));
        timer.reset(&mut sleep, began + Duration::from_secs(9));
        sleep.await;
        assert_eq!(timer.now() - began, Duration::from_secs(9));
        timer.sleep_until(began).await;
        timer.sleep(Duration::ZERO).await;
        assert_eq!(timer.now() - began, Duration::from_secs(9));
        Ok(())
    });
}
