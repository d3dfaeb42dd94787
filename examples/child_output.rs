//! The output of a child process, line by line, as it comes.
//!
//! While the child is silent, the task waits for its next line, and others could run. The second child gets less time than it
//! wants. It is killed then, and the error says how far it had got.

use curio::subprocess::{Command, Stdio, check_output};
use curio::{Error, Result, WithTimeout, run};
use std::time::Duration;

#[path = "common/arguments.rs"]
mod arguments;

const HELP: &str = "\
The output of a child process, line by line, as it comes.

Usage: cargo run --example child_output -- [HOST]

HOST is whom to ping four times. If none is given, a shell counts down.

Options:
  --help  show this help
";

fn countdown() -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "for i in 4 3 2 1; do echo T-minus $i; sleep 1; done"]);
    command
}

fn ping(host: &str) -> Command {
    let mut command = Command::new("ping");
    command.args(["-c", "4", host]);
    command
}

async fn follow(mut command: Command) -> Result<()> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut stdout = child.stdout.take().expect("it is piped");
    let mut lines = stdout.lines();
    while let Some(line) = lines.next().await {
        println!("Got: {}", line?);
    }
    println!("It has ended, with {}", child.wait().await?);
    Ok(())
}

async fn hurry(command: Command) -> Result<()> {
    match check_output(command).timeout(Duration::from_millis(1500)).await {
        Err(Error::Timeout(progress)) => {
            println!("It was too slow. This is what it had said:");
            print!("{}", String::from_utf8_lossy(progress.stdout()));
            Ok(())
        }
        output => output.map(drop),
    }
}

fn main() -> Result<()> {
    let host = arguments::read(HELP, |given| match given {
        [] => Some(None),
        [host] if !host.is_empty() && !host.starts_with('-') => Some(Some(host.to_string())),
        _ => None,
    });
    let command = || host.as_deref().map_or_else(countdown, ping);
    run(async {
        follow(command()).await?;
        hurry(command()).await
    })
}
