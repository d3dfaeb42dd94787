//! What a pool must do, checked over whatever `Pool` the module `subject` beside this one holds: the chapter's own in its
//! unit tests, a reader's in the exercise.

use std::collections::BTreeMap;

use super::subject::Pool;

pub(crate) fn a_stale_key_finds_nothing() {
    let mut pool = Pool::new();
    let kid = pool.insert(|_| "kid");
    assert_eq!(pool.get(kid), Some(&"kid"), "what was put in is not there");
    assert_eq!(pool.remove(kid), Some("kid"));
    assert_eq!(pool.get(kid), None, "it was taken out, and is still there");
    let friend = pool.insert(|_| "friend");
    assert_eq!(
        pool.get(kid),
        None,
        "the kid's key finds the friend: the place is the same, the serial is not"
    );
    assert_eq!(pool.get(friend), Some(&"friend"));
    if let Some(found) = pool.get_mut(kid) {
        panic!("the kid's key may change {found:?}: compare the serial in `get_mut` too");
    }
    let mut told = None;
    let key = pool.insert(|key| {
        told = Some(key);
        "baby"
    });
    assert_eq!(
        told,
        Some(key),
        "`make` was told another key than the one that is given back"
    );
}

pub(crate) fn a_stale_key_removes_nothing() {
    let mut pool = Pool::new();
    let kid = pool.insert(|_| "kid");
    assert_eq!(pool.remove(kid), Some("kid"));
    assert_eq!(
        pool.remove(kid),
        None,
        "it was removed twice: look whether it is there first"
    );
    let friend = pool.insert(|_| "friend");
    assert_eq!(
        pool.remove(kid),
        None,
        "the kid's key has thrown the friend out: compare the serial before you remove"
    );
    assert_eq!(pool.get(friend), Some(&"friend"));
    assert_eq!(pool.len(), 1);
}

pub(crate) fn a_place_is_used_again() {
    let mut pool = Pool::new();
    let mut places = 0;
    for round in 0..100 {
        let key = pool.insert(|_| round);
        places = places.max(key.index + 1);
        pool.remove(key);
    }
    assert_eq!(
        places, 1,
        "one at a time, and {places} places: a place that was given back is used again"
    );
    assert_eq!(pool.len(), 0);
}

/// The dice of chapter 1.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

pub(crate) fn a_pool_is_like_a_map_whose_keys_are_never_given_twice(seed: Option<u64>) {
    let mut dice = seed.unwrap_or(1_000);
    let mut pool = Pool::new();
    let mut keys = Vec::new(); // all that ever were
    let mut map = BTreeMap::new(); // by their number among the keys
    for step in 0..200 {
        let before = keys.len() as u64;
        match next(&mut dice) % 3 {
            0 | 1 if before > 0 => {
                let number = (next(&mut dice) % before) as usize;
                assert_eq!(
                    pool.remove(keys[number]),
                    map.remove(&number),
                    "step {step}: remove"
                );
            }
            _ => {
                let key = pool.insert(|_| step);
                assert!(!keys.contains(&key), "step {step}: this key was given before");
                map.insert(keys.len(), step);
                keys.push(key);
            }
        }
        assert_eq!(pool.len(), map.len());
        for (number, &key) in keys.iter().enumerate() {
            assert_eq!(pool.get(key), map.get(&number), "step {step}, key {number}");
            assert_eq!(pool.get_mut(key).copied(), map.get(&number).copied());
        }
    }
}
