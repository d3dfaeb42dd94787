//! Checks of exercise 2: those that guard the invariants of the chapter's own channel.

use super::subject;

#[path = "../../../chapter04-wakers/tests/checks/channel.rs"]
mod invariants;

use invariants::*;

exercises::checks! {
    under_seeds a_receive_waits_and_is_woken_by_a_send;
    under_seeds each_message_is_received_once_and_in_order;
    once a_message_that_nobody_waits_for_stays;
    under_seeds a_note_exists_exactly_while_an_operation_waits;
    once who_waits_longest_is_woken_first;
    once one_message_wakes_one;
    once the_message_is_there_when_the_receiver_is_woken;
    under_seeds one_task_can_wait_for_two_messages;
    under_seeds a_receive_that_is_polled_for_nothing_keeps_its_place;
}
