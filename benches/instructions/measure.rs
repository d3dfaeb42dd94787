//! Counting from outside: this program starts itself again, under callgrind,
//! under strace or alone, as a process that does nothing but one scenario.

use crate::common::{Client, Listening, RUNTIMES, Runtime};
use crate::rows::{Difference, Requests, Work, delays};
use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The first argument of a process that was started to be measured.
pub(crate) const CHILD: &str = "--measured";

/// The length of a message of the echo clients.
const MESSAGE: usize = 64;

/// Time for a server under a tool to get from its reply to waiting again.
const PAUSE: Duration = Duration::from_micros(500);

/// Connections and their tasks that exist before memory is looked at, so that
/// code pages, the allocator's first steps and the like are not counted.
const WARM: usize = 100;

/// Which of the programs that count are there, and where profiles are kept.
#[derive(Debug)]
pub(crate) struct Tools {
    pub(crate) valgrind: bool,
    pub(crate) strace: bool,
    /// A directory for callgrind's output files; without one they are not even written.
    pub(crate) keep: Option<PathBuf>,
}

/// An idle run of the tool itself: it may be installed and still not be allowed to work here.
fn works(tool: &str, arguments: &[&str]) -> bool {
    Command::new(tool)
        .args(arguments)
        .arg("true")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

impl Tools {
    pub(crate) fn find(keep: Option<PathBuf>) -> Self {
        Self {
            valgrind: works("valgrind", &["--tool=none"]),
            strace: works("strace", &["-f", "-c", "-o", "/dev/null", "-U", "calls,name"]),
            keep,
        }
    }

    /// User instructions of one operation.
    pub(crate) fn instructions(&self, runtime: &Runtime, difference: &Difference) -> Result<f64> {
        let Difference {
            scenario,
            less,
            more,
            operations,
        } = difference;
        let count = |work: &Work| -> Result<u64> {
            let label = format!("{scenario}.{}.{}x{}", runtime.name, work.tasks, work.rounds);
            let mut command = self.callgrind(&label)?;
            command.args(child_arguments(scenario, runtime, work.tasks, work.rounds));
            let output = command.stdout(Stdio::null()).output()?;
            collected(&label, output.status.success(), &output.stderr)
        };
        per_operation(count(less)?, count(more)?, *operations)
    }

    /// User instructions of an echo server for one request.
    pub(crate) fn echo_instructions(&self, runtime: &Runtime, requests: &Requests) -> Result<f64> {
        let count = |number: u64| -> Result<u64> {
            let label = format!("echo.{}.{}x{number}", runtime.name, requests.connections);
            let mut command = self.callgrind(&label)?;
            command.args(child_arguments("echo", runtime, requests.connections, 1));
            let output = serve(command, requests.connections, number)?;
            collected(&label, true, output.as_bytes())
        };
        per_operation(
            count(requests.less)?,
            count(requests.more)?,
            (requests.more - requests.less) as usize,
        )
    }

    fn callgrind(&self, label: &str) -> Result<Command> {
        let mut out = std::ffi::OsString::from("--callgrind-out-file=");
        match &self.keep {
            Some(directory) => out.push(directory.join(format!("callgrind.{label}.out"))),
            None => out.push("/dev/null"),
        }
        let mut command = Command::new("valgrind");
        command.args(["--tool=callgrind".into(), out]);
        command.arg(std::env::current_exe()?);
        Ok(command)
    }
}

/// The number callgrind reports at the end: the instructions of the whole process.
fn collected(label: &str, success: bool, stderr: &[u8]) -> Result<u64> {
    let stderr = String::from_utf8_lossy(stderr);
    let number = stderr
        .lines()
        .find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    match number {
        Some(number) if success => Ok(number),
        _ => Err(format!("{label} failed under callgrind:\n{stderr}").into()),
    }
}

fn per_operation(less: u64, more: u64, operations: usize) -> Result<f64> {
    if more < less {
        return Err(format!("less work took more: {less} against {more}").into());
    }
    Ok((more - less) as f64 / operations as f64)
}

/// System calls of an echo server for one request.
pub(crate) fn echo_calls(runtime: &Runtime, requests: &Requests) -> Result<f64> {
    let count = |number: u64| -> Result<u64> {
        let mut command = Command::new("strace");
        command.args(["-f", "-c", "-U", "calls,name"]);
        command.arg(std::env::current_exe()?);
        command.args(child_arguments("echo", runtime, requests.connections, 1));
        let report = serve(command, requests.connections, number)?;
        let total = report
            .lines()
            .find_map(|line| line.trim().strip_suffix("total")?.trim().parse().ok());
        total.ok_or_else(|| format!("no total in the report of strace:\n{report}").into())
    };
    per_operation(
        count(requests.less)?,
        count(requests.more)?,
        (requests.more - requests.less) as usize,
    )
}

/// CPU nanoseconds of an echo server for one request, in the order of the runtimes.
pub(crate) fn echo_times(runtimes: &[Runtime], requests: &Requests) -> Result<Vec<f64>> {
    medians(runtimes, |runtime| echo_time(runtime, requests))
}

/// The medians of several processes of each runtime. They take turns, so that a machine that is busy
/// for a while is busy for all.
fn medians(runtimes: &[Runtime], measure: impl Fn(&Runtime) -> Result<f64>) -> Result<Vec<f64>> {
    const TURNS: usize = 5;
    let mut times = vec![Vec::with_capacity(TURNS); runtimes.len()];
    for _ in 0..TURNS {
        for (times, runtime) in times.iter_mut().zip(runtimes) {
            times.push(measure(runtime)?);
        }
    }
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[TURNS / 2]
    };
    Ok(times.into_iter().map(median).collect())
}

fn echo_time(runtime: &Runtime, requests: &Requests) -> Result<f64> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(child_arguments("echo", runtime, requests.connections, 1));
    let server = Server::start(command)?;
    let mut client = Client::new(server.address, MESSAGE, Duration::ZERO);
    client.connect(requests.connections)?;
    client.requests(requests.less)?;
    let before = cpu_time(server.child.id())?;
    let done = client.requests(requests.more - requests.less)?;
    let after = cpu_time(server.child.id())?;
    drop(client);
    server.finish()?;
    Ok((after - before) as f64 / done as f64)
}

/// Nanoseconds of one operation with other threads or processes, in the order of the runtimes: medians again.
pub(crate) fn thread_times(runtimes: &[Runtime], scenario: &str, items: usize) -> Result<Vec<f64>> {
    let one_cpu = scenario.starts_with("in-") && works("taskset", &["-c", "0"]);
    medians(runtimes, |runtime| {
        let mut command = Command::new(std::env::current_exe()?);
        if one_cpu {
            command = Command::new("taskset");
            command.args(["-c", "0"]).arg(std::env::current_exe()?);
        }
        command.args(child_arguments(scenario, runtime, 1, items));
        let output = command.stderr(Stdio::inherit()).output()?;
        let time: u64 = String::from_utf8(output.stdout)?.trim().parse()?;
        Ok(time as f64 / items as f64)
    })
}

/// Bytes of one sleeping task.
pub(crate) fn sleeping_memory(runtime: &Runtime, tasks: usize) -> Result<f64> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(child_arguments("sleeping", runtime, tasks, 0));
    let output = command.stderr(Stdio::inherit()).output()?;
    let bytes: u64 = String::from_utf8(output.stdout)?.trim().parse()?;
    Ok(bytes as f64 / tasks as f64)
}

/// Bytes of one idle connection of a server.
pub(crate) fn connection_memory(runtime: &Runtime, connections: usize) -> Result<f64> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(child_arguments("echo-small", runtime, connections, 1));
    let server = Server::start(command)?;
    let mut client = Client::new(server.address, 1, Duration::ZERO);
    // After its echo a connection is known to wait for the next message.
    client.connect(WARM)?;
    client.round()?;
    let before = resident(server.child.id())?;
    client.connect(connections)?;
    client.round()?;
    let after = resident(server.child.id())?;
    drop(client);
    server.finish()?;
    Ok(after.saturating_sub(before) as f64 / (connections - WARM) as f64)
}

/// Starts the server, has it answer the requests, and returns what it (or the
/// tool it runs under) wrote to stderr.
fn serve(command: Command, connections: usize, requests: u64) -> Result<String> {
    let server = Server::start(command)?;
    let mut client = Client::new(server.address, MESSAGE, PAUSE);
    client.connect(connections)?;
    client.requests(requests)?;
    drop(client);
    server.finish()
}

/// An echo server in a process of its own, ended at the latest when this value goes.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(mut command: Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        match line.trim().parse() {
            Ok(address) => Ok(Self { child, address }),
            Err(_) => {
                let output = child.wait_with_output()?;
                Err(format!("no server: {}", String::from_utf8_lossy(&output.stderr)).into())
            }
        }
    }

    /// Waits for the end, which comes when all connections are closed; returns what was written to stderr.
    fn finish(mut self) -> Result<String> {
        let mut written = String::new();
        if let Some(stderr) = &mut self.child.stderr {
            stderr.read_to_string(&mut written)?;
        }
        let status = self.child.wait()?;
        if status.success() {
            Ok(written)
        } else {
            Err(format!("the server failed ({status}):\n{written}").into())
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail where the process has ended long ago, which is the usual case.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Resident bytes of a process. `smaps_rollup` is exact; the numbers in `status` may lag behind.
fn resident(process: u32) -> Result<u64> {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:"));
    let kilobytes: u64 = line
        .and_then(|line| line.trim().strip_suffix("kB"))
        .ok_or("no Rss")?
        .trim()
        .parse()?;
    Ok(kilobytes * 1024)
}

/// CPU nanoseconds that all threads of a process have used.
fn cpu_time(process: u32) -> Result<u64> {
    let mut sum = 0;
    for thread in fs::read_dir(Path::new("/proc").join(process.to_string()).join("task"))? {
        let times = fs::read_to_string(thread?.path().join("schedstat"))?;
        sum += times.split_whitespace().next().ok_or("no time")?.parse::<u64>()?;
    }
    Ok(sum)
}

fn child_arguments(scenario: &str, runtime: &Runtime, tasks: usize, rounds: usize) -> [String; 5] {
    [
        CHILD.into(),
        scenario.into(),
        runtime.name.into(),
        tasks.to_string(),
        rounds.to_string(),
    ]
}

/// What a process does that was started to be measured.
pub(crate) fn child(arguments: &[String]) -> Result<()> {
    let [scenario, runtime, tasks, rounds] = arguments else {
        return Err(format!("{CHILD} SCENARIO RUNTIME TASKS ROUNDS").into());
    };
    let runtime = RUNTIMES
        .iter()
        .find(|r| r.name == runtime)
        .ok_or("no such runtime")?;
    let tasks: usize = tasks.parse()?;
    let rounds: usize = rounds.parse()?;
    let announce: Listening = Box::new(|address| println!("{address}"));
    match scenario.as_str() {
        "switch" => (runtime.switch)(tasks, rounds),
        "switch-monitored" => {
            let switch = runtime.switch_monitored.ok_or("there is no such thing")?;
            switch(tasks, rounds);
        }
        "spawn-each" => (runtime.spawn_each)(rounds),
        "spawn-all" => (runtime.spawn_all)(tasks, rounds),
        "sleep" => (runtime.sleep)(tasks, rounds, delays(tasks)),
        "timeout-ready" => (runtime.timeout_ready)(rounds),
        "timeout-yield" => (runtime.timeout_yield)(rounds),
        "cancel" => (runtime.cancel)(rounds),
        "round-trip" => (runtime.round_trip)(None, rounds),
        "round-trip-1" => (runtime.round_trip)(Some(1), rounds),
        "pass" => (runtime.pass)(None, rounds),
        "pass-128" => (runtime.pass)(Some(128), rounds),
        "lock-alone" => (runtime.lock_alone)(rounds),
        "lock-yield" => (runtime.lock_yield)(tasks, rounds),
        "semaphore" => (runtime.semaphore)(tasks, rounds),
        "event" => (runtime.event)(tasks, rounds),
        "from-thread" => {
            let start = Instant::now();
            (runtime.from_thread)(rounds);
            println!("{}", start.elapsed().as_nanos());
        }
        "in-thread" => {
            let start = Instant::now();
            (runtime.in_thread)(rounds);
            println!("{}", start.elapsed().as_nanos());
        }
        "in-process" => {
            let call = runtime.in_process.ok_or("there is no such thing")?;
            let start = Instant::now();
            call(rounds);
            println!("{}", start.elapsed().as_nanos());
        }
        "echo" => (runtime.echo)(tasks, announce),
        "echo-small" => (runtime.echo_small)(tasks, announce),
        "sleeping" => {
            let mut before = None;
            let waiting = move || {
                let now = resident(std::process::id()).expect("the kernel tells the memory");
                let Some(before) = before else {
                    before = Some(now);
                    return;
                };
                println!("{}", now - before);
                // Nobody waits for a million tasks to be taken down.
                let _ = std::io::stdout().flush();
                std::process::exit(0);
            };
            (runtime.sleeping)(tasks, rounds, Box::new(waiting));
        }
        other => return Err(format!("no scenario {other:?}").into()),
    }
    Ok(())
}

/// Runs every scenario once with hardly any work and without tools: `cargo test
/// --benches` finds out that they work, not what they cost.
pub(crate) fn smoke() -> Result<()> {
    const IN_PROCESS: [&str; 15] = [
        "switch",
        "spawn-each",
        "spawn-all",
        "sleep",
        "timeout-ready",
        "timeout-yield",
        "cancel",
        "round-trip",
        "round-trip-1",
        "pass",
        "pass-128",
        "lock-alone",
        "lock-yield",
        "semaphore",
        "event",
    ];
    for runtime in &RUNTIMES {
        let monitored = runtime.switch_monitored.map(|_| "switch-monitored");
        for scenario in IN_PROCESS.into_iter().chain(monitored) {
            child(&child_arguments(scenario, runtime, 3, 2)[1..])?;
        }
        for scenario in ["echo", "echo-small"] {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(child_arguments(scenario, runtime, 2, 1));
            serve(command, 2, 4)?;
        }
        sleeping_memory(runtime, 1000)?;
        let in_process = runtime.in_process.map(|_| "in-process");
        for scenario in ["from-thread", "in-thread"].into_iter().chain(in_process) {
            thread_times(std::slice::from_ref(runtime), scenario, 2)?;
        }
    }
    Ok(())
}
