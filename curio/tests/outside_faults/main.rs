//! What the outside world can do to a program, and where it is tried.
//!
//! | fault | tried by |
//! |---|---|
//! | a reset: at the connect, before the accept, before and while one reads and writes, after each half was closed | `resets`; a server that is reset at each step of its protocol: `sockets/faults.rs` |
//! | a half-closed connection | `resets`; `sockets/faults.rs`, `sockets/streams.rs` (halves of a stream), `sockets/unix.rs` |
//! | a peer that sends a byte a second | `slow`; lines and exact amounts by single bytes: `sockets/faults.rs`, `sockets/streams.rs` |
//! | 100 MB cut off at a random moment, over TCP, Unix sockets and streams | `writes` |
//! | no descriptor left, for a kernel, a connection, a file, a name | `exhaustion`; for signals: `signals.rs` |
//! | a full disk, seen by a write, a flush, a close | `exhaustion`; `file.rs` |
//! | signals in a storm, from threads and another process at once | `storms`; `signals.rs` |
//! | a function in a worker thread that panics, or never returns, at the end | `zombies`; `workers.rs`, `thread.rs` |
//! | anything left behind: tasks, waits, scopes, timers, registrations, descriptors | each test of this and the other files of the outside world, by `common::Alone` and `common::Counted` |

#![cfg(unix)]
#![allow(missing_docs)]

#[path = "../common/mod.rs"]
mod common;

mod exhaustion;
mod resets;
mod slow;
mod storms;
mod writes;
mod zombies;

use std::process::{Command, Stdio};

use common::Watchdog;

/// Small and good enough.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) % n
    }
}

/// Which test a process was started for.
const NAME: &str = "CURIO_OUTSIDE_FAULTS";

/// Runs a program in a process of its own, for what concerns a whole process: `shell` sets it up, and runs `"$@"` in the end.
/// Gives what it has printed; None if the shell did not get so far.
#[track_caller]
fn process(shell: &str, name: &str, program: impl FnOnce()) -> Option<String> {
    if std::env::var(NAME).is_ok_and(|given| given == name) {
        println!("the program begins");
        program();
        println!("the program ends");
        std::process::exit(0);
    }
    let _guard = Watchdog::start(); // the pipes to the other process are descriptors of this one
    let output = Command::new("sh")
        .args(["-c", shell, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(NAME, name)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let printed =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if !printed.contains("the program begins") {
        eprintln!("{printed}");
        return None;
    }
    assert!(
        output.status.success() && printed.contains("the program ends"),
        "{:?}\n{printed}",
        output.status
    );
    Some(printed)
}
