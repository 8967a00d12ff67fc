//! The short way of nearly all calls: a client's next one arrives, acknowledging some that have been answered; it ends, and nobody has attached to it.
//!
//! Invariant: what goes this way ends as it would by [`arrive`](ReplyCache::arrive) and [`finish`](ReplyCache::finish), which both begin with it, so
//! whatever these are held against holds here. What it does not take is left to them: at most some of what the call acknowledges is gone already.

use std::mem;

use super::super::Xid;
use super::super::short_deque::ShortDeque;
use super::{Arrival, Call, Few, Kept, ReplyCache, Stage};

impl<A, B> ReplyCache<A, B> {
    /// A call arrives. Whether it was the next of its client, so that it is new and concerns no other; if not, it has not arrived.
    #[inline(always)] // Into the way of a call.
    pub(crate) fn arrive_next(&mut self, arrival: &Arrival) -> bool {
        let &Arrival { xid, first_incomplete, fingerprint, turn } = arrival;
        let ShortDeque::Many(calls) = &mut self.calls else { return false };
        if self.rare.is_some() || turn.is_some() || first_incomplete > xid {
            return false;
        }
        while self.first_incomplete < first_incomplete {
            let kept = &mut self.kept;
            let is_done = calls.drop_front_if(|call| match &call.stage {
                Stage::Done { reply } => {
                    kept.give(reply.bytes().len());
                    true
                }
                _ => false,
            });
            if !is_done {
                return false;
            }
            self.first_incomplete += 1;
        }
        // An earlier one is none of them.
        let ahead = xid.checked_sub(self.first_incomplete);
        let is_next = ahead.is_some_and(|ahead| ahead == calls.len() as u64 && ahead < u64::from(self.window));
        if is_next {
            calls.push_back(Call { fingerprint, stage: Stage::Running { lane: None, attached: Few::new() } });
        }
        is_next
    }

    /// A call has got its answer. Whether it is kept, and concerns no other; if not, nothing is changed.
    #[inline(always)] // Into the way of a call.
    pub(crate) fn finish_alone(&mut self, xid: Xid, reply: &[u8]) -> bool {
        let ShortDeque::Many(calls) = &mut self.calls else { return false };
        if self.rare.is_some() {
            return false;
        }
        let place = xid.checked_sub(self.first_incomplete).and_then(|ahead| usize::try_from(ahead).ok());
        let Some(Call { stage, .. }) = place.and_then(|place| calls.get_mut(place)) else { return false };
        let is_alone = matches!(stage, Stage::Running { lane: None, attached } if attached.are_none());
        if !is_alone || !self.kept.take(reply.len()) {
            return false;
        }
        // Forgotten instead of dropped: there is nothing to drop, which the compiler does not see.
        mem::forget(mem::replace(stage, Stage::Done { reply: Kept::EMPTY }));
        if let Stage::Done { reply: kept } = stage {
            kept.keep(reply);
        }
        true
    }
}
