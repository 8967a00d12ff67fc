//! Reducing choices: fewer of them, then lesser ones, whatever is drawn from them.

use super::{Effort, Shrinker};
use crate::counterexample::Counterexample;
use crate::recipe::Recipe;

/// Beyond so many choices, those in pairs are left alone: there are too many pairs.
const PAIRS_MAX: usize = 64;

/// Tries to do with fewer and lesser choices.
pub(super) fn reduce(shrinker: &mut Shrinker<'_>) {
    with(shrinker, Effort::Many, |choices| choices.clear());
    cut(shrinker);
    // What comes first is often how many there are of the others.
    let mut place = 0;
    while place < len(shrinker) {
        lower(shrinker, place);
        place += 1;
    }
    lower_and_cut(shrinker);
}

/// Leaves out runs of choices, and puts their least values in their places; long runs first, from the end.
fn cut(shrinker: &mut Shrinker<'_>) {
    let mut size = len(shrinker) / 2;
    while size > 0 {
        let mut end = len(shrinker);
        while end >= size && end > 0 {
            let range = end - size..end;
            let is_cut = with(shrinker, Effort::Many, |choices| drop(choices.drain(range.clone())));
            if !is_cut {
                with(shrinker, Effort::Many, |choices| choices[range.clone()].fill(0));
            }
            end = (end - size).min(len(shrinker));
        }
        size /= 2;
    }
}

/// Finds the least for one choice, as if those above one that fails failed, too.
fn lower(shrinker: &mut Shrinker<'_>, place: usize) {
    let mut passes = 0;
    let set = |shrinker: &mut Shrinker<'_>, effort, choice| with(shrinker, effort, |choices| choices[place] = choice);
    let current = |shrinker: &Shrinker<'_>| choices(shrinker).get(place).copied().unwrap_or(0);
    if current(shrinker) == 0 || set(shrinker, Effort::Many, 0) {
        return;
    }
    while current(shrinker) > passes + 1 {
        let middle = passes + (current(shrinker) - passes) / 2;
        if !set(shrinker, Effort::Few, middle) {
            passes = middle;
        }
    }
}

/// A choice may say how many others there are: one less of it, and one or two of those that come behind it left out.
fn lower_and_cut(shrinker: &mut Shrinker<'_>) {
    let mut place = 0;
    while place < len(shrinker).min(PAIRS_MAX) {
        let mut other = place + 1;
        while other < len(shrinker).min(PAIRS_MAX) {
            let is_cut = choices(shrinker)[place] > 0
                && [1, 2].into_iter().any(|count| {
                    with(shrinker, Effort::Few, |choices| {
                        choices[place] -= 1;
                        drop(choices.drain(other..(other + count).min(choices.len())));
                    })
                });
            if !is_cut {
                other += 1;
            }
        }
        place += 1;
    }
}

fn choices<'a>(shrinker: &'a Shrinker<'_>) -> &'a [u64] {
    shrinker.best.recipe.draws.as_deref().unwrap_or_default()
}

fn len(shrinker: &Shrinker<'_>) -> usize {
    choices(shrinker).len()
}

/// Tries the best case with its choices changed.
fn with(shrinker: &mut Shrinker<'_>, effort: Effort, change: impl FnOnce(&mut Vec<u64>)) -> bool {
    let mut draws = choices(shrinker).to_vec();
    change(&mut draws);
    while draws.last() == Some(&0) {
        draws.pop();
    }
    let recipe = Recipe { draws: Some(draws), ..shrinker.best.recipe.clone() };
    shrinker.attempt(recipe, effort, is_smaller)
}

/// Fewer, or as many and in the first place in which they differ less. What a case draws in the end may be more than it was given.
fn is_smaller(new: &Counterexample, old: &Counterexample) -> bool {
    let key = |it: &Counterexample| {
        let choices = it.recipe.draws.clone().unwrap_or_default();
        (choices.len(), choices)
    };
    key(new) < key(old)
}
