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
//! | [`beside`] | what a call may have beside its parameters |
//! | [`extent`] | where a MessagePack value ends that comes in pieces |
//! | [`http`] | HTTP/1.1 |
//! | [`json`] | JSON to MessagePack and back, and where it ends |
//! | [`json_rpc`] | JSON-RPC 2.0, Go's form of 1.0, and the framing of language servers |
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
pub mod beside;
pub mod extent;
pub mod http;
pub mod json;
pub mod json_rpc;
pub mod msgpack_rpc;
pub mod name;

/// A protocol beside the native one.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// MessagePack-RPC, as specified by the msgpack project.
    MessagePackRpc,
    /// JSON-RPC 2.0 over TCP, one message behind the other.
    JsonRpc,
    /// JSON-RPC 1.0 over TCP, in the form of Go's `net/rpc/jsonrpc`.
    GoJsonRpc,
    /// JSON-RPC 2.0 with a `Content-Length` before each message, as language servers have it.
    ContentLength,
    /// HTTP/1.1: JSON-RPC 2.0, calls by path, `/healthz` and `/metrics`.
    Http,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::MessagePackRpc, Self::JsonRpc, Self::GoJsonRpc, Self::ContentLength, Self::Http];

    /// As its own documents call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MessagePackRpc => "MessagePack-RPC",
            Self::JsonRpc => "JSON-RPC 2.0",
            Self::GoJsonRpc => "Go's JSON-RPC",
            Self::ContentLength => "JSON-RPC with Content-Length",
            Self::Http => "HTTP/1.1",
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
    /// They begin this one. (What begins as [JSON](Dialect::JsonRpc) may be [Go's](Dialect::GoJsonRpc) form of it: each request says that itself.)
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
        [b'{' | b'[' | b' ' | b'\t' | b'\r' | b'\n', ..] => Recognised::As(Dialect::JsonRpc),
        _ => by_word(first),
    }
}

/// As [`recognise`], of what begins with a word: a request's method, or a header field's name.
fn by_word(first: &[u8]) -> Recognised {
    let (field, shorter) = (b"content-", |word: &[u8]| first.len() < word.len());
    if first.len() >= field.len() && begins_alike(first, field) {
        return Recognised::As(Dialect::ContentLength);
    }
    if HTTP_METHODS.iter().any(|method| first.starts_with(method)) {
        return Recognised::As(Dialect::Http);
    }
    let may_be_field = shorter(field) && begins_alike(first, field);
    let may_be_method = HTTP_METHODS.iter().any(|method| method.starts_with(first));
    if may_be_field || may_be_method { Recognised::NotYet } else { Recognised::Nothing }
}

/// Those of RFC 9110 and RFC 5789, and what HTTP/2 begins with, so that its client is told.
const HTTP_METHODS: [&[u8]; 10] =
    [b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"CONNECT ", b"OPTIONS ", b"TRACE ", b"PATCH ", b"PRI "];

/// Whether these are the first letters of that, in either case.
fn begins_alike(first: &[u8], word: &[u8]) -> bool {
    first.iter().zip(word).all(|(byte, letter)| byte.eq_ignore_ascii_case(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell() {
        for (first, expected) in [
            (&b"\x93"[..], Recognised::As(Dialect::MessagePackRpc)),
            (b"\xdd\x00\x00\x00\x04", Recognised::As(Dialect::MessagePackRpc)),
            (b"{", Recognised::As(Dialect::JsonRpc)),
            (b"\n[", Recognised::As(Dialect::JsonRpc)),
            (b"Content-Length: 5", Recognised::As(Dialect::ContentLength)),
            (b"content-", Recognised::As(Dialect::ContentLength)),
            (b"GET / HTTP/1.1", Recognised::As(Dialect::Http)),
            (b"CONNECT ", Recognised::As(Dialect::Http)),
            (b"PRI * HTTP/2.0", Recognised::As(Dialect::Http)),
            (b"", Recognised::NotYet),
            (b"C", Recognised::NotYet),
            (b"CON", Recognised::NotYet),
            (b"con", Recognised::NotYet),
            (b"GET", Recognised::NotYet),
            (b"get ", Recognised::Nothing),
            (b"GETS", Recognised::Nothing),
            (b"connect", Recognised::Nothing),
            (b"\x16\x03\x01", Recognised::Nothing),
            (b"\x92\x01\x02", Recognised::Nothing),
            (b"\"text\"", Recognised::Nothing),
        ] {
            assert_eq!(recognise(first), expected, "{}", first.escape_ascii());
        }
    }

    #[test]
    fn each_can_be_left_out_by_itself() {
        for dialect in Dialect::ALL {
            let others = Dialects::ALL.without(dialect);
            assert!(Dialect::ALL.into_iter().all(|other| others.has(other) == (other != dialect)));
            assert!(!Dialects::NONE.has(dialect));
        }
    }
}
