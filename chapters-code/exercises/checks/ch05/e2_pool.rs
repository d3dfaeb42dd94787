//! Checks of exercise 2: those that guard the chapter's own pool.

use super::subject;

#[path = "../../../chapter05-kernel/tests/checks/pool.rs"]
mod invariants;

use invariants::*;

exercises::checks! {
    once a_stale_key_finds_nothing;
    once a_stale_key_removes_nothing;
    once a_place_is_used_again;
    under_seeds a_pool_is_like_a_map_whose_keys_are_never_given_twice;
}
