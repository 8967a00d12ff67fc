//! Fewer faults, then lesser ones: rarer, shorter, over earlier.

use std::time::Duration;

use fibra_net::sim::{Conditions, Fault, Faults, Latency, Skew};

use super::{Effort, Shrinker};
use crate::recipe::faults::PROBABILITIES;

/// How often a time or a probability is halved.
const HALVINGS: u32 = 10;

/// The least probability that is tried.
const PROBABILITY_MIN: f64 = 1.0 / 256.0;

/// Tries to do without each of them: first without all, then with one alone.
pub(super) fn leave_out(shrinker: &mut Shrinker<'_>) {
    let out = |shrinker: &mut Shrinker<'_>, change: &dyn Fn(&mut Faults)| with(shrinker, Effort::Many, change);
    if out(shrinker, &|faults| *faults = Faults::default()) {
        return;
    }
    let faults_there = faults(shrinker).faults.len();
    let alone = |place: usize| {
        move |faults: &mut Faults| {
            let fault = faults.faults.swap_remove(place);
            *faults = Faults { faults: vec![fault], until: faults.until, ..Faults::default() };
        }
    };
    if !(0..faults_there).any(|place| out(shrinker, &alone(place))) {
        out(shrinker, &|faults| faults.faults.clear());
        out(shrinker, &|faults| faults.conditions = Conditions::default());
    }
    for (_, probability) in PROBABILITIES {
        out(shrinker, &|faults| *probability(&mut faults.conditions) = 0.0);
    }
    out(shrinker, &|faults| faults.conditions.bandwidth = None);
    out(shrinker, &|faults| faults.skew = Skew::default());
    out(shrinker, &|faults| faults.skew.offset = Duration::ZERO);
    out(shrinker, &|faults| faults.skew.drift = 0);
    let are_default = |latency: Latency| latency == Latency::default();
    if !are_default(faults(shrinker).conditions.latency)
        && !out(shrinker, &|it| it.conditions.latency = Latency::default())
    {
        out(shrinker, &|faults| {
            let latency = faults.conditions.latency;
            faults.conditions.latency = Latency::between(latency.min, latency.max);
        });
    }
    for place in (0..faults(shrinker).faults.len()).rev() {
        out(shrinker, &|faults| drop(faults.faults.remove(place)));
    }
}

/// Tries to make less of what is left.
pub(super) fn lessen(shrinker: &mut Shrinker<'_>) {
    if faults(shrinker) == Faults::default() {
        return;
    }
    for (_, probability) in PROBABILITIES {
        halve(shrinker, |faults| halve_probability(probability(&mut faults.conditions)));
    }
    halve(shrinker, |faults| halve_probability(&mut faults.conditions.latency.tail));
    halve(shrinker, |faults| halve_time(&mut faults.conditions.latency.tail_max));
    halve(shrinker, |faults| {
        let latency = &mut faults.conditions.latency;
        let is_less = latency.max > Latency::default().max && halve_time(&mut latency.max);
        latency.min = latency.min.min(latency.max);
        is_less
    });
    for place in 0..faults(shrinker).faults.len() {
        lessen_fault(shrinker, place);
    }
    // Last: whatever is rarer needs its time.
    end_earlier(shrinker);
}

/// Faults that end when all is over end then, too; if they may end earlier, then as early as they may.
fn end_earlier(shrinker: &mut Shrinker<'_>) {
    let end = shrinker.best.broken.at + Duration::from_millis(1);
    let until = |shrinker: &mut Shrinker<'_>, until: Duration| {
        let until = Duration::from_millis(until.as_millis() as u64);
        with(shrinker, Effort::OwnSeed, &|faults| faults.until = Some(until))
    };
    let now = |shrinker: &Shrinker<'_>| faults(shrinker).until;
    if now(shrinker).is_none_or(|now| end < now) {
        until(shrinker, end);
    }
    let mut passes = Duration::ZERO;
    for _ in 0..HALVINGS {
        let Some(fails) = now(shrinker) else { return };
        let middle = passes + fails.saturating_sub(passes) / 2;
        if !until(shrinker, middle) {
            passes = middle;
        }
    }
}

fn lessen_fault(shrinker: &mut Shrinker<'_>, place: usize) {
    let until = faults(shrinker).until;
    // Always the longest of what it was, which is rarer; then rarer still.
    halve(shrinker, |faults| {
        let every = &mut faults.faults[place].every;
        let is_less = every.0 < every.1;
        every.0 = every.1;
        is_less
    });
    halve(shrinker, |faults| {
        let every = &mut faults.faults[place].every;
        let rarer = every.1 * 2;
        let is_less = until.is_some_and(|until| rarer < until);
        *every = (rarer, rarer);
        is_less
    });
    let lasts = |fault: &Fault| fault.lasting.1 > Duration::ZERO;
    let at_once = (Duration::ZERO, Duration::ZERO);
    if lasts(&faults(shrinker).faults[place])
        && !with(shrinker, Effort::OwnSeed, &|faults| faults.faults[place].lasting = at_once)
    {
        halve(shrinker, |faults| {
            let lasting = &mut faults.faults[place].lasting;
            let is_less = lasting.0 < lasting.1;
            lasting.0 = lasting.1;
            is_less
        });
        halve(shrinker, |faults| {
            let lasting = &mut faults.faults[place].lasting;
            let is_less = halve_time(&mut lasting.1);
            lasting.0 = lasting.0.min(lasting.1);
            is_less
        });
    }
}

/// `false`: it is as little as it can be.
fn halve_probability(probability: &mut f64) -> bool {
    *probability /= 2.0;
    *probability >= PROBABILITY_MIN
}

fn halve_time(time: &mut Duration) -> bool {
    let is_less = *time >= Duration::from_millis(2);
    *time = Duration::from_millis((*time / 2).as_millis() as u64);
    is_less
}

/// Changes the best case again and again, as long as that leaves something to change and it still fails.
fn halve(shrinker: &mut Shrinker<'_>, change: impl Fn(&mut Faults) -> bool) {
    for _ in 0..HALVINGS {
        let mut faults = faults(shrinker);
        if !change(&mut faults) || !with(shrinker, Effort::OwnSeed, &|it| *it = faults.clone()) {
            return;
        }
    }
}

fn faults(shrinker: &Shrinker<'_>) -> Faults {
    shrinker.best.recipe.faults.clone().unwrap_or_default()
}

/// Tries the best case with its faults changed.
fn with(shrinker: &mut Shrinker<'_>, effort: Effort, change: &dyn Fn(&mut Faults)) -> bool {
    let mut recipe = shrinker.best.recipe.clone();
    let faults = recipe.faults.get_or_insert_default();
    let before = faults.clone();
    change(faults);
    *faults != before && shrinker.attempt(recipe, effort, |_, _| true)
}
