//! The traces of the stages from chapter 5 on, whose kernels tell them themselves: the strict reader accepts them, under
//! every schedule.

#![allow(missing_docs)]

#[path = "../../../curio/tests/common/trace_checker.rs"]
mod trace_checker;

use trace_checker::{check, check_ended};

/// Checks the traces of these programs. Those that end in a deadlock have something left.
macro_rules! checks {
    ($($test:ident: $chapter:ident, $start:expr, $check:ident;)+) => {
        $(#[test]
        fn $test() {
            for seed in [None].into_iter().chain((0..50).map(Some)) {
                let (trace, _) = $chapter::programs::record::record(seed, $start);
                $check(&trace).unwrap_or_else(|error| panic!("seed {seed:?}: {error}\n{trace}"));
            }
        })+
    };
}

checks! {
    family_5: chapter5, chapter5::programs::family, check_ended;
    calls_5: chapter5, chapter5::programs::calls, check_ended;
    ping_pong_5: chapter5, chapter5::programs::ping_pong, check_ended;
    polite_5: chapter5, chapter5::programs::polite, check;
    both_here_5: chapter5, chapter5::programs::both_here::start, check_ended;
    towers_5: chapter5, chapter5::programs::towers::start, check_ended;
    bare_index_5: chapter5, chapter5::wrong::bare_index::start, check;

    family_6: chapter6, chapter6::programs::family, check_ended;
    dormitory_6: chapter6, |kernel| drop(kernel.spawn(chapter6::programs::dormitory())), check_ended;
    kettles_6: chapter6, |kernel| drop(kernel.spawn(chapter6::programs::kettles())), check_ended;
    calls_6: chapter6, |kernel| drop(kernel.spawn(chapter6::programs::calls())), check_ended;

    family_9: chapter9, chapter9::goodbye::family, check_ended;
    old_kid_9: chapter9, chapter9::goodbye::old_kid, check_ended;
    two_ears_9: chapter9, chapter9::goodbye::two_ears, check_ended;
    dropping_9: chapter9, chapter9::wrong::dropping::start, check_ended;
}
