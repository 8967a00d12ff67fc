//! Serving: one listener, a fiber per connection, handlers that run where their call was read.
//!
//! ```text
//!   listener ─▶ accept loop ─▶ connection fiber: read ─▶ frame ─▶ handler ─▶ reply queued ─▶ next frame
//!                                   ▲                     │                                   │
//!                                   │                     └ parks: another fiber goes on      └ no frame left: one write
//!                                   └────────────────────────────────────────────────────────────────┘
//! ```
//!
//! | file | holds |
//! |---|---|
//! | this one | [`Server`]: what a user holds |
//! | [`builder`] | [`Builder`]: services, limits, where to listen |
//! | `registry` | which service has which method |
//! | `accept` | the accept loop, as a fiber or as a thread |
//! | `opening` | the prefaces, and the session |
//! | `foreign` | connections that speak another protocol |
//! | `store`, `sessions` | whose calls a connection brings, and what has been answered: what is asked of a store, and the one in memory |
//! | `dispatch` | the connections of one worker, and the fiber that serves those that have sent something |
//! | `unfinished` | which connections have a frame in part, and until when it is to be whole |
//! | `tenants` | where it has its connections |
//! | `leaders` | who that is on which worker, for whoever drains or shuts down |
//! | `connection` | a connection: reading, running, answering, and how the reader's role changes hands |
//! | `connection/turn`, `connection/output` | its turn; what it sends |
//! | `lazy_outbox` | what its peer does not take at once |
//! | `connection/call` | one call of it: repeated, refused or run |
//! | `connection/lane`, `held` | calls of it that wait for their turn in a lane |
//! | `connection/stream` | a call of it that streams |
//! | `streams` | the streams of a connection, and the rules for what comes for them |
//! | `reader` | that role: the input read and not yet acted on |
//! | `replies` | the replies of a turn, gathered to be written together |
//! | `handler` | one call, from its frame to its reply, without I/O |
//! | `local` | services without sockets, for callers of this process |
//! | `admission` | which calls are refused when more come than can be served |
//! | `farewell` | how a connection ends on which there are last words |
//! | `load` | what all connections have under way, and how much of it there may be |
//! | `postponed` | the connections of a worker that wait for that to be less |
//! | `drain`, `sigterm` | going down without failing a call |
//! | `roster` | who serves which connection, so that shutting down reaches all |
//!
//! Invariants:
//! * What one connection does ends at that connection.
//! * No lock and no borrow is held across a park.

mod accept;
mod admission;
pub mod builder;
mod connection;
mod dispatch;
mod drain;
mod farewell;
mod foreign;
mod handler;
mod held;
mod lazy_outbox;
mod leaders;
mod load;
mod local;
mod opening;
mod postponed;
mod reader;
mod registry;
mod replies;
mod roster;
mod sessions;
mod sigterm;
mod store;
mod streams;
mod tenants;
mod unfinished;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::error::ServeError;
use crate::health::Health;
use accept::{Acceptor, Context};
pub use builder::Builder;
use drain::Drain;
pub use drain::Drained;
pub(crate) use local::{Local, LocalPlace};
use roster::Roster;
use sigterm::Sigterm;

/// A running server. Dropping it stops it, without waiting for what still runs.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # struct Impl;
/// # #[fibra_rpc::service(crate = fibra_rpc)]
/// # pub trait Echo { fn echo(&self, text: String) -> String; }
/// # impl Echo for Impl { fn echo(&self, text: String) -> String { text } }
/// // Within fibra::run(|| ..):
/// let server = fibra_rpc::Server::builder().service(EchoServer::new(Impl)).bind("127.0.0.1:7000")?;
/// server.wait()?; // for ever
/// # Ok(())
/// # }
/// ```
#[must_use = "a server stops when it is dropped: wait for it, or keep it"]
pub struct Server {
    local_addr: SocketAddr,
    acceptor: Arc<Acceptor>,
    roster: Arc<Roster>,
    context: Arc<Context>,
    health: Health,
    drain: Arc<Drain>,
    /// Its drop ends it.
    sigterm: Option<Sigterm>,
}

impl Server {
    /// A server without services yet.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Where it listens: with the port that the system chose, if port 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Connections open now.
    pub fn connections(&self) -> usize {
        self.roster.len()
    }

    /// What it says about its health, to be read and changed.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// What it has counted, as Prometheus text: connections, sessions, calls that wait, bytes held for slow peers, the scheduler's counters if the caller is on a runtime; and,
    /// if it was [asked to](Builder::metrics), calls by method and outcome, in flight, latencies, how long they waited for their turn, bytes, refusals and copies.
    ///
    /// A name is listed from its first call on. What is read while calls are under way is as of a moment ago.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = fibra_rpc::Server::builder().metrics().bind("127.0.0.1:7000")?;
    /// print!("{}", server.metrics());
    /// # Ok(())
    /// # }
    /// ```
    pub fn metrics(&self) -> String {
        self.context.render_metrics()
    }

    /// Waits until the server no longer accepts: because [`shutdown`](Self::shutdown) was called from elsewhere, its
    /// runtime ended, or its listener failed. If it [drains](Self::drain), until that is over.
    ///
    /// # Errors
    ///
    /// [`ServeError`] if the listener failed.
    pub fn wait(&self) -> Result<(), ServeError> {
        let ended = self.acceptor.wait();
        self.drain.wait_if_begun();
        ended.map_err(|source| ServeError { addr: self.local_addr, source })
    }

    /// Goes down without failing a call, if that can be done within `timeout`; then [shuts down](Self::shutdown). Says which it was.
    ///
    /// The server stops accepting and tells its clients, who from then on call elsewhere, or when there is a server again. What they have sent by
    /// then is run and answered, streams included; so are calls that come within [`DRAIN_GRACE`](crate::limits::DRAIN_GRACE), or half of `timeout` if
    /// that is less, whose clients have not heard. Later ones are refused as [`Overloaded`](crate::CallError::Overloaded), and have not run.
    ///
    /// Called again meanwhile, it waits for the first. Do not call it from a handler of the same server: it would wait for itself.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # fn down(server: &fibra_rpc::Server) {
    /// match server.drain(Duration::from_secs(20)) {
    ///     fibra_rpc::server::Drained::Complete => println!("all calls have been answered"),
    ///     fibra_rpc::server::Drained::Cut => println!("some were cancelled"),
    /// }
    /// # }
    /// ```
    pub fn drain(&self, timeout: Duration) -> Drained {
        self.drain.run(timeout)
    }

    /// Stops accepting, closes all connections, cancels the handlers' fibers, and waits until all have ended. Calling it
    /// again does nothing more; calling it meanwhile waits, too.
    ///
    /// A handler sees the cancellation as an error of whatever it waits for; one that never waits is waited for, as is
    /// every handler that runs on a thread. Callers whose calls were under way get `Disconnected`.
    ///
    /// Do not call it from a handler of the same server: it would wait for itself.
    pub fn shutdown(&self) {
        self.drain.hurry();
        self.drain.shut_down();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.drain.hurry();
        self.drain.stop();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("local_addr", &self.local_addr)
            .field("connections", &self.connections())
            .finish()
    }
}
