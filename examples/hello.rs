//! A countdown, as you wait for your kid to put its shoes on.

use curio::{Result, run, sleep};
use std::time::Duration;

const SEC: Duration = Duration::from_secs(1);

async fn countdown(n: u32) -> Result<()> {
    for i in (1..=n).rev() {
        println!("T-minus {i}");
        sleep(SEC).await?;
    }
    Ok(())
}

fn main() -> Result<()> {
    run(countdown(10))
}
