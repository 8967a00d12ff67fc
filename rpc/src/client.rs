//! Calling: one connection that any number of fibers and threads share.
//!
//! ```text
//!   caller ─ encode ─▶ outbox ─┬ alone: writes it itself ───────▶ socket ─▶ reader fiber ─▶ pending
//!      ▲                       └ others wait too: writer fiber ─▶                             │
//!      └── parks under its xid ◀───────────────────── unpark ─────────────────────────────────┘
//! ```
//!
//! | file | holds |
//! |---|---|
//! | this one | [`Channel`]: what callers share |
//! | [`proxy`] | [`Proxy`]: a channel and a timeout; what a generated proxy is made of |
//! | `exchange` | one call, from its arguments to its outcome |
//! | `pending` | the calls that wait, by xid |
//! | `connection` | the socket, its two fibers, and its loss |
//! | `connect` | dialling, and the preface |
//!
//! Invariants:
//! * A call ends: with a reply, at its deadline, by cancellation, or with the connection.
//! * A caller writes only what the socket takes at once. What would make it wait is the writer fiber's, so that a
//!   deadline holds whatever the peer does, and a caller that is cancelled leaves no torn frame.
//! * When the last holder of a channel is gone, what it has sent is still written; then the connection closes and its
//!   fibers end.

mod connect;
mod connection;
mod exchange;
mod pending;
pub mod proxy;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use fibra_net::ToSocketAddrs;

use crate::error::ConnectError;
use crate::limits::Limits;
use connection::Connection;
pub use proxy::Proxy;

/// A connection to a server, shared by cloning: by fibers of any worker, and by plain threads.
///
/// Calls are made through a proxy, such as the one that `#[service]` writes for a trait. Any number of calls may be under
/// way at once; their replies come in any order.
#[derive(Clone)]
pub struct Channel {
    open: Arc<Open>,
}

/// Keeps the connection open until the last channel is dropped.
struct Open {
    connection: Arc<Connection>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.connection.finish();
    }
}

impl Channel {
    /// Connects to the first of `addr`'s addresses that answers, within [`CONNECT_TIMEOUT`](crate::limits::CONNECT_TIMEOUT).
    ///
    /// Call it from a fiber: the connection runs on its worker. The channel itself may go anywhere.
    ///
    /// # Errors
    ///
    /// * [`ConnectError::NoRuntime`]: the caller is no fiber.
    /// * [`ConnectError::Resolve`]: `addr` has no address.
    /// * [`ConnectError::Refused`], [`ConnectError::TimedOut`], [`ConnectError::Io`]: the last address did not answer.
    /// * [`ConnectError::Closed`], [`ConnectError::NotFibra`], [`ConnectError::Version`]: it was not a fibra server of our
    ///   version that answered, or it was on its way out.
    /// * [`ConnectError::Spawn`]: the connection's fibers could not be started.
    pub fn connect(addr: impl ToSocketAddrs) -> Result<Self, ConnectError> {
        Self::connect_with(addr, Limits::default())
    }

    /// As [`connect`](Self::connect), with other limits.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub fn connect_with(addr: impl ToSocketAddrs, limits: Limits) -> Result<Self, ConnectError> {
        if !fibra_scheduler::in_fiber() {
            return Err(ConnectError::NoRuntime);
        }
        let (stream, peer) = connect::dial(addr)?;
        let connection = Connection::start(stream, peer, limits.bounded()).map_err(ConnectError::Spawn)?;
        Ok(Self { open: Arc::new(Open { connection }) })
    }

    /// The server's address.
    pub fn peer_addr(&self) -> SocketAddr {
        self.connection().peer()
    }

    /// What has happened on this connection so far.
    pub fn stats(&self) -> Stats {
        self.connection().pending().stats()
    }

    fn connection(&self) -> &Connection {
        &self.open.connection
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("peer", &self.peer_addr()).field("stats", &self.stats()).finish()
    }
}

/// Counts of one connection, taken at one moment.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Calls made, one-way calls included.
    pub calls: u64,
    /// Calls that wait for their reply now.
    pub in_flight: usize,
    /// Replies that came after their caller had given up, and were dropped.
    pub late_replies: u64,
}
