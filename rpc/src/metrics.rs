//! What a server counts of its calls, for Prometheus.
//!
//! ```text
//!   connection ─▶ shard of its thread: plain adds          scrape ─▶ sum of all shards, and of those that are gone ─▶ text
//! ```
//!
//! | file | holds |
//! |---|---|
//! | this one | [`Metrics`]: the shards of one server |
//! | [`counts`] | what one shard counts |
//! | [`text`] | the text format |
//!
//! Invariants:
//! * A shard is written by one thread only, so that to count is a load, an add and a store.
//! * A counter never goes back: a shard is summed, or has been added to what is gone, never both and never neither.

pub(crate) mod counts;
pub(crate) mod text;

use std::cell::RefCell;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use counts::{Counts, Totals};

/// All that one server counts.
pub(crate) struct Metrics {
    /// Full names, by the methods' numbers.
    methods: Vec<String>,
    state: Mutex<State>,
}

struct State {
    live: Vec<Arc<Counts>>,
    gone: Totals,
}

/// What one thread counts, for as long as it has connections.
pub(crate) struct Shard {
    counts: Arc<Counts>,
    metrics: Arc<Metrics>,
}

thread_local! {
    /// One for each server that has connections on this thread.
    static SHARDS: RefCell<Vec<Weak<Shard>>> = const { RefCell::new(Vec::new()) };
}

impl Metrics {
    pub(crate) fn new(methods: Vec<String>) -> Self {
        let state = State { live: Vec::new(), gone: Totals::new(methods.len()) };
        Self { methods, state: Mutex::new(state) }
    }

    /// This thread's shard.
    pub(crate) fn shard(self: &Arc<Self>) -> Arc<Shard> {
        let known = SHARDS.with_borrow_mut(|shards| {
            shards.retain(|shard| shard.strong_count() > 0);
            shards.iter().filter_map(Weak::upgrade).find(|shard| Arc::ptr_eq(&shard.metrics, self))
        });
        known.unwrap_or_else(|| {
            let counts = Arc::new(Counts::new(self.methods.len()));
            self.state.lock().live.push(Arc::clone(&counts));
            let shard = Arc::new(Shard { counts, metrics: Arc::clone(self) });
            SHARDS.with_borrow_mut(|shards| shards.push(Arc::downgrade(&shard)));
            shard
        })
    }

    pub(crate) fn methods(&self) -> &[String] {
        &self.methods
    }

    /// What has been counted.
    pub(crate) fn totals(&self) -> Totals {
        let state = self.state.lock();
        let mut totals = state.gone.clone();
        state.live.iter().for_each(|counts| totals.add(counts));
        totals
    }
}

impl Deref for Shard {
    type Target = Counts;

    fn deref(&self) -> &Counts {
        &self.counts
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        let mut state = self.metrics.state.lock();
        state.live.retain(|counts| !Arc::ptr_eq(counts, &self.counts));
        state.gone.add(&self.counts);
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("methods", &self.methods.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_a_thread_has_counted_outlives_it() {
        let metrics = Arc::new(Metrics::new(vec!["a.b".into()]));
        let count = || {
            let shard = metrics.shard();
            assert!(Arc::ptr_eq(&shard, &metrics.shard()), "one a thread");
            shard.begin(0, 10);
            shard.end(0, None, Duration::from_micros(5), 20);
        };
        thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(count))));
        count();
        let totals = metrics.totals();
        assert_eq!((totals.methods[0].begun, totals.methods[0].ended[0]), (5, 5));
        assert_eq!((totals.methods[0].received, totals.methods[0].sent), (50, 100));
        assert!(metrics.state.lock().live.is_empty());
    }
}
