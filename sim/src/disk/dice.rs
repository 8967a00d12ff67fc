//! What disks draw from their generator.

use fibra_scheduler::seeded::Rng;

/// Whether something of that probability happens. No draw where there is no choice.
pub(super) fn chance(rng: &mut Rng, probability: f64) -> bool {
    probability > 0.0 && ((rng.word() >> 11) as f64) < probability * (1_u64 << 53) as f64
}

pub(super) fn coin(rng: &mut Rng) -> bool {
    rng.below(2) == 0
}

/// Adds `word` to `hash`.
pub(super) fn fold(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(23) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// Adds `bytes` to `hash`.
pub(super) fn fold_bytes(hash: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let hash = words.iter().fold(hash, |hash, word| fold(hash, u64::from_le_bytes(*word)));
    rest.iter().fold(fold(hash, bytes.len() as u64), |hash, byte| fold(hash, (*byte).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_are_as_they_say() {
        let mut rng = Rng::new(1, 1);
        let happened = (0..10_000).filter(|_| chance(&mut rng, 0.25)).count();
        assert!((2300..2700).contains(&happened), "{happened}");
        assert!(!chance(&mut rng, 0.0) && chance(&mut rng, 1.0));
    }

    #[test]
    fn each_byte_counts() {
        assert_ne!(fold_bytes(0, &[0; 9]), fold_bytes(0, &[0; 10]));
        assert_ne!(fold_bytes(0, &[0, 0, 0, 0, 0, 0, 0, 0, 1]), fold_bytes(0, &[0; 9]));
    }
}
