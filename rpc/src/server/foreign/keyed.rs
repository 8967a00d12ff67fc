//! A call with a key: it runs at most once, however often and on however many connections its client sends it, by the sessions of the native protocol.
//!
//! | key | session | xid |
//! |---|---|---|
//! | a client's name and a number | that client's | the number |
//! | an idempotency key | its own | 1; of the requests of a batch 1, 2, ... |
//!
//! A call that is refused for want of capacity or time is not kept, unlike a native one: clients of these protocols send it again under the same key.
//!
//! Invariants:
//! * A session is that of a name together with its secret; none of the native protocol's is reached by a name.
//! * The session is held for as long as the call takes, so it does not end meanwhile.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::time::Instant;

use fibra_scheduler::park;

use super::call::Admitted;
use super::{Foreign, Room, Turn};
use crate::dialect::answer::{Answer, Failure};
use crate::dialect::beside::Key;
use crate::server::handler::Refusal;
use crate::server::replies::Ended;
use crate::server::store::{Arrived, Chosen, ChosenSession, Session, Store, Waited};
use crate::session::fingerprint::{hash, of_call};
use crate::session::reply_cache::Arrival;
use crate::session::{Refused, table};
use crate::wire::failure::Code;
use crate::wire::frame::{Call, Open};

/// Incarnation of sessions that are known by a name alone.
const INCARNATION: u64 = 1;

/// Set before the secret of such a session, so that none has the secret of a native client that draws its own.
const SECRET_PREFIX: &[u8] = b"foreign\0";

impl Foreign {
    /// As [`admit_and_run`](Self::admit_and_run), once for all copies of a call. An answer: there is no session for it.
    pub(super) fn run_once(&self, mut call: Call, key: &Key, turn: Turn, out: &mut Vec<u8>) -> Result<(), Answer> {
        let store = &*self.context.sessions;
        let hold = match self.context.sessions.open(&open(key)) {
            Ok((session, _)) => Hold { session, store },
            Err(unopened) => return Err(self.unopened(unopened)),
        };
        let session = &hold.session;
        call.xid = key.xid;
        let fingerprint = of_call(hash(&call.method), &call.args);
        let arrival = Arrival { xid: key.xid, first_incomplete: key.first_incomplete, fingerprint, turn: None };
        let deadline = turn.read_at.checked_add(call.timeout);
        let arrived = match session.arrive(store, None, arrival, out) {
            Ok(Arrived::InProgress | Arrived::Held { .. }) => {
                match self.wait_for_copy(session, arrival, turn, deadline, out) {
                    Ok(Waited::Answered) => return Ok(()),
                    // That one was refused; this one may run.
                    Ok(Waited::Abandoned) => Ok(Arrived::New),
                    Err(refusal) => Err(refusal),
                }
            }
            arrived => arrived.map_err(Refusal::Session),
        };
        match arrived {
            Ok(Arrived::New) => match self.admit_and_run(&mut call, turn, out) {
                Admitted::Refused => session.abandon(key.xid),
                Admitted::Run { has_run } => session.finish(Ended { xid: key.xid, reply: out, has_run }),
            },
            Ok(_) => {
                if let Some(shard) = &self.shard {
                    shard.replay();
                }
            }
            Err(refusal) => self.refuse(&call, refusal, out),
        }
        Ok(())
    }

    /// Waits for the answer to a copy that runs.
    ///
    /// # Errors
    ///
    /// Why there is none.
    fn wait_for_copy(
        &self,
        session: &ChosenSession,
        arrival: Arrival,
        turn: Turn,
        deadline: Option<Instant>,
        out: &mut Vec<u8>,
    ) -> Result<Waited, Refusal> {
        if turn.room != Room::Some {
            return Err(Refusal::InProgress);
        }
        if let Some(shard) = &self.shard {
            shard.attach();
        }
        let mut waits = None;
        let mut parks = || waits = Some(self.context.load.waits());
        match park::on_first_park(&mut parks, || session.wait(&self.context.sessions, arrival, deadline, out)) {
            Ok(waited) => waited.map_err(Refusal::Session),
            Err(_) => Err(Refusal::InProgress),
        }
    }

    fn unopened(&self, unopened: table::Unopened) -> Answer {
        let (code, message) = match unopened {
            table::Unopened::Full { max } => (Code::Overloaded, format!("there are {max} sessions")),
            table::Unopened::Refused(refused @ Refused::NotYours) => (Code::Denied, refused.to_string()),
            table::Unopened::Refused(refused) => (Code::SessionEnded, refused.to_string()),
        };
        if let Some(shard) = &self.shard {
            shard.refuse(code);
        }
        Failure::new(code, message).into()
    }
}

/// A session, held until this is dropped.
struct Hold<'a> {
    session: ChosenSession,
    store: &'a Chosen,
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.session.leave(self.store);
    }
}

fn open(key: &Key) -> Open {
    // Names may be chosen by anybody, and are of any length: what they are in the table nobody can foresee.
    static KEYS: LazyLock<[RandomState; 2]> = LazyLock::new(|| [RandomState::new(), RandomState::new()]);
    let [high, low] = [0, 1].map(|half: usize| KEYS[half].hash_one(&key.client));
    let client = (u128::from(high) << 64 | u128::from(low)).to_be_bytes();
    let secret = [SECRET_PREFIX, &key.secret].concat();
    Open { client, incarnation: INCARNATION, server: 0, window: u16::MAX, secret: secret.into() }
}
