//! What a session may keep of its replies: a little in any case, more from what all sessions of a server share.
//!
//! ```text
//!   Pool (a server's) ── blocks of 64 KiB ──▶ Allowance (a session's) ── bytes ──▶ replies
//! ```
//!
//! Invariants:
//! * What sessions have been granted is never more than the pool had, and all of it comes back: when a session keeps nothing, or ends.
//! * Most calls touch the session's own count only: the pool is shared by all workers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::limits::SESSION_REPLY_BYTES_MIN;

/// A session takes as much at a time.
const BLOCK: u32 = 64 * 1024;

/// What it need not ask for.
const OWN: u32 = SESSION_REPLY_BYTES_MIN as u32;

/// What all sessions may keep beyond [`SESSION_REPLY_BYTES_MIN`] each. A clone is the same pool.
#[derive(Clone, Debug)]
pub struct Pool {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    left: AtomicUsize,
    session_max: u32,
}

impl Pool {
    /// Of so many bytes, of which a session may have `session_max`; at most 2 GiB.
    pub fn new(bytes: usize, session_max: usize) -> Self {
        const SESSION_MAX: u32 = u32::MAX / 2;
        let session_max = u32::try_from(session_max).map_or(SESSION_MAX, |max| max.min(SESSION_MAX));
        Self { shared: Arc::new(Shared { left: AtomicUsize::new(bytes), session_max }) }
    }

    fn take(&self, bytes: usize) -> bool {
        let taken = self.shared.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        taken.is_ok()
    }

    fn give(&self, bytes: usize) {
        self.shared.left.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// See the [module](self). Of one of many sessions, so it counts in four bytes each.
#[derive(Debug)]
pub struct Allowance {
    pool: Pool,
    /// From the pool.
    granted: u32,
    used: u32,
}

impl Allowance {
    /// Of a session that may keep what it may, if the pool has it.
    pub fn new(pool: Pool) -> Self {
        Self { pool, granted: 0, used: 0 }
    }

    /// Whether so many bytes more may be kept; if so they count as kept.
    #[inline(always)] // A few comparisons, in the way of every call.
    pub fn take(&mut self, bytes: usize) -> bool {
        let used = (self.used as usize).saturating_add(bytes);
        if used > self.pool.shared.session_max as usize || (used > (OWN + self.granted) as usize && !self.grow(used)) {
            return false;
        }
        // It fits, since the most that may be kept does.
        self.used = used as u32;
        true
    }

    #[cold]
    fn grow(&mut self, used: usize) -> bool {
        let lacking = used as u32 - OWN - self.granted;
        // A whole block if there is one: the next replies need not ask.
        let wanted = lacking.next_multiple_of(BLOCK);
        let granted = [wanted, lacking].into_iter().find(|&bytes| self.pool.take(bytes as usize));
        self.granted += granted.unwrap_or_default();
        granted.is_some()
    }

    /// So many bytes are kept, whatever that makes of the limits: for what must not be forgotten.
    pub fn take_anyway(&mut self, bytes: usize) {
        self.used = self.used.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    /// So many bytes are not kept any more.
    #[inline]
    pub fn give(&mut self, bytes: usize) {
        self.used = (self.used as usize).saturating_sub(bytes) as u32;
        if self.used == 0 && self.granted > 0 {
            self.pool.give(std::mem::take(&mut self.granted) as usize);
        }
    }

    /// Bytes kept.
    pub fn used(&self) -> usize {
        self.used as usize
    }
}

impl Drop for Allowance {
    fn drop(&mut self) {
        self.pool.give(self.granted as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: usize = super::BLOCK as usize;

    fn left(pool: &Pool) -> usize {
        pool.shared.left.load(Ordering::Relaxed)
    }

    #[test]
    fn a_little_is_everyones_and_more_is_shared() {
        let pool = Pool::new(2 * BLOCK + 10, usize::MAX);
        let mut first = Allowance::new(pool.clone());
        let mut other = Allowance::new(pool.clone());
        assert!(first.take(SESSION_REPLY_BYTES_MIN) && other.take(SESSION_REPLY_BYTES_MIN));
        assert_eq!(left(&pool), 2 * BLOCK + 10, "of one's own");

        assert!(first.take(1) && other.take(1));
        assert_eq!(left(&pool), 10);
        assert!(first.take(BLOCK - 1) && !other.take(BLOCK + 10));
        assert!(first.take(10), "the rest, less than a block");
        assert!(!first.take(1));
        assert!(other.take(BLOCK - 1), "granted before");

        first.give(SESSION_REPLY_BYTES_MIN + BLOCK + 10);
        assert_eq!(left(&pool), BLOCK + 10, "who keeps nothing has nothing");
        drop(other);
        assert_eq!(left(&pool), 2 * BLOCK + 10);
    }

    #[test]
    fn a_session_has_its_own_limit_too() {
        let pool = Pool::new(usize::MAX / 2, 100);
        let mut allowance = Allowance::new(pool);
        assert!(allowance.take(100) && !allowance.take(1));
        allowance.take_anyway(5);
        assert_eq!(allowance.used(), 105);
        allowance.give(6);
        assert!(allowance.take(1));
    }
}
