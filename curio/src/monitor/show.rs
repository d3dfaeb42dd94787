//! What the monitor's answers look like. The formats are those of Python Curio's.

use std::collections::HashMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

use crate::json::Line;
use crate::mirror::{Entry, Mirror, Row};
pub(super) use crate::name::clean;

/// How many characters of a name are shown: an answer must not become long by what a program calls its tasks (V2).
const LONGEST_NAME: usize = 200;
/// The same for programs, which may want to find the task again.
const LONGEST_NAME_FOR_PROGRAMS: usize = 4096;

/// Below each other, as wide as Python Curio's, and then the place.
pub(super) fn header(into: &mut String) {
    line(
        into, "Task", "State", "Cycles", "Timeout", "Sleep", "Task", "Where",
    );
    let dash = |n| "-".repeat(n);
    line(
        into,
        &dash(6),
        &dash(12),
        &dash(10),
        &dash(7),
        &dash(7),
        &dash(50),
        &dash(30),
    );
}

#[allow(clippy::too_many_arguments)]
fn line(
    into: &mut String,
    task: &str,
    state: &str,
    cycles: &str,
    timeout: &str,
    sleep: &str,
    name: &str,
    place: &str,
) {
    let start = into.len();
    let _ = write!(
        into,
        "{task:<6} {state:<12} {cycles:<10} {timeout:<7} {sleep:<7} {name:<50} {place}"
    );
    into.truncate(start + into[start..].trim_end().len());
    into.push('\n');
}

/// The rows of the kernel and the monitor, which have the first two numbers.
pub(super) fn own_rows(into: &mut String, mirror: &Mirror, commands: u64, in_terminal: bool) {
    let turns = mirror.turns().to_string();
    line(into, "1", "READ_WAIT", &turns, "None", "None", "kernel", "");
    // In the terminal, it is as in 2015.
    let state = if in_terminal { "RUNNING" } else { "FUTURE_WAIT" };
    line(
        into,
        "2",
        state,
        &commands.to_string(),
        "None",
        "None",
        "monitor",
        "",
    );
}

/// The row of a task.
pub(super) fn row(into: &mut String, mirror: &Mirror, row: &Row) {
    let now = mirror.now();
    let left = |deadline: Option<u64>| match deadline.filter(|_| row.is_waiting) {
        Some(deadline) => seconds(Duration::from_nanos(deadline.saturating_sub(now))),
        None => "None".to_string(),
    };
    line(
        into,
        &row.entry.id.to_string(),
        row.state,
        &row.cycles.to_string(),
        &left(row.waits.timeout),
        &left(row.waits.sleep),
        &name(&row.entry),
        &remark(row),
    );
}

/// Where it waits; and if it was cancelled and is still there, since when.
fn remark(row: &Row) -> String {
    let mut text = place(row).unwrap_or_default();
    if let Some(since) = row.waits.cancelled {
        let ago = Instant::now().saturating_duration_since(since).as_secs();
        let _ = write!(text, " (cancelled {ago} s ago)");
    }
    text
}

/// Where a task waits, as far as is known.
pub(super) fn place(row: &Row) -> Option<String> {
    let place = row.waits.place.filter(|_| row.is_waiting)?;
    Some(format!("{}:{}", place.file(), place.line()))
}

/// Seconds, in seven characters.
fn seconds(time: Duration) -> String {
    let mut text = format!("{:.6}", time.as_secs_f64());
    text.truncate(7);
    text
}

/// A task as Python shows it.
pub(super) fn task(row: &Row) -> String {
    let (id, name, state) = (row.entry.id, name(&row.entry), row.state);
    format!("Task(id={id}, name='{name}', state='{state}')")
}

/// A line of `parents`.
pub(super) fn parent(into: &mut String, id: u64, state: &str, name: &str) {
    let _ = writeln!(into, "{id:<6} {state:>12} {name}");
}

/// A line of `tree`, without what is left of it.
pub(super) fn twig(into: &mut String, row: &Row, group: Option<u64>) {
    let name = name(&row.entry);
    let _ = write!(into, "{} {name} {}", row.entry.id, row.state);
    let remark = remark(row);
    if !remark.is_empty() {
        let _ = write!(into, " {}", remark.trim_start());
    }
    if let Some(group) = group {
        let _ = write!(into, " [group {group}]");
    }
    into.push('\n');
}

/// Numbers groups as they are met. Who meets all tasks in the order of their ids gives a group the same number as others who do.
#[derive(Debug, Default)]
pub(super) struct Groups(HashMap<usize, u64>);

impl Groups {
    /// The number of the group that the task is in, if it is in one.
    pub(super) fn number(&mut self, task: &Entry) -> Option<u64> {
        let new = self.0.len() as u64 + 1;
        task.group().map(|group| *self.0.entry(group).or_insert(new))
    }
}

/// A row for programs. Times are in nanoseconds.
pub(super) fn json_row(mirror: &Mirror, row: &Row, group: Option<u64>) -> String {
    let now = mirror.now();
    let left = |deadline: Option<u64>| {
        deadline
            .filter(|_| row.is_waiting)
            .map(|deadline| deadline.saturating_sub(now))
    };
    let cancelled = row.waits.cancelled.map(|since| since.elapsed());
    let Entry {
        id,
        name,
        parent,
        spawned,
        daemon,
        ..
    } = &*row.entry;
    Line::new()
        .number("task", *id)
        .text("state", row.state)
        .number("cycles", row.cycles)
        .number("timeout", left(row.waits.timeout))
        .number("sleep", left(row.waits.sleep))
        .text("name", beginning(name.as_str(), LONGEST_NAME_FOR_PROGRAMS))
        .text("place", place(row).as_deref())
        .number("parent", *parent)
        .text(
            "spawned",
            format!("{}:{}", spawned.file(), spawned.line()).as_str(),
        )
        .number("group", group)
        .truth("daemon", *daemon)
        .number("cancelled", cancelled.map(nanos))
        .number("busy", nanos(row.busy))
        .number("longest", nanos(row.longest))
        .end()
}

pub(super) fn nanos(time: Duration) -> u64 {
    crate::context::nanos(time)
}

/// The name of a task, for people (V4): nobody reads more of it than this.
pub(super) fn name(task: &Entry) -> String {
    shorten(task.name.as_str(), LONGEST_NAME)
}

/// A text without anything that a terminal would obey, and not longer than so many characters.
pub(super) fn shorten(text: &str, most: usize) -> String {
    let begin = beginning(text, most);
    let more = if begin.len() < text.len() { "…" } else { "" };
    clean(begin) + more
}

/// The first so many characters of a text.
fn beginning(text: &str, most: usize) -> &str {
    let end = text.char_indices().nth(most).map(|(end, _)| end);
    &text[..end.unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_have_seven_characters() {
        for (nanos, text) in [
            (962_830_123_456, "962.830"),
            (0, "0.00000"),
            (1_500_000_000, "1.50000"),
            (1_234_567_000_000_000, "1234567"),
        ] {
            assert_eq!(seconds(Duration::from_nanos(nanos)), text);
        }
    }

    #[test]
    fn what_is_too_long_is_cut_between_two_characters() {
        assert_eq!(shorten("Käthe\n", 6), "Käthe\u{fffd}");
        assert_eq!(shorten("Käthe\n", 2), "Kä…");
        assert_eq!(shorten("", 0), "");
    }

    #[test]
    fn the_header_is_as_wide_as_in_python() {
        let mut text = String::new();
        header(&mut text);
        let python = "\
Task   State        Cycles     Timeout Sleep   Task
------ ------------ ---------- ------- ------- --------------------------------------------------
";
        for (ours, python) in text.lines().zip(python.lines()) {
            assert!(ours.starts_with(python), "{ours}");
        }
    }
}
