//! Tasks that give something, and tasks that cannot: one of three towers falls, and the others stand.

use super::voice::say;
use crate::{Error, Kernel, Result, Task, task, yield_now};

/// Builds a tower, and gives its height.
///
/// # Errors
/// If there are no bricks.
///
/// # Panics
/// If it is too high.
pub async fn tower(bricks: u32) -> Result<u32> {
    if bricks == 0 {
        return Err(Error::other("there are no bricks"));
    }
    for height in 1..=bricks {
        assert!(height < 4, "the tower of {height} bricks fell");
        yield_now().await?;
    }
    Ok(bricks)
}

/// The parent, who looks at all the towers.
pub async fn parent() -> Result<()> {
    let build = |name, bricks| task(tower(bricks)).name(name).spawn();
    let towers: [Task<u32>; 3] = [build("kid", 3), build("friend", 5), build("baby", 0)];
    for tower in &towers {
        match tower.join().await {
            Ok(height) => say("parent", &format!("The {}'s tower: {height} high!", tower.name())),
            Err(error) => say("parent", &format!("Oh dear: {error}.")),
        }
    }
    say("parent", "And nobody was hurt.");
    Ok(())
}

/// The parent, and three who build.
pub fn start(kernel: &Kernel) {
    kernel.spawn(parent());
}
