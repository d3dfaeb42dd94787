//! Checks of exercise 2: those that guard the invariants of the chapter's own scheduler.

use super::subject;

#[path = "../../../chapter01-generators/tests/checks/scheduler.rs"]
mod invariants;

use invariants::*;

exercises::checks! {
    under_seeds one_turn_is_one_resume;
    once tasks_run_in_a_circle;
    under_seeds a_complete_task_never_runs_again;
    under_seeds every_task_reaches_its_end;
    under_seeds no_schedule_changes_what_a_task_says;
    once a_seed_is_a_schedule;
}
