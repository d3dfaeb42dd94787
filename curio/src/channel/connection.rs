//! A connection that carries messages.

use std::cell::Cell;
use std::fmt;
use std::panic::Location;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::MESSAGE_LIMIT;
use super::greeting::{Authenticate, Side};
use super::receive::{Inbox, Next, Recv, RecvBytes, RecvBytesInto};
use super::send::{Flush, Outbox, Send};
use super::two::Two;
#[cfg(unix)]
use crate::error::Result;
use crate::net::{Readable, Writable};

/// What a connection goes over.
pub(super) trait Link: Readable + Writable {}

impl<S: Readable + Writable> Link for S {}

/// A connection that carries whole messages (Python Curio: `Connection`).
///
/// It comes from a [`Channel`](super::Channel), or is [put on](Connection::new) whatever carries bytes. All methods take
/// `&self`, so that one task sends while another receives.
///
/// ```
/// # #[cfg(unix)]
/// curio::run(async {
///     use curio::channel::Connection;
///
///     let (one, two) = Connection::pair()?;
///     one.send(&("spam", 42)).await?;
///     assert_eq!(two.recv::<(String, u32)>().await?, ("spam".to_string(), 42));
///     two.send_bytes(b"bytes").await?;
///     assert_eq!(one.recv_bytes().await?, b"bytes");
///     Ok(())
/// })
/// .unwrap();
/// ```
pub struct Connection {
    pub(super) link: Box<dyn Link>,
    /// None while somebody receives, or sends (C3).
    pub(super) inbox: Cell<Option<Inbox>>,
    pub(super) outbox: Cell<Option<Outbox>>,
    pub(super) closed: Cell<bool>,
    pub(super) limit: Cell<usize>,
}

impl Connection {
    /// A connection over a [`TcpStream`](crate::net::TcpStream), a `UnixStream`, or what else carries bytes in both directions.
    /// Nothing is sent or received by this.
    ///
    /// ```
    /// use curio::channel::Connection;
    /// use curio::net::{TcpListener, TcpStream};
    ///
    /// curio::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     let one = Connection::new(TcpStream::connect(listener.local_addr()?).await?);
    ///     let two = Connection::new(listener.accept().await?.0);
    ///     one.send("hello").await?;
    ///     assert_eq!(two.recv::<String>().await?, "hello");
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn new(link: impl Readable + Writable + 'static) -> Connection {
        Connection {
            link: Box::new(link),
            inbox: Cell::new(Some(Inbox::default())),
            outbox: Cell::new(Some(Outbox::default())),
            closed: Cell::new(false),
            limit: Cell::new(MESSAGE_LIMIT),
        }
    }

    /// A connection that receives from one and sends to another (Python Curio: `Connection(reader, writer)`): such as the output and the
    /// input of a child process. Nothing is sent or received by this.
    ///
    /// ```
    /// # #[cfg(unix)]
    /// curio::run(async {
    ///     use curio::channel::Connection;
    ///     use curio::subprocess::{Command, Stdio};
    ///
    ///     let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    ///     let (output, input) = (cat.stdout.take().unwrap(), cat.stdin.take().unwrap());
    ///     let c = Connection::over(output.into_inner(), input.into_inner());
    ///     c.send("hello").await?;
    ///     assert_eq!(c.recv::<String>().await?, "hello");
    ///     c.close();
    ///     assert!(cat.wait().await?.success());
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn over(reader: impl Readable + 'static, writer: impl Writable + 'static) -> Connection {
        Connection::new(Two { reader, writer })
    }

    /// Two connections that are connected to each other (Python: `Pipe`).
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) if there are no descriptors left. [`Error::NoKernel`](crate::Error::NoKernel) outside
    /// of a task.
    ///
    /// See [`Connection`] for an example.
    #[cfg(unix)]
    pub fn pair() -> Result<(Connection, Connection)> {
        let (one, two) = crate::net::UnixStream::pair()?;
        Ok((Connection::new(one), Connection::new(two)))
    }

    /// Sends a value. It is [pickled](super#what-a-message-is) at once; what becomes of it then does not matter.
    ///
    /// *Waits* until the system has taken everything. *Interrupted* by cancellation and timeouts: the error's
    /// [`Progress`](crate::Progress) is 0 if nothing was sent. Otherwise the message has begun, and what is left of it goes
    /// out ahead of the next message, or by [`flush`](Connection::flush): it should not be sent again. The same goes for
    /// an operation that is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io), also with [`InvalidInput`](std::io::ErrorKind::InvalidInput) if the value cannot be
    /// pickled. [`Error::Busy`](crate::Error::Busy) if another task sends. [`Error::Closed`](crate::Error::Closed).
    ///
    /// See [`Connection`] for an example.
    #[track_caller]
    pub fn send<T: Serialize + ?Sized>(&self, value: &T) -> Send<'_> {
        Send::value(self, value, Location::caller())
    }

    /// Sends bytes, as they are. (Python Curio's `offset` and `size` are a slice here.)
    ///
    /// *Waits* and is *Interrupted* as [`send`](Connection::send).
    ///
    /// # Errors
    ///
    /// As for [`send`](Connection::send).
    ///
    /// See [`Connection`] for an example.
    #[track_caller]
    pub fn send_bytes<'a>(&'a self, bytes: &'a [u8]) -> Send<'a> {
        Send::bytes(self, bytes, Location::caller())
    }

    /// Sends what is left of a message that was interrupted, if there is any.
    ///
    /// *Waits* until the system has taken everything. *Interrupted* by cancellation and timeouts: the rest is still to be sent.
    ///
    /// # Errors
    ///
    /// As for [`send`](Connection::send).
    ///
    /// ```
    /// # #[cfg(unix)]
    /// curio::run(async {
    ///     use curio::channel::Connection;
    ///     use curio::{WithTimeout, spawn};
    ///     use std::time::Duration;
    ///
    ///     let (one, two) = Connection::pair()?;
    ///     let long = vec![0; 10_000_000];
    ///     // Nobody receives yet.
    ///     let error = one.send_bytes(&long).timeout(Duration::from_millis(1)).await.unwrap_err();
    ///     assert!(error.is_timeout());
    ///     let receiver = spawn(async move { two.recv_bytes().await });
    ///     one.flush().await?;
    ///     assert_eq!(receiver.join().await?, long);
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn flush(&self) -> Flush<'_> {
        Flush::new(self, Location::caller())
    }

    /// Receives a value.
    ///
    /// *Waits* until a message is there. *Interrupted* by cancellation and timeouts: nothing has been received. What has
    /// come of a message is kept for the next call.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io): with [`UnexpectedEof`](std::io::ErrorKind::UnexpectedEof) if the peer has closed the
    /// connection, between messages or in the middle of one (for loops, there is [`next`](Connection::next)); with
    /// [`InvalidData`](std::io::ErrorKind::InvalidData) if the message is no such value, and then it is gone; with the same if
    /// the message is [too long](Connection::set_message_limit) or the peer talks something else, and then nothing can be
    /// received any more. [`Error::Busy`](crate::Error::Busy) if another task receives.
    /// [`Error::Closed`](crate::Error::Closed).
    ///
    /// See [`Connection`] for an example.
    #[track_caller]
    pub fn recv<T: DeserializeOwned>(&self) -> Recv<'_, T> {
        Recv::new(self, Location::caller())
    }

    /// Receives a value, or `None` if the peer has closed the connection: for `while let Some(value) = c.next().await`.
    ///
    /// *Waits* and is *Interrupted* as [`recv`](Connection::recv).
    ///
    /// # Errors
    ///
    /// As for [`recv`](Connection::recv), except for the end.
    ///
    /// ```
    /// # #[cfg(unix)]
    /// curio::run(async {
    ///     let (one, two) = curio::channel::Connection::pair()?;
    ///     for i in 0..3 {
    ///         one.send(&i).await?;
    ///     }
    ///     one.close();
    ///     let mut all = Vec::new();
    ///     while let Some(i) = two.next::<i32>().await {
    ///         all.push(i?);
    ///     }
    ///     assert_eq!(all, [0, 1, 2]);
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn next<T: DeserializeOwned>(&self) -> Next<'_, T> {
        Next::new(self, Location::caller())
    }

    /// Receives a message as it is.
    ///
    /// *Waits* and is *Interrupted* as [`recv`](Connection::recv).
    ///
    /// # Errors
    ///
    /// As for [`recv`](Connection::recv), but any message will do.
    ///
    /// See [`Connection`] for an example.
    #[track_caller]
    pub fn recv_bytes(&self) -> RecvBytes<'_> {
        RecvBytes::new(self, Location::caller())
    }

    /// Receives a message into a buffer, and gives its length.
    ///
    /// *Waits* and is *Interrupted* as [`recv`](Connection::recv).
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) with [`InvalidInput`](std::io::ErrorKind::InvalidInput) if the buffer is too short;
    /// the message is still there. Otherwise as for [`recv_bytes`](Connection::recv_bytes).
    ///
    /// ```
    /// # #[cfg(unix)]
    /// curio::run(async {
    ///     let (one, two) = curio::channel::Connection::pair()?;
    ///     one.send_bytes(b"hello").await?;
    ///     let mut buf = [0; 10];
    ///     assert!(two.recv_bytes_into(&mut buf[..3]).await.is_err());
    ///     assert_eq!(two.recv_bytes_into(&mut buf).await?, 5);
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn recv_bytes_into<'a>(&'a self, buf: &'a mut [u8]) -> RecvBytesInto<'a> {
        RecvBytesInto::new(self, buf, Location::caller())
    }

    /// Makes sure that the peer has the key, then shows that we have it (Python Curio: `authenticate_server`). A
    /// [`Channel`](super::Channel) does this for whom it accepts.
    ///
    /// *Waits* for the peer, who may take for ever: give it a time. *Interrupted* by cancellation and timeouts, and where it
    /// fails: the connection is closed, as nobody knows how far the two have got.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) with [`PermissionDenied`](std::io::ErrorKind::PermissionDenied) if the peer has
    /// another key; the peer is told. Otherwise as for [`recv_bytes`](Connection::recv_bytes) and
    /// [`send_bytes`](Connection::send_bytes).
    ///
    /// ```
    /// # #[cfg(unix)]
    /// curio::run(async {
    ///     use curio::channel::Connection;
    ///     use curio::spawn;
    ///
    ///     let (one, two) = Connection::pair()?;
    ///     let client = spawn(async move { two.authenticate_client(b"peekaboo").await });
    ///     one.authenticate_server(b"peekaboo").await?;
    ///     client.join().await
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn authenticate_server<'a>(&'a self, authkey: &'a [u8]) -> Authenticate<'a> {
        Authenticate::new(self, authkey, Side::Server, Location::caller())
    }

    /// Shows the peer that we have the key, then makes sure that it has it (Python Curio: `authenticate_client`).
    ///
    /// *Waits* and is *Interrupted* as [`authenticate_server`](Connection::authenticate_server).
    ///
    /// # Errors
    ///
    /// As for [`authenticate_server`](Connection::authenticate_server).
    #[track_caller]
    pub fn authenticate_client<'a>(&'a self, authkey: &'a [u8]) -> Authenticate<'a> {
        Authenticate::new(self, authkey, Side::Client, Location::caller())
    }

    /// Limits the messages that are received. Whoever is sent a longer one does not receive any more, for it cannot be skipped
    /// without being received.
    ///
    /// ```
    /// # #[cfg(unix)]
    /// curio::run(async {
    ///     let (one, two) = curio::channel::Connection::pair()?;
    ///     two.set_message_limit(100);
    ///     one.send_bytes(&[0; 101]).await?;
    ///     assert!(two.recv_bytes().await.is_err());
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn set_message_limit(&self, bytes: usize) {
        self.limit.set(bytes);
    }

    /// Closes the connection. Tasks that wait to send or receive get [`Error::Closed`](crate::Error::Closed).
    ///
    /// ```
    /// # #[cfg(unix)]
    /// curio::run(async {
    ///     let (one, two) = curio::channel::Connection::pair()?;
    ///     one.close();
    ///     assert!(one.recv_bytes().await.is_err());
    ///     assert!(two.next::<u32>().await.is_none());
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn close(&self) {
        self.closed.set(true);
        // It cannot fail for what has two directions.
        let _ = self.link.close();
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("link", &self.link)
            .field("closed", &self.closed.get())
            .finish()
    }
}
