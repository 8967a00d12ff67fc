//! Random bits: names, secrets and jitter.
//!
//! std's keyed hash, counted up: SipHash under a key that the operating system drew when the process began. Whoever sees some of its
//! outputs cannot tell the others. In a seeded run they are the seed's instead.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use fibra_scheduler::seeded;

/// 64 random bits.
pub(crate) fn bits() -> u64 {
    static KEY: OnceLock<RandomState> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    if let Some(bits) = seeded::random() {
        return bits;
    }
    KEY.get_or_init(RandomState::new).hash_one(COUNT.fetch_add(1, Ordering::Relaxed))
}

/// 128 random bits.
pub(crate) fn bytes() -> [u8; 16] {
    ((u128::from(bits()) << 64) | u128::from(bits())).to_be_bytes()
}
