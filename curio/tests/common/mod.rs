//! What the tests share: programs are run under many schedules, and nothing may be left behind.
//!
//! | what | is counted | by |
//! |---|---|---|
//! | tasks, waits, scopes, timers, registered sockets | when a kernel has ended, for each kernel | [`Counted`], [`run`], [`check`] |
//! | descriptors of the process | before and after a test, while no other one runs | [`Alone`] |
//!
//! The tests of what is outside (sockets, streams, files, threads, signals) begin with [`Alone::start`], make their kernels
//! with [`run`] and [`counted`], and so have both counted. A descriptor belongs to the process, and tests run in threads of
//! one: so one that counts them has it for itself, and those that only need a [`Watchdog`] run side by side before or after.

#![allow(dead_code, missing_docs, unreachable_pub)]

use std::cell::Cell;
use std::io::Write as _;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, mpsc};
use std::time::{Duration, Instant};

use curio::testing::{explore_kernels, left_behind};
use curio::{Clock, Kernel, Outcome, Result, clock};

/// How many schedules each program is run under, unless `CURIO_SEEDS` says that they are to be fewer: for where each takes long.
pub const SEEDS: u64 = 1_000;

fn at_most(seeds: u64) -> u64 {
    let fewer = std::env::var("CURIO_SEEDS")
        .ok()
        .and_then(|seeds| seeds.parse().ok());
    fewer.map_or(seeds, |fewer| seeds.min(fewer))
}

/// The clock that a program runs on: virtual seconds, or real milliseconds.
#[derive(Clone, Copy)]
pub struct World {
    unit: Duration,
    exact: bool,
}

impl World {
    pub const VIRTUAL: World = World {
        unit: Duration::from_secs(1),
        exact: true,
    };
    /// On the real clock, with units of so many milliseconds.
    fn real(millis: u64) -> World {
        World {
            unit: Duration::from_millis(millis),
            exact: false,
        }
    }

    /// So many units of time.
    pub fn t(self, units: u32) -> Duration {
        self.unit * units
    }

    /// Asserts that so much time has passed. On the real clock it may have been more.
    #[track_caller]
    pub fn passed(self, since: Instant, units: u32) {
        let passed = clock() - since;
        if self.exact {
            assert_eq!(passed, self.t(units));
        } else {
            assert!(passed >= self.t(units), "{passed:?} is too early");
        }
    }
}

/// Runs a program under a thousand shuffled schedules and in order on the virtual clock, and on the real one. Nothing may
/// be left in the kernel's tables afterwards.
///
/// On a machine that is busy enough, deadlines that are units apart are seen at once. So on the real clock a program that
/// fails is tried again with longer units: what is wrong fails with any.
#[track_caller]
pub fn everywhere(program: impl AsyncFn(World) -> Result<()>) {
    everywhere_under(SEEDS, program);
}

/// The same under so many schedules: for programs that start threads, which take longer and have more orders than those.
#[track_caller]
pub fn everywhere_under(seeds: u64, program: impl AsyncFn(World) -> Result<()>) {
    let _guard = Watchdog::start();
    virtually_under(seeds, &program);
    for millis in [4, 16, 64, 256] {
        let attempt = catch_unwind(AssertUnwindSafe(|| {
            let kernel = Kernel::new().unwrap();
            check(&kernel, &program, World::real(millis), "on the real clock");
        }));
        match attempt {
            Ok(()) => return,
            Err(panic) if millis == 256 => resume_unwind(panic),
            Err(_) => {}
        }
    }
}

/// Runs a program on the real clock, where the sockets are.
#[track_caller]
pub fn really(program: impl AsyncFn(World) -> Result<()>) {
    let _guard = Alone::start();
    let kernel = counted(Kernel::new().unwrap());
    check(&kernel, &program, World::real(10), "on the real clock");
}

/// Runs a program whose order is the point: on the virtual clock, first in, first out.
#[track_caller]
pub fn in_order(program: impl AsyncFn(World) -> Result<()>) {
    let _guard = Watchdog::start();
    let kernel = Kernel::builder().clock(Clock::Virtual).build().unwrap();
    check(&kernel, &program, World::VIRTUAL, "in order");
}

/// The same as [`everywhere`], on the virtual clock only.
#[track_caller]
pub fn virtually(program: impl AsyncFn(World) -> Result<()>) {
    virtually_under(SEEDS, program);
}

/// The same under so many schedules, as [`everywhere_under`].
#[track_caller]
pub fn virtually_under(seeds: u64, program: impl AsyncFn(World) -> Result<()>) {
    let _guard = Watchdog::start();
    let kernel = Kernel::builder().clock(Clock::Virtual).build().unwrap();
    check(&kernel, &program, World::VIRTUAL, "in order");
    explore_kernels(0..at_most(seeds), |kernel| {
        check(kernel, &program, World::VIRTUAL, "shuffled");
        Ok(())
    });
}

#[track_caller]
fn check(kernel: &Kernel, program: &impl AsyncFn(World) -> Result<()>, world: World, how: &str) {
    struct Name<'a>(&'a str);
    impl Drop for Name<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("this was {}", self.0);
            }
        }
    }
    let _name = Name(how);
    if let Err(error) = kernel.run(program(world)) {
        panic!("{how}: {error:?}");
    }
    if let Err(error) = kernel.run_all() {
        panic!("{how}: {error:?}");
    }
    assert_eq!(
        format!("{kernel:?}"),
        "Kernel { tasks: 0, waits: 0, scopes: 0, timers: 0, sockets: 0 }",
        "{how}: something is left behind"
    );
}

/// Does the same again and again, until another task has run: whatever completes at once, be it with an error, must let others
/// run now and then.
#[track_caller]
pub fn lets_others_run(mut op: impl AsyncFnMut()) -> impl Future<Output = Result<()>> {
    let place = std::panic::Location::caller();
    async move {
        let (other, mut times) = (curio::spawn(async { Ok(()) }), 0);
        while !other.terminated() {
            op().await;
            times += 1;
            assert!(times < 10_000, "what is at {place} lets nobody run");
        }
        other.join().await
    }
}

/// Runs a program of the outside world, after which no task may be left, nor anything else.
#[track_caller]
pub fn cleanly(program: impl AsyncFnOnce() -> Result<()>) {
    let _guard = Alone::start();
    let kernel = counted(Kernel::new().unwrap());
    kernel.run(program()).unwrap();
    kernel.run_all().unwrap();
}

/// [`curio::run`], with a kernel in which nothing may be left in the end.
#[track_caller]
pub fn run<F>(main: F) -> Result<<F::Output as Outcome>::Value>
where
    F: Future<Output: Outcome>,
{
    if curio::running() {
        return Err(curio::Error::KernelRunning);
    }
    let kernel = counted(Kernel::new()?);
    let result = catch_unwind(AssertUnwindSafe(|| kernel.run(main)));
    drop(kernel);
    result.unwrap_or_else(|panic| resume_unwind(panic))
}

/// A kernel in which nothing may be left when it is shut down, which happens when this is dropped.
#[track_caller]
pub fn counted(kernel: Kernel) -> Counted {
    Counted {
        kernel: Some(kernel),
        place: std::panic::Location::caller(),
    }
}

pub struct Counted {
    kernel: Option<Kernel>,
    place: &'static std::panic::Location<'static>,
}

impl Counted {
    /// Now instead of at the end.
    pub fn shutdown(self) -> Result<()> {
        drop(self);
        Ok(())
    }
}

impl std::fmt::Debug for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}

impl Deref for Counted {
    type Target = Kernel;

    fn deref(&self) -> &Kernel {
        self.kernel.as_ref().unwrap()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let kernel = self.kernel.take().unwrap();
        if !std::thread::panicking() {
            let left = left_behind(kernel).unwrap();
            assert!(
                left.is_none(),
                "the kernel of {} leaves {}",
                self.place,
                left.unwrap()
            );
        }
    }
}

/// Who runs: any number of tests that count no descriptors, or one that does.
static TURN: RwLock<()> = RwLock::new(());

thread_local! {
    /// Whether the test of this thread has its turn already.
    static MY_TURN: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Gives the turn back.
struct Turn<G>(#[allow(dead_code)] Option<G>);

impl<G> Turn<G> {
    fn take(how: &'static str, lock: impl FnOnce() -> G) -> Turn<G> {
        match MY_TURN.get() {
            Some("shared") if how == "alone" => {
                panic!("a test that counts descriptors begins with Alone::start")
            }
            Some(_) => Turn(None),
            None => {
                let lock = lock();
                MY_TURN.set(Some(how));
                Turn(Some(lock))
            }
        }
    }
}

impl<G> Drop for Turn<G> {
    fn drop(&mut self) {
        if self.0.is_some() {
            MY_TURN.set(None);
        }
    }
}

/// Ends the process if a test hangs: if it takes far longer than any does, even on a machine that is slow and busy.
pub struct Watchdog {
    _alive: mpsc::Sender<()>,
    _turn: Turn<RwLockReadGuard<'static, ()>>,
}

impl Watchdog {
    #[track_caller]
    pub fn start() -> Watchdog {
        let turn = Turn::take("shared", || TURN.read().unwrap_or_else(PoisonError::into_inner));
        Watchdog {
            _alive: watch(),
            _turn: turn,
        }
    }
}

/// A [`Watchdog`] for a test that has the process for itself, and leaves no descriptors in it.
pub struct Alone {
    before: Option<Vec<String>>,
    _alive: mpsc::Sender<()>,
    _turn: Turn<RwLockWriteGuard<'static, ()>>,
}

impl Alone {
    #[track_caller]
    pub fn start() -> Alone {
        let turn = Turn::take("alone", || TURN.write().unwrap_or_else(PoisonError::into_inner));
        Alone {
            before: turn.0.is_some().then(descriptors),
            _alive: watch(),
            _turn: turn,
        }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        let Some(before) = &self.before else { return };
        if std::thread::panicking() {
            return;
        }
        // Threads that were left behind on purpose close theirs when they end.
        let start = Instant::now();
        while descriptors().len() > before.len() {
            if start.elapsed() > Duration::from_secs(60) {
                panic!(
                    "descriptors are left behind. Before: {before:?}. After: {:?}",
                    descriptors()
                );
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The open descriptors of this process, each with what it is, where the system tells.
#[cfg(unix)]
pub fn descriptors() -> Vec<String> {
    let Ok(folder) = std::fs::read_dir("/dev/fd") else {
        return Vec::new();
    };
    let name = |entry: std::fs::DirEntry| {
        let target = std::fs::read_link(entry.path()).unwrap_or_default();
        format!("{} {}", entry.file_name().display(), target.display())
    };
    folder.filter_map(|entry| entry.ok().map(name)).collect()
}

#[cfg(not(unix))]
pub fn descriptors() -> Vec<String> {
    Vec::new()
}

#[track_caller]
fn watch() -> mpsc::Sender<()> {
    let (alive, ended) = mpsc::channel();
    let place = std::panic::Location::caller();
    std::thread::spawn(move || {
        if ended.recv_timeout(Duration::from_secs(600)) == Err(mpsc::RecvTimeoutError::Timeout) {
            // Not by `eprintln`, which a test keeps until it has ended.
            let _ = writeln!(std::io::stderr(), "the test at {place} hangs");
            std::process::exit(101);
        }
    });
    alive
}
