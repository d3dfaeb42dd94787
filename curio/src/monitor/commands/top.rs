//! `top`: who has used most time, since somebody has wanted to know.

use std::cmp::Reverse;
use std::fmt::Write;

use super::{job, text};
use crate::mirror::Row;
use crate::monitor::connection::{Answer, Session};
use crate::monitor::server::Core;
use crate::monitor::show;

/// How many tasks are shown.
const SHOWN: usize = 20;

/// From now on, until this session ends, it is measured how long runs take.
pub(super) fn measure(core: &Core, session: &mut Session) {
    if !std::mem::replace(&mut session.times, true) {
        core.mirror.time(true);
    }
}

pub(super) fn show_top(core: &Core, session: &mut Session) -> Answer {
    if !session.times {
        measure(core, session);
        return text("From now on it is measured how long runs take. Type top again to see it.\n");
    }
    let mut after = 0;
    let mut best: Vec<Row> = Vec::new();
    job(
        String::new(),
        Box::new(move |core, into| {
            let slice = core.mirror.slice(after);
            let Some(last) = slice.last() else {
                write(into, &best);
                return false;
            };
            after = last.id;
            let rows = slice.into_iter().map(|entry| core.mirror.row(entry));
            best.extend(rows.filter(|row| !row.busy.is_zero()));
            best.sort_by_key(|row| Reverse(row.busy));
            best.truncate(SHOWN);
            true
        }),
    )
}

fn write(into: &mut String, rows: &[Row]) {
    let _ = writeln!(
        into,
        "{:<6} {:<12} {:<10} {:>10} {:>10} Task",
        "Task", "State", "Cycles", "Busy ms", "Longest ms"
    );
    for row in rows {
        let _ = writeln!(
            into,
            "{:<6} {:<12} {:<10} {:>10.3} {:>10.3} {}",
            row.entry.id,
            row.state,
            row.cycles,
            row.busy.as_secs_f64() * 1e3,
            row.longest.as_secs_f64() * 1e3,
            show::name(&row.entry),
        );
    }
}
