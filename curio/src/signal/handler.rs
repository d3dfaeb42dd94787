//! The handler, and all calls to the system that are about signals.
//!
//! The `unsafe` of signals is in this file and in no other. There are three kinds of it: calls of C functions with pointers
//! to what lives on this stack; the handler, whose argument is N1; and the call of a handler that was there before ours.
//!
//! Everything that the handler reads is a static atomic, all with the strongest ordering: it is about one byte in a pipe, and
//! that costs a thousand times as much.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};

use libc::{c_int, c_void, siginfo_t};

/// Signals have numbers below this, on every system.
pub(super) const SIGNALS: usize = 128;

/// A byte in the pipe that is no signal: somebody has counted one.
pub(super) const COUNTED: u8 = 0;

/// What stands for SIGCHLD while that is ignored, and is no signal of any system: who reaps children needs the news all the
/// same, and nobody else may have it (N6).
pub(super) const UNHEARD_CHILD: c_int = SIGNALS as c_int - 1;

/// The pipe's end to write to. Negative: there is none.
static PIPE: AtomicI32 = AtomicI32::new(-1);

/// The process that has made the pipe (N5).
static OWNER: AtomicI32 = AtomicI32::new(0);

/// How many handlers may be writing to the pipe just now (N3).
static WRITING: AtomicUsize = AtomicUsize::new(0);

/// Signals for which there was no room in the pipe (N2).
static COUNTS: [AtomicU32; SIGNALS] = [const { AtomicU32::new(0) }; SIGNALS];

/// How many want a signal to be ignored.
static IGNORED: [AtomicU32; SIGNALS] = [const { AtomicU32::new(0) }; SIGNALS];

/// What a signal did before it was watched. Null: what it does by default.
static BEFORE: [AtomicPtr<Before>; SIGNALS] = [const { AtomicPtr::new(ptr::null_mut()) }; SIGNALS];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    /// A handler of somebody else, by its address; and whether it takes three arguments.
    Handler(usize, bool),
}

/// All that were ever found. They are few, and never freed, because a handler may be looking at one.
static BEFORES: Mutex<Vec<&'static Before>> = Mutex::new(Vec::new());

type Handler = extern "C" fn(c_int);
type HandlerOfThree = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

/// N1.
extern "C" fn handle(number: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let Some(ignored) = IGNORED.get(number as usize) else {
        return;
    };
    let ignored = ignored.load(SeqCst) > 0;
    if ignored && number != libc::SIGCHLD {
        return;
    }
    let errno = errno();
    let owned = is_owner();
    if owned {
        WRITING.fetch_add(1, SeqCst);
        let pipe = PIPE.load(SeqCst);
        if pipe >= 0 {
            write(pipe, if ignored { UNHEARD_CHILD } else { number });
        }
        WRITING.fetch_sub(1, SeqCst);
    }
    if ignored {
        return set_errno(errno);
    }
    // SAFETY: what is stored there is either null or was leaked.
    match unsafe { BEFORE[number as usize].load(SeqCst).as_ref() } {
        Some(&Before::Handler(address, true)) => {
            // SAFETY: the system had it as the handler of this signal, one that takes three arguments, and would have
            // called it just so.
            let handler = unsafe { std::mem::transmute::<usize, HandlerOfThree>(address) };
            handler(number, info, context);
        }
        Some(&Before::Handler(address, false)) => {
            // SAFETY: as above; this one takes the number.
            let handler = unsafe { std::mem::transmute::<usize, Handler>(address) };
            handler(number);
        }
        Some(Before::Nothing) => {}
        None if owned => {}
        // N5. The signal is blocked until this returns; then it does whatever it does.
        // SAFETY: both are allowed in a handler, and take no pointers.
        None => unsafe {
            libc::signal(number, libc::SIG_DFL);
            libc::raise(number);
        },
    }
    set_errno(errno);
}

/// Tells the reader of a signal (N2).
fn write(pipe: RawFd, number: c_int) {
    let put = |byte: u8| {
        // SAFETY: it reads one byte, which lives on this stack. `write` is allowed in a handler. Nobody closes the pipe
        // meanwhile (N3).
        unsafe { libc::write(pipe, (&raw const byte).cast(), 1) == 1 }
    };
    if !put(number as u8) {
        // The pipe is full. If it still is after the signal was counted, the reader comes later than that. If not, it has
        // perhaps looked at the counts before.
        COUNTS[number as usize].fetch_add(1, SeqCst);
        put(COUNTED);
    }
}

/// Whether this is the process that has made the pipe, and not a child of it (N5).
pub(super) fn is_owner() -> bool {
    // SAFETY: it has no arguments, and is allowed in a handler.
    OWNER.load(SeqCst) == unsafe { libc::getpid() }
}

/// From now on, handlers write to this pipe.
pub(super) fn connect(pipe: RawFd) {
    COUNTS.iter().for_each(|count| count.store(0, SeqCst));
    if !is_owner() {
        // In a forked child, those who were writing do not exist.
        WRITING.store(0, SeqCst);
    }
    // SAFETY: it has no arguments.
    OWNER.store(unsafe { libc::getpid() }, SeqCst);
    PIPE.store(pipe, SeqCst);
}

/// When this returns, no handler writes to the pipe any more (N3).
pub(super) fn disconnect() {
    PIPE.store(-1, SeqCst);
    // A handler either has announced itself before that, and is waited for, or finds no pipe.
    while is_owner() && WRITING.load(SeqCst) > 0 {
        std::thread::yield_now();
    }
}

/// Takes what was counted (N2).
pub(super) fn take_counts(mut take: impl FnMut(c_int, u32)) {
    for (number, count) in (0..).zip(&COUNTS) {
        match count.swap(0, SeqCst) {
            0 => {}
            count => take(number, count),
        }
    }
}

/// One more, or one less, wants the signal to be ignored.
pub(super) fn set_ignored(number: c_int, ignored: bool) {
    let count = &IGNORED[number as usize];
    match ignored {
        true => count.fetch_add(1, SeqCst),
        false => count.fetch_sub(1, SeqCst),
    };
}

/// What the system does when a signal comes.
pub(super) struct Disposition(libc::sigaction);

impl Disposition {
    fn default() -> Disposition {
        // SAFETY: the structure is made of numbers and a pointer that may be null.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = libc::SIG_DFL;
        Disposition(action)
    }

    fn ours() -> Disposition {
        let mut disposition = Disposition::default();
        let action = &mut disposition.0;
        let handle: HandlerOfThree = handle;
        action.sa_sigaction = handle as usize;
        // Whoever sits in a system call need not know of it.
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
        // Signals that come at once are handled one after the other, in order. Else the last would interrupt the others.
        // SAFETY: it writes to a set that lives on this stack.
        unsafe { libc::sigfillset(&mut action.sa_mask) };
        disposition
    }

    fn is_ours(&self) -> bool {
        self.0.sa_sigaction == Disposition::ours().0.sa_sigaction
    }

    /// Sets the disposition of a signal, and gives the one that it had; without `new` only that.
    fn exchange(number: c_int, new: Option<&Disposition>) -> io::Result<Disposition> {
        let mut old = Disposition::default();
        let new = new.map_or(ptr::null(), |new| &raw const new.0);
        // SAFETY: `new` is null or points to a whole structure, `old` to one that may be overwritten. The handler in it, if
        // it is ours, may run at any time (N1); if not, it was there before.
        match unsafe { libc::sigaction(number, new, &mut old.0) } {
            0 => Ok(old),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Notes it as what the signal did before, for the handler.
    fn note(&self, number: c_int) {
        let address = self.0.sa_sigaction;
        let before = match address {
            libc::SIG_DFL => ptr::null_mut(),
            libc::SIG_IGN => keep(Before::Nothing),
            _ => keep(Before::Handler(address, self.0.sa_flags & libc::SA_SIGINFO != 0)),
        };
        BEFORE[number as usize].store(before, SeqCst);
    }
}

/// Leaks it, unless there is one like it already.
fn keep(before: Before) -> *mut Before {
    let mut befores = BEFORES.lock().unwrap_or_else(PoisonError::into_inner);
    let known = befores.iter().find(|known| ***known == before).copied();
    let known = known.unwrap_or_else(|| {
        let new: &'static Before = Box::leak(Box::new(before));
        befores.push(new);
        new
    });
    ptr::from_ref(known).cast_mut()
}

/// Gives the signal our handler. What comes back is to be given to `restore` (N4).
pub(super) fn install(number: c_int) -> io::Result<Disposition> {
    let before = Disposition::exchange(number, None)?;
    if before.is_ours() {
        // Somebody had replaced it and has put it back, after we had gone.
        return Ok(Disposition::default());
    }
    // Before the handler can run, and once more after, because others may have been quicker.
    before.note(number);
    let before = Disposition::exchange(number, Some(&Disposition::ours()))?;
    before.note(number);
    Ok(before)
}

/// Gives the signal back what it did before, if our handler is still there (N4).
pub(super) fn restore(number: c_int, before: &Disposition) {
    if Disposition::exchange(number, None).is_ok_and(|now| now.is_ours()) {
        // It cannot fail: the same was there once.
        let _ = Disposition::exchange(number, Some(before));
    }
}

/// Sends a signal to this process.
pub(super) fn raise(number: c_int) -> io::Result<()> {
    // Number 0 is a question, and no signal.
    if number == 0 {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    // SAFETY: it takes no pointer. What the signal does is up to whoever has set its disposition.
    match unsafe { libc::raise(number) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Sends a signal to another process, or to a group of processes if the number of its leader is negative.
pub(crate) fn kill(process: i32, number: c_int) -> io::Result<()> {
    // 0 and -1 would be many; number 0 is a question.
    if matches!(process, 0 | -1) || number == 0 {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    // SAFETY: it takes no pointer.
    match unsafe { libc::kill(process, number) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(any(target_os = "solaris", target_os = "illumos"))]
use libc::___errno as errno_location;
#[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
use libc::__errno as errno_location;
#[cfg(not(any(
    target_vendor = "apple",
    target_os = "android",
    target_os = "freebsd",
    target_os = "illumos",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "solaris",
)))]
use libc::__errno_location as errno_location;
#[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
use libc::__error as errno_location;

fn errno() -> c_int {
    // SAFETY: it points to a number of this thread.
    unsafe { *errno_location() }
}

fn set_errno(errno: c_int) {
    // SAFETY: as above.
    unsafe { *errno_location() = errno };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::fd::AsRawFd;

    /// The only test of this program that touches signals.
    #[test]
    fn nothing_is_lost_when_the_pipe_is_full_and_nobody_writes_to_a_closed_one() {
        const MANY: u32 = 100_000;
        let (pipe, mut receiver) = mio::unix::pipe::new().unwrap();
        connect(pipe.as_raw_fd());
        let before = install(libc::SIGUSR1).unwrap();
        let raise_many = |many| {
            for _ in 0..many {
                set_errno(libc::ENOTTY);
                raise(libc::SIGUSR1).unwrap();
                assert_eq!(errno(), libc::ENOTTY);
            }
        };
        raise_many(MANY);
        let mut sent = 0;
        let mut read = || {
            let mut bytes = [0; 4096];
            let mut signals = 0;
            while let Ok(n) = receiver.read(&mut bytes) {
                signals += bytes[..n].iter().filter(|byte| **byte != COUNTED).count() as u32;
                assert!(
                    bytes[..n]
                        .iter()
                        .all(|byte| [COUNTED, libc::SIGUSR1 as u8].contains(byte))
                );
            }
            signals
        };
        sent += read();
        let mut counted = 0;
        let mut count = || {
            take_counts(|number, n| {
                assert_eq!(number, libc::SIGUSR1);
                counted += n;
            });
        };
        count();
        // From several threads at once, each with its own handler running.
        std::thread::scope(|scope| {
            (0..4).for_each(|_| drop(scope.spawn(|| raise_many(MANY / 4))));
            for _ in 0..1_000 {
                sent += read();
                count();
            }
        });
        sent += read();
        count();
        assert_eq!(sent + counted, 2 * MANY);
        assert!(counted > 0, "the pipe was never full");
        restore(libc::SIGUSR1, &before);
        // N3: as long as a handler is at it, nobody closes the pipe.
        WRITING.fetch_add(1, SeqCst);
        let disconnected = std::thread::spawn(disconnect);
        while PIPE.load(SeqCst) >= 0 {
            std::thread::yield_now();
        }
        // Nothing tells that somebody waits. This is time for one that does not to be found out; who waits never fails here.
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(!disconnected.is_finished());
        WRITING.fetch_sub(1, SeqCst);
        disconnected.join().unwrap();
        assert_eq!(WRITING.load(SeqCst), 0);
        assert!(!Disposition::exchange(libc::SIGUSR1, None).unwrap().is_ours());
    }
}
