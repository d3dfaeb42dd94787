//! Addresses: what the functions of `net` take.
//!
//! Everything that `std` takes, and `("", 25000)` for all interfaces, as in Python. A name must be looked up, which blocks:
//! what waits anyway does so in a thread (`lookup`); where nothing waits, text must be a literal address.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::error::{Error, Result};

/// What can be turned into socket addresses: at once, or, if it has a [name](ToAddrs::name), by [`lookup_host`].
///
/// [`lookup_host`]: crate::net::lookup_host
///
/// ```
/// use curio::net::ToAddrs;
///
/// assert_eq!(("127.0.0.1", 80).to_addrs().unwrap()[0].to_string(), "127.0.0.1:80");
/// assert_eq!("[::1]:80".to_addrs().unwrap()[0].to_string(), "[::1]:80");
/// // All interfaces:
/// assert_eq!(("", 80).to_addrs().unwrap()[0].to_string(), "0.0.0.0:80");
/// assert_eq!(":80".to_addrs().unwrap()[0].to_string(), "0.0.0.0:80");
/// // A name:
/// assert!("example.org:80".to_addrs().is_err());
/// assert_eq!("example.org:80".name(), Some(("example.org".to_string(), 80)));
/// ```
pub trait ToAddrs {
    /// The addresses, at least one.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] with [`InvalidInput`](io::ErrorKind::InvalidInput) if this is no address, or has a name.
    fn to_addrs(&self) -> Result<Vec<SocketAddr>>;

    /// The name of the host and the port, if the addresses must be looked up.
    fn name(&self) -> Option<(String, u16)> {
        None
    }
}

macro_rules! plain {
    ($($type:ty),*) => {$(
        impl ToAddrs for $type {
            fn to_addrs(&self) -> Result<Vec<SocketAddr>> {
                Ok(vec![SocketAddr::from(*self)])
            }
        }
    )*};
}

plain!(
    SocketAddr,
    SocketAddrV4,
    SocketAddrV6,
    (IpAddr, u16),
    (Ipv4Addr, u16),
    (Ipv6Addr, u16)
);

impl ToAddrs for (&str, u16) {
    fn to_addrs(&self) -> Result<Vec<SocketAddr>> {
        let (host, port) = *self;
        let ip = match host {
            "" => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            host => host.parse().map_err(|_| invalid(host))?,
        };
        Ok(vec![SocketAddr::new(ip, port)])
    }

    fn name(&self) -> Option<(String, u16)> {
        let (host, port) = *self;
        let is_name = !host.is_empty() && host.parse::<IpAddr>().is_err();
        is_name.then(|| (host.to_string(), port))
    }
}

impl ToAddrs for (String, u16) {
    fn to_addrs(&self) -> Result<Vec<SocketAddr>> {
        (self.0.as_str(), self.1).to_addrs()
    }

    fn name(&self) -> Option<(String, u16)> {
        (self.0.as_str(), self.1).name()
    }
}

impl ToAddrs for str {
    fn to_addrs(&self) -> Result<Vec<SocketAddr>> {
        if let Some(port) = self.strip_prefix(':') {
            let port = port.parse().map_err(|_| invalid(self))?;
            return ("", port).to_addrs();
        }
        Ok(vec![self.parse().map_err(|_| invalid(self))?])
    }

    fn name(&self) -> Option<(String, u16)> {
        let (host, port) = self.rsplit_once(':')?;
        let port = port.parse().ok()?;
        // An address with colons in it is none, or has brackets.
        if host.contains([':', '[', ']']) {
            return None;
        }
        (host, port).name()
    }
}

impl ToAddrs for String {
    fn to_addrs(&self) -> Result<Vec<SocketAddr>> {
        self.as_str().to_addrs()
    }

    fn name(&self) -> Option<(String, u16)> {
        self.as_str().name()
    }
}

impl ToAddrs for [SocketAddr] {
    fn to_addrs(&self) -> Result<Vec<SocketAddr>> {
        match self {
            [] => Err(invalid("an empty list")),
            all => Ok(all.to_vec()),
        }
    }
}

impl<T: ToAddrs + ?Sized> ToAddrs for &T {
    fn to_addrs(&self) -> Result<Vec<SocketAddr>> {
        (**self).to_addrs()
    }

    fn name(&self) -> Option<(String, u16)> {
        (**self).name()
    }
}

fn invalid(text: &str) -> Error {
    let text =
        format!("{text:?} is not an address (like 127.0.0.1:25000; to look a name up, use net::lookup_host)");
    Error::Io(io::Error::new(io::ErrorKind::InvalidInput, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_all_interfaces() {
        for (given, expected) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            (":80", "0.0.0.0:80"),
            ("[::]:1", "[::]:1"),
        ] {
            assert_eq!(given.to_addrs().unwrap(), [expected.parse().unwrap()]);
        }
        let both = ["1.2.3.4:5".parse().unwrap(), "[::1]:6".parse().unwrap()];
        assert_eq!(both[..].to_addrs().unwrap(), both);
    }

    #[test]
    fn everything_else_is_one_clear_error() {
        for bad in [
            "",
            "localhost:80",
            "127.0.0.1",
            "127.0.0.1:99999",
            "1.2.3:4",
            ":",
            ":x",
        ] {
            let error = bad.to_addrs().unwrap_err().to_string();
            assert!(error.contains(&format!("{bad:?} is not an address")), "{error}");
        }
        assert!(("localhost", 80).to_addrs().is_err());
        for bad in [
            "",
            ":80",
            "127.0.0.1:80",
            "127.0.0.1",
            "[::1]:80",
            "::1:80",
            "name",
            "name:",
            "name:x",
            "name:99999",
        ] {
            assert_eq!(bad.name(), None, "{bad}");
        }
        assert_eq!("some.name:80".to_string().name(), Some(("some.name".into(), 80)));
        assert_eq!(("localhost", 80).name(), Some(("localhost".into(), 80)));
        assert_eq!((("127.0.0.1", 80).name(), ("", 80).name()), (None, None));
        assert!([].to_addrs().is_err());
    }
}
