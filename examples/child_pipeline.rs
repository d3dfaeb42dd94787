//! Two child processes, one of which reads what the other writes: `yes 'Are we there yet?' | head -n 3`.
//!
//! The pipe between them is given away, so nothing of it passes through this program. When the second child has heard enough,
//! it ends; the first learns that nobody reads any more, by a signal, and ends too.

use curio::subprocess::{Command, Stdio, check_output};
use curio::{Result, run};

#[path = "common/arguments.rs"]
mod arguments;

const HELP: &str = "\
Two child processes, one of which reads what the other writes.

Usage: cargo run --example child_pipeline

Options:
  --help  show this help
";

async fn pipeline() -> Result<()> {
    let mut yes = Command::new("yes");
    let mut kid = yes.arg("Are we there yet?").stdout(Stdio::piped()).spawn()?;

    let mut head = Command::new("head");
    head.args(["-n", "3"])
        .stdin(kid.stdout.take().expect("it is piped"));
    let heard = check_output(head).await?;

    print!("{}", String::from_utf8_lossy(&heard));
    println!("The kid has stopped: {}", kid.wait().await?);
    Ok(())
}

fn main() -> Result<()> {
    arguments::read(HELP, |given| given.is_empty().then_some(()));
    run(pipeline())
}
