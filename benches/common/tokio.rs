//! The scenarios on tokio: one thread (`current_thread`), everything enabled that a server needs.

use super::{ANY_PORT, BATCH, BUFFER, LONG, Listening, Runtime, SHORT, Waiting, delay, poll_once, sum_below};
use std::future::{Future, ready};
use std::hint::black_box;
use std::io;
use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Receiver, Sender, UnboundedReceiver, UnboundedSender, channel, unbounded_channel};
use tokio::sync::{Mutex, Notify, Semaphore};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

pub(super) const RUNTIME: Runtime = Runtime {
    name: "tokio",
    switch,
    switch_monitored: None,
    spawn_each,
    spawn_all,
    sleep: sleep_all,
    sleep_dropped,
    timeout_ready,
    timeout_yield,
    cancel,
    round_trip,
    pass,
    lock_alone,
    lock_yield,
    semaphore,
    event,
    from_thread,
    in_thread,
    in_process: None,
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

/// tokio's queues with and without a capacity are different types.
trait Sends: Send + 'static {
    fn put(&self, item: u64) -> impl Future<Output = ()> + Send;
}

impl Sends for UnboundedSender<u64> {
    fn put(&self, item: u64) -> impl Future<Output = ()> + Send {
        self.send(item).expect("a receiver");
        ready(())
    }
}

impl Sends for Sender<u64> {
    async fn put(&self, item: u64) {
        self.send(item).await.expect("a receiver");
    }
}

trait Receives: Send + 'static {
    fn get(&mut self) -> impl Future<Output = Option<u64>> + Send;
}

impl Receives for UnboundedReceiver<u64> {
    fn get(&mut self) -> impl Future<Output = Option<u64>> + Send {
        self.recv()
    }
}

impl Receives for Receiver<u64> {
    fn get(&mut self) -> impl Future<Output = Option<u64>> + Send {
        self.recv()
    }
}

fn round_trip(capacity: Option<usize>, rounds: usize) {
    match capacity {
        None => round_trip_over(unbounded_channel(), unbounded_channel(), rounds),
        Some(capacity) => round_trip_over(channel(capacity), channel(capacity), rounds),
    }
}

fn round_trip_over<S: Sends, R: Receives>(there: (S, R), back: (S, R), rounds: usize) {
    let sum = block_on(async move {
        let (there, mut at_echo) = there;
        let (from_echo, mut back) = back;
        let echo = tokio::spawn(async move {
            for _ in 0..rounds {
                let item = at_echo.get().await.expect("an item");
                from_echo.put(item).await;
            }
        });
        let mut sum = 0;
        for i in 0..rounds as u64 {
            there.put(i).await;
            sum += back.get().await.expect("an item");
        }
        echo.await.expect("a task ends well");
        sum
    });
    assert_eq!(sum, sum_below(rounds));
}

fn pass(capacity: Option<usize>, rounds: usize) {
    match capacity {
        None => pass_through(unbounded_channel(), rounds),
        Some(capacity) => pass_through(channel(capacity), rounds),
    }
}

fn pass_through<S: Sends, R: Receives>((sender, mut receiver): (S, R), rounds: usize) {
    let sum = block_on(async move {
        let producer = tokio::spawn(async move {
            for i in 0..rounds as u64 {
                sender.put(i).await;
            }
        });
        let mut sum = 0;
        for _ in 0..rounds {
            sum += receiver.get().await.expect("an item");
        }
        producer.await.expect("a task ends well");
        sum
    });
    assert_eq!(sum, sum_below(rounds));
}

fn lock_alone(rounds: usize) {
    let sum = block_on(async move {
        let lock = Mutex::new(0);
        for i in 0..rounds as u64 {
            *lock.lock().await += i;
        }
        lock.into_inner()
    });
    assert_eq!(sum, sum_below(rounds));
}

fn lock_yield(tasks: usize, rounds: usize) {
    let sum = block_on(async move {
        let lock = Arc::new(Mutex::new(0));
        let mut handles = Vec::with_capacity(tasks);
        for _ in 0..tasks {
            let lock = lock.clone();
            handles.push(tokio::spawn(async move {
                for i in 0..rounds as u64 {
                    let mut sum = lock.lock().await;
                    yield_now().await;
                    *sum += i;
                }
            }));
        }
        for handle in handles {
            handle.await.expect("a task ends well");
        }
        *lock.lock().await
    });
    assert_eq!(sum, tasks as u64 * sum_below(rounds));
}

fn semaphore(tasks: usize, rounds: usize) {
    block_on(async move {
        let ring: Vec<Arc<Semaphore>> = (0..tasks)
            .map(|i| Arc::new(Semaphore::new(usize::from(i == 0))))
            .collect();
        let mut handles = Vec::with_capacity(tasks);
        for i in 0..tasks {
            let (mine, next) = (ring[i].clone(), ring[(i + 1) % tasks].clone());
            handles.push(tokio::spawn(async move {
                for _ in 0..rounds {
                    mine.acquire().await.expect("it is open").forget();
                    next.add_permits(1);
                }
            }));
        }
        for handle in handles {
            handle.await.expect("a task ends well");
        }
        assert_eq!(ring[0].available_permits(), 1);
    });
}

/// tokio's event is cleared by the one that waits.
fn event(tasks: usize, rounds: usize) {
    block_on(async move {
        let ring: Vec<Arc<Notify>> = (0..tasks).map(|_| Arc::default()).collect();
        ring[0].notify_one();
        let mut handles = Vec::with_capacity(tasks);
        for i in 0..tasks {
            let (mine, next) = (ring[i].clone(), ring[(i + 1) % tasks].clone());
            handles.push(tokio::spawn(async move {
                for _ in 0..rounds {
                    mine.notified().await;
                    next.notify_one();
                }
            }));
        }
        for handle in handles {
            handle.await.expect("a task ends well");
        }
        ring[0].notified().await;
    });
}

fn from_thread(rounds: usize) {
    let sum = block_on(async move {
        let (sender, mut receiver) = unbounded_channel();
        let producer = thread::spawn(move || {
            for i in 0..rounds as u64 {
                sender.send(i).expect("a receiver");
            }
        });
        let mut sum = 0;
        for _ in 0..rounds {
            sum += receiver.recv().await.expect("an item");
        }
        producer.join().expect("the thread ends well");
        sum
    });
    assert_eq!(sum, sum_below(rounds));
}

fn in_thread(rounds: usize) {
    let sum = block_on(async move {
        let mut sum = 0;
        for i in 0..rounds as u64 {
            sum += tokio::task::spawn_blocking(move || i)
                .await
                .expect("it does not panic");
        }
        sum
    });
    assert_eq!(sum, sum_below(rounds));
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
