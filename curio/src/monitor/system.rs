//! What only the system can say. Each of these is one call.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::AsRawFd;

/// The user as whom this program runs.
pub(super) fn user() -> u32 {
    // SAFETY: it takes nothing, and cannot fail.
    unsafe { libc::geteuid() }
}

/// The user at the other end of a connection, as it was when they connected.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn peer(socket: &impl AsRawFd) -> io::Result<u32> {
    let mut peer = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    let mut size = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: `peer` is as long as `size` says, and the system writes no more than that.
    let done = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut size,
        )
    };
    match done {
        0 => Ok(peer.uid),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The user at the other end of a connection, as it was when they connected.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn peer(socket: &impl AsRawFd) -> io::Result<u32> {
    let (mut user, mut group) = (0, 0);
    // SAFETY: both point to numbers of the right types.
    match unsafe { libc::getpeereid(socket.as_raw_fd(), &raw mut user, &raw mut group) } {
        0 => Ok(user),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Whether there is such a process, whoever it belongs to.
pub(super) fn is_alive(process: i32) -> bool {
    // SAFETY: it takes no pointer. Signal 0 is a question.
    let asked = unsafe { libc::kill(process, 0) };
    asked == 0 || io::Error::last_os_error().raw_os_error() != Some(libc::ESRCH)
}

/// Sends a signal to this program. (Not to the thread: it is the monitor's.)
pub(super) fn send(signal: i32) -> io::Result<()> {
    // SAFETY: it takes no pointer. What the signal does is up to whoever has set its disposition.
    match unsafe { libc::kill(std::process::id() as i32, signal) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Whether what is typed in this terminal is typed for this program, and not for another one in front of it.
pub(super) fn is_in_front(terminal: &impl AsRawFd) -> bool {
    // SAFETY: neither takes a pointer.
    unsafe { libc::tcgetpgrp(terminal.as_raw_fd()) == libc::getpgrp() }
}
