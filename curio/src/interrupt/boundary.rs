//! Boundaries (D6): what a timeout or a task does whose future is pending while no operation waits below it.

use crate::error::Error;
use crate::key::NONE;
use crate::scopes::Kind;
use crate::tables::Tables;

/// How often a boundary lets a future go on that only yields.
const MAX_ROUNDS: u8 = 64;

impl Tables {
    /// What the boundary of a timeout does when its future is pending (D6), and whether it waits for a foreign future.
    /// `own` is the boundary's own node, if it has one.
    #[inline]
    pub(crate) fn timeout_boundary(&mut self, index: u32, own: u32) -> (Option<Error>, bool) {
        let epoch = self.epoch;
        let scope = self.scopes.get_mut(index);
        let alone = scope.first_child == NONE && scope.first_wait == NONE;
        if !alone && self.is_occupied(index, own) {
            let scope = self.scopes.get_mut(index);
            scope.foreign_since = 0;
            let task = scope.task;
            let neglected = self.slot(task).hot != 0;
            return (
                if neglected {
                    self.neglected(task, index)
                } else {
                    None
                },
                false,
            );
        }
        let scope = self.scopes.get_mut(index);
        let (task, since) = (scope.task, scope.foreign_since);
        if since == 0 {
            scope.foreign_since = epoch;
        }
        if self.slot(task).hot == 0 {
            return (None, true);
        }
        (
            self.foreign_interruption(task, index, (since != 0).then_some(since)),
            true,
        )
    }

    #[cold]
    fn foreign_interruption(&mut self, task: u32, index: u32, started: Option<u64>) -> Option<Error> {
        let target = self.due_for(task, index, started)?;
        self.has_waited(task, index).then(|| self.take(index, target))
    }

    /// The same for the task itself; only for a hot task.
    pub(crate) fn task_boundary(&mut self, task: u32) -> Option<Error> {
        let root = self.known_root(task);
        if root == NONE {
            return None;
        }
        if self.waits_directly(task, NONE) || self.is_occupied(root, NONE) {
            return self.neglected(task, root);
        }
        let target = self.due_for(task, NONE, None)?;
        self.has_waited(task, root).then(|| self.take(NONE, target))
    }

    /// Operations wait below the boundary, and something is due all the same: they were woken, and any that was polled would
    /// have taken it. So the future keeps them for later and waits for something else, as if they were not there. Not
    /// while a shield is open below: what is behind it is not asked.
    #[cold]
    fn neglected(&mut self, task: u32, boundary: u32) -> Option<Error> {
        let mut target = None;
        let mut at = boundary;
        while at != NONE && self.scopes.get(at).kind != Kind::Shield {
            let scope = self.scopes.get(at);
            if scope.due {
                target = Some(at);
            }
            at = scope.parent;
        }
        let target = target?;
        // Asked last, because it looks at all that is open inside.
        if self.has_shield(boundary) {
            return None;
        }
        let below = if self.scopes.get(boundary).kind == Kind::Task {
            NONE
        } else {
            boundary
        };
        self.has_waited(task, boundary).then(|| self.take(below, target))
    }

    fn has_shield(&self, top: u32) -> bool {
        let mut child = self.scopes.get(top).first_child;
        while child != NONE {
            let scope = self.scopes.get(child);
            if scope.kind == Kind::Shield || self.has_shield(child) {
                return true;
            }
            child = scope.next;
        }
        false
    }

    /// Whether the boundary has looked on long enough: its future really waits, or has yielded too often.
    fn has_waited(&mut self, task: u32, boundary: u32) -> bool {
        let queued = self.slot(task).is_queued();
        let scope = self.scopes.get_mut(boundary);
        let act = !queued || scope.rounds >= MAX_ROUNDS;
        scope.rounds = if act { 0 } else { scope.rounds + 1 };
        act
    }

    /// Whether an operation waits, or a shield is open, in this place (NONE: anywhere in the task). `own` does not count.
    pub(crate) fn is_waited_below(&self, task: u32, scope: u32, own: u32) -> bool {
        if scope != NONE {
            return self.is_occupied(scope, own);
        }
        let root = self.waits.entry(task).scope();
        self.waits_directly(task, own) || root.is_some_and(|root| self.is_occupied(root, NONE))
    }

    /// Whether an operation waits directly below the task. `own` does not count.
    fn waits_directly(&self, task: u32, own: u32) -> bool {
        let entry = self.waits.entry(task);
        let first = entry.first_wait;
        first != NONE && (first != own || self.waits.get(first).next != NONE)
            || !entry.wait.is_idle() && !entry.wait.is_linked(task) && own != task
    }

    /// Whether an operation waits, or a shield is open, below the scope. `own` does not count.
    fn is_occupied(&self, index: u32, own: u32) -> bool {
        let scope = self.scopes.get(index);
        let first = scope.first_wait;
        if first != NONE && (first != own || self.waits.get(first).next != NONE) {
            return true;
        }
        let mut child = scope.first_child;
        while child != NONE {
            let scope = self.scopes.get(child);
            if scope.kind == Kind::Shield || scope.foreign_since != 0 || self.is_occupied(child, NONE) {
                return true;
            }
            child = scope.next;
        }
        false
    }
}
