//! What keeps a channel connected: the fiber that reads, and that connects again when there is nothing to read from.
//!
//! ```text
//!   read replies ─ lost ─▶ wait until somebody calls ─▶ wait out the backoff ─▶ dial, open ─▶ send what is outstanding ─▶ read ···
//!                             ▲                                                   │ failed
//!                             └───────────────────────────────────────────────────┘
//! ```
//!
//! Invariants:
//! * Nobody calls: nothing connects. Somebody calls: it goes on until each call has ended, at its deadline if need be.
//! * One connection at a time; its replies are all read before the next one is dialled.
//! * However this fiber ends, every call does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fibra_net::ToSocketAddrs;
use fibra_scheduler::park::{self, Reason};
use fibra_scheduler::{cancel, clock};

use super::calls::Calls;
use super::connect::{Connected, Identity};
use super::connection::Connection;
use crate::error::{ConnectError, Disconnect};
use crate::limits::{CONNECT_TIMEOUT, Limits, RECONNECT_WAIT_MAX, RECONNECT_WAIT_MIN};
use crate::random;

pub(super) struct Link {
    peer: SocketAddr,
    limits: Limits,
    calls: Calls,
}

impl Link {
    /// Connects, and starts the fibers that serve the channel on the caller's worker.
    pub(super) fn start(addr: impl ToSocketAddrs, limits: Limits) -> Result<Arc<Self>, ConnectError> {
        let mut identity = Identity::new();
        let (connected, peer) = identity.dial(addr, limits.window)?;
        let link = Arc::new(Self { peer, limits, calls: Calls::new(limits.in_flight) });
        let ending = Ending(Arc::clone(&link));
        // They serve the channel, not the caller, whose deadline is not theirs.
        cancel::shield(|| {
            let connection = link.take_up(&mut identity, connected)?;
            let reading = Arc::clone(&connection);
            let spawned =
                fibra_scheduler::Builder::new().name("rpc reader").spawn_local(move || ending.0.run(identity, reading));
            if let Err(error) = spawned {
                connection.lose(Disconnect::RuntimeEnded);
                return Err(ConnectError::Spawn(error));
            }
            Ok(link)
        })
    }

    pub(super) fn peer(&self) -> SocketAddr {
        self.peer
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn calls(&self) -> &Calls {
        &self.calls
    }

    /// Serves the channel until nobody will call any more, or its runtime ends.
    fn run(&self, mut identity: Identity, mut connection: Arc<Connection>) {
        self.calls.serve_by(park::current());
        let mut backoff = Backoff::new();
        loop {
            if connection.read(&self.calls, self.limits.frame_bytes) {
                backoff = Backoff::new();
            }
            let cause = connection.cause().unwrap_or(Disconnect::ClosedByPeer);
            tracing::debug!(peer = %self.peer, %cause, "a connection ended");
            let lost_at = clock::now();
            if !self.calls.disconnected(&connection, &cause, cancel::check().is_err()) {
                return;
            }
            connection = match self.connect_again(&mut identity, &mut backoff, lost_at) {
                Some(connection) => connection,
                None => return,
            };
        }
    }

    /// The next connection; `None` if there is none to be, ever.
    fn connect_again(
        &self,
        identity: &mut Identity,
        backoff: &mut Backoff,
        mut failed_at: Instant,
    ) -> Option<Arc<Connection>> {
        loop {
            while !self.calls.is_wanted()? {
                park::wait(Reason::Parked, None).ok()?;
            }
            let at = failed_at + backoff.next();
            while clock::now() < at {
                // Until then a token says at most that somebody calls, which is known, or that nobody ever will.
                let _ = park::wait(Reason::Sleep, Some(at));
                self.calls.is_wanted()?;
                cancel::check().ok()?;
            }
            let opened = identity.open(self.peer, self.limits.window, clock::now() + CONNECT_TIMEOUT);
            cancel::check().ok()?;
            match opened.and_then(|connected| self.take_up(identity, connected)) {
                Ok(connection) => return Some(connection),
                Err(error) => {
                    tracing::debug!(peer = %self.peer, %error, "connecting again failed");
                    self.calls.unreachable(error);
                    failed_at = clock::now();
                }
            }
        }
    }

    /// Sends what is outstanding on a new connection, and what comes from now on.
    fn take_up(&self, identity: &mut Identity, connected: Connected) -> Result<Arc<Connection>, ConnectError> {
        let Connected { stream, server, resumed, window } = connected;
        let connection = Connection::start(stream, self.limits.buffered_bytes).map_err(ConnectError::Spawn)?;
        identity.settle(server);
        self.calls.connected(&connection, resumed, window);
        Ok(connection)
    }
}

/// How long to wait before the next attempt.
struct Backoff(Duration);

impl Backoff {
    fn new() -> Self {
        Self(RECONNECT_WAIT_MIN)
    }

    /// Half of it to all, at random, so that the clients of a server that comes back do not come all at once.
    fn next(&mut self) -> Duration {
        let wait = self.0;
        self.0 = (wait * 2).min(RECONNECT_WAIT_MAX);
        let share = u32::try_from(random::bits() >> 33).unwrap_or_default();
        wait / 2 + (wait / 2).mul_f64(f64::from(share) / f64::from(1_u32 << 31))
    }
}

/// Ends the calls with the fiber that serves them, also if that fiber never ran.
struct Ending(Arc<Link>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.calls.end(&Disconnect::RuntimeEnded);
    }
}
