//! Memory that what was received goes through, on its way into somebody else's.
//!
//! It is needed only while a poll lasts, so some for each thread is enough: an idle connection has none, and nobody clears 16
//! KiB for 60 bytes.

use std::cell::Cell;

/// A record of TLS, with what is around it.
const SIZE: usize = 16 * 1024 + 512;

thread_local! {
    /// One for what is below another: HTTP above TLS has two.
    static SPARE: [Cell<Vec<u8>>; 2] = const { [Cell::new(Vec::new()), Cell::new(Vec::new())] };
}

/// Lends the memory. It has anything in it.
pub(crate) fn with<R>(f: impl FnOnce(&mut [u8]) -> R) -> R {
    let take = |spare: &[Cell<Vec<u8>>; 2]| spare.iter().map(Cell::take).find(|memory| !memory.is_empty());
    let mut memory = SPARE
        .try_with(take)
        .ok()
        .flatten()
        .unwrap_or_else(|| vec![0; SIZE]);
    let result = f(&mut memory);
    let _ = SPARE.try_with(|spare| {
        let mut memory = Some(memory);
        for place in spare {
            let there = place.take();
            place.set(if there.is_empty() {
                memory.take().unwrap_or_default()
            } else {
                there
            });
        }
    });
    result
}
