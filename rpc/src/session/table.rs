//! All sessions of a server: whose they are, in which incarnation, and until when.
//!
//! ```text
//!   ClientId ─▶ live    { principal, incarnation, heard_at, session }   lease ended ╲
//!               ended   { principal, incarnation }             ◀────────────────────╯  a few words, kept long
//! ```
//!
//! A client that starts anew comes under a higher incarnation, which ends its earlier session: what was under way there may have run, and
//! whoever waited for it is gone. A lease ends when nothing has been heard of a client for that long. What then stays is the incarnation,
//! so that a late call of the ended session is refused and never run.
//!
//! Invariants:
//! * A session is only ever handed to the principal that opened it: nobody reads another's replies, or uses up its xids.
//! * A call of an ended session never finds one. The memory of ended sessions is bounded; the oldest are forgotten first, and a call of
//!   one that was forgotten is refused as well, since only [`open`](Sessions::open) makes a session.
//! * A session with calls under way does not end by its lease. A full table ends the one that has been idle for longest; whatever its
//!   client still wants to know of it is answered by "ended", which says that it may have run.

mod places;

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use std::{fmt, mem};

pub use places::At;
use places::{List, Places};

use super::Refused;
use crate::limits::SESSION_LEASE;

/// Names a client, for as long as it likes: 128 random bits of its own choice.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(pub [u8; 16]);

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// Whom a session belongs to: who the transport says that the peer is, and the secret with which it opened the session.
///
/// Kept is not the secret but 128 bits of a hash of it (SipHash, twice) under keys that the operating system drew for this process: nobody can
/// look for another secret of the same hash, and how long a comparison takes says nothing about the secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Principal([u64; 2]);

impl Principal {
    /// A principal that presents `credentials`: whatever bytes tell one from another.
    pub fn new(credentials: impl AsRef<[u8]>) -> Self {
        static KEYS: LazyLock<[RandomState; 2]> = LazyLock::new(|| [RandomState::new(), RandomState::new()]);
        Self([0, 1].map(|key: usize| KEYS[key].hash_one(credentials.as_ref())))
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Principal(..)")
    }
}

/// How many sessions are looked at, at most, to make room for another.
const LOOKED_AT_MAX: usize = 16;

/// What a server's table may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Sessions at a time.
    pub live_max: usize,
    /// Ended sessions that are remembered.
    pub ended_max: usize,
    /// How long a session lasts after its client was last heard of.
    pub lease: Duration,
}

impl Default for Bounds {
    /// 100,000 sessions, a million ended ones, and half an hour.
    fn default() -> Self {
        Self { live_max: 100_000, ended_max: 1_000_000, lease: SESSION_LEASE }
    }
}

/// What a session can be asked by its table.
pub trait Endable {
    /// Whether nothing of it is under way, so that its lease may end it.
    fn is_idle(&self) -> bool;
}

impl<A> Endable for super::ReplyCache<A> {
    fn is_idle(&self) -> bool {
        Self::is_idle(self)
    }
}

/// See the [module](self). `S` is a session.
#[derive(Debug)]
pub struct Sessions<S> {
    bounds: Bounds,
    clients: Places<Client<S>>,
    /// Those with a session; first who has not been heard of for longest.
    live: List,
    /// Those whose session has ended, the oldest first.
    ended: List,
    /// From when times are counted: the first that was told.
    epoch: Option<Instant>,
}

#[derive(Debug)]
struct Client<S> {
    principal: Principal,
    incarnation: u64,
    heard_at: Time,
    /// `None`: it has ended.
    session: Option<S>,
}

/// In nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Time(u64);

/// How a session was opened.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened<S> {
    /// The client has none of this incarnation yet: a new one.
    New {
        /// Of the client's earlier incarnation, if that had one: to be ended.
        replaced: Option<S>,
    },
    /// It goes on, perhaps on another connection.
    Resumed,
}

/// Why a session was not opened.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unopened {
    /// See [`Refused`].
    Refused(Refused),
    /// As many as the server may hold are there, and none that could end was found.
    Full {
        /// How many that is.
        max: usize,
    },
}

impl<S: Endable> Sessions<S> {
    /// An empty table.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, clients: Places::new(), live: List::new(), ended: List::new(), epoch: None }
    }

    /// Opens or resumes the session of that client and incarnation; `new` makes one.
    ///
    /// # Errors
    ///
    /// * [`Refused::NotYours`]: the client has, or had, a session under another principal.
    /// * [`Refused::WrongIncarnation`]: it has, or had, one under a higher incarnation.
    /// * [`Refused::Expired`]: its session of this incarnation has ended.
    /// * [`Unopened::Full`].
    pub fn open(
        &mut self,
        id: ClientId,
        principal: &Principal,
        incarnation: u64,
        now: Instant,
        new: impl FnOnce() -> S,
    ) -> Result<Opened<S>, Unopened> {
        self.end_expired(now);
        let known = self.clients.find(id);
        match self.find(id, principal, incarnation, now) {
            Ok(_) => return Ok(Opened::Resumed),
            Err(Refused::WrongIncarnation { current }) if current < incarnation => {}
            Err(Refused::Expired) if known.is_none() => {}
            Err(refused) => return Err(Unopened::Refused(refused)),
        }
        let full = Unopened::Full { max: self.bounds.live_max };
        let replaces = known.is_some_and(|at| self.clients.get(at).session.is_some());
        if !replaces && self.live.len() >= self.bounds.live_max && !self.end_oldest(now) {
            return Err(full);
        }
        let heard_at = self.time(now);
        let client = Client { principal: *principal, incarnation, heard_at, session: Some(new()) };
        // Looked for again: to make room an ended session may have been forgotten, perhaps this one.
        let Some(at) = self.clients.find(id) else {
            self.clients.insert(id, client, &mut self.live).ok_or(full)?;
            return Ok(Opened::New { replaced: None });
        };
        let replaced = mem::replace(self.clients.get_mut(at), client).session;
        if replaced.is_some() {
            self.clients.put_last(&mut self.live, at);
        } else {
            self.clients.transfer(&mut self.ended, &mut self.live, at);
        }
        Ok(Opened::New { replaced })
    }

    /// The session of that client and incarnation, whose lease begins anew.
    ///
    /// # Errors
    ///
    /// * [`Refused::NotYours`]: it belongs to another principal.
    /// * [`Refused::WrongIncarnation`]: the client has, or had, one under another incarnation.
    /// * [`Refused::Expired`]: there is none, or not any more.
    pub fn find(
        &mut self,
        id: ClientId,
        principal: &Principal,
        incarnation: u64,
        now: Instant,
    ) -> Result<&mut S, Refused> {
        let now = self.time(now);
        let at = self.clients.find(id).ok_or(Refused::Expired)?;
        let client = self.clients.get(at);
        if client.principal != *principal {
            return Err(Refused::NotYours);
        }
        if client.incarnation != incarnation {
            return Err(Refused::WrongIncarnation { current: client.incarnation });
        }
        if client.session.is_some() {
            self.clients.put_last(&mut self.live, at);
        }
        let client = self.clients.get_mut(at);
        client.heard_at = client.heard_at.max(now);
        client.session.as_mut().ok_or(Refused::Expired)
    }

    /// Where that client is, for as long as its session lasts.
    pub fn at(&self, id: ClientId) -> Option<At> {
        self.clients.find(id)
    }

    /// Which is the client's last incarnation there.
    pub fn incarnation(&self, at: At) -> u64 {
        self.clients.get(at).incarnation
    }

    /// The lease of the session there begins anew, if `is` says that it is still the one that is meant.
    pub fn renew(&mut self, at: At, now: Instant, is: impl FnOnce(&S) -> bool) {
        let now = self.time(now);
        let client = self.clients.get_mut(at);
        if client.session.as_ref().is_some_and(is) {
            client.heard_at = client.heard_at.max(now);
            self.clients.put_last(&mut self.live, at);
        }
    }

    /// Ends the sessions whose lease has. To be called now and then; returns them.
    pub fn end_expired(&mut self, now: Instant) -> Vec<S> {
        let now = self.time(now);
        let lease = u64::try_from(self.bounds.lease.as_nanos()).unwrap_or(u64::MAX);
        let mut ended = Vec::new();
        // Each once: a lease may be shorter than this loop.
        for _ in 0..self.live.len() {
            let Some(at) = self.live.first() else { break };
            let client = self.clients.get_mut(at);
            if now.0.saturating_sub(client.heard_at.0) < lease {
                break;
            }
            if client.session.as_ref().is_some_and(S::is_idle) {
                ended.extend(self.end(at));
            } else {
                // At work, which is as good as heard of.
                client.heard_at = now;
                self.clients.put_last(&mut self.live, at);
            }
        }
        ended
    }

    /// Ends one of the sessions that have been idle for longest, before its time. `false`: there is none to be found at once.
    fn end_oldest(&mut self, now: Instant) -> bool {
        let now = self.time(now);
        for _ in 0..LOOKED_AT_MAX.min(self.live.len()) {
            let Some(at) = self.live.first() else { break };
            let client = self.clients.get_mut(at);
            if client.session.as_ref().is_some_and(S::is_idle) {
                return self.end(at).is_some();
            }
            // The next who looks is to find others: at work is as good as heard of.
            client.heard_at = now;
            self.clients.put_last(&mut self.live, at);
        }
        false
    }

    /// Ends a client's session, and remembers that there was one.
    fn end(&mut self, at: At) -> Option<S> {
        let session = self.clients.get_mut(at).session.take()?;
        self.clients.transfer(&mut self.live, &mut self.ended, at);
        while self.ended.len() > self.bounds.ended_max
            && let Some(oldest) = self.ended.first()
        {
            self.clients.remove(&mut self.ended, oldest);
        }
        Some(session)
    }

    fn time(&mut self, now: Instant) -> Time {
        let since = now.saturating_duration_since(*self.epoch.get_or_insert(now));
        Time(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }

    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.live.len() == 0
    }
}
