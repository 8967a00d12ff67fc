//! The reader's role on a connection: the bytes read and not yet acted on, and what is known about them.
//!
//! A value, so that it can be handed from one fiber to the next.
//!
//! Invariants:
//! * Every whole frame is taken before more is read, so that one reading time holds for all that is buffered.
//! * Whoever gives the role away leaves no replies in it.

use std::io;
use std::time::{Duration, Instant};

use fibra_scheduler::clock;

use super::admission::{Late, Stood};
use super::registry::{Hint, Named, Registry};
use super::replies::Replies;
use crate::buffered::Share;
use crate::limits::{CALL_TIMEOUT_MAX, CANCELS_AHEAD_MAX, TURN_TIME_MAX};
use crate::wire::decode::Decoder;
use crate::wire::frame::Call;

/// How many calls of those that were read together share a look at the clock, ...
const CLOCK_AGE_MAX: u32 = 8;

/// ... unless the last so many took longer than this together, so that looks cost little, ...
const SLOW_ABOVE: Duration = Duration::from_micros(100);

/// ... unless they are waited for less long than this.
const EXACT_BELOW: Duration = Duration::from_millis(100);

/// The reader's role: what the one who reads needs, and nobody else may touch.
pub(super) struct Reader {
    decoder: Decoder,
    /// When the bytes in the decoder were read, for the calls' deadlines.
    read_at: Instant,
    /// The timeout of the last call, and when it passes: many have the same.
    bound: (Duration, Option<Instant>),
    /// A time since then, and how many calls it is old.
    now: (Instant, u32),
    /// How old it may become.
    age_max: u32,
    /// When this turn began, as far as is known; and whether it has taken as long as it may.
    turn_began: Option<Instant>,
    turn_is_over: bool,
    /// Calls that were cancelled by a frame behind their own.
    cancelled: Vec<u64>,
    /// How long a call may wait for its turn before it is late; `None`: as long as it takes.
    target: Option<Duration>,
    stood: Stood,
    /// When its connection was last read from before.
    last_read_at: Option<Instant>,
    /// When what was read came, or before.
    came_after: Instant,
    /// From when on calls that were read are late; and whether one whose turn is at the time above is.
    late_at: Option<Instant>,
    is_late: bool,
    /// Since when it is waited for the rest of a frame.
    unfinished_since: Option<Instant>,
    /// Of what all connections hold: none, but while its connection keeps it.
    share: Share,
    /// Where the method of the last call was found.
    hint: Hint,
    /// What has been answered and not been queued.
    pub(super) replies: Replies,
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
    pub(super) fn new(frame_bytes_max: usize, target: Option<Duration>, share: Share) -> Self {
        let now = clock::now();
        Self {
            decoder: Decoder::new(frame_bytes_max),
            read_at: now,
            bound: (Duration::ZERO, Some(now)),
            now: (now, 0),
            age_max: CLOCK_AGE_MAX,
            turn_began: None,
            turn_is_over: false,
            cancelled: Vec::new(),
            target,
            stood: Stood::default(),
            last_read_at: None,
            came_after: now,
            late_at: None,
            is_late: false,
            unfinished_since: None,
            share,
            hint: Hint::NONE,
            replies: Replies::default(),
        }
    }

    /// It is for the turn of a connection that has stood in line so, and was last read from then.
    pub(super) fn has_stood(&mut self, stood: Stood, last_read_at: Option<Instant>) {
        (self.stood, self.last_read_at) = (stood, last_read_at);
        (self.turn_began, self.turn_is_over) = (None, false);
        // If it holds frames that were read in an earlier turn, time has passed.
        self.now.1 = CLOCK_AGE_MAX;
    }

    /// Looks up a call's method, at first where that of the last one was found.
    #[inline]
    pub(super) fn named(&mut self, registry: &Registry, method: &[u8]) -> Named {
        let named = registry.named(method, self.hint);
        self.hint = named.hint;
        named
    }

    /// What has been read and not been taken.
    #[inline]
    pub(super) fn decoder(&mut self) -> &mut Decoder {
        &mut self.decoder
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
        self.bound = (Duration::ZERO, Some(self.read_at));
        self.now = (self.read_at, 0);
        self.turn_began.get_or_insert(self.read_at);
        let came_after = self.stood.after.map(|after| self.last_read_at.map_or(after, |last| after.max(last)));
        self.came_after = came_after.unwrap_or(self.read_at);
        self.late_at = self.target.and_then(|target| self.came_after.checked_add(target));
        self.is_late = self.is_late_at(self.read_at);
        self.cancelled.clear();
        self.cancelled.extend(self.decoder.cancels().take(CANCELS_AHEAD_MAX));
        Ok(match count {
            0 => Input::End,
            // There may be more at once.
            _ if count == asked => Input::Filled,
            _ => Input::Drained,
        })
    }

    /// Since when it is waited for the rest of a frame: from now on, if it was not. To be asked only when there is such a rest.
    pub(super) fn unfinished_since(&mut self) -> Instant {
        *self.unfinished_since.get_or_insert_with(clock::now)
    }

    /// That frame has come as a whole, or the peer is not waited for. What comes behind it is another, and has its own time.
    #[inline]
    pub(super) fn is_not_unfinished(&mut self) {
        self.unfinished_since = None;
    }

    /// Its connection keeps it, and what was read with it; returns how many bytes of memory that takes.
    pub(super) fn is_kept(&mut self) -> usize {
        let bytes = self.decoder.held_bytes();
        self.share.set(bytes);
        bytes
    }

    /// Whoever reads has it.
    #[inline]
    pub(super) fn is_taken(&mut self) {
        self.share.set(0);
    }

    /// Whether nothing has been read that was not taken.
    pub(super) fn is_empty(&self) -> bool {
        !self.decoder.is_mid_frame()
    }

    /// When what is taken now was read.
    pub(super) fn read_at(&self) -> Instant {
        self.read_at
    }

    /// Whether a call that has waited for its turn until then is late.
    #[inline]
    pub(super) fn is_late_at(&self, now: Instant) -> bool {
        self.late_at.is_some_and(|late_at| now > late_at)
    }

    /// The same, at the time that was told last.
    #[inline]
    pub(super) fn is_late(&self) -> bool {
        self.is_late
    }

    /// How long a call whose turn is now has waited for it, at most.
    pub(super) fn waited(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.came_after)
    }

    /// What is to be said of a call that is late now.
    pub(super) fn late(&self, now: Instant, timeout: Duration, deadline: Option<Instant>) -> Late {
        Late {
            now,
            waited: self.waited(now),
            empty_at: self.stood.empty_at.unwrap_or(self.read_at),
            timeout,
            left: deadline.map(|deadline| deadline.saturating_duration_since(now)),
        }
    }

    /// Whether nobody waits for this call any more.
    #[inline]
    pub(super) fn is_cancelled(&self, xid: u64) -> bool {
        !self.cancelled.is_empty() && self.cancelled.contains(&xid)
    }

    /// What time it is, for a call that is waited for so long. Not asked for each, unless they are late: to ask takes about as long as a short call
    /// does.
    #[inline]
    pub(super) fn now(&mut self, timeout: Duration) -> Instant {
        let (now, age) = self.now;
        if age >= self.age_max || (age > 0 && (timeout < EXACT_BELOW || self.is_late)) {
            return self.now_exactly();
        }
        self.now.1 += 1;
        now
    }

    /// The same, asked for.
    pub(super) fn now_exactly(&mut self) -> Instant {
        let now = clock::now();
        let since_last = now.saturating_duration_since(self.now.0);
        self.age_max = if since_last > SLOW_ABOVE { 1 } else { CLOCK_AGE_MAX };
        let began = *self.turn_began.get_or_insert(now);
        self.turn_is_over = now.saturating_duration_since(began) >= TURN_TIME_MAX;
        self.now = (now, 1);
        self.is_late = self.is_late_at(now);
        now
    }

    /// Whether what is left is for another turn.
    #[inline]
    pub(super) fn turn_is_over(&self) -> bool {
        self.turn_is_over
    }

    /// The time when that was last known.
    pub(super) fn last_known(&self) -> Instant {
        self.now.0
    }

    /// When the caller gives up on this call; `None` if that is further away than the clock reaches. Whatever it says, a call ends.
    #[inline]
    pub(super) fn deadline(&mut self, call: &Call) -> Option<Instant> {
        if self.bound.0 != call.timeout {
            self.bound = (call.timeout, self.read_at.checked_add(call.timeout.min(CALL_TIMEOUT_MAX)));
        }
        self.bound.1
    }
}
