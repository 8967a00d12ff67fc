//! The shrinker: from a case that fails to the smallest that fails alike, as far as so many runs reach.
//!
//! ```text
//!   leave out   priorities, faults, rules   with the case's own seed, then with others, more and more of them: a smaller
//!   reduce      the choices of draws        case may need another order to fail. Again, until nothing comes of it
//!   lessen      times, probabilities        with its own seed: each step changes little. Last, since what is rare needs
//!                                           luck to be found in an even smaller case
//! ```
//!
//! It knows nothing of tests: a candidate is a recipe, and it is run.
//!
//! Faults come first: as long as the case is large it fails under many seeds, and so with fewer of them.
//!
//! Invariants:
//! * Each step is to something smaller, so it ends: faults are left out or lessened and never come back, choices become less in order
//!   of number and then of size.
//! * The same case, test and budget lead to the same end.

mod draws;
mod faults;

use std::collections::BTreeSet;

use fibra_net::sim::Schedule;

use crate::counterexample::{Counterexample, Kind};
use crate::play::Test;
use crate::recipe::Recipe;

/// How many seeds beside a case's own are tried: a few, and then, where it passed with those, more.
const OTHER_SEEDS: [u64; 3] = [FEW, 32, 256];
const FEW: u64 = 4;

/// With which seeds a candidate is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effort {
    OwnSeed,
    /// And a few others.
    Few,
    /// And as many others as is their turn.
    Many,
}

pub(crate) struct Shrinker<'a> {
    test: &'a Test<'a>,
    best: Counterexample,
    /// All cases that were tried.
    tried: BTreeSet<String>,
    runs_left: u32,
    /// How many of those are for later.
    reserve: u32,
    other_seeds: u64,
}

/// The smallest case that fails as `first` does and that `runs` runs have come to; and how many of them it took.
pub(crate) fn shrink(test: &Test<'_>, first: Counterexample, runs: u32) -> (Counterexample, u32) {
    let tried = BTreeSet::from([first.recipe.to_string()]);
    let mut shrinker = Shrinker { test, best: first, tried, runs_left: runs, reserve: runs / 4, other_seeds: 0 };
    for other_seeds in OTHER_SEEDS {
        shrinker.other_seeds = other_seeds;
        while shrinker.pass(Shrinker::leave_out) {}
    }
    (shrinker.reserve, shrinker.other_seeds) = (0, 0);
    while shrinker.pass(faults::lessen) | shrinker.pass(Shrinker::leave_out) {}
    (shrinker.best, runs - shrinker.runs_left)
}

impl Shrinker<'_> {
    /// Tries all that `tries` does. Whether anything came of it.
    fn pass(&mut self, tries: impl FnOnce(&mut Self)) -> bool {
        let before = self.best.recipe.to_string();
        tries(self);
        self.best.recipe.to_string() != before
    }

    fn leave_out(&mut self) {
        self.leave_out_priorities();
        faults::leave_out(self);
        self.leave_out_rules();
        draws::reduce(self);
    }

    fn leave_out_priorities(&mut self) {
        if self.best.recipe.schedule != Some(Schedule::Random) {
            let recipe = Recipe { schedule: Some(Schedule::Random), ..self.best.recipe.clone() };
            self.attempt(recipe, Effort::Many, |_, _| true);
        }
    }

    fn leave_out_rules(&mut self) {
        for rule in self.best.rules.clone() {
            let mut recipe = self.best.recipe.clone();
            recipe.without.push(rule);
            self.attempt(recipe, Effort::Many, |_, _| true);
        }
    }

    /// Tries a candidate; it is the best now if it fails alike and is `smaller` than the best was.
    fn attempt(
        &mut self,
        candidate: Recipe,
        effort: Effort,
        smaller: impl Fn(&Counterexample, &Counterexample) -> bool,
    ) -> bool {
        let others = match effort {
            Effort::OwnSeed => 0,
            Effort::Few => self.other_seeds.min(FEW),
            Effort::Many => self.other_seeds,
        };
        let seeds = [candidate.seed].into_iter().chain((0..others).filter(|seed| *seed != candidate.seed));
        seeds.into_iter().any(|seed| {
            let candidate = Recipe { seed, ..candidate.clone() };
            let Some(found) = self.run(&candidate) else { return false };
            let is_better = found.is_alike(&self.best) && smaller(&found, &self.best);
            if is_better {
                self.tried.insert(found.recipe.to_string());
                self.best = found;
            }
            is_better
        })
    }

    fn run(&mut self, candidate: &Recipe) -> Option<Counterexample> {
        if self.runs_left <= self.reserve || !self.tried.insert(candidate.to_string()) {
            return None;
        }
        self.runs_left -= 1;
        let played = match self.best.broken.kind {
            Kind::Irreproducible => self.test.play_twice(candidate),
            _ => self.test.play(candidate),
        };
        played.counterexample.map(|found| *found)
    }
}
