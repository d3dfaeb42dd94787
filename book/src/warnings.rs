//! What mdBook warns of while it builds: tags left open, footnotes defined twice, and the like.
//!
//! mdBook reports through `tracing`, and by itself prints nothing. A warning means that a page does not
//! look as its author meant it, so the build takes it for an error.

use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Runs `work` and returns, beside its result, the warnings and errors it reported on this thread.
pub fn collect<R>(work: impl FnOnce() -> R) -> (R, Vec<String>) {
    let collector = Collector::default();
    let messages = Arc::clone(&collector.messages);
    let result = tracing::subscriber::with_default(collector, work);
    let mut messages = messages.lock().unwrap_or_else(PoisonError::into_inner);
    (result, std::mem::take(&mut messages))
}

#[derive(Default)]
struct Collector {
    messages: Arc<Mutex<Vec<String>>>,
}

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Levels are ordered by how much they let through: ERROR < WARN < INFO.
        *metadata.level() <= Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        let mut message = Message::default();
        event.record(&mut message);
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        messages.push(message.0);
    }

    // Spans say where an event comes from; the messages are clear without.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            // Writing to a string cannot fail.
            let _ = write!(self.0, "{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_and_errors_are_kept_and_the_rest_is_not() {
        let (result, messages) = collect(|| {
            tracing::info!("all is well");
            tracing::warn!("tag `<{}>` is open", "b");
            tracing::error!("no such footnote");
            3
        });
        assert_eq!(result, 3);
        assert_eq!(messages, ["tag `<b>` is open", "no such footnote"]);
    }
}
