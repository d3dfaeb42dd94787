//! Checks of exercise 2: those that guard the invariants of the chapter's own kernel.

use super::subject;

#[path = "../../../chapter02-traps/tests/checks/kernel.rs"]
mod invariants;

use invariants::*;

exercises::checks! {
    under_seeds each_task_is_in_one_place;
    under_seeds a_waiting_task_has_no_turn;
    under_seeds a_task_goes_on_with_the_answer_to_its_trap;
    under_seeds a_join_is_answered_after_the_end_and_not_before;
    under_seeds a_join_after_the_end_is_answered;
    under_seeds each_message_is_received_once_and_in_order;
    once who_waits_longest_is_served_first;
    under_seeds a_deadlock_names_everyone_who_waits;
    under_seeds no_task_left_is_no_deadlock;
    once a_seed_is_a_schedule;
}
