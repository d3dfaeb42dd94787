//! Tracebacks: the calls in which a task is, as functions and lines, without any help of the user's code.
//!
//! A suspended future has no stack. What it has is a state from which its next poll builds the stack up again: so a task
//! that waits is run once more, out of turn. Every operation in it looks whether it can complete, as it always does, finds
//! that it cannot, and is about to return `Pending`: at that moment the whole stack is there, from the task's first function
//! down to the operation, and is recorded. A task that waits for several things gives one stack for each.
//!
//! What other runtimes do instead is to return `Pending` *without* polling, or to poll with a waker that does nothing. Both
//! lose wake-ups, because whoever is polled keeps the waker it was polled with. So:
//!
//! B1. The extra run is a run like any other: operations are polled normally, complete if they can, and if the task ends in
//!     it, then it has ended. Nothing that it registers is worth less than what was registered before.
//! B2. Only a task that waits is run out of turn. One that is queued would come too early, and one that has never run would
//!     begin; of these there is only what they wait for.
//! B3. A combinator like `FuturesUnordered` polls only those of its children that were woken. So each operation of the task
//!     is woken first, by its own waker. The task itself is taken off the ready queue again, and polled again if it was
//!     woken meanwhile: so neither the order of the queue nor the numbers that a seed has given are touched.
//! B4. The task is polled with a waker of another table (`waker`), which means the same and of which every copy is the usual
//!     one. So the fast paths of operations do not take it for theirs, and go where stacks are recorded: it costs them
//!     nothing. And a foreign future does not take it for the one it has already: it makes a copy, by which it is seen.
//! B5. It happens between two runs, never inside of one: a task that runs relies on nobody else being polled meanwhile. So
//!     [`Task::traceback`](crate::Task::traceback) is an operation.
//! B6. Recording only collects addresses. Names and lines are looked up when they are shown, in the thread that shows them.
//!
//! The names come from the text of `std::backtrace`, which is the only way to the frames that is stable, and brings no
//! dependency along. (Its `Debug` form is promised not to change before there is another.) The crate `backtrace` would
//! give the same frames as data; it was rejected for the fifty lines that it spares.
//!
//! # What is needed
//!
//! Names and lines are in the debug information. A debug build has it. For a release build, say in `Cargo.toml`:
//!
//! ```toml
//! [profile.release]
//! debug = 1
//! ```
//!
//! (`"line-tables-only"` gives the lines, and the names of functions that were not inlined.) Without it, a traceback shows
//! where the operation was made, which is always known, and says what is missing.
//!
//! Of a task that runs and lets nobody else run, this gives the function and the line that it is in (on Linux). The calls that
//! led there take the feature `probe`, as frame pointers, by which they could be followed, are usually not there; and so
//! do functions that were inlined.

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod elf;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod lines;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod modules;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod probe;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
#[path = "traceback/no_probe.rs"]
mod probe;
mod raw;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod running;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod symbols;
#[cfg(test)]
mod tests;
mod text;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod unwind;

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::OnceLock;
use std::task::{Context as TaskContext, Poll, ready};

use crate::context::{self, Context};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::state::State;
use crate::traps::{WaitList, Waiting, poll_budget};
use crate::waits::Label;

#[allow(unused_imports)] // for the monitor
pub(crate) use probe::Probe;
pub(crate) use raw::{Raw, Recorder, Recording, Subject, outermost};

/// What of a traceback is shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    all: bool,
}

impl Options {
    /// Also the frames of the standard library and of this one.
    ///
    /// ```
    /// let all = curio::traceback::Options::default().all_frames(true);
    /// ```
    pub fn all_frames(mut self, all: bool) -> Options {
        self.all = all;
        self
    }
}

/// The calls in which a task is (Python Curio: what `Task.traceback` gives).
///
/// It is shown as Python shows it: a line for the task, then each call, the most recent last. Frames of the standard
/// library and of this one are left out; `{:#}` shows them too. It may be sent to another thread and shown there; looking
/// up the first one takes a tenth of a second.
///
/// ```
/// use curio::{run, sleep, spawn, yield_now};
/// use std::time::Duration;
///
/// async fn kid() -> curio::Result<()> {
///     sleep(Duration::from_secs(1000)).await
/// }
///
/// run(async {
///     let kid = spawn(kid());
///     yield_now().await?;
///     let traceback = kid.traceback().await?;
///     println!("{traceback}");
///     // Stack for Task(id=4, name='kid', state='TIME_SLEEP') (most recent call last):
///     //   File "src/main.rs", line 5, in kid
///     //     sleep(Duration::from_secs(1000)).await
///     assert_eq!(traceback.stacks().len(), 1);
///     Ok(())
/// })
/// .unwrap();
/// ```
pub struct Traceback {
    raw: Raw,
    options: Options,
    stacks: OnceLock<Vec<Stack>>,
}

/// One of the things for which a task waits, and the calls that lead there.
#[derive(Debug, Clone)]
pub struct Stack {
    label: Option<Label>,
    place: Option<&'static Location<'static>>,
    frames: Vec<Frame>,
}

/// A call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    function: String,
    file: Option<String>,
    line: Option<u32>,
    hidden: bool,
}

impl Traceback {
    fn new(raw: Raw, options: Options) -> Traceback {
        Traceback {
            raw,
            options,
            stacks: OnceLock::new(),
        }
    }

    /// The number of the task.
    ///
    /// ```
    /// curio::run(async {
    ///     let me = curio::current_task();
    ///     assert_eq!(me.traceback().await?.id(), me.id());
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn id(&self) -> u64 {
        self.raw.subject.id
    }

    /// Its name.
    ///
    /// ```
    /// async fn kid() -> curio::Result<()> {
    ///     assert_eq!(curio::current_task().traceback().await?.name(), "kid");
    ///     Ok(())
    /// }
    /// curio::run(kid()).unwrap();
    /// ```
    pub fn name(&self) -> &str {
        self.raw.subject.name.as_str()
    }

    /// What it was doing.
    ///
    /// ```
    /// curio::run(async {
    ///     let traceback = curio::current_task().traceback().await?;
    ///     assert_eq!(traceback.state(), curio::State::Running);
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn state(&self) -> State {
        self.raw.subject.state
    }

    /// One stack for each thing that the task waits for. A task that runs has one; one that is ready and not running,
    /// or waits for a future that cannot be seen, may have none.
    ///
    /// ```
    /// curio::run(async {
    ///     let traceback = curio::current_task().traceback().await?;
    ///     assert_eq!(traceback.stacks().len(), 1);
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn stacks(&self) -> &[Stack] {
        self.stacks.get_or_init(|| self.raw.stacks())
    }
}

impl Stack {
    /// What the operation waits for. None if the task was running.
    ///
    /// ```
    /// curio::run(async {
    ///     let traceback = curio::current_task().traceback().await?;
    ///     assert!(traceback.stacks()[0].label().is_none());
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn label(&self) -> Option<Label> {
        self.label
    }

    /// Where the operation was made: this is known without debug information, too. None for a future that is not the
    /// library's.
    ///
    /// ```
    /// curio::run(async {
    ///     let traceback = curio::current_task().traceback().await?;
    ///     assert!(traceback.stacks()[0].place().is_some());
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn place(&self) -> Option<&'static Location<'static>> {
        self.place
    }

    /// The calls, the most recent last; also those that are usually not shown.
    ///
    /// ```
    /// curio::run(async {
    ///     let traceback = curio::current_task().traceback().await?;
    ///     assert!(!traceback.stacks()[0].frames().is_empty());
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// Of a thread that was interrupted.
    fn is_sampled(&self) -> bool {
        self.label.is_none() && self.place.is_none()
    }

    fn visible(&self) -> impl Iterator<Item = &Frame> {
        self.frames.iter().filter(|frame| !frame.hidden)
    }
}

impl Frame {
    /// The function, with its path: `shop::serve`.
    ///
    /// ```
    /// curio::run(async {
    ///     let traceback = curio::current_task().traceback().await?;
    ///     traceback.stacks()[0].frames().iter().for_each(|frame| println!("{}", frame.function()));
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn function(&self) -> &str {
        &self.function
    }

    /// The file, if there is debug information.
    ///
    /// ```
    /// curio::run(async {
    ///     let traceback = curio::current_task().traceback().await?;
    ///     traceback.stacks()[0].frames().iter().for_each(|frame| println!("{:?}", frame.file()));
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// The line, if there is debug information.
    ///
    /// ```
    /// curio::run(async {
    ///     let traceback = curio::current_task().traceback().await?;
    ///     traceback.stacks()[0].frames().iter().for_each(|frame| println!("{:?}", frame.line()));
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn line(&self) -> Option<u32> {
        self.line
    }

    /// Whether it is the standard library's or this one's, and so usually not shown.
    ///
    /// ```
    /// curio::run(async {
    ///     let traceback = curio::current_task().traceback().await?;
    ///     assert!(traceback.stacks()[0].frames().iter().any(|frame| !frame.is_hidden()));
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn is_hidden(&self) -> bool {
        self.hidden
    }
}

impl Raw {
    /// Makes it readable, on any thread: what is left to look up is looked up here.
    #[allow(dead_code)] // for who shows it in another thread
    pub(crate) fn resolve(self, options: Options) -> Traceback {
        let traceback = Traceback::new(self, options);
        traceback.stacks();
        traceback
    }
}

impl fmt::Debug for Traceback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traceback")
            .field("task", &format_args!("{}", self.raw.subject))
            .field("stacks", &self.stacks())
            .finish()
    }
}

impl fmt::Display for Traceback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::write(
            f,
            &self.raw.subject,
            self.stacks(),
            self.options.all || f.alternate(),
        )
    }
}

/// Who is asked for, and what is done with the answer.
pub(crate) struct Request {
    pub(crate) task: u64,
    pub(crate) reply: Box<dyn FnOnce(Option<Raw>)>,
}

/// Asks for the traceback of a task. In the kernel's thread, at any time: it is taken as soon as no task runs, and before
/// the kernel goes to sleep. `reply` is called between two runs; None if there is no such task. It must not wait.
pub(crate) fn request(context: &Context, task: u64, reply: impl FnOnce(Option<Raw>) + 'static) {
    let reply = Box::new(reply);
    context.recorder.ask(Request { task, reply });
}

/// The operation of [`Task::traceback`](crate::Task::traceback) and [`TaskRef::traceback`](crate::TaskRef::traceback).
#[must_use = "it does nothing unless it is awaited"]
pub struct TakeTraceback<'a> {
    context: &'a Weak<Context>,
    key: Key,
    id: u64,
    /// For a task that has ended.
    name: &'a str,
    answer: Option<Rc<Answer>>,
    waiting: Waiting,
    place: &'static Location<'static>,
}

struct Answer {
    /// The outer option: whether it has come.
    raw: Cell<Option<Option<Raw>>>,
    come: WaitList,
}

impl<'a> TakeTraceback<'a> {
    pub(crate) fn new(
        context: &'a Weak<Context>,
        key: Key,
        id: u64,
        name: &'a str,
        place: &'static Location<'static>,
    ) -> TakeTraceback<'a> {
        TakeTraceback {
            context,
            key,
            id,
            name,
            answer: None,
            waiting: Waiting::new(),
            place,
        }
    }

    /// The task that runs is the one that asks: its stack is here.
    fn own(&self, context: &Context) -> Traceback {
        let subject = Subject::of(context, self.key).unwrap_or_else(|| Subject::ended(self.id, self.name));
        Traceback::new(Raw::here(subject, self.place), Options::default())
    }

    fn ask(&self, context: &Context) -> Rc<Answer> {
        let answer = Rc::new(Answer {
            raw: Cell::new(None),
            come: WaitList::new(),
        });
        let to = answer.clone();
        request(context, self.id, move |raw| {
            to.raw.set(Some(raw));
            to.come.notify_all();
        });
        answer
    }
}

impl Future for TakeTraceback<'_> {
    type Output = Result<Traceback>;

    #[inline(never)]
    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<Traceback>> {
        let this = self.get_mut();
        if let Some(answer) = &this.answer
            && let Some(raw) = answer.raw.take()
        {
            this.waiting.complete();
            let raw = raw.unwrap_or_else(|| Raw::ended(this.id, this.name));
            return Poll::Ready(Ok(Traceback::new(raw, Options::default())));
        }
        if this.answer.is_none() {
            // Its own, or an error, is there at once.
            ready!(poll_budget(cx));
            let asked = context::with_task(|context, _| {
                if this.context.upgrade().is_none_or(|home| home.id != context.id) {
                    return Err(Error::NoKernel);
                }
                if context.task.get() == Some(this.key) {
                    return Ok(Some(this.own(context)));
                }
                this.answer = Some(this.ask(context));
                Ok(None)
            });
            match asked {
                Ok(None) => {}
                Ok(Some(traceback)) => return Poll::Ready(Ok(traceback)),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        const TRACEBACK: Label = Label::new(&"TRACEBACK");
        let Some(answer) = &this.answer else {
            return Poll::Pending;
        };
        match this.waiting.wait_on(&answer.come, cx, TRACEBACK, this.place) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl fmt::Debug for TakeTraceback<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TakeTraceback")
            .field("task", &self.id)
            .field("waiting", &self.waiting)
            .finish_non_exhaustive()
    }
}
