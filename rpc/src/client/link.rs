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
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use fibra_net::ToSocketAddrs;
use fibra_scheduler::park::{self, Reason};
use fibra_scheduler::{cancel, clock};
use parking_lot::Mutex;

use super::backoff::Backoff;
use super::calls::Calls;
use super::connect::{Connected, Identity};
use super::connection::Connection;
use super::target::Target;
use crate::error::{ConnectError, Disconnect};
use crate::limits::{CONNECT_TIMEOUT, Limits};
use crate::random;

pub(super) struct Link {
    /// Where the connection is, or was last.
    peer: Mutex<SocketAddr>,
    limits: Limits,
    calls: Calls,
    /// What the windows of streams have of [`Limits::stream_bytes`].
    stream_bytes: AtomicUsize,
}

impl Link {
    /// Connects, and starts the fibers that serve the channel on the caller's worker.
    pub(super) fn start(addr: impl ToSocketAddrs, limits: Limits) -> Result<Arc<Self>, ConnectError> {
        let mut identity = Identity::new();
        let mut target = Target::of(addr)?;
        let connected = identity.dial(&mut target, limits.window, CONNECT_TIMEOUT)?;
        let peer = Mutex::new(connected.peer);
        let link =
            Arc::new(Self { peer, limits, calls: Calls::new(limits.in_flight), stream_bytes: AtomicUsize::new(0) });
        let ending = Ending(Arc::clone(&link));
        // They serve the channel, not the caller, whose deadline is not theirs.
        cancel::shield(|| {
            let connection = link.take_up(&mut identity, connected)?;
            let reading = Arc::clone(&connection);
            let dialler = Dialler { identity, target, backoff: Backoff::new() };
            let spawned =
                fibra_scheduler::Builder::new().name("rpc reader").spawn_local(move || ending.0.run(dialler, reading));
            if let Err(error) = spawned {
                connection.lose(Disconnect::RuntimeEnded);
                return Err(ConnectError::Spawn(error));
            }
            Ok(link)
        })
    }

    pub(super) fn peer(&self) -> SocketAddr {
        *self.peer.lock()
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn calls(&self) -> &Calls {
        &self.calls
    }

    /// Takes so much of what the windows of streams may have together, or what is left of it.
    pub(super) fn take_stream_bytes(&self, wanted: usize) -> usize {
        let max = self.limits.stream_bytes;
        let share = |taken: usize| wanted.min(max.saturating_sub(taken));
        let taken = self.stream_bytes.update(Ordering::Relaxed, Ordering::Relaxed, |taken| taken + share(taken));
        share(taken)
    }

    /// Gives back what [was taken](Self::take_stream_bytes).
    pub(super) fn give_stream_bytes(&self, share: usize) {
        self.stream_bytes.fetch_sub(share, Ordering::Relaxed);
    }

    /// Serves the channel until nobody will call any more, or its runtime ends.
    fn run(&self, mut dialler: Dialler, mut connection: Arc<Connection>) {
        self.calls.serve_by(park::current());
        loop {
            if connection.read(&self.calls, self.limits.frame_bytes) {
                dialler.backoff = Backoff::new();
            }
            let cause = connection.cause().unwrap_or(Disconnect::ClosedByPeer);
            tracing::debug!(peer = %self.peer(), %cause, "a connection ended");
            let lost_at = clock::now();
            if !self.calls.disconnected(&connection, &cause, cancel::check().is_err()) {
                return;
            }
            connection = match self.connect_again(&mut dialler, lost_at) {
                Some(connection) => connection,
                None => return,
            };
        }
    }

    /// The next connection; `None` if there is none to be, ever.
    fn connect_again(&self, dialler: &mut Dialler, mut failed_at: Instant) -> Option<Arc<Connection>> {
        let Dialler { identity, target, backoff } = dialler;
        loop {
            while !self.calls.is_wanted()? {
                park::wait(Reason::Parked, None).ok()?;
            }
            let at = failed_at + backoff.next(random::bits());
            while clock::now() < at {
                // Until then a token says at most that somebody calls, which is known, or that nobody ever will.
                let _ = park::wait(Reason::Sleep, Some(at));
                self.calls.is_wanted()?;
                cancel::check().ok()?;
            }
            let opened = identity.dial(target, self.limits.window, CONNECT_TIMEOUT);
            cancel::check().ok()?;
            match opened.and_then(|connected| self.take_up(identity, connected)) {
                Ok(connection) => return Some(connection),
                Err(error) => {
                    tracing::debug!(peer = %self.peer(), %error, "connecting again failed");
                    self.calls.unreachable(error);
                    target.look_up_again();
                    failed_at = clock::now();
                }
            }
        }
    }

    /// Sends what is outstanding on a new connection, and what comes from now on.
    fn take_up(&self, identity: &mut Identity, connected: Connected) -> Result<Arc<Connection>, ConnectError> {
        let Connected { stream, peer, server, resumed, window } = connected;
        let connection = Connection::start(stream, self.limits.buffered_bytes).map_err(ConnectError::Spawn)?;
        identity.settle(server);
        *self.peer.lock() = peer;
        self.calls.connected(&connection, resumed, window);
        Ok(connection)
    }
}

/// What connecting takes.
struct Dialler {
    identity: Identity,
    target: Target,
    backoff: Backoff,
}

/// Ends the calls with the fiber that serves them, also if that fiber never ran.
struct Ending(Arc<Link>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.calls.end(&Disconnect::RuntimeEnded);
    }
}
