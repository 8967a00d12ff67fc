//! How the table finds a call by its xid.

use std::hash::Hasher;

/// xids are our own, dense and in order: one multiplication spreads them (Fibonacci hashing; Knuth, TAOCP 3, 6.4).
#[derive(Default)]
pub(in super::super) struct XidHasher(u64);

impl Hasher for XidHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, xid: u64) {
        self.0 = (self.0 ^ xid).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
