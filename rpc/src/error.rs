//! What can go wrong, typed: a call, a connection, a server.
//!
//! | file | error of |
//! |---|---|
//! | [`call`] | a call: [`CallError`], and whether it ran: [`Executed`] |
//! | [`connect`] | [`Channel::connect`](crate::Channel::connect): [`ConnectError`] |
//! | [`serve`] | [`Server`](crate::Server): [`BindError`], [`ServeError`] |
//!
//! Invariants:
//! * Every message is one line: what happened, at which peer, and what to do.
//! * A handler's own error is never mixed with the failures of the call.

pub mod call;
pub mod connect;
pub mod serve;

pub(crate) use call::OneLine;
pub use call::{CallError, Callee, Disconnect, Executed, Peer, Side};
pub use connect::ConnectError;
pub use serve::{BindError, ServeError};

pub use crate::wire::failure::Pushback;
