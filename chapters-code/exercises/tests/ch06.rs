//! The exercises of chapter 6: `cargo test -p exercises --test ch06`, or `... ch06 e2` for one of them.
//! With `--features solutions`, the same tests run on the solutions.

#![allow(unreachable_pub)] // a reader writes `pub` as in a library

#[path = ".."]
mod e2 {
    #[path = "checks/ch06/e2_timers.rs"]
    mod checks;
    #[cfg_attr(not(feature = "solutions"), path = "ch06/e2_timers.rs")]
    #[cfg_attr(feature = "solutions", path = "solutions/ch06/e2_timers.rs")]
    mod subject;
}
