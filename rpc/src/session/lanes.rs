//! The lanes of a session: which of their calls run, wait, or come too late.
//!
//! ```text
//!   lane 0:  1 ✓ ◀─ 2 ✓ ◀─ 5 runs ◀─ 6 held ◀─ (8 not here yet) ◀─ 9 held
//!                            ▲
//!                          begun
//! ```
//!
//! A client numbers the calls of a lane in its order, and each names the one that it comes after: the last before it that its client still
//! waits for. Whatever lies between those two was given up.
//!
//! Invariants:
//! * `begun` never falls, but to just before a call that turned out not to have run. So the calls of a lane run in the order of their xids.
//! * A call that waits was not overtaken: whoever begins takes those before it out.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::Xid;

/// The number of a lane within its session.
pub type Lane = u8;

/// A place in a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Which lane.
    pub lane: Lane,
    /// The call that it has to come after; 0 if there is none that its client still waits for.
    pub after: Xid,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Lanes {
    courses: Vec<Course>,
    /// The calls that wait, lane by lane: an end is one lane's, and those of the others need not be looked at for it.
    held: BTreeSet<(Lane, Xid)>,
    /// Calls that ended while they waited, with the one that each was to come after: so is whatever comes after them.
    detours: BTreeMap<Xid, Xid>,
}

/// How far a lane is.
#[derive(Debug)]
struct Course {
    lane: Lane,
    /// The last call that has begun to run.
    begun: Xid,
    /// Whether it still runs.
    is_busy: bool,
}

impl Lanes {
    /// Whether there has been no call of a lane.
    pub(super) fn are_unused(&self) -> bool {
        self.courses.is_empty() && self.held.is_empty() && self.detours.is_empty()
    }

    /// The last call of the lane that has begun to run, 0 if none has; and whether it still runs.
    pub(super) fn course(&self, lane: Lane) -> (Xid, bool) {
        let course = self.courses.iter().find(|course| course.lane == lane);
        course.map_or((0, false), |course| (course.begun, course.is_busy))
    }

    /// A call begins to run.
    pub(super) fn begin(&mut self, lane: Lane, xid: Xid) {
        self.held.remove(&(lane, xid));
        match self.courses.iter_mut().find(|course| course.lane == lane) {
            Some(course) => (course.begun, course.is_busy) = (xid, true),
            None => self.courses.push(Course { lane, begun: xid, is_busy: true }),
        }
    }

    /// Nothing of the lane runs any more.
    pub(super) fn leave(&mut self, lane: Lane) {
        self.courses.iter_mut().filter(|course| course.lane == lane).for_each(|course| course.is_busy = false);
    }

    /// The call that had begun last has not run, and may come again.
    pub(super) fn take_back(&mut self, lane: Lane, xid: Xid) {
        let is_it = |course: &&mut Course| course.lane == lane && course.begun == xid;
        self.courses.iter_mut().filter(is_it).for_each(|course| course.begun = xid - 1);
    }

    /// A call waits.
    pub(super) fn hold(&mut self, lane: Lane, xid: Xid) {
        self.held.insert((lane, xid));
    }

    /// It does not any more, and may come again.
    pub(super) fn let_go(&mut self, lane: Lane, xid: Xid) {
        self.held.remove(&(lane, xid));
    }

    /// It does not any more, and will not run: what was to come after it comes after what it was to.
    pub(super) fn pass_over(&mut self, xid: Xid, Turn { lane, after }: Turn) {
        self.held.remove(&(lane, xid));
        self.detours.insert(xid, after);
    }

    /// The call that who names `after` is to come after.
    pub(super) fn resolve(&self, mut after: Xid) -> Xid {
        // Each lies before the last.
        while let Some(&before) = self.detours.get(&after) {
            after = before;
        }
        after
    }

    /// Whatever comes before this is acknowledged, but for those that are `wanted`. Who names one that is forgotten here waits for all of the
    /// lane before it that there is.
    pub(super) fn acknowledge(&mut self, first_incomplete: Xid, wanted: impl Fn(Xid) -> bool) {
        let before = self.detours.range(..first_incomplete).map(|(&xid, _)| xid);
        let gone: Vec<Xid> = before.filter(|&xid| !wanted(xid)).collect();
        for xid in gone {
            self.detours.remove(&xid);
        }
    }

    #[cfg(test)]
    pub(super) fn detours(&self) -> usize {
        self.detours.len()
    }

    /// Whether calls wait.
    pub(super) fn holds_any(&self) -> bool {
        !self.held.is_empty()
    }

    /// The first of the lane behind this one that waits.
    pub(super) fn next_held(&self, lane: Lane, before: Xid) -> Option<Xid> {
        let behind = (Bound::Excluded((lane, before)), Bound::Included((lane, Xid::MAX)));
        self.held.range(behind).next().map(|&(_, xid)| xid)
    }

    /// The first lane from this one on in which calls wait and none runs.
    pub(super) fn next_idle(&self, from: Lane) -> Option<Lane> {
        let mut from = from;
        loop {
            let &(lane, _) = self.held.range((from, 0)..).next()?;
            if !self.course(lane).1 {
                return Some(lane);
            }
            from = lane.checked_add(1)?;
        }
    }
}
