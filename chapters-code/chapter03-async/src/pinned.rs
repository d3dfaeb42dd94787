//! What `Pin` is for: a future that holds a reference into itself.
//!
//! A future that has not been polled may be moved like any value. Once it has been polled, it may hold references into
//! itself, and must stay where it is. To poll it, one needs a [`Pin`] of it, which is the promise that it does. A pinned
//! future cannot be moved any more:
//!
//! ```compile_fail,E0507
//! let future = Box::pin(chapter3::pinned::favourite());
//! let elsewhere = *future;
//! ```
//!
//! And a future that may hold such references cannot be pinned without giving it up:
//!
//! ```compile_fail,E0277
//! let mut future = chapter3::pinned::favourite();
//! let pinned = std::pin::Pin::new(&mut future);
//! ```

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Waker};

use crate::operations::yield_now;

thread_local! {
    /// Where the favourite brick lies.
    static BRICK: Cell<usize> = const { Cell::new(0) };
}

/// A kid with three bricks, which remembers one of them by a reference, over a stop.
pub async fn favourite() {
    let bricks = ["red", "green", "blue"];
    let best = &bricks[1];
    BRICK.set(ptr::from_ref(best).addr());
    yield_now().await;
    println!("The kid likes the {best} one.");
}

/// Says where the brick lies to which the future holds a reference.
fn look(when: &str, future: Pin<&mut impl Future>) {
    let begin = ptr::from_ref(&*future).addr();
    let end = begin + size_of_val(&*future);
    let place = match BRICK.get() {
        0 => "nowhere yet",
        brick if (begin..end).contains(&brick) => "inside the future",
        _ => "outside of the future",
    };
    println!("{when}: the brick lies {place}.");
}

/// Follows a future with a reference into itself.
pub fn follow() {
    let mut cx = Context::from_waker(Waker::noop());
    let future = favourite();
    let moved = future; // nothing of it has run, so nothing points into it
    let mut pinned = Box::pin(moved);
    look("Before the first poll", pinned.as_mut());
    let _ = pinned.as_mut().poll(&mut cx);
    look("After the first poll", pinned.as_mut());
    let mut elsewhere = pinned; // this moves the box, and not what is inside
    look("After a move of the box", elsewhere.as_mut());
    crate::context::put_reply(crate::traps::Reply::Done);
    let _ = elsewhere.as_mut().poll(&mut cx);
}
