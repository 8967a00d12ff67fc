//! HTTP/1.1, as far as calls need it: requests with a body of a known length or in chunks, connections that go on, answers.
//!
//! Source: RFC 9110 (semantics) and RFC 9112 (HTTP/1.1); draft-ietf-httpapi-idempotency-key-header for keys.
//!
//! | file | holds |
//! |---|---|
//! | this one | [`Refused`]: why a request is not taken |
//! | [`head`] | the request line and the header fields |
//! | [`chunked`] | a body in chunks |
//! | [`fields`] | what the header fields say beside a call |
//! | [`response`] | answers |
//! | [`receiver`] | answers as clients read them |
//!
//! httparse reads lines; what is refused here is what another recipient might read otherwise, for who puts a request behind another's back does it by
//! that: two lengths, a length and chunks, lines that end or go on in ways of old, numbers that are almost ones.
//!
//! Invariant: after a request that is refused nothing of its connection is taken for another.

pub mod chunked;
pub mod fields;
pub mod head;
pub mod receiver;
pub mod response;

/// Why a request is not taken; the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The status that says so.
    pub status: u16,
    /// For people.
    pub reason: &'static str,
}

impl Refused {
    const fn bad(reason: &'static str) -> Self {
        Self { status: 400, reason }
    }

    /// It is longer than it may be.
    pub const TOO_LARGE: Self = Self { status: 413, reason: "the body is over the limit" };

    /// It did not come in time.
    pub const SLOW: Self = Self { status: 408, reason: "the request was not there as a whole in time" };

    /// There is no room for what comes in part.
    pub const FULL: Self = Self { status: 503, reason: "the server's connections hold more than they may" };
}
