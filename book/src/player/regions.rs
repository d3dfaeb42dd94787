//! The parts of a kernel that the picture shows, and what is in them.
//!
//! A region that stays empty for a whole run is not shown: a reader of chapter 1 need not ask what a selector is.

use std::collections::BTreeMap;

use super::run::{Run, Step};
use super::state::{State, Timer, Wait};
use super::trace::{Event, Kind, Of, Until};
use super::words;

/// Something in a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) task: Option<u64>,
    pub(crate) note: String,
}

impl Entry {
    fn of(task: u64) -> Entry {
        Entry::with(task, String::new())
    }

    fn with(task: u64, note: String) -> Entry {
        let task = Some(task);
        Entry { task, note }
    }
}

/// A part of the kernel that the picture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Region {
    Running,
    Ready,
    Waiting,
    Waiters,
    Messages,
    Timers,
    Selector,
    Delivery,
    Ended,
}

const REGIONS: [Region; 9] = [
    Region::Running,
    Region::Ready,
    Region::Waiting,
    Region::Waiters,
    Region::Messages,
    Region::Timers,
    Region::Selector,
    Region::Delivery,
    Region::Ended,
];

impl Region {
    /// Its title.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Region::Running => "Running",
            Region::Ready => "Ready queue",
            Region::Waiting => "Waiting",
            Region::Waiters => "Who is first",
            Region::Messages => "Messages",
            Region::Timers => "Timers",
            Region::Selector => "Selector",
            Region::Delivery => "Interruptions",
            Region::Ended => "Ended",
        }
    }

    /// What stands in it when nothing does.
    pub(crate) fn when_empty(self) -> &'static str {
        match self {
            Region::Messages | Region::Timers | Region::Delivery => "none",
            _ => "nobody",
        }
    }
}

impl Run {
    /// The regions of the picture: the two that every kernel has, and those in which anything ever is.
    pub(crate) fn regions(&self) -> Vec<Region> {
        let used = |region: &Region| {
            let filled = |step: &Step| !self.entries(*region, step).is_empty();
            matches!(region, Region::Running | Region::Ready) || self.steps.iter().any(filled)
        };
        REGIONS.into_iter().filter(used).collect()
    }

    /// What is in a region after a step: tasks, each perhaps with a note, or a note alone.
    pub(crate) fn entries(&self, region: Region, step: &Step) -> Vec<Entry> {
        let state = &step.state;
        match region {
            Region::Running => state.running.into_iter().map(Entry::of).collect(),
            Region::Ready => state.queue.iter().copied().map(Entry::of).collect(),
            Region::Waiting => self.waiting(state),
            Region::Waiters => waiters(state),
            Region::Messages => {
                let held = state.held.iter().filter(|(_, text)| !text.is_empty());
                held.map(|(list, text)| Entry {
                    task: None,
                    note: format!("{}: {text}", state.list(*list)),
                })
                .collect()
            }
            Region::Timers => {
                let entry = |timer: &Timer| {
                    let at = words::moment(timer.deadline, self.clock);
                    match timer.of {
                        Of::Wait(_) => Entry::with(timer.task, at),
                        Of::Scope(_) => Entry::with(timer.task, format!("{at}, a timeout")),
                    }
                };
                state.timers_by_deadline().into_iter().map(entry).collect()
            }
            Region::Selector => selector(step),
            Region::Delivery => delivery(step),
            Region::Ended => {
                let entry = |(task, how): &(u64, String)| match how.as_str() {
                    "value" => Entry::of(*task),
                    how => Entry::with(*task, how.to_owned()),
                };
                state.ended.iter().map(entry).collect()
            }
        }
    }

    fn waiting(&self, state: &State) -> Vec<Entry> {
        let mut entries = Vec::new();
        for task in state.alive() {
            // An operation waits until it completes: when its task runs again, not when it is woken.
            let waits = state.waits.iter().filter(|wait| wait.task == task);
            let note = |wait: &Wait| match (words::note(wait, state, self.clock), wait.woken) {
                (note, true) => format!("{note}, woken"),
                (note, false) => note,
            };
            let mut notes: Vec<String> = waits.map(note).collect();
            if notes.is_empty() && state.stands_still(task) {
                notes.push(state.labels.get(&task).cloned().unwrap_or_default());
            }
            entries.extend(notes.into_iter().map(|note| Entry::with(task, note)));
        }
        entries
    }
}

/// The lists on which more than one waits: there the order says who goes on first.
fn waiters(state: &State) -> Vec<Entry> {
    let mut lists: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for wait in state.waits.iter().filter(|wait| !wait.woken) {
        if let Until::Listed(list) = wait.until {
            lists.entry(list).or_default().push(wait.task);
        }
    }
    let mut entries = Vec::new();
    for (list, tasks) in lists.into_iter().filter(|(_, tasks)| tasks.len() > 1) {
        let name = state.list(list);
        entries.extend(tasks.into_iter().map(|task| Entry::with(task, name.clone())));
    }
    entries
}

/// Who waits for which socket, and what the system has just said of them.
fn selector(step: &Step) -> Vec<Entry> {
    let says = |socket: u64| {
        let of_it = |event: &Event| matches!(event, Event::Readiness { socket: s, .. } if *s == socket);
        step.events.iter().any(of_it)
    };
    let mut entries = Vec::new();
    for wait in &step.state.waits {
        let (socket, what) = match wait.until {
            Until::Readable(socket) => (socket, "read"),
            Until::Writable(socket) => (socket, "write"),
            _ => continue,
        };
        if !wait.woken {
            entries.push(Entry::with(wait.task, format!("socket {socket}, to {what}")));
        } else if says(socket) {
            entries.push(Entry::with(
                wait.task,
                format!("socket {socket} is ready to {what}"),
            ));
        }
    }
    entries
}

/// Interruptions that are due, and those that this step delivers.
fn delivery(step: &Step) -> Vec<Entry> {
    let mut entries = Vec::new();
    for event in &step.events {
        if let Event::Deliver { task, error, .. } = event {
            entries.push(Entry::with(*task, format!("{error}, delivered")));
        }
    }
    for due in &step.state.due {
        let what = match due.kind {
            Kind::Task => "cancelled, not told yet",
            Kind::Timeout => "timed out, not told yet",
        };
        entries.push(Entry::with(due.task, what.to_owned()));
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::super::run::tests::{MESSAGE, golden, run, run_with, texts};
    use super::*;

    /// The region after each step in which it changes, in short.
    fn history(run: &Run, region: Region) -> Vec<String> {
        let mut history: Vec<String> = Vec::new();
        for step in &run.steps {
            let entries = run.entries(region, step).into_iter();
            let shown: Vec<String> = entries
                .map(|entry| {
                    let name = entry.task.map(|task| step.state.name(task)).unwrap_or_default();
                    format!("{name} {}", entry.note).trim().to_owned()
                })
                .collect();
            let shown = shown.join(", ");
            if history.last() != Some(&shown) {
                history.push(shown);
            }
        }
        history
    }

    #[test]
    fn the_regions_show_what_the_kernel_has() {
        let run = run(MESSAGE);
        assert_eq!(
            history(&run, Region::Running),
            ["", "kid", "", "parent", "", "kid", ""]
        );
        assert_eq!(
            history(&run, Region::Ready),
            ["kid", "kid, parent", "parent", "", "kid", ""]
        );
        assert_eq!(
            history(&run, Region::Waiting),
            ["", "kid on channel 1", "kid on channel 1, woken", ""]
        );
        assert_eq!(history(&run, Region::Messages), ["", "channel 1: \"Shoes!\"", ""]);
        assert_eq!(
            history(&run, Region::Ended),
            ["", "parent", "parent, kid panicked"]
        );
        // Those that stay empty are not shown at all.
        assert_eq!(
            run.regions(),
            [
                Region::Running,
                Region::Ready,
                Region::Waiting,
                Region::Messages,
                Region::Ended
            ]
        );
    }

    #[test]
    fn timers_and_interruptions_have_their_own() {
        let run = golden();
        assert_eq!(
            history(&run, Region::Timers)[..5],
            [
                "",
                "kid 1000 s",
                "countdown 1 s, kid 1000 s",
                "kid 1000 s",
                "countdown 2 s, kid 1000 s"
            ]
        );
        assert_eq!(
            history(&run, Region::Delivery),
            [
                "",
                "parent timed out, not told yet",
                "parent Timeout, delivered",
                "kid cancelled, not told yet",
                "kid Cancelled, delivered",
                ""
            ]
        );
    }

    #[test]
    fn sockets_are_with_the_selector() {
        let run = run_with(
            "\"clock\":\"virtual\",\"seed\":null",
            r#"
            {"at":0,"event":"created","task":3,"name":"echo","parent":null}
            {"at":0,"event":"ready","task":3}
            {"at":0,"event":"running","task":3}
            {"at":0,"event":"wait","task":3,"wait":1,"label":"READ_WAIT","until":"readable","what":5}
            {"at":0,"event":"suspended","task":3,"state":"READ_WAIT"}
            {"at":0,"event":"idle","until":null}
            {"at":2000000,"event":"readiness","socket":5,"readable":true,"writable":false}
            {"at":2000000,"event":"wake","task":3,"wait":1,"by":null}
            {"at":2000000,"event":"ready","task":3}
            {"at":2000000,"event":"running","task":3}
            {"at":2000000,"event":"left","task":3,"wait":1,"how":"completed"}
            {"at":2000000,"event":"wait","task":3,"wait":2,"label":"WRITE_WAIT","until":"writable","what":5}
            {"at":2000000,"event":"suspended","task":3,"state":"WRITE_WAIT"}
            {"at":2000000,"event":"idle","until":null}
            "#,
        );
        assert_eq!(
            history(&run, Region::Selector),
            ["", "echo socket 5, to read", "", "echo socket 5, to write"]
        );
        let texts = texts(&run);
        assert!(
            texts.contains(&"The system says: socket 5 can be read."),
            "{texts:#?}"
        );
        assert!(texts.contains(&"Nobody is ready. The kernel waits for the outside world."));
        assert_eq!(
            texts.last(),
            Some(&"Nobody is ready, and this run goes no further.")
        );
    }

    #[test]
    fn each_wait_is_shown_until_it_is_over() {
        let run = run(r#"
            {"at":0,"event":"created","task":1,"name":"parent","parent":null}
            {"at":0,"event":"ready","task":1}
            {"at":1,"event":"running","task":1}
            {"at":1,"event":"wait","task":1,"wait":1,"label":"A_WAIT","until":"woken","what":null}
            {"at":1,"event":"wait","task":1,"wait":2,"label":"B_WAIT","until":"listed","what":7}
            {"at":1,"event":"suspended","task":1,"state":"A_WAIT"}
            {"at":1,"event":"wake","task":1,"wait":1,"by":null}
            {"at":1,"event":"ready","task":1}
            {"at":2,"event":"running","task":1}
            {"at":2,"event":"left","task":1,"wait":1,"how":"completed"}
            {"at":2,"event":"left","task":1,"wait":2,"how":"dropped"}
            {"at":2,"event":"suspended","task":1,"state":"FOREIGN_WAIT"}
        "#);
        assert_eq!(
            history(&run, Region::Waiting),
            [
                "",
                "parent A_WAIT",
                "parent A_WAIT, parent B_WAIT, list 7",
                "parent A_WAIT, woken, parent B_WAIT, list 7",
                "parent B_WAIT, list 7",
                "",
                "parent FOREIGN_WAIT"
            ]
        );
    }

    #[test]
    fn who_is_woken_for_nothing_waits_again() {
        let run = run(r#"
            {"at":0,"event":"created","task":1,"name":"kid","parent":null}
            {"at":0,"event":"ready","task":1}
            {"at":1,"event":"running","task":1}
            {"at":1,"event":"wait","task":1,"wait":1,"label":"A_WAIT","until":"woken","what":null}
            {"at":1,"event":"suspended","task":1,"state":"A_WAIT"}
            {"at":1,"event":"wake","task":1,"wait":1,"by":null}
            {"at":1,"event":"ready","task":1}
            {"at":2,"event":"running","task":1}
            {"at":2,"event":"suspended","task":1,"state":"A_WAIT"}
        "#);
        assert_eq!(
            history(&run, Region::Waiting),
            ["", "kid A_WAIT", "kid A_WAIT, woken", "kid A_WAIT"]
        );
    }

    #[test]
    fn who_has_ended_is_nowhere_else() {
        let run = run(r#"
            {"at":0,"event":"created","task":1,"name":"kid","parent":null}
            {"at":0,"event":"ready","task":1}
            {"at":0,"event":"interrupt","task":1,"scope":1,"kind":"task"}
            {"at":0,"event":"terminated","task":1,"how":"dropped","error":null}
        "#);
        assert_eq!(history(&run, Region::Ready), ["kid", ""]);
        assert_eq!(
            history(&run, Region::Delivery),
            ["", "kid cancelled, not told yet", ""]
        );
        assert_eq!(history(&run, Region::Ended), ["", "kid dropped"]);
    }

    #[test]
    fn who_is_first_on_a_list_is_shown_where_there_are_several() {
        let mut events = String::new();
        for task in 1..=2 {
            events += &format!(
                "{{\"at\":0,\"event\":\"created\",\"task\":{task},\"name\":\"t\",\"parent\":null}}\n\
                 {{\"at\":0,\"event\":\"ready\",\"task\":{task}}}\n"
            );
        }
        // The second one comes first.
        for (task, wait) in [(2, 9), (1, 4)] {
            events += &format!(
                "{{\"at\":1,\"event\":\"running\",\"task\":{task}}}\n\
                 {{\"at\":1,\"event\":\"wait\",\"task\":{task},\"wait\":{wait},\"label\":\"LOCK\",\
                 \"until\":\"listed\",\"what\":3}}\n\
                 {{\"at\":1,\"event\":\"suspended\",\"task\":{task},\"state\":\"LOCK\"}}\n"
            );
        }
        let run = run(&events);
        assert_eq!(history(&run, Region::Waiters), ["", "t 2 list 3, t 1 list 3"]);
    }
}
