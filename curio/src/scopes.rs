//! Scopes: the tree of what can be interrupted.
//!
//! Every task has a *task* scope at its root, the target of `Task::cancel`. Each `timeout_after` opens a *timeout* scope
//! and each `disable_cancellation` a *shield* below the scope it is polled in. They form a tree and not a stack, because
//! one task may hold several branches at once: `join!(timeout_after(5, a), timeout_after(3, b))`.
//!
//! This file is the tree itself. What is delivered to whom is decided in `interrupt`.
//!
//! S1. A scope exists from the first time that something really waits inside it (a shield: from its first poll) until it
//!     is closed. The task scope exists from the first moment that it has a child or is cancelled (but see S4).
//! S2. A scope's parent outlives it: when a scope is closed early, its children and waits move up to the parent.
//! S3. `hot` of a task is the number of its scopes that are due or were delivered. At zero nobody looks at scopes at all.
//! S4. A cancellation that finds a task without a task scope is only noted in the task's entry: as due, and when it has been
//!     delivered, as that. The scope is made when anybody asks for more than nearly always, and if the task goes on, at the
//!     end of that run at the latest. Until then nobody else is interrupted, so the epoch of the delivery is the present one.

use crate::key::{Key, NONE};
use crate::pool::Pool;
use crate::timers::TimerKey;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Task,
    Timeout,
    Shield,
}

pub(crate) struct Scope {
    pub(crate) kind: Kind,
    /// An interruption was asked for and nobody has taken it yet.
    pub(crate) due: bool,
    /// The deadline is known.
    pub(crate) armed: bool,
    /// A delivery further out has unwound through here: the deadline no longer counts.
    pub(crate) disarmed: bool,
    /// How many runs in a row the boundary has only looked on while its future yielded.
    pub(crate) rounds: u8,
    pub(crate) task: u32,
    pub(crate) parent: u32,
    pub(crate) first_child: u32,
    pub(crate) next: u32,
    pub(crate) prev: u32,
    /// The operations that wait directly below this scope.
    pub(crate) first_wait: u32,
    pub(crate) timer: Option<TimerKey>,
    /// The epoch in which the scope was opened.
    pub(crate) opened: u64,
    /// The epoch of the last delivery; 0: none.
    pub(crate) delivered: u64,
    /// Since which epoch the boundary waits for a foreign future, with no operation below; 0: it does not.
    pub(crate) foreign_since: u64,
    /// The outer timeout whose interruption was taken inside this scope.
    pub(crate) passed: Option<Key>,
}

impl Scope {
    #[inline]
    fn new(task: u32, parent: u32, kind: Kind, epoch: u64) -> Scope {
        Scope {
            kind,
            due: false,
            armed: false,
            disarmed: false,
            rounds: 0,
            task,
            parent,
            first_child: NONE,
            next: NONE,
            prev: NONE,
            first_wait: NONE,
            timer: None,
            opened: epoch,
            delivered: 0,
            foreign_since: 0,
            passed: None,
        }
    }

    /// Whether the task must look at its scopes because of this one (S3).
    pub(crate) fn is_hot(&self) -> bool {
        self.due || self.delivered != 0
    }
}

impl Default for Scope {
    fn default() -> Scope {
        Scope::new(NONE, NONE, Kind::Task, 0)
    }
}

/// All scopes of all tasks.
pub(crate) struct Scopes(Pool<Scope>);

impl Scopes {
    pub(crate) fn new(kernel: Key) -> Scopes {
        Scopes(Pool::new(kernel))
    }

    #[inline]
    pub(crate) fn get(&self, index: u32) -> &Scope {
        self.0.get(index)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: u32) -> &mut Scope {
        self.0.get_mut(index)
    }

    /// The place of the scope, if it is still open.
    #[inline]
    pub(crate) fn find(&self, scope: Key) -> Option<u32> {
        self.0.find(scope)
    }

    /// The key of an open scope.
    #[inline]
    pub(crate) fn key(&self, index: u32) -> Option<Key> {
        self.0.key(index)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    pub(crate) fn open(&mut self, task: u32, parent: u32, kind: Kind, epoch: u64) -> u32 {
        let (key, scope) = self.0.claim_mut();
        let index = key.index();
        *scope = Scope::new(task, parent, kind, epoch);
        if parent != NONE {
            self.adopt(index, parent);
        }
        index
    }

    /// Takes a scope out of the tree. It has no children and no waits any more.
    #[inline]
    pub(crate) fn remove(&mut self, index: u32) {
        self.unlink(index);
        self.0.release(index);
    }

    /// Gives a scope another parent.
    pub(crate) fn reparent(&mut self, index: u32, parent: u32) {
        self.unlink(index);
        self.adopt(index, parent);
    }

    fn unlink(&mut self, index: u32) {
        let &Scope {
            parent, next, prev, ..
        } = self.get(index);
        if prev != NONE {
            self.get_mut(prev).next = next;
        } else if parent != NONE {
            self.get_mut(parent).first_child = next;
        }
        if next != NONE {
            self.get_mut(next).prev = prev;
        }
    }

    /// Hands the children of a scope to its parent (S2).
    pub(crate) fn adopt_children(&mut self, index: u32) {
        let Scope {
            parent,
            first_child: mut child,
            ..
        } = *self.get(index);
        while child != NONE {
            let next = self.get(child).next;
            self.adopt(child, parent);
            child = next;
        }
        self.get_mut(index).first_child = NONE;
    }

    fn adopt(&mut self, child: u32, parent: u32) {
        let next = match parent {
            NONE => NONE,
            parent => std::mem::replace(&mut self.get_mut(parent).first_child, child),
        };
        if next != NONE {
            self.get_mut(next).prev = child;
        }
        let scope = self.get_mut(child);
        scope.parent = parent;
        scope.next = next;
        scope.prev = NONE;
    }
}
