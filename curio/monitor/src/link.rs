//! A connection to a program.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

/// For how long a program is waited for that says nothing. It has a thread for this, so it should be there at once.
const PATIENCE: Duration = Duration::from_secs(10);
const PROMPT: &[u8] = b"curio > ";

/// Where a program is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Unix(PathBuf),
    Tcp(String, u16),
}

#[derive(Debug)]
pub(crate) enum Link {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Link {
    pub(crate) fn open(address: &Address) -> io::Result<Link> {
        let told = |what: String| {
            move |error: io::Error| {
                io::Error::new(error.kind(), format!("{what} cannot be looked at: {error}"))
            }
        };
        match address {
            Address::Unix(path) => {
                let stream = UnixStream::connect(path);
                stream.map(Link::Unix).map_err(told(path.display().to_string()))
            }
            Address::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port));
                stream.map(Link::Tcp).map_err(told(format!("{host}:{port}")))
            }
        }
    }

    pub(crate) fn try_clone(&self) -> io::Result<Link> {
        Ok(match self {
            Link::Unix(stream) => Link::Unix(stream.try_clone()?),
            Link::Tcp(stream) => Link::Tcp(stream.try_clone()?),
        })
    }

    /// Nothing more will be said.
    pub(crate) fn close(&self) -> io::Result<()> {
        match self {
            Link::Unix(stream) => stream.shutdown(Shutdown::Write),
            Link::Tcp(stream) => stream.shutdown(Shutdown::Write),
        }
    }

    fn set_patience(&self, patience: Option<Duration>) -> io::Result<()> {
        match self {
            Link::Unix(stream) => stream.set_read_timeout(patience),
            Link::Tcp(stream) => stream.set_read_timeout(patience),
        }
    }

    /// Turns to the language of programs: no prompts from here on.
    pub(crate) fn into_batch(mut self) -> io::Result<BufReader<Link>> {
        self.set_patience(Some(PATIENCE))?;
        let mut said = Vec::new();
        let mut byte = [0];
        while !said.ends_with(PROMPT) {
            if self.read(&mut byte)? == 0 {
                let said = String::from_utf8_lossy(&said).trim().to_string();
                return Err(io::Error::other(format!("it has hung up: {said}")));
            }
            said.push(byte[0]);
        }
        self.write_all(b"batch\n")?;
        Ok(BufReader::new(self))
    }

    /// The whole answer to a command.
    pub(crate) fn ask(self, command: &str) -> io::Result<impl Read + use<>> {
        let mut link = self.into_batch()?;
        link.get_mut()
            .write_all(format!("{command}\nquit\n").as_bytes())?;
        Ok(link)
    }

    /// How many tasks there are, and what the program is called.
    pub(crate) fn about(self) -> io::Result<(u64, String)> {
        let mut line = String::new();
        BufReader::new(self.ask("about")?).read_line(&mut line)?;
        let about: Value = serde_json::from_str(&line).map_err(io::Error::other)?;
        let tasks = about["tasks"].as_u64().unwrap_or(0);
        let command = about["command"].as_str().unwrap_or("?");
        // It is shown in a terminal.
        Ok((tasks, command.chars().filter(|c| !c.is_control()).collect()))
    }
}

impl Read for Link {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = match self {
            Link::Unix(stream) => stream.read(into),
            Link::Tcp(stream) => stream.read(into),
        };
        read.map_err(|error| match error.kind() {
            // The patience has come to an end: the program was stopped, say.
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                io::Error::new(io::ErrorKind::TimedOut, "it does not answer")
            }
            _ => error,
        })
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Link::Unix(stream) => stream.write(bytes),
            Link::Tcp(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
