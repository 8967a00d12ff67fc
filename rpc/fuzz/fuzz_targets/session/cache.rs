//! One session's replies, beside a model that forgets nothing.

use std::collections::{BTreeMap, BTreeSet};

use arbitrary::Arbitrary;
use fibra_rpc::session::{Arrival, Lane, Progress, Refused, ReplyCache, Turn, Verdict, Xid};

const REPLY_BYTES_MAX: usize = 256;

#[derive(Arbitrary, Debug)]
pub enum Step {
    /// A call arrives; `far` tries the ends of what numbers can say.
    Arrive {
        xid: u8,
        behind: u8,
        far: bool,
        fingerprint: bool,
        lane: Option<(bool, u8)>,
    },
    /// Somebody attaches to a call.
    Attach {
        xid: u8,
    },
    /// They give up.
    Detach {
        xid: u8,
    },
    /// One that runs, or does not, has got an answer.
    Finish {
        xid: u8,
        bytes: u8,
        run: bool,
    },
    /// It turns out not to run.
    Abandon {
        xid: u8,
    },
    Acknowledge {
        first_incomplete: u8,
    },
    /// All before it but some, in order or not.
    SetAside {
        first_incomplete: u8,
        wanted: Vec<u8>,
    },
}

#[derive(Default)]
struct Model {
    first_incomplete: Xid,
    /// Those before it that are not acknowledged.
    aside: BTreeSet<Xid>,
    calls: BTreeMap<Xid, Call>,
    /// Acknowledged, and running.
    lingering: BTreeMap<Xid, Option<Lane>>,
    replies: BTreeMap<Xid, Vec<u8>>,
    attached: u64,
    /// How far each lane has come.
    begun: BTreeMap<Lane, Xid>,
    /// Calls that ended while they were held, and what they were to come after.
    detours: BTreeMap<Xid, Xid>,
}

struct Call {
    fingerprint: u64,
    stage: Stage,
    attached: Vec<u64>,
}

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Held(Turn),
    Running(Option<Lane>),
    Done { bytes: usize },
    Forgotten,
}

pub fn run(window: usize, steps: &[Step]) {
    let mut cache: ReplyCache<u64> = ReplyCache::new(window, REPLY_BYTES_MAX);
    let mut model = Model { first_incomplete: 1, ..Model::default() };
    for step in steps {
        model.step(step, &mut cache, window.max(1) as u64);
    }
}

impl Model {
    fn step(&mut self, step: &Step, cache: &mut ReplyCache<u64>, window: u64) {
        let mut progress = Progress::default();
        let mut expected = Progress::default();
        match *step {
            Step::Arrive { xid, behind, far, fingerprint, lane } => {
                let base = if far { u64::MAX - 255 } else { 0 };
                let xid = base + Xid::from(xid);
                let first_incomplete =
                    if behind == u8::MAX { xid.saturating_add(1) } else { xid.saturating_sub(behind.into()) };
                let turn = lane.map(|(lane, back)| Turn { lane: lane.into(), after: xid.saturating_sub(back.into()) });
                let arrival = Arrival { xid, first_incomplete, fingerprint: fingerprint.into(), turn };
                let verdict = self.arrive(arrival, window, &mut expected);
                assert_eq!(cache.arrive(arrival, &mut progress), verdict, "{arrival:?}");
            }
            Step::Attach { xid } => {
                self.attached += 1;
                let who = self.attached;
                let call = self.calls.get_mut(&xid.into()).filter(|call| call.is_under_way());
                assert_eq!(cache.attach(xid.into(), who).is_ok(), call.is_some());
                call.into_iter().for_each(|call| call.attached.push(who));
            }
            Step::Detach { xid } => {
                let call = self.calls.get_mut(&xid.into());
                let who = call.and_then(|call| call.attached.pop());
                cache.detach(xid.into(), |&attached| Some(attached) == who);
            }
            Step::Finish { xid, bytes, run } => {
                let reply = vec![xid; bytes.into()];
                let attached = self.finish(xid.into(), &reply, run, &mut expected);
                assert_eq!(cache.finish(xid.into(), &reply, run, &mut progress), attached);
            }
            Step::Abandon { xid } => {
                let attached = self.abandon(xid.into(), &mut expected);
                assert_eq!(cache.abandon(xid.into(), &mut progress), attached);
            }
            Step::Acknowledge { first_incomplete } => {
                self.acknowledge(first_incomplete.into(), &mut expected);
                cache.acknowledge(first_incomplete.into(), &mut progress);
            }
            Step::SetAside { first_incomplete, ref wanted } => {
                let first_incomplete = first_incomplete.into();
                let wanted: Vec<Xid> = wanted.iter().map(|&xid| xid.into()).collect();
                let is_sound = (wanted.len() as u64) < window
                    && wanted.windows(2).all(|pair| pair[0] < pair[1])
                    && wanted.last().is_none_or(|last| *last < first_incomplete);
                let set_aside = cache.set_aside(first_incomplete, &wanted, &mut progress);
                assert_eq!(set_aside, if is_sound { Ok(()) } else { Err(Refused::BadAcknowledgement) });
                if is_sound {
                    self.set_aside(first_incomplete, &wanted, &mut expected);
                }
            }
        }
        // Lanes have nothing to do with each other: in what order the calls of several are named says nothing.
        for told in [&mut progress, &mut expected] {
            told.released.sort_unstable();
            told.dropped.sort_unstable();
            told.orphaned.sort_unstable();
        }
        assert_eq!(progress, expected, "{step:?}");
        assert_eq!(cache.first_incomplete(), self.first_incomplete);
        assert_eq!(cache.reply_bytes(), self.reply_bytes());
        let is_idle = self.lingering.is_empty() && !self.calls.values().any(Call::is_under_way);
        assert_eq!(cache.is_idle(), is_idle);
        // What the model has found: what it keeps of a session has a bound.
        let is_in_window = |xid: &Xid| *xid >= self.first_incomplete && xid - self.first_incomplete < window;
        assert!(self.calls.keys().all(|xid| is_in_window(xid) || self.aside.contains(xid)));
        assert!((self.aside.len() as u64) < window);
        let lanes: Vec<Lane> = self.running_lanes().collect();
        assert_eq!(lanes.len(), lanes.iter().collect::<BTreeSet<_>>().len(), "two of one lane run at once");
    }

    fn arrive(&mut self, arrival: Arrival, window: u64, progress: &mut Progress<u64>) -> Result<Verdict<'_>, Refused> {
        let Arrival { xid, first_incomplete, fingerprint, turn } = arrival;
        if first_incomplete > xid || turn.is_some_and(|turn| turn.after >= xid) {
            return Err(Refused::BadAcknowledgement);
        }
        self.acknowledge(first_incomplete, progress);
        let first_incomplete = self.first_incomplete;
        let is_aside = self.aside.contains(&xid);
        if xid < first_incomplete && !is_aside {
            return Err(Refused::Stale { first_incomplete });
        }
        if !is_aside && xid - first_incomplete >= window {
            return Err(Refused::OutOfWindow { end: first_incomplete.saturating_add(window) });
        }
        let turn = turn.map(|turn| Turn { after: self.resolve(turn.after), ..turn });
        if let Some(call) = self.calls.get_mut(&xid) {
            if call.fingerprint != fingerprint {
                return Err(Refused::Conflict);
            }
            if let Stage::Held(held) = &mut call.stage {
                if let Some(turn) = turn
                    && turn.after < held.after
                {
                    held.after = turn.after;
                    self.release(progress);
                }
                return Ok(Verdict::Held);
            }
            return match call.stage {
                Stage::Held(_) | Stage::Running(_) => Ok(Verdict::InProgress),
                Stage::Done { .. } => Ok(Verdict::Done(&self.replies[&xid])),
                Stage::Forgotten => Err(Refused::Forgotten),
            };
        }
        assert!(!self.replies.contains_key(&xid) && !self.lingering.contains_key(&xid), "xid {xid} runs twice");
        if let Some(&by) = turn.and_then(|turn| self.begun.get(&turn.lane))
            && xid < by
        {
            return Err(Refused::Overtaken { by });
        }
        let (stage, verdict) = match turn {
            Some(turn) if !self.has_come(turn) => (Stage::Held(turn), Verdict::Held),
            turn => {
                turn.iter().for_each(|turn| self.begin(turn.lane, xid, progress));
                (Stage::Running(turn.map(|turn| turn.lane)), Verdict::New)
            }
        };
        self.calls.insert(xid, Call { fingerprint, stage, attached: Vec::new() });
        if is_aside {
            self.release(progress);
        }
        Ok(verdict)
    }

    fn finish(&mut self, xid: Xid, reply: &[u8], run: bool, progress: &mut Progress<u64>) -> Option<Vec<u64>> {
        let kept = self.reply_bytes();
        let Some(call) = self.calls.get_mut(&xid) else { return self.stop_lingering(xid, progress) };
        let held = match call.stage {
            Stage::Running(_) => None,
            Stage::Held(turn) if !run => Some(turn),
            _ => return None,
        };
        let fits = !run || kept + reply.len() <= REPLY_BYTES_MAX;
        call.stage = if fits { Stage::Done { bytes: reply.len() } } else { Stage::Forgotten };
        let attached = std::mem::take(&mut call.attached);
        self.replies.insert(xid, reply.to_vec());
        if let Some(Turn { after, .. }) = held {
            self.detours.insert(xid, after);
            for call in self.calls.values_mut() {
                if let Stage::Held(turn) = &mut call.stage
                    && turn.after == xid
                {
                    turn.after = after;
                }
            }
        }
        self.release(progress);
        Some(attached)
    }

    fn abandon(&mut self, xid: Xid, progress: &mut Progress<u64>) -> Option<Vec<u64>> {
        if !self.calls.contains_key(&xid) {
            return self.stop_lingering(xid, progress);
        }
        let call = self.calls.get(&xid).filter(|call| call.is_under_way())?;
        let attached = call.attached.clone();
        if let Stage::Running(Some(lane)) = call.stage
            && self.begun[&lane] == xid
        {
            self.begun.insert(lane, xid - 1);
        }
        self.calls.remove(&xid);
        self.release(progress);
        Some(attached)
    }

    fn stop_lingering(&mut self, xid: Xid, progress: &mut Progress<u64>) -> Option<Vec<u64>> {
        self.lingering.remove(&xid)?;
        self.release(progress);
        Some(Vec::new())
    }

    fn acknowledge(&mut self, first_incomplete: Xid, progress: &mut Progress<u64>) {
        self.set_aside(first_incomplete, &[], progress);
    }

    fn set_aside(&mut self, first_incomplete: Xid, wanted: &[Xid], progress: &mut Progress<u64>) {
        let is_gone = |xid: &Xid| *xid < first_incomplete && !wanted.contains(xid);
        self.aside.retain(|xid| !is_gone(xid));
        self.aside.extend(wanted.iter().copied().filter(|xid| *xid >= self.first_incomplete));
        for xid in self.calls.keys().copied().filter(is_gone).collect::<Vec<_>>() {
            let call = self.calls.remove(&xid).expect("it was found");
            progress.orphaned.extend(call.attached);
            match call.stage {
                Stage::Held(_) => progress.dropped.push(xid),
                Stage::Running(lane) => drop(self.lingering.insert(xid, lane)),
                Stage::Done { .. } | Stage::Forgotten => {}
            }
        }
        self.first_incomplete = self.first_incomplete.max(first_incomplete);
        self.release(progress);
    }

    fn oldest(&self) -> Xid {
        self.aside.first().copied().unwrap_or(self.first_incomplete)
    }

    fn release(&mut self, progress: &mut Progress<u64>) {
        let held =
            |(&xid, call): (&Xid, &Call)| if let Stage::Held(turn) = call.stage { Some((xid, turn)) } else { None };
        for (xid, turn) in self.calls.iter().filter_map(held).collect::<Vec<_>>() {
            if self.has_come(turn)
                && let Some(call) = self.calls.get_mut(&xid)
                && let Stage::Held(_) = call.stage
            {
                call.stage = Stage::Running(Some(turn.lane));
                self.begin(turn.lane, xid, progress);
                progress.released.push(xid);
            }
        }
    }

    /// Who is held before it in its lane was given up.
    fn begin(&mut self, lane: Lane, xid: Xid, progress: &mut Progress<u64>) {
        assert!(self.begun.get(&lane).is_none_or(|&begun| begun <= xid), "lane {lane} goes back to {xid}");
        self.begun.insert(lane, xid);
        let is_overtaken = |(&held, call): (&Xid, &Call)| {
            (held < xid && matches!(call.stage, Stage::Held(turn) if turn.lane == lane)).then_some(held)
        };
        for held in self.calls.iter().filter_map(is_overtaken).collect::<Vec<_>>() {
            let call = self.calls.remove(&held).expect("it was found");
            progress.orphaned.extend(call.attached);
            progress.dropped.push(held);
        }
    }

    fn resolve(&self, after: Xid) -> Xid {
        match self.detours.get(&after) {
            Some(&before) if after >= self.oldest() => self.resolve(before),
            _ => after,
        }
    }

    fn has_come(&self, turn: Turn) -> bool {
        let has_ended = |call: &Call| matches!(call.stage, Stage::Done { .. } | Stage::Forgotten);
        if self.running_lanes().any(|lane| lane == turn.lane) {
            return false;
        }
        if turn.after < self.first_incomplete && !self.aside.contains(&turn.after) {
            // One before it, of which the client has not said that it waits for it, may be of the lane.
            let may_be_of_it = |xid: &Xid| match self.calls.get(xid).map(|call| &call.stage) {
                None => true,
                Some(Stage::Held(other)) => other.lane == turn.lane,
                Some(Stage::Running(_) | Stage::Done { .. } | Stage::Forgotten) => false,
            };
            return !self.aside.range(..turn.after).any(may_be_of_it);
        }
        self.begun.get(&turn.lane).is_some_and(|&begun| turn.after <= begun)
            || self.calls.get(&turn.after).is_some_and(has_ended)
    }

    fn running_lanes(&self) -> impl Iterator<Item = Lane> {
        let running = |call: &Call| if let Stage::Running(lane) = call.stage { lane } else { None };
        self.calls.values().filter_map(running).chain(self.lingering.values().filter_map(|lane| *lane))
    }

    fn reply_bytes(&self) -> usize {
        let bytes = |call: &Call| if let Stage::Done { bytes } = call.stage { bytes } else { 0 };
        self.calls.values().map(bytes).sum()
    }
}

impl Call {
    fn is_under_way(&self) -> bool {
        matches!(self.stage, Stage::Held(_) | Stage::Running(_))
    }
}
