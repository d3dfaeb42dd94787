//! What may cross threads, and what a learner may rely on.

use curio::net::TcpStream;
use curio::traps::{WaitList, Waiting};
use curio::{Error, Kernel, Result, Sleep, Task, TaskError, TaskGroup, TaskRef, YieldNow};

fn send_and_sync<T: Send + Sync>() {}
fn unpin<T: Unpin>() {}

/// Infers only if `T` is not `Send`: otherwise there are two candidates for `A`.
trait Ambiguous<A> {
    fn check() {}
}
impl<T: ?Sized> Ambiguous<()> for T {}
impl<T: ?Sized + Send> Ambiguous<u8> for T {}

fn main() {
    // One kernel, one thread: handles stay in it.
    <Task<()> as Ambiguous<_>>::check();
    <TaskRef as Ambiguous<_>>::check();
    <TaskGroup<()> as Ambiguous<_>>::check();
    <Kernel as Ambiguous<_>>::check();
    <TcpStream as Ambiguous<_>>::check();
    <WaitList as Ambiguous<_>>::check();

    send_and_sync::<Error>();
    send_and_sync::<TaskError>();
    send_and_sync::<Result<Vec<u8>>>();
    send_and_sync::<Sleep>();
    send_and_sync::<YieldNow>();
    send_and_sync::<Waiting>();
    unpin::<Sleep>();
    unpin::<YieldNow>();
    assert!(size_of::<Error>() <= 16);
}
