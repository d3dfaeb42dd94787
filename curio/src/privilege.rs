//! Whether this program has more rights than whoever has started it, as one that is setuid has.
//!
//! Whoever starts such a program chooses its environment, but must not gain its rights by that: so what the environment
//! can ask for elsewhere, a monitor say or to be a worker, it cannot ask of it.

#![allow(unsafe_code)]

/// Whether it has.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn is_privileged() -> bool {
    // SAFETY: it takes a number, and cannot fail.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Whether it has.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn is_privileged() -> bool {
    // SAFETY: they take nothing, and cannot fail.
    unsafe { (libc::getuid(), libc::getgid()) != (libc::geteuid(), libc::getegid()) }
}
