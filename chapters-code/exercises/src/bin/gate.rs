//! Tests the tests of the exercises: `cargo run -p exercises --features gate --bin gate`.
//!
//! - Every stub must fail by its `todo!`, in every check: not by a hang, and not for another reason.
//! - Every solution must pass every check.
//! - Every plausible mistake must be caught by the check that is meant to catch it, with a message that says what
//!   kind of mistake it looks like.
//! - Every file of an answer must be in the table below.

#![allow(unreachable_pub)] // a reader writes `pub` as in a library
#![allow(clippy::duplicate_mod)] // one file of checks stands beside each of its answers

use std::io::{self, Write as _};
use std::panic;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::{env, fs};

use exercises::Check;

/// What must become of the checks of an answer.
enum Expected {
    /// All of them reach the stub's `todo!`.
    Todo,
    /// All of them pass.
    Pass,
    /// This one fails, with a message that contains this text.
    Caught(&'static str, &'static str),
}
use Expected::{Caught, Pass, Todo};

struct Answer {
    file: &'static str,
    checks: &'static [Check],
    expected: Expected,
}

/// Puts each file of an answer beside the file of its checks, and makes the table.
macro_rules! answers {
    ($($name:ident $file:literal, $checks:literal: $expected:expr;)+) => {
        $(#[path = "../.."]
        mod $name {
            #[path = $checks]
            pub(crate) mod checks;
            #[path = $file]
            mod subject;
        })+

        const ANSWERS: &[Answer] = &[$(Answer {
            file: $file,
            checks: $name::checks::CHECKS,
            expected: $expected,
        }),+];
    };
}

answers! {
    e1_stub "ch01/e1_predict.rs", "checks/ch01/e1_predict.rs": Todo;
    e1_solution "solutions/ch01/e1_predict.rs", "checks/ch01/e1_predict.rs": Pass;
    e1_one_after_the_other "wrong/ch01/e1_one_after_the_other.rs", "checks/ch01/e1_predict.rs":
        Caught("everyone_has_a_turn_in_the_first_round", "tasks, not calls");
    e1_no_turn_to_end "wrong/ch01/e1_no_turn_to_end.rs", "checks/ch01/e1_predict.rs":
        Caught("each_task_has_as_many_turns_as_it_needs", "one more to say that it is complete");
    e1_greedy_lets_go "wrong/ch01/e1_greedy_lets_go.rs", "checks/ch01/e1_predict.rs":
        Caught("each_task_has_as_many_turns_as_it_needs", "do more in one turn than you thought");
    e1_other_names "wrong/ch01/e1_other_names.rs", "checks/ch01/e1_predict.rs":
        Caught("everyone_has_a_turn_in_the_first_round", "no task is called \"parent\"");
    e1_new_order_each_round "wrong/ch01/e1_new_order_each_round.rs", "checks/ch01/e1_predict.rs":
        Caught("the_whole_order", "turn 4 is the first that is wrong");

    e2_stub "ch01/e2_scheduler.rs", "checks/ch01/e2_scheduler.rs": Todo;
    e2_solution "solutions/ch01/e2_scheduler.rs", "checks/ch01/e2_scheduler.rs": Pass;
    e2_back_to_the_front "wrong/ch01/e2_back_to_the_front.rs", "checks/ch01/e2_scheduler.rs":
        Caught("tasks_run_in_a_circle", "go to the end of the queue");
    e2_to_the_end "wrong/ch01/e2_to_the_end.rs", "checks/ch01/e2_scheduler.rs":
        Caught("one_turn_is_one_resume", "a turn is one call to `resume`, no loop");
    e2_loses_the_task "wrong/ch01/e2_loses_the_task.rs", "checks/ch01/e2_scheduler.rs":
        Caught("one_turn_is_one_resume", "does a task that yields go back into the queue?");
    e2_never_leaves "wrong/ch01/e2_never_leaves.rs", "checks/ch01/e2_scheduler.rs":
        Caught("a_complete_task_never_runs_again", "does a complete task go back into the queue?");
    e2_ends_too_early "wrong/ch01/e2_ends_too_early.rs", "checks/ch01/e2_scheduler.rs":
        Caught("every_task_reaches_its_end", "did `run_once` return `None` too early?");
    e2_ignores_the_seed "wrong/ch01/e2_ignores_the_seed.rs", "checks/ch01/e2_scheduler.rs":
        Caught("a_seed_is_a_schedule", "the task that `pick` picks");

    e3_stub "ch01/e3_parent.rs", "checks/ch01/e3_parent.rs": Todo;
    e3_solution "solutions/ch01/e3_parent.rs", "checks/ch01/e3_parent.rs": Pass;
    e3_ends_with_the_countdown "wrong/ch01/e3_ends_with_the_countdown.rs", "checks/ch01/e3_parent.rs":
        Caught("it_says_one_line_in_each_turn", "the end of the countdown is not the end of the parent");
    e3_empty_turn "wrong/ch01/e3_empty_turn.rs", "checks/ch01/e3_parent.rs":
        Caught("it_says_one_line_in_each_turn", "go on in the same turn");
    e3_greedy "wrong/ch01/e3_greedy.rs", "checks/ch01/e3_parent.rs":
        Caught("it_says_one_line_in_each_turn", "one turn is one call to the countdown's `resume`");
    e3_begins_anew "wrong/ch01/e3_begins_anew.rs", "checks/ch01/e3_parent.rs":
        Caught("it_says_one_line_in_each_turn", "write down in `self` where it will go on");
    e3_never_ends "wrong/ch01/e3_never_ends.rs", "checks/ch01/e3_parent.rs":
        Caught("it_ends_and_stays_complete", "every turn after the last line must be complete");
}

fn main() -> ExitCode {
    if env::args().len() > 1 {
        println!("Tests the tests of the exercises. It takes no arguments.");
        return ExitCode::SUCCESS;
    }
    let mut failed = false;
    for answer in ANSWERS {
        print!("{} ... ", answer.file);
        // So that a hang has a name. If standard output is gone, `println!` below will say so.
        let _ = io::stdout().flush();
        match answer.judge() {
            Ok(()) => println!("ok"),
            Err(problem) => {
                println!("WRONG: {problem}");
                failed = true;
            }
        }
    }
    for file in unlisted() {
        println!("{file} ... WRONG: not in the gate's table");
        failed = true;
    }
    ExitCode::from(u8::from(failed))
}

impl Answer {
    fn judge(&self) -> Result<(), String> {
        let outcomes = self
            .checks
            .iter()
            .map(|check| (check.name, message_of_failure(check)));
        match self.expected {
            Todo => {
                for (name, message) in outcomes {
                    let message = message.ok_or(format!("{name} passes on a stub"))?;
                    if !message.starts_with("not yet implemented") {
                        return Err(format!("{name} fails, but not by a `todo!`: {message}"));
                    }
                }
                Ok(())
            }
            Pass => {
                for (name, message) in outcomes {
                    message.map_or(Ok(()), |message| Err(format!("{name} fails: {message}")))?;
                }
                Ok(())
            }
            Caught(wanted, smell) => {
                let mut outcomes = outcomes.filter(|(name, _)| *name == wanted);
                let (name, message) = outcomes.next().ok_or(format!("there is no check {wanted}"))?;
                let message = message.ok_or(format!("{name} does not catch it"))?;
                if message.contains(smell) {
                    return Ok(());
                }
                Err(format!("{name} fails, but does not say '{smell}': {message}"))
            }
        }
    }
}

/// Runs a check. The message of its panic, or `None` if it passes.
fn message_of_failure(check: &Check) -> Option<String> {
    let message = Arc::new(Mutex::new(String::new()));
    let hook = panic::take_hook();
    let heard = Arc::clone(&message);
    panic::set_hook(Box::new(move |info| {
        let payload = info.payload();
        let text = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
            (Some(text), _) => text.to_string(),
            (_, Some(text)) => text.clone(),
            _ => "a panic without a text".to_string(),
        };
        *heard.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }));
    let outcome = panic::catch_unwind(|| check.run());
    panic::set_hook(hook);
    outcome.err()?;
    Some(message.lock().unwrap_or_else(PoisonError::into_inner).clone())
}

/// The files of answers that the table does not have.
fn unlisted() -> Vec<String> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut unlisted = Vec::new();
    for folder in ["ch01", "solutions/ch01", "wrong/ch01"] {
        for entry in fs::read_dir(package.join(folder)).into_iter().flatten().flatten() {
            let file = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if ANSWERS.iter().all(|answer| answer.file != file) {
                unlisted.push(file);
            }
        }
    }
    unlisted
}
