//! One kernel per core, which share an address and nothing else.
//!
//! Every core has a thread with a kernel and a listener of its own, all at one address (`SO_REUSEPORT`): the system deals the
//! connections out. No task ever moves from one core to another, and none takes a lock, but for the queues between the kernels.
//!
//! What belongs to all is divided. Here that is how often each word was said: a word belongs to one core, by its hash. Whatever
//! core a client has come to, that core asks the owner of the word through the owner's queue, and gets a result back.
//!
//! ```text
//!                       ┌── questions ──▶ core 0 ── its words
//!   client ── core 1 ───┤
//!                       └── questions ──▶ core 2 ── its words
//! ```

use curio::net::{ListenOptions, TcpStream, ToAddrs};
use curio::{
    Error, Result, TaskGroup, UniversalEvent, UniversalQueue, UniversalResult, run, run_server, spawn,
};
use std::cell::Cell;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

#[cfg(unix)]
use curio::{
    SignalEvent,
    signal::{SIGINT, SIGTERM},
};

#[cfg(not(unix))]
#[path = "common/no_signals.rs"]
mod no_signals;
#[cfg(not(unix))]
use no_signals::{
    SignalEvent,
    signal::{SIGINT, SIGTERM},
};

#[path = "common/arguments.rs"]
mod arguments;

const HELP: &str = "\
A server that counts words, with a kernel on each core. Say a word per line to:
nc 127.0.0.1 25000

Usage: cargo run --example reuseport -- [--cores N] [ADDRESS]

ADDRESS is like 127.0.0.1:25000, or like :25000 for all interfaces, which is
the default. Port 0 is any free port; the first line that is printed names it.
Ctrl-C ends the server.

Options:
  --cores N  use so many cores, up to 1000 (default: those that there are)
  --help     show this help
";

/// What the kernels share.
struct Shared {
    /// Where core 0 listens, and all others then do.
    listens_at: UniversalResult<SocketAddr>,
    /// A queue for each core.
    questions: Vec<UniversalQueue<Question>>,
    end: UniversalEvent,
}

/// A word that was said, for its owner.
struct Question {
    word: String,
    /// How often it was said, this time included; and who says so.
    answer: UniversalResult<(u64, usize)>,
}

impl Shared {
    async fn ask(&self, word: &str) -> Result<(u64, usize)> {
        let mut hasher = DefaultHasher::new();
        word.hash(&mut hasher);
        let owner = hasher.finish() as usize % self.questions.len();
        let answer = UniversalResult::new();
        let question = Question {
            word: word.to_string(),
            answer: answer.clone(),
        };
        self.questions[owner].put(question).await?;
        answer.wait().await
    }
}

/// Counts the words of this core.
async fn count(core: usize, questions: UniversalQueue<Question>) -> Result<()> {
    let mut counts = HashMap::new();
    loop {
        let Question { word, answer } = questions.get().await?;
        let n = counts.entry(word).or_insert(0);
        *n += 1;
        answer.set((*n, core));
    }
}

async fn serve_client(core: usize, shared: &Shared, client: TcpStream) -> Result<()> {
    let mut s = client.into_stream();
    let mut line = String::new();
    while s.read_line(&mut line).await? > 0 {
        let word = line.trim();
        let (n, owner) = shared.ask(word).await?;
        let answer = format!("{word}: {n} (core {core} has asked core {owner})\n");
        s.write_all(answer.as_bytes()).await?;
        line.clear();
    }
    Ok(())
}

/// What a core does until the end. Gives the number of clients that it had.
async fn serve(core: usize, addr: SocketAddr, shared: Arc<Shared>) -> Result<u64> {
    let options = ListenOptions::new().reuse_port(true);
    let listener = if core == 0 {
        let listener = options.listen(addr)?;
        shared.listens_at.set(listener.local_addr()?);
        listener
    } else {
        options.listen(shared.listens_at.wait().await?)?
    };
    let clients = Rc::new(Cell::new(0));
    TaskGroup::none()
        .scope(async |words| {
            words.spawn(count(core, shared.questions[core].clone()));
            let server = spawn(run_server(listener, {
                let (shared, clients) = (shared.clone(), clients.clone());
                async move |client, _addr| {
                    clients.set(clients.get() + 1);
                    serve_client(core, &shared, client).await
                }
            }));
            shared.end.wait().await?;
            server.cancel().await
        })
        .await?;
    Ok(clients.get())
}

/// Runs a core. If it fails, it ends all.
fn run_core(core: usize, addr: SocketAddr, shared: &Arc<Shared>) -> Result<u64> {
    let served = run(serve(core, addr, shared.clone()));
    if served.is_err() {
        shared
            .listens_at
            .set_error(Error::other("another core has failed"));
        shared.end.set();
    }
    served
}

/// Waits for Ctrl-C, or until a core has failed.
async fn wait_for_the_end(shared: &Arc<Shared>) -> Result<()> {
    let goodbye = SignalEvent::new([SIGINT, SIGTERM])?;
    if let Ok(addr) = shared.listens_at.wait().await {
        println!("Server listening at {addr}, on {} cores", shared.questions.len());
        let shared = shared.clone();
        TaskGroup::any()
            .scope(async |either| {
                either.spawn(async move { goodbye.wait().await.map(drop) });
                either.spawn(async move { shared.end.wait().await });
            })
            .await?;
    }
    Ok(())
}

fn main() -> Result<()> {
    let (cores, addr) = arguments::read(HELP, understand);
    let addr = addr.to_addrs()?[0];
    let shared = Arc::new(Shared {
        listens_at: UniversalResult::new(),
        questions: (0..cores).map(|_| UniversalQueue::new()).collect(),
        end: UniversalEvent::new(),
    });
    let threads: Vec<_> = (0..cores)
        .map(|core| {
            let shared = shared.clone();
            thread::spawn(move || run_core(core, addr, &shared))
        })
        .collect();
    let waited = run(wait_for_the_end(&shared));
    shared.end.set();
    for (core, thread) in threads.into_iter().enumerate() {
        let clients = thread.join().expect("a core does not panic")?;
        println!("core {core} had {clients} clients");
    }
    waited
}

fn understand(given: &[&str]) -> Option<(usize, String)> {
    let (cores, rest) = match given {
        ["--cores", n, rest @ ..] => (n.parse().ok().filter(|n| (1..=1000).contains(n))?, rest),
        rest => (thread::available_parallelism().map_or(1, usize::from), rest),
    };
    match rest {
        [] => Some((cores, ":25000".to_string())),
        [address] if !address.starts_with('-') => Some((cores, (*address).to_string())),
        _ => None,
    }
}
