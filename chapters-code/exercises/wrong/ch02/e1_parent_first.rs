//! Exercise 1, wrong: the one who asked is put into the queue before the new task.

use chapter2::kernel::Kernel;
use chapter2::programs::{Kid, Parent};

/// Two tasks, one of which makes a third.
pub fn program(kernel: &mut Kernel) {
    kernel.spawn("parent", Parent::Start { bricks: 2 });
    kernel.spawn("friend", Kid::new("friend", 1));
}

/// Your prediction, such as `vec!["parent", "parent", "kid"]`.
pub fn order() -> Vec<&'static str> {
    vec![
        "parent", "friend", "parent", "kid", "friend", "kid", "kid", "parent",
    ]
}
