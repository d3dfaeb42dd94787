//! Addresses: what the functions of `net` take.
//!
//! Everything that `std` takes, and `("", 25000)` for all interfaces, as in Python. Names are not looked up yet: that
//! blocks, and belongs into a thread. So text must be a literal address.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::error::{Error, Result};

/// What can be turned into socket addresses without asking anybody.
///
/// ```
/// use curio::net::ToAddrs;
///
/// assert_eq!(("127.0.0.1", 80).to_addrs().unwrap()[0].to_string(), "127.0.0.1:80");
/// assert_eq!("[::1]:80".to_addrs().unwrap()[0].to_string(), "[::1]:80");
/// // All interfaces:
/// assert_eq!(("", 80).to_addrs().unwrap()[0].to_string(), "0.0.0.0:80");
/// assert_eq!(":80".to_addrs().unwrap()[0].to_string(), "0.0.0.0:80");
/// assert!("example.org:80".to_addrs().is_err()); // a name
/// ```
pub trait ToAddrs {
    /// The addresses, at least one.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] with [`InvalidInput`](io::ErrorKind::InvalidInput) if this is no address.
    fn to_addrs(&self) -> Result<Vec<SocketAddr>>;
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
}

impl ToAddrs for (String, u16) {
    fn to_addrs(&self) -> Result<Vec<SocketAddr>> {
        (self.0.as_str(), self.1).to_addrs()
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
}

impl ToAddrs for String {
    fn to_addrs(&self) -> Result<Vec<SocketAddr>> {
        self.as_str().to_addrs()
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
}

fn invalid(text: &str) -> Error {
    let text = format!("{text:?} is not an address (like 127.0.0.1:25000; names are not looked up yet)");
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
        assert!([].to_addrs().is_err());
    }
}
