//! What is recorded: addresses and places, to be read later and elsewhere.

use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt;
use std::hint::black_box;
use std::panic::Location;

use super::{Frame, Request, Stack, text};
use crate::context::Context;
use crate::key::Key;
use crate::name::{Name, clean};
use crate::state::State;
use crate::tables::Tables;
use crate::waits::Label;

/// How many stacks are recorded of one task. Of what else it waits for there are the places.
const MAX_STACKS: usize = 1_000;

/// The task that a traceback is of.
pub(crate) struct Subject {
    pub(crate) id: u64,
    pub(crate) name: Name,
    pub(crate) state: State,
}

impl Subject {
    pub(crate) fn of(context: &Context, task: Key) -> Option<Subject> {
        let state = context.state(task);
        let tables = context.tables.borrow();
        let slot = tables.slot(tables.find_task(task)?);
        Some(Subject {
            id: slot.id(),
            name: tables.name(slot),
            state,
        })
    }

    pub(super) fn ended(id: u64, name: &str) -> Subject {
        Subject {
            id,
            name: Name::Given(name.into()),
            state: State::Terminated,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Subject { id, name, state } = self;
        if *id == 0 {
            // It was sampled, and nobody has said which it is.
            return f.write_str("the task that runs");
        }
        // A line stays a line.
        let name = clean(name.as_str());
        write!(f, "Task(id={id}, name='{name}', state='{state}')")
    }
}

/// A traceback whose names and lines were not looked up yet.
pub(crate) struct Raw {
    pub(crate) subject: Subject,
    leaves: Vec<Leaf>,
}

/// The innermost point of a stack.
struct Leaf {
    label: Option<Label>,
    place: Option<&'static Location<'static>>,
    frames: Frames,
    kind: Kind,
}

enum Frames {
    /// The operation was not polled: there is only its place.
    Unknown,
    Recorded(Backtrace),
    /// Of a thread that was interrupted, perhaps several times.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    Sampled(Vec<Vec<u64>>),
}

impl Frames {
    fn here() -> Frames {
        Frames::Recorded(Backtrace::force_capture())
    }

    fn resolve(&self) -> Vec<Frame> {
        match self {
            Frames::Unknown => Vec::new(),
            Frames::Recorded(backtrace) => text::frames(backtrace),
            Frames::Sampled(samples) => super::probe::frames(samples),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An operation that was polled with the task's own waker.
    Direct,
    /// One that was polled with the waker of a combinator.
    Below,
    /// Somebody who has made a copy of the waker: a foreign future, or a combinator for its children.
    Copied,
}

impl Raw {
    pub(super) fn ended(id: u64, name: &str) -> Raw {
        Raw {
            subject: Subject::ended(id, name),
            leaves: Vec::new(),
        }
    }

    /// The stack of a thread that was interrupted. Which task it runs is for the caller to know.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    pub(super) fn sampled(samples: Vec<Vec<u64>>) -> Raw {
        let leaf = Leaf {
            label: None,
            place: None,
            frames: Frames::Sampled(samples),
            kind: Kind::Direct,
        };
        Raw {
            subject: Subject {
                id: 0,
                name: Name::OfType("?"),
                state: State::Running,
            },
            leaves: vec![leaf],
        }
    }

    /// Says of which task it is, if it was sampled.
    #[allow(dead_code)] // for the monitor
    pub(crate) fn about(mut self, id: u64, name: &str) -> Raw {
        (self.subject.id, self.subject.name) = (id, Name::Given(name.into()));
        self
    }

    /// The stack of the task that runs and asks for its own.
    #[inline(never)]
    pub(super) fn here(subject: Subject, place: &'static Location<'static>) -> Raw {
        let leaf = Leaf {
            label: None,
            place: Some(place),
            frames: Frames::here(),
            kind: Kind::Direct,
        };
        Raw {
            subject,
            leaves: vec![leaf],
        }
    }

    /// From what was recorded while the task was polled, and the operations that wait in it: those that were not polled
    /// are there with their places.
    pub(crate) fn new(subject: Subject, recorded: Recording, waits: &[u32], tables: &Tables) -> Raw {
        let seen: HashSet<u32> = recorded.0.iter().filter_map(|capture| capture.wait).collect();
        let unseen = waits.iter().filter(|wait| !seen.contains(wait)).map(|&wait| {
            let wait = tables.waits.get(wait);
            Leaf {
                label: Some(wait.label),
                place: Some(wait.place),
                frames: Frames::Unknown,
                kind: Kind::Direct,
            }
        });
        let mut leaves: Vec<_> = unseen.collect();
        leaves.extend(recorded.0.into_iter().map(|capture| capture.leaf));
        Raw { subject, leaves }
    }

    /// Looks the names and lines up.
    pub(super) fn stacks(&self) -> Vec<Stack> {
        let mut all: Vec<(Kind, Stack)> = Vec::new();
        for leaf in &self.leaves {
            let frames = leaf.frames.resolve();
            if leaf.kind == Kind::Copied && text::is_of_this_library(&frames) {
                // One of our own operations, which waits as well.
                continue;
            }
            let stack = Stack {
                label: leaf.label,
                place: leaf.place,
                frames,
            };
            all.push((leaf.kind, stack));
        }
        // Without names, there is only the place to be shown, and a copy has none.
        all.retain(|(kind, stack)| *kind != Kind::Copied || stack.visible().next().is_some());
        let is_needed = |at: usize| {
            let (kind, stack) = &all[at];
            let mut others = all
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != at)
                .map(|(_, other)| other);
            match kind {
                // By a combinator, for children whose stacks go on from there; or twice by the same future.
                Kind::Copied => {
                    let twice = all[..at].iter().any(|(_, other)| other.frames == stack.frames);
                    !twice && !others.any(|(kind, other)| *kind == Kind::Below && stack.leads_to(other))
                }
                // `interruptible` and its kind, whose future is seen as well.
                _ if stack.label == Some(Label::FOREIGN_WAIT) && stack.visible().next().is_some() => {
                    !others.any(|(kind, other)| *kind == Kind::Copied && stack.leads_to(other))
                }
                _ => true,
            }
        };
        let needed: Vec<_> = (0..all.len()).map(is_needed).collect();
        let stacks = all.into_iter().zip(needed);
        stacks
            .filter(|(_, needed)| *needed)
            .map(|((_, stack), _)| stack)
            .collect()
    }
}

impl Stack {
    /// Whether the other one goes on from here, or ends here, as far as is shown.
    fn leads_to(&self, other: &Stack) -> bool {
        let mut below = other.visible();
        self.visible().all(|frame| below.next() == Some(frame))
    }
}

impl Frame {
    pub(super) fn new(function: String, file: Option<String>, line: Option<u32>, hidden: bool) -> Frame {
        Frame {
            function,
            file,
            line,
            hidden,
        }
    }
}

/// What was seen in one poll.
#[derive(Default)]
pub(crate) struct Recording(Vec<Capture>);

struct Capture {
    /// The node of the operation.
    wait: Option<u32>,
    leaf: Leaf,
}

/// Where the requests of a kernel and the stacks of the task that is run out of turn come together.
#[derive(Default)]
pub(crate) struct Recorder {
    on: Cell<bool>,
    captures: RefCell<Vec<Capture>>,
    asked: Cell<bool>,
    requests: RefCell<Vec<Request>>,
}

impl Recorder {
    pub(super) fn ask(&self, request: Request) {
        self.requests.borrow_mut().push(request);
        self.asked.set(true);
    }

    /// Whether somebody waits for a traceback.
    #[inline]
    pub(crate) fn is_asked(&self) -> bool {
        self.asked.get()
    }

    pub(crate) fn take_requests(&self) -> Vec<Request> {
        self.asked.set(false);
        self.requests.take()
    }

    pub(crate) fn start(&self) {
        self.on.set(true);
    }

    pub(crate) fn stop(&self) -> Recording {
        self.on.set(false);
        Recording(self.captures.take())
    }

    /// Whether the task that runs is looked at.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.on.get()
    }

    /// An operation of the task is about to return `Pending`. No borrow is held that is needed here.
    #[cold]
    #[inline(never)]
    pub(crate) fn waits(&self, wait: u32, own: bool, label: Label, place: &'static Location<'static>) {
        let mut captures = self.captures.borrow_mut();
        if captures.len() >= MAX_STACKS || captures.iter().any(|capture| capture.wait == Some(wait)) {
            return;
        }
        captures.push(Capture {
            wait: Some(wait),
            leaf: Leaf {
                label: Some(label),
                place: Some(place),
                frames: Frames::here(),
                kind: if own { Kind::Direct } else { Kind::Below },
            },
        });
    }

    /// Somebody makes a copy of the waker (B4).
    #[cold]
    #[inline(never)]
    pub(crate) fn copied(&self) {
        let mut captures = self.captures.borrow_mut();
        if !self.on.get() || captures.len() >= MAX_STACKS {
            return;
        }
        captures.push(Capture {
            wait: None,
            leaf: Leaf {
                label: Some(Label::FOREIGN_WAIT),
                place: None,
                frames: Frames::here(),
                kind: Kind::Copied,
            },
        });
    }
}

/// The function below which a task is polled that is looked at: stacks are cut off here.
#[inline(never)]
pub(crate) fn outermost<R>(poll: impl FnOnce() -> R) -> R {
    // So that the call of `poll` is not this function's last, which would take its frame away.
    black_box(poll())
}
