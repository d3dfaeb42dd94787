//! What the exercises of all chapters share: checks, and a watchdog so that none can hang.
//!
//! An exercise is a *subject*, the file that a reader completes, and a file of *checks* over it:
//!
//! - `ch01/e2_scheduler.rs`: the stub, for the reader to complete;
//! - `checks/ch01/e2_scheduler.rs`: the checks, written once, over a module `subject` beside them;
//! - `solutions/ch01/e2_scheduler.rs`: a solution;
//! - `wrong/ch01/e2_*.rs`: plausible mistakes;
//! - `hints/ch01/e2_scheduler.md`: three hints, as the chapter's page shows them.
//!
//! `cargo test -p exercises --test ch01 e2` runs the checks on the stub, and with `--features solutions` on the
//! solution. The gate (`cargo run -p exercises --features gate --bin gate`) tests the checks themselves: every
//! stub must fail by its `todo!`, every solution must pass, every mistake must be caught by the check that is
//! meant to catch it.

use std::cell::RefCell;
use std::io::Write as _;
use std::ops::{Deref, DerefMut};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// How many shuffled schedules a check runs under, after the order of arrival.
pub const SEEDS: u64 = 200;

/// Far more than any check needs, even on a busy machine.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Something that a subject must do. It panics if the subject does not.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// The name of the test.
    pub name: &'static str,
    /// The test.
    pub run: Run,
}

/// How often a check runs.
#[derive(Clone, Copy, Debug)]
pub enum Run {
    /// Once.
    Once(fn()),
    /// In the order of arrival, then under [`SEEDS`] shuffled schedules.
    UnderSeeds(fn(Option<u64>)),
}

impl Check {
    /// Runs the check, under all its schedules, watched.
    ///
    /// # Panics
    /// If the check does; under a shuffled schedule, the seed is printed too.
    pub fn run(&self) {
        let _watchdog = Watchdog::new(self.name, TIME_LIMIT);
        match self.run {
            Run::Once(check) => check(),
            Run::UnderSeeds(check) => {
                check(None);
                for seed in 0..SEEDS {
                    let _note = SeedNote(seed);
                    check(Some(seed));
                }
            }
        }
    }
}

/// Names the seed when a check fails under it.
#[derive(Debug)]
struct SeedNote(u64);

impl Drop for SeedNote {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the schedule was that of seed {}", self.0);
        }
    }
}

/// Ends the process, naming the test, unless it is dropped in time.
#[derive(Debug)]
pub struct Watchdog {
    _dropped_in_time: Sender<()>,
}

impl Watchdog {
    /// Starts to watch.
    pub fn new(test: &'static str, limit: Duration) -> Watchdog {
        let (sender, receiver) = mpsc::channel::<()>();
        thread::spawn(move || {
            if receiver.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                // Not `eprintln!`: the test harness would keep that to itself.
                let message = format!(
                    "\n{test}: not finished after {limit:?}. Is there a loop in your code that never ends?\n\
                     Nothing else can run before the turn of a task ends.\n"
                );
                let _ = std::io::stderr().write_all(message.as_bytes());
                std::process::exit(1);
            }
        });
        Watchdog {
            _dropped_in_time: sender,
        }
    }
}

/// A [`Mutex`] for exercises: with [`meanwhile`], a check lets something happen at the worst moment.
#[derive(Debug, Default)]
pub struct Lock<T> {
    mutex: Mutex<T>,
    /// The thread that has the lock.
    holder: Mutex<Option<ThreadId>>,
}

/// What is under a [`Lock`]. When it is dropped, the lock is given back.
#[derive(Debug)]
pub struct LockGuard<'a, T> {
    lock: &'a Lock<T>,
    guard: Option<MutexGuard<'a, T>>,
}

/// After how many locks were given back, and what.
type Meanwhile = (u32, Box<dyn FnOnce()>);

thread_local! {
    static MEANWHILE: RefCell<Option<Meanwhile>> = const { RefCell::new(None) };
}

/// Lets this happen when this thread has given back locks for the nth time from now, as if another thread did it.
/// It replaces what was to happen before; 0 stands for never.
pub fn meanwhile(nth: u32, happens: impl FnOnce() + 'static) {
    MEANWHILE.set((nth > 0).then(|| -> Meanwhile { (nth, Box::new(happens)) }));
}

impl<T> Lock<T> {
    /// Puts a value under a lock.
    pub fn new(value: T) -> Lock<T> {
        Lock {
            mutex: Mutex::new(value),
            holder: Mutex::default(),
        }
    }

    /// Takes the lock.
    ///
    /// # Panics
    /// If this thread has it already. A `Mutex` would then wait for ever.
    pub fn lock(&self) -> LockGuard<'_, T> {
        let this_thread = Some(thread::current().id());
        assert!(
            *self.holder() != this_thread,
            "the lock is taken while this very thread holds it, so it would wait for itself for ever: \
             take it once, and use that guard for everything"
        );
        let guard = self.mutex.lock().unwrap_or_else(PoisonError::into_inner);
        *self.holder() = this_thread;
        LockGuard {
            lock: self,
            guard: Some(guard),
        }
    }

    fn holder(&self) -> MutexGuard<'_, Option<ThreadId>> {
        self.holder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const UNTIL_DROPPED: &str = "the lock is given back when the guard is dropped, and not before";

impl<T> Deref for LockGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.guard.as_ref().expect(UNTIL_DROPPED)
    }
}

impl<T> DerefMut for LockGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.guard.as_mut().expect(UNTIL_DROPPED)
    }
}

impl<T> Drop for LockGuard<'_, T> {
    fn drop(&mut self) {
        *self.lock.holder() = None;
        drop(self.guard.take());
        let happens = MEANWHILE.with_borrow_mut(|meanwhile| {
            let (nth, _) = meanwhile.as_mut()?;
            *nth -= 1;
            meanwhile.take_if(|(nth, _)| *nth == 0)
        });
        if let Some((_, happens)) = happens {
            happens();
        }
    }
}

/// Makes the list of a subject's checks, and a test of each.
///
/// ```
/// fn it_adds() {
///     assert_eq!(1 + 1, 2);
/// }
/// fn it_adds_in_any_order(_seed: Option<u64>) {}
///
/// exercises::checks! {
///     once it_adds;
///     under_seeds it_adds_in_any_order;
/// }
/// # fn main() { CHECKS.iter().for_each(exercises::Check::run) }
/// ```
#[macro_export]
macro_rules! checks {
    (@run once $check:expr) => { $crate::Run::Once($check) };
    (@run under_seeds $check:expr) => { $crate::Run::UnderSeeds($check) };
    ($($how:ident $name:ident;)+) => {
        /// The checks of this exercise.
        #[allow(dead_code, reason = "the gate uses the list, the test target the tests")]
        pub(crate) const CHECKS: &[$crate::Check] = &[$($crate::Check {
            name: stringify!($name),
            run: $crate::checks!(@run $how $name),
        }),+];

        #[cfg(test)]
        mod tests {
            $(#[test]
            fn $name() {
                let run = $crate::checks!(@run $how super::$name);
                $crate::Check { name: stringify!($name), run }.run();
            })+
        }
    };
}
