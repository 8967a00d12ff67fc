//! Calling: one connection at a time, that any number of fibers and threads share, and one session for all of them.
//!
//! ```text
//!   caller ─ encode ─▶ outbox ─┬ alone: writes it itself ───────▶ socket ─▶ reader fiber ─▶ calls
//!      ▲                       └ others wait too: writer fiber ─▶                             │
//!      └── parks under its xid ◀───────────────────── unpark ─────────────────────────────────┘
//! ```
//!
//! | file | holds |
//! |---|---|
//! | this one | [`Channel`]: what callers share |
//! | [`proxy`] | [`Proxy`]: a channel and options; what a generated proxy is made of |
//! | [`pending`] | [`Pending`]: a call that was started and is not waited for yet |
//! | `options` | how a call is made: its timeout, and what else can be said of it |
//! | `exchange` | one call, from its arguments to its outcome |
//! | `around` | what its middleware makes of it |
//! | `streaming` | [`Streaming`]: a call with streams, as its caller has it |
//! | `streams` | such calls of one connection, by xid |
//! | `calls` | the calls that wait, by xid, over all connections |
//! | `link` | the fiber that reads, and that connects again |
//! | `local` | calls of this process, without a connection |
//! | `connection` | one socket, its output, and its loss |
//! | `connect` | dialling, prefaces, and the session |
//! | `target`, `backoff` | the addresses to dial, and when |
//!
//! Invariants:
//! * A call ends: with a reply, at its deadline, by cancellation, or because nothing can say any more whether it ran.
//! * A call that may have left is sent again only to the session that it was sent to, or if it is idempotent.
//! * A caller writes only what the socket takes at once. What would make it wait is the writer fiber's, so that a
//!   deadline holds whatever the peer does, and a caller that is cancelled leaves no torn frame.
//! * When the last holder of a channel is gone, what it has sent is still written; then the connection closes and its
//!   fibers end.

mod around;
mod backoff;
mod calls;
mod connect;
mod connection;
mod exchange;
mod link;
mod local;
mod options;
pub mod pending;
pub mod proxy;
mod streaming;
mod streams;
mod target;

use std::fmt;
use std::sync::Arc;

use fibra_net::ToSocketAddrs;

use crate::error::{BindError, ConnectError, Peer};
use crate::limits::Limits;
use crate::middleware::{Chain, Middleware};
use crate::server::{self, Local};
use crate::service::Service;
use calls::Calls;
use exchange::To;
use link::Link;
pub use pending::Pending;
pub use proxy::{Proxy, Starter};
pub use streaming::{Nothing, Streaming};

/// A connection to a server, shared by cloning: by fibers of any worker, and by plain threads.
///
/// Calls are made through a proxy, such as the one that `#[service]` writes for a trait. Any number of calls may be under
/// way at once; their replies come in any order.
///
/// A channel is one session of its server. When its connection is lost, it connects again as long as calls wait, or when the next
/// one comes, and sends what has no reply once more; the server runs no at-most-once call twice. What ends so is only what cannot be
/// decided: see [`CallError::Disconnected`](crate::CallError::Disconnected).
#[derive(Clone)]
pub struct Channel {
    way: Way,
    middleware: Chain,
}

/// Where calls go.
#[derive(Clone)]
enum Way {
    Connection(Arc<Open>),
    Local(Arc<Local>),
}

/// Keeps the connection open until the last channel is dropped.
struct Open {
    link: Arc<Link>,
}

impl Open {
    /// Sends what is queued.
    fn write_now(&self) {
        if let Some(connection) = self.calls().connection() {
            connection.write_now();
        }
    }

    fn calls(&self) -> &Calls {
        self.link.calls()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.calls().finish();
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
    /// * [`ConnectError::Session`]: the server has as many sessions as it may have.
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
        let link = Link::start(addr, limits.bounded())?;
        Ok(Self { way: Way::Connection(Arc::new(Open { link })), middleware: Chain::default() })
    }

    /// The same connection and session, with calls that also go through `middleware`: what is added first is the outermost.
    ///
    /// A call that is [started](proxy::Starter) is then made at once, as one of a local channel: middleware is code that waits. Calls with
    /// streams do not go through it.
    pub fn with_middleware(&self, middleware: impl Middleware) -> Self {
        Self { way: self.way.clone(), middleware: self.middleware.with(middleware) }
    }

    /// A channel to a service of this process, without a connection: calls run on their caller's fiber. Generated proxies have the same as
    /// `CalculatorClient::local(implementation)`.
    pub fn local(service: impl Service) -> Self {
        Self { way: Way::Local(Arc::new(Local::of(Box::new(service)))), middleware: Chain::default() }
    }

    /// As [`local`](Self::local), to all services of a server that is not bound.
    ///
    /// # Errors
    ///
    /// [`BindError::DuplicateMethod`]: two services have a method of one name.
    pub fn local_server(server: server::Builder) -> Result<Self, BindError> {
        Ok(Self { way: Way::Local(Arc::new(server.into_local()?)), middleware: Chain::default() })
    }

    /// The server: where the connection is, or was last.
    pub fn peer(&self) -> Peer {
        self.to().peer()
    }

    /// Whether there is a connection now, as far as this side knows. One that is lost comes back with the next call.
    pub fn is_connected(&self) -> bool {
        match &self.way {
            Way::Connection(open) => open.calls().is_connected(),
            Way::Local(_) => true,
        }
    }

    /// What has happened on this channel so far. Of a local one nothing is counted.
    pub fn stats(&self) -> Stats {
        match &self.way {
            Way::Connection(open) => open.calls().stats(),
            Way::Local(_) => Stats::default(),
        }
    }

    fn middleware(&self) -> &Chain {
        &self.middleware
    }

    fn to(&self) -> To<'_> {
        match &self.way {
            Way::Connection(open) => To::Link(&open.link),
            Way::Local(local) => To::Local(local),
        }
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("peer", &self.peer()).field("stats", &self.stats()).finish()
    }
}

/// Counts of one channel, taken at one moment.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Calls made, one-way calls included.
    pub calls: u64,
    /// Calls that wait for their reply now.
    pub in_flight: usize,
    /// Replies that came after their caller had given up, and were dropped.
    pub late_replies: u64,
    /// Connections there have been, the present one included.
    pub connections: u64,
}
