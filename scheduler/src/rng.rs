//! The seam to randomness: a small generator that gives the same numbers for the same seed, on every machine.
//!
//! SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014): one addition and one mix a
//! number, any seed is a good seed. Not for secrets.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;

/// The golden ratio's 64 bits: what the state grows by.
const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// A small generator that gives the same numbers for the same seed, on every machine: SplitMix64. Not for secrets.
///
/// ```
/// use fibra_scheduler::seeded::Rng;
///
/// let (mut one, mut same) = (Rng::new(7, 1), Rng::new(7, 1));
/// assert_eq!([one.word(), one.word()], [same.word(), same.word()]);
/// assert!(one.below(6) < 6);
/// assert_ne!(Rng::new(7, 2).word(), Rng::new(7, 1).word());
/// ```
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The generator of one consumer of randomness: `purpose` keeps consumers with one seed apart, so that a further draw by
    /// one does not shift what the others get.
    pub fn new(seed: u64, purpose: u64) -> Self {
        Rng(mix(seed ^ mix(purpose.wrapping_add(GAMMA))))
    }

    /// The next 64 bits.
    #[inline]
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        mix(self.0)
    }

    /// A number in `0..bound`; `bound` is not 0.
    #[inline]
    pub fn below(&mut self, bound: usize) -> usize {
        // The upper half of the product: uniform but for one part in 2^64 / bound.
        ((u128::from(self.word()) * bound as u128) >> 64) as usize
    }
}

thread_local! {
    /// What the program of the seeded run on this thread draws from.
    static PROGRAM: RefCell<Option<Rng>> = const { RefCell::new(None) };
    /// The run's seed.
    static SEED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Keeps the program's generator apart from others of the same seed.
const PURPOSE: u64 = 2;

/// Gives the programs on this thread numbers of a seed, as long as it lives.
#[derive(Debug)]
pub(crate) struct Seeded {
    /// It is this thread's.
    not_send: PhantomData<*const ()>,
}

impl Seeded {
    pub(crate) fn start(seed: u64) -> Self {
        PROGRAM.with(|program| *program.borrow_mut() = Some(Rng::new(seed, PURPOSE)));
        SEED.set(Some(seed));
        Seeded { not_send: PhantomData }
    }
}

impl Drop for Seeded {
    fn drop(&mut self) {
        PROGRAM.with(|program| *program.borrow_mut() = None);
        SEED.set(None);
    }
}

/// The seed of the run on this thread, if it is in one.
pub(crate) fn seed() -> Option<u64> {
    SEED.get()
}

/// The next number for the program of the seeded run on this thread, if it is in one.
pub(crate) fn draw() -> Option<u64> {
    // A thread that is ending is in no run.
    PROGRAM.try_with(|program| program.borrow_mut().as_mut().map(Rng::word)).ok().flatten()
}

/// Spreads every bit of `word` over all 64: SplitMix64's finalizer, a bijection.
#[inline]
pub(crate) fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers for seed 1234567, as published with the reference implementation.
    #[test]
    fn the_numbers_are_those_of_the_reference() {
        let mut rng = Rng(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([(); 3].map(|()| rng.word()), expected);
    }

    #[test]
    fn bounds_hold_and_every_number_comes() {
        let mut rng = Rng::new(0, 0);
        let mut seen = [0; 7];
        (0..7000).for_each(|_| seen[rng.below(7)] += 1);
        assert!(seen.iter().all(|&times| (800..1200).contains(&times)), "{seen:?}");
    }

    #[test]
    fn consumers_of_one_seed_are_apart() {
        assert_ne!(Rng::new(5, 0).word(), Rng::new(5, 1).word());
        assert_eq!(Rng::new(5, 1).word(), Rng::new(5, 1).word());
    }
}
