//! The scenarios on curio.

use super::{ANY_PORT, BATCH, BUFFER, LONG, Listening, Runtime, SHORT, Waiting, delay, poll_once, sum_below};
use curio::net::{TcpListener, TcpStream};
use curio::{Error, Outcome, run, sleep, spawn, timeout_after, yield_now};
use std::future::Future;
use std::hint::black_box;
use std::ops::Range;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

pub(super) const RUNTIME: Runtime = Runtime {
    name: "curio",
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

fn block_on<F>(main: F) -> <F::Output as Outcome>::Value
where
    F: Future,
    F::Output: Outcome,
{
    run(main).expect("the main task ends well")
}

fn switch(tasks: usize, rounds: usize) {
    block_on(async {
        let mut handles = Vec::with_capacity(tasks);
        for _ in 0..tasks {
            handles.push(spawn(async move {
                for _ in 0..rounds {
                    yield_now().await?;
                }
                Ok::<(), Error>(())
            }));
        }
        for handle in handles {
            handle.join().await?;
        }
        Ok::<(), Error>(())
    });
}

fn spawn_each(rounds: usize) {
    let sum = block_on(async {
        let mut sum = 0;
        for i in 0..rounds as u64 {
            let task = spawn(async move { Ok::<u64, Error>(i) });
            sum += task.join().await?;
        }
        Ok::<u64, Error>(sum)
    });
    assert_eq!(sum, sum_below(rounds));
}

fn spawn_all(tasks: usize, rounds: usize) {
    block_on(async {
        let mut handles = Vec::with_capacity(tasks);
        for _ in 0..rounds {
            for i in 0..tasks as u64 {
                handles.push(spawn(async move { Ok::<u64, Error>(i) }));
            }
            let mut sum = 0;
            for handle in handles.drain(..) {
                sum += handle.join().await?;
            }
            assert_eq!(sum, sum_below(tasks));
        }
        Ok::<(), Error>(())
    });
}

fn sleep_all(tasks: usize, rounds: usize, delays: Range<Duration>) {
    block_on(async {
        let mut handles = Vec::with_capacity(tasks);
        for _ in 0..rounds {
            for i in 0..tasks {
                let delay = delay(i, &delays);
                handles.push(spawn(async move { sleep(delay).await }));
            }
            for handle in handles.drain(..) {
                handle.join().await?;
            }
        }
        Ok::<(), Error>(())
    });
}

fn sleep_dropped(rounds: usize) {
    block_on(async {
        for _ in 0..rounds {
            poll_once(pin!(sleep(LONG))).await;
        }
    });
}

fn timeout_ready(rounds: usize) {
    let sum = block_on(async {
        let mut sum = 0;
        for i in 0..rounds as u64 {
            let work = async { Ok::<u64, Error>(black_box(i)) };
            sum += timeout_after(LONG, work).await?;
        }
        Ok::<u64, Error>(sum)
    });
    assert_eq!(sum, sum_below(rounds));
}

fn timeout_yield(rounds: usize) {
    let sum = block_on(async {
        let mut sum = 0;
        for i in 0..rounds as u64 {
            let work = async {
                yield_now().await?;
                Ok::<u64, Error>(black_box(i))
            };
            sum += timeout_after(LONG, work).await?;
        }
        Ok::<u64, Error>(sum)
    });
    assert_eq!(sum, sum_below(rounds));
}

fn cancel(rounds: usize) {
    block_on(async {
        for _ in 0..rounds {
            let task = spawn(sleep(LONG));
            yield_now().await?;
            task.cancel().await?;
            assert!(task.cancelled());
        }
        Ok::<(), Error>(())
    });
}

async fn serve<const BUFFER: usize>(stream: TcpStream) -> Result<(), Error> {
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
    block_on(async {
        let listener = TcpListener::bind(ANY_PORT)?;
        listening(listener.local_addr()?);
        let mut handles = Vec::with_capacity(connections);
        for _ in 0..connections {
            let (stream, _) = listener.accept().await?;
            handles.push(spawn(serve::<BUFFER>(stream)));
        }
        for handle in handles {
            handle.join().await?;
        }
        Ok::<(), Error>(())
    });
}

fn sleeping(tasks: usize, rounds: usize, mut waiting: Waiting) {
    static ASLEEP: AtomicUsize = AtomicUsize::new(0);
    block_on(async {
        waiting();
        for i in 0..tasks {
            let delay = delay(i, &(LONG..2 * LONG));
            let task = spawn(async move {
                ASLEEP.fetch_add(1, Ordering::Relaxed);
                sleep(delay).await
            });
            task.detach();
            while (i + 1) % BATCH == 0 && ASLEEP.load(Ordering::Relaxed) <= i {
                yield_now().await?;
            }
        }
        for _ in 0..rounds {
            sleep(SHORT).await?;
        }
        waiting();
        Ok::<(), Error>(())
    });
}
