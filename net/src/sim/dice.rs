//! What the seed decides on a link, a generator for each kind of decision: one draw more of one kind, on one link, shifts no other.
//!
//! So a case stays as it was where the shrinker leaves something out, a fault or a client.

use fibra_scheduler::seeded::Rng;

/// Keeps these generators apart from others of the same seed; below come the kind and the two machines.
const PURPOSE: u64 = 1 << 40;

/// What is decided.
#[derive(Clone, Copy, Debug)]
pub(super) enum Decision {
    Latency,
    Tail,
    Loss,
    Duplication,
    Reordering,
    Splitting,
    ShortWrite,
    Reset,
    Refusal,
}

const DECISIONS: [Decision; 9] = [
    Decision::Latency,
    Decision::Tail,
    Decision::Loss,
    Decision::Duplication,
    Decision::Reordering,
    Decision::Splitting,
    Decision::ShortWrite,
    Decision::Reset,
    Decision::Refusal,
];

/// The generators of a link.
#[derive(Clone, Debug)]
pub(super) struct Dice([Rng; DECISIONS.len()]);

impl Dice {
    /// Those of the link from one machine to another.
    pub(super) fn new(seed: u64, from: u16, to: u16) -> Self {
        let link = u64::from(from) << 16 | u64::from(to);
        Self(DECISIONS.map(|decision| Rng::new(seed, PURPOSE + ((decision as u64) << 32) + link)))
    }

    pub(super) fn of(&mut self, decision: Decision) -> &mut Rng {
        &mut self.0[decision as usize]
    }
}

/// Whether what has the probability `probability` is the case. Draws nothing if that is certain.
pub(super) fn chance(rng: &mut Rng, probability: f64) -> bool {
    // Exact on every machine: a conversion, a product with a power of two, a comparison.
    probability > 0.0 && (probability >= 1.0 || ((rng.word() >> 11) as f64) / ((1_u64 << 53) as f64) < probability)
}

/// A number from `min` to `max`, both included.
pub(super) fn between(rng: &mut Rng, min: u64, max: u64) -> u64 {
    match usize::try_from(max.saturating_sub(min)) {
        Ok(0) => min,
        Ok(span) => min + rng.below(span.saturating_add(1)) as u64,
        Err(_) => min,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_certain_draws_nothing() {
        let (mut rng, mut same) = (Rng::new(7, 0), Rng::new(7, 0));
        assert!(!chance(&mut rng, 0.0) && chance(&mut rng, 1.0));
        assert_eq!(rng.word(), same.word());
    }

    #[test]
    fn no_two_are_the_same() {
        let mut first = std::collections::BTreeSet::new();
        for (from, to) in (0..10).flat_map(|from| (0..10).map(move |to| (from, to))) {
            let mut dice = Dice::new(7, from, to);
            first.extend(DECISIONS.map(|decision| dice.of(decision).word()));
        }
        assert_eq!(first.len(), 900);
    }
}
