//! What a frame can say.
//!
//! Wire format: `docs/wire-format.md`, "Frames".
//!
//! Invariant: a frame is whole in its framing (lengths, kinds, flags). The MessagePack within it has *not* been looked
//! at: [`codec`](crate::codec) does, so that bad arguments fail one call rather than the connection.

use std::time::Duration;

use super::bytes::Bytes;
use crate::service::Streams;
use crate::session::{Lane, Turn};

/// One frame, as it comes out of the [`Decoder`](super::decode::Decoder).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Run a method.
    Call(Call),
    /// The method's value.
    Reply {
        /// Which call.
        xid: u64,
        /// One MessagePack value.
        value: Bytes,
    },
    /// Why there is no value.
    Failure {
        /// Which call.
        xid: u64,
        /// The reason: a [`Code`](super::failure::Code), or one that a later version added.
        code: u8,
        /// For people. Meant to be UTF-8, not checked.
        message: Bytes,
        /// One MessagePack value: the handler's error, for [`Code::Application`](super::failure::Code::Application).
        details: Bytes,
    },
    /// Nobody waits for this call any more.
    Cancel {
        /// Which call.
        xid: u64,
    },
    /// Last words before the connection closes.
    GoAway {
        /// The reason: [`GOAWAY_MALFORMED`], or one that a later version added.
        code: u8,
        /// For people. Meant to be UTF-8, not checked.
        message: Bytes,
    },
    /// Open a session.
    Open(Open),
    /// The session is open.
    Opened(Opened),
    /// An item of a stream, or a piece of one.
    Item {
        /// Which call's.
        xid: u64,
        /// More pieces of the item follow.
        more: bool,
        /// One MessagePack value, or a piece of it: never empty.
        piece: Bytes,
    },
    /// A stream ends, while its call goes on.
    End {
        /// Which call's.
        xid: u64,
        /// Which of its streams, and how.
        how: Ending,
    },
    /// The peer may send so much more of a stream.
    Credit {
        /// Which call's.
        xid: u64,
        /// Bytes of items, headers included.
        bytes: u32,
    },
    /// Are you there?
    Ping {
        /// To be given back.
        echo: u64,
    },
    /// The answer to a ping.
    Pong {
        /// The ping's.
        echo: u64,
    },
    /// Which calls of the session the client still wants.
    Acknowledge {
        /// Whatever comes before is acknowledged, ...
        first_incomplete: u64,
        /// ... but these: in order, all of them before it.
        wanted: Vec<u64>,
    },
}

/// How a stream ends before its call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The sender of this frame has sent all its items.
    Finished,
    /// The sender of this frame sends no more items, though there should have been more.
    Abandoned,
    /// The sender of this frame takes no more items.
    Stop,
}

/// Goaway code: the peer sent bytes that are not this protocol.
pub const GOAWAY_MALFORMED: u8 = 1;

/// Goaway code: the session belongs to someone else.
pub const GOAWAY_NOT_YOURS: u8 = 2;

/// Goaway code: the session has ended. What was under way in it may have run.
pub const GOAWAY_EXPIRED: u8 = 3;

/// Goaway code: the client has a session of a later incarnation.
pub const GOAWAY_WRONG_INCARNATION: u8 = 4;

/// Goaway code: the server has as many sessions as it may have.
pub const GOAWAY_FULL: u8 = 5;

/// Goaway code: the server is going down. Not its last words: what is under way is answered first.
pub const GOAWAY_DRAINING: u8 = 6;

/// What a client says first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Who it is: random bits of its own choice.
    pub client: [u8; 16],
    /// How often it has begun anew.
    pub incarnation: u64,
    /// The incarnation of the server that has the session, if one has: that server is to resume it, not to open another. Else 0.
    pub server: u64,
    /// Calls that it would like to have outstanding.
    pub window: u16,
    /// What shows that the session is its own.
    pub secret: Bytes,
}

/// What a server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The session was there already.
    pub resumed: bool,
    /// The server's own incarnation, never 0: another one remembers nothing of what ran before.
    pub incarnation: u64,
    /// Calls that the client may have outstanding.
    pub window: u16,
    /// Milliseconds that the session lasts without a connection.
    pub lease: u32,
}

/// A call as it arrives at the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Names the call in its session; if it is [`in_session`](Self::in_session), for good.
    pub xid: u64,
    /// So many xids before, the first one lies that the client has no reply to; [`u16::MAX`]: it does not say.
    pub behind: u16,
    /// No reply is awaited.
    pub one_way: bool,
    /// It may run again.
    pub idempotent: bool,
    /// Its place in a lane of the session, if it has one.
    pub ordered: Option<Ordered>,
    /// Items of the client's follow.
    pub client_stream: bool,
    /// Items of the server's are awaited; so many bytes of them, headers included, until there is more credit.
    pub server_stream: Option<u32>,
    /// How much longer the caller waits. A duration: clocks differ between hosts.
    pub timeout: Duration,
    /// One MessagePack map, see [`Metadata`](crate::Metadata::decode); `None`: none came with it.
    pub metadata: Option<Bytes>,
    /// The full method name, `service.method`. Meant to be UTF-8, not checked: it is only looked up.
    pub method: Bytes,
    /// One MessagePack array, with the arguments in order.
    pub args: Bytes,
}

/// A place in a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ordered {
    /// Which lane of the session.
    pub lane: Lane,
    /// The xid of the call that it comes after; 0 if there is none that its client still waits for.
    pub after: u64,
}

impl Call {
    /// Its place in a lane of its session, if it has one.
    pub fn turn(&self) -> Option<Turn> {
        let Ordered { lane, after } = self.ordered?;
        Some(Turn { lane, after })
    }

    /// Whether it runs at most once in its session, however often it arrives.
    pub fn in_session(&self) -> bool {
        !self.one_way && !self.idempotent && !self.is_stream()
    }

    /// The streams that it wants.
    #[inline]
    pub(crate) fn streams(&self) -> Streams {
        Streams::of(self.client_stream, self.server_stream.is_some())
    }

    /// Whether there are items in either direction.
    pub fn is_stream(&self) -> bool {
        self.client_stream || self.server_stream.is_some()
    }

    /// The first xid of the session that the client has no reply to: whatever comes before is acknowledged. 0: it does not say.
    pub fn first_incomplete(&self) -> u64 {
        if self.behind == u16::MAX { 0 } else { self.xid.saturating_sub(self.behind.into()) }
    }
}
