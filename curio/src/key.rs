//! Keys: how everything in a kernel's tables is named from outside.
//!
//! Wakers, operations, timeouts and sockets never hold pointers into the kernel. They hold a number: which kernel, which
//! place in the table, and a serial that tells the present holder of the place from earlier ones. A stale key finds
//! nothing, until its place has been used again sixteen million times. A task's stale key can at worst cause a spurious
//! poll even then, which every future must bear, and only those leave the library.
//!
//! K1. The number is never zero, because kernels are numbered from 1: `Option<Key>` is one word.

use std::num::NonZeroUsize;

/// No place in a table: the end of a list, "directly under the task".
pub(crate) const NONE: u32 = u32::MAX;

#[cfg(target_pointer_width = "64")]
mod bits {
    pub(super) const INDEX: u32 = 24;
    pub(super) const KERNEL: u32 = 16;
}
#[cfg(not(target_pointer_width = "64"))]
mod bits {
    pub(super) const INDEX: u32 = 20;
    pub(super) const KERNEL: u32 = 4;
}

/// How many kernels there can be at once.
pub(crate) const MAX_KERNELS: usize = (1 << bits::KERNEL) - 1;
/// How many entries a table can have.
pub(crate) const MAX_INDEX: usize = (1 << bits::INDEX) - 1;
/// Below the serial, which is on top: so much of a count as has no room there is just shifted out.
const BELOW_SERIAL: u32 = bits::INDEX + bits::KERNEL;

/// Kernel, serial and place in one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key(NonZeroUsize);

impl Key {
    /// The key that all keys of a kernel are made from.
    pub(crate) fn of_kernel(kernel: u16) -> Key {
        debug_assert!(kernel > 0);
        // K1 holds as `kernel` is not zero; `MIN` is only there to spare the panic.
        Key(NonZeroUsize::new((kernel as usize) << bits::INDEX).unwrap_or(NonZeroUsize::MIN))
    }

    /// The key of a holder of a place in a table of this kernel: `self` is the kernel's, and `count` tells the holder from
    /// others, as long as not too many come between.
    #[inline]
    pub(crate) fn with(self, count: u64, index: u32) -> Key {
        debug_assert!(index as usize <= MAX_INDEX);
        Key(self.0 | (count as usize) << BELOW_SERIAL | index as usize)
    }

    #[inline]
    pub(crate) fn from_number(number: usize) -> Option<Key> {
        NonZeroUsize::new(number).map(Key)
    }

    #[inline]
    pub(crate) fn number(self) -> usize {
        self.0.get()
    }

    #[inline]
    pub(crate) fn kernel(self) -> u16 {
        (self.0.get() >> bits::INDEX) as u16 & MAX_KERNELS as u16
    }

    #[inline]
    pub(crate) fn serial(self) -> u32 {
        (self.0.get() >> BELOW_SERIAL) as u32
    }

    /// Whether the other key is one of the same kernel.
    #[inline]
    pub(crate) fn is_kin(self, other: Option<Key>) -> bool {
        (self.0.get() ^ Key::number_of(other)) >> bits::INDEX & MAX_KERNELS == 0
    }

    /// The same as `==`, in one comparison.
    #[inline]
    pub(crate) fn are_same(one: Option<Key>, other: Option<Key>) -> bool {
        Key::number_of(one) == Key::number_of(other)
    }

    /// None is zero (K1).
    #[inline]
    fn number_of(key: Option<Key>) -> usize {
        key.map_or(0, Key::number)
    }

    #[inline]
    pub(crate) fn index(self) -> u32 {
        (self.0.get() & MAX_INDEX) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back() {
        for (kernel, count, index) in [
            (1, 0, 0),
            (7, 3, 9),
            (MAX_KERNELS as u16, u64::MAX, MAX_INDEX as u32),
        ] {
            let key = Key::of_kernel(kernel).with(count, index);
            let serial = ((count as usize) << BELOW_SERIAL >> BELOW_SERIAL) as u32;
            assert_eq!((key.kernel(), key.serial(), key.index()), (kernel, serial, index));
            assert_eq!(Key::from_number(key.number()), Some(key));
        }
        assert_eq!(Key::from_number(0), None);
        assert_eq!(size_of::<Option<Key>>(), size_of::<usize>());
    }
}
