//! Streams: any number of items in either direction, while a call is under way.
//!
//! ```text
//!   fn watch(&self, topic: String, events: Sender<Event>)                server streaming
//!   fn sum(&self, numbers: Receiver<i64>) -> i64                         client streaming
//!   fn chat(&self, lines: Receiver<Line>, replies: Sender<Line>)         both
//!
//!   Sender ─▶ Outbound ─ item ─▶ ··· ─▶ Inbound ─▶ Receiver
//!                ▲                         │
//!                └──────────── credit ─────┘
//! ```
//!
//! A handler takes what the client sends from a [`Receiver`], and sends by a [`Sender`]; both wait like any blocking code, and a handler
//! that waits parks. The client has a [`Streaming`](crate::client::Streaming), which is the call, what it sends, and what it takes, until
//! it [splits](crate::client::Streaming::split) that.
//!
//! A sender waits when it has used up the credit that the receiver has given it, so that a slow receiver is never sent more than a window
//! of bytes; other streams and calls of the connection go on. A stream ends with its call: by the handler's return, by the call's deadline,
//! when the client drops its end, or with the connection. Streams are never sent again on another.
//!
//! | file | holds |
//! |---|---|
//! | [`flow`] | what an item costs, and what breaks the rules |
//! | [`inbound`] | the receiving half, without I/O |
//! | [`outbound`] | the sending half, without I/O |
//! | `duplex` | both halves of one call, and who waits for them |
//! | `sender`, `receiver` | [`Sender`], [`Receiver`]: the same by type |
//! | `share` | what all windows of a connection may have together |
//! | `error` | [`StreamError`] |
//!
//! Invariants:
//! * Whoever reads a connection waits for no stream.
//! * Items are encoded by their sender and decoded by who takes them, never by who reads the connection, and never under a lock.

mod duplex;
mod error;
pub mod flow;
pub mod inbound;
pub mod outbound;
mod receiver;
mod sender;
mod share;

#[cfg(test)]
mod tests;

pub(crate) use duplex::{Carrier, Duplex, Gone};
pub use error::StreamError;
pub use flow::Violation;
pub use receiver::Receiver;
pub(crate) use receiver::reuse;
pub use sender::Sender;
pub(crate) use sender::send;
pub(crate) use share::{Share, Shares};
