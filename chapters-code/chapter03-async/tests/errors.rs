//! What the compiler says to the programs in `errors`, which are wrong on purpose.

#[path = "../../common/errors.rs"]
mod errors;

use std::path::Path;

#[test]
fn compiler_errors_are_what_the_compiler_says() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    errors::check(package, "chapter3").unwrap_or_else(|problems| panic!("{problems}"));
}
