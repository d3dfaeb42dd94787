//! The wrong turn of the chapter. It compiles, and its output is in the page.

pub mod dropping;
