//! A channel: messages that nobody has received yet, or tasks that wait for one.

use std::collections::VecDeque;
use std::fmt;

use crate::task::TaskId;

/// The number of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChannelId(pub(crate) u64);

/// What is sent.
pub type Message = String;

/// An entry of the table of channels. One of its two queues is always empty.
#[derive(Debug, Default)]
pub struct Channel {
    /// What was sent and not received, oldest first.
    pub messages: VecDeque<Message>,
    /// Those who wait for a message, longest first.
    pub receivers: VecDeque<TaskId>,
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
