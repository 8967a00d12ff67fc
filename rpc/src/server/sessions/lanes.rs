//! A session's calls that wait for their turn: who keeps which, and how many there are.
//!
//! Invariant: whatever is held in the cache has its entry here, and whoever keeps it is told when that ends; both happen under one lock.

use std::collections::HashMap;
use std::sync::Arc;

use fibra_scheduler::park::Unparker;

use super::{Held, Sessions, State, with_progress};
use crate::limits::{HELD_CALL_BYTES, SESSION_HELD_MAX};
use crate::server::held::{Fate, Waiting};
use crate::server::store::{Arrived, GivenUp};
use crate::session::{Allowance, Arrival, Pool, Progress, Refused, Verdict, Xid};

/// See the [module](self).
pub(super) struct HeldBack {
    /// Of each call its copies, in the order in which they came.
    calls: HashMap<Xid, Vec<Copy>>,
    /// All of them together.
    copies: usize,
    bytes: Allowance,
}

struct Copy {
    waiting: Arc<Waiting>,
    bytes: usize,
}

impl HeldBack {
    fn new(pool: &Pool) -> Self {
        Self { calls: HashMap::new(), copies: 0, bytes: Allowance::new(pool.clone()) }
    }

    fn holds(&self, xid: Xid) -> bool {
        self.calls.contains_key(&xid)
    }

    /// `false`: there is no room for a call of so many bytes.
    fn add(&mut self, xid: Xid, waiting: &Arc<Waiting>, bytes: usize) -> bool {
        let bytes = bytes + HELD_CALL_BYTES;
        let has_room = self.copies < SESSION_HELD_MAX && self.bytes.take(bytes);
        if has_room {
            self.copies += 1;
            self.calls.entry(xid).or_default().push(Copy { waiting: Arc::clone(waiting), bytes });
        }
        has_room
    }

    /// A call is held no longer. If it is released, the last of its copies is to be run.
    fn end(&mut self, xid: Xid, fate: Fate) -> Vec<Arc<Waiting>> {
        let mut copies = self.calls.remove(&xid).unwrap_or_default();
        self.copies -= copies.len();
        self.bytes.give(copies.iter().map(|copy| copy.bytes).sum());
        let others = if fate == Fate::Released { Fate::Copied } else { fate };
        if let Some((last, rest)) = copies.split_last_mut() {
            last.waiting.decide(fate);
            rest.iter().for_each(|copy| copy.waiting.decide(others));
        }
        copies.into_iter().map(|copy| copy.waiting).collect()
    }

    /// One of its copies is held no longer. Whether others are.
    fn drop_copy(&mut self, xid: Xid, waiting: &Waiting) -> bool {
        let Some(copies) = self.calls.get_mut(&xid) else { return false };
        let is_it = |copy: &Copy| std::ptr::eq(&raw const *copy.waiting, waiting);
        if copies.len() > 1
            && let Some(place) = copies.iter().position(is_it)
        {
            let Copy { waiting, bytes } = copies.remove(place);
            waiting.decide(Fate::Over);
            self.copies -= 1;
            self.bytes.give(bytes);
            return true;
        }
        false
    }
}

/// Who is to be woken once the lock is released.
#[derive(Default)]
#[must_use]
pub(super) struct Told {
    waiting: Vec<Arc<Waiting>>,
    attached: Vec<Unparker>,
}

impl Told {
    pub(super) fn ring(self) {
        self.waiting.iter().for_each(|waiting| waiting.ring());
        self.attached.iter().for_each(Unparker::unpark);
    }
}

impl State {
    /// Decides what becomes of held calls, and of whoever waits for a call that will have no answer: all that `progress` says.
    #[cold]
    pub(super) fn tell(&mut self, progress: &mut Progress<Unparker>) -> Told {
        let Self { cache } = self;
        let attached = std::mem::take(&mut progress.orphaned);
        let mut told = Told { waiting: Vec::new(), attached };
        for xid in progress.dropped.drain(..) {
            told.waiting.extend(cache.beside_mut().into_iter().flat_map(|held| held.end(xid, Fate::Over)));
        }
        while let Some(xid) = progress.released.pop() {
            let copies: Vec<_> =
                cache.beside_mut().into_iter().flat_map(|held| held.end(xid, Fate::Released)).collect();
            if copies.is_empty() {
                // Nobody is there to run it: whoever waits for that looks again.
                told.attached.extend(cache.abandon(xid, progress).into_iter().flatten());
            }
            told.waiting.extend(copies);
        }
        told
    }

    /// The same, when a call has ended that may have been held itself.
    #[cold]
    pub(super) fn tell_of_end(&mut self, xid: Xid, progress: &mut Progress<Unparker>) -> Told {
        let own = self.cache.beside_mut().map(|held| held.end(xid, Fate::Over));
        let mut told = self.tell(progress);
        told.waiting.extend(own.into_iter().flatten());
        told
    }

    /// A call that was to run, or waits, does not and will not.
    fn refuse(&mut self, xid: Xid, reply: &[u8], progress: &mut Progress<Unparker>) -> Told {
        let attached = self.cache.finish(xid, reply, false, progress);
        let mut told = self.tell_of_end(xid, progress);
        told.attached.extend(attached.into_iter().flatten());
        told
    }

    /// Nobody runs a call: if it comes again, it is new.
    fn abandon(&mut self, xid: Xid, progress: &mut Progress<Unparker>) -> Told {
        let attached = self.cache.abandon(xid, progress);
        let mut told = self.tell_of_end(xid, progress);
        told.attached.extend(attached.into_iter().flatten());
        told
    }
}

/// What [`Session`](crate::server::store::Session) says of calls of lanes.
impl Held {
    /// Does `f` to the session's state, and then wakes whoever it says.
    pub(super) fn then_ring<R>(&self, f: impl FnOnce(&mut State, &mut Progress<Unparker>) -> (R, Told)) -> R {
        let mut state = self.session.state.lock();
        let (result, told) = with_progress(|progress| f(&mut state, progress));
        drop(state);
        told.ring();
        result
    }

    pub(super) fn arrive_in_order(
        &self,
        sessions: &Sessions,
        arrival: Arrival,
        (waiting, bytes): (&Arc<Waiting>, usize),
        out: &mut Vec<u8>,
    ) -> Result<Arrived, Refused> {
        let arrived = self.then_ring(|state, progress| {
            let arrived = state.arrive(arrival, progress, out, |cache| {
                let held = cache.beside_or_insert_with(|| HeldBack::new(&sessions.held));
                let again = held.holds(arrival.xid);
                Arrived::Held { again, is_full: !held.add(arrival.xid, waiting, bytes) }
            });
            (arrived, state.tell(progress))
        });
        arrived.unwrap_or_else(|| Err(self.replaced(sessions)))
    }

    pub(super) fn give_up_copy(&self, xid: Xid, waiting: &Waiting, reply: &[u8]) -> GivenUp {
        self.then_ring(|state, progress| match waiting.fate() {
            Fate::Waits if state.cache.beside_mut().is_some_and(|held| held.drop_copy(xid, waiting)) => {
                (GivenUp::Copy, Told::default())
            }
            Fate::Waits | Fate::Released => (GivenUp::Answered, state.refuse(xid, reply, progress)),
            Fate::Over | Fate::Copied => (GivenUp::Decided, Told::default()),
        })
    }

    pub(super) fn cancel_held(&self, xid: Xid, waiting: &Waiting, reply: &[u8]) {
        self.then_ring(|state, progress| match waiting.fate() {
            Fate::Waits | Fate::Released => ((), state.refuse(xid, reply, progress)),
            Fate::Over | Fate::Copied => ((), Told::default()),
        });
    }

    pub(super) fn pass_over_unseen(&self, arrival: Arrival, reply: &[u8]) {
        self.then_ring(|state, progress| match state.cache.arrive(arrival, progress) {
            Ok(Verdict::New | Verdict::Held) => ((), state.refuse(arrival.xid, reply, progress)),
            _ => ((), state.tell(progress)),
        });
    }

    pub(super) fn abandon_running(&self, xid: Xid) {
        self.then_ring(|state, progress| ((), state.abandon(xid, progress)));
    }

    pub(super) fn let_go_of(&self, xid: Xid, waiting: &Waiting) {
        self.then_ring(|state, progress| {
            let is_alone = match waiting.fate() {
                Fate::Waits => !state.cache.beside_mut().is_some_and(|held| held.drop_copy(xid, waiting)),
                fate => fate == Fate::Released,
            };
            ((), if is_alone { state.abandon(xid, progress) } else { Told::default() })
        });
    }
}
