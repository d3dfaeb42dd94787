//! Signals at which a kernel says what its tasks do; see `Builder::dump_on`.
//!
//! The kernel is asked as anybody asks for tracebacks, and so is hardly disturbed. What it gives is made readable and
//! printed by a thread of its own, because that takes long. If the kernel does not answer, a task keeps it from that: then
//! the thread asks the kernel's thread by force where it is.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::Write as _;
use std::rc::Rc;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::context::Context;
use crate::error::Result;
use crate::remote::Remote;
pub(super) use crate::signal::Signal;
use crate::signal::{Rank, Watch, Watcher};
use crate::traceback::{self, Options, Probe, Raw};

/// How many tasks are shown at most.
const MAX_TASKS: usize = 1_000;

/// How long the kernel may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// The signals are watched while this is there.
pub(super) struct Dumps(Option<(Watch, Arc<Asked>)>);

struct Asked {
    kernel: Arc<Remote>,
    probe: Probe,
    /// Where the answer is to go.
    to: Mutex<Option<Sender<Dump>>>,
}

struct Dump {
    tasks: Vec<Raw>,
    /// How many more there are.
    more: usize,
}

impl Dumps {
    pub(super) fn watch(signals: &[Signal], kernel: &Arc<Remote>) -> Result<Dumps> {
        if signals.is_empty() {
            return Ok(Dumps(None));
        }
        let asked = Arc::new(Asked {
            kernel: kernel.clone(),
            probe: Probe::here(),
            to: Mutex::new(None),
        });
        let watcher = Arc::new(Bell(asked.clone()));
        let watch = Watch::start(signals.iter().copied(), Rank::Each, watcher)?;
        Ok(Dumps(Some((watch, asked))))
    }

    /// If somebody wants to know, asks for the tracebacks of all tasks.
    #[inline]
    pub(super) fn answer(&self, context: &Context) {
        if let Some((_, asked)) = &self.0 {
            asked.answer(context);
        }
    }
}

impl Asked {
    fn answer(&self, context: &Context) {
        let Some(to) = self.to.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        let tables = context.tables.borrow();
        let mut tasks: Vec<_> = tables.all_tasks().map(|(_, slot)| slot.id()).collect();
        drop(tables);
        tasks.sort_unstable();
        let more = tasks.len().saturating_sub(MAX_TASKS);
        tasks.truncate(MAX_TASKS);
        let Some(last) = tasks.last().copied() else {
            let _ = to.send(Dump {
                tasks: Vec::new(),
                more,
            });
            return;
        };
        let all = Rc::new(RefCell::new(Vec::new()));
        for task in tasks {
            let (all, to) = (all.clone(), to.clone());
            traceback::request(context, task, move |raw| {
                all.borrow_mut().extend(raw);
                if task == last {
                    let tasks = all.take();
                    let _ = to.send(Dump { tasks, more });
                }
            });
        }
    }

    /// In a thread: waits for the answer, and prints it.
    fn print(&self) {
        let (to, from) = mpsc::channel();
        *self.to.lock().unwrap_or_else(PoisonError::into_inner) = Some(to);
        self.kernel.ring();
        let print = |text: &str| {
            let _ = std::io::stderr().write_all(text.as_bytes());
        };
        if let Ok(dump) = from.recv_timeout(PATIENCE) {
            return print(&readable(dump));
        }
        print("curio: the kernel does not answer, as a task does not let it run\n");
        if let Some(running) = self.probe.running(PATIENCE) {
            print(&format!("{}\n", running.resolve(Options::default())));
        }
    }
}

fn readable(dump: Dump) -> String {
    let Dump { tasks, more } = dump;
    let mut text = format!("curio: {} tasks\n", tasks.len() + more);
    for raw in tasks {
        let _ = writeln!(text, "\n{}", raw.resolve(Options::default()));
    }
    if more > 0 {
        let _ = writeln!(text, "\n... and {more} more");
    }
    text
}

/// Is told of the signal by a thread that must not be kept.
struct Bell(Arc<Asked>);

impl Watcher for Bell {
    fn arrived(&self, _: &[Signal]) {
        let asked = self.0.clone();
        // If there is no thread to be had, there is no answer.
        let _ = std::thread::Builder::new()
            .name("curio-dump".to_string())
            .spawn(move || asked.print());
    }
}
