//! A wrong turn: a parent waits for two kids at once, and there is one slot for requests.

use crate::adapter::Adapter;
use crate::kernel::Kernel;
use crate::operations::spawn;
use crate::programs::kid;
use crate::voice::say;
use crate::wrong::join2::join2;

/// The parent of two, who leaves when both have ended.
pub async fn parent_of_two() {
    let friend = spawn("friend", kid("friend", 2)).await;
    let kid = spawn("kid", kid("kid", 8)).await;
    join2(kid.join(), friend.join()).await;
    say("parent", "Everyone is here. We're leaving!");
}

/// The three of them.
pub fn start(kernel: &mut Kernel) {
    kernel.spawn("parent", Adapter::new(parent_of_two()));
}
