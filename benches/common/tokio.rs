//! The scenarios on tokio: one thread (`current_thread`), everything enabled that a server needs.

use super::{ANY_PORT, BATCH, BUFFER, LONG, Listening, Runtime, SHORT, Waiting, delay, poll_once, sum_below};
use std::future::Future;
use std::hint::black_box;
use std::io;
use std::ops::Range;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

pub(super) const RUNTIME: Runtime = Runtime {
    name: "tokio",
    switch,
    spawn_each,
    spawn_all,
    sleep: sleep_all,
    sleep_dropped,
    timeout_ready,
    timeout_yield,
    cancel,
    echo: echo::<BUFFER>,
    echo_small: echo::<1>,
    sleeping,
};

/// Runs `main` as a task, which is why it has to be `Send`.
fn block_on<F>(main: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("tokio starts")
        .block_on(async { tokio::spawn(main).await.expect("the driver ends well") })
}

fn switch(tasks: usize, rounds: usize) {
    block_on(async move {
        let mut handles = Vec::with_capacity(tasks);
        for _ in 0..tasks {
            handles.push(tokio::spawn(async move {
                for _ in 0..rounds {
                    yield_now().await;
                }
            }));
        }
        for handle in handles {
            handle.await.expect("a task ends well");
        }
    });
}

fn spawn_each(rounds: usize) {
    let sum = block_on(async move {
        let mut sum = 0;
        for i in 0..rounds as u64 {
            let task = tokio::spawn(async move { Ok::<u64, io::Error>(i) });
            sum += task.await.expect("a task ends well").expect("no error");
        }
        sum
    });
    assert_eq!(sum, sum_below(rounds));
}

fn spawn_all(tasks: usize, rounds: usize) {
    block_on(async move {
        let mut handles = Vec::with_capacity(tasks);
        for _ in 0..rounds {
            for i in 0..tasks as u64 {
                handles.push(tokio::spawn(async move { Ok::<u64, io::Error>(i) }));
            }
            let mut sum = 0;
            for handle in handles.drain(..) {
                sum += handle.await.expect("a task ends well").expect("no error");
            }
            assert_eq!(sum, sum_below(tasks));
        }
    });
}

fn sleep_all(tasks: usize, rounds: usize, delays: Range<Duration>) {
    block_on(async move {
        let mut handles = Vec::with_capacity(tasks);
        for _ in 0..rounds {
            for i in 0..tasks {
                let delay = delay(i, &delays);
                handles.push(tokio::spawn(async move {
                    sleep(delay).await;
                }));
            }
            for handle in handles.drain(..) {
                handle.await.expect("a task ends well");
            }
        }
    });
}

fn sleep_dropped(rounds: usize) {
    block_on(async move {
        for _ in 0..rounds {
            poll_once(pin!(sleep(LONG))).await;
        }
    });
}

fn timeout_ready(rounds: usize) {
    let sum = block_on(async move {
        let mut sum = 0;
        for i in 0..rounds as u64 {
            let work = async { Ok::<u64, io::Error>(black_box(i)) };
            sum += timeout(LONG, work).await.expect("in time").expect("no error");
        }
        sum
    });
    assert_eq!(sum, sum_below(rounds));
}

fn timeout_yield(rounds: usize) {
    let sum = block_on(async move {
        let mut sum = 0;
        for i in 0..rounds as u64 {
            let work = async {
                yield_now().await;
                Ok::<u64, io::Error>(black_box(i))
            };
            sum += timeout(LONG, work).await.expect("in time").expect("no error");
        }
        sum
    });
    assert_eq!(sum, sum_below(rounds));
}

fn cancel(rounds: usize) {
    block_on(async move {
        for _ in 0..rounds {
            let task = tokio::spawn(sleep(LONG));
            yield_now().await;
            task.abort();
            let end = task.await.expect_err("a cancelled task has no result");
            assert!(end.is_cancelled());
        }
    });
}

async fn serve<const BUFFER: usize>(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; BUFFER];
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..n]).await?;
    }
}

fn echo<const BUFFER: usize>(connections: usize, mut listening: Listening) {
    block_on(async move {
        let listener = TcpListener::bind(ANY_PORT).await?;
        listening(listener.local_addr()?);
        let mut handles = Vec::with_capacity(connections);
        for _ in 0..connections {
            let (stream, _) = listener.accept().await?;
            handles.push(tokio::spawn(serve::<BUFFER>(stream)));
        }
        for handle in handles {
            handle.await.expect("a task ends well")?;
        }
        io::Result::Ok(())
    })
    .expect("the server ends well");
}

fn sleeping(tasks: usize, rounds: usize, mut waiting: Waiting) {
    static ASLEEP: AtomicUsize = AtomicUsize::new(0);
    block_on(async move {
        waiting();
        for i in 0..tasks {
            let delay = delay(i, &(LONG..2 * LONG));
            drop(tokio::spawn(async move {
                ASLEEP.fetch_add(1, Ordering::Relaxed);
                sleep(delay).await;
            }));
            while (i + 1) % BATCH == 0 && ASLEEP.load(Ordering::Relaxed) <= i {
                yield_now().await;
            }
        }
        for _ in 0..rounds {
            sleep(SHORT).await;
        }
        waiting();
    });
}
