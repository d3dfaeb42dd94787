//! The parent of two, once more. `join2` is that of chapter 3, to the letter.

use super::join2::join2;
use super::kid;
use super::voice::say;
use crate::{Kernel, Result, task};

/// The parent of two, who leaves when both have ended.
pub async fn parent_of_two() -> Result<()> {
    let friend = task(kid("friend", 2)).name("friend").spawn();
    let kid = task(kid("kid", 8)).name("kid").spawn();
    let both = join2(
        async move { kid.join().await },
        async move { friend.join().await },
    );
    let (kid, friend) = both.await;
    kid.and(friend)?;
    say("parent", "Everyone is here. We're leaving!");
    Ok(())
}

/// The three of them.
pub fn start(kernel: &Kernel) {
    kernel.spawn(parent_of_two());
}
