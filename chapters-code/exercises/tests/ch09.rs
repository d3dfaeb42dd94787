//! The exercises of chapter 9: `cargo test -p exercises --test ch09`, or `... ch09 e3` for one of them.
//! With `--features solutions`, the same tests run on the solutions.

#![allow(unreachable_pub)] // a reader writes `pub` as in a library

#[path = ".."]
mod e3 {
    #[path = "checks/ch09/e3_worker.rs"]
    mod checks;
    #[cfg_attr(not(feature = "solutions"), path = "ch09/e3_worker.rs")]
    #[cfg_attr(feature = "solutions", path = "solutions/ch09/e3_worker.rs")]
    mod subject;
}
