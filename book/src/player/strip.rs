//! The strip: one row for each task, one column for each step; who runs, who is ready, who waits.

use std::fmt::Write;

use super::escape;
use super::run::{Run, Step};
use super::trace::{Clock, Event};

/// The width of a step, the height of a task's row, and the space above the first row.
const COLUMN: usize = 18;
const ROW: usize = 28;
const TOP: usize = 26;
/// The width of a letter, roughly, and of the space around a name.
const LETTER: usize = 8;
const MARGIN: usize = 14;

/// The width of the legend, which needs its room however short the run.
const LEGEND: usize = 370;

/// How many colours the style knows.
pub(crate) const COLOURS: usize = 6;

const DESCRIPTION: &str = "A row for each task, a column for each step. A full bar: the task runs. A hollow bar: \
    it is in the ready queue. A thin line: it waits. A stroke across: it has ended.";

/// What a task does in a column.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Runs,
    Ready,
    Waits,
}

impl Mark {
    fn class(self) -> &'static str {
        match self {
            Mark::Runs => "runs",
            Mark::Ready => "ready",
            Mark::Waits => "waits",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Mark::Runs => "runs",
            Mark::Ready => "is ready",
            Mark::Waits => "waits",
        }
    }

    /// Different in shape, not in colour only: a full bar, a hollow one, a line.
    fn draw(self, x: usize, y: usize, width: usize) -> String {
        let (height, round) = match self {
            Mark::Runs => (16, 3),
            Mark::Ready => (9, 3),
            Mark::Waits => (2, 0),
        };
        let y = y + (ROW - height) / 2;
        let class = self.class();
        format!(r#"<rect class="{class}" x="{x}" y="{y}" width="{width}" height="{height}" rx="{round}"/>"#)
    }
}

/// The strip as SVG, and where its first step begins and how wide a step is (for the mark of the current one).
pub(crate) struct Strip {
    pub(crate) svg: String,
    pub(crate) start: usize,
    pub(crate) column: usize,
}

/// Draws a run.
pub(crate) fn draw(run: &Run, title: &str) -> Strip {
    let tasks: Vec<u64> = run.last.names.keys().copied().collect();
    let longest = tasks
        .iter()
        .map(|task| run.last.name(*task).chars().count())
        .max();
    let start = longest.unwrap_or_default() * LETTER + MARGIN;
    let bottom = TOP + tasks.len() * ROW;
    let width = (start + run.steps.len() * COLUMN + MARGIN).max(start + LEGEND);
    let height = bottom + 30;
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="{}" aria-description="{DESCRIPTION}">"#,
        escape(&alt(run, title))
    );
    let place = |step: usize| start + step * COLUMN;
    let _ = write!(
        svg,
        r#"<rect class="now" x="{start}" y="0" width="{COLUMN}" height="{bottom}" visibility="hidden"/>"#
    );
    for (step, label) in axis(run) {
        let (x, end) = (place(step), bottom);
        let _ = write!(
            svg,
            r#"<path class="tick" d="M{x} 18V{end}"/><text class="axis" x="{}" y="14">{}</text>"#,
            x + 2,
            escape(&label)
        );
    }
    let mut seen = Vec::new();
    for (row, task) in tasks.iter().enumerate() {
        let y = TOP + row * ROW;
        let name = escape(&run.last.name(*task));
        let _ = write!(
            svg,
            r#"<g class="colour{}"><text x="0" y="{}">{name}</text>"#,
            row % COLOURS,
            y + ROW / 2 + 5
        );
        for (from, to, mark) in stretches(&run.steps, *task) {
            svg.push_str(&mark.draw(place(from) + 1, y, (to - from) * COLUMN - 2));
            seen.push(mark);
        }
        if let Some(end) = run.steps.iter().position(|step| step.state.has_ended(*task)) {
            let (x, y) = (place(end) + 2, y + ROW / 2);
            let _ = write!(svg, r#"<path class="end" d="M{x} {}v12"/>"#, y - 6);
        }
        svg.push_str("</g>");
    }
    let mut x = start;
    for mark in [Mark::Runs, Mark::Ready, Mark::Waits] {
        if seen.contains(&mark) {
            svg.push_str(&mark.draw(x, bottom, 20));
            let words = mark.words();
            let _ = write!(svg, r#"<text x="{}" y="{}">{words}</text>"#, x + 26, bottom + 19);
            x += 46 + words.len() * LETTER;
        }
    }
    let _ = write!(
        svg,
        r#"<path class="end" d="M{x} {}v12"/><text x="{}" y="{}">has ended</text></svg>"#,
        bottom + 8,
        x + 8,
        bottom + 19
    );
    Strip {
        svg,
        start,
        column: COLUMN,
    }
}

/// From which step to which a task does the same, and what.
fn stretches(steps: &[Step], task: u64) -> Vec<(usize, usize, Mark)> {
    let mut stretches: Vec<(usize, usize, Mark)> = Vec::new();
    for (place, step) in steps.iter().enumerate() {
        let state = &step.state;
        let mark = match () {
            () if !state.names.contains_key(&task) || state.has_ended(task) => continue,
            () if state.running == Some(task) => Mark::Runs,
            () if state.queue.contains(&task) => Mark::Ready,
            () => Mark::Waits,
        };
        match stretches.last_mut() {
            Some((_, to, last)) if *last == mark && *to == place => *to = place + 1,
            _ => stretches.push((place, place + 1, mark)),
        }
    }
    stretches
}

/// The steps that get a line and a label: where a turn begins, or where time has passed.
fn axis(run: &Run) -> Vec<(usize, String)> {
    let mut labels: Vec<(usize, String)> = Vec::new();
    for (place, step) in run.steps.iter().enumerate() {
        let label = match run.clock {
            Clock::Steps if begins_turn(step) => step.state.turns.to_string(),
            Clock::Steps => continue,
            Clock::Nanoseconds => run.when(step),
        };
        // Room for the last label, and no label twice.
        let fits = |(last, text): &(usize, String)| {
            place >= last + (text.len() * LETTER).div_ceil(COLUMN) && *text != label
        };
        if labels.last().is_none_or(fits) {
            labels.push((place, label));
        }
    }
    labels
}

fn begins_turn(step: &Step) -> bool {
    matches!(step.events.first(), Some(Event::Running { .. }))
}

/// The strip said aloud.
fn alt(run: &Run, title: &str) -> String {
    let mut turns: Vec<(u64, Vec<usize>)> = Vec::new();
    for step in run.steps.iter().filter(|step| begins_turn(step)) {
        let Some(Event::Running { task }) = step.events.first() else {
            continue;
        };
        match turns.iter_mut().find(|(other, _)| other == task) {
            Some((_, numbers)) => numbers.push(step.state.turns),
            None => turns.push((*task, vec![step.state.turns])),
        }
    }
    let told = turns.iter().map(|(task, numbers)| {
        let noun = if numbers.len() == 1 { "turn" } else { "turns" };
        format!("{} runs in {noun} {}", run.last.name(*task), list(numbers))
    });
    format!("{title}: {}.", told.collect::<Vec<_>>().join("; "))
}

/// "1, 2 and 3", cut short if there are many.
fn list(numbers: &[usize]) -> String {
    const MOST: usize = 12;
    let shown: Vec<String> = numbers.iter().take(MOST).map(usize::to_string).collect();
    match (shown.split_last(), numbers.len().saturating_sub(MOST)) {
        (Some((last, [])), _) => last.clone(),
        (Some(_), more @ 1..) => format!("{} and {more} more", shown.join(", ")),
        (Some((last, first)), 0) => format!("{} and {last}", first.join(", ")),
        (None, _) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::run::tests::{MESSAGE, golden, run};
    use super::*;

    #[test]
    fn a_strip_can_be_said_aloud() {
        let strip = draw(&run(MESSAGE), "Shoes");
        let alt = "role=\"img\" aria-label=\"Shoes: kid runs in turns 1 and 3; parent runs in turn 2.\"";
        assert!(strip.svg.contains(alt), "{}", strip.svg);
        let numbers: Vec<usize> = (1..=14).collect();
        assert_eq!(list(&numbers), "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 2 more");
    }

    #[test]
    fn a_task_runs_is_ready_or_waits() {
        let run = run(MESSAGE);
        let of = |task| {
            let stretches = stretches(&run.steps, task).into_iter();
            stretches
                .map(|(from, to, mark)| (from, to, mark.class()))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            of(1),
            [
                (0, 2, "ready"),
                (2, 3, "runs"),
                (3, 7, "waits"),
                (7, 9, "ready"),
                (9, 11, "runs")
            ]
        );
        assert_eq!(of(2), [(1, 4, "ready"), (4, 8, "runs")]);
        // Each mark has its own shape and is in the legend.
        let svg = draw(&run, "Shoes").svg;
        for (mark, words) in [("runs", "runs"), ("ready", "is ready"), ("waits", "waits")] {
            assert!(svg.contains(&format!("<rect class=\"{mark}\"")), "{mark}");
            assert!(svg.contains(&format!(">{words}</text>")), "{words}");
        }
        // Two ends, and the legend's.
        assert_eq!(svg.matches("class=\"end\"").count(), 3);
    }

    #[test]
    fn the_axis_counts_turns_or_time() {
        let steps = axis(&run(MESSAGE));
        assert_eq!(
            steps,
            [(2, "1".to_owned()), (4, "2".to_owned()), (9, "3".to_owned())]
        );
        let times: Vec<String> = axis(&golden()).into_iter().map(|(_, label)| label).collect();
        assert_eq!(times, ["0 s", "1 s", "2 s", "7 s", "10 s"]);
    }
}
