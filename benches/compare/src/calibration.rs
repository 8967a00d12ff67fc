//! How much computation 5 us are on this machine.

use std::hint::black_box;
use std::time::Instant;

use crate::request::scramble;

/// How many rounds of [`compute`](crate::request::compute) take 5 us here: the least disturbed of many measurements.
pub(crate) fn rounds_in_5_us() -> u64 {
    const SAMPLE: u64 = 20_000;
    let fastest = (0..200)
        .map(|seed| {
            let start = Instant::now();
            black_box(scramble(black_box(seed), SAMPLE));
            start.elapsed()
        })
        .min()
        .unwrap_or_default();
    (SAMPLE as f64 * 5e-6 / fastest.as_secs_f64()) as u64
}
