//! The reader's role on a connection: the bytes read and not yet acted on, and what is known about them.
//!
//! A value, so that it can be handed from one fiber to the next.
//!
//! Invariant: every whole frame is taken before more is read, so that one reading time holds for all that is buffered.

use std::io;
use std::time::{Duration, Instant};

use fibra_scheduler::clock;

use crate::limits::{CALL_TIMEOUT_MAX, CANCELS_AHEAD_MAX};
use crate::wire::decode::Decoder;
use crate::wire::frame::{Call, Frame};
use crate::wire::header::Malformed;

/// How many calls of those that were read together share a look at the clock, ...
const CLOCK_AGE_MAX: u32 = 8;

/// ... unless they are waited for less long than this.
const EXACT_BELOW: Duration = Duration::from_millis(100);

/// The reader's role: what the one who reads needs, and nobody else may touch.
pub(super) struct Reader {
    decoder: Decoder,
    /// When the bytes in the decoder were read, for the calls' deadlines.
    read_at: Instant,
    /// A time since then, and how many calls it is old.
    now: (Instant, u32),
    /// Calls that were cancelled by a frame behind their own.
    cancelled: Vec<u64>,
}

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// The peer closed its side.
    End,
    /// All that there was.
    Drained,
    /// As much as there was room for.
    Filled,
}

impl Reader {
    pub(super) fn new(frame_bytes_max: usize) -> Self {
        let now = clock::now();
        Self { decoder: Decoder::new(frame_bytes_max), read_at: now, now: (now, 0), cancelled: Vec::new() }
    }

    /// The next whole frame of what has been read.
    ///
    /// # Errors
    ///
    /// What was read is not the protocol.
    pub(super) fn next_frame(&mut self) -> Result<Option<Frame>, Malformed> {
        self.decoder.next_frame()
    }

    /// Reads once, by `read`.
    ///
    /// # Errors
    ///
    /// Those of `read`.
    pub(super) fn read(&mut self, read: impl FnOnce(&mut [u8]) -> io::Result<usize>) -> io::Result<Input> {
        let space = self.decoder.space();
        let asked = space.len();
        let count = read(space)?;
        self.decoder.filled(count);
        self.read_at = clock::now();
        self.now = (self.read_at, 0);
        self.cancelled.clear();
        self.cancelled.extend(self.decoder.cancels().take(CANCELS_AHEAD_MAX));
        Ok(match count {
            0 => Input::End,
            // There may be more at once.
            _ if count == asked => Input::Filled,
            _ => Input::Drained,
        })
    }

    /// Whether nothing has been read that was not taken.
    pub(super) fn is_empty(&self) -> bool {
        !self.decoder.is_mid_frame()
    }

    /// Whether nobody waits for this call any more.
    pub(super) fn is_cancelled(&self, xid: u64) -> bool {
        !self.cancelled.is_empty() && self.cancelled.contains(&xid)
    }

    /// What time it is, for a call that is waited for so long. Not asked for each: to ask takes about as long as a short call does.
    pub(super) fn now(&mut self, timeout: Duration) -> Instant {
        let (now, age) = &mut self.now;
        if *age >= CLOCK_AGE_MAX || (*age > 0 && timeout < EXACT_BELOW) {
            *now = clock::now();
            *age = 0;
        }
        *age += 1;
        *now
    }

    /// When what is buffered was read.
    pub(super) fn read_at(&self) -> Instant {
        self.read_at
    }

    /// When the caller gives up on this call; `None` if that is further away than the clock reaches. Whatever it says, a call ends.
    pub(super) fn deadline(&self, call: &Call) -> Option<Instant> {
        self.read_at.checked_add(call.timeout.min(CALL_TIMEOUT_MAX))
    }
}
