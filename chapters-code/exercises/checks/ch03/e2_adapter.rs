//! Checks of exercise 2: those that guard the invariants of the chapter's own adapter.

use super::subject;

#[path = "../../../chapter03-async/tests/checks/adapter.rs"]
mod invariants;

use invariants::*;

exercises::checks! {
    once one_resume_is_one_poll;
    once a_request_is_handed_out_in_the_same_turn;
    under_seeds an_answer_reaches_the_await_that_asked;
    under_seeds a_future_that_asks_nothing_gets_another_turn;
    once a_ready_future_is_dropped_and_never_polled_again;
}
