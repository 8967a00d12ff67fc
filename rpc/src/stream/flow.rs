//! What an item costs, and what breaks the rules.
//!
//! Wire format: `docs/wire-format.md`, "Streams".
//!
//! Credit is in bytes, not items, because bytes are what must be bounded: a window of items would be too much memory for large ones or
//! too little work for small ones. A frame costs its header, too, so that a thousand items of a byte are not for free.

use std::fmt;

use crate::wire::header;

/// The credit that a frame with such a piece takes.
pub fn cost(piece: usize) -> usize {
    header::LEN + piece
}

/// How a peer broke the rules of a stream. The connection cannot go on: the two sides disagree about what has been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// More was sent than there was credit for.
    BeyondCredit,
    /// An item, or another end, came after the end.
    AfterEnd,
    /// The stream was said to be finished within an item.
    WithinItem,
    /// An item is longer than a frame may be.
    ItemTooLong,
    /// More credit was given than a stream may have.
    TooMuchCredit,
    /// There are items, or credit, in a direction in which the call has no stream.
    NoSuchStream,
    /// A call has the xid of one that goes on.
    XidInUse,
    /// There are too many calls that were answered and to which items may still come.
    Remnants,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BeyondCredit => "an item came without credit",
            Self::AfterEnd => "an item came after the end",
            Self::WithinItem => "it ended within an item",
            Self::ItemTooLong => "an item is over the frame limit",
            Self::TooMuchCredit => "there is too much credit",
            Self::NoSuchStream => "the call has no stream in this direction",
            Self::XidInUse => "a call with this xid goes on",
            Self::Remnants => "too many calls were answered and left open",
        })
    }
}

impl std::error::Error for Violation {}
