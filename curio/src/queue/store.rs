//! The items of a queue, and which of them is the next.
//!
//! All orders take items in alike: at the end of `arrived`. Only taking them out differs. A priority queue first sorts in
//! what has arrived; that compares items, so it is done on a heap that was moved out of the queue (Q5). Whoever looks into
//! the queue meanwhile, from within that very comparison, can put items and count them, and finds none to get.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

pub(super) struct Store<T> {
    arrived: RefCell<VecDeque<T>>,
    len: Cell<usize>,
    order: Order<T>,
}

pub(super) enum Order<T> {
    FirstIn,
    LastIn,
    Smallest(Sorted<T>),
}

/// The part of a priority queue that is sorted already.
pub(super) struct Sorted<T> {
    /// None while items are compared.
    heap: Cell<Option<Heap<T>>>,
    /// `sort_and_pop`, for the `T: Ord` that was known when the queue was made. (A trait object would want a `'static`
    /// item, and a parameter for the order would make of `Queue::new()` a question to the compiler.)
    pop: fn(&mut Heap<T>, &RefCell<VecDeque<T>>) -> Option<T>,
}

struct Heap<T> {
    entries: BinaryHeap<Entry<T>>,
    /// The number of the next entry.
    count: u64,
}

/// Smaller items are greater entries, as the standard library's heap gives the greatest first; of equals, earlier ones are.
struct Entry<T> {
    item: T,
    number: u64,
}

impl<T> Store<T> {
    pub(super) fn new(order: Order<T>) -> Store<T> {
        Store {
            arrived: RefCell::new(VecDeque::new()),
            len: Cell::new(0),
            order,
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len.get()
    }

    #[inline]
    pub(super) fn push(&self, item: T) {
        self.arrived.borrow_mut().push_back(item);
        self.len.set(self.len.get() + 1);
    }

    #[inline]
    pub(super) fn is_first_in(&self) -> bool {
        matches!(self.order, Order::FirstIn)
    }

    /// What was put first; that is the next if `is_first_in`.
    #[inline]
    pub(super) fn pop_first(&self) -> Option<T> {
        let item = self.arrived.borrow_mut().pop_front()?;
        self.len.set(self.len.get() - 1);
        Some(item)
    }

    /// The next.
    pub(super) fn pop(&self) -> Option<T> {
        match &self.order {
            Order::FirstIn => self.pop_first(),
            Order::LastIn => {
                let item = self.arrived.borrow_mut().pop_back()?;
                self.len.set(self.len.get() - 1);
                Some(item)
            }
            Order::Smallest(sorted) => {
                let mut borrowed = Borrowed {
                    store: self,
                    sorted,
                    heap: sorted.heap.take(),
                };
                (sorted.pop)(borrowed.heap.as_mut()?, &self.arrived)
            }
        }
    }
}

impl<T: Ord> Order<T> {
    pub(super) fn smallest() -> Order<T> {
        Order::Smallest(Sorted {
            heap: Cell::new(Some(Heap {
                entries: BinaryHeap::new(),
                count: 0,
            })),
            pop: sort_and_pop,
        })
    }
}

fn sort_and_pop<T: Ord>(heap: &mut Heap<T>, arrived: &RefCell<VecDeque<T>>) -> Option<T> {
    loop {
        let Some(item) = arrived.borrow_mut().pop_front() else {
            break;
        };
        let number = heap.count;
        heap.count += 1;
        heap.entries.push(Entry { item, number });
    }
    heap.entries.pop().map(|entry| entry.item)
}

/// The heap while items are compared. Goes back also if that panics.
struct Borrowed<'a, T> {
    store: &'a Store<T>,
    sorted: &'a Sorted<T>,
    /// None if it is borrowed already, further down the stack.
    heap: Option<Heap<T>>,
}

impl<T> Drop for Borrowed<'_, T> {
    fn drop(&mut self) {
        let Some(heap) = self.heap.take() else { return };
        // Counted afresh: if the comparison has panicked, an item may have gone down with it.
        let len = heap.entries.len() + self.store.arrived.borrow().len();
        self.store.len.set(len);
        self.sorted.heap.set(Some(heap));
    }
}

impl<T: Ord> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.item.cmp(&self.item).then(other.number.cmp(&self.number))
    }
}

impl<T: Ord> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Ord> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T: Ord> Eq for Entry<T> {}
