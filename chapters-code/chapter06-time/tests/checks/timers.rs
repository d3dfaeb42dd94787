//! What timers must do, checked over whatever `Timers` the module `subject` beside this one holds: the chapter's own in its
//! unit tests, a reader's in the exercise.

use std::collections::BTreeMap;

use super::subject::Timers;

/// All that fire by then, in order.
fn fired(timers: &mut Timers<usize>, now: u64) -> Vec<usize> {
    let mut fired = Vec::new();
    while let Some(target) = timers.expire(now) {
        fired.push(target);
        assert!(fired.len() < 10_000, "a timer that has fired fires again");
    }
    fired
}

pub(crate) fn a_timer_fires_at_its_time_and_once() {
    let mut timers = Timers::new();
    assert_eq!((timers.len(), timers.next_deadline()), (0, None));
    timers.insert(5, 1);
    timers.insert(3, 2);
    assert_eq!(
        (timers.len(), timers.next_deadline()),
        (2, Some(3)),
        "one for 5 and one for 3: the next is that for 3, though it was set later; does a new one rise?"
    );
    assert_eq!(fired(&mut timers, 2), [], "it fires early");
    assert_eq!(
        fired(&mut timers, 3),
        [2],
        "at its very deadline a timer is due: it fires now"
    );
    assert_eq!((timers.len(), timers.next_deadline()), (1, Some(5)));
    assert_eq!(
        fired(&mut timers, 100),
        [1],
        "it is late, and must fire all the same"
    );
    assert_eq!((timers.len(), timers.next_deadline()), (0, None));
}

pub(crate) fn equal_deadlines_fire_in_the_order_of_setting() {
    let mut timers = Timers::new();
    for number in 0..100 {
        timers.insert(7, number);
    }
    let order: Vec<usize> = (0..100).collect();
    assert_eq!(
        fired(&mut timers, 7),
        order,
        "equal deadlines: first come, first served; a heap alone does not know who came first"
    );
}

pub(crate) fn a_removed_timer_is_gone_and_the_others_fire() {
    for removed in 0..40 {
        let mut timers = Timers::new();
        // Each is earlier than those before it, so that all have moved.
        let keys: Vec<_> = (0..40)
            .map(|number| timers.insert(40 - number as u64, number))
            .collect();
        timers.remove(keys[removed]);
        assert_eq!(timers.len(), 39, "one of 40 was removed");
        let left: Vec<usize> = (0..40).rev().filter(|number| *number != removed).collect();
        assert_eq!(
            fired(&mut timers, 100),
            left,
            "timer {removed} was removed, and these fired; is `places` right after every move?"
        );
    }
}

/// The dice of chapter 1.
fn next(state: &mut u64, end: u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) % end
}

pub(crate) fn timers_are_like_a_sorted_map(seed: Option<u64>) {
    let mut dice = seed.unwrap_or(1_000);
    let mut timers = Timers::new();
    let mut map = BTreeMap::new(); // by deadline, then by number
    let mut now = 0;
    for number in 0..400 {
        match next(&mut dice, 10) {
            0..6 => {
                let deadline = now + next(&mut dice, 50);
                map.insert((deadline, number), timers.insert(deadline, number));
            }
            6..9 if !map.is_empty() => {
                let which = next(&mut dice, map.len() as u64) as usize;
                let order = *map.keys().nth(which).expect("one of them");
                timers.remove(map.remove(&order).expect("its key"));
            }
            _ => {
                now += next(&mut dice, 20);
                let later = map.split_off(&(now + 1, 0));
                let due: Vec<usize> = map.keys().map(|(_, number)| *number).collect();
                map = later;
                assert_eq!(
                    fired(&mut timers, now),
                    due,
                    "step {number}: others fired than were due; does one that takes a removed one's place move up or down?"
                );
            }
        }
        let next_deadline = map.keys().next().map(|(deadline, _)| *deadline);
        assert_eq!(
            timers.next_deadline(),
            next_deadline,
            "step {number}: the next deadline"
        );
        assert_eq!(timers.len(), map.len(), "step {number}");
    }
}
