//! What goes wrong outside: no descriptors left, resets, signals, wakes for nothing, wakers that change, futures that
//! move, and interruptions at every single place where a program waits.
//!
//! Tests that need the process for themselves (limits, signals, counts of descriptors) start this very binary anew, with
//! the name of one test and `CURIO_FAULTS_CHILD` set; see [`Child`].

#![cfg(target_os = "linux")]

mod common;

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream as StdStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use common::Watchdog;
use curio::net::{TcpListener, TcpStream, UdpSocket, UnixStream};
use curio::stream::FileStream;
use curio::traps::{Label, WaitList, Waiting};
use curio::{
    Clock, Error, Kernel, Queue, Result, Task, WithTimeout, clock, disable_cancellation, ignore_after,
    interruptible, open_connection, run_server, sleep, sleep_until, spawn, timeout_after, yield_now,
};
use futures::StreamExt;
use futures::stream::FuturesUnordered;

const SEC: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);
const EMPTY: &str = "Kernel { tasks: 0, waits: 0, scopes: 0, timers: 0, sockets: 0 }";

fn virtual_kernel() -> Kernel {
    Kernel::builder().clock(Clock::Virtual).build().unwrap()
}

#[track_caller]
fn assert_empty(kernel: &Kernel, context: impl std::fmt::Debug) {
    assert_eq!(format!("{kernel:?}"), EMPTY, "{context:?}");
}

// ---- Children

const CHILD: &str = "CURIO_FAULTS_CHILD";

/// One test of this file in a process of its own.
struct Child {
    process: std::process::Child,
    stdout: BufReader<std::process::ChildStdout>,
    stderr: BufReader<std::process::ChildStderr>,
}

impl Child {
    /// Whether this process is the child, which is to do the work.
    fn is_here() -> bool {
        std::env::var_os(CHILD).is_some()
    }

    /// How many descriptors the child may have.
    fn descriptors() -> Option<u32> {
        std::env::var(CHILD).ok()?.parse().ok()
    }

    /// Starts this test again, with so many descriptors, or as many as may be.
    fn start(test: &str, descriptors: u32) -> Child {
        let limited =
            format!("ulimit -n {descriptors} 2> /dev/null; export {CHILD}=$(ulimit -n); exec \"$0\" \"$@\"");
        let mut process = Command::new("sh")
            .args(["-c", &limited])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let stderr = BufReader::new(process.stderr.take().unwrap());
        Child {
            process,
            stdout,
            stderr,
        }
    }

    /// What the child has said on a line that begins with `word`.
    #[track_caller]
    fn said(&mut self, word: &str) -> String {
        let mut line = String::new();
        while self.stdout.read_line(&mut line).unwrap() > 0 {
            // The harness has begun this line.
            if let Some((_, said)) = line.split_once(&format!("{word} ")) {
                return said.trim().to_string();
            }
            line.clear();
        }
        panic!("the child ended without saying {word}: {}", self.rest());
    }

    fn rest(&mut self) -> String {
        let mut rest = String::new();
        let _ = self.stderr.read_to_string(&mut rest);
        rest
    }

    /// Waits for a good end, and gives what is left on stderr.
    #[track_caller]
    fn finish(mut self) -> String {
        let mut rest = String::new();
        let _ = self.stdout.read_to_string(&mut rest);
        let errors = self.rest();
        let status = self.process.wait().unwrap();
        assert!(status.success(), "{status}: {rest}{errors}");
        errors
    }

    /// The time that the child has computed so far.
    fn cpu_time(&self) -> Duration {
        cpu_time(&self.process.id().to_string())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn cpu_time(process: &str) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // Behind the name: state, then 10 numbers, then user and system time in hundredths of a second.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(10 * ticks)
}

fn open_descriptors() -> usize {
    // One is that of the listing itself.
    std::fs::read_dir("/proc/self/fd").unwrap().count() - 1
}

/// The memory of this process that is in use, in kilobytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The close of this socket will be a reset.
fn reset(stream: StdStream) {
    socket2::SockRef::from(&stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(stream);
}

// ---- No descriptors left

async fn echo(client: TcpStream, _addr: SocketAddr) -> Result<()> {
    let mut data = vec![0; 4096];
    loop {
        match client.read(&mut data).await? {
            0 => return Ok(()),
            n => client.write_all(&data[..n]).await?,
        }
    }
}

#[test]
fn a_server_without_descriptors_waits_and_recovers() {
    const CLIENTS: usize = 100;
    if Child::is_here() {
        let kernel = Kernel::new().unwrap();
        let served = Rc::new(Cell::new(0));
        kernel
            .run(async {
                let listener = TcpListener::bind("127.0.0.1:0")?;
                println!("port {}", listener.local_addr()?.port());
                let server = spawn(run_server(listener, {
                    let served = served.clone();
                    async move |client, addr| {
                        let result = echo(client, addr).await;
                        served.set(served.get() + 1);
                        result
                    }
                }));
                while served.get() < CLIENTS {
                    sleep(MS).await?;
                }
                server.cancel().await
            })
            .unwrap();
        assert_empty(&kernel, "the server has ended");
        return;
    }
    let _guard = Watchdog::start();
    let mut child = Child::start("a_server_without_descriptors_waits_and_recovers", 64);
    let port: u16 = child.said("port").parse().unwrap();
    let mut clients: Vec<StdStream> = (0..CLIENTS)
        .map(|_| {
            let mut client = StdStream::connect(("127.0.0.1", port)).unwrap();
            client.write_all(b"hello").unwrap();
            client
        })
        .collect();

    // One line for each pause, and each is twice as long: so nobody tries in between.
    let (mut started, mut before) = (Instant::now(), Duration::ZERO);
    for pause in ["10ms", "20ms", "40ms", "80ms", "160ms", "320ms"] {
        let mut line = String::new();
        child.stderr.read_line(&mut line).unwrap();
        assert_eq!(
            line,
            format!(
                "curio: a server cannot accept connections, and tries again in {pause}: \
                 Too many open files (os error 24)\n"
            )
        );
        if pause == "10ms" {
            (started, before) = (Instant::now(), child.cpu_time());
        }
    }
    // About 310 ms have passed. A server that spins would have computed all the while.
    let (passed, computed) = (started.elapsed(), child.cpu_time() - before);
    assert!(computed < passed / 4, "computed {computed:?} of {passed:?}");

    // Those who were accepted have their answer. When they go, everybody else is served: nobody is lost.
    let mut answer = [0; 5];
    for mut client in clients.drain(..30) {
        client.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"hello");
    }
    for mut client in clients {
        client.set_read_timeout(Some(20 * SEC)).unwrap();
        client.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"hello");
    }
    let rest = child.finish();
    assert!(
        rest.lines()
            .all(|line| line.contains("cannot accept connections")),
        "{rest}"
    );
}

#[test]
fn without_descriptors_everything_is_one_clear_error() {
    if !Child::is_here() {
        Child::start("without_descriptors_everything_is_one_clear_error", 40).finish();
        return;
    }
    #[track_caller]
    fn is_exhaustion<T>(result: Result<T>) {
        match result {
            Err(error @ Error::Io(_)) => {
                assert!(error.to_string().contains("Too many open files"), "{error}")
            }
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("there was a descriptor"),
        }
    }
    let kernel = Kernel::new().unwrap();
    let listener = kernel.run(async { TcpListener::bind("127.0.0.1:0") }).unwrap();
    let addr = listener.local_addr().unwrap();
    let start = open_descriptors();
    let mut hoard = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        hoard.push(file);
    }
    is_exhaustion(kernel.run(async { TcpListener::bind("127.0.0.1:0") }));
    is_exhaustion(kernel.run(open_connection(addr)));
    // A kernel needs two. Where the second is missing, the first is given back.
    for _ in 0..2 {
        is_exhaustion(Kernel::new());
        is_exhaustion(curio::run(async { Ok(()) }));
        hoard.pop();
    }
    drop(hoard);
    assert_eq!(open_descriptors(), start);
    kernel
        .run(async {
            open_connection(addr).await?;
            listener.accept().await?;
            drop(listener);
            Ok(())
        })
        .unwrap();
    assert_empty(&kernel, "after it all");
    Kernel::new().unwrap();
}

// ---- Ten thousand connections

/// What a client does with its connection.
fn misbehave(addr: SocketAddr, kind: u32) -> Option<StdStream> {
    let mut stream = StdStream::connect(addr).unwrap();
    match kind % 8 {
        // Gone before anybody has looked.
        0 => reset(stream),
        // A question, and gone before the answer.
        1 => {
            stream.write_all(&[7; 100]).unwrap();
            reset(stream);
        }
        // Everything in order, and the end by halves.
        2 | 3 => {
            let question = vec![kind as u8; 1 + kind as usize % 5_000];
            stream.write_all(&question).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            assert_eq!(answer, question);
        }
        // Writes and never reads, then is gone.
        4 => {
            stream.set_nonblocking(true).unwrap();
            while stream.write(&[9; 65_536]).is_ok() {}
            reset(stream);
        }
        // Says nothing, and stays for a while.
        5 => return Some(stream),
        // Reads slowly, and not all.
        6 => {
            stream.write_all(&[1; 1000]).unwrap();
            let mut answer = [0; 10];
            for _ in 0..kind % 20 {
                stream.read_exact(&mut answer).unwrap();
            }
        }
        // Closes at once, in order.
        _ => {}
    }
    None
}

#[test]
fn ten_thousand_connections_leave_nothing_behind() {
    const THREADS: u32 = 4;
    if !Child::is_here() {
        let _guard = Watchdog::start();
        Child::start("ten_thousand_connections_leave_nothing_behind", 6_000).finish();
        return;
    }
    // All of a batch may be open at once, at both ends.
    let allowed = Child::descriptors().unwrap_or(6_000).saturating_sub(80);
    let each = (allowed / (2 * THREADS)).clamp(1, 500);
    let batches = 10_000 / (THREADS * each);
    let alive = Rc::new(Cell::new(0u32));
    let count = Rc::new(Cell::new(0u32));
    let kernel = Kernel::new().unwrap();
    let start = open_descriptors();
    kernel
        .run(async {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let addr = listener.local_addr()?;
            let server = spawn(run_server(listener, {
                let (alive, count) = (alive.clone(), count.clone());
                async move |client, addr| {
                    alive.set(alive.get() + 1);
                    count.set(count.get() + 1);
                    let result = echo(client, addr).await;
                    alive.set(alive.get() - 1);
                    match result {
                        Err(error) if error.is_cancellation() => Err(error),
                        // Peers that vanish are what this is about.
                        _ => Ok(()),
                    }
                }
            }));
            yield_now().await?;
            let listening = open_descriptors();
            let mut memory = Vec::new();
            for batch in 0..batches {
                let (done, finished) = futures::channel::oneshot::channel();
                let clients = thread::spawn(move || {
                    let threads: Vec<_> = (0..THREADS)
                        .map(|n| {
                            thread::spawn(move || {
                                let kinds =
                                    (0..each).map(|i| (batch + n + i).wrapping_mul(0x9e37_79b1) >> 16);
                                let held: Vec<_> = kinds.filter_map(|kind| misbehave(addr, kind)).collect();
                                // Half of those who stayed are reset in the end.
                                held.into_iter().step_by(2).for_each(reset);
                            })
                        })
                        .collect();
                    let ended = threads.into_iter().all(|thread| thread.join().is_ok());
                    let _ = done.send(ended);
                });
                assert!(finished.await.map_err(Error::other)?, "a client failed");
                clients.join().unwrap();
                // The server sees all ends now.
                while count.get() < (batch + 1) * THREADS * each || alive.get() > 0 {
                    sleep(MS).await?;
                }
                memory.push(resident());
                assert_eq!(open_descriptors(), listening, "batch {batch}");
            }
            let growth = memory[memory.len() - 1].saturating_sub(memory[1]);
            assert!(growth < 3_000, "kilobytes after each batch: {memory:?}");
            server.cancel().await
        })
        .unwrap();
    assert_empty(&kernel, "all connections are over");
    assert_eq!(open_descriptors(), start);
}

// ---- Signals

/// The only places where this file must ask the system in its own language.
mod signals {
    #![allow(unsafe_code)]

    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    pub(super) static ALARMS: AtomicU32 = AtomicU32::new(0);

    extern "C" fn count(_signal: libc::c_int) {
        ALARMS.fetch_add(1, Ordering::Relaxed);
    }

    /// From now on, the process gets a signal every `interval`, and system calls that wait are interrupted by it.
    pub(super) fn alarm_every(interval: Duration) {
        let time = libc::timeval {
            tv_sec: 0,
            tv_usec: interval.subsec_micros().into(),
        };
        let timer = libc::itimerval {
            it_interval: time,
            it_value: time,
        };
        // SAFETY: all zeroes is a valid `sigaction`: no flags (so no SA_RESTART), no mask. The handler only adds to an
        // atomic. Both calls read the structures before they return.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = count as *const () as usize;
            assert_eq!(libc::sigaction(libc::SIGALRM, &action, std::ptr::null_mut()), 0);
            assert_eq!(
                libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut()),
                0
            );
        }
    }

    /// Writing to a broken pipe kills again, as in a program that is not written in Rust.
    pub(super) fn let_broken_pipes_kill() {
        // SAFETY: it only sets a disposition.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    }
}

#[test]
fn a_storm_of_signals_disturbs_nobody() {
    if !Child::is_here() {
        let _guard = Watchdog::start();
        Child::start("a_storm_of_signals_disturbs_nobody", 256).finish();
        return;
    }
    let kernel = Kernel::new().unwrap();
    signals::alarm_every(MS);
    kernel
        .run(async {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let addr = listener.local_addr()?;
            let server = spawn(run_server(listener, echo));
            let sleeper = spawn(async {
                for n in 1..=20 {
                    let start = Instant::now();
                    sleep(n * MS).await?;
                    assert!(start.elapsed() >= n * MS);
                }
                Ok(())
            });
            for round in 0..50u8 {
                let stream = Rc::new(open_connection(addr).await?);
                let data: Vec<u8> = (0..100_000u32).map(|n| n as u8 ^ round).collect();
                let writer = spawn({
                    let (stream, data) = (stream.clone(), data.clone());
                    async move { stream.write_all(&data).await }
                });
                let mut answer = vec![0; data.len()];
                stream.read_exact(&mut answer).timeout(60 * SEC).await?;
                assert!(answer == data);
                writer.join().await?;
            }
            sleeper.join().await?;
            server.cancel().await
        })
        .unwrap();
    assert_empty(&kernel, "after the storm");
    assert!(signals::ALARMS.load(Ordering::Relaxed) > 50);
}

#[test]
fn a_broken_pipe_is_an_error_and_not_the_end() {
    if !Child::is_here() {
        Child::start("a_broken_pipe_is_an_error_and_not_the_end", 256).finish();
        return;
    }
    signals::let_broken_pipes_kill();
    curio::run(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        for gone in [reset, drop::<StdStream>] {
            let peer = StdStream::connect(listener.local_addr()?)?;
            let (stream, _) = listener.accept().await?;
            gone(peer);
            let error = loop {
                if let Err(error) = stream.write_all(&[0; 1000]).await {
                    break error;
                }
            };
            let Error::Io(error) = error else {
                panic!("{error}")
            };
            assert!(
                matches!(error.raw_os_error(), Some(libc::EPIPE | libc::ECONNRESET)),
                "{error}"
            );
            // And once more, as nobody is there for certain now.
            assert!(stream.write(&[0]).await.is_err());
        }
        Ok(())
    })
    .unwrap();
}

// ---- Every operation

type Operation = Pin<Box<dyn Future<Output = Result<()>>>>;

/// An operation that waits, and what ends its wait.
struct Case {
    name: &'static str,
    operation: Operation,
    end: Box<dyn FnOnce()>,
}

fn case(
    name: &'static str,
    operation: impl Future<Output = Result<()>> + 'static,
    end: impl FnOnce() + 'static,
) -> Case {
    Case {
        name,
        operation: Box::pin(operation),
        end: Box::new(end),
    }
}

/// Waits for a flag, through the public low level.
async fn wait_for(flag: Rc<(Cell<bool>, WaitList)>) -> Result<()> {
    const FLAG_WAIT: Label = Label::new(&"FLAG_WAIT");
    let mut waiting = Waiting::new();
    let place = std::panic::Location::caller();
    poll_fn(|cx| {
        if flag.0.get() {
            waiting.complete();
            return Poll::Ready(Ok(()));
        }
        match waiting.wait_on(&flag.1, cx, FLAG_WAIT, place) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    })
    .await
}

/// A connected pair.
async fn pair() -> Result<(Rc<TcpStream>, StdStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let peer = StdStream::connect(listener.local_addr()?)?;
    let (stream, _) = listener.accept().await?;
    Ok((Rc::new(stream), peer))
}

/// One that takes no more bytes.
async fn full_pair() -> Result<(Rc<TcpStream>, StdStream)> {
    let (stream, peer) = pair().await?;
    let chunk = vec![0; 1 << 16];
    while ignore_after(2 * MS, stream.write(&chunk)).await?.is_some() {}
    Ok((stream, peer))
}

/// Takes everything that comes, on a thread of its own.
fn swallow_all(mut peer: StdStream) {
    thread::spawn(move || {
        let mut buf = vec![0; 1 << 16];
        while peer.read(&mut buf).is_ok_and(|n| n > 0) {}
    });
}

/// A task that ends when told to, and how to tell it.
fn task_to_end() -> (Rc<Task<()>>, impl FnOnce()) {
    let (end, ended) = futures::channel::oneshot::channel::<()>();
    let task = spawn(async move { disable_cancellation(ended).await.map_err(Error::other) });
    (Rc::new(task), move || end.send(()).unwrap_or(()))
}

/// All operations, new. To be called in a task, on the real clock.
async fn cases() -> Result<Vec<Case>> {
    let mut cases = vec![
        case("sleep", sleep(5 * MS), || {}),
        case(
            "sleep_until",
            async { sleep_until(clock() + 5 * MS).await },
            || {},
        ),
        case("timeout_after", timeout_after(SEC, sleep(5 * MS)), || {}),
        case("timeout without limit", sleep(5 * MS).timeout(None), || {}),
        case(
            "ignore_after",
            async {
                ignore_after(5 * MS, sleep(100 * SEC))
                    .await
                    .map(|slept| assert!(slept.is_none()))
            },
            || {},
        ),
        case("shield", disable_cancellation(sleep(5 * MS)), || {}),
        case(
            "join!",
            async { futures::try_join!(sleep(5 * MS), sleep(3 * MS)).map(|_| ()) },
            || {},
        ),
        case(
            "FuturesUnordered",
            async {
                let mut all: FuturesUnordered<_> = (1..5).map(|n| sleep(n * MS)).collect();
                while let Some(one) = all.next().await {
                    one?;
                }
                Ok(())
            },
            || {},
        ),
    ];
    let (done, waited) = futures::channel::oneshot::channel::<()>();
    cases.push(case(
        "interruptible",
        async { interruptible(waited).await?.map_err(Error::other) },
        move || done.send(()).unwrap_or(()),
    ));
    let (done, waited) = futures::channel::oneshot::channel::<()>();
    cases.push(case(
        "timeout of a foreign future",
        timeout_after(SEC, async { waited.await.map_err(Error::other) }),
        move || done.send(()).unwrap_or(()),
    ));
    let flag: Rc<(Cell<bool>, WaitList)> = Rc::default();
    cases.push(case("WaitList", wait_for(flag.clone()), move || {
        flag.0.set(true);
        flag.1.notify_one();
    }));
    let queue = Queue::new();
    let put = queue.clone();
    cases.push(case("Queue::get", async move { queue.get().await }, move || {
        put.try_put(()).unwrap_or(());
    }));
    let queue = Queue::new();
    let put = queue.clone();
    cases.push(case(
        "stream",
        async move { queue.stream().next().await.unwrap_or(Ok(())) },
        move || put.try_put(()).unwrap_or(()),
    ));
    let queue = Queue::new();
    queue.put(()).await?;
    let done = queue.clone();
    cases.push(case(
        "Queue::join",
        async move { queue.join().await },
        move || done.task_done(),
    ));
    let queue = Queue::bounded(1);
    queue.put(0).await?;
    let full = queue.clone();
    cases.push(case("Queue::put", async move { full.put(1).await }, move || {
        let _ = queue.try_get();
    }));
    let (task, end) = task_to_end();
    cases.push(case("join", async move { task.join().await }, end));
    let (task, end) = task_to_end();
    cases.push(case("wait", async move { task.wait().await }, end));
    let (task, end) = task_to_end();
    cases.push(case("cancel", async move { task.cancel().await }, end));
    let (task, end) = task_to_end();
    cases.push(case(
        "cancel_within",
        async move { task.cancel_within(SEC).await },
        end,
    ));

    let (stream, mut peer) = pair().await?;
    let again = peer.try_clone()?;
    cases.push(case(
        "read",
        async move {
            let _peer = again;
            stream.read(&mut [0; 10]).await.map(|n| assert_eq!(n, 3))
        },
        move || peer.write_all(b"abc").unwrap_or(()),
    ));
    let (stream, mut peer) = pair().await?;
    cases.push(case(
        "read_exact",
        async move { stream.read_exact(&mut [0; 3]).await },
        move || {
            peer.write_all(b"abc").unwrap_or(());
        },
    ));
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?;
    cases.push(case(
        "accept",
        async move { listener.accept().await.map(|_| ()) },
        move || {
            drop(StdStream::connect(addr));
        },
    ));
    let (stream, peer) = full_pair().await?;
    cases.push(case(
        "write",
        async move { stream.write(b"x").await.map(|n| assert_eq!(n, 1)) },
        move || swallow_all(peer),
    ));
    let (stream, peer) = full_pair().await?;
    cases.push(case(
        "write_all",
        async move { stream.write_all(&vec![0; 1 << 20]).await },
        move || swallow_all(peer),
    ));
    cases.append(&mut more_sockets().await?);
    Ok(cases)
}

/// Those of the other sockets, and of the streams over them.
async fn more_sockets() -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for name in ["recv", "recv_from", "peek", "peek_from"] {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let addr = socket.local_addr()?;
        cases.push(case(
            name,
            async move {
                let mut buf = [0; 10];
                let n = match name {
                    "recv" => socket.recv(&mut buf).await?,
                    "recv_from" => socket.recv_from(&mut buf).await?.0,
                    "peek" => socket.peek(&mut buf).await?,
                    _ => socket.peek_from(&mut buf).await?.0,
                };
                assert_eq!(&buf[..n], b"hello");
                Ok(())
            },
            move || {
                let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
                sender.send_to(b"hello", addr).unwrap();
            },
        ));
    }
    let (stream, mut peer) = pair().await?;
    cases.push(case(
        "TcpStream::peek",
        async move { stream.peek(&mut [0; 10]).await.map(|n| assert_eq!(n, 3)) },
        move || peer.write_all(b"abc").unwrap_or(()),
    ));
    for name in [
        "read_line",
        "lines",
        "read_until",
        "Stream::read_exact",
        "Stream::read",
        "AsyncRead",
    ] {
        let (stream, mut peer) = pair().await?;
        let again = peer.try_clone()?;
        cases.push(case(
            name,
            async move {
                let _peer = again;
                let mut s = stream.as_stream();
                let mut buf = [0; 6];
                match name {
                    "read_line" => s.read_line(&mut String::new()).await.map(drop),
                    "lines" => s.lines().next().await.unwrap().map(drop),
                    "read_until" => s.read_until(b'\n', &mut Vec::new()).await.map(drop),
                    "Stream::read_exact" => s.read_exact(&mut buf).await,
                    "Stream::read" => s.read(&mut buf).await.map(drop),
                    _ => Ok(futures::AsyncReadExt::read_exact(&mut s, &mut buf).await?),
                }
            },
            move || peer.write_all(b"hello\n").unwrap_or(()),
        ));
    }
    let (stream, mut peer) = pair().await?;
    cases.push(case(
        "read_to_end",
        async move { stream.as_stream().read_to_end(&mut Vec::new()).await.map(drop) },
        move || peer.write_all(b"hello\n").unwrap_or(()),
    ));
    let (stream, peer) = full_pair().await?;
    cases.push(case(
        "write_lines",
        async move { stream.as_stream().write_lines(vec!["x"; 100_000]).await },
        move || swallow_all(peer),
    ));
    let (stream, peer) = full_pair().await?;
    cases.push(case(
        "AsyncWrite",
        async move { Ok(futures::AsyncWriteExt::write_all(&mut stream.as_stream(), &vec![0; 1 << 16]).await?) },
        move || swallow_all(peer),
    ));
    let (one, two) = UnixStream::pair()?;
    cases.push(case(
        "UnixStream::read",
        async move { one.read(&mut [0; 10]).await.map(|n| assert_eq!(n, 0)) },
        move || drop(two),
    ));
    let (reader, mut writer) = io::pipe()?;
    let mut reader = FileStream::open(reader)?;
    let again = writer.try_clone()?;
    cases.push(case(
        "FileStream",
        async move {
            let _writer = again;
            reader.read_line(&mut String::new()).await.map(drop)
        },
        move || writer.write_all(b"hello\n").unwrap_or(()),
    ));
    Ok(cases)
}

/// Makes something of every operation, each in a kernel in which nothing may be left.
fn with_every_operation(what: impl AsyncFn(&'static str, Operation, Box<dyn FnOnce()>) -> Result<()>) {
    let _guard = Watchdog::start();
    let kernel = Kernel::new().unwrap();
    let cases = kernel.run(cases()).unwrap();
    for Case { name, operation, end } in cases {
        if let Err(error) = kernel.run(what(name, operation, end)) {
            panic!("{name}: {error:?}");
        }
    }
    kernel.run_all().unwrap();
    assert_empty(&kernel, "every operation is over");
}

/// Polls once with this waker. The operation must have to wait.
fn begin(name: &str, operation: &mut Operation, waker: &Waker) {
    let polled = operation.as_mut().poll(&mut Context::from_waker(waker));
    assert!(polled.is_pending(), "{name} did not have to wait");
}

/// Counts wakes, and hands them on.
struct Counting {
    count: AtomicU32,
    to: Waker,
}

impl Counting {
    fn new(to: &Waker) -> (Arc<Counting>, Waker) {
        let counting = Arc::new(Counting {
            count: AtomicU32::new(0),
            to: to.clone(),
        });
        (counting.clone(), counting.into())
    }

    fn count(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }
}

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.to.wake_by_ref();
    }
}

/// The waker of the task that awaits this.
async fn own_waker() -> Waker {
    poll_fn(|cx| Poll::Ready(cx.waker().clone())).await
}

#[test]
fn every_operation_bears_to_be_woken_for_nothing() {
    with_every_operation(async |name, mut operation, end| {
        let waker = own_waker().await;
        let pesky = spawn(async move {
            for _ in 0..50 {
                waker.wake_by_ref();
                yield_now().await?;
            }
            sleep(MS).await?;
            end();
            waker.wake_by_ref();
            Ok(())
        });
        let mut polls = 0;
        let result = poll_fn(|cx| {
            polls += 1;
            operation.as_mut().poll(cx)
        })
        .await;
        assert!(polls >= 50, "{name}: {polls}");
        drop(operation);
        pesky.join().await?;
        result
    });
}

#[test]
fn every_operation_wakes_the_waker_that_it_saw_last() {
    with_every_operation(async |name, mut operation, end| {
        let own = own_waker().await;
        let ((a, waker_a), (b, waker_b)) = (Counting::new(&own), Counting::new(&own));
        begin(name, &mut operation, &own);
        begin(name, &mut operation, &waker_a);
        begin(name, &mut operation, &waker_b);
        end();
        let mut seen = 0;
        let result = poll_fn(|_| {
            // As a combinator does it: polled only if its own waker was woken.
            if b.count() == seen {
                return Poll::Pending;
            }
            seen = b.count();
            operation.as_mut().poll(&mut Context::from_waker(&waker_b))
        })
        .await;
        assert_eq!(a.count(), 0, "{name}: the first waker was woken");
        assert!(b.count() >= 1);
        drop(operation);
        result
    });
}

#[test]
fn every_operation_can_move_to_another_task() {
    with_every_operation(async |name, operation, end| {
        let (hand_over, received) = futures::channel::oneshot::channel::<Operation>();
        let first = spawn(async move {
            let mut operation = operation;
            begin(name, &mut operation, &own_waker().await);
            yield_now().await?;
            drop(hand_over.send(operation));
            Ok(())
        });
        let second = spawn(async move {
            let mut operation = received.await.map_err(Error::other)?;
            // It waits here now; the first task has ended meanwhile.
            begin(name, &mut operation, &own_waker().await);
            first.join().await?;
            sleep(MS).await?;
            end();
            operation.await
        });
        second.join().await
    });
}

#[test]
fn every_operation_can_be_interrupted_where_it_was_moved_to() {
    with_every_operation(async |name, mut operation, end| {
        // Those that cannot be interrupted, and those whose end is a timeout of their own.
        if matches!(name, "shield" | "ignore_after") {
            end();
            return operation.await;
        }
        begin(name, &mut operation, &own_waker().await);
        let kid = spawn(async move {
            let result = operation.await;
            // It came as a value, or (where only a foreign future waited) this was dropped and not reached.
            assert!(matches!(result, Err(Error::Cancelled(_))), "{name}: {result:?}");
            sleep(Duration::ZERO).await?;
            result
        });
        yield_now().await?;
        kid.cancel().await?;
        match kid.join().await {
            Err(Error::Task(failure)) => assert!(failure.cancelled(), "{name}: {failure:?}"),
            other => panic!("{name}: {other:?}"),
        }
        end();
        Ok(())
    });
}

#[test]
fn every_operation_can_be_dropped_at_any_moment() {
    for moment in 0..3 {
        with_every_operation(async |name, mut operation, end| {
            let own = own_waker().await;
            let (_, counting) = Counting::new(&own);
            match moment {
                0 => end(),
                1 => {
                    begin(name, &mut operation, &own);
                    end();
                }
                // When it was woken, but not polled.
                _ => {
                    begin(name, &mut operation, &counting);
                    end();
                    sleep(8 * MS).await?;
                }
            }
            drop(operation);
            Ok(())
        });
    }
}

#[test]
fn a_finished_operation_says_so_when_it_is_polled_again() {
    #[track_caller]
    fn again<F: Future<Output: std::fmt::Debug>>(operation: F) {
        let kernel = virtual_kernel();
        kernel
            .run(async {
                let mut operation = pin!(operation);
                let name = std::any::type_name::<F>();
                poll_fn(|cx| operation.as_mut().poll(cx).map(drop)).await;
                let panic = catch_unwind(AssertUnwindSafe(|| {
                    operation.as_mut().poll(&mut Context::from_waker(Waker::noop()))
                }));
                let Err(panic) = panic else {
                    panic!("{name} was polled again")
                };
                let said = panic.downcast_ref::<&str>().copied().unwrap_or_default();
                assert!(said.contains("after it had completed"), "{name}: {said}");
            })
            .unwrap();
        assert_empty(&kernel, "polled again");
    }
    again(sleep(SEC));
    again(sleep(Duration::ZERO));
    again(sleep_until(Instant::now()));
    again(timeout_after(SEC, sleep(2 * SEC)));
    again(ignore_after(SEC, sleep(2 * SEC)));
    again(interruptible(sleep(SEC)));
    again(disable_cancellation(sleep(SEC)));
}

// ---- Interruptions at every place

/// Polls a task's body, and at its k-th `Pending` does something to the task.
struct AtWait<F> {
    body: Pin<Box<F>>,
    left: u32,
    act: Option<Box<dyn FnOnce()>>,
}

impl<F: Future> Future for AtWait<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let polled = self.body.as_mut().poll(cx);
        if polled.is_pending() {
            self.left = self.left.saturating_sub(1);
            if self.left == 0
                && let Some(act) = self.act.take()
            {
                act();
            }
        }
        polled
    }
}

/// What is seen of the program from outside.
#[derive(Default)]
struct Trace {
    log: RefCell<Vec<&'static str>>,
    server: RefCell<Option<Rc<Task<()>>>>,
}

/// A program that waits in every way, nested; it cleans up whatever happens. The messages are small: on the virtual
/// clock, sockets must not be what takes time.
async fn program(trace: Rc<Trace>) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?;
    let server = Rc::new(spawn(run_server(listener, echo)));
    *trace.server.borrow_mut() = Some(server.clone());
    let result = async {
        let stream = open_connection(addr).await?;
        let mut answer = [0; 1000];
        // Both directions at once.
        let (written, read) = futures::join!(stream.write_all(&[5; 1000]), stream.read_exact(&mut answer));
        written.and(read)?;
        // Something that must not be interrupted, with a timeout inside.
        disable_cancellation(async {
            stream.write_all(b"important").await?;
            ignore_after(SEC, sleep(5 * SEC)).await?;
            stream.read_exact(&mut answer[..9]).await
        })
        .await?;
        // Nested timeouts: the inner one expires and is handled; the outer one does not.
        timeout_after(50 * SEC, async {
            match timeout_after(SEC, stream.read(&mut answer)).await {
                Err(Error::Timeout(_)) => {}
                other => return other.map(|_| ()),
            }
            let kid = spawn(sleep(2 * SEC));
            kid.join().await?;
            let mut all: FuturesUnordered<_> = (1..4).map(|n| sleep(n * SEC)).collect();
            while let Some(one) = all.next().await {
                one?;
            }
            Ok(())
        })
        .await?;
        // A foreign future, as an operation and bare; and a yield.
        let (done, waited) = futures::channel::oneshot::channel::<()>();
        let (done_too, waited_too) = futures::channel::oneshot::channel::<()>();
        spawn(async move {
            sleep(SEC).await?;
            drop(done);
            sleep(SEC).await?;
            drop(done_too);
            Ok(())
        });
        let _ = interruptible(waited).await?;
        ignore_after(10 * SEC, async { Ok(waited_too.await.is_err()) }).await?;
        yield_now().await
    }
    .await;
    let how = if result.is_ok() { "worked" } else { "interrupted" };
    trace.log.borrow_mut().push(how);
    // The clean-up waits, too, and is not interrupted a second time.
    sleep(SEC).await?;
    server.cancel().await?;
    trace.log.borrow_mut().push("clean");
    result
}

/// Runs the program and does something to it at its k-th wait. False if it has not so many.
fn disturbed(
    k: u32,
    act: impl FnOnce(Rc<Task<()>>) + 'static,
    check: impl FnOnce(&[&'static str], bool, Result<()>),
) -> bool {
    let kernel = virtual_kernel();
    let trace = Rc::new(Trace::default());
    // Whether it was at work, or cleaning up already, when it was disturbed.
    let acted: Rc<Cell<Option<bool>>> = Rc::default();
    let handle: Rc<RefCell<Option<Rc<Task<()>>>>> = Rc::default();
    let task = Rc::new(kernel.spawn(AtWait {
        body: Box::pin(program(trace.clone())),
        left: k,
        act: Some(Box::new({
            let (acted, handle, trace) = (acted.clone(), handle.clone(), trace.clone());
            move || {
                acted.set(Some(trace.log.borrow().is_empty()));
                act(handle.take().unwrap());
            }
        })),
    }));
    *handle.borrow_mut() = Some(task.clone());
    let result = kernel.run(async {
        task.wait().timeout(1000 * SEC).await?;
        task.join().await
    });
    handle.take();
    check(&trace.log.borrow(), acted.get() == Some(true), result);
    // What the program started and could not end itself.
    if let Some(server) = trace.server.take() {
        kernel.run(async { server.cancel().await }).unwrap();
    }
    kernel.run_all().unwrap();
    assert_empty(&kernel, (k, trace.log.borrow()));
    acted.get().is_some()
}

#[test]
fn a_cancel_at_every_wait() {
    let _guard = Watchdog::start();
    let mut k = 1;
    while disturbed(
        k,
        |task| task.cancel_nowait(),
        |log, at_work, result| {
            let was = format!("cancelled at wait {k}: {log:?}, {result:?}");
            // Whoever was interrupted at work has cleaned up in peace. (A yield completes, and leaves it to the clean-up.)
            if at_work && log[0] == "interrupted" {
                assert_eq!(log, ["interrupted", "clean"], "{was}");
            }
            match result {
                Err(Error::Task(failure)) => assert!(failure.cancelled(), "{was}"),
                // It had nothing to wait for any more.
                Ok(()) => assert_eq!(log, ["worked", "clean"], "{was}"),
                Err(_) => panic!("{was}"),
            }
        },
    ) {
        k += 1;
    }
    assert!(k > 12, "the program waits {k} times only");
}

#[test]
fn a_forced_end_at_every_wait() {
    let _guard = Watchdog::start();
    let mut k = 1;
    while disturbed(
        k,
        |task| {
            spawn(async move { task.cancel_within(Duration::ZERO).await }).detach();
        },
        |log, _, result| match result {
            // It was faster.
            Ok(()) => assert_eq!(log, ["worked", "clean"], "at wait {k}"),
            Err(Error::Task(failure)) => assert!(failure.cancelled(), "at wait {k}: {failure:?}"),
            Err(error) => panic!("at wait {k}: {error:?}"),
        },
    ) {
        k += 1;
    }
    assert!(k > 12, "the program waits {k} times only");
}

#[test]
fn a_wake_from_another_thread_at_every_wait() {
    let _guard = Watchdog::start();
    let kernel = virtual_kernel();
    let (hand_over, received) = std::sync::mpsc::channel();
    let task = kernel.spawn(async move {
        hand_over.send(own_waker().await).map_err(Error::other)?;
        program(Rc::default()).await
    });
    // A thread that wakes the task all the while, also beyond its end.
    let stop = Arc::new(AtomicU32::new(0));
    let pest = thread::spawn({
        let stop = stop.clone();
        move || {
            let waker: Waker = received.recv().unwrap();
            while stop.load(Ordering::Relaxed) == 0 {
                waker.wake_by_ref();
            }
        }
    });
    let result = kernel.run(task.join());
    stop.store(1, Ordering::Relaxed);
    pest.join().unwrap();
    result.unwrap();
    kernel.run_all().unwrap();
    assert_empty(&kernel, "after the wakes");
}
