//! JSON, as far as dialects need it: where a value ends that comes in pieces, and what it is in MessagePack, there and back.
//!
//! | file | holds |
//! |---|---|
//! | [`extent`] | where an object or an array ends |
//! | [`to_msgpack`](mod@to_msgpack) | parameters, as they come |
//! | [`from_msgpack`] | values, as they go |
//!
//! serde_json judges what is JSON and what is not; what is here bounds how deep it goes, since fibers have small stacks.

pub mod extent;
pub mod from_msgpack;
pub mod to_msgpack;

pub use to_msgpack::to_msgpack;
