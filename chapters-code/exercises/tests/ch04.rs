//! The exercises of chapter 4: `cargo test -p exercises --test ch04`, or `... ch04 e2` for one of them.
//! With `--features solutions`, the same tests run on the solutions.

#![allow(unreachable_pub)] // a reader writes `pub` as in a library

#[path = ".."]
mod e1 {
    #[path = "checks/ch04/e1_doorbell.rs"]
    mod checks;
    #[cfg_attr(not(feature = "solutions"), path = "ch04/e1_doorbell.rs")]
    #[cfg_attr(feature = "solutions", path = "solutions/ch04/e1_doorbell.rs")]
    mod subject;
}

#[path = ".."]
mod e2 {
    #[path = "checks/ch04/e2_channel.rs"]
    mod checks;
    #[cfg_attr(not(feature = "solutions"), path = "ch04/e2_channel.rs")]
    #[cfg_attr(feature = "solutions", path = "solutions/ch04/e2_channel.rs")]
    mod subject;
}

#[path = ".."]
mod e3 {
    #[path = "checks/ch04/e3_event.rs"]
    mod checks;
    #[cfg_attr(not(feature = "solutions"), path = "ch04/e3_event.rs")]
    #[cfg_attr(feature = "solutions", path = "solutions/ch04/e3_event.rs")]
    mod subject;
}
