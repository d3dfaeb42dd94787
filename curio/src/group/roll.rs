//! Who is in a group, and what the policy makes of it.
//!
//! Plain data: nothing here waits, wakes or runs user code. What is to be done outside of the borrow (members to cancel,
//! values to drop, failures to log) is handed back.
//!
//! ```text
//!            join begins            the policy is satisfied, a failure,           nobody is left,
//!                                   an interruption, an error of the body         and the join saw it
//!   OPEN ──────────────▶ JOINING ─────────────────────────────▶ ENDING ──────────────────▶ CLOSED
//!     ╲                                                            ▲
//!      ╲───────── dropped, an error of the body ───────────────────┘
//! ```
//!
//! | stage   | a new member              | a member that ends                  |
//! |---------|---------------------------|-------------------------------------|
//! | OPEN    | runs                      | is kept for `next_done` and `join`  |
//! | JOINING | runs                      | is judged by the policy             |
//! | ENDING  | is cancelled at once (R3) | is a loser                          |
//! | CLOSED  | is refused                | -                                   |
//!
//! R1. `members` has every task of the group that is alive, and of the others those whose result is still the group's: not
//!     those that were handed out, joined or cancelled by somebody else. Daemons leave it when they end.
//! R2. `ended` and `failed` name members in the order in which they ended. A name in there may be of one that has left
//!     since, or was joined; it is skipped.
//! R3. In stage ENDING every member that is alive has been asked to end.
//! R4. A member that was cancelled, and not by the group, counts for nothing; but as long as it is alive it is waited for.

use std::collections::{BTreeMap, VecDeque};

use super::after_join;
use crate::cell::Header;
use crate::error::{Error, Result, TaskError};
use crate::key::Key;
use crate::task::Task;

/// When a group is finished.
pub(super) enum Policy<T> {
    All,
    Any,
    /// With what tells whether a value is something.
    FirstSome(fn(&T) -> bool),
    Nobody,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Open,
    Joining,
    Ending,
    Closed,
}

pub(super) struct Member<T> {
    task: Task<T>,
    ended: bool,
    /// The group has asked it to end.
    loser: bool,
    /// `cancel_remaining` waits for it.
    doomed: bool,
    /// Its failure was reported.
    told: bool,
}

impl<T> Member<T> {
    fn take(&self) -> Result<T> {
        match self.task.handle().take() {
            Some(result) => result.map_err(Error::Task),
            None => Err(Error::AlreadyJoined),
        }
    }

    fn header(&self) -> &Header {
        self.task.handle().header()
    }

    /// Whether somebody else has taken it out of the group (R4).
    fn is_out(&self) -> bool {
        self.header().is_joined() || self.header().cancelled() && !self.loser
    }

    fn failure(&self) -> Option<TaskError> {
        self.task.handle().inspect(|_| true)?.err()
    }
}

pub(super) struct Roll<T> {
    policy: Policy<T>,
    pub(super) stage: Stage,
    /// By id, which is the order in which they were spawned (R1).
    members: BTreeMap<u64, Member<T>>,
    /// R2.
    ended: VecDeque<u64>,
    failed: VecDeque<u64>,
    /// How many are alive that are not daemons, and how many that are.
    workers: usize,
    daemons: usize,
    /// How many are alive that `cancel_remaining` waits for.
    pub(super) doomed: usize,
    /// Who has satisfied the policy, or failed first.
    pub(super) completed: Option<u64>,
    /// At how many ended members to look for those that were joined.
    sweep_at: usize,
}

/// What follows from the end of a member, to be done outside of the borrow.
#[must_use]
pub(super) struct Ended<T> {
    /// A member that has left the group: its value may be the user's to drop.
    left: Option<Member<T>>,
    /// Members to cancel.
    pub(super) cancel: Vec<Key>,
    /// A failure that nobody waits for.
    pub(super) log: Option<TaskError>,
    /// Those who wait for the group should look again.
    pub(super) wake: bool,
}

impl<T> Roll<T> {
    pub(super) fn new(policy: Policy<T>) -> Roll<T> {
        Roll {
            policy,
            stage: Stage::Open,
            members: BTreeMap::new(),
            ended: VecDeque::new(),
            failed: VecDeque::new(),
            workers: 0,
            daemons: 0,
            doomed: 0,
            completed: None,
            sweep_at: 64,
        }
    }

    pub(super) fn policy(&self) -> &'static str {
        match self.policy {
            Policy::All => "all",
            Policy::Any => "any",
            Policy::FirstSome(_) => "first_some",
            Policy::Nobody => "none",
        }
    }

    /// How many members are alive.
    pub(super) fn alive(&self) -> usize {
        self.workers + self.daemons
    }

    /// How many members are alive that are not daemons.
    pub(super) fn workers(&self) -> usize {
        self.workers
    }

    /// Whether this task is a member and alive.
    pub(super) fn has(&self, id: u64, key: Key) -> bool {
        let member = self.members.get(&id);
        member.is_some_and(|m| !m.ended && m.task.handle().key == key)
    }

    /// Enters a member, which counts as alive. True if it is to be cancelled at once (R3).
    pub(super) fn enter(&mut self, task: Task<T>) -> bool {
        let loser = self.stage == Stage::Ending && !task.cancelled();
        if task.is_daemon() {
            self.daemons += 1;
        } else {
            self.workers += 1;
        }
        let member = Member {
            task,
            ended: false,
            loser,
            doomed: false,
            told: false,
        };
        self.members.insert(member.task.id(), member);
        loser
    }

    /// Takes members out that were joined after they had ended: of those the group does not hear. Now and then, so that
    /// it costs each member little; what comes back is to be dropped outside.
    pub(super) fn sweep(&mut self) -> Vec<Member<T>> {
        let mut left = Vec::new();
        if self.ended.len() >= self.sweep_at {
            let members = &mut self.members;
            self.ended.retain(|id| match members.get(id) {
                Some(member) if member.is_out() => {
                    left.extend(members.remove(id));
                    false
                }
                found => found.is_some(),
            });
            self.failed.retain(|id| members.contains_key(id));
            self.sweep_at = 64 + 2 * self.ended.len();
        }
        left
    }

    /// A member has ended. `awaited`: somebody waits in `next_done`. `known`: its failure has been reported before.
    pub(super) fn end(&mut self, id: u64, awaited: bool, known: bool) -> Ended<T> {
        let mut after = Ended {
            left: None,
            cancel: Vec::new(),
            log: None,
            wake: false,
        };
        let Some(member) = self.members.get_mut(&id) else {
            return after;
        };
        member.ended = true;
        member.told = known;
        let failure = member.failure();
        let cancelled = failure.as_ref().is_some_and(TaskError::cancelled);
        let failure = failure.filter(|_| !cancelled);
        let out = member.is_out() || cancelled && !member.loser;
        let daemon = member.task.is_daemon();
        if daemon {
            self.daemons -= 1;
        } else {
            self.workers -= 1;
        }
        if member.doomed {
            self.doomed -= 1;
            after.wake = self.doomed == 0;
        }
        if out || daemon || member.doomed && failure.is_none() {
            after.log = failure.filter(|_| !known && !member.header().is_joined());
            self.leave(id, &mut after);
        } else {
            let loser = member.loser;
            let at_once = self.stage == Stage::Open && !loser && !awaited && !known;
            if failure.is_some() {
                self.failed.push_back(id);
                member.told |= at_once;
            }
            self.ended.push_back(id);
            let decided = !loser && self.judge(id, failure.is_some());
            if at_once {
                after.log = failure;
            }
            if decided && self.stage == Stage::Joining {
                after.cancel = self.cancel_rest();
                after.wake = true;
            }
        }
        if self.stage == Stage::Joining && self.workers == 0 {
            after.cancel = self.cancel_rest();
            after.wake = true;
        }
        after.wake |= self.stage == Stage::Ending && self.alive() == 0;
        after
    }

    fn leave(&mut self, id: u64, after: &mut Ended<T>) {
        after.left = self.members.remove(&id);
        if let Some(member) = &after.left {
            member.header().set_watched(false);
        }
    }

    /// Whether the end of this member, which is not a loser, finishes the group.
    fn judge(&mut self, id: u64, failed: bool) -> bool {
        if self.stage != Stage::Joining {
            return false;
        }
        let satisfied = match self.policy {
            _ if failed => true,
            Policy::All => {
                self.completed = self.completed.or(Some(id));
                return false;
            }
            Policy::Any => true,
            Policy::FirstSome(is_some) => self.looks(id, is_some),
            Policy::Nobody => false,
        };
        if satisfied {
            self.completed = Some(id);
        }
        satisfied
    }

    fn looks(&self, id: u64, look: fn(&T) -> bool) -> bool {
        let member = self.members.get(&id);
        matches!(member.and_then(|m| m.task.handle().inspect(look)), Some(Ok(true)))
    }

    /// A join begins: the policy looks at those who have ended already. Members to cancel come back.
    pub(super) fn begin(&mut self) -> Vec<Key> {
        if self.stage != Stage::Open {
            return Vec::new();
        }
        self.stage = Stage::Joining;
        let mut decided = matches!(self.policy, Policy::Nobody);
        for at in 0..self.ended.len() {
            let id = self.ended[at];
            if let Some(member) = self.members.get(&id).filter(|m| !m.is_out() && !m.loser) {
                let failed = member.failure().is_some();
                if self.judge(id, failed) {
                    decided = true;
                    break;
                }
            }
        }
        if decided || self.workers == 0 {
            self.cancel_rest()
        } else {
            Vec::new()
        }
    }

    /// Whatever happens now, the group ends: all who are alive are to be cancelled, in the order of spawning (R3).
    pub(super) fn cancel_rest(&mut self) -> Vec<Key> {
        if self.stage != Stage::Closed {
            self.stage = Stage::Ending;
        }
        let mut cancel = Vec::new();
        if self.alive() > 0 {
            for member in self.members.values_mut().filter(|m| !m.ended) {
                if !member.header().cancelled() {
                    member.loser = true;
                    cancel.push(member.task.handle().key);
                }
            }
        }
        cancel
    }

    /// The members that `cancel_remaining` is to cancel; it waits for all that are alive and no daemons.
    pub(super) fn doom(&mut self) -> Vec<Key> {
        let mut cancel = Vec::new();
        let alive = self.members.values_mut().filter(|m| !m.ended);
        for member in alive.filter(|m| !m.task.is_daemon()) {
            if !member.doomed {
                member.doomed = true;
                self.doomed += 1;
            }
            if !member.header().cancelled() {
                member.loser = true;
                cancel.push(member.task.handle().key);
            }
        }
        cancel
    }

    /// Takes out the member that has ended first; and others, to be dropped outside, that were joined meanwhile.
    pub(super) fn next(&mut self) -> (Option<Task<T>>, Vec<Member<T>>) {
        let mut left = Vec::new();
        while let Some(id) = self.ended.pop_front() {
            let Some(member) = self.members.remove(&id) else {
                continue;
            };
            // Both are in the order of ending, so what has left is in front: a group may live long.
            while self
                .failed
                .front()
                .is_some_and(|id| !self.members.contains_key(id))
            {
                self.failed.pop_front();
            }
            member.header().set_watched(false);
            if !member.is_out() {
                return (Some(member.task), left);
            }
            left.push(member);
        }
        (None, left)
    }

    /// Those whose results are the group's, in the order of spawning.
    fn results_of(&self) -> impl Iterator<Item = &Member<T>> {
        let members = self.members.values();
        members.filter(|m| !m.task.is_daemon() && !m.is_out())
    }

    pub(super) fn tasks(&self) -> Vec<&Task<T>> {
        self.results_of().map(|m| &m.task).collect()
    }

    pub(super) fn results(&self) -> Result<Vec<T>> {
        self.joined()?;
        for member in self.results_of() {
            match member.task.handle().inspect(|_| true) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(Error::Task(error)),
                None => return Err(Error::AlreadyJoined),
            }
        }
        let taken = self.results_of().map(Member::take);
        taken.collect()
    }

    pub(super) fn result(&self) -> Result<T> {
        self.joined()?;
        let Some(completed) = self.completed else {
            return Err(Error::other(
                "no task of the group has completed (completed() tells whether one has)",
            ));
        };
        let member = self.members.get(&completed).filter(|m| !m.is_out());
        member.map_or(Err(Error::AlreadyJoined), Member::take)
    }

    fn joined(&self) -> Result<()> {
        match self.stage {
            Stage::Closed => Ok(()),
            _ => Err(Error::other(
                "the task group is not joined yet: its results are known after join, or outside of scope",
            )),
        }
    }

    pub(super) fn completed(&self) -> Option<&Task<T>> {
        Some(&self.members.get(&self.completed?)?.task)
    }

    /// The members that have failed and are still the group's, in the order in which they ended.
    fn failures(&self) -> impl Iterator<Item = (u64, TaskError)> {
        let members = self
            .failed
            .iter()
            .filter_map(|id| Some((*id, self.members.get(id)?)));
        members
            .filter(|(_, member)| !member.header().is_joined())
            .filter_map(|(id, member)| Some((id, member.failure()?)))
    }

    pub(super) fn errors(&self) -> Vec<TaskError> {
        self.failures().map(|(_, error)| error).collect()
    }

    pub(super) fn error(&self) -> Option<TaskError> {
        let mut failures = self.failures();
        failures.find_map(|(id, error)| (Some(id) == self.completed).then_some(error))
    }

    /// What a join gives: the first failure with the others attached.
    pub(super) fn failure(&mut self) -> Option<TaskError> {
        let first = self.error()?;
        let mut others = Vec::new();
        for (id, error) in self.failures() {
            if Some(id) != self.completed {
                others.push(error);
            }
        }
        // They are reported by this.
        drop(self.untold());
        Some(first.with_others(others))
    }

    /// The failures that nobody was told of, for the log.
    pub(super) fn untold(&mut self) -> Vec<TaskError> {
        let mut untold = Vec::new();
        for id in &self.failed {
            if let Some(member) = self.members.get_mut(id)
                && !std::mem::replace(&mut member.told, true)
                && !member.header().is_joined()
            {
                untold.extend(member.failure());
            }
        }
        untold
    }

    /// The group goes: nobody sees to its members' failures any more.
    pub(super) fn release(&mut self) {
        for member in self.members.values() {
            member.header().set_watched(false);
        }
    }

    /// The group will have the members of another kernel now, where the same ids mean others. False, and it stays where it
    /// is, if it has members (G2).
    pub(super) fn move_out(&mut self) -> bool {
        if !self.members.is_empty() {
            return false;
        }
        self.ended.clear();
        self.failed.clear();
        self.completed = None;
        true
    }

    /// A group that was joined is good for nothing any more.
    pub(super) fn check_open(&self) -> Result<()> {
        match self.stage {
            Stage::Closed => Err(after_join()),
            _ => Ok(()),
        }
    }
}
