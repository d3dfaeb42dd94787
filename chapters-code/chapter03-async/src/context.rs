//! Between a future and the kernel: one slot for the request of the running task, and one for the answer.
//!
//! The `async` block of a task is called by the adapter and calls, somewhere deep inside, an operation. The operation
//! cannot hand anything out through all those calls, since `poll` returns no requests. So it leaves the request here.
//! One thread runs one task at a time, so one slot is enough. Or so we think.

use std::cell::Cell;

use crate::traps::{Reply, Trap};

struct RequestSlot {
    request: Cell<Option<Trap>>,
    reply: Cell<Option<Reply>>,
}

thread_local! {
    static SLOT: RequestSlot = const {
        RequestSlot {
            request: Cell::new(None),
            reply: Cell::new(None),
        }
    };
}

/// Leaves a request, for the adapter to find.
pub fn put_request(trap: Trap) {
    SLOT.with(|slot| slot.request.set(Some(trap)));
}

/// Takes the request.
pub fn take_request() -> Option<Trap> {
    SLOT.with(|slot| slot.request.take())
}

/// Leaves the answer, for the operation to find.
pub fn put_reply(reply: Reply) {
    SLOT.with(|slot| slot.reply.set(Some(reply)));
}

/// Takes the answer.
pub fn take_reply() -> Option<Reply> {
    SLOT.with(|slot| slot.reply.take())
}
