//! Task groups against a model: random members, policies, interruptions and cancellations by hand.
//!
//! Each program is run by the kernel, on the virtual clock and in a shuffled order, and computed from the rules by a
//! function that knows no tasks, only times. Nothing happens in two places at the same instant: all lengths are whole
//! seconds and a few nanoseconds, each another power of two, so that no two sums of them are equal.

mod common;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use common::Watchdog;
use curio::{Clock, Error, Kernel, Result, TaskGroup, clock, sleep, spawn, timeout_after};
use proptest::prelude::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    All,
    Any,
    FirstSome,
    Nobody,
}

/// What a member ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Something,
    Nothing,
    Failure,
    Cancelled,
}

#[derive(Debug, Clone, Copy)]
struct Member {
    /// How long it sleeps, and what it gives then.
    sleeps: u64,
    gives: End,
    /// How long it cleans up if it is cancelled, and what it gives then.
    cleans_up: u64,
    then: End,
    /// When somebody cancels it by hand.
    cancelled_at: Option<u64>,
    daemon: bool,
}

#[derive(Debug, Clone)]
struct Program {
    policy: Policy,
    members: Vec<Member>,
    /// How long the body takes, and whether it fails.
    body: u64,
    body_fails: bool,
    /// A timeout around it all.
    limit: Option<u64>,
    seed: u64,
}

/// When, and with what, everybody has ended.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    members: Vec<(Duration, End)>,
    ended: Duration,
    scope: Scope,
    /// The members whose failures the group lists, in order.
    errors: Vec<usize>,
}

#[derive(Debug, PartialEq, Eq)]
enum Scope {
    Fine,
    Body,
    Timeout,
    /// The member that failed first, and the others.
    Failed(usize, Vec<usize>),
}

const MOST: usize = 7;

fn unique(seconds: u64, bit: usize) -> Duration {
    Duration::from_secs(seconds) + Duration::from_nanos(1 << bit)
}

impl Program {
    fn sleeps(&self, n: usize) -> Duration {
        unique(self.members[n].sleeps, n)
    }
    fn cleans_up(&self, n: usize) -> Duration {
        unique(self.members[n].cleans_up, MOST + n)
    }
    fn cancelled_at(&self, n: usize) -> Option<Duration> {
        Some(unique(self.members[n].cancelled_at?, 2 * MOST + n))
    }
    fn body(&self) -> Duration {
        unique(self.body, 3 * MOST)
    }
    fn limit(&self) -> Option<Duration> {
        Some(unique(self.limit?, 3 * MOST + 1))
    }
}

// ---- The rules

fn model(program: &Program) -> Outcome {
    let all = 0..program.members.len();
    // How each member ends if the group does not end before. None: somebody cancels it by hand, so it is out.
    let left_alone: Vec<(Duration, Option<End>)> = all
        .clone()
        .map(|n| match program.cancelled_at(n) {
            Some(at) if at < program.sleeps(n) => (at + program.cleans_up(n), None),
            _ => (program.sleeps(n), Some(program.members[n].gives)),
        })
        .collect();
    // When the policy is satisfied, and by whose failure.
    let mut order: Vec<usize> = all.clone().filter(|n| !program.members[*n].daemon).collect();
    order.sort_by_key(|n| left_alone[*n].0);
    let join = program.body();
    let finisher = order.iter().copied().find(|n| match left_alone[*n].1 {
        None | Some(End::Cancelled) => false,
        Some(End::Failure) => program.policy != Policy::Nobody || left_alone[*n].0 < join,
        Some(End::Something) => matches!(program.policy, Policy::Any | Policy::FirstSome),
        Some(End::Nothing) => program.policy == Policy::Any,
    });
    let last = order.iter().map(|n| left_alone[*n].0).max().unwrap_or(join);
    let satisfied = match (finisher, program.policy) {
        _ if program.body_fails => join,
        (_, Policy::Nobody) => join,
        (Some(n), _) => left_alone[n].0.max(join),
        (None, _) => last.max(join),
    };
    let limit = program.limit().filter(|limit| *limit < satisfied);
    // Who is alive then is cancelled.
    let end = limit.unwrap_or(satisfied);
    let is_loser = |n: usize| match program.cancelled_at(n) {
        Some(at) if at < end => false,
        _ => end < left_alone[n].0,
    };
    let members: Vec<(Duration, End)> = all
        .clone()
        .map(|n| {
            let (at, gives) = left_alone[n];
            if is_loser(n) {
                (end + program.cleans_up(n), program.members[n].then)
            } else {
                (at, gives.unwrap_or(program.members[n].then))
            }
        })
        .collect();
    let ended = members.iter().map(|m| m.0).fold(end, Duration::max);
    let mut errors: Vec<usize> = order
        .into_iter()
        .filter(|n| members[*n].1 == End::Failure && (is_loser(*n) || left_alone[*n].1.is_some()))
        .collect();
    errors.sort_by_key(|n| members[*n].0);
    let failed = finisher.filter(|n| left_alone[*n].1 == Some(End::Failure));
    let scope = match failed {
        _ if limit.is_some() => Scope::Timeout,
        _ if program.body_fails => Scope::Body,
        Some(first) => Scope::Failed(first, errors.iter().copied().filter(|n| *n != first).collect()),
        None => Scope::Fine,
    };
    Outcome {
        members,
        ended,
        scope,
        errors,
    }
}

// ---- The kernel

fn kernel(program: &Program) -> Outcome {
    let kernel = Kernel::builder()
        .clock(Clock::Virtual)
        .seed(program.seed)
        .build()
        .unwrap();
    let outcome = kernel.run(run(program)).unwrap();
    kernel.run_all().unwrap();
    assert_eq!(
        format!("{kernel:?}"),
        "Kernel { tasks: 0, waits: 0, scopes: 0, timers: 0, sockets: 0 }"
    );
    outcome
}

async fn run(program: &Program) -> Result<Outcome> {
    let start = clock();
    let ends = Rc::new(RefCell::new(vec![None; program.members.len()]));
    let g = match program.policy {
        Policy::All => TaskGroup::all(),
        Policy::Any => TaskGroup::any(),
        Policy::FirstSome => TaskGroup::first_some(),
        Policy::Nobody => TaskGroup::none(),
    };
    let mut ids = Vec::new();
    for (n, plan) in program.members.iter().copied().enumerate() {
        let (sleeps, cleans_up, ends) = (program.sleeps(n), program.cleans_up(n), ends.clone());
        let member = async move {
            let slept = sleep(sleeps).await;
            let end = match &slept {
                Ok(()) => plan.gives,
                Err(_) => {
                    sleep(cleans_up).await?;
                    plan.then
                }
            };
            ends.borrow_mut()[n] = Some((clock() - start, end));
            match end {
                End::Something => Ok(Some(n)),
                End::Nothing => Ok(None),
                End::Failure => Err(Error::other("failure")),
                End::Cancelled => Err(slept.unwrap_err()),
            }
        };
        let member = if plan.daemon {
            g.spawn_daemon(member)
        } else {
            g.spawn(member)
        };
        ids.push(member.id());
        if let Some(at) = program.cancelled_at(n) {
            spawn(async move {
                sleep(at).await?;
                member.cancel_nowait();
                Ok(())
            });
        }
    }
    let which = |id: u64| ids.iter().position(|known| *known == id).unwrap();
    let scope = g.scope(async |_| {
        sleep(program.body()).await?;
        if program.body_fails {
            return Err(Error::NoKernel);
        }
        Ok(())
    });
    let scope = match timeout_after(program.limit(), scope).await {
        Ok(()) => Scope::Fine,
        Err(Error::NoKernel) => Scope::Body,
        Err(Error::Timeout(_)) => Scope::Timeout,
        Err(Error::Task(e)) => {
            Scope::Failed(which(e.id()), e.others().iter().map(|e| which(e.id())).collect())
        }
        Err(error) => return Err(error),
    };
    Ok(Outcome {
        members: ends
            .borrow()
            .iter()
            .map(|end| end.expect("somebody is alive"))
            .collect(),
        ended: clock() - start,
        scope,
        errors: g.errors().iter().map(|e| which(e.id())).collect(),
    })
}

// ---- The programs

fn member() -> impl Strategy<Value = Member> {
    let gives = prop_oneof![3 => Just(End::Something), 3 => Just(End::Nothing), 1 => Just(End::Failure)];
    let then = prop_oneof![
        5 => Just(End::Cancelled), 1 => Just(End::Something), 1 => Just(End::Nothing), 1 => Just(End::Failure)
    ];
    let cancelled_at = prop::option::weighted(0.25, 0..8_u64);
    (
        0..8_u64,
        gives,
        0..4_u64,
        then,
        cancelled_at,
        prop::bool::weighted(0.15),
    )
        .prop_map(|(sleeps, gives, cleans_up, then, cancelled_at, daemon)| Member {
            sleeps,
            gives,
            cleans_up,
            then,
            cancelled_at,
            daemon,
        })
}

fn program() -> impl Strategy<Value = Program> {
    let policy = prop_oneof![
        Just(Policy::All),
        Just(Policy::Any),
        Just(Policy::FirstSome),
        Just(Policy::Nobody)
    ];
    (
        policy,
        prop::collection::vec(member(), 0..=MOST),
        0..6_u64,
        prop::bool::weighted(0.15),
        prop::option::weighted(0.4, 0..10_u64),
        any::<u64>(),
    )
        .prop_map(|(policy, members, body, body_fails, limit, seed)| Program {
            policy,
            members,
            body,
            body_fails,
            limit,
            seed,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_groups_do_what_the_rules_say(program in program()) {
        let _guard = Watchdog::start();
        prop_assert_eq!(kernel(&program), model(&program));
    }
}
