//! The sessions of a server, in memory: the [store](super::store) that there is.
//!
//! ```text
//!   Sessions ── Mutex ─▶ table: client ─▶ Arc<Session> ◀── Held, by each connection of that client
//!                                           └ Mutex ─▶ ReplyCache
//! ```
//!
//! What a call turns out to be (a value, a failure, a refusal before it ran) is its one answer: whichever copy of it arrives, on whichever
//! connection, gets the same bytes. A refusal is no exception. A client that was told "it has not run" goes by that, and a copy that is
//! still on its way in another connection must not make it a lie.
//!
//! Invariants:
//! * The table's lock is taken when a connection opens or ends, and for a call only to say by whom its session was replaced. No lock is held
//!   across a park.
//! * Leases are looked at when a connection opens or ends. A session ends by its lease only when no connection holds it, and its lease begins
//!   when the last one lets go.

mod lanes;

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fibra_scheduler::clock;
use fibra_scheduler::park::{self, Reason, Unparker};
use parking_lot::{Mutex, MutexGuard};

use super::held::Waiting;
use super::replies::Ended;
use super::store::{self, Arrived, GivenUp, StillRuns, Store, Waited};
use lanes::{HeldBack, Told};

use crate::limits::{SERVER_HELD_BYTES_MAX, SERVER_REPLY_BYTES_MAX, SESSION_HELD_BYTES_MAX, SESSION_REPLY_BYTES_MAX};
use crate::random;
use crate::scratch;
use crate::session::reply_cache::{Arrival, Progress};
use crate::session::table::{self, At, Bounds, Endable, Unopened};
use crate::session::{Allowance, ClientId, Pool, Principal, Refused, ReplyCache, Verdict, Xid};
use crate::wire::frame::{Open, Opened};
use crate::wire::header::{Kind, Malformed};

/// All sessions of a server.
pub(super) struct Sessions {
    /// Another number for each start of a server.
    incarnation: u64,
    window_max: usize,
    lease: Duration,
    /// What all of them may keep of their replies.
    pool: Pool,
    /// And of their calls that wait for their turn.
    held: Pool,
    table: Mutex<table::Sessions<Arc<Session>>>,
}

/// One client's.
struct Session {
    state: Mutex<State>,
}

struct State {
    /// Beside it, if a call has ever had to wait for its turn, those that do.
    cache: ReplyCache<Unparker, HeldBack>,
}

/// A connection's hold on its session.
pub(super) struct Held {
    session: Arc<Session>,
    at: At,
}

impl Sessions {
    pub(super) fn new(window_max: usize, lease: Duration) -> Self {
        let bounds = Bounds { lease, ..Bounds::default() };
        let table = Mutex::new(table::Sessions::new(bounds));
        let pool = Pool::new(SERVER_REPLY_BYTES_MAX, SESSION_REPLY_BYTES_MAX);
        let held = Pool::new(SERVER_HELD_BYTES_MAX, SESSION_HELD_BYTES_MAX);
        Self { incarnation: random::bits().max(1), window_max, lease, pool, held, table }
    }
}

impl Store for Sessions {
    type Session = Held;

    fn len(&self) -> usize {
        self.table.lock().len()
    }

    fn open(self: &Arc<Self>, open: &Open) -> Result<(Held, Opened), Unopened> {
        let (client, principal) = (ClientId(open.client), Principal::new(&*open.secret));
        let now = clock::now();
        let mut table = self.table.lock();
        let mut replaced = None;
        let mut resumed = true;
        // A client that knows this server's incarnation has a session here. Were another made in its place, what ran in the first could run
        // again.
        if open.server != self.incarnation {
            let window = self.window_max.min(open.window.max(1).into());
            let opened =
                table.open(client, &principal, open.incarnation, now, || Arc::new(Session::new(window, &self.pool)))?;
            if let table::Opened::New { replaced: earlier } = opened {
                resumed = false;
                replaced = earlier;
            }
        }
        let session = Arc::clone(table.find(client, &principal, open.incarnation, now).map_err(Unopened::Refused)?);
        let at = table.at(client).ok_or(Unopened::Refused(Refused::Expired))?;
        drop(table);

        if let Some(replaced) = replaced {
            replaced.state.lock().cache.end();
        }
        let window = session.state.lock().cache.window();
        let opened = Opened {
            resumed,
            incarnation: self.incarnation,
            window: u16::try_from(window).unwrap_or(u16::MAX),
            lease: u32::try_from(self.lease.as_millis()).unwrap_or(u32::MAX),
        };
        Ok((Held { session, at }, opened))
    }
}

impl Session {
    fn new(window: usize, pool: &Pool) -> Self {
        let cache = ReplyCache::sharing(window, Allowance::new(pool.clone()));
        Self { state: Mutex::new(State { cache }) }
    }
}

impl State {
    /// What an arriving call is; `hold` says so of one that waits for its turn. `None`: the session is over.
    #[inline]
    fn arrive(
        &mut self,
        arrival: Arrival,
        progress: &mut Progress<Unparker>,
        out: &mut Vec<u8>,
        hold: impl FnOnce(&mut ReplyCache<Unparker, HeldBack>) -> Arrived,
    ) -> Option<Result<Arrived, Refused>> {
        if self.cache.is_over() {
            return None;
        }
        Some(match self.cache.arrive(arrival, progress) {
            Ok(Verdict::New) => Ok(Arrived::New),
            Ok(Verdict::Done(reply)) => {
                copy(reply, out);
                Ok(Arrived::Done)
            }
            Ok(Verdict::InProgress) => Ok(Arrived::InProgress),
            Ok(Verdict::Held) => Ok(hold(&mut self.cache)),
            Err(refused) => Err(refused),
        })
    }
}

impl Endable for Arc<Session> {
    fn is_idle(&self) -> bool {
        // What the table has, and no connection. Who holds it may only let go: another hold takes the table's lock.
        Arc::strong_count(self) == 1 && self.state.lock().cache.is_idle()
    }
}

thread_local! {
    /// For one call after the other: to make it anew each time would take longer than most of what it is for.
    static PROGRESS: RefCell<Progress<Unparker>> = const { RefCell::new(Progress::new()) };
}

/// Does `f`, which leaves nothing in it.
#[inline]
fn with_progress<R>(f: impl FnOnce(&mut Progress<Unparker>) -> R) -> R {
    PROGRESS.with_borrow_mut(f)
}

impl Held {
    /// As [`arrive`](store::Session::arrive), of what is not the next call of a client whose last one has ended.
    #[inline(never)]
    fn arrive_otherwise(
        &self,
        sessions: &Sessions,
        mut state: MutexGuard<'_, State>,
        ended: Option<Ended<'_>>,
        arrival: Arrival,
        out: &mut Vec<u8>,
    ) -> Result<Arrived, Refused> {
        let (arrived, told) = with_progress(|progress| {
            if let Some(Ended { xid, reply, has_run }) = ended
                && let Some(attached) = state.cache.finish(xid, reply, has_run, progress)
                && !attached.is_empty()
            {
                progress.orphaned.extend(attached);
            }
            let arrived = state.arrive(arrival, progress, out, |_| Arrived::InProgress);
            let concerns_others = state.cache.beside().is_some() || !progress.orphaned.is_empty();
            (arrived, concerns_others.then(|| state.tell(progress)))
        });
        drop(state);
        if let Some(told) = told {
            told.ring();
        }
        arrived.unwrap_or_else(|| Err(self.replaced(sessions)))
    }

    /// Why nothing arrives in a session that is over.
    #[cold]
    fn replaced(&self, sessions: &Sessions) -> Refused {
        Refused::WrongIncarnation { current: sessions.table.lock().incarnation(self.at) }
    }
}

impl store::Session<Sessions> for Held {
    #[inline(always)] // Into the way of a call: what is told and answered need not go through memory.
    fn arrive(
        &self,
        sessions: &Sessions,
        ended: Option<Ended<'_>>,
        arrival: Arrival,
        out: &mut Vec<u8>,
    ) -> Result<Arrived, Refused> {
        let mut state = self.session.state.lock();
        let is_finished = ended.is_none_or(|ended| state.cache.finish_alone(ended.xid, ended.reply));
        if is_finished && !state.cache.is_over() && state.cache.arrive_next(&arrival) {
            return Ok(Arrived::New);
        }
        self.arrive_otherwise(sessions, state, ended.filter(|_| !is_finished), arrival, out)
    }

    fn set_aside(&self, first_incomplete: Xid, wanted: &[Xid]) -> Result<(), Malformed> {
        let what = "sets aside as many calls as the window has";
        let set_aside = self.then_ring(|state, progress| {
            (state.cache.set_aside(first_incomplete, wanted, progress), state.tell(progress))
        });
        set_aside.map_err(|_| Malformed::Body { kind: Kind::Acknowledge, what })
    }

    fn wait(
        &self,
        sessions: &Sessions,
        arrival: Arrival,
        deadline: Option<Instant>,
        out: &mut Vec<u8>,
    ) -> Result<Result<Waited, Refused>, StillRuns> {
        loop {
            while self.session.state.lock().cache.attach(arrival.xid, park::current()).is_ok() {
                let waited = park::wait(Reason::Call, deadline);
                // However it ended: who is still attached would be woken later, in whatever it does then.
                self.session.state.lock().cache.detach(arrival.xid, Unparker::is_current);
                waited.map_err(|_| StillRuns)?;
            }
            match self.arrive(sessions, None, arrival, out) {
                Ok(Arrived::Done) => return Ok(Ok(Waited::Answered)),
                Ok(Arrived::New) => return Ok(Ok(Waited::Abandoned)),
                // Another copy was faster.
                Ok(Arrived::InProgress | Arrived::Held { .. }) => {}
                Err(refused) => return Ok(Err(refused)),
            }
        }
    }

    fn finish(&self, ended: Ended<'_>) {
        let Ended { xid, reply, has_run } = ended;
        let mut state = self.session.state.lock();
        let (attached, told) = with_progress(|progress| {
            let attached = state.cache.finish(xid, reply, has_run, progress);
            (attached, state.cache.beside().is_some().then(|| state.tell_of_end(xid, progress)))
        });
        drop(state);
        attached.iter().flatten().for_each(Unparker::unpark);
        told.into_iter().for_each(Told::ring);
    }

    fn arrive_in_lane(
        &self,
        sessions: &Sessions,
        arrival: Arrival,
        copy: (&Arc<Waiting>, usize),
        out: &mut Vec<u8>,
    ) -> Result<Arrived, Refused> {
        self.arrive_in_order(sessions, arrival, copy, out)
    }

    fn give_up(&self, xid: Xid, waiting: &Waiting, reply: &[u8]) -> GivenUp {
        self.give_up_copy(xid, waiting, reply)
    }

    fn cancel(&self, xid: Xid, waiting: &Waiting, reply: &[u8]) {
        self.cancel_held(xid, waiting, reply);
    }

    fn pass_over(&self, arrival: Arrival, reply: &[u8]) {
        self.pass_over_unseen(arrival, reply);
    }

    fn let_go(&self, xid: Xid, waiting: &Waiting) {
        self.let_go_of(xid, waiting);
    }

    fn abandon(&self, xid: Xid) {
        self.abandon_running(xid);
    }

    fn leave(&self, sessions: &Sessions) {
        let now = clock::now();
        let mut table = sessions.table.lock();
        // From now on the lease runs; unless the session has been replaced.
        table.renew(self.at, now, |session| Arc::ptr_eq(session, &self.session));
        // Also where nobody opens sessions any more, those whose time is up go.
        let ended = table.end_expired(now);
        drop(table);
        drop(ended);
    }
}

/// Puts a reply that was kept in `out`.
fn copy(reply: &[u8], out: &mut Vec<u8>) {
    if out.capacity() == 0 {
        *out = scratch::take();
    }
    out.extend_from_slice(reply);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server has one for each client, connected or not, for as long as the lease lasts.
    #[test]
    fn a_session_is_small() {
        assert!(size_of::<Session>() <= 88, "{}", size_of::<Session>());
    }
}
