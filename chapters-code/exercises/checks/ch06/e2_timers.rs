//! Checks of exercise 2: those that guard the chapter's own timers.

use super::subject;

#[path = "../../../chapter06-time/tests/checks/timers.rs"]
mod invariants;

use invariants::*;

exercises::checks! {
    once a_timer_fires_at_its_time_and_once;
    once equal_deadlines_fire_in_the_order_of_setting;
    once a_removed_timer_is_gone_and_the_others_fire;
    under_seeds timers_are_like_a_sorted_map;
}
