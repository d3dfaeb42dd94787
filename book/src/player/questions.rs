//! Questions to answer before a step is shown. They and their answers come from the trace.
//!
//! A question is asked once for each situation: the same queue is not asked about twice.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};

use super::run::{Run, Step};
use super::trace::{Event, How};
use super::words;

/// A question with its choices, the number of the right one, and the reason, unless the steps that follow tell it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) text: String,
    pub(crate) choices: Vec<String>,
    pub(crate) right: usize,
    pub(crate) because: String,
}

impl Question {
    pub(crate) fn json(&self) -> Value {
        json!({"text": self.text, "choices": self.choices, "right": self.right, "because": self.because})
    }
}

/// The questions of a run, by the step before which they are asked.
pub(crate) fn of(run: &Run) -> BTreeMap<usize, Question> {
    let mut questions = BTreeMap::new();
    let mut asked = HashSet::new();
    let mut endings: BTreeMap<u64, Ending> = BTreeMap::new();
    let possible = possible_endings(run);
    for (place, step) in run.steps.iter().enumerate().skip(1) {
        let before = &run.steps[place - 1];
        let question = match step.events.first() {
            Some(Event::Running { task }) if !run.shuffled => who_runs(before, *task),
            Some(Event::Timer { task, how, .. }) if *how == How::Fired => whose_timer(before, *task, run),
            _ => None,
        };
        if let Some((situation, question)) = question
            && asked.insert(situation)
        {
            questions.insert(place, question);
        }
        // How a turn ends is asked when it has begun, and only where it is news.
        if let Some(Event::Running { task }) = step.events.first()
            && let Some(ending) = ending_of_turn(run, place, *task)
        {
            let news = match endings.insert(*task, ending) {
                None => endings.len() == 1,
                Some(previous) => previous != ending,
            };
            if news && possible.len() > 1 && !questions.contains_key(&(place + 1)) {
                questions.insert(
                    place + 1,
                    Question {
                        text: format!("How will this turn of {} end?", step.state.name(*task)),
                        choices: possible.iter().map(|ending| ending.words().to_owned()).collect(),
                        right: possible
                            .iter()
                            .position(|other| *other == ending)
                            .unwrap_or_default(),
                        because: String::new(),
                    },
                );
            }
        }
    }
    questions
}

fn who_runs(before: &Step, task: u64) -> Option<(String, Question)> {
    let state = &before.state;
    let alive: Vec<u64> = state.alive().collect();
    if alive.len() < 2 || state.queue.first() != Some(&task) {
        return None;
    }
    let name = state.name(task);
    let because = match state.queue.as_slice() {
        [_] => format!("Only {name} is in the ready queue."),
        _ => format!("{name} stands first in the ready queue."),
    };
    let situation = format!("who {:?} {alive:?}", state.queue);
    let question = Question {
        text: "Which task runs next?".to_owned(),
        choices: alive.iter().map(|task| state.name(*task)).collect(),
        right: alive.iter().position(|other| *other == task)?,
        because,
    };
    Some((situation, question))
}

fn whose_timer(before: &Step, task: u64, run: &Run) -> Option<(String, Question)> {
    let state = &before.state;
    let timers = state.timers_by_deadline();
    let mut tasks: Vec<u64> = timers.iter().map(|timer| timer.task).collect();
    tasks.sort_unstable();
    tasks.dedup();
    let first = timers.first().filter(|first| first.task == task)?;
    if tasks.len() < 2 {
        return None;
    }
    let question = Question {
        text: "Whose timer fires next?".to_owned(),
        choices: tasks.iter().map(|task| state.name(*task)).collect(),
        right: tasks.iter().position(|other| *other == task)?,
        because: format!(
            "The timer of {} is set for {}, and no other is earlier.",
            state.name(task),
            words::moment(first.deadline, run.clock)
        ),
    };
    Some((format!("timer {tasks:?} {task}"), question))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ending {
    Again,
    Waits,
    Over,
}

impl Ending {
    fn words(self) -> &'static str {
        match self {
            Ending::Again => "it goes back into the ready queue",
            Ending::Waits => "it waits, outside of the queue",
            Ending::Over => "the task has ended",
        }
    }
}

fn possible_endings(run: &Run) -> Vec<Ending> {
    let mut possible: Vec<Ending> = run
        .steps
        .iter()
        .filter_map(ending_in)
        .map(|(_, ending)| ending)
        .collect();
    possible.sort_unstable();
    possible.dedup();
    possible
}

fn ending_in(step: &Step) -> Option<(u64, Ending)> {
    step.events.iter().find_map(|event| match event {
        Event::Suspended { task, state } => Some(match state.as_str() {
            "READY" => (*task, Ending::Again),
            "TERMINATED" => (*task, Ending::Over),
            _ => (*task, Ending::Waits),
        }),
        _ => None,
    })
}

/// How the turn ends that begins with the step at `place`; None if at once.
fn ending_of_turn(run: &Run, place: usize, task: u64) -> Option<Ending> {
    let mut rest = run.steps.iter().skip(place);
    if ending_in(rest.next()?).is_some() {
        return None;
    }
    let (_, ending) = rest.filter_map(ending_in).find(|(whose, _)| *whose == task)?;
    Some(ending)
}

#[cfg(test)]
mod tests {
    use super::super::run::tests::{MESSAGE, golden, run, run_with};
    use super::*;

    /// Each question, before which step (counted from 1), with its right answer.
    fn asked(run: &Run) -> Vec<String> {
        let questions = of(run).into_iter();
        questions
            .map(|(place, question)| {
                assert!(question.choices.len() > 1, "{question:?}");
                format!(
                    "{}: {} {}",
                    place + 1,
                    question.text,
                    question.choices[question.right]
                )
            })
            .collect()
    }

    #[test]
    fn questions_have_their_answers_from_the_run() {
        assert_eq!(
            asked(&run(MESSAGE)),
            [
                "3: Which task runs next? kid",
                "4: How will this turn of kid end? it waits, outside of the queue",
                "5: Which task runs next? parent",
                "11: How will this turn of kid end? the task has ended",
            ]
        );
        let first = &of(&run(MESSAGE))[&2];
        assert_eq!(first.because, "kid stands first in the ready queue.");
        assert_eq!(
            of(&run(MESSAGE))[&4].because,
            "Only parent is in the ready queue."
        );
    }

    #[test]
    fn who_is_next_is_not_asked_of_a_shuffled_run() {
        let shuffled = run_with("\"clock\":\"steps\",\"seed\":4", MESSAGE);
        let asked = asked(&shuffled);
        assert!(
            asked.iter().all(|question| question.contains("How will")),
            "{asked:?}"
        );
    }

    #[test]
    fn timers_are_asked_about_where_there_are_two() {
        let asked = asked(&golden());
        let timers: Vec<&String> = asked
            .iter()
            .filter(|question| question.contains("timer"))
            .collect();
        assert_eq!(
            timers,
            [
                "11: Whose timer fires next? countdown",
                "22: Whose timer fires next? parent"
            ]
        );
    }

    #[test]
    fn the_same_is_not_asked_twice() {
        let mut events = String::new();
        for task in 1..=2 {
            events += &format!(
                "{{\"at\":0,\"event\":\"created\",\"task\":{task},\"name\":\"t\",\"parent\":null}}\n\
                 {{\"at\":0,\"event\":\"ready\",\"task\":{task}}}\n"
            );
        }
        for turn in 1..=8 {
            let task = 2 - turn % 2;
            events += &format!(
                "{{\"at\":{turn},\"event\":\"running\",\"task\":{task}}}\n\
                 {{\"at\":{turn},\"event\":\"says\",\"task\":{task},\"text\":\"x\"}}\n"
            );
            events += &match turn {
                8 => format!(
                    "{{\"at\":{turn},\"event\":\"suspended\",\"task\":{task},\"state\":\"TERMINATED\"}}\n\
                     {{\"at\":{turn},\"event\":\"terminated\",\"task\":{task},\"how\":\"value\",\"error\":null}}\n"
                ),
                _ => format!(
                    "{{\"at\":{turn},\"event\":\"ready\",\"task\":{task}}}\n\
                     {{\"at\":{turn},\"event\":\"suspended\",\"task\":{task},\"state\":\"READY\"}}\n"
                ),
            };
        }
        assert_eq!(
            asked(&run(&events)),
            [
                "3: Which task runs next? t 1",
                "4: How will this turn of t 1 end? it goes back into the ready queue",
                "6: Which task runs next? t 2",
                "25: How will this turn of t 2 end? the task has ended",
            ]
        );
    }
}
