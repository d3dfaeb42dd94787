//! `ps`: the table of tasks, for people and for programs.
//!
//! It is read from the mirror a slice at a time, in the order of the ids, and each slice is written before the next is read.
//! So it is no snapshot: a task that ends meanwhile may be missing, and one that is spawned meanwhile comes last.

use super::{SHOWN, job, top};
use crate::json::Line;
use crate::mirror::{Entry, Mirror};
use crate::monitor::connection::{Answer, Job, Session};
use crate::monitor::server::Core;
use crate::monitor::show;

pub(super) fn show_table(core: &Core, session: &mut Session, options: &[&str]) -> Answer {
    let (mut json, mut limit, mut name) = (false, SHOWN, None);
    for option in options {
        match *option {
            "--json" => json = true,
            "all" => limit = usize::MAX,
            "--times" => top::measure(core, session),
            other => name = Some(other.to_string()),
        }
    }
    let matches = move |entry: &Entry| {
        let name = name.as_deref();
        name.is_none_or(|name| entry.name.as_str().contains(name))
    };
    if json {
        return job(String::new(), for_programs(matches));
    }
    let mut head = String::new();
    show::header(&mut head);
    show::own_rows(&mut head, &core.mirror, core.commands, session.is_terminal);
    job(head, for_people(matches, limit))
}

fn for_people(matches: impl Fn(&Entry) -> bool + 'static, limit: usize) -> Job {
    let (mut after, mut shown, mut more) = (0, 0, 0);
    Box::new(move |core, into| {
        let slice = core.mirror.slice(after);
        let Some(last) = slice.last() else {
            if more > 0 {
                into.push_str(&format!(
                    "... and {more} more: `ps all` shows them, `ps NAME` those with such names\n"
                ));
            }
            return false;
        };
        after = last.id;
        for entry in slice.into_iter().filter(|entry| matches(entry)) {
            if shown < limit {
                shown += 1;
                show::row(into, &core.mirror, &core.mirror.row(entry));
            } else {
                more += 1;
            }
        }
        true
    })
}

fn for_programs(matches: impl Fn(&Entry) -> bool + 'static) -> Job {
    let (mut after, mut shown) = (0, 0);
    let mut groups = show::Groups::default();
    Box::new(move |core, into| {
        let slice = core.mirror.slice(after);
        let Some(last) = slice.last() else {
            into.push_str(&about_kernel(&core.mirror).number("shown", shown).end());
            return false;
        };
        after = last.id;
        for entry in slice {
            // Also of those that are not shown: so a group has the same number whoever is asked for.
            let group = groups.number(&entry);
            if matches(&entry) {
                shown += 1;
                let row = core.mirror.row(entry);
                into.push_str(&show::json_row(&core.mirror, &row, group));
            }
        }
        true
    })
}

/// What is said of the kernel wherever programs are told something.
pub(super) fn about_kernel(mirror: &Mirror) -> Line {
    Line::new()
        .text("kernel", "curio")
        .number("tasks", mirror.len() as u64)
        .number("turns", mirror.turns())
        .number("running", mirror.running())
}
