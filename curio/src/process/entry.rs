//! The door through which a worker comes in, and what goes through it as a bare address.
//!
//! The `unsafe` of processes is in this file and in no other. There are three kinds of it: the constructor, functions
//! that are called at an address which another process has named, and calls of C functions.
//!
//! E1. An address in a request is that of a [`Call`] or of a function, in the program itself: who sends it has made it of such
//!     a one (`Target`), and has seen that no other object has it.
//! E2. Who receives a request is the same file as who sends it (`Identity`, checked by `life` before anything else). So what
//!     lies at the same distance from `CONSTRUCTOR` there is the same function.
//! E3. A worker comes in before `main`. There is one thread, nobody has files, and none of this program's statics has been
//!     used yet, but by constructors of others.
//! E4. Whoever can make a worker of a program can have it call anything. That is nothing to whoever could have started a program of
//!     their own instead, and everything where the program has more rights than they. So such a program is never a worker.
//! E5. The connection is the worker's alone. A child that it forks does not have it, or the connection would not end with the
//!     worker. (One that is executed has none of its files.)
//! E6. A worker does not hear of Ctrl-C, but until it has said so, it would end. So it is started by a thread that holds the signal
//!     back, and inherits that.

#![allow(unsafe_code)]

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;
use socket2::SockRef;

use super::life;
use super::wire::Reply;
use crate::privilege::is_privileged;

/// The environment variable that makes a worker of a program, if its standard input is a socket.
pub(super) const MARK: &str = "CURIO_WORKER";

/// Its value if Ctrl-C is held back from the worker, and will be, as the program wants it (E6). Otherwise the worker lets it come.
pub(super) const HELD: &str = "held";

/// What the system calls before `main`, in every program that has this in it.
#[used]
#[cfg_attr(
    target_vendor = "apple",
    unsafe(link_section = "__DATA,__mod_init_func,mod_init_funcs")
)]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
static CONSTRUCTOR: extern "C" fn() = before_main;

extern "C" fn before_main() {
    // Elsewhere a file is known by its name only, and may become another one later.
    #[cfg(not(target_os = "linux"))]
    let _ = Identity::own();
    if let Some((socket, held)) = inherited() {
        disregard(libc::SIGINT);
        if !held {
            change_mask(libc::SIG_UNBLOCK, libc::SIGINT);
        }
        life::live(socket);
    }
}

/// If this is a worker, the connection to the parent, and whether Ctrl-C is to be held back (E6). It aborts if it is one and cannot
/// be: `main` must not run instead.
fn inherited() -> Option<(UnixStream, bool)> {
    let mark = std::env::var_os(MARK)?;
    let stdin = io::stdin();
    if !SockRef::from(&stdin)
        .local_addr()
        .is_ok_and(|addr| addr.is_unix())
    {
        return None;
    }
    assert!(
        !is_privileged(),
        "a program with more rights than whoever has started it (setuid) cannot be a worker"
    );
    // SAFETY: nobody else is about who could look at the environment (E3).
    unsafe { std::env::remove_var(MARK) };
    close_others();
    // A copy that children do not get.
    let socket = stdin.as_fd().try_clone_to_owned();
    let socket = UnixStream::from(socket.expect("a descriptor for the connection of a worker"));
    let nothing = fs::File::open("/dev/null").expect("/dev/null as the standard input of a worker");
    // SAFETY: both descriptors are open. Nobody has read standard input yet, so there is no buffer to be wrong (E3).
    unsafe { libc::dup2(nothing.as_raw_fd(), 0) };
    Some((socket, mark == HELD))
}

/// Closes what was inherited but for standard input, output and error. Whatever is open has no owner in here (E3).
fn close_others() {
    let names = fs::read_dir("/dev/fd").into_iter().flatten().flatten();
    let numbers: Vec<RawFd> = names
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    for number in numbers.into_iter().filter(|&number| number > 2) {
        // SAFETY: nobody has a file yet who could miss it. (The one that has just been used to look is closed already.)
        unsafe { libc::close(number) };
    }
}

// ---- Functions and their addresses

/// How a function is called whose types only its caller knows: its address, its argument, and where its value goes, after
/// whatever is there.
type Call = fn(usize, &[u8], &mut Vec<u8>) -> Reply;

/// A function to be called, and the [`Call`] for its types: addresses in this process, distances on their way (E1, E2).
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    pub(super) call: usize,
    pub(super) function: usize,
}

impl Target {
    pub(super) fn new<A: DeserializeOwned, T: Serialize>(function: fn(A) -> T) -> Target {
        let call: Call = call::<A, T>;
        Target {
            call: call as usize,
            function: function as usize,
        }
    }

    pub(super) fn to_distances(self) -> Target {
        self.moved(|address| address.wrapping_sub(anchor()))
    }

    pub(super) fn to_addresses(self) -> Target {
        self.moved(|distance| distance.wrapping_add(anchor()))
    }

    fn moved(self, how: impl Fn(usize) -> usize) -> Target {
        Target {
            call: how(self.call),
            function: how(self.function),
        }
    }

    /// Calls the function. Only for what has come from a process that is the same program (E1, E2).
    pub(super) fn run(self, argument: &[u8], value: &mut Vec<u8>) -> Reply {
        // SAFETY: it was a `Call` where it came from, and so it is here (E1, E2).
        let call =
            unsafe { std::mem::transmute::<*const (), Call>(std::ptr::with_exposed_provenance(self.call)) };
        call(self.function, argument, value)
    }
}

fn call<A: DeserializeOwned, T: Serialize>(function: usize, argument: &[u8], value: &mut Vec<u8>) -> Reply {
    // SAFETY: `Target::new` is the only one who makes a `Call` of this, with a function of just these types beside it (E1, E2).
    let function =
        unsafe { std::mem::transmute::<*const (), fn(A) -> T>(std::ptr::with_exposed_provenance(function)) };
    let argument = match postcard::from_bytes(argument) {
        Ok(argument) => argument,
        Err(error) => {
            value.extend_from_slice(error.to_string().as_bytes());
            return Reply::BadArgument;
        }
    };
    let given = function(argument);
    let before = value.len();
    match postcard::to_extend(&given, std::mem::take(value)) {
        Ok(whole) => {
            *value = whole;
            Reply::Value
        }
        Err(error) => {
            value.resize(before, 0);
            value.extend_from_slice(error.to_string().as_bytes());
            Reply::BadValue
        }
    }
}

/// What all distances are measured from.
fn anchor() -> usize {
    (&raw const CONSTRUCTOR).addr()
}

/// Whether what is at this address belongs to the program itself, and not to a library that was loaded beside it: those lie
/// elsewhere in each process.
pub(super) fn is_ours(address: usize) -> bool {
    let program = object_of(in_program());
    let is_ours = |address| object_of(address) == program;
    // A static program has no objects to tell apart.
    program.is_none() || is_ours(address) && is_ours(anchor())
}

/// An address in the program itself, even if this code is in a library: what the system has loaded it from.
#[cfg(target_os = "linux")]
fn in_program() -> usize {
    // SAFETY: it takes a number.
    unsafe { libc::getauxval(libc::AT_PHDR) as usize }
}

#[cfg(not(target_os = "linux"))]
fn in_program() -> usize {
    anchor()
}

/// Where the object begins, in memory, that has this address.
fn object_of(address: usize) -> Option<usize> {
    let mut found = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: it takes any address, and writes to a structure that lives on this stack, and that may be all zeros.
    let found = unsafe {
        if libc::dladdr(std::ptr::without_provenance(address), found.as_mut_ptr()) == 0 {
            return None;
        }
        found.assume_init()
    };
    Some(found.dli_fbase.addr())
}

// ---- Which program this is

/// Says which file a process was started from (E2): device, number, size, and the time of its last change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity(pub(super) [u64; 5]);

impl Identity {
    /// That of this process. All zeros if the system does not tell.
    pub(super) fn own() -> Identity {
        static OWN: OnceLock<Identity> = OnceLock::new();
        *OWN.get_or_init(|| program().and_then(Identity::of).unwrap_or(Identity([0; 5])))
    }

    pub(super) fn of(file: PathBuf) -> io::Result<Identity> {
        let file = fs::metadata(file)?;
        let number = [
            file.dev(),
            file.ino(),
            file.size(),
            file.mtime().cast_unsigned(),
            file.mtime_nsec().cast_unsigned(),
        ];
        Ok(Identity(number))
    }
}

/// The file that this process was started from. Linux has a name for it that holds whatever is renamed or deleted.
pub(super) fn program() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") {
        let own = PathBuf::from("/proc/self/exe");
        if own.exists() {
            return Ok(own);
        }
    }
    std::env::current_exe()
}

// ---- The rest of what C has to do

/// From now on this signal does nothing.
pub(super) fn ignore(signal: i32) {
    // SAFETY: it takes numbers.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// From now on this signal does nothing here. Programs that are started from here have it as if nothing were, because the system
/// hands on that a signal is ignored, and not that it is handled; and where it was ignored before, it stays so for all.
fn disregard(signal: i32) {
    extern "C" fn nothing(_: i32) {}
    // SAFETY: the structures are made of numbers and a pointer that may be null. They live on this stack, and the handler, which
    // touches nothing, for ever.
    unsafe {
        let mut before: libc::sigaction = std::mem::zeroed();
        let known = libc::sigaction(signal, std::ptr::null(), &mut before) == 0;
        if known && before.sa_sigaction != libc::SIG_IGN {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = nothing as extern "C" fn(i32) as usize;
            // Whoever sits in a system call need not know of it.
            action.sa_flags = libc::SA_RESTART;
            libc::sigaction(signal, &action, std::ptr::null_mut());
        }
    }
}

/// A signal that this thread holds back, and so do the processes that it starts, until this is dropped.
pub(super) struct Held {
    signal: i32,
    /// Whether it did before.
    before: bool,
}

impl Held {
    pub(super) fn new(signal: i32) -> Held {
        let before = change_mask(libc::SIG_BLOCK, signal);
        Held { signal, before }
    }

    pub(super) fn was_held_before(&self) -> bool {
        self.before
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.before {
            change_mask(libc::SIG_UNBLOCK, self.signal);
        }
    }
}

/// Holds a signal back from this thread, or lets it come. Whether it was held back before.
fn change_mask(how: i32, signal: i32) -> bool {
    // SAFETY: the sets are made of numbers, and live on this stack.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, signal);
        libc::pthread_sigmask(how, &set, &mut before) == 0 && libc::sigismember(&before, signal) == 1
    }
}

/// Takes the connection away from what is forked from here, from now on (E5). What has its number there is no connection, but is not
/// free either: whoever writes a reply to it writes nowhere.
pub(super) fn keep_from_forks(socket: &UnixStream) {
    static SOCKET: AtomicI32 = AtomicI32::new(-1);
    extern "C" fn let_go() {
        let socket = SOCKET.load(Ordering::Relaxed);
        // SAFETY: all of this is allowed in a process that was just forked, and takes numbers and a constant text.
        unsafe {
            libc::close(socket);
            let nothing = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
            if nothing >= 0 && nothing != socket {
                libc::dup2(nothing, socket);
                libc::fcntl(socket, libc::F_SETFD, libc::FD_CLOEXEC);
                libc::close(nothing);
            }
        }
    }
    SOCKET.store(socket.as_raw_fd(), Ordering::Relaxed);
    // SAFETY: what it is given may be called in a process that was just forked. If there is no memory for it, nothing changes.
    unsafe { libc::pthread_atfork(None, None, Some(let_go)) };
}

/// Waits until the other end of a socket is closed, without a look at what comes through it.
pub(super) fn wait_for_end(socket: &UnixStream) {
    let mut entry = libc::pollfd {
        fd: socket.as_raw_fd(),
        events: 0,
        revents: 0,
    };
    // SAFETY: it is given one entry, which lives on this stack.
    while unsafe { libc::poll(&mut entry, 1, -1) } < 0 {}
}

/// Ends the process: nothing more runs in it, neither what others want to do at the end, nor threads.
pub(super) fn leave() -> ! {
    // SAFETY: it takes a number.
    unsafe { libc::_exit(0) }
}
