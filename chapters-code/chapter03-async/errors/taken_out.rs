//! A pinned future cannot be taken out of its box.

use chapter3::pinned::favourite;

pub fn taken_out() {
    let future = Box::pin(favourite());
    let elsewhere = *future;
}
