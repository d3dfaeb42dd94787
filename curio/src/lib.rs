//! curio: small, familiar and reliable concurrency on one thread.
//!
//! A re-imagination in Rust of David Beazley's Curio for Python: tasks, timeouts that know whose they were, and
//! cancellation that lets a task clean up with ordinary code. It is the last stage of the book that comes with it, and
//! small enough to be read.
//!
//! ```
//! use curio::{Error, Result, run, sleep, spawn, timeout_after};
//! use std::time::Duration;
//!
//! async fn kid() -> Result<()> {
//!     println!("Building the Millenium Falcon in Minecraft");
//!     let slept = sleep(Duration::from_secs(1000)).await;
//!     if slept.is_err() {
//!         println!("Fine. Saving my work.");
//!     }
//!     slept
//! }
//!
//! async fn parent() -> Result<()> {
//!     let kid = spawn(kid());
//!     match timeout_after(Duration::from_millis(10), kid.join()).await {
//!         Err(Error::Timeout(_)) => {
//!             println!("I warned you!");
//!             kid.cancel().await?;
//!         }
//!         joined => joined?,
//!     }
//!     println!("Leaving!");
//!     Ok(())
//! }
//!
//! run(parent()).unwrap();
//! ```
//!
//! # The model in five sentences
//!
//! 1. A task is a future that the kernel owns; it gives a [`Result`], because any task can be cancelled wherever it waits.
//! 2. An *operation* is a future of this crate that can wait. `.await` on an operation may wait, and so may be
//!    interrupted; what cannot wait is a plain function.
//! 3. Interruptions (a cancel, an expired timeout) are delivered *as a value*: the operation that waits resolves to an
//!    `Err`. Nothing is dropped behind the task's back, so it may clean up with ordinary async code and `?`.
//! 4. A delivery happens *once*. After it, new operations wait as usual.
//! 5. Where the task waits for a future that is not this crate's, there is no operation to resolve: then the innermost
//!    timeout around it, or the task itself, is dropped. [`interruptible`] makes an operation of such a future.
//!
//! So a loop that goes on after errors asks [`Error::is_cancellation`] first; one that does not swallows its own
//! cancellation.
//!
//! # Coming from Python Curio
//!
//! | Python | here |
//! |---|---|
//! | `run(f, *args)` | [`run`]`(f(args))`; ends when the main task ends |
//! | `Kernel`, `kernel.run(f)`, `kernel.run(shutdown=True)` | [`Kernel`], [`Kernel::run`], [`Kernel::shutdown`] |
//! | `kernel.run()` (one cycle; in 2015: all) | [`Kernel::run_once`]; [`Kernel::run_all`] |
//! | `await spawn(f, *args, daemon=)` | [`spawn`]`(f(args))`, [`spawn_daemon`], [`task`]`(f).name("x").spawn()` |
//! | `Task.join/wait/cancel`, `cancel(blocking=False)` | [`Task::join`], [`Task::wait`], [`Task::cancel`], [`Task::cancel_nowait`] |
//! | `Task.where()`, `await current_task()` | [`Task::where_`], [`current_task`]`()`, which gives a [`TaskRef`] |
//! | `async with TaskGroup(wait=all/any/object/None) as g` | [`TaskGroup::all`]`().`[`scope`](TaskGroup::scope)`(async \|g\| { .. })`, [`any`](TaskGroup::any), [`first_some`](TaskGroup::first_some), [`none`](TaskGroup::none); the join gives the first failure |
//! | `TaskGroup.spawn/add_task/next_done/next_result/join/cancel_remaining` | the same, on [`TaskGroup`]; `spawn(daemon=True)` is [`spawn_daemon`](TaskGroup::spawn_daemon) |
//! | `TaskGroup.completed/result/results/exception/exceptions/tasks` | [`completed`](TaskGroup::completed), [`result`](TaskGroup::result), [`results`](TaskGroup::results), [`error`](TaskGroup::error), [`errors`](TaskGroup::errors), [`tasks`](TaskGroup::tasks) |
//! | `async for task in g` | `while let Some(task) = g.`[`next_done`](TaskGroup::next_done)`().await? { .. }` |
//! | `await sleep(s)`, `clock()`, `wake_at`, `schedule()` | [`sleep`], [`clock`], [`sleep_until`], [`yield_now`] |
//! | `timeout_after`, `timeout_at`, `ignore_after`, `ignore_at` | the same: [`timeout_after`], [`timeout_at`], [`ignore_after`], [`ignore_at`] |
//! | `join(timeout=10)` (2015) | [`task.join().timeout(d)`](WithTimeout::timeout) |
//! | `disable_cancellation`, `check_cancellation` | [`disable_cancellation`], [`check_cancellation`] |
//! | `TaskCancelled`, `TaskTimeout`, `TimeoutCancellationError`, `UncaughtTimeoutError`, `TaskError` | variants of [`Error`] |
//! | `raise SystemExit(code)` | `return Err(`[`Error::exit`]`(code))` |
//! | `Queue(maxsize)`, `PriorityQueue`, `LifoQueue` | [`Queue::new`], [`Queue::bounded`], [`PriorityQueue`], [`LifoQueue`]; new: [`close`](Queue::close), [`try_get`](Queue::try_get), [`try_put`](Queue::try_put) |
//! | `q.empty()`, `q.full()`, `q.qsize()` | [`Queue::is_empty`], [`Queue::is_full`], [`Queue::len`] |
//! | `async for item in q` (2018) | [`while let Some(item) = q.next().await`](Queue::next), or as a stream of the futures crates: `q.stream()` |
//! | `tcp_server`, `unix_server`, `run_server`, `open_connection`, `open_unix_connection` | [`tcp_server`], `unix_server`, [`run_server`], [`open_connection`], `open_unix_connection` |
//! | `backlog=`, `reuse_port=`, `source_addr=`; `tcp_server_socket`, `unix_server_socket` | methods of [`Server`] and [`Connect`](net::Connect); [`ListenOptions`](net::ListenOptions) |
//! | `curio.socket` | [`net`]: [`TcpListener`](net::TcpListener), [`TcpStream`](net::TcpStream), [`UdpSocket`](net::UdpSocket), `UnixListener`, `UnixStream`, `UnixDatagram` |
//! | `recv`, `recv_into`, `send`, `sendall` of a connection | [`read`](net::TcpStream::read), [`write`](net::TcpStream::write), [`write_all`](net::TcpStream::write_all) |
//! | `sock.blocking()`, `fromfd()` | [`into_std`](net::TcpStream::into_std), [`from_std`](net::TcpStream::from_std) |
//! | `sock.as_stream()`, `makefile()`, `SocketStream`, `FileStream` | [`as_stream`](net::TcpStream::as_stream), [`into_stream`](net::TcpStream::into_stream), [`stream`] |
//! | `read`, `readall`, `read_exactly`, `readline`, `async for line in s` | [`read`](stream::Stream::read), [`read_to_end`](stream::Stream::read_to_end), [`read_exact`](stream::Stream::read_exact), [`read_line`](stream::Stream::read_line), [`lines`](stream::Stream::lines) |
//! | `write`, `writelines`, `flush`, `close` | [`write_all`](stream::Stream::write_all), [`write_lines`](stream::Stream::write_lines), [`flush`](stream::Stream::flush), [`close`](stream::Stream::close) |
//! | `e.bytes_sent`, `e.bytes_read`, `e.bytes_written` | [`Progress::bytes`] |
//! | `socket.socket(..)`, `sendmsg`, `recvmsg` | `socket::Socket` (on Unix, with the feature `socket`) |
//! | `ssl=`, `server_hostname=`, `alpn_protocols=`; `curio.ssl` | `tls::tcp_server(addr, config, handler)`, `open_connection(addr).tls(config)`, `.server_hostname(..)`, `.alpn_protocols(..)` (with the feature `tls`) |
//! | `context.wrap_socket(sock)` | `tls::Connector::connect(name, stream)`, `tls::Acceptor::accept(stream)` |
//! | (an HTTP server or client) | `hyper::Io::new(stream)` for hyper 1 (with the feature `hyper`) |
//! | `socketserver.TCPServer`, `UDPServer`, `StreamRequestHandler`, `DatagramRequestHandler` (2015) | [`socketserver`] |
//! | `Event`, `Lock`, `RLock`, `Semaphore`, `BoundedSemaphore`, `Condition` | the same, see [`sync`]: [`Event`], [`Lock`], [`RLock`], [`Semaphore`], [`BoundedSemaphore`], [`Condition`] |
//! | `async with lock:`, `acquire`, `release` | `let guard = `[`lock.lock()`](Lock::lock)`.await?`, [`acquire`](Semaphore::acquire); dropping the guard or permit releases |
//! | `Result()` (and once `Promise()`): `set_value`, `set_exception`, `unwrap` | [`Promise`]: [`set`](Promise::set), [`set_error`](Promise::set_error), [`wait`](Promise::wait) |
//! | `UniversalQueue`, `UniversalEvent`, `UniversalResult` | [`UniversalQueue`], [`UniversalEvent`], [`UniversalResult`]; in threads the `blocking_*` methods |
//! | `run_in_thread`, `block_in_thread(f)`, `run_in_executor`; `MAX_WORKER_THREADS` | [`run_in_thread`], [`block_in_thread`]`(key, f)`, [`run_in_executor`]; [`Builder::max_worker_threads`] |
//! | `run_in_process(f, *args)`, `run_cpu_bound`; `MAX_WORKER_PROCESSES` | `run_in_process(f, argument)`; `Builder::max_worker_processes` (on Unix, with the feature `process`) |
//! | `await spawn_thread(f)`, `AWAIT(coro)`, `TaskGroup.spawn_thread` | [`thread::spawn`], [`thread::await_`]`(\|\| future)`, [`TaskGroup::spawn_thread`] |
//! | `@async_thread`, `await f()` and `f()` | [`async_thread`]`(f).await` and [`.call()`](AsyncThread::call) |
//! | `with timeout_after(1):`, `with lock:` in such a thread | [`thread::timeout_after`], [`thread::Token`] for what stays in the kernel's thread |
//! | `aopen(path)` | [`file::File::open`] and the like, [`file::OpenOptions`]; the methods of `std`, and [`lines`](file::File::lines) |
//! | `socket.getaddrinfo` | [`net::lookup_host`]; [`open_connection`] and [`tcp_server`] take names |
//! | `subprocess.run`, `check_output`, `CalledProcessError` | `subprocess::run`, `check_output`, `CalledProcessError`, see `subprocess`; `input=` and `check=` are methods |
//! | `Popen(args, stdin=PIPE, ..)`, `communicate`, `wait`, `poll`, `kill` | `subprocess::Command`, as that of `std`, and `Child`; `shell=True` is `Command::new("sh").args(["-c", ..])` |
//! | `STDOUT`, `DEVNULL`; `e.stdout`, `e.stderr` of an interruption | `Stdio::stdout()`, `Stdio::null()`; [`Progress::stdout`], [`Progress::stderr`] |
//! | `SignalQueue`, `SignalEvent`, `SignalSet(..).wait()` (2015) | `SignalQueue::new([..])?.get()`, `SignalEvent::new([..])?.wait()`, see `signal`; dropping gives the signal back |
//! | `SignalSet.ignore()`, `ignore_signals(..)` | `let ignored = signal::ignore([..])?` |
//! | Ctrl-C as `KeyboardInterrupt` out of `run` | `Kernel::builder().exit_on([SIGINT])`; [`run`] leaves signals alone |
//! | `Channel(address)`, `accept(authkey=)`, `connect(authkey=)`; `check_address=` | `channel::Channel`, with the feature `channel`; Python's `multiprocessing.connection` at the other end; `Channel::set_address_check` |
//! | `Connection(reader, writer)`, `send/recv/send_bytes/recv_bytes`, `authenticate_server/client` | `channel::Connection::over`, and the same methods; values are those of `serde`, and plain data in Python |
//! | `curio.traps` | [`traps`] |
//! | `Activation`, `activations=[..]` | [`Activation`], [`Builder::activation`]; [`trace`] records a run |
//! | `with_monitor=True`, `CURIOMONITOR`, `python -m curio.monitor` | `Builder::monitor`, `CURIOMONITOR=1`, see `monitor`; the program `curio-monitor` |
//! | `debug=[schedtrace, traptrace, logcrash, longblock]` | activations in `debug` (with the feature `tracing`): events of the crate `tracing` |
//! | (new) what all tasks do, at a signal | `Kernel::builder().dump_on([SIGQUIT])` |
//! | `Task.traceback()`, `print(task)` | [`task.traceback()`](Task::traceback)`.await?`, see [`traceback`]; `println!("{task}")` |
//! | `curio_running()` | [`running`] |
//!
//! # One thread
//!
//! A kernel runs in one thread, and tasks need not be `Send`: `Rc` and `Cell` are all that two tasks need to share
//! something. Wakers may be used from any thread, and so may the [`universal`] objects. What blocks goes into other threads:
//! see [`workers`], [`thread`] and [`mod@file`]; and what is a program of its own, into a child process: see `subprocess`.
//!
//! # Features
//!
//! The first three are on unless they are switched off (`default-features = false`). Without any feature, the crate stands on
//! `mio`, `slab`, `socket2`, `pin-project-lite` and, on Unix, `libc`. What a feature gives stands in its module.
//!
//! | feature | gives | brings |
//! |---|---|---|
//! | `futures-io` | streams as `AsyncRead` and `AsyncWrite` of the futures crates (see [`stream`]) | `futures-io` |
//! | `monitor` | `monitor`, and `CURIOMONITOR=1`: a look into a running program (on Unix) | nothing |
//! | `stream` | queues as streams of the futures crates (see [`queue`]) | `futures-core` |
//! | `channel` | `channel`: messages to and from Python's `multiprocessing` | `serde`, `getrandom`, `hmac`, `md-5`, `sha2` |
//! | `hyper` | `hyper`: HTTP, as server and client | `hyper`, and with it tokio's channels, but no runtime |
//! | `probe` | the whole stack of a task that hogs the CPU, instead of the innermost call (on Linux; see [`traceback`]) | `backtrace`, `framehop`, `object` |
//! | `process` | `run_in_process`: functions in other processes (on Unix) | `postcard`, `serde` |
//! | `socket` | `socket::Socket`: every option, and messages with descriptors in them (on Unix) | `rustix` |
//! | `tls` | `tls`: servers and connections with TLS 1.2 and 1.3 | `rustls` with `ring`, which needs a C compiler |
//! | `tracing` | `debug`: what the kernel does, as events of `tracing` | `tracing` |

pub mod activation;
mod addr;
mod cancellation;
mod cell;
#[cfg(feature = "channel")]
pub mod channel;
mod contain;
mod context;
#[cfg(feature = "tracing")]
pub mod debug;
mod error;
pub mod file;
mod group;
mod handle;
#[cfg(feature = "hyper")]
pub mod hyper;
mod interrupt;
mod json;
mod kept;
mod kernel;
mod key;
mod line;
mod log;
mod lookup;
mod mirror;
#[cfg(all(unix, feature = "monitor"))]
pub mod monitor;
mod name;
pub mod net;
mod outcome;
mod pool;
#[cfg(all(unix, any(feature = "monitor", feature = "process")))]
mod privilege;
#[cfg(all(unix, feature = "process"))]
pub mod process;
pub mod queue;
mod readiness;
mod remote;
mod scopes;
#[cfg(any(feature = "hyper", feature = "tls"))]
mod scratch;
pub mod server;
#[cfg(unix)]
pub mod signal;
mod slot;
#[cfg(all(unix, feature = "socket"))]
pub mod socket;
pub mod socketserver;
mod state;
pub mod stream;
#[cfg(unix)]
pub mod subprocess;
pub mod sync;
mod tables;
mod task;
pub mod testing;
pub mod thread;
mod time;
mod timeout;
mod timers;
#[cfg(feature = "tls")]
pub mod tls;
pub mod trace;
pub mod traceback;
pub mod traps;
pub mod universal;
mod waits;
mod waker;
pub mod workers;

pub use activation::Activation;
pub use cancellation::{Interruptible, Shield, check_cancellation, disable_cancellation, interruptible};
pub use context::Clock;
pub use error::{Busy, Deadlock, Error, Other, Progress, Result, TaskError};
pub use group::{CancelRemaining, JoinGroup, NextDone, NextResult, Scope, TaskGroup};
pub use handle::{Cancel, TaskRef, Wait, current_task};
pub use kernel::{Builder, Kernel, run, running};
pub use outcome::{Outcome, Value};
#[cfg(all(unix, feature = "process"))]
pub use process::{RunInProcess, run_in_process};
pub use queue::{LifoQueue, PriorityQueue, Queue};
pub use server::{Server, open_connection, run_server, tcp_server};
#[cfg(unix)]
pub use server::{open_unix_connection, unix_server};
#[cfg(unix)]
#[doc(no_inline)]
pub use signal::{SignalEvent, SignalQueue};
pub use state::State;
#[doc(no_inline)]
pub use sync::{
    BoundedSemaphore, Condition, Event, Lock, LockGuard, Permit, Promise, PromiseError, RLock, RLockGuard,
    Semaphore,
};
pub use task::{CancelWithin, Join, Task, TaskBuilder, spawn, spawn_daemon, task};
pub use thread::{AsyncThread, async_thread};
pub use time::{Sleep, YieldNow, clock, sleep, sleep_until, yield_now};
pub use timeout::{IgnoreTimeout, Timeout, WithTimeout, ignore_after, ignore_at, timeout_after, timeout_at};
pub use universal::{UniversalEvent, UniversalQueue, UniversalResult};
pub use workers::{
    BlockInThread, Executor, RunInExecutor, RunInThread, block_in_thread, run_in_executor, run_in_thread,
};
