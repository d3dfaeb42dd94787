//! The checks of timers, over the chapter's own: unit tests of `src/timers.rs`.

mod subject {
    pub(crate) use crate::timers::Timers;
}

#[path = "timers.rs"]
mod checks;

#[test]
fn a_timer_fires_at_its_time_and_once() {
    checks::a_timer_fires_at_its_time_and_once();
}

#[test]
fn equal_deadlines_fire_in_the_order_of_setting() {
    checks::equal_deadlines_fire_in_the_order_of_setting();
}

#[test]
fn a_removed_timer_is_gone_and_the_others_fire() {
    checks::a_removed_timer_is_gone_and_the_others_fire();
}

#[test]
fn timers_are_like_a_sorted_map() {
    (0..200).for_each(|seed| checks::timers_are_like_a_sorted_map(Some(seed)));
}
