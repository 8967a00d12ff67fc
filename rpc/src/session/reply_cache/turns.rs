//! Whose turn it is in a [lane](super::super::lanes): calls of lanes arrive, wait, are let go, and are released. None of it is on the way of other
//! calls, but for the question whether anything is held.

use std::mem;

use super::super::lanes::{Lane, Turn};
use super::super::{Refused, Verdict, Xid};
use super::rare::Rare;
use super::{Few, Progress, ReplyCache, Stage, find};

impl<A, B> ReplyCache<A, B> {
    /// A call of a lane comes for the first time: to run, or to wait.
    #[cold]
    pub(super) fn enter(
        &mut self,
        xid: Xid,
        turn: Turn,
        progress: &mut Progress<A>,
    ) -> Result<(Stage<A>, Verdict<'static>), Refused> {
        let lanes = &self.rare().lanes;
        let (by, _) = lanes.course(turn.lane);
        if xid < by {
            return Err(Refused::Overtaken { by });
        }
        let turn = Turn { after: lanes.resolve(turn.after), ..turn };
        if self.has_come(turn) {
            self.begin(turn.lane, xid, progress);
            return Ok((Stage::Running { lane: Some(turn.lane), attached: Few::new() }, Verdict::New));
        }
        self.rare().lanes.hold(turn.lane, xid);
        Ok((Stage::Held { turn, attached: Few::new() }, Verdict::Held))
    }

    /// A held call comes again. What its client does not wait for any more, it does not either: the earliest that it has named counts.
    #[cold]
    pub(super) fn hold_again(&mut self, xid: Xid, again: Option<Turn>, progress: &mut Progress<A>) {
        let after = again.zip(self.rare.as_ref()).map(|(turn, rare)| rare.lanes.resolve(turn.after));
        if let (Some(Stage::Held { turn, .. }), Some(after)) = (self.stage(xid), after)
            && after < turn.after
        {
            turn.after = after;
            self.release(progress);
        }
    }

    /// A held call ends: what was to come after it comes after what it was to.
    pub(super) fn pass_over(&mut self, xid: Xid, passed: Turn) {
        let Some(rare) = &mut self.rare else { return };
        rare.lanes.pass_over(xid, passed);
        let mut before = xid;
        while let Some(held) = self.rare.as_ref().and_then(|rare| rare.lanes.next_held(passed.lane, before)) {
            before = held;
            if let Some(Stage::Held { turn, .. }) = self.stage(held)
                && turn.after == xid
            {
                turn.after = passed.after;
            }
        }
    }

    /// A call of a lane begins. Those that still wait before it were given up, or it would wait for them: they are let go.
    fn begin(&mut self, lane: Lane, xid: Xid, progress: &mut Progress<A>) {
        // None only while there has been no call of a lane.
        let Rare { lanes, aside, .. } = &mut **self.rare.get_or_insert_default();
        lanes.begin(lane, xid);
        let mut before = 0;
        while let Some(held) = lanes.next_held(lane, before).filter(|&held| held < xid) {
            before = held;
            let known = find(&mut self.calls, Some(&mut *aside), self.first_incomplete, held);
            let Some(call) = known.filter(|call| matches!(call.stage, Stage::Held { .. })) else { continue };
            if let Stage::Held { attached, .. } = mem::replace(&mut call.stage, Stage::Unseen) {
                lanes.let_go(lane, held);
                progress.orphaned.extend(attached);
                progress.dropped.push(held);
            }
        }
    }

    /// Takes the held calls whose turn has come.
    #[inline]
    pub(super) fn release(&mut self, progress: &mut Progress<A>) {
        if self.rare.as_ref().is_some_and(|rare| rare.lanes.holds_any()) {
            self.release_held(progress);
        }
    }

    #[cold]
    fn release_held(&mut self, progress: &mut Progress<A>) {
        let mut from = Some(0);
        while let Some(lane) = from.zip(self.rare.as_ref()).and_then(|(from, rare)| rare.lanes.next_idle(from)) {
            self.release_in(lane, progress);
            from = lane.checked_add(1);
        }
    }

    /// Takes the first held call of an idle lane whose turn has come: the others come after it.
    fn release_in(&mut self, lane: Lane, progress: &mut Progress<A>) {
        let mut before = 0;
        while let Some(xid) = self.rare.as_ref().and_then(|rare| rare.lanes.next_held(lane, before)) {
            before = xid;
            let Some(&mut Stage::Held { turn, .. }) = self.stage(xid) else { continue };
            if !self.has_come(turn) {
                continue;
            }
            if let Some(stage) = self.stage(xid)
                && let Stage::Held { attached, .. } = mem::replace(stage, Stage::Unseen)
            {
                *stage = Stage::Running { lane: Some(lane), attached };
            }
            self.begin(lane, xid, progress);
            progress.released.push(xid);
            return;
        }
    }

    /// Whether whatever comes before in the lane has run to its end, or will not run any more.
    fn has_come(&self, turn: Turn) -> bool {
        let (begun, is_busy) = self.rare.as_ref().map_or((0, false), |rare| rare.lanes.course(turn.lane));
        if is_busy {
            return false;
        }
        let predecessor = match self.place(turn.after) {
            Ok(place) => self.calls.get(place),
            Err(_) if turn.after >= self.first_incomplete => return false,
            // It is set aside; or acknowledged, and then those before it need not be: its client has given it up since it was named.
            Err(_) => match self.aside(turn.after) {
                None => {
                    let mut before = self.rare.iter().flat_map(|rare| rare.aside.range(..turn.after));
                    return before.all(|(_, call)| !call.stage.may_be_of(turn.lane));
                }
                known => known,
            },
        };
        turn.after <= begun
            || predecessor.is_some_and(|call| matches!(call.stage, Stage::Done { .. } | Stage::Forgotten))
    }

    /// Nothing of the lane runs any more.
    pub(super) fn leave(&mut self, lane: Option<Lane>) {
        if let (Some(lane), Some(rare)) = (lane, &mut self.rare) {
            rare.lanes.leave(lane);
        }
    }
}
