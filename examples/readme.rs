//! The program that `README.md` shows; a test compares the two.

use curio::{Result, ignore_after, run, sleep, spawn};
const SEC: std::time::Duration = std::time::Duration::from_secs(1);

async fn kid() -> Result<()> {
    println!("Building the Millenium Falcon in Minecraft");
    let played = sleep(1000 * SEC).await;
    println!("Fine. Saving my work.");
    sleep(SEC).await.and(played) // a cancelled task may still wait
}

fn main() -> Result<()> {
    run(async {
        let kid = spawn(kid());
        ignore_after(5 * SEC, kid.join()).await?;
        println!("We're leaving!");
        kid.cancel().await?; // the kid has its say before this goes on
        println!("Leaving!");
        Ok(())
    })
}
