//! The kid who does not want to leave, and a parent who waits: a program that hangs, and a monitor that says why.
//!
//! Look at it from another terminal with `cargo run -p curio-monitor`. What to do then is `cancel 4`.

use curio::{Kernel, Result, sleep, spawn};
use std::time::Duration;

#[cfg(unix)]
use curio::monitor::Monitor;

#[path = "common/arguments.rs"]
mod arguments;

const HELP: &str = "\
The kid who does not want to leave, and the parent, who waits. It hangs; look at
it from another terminal:

  cargo run -p curio-monitor

Usage: cargo run --example kid_hang -- [--ctrl-c]

Options:
  --ctrl-c  the monitor also comes up in this terminal, when you press Ctrl-C;
            a second Ctrl-C ends the program
  --help    show this help
";

const SEC: Duration = Duration::from_secs(1);

async fn countdown(n: u32) -> Result<()> {
    for i in (1..=n).rev() {
        println!("T-minus {i}");
        sleep(SEC).await?;
    }
    Ok(())
}

async fn kid() -> Result<()> {
    println!("Building the Millenium Falcon in Minecraft");
    sleep(1000 * SEC).await
}

async fn parent() -> Result<()> {
    let kid = spawn(kid());
    sleep(5 * SEC).await?;

    println!("Let's go");
    let count = spawn(countdown(10));
    count.join().await?;

    println!("We're leaving!");
    kid.wait().await?; // whatever becomes of it
    println!("Leaving!");
    Ok(())
}

fn main() -> Result<()> {
    let on_ctrl_c = arguments::read(HELP, |given| match given {
        [] => Some(false),
        ["--ctrl-c"] => Some(true),
        _ => None,
    });
    let builder = Kernel::builder();
    #[cfg(unix)]
    let builder = match on_ctrl_c {
        true => builder.monitor(Monitor::new().on_ctrl_c()),
        false => builder.monitor(Monitor::new()),
    };
    #[cfg(not(unix))]
    let _ = on_ctrl_c;
    let kernel = builder.build()?;
    let ended = kernel.run(parent());
    kernel.shutdown()?;
    match ended {
        Err(curio::Error::Exit(code)) => std::process::exit(code),
        ended => ended,
    }
}
