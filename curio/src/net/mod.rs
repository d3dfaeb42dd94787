//! Sockets, with the names and shapes of [`std::net`].
//!
//! | bytes | datagrams | who accepts |
//! |---|---|---|
//! | [`TcpStream`] | [`UdpSocket`] | [`TcpListener`] |
//! | `UnixStream` | `UnixDatagram` | `UnixListener` (these on Unix only) |
//!
//! Every operation tries the system call first and waits only if that would block. A socket is registered once, for both
//! directions; reading and writing are independent, so one task may read while another writes. Two tasks that read from
//! one socket at once are a mistake, and the second is told so ([`Error::Busy`](crate::Error::Busy)). All methods take
//! `&self`, so that two tasks can share a socket through an `Rc`.
//!
//! What waits can be interrupted, and says how far it had got; so there are no timeouts to be set here:
//! `stream.read(&mut buf).timeout(d)` is what `set_read_timeout` is in `std`. A socket that is closed wakes those who wait for
//! it.
//!
//! To read lines, see [`stream`](crate::stream). For options that are not here, make the socket with another library, and
//! [`from_std`](TcpStream::from_std).

mod accept;
pub(crate) mod bytes;
#[cfg(feature = "tls")]
pub(crate) mod carrier;
mod connect;
#[cfg(unix)]
pub(crate) mod fd;
mod options;
mod packets;
#[cfg(unix)]
pub(crate) mod patience;
pub(crate) mod source;
mod tcp;
mod tcp_listener;
mod udp;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
mod unix_datagram;

pub use crate::addr::ToAddrs;
pub use crate::lookup::{LookupHost, lookup_host};
pub use accept::{Accept, Listener};
pub use bytes::{Finish, Flush, Read, ReadExact, Readable, Transport, Writable, Write, WriteAll};
pub use connect::Connect;
pub use options::ListenOptions;
#[cfg(all(unix, feature = "socket"))]
pub(crate) use packets::Call;
pub use packets::{Operation, Peek, PeekFrom, Recv, RecvFrom, Send, SendTo};
pub use tcp::TcpStream;
pub use tcp_listener::TcpListener;
pub use udp::UdpSocket;
#[cfg(unix)]
pub use unix::{ConnectUnix, UnixListener, UnixStream};
#[cfg(unix)]
pub use unix_datagram::{SendToPath, UnixDatagram};
