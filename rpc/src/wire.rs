//! The native protocol as state machines without I/O: bytes in, frames out; frames in, bytes out.
//!
//! `docs/wire-format.md` specifies it byte by byte; each file here points at the section that it implements.
//!
//! ```text
//!   socket ─▶ Decoder::space/filled ─▶ Decoder::next_frame ─▶ Frame ─▶ check ─▶ serde        (codec.rs)
//!   serde ─▶ encode::Body ─▶ Vec<u8> ─▶ socket                                               (outbox.rs)
//! ```
//!
//! | file | holds |
//! |---|---|
//! | [`preface`] | the eight bytes that open a connection, and version negotiation |
//! | [`header`] | the sixteen bytes before every body |
//! | [`frame`] | what a frame can say |
//! | [`decode`] | bytes to frames |
//! | [`encode`] | frames to bytes |
//! | [`failure`] | the codes of a failure reply |
//! | [`check`] | MessagePack, looked over before serde sees it |
//! | [`bytes`] | a piece of the input buffer, shared without copying |
//!
//! Invariants:
//! * No function here reads a clock, a socket or a random number.
//! * No input makes a function here panic, recurse, or allocate more than twice the bytes received.
//!
//! The module is public for fuzzers, proxies and analysers. It is not under the crate's semver promise; the format is.

pub mod bytes;
pub mod check;
pub mod decode;
pub mod encode;
pub mod failure;
pub mod frame;
pub mod header;
pub mod preface;

#[cfg(test)]
mod tests;
