//! Child processes (Python Curio: `curio.subprocess`), on Unix.
//!
//! [`Command`] says what to start, as that of `std`; [`Child`] is what was started, with its pipes as
//! [streams](crate::stream). [`run()`] and [`check_output()`] start a program, talk to it and wait for its end, all in one.
//!
//! ```
//! use curio::subprocess::{Command, Stdio, check_output};
//! use curio::{Result, run};
//!
//! async fn children() -> Result<()> {
//!     // All at once.
//!     assert_eq!(check_output(Command::new("echo").arg("hello")).await?, b"hello\n");
//!
//!     // Line by line.
//!     let mut child = Command::new("seq").arg("3").stdout(Stdio::piped()).spawn()?;
//!     let mut stdout = child.stdout.take().unwrap();
//!     let mut lines = stdout.lines();
//!     while let Some(line) = lines.next().await {
//!         println!("Got: {}", line?);
//!     }
//!     assert!(child.wait().await?.success());
//!
//!     // One into the other: seq 100 | wc -l
//!     let mut seq = Command::new("seq").arg("100").stdout(Stdio::piped()).spawn()?;
//!     let wc = check_output(Command::new("wc").arg("-l").stdin(seq.stdout.take().unwrap())).await?;
//!     assert_eq!(wc.trim_ascii(), b"100");
//!     seq.wait().await?;
//!     Ok(())
//! }
//!
//! run(children()).unwrap();
//! ```
//!
//! # Who ends a child
//!
//! | what happens | what becomes of the child |
//! |---|---|
//! | [`run()`] or [`check_output()`] is interrupted | it is killed and reaped; the error has the output so far |
//! | one of them is dropped | it is killed |
//! | [`wait`](Child::wait), [`communicate`](Child::communicate) or [`wait_with_output`](Child::wait_with_output) is interrupted or dropped | nothing |
//! | a [`Child`] is dropped | nothing, unless [`kill_on_drop`](Command::kill_on_drop) was chosen; then it is killed |
//! | the kernel is shut down, or the program ends | the same, as the tasks that have the child are dropped. A child that nobody has killed outlives both |
//!
//! To kill is to send SIGKILL to the child and to nobody else: children of its own live on, and may hold its pipes open. A
//! group of its own ([`process_group`](Command::process_group)) can be ended together, by
//! [`signal_group`](Child::signal_group).
//!
//! In whatever way a child ends, it is reaped: it does not stay a zombie, not even if nobody waits for it.
//!
//! # What a child inherits
//!
//! The environment, the current directory, and what the command says about the three standard streams. No other descriptor
//! of ours: all that are opened here, or by `std`, are closed when the program is executed. Signals that this program watches
//! or [ignores](crate::signal::ignore) do in the child what they do by default, and SIGPIPE does, although Rust programs
//! ignore it. What was ignored or blocked by other means is inherited, as always.
//!
//! # Time
//!
//! On the [virtual clock](crate::Clock::Virtual), time stands still while a task waits for the end of a child, by any
//! operation of this module. Bytes in a pipe are as those from a socket: they are not waited for.
//!
//! # Invariants
//!
//! (C1 to C3, and who reaps, are in `reaper`.)
//!
//! C4. What was read from a child and not yet handed out is in its [`Child`]: `communicate` that fails or is dropped loses
//!     nothing, the next one has it. Only an interruption takes it along.
//! C5. A child that was started is known to somebody at once: to a `Child`, and to the reaper. Whatever fails after that
//!     ends it.

mod child;
mod command;
pub(crate) mod reaper;
mod run;
mod talk;

use crate::traps::Label;

pub use child::{Child, Communicate, Wait, WaitWithOutput};
pub use command::{Command, Stdio};
pub use run::{CalledProcessError, CheckOutput, Run, check_output, run};
#[doc(no_inline)]
pub use std::process::{ExitStatus, Output};

const PROCESS_WAIT: Label = Label::new(&"PROCESS_WAIT");
