//! Calls that wait for their turn in a lane: what a connection keeps of them, and how it learns that it has come.
//!
//! ```text
//!   a call of the lane ends ─▶ session: the next is released ─▶ Fate ─▶ Bell ─▶ the connection's turn: it runs
//!                               its time is up ─▶ alarm of the worker ──┘
//! ```
//!
//! A call that is held is its bytes and a few words: no fiber, and so no stack. The session decides what becomes of it, on whatever thread that
//! turns out; the connection that keeps it acts on it when it next has a turn.
//!
//! Invariants:
//! * A fate is decided under its session's lock, and once.
//! * A bell that was rung has its connection in line, or at its calls already, or paused: whoever gets it back in line has it look.
//! * Who is at them has the reader's role, and leaves them with it.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use fibra_net::ReadySet;
use fibra_scheduler::park::Unparker;

use super::dispatch::Key;
use crate::limits::{HELD_MARGIN_MAX, HELD_MARGIN_SHARE};
use crate::session::Arrival;
use crate::session::Xid;
use crate::wire::bytes::Bytes;
use crate::wire::frame::Call;

/// What is to become of a held call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Fate {
    /// It waits.
    Waits,
    /// Its turn has come: it is to be run, or refused, and then finished.
    Released,
    /// It has an answer, or will never have one: the session says which.
    Over,
    /// Another copy of it is run: this one waits for that run.
    Copied,
}

/// A call that waits, as its session has it.
#[derive(Debug)]
pub(super) struct Waiting {
    fate: AtomicU8,
    bell: Arc<Bell>,
}

impl Waiting {
    pub(super) fn new(bell: Arc<Bell>) -> Self {
        Self { fate: AtomicU8::new(Fate::Waits as u8), bell }
    }

    pub(super) fn fate(&self) -> Fate {
        match self.fate.load(Ordering::Acquire) {
            0 => Fate::Waits,
            1 => Fate::Released,
            2 => Fate::Over,
            _ => Fate::Copied,
        }
    }

    /// To be called under the session's lock; the bell is to be rung after.
    pub(super) fn decide(&self, fate: Fate) {
        self.fate.store(fate as u8, Ordering::Release);
    }

    /// Has whoever keeps it look.
    pub(super) fn ring(&self) {
        self.bell.ring();
    }
}

/// Tells a connection that something has become of its held calls.
#[derive(Debug)]
pub(super) struct Bell {
    state: AtomicU8,
    who: Who,
}

#[derive(Debug)]
enum Who {
    Line(ReadySet, Key),
    Thread(Unparker),
}

const SILENT: u8 = 0;
const RUNG: u8 = 1;
/// The connection is at its held calls, ...
const ATTENDED: u8 = 2;
/// ... and was rung since it last looked.
const RUNG_AGAIN: u8 = 3;

impl Bell {
    /// Of a connection that stands in that line, under that name.
    pub(super) fn of_line(set: ReadySet, key: Key) -> Arc<Self> {
        Arc::new(Self { state: AtomicU8::new(SILENT), who: Who::Line(set, key) })
    }

    /// Of a thread.
    pub(super) fn of_thread(thread: Unparker) -> Arc<Self> {
        Arc::new(Self { state: AtomicU8::new(SILENT), who: Who::Thread(thread) })
    }

    pub(super) fn ring(&self) {
        let rung = |state| match state {
            SILENT => Some(RUNG),
            ATTENDED => Some(RUNG_AGAIN),
            _ => None,
        };
        let before = self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, rung);
        match &self.who {
            Who::Line(set, key) if before == Ok(SILENT) => set.push(key.0),
            Who::Line(..) => {}
            Who::Thread(thread) => thread.unpark(),
        }
    }

    /// The connection looks after its calls now, if the bell was rung.
    fn attend(&self) -> bool {
        self.state.compare_exchange(RUNG, ATTENDED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// It has looked at them all. Whether it is through, for nobody has rung since.
    fn is_through(&self) -> bool {
        if self.state.compare_exchange(ATTENDED, SILENT, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            return true;
        }
        self.state.store(ATTENDED, Ordering::Release);
        false
    }

    /// It leaves off before it is through, and comes back in its turn.
    fn leave(&self) {
        self.state.store(SILENT, Ordering::Release);
        self.ring();
    }

    /// The connection, which is put in line for that, is served by another fiber, who looks after what this one did.
    fn pass_on(&self) {
        let rung = |state| matches!(state, ATTENDED | RUNG_AGAIN).then_some(RUNG);
        let _ = self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, rung);
    }
}

/// A call that waits, as its connection has it.
pub(super) struct HeldCall {
    pub(super) call: Call,
    pub(super) arrival: Arrival,
    pub(super) deadline: Option<Instant>,
    pub(super) waiting: Arc<Waiting>,
    give_up_at: Option<Instant>,
}

impl HeldCall {
    pub(super) fn new(call: &Call, arrival: Arrival, deadline: Option<Instant>, waiting: Arc<Waiting>) -> Self {
        let give_up_at = give_up_at(call.timeout, deadline);
        Self { call: Self::copy(call), arrival, deadline, waiting, give_up_at }
    }

    /// The same call with bytes of its own: the connection's input goes on.
    pub(super) fn copy(call: &Call) -> Call {
        let copy = |bytes: &Bytes| Bytes::from(bytes.to_vec());
        let (method, args) = (copy(&call.method), copy(&call.args));
        Call { metadata: call.metadata.as_ref().map(copy), method, args, ..call.clone() }
    }

    /// What it says, in bytes.
    pub(super) fn bytes(call: &Call) -> usize {
        call.method.len() + call.args.len() + call.metadata.as_ref().map_or(0, |metadata| metadata.len())
    }
}

/// When a call is not held any longer, that is waited for so long, until that time.
pub(super) fn give_up_at(timeout: Duration, deadline: Option<Instant>) -> Option<Instant> {
    deadline?.checked_sub((timeout / HELD_MARGIN_SHARE).min(HELD_MARGIN_MAX))
}

/// Those of one connection.
pub(super) struct HeldCalls {
    calls: RefCell<Vec<HeldCall>>,
    pub(super) bell: Arc<Bell>,
    /// When the worker is to ring.
    pub(super) alarm: Cell<Option<Instant>>,
}

/// What there is to be done about a held call.
pub(super) enum Due {
    /// Its fate is decided.
    Decided(HeldCall, Fate),
    /// Its time is up.
    Expired(HeldCall),
}

impl HeldCalls {
    pub(super) fn new(bell: Arc<Bell>) -> Self {
        Self { calls: RefCell::default(), bell, alarm: Cell::new(None) }
    }

    pub(super) fn add(&self, call: HeldCall) {
        self.calls.borrow_mut().push(call);
    }

    /// That of this xid.
    pub(super) fn take(&self, xid: Xid) -> Option<HeldCall> {
        let mut calls = self.calls.borrow_mut();
        let place = calls.iter().position(|held| held.call.xid == xid)?;
        Some(calls.remove(place))
    }

    pub(super) fn take_all(&self) -> Vec<HeldCall> {
        self.calls.take()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.calls.borrow().is_empty()
    }

    /// When the first of them is to be given up.
    pub(super) fn earliest(&self) -> Option<Instant> {
        self.calls.borrow().iter().filter_map(|held| held.give_up_at).min()
    }

    /// Whether there may be something [due](Self::next_due): from now on the caller looks after that.
    pub(super) fn attend(&self) -> bool {
        self.bell.attend()
    }

    /// The caller does so no longer: it has another turn for what is left.
    pub(super) fn leave(&self) {
        self.bell.leave();
    }

    /// The caller does so no longer, if it did: who has the next turn does, for which the caller puts the connection in line.
    pub(super) fn pass_on(&self) {
        self.bell.pass_on();
    }

    /// What is to be done next; `None`: nothing more, and nobody looks after it any longer.
    pub(super) fn next_due(&self, now: Instant) -> Option<Due> {
        loop {
            let mut calls = self.calls.borrow_mut();
            let is_due = |held: &HeldCall| {
                held.waiting.fate() != Fate::Waits || held.give_up_at.is_some_and(|give_up_at| give_up_at <= now)
            };
            if let Some(place) = calls.iter().position(is_due) {
                let held = calls.remove(place);
                return Some(match held.waiting.fate() {
                    Fate::Waits => Due::Expired(held),
                    fate => Due::Decided(held, fate),
                });
            }
            drop(calls);
            if self.bell.is_through() {
                return None;
            }
        }
    }
}
