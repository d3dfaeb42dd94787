//! Signals at which a kernel says what its tasks do; see `Builder::dump_on`.
//!
//! The kernel is asked as anybody asks for tracebacks, and so is hardly disturbed. What it gives is made readable and
//! printed by a thread of its own, because that takes long. If the kernel does not answer, a task keeps it from that: then
//! the thread asks the kernel's thread by force where it is, and finds in the mirror which task that is, and what the others
//! wait for. So a kernel that may be asked for dumps keeps a mirror, as one with a monitor does. (Rejected: to keep only the
//! number of the task that runs, for less. Its name is in the tables, which nobody else may read.)
//!
//! There is one such thread at a time, however often the signal comes: what comes while it is at work is one more dump
//! afterwards. Else the signals of an impatient user would take each other's answers, and a standard error output that nobody
//! reads would keep a thread for each of them.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::Write as _;
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::context::Context;
use crate::mirror::Mirror;
use crate::name::clean;
use crate::remote::Remote;
pub(super) use crate::signal::Signal;
use crate::signal::{Rank, Watch, Watcher};
use crate::traceback::{self, Options, Probe, Raw};

/// How many tasks are shown at most.
const MAX_TASKS: usize = 1_000;

/// How long the kernel may take to begin with an answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// And how long to complete it: it runs each task that waits.
const MORE_PATIENCE: Duration = Duration::from_secs(20);

/// The signals are watched while this is there.
pub(super) struct Dumps(Option<(Watch, Arc<Asked>)>);

impl Drop for Dumps {
    fn drop(&mut self) {
        if let Some((_, asked)) = &self.0 {
            *asked.to() = To::Ended;
        }
    }
}

struct Asked {
    kernel: Arc<Remote>,
    /// None if the kernel has none.
    mirror: Option<Arc<Mirror>>,
    probe: Probe,
    to: Mutex<To>,
    at_work: Mutex<AtWork>,
}

/// Where the answer is to go.
enum To {
    Nobody,
    Somebody(Sender<Dump>),
    /// The kernel does not run any more.
    Ended,
}

/// What the thread does that prints.
#[derive(Clone, Copy, PartialEq)]
enum AtWork {
    /// There is none.
    No,
    Once,
    /// It is to begin again when it is done.
    Twice,
}

struct Dump {
    tasks: Vec<Raw>,
    /// How many more there are.
    more: usize,
}

impl Dumps {
    pub(super) fn watch(signals: &[Signal], context: &Context) -> crate::Result<Dumps> {
        if signals.is_empty() {
            return Ok(Dumps(None));
        }
        let asked = Arc::new(Asked {
            kernel: context.remote.clone(),
            mirror: context.mirror.clone(),
            probe: Probe::here(),
            to: Mutex::new(To::Nobody),
            at_work: Mutex::new(AtWork::No),
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
        let Some(to) = self.take() else {
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

    fn to(&self) -> MutexGuard<'_, To> {
        self.to.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the request back, or to answer it. None if the other has done so.
    fn take(&self) -> Option<Sender<Dump>> {
        let mut to = self.to();
        match std::mem::replace(&mut *to, To::Nobody) {
            To::Somebody(sender) => Some(sender),
            other => {
                *to = other;
                None
            }
        }
    }

    /// In a thread: waits for the answer, and prints it.
    fn print(&self) {
        let (sender, answer) = mpsc::channel();
        match &mut *self.to() {
            To::Ended => return,
            to => *to = To::Somebody(sender),
        }
        self.kernel.ring();
        let print = |text: &str| {
            let _ = std::io::stderr().write_all(text.as_bytes());
        };
        match self.wait(&answer) {
            Ok(dump) => return print(&readable(dump)),
            Err(RecvTimeoutError::Disconnected) => return print("curio: the kernel has ended\n"),
            Err(RecvTimeoutError::Timeout) => {}
        }
        print(&self.busy());
    }

    /// What is known of a kernel that does not answer.
    fn busy(&self) -> String {
        let mirror = self.mirror.as_deref();
        let run = || mirror.map(|mirror| (mirror.running(), mirror.turns()));
        let before = run();
        let sample = self.probe.running(PATIENCE);
        // Else it is not known of which one the sample is.
        let same = before.filter(|before| run() == Some(*before));
        let running = same.and_then(|(running, _)| mirror?.find(running?));
        let mut text = String::from("curio: the kernel does not answer, as ");
        let _ = match &running {
            Some(task) => writeln!(
                text,
                "task {} ({}) does not let it run",
                task.id,
                clean(task.name.as_str())
            ),
            None => writeln!(text, "a task does not let it run"),
        };
        if let Some(mut raw) = sample {
            if let Some(task) = &running {
                raw = raw.about(task.id, task.name.as_str());
            }
            let _ = writeln!(text, "\n{}", raw.resolve(Options::default()));
        }
        if let Some(mirror) = mirror {
            others(mirror, running.map(|task| task.id), &mut text);
        }
        text
    }

    fn wait(&self, answer: &Receiver<Dump>) -> Result<Dump, RecvTimeoutError> {
        match answer.recv_timeout(PATIENCE) {
            // It has begun, or ended.
            Err(RecvTimeoutError::Timeout) if self.take().is_none() => answer.recv_timeout(MORE_PATIENCE),
            waited => waited,
        }
    }

    /// One more signal. True if there is no thread yet.
    fn begin(&self) -> bool {
        let mut at_work = self.at_work();
        let is_first = *at_work == AtWork::No;
        *at_work = if is_first { AtWork::Once } else { AtWork::Twice };
        is_first
    }

    /// True if the thread is to go on.
    fn end(&self) -> bool {
        let mut at_work = self.at_work();
        let goes_on = *at_work == AtWork::Twice;
        *at_work = if goes_on { AtWork::Once } else { AtWork::No };
        goes_on
    }

    fn at_work(&self) -> MutexGuard<'_, AtWork> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
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

/// What all tasks but this one wait for.
fn others(mirror: &Mirror, but: Option<u64>, text: &mut String) {
    let _ = writeln!(text);
    let (mut after, mut shown) = (0, 0);
    loop {
        let slice = mirror.slice(after);
        let Some(last) = slice.last() else { return };
        after = last.id;
        for entry in slice.into_iter().filter(|entry| Some(entry.id) != but) {
            if shown == MAX_TASKS {
                let _ = writeln!(text, "... and more");
                return;
            }
            shown += 1;
            let row = mirror.row(entry);
            let (id, name) = (row.entry.id, clean(row.entry.name.as_str()));
            let _ = write!(text, "Task(id={id}, name='{name}', state='{}')", row.state);
            if let Some(place) = row.waits.place.filter(|_| row.is_waiting) {
                let _ = write!(text, " at {}:{}", place.file(), place.line());
            }
            text.push('\n');
        }
    }
}

/// Is told of the signal by a thread that must not be kept.
struct Bell(Arc<Asked>);

impl Watcher for Bell {
    fn arrived(&self, _: &[Signal]) {
        if !self.0.begin() {
            return;
        }
        let asked = self.0.clone();
        let thread = std::thread::Builder::new().name("curio-dump".to_string());
        let begun = thread.spawn(move || {
            asked.print();
            while asked.end() {
                asked.print();
            }
        });
        if begun.is_err() {
            // There is no thread to be had, so there is no answer.
            *self.0.at_work() = AtWork::No;
        }
    }
}
