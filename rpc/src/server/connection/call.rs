//! One call on its connection: run, refused, or answered once more.
//!
//! Invariant: what is refused for a limit has been looked up before: a call that runs or has run is never said not to have.

use std::mem;
use std::rc::Rc;
use std::time::{Duration, Instant};

use fibra_scheduler::{cancel, clear_locals, park};

use super::super::accept::Context;
use super::super::handler::{self, Refusal, Serving};
use super::super::reader::Reader;
use super::super::replies::Ended;
use super::super::store::{self, Arrived, Session, StillRuns, Waited};
use super::turn::answered;
use super::{Connection, Desk, End, Role, Step};
use crate::metrics::Shard;
use crate::session::reply_cache::Arrival;
use crate::wire::frame::Call;

impl Connection {
    /// Runs, refuses or repeats a call. Leaves the role, unless the handler parked.
    #[inline(always)] // Where calls are taken from the input, so that they are not moved.
    pub(super) fn take_call(self: &Rc<Self>, role: &mut Role, desk: &mut Desk, mut call: Call) -> Result<Step, End> {
        if call.is_stream() {
            return self.take_stream(role, desk, call);
        }
        let Some(reader) = role else { return Ok(Step::HandedOver) };
        let (xid, one_way) = (call.xid, call.one_way);
        if reader.is_cancelled(xid) {
            // The cancel that overtook it is still to come.
            self.glitches.earn(1);
            return Ok(Step::Done);
        }
        let deadline = reader.deadline(&call);
        let in_session = call.in_session();
        let method = reader.named(&self.context().registry, &call.method);
        if in_session {
            let arrival = store::arrival(&call, method.hash);
            match self.session.arrive(&self.context().sessions, reader.replies.take_ended(), arrival, &mut desk.out) {
                Ok(Arrived::New) => {}
                Ok(Arrived::Done) => {
                    self.glitches.spend(reader.read_at())?;
                    self.count(|shard| shard.replay());
                    return Ok(answered(role, &mut desk.out, None));
                }
                Ok(Arrived::InProgress | Arrived::Held { .. }) => {
                    if self.has_to_postpone() {
                        // It cannot be refused: it runs.
                        reader.decoder().put_back(&call);
                        return Ok(Step::Postponed);
                    }
                    self.glitches.spend(reader.read_at())?;
                    self.count(|shard| shard.attach());
                    // The input buffer is not held meanwhile.
                    drop(call);
                    return self.attach(role, desk, one_way, arrival, deadline);
                }
                Err(refused) => {
                    self.glitches.spend(reader.read_at())?;
                    self.refuse(xid, one_way, Refusal::Session(refused), &mut desk.out);
                    return Ok(answered(role, &mut desk.out, None));
                }
            }
        } else if let Some(ended) = reader.replies.take_ended() {
            // This one may take long before it parks, if it ever does, and a copy of the other is not to wait for it.
            self.session.finish(ended);
        }
        self.glitches.earn(1);
        // What is counted is timed, too.
        let now = match &self.shard {
            None => reader.now(call.timeout),
            Some(shard) => {
                let now = reader.now_exactly();
                shard.queue(reader.waited(now));
                now
            }
        };
        let refusal = if deadline.is_some_and(|deadline| deadline <= now) {
            Some(Refusal::Expired)
        } else if self.context().stage.is_refusing() {
            Some(Refusal::Draining)
        } else if self.is_full() {
            Some(Refusal::InFlight(self.context().limits.in_flight))
        } else if let Some(max) = self.context().load.is_full() {
            Some(Refusal::Waiting(max))
        } else if reader.is_late() {
            self.refuses_late(reader, now, call.timeout, deadline)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            self.refuse(xid, one_way, refusal, &mut desk.out);
            return Ok(answered(role, &mut desk.out, in_session.then_some((xid, false))));
        }
        let Desk { request, out } = desk;
        self.run_to_park(role, xid, out, |out| {
            // What the handler waits for, its own calls included, ends when nobody waits for the handler any more.
            let ran = cancel::with_deadline(deadline, || {
                handler::run(self.serving(now), &mut call, method, request, deadline, None, out)
            });
            in_session.then_some(ran.has_run)
        })
    }

    /// Waits for the answer to a call that runs already.
    #[cold]
    pub(super) fn attach(
        self: &Rc<Self>,
        role: &mut Role,
        desk: &mut Desk,
        one_way: bool,
        arrival: Arrival,
        deadline: Option<Instant>,
    ) -> Result<Step, End> {
        self.run_to_park(role, arrival.xid, &mut desk.out, |out| {
            let refusal = match self.session.wait(&self.context().sessions, arrival, deadline, out) {
                Ok(Ok(Waited::Answered)) => return None,
                Ok(Ok(Waited::Abandoned)) => {
                    // A copy that says its lane will run.
                    self.session.abandon(arrival.xid);
                    Refusal::InProgress
                }
                Ok(Err(refused)) => Refusal::Session(refused),
                Err(StillRuns) => Refusal::InProgress,
            };
            self.refuse(arrival.xid, one_way, refusal, out);
            None
        })
    }

    /// Does what may park, and sends the reply that it leaves in `out`. Leaves the role, unless it parked. What it returns is for the
    /// session, if the call is of one: whether the reply says that it has run.
    #[inline(always)] // As `take_call`.
    pub(super) fn run_to_park(
        self: &Rc<Self>,
        role: &mut Role,
        xid: u64,
        out: &mut Vec<u8>,
        work: impl FnOnce(&mut Vec<u8>) -> Option<bool>,
    ) -> Result<Step, End> {
        self.in_flight.update(|count| count + 1);
        let mut waits = None;
        let mut pass_on = || {
            waits = Some(self.context().load.waits());
            *role = self.pass_on(xid, role.take());
        };
        let ended = park::on_first_park(&mut pass_on, || {
            let ended = work(out);
            // Other calls run on this fiber before it and behind it.
            clear_locals();
            ended
        });
        let ended = ended.map(|has_run| (xid, has_run));
        if let Some(reader) = role {
            self.in_flight.update(|count| count - 1);
            if waits.is_some() {
                self.warn_if_refused();
            }
            return Ok(Step::behind(reader.replies.add(out, ended)));
        }
        if let Some((xid, has_run)) = ended {
            self.session.finish(Ended { xid, reply: out, has_run });
        }
        // Whoever gave up on what ran here has not given up on the connection.
        let answered = cancel::shield(|| self.answer(mem::take(out)));
        // Only now: a reply that waits for room counts as in flight, so that their number is bounded.
        self.in_flight.update(|count| count - 1);
        drop(waits);
        if let Err(error) = answered {
            // It is not this one's to tell how the connection ended.
            self.end(error.into());
        }
        self.resume();
        Ok(Step::HandedOver)
    }

    /// Says, once a connection, that there was no fiber to hand the role to.
    ///
    /// Not within the hook that was refused: what a logger does is not ours to know, and the hook must not wait.
    #[cold]
    fn warn_if_refused(&self) {
        if let Some(error) = self.take_refused()
            && !self.extras().warned.replace(true)
        {
            tracing::warn!(peer = %self.peer(), %error, "while a call waited, no other of its worker was served: no fiber to do so");
        }
    }

    /// Whether a call that waits for its turn is refused, since there is more to do than can be done.
    #[inline(never)]
    pub(super) fn refuses_late(
        &self,
        reader: &Reader,
        now: Instant,
        timeout: Duration,
        deadline: Option<Instant>,
    ) -> Option<Refusal> {
        let late = reader.late(now, timeout, deadline);
        let dispatch = self.place.get()?.0.upgrade()?;
        (!dispatch.admits(late)).then_some(Refusal::Late { waited: late.waited })
    }

    pub(super) fn refuse(&self, xid: u64, one_way: bool, refusal: Refusal, out: &mut Vec<u8>) {
        let code = handler::refuse(xid, one_way, refusal, self.context().limits.frame_bytes, out);
        self.count(|shard| shard.refuse(code));
    }

    /// Who serves a call whose turn has come now.
    pub(super) fn serving(&self, now: Instant) -> Serving<'_> {
        let Context { registry, middleware, limits, .. } = &**self.context();
        let count = self.shard.as_deref().map(|shard| (shard, now));
        Serving { registry, middleware, frame_bytes: limits.frame_bytes, count }
    }

    /// Counts something, if the server counts.
    pub(super) fn count(&self, how: impl FnOnce(&Shard)) {
        if let Some(shard) = &self.shard {
            how(shard);
        }
    }
}
