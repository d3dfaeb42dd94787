//! The life of a worker, from before `main` to its end. All of this runs in a process of its own, and blocks.
//!
//! It ends when its parent does, whatever runs: a thread of its own watches the connection. (Linux could send a signal at the end
//! of the parent, but means that of the thread which has started the worker.)

use std::any::Any;
use std::cell::RefCell;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::entry::{self, Identity};
use super::wire::{self, GREETING, Inbox, Reply};
use crate::contain::contain;
use crate::error::panic_message;

thread_local! {
    /// Where the last panic of this thread was.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

pub(super) fn live(socket: UnixStream) -> ! {
    // It is there until the process ends, for both threads.
    let socket: &'static UnixStream = Box::leak(Box::new(socket));
    greet(socket);
    entry::keep_from_forks(socket);
    // As in any program of Rust, where this is done before `main`.
    entry::ignore(libc::SIGPIPE);
    std::thread::Builder::new()
        .name("curio-watch".into())
        .spawn(move || {
            entry::wait_for_end(socket);
            entry::leave()
        })
        .expect("a thread for the watch");
    note_places();
    let (mut inbox, mut reply) = (Inbox::default(), Vec::new());
    while let Ok(Some((number, target, argument))) = inbox.request(socket) {
        wire::begin_reply(&mut reply);
        PLACE.take();
        let kind = catch_unwind(AssertUnwindSafe(|| target.run(argument, &mut reply)))
            .unwrap_or_else(|panic| report(panic, &mut reply));
        // The worker may be killed before anybody flushes it.
        let _ = std::io::stdout().flush();
        wire::finish_reply(&mut reply, number, kind);
        if (&mut &*socket).write_all(&reply).is_err() {
            break;
        }
    }
    entry::leave()
}

/// Goes on if the parent is the same program.
fn greet(mut socket: &UnixStream) {
    let mut greeting = [0; GREETING];
    let parent = match socket.read_exact(&mut greeting) {
        Ok(()) => wire::read_greeting(&greeting),
        Err(_) => None,
    };
    match parent {
        Some(parent) if parent == Identity::own() => return,
        Some(_) => {
            let mut reply = Vec::new();
            wire::begin_reply(&mut reply);
            wire::finish_reply(&mut reply, 0, Reply::OtherProgram);
            let _ = socket.write_all(&reply);
            // The request must not be left in the socket, or the reply is lost with it.
            let _ = socket.shutdown(std::net::Shutdown::Write);
            let _ = std::io::copy(&mut socket, &mut std::io::sink());
        }
        None => {}
    }
    entry::leave()
}

/// Has panics say where they are, not only on standard error.
fn note_places() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PLACE.set(info.location().map(ToString::to_string));
        before(info);
    }));
}

fn report(panic: Box<dyn Any + Send>, reply: &mut Vec<u8>) -> Reply {
    wire::begin_reply(reply);
    let what = (panic_message(&*panic), PLACE.take());
    contain(|| drop(panic));
    // Two strings can always be written.
    if let Ok(whole) = postcard::to_extend(&what, std::mem::take(reply)) {
        *reply = whole;
    }
    Reply::Panicked
}
