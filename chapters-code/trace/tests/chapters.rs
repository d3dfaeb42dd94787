//! The traces of the chapters' programs: the strict reader accepts them, under every schedule.

#![allow(missing_docs)]

#[path = "../../../curio/tests/common/trace_checker.rs"]
mod trace_checker;

use trace_checker::{check, check_ended};

/// Checks the traces of these programs. Those that end in a deadlock have something left.
macro_rules! checks {
    ($($test:ident: $chapter:ident, $kernel:ident => $start:expr, $check:ident;)+) => {
        $(#[test]
        fn $test() {
            for seed in [None].into_iter().chain((0..200).map(Some)) {
                let mut kernel = seed.map_or_else($chapter::kernel::Kernel::new, $chapter::kernel::Kernel::with_seed);
                let $kernel = &mut kernel;
                $start;
                let trace = $chapter::record::record(&mut kernel, seed);
                $check(&trace).unwrap_or_else(|error| panic!("seed {seed:?}: {error}\n{trace}"));
            }
        })+
    };
}

#[test]
fn turns_1() {
    for seed in [None].into_iter().chain((0..200).map(Some)) {
        let scheduler = seed.map_or_else(
            chapter1::scheduler::Scheduler::new,
            chapter1::scheduler::Scheduler::with_seed,
        );
        let trace = chapter1::record::record(scheduler, seed);
        let state = check_ended(&trace).unwrap_or_else(|error| panic!("seed {seed:?}: {error}\n{trace}"));
        assert_eq!((state.counts["running"], state.counts["says"]), (10, 8));
    }
}

checks! {
    family_2: chapter2, kernel => chapter2::programs::family(kernel), check_ended;
    calls_2: chapter2, kernel => chapter2::programs::calls(kernel), check_ended;
    ping_pong_2: chapter2, kernel => chapter2::programs::ping_pong(kernel, 5), check_ended;
    polling_2: chapter2, kernel => chapter2::polling::start(kernel, 3), check_ended;
    polite_2: chapter2, kernel => chapter2::programs::polite(kernel), check;
    by_message_2: chapter2, kernel => chapter2::wrong::start(kernel, &["parent", "grandma"]), check;

    family_3: chapter3, kernel => chapter3::programs::family(kernel), check_ended;
    calls_3: chapter3, kernel => chapter3::programs::calls(kernel), check_ended;
    ping_pong_3: chapter3, kernel => chapter3::programs::ping_pong(kernel, 5), check_ended;
    foreign_3: chapter3, kernel => chapter3::report::foreign(kernel), check_ended;
    left_behind_3: chapter3, kernel => chapter3::wrong::left_behind::start(kernel), check_ended;

    family_4: chapter4, kernel => chapter4::programs::family(kernel), check_ended;
    calls_4: chapter4, kernel => chapter4::programs::calls(kernel), check_ended;
    ping_pong_4: chapter4, kernel => chapter4::programs::ping_pong(kernel, 5), check_ended;
    both_here_4: chapter4, kernel => chapter4::both_here::start(kernel), check_ended;
    polite_4: chapter4, kernel => chapter4::programs::polite(kernel), check;
    foreign_4: chapter4, kernel => chapter4::report::foreign(kernel), check;
    busy_4: chapter4, kernel => chapter4::wrong::busy::start(kernel, 3), check_ended;
}
