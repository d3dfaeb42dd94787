//! Nested timeouts, shields, cancels and clean-ups against a model.
//!
//! Random programs are run twice: by the kernel, on the virtual clock, and by a small interpreter that was written from
//! the rules and not from the code. Both keep a log: which error each level saw, and when. The logs must be equal.
//!
//! A program is sequential except for joins of two sleeps, so all operations that wait at a time are in the same place;
//! that makes the model a recursive function with a stack of scopes. Nothing happens in two places at the same instant:
//! sleeps and limits are whole seconds, cancels come at half seconds, and foreign futures and arms of joins end a few
//! nanoseconds late, each by another power of two.

use std::cell::RefCell;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use curio::{
    Clock, Error, Kernel, Result, clock, disable_cancellation, ignore_after, sleep, spawn, spawn_daemon,
    timeout_after, yield_now,
};

/// What the programs are made of. The numbers are seconds; `u16` is a place for the log.
#[derive(Debug, Clone)]
enum Program {
    Sleep(u64),
    Yield,
    /// A future that is not the library's and ends after so many seconds; its number makes the end unique.
    Foreign(u64, u32),
    /// Two sleeps side by side: the first error of them, when both are over. With a number, as above.
    Join([u64; 2], u32),
    Fail,
    /// One after another, with `?`.
    Sequence(Vec<Program>),
    Timeout(u16, Option<u64>, Box<Program>),
    Ignore(u16, u64, Box<Program>),
    Shield(u16, Box<Program>),
    /// Whatever comes out of the first is forgotten.
    Swallow(u16, Box<Program>),
    /// The second runs after the first, whatever came out of it; then the first's error goes on.
    Finally(u16, Box<Program>, Box<Program>),
}

/// What a level saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Fine,
    Cancelled,
    Timeout,
    TimeoutCancellation,
    Uncaught,
    Failed,
}

type Log = Vec<(u16, Seen, Duration)>;

// ---- The generator

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

struct Generator {
    random: Random,
    places: u16,
    foreign: u32,
}

impl Generator {
    fn place(&mut self) -> u16 {
        self.places += 1;
        self.places
    }

    fn boxed(&mut self, size: u64) -> Box<Program> {
        Box::new(self.program(size))
    }

    /// A program of about so many parts.
    fn program(&mut self, size: u64) -> Program {
        if size <= 1 {
            return match self.random.below(14) {
                0..=6 => Program::Sleep(self.random.below(9)),
                7 => Program::Yield,
                8 | 9 if self.foreign < 16 => {
                    self.foreign += 1;
                    Program::Foreign(self.random.below(9), self.foreign)
                }
                8..=10 => Program::Sleep(50),
                11 | 12 if self.foreign < 16 => {
                    self.foreign += 1;
                    Program::Join([self.random.below(9), self.random.below(9)], self.foreign)
                }
                _ => Program::Fail,
            };
        }
        let size = size - 1;
        match self.random.below(10) {
            0..=2 => {
                let first = 1 + self.random.below(size);
                let mut parts = vec![self.program(first)];
                if first < size {
                    parts.push(self.program(size - first));
                }
                Program::Sequence(parts)
            }
            3..=5 => {
                let limit = (self.random.below(10) > 0).then(|| self.random.below(10));
                Program::Timeout(self.place(), limit, self.boxed(size))
            }
            6 => Program::Ignore(self.place(), self.random.below(10), self.boxed(size)),
            7 => Program::Shield(self.place(), self.boxed(size)),
            8 => Program::Swallow(self.place(), self.boxed(size)),
            _ => {
                let first = 1 + self.random.below(size);
                let rest = (size - first).max(1);
                Program::Finally(self.place(), self.boxed(first), self.boxed(rest))
            }
        }
    }
}

/// How long a foreign future takes, or an arm of a join.
fn unique_length(seconds: u64, number: u32) -> Duration {
    Duration::from_secs(seconds) + Duration::from_nanos(1 << number)
}

// ---- The kernel

struct Journal {
    start: Instant,
    log: RefCell<Log>,
}

impl Journal {
    fn note<T>(&self, place: u16, result: &Result<T>) {
        self.log
            .borrow_mut()
            .push((place, seen(result), clock() - self.start));
    }
}

fn seen<T>(result: &Result<T>) -> Seen {
    match result {
        Ok(_) => Seen::Fine,
        Err(Error::Cancelled(_)) => Seen::Cancelled,
        Err(Error::Timeout(_)) => Seen::Timeout,
        Err(Error::TimeoutCancellation(_)) => Seen::TimeoutCancellation,
        Err(Error::UncaughtTimeout) => Seen::Uncaught,
        Err(_) => Seen::Failed,
    }
}

fn execute<'a>(program: &'a Program, journal: &'a Journal) -> Pin<Box<dyn Future<Output = Result<()>> + 'a>> {
    Box::pin(async move {
        match program {
            Program::Sleep(seconds) => sleep(Duration::from_secs(*seconds)).await,
            Program::Yield => yield_now().await,
            Program::Foreign(seconds, number) => {
                let (done, ended) = futures::channel::oneshot::channel::<()>();
                let length = unique_length(*seconds, *number);
                spawn_daemon(async move {
                    sleep(length).await?;
                    let _ = done.send(());
                    Ok(())
                });
                ended.await.map_err(Error::other)
            }
            Program::Join(seconds, number) => {
                let [first, second] = seconds.map(|seconds| sleep(unique_length(seconds, *number)));
                let (first, second) = futures::join!(first, second);
                first.and(second)
            }
            Program::Fail => Err(Error::other("failed")),
            Program::Sequence(parts) => {
                for part in parts {
                    execute(part, journal).await?;
                }
                Ok(())
            }
            Program::Timeout(place, limit, inner) => {
                let limit = limit.map(Duration::from_secs);
                let result = timeout_after(limit, execute(inner, journal)).await;
                journal.note(*place, &result);
                result
            }
            Program::Ignore(place, limit, inner) => {
                let result = ignore_after(Duration::from_secs(*limit), execute(inner, journal)).await;
                journal.note(*place, &result);
                result.map(|_| ())
            }
            Program::Shield(place, inner) => {
                let result = disable_cancellation(execute(inner, journal)).await;
                journal.note(*place, &result);
                result
            }
            Program::Swallow(place, inner) => {
                let result = execute(inner, journal).await;
                journal.note(*place, &result);
                Ok(())
            }
            Program::Finally(place, inner, clean_up) => {
                let result = execute(inner, journal).await;
                journal.note(*place, &result);
                execute(clean_up, journal).await?;
                result
            }
        }
    })
}

/// Runs the program in a task that is cancelled at `cancel`, and gives the log; its last entry is the end of the task.
fn run_in_kernel(program: &Program, cancel: Option<Duration>, seed: u64) -> Log {
    let kernel = Kernel::builder()
        .clock(Clock::Virtual)
        .seed(seed)
        .build()
        .unwrap();
    let program = program.clone();
    let log = kernel
        .run(async move {
            let journal = Rc::new(Journal {
                start: clock(),
                log: RefCell::default(),
            });
            let task = spawn({
                let journal = journal.clone();
                async move { execute(&program, &journal).await }
            });
            if let Some(cancel) = cancel {
                sleep(cancel).await?;
                task.cancel_nowait();
            }
            task.wait().await?;
            let ended = match task.join().await {
                Err(Error::Task(failure)) => {
                    let cause = std::error::Error::source(&failure).and_then(|e| e.downcast_ref::<Error>());
                    let seen = match cause {
                        Some(Error::Cancelled(_)) => Seen::Cancelled,
                        Some(Error::Timeout(_)) => Seen::Timeout,
                        Some(Error::TimeoutCancellation(_)) => Seen::TimeoutCancellation,
                        Some(Error::UncaughtTimeout) => Seen::Uncaught,
                        _ => Seen::Failed,
                    };
                    assert_eq!(failure.cancelled(), seen == Seen::Cancelled);
                    seen
                }
                other => seen(&other),
            };
            let mut log = journal.log.take();
            log.push((0, ended, clock() - journal.start));
            Ok(log)
        })
        .unwrap();
    // The daemons that end foreign futures may be left.
    kernel.run(sleep(Duration::from_secs(1_000))).unwrap();
    assert_eq!(
        format!("{kernel:?}"),
        "Kernel { tasks: 0, waits: 0, scopes: 0, timers: 0, sockets: 0 }"
    );
    log
}

// ---- The model

/// An open scope. The bottom of the stack is the task.
enum Level {
    Task,
    Timeout,
    Shield,
}

struct Scope {
    level: Level,
    /// The time that a timeout allows, until its first wait turns it into a deadline.
    limit: Option<Duration>,
    /// When it is to be interrupted: the deadline, or the time of the cancel.
    at: Option<Duration>,
    delivered: bool,
    disarmed: bool,
    /// The outer timeout whose interruption has gone through here.
    passed: Option<usize>,
}

/// Why a program ended early: an error, and if it came to a foreign future, the boundary down to which all is dropped.
struct Early {
    seen: Seen,
    dropped_to: Option<usize>,
}

type Outcome = Result<(), Early>;

struct Model {
    now: Duration,
    scopes: Vec<Scope>,
    log: Log,
}

impl Model {
    fn run(program: &Program, cancel: Option<Duration>) -> Log {
        let mut model = Model {
            now: Duration::ZERO,
            scopes: Vec::new(),
            log: Vec::new(),
        };
        model.open(Level::Task, None);
        model.scopes[0].at = cancel;
        let result = model.program(program);
        // What leaves the task.
        let cancelled = model.scopes[0].delivered;
        let seen = match result {
            Ok(()) => Seen::Fine,
            Err(Early { seen, .. }) => match seen {
                Seen::Timeout | Seen::TimeoutCancellation if !cancelled => Seen::Uncaught,
                seen => seen,
            },
        };
        // Whoever cancels waits for the end, at the earliest from the moment of the cancel on.
        let ended = cancel.map_or(model.now, |cancel| cancel.max(model.now));
        model.log.push((0, seen, ended));
        model.log
    }

    fn open(&mut self, level: Level, limit: Option<Duration>) {
        self.scopes.push(Scope {
            level,
            limit,
            at: None,
            delivered: false,
            disarmed: false,
            passed: None,
        });
    }

    fn note(&mut self, place: u16, outcome: &Outcome) {
        let seen = outcome.as_ref().map_or_else(|early| early.seen, |()| Seen::Fine);
        self.log.push((place, seen, self.now));
    }

    fn program(&mut self, program: &Program) -> Outcome {
        match program {
            Program::Sleep(seconds) => self.wait(Duration::from_secs(*seconds), false),
            Program::Yield => self.wait(Duration::ZERO, false),
            Program::Foreign(seconds, number) => self.wait(unique_length(*seconds, *number), true),
            Program::Join(seconds, number) => self.join(seconds.map(|s| unique_length(s, *number))),
            Program::Fail => Err(Early {
                seen: Seen::Failed,
                dropped_to: None,
            }),
            Program::Sequence(parts) => parts.iter().try_for_each(|part| self.program(part)),
            Program::Timeout(place, limit, inner) => {
                let result = self.timeout(limit.map(Duration::from_secs), inner)?;
                self.note(*place, &result);
                result
            }
            Program::Ignore(place, limit, inner) => {
                let result = match self.timeout(Some(Duration::from_secs(*limit)), inner)? {
                    Err(early) if early.seen == Seen::Timeout => Ok(()),
                    other => other,
                };
                self.note(*place, &result);
                result
            }
            Program::Shield(place, inner) => {
                self.open(Level::Shield, None);
                let result = self.program(inner);
                self.scopes.pop();
                let result = self.unless_dropped(result)?;
                self.note(*place, &result);
                result
            }
            Program::Swallow(place, inner) => {
                let result = self.program(inner);
                let result = self.unless_dropped(result)?;
                self.note(*place, &result);
                Ok(())
            }
            Program::Finally(place, inner, clean_up) => {
                let result = self.program(inner);
                let result = self.unless_dropped(result)?;
                self.note(*place, &result);
                self.program(clean_up)?;
                result
            }
        }
    }

    /// Code that is dropped sees nothing: the inner result, unless the drop goes on further out.
    fn unless_dropped(&self, outcome: Outcome) -> Result<Outcome, Early> {
        match outcome {
            Err(early) if early.dropped_to.is_some() => Err(early),
            other => Ok(other),
        }
    }

    /// The outer result is an error if the timeout itself is dropped, too.
    fn timeout(&mut self, limit: Option<Duration>, inner: &Program) -> Result<Outcome, Early> {
        let here = self.scopes.len();
        self.open(Level::Timeout, limit);
        let result = self.program(inner);
        let Some(scope) = self.scopes.pop() else {
            unreachable!()
        };
        let seen = match result {
            Ok(()) => None,
            Err(Early { seen, dropped_to }) => {
                if dropped_to.is_some_and(|boundary| boundary < here) {
                    return Err(Early { seen, dropped_to });
                }
                Some(match seen {
                    Seen::Timeout | Seen::TimeoutCancellation if scope.delivered => Seen::Timeout,
                    Seen::Timeout => Seen::Uncaught,
                    seen => seen,
                })
            }
        };
        // The interruption of an outer timeout was swallowed in here: it comes again.
        if seen != Some(Seen::TimeoutCancellation)
            && let Some(outer) = scope.passed
            && !self.scopes[outer].disarmed
        {
            self.scopes[outer].at = Some(self.now);
        }
        Ok(seen.map_or(Ok(()), |seen| {
            Err(Early {
                seen,
                dropped_to: None,
            })
        }))
    }

    /// The outermost of these scopes that is due.
    fn due(&self, visible: &Range<usize>) -> Option<usize> {
        visible
            .clone()
            .find(|&i| self.scopes[i].at.is_some_and(|at| at <= self.now))
    }

    /// Something waits: now the clocks of the timeouts around it run.
    fn start_clocks(&mut self) {
        for scope in &mut self.scopes {
            if let Some(limit) = scope.limit.take()
                && !scope.disarmed
            {
                scope.at = Some(self.now + limit);
            }
        }
    }

    /// Two operations that take so long. What is delivered is for both of them if both wait.
    fn join(&mut self, lengths: [Duration; 2]) -> Outcome {
        let from = self.scopes.len() - 1;
        let shield = self.scopes.iter().rposition(|s| matches!(s.level, Level::Shield));
        let visible = shield.map_or(0, |shield| shield + 1)..from + 1;
        // What is due already is for the first that would begin to wait. The next one begins after the delivery.
        let ends = lengths.map(|length| self.now + length);
        let mut results = ends.map(|_| None);
        for result in &mut results {
            *result = self
                .due(&visible)
                .map(|target| Err(self.deliver(from, target, false).seen));
        }
        if results.iter().any(Option::is_none) {
            self.start_clocks();
        }
        while let Some(end) = (0..2).filter(|&i| results[i].is_none()).map(|i| ends[i]).min() {
            let first = visible.clone().filter_map(|i| self.scopes[i].at).min();
            let interrupted = first.filter(|&at| at < end);
            self.now = interrupted.unwrap_or(end).max(self.now);
            let outcome = match interrupted {
                Some(_) => {
                    let Some(target) = self.due(&visible) else {
                        unreachable!()
                    };
                    Err(self.deliver(from, target, false).seen)
                }
                None => Ok(()),
            };
            for (result, &end) in results.iter_mut().zip(&ends) {
                if result.is_none() && (outcome.is_err() || end == self.now) {
                    *result = Some(outcome);
                }
            }
        }
        let [first, second] = results.map(|result| result.unwrap_or(Ok(())));
        first.and(second).map_err(|seen| Early {
            seen,
            dropped_to: None,
        })
    }

    /// An operation that takes so long, or (`foreign`) a future that is not the library's.
    fn wait(&mut self, length: Duration, foreign: bool) -> Outcome {
        // Where the interruption is delivered: at the operation, or at the innermost boundary. A shield in between keeps
        // everything away.
        let (from, reachable) = if foreign {
            let boundary = self
                .scopes
                .iter()
                .rposition(|s| !matches!(s.level, Level::Shield));
            let boundary = boundary.unwrap_or(0);
            (boundary, boundary + 1 == self.scopes.len())
        } else {
            (self.scopes.len() - 1, true)
        };
        let shield = self.scopes[..=from]
            .iter()
            .rposition(|s| matches!(s.level, Level::Shield));
        let outermost = shield.map_or(0, |shield| shield + 1);
        let visible = if reachable { outermost..from + 1 } else { 0..0 };

        // Due already, before it would begin to wait.
        if let Some(target) = self.due(&visible) {
            return Err(self.deliver(from, target, foreign));
        }
        self.start_clocks();
        let end = self.now + length;
        let first = visible.clone().filter_map(|i| self.scopes[i].at).min();
        match first {
            // What is done at the moment of the deadline is done. What never had to wait, too.
            Some(at) if at < end => {
                self.now = at;
                let Some(target) = self.due(&visible) else {
                    unreachable!()
                };
                Err(self.deliver(from, target, foreign))
            }
            _ => {
                self.now = end;
                Ok(())
            }
        }
    }

    fn deliver(&mut self, from: usize, target: usize, foreign: bool) -> Early {
        self.scopes[target].at = None;
        self.scopes[target].delivered = true;
        let of_timeout = matches!(self.scopes[target].level, Level::Timeout);
        for scope in &mut self.scopes[target + 1..=from] {
            scope.at = None;
            scope.limit = None;
            scope.disarmed = true;
            if of_timeout {
                scope.passed = Some(target);
            }
        }
        let seen = match of_timeout {
            false => Seen::Cancelled,
            true if target == from => Seen::Timeout,
            true => Seen::TimeoutCancellation,
        };
        Early {
            seen,
            dropped_to: foreign.then_some(from),
        }
    }
}

#[test]
fn random_programs_do_what_the_model_says() {
    // Small programs first, so that the first failure is one that can be understood.
    for size in 2..=16 {
        for seed in 0..600 {
            let mut generator = Generator {
                random: Random(size * 1_000_000 + seed),
                places: 0,
                foreign: 0,
            };
            let program = generator.program(size);
            let cancel = match generator.random.below(3) {
                0 => None,
                _ => Some(Duration::from_millis(500 + 1000 * generator.random.below(12))),
            };
            let expected = Model::run(&program, cancel);
            let got = run_in_kernel(&program, cancel, seed);
            assert_eq!(
                got, expected,
                "size {size}, seed {seed}, cancel at {cancel:?}: {program:#?}"
            );
        }
    }
}
