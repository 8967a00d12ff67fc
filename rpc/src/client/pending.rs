//! The calls that wait for a reply, by xid.
//!
//! Invariants:
//! * xids count up from 1 and are never used again on their connection.
//! * An entry lives from [`admit`](Pending::admit) until its caller takes it out; only the caller does. So a reply
//!   without an entry is late, and one to an xid not given out yet is a broken server.
//! * At most `in_flight_max` entries; further callers queue.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Instant;

use fibra_scheduler::cancel::Interrupted;
use fibra_scheduler::park::{self, Reason, Unparker};
use parking_lot::Mutex;

use super::Stats;
use crate::error::Disconnect;
use crate::waiters::Waiters;
use crate::wire::header::{Kind, Malformed};

pub(super) struct Pending {
    state: Mutex<State>,
    in_flight_max: usize,
}

#[derive(Default)]
struct State {
    calls: HashMap<u64, Slot, BuildHasherDefault<XidHasher>>,
    last_xid: u64,
    late_replies: u64,
    lost: Option<Disconnect>,
    gate: Waiters,
}

enum Slot {
    Waiting(Unparker),
    Done(Outcome),
}

/// A call's place among those that wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admitted {
    pub(super) xid: u64,
    /// No other call waits.
    pub(super) alone: bool,
}

/// What the server answered.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The value's body, in a buffer of the [`scratch`](crate::scratch) pool.
    Value(Vec<u8>),
    Failure {
        code: u8,
        message: String,
        details: Vec<u8>,
    },
}

/// Why a call ended without an answer.
#[derive(Debug)]
pub(super) enum Unanswered {
    Interrupted(Interrupted),
    Lost(Disconnect),
}

impl From<Interrupted> for Unanswered {
    fn from(interrupted: Interrupted) -> Self {
        Self::Interrupted(interrupted)
    }
}

impl Pending {
    pub(super) fn new(in_flight_max: usize) -> Self {
        Self { state: Mutex::default(), in_flight_max }
    }

    /// An xid for a call that expects a reply, and an entry for it. Waits while there are as many as there may be.
    pub(super) fn admit(&self, deadline: Option<Instant>) -> Result<Admitted, Unanswered> {
        loop {
            let mut state = self.state.lock();
            if let Some(cause) = &state.lost {
                return Err(Unanswered::Lost(cause.clone()));
            }
            if state.calls.len() < self.in_flight_max {
                let xid = state.next_xid();
                state.calls.insert(xid, Slot::Waiting(park::current()));
                return Ok(Admitted { xid, alone: state.calls.len() == 1 });
            }
            let ticket = state.gate.add();
            drop(state);

            let parked = park::wait(Reason::Call, deadline);

            let mut state = self.state.lock();
            let signalled = state.gate.leave(ticket);
            if let Err(interrupted) = parked {
                // The signal is for whoever can use it.
                let next = if signalled { state.gate.next() } else { None };
                drop(state);
                wake(next);
                return Err(interrupted.into());
            }
        }
    }

    /// An xid for a call that expects none.
    pub(super) fn admit_one_way(&self) -> Result<u64, Unanswered> {
        let mut state = self.state.lock();
        match &state.lost {
            Some(cause) => Err(Unanswered::Lost(cause.clone())),
            None => Ok(state.next_xid()),
        }
    }

    /// Waits for the answer, and ends the entry whatever comes.
    pub(super) fn wait(&self, xid: u64, deadline: Option<Instant>) -> Result<Outcome, Unanswered> {
        let mut parked = Ok(());
        loop {
            let mut state = self.state.lock();
            let unanswered = match (state.calls.get(&xid), &state.lost, parked) {
                (Some(Slot::Done(_)) | None, ..) => None,
                (_, Some(cause), _) => Some(Unanswered::Lost(cause.clone())),
                (.., Err(interrupted)) => Some(Unanswered::Interrupted(interrupted)),
                (.., Ok(())) => {
                    drop(state);
                    parked = park::wait(Reason::Call, deadline);
                    continue;
                }
            };
            let slot = state.calls.remove(&xid);
            let next = state.gate.next();
            let lost = state.lost.clone();
            drop(state);
            wake(next);
            return match (slot, unanswered) {
                (Some(Slot::Done(outcome)), _) => Ok(outcome),
                (_, Some(unanswered)) => Err(unanswered),
                // Unreachable while only callers end their own entries; told as a loss rather than waited for.
                (_, None) => Err(Unanswered::Lost(lost.unwrap_or(Disconnect::ClosedByPeer))),
            };
        }
    }

    /// Ends an entry whose call was not sent.
    pub(super) fn withdraw(&self, xid: u64) {
        let mut state = self.state.lock();
        state.calls.remove(&xid);
        let next = state.gate.next();
        drop(state);
        wake(next);
    }

    /// Gives a caller its answer; counts it as late if the caller has gone.
    ///
    /// # Errors
    ///
    /// [`Malformed::Unexpected`]: there was no such call.
    pub(super) fn complete(&self, xid: u64, kind: Kind, outcome: impl FnOnce() -> Outcome) -> Result<(), Malformed> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let caller = match state.calls.get_mut(&xid) {
            Some(slot @ Slot::Waiting(_)) => match std::mem::replace(slot, Slot::Done(outcome())) {
                Slot::Waiting(caller) => Some(caller),
                Slot::Done(_) => None,
            },
            Some(Slot::Done(_)) => return Err(Malformed::Unexpected { kind, xid }),
            None if xid > state.last_xid => return Err(Malformed::Unexpected { kind, xid }),
            None => {
                state.late_replies += 1;
                tracing::debug!(xid, "dropped a reply that came after its caller had given up");
                None
            }
        };
        drop(guard);
        wake(caller);
        Ok(())
    }

    /// Ends all calls that have no answer yet, and admits no more. Whether this was the first loss.
    pub(super) fn lose(&self, cause: &Disconnect) -> bool {
        let mut state = self.state.lock();
        if state.lost.is_some() {
            return false;
        }
        state.lost = Some(cause.clone());
        let callers: Vec<_> = state
            .calls
            .values()
            .filter_map(|slot| match slot {
                Slot::Waiting(caller) => Some(caller.clone()),
                Slot::Done(_) => None,
            })
            .collect();
        let gate = state.gate.take_all();
        drop(state);
        for caller in callers {
            caller.unpark();
        }
        gate.wake();
        true
    }

    /// Why the connection has ended, if it has.
    pub(super) fn lost(&self) -> Option<Disconnect> {
        self.state.lock().lost.clone()
    }

    pub(super) fn stats(&self) -> Stats {
        let state = self.state.lock();
        Stats { calls: state.last_xid, in_flight: state.calls.len(), late_replies: state.late_replies }
    }
}

impl State {
    fn next_xid(&mut self) -> u64 {
        self.last_xid += 1;
        self.last_xid
    }
}

fn wake(waiter: Option<Unparker>) {
    if let Some(waiter) = waiter {
        waiter.unpark();
    }
}

/// xids are our own, dense and in order: one multiplication spreads them (Fibonacci hashing; Knuth, TAOCP 3, 6.4).
#[derive(Default)]
struct XidHasher(u64);

impl Hasher for XidHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, xid: u64) {
        self.0 = (self.0 ^ xid).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
