//! One who looks: a connection, or the program's own terminal.
//!
//! Everything is non-blocking, and done in small steps: write what is left, go on with a long answer, take the next line, read.
//! The first of them that can be done is done. So there is nothing new to write before the last answer was taken, and nothing
//! new is read before the last line was answered (V2).

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use super::commands;
use super::server::Core;
use crate::readiness;

/// The longest line.
const LONGEST_LINE: usize = 4096;
/// How many steps a connection may do in a row while others may want to.
const SHARE: usize = 16;
const PROMPT: &str = "curio > ";

/// Where somebody comes from.
#[derive(Debug)]
pub(super) enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
    Terminal(File),
}

impl Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Unix(stream) => stream.read(into),
            Stream::Tcp(stream) => stream.read(into),
            Stream::Terminal(file) => file.read(into),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Unix(stream) => stream.write(bytes),
            Stream::Tcp(stream) => stream.write(bytes),
            Stream::Terminal(file) => file.write(bytes),
        }
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        match self {
            Stream::Unix(stream) => stream.register(registry, token, interest),
            Stream::Tcp(stream) => stream.register(registry, token, interest),
            Stream::Terminal(file) => SourceFd(&file.as_raw_fd()).register(registry, token, interest),
        }
    }

    /// It would block: asks for the next event. The sockets do so themselves.
    pub(super) fn ask_again(&self, registry: &Registry, token: Token) {
        if let Stream::Terminal(file) = self {
            readiness::ask_again(registry, &mut SourceFd(&file.as_raw_fd()), token);
        }
    }

    pub(super) fn deregister(&mut self, registry: &Registry) {
        // It is closed next, in any case.
        let _ = match self {
            Stream::Unix(stream) => stream.deregister(registry),
            Stream::Tcp(stream) => stream.deregister(registry),
            Stream::Terminal(file) => SourceFd(&file.as_raw_fd()).deregister(registry),
        };
    }
}

/// The rest of a long answer: adds some of it, and says whether there is more.
pub(super) type Job = Box<dyn FnMut(&mut Core, &mut String) -> bool>;

/// What is known of who looks.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) is_terminal: bool,
    pub(super) is_tcp: bool,
    /// Whether they may change anything.
    pub(super) may_control: bool,
    /// It is a program: no prompts.
    pub(super) is_batch: bool,
    /// They want to know how long runs take.
    pub(super) times: bool,
}

impl Session {
    pub(super) fn new(stream: &Stream, tcp_control: bool) -> Session {
        let is_tcp = matches!(stream, Stream::Tcp(_));
        Session {
            is_terminal: matches!(stream, Stream::Terminal(_)),
            is_tcp,
            may_control: !is_tcp || tcp_control,
            is_batch: false,
            times: false,
        }
    }
}

/// What comes of a command.
#[derive(Default)]
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) more: Option<Job>,
    /// They have had enough.
    pub(super) leaves: bool,
}

pub(super) struct Connection {
    pub(super) stream: Stream,
    pub(super) session: Session,
    input: Vec<u8>,
    /// How much of the input is known to hold no end of a line.
    searched: usize,
    output: Vec<u8>,
    written: usize,
    job: Option<Job>,
    /// The line is too long: what is left of it is thrown away.
    skips: bool,
    has_ended: bool,
    leaves: bool,
}

/// How a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Served {
    /// Until there is an event.
    Waits,
    /// It could go on.
    More,
    Over,
}

enum Step {
    Done,
    Blocked,
    Over,
}

impl Connection {
    pub(super) fn new(stream: Stream, session: Session, banner: &str) -> Connection {
        let mut connection = Connection {
            stream,
            session,
            input: Vec::new(),
            searched: 0,
            output: Vec::new(),
            written: 0,
            job: None,
            skips: false,
            has_ended: false,
            leaves: false,
        };
        connection.output.extend(banner.as_bytes());
        connection.prompt();
        connection
    }

    fn prompt(&mut self) {
        if !self.session.is_batch {
            self.output.extend(PROMPT.as_bytes());
        }
    }

    /// Does what can be done now.
    pub(super) fn serve(&mut self, core: &mut Core) -> Served {
        for _ in 0..SHARE {
            match self.step(core) {
                Step::Done => {}
                Step::Blocked => return Served::Waits,
                Step::Over => return Served::Over,
            }
        }
        Served::More
    }

    fn step(&mut self, core: &mut Core) -> Step {
        if self.written < self.output.len() {
            return self.write();
        }
        self.output.clear();
        self.written = 0;
        if let Some(mut job) = self.job.take() {
            let mut text = String::new();
            if job(core, &mut text) {
                self.job = Some(job);
            }
            self.output.extend(text.as_bytes());
            if self.job.is_none() {
                self.prompt();
            }
            return Step::Done;
        }
        if self.leaves {
            return Step::Over;
        }
        if let Some(line) = self.next_line() {
            self.obey(core, &line);
            return Step::Done;
        }
        if self.has_ended {
            return Step::Over;
        }
        self.read()
    }

    fn write(&mut self) -> Step {
        match self.stream.write(&self.output[self.written..]) {
            Ok(0) => Step::Over,
            Ok(n) => {
                self.written += n;
                Step::Done
            }
            Err(error) => Connection::failed(&error),
        }
    }

    fn read(&mut self) -> Step {
        let mut bytes = [0; 4096];
        match self.stream.read(&mut bytes) {
            Ok(0) => self.has_ended = true,
            Ok(n) => self.input.extend(&bytes[..n]),
            Err(error) => return Connection::failed(&error),
        }
        Step::Done
    }

    fn failed(error: &io::Error) -> Step {
        match error.kind() {
            io::ErrorKind::WouldBlock => Step::Blocked,
            io::ErrorKind::Interrupted => Step::Done,
            _ => Step::Over,
        }
    }

    /// The next line, without its end. After the last one there need not be one.
    fn next_line(&mut self) -> Option<String> {
        let end = self.input[self.searched..].iter().position(|byte| *byte == b'\n');
        let line = match end {
            Some(end) => self.input.drain(..=self.searched + end).collect(),
            None if self.has_ended => std::mem::take(&mut self.input),
            None => {
                self.searched = self.input.len();
                self.skips |= self.searched > LONGEST_LINE;
                if self.skips {
                    self.input.clear();
                    self.searched = 0;
                }
                return None;
            }
        };
        self.searched = 0;
        if std::mem::take(&mut self.skips) || line.len() > LONGEST_LINE {
            self.output.extend(b"The line is too long.\n");
            return Some(String::new());
        }
        if line.is_empty() && self.has_ended {
            return None;
        }
        Some(String::from_utf8_lossy(&line).trim().to_string())
    }

    fn obey(&mut self, core: &mut Core, line: &str) {
        let answer = commands::obey(core, &mut self.session, line);
        self.output.extend(answer.text.as_bytes());
        self.job = answer.more;
        self.leaves = answer.leaves;
        if self.job.is_none() && !self.leaves {
            self.prompt();
        }
    }
}
