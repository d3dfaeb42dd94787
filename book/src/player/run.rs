//! A run in steps: what the reader goes through with one key, and what the strip and the table show.
//!
//! A trace has a line for everything; two or three of them are often one thing for a reader ("a timer fires, a task is
//! woken, it enters the queue"). `goes_on` says which lines belong to one step: always lines that follow each other, so
//! that no step shows a state in which the kernel never was.

use super::state::State;
use super::trace::{Broken, Clock, Event, How, Line, Trace};
use super::words;

/// A run, ready to be shown.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) clock: Clock,
    pub(crate) shuffled: bool,
    /// The state after the last step.
    pub(crate) last: State,
    pub(crate) steps: Vec<Step>,
}

/// Some events that are one thing for a reader, and the state after them.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) at: u64,
    pub(crate) text: String,
    pub(crate) state: State,
    pub(crate) events: Vec<Event>,
}

impl Run {
    /// Goes through a trace. What cannot have happened is told with its line.
    pub(crate) fn of(trace: &Trace) -> Result<Run, Broken> {
        let mut state = State::default();
        let mut steps: Vec<Step> = Vec::new();
        let mut lines = trace.lines.iter().peekable();
        let mut group: Vec<&Line> = Vec::new();
        while let Some(line) = lines.next() {
            state.apply(&line.event).map_err(|message| Broken {
                line: line.number,
                message,
            })?;
            group.push(line);
            if let Some(next) = lines.peek()
                && goes_on(&line.event, &next.event)
            {
                continue;
            }
            let events: Vec<&Event> = group.iter().map(|line| &line.event).collect();
            steps.push(Step {
                at: line.at,
                text: words::tell(words::Scene {
                    events: &events,
                    before: steps.last().map(|step| &step.state),
                    after: &state,
                    clock: trace.clock,
                    last: lines.peek().is_none(),
                }),
                state: state.clone(),
                events: events.into_iter().cloned().collect(),
            });
            group.clear();
        }
        Ok(Run {
            clock: trace.clock,
            shuffled: trace.shuffled,
            last: state,
            steps,
        })
    }

    /// The time of a step as its reader sees it: the turn, or the moment.
    pub(crate) fn when(&self, step: &Step) -> String {
        match (self.clock, step.state.turns) {
            (Clock::Steps, 0) => "before turn 1".to_owned(),
            (Clock::Steps, turn) => format!("turn {turn}"),
            (Clock::Nanoseconds, _) => words::moment(step.at, self.clock),
        }
    }
}

/// Whether an event belongs to the step of the one before it.
fn goes_on(event: &Event, next: &Event) -> bool {
    use Event::{
        Asks, Created, Deliver, Holds, Interrupt, Left, List, Ready, Running, Suspended, Terminated, Timer,
        Wait, Wake,
    };
    // What a request does to a list belongs to the request, and a name to what it names.
    if let (Asks { .. }, Holds { .. }) | (List { .. }, _) = (event, next) {
        return true;
    }
    if task_of(event) != task_of(next) {
        return false;
    }
    match (event, next) {
        (Suspended { state, .. }, Terminated { .. }) => state == "TERMINATED",
        (Ready { .. }, Suspended { state, .. }) => state == "READY",
        (Wait { .. }, Suspended { state, .. }) => state != "TERMINATED",
        (Wait { .. }, Timer { how, .. }) => *how == How::Set,
        (Timer { how: How::Set, .. }, Suspended { state, .. }) => state != "TERMINATED",
        (Timer { how: How::Fired, .. }, Interrupt { .. } | Wake { .. }) => true,
        (
            Timer {
                how: How::Removed, ..
            },
            Left { .. },
        ) => true,
        (Deliver { .. }, Left { .. }) => true,
        (Deliver { .. }, Timer { how, .. }) => *how == How::Removed,
        (Created { .. } | Wake { .. } | Left { .. }, Ready { .. }) => true,
        (Wake { .. }, Left { .. }) => true,
        (Interrupt { .. }, Wake { .. }) => true,
        (Running { .. }, Left { .. } | Deliver { .. }) => true,
        (Asks { .. }, Ready { .. } | Wait { .. }) => true,
        _ => false,
    }
}

fn task_of(event: &Event) -> Option<u64> {
    match event {
        Event::Created { task, .. }
        | Event::Ready { task }
        | Event::Running { task }
        | Event::Says { task, .. }
        | Event::Asks { task, .. }
        | Event::Suspended { task, .. }
        | Event::Terminated { task, .. }
        | Event::Wait { task, .. }
        | Event::Wake { task, .. }
        | Event::Left { task, .. }
        | Event::Interrupt { task, .. }
        | Event::Deliver { task, .. }
        | Event::Timer { task, .. } => Some(*task),
        Event::List { .. } | Event::Holds { .. } | Event::Readiness { .. } | Event::Idle { .. } => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::player::trace::parse;

    /// A run with these events, on a kernel that counts turns.
    pub(in crate::player) fn run(events: &str) -> Run {
        run_with("\"clock\":\"steps\",\"seed\":null", events)
    }

    pub(in crate::player) fn run_with(header: &str, events: &str) -> Run {
        let lines: Vec<&str> = events
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        let text = format!(
            "{{\"format\":\"curio-trace\",\"version\":1,{header}}}\n{}\n",
            lines.join("\n")
        );
        Run::of(&parse(&text).expect("a trace")).expect("a run")
    }

    /// What curio itself has recorded: timers, a timeout, a cancellation.
    pub(in crate::player) fn golden() -> Run {
        let text = include_str!("../../../curio/tests/golden/kid_and_parent.jsonl");
        Run::of(&parse(text).expect("a trace")).expect("a run")
    }

    /// One task sends, the other receives.
    pub(in crate::player) const MESSAGE: &str = r#"
        {"at":0,"event":"list","list":1,"name":"channel 1"}
        {"at":0,"event":"created","task":1,"name":"kid","parent":null}
        {"at":0,"event":"ready","task":1}
        {"at":0,"event":"created","task":2,"name":"parent","parent":null}
        {"at":0,"event":"ready","task":2}
        {"at":1,"event":"running","task":1}
        {"at":1,"event":"asks","task":1,"text":"receive from channel 1"}
        {"at":1,"event":"wait","task":1,"wait":1,"label":"RECEIVE_WAIT","until":"listed","what":1}
        {"at":1,"event":"suspended","task":1,"state":"RECEIVE_WAIT"}
        {"at":2,"event":"running","task":2}
        {"at":2,"event":"says","task":2,"text":"Shoes!"}
        {"at":2,"event":"asks","task":2,"text":"send \"Shoes!\" to channel 1"}
        {"at":2,"event":"holds","list":1,"text":"\"Shoes!\""}
        {"at":2,"event":"wake","task":1,"wait":1,"by":2}
        {"at":2,"event":"ready","task":1}
        {"at":2,"event":"suspended","task":2,"state":"TERMINATED"}
        {"at":2,"event":"terminated","task":2,"how":"value","error":null}
        {"at":3,"event":"running","task":1}
        {"at":3,"event":"left","task":1,"wait":1,"how":"completed"}
        {"at":3,"event":"holds","list":1,"text":""}
        {"at":3,"event":"suspended","task":1,"state":"TERMINATED"}
        {"at":3,"event":"terminated","task":1,"how":"panicked","error":"no shoes"}
    "#;

    pub(in crate::player) fn texts(run: &Run) -> Vec<&str> {
        run.steps.iter().map(|step| step.text.as_str()).collect()
    }

    #[test]
    fn a_step_is_one_thing_for_a_reader() {
        let run = run(MESSAGE);
        assert_eq!(
            texts(&run),
            [
                "kid is spawned. It goes to the end of the ready queue.",
                "parent is spawned. It goes to the end of the ready queue.",
                "kid leaves the ready queue and runs.",
                "kid asks to receive from channel 1. It begins to wait on channel 1 (RECEIVE_WAIT). It stops there.",
                "parent leaves the ready queue and runs.",
                "parent says “Shoes!”",
                "parent asks to send \"Shoes!\" to channel 1. Channel 1 holds \"Shoes!\" now.",
                "kid is woken by parent. It goes to the end of the ready queue.",
                "parent has ended.",
                "kid leaves the ready queue and runs. It is done waiting.",
                "Channel 1 is empty now.",
                "kid has panicked: “no shoes”",
            ]
        );
        let when: Vec<String> = run.steps.iter().map(|step| run.when(step)).collect();
        assert_eq!((when[1].as_str(), when[4].as_str()), ("before turn 1", "turn 2"));
    }

    #[test]
    fn a_turn_is_over_before_its_task_is_in_the_queue() {
        let run = run(r#"
            {"at":0,"event":"created","task":1,"name":"kid","parent":null}
            {"at":0,"event":"ready","task":1}
            {"at":1,"event":"running","task":1}
            {"at":1,"event":"ready","task":1}
            {"at":1,"event":"suspended","task":1,"state":"READY"}
        "#);
        let told = "kid stops in the middle. It goes to the end of the ready queue.";
        assert_eq!(texts(&run).last(), Some(&told));
    }

    #[test]
    fn a_wake_is_explained_though_its_wait_is_over() {
        let run = run(
            include_str!("../../../chapters-code/chapter02-traps/traces/family.jsonl")
                .split_once('\n')
                .expect("a header")
                .1,
        );
        let woken = "parent is woken, because kid has ended. It is done waiting. It goes to the end of the ready queue.";
        assert!(texts(&run).contains(&woken), "{:#?}", texts(&run));
    }

    #[test]
    fn curios_own_runs_are_shown() {
        let run = golden();
        for text in [
            "Nobody is ready. The kernel waits for the next timer, at 1 s.",
            "The timer of countdown fires. countdown is woken. It goes to the end of the ready queue.",
            "parent begins to wait for the end of kid (TASK_JOIN). The timer of its timeout is set for 7 s. It stops there.",
            "parent leaves the ready queue and runs. It is told: Timeout. It stops waiting.",
            "parent cancels kid. kid is woken by parent. It goes to the end of the ready queue.",
            "kid begins to wait until 10 s (TIME_SLEEP); a timer is set. It stops there.",
        ] {
            assert!(texts(&run).contains(&text), "{text}\n{:#?}", texts(&run));
        }
    }
}
