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
use curio::stream::{ReadHalf, Stream, WriteHalf};
use curio::{
    Error, Queue, Result, TaskGroup, TaskRef, current_task, disable_cancellation, ignore_after, run,
    run_server, spawn, yield_now,
};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::ErrorKind;
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

/// What a client says, and what it is told.
type Reader = Stream<ReadHalf<TcpStream>>;
type Writer = Stream<WriteHalf<TcpStream>>;

/// Serves one client. `closing`: whoever is cancelled now is so because the server goes away.
async fn chat_client(
    news: &Queue<News>,
    closing: &Rc<Cell<bool>>,
    client: TcpStream,
    addr: SocketAddr,
) -> Result<()> {
    println!("Connection from {addr}");
    let (mut reader, mut writer) = client.into_stream().split();
    reader.set_line_limit(LONGEST_LINE + 1); // the end of the line is one byte more
    let chatted = match ask_name(&mut reader, &mut writer).await {
        Ok(Some(name)) => chat(news, closing, reader, writer, name).await,
        Ok(None) => Ok(()),
        Err(error) => {
            say_goodbye(&mut writer, closing, &error).await;
            Err(error)
        }
    };
    println!("Connection closed");
    chatted
}

/// Whoever talks to a client when the server goes away says so.
async fn say_goodbye(writer: &mut Writer, closing: &Cell<bool>, error: &Error) {
    if closing.get() && error.is_cancellation() {
        // A cancelled task may wait, but not for ever, if this client does not read; and it may be gone.
        let told = writer.write_all(b"SERVER IS GOING AWAY!\n");
        let _ = ignore_after(Duration::from_secs(1), told).await;
    }
}

async fn ask_name(reader: &mut Reader, writer: &mut Writer) -> Result<Option<String>> {
    loop {
        writer.write_all(b"Your name: ").await?;
        match next_line(reader).await? {
            Some(line) if line.trim().is_empty() => {}
            Some(line) => return Ok(Some(line.trim().chars().take(LONGEST_NAME).collect())),
            None => return Ok(None),
        }
    }
}

async fn chat(
    news: &Queue<News>,
    closing: &Rc<Cell<bool>>,
    reader: Reader,
    writer: Writer,
    name: String,
) -> Result<()> {
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
            workers.spawn(incoming(news.clone(), reader, id));
            workers.spawn(outgoing(writer, inbox, closing.clone()));
        })
        .await
}

/// Passes on what the client says.
async fn incoming(news: Queue<News>, mut reader: Reader, id: u64) -> Result<()> {
    let listened = listen(&news, &mut reader, id).await;
    // Whatever the reason, and even if it is a cancellation: the room must hear of it.
    disable_cancellation(news.put(News::Left(id))).await?;
    listened
}

async fn listen(news: &Queue<News>, reader: &mut Reader, id: u64) -> Result<()> {
    while let Some(line) = next_line(reader).await? {
        news.put(News::Said(id, line)).await?;
    }
    Ok(())
}

/// Tells the client what it has to hear, until it has left.
async fn outgoing(mut writer: Writer, inbox: Queue<Message>, closing: Rc<Cell<bool>>) -> Result<()> {
    let told = tell(&mut writer, inbox).await;
    if let Err(error) = &told {
        say_goodbye(&mut writer, &closing, error).await;
    }
    told
}

async fn tell(writer: &mut Writer, inbox: Queue<Message>) -> Result<()> {
    while let Some(message) = inbox.next().await {
        writer.write_all(message?.as_bytes()).await?;
    }
    Ok(())
}

/// The next line that a client sends, without its end, or the next piece of a long one. None at the end of the stream.
async fn next_line(reader: &mut Reader) -> Result<Option<String>> {
    let mut line = Vec::new();
    match reader.read_until(b'\n', &mut line).await {
        Ok(0) => return Ok(None),
        Ok(_) => {}
        // It is still there.
        Err(Error::Io(error)) if error.kind() == ErrorKind::InvalidData => {
            line.resize(LONGEST_LINE, 0);
            reader.read_exact(&mut line).await?;
        }
        Err(error) => return Err(error),
    }
    // What is not UTF-8 is marked as such, and nobody can send what moves the cursor or clears the screen of the others.
    let text = String::from_utf8_lossy(&line);
    let line = text.trim_end_matches(['\r', '\n']).chars();
    Ok(Some(line.map(|c| if c.is_control() { ' ' } else { c }).collect()))
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
