//! `where`: the calls in which a task is.
//!
//! A task that waits is asked for them by its kernel, by running it once more (see `traceback`). One that runs cannot be:
//! its thread is asked by force. And of a kernel that does not answer, there is the place where the task waits, which
//! the mirror has.

use super::{no_task, silence, text};
use crate::mirror::Row;
use crate::monitor::connection::Answer;
use crate::monitor::server::Core;
use crate::monitor::show;
use crate::traceback::{self, Options, Raw};

/// How many characters of a line are shown: names of functions with many types in them are long.
const LONGEST_LINE: usize = 2_000;

pub(super) fn show_where(core: &mut Core, id: u64) -> Answer {
    let Some(entry) = core.mirror.find(id) else {
        return text(no_task(id));
    };
    let row = core.mirror.row(entry);
    let name = row.entry.name.as_str().to_string();
    // One that runs is asked by force. If it is another run meanwhile, the stack may be somebody else's; but then the kernel
    // answers.
    let turns = core.mirror.turns();
    if row.state == "RUNNING"
        && let Some(raw) = core.sample()
        && (core.mirror.running(), core.mirror.turns()) == (Some(id), turns)
    {
        let mut answer = traceback(raw.about(id, &name));
        if !answer.text.contains("\n  File ") && !answer.text.contains("\n  In ") {
            // It has no names.
            answer.text.push_str(&last_place(&row));
        }
        return answer;
    }
    let asked = core.ask(move |context, answer| {
        traceback::request(context, id, move |raw| answer.give(raw));
    });
    match asked {
        Ok(Some(raw)) => traceback(raw),
        Ok(None) => text(no_task(id)),
        Err(why) => {
            let row = core.mirror.row(row.entry);
            text(from_mirror(&row) + &silence(core, why))
        }
    }
}

/// What is known of a task without asking anybody.
fn from_mirror(row: &Row) -> String {
    let task = show::task(row);
    match row.waits.place {
        Some(place) if row.is_waiting => format!(
            "Stack for {task} (most recent call last):\n  File \"{}\", line {}, in {}\n",
            place.file(),
            place.line(),
            show::name(&row.entry)
        ),
        _ => format!("No stack for {task}\n{}", last_place(row)),
    }
}

/// Where a task was when that was last known.
fn last_place(row: &Row) -> String {
    let (what, place) = match row.waits.place {
        Some(place) => ("has last waited", place),
        None => ("was spawned", row.entry.spawned),
    };
    format!("It {what} at {}:{}.\n", place.file(), place.line())
}

fn traceback(raw: Raw) -> Answer {
    let shown = raw.resolve(Options::default()).to_string();
    text(
        shown
            .lines()
            .map(|line| show::shorten(line, LONGEST_LINE) + "\n")
            .collect::<String>(),
    )
}
