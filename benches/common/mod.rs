//! What is measured: the same scenarios for every runtime, and the client of the echo server.
//!
//! A scenario is one plain function per runtime. It starts the runtime, does the
//! work `rounds` times and returns; who wants the cost of one operation runs it twice with different
//! numbers and divides the difference, so that starting and stopping cancel out.
//! What drives a scenario is a task of the runtime too, as it always is in curio:
//! smol wakes a future that is not a task through a slower path.
//! The bodies of the tasks are the same everywhere, and each runtime uses what
//! its own documentation would use: its own `yield_now`, `sleep`, `timeout`.

use std::future::{Future, poll_fn};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::pin::Pin;
use std::task::Poll;
use std::thread;
use std::time::Duration;

mod curio;
mod smol;
mod tokio;

/// A runtime, as the list of the scenarios written for it.
pub(crate) struct Runtime {
    /// The name in tables and on the command line.
    pub(crate) name: &'static str,
    /// `(tasks, rounds)`: each of the tasks yields `rounds` times.
    pub(crate) switch: fn(usize, usize),
    /// The same while a monitor looks on, if the runtime has such a thing.
    pub(crate) switch_monitored: Option<fn(usize, usize)>,
    /// `(rounds)`: spawn a task that is done at once and await it.
    pub(crate) spawn_each: fn(usize),
    /// `(tasks, rounds)`: spawn all the tasks, then join them all.
    pub(crate) spawn_all: fn(usize, usize),
    /// `(tasks, rounds, delays)`: spawn tasks that each sleep once, for a time
    /// picked from `delays`, then join them all.
    pub(crate) sleep: fn(usize, usize, Range<Duration>),
    /// `(rounds)`: arm a sleep of an hour and drop it.
    pub(crate) sleep_dropped: fn(usize),
    /// `(rounds)`: a timeout around a future that is ready at once.
    pub(crate) timeout_ready: fn(usize),
    /// `(rounds)`: a timeout around a future that yields once.
    pub(crate) timeout_yield: fn(usize),
    /// `(rounds)`: spawn a task, let it wait in a sleep, cancel it, await its end.
    pub(crate) cancel: fn(usize),
    /// `(capacity, rounds)`: send an item to another task through a queue and wait for
    /// it to come back through a second one.
    pub(crate) round_trip: fn(Option<usize>, usize),
    /// `(capacity, rounds)`: one task puts so many items into a queue, another takes them out.
    pub(crate) pass: fn(Option<usize>, usize),
    /// `(rounds)`: take a lock that nobody else wants, and release it.
    pub(crate) lock_alone: fn(usize),
    /// `(tasks, rounds)`: each of the tasks takes the same lock `rounds` times and yields while it has it.
    pub(crate) lock_yield: fn(usize, usize),
    /// `(tasks, rounds)`: one permit goes round in a ring of tasks, each of which waits
    /// for it at a semaphore of its own and releases that of the next.
    pub(crate) semaphore: fn(usize, usize),
    /// `(tasks, rounds)`: the same with events: each task waits for its own, clears it and sets the next.
    pub(crate) event: fn(usize, usize),
    /// `(rounds)`: a thread puts so many items into an unbounded queue, a task takes them out.
    pub(crate) from_thread: fn(usize),
    /// `(rounds)`: a function runs in a worker thread of the runtime and a task waits for it, one after another.
    pub(crate) in_thread: fn(usize),
    /// `(rounds)`: the same in a worker process, if the runtime has such a thing.
    pub(crate) in_process: Option<fn(usize)>,
    /// `(connections, listening)`: an echo server which accepts that many connections,
    /// one task for each, and ends when all of them are closed.
    /// `listening` is told the address.
    pub(crate) echo: fn(usize, Listening),
    /// The same server with a buffer of one byte in each task, to see what a connection costs without it.
    pub(crate) echo_small: fn(usize, Listening),
    /// `(tasks, rounds, waiting)`: detach tasks that sleep for hours, then sleep
    /// shortly `rounds` times, which turns the loop of the runtime each time.
    /// `waiting` is called before the first task and at the end.
    pub(crate) sleeping: fn(usize, usize, Waiting),
}

/// Is told where an echo server listens.
pub(crate) type Listening = Box<dyn FnMut(SocketAddr) + Send>;

/// Is called when it is time to look at the memory.
pub(crate) type Waiting = Box<dyn FnMut() + Send>;

/// All runtimes, the one that is measured first.
pub(crate) const RUNTIMES: [Runtime; 3] = [curio::RUNTIME, tokio::RUNTIME, smol::RUNTIME];

/// Longer than any measurement: a sleep of this length never ends by itself.
const LONG: Duration = Duration::from_secs(3600);

/// Short enough to be over soon, long enough to have to be waited for.
const SHORT: Duration = Duration::from_micros(50);

/// The buffer of an echo task: more than a message, as a server would have it.
const BUFFER: usize = 4096;

/// How many tasks [`Runtime::sleeping`] starts before it lets them run.
/// A long queue of ready tasks would be counted as memory of the sleeping ones.
const BATCH: usize = 1000;

/// The `i`-th delay of a fixed sequence that jumps about in `delays`: the deadlines
/// arrive in no order, which is the hard case for every kind of timer queue.
fn delay(i: usize, delays: &Range<Duration>) -> Duration {
    // Multiplying by an odd constant and keeping the high bits scatters neighbours (Fibonacci hashing).
    let scattered = (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    let spread = (delays.end - delays.start).as_nanos() as u64;
    delays.start + Duration::from_nanos(((u128::from(spread) * u128::from(scattered)) >> 32) as u64)
}

/// What the joined tasks of a scenario must add up to: proof that every one of them ran.
fn sum_below(n: usize) -> u64 {
    (0..n as u64).sum()
}

/// Polls a future once, whatever comes of it.
async fn poll_once<F: Future>(mut future: Pin<&mut F>) {
    poll_fn(|cx| {
        let _ = future.as_mut().poll(cx);
        Poll::Ready(())
    })
    .await;
}

/// Where a measured server may listen.
const ANY_PORT: &str = "127.0.0.1:0";

/// The other side of an echo server: blocking sockets of std, so that nothing
/// of the measured runtime runs in it.
pub(crate) struct Client {
    address: SocketAddr,
    sockets: Vec<TcpStream>,
    message: Vec<u8>,
    reply: Vec<u8>,
    pause: Duration,
}

impl Client {
    /// A client without connections that will send messages of `message` bytes,
    /// with a `pause` after every round. A server that is slowed down by a tool
    /// needs the pause: without it the next message is already there when the
    /// server looks for it, and the cost of waiting, which it is about, is not seen.
    pub(crate) fn new(address: SocketAddr, message: usize, pause: Duration) -> Self {
        Self {
            address,
            sockets: Vec::new(),
            message: vec![b'x'; message],
            reply: vec![0; message],
            pause,
        }
    }

    /// Opens connections until there are `connections` of them.
    pub(crate) fn connect(&mut self, connections: usize) -> std::io::Result<()> {
        while self.sockets.len() < connections {
            let socket = TcpStream::connect(self.address)?;
            socket.set_nodelay(true)?;
            // A server that lost a message must not hang the measurement.
            socket.set_read_timeout(Some(Duration::from_secs(60)))?;
            self.sockets.push(socket);
        }
        Ok(())
    }

    /// One message on every connection, then one reply from every connection.
    pub(crate) fn round(&mut self) -> std::io::Result<()> {
        for socket in &mut self.sockets {
            socket.write_all(&self.message)?;
        }
        for socket in &mut self.sockets {
            socket.read_exact(&mut self.reply)?;
            assert_eq!(self.reply, self.message, "an echo differs from its message");
        }
        Ok(())
    }

    /// As many rounds as make about that many requests; the exact number is returned.
    pub(crate) fn requests(&mut self, requests: u64) -> std::io::Result<u64> {
        let connections = self.sockets.len() as u64;
        let rounds = requests.div_ceil(connections);
        for _ in 0..rounds {
            self.round()?;
            if !self.pause.is_zero() {
                thread::sleep(self.pause);
            }
        }
        Ok(rounds * connections)
    }
}
