//! The stack of a thread that runs: of a task that hogs the CPU, so that its kernel can answer nobody.
//!
//! The thread is sent a signal. What the handler may do is very little: it may have stopped the thread in the middle of an
//! allocation, of a panic, or of unwinding for another reason. So it unwinds nothing (unwinding there has crashed when a
//! panic was in flight), allocates nothing and takes no lock: it copies the registers and the bytes of the stack, and
//! returns. Whoever has asked makes frames of them, and the thread goes on meanwhile.
//!
//! ```text
//!             ask                handler             handler
//!   FREE ───────────▶ ASKED ───────────────▶ COPYING ────────▶ DONE
//!    ▲                  │ time is up                             │
//!    └──────────────────┴────────────────────────────────────────┘ read
//! ```
//!
//! U1. There is one place for a copy in the process, and one who asks at a time (`ASKING`).
//! U2. `BYTES` is written by the handler while the stage is COPYING, which only the handler sets, and read by who asks
//!     when it is DONE. A handler that comes too late finds no ASKED, and does nothing.
//! U3. The bytes that are copied lie between the stack pointer and the end of the stack of the thread that runs the
//!     handler, which were asked for by that thread itself. If the stack pointer is elsewhere, none are copied. A thread's number
//!     is given to another one when it has ended, whose stack may lie where the old one lay and end earlier. So the handler
//!     looks at the address of the thread's own data too: it lies at the end of the stack, so where that is the same, so is this.
//! U4. The handler changes nothing that the interrupted code could see: `errno` is set back.
//!
//! The signal is a real-time one that nobody else uses. System calls that it interrupts are started again
//! (`SA_RESTART`); those that are not, like the kernel's own wait for events, have to bear signals anyway.

#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::mem::{MaybeUninit, zeroed};
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// How much of a stack is copied at most.
const MAX_BYTES: usize = 256 * 1024;

const FREE: u32 = 0;
const ASKED: u32 = 1;
const COPYING: u32 = 2;
const DONE: u32 = 3;

static STAGE: AtomicU32 = AtomicU32::new(FREE);
/// Who is to answer.
static THREAD: AtomicI32 = AtomicI32::new(0);
/// The address of its own data (U3).
static OWN: AtomicUsize = AtomicUsize::new(0);
/// Where its stack begins and ends.
static LOW: AtomicUsize = AtomicUsize::new(0);
static HIGH: AtomicUsize = AtomicUsize::new(0);
/// What was copied: the instruction, stack and frame pointers, the link register, and how many bytes.
static REGISTERS: [AtomicUsize; 4] = [const { AtomicUsize::new(0) }; 4];
static LENGTH: AtomicUsize = AtomicUsize::new(0);
static BYTES: Bytes = Bytes(UnsafeCell::new([const { MaybeUninit::uninit() }; MAX_BYTES]));

static ASKING: Mutex<()> = Mutex::new(());

struct Bytes(UnsafeCell<[MaybeUninit<u8>; MAX_BYTES]>);

// SAFETY: it is written and read in turns (U2); the stage hands it over with Release and Acquire.
unsafe impl Sync for Bytes {}

/// What was copied of a thread.
pub(super) struct Sample {
    pub(super) pc: u64,
    pub(super) sp: u64,
    pub(super) fp: u64,
    #[cfg_attr(not(all(feature = "probe", target_arch = "aarch64")), allow(dead_code))]
    pub(super) lr: u64,
    /// From `sp` on.
    stack: Vec<u8>,
}

impl Sample {
    /// The word at an address of the stack.
    pub(super) fn word(&self, address: u64) -> Option<u64> {
        let at = usize::try_from(address.checked_sub(self.sp)?).ok()?;
        let bytes = self.stack.get(at..at.checked_add(8)?)?;
        Some(u64::from_ne_bytes(bytes.try_into().ok()?))
    }
}

/// A thread that can be asked where it is.
pub(super) struct Thread {
    id: c_int,
    own: usize,
    low: usize,
    high: usize,
}

impl Thread {
    /// The calling one.
    pub(super) fn here() -> Option<Thread> {
        // SAFETY: `attributes` is filled in by `pthread_getattr_np` before it is used, and destroyed once; the functions
        // write where they are told to and nowhere else.
        unsafe {
            let mut attributes = zeroed();
            if libc::pthread_getattr_np(libc::pthread_self(), &mut attributes) != 0 {
                return None;
            }
            let (mut low, mut size) = (ptr::null_mut::<c_void>(), 0);
            let failed = libc::pthread_attr_getstack(&attributes, &mut low, &mut size) != 0;
            libc::pthread_attr_destroy(&mut attributes);
            let id = libc::syscall(libc::SYS_gettid) as c_int;
            (!failed).then(|| Thread {
                id,
                own: own(),
                low: low.addr(),
                high: low.addr() + size,
            })
        }
    }

    /// Where it is. None if it does not answer in time.
    pub(super) fn sample(&self, timeout: Duration) -> Option<Sample> {
        let signal = signal()?;
        let _asking = ASKING.lock().unwrap_or_else(PoisonError::into_inner);
        THREAD.store(self.id, Ordering::Relaxed);
        OWN.store(self.own, Ordering::Relaxed);
        LOW.store(self.low, Ordering::Relaxed);
        HIGH.store(self.high, Ordering::Relaxed);
        STAGE.store(ASKED, Ordering::Release);
        // SAFETY: it takes three numbers. If the thread has gone, and its number belongs to another one of this process, that
        // one's handler sees that it is not meant (U3).
        let sent = unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), self.id, signal) };
        let until = Instant::now() + timeout;
        loop {
            match STAGE.load(Ordering::Acquire) {
                DONE => break,
                ASKED if sent != 0 || Instant::now() >= until => {
                    let free = STAGE.compare_exchange(ASKED, FREE, Ordering::Relaxed, Ordering::Relaxed);
                    if free.is_ok() {
                        return None;
                    }
                }
                _ => std::thread::sleep(Duration::from_micros(50)),
            }
        }
        let length = LENGTH.load(Ordering::Relaxed);
        let mut stack = vec![0; length];
        // SAFETY: the stage is DONE and nobody else asks, so the handler is over (U2), and has written so many bytes.
        unsafe { ptr::copy_nonoverlapping(BYTES.0.get().cast::<u8>(), stack.as_mut_ptr(), length) };
        let [pc, sp, fp, lr] = [0, 1, 2, 3].map(|n: usize| REGISTERS[n].load(Ordering::Relaxed) as u64);
        STAGE.store(FREE, Ordering::Release);
        Some(Sample {
            pc,
            sp,
            fp,
            lr,
            stack,
        })
    }
}

/// The address of the calling thread's own data: what `pthread_t` is, where this is compiled.
fn own() -> usize {
    // SAFETY: it only gives a number, from a register.
    unsafe { libc::pthread_self() as usize }
}

/// The signal, with its handler installed; none if there is no free one.
fn signal() -> Option<c_int> {
    static SIGNAL: OnceLock<Option<c_int>> = OnceLock::new();
    *SIGNAL.get_or_init(|| {
        (libc::SIGRTMIN() + 4..=libc::SIGRTMAX() - 2)
            .rev()
            .find(|&signal| {
                // SAFETY: both structures are plain data, for which zero is a valid value. The handler is async-signal-safe: see
                // there. It is never taken away again.
                unsafe {
                    let mut old: libc::sigaction = zeroed();
                    if libc::sigaction(signal, ptr::null(), &mut old) != 0
                        || old.sa_sigaction != libc::SIG_DFL
                    {
                        return false;
                    }
                    let mut new: libc::sigaction = zeroed();
                    new.sa_sigaction =
                        (handle as extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void)) as usize;
                    new.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
                    libc::sigfillset(&mut new.sa_mask);
                    libc::sigaction(signal, &new, ptr::null_mut()) == 0
                }
            })
    })
}

/// Copies the registers and the stack of the thread that it interrupts. It may have been anywhere: so this calls nothing
/// but what is async-signal-safe, and touches nothing but atomics, the stack (U3) and `BYTES` (U2).
extern "C" fn handle(_signal: c_int, _info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: `errno` is the thread's own; `gettid` only gives a number.
    let (errno, id) = unsafe {
        (
            *libc::__errno_location(),
            libc::syscall(libc::SYS_gettid) as c_int,
        )
    };
    if id == THREAD.load(Ordering::Relaxed)
        && own() == OWN.load(Ordering::Relaxed)
        && STAGE
            .compare_exchange(ASKED, COPYING, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    {
        // SAFETY: with SA_SIGINFO the system gives a handler a pointer to the context of the interrupted thread, which is
        // good until it returns.
        let registers = unsafe { registers(&*context.cast::<libc::ucontext_t>()) };
        for (place, value) in REGISTERS.iter().zip(registers) {
            place.store(value, Ordering::Relaxed);
        }
        let (sp, low, high) = (
            registers[1],
            LOW.load(Ordering::Relaxed),
            HIGH.load(Ordering::Relaxed),
        );
        let length = if (low..high).contains(&sp) {
            (high - sp).min(MAX_BYTES)
        } else {
            0
        };
        // SAFETY: the source is the used part of this thread's stack (U3), which is mapped, and which nobody writes to while
        // the handler runs on this thread: its own frame lies below, or on another stack. The target is ours alone (U2).
        // Bytes that were never written to are copied as such.
        unsafe {
            let from = ptr::with_exposed_provenance::<MaybeUninit<u8>>(sp);
            ptr::copy_nonoverlapping(from, BYTES.0.get().cast::<MaybeUninit<u8>>(), length);
        }
        LENGTH.store(length, Ordering::Relaxed);
        STAGE.store(DONE, Ordering::Release);
    }
    // SAFETY: as above (U4).
    unsafe { *libc::__errno_location() = errno };
}

#[cfg(target_arch = "x86_64")]
fn registers(context: &libc::ucontext_t) -> [usize; 4] {
    let all = &context.uc_mcontext.gregs;
    [libc::REG_RIP, libc::REG_RSP, libc::REG_RBP, libc::REG_RSP].map(|n| all[n as usize] as usize)
}

#[cfg(target_arch = "aarch64")]
fn registers(context: &libc::ucontext_t) -> [usize; 4] {
    let all = &context.uc_mcontext;
    [all.pc, all.sp, all.regs[29], all.regs[30]].map(|register| register as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_sampled_while_it_runs_and_while_it_sleeps() {
        let (tell, told) = std::sync::mpsc::channel();
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            tell.send(Thread::here().unwrap()).unwrap();
            held.recv().is_err()
        });
        let there = told.recv().unwrap();
        for _ in 0..100 {
            let sample = there.sample(Duration::from_secs(10)).unwrap();
            assert!(sample.pc != 0 && sample.word(sample.sp).is_some());
            assert!(sample.word(sample.sp - 1).is_none() && sample.word(u64::MAX - 3).is_none());
        }
        drop(hold);
        assert!(thread.join().unwrap());
        // It has gone.
        assert!(there.sample(Duration::from_millis(20)).is_none());
    }

    /// A thread that has got the number of one that has ended does not answer for it: it has another stack.
    #[test]
    fn a_thread_does_not_answer_for_another_of_the_same_number() {
        let mut other = std::thread::spawn(|| Thread::here().unwrap()).join().unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::Builder::new().stack_size(1 << 16).spawn(move || {
            tell.send(Thread::here().unwrap()).unwrap();
            held.recv().is_err()
        });
        let there = told.recv().unwrap();
        // As it would be if the number had come round again, and the stack were a part of the old one.
        (other.id, other.low, other.high) = (there.id, there.low, there.high + (1 << 40));
        other.own = there.own ^ 64;
        assert!(other.sample(Duration::from_millis(20)).is_none());
        assert!(there.sample(Duration::from_secs(10)).is_some());
        drop(hold);
        assert!(thread.unwrap().join().unwrap());
    }
}
