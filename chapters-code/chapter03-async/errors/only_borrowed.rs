//! `Pin::new` is for values that may be moved after they were pinned. This one may not.

use std::pin::Pin;

use chapter3::pinned::favourite;

pub fn only_borrowed() {
    let mut future = favourite();
    let pinned = Pin::new(&mut future);
}
