//! The codes of a failure reply: why a call has no value, and so whether it ran.
//!
//! Wire format: `docs/wire-format.md`, "Failure codes".
//!
//! Invariant: a code answers "did the handler run?" by itself, once and for all versions; no code is ever reused.

/// Why a call has no value.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// The handler ran and returned its own error, which travels in the details.
    Application = 1,
    /// The handler ran and panicked; the message is the panic's.
    Panicked = 2,
    /// Not run: the server has no such method.
    UnknownMethod = 3,
    /// Not run: the arguments are malformed, or not of the method's types.
    BadArguments = 4,
    /// Not run: the call's timeout had passed when its turn came.
    Expired = 5,
    /// Not run: the server is at a limit; the message says which.
    Overloaded = 6,
    /// The handler ran, but its reply is over the frame limit.
    ReplyTooLarge = 7,
    /// The handler ran, but its reply could not be encoded.
    ReplyUnencodable = 8,
    /// It may have run: the client has acknowledged the xid.
    Stale = 9,
    /// Not run: the xid is further ahead than the session's window reaches.
    OutOfWindow = 10,
    /// Not run: the xid was used for another call.
    Conflict = 11,
    /// Not run: it acknowledges what cannot be complete.
    BadAcknowledgement = 12,
    /// The handler ran, but its reply was too large to keep, and has been sent before.
    Forgotten = 13,
    /// It may have run: the session has ended, or another has replaced it.
    SessionEnded = 14,
    /// It may have run: it was sent more than once, and still runs as this one's time is up.
    InProgress = 15,
}

impl Code {
    /// The code that a byte stands for; `None` for one that this version does not define.
    pub fn from_wire(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Application,
            2 => Self::Panicked,
            3 => Self::UnknownMethod,
            4 => Self::BadArguments,
            5 => Self::Expired,
            6 => Self::Overloaded,
            7 => Self::ReplyTooLarge,
            8 => Self::ReplyUnencodable,
            9 => Self::Stale,
            10 => Self::OutOfWindow,
            11 => Self::Conflict,
            12 => Self::BadAcknowledgement,
            13 => Self::Forgotten,
            14 => Self::SessionEnded,
            15 => Self::InProgress,
            _ => return None,
        })
    }
}
