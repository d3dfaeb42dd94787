//! An endless loop that uses `?`: the block never says which error it has. What helps: `async fn .. -> Result<()>`.

use std::time::Duration;

fn main() {
    let _ = curio::run(async {
        curio::spawn(async {
            loop {
                curio::sleep(Duration::from_secs(1)).await?;
            }
        });
        Ok(())
    });
}
