//! What a server says to an arriving xid.
//!
//! | verdict | the call | `executed` |
//! |---|---|---|
//! | [`New`](Verdict::New) | runs now | as it turns out |
//! | [`Held`](Verdict::Held) | waits for its predecessor in its lane | as it turns out |
//! | [`InProgress`](Verdict::InProgress) | is being run: its caller attaches to that run | as it turns out |
//! | [`Done`](Verdict::Done) | has run: the same bytes go out once more | yes |
//! | [`Forgotten`](Refused::Forgotten) | has run; its reply was too large to keep | yes |
//! | [`Stale`](Refused::Stale) | was acknowledged: never run again, and no reply is kept | maybe |
//! | [`OutOfWindow`](Refused::OutOfWindow) | is further ahead than the session allows | no |
//! | [`Overtaken`](Refused::Overtaken) | comes too late: its client had given it up, and one behind it in its lane has had its turn | no |
//! | [`Conflict`](Refused::Conflict) | has an xid that was used for another call | no |
//! | [`BadAcknowledgement`](Refused::BadAcknowledgement) | acknowledges itself or later calls | no |
//! | [`Expired`](Refused::Expired) | belongs to a session whose lease has ended | maybe |
//! | [`WrongIncarnation`](Refused::WrongIncarnation) | belongs to a session that another has replaced | maybe |
//! | [`NotYours`](Refused::NotYours) | belongs to another principal's session | no |

use std::fmt;

use super::Xid;
use crate::error::Executed;

/// What becomes of a call that is not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// It has not been seen before: run it, then [`finish`](super::ReplyCache::finish) or [`abandon`](super::ReplyCache::abandon) it.
    New,
    /// The call that it is to come after has not ended: keep it until it is [released](super::reply_cache::Progress::released). Of several
    /// copies one is run, whichever.
    Held,
    /// It is being run already: answer when that ends.
    InProgress,
    /// It has run: answer with the same bytes.
    Done(&'a [u8]),
}

/// Why a call neither runs nor has a reply.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It was acknowledged, so its caller has, or wants, no reply; a late duplicate.
    Stale {
        /// Whatever comes before this is acknowledged.
        first_incomplete: Xid,
    },
    /// Its xid is further ahead than the window reaches: a client that does not keep to it.
    OutOfWindow {
        /// The first xid beyond the window.
        end: Xid,
    },
    /// The xid was used for a call of another method or with other arguments: a bug in the client.
    Conflict,
    /// It acknowledges a call that it cannot know to be complete: itself, or one that the client has not made. A bug in the client.
    BadAcknowledgement,
    /// It has run, but its reply was larger than what the session may keep.
    Forgotten,
    /// A call behind it in its lane has had its turn: its client had said that it does not wait for this one.
    Overtaken {
        /// How far the lane has come.
        by: Xid,
    },
    /// The session's lease has ended. The client may open another, under its next incarnation.
    Expired,
    /// The client has a session under another incarnation.
    WrongIncarnation {
        /// The one that the server knows.
        current: u64,
    },
    /// The session belongs to someone else.
    NotYours,
}

impl Refused {
    /// Did the handler run?
    pub fn executed(self) -> Executed {
        match self {
            Self::Forgotten => Executed::Yes,
            Self::OutOfWindow { .. }
            | Self::Conflict
            | Self::BadAcknowledgement
            | Self::Overtaken { .. }
            | Self::NotYours => Executed::No,
            Self::Stale { .. } | Self::Expired | Self::WrongIncarnation { .. } => Executed::Maybe,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stale { first_incomplete } => {
                write!(f, "the client has acknowledged this call: all before xid {first_incomplete} are")
            }
            Self::OutOfWindow { end } => write!(f, "the window ends before xid {end}"),
            Self::Conflict => f.write_str("the xid was used for another call"),
            Self::BadAcknowledgement => f.write_str("the call acknowledges what cannot be complete"),
            Self::Forgotten => f.write_str("the call has run, and its reply was too large to keep"),
            Self::Overtaken { by } => write!(f, "the client had given this call up, and its lane has come to xid {by}"),
            Self::Expired => f.write_str("the session's lease has ended"),
            Self::WrongIncarnation { current } => write!(f, "the client's session is of incarnation {current}"),
            Self::NotYours => f.write_str("the session belongs to another client"),
        }
    }
}

impl std::error::Error for Refused {}
