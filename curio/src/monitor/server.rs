//! The monitor's thread: lets those in who may, and gives each their turn.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};
use slab::Slab;

use super::commands::Recording;
use super::connection::{Connection, Served, Session, Stream};
use super::directory::Listener;
use super::system;
use super::terminal::{Control, Summons};
use crate::contain::log;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::mirror::{Answer, Mirror, Silence};
use crate::traceback::{Probe, Raw};

/// How many may look at the same time (V2); and how many of them over TCP, where all users of the machine may: the program's
/// own always finds a place.
const MOST: usize = 32;
const MOST_OVER_TCP: usize = 16;
/// For how long the kernel is waited for (V3).
const PATIENCE: Duration = Duration::from_millis(200);
/// For how long its thread is waited for when it is asked by force: it may have to wait for a processor first.
const PATIENCE_BY_FORCE: Duration = Duration::from_secs(1);
/// For how long a busy kernel is not asked again (V3).
const RESPITE: Duration = Duration::from_secs(1);
/// When nobody can be let in, as there are no descriptors left, it is tried again after that.
const PAUSE: Duration = Duration::from_millis(100);

const BELL: Token = Token(0);
const UNIX: Token = Token(1);
const TCP: Token = Token(2);
const FIRST: usize = 3;

/// What a monitor listens on, before it has a thread.
pub(crate) struct Opened {
    pub(super) unix: Listener,
    pub(super) tcp: Option<TcpListener>,
    pub(super) tcp_control: bool,
    pub(super) on_ctrl_c: bool,
}

/// A monitor at work, until this is dropped.
pub(crate) struct Serving {
    mirror: Arc<Mirror>,
    stop: Arc<AtomicBool>,
    bell: Arc<Waker>,
    thread: Option<JoinHandle<()>>,
    process: u32,
    _control: Option<Control>,
}

/// What all connections share.
pub(super) struct Core {
    pub(super) mirror: Arc<Mirror>,
    /// How many commands were given.
    pub(super) commands: u64,
    /// The kernel was busy then, in this turn.
    busy: Option<(u64, Instant)>,
    pub(super) recording: Option<Recording>,
    probe: Probe,
}

impl Core {
    /// Asks something of the kernel (V3).
    pub(super) fn ask<R: Send + 'static>(
        &mut self,
        question: impl FnOnce(&Context, Answer<R>) + Send + 'static,
    ) -> Result<R, Silence> {
        let turns = self.mirror.turns();
        if let Some((turn, since)) = self.busy
            && turn == turns
            && since.elapsed() < RESPITE
        {
            return Err(Silence::Busy);
        }
        let answer = self.mirror.ask(PATIENCE, question);
        let is_busy = matches!(answer, Err(Silence::Busy)) && self.mirror.turns() == turns;
        self.busy = is_busy.then(|| (turns, Instant::now()));
        answer
    }

    /// The stack of what runs in the kernel's thread.
    pub(super) fn sample(&self) -> Option<Raw> {
        self.probe.running(PATIENCE_BY_FORCE)
    }
}

struct Server {
    poll: Poll,
    unix: Listener,
    tcp: Option<TcpListener>,
    tcp_control: bool,
    stop: Arc<AtomicBool>,
    summons: Arc<Summons>,
    core: Core,
    connections: Slab<Connection>,
    /// Who could go on without an event.
    restless: BTreeSet<usize>,
}

impl Opened {
    /// Whether it can come up at Ctrl-C.
    pub(crate) fn has_terminal(&self) -> bool {
        self.on_ctrl_c && std::io::stdin().is_terminal()
    }

    /// Starts the thread. The calling thread is the kernel's.
    pub(crate) fn start(self, mirror: Arc<Mirror>) -> Result<Serving> {
        self.try_start(mirror).map_err(Error::Io)
    }

    fn try_start(self, mirror: Arc<Mirror>) -> io::Result<Serving> {
        let Opened {
            mut unix,
            mut tcp,
            tcp_control,
            on_ctrl_c,
        } = self;
        let probe = Probe::here();
        let poll = Poll::new()?;
        let bell = Arc::new(Waker::new(poll.registry(), BELL)?);
        poll.registry()
            .register(&mut unix.socket, UNIX, Interest::READABLE)?;
        if let Some(tcp) = &mut tcp {
            poll.registry().register(tcp, TCP, Interest::READABLE)?;
        }
        let stop = Arc::new(AtomicBool::new(false));
        let summons = Arc::new(Summons::new(bell.clone()));
        let control = match on_ctrl_c {
            true => Control::take(&summons)?,
            false => None,
        };
        let core = Core {
            mirror: mirror.clone(),
            commands: 0,
            busy: None,
            recording: None,
            probe,
        };
        let thread = thread::Builder::new().name("curio-monitor".to_string()).spawn({
            let stop = stop.clone();
            move || {
                let server = Server {
                    poll,
                    unix,
                    tcp,
                    tcp_control,
                    stop,
                    summons,
                    core,
                    connections: Slab::new(),
                    restless: BTreeSet::new(),
                };
                server.run();
            }
        })?;
        Ok(Serving {
            mirror,
            stop,
            bell,
            thread: Some(thread),
            process: std::process::id(),
            _control: control,
        })
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.mirror.close();
        // In a child that was forked, there is no such thread.
        if self.process == std::process::id() {
            self.stop.store(true, Ordering::Release);
            let _ = self.bell.wake();
            if let Some(thread) = self.thread.take() {
                let _ = thread.join();
            }
        }
    }
}

impl Server {
    fn run(mut self) {
        let mut events = Events::with_capacity(64);
        let mut pause = false;
        loop {
            let wait = match (self.restless.is_empty(), pause) {
                (false, _) => Some(Duration::ZERO),
                (true, true) => Some(PAUSE),
                (true, false) => None,
            };
            match self.poll.poll(&mut events, wait) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    log(format_args!("the monitor ends: {error}"));
                    break;
                }
                _ => {}
            }
            if self.stop.load(Ordering::Acquire) {
                break;
            }
            if self.summons.is_there() {
                self.come_up();
            }
            let concerned: Vec<usize> = events.iter().map(|event| event.token().0).collect();
            if pause || concerned.iter().any(|token| *token < FIRST) {
                pause = self.accept();
            }
            let connections = concerned.iter().filter_map(|token| token.checked_sub(FIRST));
            self.restless.extend(connections);
            for connection in std::mem::take(&mut self.restless) {
                self.serve(connection);
            }
        }
        // Those who look see the end of the file. Nothing is left registered: it goes with the selector.
    }

    /// Gives a connection its turn.
    fn serve(&mut self, key: usize) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        match connection.serve(&mut self.core) {
            Served::Waits => {
                let token = Token(key + FIRST);
                connection.stream.ask_again(self.poll.registry(), token);
            }
            Served::More => {
                self.restless.insert(key);
            }
            Served::Over => self.end(key),
        }
    }

    fn end(&mut self, key: usize) {
        let mut connection = self.connections.remove(key);
        connection.stream.deregister(self.poll.registry());
        if connection.session.times {
            self.core.mirror.time(false);
        }
        if connection.session.is_terminal {
            self.summons.left();
        }
    }

    /// Lets all in who wait at the door. True if that must be tried again later.
    fn accept(&mut self) -> bool {
        loop {
            let stream = match self.unix.socket.accept() {
                Ok((stream, _)) => match system::peer(&stream) {
                    Ok(user) if user == system::user() => Some(Stream::Unix(stream)),
                    // V1
                    _ => None,
                },
                Err(error) => match Server::turned_down(&error) {
                    Some(later) => {
                        if later {
                            return true;
                        }
                        break;
                    }
                    None => continue,
                },
            };
            stream.into_iter().for_each(|stream| self.admit(stream));
        }
        while let Some(tcp) = &self.tcp {
            match tcp.accept() {
                Ok((stream, _)) => self.admit(Stream::Tcp(stream)),
                Err(error) => match Server::turned_down(&error) {
                    Some(later) => return later,
                    None => continue,
                },
            }
        }
        false
    }

    /// Why nobody was let in: nobody is there (false), it must be tried later (true), or it was about that one only.
    fn turned_down(error: &io::Error) -> Option<bool> {
        match error.kind() {
            io::ErrorKind::WouldBlock => Some(false),
            io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => None,
            _ => Some(true),
        }
    }

    fn admit(&mut self, mut stream: Stream) {
        let session = Session::new(&stream, self.tcp_control);
        let over_tcp = || {
            self.connections
                .iter()
                .filter(|(_, one)| one.session.is_tcp)
                .count()
        };
        // The terminal always has a place.
        let is_full = self.connections.len() >= MOST || session.is_tcp && over_tcp() >= MOST_OVER_TCP;
        if is_full && !session.is_terminal {
            use std::io::Write;
            let full = b"Too many are looking at this program already.\n";
            let _ = match &mut stream {
                Stream::Unix(stream) => stream.write(full),
                Stream::Tcp(stream) => stream.write(full),
                Stream::Terminal(_) => Ok(0),
            };
            return;
        }
        let tasks = self.core.mirror.len() + 2;
        let banner = format!("\nCurio Monitor: {tasks} tasks running\nType help for commands\n");
        let place = self.connections.vacant_entry();
        let key = place.key();
        if stream.register(self.poll.registry(), Token(key + FIRST)).is_ok() {
            place.insert(Connection::new(stream, session, &banner));
            self.restless.insert(key);
        }
    }

    /// Somebody has pressed Ctrl-C.
    fn come_up(&mut self) {
        match self.summons.take() {
            Some(terminal) => self.admit(Stream::Terminal(terminal)),
            // They are in the monitor, or it cannot come up: then it is what it is without one.
            None => {
                self.core.mirror.tell(|context| {
                    let first = context.exit.take();
                    context.exit.set(first.or(Some(super::terminal::EXIT_CODE)));
                });
            }
        }
    }
}
