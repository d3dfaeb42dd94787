//! Accepting (C6).

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use super::Shared;
use super::address::{At, Listening, Peer};
use super::connect::greet;
use super::connection::Connection;
use super::greeting::Side;
use crate::contain::log;
use crate::error::{Error, Result};
use crate::lookup::LookupHost;
use crate::server::accept::{is_about_one_connection, may_pass};
use crate::task::{Task, task};
use crate::time::Sleep;
use crate::traps::{Label, WaitList, Waiting, poll_budget};

/// So many are greeted at once; others wait in the system's queue meanwhile.
const AT_ONCE: usize = 128;

/// How long it waits when the system has run out of something.
const PAUSE: Duration = Duration::from_millis(100);

const CHANNEL_ACCEPT: Label = Label::new(&"CHANNEL_ACCEPT");

/// Those who are being greeted, each in a task of its own, and those who have been and wait to be accepted.
#[derive(Default)]
pub(super) struct Greetings {
    greeted: RefCell<VecDeque<Connection>>,
    /// Notified when one is over, in whatever way.
    over: WaitList,
    tasks: RefCell<HashMap<u64, Task<()>>>,
    count: Cell<u64>,
    /// Nobody will ask for those who come to an end now: one that had its last message when it was cancelled, say.
    closed: Cell<bool>,
}

impl Greetings {
    /// Lets all go.
    pub(super) fn give_up(&self) {
        self.closed.set(true);
        let (greeted, tasks) = (self.greeted.take(), self.tasks.take());
        tasks.values().for_each(Task::cancel_nowait);
        drop(greeted);
        self.over.notify_all();
    }

    fn are_many(&self) -> bool {
        self.tasks.borrow().len() >= AT_ONCE
    }

    fn begin(self: &Rc<Self>, shared: &Shared, (connection, peer): (Connection, Peer), key: Vec<u8>) {
        let number = self.count.get() + 1;
        self.count.set(number);
        let seat = Seat(Rc::downgrade(self), number);
        let (address, limit) = (shared.at.borrow().to_string(), shared.handshake_timeout.get());
        let greeting = async move {
            let greeted = greet(&connection, &key, Side::Server, limit, Location::caller()).await;
            match (greeted, seat.0.upgrade()) {
                (Ok(()), Some(greetings)) if !greetings.closed.get() => {
                    greetings.greeted.borrow_mut().push_back(connection);
                }
                (Err(error), _) if error.is_cancellation() => return Err(error),
                (Err(error), _) => log(format_args!(
                    "a channel at {address} has left a peer ({peer}): {error}"
                )),
                (Ok(()), _) => {}
            }
            drop(seat);
            Ok(())
        };
        let task = task(greeting).name("channel greeting").spawn();
        self.tasks.borrow_mut().insert(number, task);
    }
}

/// The place of one who is being greeted.
struct Seat(Weak<Greetings>, u64);

impl Drop for Seat {
    fn drop(&mut self) {
        let Some(greetings) = self.0.upgrade() else { return };
        let task = greetings.tasks.borrow_mut().remove(&self.1);
        drop(task);
        greetings.over.notify_one();
    }
}

/// The operation of [`Channel::accept`](super::Channel::accept).
#[must_use = "it does nothing unless it is awaited"]
pub struct Accept<'a> {
    shared: &'a Shared,
    key: Option<Vec<u8>>,
    lookup: Option<LookupHost>,
    listening: Option<Rc<Listening>>,
    pause: Option<Sleep>,
    accepting: Waiting,
    greeting: Waiting,
    place: &'static Location<'static>,
}

impl<'a> Accept<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        authkey: Option<&[u8]>,
        place: &'static Location<'static>,
    ) -> Accept<'a> {
        Accept {
            shared,
            key: authkey.map(<[u8]>::to_vec),
            lookup: None,
            listening: None,
            pause: None,
            accepting: Waiting::new(),
            greeting: Waiting::new(),
            place,
        }
    }

    fn poll_listening(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<Rc<Listening>>> {
        if let Some(listening) = &self.listening {
            return Poll::Ready(Ok(listening.clone()));
        }
        let addrs = match &*self.shared.at.borrow() {
            At::Name(host, port) => {
                let place = self.place;
                let lookup = self
                    .lookup
                    .get_or_insert_with(|| LookupHost::new(&(host.as_str(), *port), place));
                ready!(Pin::new(lookup).poll(cx))?
            }
            At::Addrs(addrs) => addrs.clone(),
            #[cfg(unix)]
            At::Path(_) => Vec::new(),
        };
        let listening = self.shared.listen(&addrs)?;
        self.listening = Some(listening.clone());
        Poll::Ready(Ok(listening))
    }

    /// Takes connections from the system, until there are none, or one that need not be greeted.
    fn poll_system(&mut self, listening: &Listening, cx: &mut TaskContext<'_>) -> Poll<Result<Connection>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(Pin::new(pause).poll(cx))?;
                self.pause = None;
            }
            if self.shared.greetings.are_many() {
                self.accepting.end();
                return Poll::Pending;
            }
            match ready!(listening.poll_accept(&mut self.accepting, cx, self.place)) {
                Ok((_, peer)) if !self.shared.lets_in(peer) => {
                    let address = self.shared.at.borrow().to_string();
                    log(format_args!("a channel at {address} has refused a peer ({peer})"));
                }
                Ok((connection, peer)) => {
                    connection.set_message_limit(self.shared.message_limit.get());
                    match &self.key {
                        None => return Poll::Ready(Ok(connection)),
                        Some(key) => {
                            let greetings = &self.shared.greetings;
                            greetings.begin(self.shared, (connection, peer), key.clone());
                        }
                    }
                }
                Err(Error::Io(error)) if is_about_one_connection(&error) => {}
                Err(Error::Io(error)) if may_pass(&error) => {
                    log(format_args!("a channel cannot accept connections now: {error}"));
                    self.pause = Some(Sleep::after(PAUSE, self.place));
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn poll_accepted(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<Connection>> {
        if self.shared.closed.get() {
            ready!(poll_budget(cx));
            return Poll::Ready(Err(Error::Closed));
        }
        let greeted = self.shared.greetings.greeted.borrow_mut().pop_front();
        if let Some(connection) = greeted {
            return Poll::Ready(Ok(connection));
        }
        let listening = ready!(self.poll_listening(cx))?;
        if let Poll::Ready(accepted) = self.poll_system(&listening, cx) {
            return Poll::Ready(accepted);
        }
        let waits = self.accepting.is_waiting() || self.pause.is_some() || self.shared.greetings.are_many();
        if waits {
            let over = &self.shared.greetings.over;
            self.greeting.wait_on(over, cx, CHANNEL_ACCEPT, self.place)?;
        }
        // Otherwise it has only had its share of this run.
        Poll::Pending
    }
}

impl Future for Accept<'_> {
    type Output = Result<Connection>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<Connection>> {
        let accepted = ready!(self.poll_accepted(cx));
        self.pause = None;
        if accepted.as_ref().is_err_and(Error::is_cancellation) {
            // It was delivered to one of them, and is not owed by the others.
            self.accepting.end();
            self.greeting.end();
        } else {
            self.accepting.complete();
            self.greeting.complete();
        }
        Poll::Ready(accepted)
    }
}

impl fmt::Debug for Accept<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accept")
            .field("at", &self.shared.at.borrow().to_string())
            .field("waits", &self.accepting.is_waiting())
            .finish()
    }
}
