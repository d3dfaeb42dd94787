//! A chat server: what one says, all hear.
//!
//! ```text
//!   client ── incoming ──▶ news ──▶ room ──▶ inbox ── outgoing ──▶ client
//! ```
//!
//! The room is a task, and only it knows the members: joining, talking and leaving are news in one queue, so all members
//! hear everything in the same order. It never waits for a member. Who does not read what the room says is no burden on
//! the others: the inbox takes so many messages and no more (on top of what the system buffers, which is a lot), and who
//! is further behind is thrown out.
//!
//! Each client has a task that reads and one that writes, in a group. If one fails, the other is cancelled, wherever it
//! waits. At the end of what the client says, it leaves the room, and hears the rest of what was said until then.
//!
//! On SIGHUP the server starts afresh: all clients are told, and dropped.

use curio::net::{TcpListener, TcpStream};
use curio::{
    Error, Queue, Result, TaskGroup, TaskRef, current_task, disable_cancellation, ignore_after, run,
    run_server, spawn, yield_now,
};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

#[cfg(unix)]
use curio::{SignalQueue, signal::SIGHUP};

#[cfg(not(unix))]
#[path = "common/no_signals.rs"]
mod no_signals;
#[cfg(not(unix))]
use no_signals::{SignalQueue, signal::SIGHUP};

#[path = "common/address.rs"]
mod address;

const HELP: &str = "\
A chat server. Join it with: nc 127.0.0.1 25000

Usage: cargo run --example chat -- [ADDRESS]

ADDRESS is like 127.0.0.1:25000, or like :25000 for all interfaces, which is
the default. Port 0 is any free port; the second line that is printed names it.
Ctrl-C ends the server, and `pkill -HUP chat` restarts it.

A line of more than 1000 bytes is passed on in pieces. Whoever is more than
100 messages behind, because it does not read, is thrown out.

Options:
  --help  show this help
";

/// The bytes of a line that are passed on at once.
const LONGEST_LINE: usize = 1000;

/// The letters of a name.
const LONGEST_NAME: usize = 30;

/// The messages that wait for a member.
const INBOX: usize = 100;

/// The news that wait for the room; who has more must wait.
const NEWS: usize = 100;

type Message = Rc<str>;

enum News {
    Joined(Member),
    Said(u64, String),
    Left(u64),
}

struct Member {
    name: String,
    inbox: Queue<Message>,
    /// The task that serves this client. Its id is the member's number.
    task: TaskRef,
}

/// Tells the members all that happens.
async fn room(news: Queue<News>) -> Result<()> {
    let mut members = BTreeMap::new();
    loop {
        let message = match news.get().await? {
            News::Joined(member) => {
                let message = format!("{}:joined\n", member.name);
                members.insert(member.task.id(), member);
                Some(message)
            }
            News::Said(id, line) => members.get(&id).map(|member| format!("{}:{line}\n", member.name)),
            News::Left(id) => members.remove(&id).map(|member| {
                member.inbox.close(); // what is in it is still sent
                format!("{}:has gone away\n", member.name)
            }),
        };
        let Some(message) = message.map(Message::from) else {
            continue;
        };
        for member in members.values() {
            if member.inbox.try_put(message.clone()).is_err() {
                member.task.cancel_nowait(); // which comes back as the news that it has left
            }
        }
        // Now it is the members' turn. So an inbox is full because a client does not read, not because we are too fast.
        yield_now().await?;
    }
}

/// Serves one client. `closing`: whoever is cancelled now is so because the server goes away.
async fn chat_client(
    news: &Queue<News>,
    closing: &Cell<bool>,
    client: TcpStream,
    addr: SocketAddr,
) -> Result<()> {
    println!("Connection from {addr}");
    let client = Rc::new(client);
    let mut lines = Lines::new(client.clone());
    let chatted = match ask_name(&client, &mut lines).await {
        Ok(Some(name)) => chat(news, client.clone(), lines, name).await,
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    if closing.get() && chatted.as_ref().is_err_and(Error::is_cancellation) {
        // Nobody else writes any more. A cancelled task may wait, but not for ever, if this client does not read;
        // and it may be gone.
        let told = client.write_all(b"SERVER IS GOING AWAY!\n");
        let _ = ignore_after(Duration::from_secs(1), told).await;
    }
    println!("Connection closed");
    chatted
}

async fn ask_name(client: &TcpStream, lines: &mut Lines) -> Result<Option<String>> {
    loop {
        client.write_all(b"Your name: ").await?;
        match lines.next().await? {
            Some(line) if line.trim().is_empty() => {}
            Some(line) => return Ok(Some(line.trim().chars().take(LONGEST_NAME).collect())),
            None => return Ok(None),
        }
    }
}

async fn chat(news: &Queue<News>, client: Rc<TcpStream>, lines: Lines, name: String) -> Result<()> {
    let task = current_task();
    let id = task.id();
    let inbox = Queue::bounded(INBOX);
    let member = Member {
        name,
        inbox: inbox.clone(),
        task,
    };
    news.put(News::Joined(member)).await?;
    TaskGroup::all()
        .scope(async |workers| {
            workers.spawn(incoming(news.clone(), lines, id));
            workers.spawn(outgoing(client, inbox));
        })
        .await
}

/// Passes on what the client says.
async fn incoming(news: Queue<News>, mut lines: Lines, id: u64) -> Result<()> {
    let listened = listen(&news, &mut lines, id).await;
    // Whatever the reason, and even if it is a cancellation: the room must hear of it.
    disable_cancellation(news.put(News::Left(id))).await?;
    listened
}

async fn listen(news: &Queue<News>, lines: &mut Lines, id: u64) -> Result<()> {
    while let Some(line) = lines.next().await? {
        news.put(News::Said(id, line)).await?;
    }
    Ok(())
}

/// Tells the client what it has to hear, until it has left.
async fn outgoing(client: Rc<TcpStream>, inbox: Queue<Message>) -> Result<()> {
    while let Some(message) = inbox.next().await {
        client.write_all(message?.as_bytes()).await?;
    }
    Ok(())
}

/// The lines that a client sends.
struct Lines {
    client: Rc<TcpStream>,
    /// What was read and is not yet passed on.
    data: Vec<u8>,
}

impl Lines {
    fn new(client: Rc<TcpStream>) -> Lines {
        let data = Vec::new();
        Lines { client, data }
    }

    /// The next line, without its end, or the next piece of a long one. None at the end of the stream.
    async fn next(&mut self) -> Result<Option<String>> {
        loop {
            let first = &self.data[..self.data.len().min(LONGEST_LINE + 1)];
            if let Some(end) = first.iter().position(|&byte| byte == b'\n') {
                return Ok(Some(self.take(end + 1)));
            }
            if first.len() > LONGEST_LINE {
                return Ok(Some(self.take(LONGEST_LINE)));
            }
            let mut data = [0; 1000];
            let n = self.client.read(&mut data).await?;
            if n == 0 {
                let rest = self.data.len();
                return Ok((rest > 0).then(|| self.take(rest)));
            }
            self.data.extend_from_slice(&data[..n]);
        }
    }

    /// Takes so many bytes out. What is not UTF-8 is marked as such, and nobody can send what moves the cursor or clears
    /// the screen of the others.
    fn take(&mut self, n: usize) -> String {
        let bytes: Vec<u8> = self.data.drain(..n).collect();
        let text = String::from_utf8_lossy(&bytes);
        let line = text.trim_end_matches(['\r', '\n']);
        line.chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect()
    }
}

async fn chat_server(listener: TcpListener, closing: Rc<Cell<bool>>) -> Result<()> {
    let news = Queue::bounded(NEWS);
    // The room opens before the first client comes, and closes when the last one has left.
    TaskGroup::none()
        .scope(async |g| {
            g.spawn(room(news.clone()));
            run_server(listener, async move |client, addr| {
                chat_client(&news, &closing, client, addr).await
            })
            .await
        })
        .await
}

/// Starts the server, and starts it again whenever SIGHUP comes.
async fn manage(addr: &str) -> Result<()> {
    let restart = SignalQueue::new([SIGHUP])?;
    let mut addr = addr.to_string();
    loop {
        let listener = TcpListener::bind(addr.as_str())?;
        println!("Starting the server");
        let listens_at = listener.local_addr()?;
        println!("Server listening at {listens_at}");
        addr = listens_at.to_string(); // port 0 is another one each time
        let closing = Rc::new(Cell::new(false));
        let server = spawn(chat_server(listener, closing.clone()));
        restart.get().await?;
        println!("Server shutting down");
        closing.set(true);
        server.cancel().await?;
    }
}

fn main() -> Result<()> {
    let addr = address::read(HELP);
    run(manage(&addr))
}
