//! Calls of a connection that have a place in a lane: run when their turn has come, until then held back, given up, or let go.
//!
//! A thread that serves a connection of its own waits where it is: nothing else of the connection could go on meanwhile in any case.
//!
//! Invariant: a call that is held ends in one of these ways, whatever happens to its connection; else its session would never end.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use fibra_scheduler::park::{self, Reason};
use fibra_scheduler::{cancel, clock};

use super::turn::answered;
use super::{Connection, Desk, End, Role, Step};
use crate::limits::SESSION_HELD_MAX;
use crate::scratch;
use crate::server::handler::{self, Refusal};
use crate::server::held::{self, Bell, Due, Fate, HeldCall, HeldCalls, Waiting};
use crate::server::registry::Hint;
use crate::server::replies::Ended;
use crate::server::store::{self, Arrived, GivenUp, Session, StillRuns, Waited};
use crate::session::fingerprint::hash;
use crate::session::{Arrival, Refused, Xid};
use crate::wire::frame::Call;

impl Connection {
    /// Runs, refuses, repeats or holds back a call that has a place in a lane.
    #[inline(never)]
    pub(super) fn take_ordered(self: &Rc<Self>, role: &mut Role, desk: &mut Desk, call: Call) -> Result<Step, End> {
        let Some(reader) = role else { return Ok(Step::HandedOver) };
        let (xid, read_at) = (call.xid, reader.read_at());
        // One thing after the other: what has ended may be what this call comes after.
        if let Some(ended) = reader.replies.take_ended() {
            self.session.finish(ended);
        }
        let arrival = Arrival { turn: call.turn(), ..store::arrival(&call, hash(&call.method)) };
        if reader.is_cancelled(xid) {
            self.glitches.earn(1);
            // Those behind it need not wait for it.
            let reply = self.cancelled(xid);
            self.session.pass_over(arrival, &reply);
            scratch::give(reply);
            return Ok(Step::Done);
        }
        let deadline = reader.deadline(&call);
        let refusal = match self.arrive_in_lane(&call, arrival, deadline, &mut desk.out) {
            Ok(Arrived::New) => {
                self.glitches.earn(1);
                let now = clock::now();
                let refusal = if self.context().stage.is_refusing() {
                    Some(Refusal::Draining)
                } else if reader.is_late_at(now) {
                    self.refuses_late(reader, now, call.timeout, deadline)
                } else {
                    None
                };
                return self.run_in_turn(role, desk, (call, deadline), now, refusal);
            }
            Ok(Arrived::Held { again: false, .. }) => {
                self.glitches.earn(1);
                return Ok(answered(role, &mut desk.out, None));
            }
            Ok(Arrived::Held { again: true, .. }) => None,
            Ok(Arrived::Done) => {
                self.count(|shard| shard.replay());
                None
            }
            Ok(Arrived::InProgress) if self.has_to_postpone() => {
                reader.decoder().put_back(&call);
                return Ok(Step::Postponed);
            }
            Ok(Arrived::InProgress) => {
                self.glitches.spend(read_at)?;
                self.count(|shard| shard.attach());
                let copy = HeldCall::copy(&call);
                // The input buffer is not held meanwhile.
                drop(call);
                return self.attach_in_lane(role, desk, (copy, deadline), arrival);
            }
            Err(refused) => Some(Refusal::Session(refused)),
        };
        self.glitches.spend(read_at)?;
        if let Some(refusal) = refusal {
            self.refuse(xid, false, refusal, &mut desk.out);
        }
        Ok(answered(role, &mut desk.out, None))
    }

    /// Runs a call whose turn has come, unless there is a reason not to.
    fn run_in_turn(
        self: &Rc<Self>,
        role: &mut Role,
        desk: &mut Desk,
        (mut call, deadline): (Call, Option<Instant>),
        now: Instant,
        refusal: Option<Refusal>,
    ) -> Result<Step, End> {
        let xid = call.xid;
        let refusal = if deadline.is_some_and(|deadline| deadline <= now) {
            Some(Refusal::Expired)
        } else if self.is_full() {
            Some(Refusal::InFlight(self.context().limits.in_flight))
        } else if let Some(max) = self.context().load.is_full() {
            Some(Refusal::Waiting(max))
        } else {
            refusal
        };
        if let Some(refusal) = refusal {
            self.refuse(xid, false, refusal, &mut desk.out);
            return Ok(answered(role, &mut desk.out, Some((xid, false))));
        }
        let Desk { request, out } = desk;
        self.run_to_park(role, xid, out, |out| {
            let serving = self.serving(now);
            let method = serving.registry.named(&call.method, Hint::NONE);
            let ran = cancel::with_deadline(deadline, || {
                handler::run(serving, &mut call, method, request, deadline, None, out)
            });
            Some(ran.has_run)
        })
    }

    /// Waits for the answer to a call that runs already. Should that be let go before it runs, runs this copy.
    fn attach_in_lane(
        self: &Rc<Self>,
        role: &mut Role,
        desk: &mut Desk,
        (mut call, deadline): (Call, Option<Instant>),
        arrival: Arrival,
    ) -> Result<Step, End> {
        let Desk { request, out } = desk;
        self.run_to_park(role, arrival.xid, out, |out| {
            let refusal = match self.session.wait(&self.context().sessions, arrival, deadline, out) {
                Ok(Ok(Waited::Answered)) => return None,
                Ok(Ok(Waited::Abandoned)) if deadline.is_some_and(|deadline| deadline <= clock::now()) => {
                    // It is this copy's to answer now, and its time went by while it waited.
                    self.refuse(arrival.xid, false, Refusal::Expired, out);
                    return Some(false);
                }
                Ok(Ok(Waited::Abandoned)) => {
                    let serving = self.serving(clock::now());
                    let method = serving.registry.named(&call.method, Hint::NONE);
                    let ran = cancel::with_deadline(deadline, || {
                        handler::run(serving, &mut call, method, request, deadline, None, out)
                    });
                    return Some(ran.has_run);
                }
                Ok(Err(refused)) => Refusal::Session(refused),
                Err(StillRuns) => Refusal::InProgress,
            };
            self.refuse(arrival.xid, false, refusal, out);
            None
        })
    }

    /// A call arrives. If it is [held](Arrived::Held), all that there is to do has been done: the answer is in `out` if it is a refusal.
    fn arrive_in_lane(
        &self,
        call: &Call,
        arrival: Arrival,
        deadline: Option<Instant>,
        out: &mut Vec<u8>,
    ) -> Result<Arrived, Refused> {
        let held = self.place.get().and_then(|(dispatch, key)| {
            let set = dispatch.upgrade()?.line_of();
            Some(self.extras().held.get_or_init(|| Box::new(HeldCalls::new(Bell::of_line(set, *key)))))
        });
        let bell = held.map_or_else(|| Bell::of_thread(park::current()), |held| Arc::clone(&held.bell));
        let waiting = Arc::new(Waiting::new(bell));
        let arrived =
            self.session.arrive_in_lane(&self.context().sessions, arrival, (&waiting, HeldCall::bytes(call)), out);
        let Ok(Arrived::Held { is_full, again }) = arrived else { return arrived };
        let give_up_at = held::give_up_at(call.timeout, deadline);
        let refusal = if is_full && again {
            self.refuse(arrival.xid, false, Refusal::InProgress, out);
            return arrived;
        } else if is_full {
            Refusal::HeldBack(SESSION_HELD_MAX)
        } else if self.context().stage.is_refusing() {
            Refusal::Draining
        } else if give_up_at.is_some_and(|give_up_at| give_up_at <= clock::now()) {
            Refusal::NotItsTurn
        } else if let Some(held) = held {
            held.add(HeldCall::new(call, arrival, deadline, waiting));
            self.set_alarm(held);
            return arrived;
        } else {
            return self.wait_for_turn(arrival, &waiting, give_up_at, out).unwrap_or(arrived);
        };
        self.refuse(arrival.xid, false, refusal, out);
        if is_full {
            self.session.finish(Ended { xid: arrival.xid, reply: out, has_run: false });
        } else if self.session.give_up(arrival.xid, &waiting, out) != GivenUp::Answered {
            // It is held elsewhere, too, or over.
            out.clear();
            self.refuse(arrival.xid, false, Refusal::InProgress, out);
        }
        arrived
    }

    /// Has a thread wait until it is decided what becomes of a call, or its time is up. `None`: it has been answered, in `out`.
    fn wait_for_turn(
        &self,
        arrival: Arrival,
        waiting: &Waiting,
        give_up_at: Option<Instant>,
        out: &mut Vec<u8>,
    ) -> Option<Result<Arrived, Refused>> {
        loop {
            match waiting.fate() {
                Fate::Waits if park::wait(Reason::Call, give_up_at).is_ok() => {}
                Fate::Waits => {
                    self.refuse(arrival.xid, false, Refusal::NotItsTurn, out);
                    let given_up = self.session.give_up(arrival.xid, waiting, out);
                    if given_up == GivenUp::Answered {
                        return None;
                    }
                    out.clear();
                    if given_up == GivenUp::Copy {
                        self.refuse(arrival.xid, false, Refusal::InProgress, out);
                        return None;
                    }
                }
                Fate::Released => return Some(Ok(Arrived::New)),
                Fate::Over => return Some(self.session.arrive(&self.context().sessions, None, arrival, out)),
                Fate::Copied => return Some(Ok(Arrived::InProgress)),
            }
        }
    }

    /// Nobody waits any more for that call, if it is held.
    pub(super) fn cancel_held(&self, xid: Xid) {
        let Some(held) = self.held().and_then(|held| held.take(xid)) else { return };
        let reply = self.cancelled(xid);
        self.session.cancel(xid, &held.waiting, &reply);
        scratch::give(reply);
    }

    /// What a copy would be told.
    fn cancelled(&self, xid: Xid) -> Vec<u8> {
        let mut reply = Vec::new();
        self.refuse(xid, false, Refusal::Cancelled, &mut reply);
        reply
    }

    /// Who has the next turn looks after what is held.
    pub(super) fn pass_held_on(&self) {
        if let Some(held) = self.held() {
            held.pass_on();
        }
    }

    /// Whether something waits for its turn.
    pub(super) fn holds_any(&self) -> bool {
        self.held().is_some_and(|held| !held.is_empty())
    }

    /// Runs the held calls whose turn has come, and answers those whose time is up.
    ///
    /// # Errors
    ///
    /// As for any call.
    #[inline]
    pub(super) fn take_held(self: &Rc<Self>, role: &mut Role, desk: &mut Desk) -> Result<Step, End> {
        match self.held() {
            Some(held) if held.attend() => self.take_due(role, desk, held),
            _ => Ok(Step::Done),
        }
    }

    #[cold]
    fn take_due(self: &Rc<Self>, role: &mut Role, desk: &mut Desk, held: &HeldCalls) -> Result<Step, End> {
        let mut step = Ok(Step::Done);
        let mut now = look_at_clock(role);
        while let Some(due) = held.next_due(now) {
            step = self.take_one(role, desk, due);
            now = look_at_clock(role);
            match step {
                Ok(Step::Done) if role.as_ref().is_some_and(|reader| !reader.turn_is_over()) => {}
                // Who has the role now looks after the others.
                Ok(Step::HandedOver) => break,
                _ => {
                    held.leave();
                    break;
                }
            }
            // It may be what the next one waits for.
            if let Some(ended) = role.as_mut().and_then(|reader| reader.replies.take_ended()) {
                self.session.finish(ended);
            }
        }
        self.set_alarm(held);
        step
    }

    fn take_one(self: &Rc<Self>, role: &mut Role, desk: &mut Desk, due: Due) -> Result<Step, End> {
        match due {
            Due::Decided(HeldCall { call, deadline, .. }, Fate::Released) => {
                return self.run_in_turn(role, desk, (call, deadline), clock::now(), None);
            }
            // It may have been decided just now: then there is another look.
            Due::Expired(held) => {
                let xid = held.call.xid;
                self.refuse(xid, false, Refusal::NotItsTurn, &mut desk.out);
                match self.session.give_up(xid, &held.waiting, &desk.out) {
                    GivenUp::Answered => {}
                    GivenUp::Copy => {
                        desk.out.clear();
                        self.refuse(xid, false, Refusal::InProgress, &mut desk.out);
                    }
                    GivenUp::Decided => {
                        desk.out.clear();
                        let fate = held.waiting.fate();
                        return self.take_one(role, desk, Due::Decided(held, fate));
                    }
                }
            }
            Due::Decided(held, Fate::Over) => {
                match self.session.arrive(&self.context().sessions, None, held.arrival, &mut desk.out) {
                    // By another connection's cancel.
                    Ok(Arrived::Done) => {}
                    // It was let go for one behind it, which has not run either: its connection was lost.
                    Ok(Arrived::New) => {
                        return self.run_in_turn(role, desk, (held.call, held.deadline), clock::now(), None);
                    }
                    // Likewise, and another copy of it was faster.
                    Ok(Arrived::InProgress | Arrived::Held { .. }) => {
                        return self.take_one(role, desk, Due::Decided(held, Fate::Copied));
                    }
                    Err(refused) => self.refuse(held.arrival.xid, false, Refusal::Session(refused), &mut desk.out),
                }
            }
            Due::Decided(HeldCall { call, arrival, deadline, .. }, _) if !self.is_full() => {
                return self.attach_in_lane(role, desk, (call, deadline), arrival);
            }
            Due::Decided(held, _) => self.refuse(held.call.xid, false, Refusal::InProgress, &mut desk.out),
        }
        Ok(answered(role, &mut desk.out, None))
    }

    /// Lets go of all that is held: the connection has ended.
    pub(super) fn forget_held(&self) {
        let Some(held) = self.held() else { return };
        for HeldCall { call, waiting, .. } in held.take_all() {
            self.session.let_go(call.xid, &waiting);
        }
        self.set_alarm(held);
    }

    /// Has the worker ring when the first of the held calls is to be given up.
    fn set_alarm(&self, held: &HeldCalls) {
        let earliest = held.earliest();
        let before = held.alarm.replace(earliest);
        if before != earliest
            && let Some((dispatch, key)) = self.place.get()
            && let Some(dispatch) = dispatch.upgrade()
        {
            dispatch.set_alarm(*key, before, earliest);
        }
    }

    /// The worker's alarm for this connection has gone off.
    pub(in crate::server) fn alarmed(&self) {
        if let Some(held) = self.held() {
            held.alarm.set(None);
            held.bell.ring();
        }
    }
}

/// What time it is; from then on it is known, too, whether the turn has taken long.
fn look_at_clock(role: &mut Role) -> Instant {
    role.as_mut().map_or_else(clock::now, |reader| reader.now_exactly())
}
