//! `tree`: who has spawned whom, and `parents`: the same from below.
//!
//! A task whose parent has ended stands at the left, as nobody knows any more who has spawned that one. Everything is done in
//! pieces: first all tasks are read, a slice at a time, then the lines are written, from the top to the bottom.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::sync::Arc;

use super::{PIECE, job, no_task, text};
use crate::mirror::Entry;
use crate::monitor::connection::Answer;
use crate::monitor::server::Core;
use crate::monitor::show;

/// Deeper than that, nobody sees anything: there, lines begin at the left again.
const WIDEST: usize = 300;

/// What is known so far.
#[derive(Default)]
struct Tree {
    /// No task with a greater id was read yet.
    after: u64,
    known: HashSet<u64>,
    /// By their parents. None: those whom nobody has spawned who is still there.
    children: HashMap<Option<u64>, Vec<Twig>>,
    groups: show::Groups,
    is_read: bool,
    /// What is still to be written; the next one is on top.
    stack: Vec<Line>,
    written: usize,
}

/// A task, and the number of the group that it is in.
struct Twig(Arc<Entry>, Option<u64>);

struct Line {
    twig: Twig,
    /// What stands left of it, and left of its children.
    left: String,
    below: String,
}

pub(super) fn show_tree(limit: usize) -> Answer {
    let mut tree = Tree::default();
    job(
        String::new(),
        Box::new(move |core, into| {
            if tree.is_read {
                return tree.write(core, into, limit);
            }
            tree.read(core);
            true
        }),
    )
}

impl Tree {
    /// Reads some more.
    fn read(&mut self, core: &Core) {
        let slice = core.mirror.slice(self.after);
        let Some(last) = slice.last() else {
            self.is_read = true;
            let roots = self.children.remove(&None).unwrap_or_default();
            self.stack.extend(roots.into_iter().rev().map(|twig| Line {
                twig,
                left: String::new(),
                below: String::new(),
            }));
            return;
        };
        self.after = last.id;
        for entry in slice {
            self.known.insert(entry.id);
            // Whoever has spawned it has a smaller id, and so is known if it is there.
            let parent = entry.parent.filter(|parent| self.known.contains(parent));
            let group = self.groups.number(&entry);
            self.children.entry(parent).or_default().push(Twig(entry, group));
        }
    }

    /// Writes some more. False if that was all.
    fn write(&mut self, core: &Core, into: &mut String, limit: usize) -> bool {
        for _ in 0..PIECE {
            let Some(line) = self.stack.pop() else {
                return false;
            };
            if self.written >= limit {
                let more = self.known.len() - self.written;
                let _ = writeln!(into, "... and {more} more: `tree all` shows them");
                return false;
            }
            self.written += 1;
            let Twig(entry, group) = line.twig;
            let id = entry.id;
            into.push_str(&line.left);
            show::twig(into, &core.mirror.row(entry), group);
            self.grow(id, &line.below);
        }
        true
    }

    /// The children of a task come next.
    fn grow(&mut self, parent: u64, below: &str) {
        let children = self.children.remove(&Some(parent)).unwrap_or_default();
        let count = children.len();
        let lines = children.into_iter().enumerate().map(|(n, twig)| {
            let (branch, bar) = if n + 1 == count {
                ("└─ ", "   ")
            } else {
                ("├─ ", "│  ")
            };
            let left = format!("{below}{branch}");
            let below = match left.chars().count() > WIDEST {
                true => String::new(),
                false => format!("{below}{bar}"),
            };
            Line { twig, left, below }
        });
        self.stack.extend(lines.rev());
    }
}

/// A task, whoever has spawned it, and so on.
pub(super) fn show_parents(core: &Core, id: u64) -> Answer {
    if core.mirror.find(id).is_none() {
        return text(no_task(id));
    }
    let mut at = id;
    job(
        String::new(),
        Box::new(move |core, into| {
            for _ in 0..PIECE {
                let Some(entry) = core.mirror.find(at) else {
                    // It has ended, and so nobody knows who has spawned it.
                    show::parent(into, at, "TERMINATED", "");
                    return false;
                };
                let row = core.mirror.row(entry);
                show::parent(into, at, row.state, &show::name(&row.entry));
                let Some(parent) = row.entry.parent else {
                    return false;
                };
                at = parent;
            }
            true
        }),
    )
}
