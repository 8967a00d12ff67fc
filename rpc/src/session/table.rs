//! All sessions of a server: whose they are, in which incarnation, and until when.
//!
//! ```text
//!   ClientId ─▶ Live    { principal, incarnation, lease, session }     lease ended ╲
//!               Ended   { principal, incarnation }             ◀────────────────────╯  a few words, kept long
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

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::fmt;
use std::hash::RandomState;
use std::time::{Duration, Instant};

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
/// Compared without regard to where two differ, so that no secret can be guessed byte by byte.
#[derive(Clone, PartialOrd, Ord)]
pub struct Principal(Box<[u8]>);

impl Principal {
    /// A principal that presents `credentials`: whatever bytes tell one from another.
    pub fn new(credentials: impl Into<Box<[u8]>>) -> Self {
        Self(credentials.into())
    }

    fn is(&self, other: &Self) -> bool {
        let differing = self.0.iter().zip(&other.0).fold(0, |differing, (one, other)| differing | (one ^ other));
        self.0.len() == other.0.len() && std::hint::black_box(differing) == 0
    }
}

impl PartialEq for Principal {
    fn eq(&self, other: &Self) -> bool {
        self.is(other)
    }
}

impl Eq for Principal {}

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
    clients: HashMap<ClientId, Client<S>, RandomState>,
    live: usize,
    /// When to look which client's lease may have ended; one entry for each that has a session.
    leases: BinaryHeap<Reverse<(Instant, ClientId)>>,
    /// Ended sessions, the oldest first.
    ended: VecDeque<(ClientId, u64)>,
}

#[derive(Debug)]
struct Client<S> {
    principal: Principal,
    incarnation: u64,
    /// `None`: it has ended.
    session: Option<Live<S>>,
}

#[derive(Debug)]
struct Live<S> {
    session: S,
    heard_at: Instant,
}

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
        Self { bounds, clients: HashMap::default(), live: 0, leases: BinaryHeap::new(), ended: VecDeque::new() }
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
        let is_known = self.clients.contains_key(&id);
        match self.find(id, principal, incarnation, now) {
            Ok(_) => return Ok(Opened::Resumed),
            Err(Refused::WrongIncarnation { current }) if current < incarnation => {}
            Err(Refused::Expired) if !is_known => {}
            Err(refused) => return Err(Unopened::Refused(refused)),
        }
        let replaces = self.clients.get(&id).is_some_and(|client| client.session.is_some());
        if !replaces && self.live >= self.bounds.live_max && !self.end_oldest() {
            return Err(Unopened::Full { max: self.bounds.live_max });
        }
        let session = Some(Live { session: new(), heard_at: now });
        let client = Client { principal: principal.clone(), incarnation, session };
        let replaced = self.clients.insert(id, client).and_then(|client| client.session).map(|live| live.session);
        if !replaces {
            self.live += 1;
            self.leases.push(Reverse((now, id)));
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
        let client = self.clients.get_mut(&id).ok_or(Refused::Expired)?;
        if !client.principal.is(principal) {
            return Err(Refused::NotYours);
        }
        if client.incarnation != incarnation {
            return Err(Refused::WrongIncarnation { current: client.incarnation });
        }
        let live = client.session.as_mut().ok_or(Refused::Expired)?;
        live.heard_at = live.heard_at.max(now);
        Ok(&mut live.session)
    }

    /// Ends the sessions whose lease has. To be called now and then; returns them.
    pub fn end_expired(&mut self, now: Instant) -> Vec<S> {
        let (mut ended, mut again) = (Vec::new(), Vec::new());
        while let Some(&Reverse((since, id))) = self.leases.peek() {
            if now.saturating_duration_since(since) < self.bounds.lease {
                break;
            }
            self.leases.pop();
            let Some(live) = self.live(id) else { continue };
            let is_over = now.saturating_duration_since(live.heard_at) >= self.bounds.lease;
            if is_over && live.session.is_idle() {
                ended.extend(self.end(id));
            } else {
                // Heard of since, or at work: looked at again when that lease may have ended.
                again.push(Reverse((if is_over { now } else { live.heard_at }, id)));
            }
        }
        // Only now: a lease may be shorter than this loop.
        self.leases.extend(again);
        ended
    }

    /// Ends one of the sessions that have been idle for longest, before its time. `false`: there is none to be found at once.
    fn end_oldest(&mut self) -> bool {
        let mut again = Vec::new();
        let mut has_ended = false;
        while !has_ended
            && again.len() < LOOKED_AT_MAX
            && let Some(Reverse((since, id))) = self.leases.pop()
        {
            match self.live(id) {
                Some(live) if !live.session.is_idle() => again.push(Reverse((since, id))),
                Some(_) => has_ended = self.end(id).is_some(),
                None => {}
            }
        }
        self.leases.extend(again);
        has_ended
    }

    fn live(&self, id: ClientId) -> Option<&Live<S>> {
        self.clients.get(&id)?.session.as_ref()
    }

    /// Ends a client's session, and remembers that there was one.
    fn end(&mut self, id: ClientId) -> Option<S> {
        let client = self.clients.get_mut(&id)?;
        let live = client.session.take()?;
        self.live -= 1;
        self.ended.push_back((id, client.incarnation));
        while self.ended.len() > self.bounds.ended_max {
            if let Some((id, incarnation)) = self.ended.pop_front()
                && self
                    .clients
                    .get(&id)
                    .is_some_and(|client| client.session.is_none() && client.incarnation == incarnation)
            {
                self.clients.remove(&id);
            }
        }
        Some(live.session)
    }

    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.live
    }

    #[cfg(test)]
    pub(super) fn leases_len(&self) -> usize {
        self.leases.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }
}
