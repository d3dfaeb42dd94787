//! So that a test of a stage cannot hang: its kernel would run for ever.
//!
//! Each package includes this file in its tests by `#[path]`.

use std::io::Write as _;
use std::sync::Once;
use std::thread;
use std::time::Duration;

/// Far more than all tests of a program take together, even on a busy machine.
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// Ends the whole program, if it is still there then.
pub(crate) fn watch() {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        thread::spawn(|| {
            thread::sleep(TIME_LIMIT);
            let message = format!(
                "\nnot finished after {TIME_LIMIT:?}: a kernel runs for ever. Run the tests one by one \
                 (`-- --test-threads=1`) to see which.\n"
            );
            // Not `eprintln!`: the test harness would keep that to itself.
            let _ = std::io::stderr().write_all(message.as_bytes());
            std::process::exit(1);
        });
    });
}
