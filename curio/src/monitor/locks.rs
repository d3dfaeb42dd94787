//! Who waits for whom.
//!
//! For the end of which task a task waits, and who waits in the same line, the tables know. Who *has* a lock, its holder has
//! noted in the lock: a lock that nobody waits for costs no more than that. When somebody begins to wait, the lock tells the
//! scribe of the mirror, which also sees to whom it is handed on. A guard that was given to another task counts as the
//! taker's.
//!
//! The kernel is asked in slices, as with many tasks it would take long, and goes on meanwhile: so one task may be seen to wait
//! for another which had what that one waits for a moment later. Nobody would be harmed by that but for circles. So those who
//! seem to wait in one are asked for once more, all at once: what is called a deadlock is one.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use std::panic::Location;

use super::commands;
use super::connection::Answer;
use super::server::Core;
use super::show as format;
use crate::context::Context;
use crate::mirror::{Holder, SLICE, Silence};
use crate::waits::{Armed, Label};

/// How many lines are shown.
const SHOWN: usize = 200;

/// How many tasks there are in a circle at most: the kernel is kept while they are looked at.
const LONGEST_CIRCLE: usize = 16 * SLICE;

/// A task waits.
struct Edge {
    task: u64,
    /// Its place in the tables.
    index: u32,
    label: Label,
    place: &'static Location<'static>,
    on: On,
    /// It waits for nothing else, and there is no timeout.
    is_only: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    Task(u64),
    /// A line, and who has what it is for.
    Line(u64, Held),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    /// Nobody has it, or nobody knows who.
    Unknown,
    By(u64),
    Permits(Option<usize>),
}

/// What is known so far.
#[derive(Default)]
struct Known {
    edges: Vec<Edge>,
    after: u64,
    /// Those who seemed to wait in a circle, and whether that was looked for.
    suspects: Option<Vec<Vec<(u32, u64)>>>,
    circles: Vec<Circle>,
}

/// Those who wait for each other and for nothing else, and where.
type Circle = Vec<(u64, &'static Location<'static>)>;

/// Asks for all tasks, and then shows what that comes to.
pub(super) fn show() -> Answer {
    let mut known = Known::default();
    Answer {
        more: Some(Box::new(move |core, into| known.learn(core, into))),
        ..Answer::default()
    }
}

impl Known {
    /// Asks for some more. True if there is something else to be asked for.
    fn learn(&mut self, core: &mut Core, into: &mut String) -> bool {
        let asked = match &mut self.suspects {
            None => self.learn_of_some(core),
            Some(suspects) => match suspects.pop() {
                Some(suspects) => self.learn_of_circle(core, suspects),
                None => {
                    self.show(core, into);
                    return false;
                }
            },
        };
        if let Err(why) = asked {
            into.push_str(&commands::silence(core, why));
        }
        asked.is_ok()
    }

    fn learn_of_some(&mut self, core: &mut Core) -> Result<(), Silence> {
        let slice = core.mirror.slice(self.after);
        let Some(last) = slice.last() else {
            let circles = circles(&self.edges).into_iter();
            let circles = circles
                .filter(|circle| circle.len() <= LONGEST_CIRCLE)
                .take(SHOWN);
            let mut suspects: Vec<_> = circles
                .map(|circle| circle.iter().map(|edge| (edge.index, edge.task)).collect())
                .collect();
            // They are taken from the end.
            suspects.reverse();
            self.suspects = Some(suspects);
            return Ok(());
        };
        self.after = last.id;
        let tasks: Vec<(u32, u64)> = slice.iter().map(|task| (task.index, task.id)).collect();
        self.edges.extend(ask(core, tasks)?);
        Ok(())
    }

    fn learn_of_circle(&mut self, core: &mut Core, suspects: Vec<(u32, u64)>) -> Result<(), Silence> {
        let edges = ask(core, suspects)?;
        for circle in circles(&edges) {
            self.circles
                .push(circle.iter().map(|edge| (edge.task, edge.place)).collect());
        }
        Ok(())
    }

    fn show(&self, core: &Core, into: &mut String) {
        let name = |id: u64| match core.mirror.find(id) {
            Some(task) => format!("{id} ({})", format::name(&task)),
            None => format!("{id} (it has ended)"),
        };
        let mut lines = 0;
        let mut in_line: BTreeMap<u64, Vec<&Edge>> = BTreeMap::new();
        for edge in &self.edges {
            match edge.on {
                On::Task(of) => {
                    lines += 1;
                    if lines <= SHOWN {
                        let (task, of) = (name(edge.task), name(of));
                        let _ = writeln!(
                            into,
                            "{task} waits for the end of {of} at {}:{}",
                            edge.place.file(),
                            edge.place.line()
                        );
                    }
                }
                On::Line(line, _) => in_line.entry(line).or_default().push(edge),
            }
        }
        for waiting in in_line.values() {
            lines += 1;
            if lines <= SHOWN {
                let first = waiting[0];
                let who: Vec<String> = waiting.iter().take(5).map(|edge| name(edge.task)).collect();
                let more = match waiting.len() - who.len() {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                let held = match first.on {
                    On::Line(_, Held::By(task)) => format!("; held by {}", name(task)),
                    On::Line(_, Held::Permits(Some(all))) => format!("; all {all} permits are taken"),
                    On::Line(_, Held::Permits(None)) => "; no permit is free".to_string(),
                    _ => String::new(),
                };
                let (label, place) = (first.label.as_str(), first.place);
                let _ = writeln!(
                    into,
                    "{label} at {}:{}: {}{more}{held}",
                    place.file(),
                    place.line(),
                    who.join(", ")
                );
            }
        }
        if lines > SHOWN {
            let _ = writeln!(into, "... and {} more", lines - SHOWN);
        }
        for circle in &self.circles {
            let mut text = "deadlock: ".to_string();
            for &(task, place) in circle {
                let _ = write!(
                    text,
                    "{} waits at {}:{} for ",
                    name(task),
                    place.file(),
                    place.line()
                );
            }
            let _ = writeln!(into, "{text}{}", name(circle[0].0));
        }
        if lines == 0 {
            into.push_str("Nobody waits for anybody.\n");
        }
    }
}

/// Those of the edges that make circles.
fn circles(edges: &[Edge]) -> Vec<Vec<&Edge>> {
    let next: BTreeMap<u64, (u64, &Edge)> = edges
        .iter()
        .filter(|edge| edge.is_only)
        .filter_map(|edge| match edge.on {
            On::Task(of) | On::Line(_, Held::By(of)) => Some((edge.task, (of, edge))),
            On::Line(..) => None,
        })
        .collect();
    let (mut done, mut circles) = (HashSet::new(), Vec::new());
    for &start in next.keys() {
        let (mut path, mut at) = (Vec::new(), start);
        while let Some(&(of, edge)) = next.get(&at)
            && done.insert(at)
        {
            path.push(edge);
            at = of;
        }
        // Back on this very path, and not on one that was followed before.
        if let Some(begin) = path.iter().position(|edge| edge.task == at) {
            circles.push(path.split_off(begin));
        }
    }
    circles
}

/// What these tasks wait for, all at the same moment.
fn ask(core: &mut Core, tasks: Vec<(u32, u64)>) -> Result<Vec<Edge>, Silence> {
    core.ask(move |context, answer| answer.give(edges(context, &tasks)))
}

/// What these tasks wait for, in the kernel's thread.
fn edges(context: &Context, tasks: &[(u32, u64)]) -> Vec<Edge> {
    debug_assert!(tasks.len() <= LONGEST_CIRCLE, "the kernel was kept");
    let tables = context.tables.borrow();
    let mut edges = Vec::new();
    for &(index, id) in tasks {
        if tables.waits.task(index).is_none_or(|slot| slot.id() != id) {
            continue;
        }
        let (waits, _) = tables.belongings(index);
        let is_only = waits.len() == 1 && tables.outlook(index).timeout.is_none();
        for wait in waits {
            let wait = tables.waits.get(wait);
            let on = match wait.armed {
                Armed::Join { task, .. } => On::Task(tables.slot(task).id()),
                Armed::List { list, .. } => {
                    let held = match tables.holder(list) {
                        Some(Holder::Task(Some(key))) => match tables.find_task(key) {
                            Some(task) => Held::By(tables.slot(task).id()),
                            None => Held::Unknown,
                        },
                        Some(Holder::Permits(all)) => Held::Permits(all),
                        _ => Held::Unknown,
                    };
                    On::Line(tables.waits.list_number(list), held)
                }
                _ => continue,
            };
            edges.push(Edge {
                task: id,
                index,
                label: wait.label,
                place: wait.place,
                on,
                is_only,
            });
        }
    }
    edges
}
