//! The sockets in the tables: who waits for which, and what an event does.

use std::panic::Location;
use std::ptr::NonNull;
use std::rc::Rc;

use super::{Entry, Tables};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::readiness::{self, Direction, Source};
use crate::waits::Armed;

impl Tables {
    /// Enters a source of this `kernel`.
    pub(crate) fn add_source(&mut self, kernel: NonNull<Context>) -> Result<Rc<Source>> {
        if self.sources.is_full() {
            return Err(Error::other("too many sockets for one kernel"));
        }
        self.open_sources += 1;
        let (key, entry) = self.sources.claim_mut();
        let source = Rc::new(Source::new(key, kernel));
        *entry = Some(source.clone());
        Ok(source)
    }

    /// The source that the key names, if it is there still (I7).
    #[inline]
    fn find_source(&self, source: Key) -> Option<&Source> {
        let index = self.sources.find(source)?;
        self.sources.get(index).as_deref()
    }

    /// Forgets a source and wakes those who wait for it: they find it closed.
    pub(crate) fn remove_source(&mut self, source: &Source) {
        let Some(index) = self.sources.find(source.key()) else {
            return;
        };
        self.open_sources -= 1;
        *self.sources.release(index) = None;
        source.leave();
        for direction in [Direction::Read, Direction::Write] {
            if let Some(wait) = source.seat(direction).take() {
                self.waits.get_mut(wait.index()).armed = Armed::Notified;
                self.wake(wait.index());
            }
        }
    }

    /// The kernel ends, and its sockets may outlive it.
    pub(crate) fn forget_sources(&mut self) {
        for source in self.sources.iter_mut() {
            source.take().inspect(|source| source.leave());
        }
    }

    /// Seats an operation of `task` at a source (I11).
    #[inline]
    pub(crate) fn arm_source(
        &mut self,
        index: u32,
        task: Key,
        source: &Source,
        direction: Direction,
    ) -> Armed {
        // Nearly always, the node is the task's own.
        let wait = if index == task.index() {
            Some(task)
        } else {
            self.waits.entries.key(index)
        };
        source.seat(direction).set(wait);
        let entry = source.key().index();
        match direction {
            Direction::Read => Armed::Reader(entry),
            Direction::Write => Armed::Writer(entry),
        }
    }

    /// The same, and the whole beginning of the wait, if the task waits in its own node and nobody looks on. If not, nothing
    /// has happened. The seat is free.
    #[inline(always)]
    pub(crate) fn seat_own(
        &mut self,
        task: Key,
        source: &Source,
        direction: Direction,
        place: &'static Location<'static>,
    ) -> bool {
        let Tables {
            waits, epoch, log, ..
        } = self;
        let entry = source.key().index();
        let armed = match direction {
            Direction::Read => Armed::OwnReader(entry),
            Direction::Write => Armed::OwnWriter(entry),
        };
        let seated = log.is_none() && waits.begin_own(task.index(), armed, direction.into(), place, epoch);
        if seated {
            source.seat(direction).set(Some(task));
        }
        seated
    }

    /// Takes back what `arm_source` has done.
    #[cold]
    pub(super) fn disarm_source(&mut self, entry: u32, direction: Direction) {
        if let Some(source) = self.sources.get(entry) {
            source.seat(direction).set(None);
        }
    }

    /// The operation that had taken a seat, and has left it, has completed.
    #[inline]
    pub(crate) fn complete_io(&mut self, wait: Key) {
        // So nothing is armed any more.
        self.waits.get_mut(wait.index()).armed = Armed::Notified;
        self.end_wait(wait.index(), true);
    }

    /// The same if there is nothing to be seen to. If not, nothing has happened.
    #[inline(always)]
    pub(crate) fn quit_seat(&mut self, wait: Key, direction: Direction) -> bool {
        self.waits.quit_own(wait.index(), direction, self.epoch)
    }

    /// The number by which activations know a socket.
    pub(crate) fn socket_number(&self, source: u32) -> u64 {
        self.sources.key(source).map_or(0, |key| u64::from(key.serial()))
    }

    /// Enters an event, and wakes those whom it concerns (I7).
    #[inline(always)]
    pub(crate) fn source_event(&mut self, key: Key, bits: u8) {
        if self.enter_plainly(key, bits).is_none() {
            self.enter_event(key, bits);
        }
    }

    /// The same if nobody waits to write, and who waits to read is in a plain wait. None if not; then it is all to be done once
    /// more, to no harm.
    #[inline(always)]
    fn enter_plainly(&mut self, key: Key, bits: u8) -> Option<()> {
        let source = self.sources.find_ref(key)?.as_deref()?;
        source.set(bits);
        if source.seat(Direction::Write).get().is_some() {
            return None;
        }
        let woken = match source.seat(Direction::Read).get() {
            Some(wait) if readiness::concerns(bits, Direction::Read) => self.wake_reader(wait.index()),
            _ => true,
        };
        woken.then_some(())
    }

    /// Wakes an operation that waits to read in a plain wait. If it does not, nothing has happened.
    #[inline(always)]
    fn wake_reader(&mut self, index: u32) -> bool {
        let Tables { waits, ready, .. } = self;
        let Some(Entry { slot, wait, .. }) = waits.entries.try_get_mut(index) else {
            return false;
        };
        // So it is the one of its task (W5).
        match slot {
            Some(slot) if wait.is_own_seat(Direction::Read) => ready.queue(index, slot),
            _ => false,
        }
    }

    #[cold]
    #[inline(never)]
    fn enter_event(&mut self, key: Key, bits: u8) {
        let Some(source) = self.find_source(key) else {
            return;
        };
        source.set(bits);
        let (reader, writer) = (
            source.seat(Direction::Read).get(),
            source.seat(Direction::Write).get(),
        );
        self.note(|log, _| log.readiness(key, bits));
        for (wait, direction) in [(reader, Direction::Read), (writer, Direction::Write)] {
            if let Some(wait) = wait
                && readiness::concerns(bits, direction)
            {
                self.wake(wait.index());
            }
        }
    }
}
