//! PCT: a random priority for each fiber, and a few steps at which the one that runs loses its own.
//!
//! ```text
//!   raised    passed over for as long as the program is assumed to take
//!   drawn     as the seed has it, from the fiber's beginning
//!   lowered   ran at a change point
//!   ───────
//!   spinning  yields and yields: in turn, when none above can run, or as one that was passed over
//! ```
//!
//! Invariant: of two fibers one has the higher rank, so a rank is a key.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Entry;
use crate::rng::Rng;
use crate::seeded::Event;

/// After so many yields without a wait a fiber is taken for one that spins.
const YIELDS_MAX: u32 = 32;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    #[default]
    Lowered,
    Drawn,
    Raised,
}

/// Ordered: the greatest runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    class: Class,
    level: i64,
    /// The fiber's, so that no two are equal.
    number: u64,
}

/// What a fiber has beside its host: how important it is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mark {
    rank: Rank,
    /// Since it last waited.
    yields: u32,
}

impl Mark {
    /// It has had a turn, which ended by `event`.
    pub(crate) fn after(self, event: Event) -> Self {
        match event {
            Event::Yield => Mark { yields: self.yields.saturating_add(1), ..self },
            _ => Mark { yields: 0, ..self },
        }
    }
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Priorities {
    changes: i64,
    steps: u64,
    /// The changes to come in this stretch of steps, the next last: at which step, and how far down.
    to_come: Vec<(u64, i64)>,
    /// The last step of this stretch.
    end: u64,
    /// The lowest level that this stretch's changes bring.
    lowest: i64,
    /// How many steps there were.
    step: u64,
    /// How many fibers there were, and how many were raised.
    met: u64,
    raised: i64,
    /// With the step before which each came.
    runnable: BTreeMap<Rank, (Entry, u64)>,
    /// The same by when they came.
    waiting: BTreeSet<(u64, Rank)>,
    spinning: VecDeque<(Entry, u64)>,
}

impl Priorities {
    pub(super) fn new(depth: u32, steps: u64, rng: &mut Rng) -> Self {
        let mut priorities = Self {
            changes: i64::from(depth.saturating_sub(1)),
            // A longer one than can be counted is never over.
            steps: steps.clamp(1, u64::MAX / 4),
            to_come: Vec::new(),
            end: 0,
            lowest: 0,
            step: 0,
            met: 0,
            raised: 0,
            runnable: BTreeMap::new(),
            waiting: BTreeSet::new(),
            spinning: VecDeque::new(),
        };
        priorities.begin_stretch(rng);
        priorities
    }

    /// Draws where in the next steps the priorities change. Beyond the first stretch the paper says nothing; changes that go on serve
    /// programs that take longer than they were said to.
    fn begin_stretch(&mut self, rng: &mut Rng) {
        let begin = self.end;
        self.end += self.steps;
        // Those of each stretch are below those of the one before.
        self.lowest -= self.changes;
        let steps = usize::try_from(self.steps).unwrap_or(usize::MAX);
        let level = |change| self.lowest + change;
        self.to_come = (0..self.changes).map(|change| (begin + 1 + rng.below(steps) as u64, level(change))).collect();
        self.to_come.sort_unstable_by_key(|&change| Reverse(change));
    }

    /// The mark of a new fiber.
    pub(super) fn meet(&mut self, rng: &mut Rng) -> Mark {
        self.met += 1;
        let rank = Rank { class: Class::Drawn, level: rng.word().cast_signed(), number: self.met };
        Mark { rank, yields: 0 }
    }

    pub(super) fn push(&mut self, entry: Entry) {
        if entry.mark.yields >= YIELDS_MAX {
            return self.spinning.push_back((entry, self.step));
        }
        self.waiting.insert((self.step, entry.mark.rank));
        self.runnable.insert(entry.mark.rank, (entry, self.step));
    }

    /// Takes the one that is next, with the mark that it has from then on.
    pub(super) fn pop(&mut self, rng: &mut Rng) -> Option<Entry> {
        let mut entry = match self.passed_over() {
            Some(mut entry) => {
                self.raised += 1;
                entry.mark =
                    Mark { rank: Rank { class: Class::Raised, level: self.raised, ..entry.mark.rank }, yields: 0 };
                entry
            }
            None => match self.runnable.pop_last() {
                Some((rank, (entry, since))) => {
                    self.waiting.remove(&(since, rank));
                    entry
                }
                None => self.spinning.pop_front()?.0,
            },
        };
        if self.step == self.end {
            self.begin_stretch(rng);
        }
        self.step += 1;
        while let Some((_, level)) = self.to_come.pop_if(|(step, _)| *step == self.step) {
            entry.mark.rank = Rank { class: Class::Lowered, level, ..entry.mark.rank };
        }
        Some(entry)
    }

    /// Takes the one that could have run for the longest time, if that is too long.
    fn passed_over(&mut self) -> Option<Entry> {
        let is_too_long = |since: u64| self.step - since >= self.steps;
        if self.spinning.front().is_some_and(|(_, since)| is_too_long(*since)) {
            return self.spinning.pop_front().map(|(entry, _)| entry);
        }
        let &(since, rank) = self.waiting.first().filter(|(since, _)| is_too_long(*since))?;
        self.waiting.remove(&(since, rank));
        self.runnable.remove(&rank).map(|(entry, _)| entry)
    }

    /// Takes all, in no order that matters.
    pub(super) fn take(&mut self) -> Vec<Entry> {
        self.waiting.clear();
        let runnable = std::mem::take(&mut self.runnable).into_values();
        runnable.chain(self.spinning.drain(..)).map(|(entry, _)| entry).collect()
    }
}
