//! The exercises of chapter 5: `cargo test -p exercises --test ch05`, or `... ch05 e2` for one of them.
//! With `--features solutions`, the same tests run on the solutions.

#![allow(unreachable_pub)] // a reader writes `pub` as in a library

#[path = ".."]
mod e2 {
    #[path = "checks/ch05/e2_pool.rs"]
    mod checks;
    #[cfg_attr(not(feature = "solutions"), path = "ch05/e2_pool.rs")]
    #[cfg_attr(feature = "solutions", path = "solutions/ch05/e2_pool.rs")]
    mod subject;
}
