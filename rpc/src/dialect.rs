//! The protocols of others that a server's port speaks beside the native one, without I/O: bytes in, requests out; answers in, bytes out.
//!
//! ```text
//!   first bytes ─▶ recognise ─▶ dialect ─▶ its parser ─▶ method, params ─▶ arguments ─▶ the body of a native call
//!                                              bytes ◀── its form ◀── Answer ◀── the native reply
//! ```
//!
//! What a call is to the rest of the crate is in every dialect the same: a method's full name and one MessagePack array. `docs/protocols.md` says
//! what each dialect looks like; who reads, runs and writes is the server (`server/foreign`).
//!
//! | file | holds |
//! |---|---|
//! | this one | [`Dialect`], and how they are told apart |
//! | [`answer`] | what a call was answered with, for any dialect |
//! | [`arguments`] | what came as parameters, as the arguments of a method |
//! | [`extent`] | where a MessagePack value ends that comes in pieces |
//! | [`name`] | the names by which a method is called |
//! | [`msgpack_rpc`] | MessagePack-RPC |
//!
//! Invariants:
//! * No function here reads a clock, a socket or a random number.
//! * No input makes a function here panic, recurse without a bound, or allocate more than a few times the bytes received.
//! * A connection's first byte decides between the native protocol and all others, and is looked at anyway.
//!
//! The module is public for fuzzers, proxies and analysers, as [`wire`](crate::wire) is, and not under the crate's semver promise.

pub mod answer;
pub mod arguments;
pub mod extent;
pub mod msgpack_rpc;
pub mod name;

/// A protocol beside the native one.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// MessagePack-RPC, as specified by the msgpack project.
    MessagePackRpc,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 1] = [Self::MessagePackRpc];

    /// As its own documents call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MessagePackRpc => "MessagePack-RPC",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Which dialects a port speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialects(u8);

impl Dialects {
    /// None: the native protocol only.
    pub const NONE: Self = Self(0);

    /// All that there are.
    pub const ALL: Self = Self(u8::MAX);

    /// Whether this is one of them.
    pub const fn has(self, dialect: Dialect) -> bool {
        self.0 & dialect.bit() != 0
    }

    /// The same but for one.
    pub const fn without(self, dialect: Dialect) -> Self {
        Self(self.0 & !dialect.bit())
    }
}

/// What the first bytes of a connection say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recognised {
    /// They begin this one.
    As(Dialect),
    /// They are too few.
    NotYet,
    /// They begin none that is known here.
    Nothing,
}

/// Tells dialects apart by the first bytes of a connection, which are not the native preface.
///
/// ```
/// use fibra_rpc::dialect::{Dialect, Recognised, recognise};
///
/// assert_eq!(recognise(&[0x94, 0x00]), Recognised::As(Dialect::MessagePackRpc));
/// assert_eq!(recognise(b"\x16\x03\x01"), Recognised::Nothing); // TLS
/// ```
pub fn recognise(first: &[u8]) -> Recognised {
    match first {
        [] => Recognised::NotYet,
        // An array of three or four, in any of the forms that it may have.
        [0x93 | 0x94 | 0xdc | 0xdd, ..] => Recognised::As(Dialect::MessagePackRpc),
        _ => Recognised::Nothing,
    }
}
