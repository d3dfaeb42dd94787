//! The exercises of chapter 1: `cargo test -p exercises --test ch01`, or `... ch01 e2` for one of them.
//! With `--features solutions`, the same tests run on the solutions.

#![allow(unreachable_pub)] // a reader writes `pub` as in a library

#[path = ".."]
mod e1 {
    #[path = "checks/ch01/e1_predict.rs"]
    mod checks;
    #[cfg_attr(not(feature = "solutions"), path = "ch01/e1_predict.rs")]
    #[cfg_attr(feature = "solutions", path = "solutions/ch01/e1_predict.rs")]
    mod subject;
}

#[path = ".."]
mod e2 {
    #[path = "checks/ch01/e2_scheduler.rs"]
    mod checks;
    #[cfg_attr(not(feature = "solutions"), path = "ch01/e2_scheduler.rs")]
    #[cfg_attr(feature = "solutions", path = "solutions/ch01/e2_scheduler.rs")]
    mod subject;
}

#[path = ".."]
mod e3 {
    #[path = "checks/ch01/e3_parent.rs"]
    mod checks;
    #[cfg_attr(not(feature = "solutions"), path = "ch01/e3_parent.rs")]
    #[cfg_attr(feature = "solutions", path = "solutions/ch01/e3_parent.rs")]
    mod subject;
}
