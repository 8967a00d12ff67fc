//! Which connections of a worker have a frame in part, and until when it is to be whole.
//!
//! One that has none costs nothing; one that always has one, a different one each time, has one entry, which is looked at once in a timeout.
//!
//! Invariants:
//! * A connection has at most one entry, and one whose frame has not become whole has one until that is due.
//! * Entries of connections that are gone are at most as many as those that are there, and a few.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

/// So many entries are never looked through.
const FEW: usize = 64;

/// See the [module](self). `K` names a connection.
#[derive(Debug)]
pub(super) struct Unfinished<K> {
    timeout: Duration,
    entries: BinaryHeap<Reverse<(Instant, K)>>,
}

impl<K: Ord + Copy> Unfinished<K> {
    /// A frame may take so long.
    pub(super) fn new(timeout: Duration) -> Self {
        Self { timeout, entries: BinaryHeap::new() }
    }

    /// When one of which something came at `since` is to be whole; `None`: that is further away than the clock reaches.
    pub(super) fn deadline(&self, since: Instant) -> Option<Instant> {
        since.checked_add(self.timeout)
    }

    /// `key` has one, of which something came at `since`, and has no entry. There are `connections`, those that are `there`.
    pub(super) fn add(&mut self, key: K, since: Instant, connections: usize, there: impl Fn(K) -> bool) {
        let Some(deadline) = self.deadline(since) else { return };
        if self.entries.len() >= FEW + 2 * connections {
            self.entries.retain(|Reverse((_, key))| there(*key));
        }
        self.entries.push(Reverse((deadline, key)));
    }

    /// When it is time to look.
    pub(super) fn next(&self) -> Option<Instant> {
        self.entries.peek().map(|Reverse((deadline, _))| *deadline)
    }

    /// One whose entry was due by `now`, and which has none any more.
    pub(super) fn due(&mut self, now: Instant) -> Option<K> {
        if self.next()? > now {
            return None;
        }
        self.entries.pop().map(|Reverse((_, key))| key)
    }
}

#[cfg(test)]
mod tests {
    use fibra_scheduler::clock;

    use super::*;

    #[test]
    fn the_first_is_due_first() {
        let (start, second) = (clock::now(), Duration::from_secs(1));
        let mut unfinished = Unfinished::new(second);
        unfinished.add(1, start + second, 2, |_| true);
        unfinished.add(2, start, 2, |_| true);
        assert_eq!(unfinished.next(), Some(start + second));
        assert_eq!(unfinished.due(start), None);
        assert_eq!(unfinished.due(start + second), Some(2));
        assert_eq!(unfinished.due(start + second), None);
        assert_eq!(unfinished.due(start + 2 * second), Some(1));
        assert_eq!(unfinished.next(), None);
    }

    #[test]
    fn who_is_gone_is_forgotten_when_there_are_many() {
        let mut unfinished = Unfinished::new(Duration::from_secs(1));
        let now = clock::now();
        for key in 0..10_000 {
            unfinished.add(key, now, 1, |key| key == 0);
            assert!(unfinished.entries.len() <= FEW + 2);
        }
        assert_eq!(unfinished.due(now + Duration::from_secs(1)), Some(0));
    }

    #[test]
    fn without_a_timeout_there_is_nothing_to_look_at() {
        let mut unfinished = Unfinished::new(Duration::MAX);
        unfinished.add(1, clock::now(), 1, |_| true);
        assert_eq!(unfinished.next(), None);
    }
}
