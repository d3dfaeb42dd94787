//! The parent of two, once more. `join2` is that of chapter 3, to the letter.

use crate::join2::join2;
use crate::kernel::Kernel;
use crate::programs::kid;
use crate::task::spawn;
use crate::voice::say;

/// The parent of two, who leaves when both have ended.
pub async fn parent_of_two() {
    let friend = spawn("friend", kid("friend", 2));
    let kid = spawn("kid", kid("kid", 8));
    join2(kid.join(), friend.join()).await;
    say("parent", "Everyone is here. We're leaving!");
}

/// The three of them.
pub fn start(kernel: &mut Kernel) {
    kernel.spawn("parent", parent_of_two());
}
