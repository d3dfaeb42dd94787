//! For tests: one program under many schedules.
//!
//! Most mistakes in concurrent programs need a certain order of events. On the virtual clock a program has no other source
//! of order than the ready queue, so to shuffle that is to try the orders; and as the shuffle is made from a number, the
//! order that failed can be had again. (A search of all orders would be exact and is hopeless for all but toys.)

use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};

use crate::context::Clock;
use crate::error::Result;
use crate::kernel::Kernel;
use crate::outcome::Outcome;

/// The environment variable that says which seed to try instead of those in the program.
const SEED: &str = "CURIO_SEED";

/// Runs a program on the virtual clock under one schedule for each seed: `explore(0..1000, async || { .. })`.
///
/// Each run has a kernel of its own, in which everything ends as it does with [`run`](crate::run). Sleeps take no time. A
/// program in which every task waits for another one fails with [`Error::Deadlock`](crate::Error::Deadlock).
///
/// # Panics
///
/// If the program panics or gives an error. The seed is printed. With that number in the environment variable
/// `CURIO_SEED`, this very schedule is run and no other: `CURIO_SEED=17 cargo test the_test`.
///
/// ```
/// use curio::testing::explore;
/// use curio::{sleep, spawn};
/// use std::cell::Cell;
/// use std::rc::Rc;
/// use std::time::Duration;
///
/// explore(0..100, async || {
///     let done = Rc::new(Cell::new(false));
///     let kid = spawn({
///         let done = done.clone();
///         async move {
///             sleep(Duration::from_secs(3600)).await?;
///             done.set(true);
///             Ok(())
///         }
///     });
///     kid.join().await?;
///     assert!(done.get());
///     Ok(())
/// });
/// ```
#[track_caller]
pub fn explore<O: Outcome>(seeds: impl IntoIterator<Item = u64>, program: impl AsyncFn() -> O) {
    explore_kernels(seeds, |kernel| kernel.run(program()).map(drop));
}

/// The same for programs that want to do more with the kernel than one run: `program` gets a new one for each seed.
///
/// # Panics
///
/// As for [`explore`].
///
/// ```
/// use curio::testing::explore_kernels;
///
/// explore_kernels(0..100, |kernel| {
///     kernel.spawn(async { println!("one") });
///     kernel.spawn(async { println!("two") });
///     kernel.run_all()
/// });
/// ```
#[track_caller]
pub fn explore_kernels(seeds: impl IntoIterator<Item = u64>, mut program: impl FnMut(&Kernel) -> Result<()>) {
    let place = Location::caller();
    match chosen_seed() {
        Some(seed) => try_seed(seed, place, &mut program),
        None => seeds
            .into_iter()
            .for_each(|seed| try_seed(seed, place, &mut program)),
    }
}

/// Shuts a kernel down as [`Kernel::shutdown`] does, and says what its tables still hold then, or `None` if that is nothing,
/// as it should be.
///
/// What may be there is what outlives the kernel: a socket or an operation of it that the program has kept.
///
/// # Errors
///
/// As for [`Kernel::shutdown`].
///
/// ```
/// use curio::net::TcpListener;
/// use curio::testing::left_behind;
/// use curio::{Kernel, sleep};
/// use std::time::Duration;
///
/// let kernel = Kernel::new().unwrap();
/// kernel.spawn(sleep(Duration::from_secs(1000)));
/// assert_eq!(left_behind(kernel).unwrap(), None);
///
/// let kernel = Kernel::new().unwrap();
/// let listener = kernel.run(async { TcpListener::bind("127.0.0.1:0") }).unwrap();
/// let left = left_behind(kernel).unwrap();
/// assert_eq!(left.unwrap(), "Kernel { tasks: 0, waits: 0, scopes: 0, timers: 0, sockets: 1 }");
/// drop(listener);
/// ```
pub fn left_behind(mut kernel: Kernel) -> Result<Option<String>> {
    kernel.close()?;
    let left = format!("{kernel:?}");
    let nothing = "Kernel { tasks: 0, waits: 0, scopes: 0, timers: 0, sockets: 0 }";
    Ok((left != nothing).then_some(left))
}

fn chosen_seed() -> Option<u64> {
    let seed = std::env::var(SEED).ok()?;
    match seed.parse() {
        Ok(seed) => Some(seed),
        Err(_) => panic!("{SEED} is to be a number, and is {seed:?}"),
    }
}

fn try_seed(seed: u64, place: &Location<'_>, program: &mut dyn FnMut(&Kernel) -> Result<()>) {
    let tried = catch_unwind(AssertUnwindSafe(|| {
        let kernel = Kernel::builder().clock(Clock::Virtual).seed(seed).build()?;
        program(&kernel)?;
        kernel.shutdown()
    }));
    let again = || format!("the program at {place} failed with seed {seed}; to repeat it, set {SEED}={seed}");
    match tried {
        Ok(Ok(())) => {}
        Ok(Err(error)) => panic!("{}: {error:?}", again()),
        Err(panic) => {
            eprintln!("curio: {}", again());
            resume_unwind(panic);
        }
    }
}
