//! A cell as it is in memory, and what is done by those who know its types. The rules are those of `cell`.

use std::any::type_name;
use std::future::Future;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, forget, offset_of};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::task::{Context, Poll};

use super::memory::{Memory, Return};
use super::{BUSY, CANCELLED, DONE, ENDING, GONE, IDLE, QUIET, TAKEN};
use super::{Failure, Header, Ran, TaskCell, VTable, ValueCell};
use crate::contain::contain;
use crate::error::TaskError;
use crate::outcome::{Outcome, Value};

/// The future of a task, or its result: the status tells which. (Neither is ever named: both begin where the union does, as in C.)
#[allow(dead_code)]
#[repr(C)]
union Stage<F, T> {
    future: ManuallyDrop<F>,
    result: ManuallyDrop<Result<T, TaskError>>,
}

/// A cell with everything in it, as it is in memory: the header comes first, so a pointer to one is a pointer to the other.
#[repr(C)]
struct Whole<F: Future<Output: Outcome>> {
    header: Header,
    stage: Stage<F, Value<F>>,
}

/// Makes the cell of a task, in `memory`.
#[inline(always)]
pub(crate) fn new<F>(future: F, memory: &Memory) -> ValueCell<Value<F>>
where
    F: Future<Output: Outcome> + 'static,
{
    let whole = memory.take::<Whole<F>>();
    let stage = Stage {
        future: ManuallyDrop::new(future),
    };
    // SAFETY: it is memory for that.
    unsafe {
        (&raw mut (*whole.as_ptr()).header).write(Header::new(&Whole::<F>::VTABLE));
        (&raw mut (*whole.as_ptr()).stage).write(stage);
    }
    ValueCell {
        cell: TaskCell(whole.cast()),
        _value: PhantomData,
    }
}

impl<F: Future<Output: Outcome>> Whole<F> {
    const VTABLE: VTable = VTable {
        run: Whole::<F>::run,
        fail: Whole::<F>::fail,
        destroy: Whole::<F>::destroy,
        type_name: |_| type_name::<F>(),
        stage: offset_of!(Whole<F>, stage),
    };

    /// Where the future is, as long as it is there. For the cell of such a future.
    unsafe fn future(cell: NonNull<Header>) -> *mut F {
        let whole = cell.cast::<Whole<F>>().as_ptr();
        // SAFETY: it is a part of that. Both variants of a union begin where the union does, and `ManuallyDrop` is transparent.
        unsafe { (&raw mut (*whole).stage).cast() }
    }

    /// The same of the result.
    unsafe fn result(cell: NonNull<Header>) -> *mut Result<Value<F>, TaskError> {
        let whole = cell.cast::<Whole<F>>().as_ptr();
        // SAFETY: as in `future`.
        unsafe { (&raw mut (*whole).stage).cast() }
    }

    unsafe fn run(cell: TaskCell, cx: &mut Context<'_>, failure: &mut Option<Failure>) -> Ran {
        let header = cell.header();
        let mut ran = Ran::Pending;
        if header.begin_run() {
            // SAFETY: status was IDLE and is BUSY, so nobody else touches the stage, and the future is there (C1). It stays
            // where it is until it is dropped in place (C2).
            let future = unsafe { Pin::new_unchecked(&mut *Whole::<F>::future(cell.0)) };
            let polled = catch_unwind(AssertUnwindSafe(|| match future.poll(cx) {
                Poll::Pending => {
                    header.end_run();
                    Ran::Pending
                }
                // SAFETY: status is BUSY, and that was set here.
                Poll::Ready(output) => unsafe { Whole::<F>::end(&cell, output, failure) },
            }));
            ran = polled.unwrap_or_else(|panic| {
                // If it is not, the future has panicked when it was dropped.
                if header.status() == BUSY {
                    header.set_status(ENDING);
                }
                *failure = Some(Failure::Panic(panic));
                Ran::Otherwise
            });
        }
        // Nearly always the table has another.
        cell.release();
        ran
    }

    /// The future has given its output. If that is a value, the future is dropped here. The caller has set BUSY.
    #[inline]
    unsafe fn end(cell: &TaskCell, output: F::Output, failure: &mut Option<Failure>) -> Ran {
        let header = cell.header();
        match output.into_result() {
            Ok(value) => {
                let gone = Leave { header, next: GONE };
                // SAFETY: by C1 nobody else touches the stage now, and the drop of the future, which is user code, cannot come
                // back in here. Then there is room for the result.
                unsafe {
                    ptr::drop_in_place(Whole::<F>::future(cell.0));
                    Whole::<F>::result(cell.0).write(Ok(value));
                }
                forget(gone);
                header.set_status(DONE);
                Ran::Ended
            }
            Err(error) if header.has(QUIET) && error.is_plain_cancellation() => {
                // Nothing is in it that could be dropped.
                forget(error);
                // SAFETY: as above.
                contain(|| unsafe { ptr::drop_in_place(Whole::<F>::future(cell.0)) });
                header.set_status(CANCELLED);
                Ran::Ended
            }
            Err(error) => {
                header.set_status(ENDING);
                *failure = Some(Failure::Error(error));
                Ran::Otherwise
            }
        }
    }

    unsafe fn fail(cell: &TaskCell, error: TaskError) {
        let header = cell.header();
        match header.status() {
            IDLE | ENDING => {
                header.set_status(BUSY);
                // SAFETY: as in `end`.
                contain(|| unsafe { ptr::drop_in_place(Whole::<F>::future(cell.0)) });
            }
            GONE => {}
            _ => return,
        }
        // SAFETY: the future is gone, and there is room for the result.
        unsafe { Whole::<F>::result(cell.0).write(Err(error)) };
        header.set_status(DONE);
    }

    unsafe fn destroy(cell: NonNull<Header>) {
        // SAFETY: it is there. Nobody else has it any more, so what is in the stage is ours, as the table above says; and
        // after that, so is the memory.
        unsafe {
            let status = cell.as_ref().status();
            let _memory = Return::new(cell.cast::<Whole<F>>());
            match status {
                IDLE | ENDING => ptr::drop_in_place(Whole::<F>::future(cell)),
                DONE => ptr::drop_in_place(Whole::<F>::result(cell)),
                _ => {}
            }
        }
    }
}

/// Sets a status when it is dropped, so that an unwinding future leaves a true one behind.
struct Leave<'a> {
    header: &'a Header,
    next: u64,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.header.set_status(self.next);
    }
}

/// Stands for the main future of a run, which is not in a cell because it need not be `'static`.
#[repr(C)]
struct StandIn {
    header: Header,
    type_name: &'static str,
}

impl StandIn {
    const VTABLE: VTable = VTable {
        // The kernel polls the main future itself; this only keeps the count.
        run: |cell, _, _| {
            cell.header().count_cycle();
            cell.release();
            Ran::Otherwise
        },
        fail: |cell, _| cell.end_main(),
        // SAFETY: it is there, nobody else has it any more, and there is nothing in it to be dropped.
        destroy: |cell| unsafe { drop(Return::new(cell.cast::<StandIn>())) },
        // SAFETY: it is there.
        type_name: |cell| unsafe { cell.0.cast::<StandIn>().as_ref().type_name },
        stage: 0,
    };
}

impl TaskCell {
    /// A cell for the main task.
    pub(crate) fn for_main(type_name: &'static str, memory: &Memory) -> TaskCell {
        let cell = memory.take::<StandIn>();
        let header = Header::new(&StandIn::VTABLE);
        // SAFETY: it is memory for that.
        unsafe { cell.write(StandIn { header, type_name }) };
        TaskCell(cell.cast())
    }

    /// The main task has ended, for those who hold references to it.
    pub(crate) fn end_main(&self) {
        self.header().set_status(TAKEN);
    }
}
