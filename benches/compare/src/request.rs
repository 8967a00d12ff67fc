//! The two services that every server here offers, and what all of them share: bytes and CPU, no I/O.
//!
//! * **echo**: whatever arrives goes back.
//! * **request**: read a frame, compute for 5 us, pause for a millisecond if the frame asks for it (one in a hundred does), write
//!   the frame back with the result in it. One after the other on each connection.
//!
//! ```text
//! frame     length of the body, u32 big endian │ body
//! body      1: pause, 0: do not │ seed, u64 big endian │ anything │ result, u64 big endian
//! ```

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The bytes that a server reads at most at a time.
pub(crate) const BUFFER: usize = 1024;

/// The bytes before a frame's body.
pub(crate) const PREFIX: usize = 4;

/// How long a request pauses if it does.
pub(crate) const PAUSE: Duration = Duration::from_millis(1);

const BODY: std::ops::RangeInclusive<usize> = 17..=BUFFER - PREFIX;

/// How many rounds of [`compute`] take 5 us. The parent measures it once and tells every server, so that all do the same work.
static ROUNDS: AtomicU64 = AtomicU64::new(0);

/// The length of the body that `prefix` announces.
///
/// # Errors
///
/// `InvalidData` if no body is that long.
pub(crate) fn body_length(prefix: &[u8]) -> io::Result<usize> {
    let length = prefix.first_chunk().map(|&bytes| u32::from_be_bytes(bytes) as usize);
    length.filter(|length| BODY.contains(length)).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Whether the request asks for a pause.
pub(crate) fn asks_for_pause(body: &[u8]) -> bool {
    body[0] != 0
}

/// The request's CPU: a chain of steps that each wait for the one before and that no compiler can fold, so that all take the same time.
/// Writes the result to the end of `body`.
pub(crate) fn compute(body: &mut [u8]) {
    let seed = body[1..].first_chunk().map_or(0, |&seed| u64::from_be_bytes(seed));
    if let Some(result) = body.last_chunk_mut() {
        *result = scramble(seed, ROUNDS.load(Ordering::Relaxed)).to_be_bytes();
    }
}

/// `rounds` steps of a generator. The shift is what keeps an optimiser from making one multiplication of several.
pub(crate) fn scramble(seed: u64, rounds: u64) -> u64 {
    (0..rounds).fold(seed, |x, _| (x ^ (x >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93).wrapping_add(1))
}

/// Sets how much work [`compute`] does.
pub(crate) fn set_rounds(rounds: u64) {
    ROUNDS.store(rounds, Ordering::Relaxed);
}
