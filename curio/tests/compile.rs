//! What infers, and what a learner reads who has made one of the usual mistakes.
//!
//! The programs in `compile/pass` must compile and run; those in `compile/fail` must not, with the messages in the
//! `.stderr` file beside each. The wording is the compiler's, so it is compared on one version only; with another one,
//! only the first half is looked at, and so it is with features that add conversions, which the compiler lists. To refresh the messages, with that version (or after raising `MESSAGES_OF`):
//!
//! ```text
//! TRYBUILD=overwrite cargo test -p curio --test compile
//! ```

use std::process::Command;

/// The version of the compiler whose messages are in the `.stderr` files.
const MESSAGES_OF: &str = "rustc 1.95.";

#[test]
fn what_infers_and_what_a_learner_reads() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/compile/pass/*.rs");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().unwrap().stdout;
    let version = String::from_utf8_lossy(&version);
    if cfg!(any(feature = "hyper", feature = "process")) {
        println!("with these features the compiler knows of more conversions: not compared");
    } else if version.starts_with(MESSAGES_OF) {
        cases.compile_fail("tests/compile/fail/*.rs");
    } else {
        println!("the messages are those of {MESSAGES_OF}*, this is {version}: not compared");
    }
}
