//! Memory that what was received goes through, on its way into rustls.
//!
//! It is needed only while a poll lasts, so one for each thread is enough: an idle connection has none, and nobody clears 16
//! KiB for 60 bytes.

use std::cell::Cell;

/// A TLS record, with what is around it.
const SIZE: usize = 16 * 1024 + 512;

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends the memory. Whoever asks for it meanwhile gets other memory.
pub(crate) fn with<R>(f: impl FnOnce(&mut [u8]) -> R) -> R {
    let mut memory = SPARE.try_with(Cell::take).unwrap_or_default();
    memory.resize(SIZE, 0);
    let result = f(&mut memory);
    let _ = SPARE.try_with(|spare| spare.set(memory));
    result
}
