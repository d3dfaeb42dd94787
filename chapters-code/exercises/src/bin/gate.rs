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

#[path = "../../../common/pipe.rs"]
mod pipe;

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
    e3_hands_out_nothing "wrong/ch01/e3_hands_out_nothing.rs", "checks/ch01/e3_parent.rs":
        Caught("it_says_one_line_in_each_turn", "hand out one line in each turn, and print none");

    c2_e1_stub "ch02/e1_predict.rs", "checks/ch02/e1_predict.rs": Todo;
    c2_e1_solution "solutions/ch02/e1_predict.rs", "checks/ch02/e1_predict.rs": Pass;
    c2_e1_kid_runs_at_once "wrong/ch02/e1_kid_runs_at_once.rs", "checks/ch02/e1_predict.rs":
        Caught("the_first_round", "a new task goes to its end");
    c2_e1_parent_first "wrong/ch02/e1_parent_first.rs", "checks/ch02/e1_predict.rs":
        Caught("the_first_round", "the new task or the one who asked for it?");
    c2_e1_parent_keeps_asking "wrong/ch02/e1_parent_keeps_asking.rs", "checks/ch02/e1_predict.rs":
        Caught("each_task_has_as_many_turns_as_it_needs", "a task that waits is not in the queue");
    c2_e1_no_turn_to_end "wrong/ch02/e1_no_turn_to_end.rs", "checks/ch02/e1_predict.rs":
        Caught("each_task_has_as_many_turns_as_it_needs", "one more to reach its end");
    c2_e1_woken_too_early "wrong/ch02/e1_woken_too_early.rs", "checks/ch02/e1_predict.rs":
        Caught("the_whole_order", "turn 7 is the first that is wrong");

    c2_e2_stub "ch02/e2_kernel.rs", "checks/ch02/e2_kernel.rs": Todo;
    c2_e2_solution "solutions/ch02/e2_kernel.rs", "checks/ch02/e2_kernel.rs": Pass;
    c2_e2_forgets_the_end "wrong/ch02/e2_forgets_the_end.rs", "checks/ch02/e2_kernel.rs":
        Caught("a_join_after_the_end_is_answered", "who is not in the table has ended");
    c2_e2_joins_nobody "wrong/ch02/e2_joins_nobody.rs", "checks/ch02/e2_kernel.rs":
        Caught("a_join_is_answered_after_the_end_and_not_before", "a join of a running task is not answered at once");
    c2_e2_wakes_one_joiner "wrong/ch02/e2_wakes_one_joiner.rs", "checks/ch02/e2_kernel.rs":
        Caught("a_join_is_answered_after_the_end_and_not_before", "was it never woken?");
    c2_e2_waits_in_the_queue "wrong/ch02/e2_waits_in_the_queue.rs", "checks/ch02/e2_kernel.rs":
        Caught("each_task_is_in_one_place", "does a task that waits stay out of the ready queue?");
    c2_e2_newest_message_first "wrong/ch02/e2_newest_message_first.rs", "checks/ch02/e2_kernel.rs":
        Caught("each_message_is_received_once_and_in_order", "in another order than sent");
    c2_e2_keeps_the_message "wrong/ch02/e2_keeps_the_message.rs", "checks/ch02/e2_kernel.rs":
        Caught("each_message_is_received_once_and_in_order", "it goes to one receiver, or waits in the channel");
    c2_e2_newest_receiver_first "wrong/ch02/e2_newest_receiver_first.rs", "checks/ch02/e2_kernel.rs":
        Caught("who_waits_longest_is_served_first", "belongs to the one who has waited longest");
    c2_e2_no_note "wrong/ch02/e2_no_note.rs", "checks/ch02/e2_kernel.rs":
        Caught("each_task_is_in_one_place", "which is not where it is");
    c2_e2_stays_in_the_table "wrong/ch02/e2_stays_in_the_table.rs", "checks/ch02/e2_kernel.rs":
        Caught("no_task_left_is_no_deadlock", "does it leave the table at its end?");
    c2_e2_wakes_twice "wrong/ch02/e2_wakes_twice.rs", "checks/ch02/e2_kernel.rs":
        Caught("a_join_is_answered_after_the_end_and_not_before", "was a task woken twice");
    c2_e2_other_label "wrong/ch02/e2_other_label.rs", "checks/ch02/e2_kernel.rs":
        Caught("a_deadlock_names_everyone_who_waits", "does `wait` get the right label");

    c2_e3_stub "ch02/e3_family.rs", "checks/ch02/e3_family.rs": Todo;
    c2_e3_solution "solutions/ch02/e3_family.rs", "checks/ch02/e3_family.rs": Pass;
    c2_e3_one_after_the_other "wrong/ch02/e3_one_after_the_other.rs", "checks/ch02/e3_family.rs":
        Caught("all_kids_play_at_the_same_time", "then they play one after the other");
    c2_e3_forgets_the_last_answer "wrong/ch02/e3_forgets_the_last_answer.rs", "checks/ch02/e3_family.rs":
        Caught("it_waits_for_each_kid_by_its_number", "comes with the answer to its spawn, in the turn after it");
    c2_e3_waits_for_the_last "wrong/ch02/e3_waits_for_the_last.rs", "checks/ch02/e3_family.rs":
        Caught("it_ends_after_every_kid", "did it wait for each of them?");
    c2_e3_one_too_many "wrong/ch02/e3_one_too_many.rs", "checks/ch02/e3_family.rs":
        Caught("it_starts_as_many_kids_as_it_is_told", "told to start 0 kids");
    c2_e3_other_kids "wrong/ch02/e3_other_kids.rs", "checks/ch02/e3_family.rs":
        Caught("it_starts_as_many_kids_as_it_is_told", "bricks of a kid");
    c2_e3_waits_by_yielding "wrong/ch02/e3_waits_by_yielding.rs", "checks/ch02/e3_family.rs":
        Caught("it_waits_for_each_kid_by_its_number", "the number of each kid");

    c3_e1_stub "ch03/e1_predict.rs", "checks/ch03/e1_predict.rs": Todo;
    c3_e1_solution "solutions/ch03/e1_predict.rs", "checks/ch03/e1_predict.rs": Pass;
    c3_e1_runs_when_called "wrong/ch03/e1_runs_when_called.rs", "checks/ch03/e1_predict.rs":
        Caught("nothing_of_a_future_runs_before_it_is_awaited", "and runs nothing of it");
    c3_e1_kid_is_a_task "wrong/ch03/e1_kid_is_a_task.rs", "checks/ch03/e1_predict.rs":
        Caught("who_awaits_waits_for_the_end", "the kid is no task");
    c3_e1_spawn_does_not_stop "wrong/ch03/e1_spawn_does_not_stop.rs", "checks/ch03/e1_predict.rs":
        Caught("a_task_runs_while_another_one_waits", "to spawn is a trap here");
    c3_e1_friend_in_one_go "wrong/ch03/e1_friend_in_one_go.rs", "checks/ch03/e1_predict.rs":
        Caught("a_task_runs_while_another_one_waits", "its turn is over when it yields");
    c3_e1_kid_goes_on_first "wrong/ch03/e1_kid_goes_on_first.rs", "checks/ch03/e1_predict.rs":
        Caught("the_whole_order", "line 6 is the first that is wrong");

    c3_e2_stub "ch03/e2_adapter.rs", "checks/ch03/e2_adapter.rs": Todo;
    c3_e2_solution "solutions/ch03/e2_adapter.rs", "checks/ch03/e2_adapter.rs": Pass;
    c3_e2_polls_to_the_end "wrong/ch03/e2_polls_to_the_end.rs", "checks/ch03/e2_adapter.rs":
        Caught("one_resume_is_one_poll", "one resume is one poll, no loop");
    c3_e2_answers_too_late "wrong/ch03/e2_answers_too_late.rs", "checks/ch03/e2_adapter.rs":
        Caught("an_answer_reaches_the_await_that_asked", "is the answer in the slot before the poll?");
    c3_e2_expects_a_request "wrong/ch03/e2_expects_a_request.rs", "checks/ch03/e2_adapter.rs":
        Caught("a_future_that_asks_nothing_gets_another_turn", "did not get another turn");
    c3_e2_ends_without_a_request "wrong/ch03/e2_ends_without_a_request.rs", "checks/ch03/e2_adapter.rs":
        Caught("a_future_that_asks_nothing_gets_another_turn", "did not get another turn, though it is not ready");
    c3_e2_keeps_the_future "wrong/ch03/e2_keeps_the_future.rs", "checks/ch03/e2_adapter.rs":
        Caught("a_ready_future_is_dropped_and_never_polled_again", "drop it at its end");
    c3_e2_takes_too_early "wrong/ch03/e2_takes_too_early.rs", "checks/ch03/e2_adapter.rs":
        Caught("a_request_is_handed_out_in_the_same_turn", "is it taken out after the poll?");
    c3_e2_always_yields "wrong/ch03/e2_always_yields.rs", "checks/ch03/e2_adapter.rs":
        Caught("a_request_is_handed_out_in_the_same_turn", "not the request that the future has left in the slot");

    c3_e3_stub "ch03/e3_receive_two.rs", "checks/ch03/e3_receive_two.rs": Todo;
    c3_e3_solution "solutions/ch03/e3_receive_two.rs", "checks/ch03/e3_receive_two.rs": Pass;
    c3_e3_stops_without_asking "wrong/ch03/e3_stops_without_asking.rs", "checks/ch03/e3_receive_two.rs":
        Caught("it_asks_twice_and_for_nothing_else", "it stopped without a request");
    c3_e3_asks_in_every_poll "wrong/ch03/e3_asks_in_every_poll.rs", "checks/ch03/e3_receive_two.rs":
        Caught("it_gives_the_messages_in_the_order_in_which_they_came", "Is the first message kept");
    c3_e3_asks_when_made "wrong/ch03/e3_asks_when_made.rs", "checks/ch03/e3_receive_two.rs":
        Caught("it_does_nothing_before_it_is_polled", "leave it in the first poll");
    c3_e3_keeps_the_old_request "wrong/ch03/e3_keeps_the_old_request.rs", "checks/ch03/e3_receive_two.rs":
        Caught("it_asks_twice_and_for_nothing_else", "it stopped without a request");
    c3_e3_swapped "wrong/ch03/e3_swapped.rs", "checks/ch03/e3_receive_two.rs":
        Caught("it_gives_the_messages_in_the_order_in_which_they_came", "not the two messages in the order");
    c3_e3_forgets_the_first "wrong/ch03/e3_forgets_the_first.rs", "checks/ch03/e3_receive_two.rs":
        Caught("it_gives_the_messages_in_the_order_in_which_they_came", "Is the first message kept while it waits for the second?");

    c4_e1_stub "ch04/e1_doorbell.rs", "checks/ch04/e1_doorbell.rs": Todo;
    c4_e1_solution "solutions/ch04/e1_doorbell.rs", "checks/ch04/e1_doorbell.rs": Pass;
    c4_e1_still_late "wrong/ch04/e1_still_late.rs", "checks/ch04/e1_doorbell.rs":
        Caught("a_ring_is_never_lost", "between your look and the moment when you left the waker");
    c4_e1_busy "wrong/ch04/e1_busy.rs", "checks/ch04/e1_doorbell.rs":
        Caught("a_ring_wakes_who_waits", "who waits does not wake itself");
    c4_e1_first_waker "wrong/ch04/e1_first_waker.rs", "checks/ch04/e1_doorbell.rs":
        Caught("it_is_the_last_waker_that_is_woken", "each poll may bring another waker");
    c4_e1_no_waker "wrong/ch04/e1_no_waker.rs", "checks/ch04/e1_doorbell.rs":
        Caught("a_ring_wakes_who_waits", "somebody has rung, and it was not woken");
    c4_e1_no_note "wrong/ch04/e1_no_note.rs", "checks/ch04/e1_doorbell.rs":
        Caught("it_says_what_it_waits_for", "is there a note?");
    c4_e1_leaves_the_note "wrong/ch04/e1_leaves_the_note.rs", "checks/ch04/e1_doorbell.rs":
        Caught("the_note_goes_when_it_is_ready", "does it call `complete` before it is ready?");
    c4_e1_locks_twice "wrong/ch04/e1_locks_twice.rs", "checks/ch04/e1_doorbell.rs":
        Caught("a_ring_wakes_who_waits", "the lock is taken while this very thread holds it");
    c4_e1_looks_too_late "wrong/ch04/e1_looks_too_late.rs", "checks/ch04/e1_doorbell.rs":
        Caught("a_ring_before_the_wait_is_enough", "look before you wait");

    c4_e2_stub "ch04/e2_channel.rs", "checks/ch04/e2_channel.rs": Todo;
    c4_e2_solution "solutions/ch04/e2_channel.rs", "checks/ch04/e2_channel.rs": Pass;
    c4_e2_wakes_nobody "wrong/ch04/e2_wakes_nobody.rs", "checks/ch04/e2_channel.rs":
        Caught("a_receive_waits_and_is_woken_by_a_send", "who sends must notify");
    c4_e2_wakes_all "wrong/ch04/e2_wakes_all.rs", "checks/ch04/e2_channel.rs":
        Caught("one_message_wakes_one", "the others would be woken for nothing");
    c4_e2_busy "wrong/ch04/e2_busy.rs", "checks/ch04/e2_channel.rs":
        Caught("a_receive_waits_and_is_woken_by_a_send", "does an operation that waits wake itself");
    c4_e2_leaves_the_note "wrong/ch04/e2_leaves_the_note.rs", "checks/ch04/e2_channel.rs":
        Caught("a_note_exists_exactly_while_an_operation_waits", "does a receive call `complete` before it is ready?");
    c4_e2_newest_first "wrong/ch04/e2_newest_first.rs", "checks/ch04/e2_channel.rs":
        Caught("each_message_is_received_once_and_in_order", "in another order than sent");
    c4_e2_waits_first "wrong/ch04/e2_waits_first.rs", "checks/ch04/e2_channel.rs":
        Caught("a_message_that_nobody_waits_for_stays", "who receives must look before it waits");
    c4_e2_knocks_first "wrong/ch04/e2_knocks_first.rs", "checks/ch04/e2_channel.rs":
        Caught("the_message_is_there_when_the_receiver_is_woken", "put it in first, and then notify");
    c4_e2_knocks_with_a_borrow "wrong/ch04/e2_knocks_with_a_borrow.rs", "checks/ch04/e2_channel.rs":
        Caught("the_message_is_there_when_the_receiver_is_woken", "let the borrow end, and then notify");
    c4_e2_on_no_list "wrong/ch04/e2_on_no_list.rs", "checks/ch04/e2_channel.rs":
        Caught("a_receive_waits_and_is_woken_by_a_send", "who waits must be on the list");

    c4_e3_stub "ch04/e3_event.rs", "checks/ch04/e3_event.rs": Todo;
    c4_e3_solution "solutions/ch04/e3_event.rs", "checks/ch04/e3_event.rs": Pass;
    c4_e3_wakes_one "wrong/ch04/e3_wakes_one.rs", "checks/ch04/e3_event.rs":
        Caught("a_set_lets_everyone_go_on", "all are to go on, not one");
    c4_e3_only_knocks "wrong/ch04/e3_only_knocks.rs", "checks/ch04/e3_event.rs":
        Caught("who_comes_late_does_not_wait", "a knock alone is not remembered");
    c4_e3_used_up "wrong/ch04/e3_used_up.rs", "checks/ch04/e3_event.rs":
        Caught("a_set_lets_everyone_go_on", "it has happened, and these still wait");
    c4_e3_busy "wrong/ch04/e3_busy.rs", "checks/ch04/e3_event.rs":
        Caught("who_waits_has_no_turns_and_says_so", "does an operation that waits wake itself");
    c4_e3_leaves_the_note "wrong/ch04/e3_leaves_the_note.rs", "checks/ch04/e3_event.rs":
        Caught("one_task_can_wait_for_two_events", "does a wait call `complete` before it is ready?");
    c4_e3_knocks_first "wrong/ch04/e3_knocks_first.rs", "checks/ch04/e3_event.rs":
        Caught("it_has_happened_when_they_are_woken", "note it first, and then notify");
    c4_e3_believes_the_knock "wrong/ch04/e3_believes_the_knock.rs", "checks/ch04/e3_event.rs":
        Caught("one_task_can_wait_for_two_events", "to be polled again does not mean that it has happened");
    c4_e3_other_label "wrong/ch04/e3_other_label.rs", "checks/ch04/e3_event.rs":
        Caught("who_waits_has_no_turns_and_says_so", "does not say for what");

    c5_e2_stub "ch05/e2_pool.rs", "checks/ch05/e2_pool.rs": Todo;
    c5_e2_solution "solutions/ch05/e2_pool.rs", "checks/ch05/e2_pool.rs": Pass;
    c5_e2_bare_index "wrong/ch05/e2_bare_index.rs", "checks/ch05/e2_pool.rs":
        Caught("a_stale_key_finds_nothing", "the kid's key finds the friend");
    c5_e2_changes_whoever_is_there "wrong/ch05/e2_changes_whoever_is_there.rs", "checks/ch05/e2_pool.rs":
        Caught("a_stale_key_finds_nothing", "compare the serial in `get_mut` too");
    c5_e2_removes_whoever_is_there "wrong/ch05/e2_removes_whoever_is_there.rs", "checks/ch05/e2_pool.rs":
        Caught("a_stale_key_removes_nothing", "has thrown the friend out");
    c5_e2_unwraps "wrong/ch05/e2_unwraps.rs", "checks/ch05/e2_pool.rs":
        Caught("a_stale_key_removes_nothing", "invalid key");
    c5_e2_always_the_first "wrong/ch05/e2_always_the_first.rs", "checks/ch05/e2_pool.rs":
        Caught("a_stale_key_finds_nothing", "the place is the same, the serial is not");
    c5_e2_counts_who_is_there "wrong/ch05/e2_counts_who_is_there.rs", "checks/ch05/e2_pool.rs":
        Caught("a_pool_is_like_a_map_whose_keys_are_never_given_twice", "this key was given before");
    c5_e2_never_again "wrong/ch05/e2_never_again.rs", "checks/ch05/e2_pool.rs":
        Caught("a_place_is_used_again", "a place that was given back is used again");

    c6_e2_stub "ch06/e2_timers.rs", "checks/ch06/e2_timers.rs": Todo;
    c6_e2_solution "solutions/ch06/e2_timers.rs", "checks/ch06/e2_timers.rs": Pass;
    c6_e2_forgets_the_places "wrong/ch06/e2_forgets_the_places.rs", "checks/ch06/e2_timers.rs":
        Caught("a_removed_timer_is_gone_and_the_others_fire", "is `places` right after every move?");
    c6_e2_one_place_is_old "wrong/ch06/e2_one_place_is_old.rs", "checks/ch06/e2_timers.rs":
        Caught("a_removed_timer_is_gone_and_the_others_fire", "is `places` right after every move?");
    c6_e2_late "wrong/ch06/e2_late.rs", "checks/ch06/e2_timers.rs":
        Caught("a_timer_fires_at_its_time_and_once", "at its very deadline a timer is due");
    c6_e2_one_at_a_time "wrong/ch06/e2_one_at_a_time.rs", "checks/ch06/e2_timers.rs":
        Caught("a_timer_fires_at_its_time_and_once", "it fires early");
    c6_e2_any_of_the_equals "wrong/ch06/e2_any_of_the_equals.rs", "checks/ch06/e2_timers.rs":
        Caught("equal_deadlines_fire_in_the_order_of_setting", "a heap alone does not know who came first");
    c6_e2_newest_of_the_equals "wrong/ch06/e2_newest_of_the_equals.rs", "checks/ch06/e2_timers.rs":
        Caught("equal_deadlines_fire_in_the_order_of_setting", "first come, first served");
    c6_e2_never_rises "wrong/ch06/e2_never_rises.rs", "checks/ch06/e2_timers.rs":
        Caught("timers_are_like_a_sorted_map", "move up or down?");
    c6_e2_stays_at_the_end "wrong/ch06/e2_stays_at_the_end.rs", "checks/ch06/e2_timers.rs":
        Caught("a_timer_fires_at_its_time_and_once", "does a new one rise?");
    c6_e2_leaves_it_in_the_heap "wrong/ch06/e2_leaves_it_in_the_heap.rs", "checks/ch06/e2_timers.rs":
        Caught("a_removed_timer_is_gone_and_the_others_fire", "one of 40 was removed");

    c9_e3_stub "ch09/e3_worker.rs", "checks/ch09/e3_worker.rs": Todo;
    c9_e3_solution "solutions/ch09/e3_worker.rs", "checks/ch09/e3_worker.rs": Pass;
    c9_e3_swallows "wrong/ch09/e3_swallows.rs", "checks/ch09/e3_worker.rs":
        Caught("it_can_be_sent_home_in_the_middle_of_a_job", "has swallowed it");
    c9_e3_keeps_asking "wrong/ch09/e3_keeps_asking.rs", "checks/ch09/e3_worker.rs":
        Caught("it_can_be_sent_home_while_it_waits_for_a_job", "has swallowed it");
    c9_e3_gives_up "wrong/ch09/e3_gives_up.rs", "checks/ch09/e3_worker.rs":
        Caught("a_job_that_fails_is_noted_and_the_next_is_done", "does a job that fails end it?");
    c9_e3_runs_away "wrong/ch09/e3_runs_away.rs", "checks/ch09/e3_worker.rs":
        Caught("it_can_be_sent_home_while_it_waits_for_a_job", "did not lock up");
    c9_e3_says_all_is_well "wrong/ch09/e3_says_all_is_well.rs", "checks/ch09/e3_worker.rs":
        Caught("it_can_be_sent_home_while_it_waits_for_a_job", "hand the error on, after the clean-up");
    c9_e3_does_not_wait_for_the_lock "wrong/ch09/e3_does_not_wait_for_the_lock.rs", "checks/ch09/e3_worker.rs":
        Caught("it_can_be_sent_home_while_it_waits_for_a_job", "something to do after the error, and to wait for");
    c9_e3_only_between_jobs "wrong/ch09/e3_only_between_jobs.rs", "checks/ch09/e3_worker.rs":
        Caught("it_can_be_sent_home_in_the_middle_of_a_job", "did not lock up");
    c9_e3_notes_the_interruption "wrong/ch09/e3_notes_the_interruption.rs", "checks/ch09/e3_worker.rs":
        Caught("it_can_be_sent_home_in_the_middle_of_a_job", "neither done nor has it failed");
}

fn main() -> ExitCode {
    pipe::end_with_the_reader();
    if env::args().len() > 1 {
        println!("Tests the tests of the exercises. It takes no arguments.");
        return ExitCode::SUCCESS;
    }
    let mut failed = false;
    for answer in ANSWERS {
        print!("{} ... ", answer.file);
        // So that a hang has a name. If standard output is gone, `println!` below finds out.
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
    let entries = |folder: &str| -> Vec<String> {
        let entries = fs::read_dir(package.join(folder)).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.collect()
    };
    let chapters = entries("")
        .into_iter()
        .filter(|name| name.starts_with("ch0") || name.starts_with("ch1"));
    let mut unlisted = Vec::new();
    for folder in chapters.flat_map(|ch| [format!("solutions/{ch}"), format!("wrong/{ch}"), ch]) {
        for entry in entries(&folder) {
            let file = format!("{folder}/{entry}");
            if ANSWERS.iter().all(|answer| answer.file != file) {
                unlisted.push(file);
            }
        }
    }
    unlisted
}
