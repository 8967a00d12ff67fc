//! The servers of a channel, and which of them a call goes to.
//!
//! ```text
//!   Endpoints ─┬─ Endpoint ── Link: a session, its calls, its connection
//!              │                └─ next, once the server has said that it is going down
//!              └─ Endpoint ── Link
//! ```
//!
//! A channel to one server has one endpoint, and its calls go to that one's link, connected or not: they wait there. With several, a call goes
//! to one that is connected, and [chosen](super::balance) among those that are [sound](super::health); while none is, it waits here.
//!
//! Invariants:
//! * A call that may have left stays with its session, unless it is idempotent; one that has not goes wherever there is a connection.
//! * A server that is going down gets no new call. Its link goes on until its calls have ended, and has a successor from the start.
//! * An endpoint without a connection is dialled again while calls are made, at the pace of its backoff, whether or not others do.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use fibra_scheduler::clock;
use fibra_scheduler::park::{self, Reason};
use parking_lot::Mutex;

use super::balance;
use super::calls::{Status, Unanswered, Why};
use super::chosen::{Chosen, Current};
use super::common::Common;
use super::health::Health;
use super::lanes::{Hold, Lanes, Place, Ticket};
use super::link::Link;
use super::opening;
use super::target::Target;
use crate::error::{ConnectError, Disconnect};
use crate::random;
use crate::session::Lane;

/// All servers of a channel.
pub(super) struct Endpoints {
    all: Box<[Endpoint]>,
    common: Arc<Common>,
}

/// One of them.
pub(super) struct Endpoint {
    /// The first link, through which the others are found.
    link: Arc<Link>,
    in_flight: AtomicUsize,
    health: Mutex<Health>,
    /// Whether there is anything in `health`.
    in_doubt: AtomicU64,
    ejections: AtomicU64,
}

impl Endpoints {
    /// Connects to one server.
    pub(super) fn one(target: Target, common: Arc<Common>) -> Result<Self, ConnectError> {
        let link = Link::connect(target, Arc::clone(&common), false)?;
        Ok(Self { all: Box::new([Endpoint::new(link)]), common })
    }

    /// Connects to the first of several that answers; to the others soon.
    pub(super) fn several(mut targets: Vec<Target>, common: Arc<Common>) -> Result<Self, ConnectError> {
        // Then there is nowhere else to go: calls wait at its link.
        if targets.len() == 1
            && let Some(only) = targets.pop()
        {
            return Self::one(only, common);
        }
        let links = opening::connect_to_one(targets, &common).inspect_err(|_| common.finish())?;
        links.iter().for_each(|link| link.calls().seek());
        Ok(Self { all: links.into_iter().map(Endpoint::new).collect(), common })
    }

    pub(super) fn common(&self) -> &Common {
        &self.common
    }

    /// Whether there is only one server, so that there is nothing to choose.
    #[inline]
    pub(super) fn is_one(&self) -> bool {
        self.all.len() == 1
    }

    /// Sends what is queued.
    pub(super) fn write_now(&self) {
        for (_, link) in self.iter() {
            if let Some(connection) = link.calls().connection() {
                connection.write_now();
            }
        }
    }

    /// Each server's link that takes new calls.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Endpoint, impl Deref<Target = Link>)> {
        self.all.iter().map(|endpoint| (endpoint, endpoint.current()))
    }

    /// The link of the server that a call went to last; of the first, if it went nowhere.
    pub(super) fn at(&self, place: Option<usize>) -> impl Deref<Target = Link> {
        self.endpoint(place.unwrap_or(0)).current()
    }

    pub(super) fn endpoint(&self, place: usize) -> &Endpoint {
        // There is one.
        self.all.get(place).unwrap_or(&self.all[0])
    }

    /// The server for the next attempt of a call, not that at `avoid` if there is another; and its place. Waits until there is one.
    ///
    /// # Errors
    ///
    /// There is none before the deadline, or never will be.
    #[inline]
    pub(super) fn choose(
        &self,
        avoid: Option<usize>,
        deadline: Option<Instant>,
    ) -> Result<(Chosen<'_>, usize), Unanswered> {
        match &*self.all {
            [only] => Ok((Chosen::only(only.current()), 0)),
            _ => self.choose_of_several(avoid, deadline),
        }
    }

    /// As [`choose`](Self::choose), if that takes no waiting.
    pub(super) fn choose_at_once(&self, avoid: Option<usize>) -> Option<(Chosen<'_>, usize)> {
        match &*self.all {
            [only] => Some((Chosen::only(only.current()), 0)),
            _ => self.look(avoid),
        }
    }

    /// The same for a call of a lane, with its place there: not elsewhere than those before it that have not ended.
    #[cold]
    pub(super) fn choose_in_lane(
        &self,
        lane: Lane,
        ticket: Ticket,
        avoid: Option<usize>,
        deadline: Option<Instant>,
    ) -> Result<(Chosen<'_>, usize, Hold), Unanswered> {
        loop {
            let (chosen, endpoint) = match self.common.lanes.at(lane, false) {
                None => self.choose(avoid, deadline)?,
                Some(at) => match self.look_at(at) {
                    Some(chosen) => (chosen, at.endpoint),
                    None => {
                        self.wait_for_lane(lane, deadline)?;
                        continue;
                    }
                },
            };
            if let Some(hold) = Lanes::hold(&self.common, lane, ticket, Place::of(chosen.link(), endpoint)) {
                return Ok((chosen, endpoint, hold));
            }
        }
    }

    /// That link, if it takes calls at present.
    fn look_at(&self, at: Place) -> Option<Chosen<'_>> {
        let endpoint = self.endpoint(at.endpoint);
        let chosen =
            if self.is_one() { Chosen::only(endpoint.current()) } else { Chosen::of_several(endpoint, at.endpoint) };
        let takes = self.is_one() || chosen.calls().status() == Status::Up;
        (takes && Place::of(chosen.link(), at.endpoint) == at).then_some(chosen)
    }

    /// Waits until the link of the lane takes calls again, or the lane is empty.
    fn wait_for_lane(&self, lane: Lane, deadline: Option<Instant>) -> Result<(), Unanswered> {
        let waiting = self.common.wait();
        // Between the look and the wait something may have changed.
        if self.common.lanes.at(lane, true).is_none_or(|at| self.look_at(at).is_some()) {
            return Ok(());
        }
        let parked = park::wait(Reason::Call, deadline);
        drop(waiting);
        parked.map_err(|interrupted| Unanswered::unsent(Why::Interrupted(interrupted)))
    }

    fn choose_of_several(
        &self,
        avoid: Option<usize>,
        deadline: Option<Instant>,
    ) -> Result<(Chosen<'_>, usize), Unanswered> {
        loop {
            if let Some(chosen) = self.look(avoid) {
                return Ok(chosen);
            }
            let waiting = self.common.wait();
            // Between the look and the wait something may have changed.
            if let Some(chosen) = self.look(avoid) {
                return Ok(chosen);
            }
            if let Some(cause) = self.over() {
                return Err(Unanswered::unsent(Why::Lost(cause)));
            }
            let parked = park::wait(Reason::Call, deadline);
            drop(waiting);
            if let Err(interrupted) = parked {
                let cause = self.all.iter().find_map(|endpoint| endpoint.current().calls().down());
                let why = match (interrupted, cause) {
                    (fibra_scheduler::cancel::Interrupted::TimedOut, Some(cause)) => Why::Lost(cause),
                    (interrupted, _) => Why::Interrupted(interrupted),
                };
                return Err(Unanswered::unsent(why));
            }
        }
    }

    /// One of those that have a connection; sees to it that the others get one.
    fn look(&self, avoid: Option<usize>) -> Option<(Chosen<'_>, usize)> {
        let now = clock::now();
        let (mut connected, mut sound) = (0_u64, 0_u64);
        for (place, endpoint) in self.all.iter().enumerate() {
            let link = endpoint.current();
            match link.calls().status() {
                Status::Up => {
                    connected |= 1 << place;
                    sound |= u64::from(endpoint.admits(now)) << place;
                }
                Status::Down => link.calls().seek(),
                // It has a successor in a moment, or its runtime has ended.
                Status::Retired | Status::Over => {}
            }
        }
        // Rather one that fails than none.
        let usable = if sound == 0 { connected } else { sound };
        let load = |place: usize| self.all[place].in_flight.load(Ordering::Relaxed);
        let place = balance::choose(usable, avoid, load, random::bits())?;
        Some((Chosen::of_several(&self.all[place], place), place))
    }

    /// Why there will be no connection any more, if that is so.
    fn over(&self) -> Option<Disconnect> {
        let is_over = |endpoint: &Endpoint| endpoint.current().calls().status() == Status::Over;
        self.all.iter().all(is_over).then_some(Disconnect::RuntimeEnded)
    }
}

impl Drop for Endpoints {
    fn drop(&mut self) {
        self.common.finish();
    }
}

impl Endpoint {
    fn new(link: Arc<Link>) -> Self {
        Self {
            link,
            in_flight: AtomicUsize::new(0),
            health: Mutex::default(),
            in_doubt: AtomicU64::new(0),
            ejections: AtomicU64::new(0),
        }
    }

    /// A call goes there.
    pub(super) fn enter(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// It has ended.
    pub(super) fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// Its first link, which others may have followed.
    pub(super) fn first(&self) -> &Link {
        &self.link
    }

    /// The link that takes new calls.
    #[inline]
    pub(super) fn current(&self) -> Current<'_> {
        if self.link.calls().status() == Status::Retired {
            return Current::Later(Link::latest(&self.link));
        }
        Current::First(&self.link)
    }

    /// How often it was ejected.
    pub(super) fn ejections(&self) -> u64 {
        self.ejections.load(Ordering::Relaxed)
    }

    /// Whether calls may go there, as far as earlier ones tell.
    pub(super) fn admits(&self, now: Instant) -> bool {
        self.in_doubt.load(Ordering::Relaxed) == 0 || self.health.lock().admits(now)
    }

    /// How a call has fared there.
    pub(super) fn note(&self, link: &Link, success: bool) {
        if success && self.in_doubt.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut health = self.health.lock();
        let ejected = if success {
            health.succeeded();
            false
        } else {
            health.failed(clock::now(), random::bits())
        };
        self.in_doubt.store(health.is_in_doubt().into(), Ordering::Relaxed);
        drop(health);
        if ejected {
            self.ejections.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(peer = %link.peer(), "calls go elsewhere for a while: this server has failed several in a row");
        }
    }
}
