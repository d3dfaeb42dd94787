//! Keys: how everything in a kernel's tables is named from outside.
//!
//! Wakers, lists and handles do not point into the kernel. They hold a key: the place in the table, and a serial that
//! tells the present holder of the place from earlier ones. A stale key finds nothing.

/// A place in a table, and who is meant there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) index: usize,
    /// The first holder of any place is 1, the next 2, and so on: no two holders have the same.
    pub(crate) serial: u64,
}
