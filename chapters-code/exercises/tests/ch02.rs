//! The exercises of chapter 2: `cargo test -p exercises --test ch02`, or `... ch02 e2` for one of them.
//! With `--features solutions`, the same tests run on the solutions.

#![allow(unreachable_pub)] // a reader writes `pub` as in a library

#[path = ".."]
mod e1 {
    #[path = "checks/ch02/e1_predict.rs"]
    mod checks;
    #[cfg_attr(not(feature = "solutions"), path = "ch02/e1_predict.rs")]
    #[cfg_attr(feature = "solutions", path = "solutions/ch02/e1_predict.rs")]
    mod subject;
}

#[path = ".."]
mod e2 {
    #[path = "checks/ch02/e2_kernel.rs"]
    mod checks;
    #[cfg_attr(not(feature = "solutions"), path = "ch02/e2_kernel.rs")]
    #[cfg_attr(feature = "solutions", path = "solutions/ch02/e2_kernel.rs")]
    mod subject;
}

#[path = ".."]
mod e3 {
    #[path = "checks/ch02/e3_family.rs"]
    mod checks;
    #[cfg_attr(not(feature = "solutions"), path = "ch02/e3_family.rs")]
    #[cfg_attr(feature = "solutions", path = "solutions/ch02/e3_family.rs")]
    mod subject;
}
