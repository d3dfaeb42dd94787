//! The wrong turns of the chapter. They compile, and their output is in the page.

pub mod busy;
pub mod late;
