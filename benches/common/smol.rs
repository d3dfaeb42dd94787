//! The scenarios on smol: a `LocalExecutor`, run by the thread that also waits for I/O.

use super::{ANY_PORT, BATCH, BUFFER, LONG, Listening, Runtime, SHORT, Waiting, delay, poll_once, sum_below};
use event_listener::Event;
use smol::channel::{Receiver, Sender, bounded, unbounded};
use smol::future::{or, yield_now};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::lock::{Mutex, Semaphore};
use smol::net::{TcpListener, TcpStream};
use smol::{LocalExecutor, Timer};
use std::cell::Cell;
use std::future::Future;
use std::hint::black_box;
use std::io;
use std::ops::Range;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

pub(super) const RUNTIME: Runtime = Runtime {
    name: "smol",
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

/// Runs `main` as a task of the executor it is given.
fn block_on<F: Future + 'static>(main: impl FnOnce(Rc<LocalExecutor<'static>>) -> F) -> F::Output {
    let executor = Rc::new(LocalExecutor::new());
    let main = executor.spawn(main(executor.clone()));
    smol::block_on(executor.run(main))
}

/// smol has no timeout of its own; its documentation races the work with a timer.
async fn timeout<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    or(work, async {
        Timer::after(limit).await;
        Err(io::ErrorKind::TimedOut.into())
    })
    .await
}

fn switch(tasks: usize, rounds: usize) {
    block_on(|executor| async move {
        let mut handles = Vec::with_capacity(tasks);
        for _ in 0..tasks {
            handles.push(executor.spawn(async move {
                for _ in 0..rounds {
                    yield_now().await;
                }
            }));
        }
        for handle in handles {
            handle.await;
        }
    });
}

fn spawn_each(rounds: usize) {
    let sum = block_on(|executor| async move {
        let mut sum = 0;
        for i in 0..rounds as u64 {
            let task = executor.spawn(async move { Ok::<u64, io::Error>(i) });
            sum += task.await.expect("no error");
        }
        sum
    });
    assert_eq!(sum, sum_below(rounds));
}

fn spawn_all(tasks: usize, rounds: usize) {
    block_on(|executor| async move {
        let mut handles = Vec::with_capacity(tasks);
        for _ in 0..rounds {
            for i in 0..tasks as u64 {
                handles.push(executor.spawn(async move { Ok::<u64, io::Error>(i) }));
            }
            let mut sum = 0;
            for handle in handles.drain(..) {
                sum += handle.await.expect("no error");
            }
            assert_eq!(sum, sum_below(tasks));
        }
    });
}

fn sleep_all(tasks: usize, rounds: usize, delays: Range<Duration>) {
    block_on(|executor| async move {
        let mut handles = Vec::with_capacity(tasks);
        for _ in 0..rounds {
            for i in 0..tasks {
                let delay = delay(i, &delays);
                handles.push(executor.spawn(async move {
                    Timer::after(delay).await;
                }));
            }
            for handle in handles.drain(..) {
                handle.await;
            }
        }
    });
}

fn sleep_dropped(rounds: usize) {
    block_on(|_| async move {
        for _ in 0..rounds {
            poll_once(pin!(Timer::after(LONG))).await;
        }
    });
}

fn timeout_ready(rounds: usize) {
    let sum = block_on(|_| async move {
        let mut sum = 0;
        for i in 0..rounds as u64 {
            let work = async { Ok::<u64, io::Error>(black_box(i)) };
            sum += timeout(LONG, work).await.expect("in time");
        }
        sum
    });
    assert_eq!(sum, sum_below(rounds));
}

fn timeout_yield(rounds: usize) {
    let sum = block_on(|_| async move {
        let mut sum = 0;
        for i in 0..rounds as u64 {
            let work = async {
                yield_now().await;
                Ok::<u64, io::Error>(black_box(i))
            };
            sum += timeout(LONG, work).await.expect("in time");
        }
        sum
    });
    assert_eq!(sum, sum_below(rounds));
}

fn cancel(rounds: usize) {
    block_on(|executor| async move {
        for _ in 0..rounds {
            let task = executor.spawn(async {
                Timer::after(LONG).await;
            });
            yield_now().await;
            assert!(task.cancel().await.is_none());
        }
    });
}

fn queue<T>(capacity: Option<usize>) -> (Sender<T>, Receiver<T>) {
    capacity.map_or_else(unbounded, bounded)
}

fn round_trip(capacity: Option<usize>, rounds: usize) {
    let sum = block_on(|executor| async move {
        let (there, at_echo) = queue(capacity);
        let (from_echo, back) = queue(capacity);
        let echo = executor.spawn(async move {
            for _ in 0..rounds {
                let item: u64 = at_echo.recv().await.expect("an item");
                from_echo.send(item).await.expect("a receiver");
            }
        });
        let mut sum = 0;
        for i in 0..rounds as u64 {
            there.send(i).await.expect("a receiver");
            sum += back.recv().await.expect("an item");
        }
        echo.await;
        sum
    });
    assert_eq!(sum, sum_below(rounds));
}

fn pass(capacity: Option<usize>, rounds: usize) {
    let sum = block_on(|executor| async move {
        let (sender, receiver) = queue(capacity);
        let producer = executor.spawn(async move {
            for i in 0..rounds as u64 {
                sender.send(i).await.expect("a receiver");
            }
        });
        let mut sum = 0;
        for _ in 0..rounds {
            sum += receiver.recv().await.expect("an item");
        }
        producer.await;
        sum
    });
    assert_eq!(sum, sum_below(rounds));
}

fn lock_alone(rounds: usize) {
    let sum = block_on(|_| async move {
        let lock = Mutex::new(0);
        for i in 0..rounds as u64 {
            *lock.lock().await += i;
        }
        *lock.lock().await
    });
    assert_eq!(sum, sum_below(rounds));
}

fn lock_yield(tasks: usize, rounds: usize) {
    let sum = block_on(|executor| async move {
        let lock = Rc::new(Mutex::new(0));
        let mut handles = Vec::with_capacity(tasks);
        for _ in 0..tasks {
            let lock = lock.clone();
            handles.push(executor.spawn(async move {
                for i in 0..rounds as u64 {
                    let mut sum = lock.lock().await;
                    yield_now().await;
                    *sum += i;
                }
            }));
        }
        for handle in handles {
            handle.await;
        }
        *lock.lock().await
    });
    assert_eq!(sum, tasks as u64 * sum_below(rounds));
}

fn semaphore(tasks: usize, rounds: usize) {
    block_on(|executor| async move {
        let ring: Vec<Rc<Semaphore>> = (0..tasks)
            .map(|i| Rc::new(Semaphore::new(usize::from(i == 0))))
            .collect();
        let mut handles = Vec::with_capacity(tasks);
        for i in 0..tasks {
            let (mine, next) = (ring[i].clone(), ring[(i + 1) % tasks].clone());
            handles.push(executor.spawn(async move {
                for _ in 0..rounds {
                    mine.acquire().await.forget();
                    next.add_permits(1);
                }
            }));
        }
        for handle in handles {
            handle.await;
        }
        assert!(ring[0].try_acquire().is_some());
    });
}

/// smol's event has no memory; its documentation puts a flag beside it.
#[derive(Default)]
struct Flag {
    set: Cell<bool>,
    event: Event,
}

impl Flag {
    fn set(&self) {
        self.set.set(true);
        self.event.notify(usize::MAX);
    }

    async fn wait(&self) {
        while !self.set.get() {
            self.event.listen().await;
        }
    }
}

fn event(tasks: usize, rounds: usize) {
    block_on(|executor| async move {
        let ring: Vec<Rc<Flag>> = (0..tasks).map(|_| Rc::default()).collect();
        ring[0].set();
        let mut handles = Vec::with_capacity(tasks);
        for i in 0..tasks {
            let (mine, next) = (ring[i].clone(), ring[(i + 1) % tasks].clone());
            handles.push(executor.spawn(async move {
                for _ in 0..rounds {
                    mine.wait().await;
                    mine.set.set(false);
                    next.set();
                }
            }));
        }
        for handle in handles {
            handle.await;
        }
        assert!(ring[0].set.get());
    });
}

fn from_thread(rounds: usize) {
    let sum = block_on(|_| async move {
        let (sender, receiver) = unbounded();
        let producer = thread::spawn(move || {
            for i in 0..rounds as u64 {
                sender.send_blocking(i).expect("a receiver");
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
    let sum = block_on(|_| async move {
        let mut sum = 0;
        for i in 0..rounds as u64 {
            sum += smol::unblock(move || i).await;
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
    block_on(|executor| async move {
        let listener = TcpListener::bind(ANY_PORT).await?;
        listening(listener.local_addr()?);
        let mut handles = Vec::with_capacity(connections);
        for _ in 0..connections {
            let (stream, _) = listener.accept().await?;
            handles.push(executor.spawn(serve::<BUFFER>(stream)));
        }
        for handle in handles {
            handle.await?;
        }
        io::Result::Ok(())
    })
    .expect("the server ends well");
}

fn sleeping(tasks: usize, rounds: usize, mut waiting: Waiting) {
    static ASLEEP: AtomicUsize = AtomicUsize::new(0);
    block_on(|executor| async move {
        waiting();
        for i in 0..tasks {
            let delay = delay(i, &(LONG..2 * LONG));
            let task = executor.spawn(async move {
                ASLEEP.fetch_add(1, Ordering::Relaxed);
                Timer::after(delay).await;
            });
            task.detach();
            while (i + 1) % BATCH == 0 && ASLEEP.load(Ordering::Relaxed) <= i {
                yield_now().await;
            }
        }
        for _ in 0..rounds {
            Timer::after(SHORT).await;
        }
        waiting();
    });
}
