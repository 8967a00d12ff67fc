//! One session with one server, and what keeps it connected: the fiber that reads, and that connects again when there is nothing to read from.
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

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use fibra_scheduler::park::{self, Reason};
use fibra_scheduler::{cancel, clock};
use parking_lot::Mutex;

use super::backoff::Backoff;
use super::builder::Settings;
use super::calls::{Calls, Status};
use super::common::Common;
use super::connect::{Connected, Identity};
use super::connection::Connection;
use super::target::Target;
use crate::error::{ConnectError, Disconnect};
use crate::random;
use crate::stream::{Share, Shares};

pub(super) struct Link {
    /// Where the connection is, or was last.
    peer: Mutex<SocketAddr>,
    common: Arc<Common>,
    calls: Calls,
    /// Once the server has said that it is going down: the link for new calls.
    next: Mutex<Option<Arc<Self>>>,
    /// What the windows of streams have of [`Limits::stream_bytes`](crate::Limits::stream_bytes).
    stream_bytes: Arc<Shares>,
}

impl Link {
    /// Connects, and starts the fibers that serve the link on the caller's worker. Calls that have not left are `mobile` if there are other links
    /// to take them.
    pub(super) fn connect(mut target: Target, common: Arc<Common>, mobile: bool) -> Result<Arc<Self>, ConnectError> {
        let mut identity = Identity::new();
        let connected = identity.dial(&mut target, &common.settings, common.settings.keepalive)?;
        let link = Self::new(connected.peer, common, mobile);
        // They serve the channel, not the caller, whose deadline is not theirs.
        cancel::shield(|| {
            let ending = Ending(Arc::clone(&link));
            let connection = link.take_up(&mut identity, connected)?;
            ending.serve(Dialler::new(identity, target), Some(connection))
        })?;
        Ok(link)
    }

    /// A link of several that connects when it is sought.
    pub(super) fn later(target: Target, common: Arc<Common>) -> Result<Arc<Self>, ConnectError> {
        let link = Self::new(target.first(), common, true);
        let dialler = Dialler::new(Identity::new(), target);
        cancel::shield(|| Ending(Arc::clone(&link)).serve(dialler, None))?;
        Ok(link)
    }

    fn new(peer: SocketAddr, common: Arc<Common>, mobile: bool) -> Arc<Self> {
        let calls = Calls::new(common.settings.limits.in_flight, mobile);
        let (peer, next, stream_bytes) = (Mutex::new(peer), Mutex::default(), Arc::default());
        let link = Arc::new(Self { peer, common, calls, next, stream_bytes });
        link.common.enlist(&link);
        link
    }

    /// The last in the chain of links that begins with this one.
    pub(super) fn latest(self: &Arc<Self>) -> Arc<Self> {
        let mut latest = Arc::clone(self);
        while latest.calls.status() == Status::Retired {
            let next = latest.next.lock().clone();
            match next {
                Some(next) => latest = next,
                None => break,
            }
        }
        if !Arc::ptr_eq(&latest, self) {
            // Those in between are asked no more.
            *self.next.lock() = Some(Arc::clone(&latest));
        }
        latest
    }

    /// The server is going down: another link takes the calls that it has not got. Whether this one has got an `answer`: if not, the next must
    /// not be too quick to find the same server.
    pub(super) fn retire(&self, dialler: &Dialler, answered: bool) {
        if self.calls.status() == Status::Retired {
            return;
        }
        let next = Self::new(self.peer(), Arc::clone(&self.common), self.calls.is_mobile());
        let mut target = dialler.target.clone();
        target.left();
        let failed_at = (!answered).then(clock::now);
        let backoff = dialler.backoff.clone();
        let dialler = Dialler { backoff, failed_at, ..Dialler::new(Identity::new(), target) };
        match cancel::shield(|| Ending(Arc::clone(&next)).serve(dialler, None)) {
            Ok(()) => {
                *self.next.lock() = Some(next);
                self.calls.retire();
                self.common.changed();
            }
            // Then it keeps its calls for as long as it lasts.
            Err(error) => tracing::warn!(peer = %self.peer(), %error, "cannot leave a server that is going down"),
        }
    }

    pub(super) fn peer(&self) -> SocketAddr {
        *self.peer.lock()
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.common.settings
    }

    pub(super) fn calls(&self) -> &Calls {
        &self.calls
    }

    /// Takes so much of what the windows of streams may have together, or what is left of it.
    pub(super) fn take_stream_bytes(&self, wanted: usize) -> Share {
        self.stream_bytes.take(wanted, self.settings().limits.stream_bytes)
    }

    /// Serves the link until nobody will call any more, or its runtime ends.
    fn run(self: &Arc<Self>, mut dialler: Dialler, connection: Option<Arc<Connection>>) {
        self.calls.serve_by(park::current());
        let connected = connection.or_else(|| self.connect_again(&mut dialler));
        let Some(mut connection) = connected else { return };
        loop {
            connection.read(self, &mut dialler);
            let cause = connection.cause().unwrap_or(Disconnect::ClosedByPeer);
            tracing::debug!(peer = %self.peer(), %cause, "a connection ended");
            let lost_at = clock::now();
            if !self.calls.disconnected(&connection, &cause, cancel::check().is_err()) {
                return;
            }
            self.common.changed();
            dialler.lost(&cause, lost_at);
            connection = match self.connect_again(&mut dialler) {
                Some(connection) => connection,
                None => return,
            };
        }
    }

    /// The next connection; `None` if there is none to be, ever.
    fn connect_again(self: &Arc<Self>, dialler: &mut Dialler) -> Option<Arc<Connection>> {
        let Dialler { identity, target, backoff, failed_at, silences } = dialler;
        let keepalive = self.settings().keepalive.map(|keepalive| keepalive.after_silences(*silences));
        loop {
            while !self.calls.is_wanted()? {
                park::wait(Reason::Parked, None).ok()?;
            }
            let at = failed_at.map(|failed_at| failed_at + backoff.next(random::bits()));
            while let Some(at) = at.filter(|at| clock::now() < *at) {
                // Until then a token says at most that somebody calls, which is known, or that nobody ever will.
                let _ = park::wait(Reason::Sleep, Some(at));
                self.calls.is_wanted()?;
                cancel::check().ok()?;
            }
            let opened = identity.dial(target, self.settings(), keepalive);
            cancel::check().ok()?;
            match opened.and_then(|connected| self.take_up(identity, connected)) {
                Ok(connection) => return Some(connection),
                Err(error) => {
                    tracing::debug!(peer = %self.peer(), %error, "connecting again failed");
                    self.calls.unreachable(error);
                    self.common.changed();
                    target.look_up_again();
                    *failed_at = Some(clock::now());
                }
            }
        }
    }

    /// Sends what is outstanding on a new connection, and what comes from now on.
    fn take_up(
        self: &Arc<Self>,
        identity: &mut Identity,
        connected: Connected,
    ) -> Result<Arc<Connection>, ConnectError> {
        let Connected { stream, peer, server, resumed, window, keepalive } = connected;
        let connection = Connection::start(stream, keepalive, self).map_err(ConnectError::Spawn)?;
        identity.settle(server);
        *self.peer.lock() = peer;
        self.calls.connected(&connection, resumed, window);
        self.common.changed();
        Ok(connection)
    }
}

/// What connecting takes.
pub(super) struct Dialler {
    identity: Identity,
    target: Target,
    backoff: Backoff,
    /// When the last attempt failed, if it did.
    failed_at: Option<Instant>,
    /// Connections that were given up because nothing came, since there was an answer.
    silences: u32,
}

impl Dialler {
    fn new(identity: Identity, target: Target) -> Self {
        Self { identity, target, backoff: Backoff::new(), failed_at: None, silences: 0 }
    }

    /// The server answers calls: the next attempt need not wait.
    pub(super) fn succeeded(&mut self) {
        self.backoff = Backoff::new();
        self.silences = 0;
    }

    /// The connection was lost then, and for this reason.
    fn lost(&mut self, cause: &Disconnect, at: Instant) {
        // One that this side has closed says nothing about the server.
        self.failed_at = if matches!(cause, Disconnect::Idle) { None } else { Some(at) };
        // The system's own word for it is a write that times out.
        let is_silent = match cause {
            Disconnect::Silent { .. } => true,
            Disconnect::Io(error) => error.kind() == io::ErrorKind::TimedOut,
            _ => false,
        };
        self.silences = self.silences.saturating_add(is_silent.into());
    }
}

/// Ends the calls with the fiber that serves them, also if that fiber never ran.
struct Ending(Arc<Link>);

impl Ending {
    /// Starts that fiber.
    fn serve(self, dialler: Dialler, connection: Option<Arc<Connection>>) -> Result<(), ConnectError> {
        let serve = move || self.0.run(dialler, connection);
        let spawned = fibra_scheduler::Builder::new().name("rpc reader").spawn_local(serve);
        spawned.map(|_detached| ()).map_err(ConnectError::Spawn)
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let Self(link) = self;
        link.calls.end(&Disconnect::RuntimeEnded);
        link.common.changed();
        link.common.strike_off(link);
    }
}
