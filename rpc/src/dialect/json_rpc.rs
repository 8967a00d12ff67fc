//! JSON-RPC: version 2.0, and the form that Go's `net/rpc/jsonrpc` has of version 1.0.
//!
//! Source: the [specification of version 2.0](https://www.jsonrpc.org/specification) (2013); `net/rpc/jsonrpc` of Go's library; the base protocol of the
//! Language Server Protocol for its framing.
//!
//! | file | holds |
//! |---|---|
//! | [`request`] | what a message asks for |
//! | [`response`] | what it is answered with |
//! | [`framing`] | the `Content-Length` before a message, as language servers have it |
//!
//! Which version a request is of, it says itself: one without the member `jsonrpc` is of version 1.0.

pub mod framing;
pub mod request;
pub mod response;
