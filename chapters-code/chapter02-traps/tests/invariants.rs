//! The invariants of chapter 2. The chapter's page names these tests.

/// The kernel to check. Exercise 2 puts a reader's kernel in its place.
mod subject {
    pub(crate) use chapter2::kernel::Kernel;
}

#[path = "checks/kernel.rs"]
mod checks;

/// Runs a check in the order of arrival and under 200 shuffled schedules.
fn under_all_schedules(check: fn(Option<u64>)) {
    check(None);
    for seed in 0..200 {
        println!("seed {seed}"); // shown if the check fails
        check(Some(seed));
    }
}

#[test]
fn each_task_is_in_one_place() {
    under_all_schedules(checks::each_task_is_in_one_place);
}

#[test]
fn a_waiting_task_has_no_turn() {
    under_all_schedules(checks::a_waiting_task_has_no_turn);
}

#[test]
fn a_task_goes_on_with_the_answer_to_its_trap() {
    under_all_schedules(checks::a_task_goes_on_with_the_answer_to_its_trap);
}

#[test]
fn a_join_is_answered_after_the_end_and_not_before() {
    under_all_schedules(checks::a_join_is_answered_after_the_end_and_not_before);
}

#[test]
fn a_join_after_the_end_is_answered() {
    under_all_schedules(checks::a_join_after_the_end_is_answered);
}

#[test]
fn each_message_is_received_once_and_in_order() {
    under_all_schedules(checks::each_message_is_received_once_and_in_order);
}

#[test]
fn who_waits_longest_is_served_first() {
    checks::who_waits_longest_is_served_first();
}

#[test]
fn a_deadlock_names_everyone_who_waits() {
    under_all_schedules(checks::a_deadlock_names_everyone_who_waits);
}

#[test]
fn no_task_left_is_no_deadlock() {
    under_all_schedules(checks::no_task_left_is_no_deadlock);
}

#[test]
fn a_seed_is_a_schedule() {
    checks::a_seed_is_a_schedule();
}
