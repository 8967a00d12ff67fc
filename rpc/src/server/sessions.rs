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

use std::cell::RefCell;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fibra_scheduler::clock;
use fibra_scheduler::park::{self, Reason, Unparker};
use parking_lot::Mutex;

use super::replies::Ended;
use super::store::{self, Arrived, StillRuns, Store};
use crate::limits::{SERVER_REPLY_BYTES_MAX, SESSION_REPLY_BYTES_MAX};
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
    table: Mutex<table::Sessions<Arc<Session>>>,
}

/// One client's.
struct Session {
    cache: Mutex<ReplyCache<Unparker>>,
}

/// A connection's hold on its session.
pub(super) struct Held {
    sessions: Arc<Sessions>,
    session: Arc<Session>,
    at: At,
}

impl Sessions {
    pub(super) fn new(window_max: usize, lease: Duration) -> Self {
        let bounds = Bounds { lease, ..Bounds::default() };
        let table = Mutex::new(table::Sessions::new(bounds));
        let pool = Pool::new(SERVER_REPLY_BYTES_MAX, SESSION_REPLY_BYTES_MAX);
        Self { incarnation: random::bits().max(1), window_max, lease, pool, table }
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
            replaced.cache.lock().end();
        }
        let window = session.cache.lock().window();
        let opened = Opened {
            resumed,
            incarnation: self.incarnation,
            window: u16::try_from(window).unwrap_or(u16::MAX),
            lease: u32::try_from(self.lease.as_millis()).unwrap_or(u32::MAX),
        };
        Ok((Held { sessions: Arc::clone(self), session, at }, opened))
    }
}

impl Session {
    fn new(window: usize, pool: &Pool) -> Self {
        let cache = ReplyCache::sharing(window, Allowance::new(pool.clone()));
        Self { cache: Mutex::new(cache) }
    }
}

impl Endable for Arc<Session> {
    fn is_idle(&self) -> bool {
        // What the table has, and no connection. Who holds it may only let go: another hold takes the table's lock.
        Arc::strong_count(self) == 1 && self.cache.lock().is_idle()
    }
}

thread_local! {
    /// For one call after the other: to make it anew each time would take longer than most of what it is for.
    static PROGRESS: RefCell<Progress<Unparker>> = const { RefCell::new(Progress::new()) };
}

/// Does `f`; what it returns, and who is to be woken, if there is anybody. There are no lanes on the wire yet, so nothing is ever held back, released
/// or dropped.
#[inline]
fn with_progress<R>(f: impl FnOnce(&mut Progress<Unparker>) -> R) -> (R, Option<Vec<Unparker>>) {
    PROGRESS.with_borrow_mut(|progress| {
        let result = f(progress);
        let orphaned = (!progress.orphaned.is_empty()).then(|| mem::take(&mut progress.orphaned));
        (result, orphaned)
    })
}

impl Held {
    /// Why nothing arrives in a session that is over.
    #[cold]
    fn replaced(&self) -> Refused {
        Refused::WrongIncarnation { current: self.sessions.table.lock().incarnation(self.at) }
    }
}

impl store::Session for Held {
    fn arrive(&self, ended: Option<Ended<'_>>, arrival: Arrival, out: &mut Vec<u8>) -> Result<Arrived, Refused> {
        let mut cache = self.session.cache.lock();
        let (arrived, orphaned) = with_progress(|progress| {
            if let Some(Ended { xid, reply, has_run }) = ended
                && let Some(attached) = cache.finish(xid, reply, has_run, progress)
                && !attached.is_empty()
            {
                progress.orphaned.extend(attached);
            }
            if cache.is_over() {
                return None;
            }
            Some(match cache.arrive(arrival, progress) {
                Ok(Verdict::New) => Ok(Arrived::New),
                Ok(Verdict::Done(reply)) => {
                    *out = scratch::take();
                    out.extend_from_slice(reply);
                    Ok(Arrived::Done)
                }
                Ok(Verdict::Held | Verdict::InProgress) => Ok(Arrived::InProgress),
                Err(refused) => Err(refused),
            })
        });
        drop(cache);
        if let Some(orphaned) = orphaned {
            orphaned.iter().for_each(Unparker::unpark);
        }
        arrived.unwrap_or_else(|| Err(self.replaced()))
    }

    fn set_aside(&self, first_incomplete: Xid, wanted: &[Xid]) -> Result<(), Malformed> {
        let what = "sets aside as many calls as the window has";
        let mut cache = self.session.cache.lock();
        let (set_aside, orphaned) = with_progress(|progress| cache.set_aside(first_incomplete, wanted, progress));
        drop(cache);
        orphaned.iter().flatten().for_each(Unparker::unpark);
        set_aside.map_err(|_| Malformed::Body { kind: Kind::Acknowledge, what })
    }

    fn wait(
        &self,
        arrival: Arrival,
        deadline: Option<Instant>,
        out: &mut Vec<u8>,
    ) -> Result<Result<(), Refused>, StillRuns> {
        while self.session.cache.lock().attach(arrival.xid, park::current()).is_ok() {
            let waited = park::wait(Reason::Call, deadline);
            // However it ended: who is still attached would be woken later, in whatever it does then.
            self.session.cache.lock().detach(arrival.xid, Unparker::is_current);
            waited.map_err(|_| StillRuns)?;
        }
        match self.arrive(None, arrival, out) {
            Ok(Arrived::Done) => Ok(Ok(())),
            // Whatever arrived is finished, so it is not new; and nothing else is told than what is certain.
            Ok(Arrived::New | Arrived::InProgress) => Err(StillRuns),
            Err(refused) => Ok(Err(refused)),
        }
    }

    fn finish(&self, ended: Ended<'_>) {
        let Ended { xid, reply, has_run } = ended;
        let mut cache = self.session.cache.lock();
        let (attached, _) = with_progress(|progress| cache.finish(xid, reply, has_run, progress));
        drop(cache);
        attached.iter().flatten().for_each(Unparker::unpark);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let now = clock::now();
        let mut table = self.sessions.table.lock();
        // From now on the lease runs; unless the session has been replaced.
        table.renew(self.at, now, |session| Arc::ptr_eq(session, &self.session));
        // Also where nobody opens sessions any more, those whose time is up go.
        let ended = table.end_expired(now);
        drop(table);
        drop(ended);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server has one for each client, connected or not, for as long as the lease lasts.
    #[test]
    fn a_session_is_small() {
        assert!(size_of::<Session>() <= 136, "{}", size_of::<Session>());
    }
}
