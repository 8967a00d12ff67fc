//! Why a stream did not go on.

use std::error::Error;
use std::fmt;

use fibra_scheduler::cancel::Interrupted;
use serde::{Deserialize, Serialize};

/// Why an item was not sent, or none came.
///
/// It is serde's, so that a method may return it as its own error, and its handler use `?` on each item.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StreamError {
    /// The call has ended. At the client, [`finish`](crate::client::Streaming::finish) tells how; in a handler, the client no longer waits.
    CallEnded,
    /// The connection was lost, and with it the call.
    Disconnected,
    /// The receiver takes no more items, though the call goes on: what it answers tells why.
    Stopped,
    /// The sender was dropped before it said that it had [finished]: items may be missing.
    ///
    /// [finished]: crate::stream::Sender::finish
    Abandoned,
    /// This side has finished sending, or an earlier item was cut short.
    Finished,
    /// The deadline has passed: that of the call, or one of the caller's own.
    TimedOut,
    /// The fiber that waited was cancelled.
    Cancelled,
    /// An item could not be encoded or decoded: the two sides disagree about its type. The text says what does not fit.
    Item(String),
    /// An item is over the frame limit, in bytes.
    TooLarge(u64),
    /// There was no fiber to be had that could read the connection while the handler waits.
    Overloaded,
}

impl From<Interrupted> for StreamError {
    fn from(interrupted: Interrupted) -> Self {
        match interrupted {
            Interrupted::TimedOut => Self::TimedOut,
            _ => Self::Cancelled,
        }
    }
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CallEnded => f.write_str("the call has ended"),
            Self::Disconnected => f.write_str("the connection was lost"),
            Self::Stopped => f.write_str("the receiver takes no more items"),
            Self::Abandoned => f.write_str("the sender was dropped before it had finished: items may be missing"),
            Self::Finished => f.write_str("nothing can be sent after the end"),
            Self::TimedOut => f.write_str("the deadline has passed"),
            Self::Cancelled => f.write_str("the fiber was cancelled"),
            Self::Item(reason) => write!(f, "the item does not fit its type: {reason}"),
            Self::TooLarge(max) => write!(f, "the item is over the frame limit of {max} bytes"),
            Self::Overloaded => f.write_str("there was no fiber to read the connection"),
        }
    }
}

impl Error for StreamError {}
