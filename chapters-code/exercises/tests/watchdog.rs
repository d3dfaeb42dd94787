//! An exercise that hangs must end, and say which test it was.

use std::env;
use std::process::Command;
use std::thread;
use std::time::Duration;

use exercises::Watchdog;

/// Hangs for ever, if it were not for the watchdog. Run by the test below, in a process of its own.
#[test]
#[ignore = "hangs on purpose; the test below runs it"]
fn this_one_hangs() {
    let _watchdog = Watchdog::new("this_one_hangs", Duration::from_millis(10));
    loop {
        thread::park();
    }
}

#[test]
fn a_hang_ends_the_process_and_names_the_test() {
    let output = Command::new(env::current_exe().expect("the path of this test"))
        .args(["--exact", "this_one_hangs", "--ignored"])
        .output()
        .expect("this test runs once more");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        error.contains("this_one_hangs: not finished after 10ms"),
        "{error}"
    );
}
