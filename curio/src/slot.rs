//! A value that one thread makes and another waits for.
//!
//! ```text
//!                    put                       poll
//!  Empty(waker) ------------> Full(value) -------------> Left
//!     |     | close                            poll        ^
//!     |     +---------------> Broken ----------------------+
//!     | leave                                              |
//!     +----------------------------------------------------+
//! ```
//!
//! L1. Who waits leaves once, by taking the value or without it. A value that comes after that goes back to its maker.
//! L2. No waker is cloned, called or dropped, and no value dropped, under the lock.

use std::task::{Context as TaskContext, Poll, Waker};

use crate::contain::contain;
use crate::remote::Shared;

pub(crate) struct Slot<T>(Shared<Stage<T>>);

enum Stage<T> {
    Empty {
        waker: Option<Waker>,
        /// The value is for later; its maker need not hurry back.
        detached: bool,
    },
    Full(T),
    /// The maker has gone without a value.
    Broken,
    Left,
}

impl<T> Put<T> {
    /// Wakes whoever waits. Gives the value back that nobody wants.
    pub(crate) fn wake(self) -> Option<T> {
        match self {
            Put::Awaited(waker) | Put::Detached(waker) => {
                if let Some(waker) = waker {
                    contain(|| waker.wake());
                }
                None
            }
            Put::Refused(value) => Some(value),
        }
    }
}

/// What has become of a value.
pub(crate) enum Put<T> {
    /// It is there. Whoever waits is to be woken, by the caller, when that likes.
    Awaited(Option<Waker>),
    Detached(Option<Waker>),
    /// Nobody waits for it any more (L1).
    Refused(T),
}

enum Look<T> {
    Done(Option<T>),
    Known,
    Unknown,
}

impl<T> Slot<T> {
    pub(crate) fn new() -> Slot<T> {
        Slot(Shared::new(Stage::Empty {
            waker: None,
            detached: false,
        }))
    }

    /// The one who waits is not woken by this.
    pub(crate) fn put(&self, value: T) -> Put<T> {
        self.0.with(|stage, _| {
            if let Stage::Empty { waker, detached } = stage {
                let (waker, detached) = (waker.take(), *detached);
                *stage = Stage::Full(value);
                return match detached {
                    false => Put::Awaited(waker),
                    true => Put::Detached(waker),
                };
            }
            Put::Refused(value)
        })
    }

    /// There will be no value.
    pub(crate) fn close(&self) {
        self.0.with(|stage, wakes| {
            if let Stage::Empty { waker, .. } = stage {
                if let Some(waker) = waker.take() {
                    wakes.add(waker);
                }
                *stage = Stage::Broken;
            }
        });
    }

    /// Takes the value if it has come; None if none will. If neither, the task is woken when that changes.
    pub(crate) fn poll(&self, cx: &TaskContext<'_>) -> Poll<Option<T>> {
        let mut spare: Option<Waker> = None;
        loop {
            let look = self.0.with(|stage, _| {
                if let Stage::Empty { waker, .. } = stage {
                    match waker {
                        Some(waker) if waker.will_wake(cx.waker()) => return Look::Known,
                        waker => match spare.take() {
                            Some(new) => spare = waker.replace(new),
                            None => return Look::Unknown,
                        },
                    }
                    return Look::Known;
                }
                match std::mem::replace(stage, Stage::Left) {
                    Stage::Full(value) => Look::Done(Some(value)),
                    _ => Look::Done(None),
                }
            });
            match look {
                Look::Done(value) => return Poll::Ready(value),
                Look::Known => return Poll::Pending,
                // Cloning a waker is user code, so the lock was released; now look again (L2).
                Look::Unknown => spare = Some(cx.waker().clone()),
            }
        }
    }

    /// Nobody waits any more. True if the maker is still at work.
    pub(crate) fn leave(&self) -> bool {
        let left = self.0.with(|stage, _| std::mem::replace(stage, Stage::Left));
        matches!(left, Stage::Empty { detached: false, .. })
    }

    /// The value is for later. True if the maker is still at work, and was awaited.
    pub(crate) fn detach(&self) -> bool {
        self.0.with(|stage, _| match stage {
            Stage::Empty { detached, .. } => !std::mem::replace(detached, true),
            _ => false,
        })
    }
}
