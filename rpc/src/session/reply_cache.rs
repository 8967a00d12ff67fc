//! The server's half of a session: what has run, what runs, and what was answered.
//!
//! ```text
//!   acknowledged, but for those set aside │ Done │ Running │ Unseen │ Done │ Held │ ··· at most a window ···
//!                                         ▲
//!                                 first_incomplete
//! ```
//!
//! A call that takes long does not hold up those after it: its client [says](ReplyCache::set_aside) that it acknowledges all before some xid but this
//! one, which is then known by itself. What such a word says stays true, so it may come late, twice, or on any connection.
//!
//! Calls of one *[lane](super::lanes)* run in the order of their xids, one at a time: each names the one that it comes after, and is held back
//! until that has ended or was acknowledged, and nothing of the lane runs. Other calls run as they come.
//!
//! Invariants:
//! * An xid is `New` (or released, if it was `Held`) at most once, unless it was [abandoned](ReplyCache::abandon), which says that it has not
//!   run; so a call runs at most once.
//! * All answers to one xid are the same bytes.
//! * At most a window of xids is known, and less than one set aside, with at most as many bytes of replies as it is [allowed](Allowance), and failures that say that a call has not run; and a
//!   call that is acknowledged while it runs, of which there are no more than the server lets run.
//! * Whoever attaches is handed out once, when the call ends or is acknowledged, unless it detaches first.
//! * A call of a lane runs only when its predecessor neither runs nor can run any more, and no other of its lane does; and none of a lane runs
//!   after one with a higher xid.

mod next;
mod rare;
mod turns;

use std::collections::BTreeMap;
use std::mem;

use super::allowance::{Allowance, Pool};
use super::few::Few;
use super::kept::Kept;
use super::lanes::{Lane, Turn};
use super::short_deque::ShortDeque;
use super::{Refused, Verdict, Xid};
use rare::Rare;

/// See the [module](self). `A` stands for a caller who attaches to a call under way, and is to be told how it ends; `B` for what whoever has it
/// keeps [beside](Self::beside) it for few sessions, which then takes no room for the others.
#[derive(Debug)]
pub struct ReplyCache<A, B = ()> {
    window: u32,
    /// No call is to arrive any more.
    is_over: bool,
    /// Whatever comes before is acknowledged, or set aside.
    first_incomplete: Xid,
    /// The calls from there on.
    calls: ShortDeque<Call<A>>,
    kept: Allowance,
    /// `None`: there is nothing of it.
    rare: Option<Box<Rare<A, B>>>,
}

/// A call that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its number.
    pub xid: Xid,
    /// The client's first incomplete call: whatever comes before it is acknowledged.
    pub first_incomplete: Xid,
    /// A hash of method and arguments.
    pub fingerprint: u64,
    /// Its place in a lane, if it has one.
    pub turn: Option<Turn>,
}

/// What the arrival or the end of one call means to others. Added to, so that one may serve many times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress<A> {
    /// Held calls that are to be run now, in no order: each is of another lane.
    pub released: Vec<Xid>,
    /// Held calls that were acknowledged or overtaken: nobody wants them any more, and they will not run.
    pub dropped: Vec<Xid>,
    /// Who attached to a call that was acknowledged, or overtaken, before it ended: there will be no answer.
    pub orphaned: Vec<A>,
}

impl<A> Progress<A> {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self { released: Vec::new(), dropped: Vec::new(), orphaned: Vec::new() }
    }
}

impl<A> Default for Progress<A> {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Debug)]
struct Call<A> {
    fingerprint: u64,
    stage: Stage<A>,
}

#[derive(Debug)]
enum Stage<A> {
    /// Not here yet, or abandoned.
    Unseen,
    Held {
        turn: Turn,
        attached: Few<A>,
    },
    Running {
        lane: Option<Lane>,
        attached: Few<A>,
    },
    Done {
        reply: Kept,
    },
    /// Done, with a reply that was too large to keep.
    Forgotten,
}

impl<A> Call<A> {
    const UNSEEN: Self = Self { fingerprint: 0, stage: Stage::Unseen };
}

impl<A> Stage<A> {
    /// What is said of a call that comes again.
    fn verdict(&self) -> Result<Verdict<'_>, Refused> {
        match self {
            Self::Done { reply } => Ok(Verdict::Done(reply.bytes())),
            Self::Forgotten => Err(Refused::Forgotten),
            Self::Held { .. } => Ok(Verdict::Held),
            Self::Unseen | Self::Running { .. } => Ok(Verdict::InProgress),
        }
    }

    /// Whether it may be a call of the lane that has not ended.
    fn may_be_of(&self, other: Lane) -> bool {
        match self {
            Self::Unseen => true,
            Self::Held { turn, .. } => turn.lane == other,
            Self::Running { lane, .. } => *lane == Some(other),
            Self::Done { .. } | Self::Forgotten => false,
        }
    }

    fn is_under_way(&self) -> bool {
        matches!(self, Self::Running { .. } | Self::Held { .. })
    }
}

impl<A> ReplyCache<A> {
    /// Of a session with that window (at least 1), of whose replies at most `reply_bytes_max` bytes are kept.
    pub fn new(window: usize, reply_bytes_max: usize) -> Self {
        Self::sharing(window, Allowance::new(Pool::new(usize::MAX, reply_bytes_max)))
    }
}

impl<A, B> ReplyCache<A, B> {
    /// Of one of many sessions, whose replies are kept as far as it is allowed to.
    pub fn sharing(window: usize, kept: Allowance) -> Self {
        Self {
            window: u32::try_from(window).unwrap_or(u32::MAX).max(1),
            is_over: false,
            first_incomplete: 1,
            calls: ShortDeque::new(),
            kept,
            rare: None,
        }
    }

    /// A call arrives, for the first time or again.
    ///
    /// # Errors
    ///
    /// * [`Refused::BadAcknowledgement`]: it acknowledges itself or later calls, or is to come after one of those; nothing is changed.
    /// * [`Refused::Stale`], [`Refused::OutOfWindow`], [`Refused::Conflict`], [`Refused::Forgotten`], [`Refused::Overtaken`].
    pub fn arrive(&mut self, arrival: Arrival, progress: &mut Progress<A>) -> Result<Verdict<'_>, Refused> {
        if self.arrive_next(&arrival) {
            return Ok(Verdict::New);
        }
        let Arrival { xid, first_incomplete, fingerprint, turn } = arrival;
        if first_incomplete > xid || turn.is_some_and(|turn| turn.after >= xid) {
            return Err(Refused::BadAcknowledgement);
        }
        self.acknowledge(first_incomplete, progress);
        if xid < self.first_incomplete {
            return self.arrive_late(arrival, progress);
        }
        let place = self.place(xid)?;
        while self.calls.len() < place {
            self.calls.push_back(Call::UNSEEN);
        }
        let is_next = self.calls.len() == place;
        if is_next || matches!(self.calls[place].stage, Stage::Unseen) {
            let (stage, verdict) = match turn {
                None => (Stage::Running { lane: None, attached: Few::new() }, Verdict::New),
                Some(turn) => self.enter(xid, turn, progress)?,
            };
            let call = Call { fingerprint, stage };
            if is_next {
                self.calls.push_back(call);
            } else {
                self.calls[place] = call;
            }
            return Ok(verdict);
        }
        let known = &self.calls[place];
        if known.fingerprint != fingerprint {
            return Err(Refused::Conflict);
        }
        if let Stage::Held { .. } = known.stage {
            self.hold_again(xid, turn, progress);
            return Ok(Verdict::Held);
        }
        self.calls[place].stage.verdict()
    }

    /// The same of a call before the first incomplete one: it was acknowledged, or set aside.
    #[cold]
    fn arrive_late(&mut self, arrival: Arrival, progress: &mut Progress<A>) -> Result<Verdict<'_>, Refused> {
        let Arrival { xid, fingerprint, turn, .. } = arrival;
        let first_incomplete = self.first_incomplete;
        let known = self.aside(xid).ok_or(Refused::Stale { first_incomplete })?;
        match known.stage {
            Stage::Unseen => {
                let (stage, verdict) = match turn {
                    None => (Stage::Running { lane: None, attached: Few::new() }, Verdict::New),
                    Some(turn) => self.enter(xid, turn, progress)?,
                };
                self.put_aside(xid, Call { fingerprint, stage });
                // Others may have waited to know what it is.
                self.release(progress);
                Ok(verdict)
            }
            _ if known.fingerprint != fingerprint => Err(Refused::Conflict),
            Stage::Held { .. } => {
                self.hold_again(xid, turn, progress);
                Ok(Verdict::Held)
            }
            _ => self.aside(xid).map_or(Err(Refused::Stale { first_incomplete }), |call| call.stage.verdict()),
        }
    }

    /// Attaches to a call that is in progress.
    ///
    /// # Errors
    ///
    /// `who`, if the call neither runs nor is held.
    pub fn attach(&mut self, xid: Xid, who: A) -> Result<(), A> {
        match self.stage(xid) {
            Some(Stage::Running { attached, .. } | Stage::Held { attached, .. }) => attached.push(who),
            _ => return Err(who),
        }
        Ok(())
    }

    /// Takes back an [`attach`](Self::attach), of whoever `is` says. It may have been handed out before.
    pub fn detach(&mut self, xid: Xid, is: impl Fn(&A) -> bool) {
        if let Some(Stage::Running { attached, .. } | Stage::Held { attached, .. }) = self.stage(xid) {
            attached.retain(|who| !is(who));
        }
    }

    /// A call has got its answer: the reply of its run, or, if it has not `run`, a failure that says so. That one is kept in any case, since
    /// a call that was said not to have run must not be said to have run later; it is as short as a failure may be. A held call may get
    /// only such a one; what waits for it then waits for what it has waited for. Returns who attached to it, to be answered alike; `None`, and
    /// nothing is changed: it was not running, or held and said to have run.
    pub fn finish(&mut self, xid: Xid, reply: &[u8], run: bool, progress: &mut Progress<A>) -> Option<Vec<A>> {
        if self.finish_alone(xid, reply) {
            return Some(Vec::new());
        }
        let known = find(&mut self.calls, aside_of(&mut self.rare), self.first_incomplete, xid);
        let running = known.and_then(|call| match &mut call.stage {
            stage @ Stage::Running { .. } => Some(stage),
            stage @ Stage::Held { .. } if !run => Some(stage),
            _ => None,
        });
        let (lane, attached) = match running {
            Some(stage) => {
                let fits = self.kept.take(reply.len());
                if !fits && !run {
                    self.kept.take_anyway(reply.len());
                }
                let end = if fits || !run { Stage::Done { reply: Kept::new(reply) } } else { Stage::Forgotten };
                match mem::replace(stage, end) {
                    Stage::Running { lane, attached } => (lane, attached),
                    Stage::Held { turn, attached } => {
                        self.pass_over(xid, turn);
                        (None, attached)
                    }
                    Stage::Unseen | Stage::Done { .. } | Stage::Forgotten => return None,
                }
            }
            None => (self.stop_lingering(xid)?, Few::new()),
        };
        self.leave(lane);
        self.release(progress);
        Some(attached.into_vec())
    }

    /// A call that was `New`, released or `Held` has not run, and nobody has been told anything of it: its connection was lost, say. If it
    /// comes again, it is new, and what is to come after it waits for that. Returns who attached to it; `None`, and nothing is changed: it neither ran nor was held.
    pub fn abandon(&mut self, xid: Xid, progress: &mut Progress<A>) -> Option<Vec<A>> {
        let (lane, attached) = match self.stage(xid) {
            Some(stage @ (Stage::Running { .. } | Stage::Held { .. })) => match mem::replace(stage, Stage::Unseen) {
                Stage::Held { turn, attached } => {
                    self.rare.iter_mut().for_each(|rare| rare.lanes.let_go(turn.lane, xid));
                    (None, attached)
                }
                Stage::Running { lane, attached } => {
                    if let (Some(lane), Some(rare)) = (lane, &mut self.rare) {
                        rare.lanes.take_back(lane, xid);
                    }
                    (lane, attached)
                }
                Stage::Unseen | Stage::Done { .. } | Stage::Forgotten => return None,
            },
            _ => (self.stop_lingering(xid)?, Few::new()),
        };
        self.leave(lane);
        self.release(progress);
        Some(attached.into_vec())
    }

    /// Whatever comes before this is acknowledged.
    pub fn acknowledge(&mut self, first_incomplete: Xid, progress: &mut Progress<A>) {
        let are_gone = self.has_aside() && self.keep_aside(first_incomplete, &[], progress);
        if first_incomplete <= self.first_incomplete && !are_gone {
            return;
        }
        while self.first_incomplete < first_incomplete {
            let Some(call) = self.calls.pop_front() else {
                self.first_incomplete = first_incomplete;
                break;
            };
            self.forget(self.first_incomplete, call, progress);
            self.first_incomplete += 1;
        }
        self.acknowledge_lanes(progress);
    }

    /// Whatever comes before `first_incomplete` is acknowledged but those that are `wanted`, in order of their xids. These do not count as the window's
    /// any more.
    ///
    /// # Errors
    ///
    /// [`Refused::BadAcknowledgement`]: those are as many as the window has, out of order, or not before `first_incomplete`; nothing is changed.
    #[cold]
    pub fn set_aside(
        &mut self,
        first_incomplete: Xid,
        wanted: &[Xid],
        progress: &mut Progress<A>,
    ) -> Result<(), Refused> {
        let are_before = wanted.last().is_none_or(|last| *last < first_incomplete);
        if wanted.len() >= self.window as usize || !are_before || !wanted.is_sorted_by(|one, next| one < next) {
            return Err(Refused::BadAcknowledgement);
        }
        self.keep_aside(first_incomplete, wanted, progress);
        while self.first_incomplete < first_incomplete {
            let Some(call) = self.calls.pop_front() else { break };
            if wanted.binary_search(&self.first_incomplete).is_ok() {
                self.put_aside(self.first_incomplete, call);
            } else {
                self.forget(self.first_incomplete, call, progress);
            }
            self.first_incomplete += 1;
        }
        // The rest has not come yet.
        if self.first_incomplete < first_incomplete {
            let from = self.first_incomplete;
            for &xid in wanted.iter().filter(|&&xid| xid >= from) {
                self.put_aside(xid, Call::UNSEEN);
            }
            self.first_incomplete = first_incomplete;
        }
        self.acknowledge_lanes(progress);
        Ok(())
    }

    /// Of the calls that are set aside and come before this, only those are wanted. Whether others were.
    #[cold]
    fn keep_aside(&mut self, first_incomplete: Xid, wanted: &[Xid], progress: &mut Progress<A>) -> bool {
        let is_gone = |xid: &Xid| wanted.binary_search(xid).is_err();
        let aside = self.rare.iter().flat_map(|rare| rare.aside.range(..first_incomplete));
        let gone: Vec<Xid> = aside.map(|(xid, _)| *xid).filter(is_gone).collect();
        for xid in &gone {
            if let Some(call) = self.rare.as_mut().and_then(|rare| rare.aside.remove(xid)) {
                self.forget(*xid, call, progress);
            }
        }
        self.tidy();
        !gone.is_empty()
    }

    /// A call is acknowledged.
    #[inline(always)]
    fn forget(&mut self, xid: Xid, call: Call<A>, progress: &mut Progress<A>) {
        match call.stage {
            Stage::Running { lane, attached } => {
                self.rare().lingering.push((xid, lane));
                progress.orphaned.extend(attached);
            }
            Stage::Held { turn, attached } => {
                self.rare.iter_mut().for_each(|rare| rare.lanes.let_go(turn.lane, xid));
                progress.orphaned.extend(attached);
                progress.dropped.push(xid);
            }
            Stage::Done { reply } => self.kept.give(reply.bytes().len()),
            Stage::Forgotten | Stage::Unseen => {}
        }
    }

    fn acknowledge_lanes(&mut self, progress: &mut Progress<A>) {
        if let Some(rare) = &mut self.rare {
            let Rare { lanes, aside, .. } = &mut **rare;
            lanes.acknowledge(self.first_incomplete, |xid| aside.contains_key(&xid));
            self.release(progress);
        }
    }

    /// How many calls may be known, but for those set aside.
    pub fn window(&self) -> usize {
        self.window as usize
    }

    /// Its session is over: nothing is to [arrive](Self::arrive) any more.
    pub fn end(&mut self) {
        self.is_over = true;
    }

    /// Whether its session is over.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whatever comes before this is acknowledged, or [set aside](Self::set_aside).
    pub fn first_incomplete(&self) -> Xid {
        self.first_incomplete
    }

    /// Bytes of replies that are kept.
    pub fn reply_bytes(&self) -> usize {
        self.kept.used()
    }

    /// How many calls it knows of.
    #[cfg(test)]
    pub(super) fn known(&self) -> usize {
        self.calls.len() + self.rare.as_ref().map_or(0, |rare| rare.aside.len())
    }

    /// Of how many calls it knows that they ended while they waited.
    #[cfg(test)]
    pub(super) fn detours(&self) -> usize {
        self.rare.as_ref().map_or(0, |rare| rare.lanes.detours())
    }

    /// Whether nothing of it runs or is held.
    pub fn is_idle(&self) -> bool {
        let is_under_way = |call: &Call<A>| call.stage.is_under_way();
        !self.calls.iter().any(is_under_way)
            && self.rare.as_ref().is_none_or(|rare| rare.lingering.is_empty() && !rare.aside.values().any(is_under_way))
    }

    /// Where in the window an xid is.
    fn place(&self, xid: Xid) -> Result<usize, Refused> {
        let first_incomplete = self.first_incomplete;
        let ahead = xid.checked_sub(first_incomplete).ok_or(Refused::Stale { first_incomplete })?;
        let end = first_incomplete.saturating_add(u64::from(self.window));
        usize::try_from(ahead).ok().filter(|_| ahead < u64::from(self.window)).ok_or(Refused::OutOfWindow { end })
    }

    fn stage(&mut self, xid: Xid) -> Option<&mut Stage<A>> {
        find(&mut self.calls, aside_of(&mut self.rare), self.first_incomplete, xid).map(|call| &mut call.stage)
    }

    /// A call that was acknowledged while it ran has ended. Nobody waits for it.
    fn stop_lingering(&mut self, xid: Xid) -> Option<Option<Lane>> {
        let lingering = &mut self.rare.as_mut()?.lingering;
        let place = lingering.iter().position(|&(lingering, _)| lingering == xid)?;
        let (_, lane) = lingering.swap_remove(place);
        self.tidy();
        Some(lane)
    }
}

/// The calls that are set aside, if there may be any.
fn aside_of<A, B>(rare: &mut Option<Box<Rare<A, B>>>) -> Option<&mut BTreeMap<Xid, Call<A>>> {
    rare.as_mut().map(|rare| &mut rare.aside)
}

/// What is known of a call, if anything is.
fn find<'a, A>(
    calls: &'a mut ShortDeque<Call<A>>,
    aside: Option<&'a mut BTreeMap<Xid, Call<A>>>,
    first_incomplete: Xid,
    xid: Xid,
) -> Option<&'a mut Call<A>> {
    match xid.checked_sub(first_incomplete) {
        Some(ahead) => calls.get_mut(usize::try_from(ahead).ok()?),
        None => aside?.get_mut(&xid),
    }
}
