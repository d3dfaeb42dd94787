//! The sockets in the tables: who waits for which, and what an event does.

use super::Tables;
use crate::error::{Error, Result};
use crate::key::{Key, NONE};
use crate::readiness::{self, Direction, Source};
use crate::waits::Armed;

impl Tables {
    pub(crate) fn add_source(&mut self) -> Result<Key> {
        if self.sources.is_full() {
            return Err(Error::other("too many sockets for one kernel"));
        }
        self.open_sources += 1;
        let key = self.sources.claim();
        *self.sources.get_mut(key.index()) = Source::default();
        Ok(key)
    }

    #[inline]
    pub(crate) fn find_source(&mut self, source: Key) -> Option<&mut Source> {
        let index = self.sources.find(source)?;
        Some(self.sources.get_mut(index))
    }

    /// Forgets a source and wakes those who wait for it: they find it closed.
    pub(crate) fn remove_source(&mut self, source: Key) {
        let Some(&mut Source { reader, writer, .. }) = self.find_source(source) else {
            return;
        };
        self.open_sources -= 1;
        self.sources.release(source.index());
        for wait in [reader, writer] {
            if wait != NONE {
                self.waits.get_mut(wait).armed = Armed::Notified;
                self.wake(wait);
            }
        }
    }

    /// Seats an operation at a source.
    #[inline]
    pub(crate) fn arm_source(&mut self, index: u32, source: Key, direction: Direction) -> Armed {
        let entry = source.index();
        *self.sources.get_mut(entry).seat(direction) = index;
        match direction {
            Direction::Read => Armed::Reader(entry),
            Direction::Write => Armed::Writer(entry),
        }
    }

    /// An operation on a source is over: `wait` is its node, if it has waited. It has found out whether the source is
    /// exhausted (`short`).
    #[inline]
    pub(crate) fn complete_io(&mut self, source: Key, direction: Direction, short: bool, wait: Option<u32>) {
        if let Some(entry) = self.find_source(source) {
            if short {
                entry.short(direction);
            }
            // Nearly always, the node has the seat; and then nothing is armed any more.
            if let Some(index) = wait
                && *entry.seat(direction) == index
            {
                *entry.seat(direction) = NONE;
                self.waits.get_mut(index).armed = Armed::Notified;
            }
        }
        if let Some(index) = wait {
            self.end_wait(index, true);
        }
    }

    /// The number by which activations know a socket.
    pub(crate) fn socket_number(&self, source: u32) -> u64 {
        self.sources.key(source).map_or(0, |key| u64::from(key.serial()))
    }

    /// Enters an event, and wakes those whom it concerns (I7).
    pub(crate) fn source_event(&mut self, source: Key, bits: u8) {
        let Some(entry) = self.find_source(source) else {
            return;
        };
        entry.set(bits);
        let (reader, writer) = (entry.reader, entry.writer);
        self.note(|log, _| log.readiness(source, bits));
        for (wait, direction) in [(reader, Direction::Read), (writer, Direction::Write)] {
            if wait != NONE && readiness::concerns(bits, direction) {
                self.wake(wait);
            }
        }
    }
}
