//! Memory for task cells: what one has left, the next takes.
//!
//! A program that spawns a task for each of many small jobs asks for the same few sizes again and again. So the memory of a
//! cell that goes is kept by the kernel for the next of about that size, in lists that go through the memory itself. It is
//! not much that is kept, and it goes with the kernel.
//!
//! M1. A block in list `n` has `size_of_class(n)` bytes, was allocated with that layout, and nobody else knows of it.
//! M2. Whether a type's memory comes from the lists, and from which, depends on nothing but its layout.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::{self, NonNull};

use crate::context;

/// How many sizes there are; what is larger is not kept.
const CLASSES: usize = 32;
/// How many blocks of a size are kept.
const MOST: usize = 64;

/// The memory that a kernel has for the cells of its tasks.
#[derive(Default)]
pub(crate) struct Memory([List; CLASSES]);

/// The blocks of a size.
struct List(Cell<*mut Block>);

/// What is in a block that nobody has.
struct Block {
    next: *mut Block,
    /// How many there are from here on.
    count: usize,
}

/// The sizes are those that allocators like to give: eight bytes less than a multiple of sixteen.
const fn size_of_class(class: usize) -> usize {
    16 * class + 24
}

const fn layout_of_class(class: usize) -> Layout {
    match Layout::from_size_align(size_of_class(class), align_of::<Block>()) {
        Ok(layout) => layout,
        Err(_) => unreachable!(),
    }
}

/// The class of a type, if it is one of those that are kept.
const fn class_of<T>() -> Option<usize> {
    let class = size_of::<T>().saturating_sub(size_of_class(0)).div_ceil(16);
    if class < CLASSES && align_of::<T>() <= align_of::<Block>() {
        Some(class)
    } else {
        None
    }
}

/// How the memory for a type is allocated (M2).
const fn layout_for<T>() -> Layout {
    match class_of::<T>() {
        Some(class) => layout_of_class(class),
        None => Layout::new::<T>(),
    }
}

impl Memory {
    /// Memory for a `T`.
    #[inline(always)]
    pub(super) fn take<T>(&self) -> NonNull<T> {
        const { assert!(size_of::<T>() > 0) };
        if let Some(class) = const { class_of::<T>() } {
            let List(first) = &self.0[class];
            if let Some(block) = NonNull::new(first.get()) {
                // SAFETY: it is in the list, so it is there and ours (M1).
                first.set(unsafe { block.as_ref().next });
                return block.cast();
            }
        }
        allocate(const { layout_for::<T>() }).cast()
    }

    /// Keeps the memory of a `T` for another. False if it is not of a size that is kept, or if there is enough of that.
    ///
    /// # Safety
    ///
    /// It comes from `take`, and if it is kept, the caller forgets it.
    #[inline(always)]
    unsafe fn keep<T>(&self, memory: NonNull<T>) -> bool {
        match const { class_of::<T>() } {
            // SAFETY: it is of that class (M2), and the caller's.
            Some(class) => unsafe { self.0[class].put(memory.cast()) },
            None => false,
        }
    }
}

#[inline(never)]
fn allocate(layout: Layout) -> NonNull<u8> {
    // SAFETY: its size is not zero: `take` has seen to that.
    let memory = unsafe { alloc(layout) };
    NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout))
}

impl List {
    /// Keeps a block. False if there are enough of them.
    ///
    /// # Safety
    ///
    /// The block is of this size, and the caller's, who forgets it then (M1).
    #[inline(always)]
    unsafe fn put(&self, block: NonNull<Block>) -> bool {
        let next = self.0.get();
        // SAFETY: if it is not null, it is in the list.
        let count = unsafe { next.as_ref() }.map_or(0, |next| next.count) + 1;
        let has_room = count <= MOST;
        if has_room {
            // SAFETY: there is room for it in each of them, and nobody else knows of it.
            unsafe { block.write(Block { next, count }) };
            self.0.set(block.as_ptr());
        }
        has_room
    }
}

/// The memory of a value that has been dropped or is about to be. It is given back when this is dropped.
pub(super) struct Return<T>(NonNull<T>);

impl<T> Return<T> {
    /// # Safety
    ///
    /// It comes from `take`, for this type, and nobody will use it once the result is dropped.
    #[inline(always)]
    pub(super) unsafe fn new(memory: NonNull<T>) -> Return<T> {
        Return(memory)
    }
}

impl<T> Drop for Return<T> {
    #[inline(always)]
    fn drop(&mut self) {
        let kept = context::with(|context| match context {
            // Which kernel it came from does not matter.
            // SAFETY: whoever made this has given it up.
            Some(context) => unsafe { context.memory.keep(self.0) },
            None => false,
        });
        if !kept {
            // SAFETY: it was allocated with this layout, whoever did it (M2).
            unsafe { dealloc(self.0.as_ptr().cast(), const { layout_for::<T>() }) }
        }
    }
}

impl Default for List {
    fn default() -> List {
        List(Cell::new(ptr::null_mut()))
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        for (class, List(first)) in self.0.iter().enumerate() {
            while let Some(block) = NonNull::new(first.get()) {
                // SAFETY: it is in the list, and now it is not any more (M1).
                unsafe {
                    first.set(block.as_ref().next);
                    dealloc(block.as_ptr().cast(), layout_of_class(class));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives back the memory of a `T` to these lists.
    fn give<T>(memory: &Memory, block: NonNull<T>) -> bool {
        // SAFETY: the tests use nothing that they have given back.
        unsafe {
            let kept = memory.keep(block);
            if !kept {
                dealloc(block.as_ptr().cast(), layout_for::<T>());
            }
            kept
        }
    }

    #[test]
    fn memory_is_for_the_next_of_about_that_size() {
        let memory = Memory::default();
        let block = memory.take::<[u64; 4]>();
        assert!(give(&memory, block));
        let larger = memory.take::<[u64; 6]>();
        assert_ne!(larger.cast(), block);
        let like_it = memory.take::<[u64; 5]>();
        assert_eq!(like_it.cast(), block);
        assert!(give(&memory, larger) && give(&memory, like_it));
    }

    #[test]
    fn not_all_is_kept() {
        #[repr(align(64))]
        struct Aligned;
        let memory = Memory::default();
        let block = memory.take::<(Aligned, u8)>();
        assert_eq!(block.addr().get() % 64, 0);
        assert!(!give(&memory, block));
        let large = memory.take::<[u64; 1000]>();
        assert!(!give(&memory, large));
        let many: Vec<_> = (0..2 * MOST).map(|_| memory.take::<[u8; 50]>()).collect();
        let kept = many.into_iter().filter(|&block| give(&memory, block)).count();
        assert_eq!(kept, MOST);
    }
}
