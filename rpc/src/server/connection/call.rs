//! One call on its connection: run, refused, or answered once more.
//!
//! Invariant: what is refused for a limit has been looked up before: a call that runs or has run is never said not to have.

use std::rc::Rc;

use fibra_scheduler::{cancel, clock, park};

use super::super::handler::{self, Refusal};
use super::super::reader::Reader;
use super::super::sessions::{Arrived, Held, StillRuns};
use super::{Connection, End};
use crate::wire::frame::Call;

impl Connection {
    /// Runs, refuses or repeats a call. Gives the role back, unless the handler parked.
    pub(super) fn take_call(self: &Rc<Self>, reader: Reader, call: Call) -> Result<Option<Reader>, End> {
        let (xid, one_way) = (call.xid, call.one_way);
        if reader.is_cancelled(xid) {
            return Ok(Some(reader));
        }
        let mut out = Vec::new();
        let deadline = reader.deadline(&call);
        let in_session = call.in_session();
        if in_session {
            let arrival = Held::arrival(&call);
            match self.session.arrive(arrival, &mut out) {
                Ok(Arrived::New) => {}
                Ok(Arrived::Done) => return self.answered(out, reader),
                Ok(Arrived::InProgress) => {
                    // The input buffer is not held meanwhile.
                    drop(call);
                    let await_run = |out: &mut Vec<u8>| {
                        let refusal = match self.session.wait(arrival, deadline, out) {
                            Ok(Ok(())) => return,
                            Ok(Err(refused)) => Refusal::Session(refused),
                            Err(StillRuns) => Refusal::InProgress,
                        };
                        self.refuse(xid, one_way, refusal, out);
                    };
                    if self.is_full() {
                        // It cannot be refused: it runs. So the reader itself waits.
                        await_run(&mut out);
                        return self.answered(out, reader);
                    }
                    return self.run_to_park(reader, out, await_run);
                }
                Err(refused) => {
                    self.refuse(xid, one_way, Refusal::Session(refused), &mut out);
                    return self.answered(out, reader);
                }
            }
        }
        let refusal = if deadline.is_some_and(|deadline| deadline <= clock::now()) {
            Some(Refusal::Expired)
        } else if self.is_full() {
            Some(Refusal::InFlight(self.context.limits.in_flight))
        } else {
            None
        };
        if let Some(refusal) = refusal {
            self.refuse(xid, one_way, refusal, &mut out);
            if in_session {
                self.session.finish(xid, &out, false);
            }
            return self.answered(out, reader);
        }
        self.run_to_park(reader, out, |out| {
            let run = || handler::run(&self.context.registry, call, self.peer, self.context.limits.frame_bytes, out);
            let ran = match deadline {
                // What the handler waits for, its own calls included, ends when nobody waits for the handler any more.
                Some(deadline) => cancel::with_deadline(deadline, run),
                None => run(),
            };
            if in_session {
                self.session.finish(xid, out, ran);
            }
        })
    }

    /// Does what may park, and sends the reply that it leaves in `out`. Gives the role back, unless it parked.
    fn run_to_park(
        self: &Rc<Self>,
        reader: Reader,
        mut out: Vec<u8>,
        work: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Option<Reader>, End> {
        self.in_flight.update(|count| count + 1);
        let mut role = Some(reader);
        park::on_first_park(&mut || role = self.pass_on(role.take()), || work(&mut out));
        // Not within the hook that was refused: what a logger does is not ours to know, and the hook must not wait.
        if let Some(error) = self.refused.take()
            && !self.warned.replace(true)
        {
            tracing::warn!(peer = %self.peer, %error, "while a call waited, no other of its connection was read: no fiber to do so");
        }
        let answered = self.answer(out, role.is_some());
        // Only now: a reply that waits for room counts as in flight, so that their number is bounded.
        self.in_flight.update(|count| count - 1);
        answered?;
        Ok(role)
    }

    /// Sends a reply that took no running.
    fn answered(&self, out: Vec<u8>, reader: Reader) -> Result<Option<Reader>, End> {
        self.answer(out, true)?;
        Ok(Some(reader))
    }

    fn refuse(&self, xid: u64, one_way: bool, refusal: Refusal, out: &mut Vec<u8>) {
        handler::refuse(xid, one_way, refusal, self.context.limits.frame_bytes, out);
    }

    fn is_full(&self) -> bool {
        self.in_flight.get() >= self.context.limits.in_flight
    }
}
