//! The settings of a kernel.

use std::time::Duration;

use super::Kernel;
use super::watched::Plan;
use super::{dumps, exits};
use crate::activation::Activation;
use crate::context::{Clock, Context, WorkerLimits};
use crate::error::Result;
use crate::log::Installed;

/// Settings of a [`Kernel`]; see [`Kernel::builder`].
#[derive(Debug)]
pub struct Builder {
    clock: Clock,
    seed: Option<u64>,
    shutdown_timeout: Duration,
    activations: Vec<Installed>,
    workers: WorkerLimits,
    exit_on: Vec<exits::Signal>,
    pub(super) monitor: Plan,
    dump_on: Vec<dumps::Signal>,
}

impl Builder {
    pub(super) fn new() -> Builder {
        Builder {
            clock: Clock::Real,
            seed: None,
            shutdown_timeout: Duration::from_secs(10),
            activations: Vec::new(),
            workers: WorkerLimits {
                threads: 64,
                idle: Duration::from_secs(10),
                #[cfg(all(unix, feature = "process"))]
                processes: None,
            },
            exit_on: Vec::new(),
            monitor: Plan::default(),
            dump_on: Vec::new(),
        }
    }

    /// Where the kernel takes the time from.
    ///
    /// ```
    /// use curio::{Clock, Kernel};
    /// Kernel::builder().clock(Clock::Virtual).build().unwrap();
    /// ```
    pub fn clock(mut self, clock: Clock) -> Builder {
        self.clock = clock;
        self
    }

    /// Shuffles the ready queue: each seed is another schedule, and the same seed always the same. For tests; without a
    /// seed, tasks run first in, first out.
    ///
    /// ```
    /// use curio::Kernel;
    /// Kernel::builder().seed(42).build().unwrap();
    /// ```
    pub fn seed(mut self, seed: u64) -> Builder {
        self.seed = Some(seed);
        self
    }

    /// How long a shutdown waits for cancelled tasks; the default is ten seconds. A task that has not ended then is
    /// logged with the place where it waits, and dropped.
    ///
    /// ```
    /// use curio::Kernel;
    /// use std::time::Duration;
    /// Kernel::builder().shutdown_timeout(Duration::from_secs(1)).build().unwrap();
    /// ```
    pub fn shutdown_timeout(mut self, limit: Duration) -> Builder {
        self.shutdown_timeout = limit;
        self
    }

    /// Somebody who is told of everything that the kernel does (Python Curio: `activations=`). There may be several; they are
    /// called in the order in which they were installed.
    ///
    /// ```
    /// use curio::activation::{Activation, TaskInfo};
    /// use std::time::Instant;
    ///
    /// struct Log;
    ///
    /// impl Activation for Log {
    ///     fn running(&mut self, _at: Instant, task: &TaskInfo) {
    ///         println!("RUN {}", task.name);
    ///     }
    /// }
    ///
    /// let kernel = curio::Kernel::builder().activation(Log).build().unwrap();
    /// kernel.run(async {}).unwrap();
    /// ```
    pub fn activation(mut self, activation: impl Activation + 'static) -> Builder {
        self.activations.push(Installed::new(activation));
        self
    }

    /// How many worker threads [`run_in_thread`](crate::run_in_thread) and its kin may use at once (Python Curio:
    /// `MAX_WORKER_THREADS`); the default is 64, and at least there is one. A thread whose caller was interrupted does not
    /// count any more.
    ///
    /// ```
    /// use curio::Kernel;
    /// Kernel::builder().max_worker_threads(4).build().unwrap();
    /// ```
    pub fn max_worker_threads(mut self, threads: usize) -> Builder {
        self.workers.threads = threads.max(1);
        self
    }

    /// For how long a worker thread stays when there is nothing to do; the default is ten seconds.
    ///
    /// ```
    /// use curio::Kernel;
    /// use std::time::Duration;
    /// Kernel::builder().worker_idle_time(Duration::from_secs(60)).build().unwrap();
    /// ```
    pub fn worker_idle_time(mut self, time: Duration) -> Builder {
        self.workers.idle = time;
        self
    }

    /// How many worker processes there may be for [`run_in_process`](crate::run_in_process) at once (Python Curio:
    /// `MAX_WORKER_PROCESSES`); the default is as many as there are CPUs.
    ///
    /// ```
    /// use curio::Kernel;
    /// Kernel::builder().max_worker_processes(4).build().unwrap();
    /// ```
    #[cfg(all(unix, feature = "process"))]
    pub fn max_worker_processes(mut self, processes: usize) -> Builder {
        self.workers.processes = Some(processes.max(1));
        self
    }

    /// Signals that end a run in the orderly way in which [`Error::exit`](crate::Error::exit) does (Python's
    /// `KeyboardInterrupt`): the main task is cancelled, and the run gives [`Error::Exit`](crate::Error::Exit) with 128 and the
    /// number of the signal, which is the code that shells have for it. Unix only. Without this, a kernel leaves all signals
    /// alone.
    ///
    /// It is the last resort: while somebody else watches the signal (a [`SignalEvent`](crate::SignalEvent)), it concerns only
    /// them. And it works once in a run: the next such signal does at once what it always did, so that a second Ctrl-C
    /// ends a program whose orderly end takes too long. It works while [`run`](Kernel::run) or [`run_all`](Kernel::run_all)
    /// runs, and at no other time; not in [`run_once`](Kernel::run_once), nor while the kernel shuts down.
    ///
    /// ```standalone_crate
    /// use curio::signal::{SIGINT, SIGTERM, raise};
    /// use curio::{Error, Kernel, Result, sleep};
    /// use std::time::Duration;
    ///
    /// async fn program() -> Result<()> {
    ///     raise(SIGINT)?; // or from the keyboard: Control-C
    ///     let slept = sleep(Duration::from_secs(1000)).await;
    ///     println!("Fine. Saving my work.");
    ///     slept
    /// }
    ///
    /// let kernel = Kernel::builder().exit_on([SIGINT, SIGTERM]).build().unwrap();
    /// let ended = kernel.run(program());
    /// assert!(matches!(ended, Err(Error::Exit(130)))); // to be given to std::process::exit
    /// ```
    #[cfg(unix)]
    pub fn exit_on(mut self, signals: impl IntoIterator<Item = impl Into<crate::signal::Signal>>) -> Builder {
        self.exit_on.extend(signals.into_iter().map(Into::into));
        self
    }

    /// Signals at which the kernel prints what each of its tasks does and where, to the standard error output, while the
    /// program goes on: `kill -QUIT`, or Control-\\ from the keyboard. Unix only. It works while [`run`](Kernel::run) or
    /// [`run_all`](Kernel::run_all) runs. If a task hogs the CPU, so that the kernel cannot answer, it is that task that is
    /// shown, after a second, and what the others wait for. [`traceback`](crate::traceback) says what is needed to see
    /// functions and lines. For this the kernel writes down who waits for what, which makes a switch of tasks up to 1.3 times
    /// as expensive, as a monitor does.
    ///
    /// ```standalone_crate
    /// use curio::signal::{SIGQUIT, raise};
    /// use curio::{Kernel, sleep};
    /// use std::time::Duration;
    ///
    /// let kernel = Kernel::builder().dump_on([SIGQUIT]).build().unwrap();
    /// kernel
    ///     .run(async {
    ///         raise(SIGQUIT)?;
    ///         sleep(Duration::from_millis(10)).await
    ///     })
    ///     .unwrap();
    /// ```
    #[cfg(unix)]
    pub fn dump_on(mut self, signals: impl IntoIterator<Item = impl Into<crate::signal::Signal>>) -> Builder {
        self.dump_on.extend(signals.into_iter().map(Into::into));
        self
    }

    /// Makes the kernel.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) if the system gives no selector (no file descriptors are left), or if the monitor that
    /// the kernel was given cannot listen.
    ///
    /// ```
    /// let kernel = curio::Kernel::builder().build().unwrap();
    /// kernel.run(async {}).unwrap();
    /// ```
    pub fn build(mut self) -> Result<Kernel> {
        let ready = self.monitor.open(&mut self.exit_on)?;
        let mut kernel = Kernel {
            context: Context::new(
                self.clock,
                self.seed,
                self.activations,
                self.workers,
                ready.is_some() || !self.dump_on.is_empty(),
            )?,
            shutdown_timeout: self.shutdown_timeout,
            exit_on: self.exit_on.into(),
            watched: None,
            dump_on: self.dump_on.into(),
            closed: false,
        };
        if let (Some(ready), Some(mirror)) = (ready, &kernel.context.mirror) {
            kernel.watched = Some(ready.start(mirror.clone())?);
        }
        Ok(kernel)
    }
}
