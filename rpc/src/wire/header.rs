//! The sixteen bytes before every frame body.
//!
//! Wire format: `docs/wire-format.md`, "Frame header".
//!
//! ```text
//!   0       4      5       6        8                16
//!   ├ len ──┼ kind ┼ flags ┼ behind ┼ xid ───────────┤  all big-endian, as MessagePack
//! ```
//!
//! Invariant: a header that decodes has a known kind, only flags that the kind defines, an xid where the kind wants one, and an
//! acknowledgement only on a call of the session. A version is exact: nothing unknown is skipped.

use std::fmt;

use crate::stream::Violation;

/// Length of a header, in bytes.
pub const LEN: usize = 16;

/// Flag of a [`Kind::Call`]: no reply is awaited, so none is sent.
pub const FLAG_ONE_WAY: u8 = 0b0000_0001;

/// Flag of a [`Kind::Call`]: running it again does no harm, so the server does not look whether it has.
pub const FLAG_IDEMPOTENT: u8 = 0b0000_0010;

/// Flag of a [`Kind::Call`]: it has a place in a lane of its session, which it says.
pub const FLAG_ORDERED: u8 = 0b0000_0100;

/// Flag of a [`Kind::Call`]: metadata comes with it.
pub const FLAG_METADATA: u8 = 0b0000_1000;

/// Flag of a [`Kind::Call`]: items of the client's follow.
pub const FLAG_CLIENT_STREAM: u8 = 0b0001_0000;

/// Flag of a [`Kind::Call`]: items of the server's come before the answer; the call says how much credit there is for them.
pub const FLAG_SERVER_STREAM: u8 = 0b0010_0000;

/// Flag of a [`Kind::Item`]: this is not all of it.
pub const FLAG_MORE: u8 = 0b0000_0001;

/// Flag of a [`Kind::End`]: there should have been more items.
pub const FLAG_ABANDONED: u8 = 0b0000_0001;

/// Flag of a [`Kind::End`]: it is the peer who is to send no more.
pub const FLAG_STOP: u8 = 0b0000_0010;

/// Flag of a [`Kind::Opened`]: the session was there already.
pub const FLAG_RESUMED: u8 = 0b0000_0001;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Client to server: run a method.
    Call = 1,
    /// Server to client: the method's value.
    Reply = 2,
    /// Server to client: why there is no value.
    Failure = 3,
    /// Client to server: nobody waits for this call any more.
    Cancel = 4,
    /// Server to client, xid 0: last words before the connection closes.
    GoAway = 5,
    /// Client to server, xid 0: opens or resumes a session, before anything else.
    Open = 6,
    /// Server to client, xid 0: the session is open.
    Opened = 7,
    /// Either way: an item of a stream, or a piece of one.
    Item = 8,
    /// Either way: a stream ends, while its call goes on.
    End = 9,
    /// Either way: the peer may send so much more of a stream.
    Credit = 10,
    /// Either way, xid 0: are you there?
    Ping = 11,
    /// The answer to a ping, xid 0.
    Pong = 12,
    /// Client to server: which calls of the session it still wants, of those before the xid.
    Acknowledge = 13,
}

impl Kind {
    fn from_wire(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Call,
            2 => Self::Reply,
            3 => Self::Failure,
            4 => Self::Cancel,
            5 => Self::GoAway,
            6 => Self::Open,
            7 => Self::Opened,
            8 => Self::Item,
            9 => Self::End,
            10 => Self::Credit,
            11 => Self::Ping,
            12 => Self::Pong,
            13 => Self::Acknowledge,
            _ => return None,
        })
    }

    /// The flags that this kind defines.
    const fn flags(self) -> u8 {
        match self {
            Self::Call => {
                FLAG_ONE_WAY | FLAG_IDEMPOTENT | FLAG_ORDERED | FLAG_METADATA | FLAG_CLIENT_STREAM | FLAG_SERVER_STREAM
            }
            Self::Opened => FLAG_RESUMED,
            Self::Item => FLAG_MORE,
            Self::End => FLAG_ABANDONED | FLAG_STOP,
            Self::Reply
            | Self::Failure
            | Self::Cancel
            | Self::GoAway
            | Self::Open
            | Self::Credit
            | Self::Ping
            | Self::Pong
            | Self::Acknowledge => 0,
        }
    }

    const fn has_xid(self) -> bool {
        !matches!(self, Self::GoAway | Self::Open | Self::Opened | Self::Ping | Self::Pong)
    }
}

/// A decoded frame header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of body that follow.
    pub len: u32,
    /// What the body is.
    pub kind: Kind,
    /// The kind's flags.
    pub flags: u8,
    /// Of a call of the session: so many xids before its own the first one lies that the client has no reply to.
    pub behind: u16,
    /// Which call this is about; 0 for none.
    pub xid: u64,
}

impl Header {
    /// The header as it travels.
    #[inline]
    pub fn encode(&self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes[0..4].copy_from_slice(&self.len.to_be_bytes());
        bytes[4] = self.kind as u8;
        bytes[5] = self.flags;
        bytes[6..8].copy_from_slice(&self.behind.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.xid.to_be_bytes());
        bytes
    }

    /// Reads a header.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for whatever this version does not define.
    #[inline]
    pub fn decode(bytes: &[u8; LEN]) -> Result<Self, Malformed> {
        let [l0, l1, l2, l3, kind, flags, b0, b1, xid @ ..] = *bytes;
        let kind = Kind::from_wire(kind).ok_or(Malformed::Kind(kind))?;
        if flags & !kind.flags() != 0 {
            return Err(Malformed::Flags { kind, flags });
        }
        let behind = u16::from_be_bytes([b0, b1]);
        if behind != 0 && (kind != Kind::Call || flags & !(FLAG_ORDERED | FLAG_METADATA) != 0) {
            return Err(Malformed::Reserved);
        }
        let xid = u64::from_be_bytes(xid);
        if (xid != 0) != kind.has_xid() {
            return Err(Malformed::Xid { kind, xid });
        }
        // xids begin with 1.
        if xid != 0 && u64::from(behind) >= xid {
            return Err(Malformed::Behind { xid, behind });
        }
        Ok(Self { len: u32::from_be_bytes([l0, l1, l2, l3]), kind, flags, behind, xid })
    }
}

/// Why bytes are not a frame. The connection cannot go on: where the next frame would begin is unknown or untrusted.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The header announces more than this side accepts.
    TooLong {
        /// Bytes announced.
        len: u64,
        /// Bytes accepted.
        max: usize,
    },
    /// This version defines no such kind.
    Kind(u8),
    /// The kind defines no such flags.
    Flags {
        /// The frame's kind.
        kind: Kind,
        /// The flags it came with.
        flags: u8,
    },
    /// An acknowledgement where none can be.
    Reserved,
    /// An acknowledgement of calls before the first.
    Behind {
        /// The xid it came with.
        xid: u64,
        /// How far before it the first incomplete call is said to be.
        behind: u16,
    },
    /// An xid of zero where a call must be named, or one where none can be.
    Xid {
        /// The frame's kind.
        kind: Kind,
        /// The xid it came with.
        xid: u64,
    },
    /// The body does not hold the fields that its kind has.
    Body {
        /// The frame's kind.
        kind: Kind,
        /// What does not fit.
        what: &'static str,
    },
    /// A frame that only the other side may send, or a reply to a call that was never made.
    Unexpected {
        /// The frame's kind.
        kind: Kind,
        /// The xid it came with.
        xid: u64,
    },
    /// The peer has sent more frames that bring nothing forward than anybody needs to.
    Glitches {
        /// How many there may be beyond what its calls allow.
        max: u32,
    },
    /// A stream's rules were broken.
    Stream {
        /// Whose call's stream.
        xid: u64,
        /// How.
        violation: Violation,
    },
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { len, max } => write!(f, "a frame of {len} bytes is over the limit of {max}"),
            Self::Kind(kind) => write!(f, "unknown frame kind {kind}"),
            Self::Flags { kind, flags } => write!(f, "unknown flags {flags:#010b} on a {kind:?} frame"),
            Self::Reserved => f.write_str("an acknowledgement on a frame that has none"),
            Self::Behind { xid, behind } => {
                write!(f, "xid {xid} is said to be {behind} behind its first incomplete call")
            }
            Self::Xid { kind, xid } => write!(f, "xid {xid} on a {kind:?} frame"),
            Self::Body { kind, what } => write!(f, "the body of a {kind:?} frame {what}"),
            Self::Unexpected { kind, xid } => write!(f, "unexpected {kind:?} frame, xid {xid}"),
            Self::Glitches { max } => {
                write!(f, "over {max} pings, cancels, repeated calls and other frames that bring nothing forward")
            }
            Self::Stream { xid, violation } => write!(f, "the stream of xid {xid}: {violation}"),
        }
    }
}

impl std::error::Error for Malformed {}
