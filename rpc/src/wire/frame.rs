//! What a frame can say.
//!
//! Wire format: `docs/wire-format.md`, "Frames".
//!
//! Invariant: a frame is whole in its framing (lengths, kinds, flags). The MessagePack within it has *not* been looked
//! at: [`codec`](crate::codec) does, so that bad arguments fail one call rather than the connection.

use std::time::Duration;

use super::bytes::Bytes;

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
}

/// Goaway code: the peer sent bytes that are not this protocol.
pub const GOAWAY_MALFORMED: u8 = 1;

/// A call as it arrives at the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Names the call on its connection.
    pub xid: u64,
    /// No reply is awaited.
    pub one_way: bool,
    /// How much longer the caller waits. A duration: clocks differ between hosts.
    pub timeout: Duration,
    /// The full method name, `service.method`. Meant to be UTF-8, not checked: it is only looked up.
    pub method: Bytes,
    /// One MessagePack array, with the arguments in order.
    pub args: Bytes,
}
