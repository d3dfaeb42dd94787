//! `block_in_thread`: one thread for all who wait for the same thing.
//!
//! A thousand tasks that wait for one lock of another library would take a thousand threads, if there were so many. They need
//! one: the others wait in the kernel, where waiting is cheap, behind a *gate*. Each key has a gate while somebody uses it.
//!
//! The gate is held by the function, not by its caller: a zombie holds it as long as it runs. (In Python Curio the caller
//! holds it; there, who asks again and again with a timeout leaves a zombie behind each time.) Who stands behind a zombie
//! waits for the very thing that the zombie waits for, and can be interrupted.
//!
//! B1. A gate is `busy` while somebody holds it, or was handed it (`line`).
//! B2. Who holds it is a value that the kernel keeps (`kept`), so that the end of the function gives it back, in whatever
//!     thread that is.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::panic::Location;
use std::pin::Pin;
use std::ptr;
use std::rc::{Rc, Weak};
use std::task::{Context as TaskContext, Poll};

use super::thread::RunInThread;
use crate::context::{self, Context, Outside};
use crate::error::{Error, Result};
use crate::kept::Ticket;
use crate::line::Line;
use crate::traps::{Label, Waiting};

const BLOCK_WAIT: Label = Label::new(&"BLOCK_WAIT");

/// Runs a function in a worker thread as [`run_in_thread`](crate::run_in_thread) does, but one at a time for each key
/// (Python Curio: `block_in_thread`): the next one runs when it has returned.
///
/// For functions that wait for the same thing, such as a lock or an event of another library. However many tasks do so, they
/// take one thread. Keys of different types are different.
///
/// *Waits* for its turn, and then until the function has returned. *Interrupted* as
/// [`run_in_thread`](crate::run_in_thread): a function that has begun runs on, and keeps those with the same key waiting
/// until it returns.
///
/// # Errors
///
/// As for [`run_in_thread`](crate::run_in_thread).
///
/// ```
/// use curio::{TaskGroup, block_in_thread, run};
/// use std::sync::{Arc, Condvar, Mutex};
///
/// let bell = Arc::new((Mutex::new(false), Condvar::new()));
/// let wait = |bell: &Arc<(Mutex<bool>, Condvar)>| {
///     let bell = bell.clone();
///     move || drop(bell.1.wait_while(bell.0.lock().unwrap(), |rung| !*rung))
/// };
/// run(async {
///     let g = TaskGroup::all();
///     for _ in 0..100 {
///         g.spawn(block_in_thread("the bell", wait(&bell))); // one thread, not a hundred
///     }
///     *bell.0.lock().unwrap() = true;
///     bell.1.notify_all();
///     g.join().await
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn block_in_thread<K, F, T>(key: K, function: F) -> BlockInThread<K, F, T>
where
    K: Eq + Hash + 'static,
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    BlockInThread {
        stage: Stage::New(key, function),
        waiting: Waiting::new(),
        place: Location::caller(),
    }
}

/// The gates of one kernel, for one type of keys.
type Gates<K> = RefCell<HashMap<Rc<K>, Weak<Gate>>>;

struct Gate {
    /// B1.
    busy: Cell<bool>,
    line: Line,
    /// Whose pool it leads to.
    kernel: Weak<Context>,
    /// Takes it off the list; set once.
    on_drop: RefCell<Option<Box<dyn FnOnce()>>>,
}

impl Gate {
    fn find<K: Eq + Hash + 'static>(key: K) -> Result<Rc<Gate>> {
        context::with_task(|context, _| {
            let gates = context.belonging(|_| Rc::new(Gates::<K>::default()));
            // Comparing keys is user code, so this may be busy.
            let Ok(mut all) = gates.try_borrow_mut() else {
                return Err(Error::other(
                    "a key of block_in_thread uses block_in_thread itself",
                ));
            };
            let key = Rc::new(key);
            if let Some(gate) = all.get(&key).and_then(Weak::upgrade) {
                return Ok(gate);
            }
            let gate = Rc::new(Gate {
                busy: Cell::new(false),
                line: Line::default(),
                kernel: context.weak(),
                on_drop: RefCell::new(None),
            });
            let replaced = all.insert(key.clone(), Rc::downgrade(&gate));
            drop(all);
            drop(replaced);
            let gates = Rc::downgrade(&*gates);
            *gate.on_drop.borrow_mut() = Some(Box::new(move || {
                let gates = gates.upgrade();
                let removed = gates.and_then(|gates| gates.try_borrow_mut().ok()?.remove_entry(&key));
                drop(removed);
            }));
            Ok(gate)
        })
    }

    /// Who stands in the line and is taken to another kernel would wait there for ever.
    fn check_kernel(&self) -> Result<()> {
        let is_here = context::with_task(|context, _| Ok(ptr::eq(context, self.kernel.as_ptr())))?;
        is_here.then_some(()).ok_or(Error::NoKernel)
    }

    /// Goes in if nobody is in there, or on the way.
    fn enter(self: &Rc<Gate>) -> Option<Inside> {
        (!self.busy.replace(true)).then(|| Inside(self.clone(), None))
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if let Some(forget) = self.on_drop.get_mut().take() {
            forget();
        }
    }
}

/// The right to run the function (B2). While somebody has it, a thread is at work for those who wait here.
struct Inside(Rc<Gate>, #[allow(dead_code, reason = "held")] Option<Outside>);

impl Drop for Inside {
    fn drop(&mut self) {
        let handed = self.0.line.hand_over();
        self.0.busy.set(handed);
    }
}

/// The operation of [`block_in_thread`].
#[must_use = "it does nothing unless it is awaited"]
pub struct BlockInThread<K, F, T> {
    stage: Stage<K, F, T>,
    waiting: Waiting,
    place: &'static Location<'static>,
}

enum Stage<K, F, T> {
    New(K, F),
    Queued(Rc<Gate>, F),
    Running(RunInThread<Box<dyn FnOnce() -> T + Send>, T>),
    Over,
}

/// The key and the function are moved and never pinned.
impl<K, F, T> Unpin for BlockInThread<K, F, T> {}

impl<K, F, T> BlockInThread<K, F, T> {
    /// Leaves the line; what was handed to it meanwhile goes to the next.
    fn leave(&mut self) {
        if let Stage::Queued(gate, _) = &self.stage {
            gate.line
                .leave(&mut self.waiting, || drop(Inside(gate.clone(), None)));
        }
    }
}

impl<K, F, T> Future for BlockInThread<K, F, T>
where
    K: Eq + Hash + 'static,
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<T>> {
        let this = self.get_mut();
        loop {
            if let Stage::Running(run) = &mut this.stage {
                return Pin::new(run).poll(cx);
            }
            match std::mem::replace(&mut this.stage, Stage::Over) {
                Stage::New(key, function) => this.stage = Stage::Queued(Gate::find(key)?, function),
                Stage::Queued(gate, function) => {
                    gate.check_kernel()?;
                    let inside = if this.waiting.is_waiting() {
                        let handed = gate.line.receive(&mut this.waiting);
                        handed.then(|| Inside(gate.clone(), None))
                    } else {
                        gate.enter()
                    };
                    if let Some(inside) = inside {
                        this.stage = Stage::Running(guarded(inside, function, this.place)?);
                        continue;
                    }
                    let waits = gate.line.wait(&mut this.waiting, cx, BLOCK_WAIT, this.place);
                    this.stage = Stage::Queued(gate, function);
                    if let Err(error) = waits {
                        this.leave();
                        this.stage = Stage::Over;
                        return Poll::Ready(Err(error));
                    }
                    return Poll::Pending;
                }
                Stage::Running(_) | Stage::Over => {
                    panic!("a BlockInThread was polled after it had completed")
                }
            }
        }
    }
}

/// The function with the right to run it, which is given back when it is over, or is dropped.
fn guarded<F, T>(
    mut inside: Inside,
    function: F,
    place: &'static Location<'static>,
) -> Result<RunInThread<Box<dyn FnOnce() -> T + Send>, T>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let ticket = context::with_task(|context, _| {
        inside.1 = Some(context.begin_outside());
        Ok(Ticket::new(context, Rc::new(inside)))
    })?;
    let function: Box<dyn FnOnce() -> T + Send> = Box::new(move || {
        let _ticket = ticket;
        function()
    });
    Ok(RunInThread::new(function, place))
}

impl<K, F, T> Drop for BlockInThread<K, F, T> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl<K, F, T> fmt::Debug for BlockInThread<K, F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockInThread")
            .field("runs", &matches!(self.stage, Stage::Running(_)))
            .finish_non_exhaustive()
    }
}
