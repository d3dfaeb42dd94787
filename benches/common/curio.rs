//! The scenarios on curio.

use super::{ANY_PORT, BATCH, BUFFER, LONG, Listening, Runtime, SHORT, Waiting, delay, poll_once, sum_below};
#[cfg(unix)]
use curio::Kernel;
#[cfg(unix)]
use curio::monitor::Monitor;
use curio::net::{TcpListener, TcpStream};
use curio::{
    Error, Event, Lock, Outcome, Queue, Semaphore, UniversalQueue, run, run_in_thread, sleep, spawn,
    timeout_after, yield_now,
};
use std::future::Future;
use std::hint::black_box;
use std::ops::Range;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

pub(super) const RUNTIME: Runtime = Runtime {
    name: "curio",
    switch,
    #[cfg(unix)]
    switch_monitored: Some(switch_monitored),
    #[cfg(not(unix))]
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
    #[cfg(all(unix, feature = "process"))]
    in_process: Some(in_process),
    #[cfg(not(all(unix, feature = "process")))]
    in_process: None,
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
    block_on(switch_all(tasks, rounds));
}

#[cfg(unix)]
fn switch_monitored(tasks: usize, rounds: usize) {
    let kernel = Kernel::builder().monitor(Monitor::new()).build();
    let kernel = kernel.expect("there is a kernel with a monitor");
    let done = kernel.run(switch_all(tasks, rounds));
    done.expect("the main task ends well");
}

async fn switch_all(tasks: usize, rounds: usize) -> Result<(), Error> {
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
    Ok(())
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

fn queue<T>(capacity: Option<usize>) -> Queue<T> {
    capacity.map_or_else(Queue::new, Queue::bounded)
}

fn round_trip(capacity: Option<usize>, rounds: usize) {
    let sum = block_on(async {
        let (there, back) = (queue(capacity), queue(capacity));
        let echo = spawn({
            let (there, back) = (there.clone(), back.clone());
            async move {
                for _ in 0..rounds {
                    let item: u64 = there.get().await?;
                    back.put(item).await?;
                }
                Ok::<(), Error>(())
            }
        });
        let mut sum = 0;
        for i in 0..rounds as u64 {
            there.put(i).await?;
            sum += back.get().await?;
        }
        echo.join().await?;
        Ok::<u64, Error>(sum)
    });
    assert_eq!(sum, sum_below(rounds));
}

fn pass(capacity: Option<usize>, rounds: usize) {
    let sum = block_on(async {
        let queue = queue(capacity);
        let producer = spawn({
            let queue = queue.clone();
            async move {
                for i in 0..rounds as u64 {
                    queue.put(i).await?;
                }
                Ok::<(), Error>(())
            }
        });
        let mut sum = 0;
        for _ in 0..rounds {
            sum += queue.get().await?;
        }
        producer.join().await?;
        Ok::<u64, Error>(sum)
    });
    assert_eq!(sum, sum_below(rounds));
}

fn lock_alone(rounds: usize) {
    let sum = block_on(async {
        let lock = Lock::new(0);
        for i in 0..rounds as u64 {
            *lock.lock().await? += i;
        }
        let sum = *lock.lock().await?;
        Ok::<u64, Error>(sum)
    });
    assert_eq!(sum, sum_below(rounds));
}

fn lock_yield(tasks: usize, rounds: usize) {
    let sum = block_on(async {
        let lock = Lock::new(0);
        let mut handles = Vec::with_capacity(tasks);
        for _ in 0..tasks {
            let lock = lock.clone();
            handles.push(spawn(async move {
                for i in 0..rounds as u64 {
                    let mut sum = lock.lock().await?;
                    yield_now().await?;
                    *sum += i;
                }
                Ok::<(), Error>(())
            }));
        }
        for handle in handles {
            handle.join().await?;
        }
        let sum = *lock.lock().await?;
        Ok::<u64, Error>(sum)
    });
    assert_eq!(sum, tasks as u64 * sum_below(rounds));
}

fn semaphore(tasks: usize, rounds: usize) {
    block_on(async {
        let ring: Vec<Semaphore> = (0..tasks).map(|i| Semaphore::new(usize::from(i == 0))).collect();
        let mut handles = Vec::with_capacity(tasks);
        for i in 0..tasks {
            let (mine, next) = (ring[i].clone(), ring[(i + 1) % tasks].clone());
            handles.push(spawn(async move {
                for _ in 0..rounds {
                    mine.acquire().await?.forget();
                    next.release();
                }
                Ok::<(), Error>(())
            }));
        }
        for handle in handles {
            handle.join().await?;
        }
        assert_eq!(ring[0].value(), 1);
        Ok::<(), Error>(())
    });
}

fn event(tasks: usize, rounds: usize) {
    block_on(async {
        let ring: Vec<Event> = (0..tasks).map(|_| Event::new()).collect();
        ring[0].set();
        let mut handles = Vec::with_capacity(tasks);
        for i in 0..tasks {
            let (mine, next) = (ring[i].clone(), ring[(i + 1) % tasks].clone());
            handles.push(spawn(async move {
                for _ in 0..rounds {
                    mine.wait().await?;
                    mine.clear();
                    next.set();
                }
                Ok::<(), Error>(())
            }));
        }
        for handle in handles {
            handle.join().await?;
        }
        assert!(ring[0].is_set());
        Ok::<(), Error>(())
    });
}

fn from_thread(rounds: usize) {
    let sum = block_on(async {
        let queue = UniversalQueue::new();
        let producer = thread::spawn({
            let queue = queue.clone();
            move || {
                for i in 0..rounds as u64 {
                    queue.blocking_put(i).expect("the queue is open");
                }
            }
        });
        let mut sum = 0;
        for _ in 0..rounds {
            sum += queue.get().await?;
        }
        producer.join().expect("the thread ends well");
        Ok::<u64, Error>(sum)
    });
    assert_eq!(sum, sum_below(rounds));
}

fn in_thread(rounds: usize) {
    let sum = block_on(async move {
        let mut sum = 0;
        for i in 0..rounds as u64 {
            sum += run_in_thread(move || i).await?;
        }
        Ok::<u64, Error>(sum)
    });
    assert_eq!(sum, sum_below(rounds));
}

#[cfg(all(unix, feature = "process"))]
fn in_process(rounds: usize) {
    let sum = block_on(async move {
        let mut sum = 0;
        for i in 0..rounds as u64 {
            sum += curio::run_in_process(|i: u64| i, i).await?;
        }
        Ok::<u64, Error>(sum)
    });
    assert_eq!(sum, sum_below(rounds));
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
