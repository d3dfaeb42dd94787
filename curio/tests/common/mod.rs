//! What the tests of the semantics share: programs are run under many schedules, and nothing may be left behind.

#![allow(dead_code, missing_docs, unreachable_pub)]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use curio::testing::explore_kernels;
use curio::{Clock, Kernel, Result, clock};

/// How many schedules each program is run under.
pub const SEEDS: u64 = 1_000;

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
    let _guard = Watchdog::start();
    let kernel = Kernel::new().unwrap();
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
    explore_kernels(0..seeds, |kernel| {
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

/// Ends the process if a test hangs.
pub struct Watchdog(#[allow(dead_code)] mpsc::Sender<()>);

impl Watchdog {
    #[track_caller]
    pub fn start() -> Watchdog {
        let (alive, ended) = mpsc::channel();
        let place = std::panic::Location::caller();
        std::thread::spawn(move || {
            if ended.recv_timeout(Duration::from_secs(120)) == Err(mpsc::RecvTimeoutError::Timeout) {
                eprintln!("the test at {place} hangs");
                std::process::exit(101);
            }
        });
        Watchdog(alive)
    }
}
