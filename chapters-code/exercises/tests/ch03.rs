//! The exercises of chapter 3: `cargo test -p exercises --test ch03`, or `... ch03 e2` for one of them.
//! With `--features solutions`, the same tests run on the solutions.

#![allow(unreachable_pub)] // a reader writes `pub` as in a library

#[path = ".."]
mod e1 {
    #[path = "checks/ch03/e1_predict.rs"]
    mod checks;
    #[cfg_attr(not(feature = "solutions"), path = "ch03/e1_predict.rs")]
    #[cfg_attr(feature = "solutions", path = "solutions/ch03/e1_predict.rs")]
    mod subject;
}

#[path = ".."]
mod e2 {
    #[path = "checks/ch03/e2_adapter.rs"]
    mod checks;
    #[cfg_attr(not(feature = "solutions"), path = "ch03/e2_adapter.rs")]
    #[cfg_attr(feature = "solutions", path = "solutions/ch03/e2_adapter.rs")]
    mod subject;
}

#[path = ".."]
mod e3 {
    #[path = "checks/ch03/e3_receive_two.rs"]
    mod checks;
    #[cfg_attr(not(feature = "solutions"), path = "ch03/e3_receive_two.rs")]
    #[cfg_attr(feature = "solutions", path = "solutions/ch03/e3_receive_two.rs")]
    mod subject;
}
