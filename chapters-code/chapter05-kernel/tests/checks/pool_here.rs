//! The checks of a pool, over the chapter's own: unit tests of `src/pool.rs`.

mod subject {
    pub(crate) use crate::pool::Pool;
}

#[path = "pool.rs"]
mod checks;

#[test]
fn a_stale_key_finds_nothing() {
    checks::a_stale_key_finds_nothing();
}

#[test]
fn a_stale_key_removes_nothing() {
    checks::a_stale_key_removes_nothing();
}

#[test]
fn a_place_is_used_again() {
    checks::a_place_is_used_again();
}

#[test]
fn a_pool_is_like_a_map_whose_keys_are_never_given_twice() {
    (0..200).for_each(|seed| checks::a_pool_is_like_a_map_whose_keys_are_never_given_twice(Some(seed)));
}
