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
//! | [`foreign`] | servers that are not fibra's, by their protocols |
//! | `follower` | such a call that goes elsewhere while nobody waits for it |
//! | `options` | how a call is made: its timeout, and what else can be said of it |
//! | `exchange` | one call, from its arguments to its outcome |
//! | `around` | what its middleware makes of it |
//! | `attempts` | as many of them as it takes |
//! | [`retry`], `budget` | which failures are retried, when, and how many at most |
//! | [`hedge`], `race` | when a call gets a second copy, and which of the two counts |
//! | `streaming` | [`Streaming`]: a call with streams, as its caller has it |
//! | `streams` | such calls of one connection, by xid |
//! | `common` | what all calls of a channel share |
//! | `calls` | the calls that wait, by xid, over all connections |
//! | `endpoint`, `balance`, `health` | the servers, and which of them a call goes to |
//! | `chosen` | the one that it goes to, and how it fared there |
//! | `link` | one session: the fiber that reads, and that connects again |
//! | `lanes` | where the ordered lanes of a channel are |
//! | `local` | calls of this process, without a connection |
//! | `connection` | one socket, its output, and its loss |
//! | `opening` | several servers dialled, until one answers |
//! | `connect` | dialling, prefaces, and the session |
//! | `stats` | [`Stats`], [`EndpointStats`] |
//! | `builder` | [`Builder`]: how a channel connects, and what it bears |
//! | `keepalive` | [`Keepalive`]: whether the peer is still there, and the connection still used |
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
mod attempts;
mod backoff;
mod balance;
mod budget;
mod builder;
mod calls;
mod chosen;
mod common;
mod connect;
mod connection;
mod endpoint;
mod exchange;
mod follower;
pub mod foreign;
mod health;
pub mod hedge;
mod keepalive;
mod lanes;
mod link;
mod local;
mod opening;
mod options;
pub mod pending;
pub mod proxy;
mod race;
pub mod retry;
mod stats;
mod streaming;
mod streams;
mod target;

use std::fmt;
use std::sync::Arc;

use fibra_net::ToSocketAddrs;
use fibra_scheduler::clock;

use crate::error::{BindError, ConnectError, Peer};
use crate::limits::Limits;
use crate::middleware::{Chain, Middleware};
use crate::server::{self, Local};
use crate::service::Service;
pub use builder::Builder;
use builder::Settings;
use calls::Status;
use common::Common;
use endpoint::Endpoints;
use exchange::To;
pub use foreign::Foreign;
pub use hedge::Hedging;
pub use keepalive::Keepalive;
pub use pending::Pending;
pub use proxy::{Proxy, Starter};
pub use retry::{RetryBudget, RetryPolicy};
pub use stats::{EndpointStats, Stats};
pub use streaming::{Nothing, Streaming};
use target::Target;

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
    /// Its drop ends the connections.
    Remote(Arc<Endpoints>),
    Local(Arc<Local>),
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
        Self::builder().limits(limits).connect(addr)
    }

    /// Connects to several servers of the same services: each call goes to one of them. See [`Builder::connect_to`].
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub fn connect_to<A: ToSocketAddrs>(endpoints: impl IntoIterator<Item = A>) -> Result<Self, ConnectError> {
        Self::builder().connect_to(endpoints)
    }

    /// A builder, for what the defaults do not fit.
    pub fn builder() -> Builder {
        Builder::default()
    }

    fn open(addr: impl ToSocketAddrs, settings: Settings) -> Result<Self, ConnectError> {
        if !fibra_scheduler::in_fiber() {
            return Err(ConnectError::NoRuntime);
        }
        let endpoints = Endpoints::one(Target::of(addr)?, Arc::new(Common::new(settings)))?;
        Ok(Self { way: Way::Remote(Arc::new(endpoints)), middleware: Chain::default() })
    }

    fn open_to<A: ToSocketAddrs>(
        endpoints: impl IntoIterator<Item = A>,
        settings: Settings,
    ) -> Result<Self, ConnectError> {
        if !fibra_scheduler::in_fiber() {
            return Err(ConnectError::NoRuntime);
        }
        let targets = endpoints.into_iter().map(Target::of).collect::<Result<Vec<_>, _>>()?;
        let endpoints = Endpoints::several(targets, Arc::new(Common::new(settings)))?;
        Ok(Self { way: Way::Remote(Arc::new(endpoints)), middleware: Chain::default() })
    }

    /// The same connections and sessions, with calls that also go through `middleware`: what is added first is the outermost. It is around a call
    /// with all its [attempts](retry), and does not see one of them.
    ///
    /// A call that is [started](proxy::Starter) is then made at once, as one of a local channel: middleware is code that waits. A call with
    /// streams goes through it from its opening to its end, on a fiber beside its caller's: the middleware sees neither its items nor what they wait for,
    /// and its caller is told of the end once the middleware has returned. Once it is open there is no second attempt.
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

    /// The server: where the connection is, or was last. Of several servers, the first.
    pub fn peer(&self) -> Peer {
        self.to().peer(None)
    }

    /// Whether there is a connection to a server now, as far as this side knows. One that is lost comes back with the next call.
    pub fn is_connected(&self) -> bool {
        match &self.way {
            Way::Remote(endpoints) => endpoints.iter().any(|(_, link)| link.calls().status() == Status::Up),
            Way::Local(_) => true,
        }
    }

    /// What has happened on this channel so far. Of a local one nothing is counted.
    pub fn stats(&self) -> Stats {
        let Way::Remote(endpoints) = &self.way else { return Stats::default() };
        let mut stats = endpoints.common().stats();
        stats.ejections = endpoints.iter().map(|(endpoint, _)| endpoint.ejections()).sum();
        stats.calls = stats.attempts.saturating_sub(stats.retries + stats.hedges);
        stats
    }

    /// The servers of this channel, in the order in which they were given. A local one has none.
    pub fn endpoints(&self) -> Vec<EndpointStats> {
        let Way::Remote(endpoints) = &self.way else { return Vec::new() };
        let now = clock::now();
        endpoints.iter().map(|(endpoint, link)| EndpointStats::of(endpoint, &link, now)).collect()
    }

    fn middleware(&self) -> &Chain {
        &self.middleware
    }

    fn to(&self) -> To<'_> {
        self.way.to()
    }
}

impl Way {
    fn to(&self) -> To<'_> {
        match self {
            Self::Remote(endpoints) => To::Remote(endpoints),
            Self::Local(local) => To::Local(local),
        }
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("peer", &self.peer()).field("stats", &self.stats()).finish()
    }
}
