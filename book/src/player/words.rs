//! What happens, in plain words: for the ear of a reader who does not see the pictures, and for everyone's eye.

use super::state::{State, Wait};
use super::trace::{Clock, Event, How, Kind, Of, Until};

/// What is told at once.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    /// The events of one step.
    pub(crate) events: &'a [&'a Event],
    /// The state before them, if anything was before.
    pub(crate) before: Option<&'a State>,
    /// The state after them.
    pub(crate) after: &'a State,
    pub(crate) clock: Clock,
    /// Nothing more happens in this run.
    pub(crate) last: bool,
}

/// Tells what happens. Sentences about the same task go on with "It".
pub(crate) fn tell(scene: Scene<'_>) -> String {
    let state = scene.after;
    let mut text = String::new();
    let mut subject = None;
    for event in in_order(scene.events) {
        if let Some(sentence) = sentence(event, scene) {
            if !text.is_empty() {
                text.push(' ');
            }
            match sentence {
                Sentence::Of(task, rest) if subject == Some(task) => text.push_str(&format!("It {rest}")),
                Sentence::Of(task, rest) => text.push_str(&format!("{} {rest}", state.name(task))),
                Sentence::Whole(whole) => text.push_str(&whole),
            }
            if !text.ends_with(['.', '”']) {
                text.push('.');
            }
            subject = subject_of(event).or(subject);
        }
    }
    text
}

enum Sentence {
    /// About a task: what follows its name.
    Of(u64, String),
    Whole(String),
}

/// A kernel queues a task before it says that the task's turn is over; we tell it the other way round.
fn in_order<'a>(events: &[&'a Event]) -> Vec<&'a Event> {
    let mut events = events.to_vec();
    for place in 1..events.len() {
        if let (Event::Ready { task: ready }, Event::Suspended { task, .. }) =
            (events[place - 1], events[place])
            && ready == task
        {
            events.swap(place - 1, place);
        }
    }
    events
}

fn subject_of(event: &Event) -> Option<u64> {
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
        | Event::Deliver { task, .. } => Some(*task),
        Event::Interrupt { .. }
        | Event::Timer { .. }
        | Event::List { .. }
        | Event::Holds { .. }
        | Event::Readiness { .. }
        | Event::Idle { .. } => None,
    }
}

fn sentence(event: &Event, scene: Scene<'_>) -> Option<Sentence> {
    let Scene {
        events: step,
        before,
        after: state,
        clock,
        last,
    } = scene;
    let of = |task: &u64, rest: &str| Some(Sentence::Of(*task, rest.to_owned()));
    let whole = |text: String| Some(Sentence::Whole(text));
    match event {
        Event::Created { task, parent, .. } => match parent {
            Some(parent) => of(task, &format!("is spawned by {}", state.name(*parent))),
            None => of(task, "is spawned"),
        },
        Event::Ready { task } => of(task, "goes to the end of the ready queue"),
        Event::Running { task } => of(task, "leaves the ready queue and runs"),
        Event::Says { task, text } => of(task, &format!("says “{text}”")),
        Event::Asks { task, text } => of(task, &format!("asks to {text}")),
        Event::Suspended { task, state: now } => match now.as_str() {
            // The end is told by what follows.
            "TERMINATED" => None,
            "READY" if step.iter().any(|event| matches!(event, Event::Ready { .. })) => {
                of(task, "stops in the middle")
            }
            "READY" => of(task, "stops; it is in the ready queue already"),
            _ if step.iter().any(|event| matches!(event, Event::Wait { .. })) => of(task, "stops there"),
            label => of(task, &format!("stops and waits ({label})")),
        },
        Event::Terminated { task, how, error } => {
            let how = match how.as_str() {
                "value" => "has ended",
                "cancelled" => "has ended as cancelled",
                "failed" => "has ended with an error",
                "exit" => "has asked the program to end",
                "panicked" => "has panicked",
                _ => "was dropped",
            };
            match error {
                Some(error) => of(task, &format!("{how}: “{error}”")),
                None => of(task, how),
            }
        }
        Event::Wait {
            task, label, until, ..
        } => {
            let what = for_what(*until, state, clock);
            let timer = match (until, step.iter().any(|event| is_set(event))) {
                (Until::Time(_), true) => "; a timer is set",
                _ => "",
            };
            of(task, &format!("begins to wait {what} ({label}){timer}"))
        }
        Event::Wake { task, wait, by } => {
            // It may be gone by now.
            let until = state.until(*wait).or_else(|| before?.until(*wait));
            let by = match (by, until) {
                (_, Some(Until::Task(other))) if state.has_ended(other) => {
                    format!("is woken, because {} has ended", state.name(other))
                }
                (Some(by), _) => format!("is woken by {}", state.name(*by)),
                (None, _) => "is woken".to_owned(),
            };
            of(task, &by)
        }
        Event::Left { task, how, .. } => match how.as_str() {
            "completed" => of(task, "is done waiting"),
            "interrupted" => of(task, "stops waiting"),
            _ => of(task, "drops what it waited for"),
        },
        Event::Interrupt { task, kind, .. } => match (kind, state.running) {
            (Kind::Timeout, _) => whole(format!("The time of a timeout in {} is over.", state.name(*task))),
            (Kind::Task, Some(by)) if by != *task => {
                whole(format!("{} cancels {}.", state.name(by), state.name(*task)))
            }
            (Kind::Task, _) => whole(format!("Somebody cancels {}.", state.name(*task))),
        },
        Event::Deliver { task, error, .. } => of(task, &format!("is told: {error}")),
        Event::Timer {
            task,
            of,
            deadline,
            how,
        } => {
            let at = moment(*deadline, clock);
            let is_first = step.first().is_some_and(|first| std::ptr::eq(*first, event));
            let whose = match of {
                Of::Wait(_) => format!("timer of {}", state.name(*task)),
                Of::Scope(_) => format!("timer of a timeout in {}", state.name(*task)),
            };
            match (how, of) {
                // Told with the wait.
                (How::Set, Of::Wait(_)) if step.iter().any(|event| sleeps(event)) => None,
                (How::Set, Of::Wait(_)) => whole(format!("A timer is set for {at}.")),
                // "Its" needs somebody who was told of before.
                (How::Set, Of::Scope(_)) if is_first => whole(format!("The {whose} is set for {at}.")),
                (How::Set, Of::Scope(_)) => whole(format!("The timer of its timeout is set for {at}.")),
                (How::Fired, _) => whole(format!("The {whose} fires.")),
                (How::Removed, _) => whole(format!("The {whose} is removed.")),
            }
        }
        Event::Readiness {
            socket,
            readable,
            writable,
        } => {
            let what = match (readable, writable) {
                (true, true) => "can be read and written",
                (true, false) => "can be read",
                (false, true) => "can be written",
                (false, false) => "has something to tell",
            };
            whole(format!("The system says: socket {socket} {what}."))
        }
        // A name alone is nothing that happens.
        Event::List { .. } => None,
        Event::Holds { list, text } => match text.as_str() {
            "" => whole(format!("{} is empty now.", capital(&state.list(*list)))),
            text => whole(format!("{} holds {text} now.", capital(&state.list(*list)))),
        },
        Event::Idle { until: Some(until) } => whole(format!(
            "Nobody is ready. The kernel waits for the next timer, at {}.",
            moment(*until, clock)
        )),
        Event::Idle { until: None } if last => {
            whole("Nobody is ready, and this run goes no further.".to_owned())
        }
        Event::Idle { until: None } => {
            whole("Nobody is ready. The kernel waits for the outside world.".to_owned())
        }
    }
}

fn is_set(event: &Event) -> bool {
    matches!(event, Event::Timer { how: How::Set, .. })
}

fn sleeps(event: &Event) -> bool {
    let until_time = |until: &Until| matches!(until, Until::Time(_));
    matches!(event, Event::Wait { until, .. } if until_time(until))
}

/// "until 1 s", "for the end of kid".
pub(crate) fn for_what(until: Until, state: &State, clock: Clock) -> String {
    match until {
        Until::Woken => "until somebody wakes it".to_owned(),
        Until::Time(at) => format!("until {}", moment(at, clock)),
        Until::Task(task) => format!("for the end of {}", state.name(task)),
        Until::Readable(socket) => format!("to read from socket {socket}"),
        Until::Writable(socket) => format!("to write to socket {socket}"),
        Until::Listed(list) => format!("on {}", state.list(list)),
    }
}

/// The same, short enough for the picture. Where that says little, the label says more.
pub(crate) fn note(wait: &Wait, state: &State, clock: Clock) -> String {
    match wait.until {
        Until::Woken => wait.label.clone(),
        Until::Listed(list) if !state.lists.contains_key(&list) => format!("{}, list {list}", wait.label),
        until => for_what(until, state, clock),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}

/// A time of the trace.
pub(crate) fn moment(at: u64, clock: Clock) -> String {
    match clock {
        Clock::Steps => format!("turn {at}"),
        Clock::Nanoseconds => time(at),
    }
}

/// Nanoseconds, as people write them: in the largest unit of which there is one, without zeros at the end.
fn time(nanoseconds: u64) -> String {
    let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs")];
    let (size, unit) = match units.into_iter().find(|(size, _)| nanoseconds >= *size) {
        Some(found) => found,
        None if nanoseconds == 0 => (1, "s"),
        None => (1, "ns"),
    };
    let (whole, rest) = (nanoseconds / size, nanoseconds % size);
    // Three digits are enough to tell moments apart.
    let thousandths = rest * 1_000 / size;
    let digits = format!("{whole}.{thousandths:03}");
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    format!("{digits} {unit}")
}

#[cfg(test)]
mod tests {
    use super::super::run::tests::run_with;
    use super::*;

    /// What is told of one event after those that make two tasks, of which the kid runs.
    fn told(event: &str) -> String {
        let run = run_with(
            "\"clock\":\"virtual\",\"seed\":null",
            &format!(
                r#"
                {{"at":0,"event":"created","task":1,"name":"kid","parent":null}}
                {{"at":0,"event":"created","task":2,"name":"dad","parent":1}}
                {{"at":0,"event":"ready","task":1}}
                {{"at":0,"event":"running","task":1}}
                {{"at":0,"event":"wait","task":2,"wait":6,"label":"A_WAIT","until":"woken","what":null}}
                {{"at":0,"event":"timer","task":1,"scope":7,"deadline":2500000,"how":"set"}}
                {event}
                {{"at":9,"event":"idle","until":null}}
                "#
            ),
        );
        run.steps[run.steps.len() - 2].text.clone()
    }

    #[test]
    fn everything_can_be_told() {
        for (event, expected) in [
            (
                r#"{"at":9,"event":"interrupt","task":2,"scope":2,"kind":"task"}"#,
                "kid cancels dad.",
            ),
            (
                r#"{"at":9,"event":"interrupt","task":1,"scope":1,"kind":"task"}"#,
                "Somebody cancels kid.",
            ),
            (
                r#"{"at":9,"event":"timer","task":1,"scope":7,"deadline":2500000,"how":"removed"}"#,
                "The timer of a timeout in kid is removed.",
            ),
            (
                r#"{"at":9,"event":"timer","task":2,"wait":6,"deadline":2500000,"how":"set"}"#,
                "A timer is set for 2.5 ms.",
            ),
            (
                r#"{"at":9,"event":"readiness","socket":4,"readable":true,"writable":true}"#,
                "The system says: socket 4 can be read and written.",
            ),
            (
                r#"{"at":9,"event":"wake","task":2,"wait":6,"by":1}"#,
                "dad is woken by kid.",
            ),
            (
                r#"{"at":9,"event":"left","task":2,"wait":6,"how":"dropped"}"#,
                "dad drops what it waited for.",
            ),
            (
                r#"{"at":9,"event":"suspended","task":1,"state":"FOREIGN_WAIT"}"#,
                "The timer of a timeout in kid is set for 2.5 ms. kid stops and waits (FOREIGN_WAIT).",
            ),
            (
                r#"{"at":9,"event":"terminated","task":2,"how":"failed","error":"no key"}"#,
                "dad has ended with an error: “no key”",
            ),
            (
                r#"{"at":9,"event":"terminated","task":2,"how":"dropped","error":null}"#,
                "dad was dropped.",
            ),
            (
                r#"{"at":9,"event":"holds","list":3,"text":"two pens"}"#,
                "List 3 holds two pens now.",
            ),
        ] {
            assert_eq!(told(event), expected, "{event}");
        }
    }

    #[test]
    fn times_are_short() {
        for (nanoseconds, expected) in [
            (0, "0 s"),
            (7, "7 ns"),
            (1_500, "1.5 µs"),
            (2_000_000, "2 ms"),
            (1_000_000_000, "1 s"),
            (1_000_000_000_000, "1000 s"),
            (10_050_000_000, "10.05 s"),
            (10_000_000_001, "10 s"),
        ] {
            assert_eq!(time(nanoseconds), expected);
        }
    }
}
