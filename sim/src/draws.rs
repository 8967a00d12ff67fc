//! Draws: what a test leaves open beside the simulation (how many clients, which amounts), drawn from the seed or read from a record.
//!
//! ```text
//!   a seed alone       each draw is random, and recorded as a choice: how far it lies above its least value
//!   a seed and choices each draw is the next choice; behind the last, its least value
//! ```
//!
//! So whoever makes choices smaller, or leaves some out, gets a smaller case of the same test without knowing what it draws: internal reduction, as
//! in Hypothesis (MacIver and Donaldson, "Test-Case Reduction via Test-Case Generation", ECOOP 2020).
//!
//! Invariant: the same seed and choices give the same draws, and the choices that were recorded give the same draws as what led to them.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use fibra_scheduler::seeded::Rng;
use parking_lot::Mutex;

/// How many draws are recorded; those beyond are random whatever the choices are.
pub const DRAWS_MAX: usize = 1 << 16;

/// Keeps these draws apart from others of the same seed.
const PURPOSE: u64 = 5;
const PURPOSE_BEYOND: u64 = 6;

/// What was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// What it is for.
    pub name: &'static str,
    /// How far it lies above the least that it could have been.
    pub choice: u64,
    /// What it is.
    pub value: u64,
}

#[derive(Debug)]
struct Tape {
    choices: Option<Vec<u64>>,
    /// What makes choices, and what makes those that are not recorded.
    rngs: [Rng; 2],
    drawn: Vec<Drawn>,
}

/// What a case draws from; fibers of its hosts and clients may take a clone with them.
///
/// ```
/// # fibra_sim::Explorer::new().seeds(0..20).check(|sim| {
/// let (clients, draws) = (sim.draw("clients", 1..=3), sim.draws());
/// for client in 0..clients {
///     let draws = draws.clone();
///     sim.client(&format!("client-{client}"), move || {
///         for _ in 0..draws.draw("naps", 0..=5) {
///             fibra_scheduler::sleep(std::time::Duration::from_millis(draws.draw("nap", 1..=100)))?;
///         }
///         Ok(())
///     });
/// }
/// # Ok(())
/// # });
/// ```
#[derive(Clone)]
pub struct Draws(Arc<Mutex<Tape>>);

impl Draws {
    pub(crate) fn new(seed: u64, choices: Option<Vec<u64>>) -> Self {
        let rngs = [Rng::new(seed, PURPOSE), Rng::new(seed, PURPOSE_BEYOND)];
        Self(Arc::new(Mutex::new(Tape { choices, rngs, drawn: Vec::new() })))
    }

    /// A number of `range`, each as likely; the shrinker makes it smaller. `name` says what it is for when the case is printed.
    ///
    /// # Panics
    ///
    /// If the range is empty.
    pub fn draw(&self, name: &'static str, range: RangeInclusive<u64>) -> u64 {
        let (min, max) = range.into_inner();
        assert!(min <= max, "'{name}' is drawn from an empty range");
        let span = max - min;
        let mut tape = self.0.lock();
        let at = tape.drawn.len();
        let choice = match &tape.choices {
            Some(choices) if at < DRAWS_MAX => choices.get(at).map_or(0, |choice| (*choice).min(span)),
            // The upper half of the product.
            _ => {
                let rng = &mut tape.rngs[usize::from(at >= DRAWS_MAX)];
                ((u128::from(rng.word()) * (u128::from(span) + 1)) >> 64) as u64
            }
        };
        let value = min + choice;
        if at < DRAWS_MAX {
            tape.drawn.push(Drawn { name, choice, value });
        }
        value
    }

    /// One of `values`; the shrinker prefers the first.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn pick<'a, T>(&self, name: &'static str, values: &'a [T]) -> &'a T {
        assert!(!values.is_empty(), "'{name}' is picked from nothing");
        &values[self.draw(name, 0..=values.len() as u64 - 1) as usize]
    }

    /// What has been drawn so far, in order.
    pub fn drawn(&self) -> Vec<Drawn> {
        self.0.lock().drawn.clone()
    }
}

impl fmt::Debug for Draws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draws").finish_non_exhaustive()
    }
}

/// The choices of `drawn`, without the last ones that are 0, which go without saying.
pub(crate) fn choices(drawn: &[Drawn]) -> Vec<u64> {
    let mut choices: Vec<u64> = drawn.iter().map(|drawn| drawn.choice).collect();
    while choices.last() == Some(&0) {
        choices.pop();
    }
    choices
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw_some(draws: &Draws) -> Vec<u64> {
        let count = draws.draw("count", 1..=9);
        let mut drawn: Vec<_> = (0..count).map(|_| draws.draw("number", 10..=1000)).collect();
        drawn.push(draws.draw("any", 0..=u64::MAX));
        drawn
    }

    #[test]
    fn what_was_recorded_gives_the_same_again() {
        for seed in 0..100 {
            let draws = Draws::new(seed, None);
            let first = draw_some(&draws);
            assert_eq!(draw_some(&Draws::new(seed + 1, Some(choices(&draws.drawn())))), first);
            assert!(first[..first.len() - 1].iter().all(|number| (10..=1000).contains(number)));
        }
    }

    #[test]
    fn without_choices_all_is_least() {
        assert_eq!(draw_some(&Draws::new(7, Some(Vec::new()))), [10, 0]);
        assert_eq!(draw_some(&Draws::new(7, Some(vec![99, 5]))), [15, 10, 10, 10, 10, 10, 10, 10, 10, 0]);
        assert_eq!(*Draws::new(7, Some(Vec::new())).pick("word", &["first", "second"]), "first");
    }

    #[test]
    fn draws_beyond_the_record_are_the_same_again() {
        let many = |draws: &Draws| (0..DRAWS_MAX + 50).map(|_| draws.draw("n", 0..=9)).collect::<Vec<_>>();
        let draws = Draws::new(3, None);
        let first = many(&draws);
        assert_eq!(draws.drawn().len(), DRAWS_MAX);
        assert!(first[DRAWS_MAX..].iter().any(|n| *n != 0));
        let again = many(&Draws::new(3, Some(choices(&draws.drawn()))));
        assert_eq!(again, first);
    }
}
