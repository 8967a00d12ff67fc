//! Where the sessions of a server are kept: what the server asks of it, so that another kind can take the place of the one in memory.
//!
//! The seam is the session: a store is asked for one as a connection opens; from then on the connection has that session's own, and each call is
//! that one's. Which store it is, is [chosen](Chosen) as the server is compiled, so the way of a call has no indirection for it.
//!
//! What a store has to keep to, and the tests here hold any against:
//! * An xid is [`New`](Arrived::New) once in a session, whatever arrives, in whatever order, on whichever of its connections.
//! * What a call was [finished](Session::finish) with is what every later copy gets, byte for byte; or it is told that there is no answer any more, never
//!   that it has not run. A store that outlives its process must have written that down before `finish` returns: the reply leaves behind it.
//! * A session is its principal's alone.
//! * A server that has lost what it kept calls itself by another incarnation, and makes no session for a client that names the one before.

use std::sync::Arc;
use std::time::Instant;

use super::held::Waiting;
use super::replies::Ended;
use super::sessions::Sessions;
use crate::session::fingerprint::of_call;
use crate::session::reply_cache::Arrival;
use crate::session::table::Unopened;
use crate::session::{Refused, Xid};
use crate::wire::frame::{Call, Open, Opened};
use crate::wire::header::Malformed;

/// The store of servers: in memory.
pub(super) type Chosen = Sessions;

/// A connection's hold on its session in that store.
pub(super) type ChosenSession = <Chosen as Store>::Session;

/// See the [module](self).
pub(super) trait Store {
    /// What a connection has of it, until it [leaves](Session::leave) that.
    type Session: Session<Self>;

    /// Opens the session that a client asks for.
    ///
    /// # Errors
    ///
    /// Why it cannot have one.
    fn open(self: &Arc<Self>, open: &Open) -> Result<(Self::Session, Opened), Unopened>;

    /// How many there are.
    fn len(&self) -> usize;
}

/// What an arriving call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrived {
    /// To be run, or refused, and then [finished](Session::finish).
    New,
    /// Answered before: the same bytes are in `out`.
    Done,
    /// On its way to an answer already: [wait](Session::wait) for that.
    InProgress,
    /// It has to wait for its turn in a lane.
    Held {
        /// A copy of it did so before.
        again: bool,
        /// There is no room for it: to be refused, and, if it is the only copy, [finished](Session::finish).
        is_full: bool,
    },
}

/// What came of waiting for a call in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waited {
    /// It has been answered.
    Answered,
    /// It was [let go](Session::let_go) before it ran: this copy is as new, to be run or [abandoned](Session::abandon).
    Abandoned,
}

/// What giving up a held call has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GivenUp {
    /// It has the answer that it was given.
    Answered,
    /// Other copies of it are still held.
    Copy,
    /// It had been decided otherwise.
    Decided,
}

/// Its time was up while the run that it was to wait for went on.
#[derive(Clone, Copy, Debug)]
pub(super) struct StillRuns;

/// What a call of a session says of itself, whose method's name has this hash.
#[inline]
pub(super) fn arrival(call: &Call, method: u64) -> Arrival {
    let fingerprint = of_call(method, &call.args);
    Arrival { xid: call.xid, first_incomplete: call.first_incomplete(), fingerprint, turn: None }
}

/// A connection's hold on its session, in a word and a half: so it is told which store that is in, where that matters.
pub(super) trait Session<S: ?Sized> {
    /// A call of the session arrives, after another has `ended`. If it has been answered, that reply is put in `out`.
    ///
    /// # Errors
    ///
    /// Why it is neither run nor answered.
    fn arrive(
        &self,
        store: &S,
        ended: Option<Ended<'_>>,
        arrival: Arrival,
        out: &mut Vec<u8>,
    ) -> Result<Arrived, Refused>;

    /// The client acknowledges whatever comes before `first_incomplete`, but for those that are `wanted`.
    ///
    /// # Errors
    ///
    /// [`Malformed`]: these are more than it may have set aside.
    fn set_aside(&self, first_incomplete: Xid, wanted: &[Xid]) -> Result<(), Malformed>;

    /// Waits for the answer to a call in progress, and puts it in `out`.
    ///
    /// # Errors
    ///
    /// [`StillRuns`] at `deadline`, or if the caller is cancelled; else, within, why there is no answer any more.
    fn wait(
        &self,
        store: &S,
        arrival: Arrival,
        deadline: Option<Instant>,
        out: &mut Vec<u8>,
    ) -> Result<Result<Waited, Refused>, StillRuns>;

    /// A new call has got its answer.
    fn finish(&self, ended: Ended<'_>);

    /// As [`arrive`](Self::arrive), of a call of a lane, of so many bytes. If it is held, `copy` tells what becomes of it.
    ///
    /// # Errors
    ///
    /// Why it is neither run, nor held, nor answered.
    fn arrive_in_lane(
        &self,
        store: &S,
        arrival: Arrival,
        copy: (&Arc<Waiting>, usize),
        out: &mut Vec<u8>,
    ) -> Result<Arrived, Refused>;

    /// A copy of a call is held no longer. If it was the only one, the call does not run, and has this answer.
    fn give_up(&self, xid: Xid, waiting: &Waiting, reply: &[u8]) -> GivenUp;

    /// Nobody waits for a held call any more: unless it has been decided otherwise, it does not run, and any copy has this answer.
    fn cancel(&self, xid: Xid, waiting: &Waiting, reply: &[u8]);

    /// A call of a lane comes that nobody waits for any more: it does not run.
    fn pass_over(&self, arrival: Arrival, reply: &[u8]);

    /// The connection that keeps a held call is gone: if the call comes again, it is new.
    fn let_go(&self, xid: Xid, waiting: &Waiting);

    /// Nobody runs a call that was to be run: if it comes again, it is new.
    fn abandon(&self, xid: Xid);

    /// The connection has ended, and asks nothing more. If it was the last of its client's, the session's lease begins.
    fn leave(&self, store: &S);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fibra_scheduler::clock;

    use super::*;

    /// What any store is held against, one that is new.
    fn keeps_to_the_contract<S: Store>(store: S) {
        let store = Arc::new(store);
        let open = Open { client: [1; 16], incarnation: 1, server: 0, window: 8, secret: b"ours".to_vec().into() };
        let (first, opened) = store.open(&open).expect("there is room");
        assert!(!opened.resumed && opened.incarnation != 0 && opened.window <= 8);
        let again = Open { server: opened.incarnation, ..open.clone() };
        let (second, resumed) = store.open(&again).expect("its own");
        assert!(resumed.resumed && resumed.incarnation == opened.incarnation);
        assert_eq!(store.len(), 1);

        let call = |xid| Arrival { xid, first_incomplete: 1, fingerprint: 7, turn: None };
        let answer = |xid, reply| Ended { xid, reply, has_run: true };
        let mut out = Vec::new();
        assert_eq!(first.arrive(&store, None, call(1), &mut out), Ok(Arrived::New));
        assert_eq!(second.arrive(&store, None, call(1), &mut out), Ok(Arrived::InProgress));
        let past = clock::now() - Duration::from_secs(1);
        assert!(second.wait(&store, call(1), Some(past), &mut out).is_err(), "it still runs");
        first.finish(answer(1, b"one"));
        assert_eq!(second.arrive(&store, None, call(1), &mut out), Ok(Arrived::Done));
        assert_eq!(std::mem::take(&mut out), b"one");
        assert_eq!(second.wait(&store, call(1), Some(past), &mut out).expect("it has ended"), Ok(Waited::Answered));
        assert_eq!(std::mem::take(&mut out), b"one");

        // What has ended is known before the next is looked at, though both are said at once.
        assert_eq!(first.arrive(&store, None, call(2), &mut out), Ok(Arrived::New));
        assert_eq!(first.arrive(&store, Some(answer(2, b"two")), call(2), &mut out), Ok(Arrived::Done));
        assert_eq!(std::mem::take(&mut out), b"two");

        let other = Arrival { fingerprint: 8, ..call(2) };
        assert_eq!(second.arrive(&store, None, other, &mut out), Err(Refused::Conflict));
        let acknowledged = Arrival { first_incomplete: 3, ..call(3) };
        assert_eq!(second.arrive(&store, None, acknowledged, &mut out), Ok(Arrived::New));
        assert!(matches!(first.arrive(&store, None, call(1), &mut out), Err(Refused::Stale { .. })));
        assert!(out.is_empty());

        let thief = Open { secret: b"theirs".to_vec().into(), ..again.clone() };
        assert!(matches!(store.open(&thief).err(), Some(Unopened::Refused(Refused::NotYours))));
        let stranger = Open { client: [2; 16], ..again.clone() };
        assert!(store.open(&stranger).is_err(), "it names this server, and has nothing here");

        // It outlasts its connections.
        for left in [first, second] {
            left.leave(&store);
        }
        let (third, resumed) = store.open(&again).expect("its lease has just begun");
        assert!(resumed.resumed);
        assert!(matches!(third.arrive(&store, None, call(2), &mut out), Err(Refused::Stale { .. })));
        assert_eq!(third.arrive(&store, None, acknowledged, &mut out), Ok(Arrived::InProgress));
        let anew = Open { incarnation: 2, server: 0, ..open };
        let (fourth, opened) = store.open(&anew).expect("the client begins anew");
        assert!(!opened.resumed);
        assert!(matches!(third.arrive(&store, None, call(4), &mut out), Err(Refused::WrongIncarnation { current: 2 })));
        assert_eq!(fourth.arrive(&store, None, call(1), &mut out), Ok(Arrived::New));
    }

    #[test]
    fn the_one_in_memory() {
        keeps_to_the_contract(Sessions::new(8, Duration::from_secs(60)));
    }
}
