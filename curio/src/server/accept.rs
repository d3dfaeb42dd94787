//! Accepting, whatever it takes: which errors concern one connection, and which a server survives.

use std::io;
use std::panic::Location;
use std::time::Duration;

use crate::contain::log;
use crate::error::{Error, Result};
use crate::net::{Accept, Listener};
use crate::server::Client;
use crate::time::Sleep;

/// How long an accept loop pauses when the system has run out of something: first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// The next connection, whatever it takes.
pub(super) async fn connection<L: Listener>(
    listener: &L,
    place: &'static Location<'static>,
) -> Result<Client<L>> {
    let mut pause = PAUSE.0;
    loop {
        match Accept::new(listener, place).await {
            Err(Error::Io(error)) if is_about_one_connection(&error) => {}
            Err(Error::Io(error)) if may_pass(&error) => {
                log(format_args!(
                    "a server cannot accept connections, and tries again in {pause:?}: {error}"
                ));
                Sleep::after(pause, place).await?;
                pause = (pause * 2).min(PAUSE.1);
            }
            other => return other,
        }
    }
}

/// It concerns a peer that was gone before we took its connection, or the way to it: Linux reports such errors of the
/// network here, and asks to go on. (A refusal is about a datagram that was sent before.)
pub(crate) fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, NetworkDown,
        NetworkUnreachable,
    };
    #[cfg(unix)]
    const CODES: [i32; 4] = [libc::EPROTO, libc::ENOPROTOOPT, libc::EHOSTDOWN, libc::EOPNOTSUPP];
    #[cfg(not(unix))]
    const CODES: [i32; 0] = [];
    error.raw_os_error().is_some_and(|code| CODES.contains(&code))
        || matches!(
            error.kind(),
            ConnectionAborted
                | ConnectionRefused
                | ConnectionReset
                | HostUnreachable
                | NetworkDown
                | NetworkUnreachable
        )
}

/// Out of descriptors, memory or places in the selector: the connection still waits in the system's queue, or was given
/// up. Or the system forbids it: that may be a firewall's word on one connection, or the last one on all of them.
pub(crate) fn may_pass(error: &io::Error) -> bool {
    #[cfg(unix)]
    const CODES: [i32; 5] = [
        libc::EMFILE,
        libc::ENFILE,
        libc::ENOBUFS,
        libc::ENOMEM,
        libc::ENOSPC,
    ];
    #[cfg(windows)]
    const CODES: [i32; 2] = [10024, 10055]; // WSAEMFILE, WSAENOBUFS
    error.kind() == io::ErrorKind::PermissionDenied
        || error.raw_os_error().is_some_and(|code| CODES.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::bytes::sealed::Sealed;
    use crate::traps::{Waiting, poll_budget};
    use crate::{Clock, Kernel, ignore_after};
    use std::task::{Context as TaskContext, Poll, ready};

    /// Accepts nobody, as a system that forbids it.
    #[derive(Debug)]
    struct Forbidden<'a>(&'a std::cell::Cell<u32>, io::ErrorKind);

    impl Sealed for Forbidden<'_> {}

    impl Listener for Forbidden<'_> {
        type Stream = ();
        type Addr = ();

        fn poll_accept(
            &self,
            _: &mut Waiting,
            cx: &mut TaskContext<'_>,
            _: &'static Location<'static>,
        ) -> Poll<Result<((), ())>> {
            ready!(poll_budget(cx));
            self.0.set(self.0.get() + 1);
            assert!(self.0.get() < 100, "it tries all the time");
            Poll::Ready(Err(Error::Io(self.1.into())))
        }
    }

    #[test]
    fn what_does_not_pass_is_not_tried_all_the_time() {
        let tried = std::cell::Cell::new(0);
        let kernel = Kernel::builder().clock(Clock::Virtual).build().unwrap();
        let here = Location::caller();
        let listener = Forbidden(&tried, io::ErrorKind::PermissionDenied);
        let accepted = kernel.run(ignore_after(Duration::from_secs(10), connection(&listener, here)));
        assert!(accepted.unwrap().is_none());
        assert!((10..30).contains(&tried.get()), "{}", tried.get());
    }
}
