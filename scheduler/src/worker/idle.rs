//! Which workers sleep, and whom to wake when there is something to steal.
//!
//! A closure that is spawned while another worker sleeps should be started there; but waking a thread costs microseconds,
//! so at most one woken worker *searches* at a time. It wakes the next one if it finds more than it needs.
//!
//! No wake is lost: a worker first announces that it parks, then lists itself, then looks at every queue again (see
//! `Worker::sleep`); a spawner first queues, then looks at the list. With a sequentially consistent fence on both sides, one of
//! them sees the other. In this order, since whoever takes a worker off the list must find it announced, or it would not wake it.

#[cfg(all(loom, test))]
mod models;

use super::Remote;
use crate::primitive::{AtomicUsize, Mutex, Ordering, fence};

/// The sleeping workers of a runtime.
#[derive(Default)]
pub(crate) struct Sleepers {
    /// The length of `list`, to be looked at without the lock.
    count: AtomicUsize,
    /// Woken workers that have not found work yet.
    searching: AtomicUsize,
    list: Mutex<Vec<usize>>,
}

impl Sleepers {
    /// Lists worker `index` as asleep.
    pub(super) fn add(&self, index: usize) {
        let mut list = self.list.lock();
        list.push(index);
        self.count.store(list.len(), Ordering::Relaxed);
    }

    /// Takes worker `index` off the list, if nobody else has.
    pub(super) fn remove(&self, index: usize) {
        let mut list = self.list.lock();
        if let Some(position) = list.iter().position(|&listed| listed == index) {
            list.swap_remove(position);
            self.count.store(list.len(), Ordering::Relaxed);
        }
    }

    /// Wakes one sleeper to search, unless one does already.
    #[inline]
    pub(crate) fn wake_one(&self, workers: &[Remote]) {
        // Pairs with the fence in `Worker::sleep`.
        fence(Ordering::SeqCst);
        if self.count.load(Ordering::Relaxed) != 0 && self.searching.load(Ordering::Relaxed) == 0 {
            self.wake_one_slow(workers);
        }
    }

    #[cold]
    fn wake_one_slow(&self, workers: &[Remote]) {
        while self.count.load(Ordering::Relaxed) != 0 {
            if self.searching.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed).is_err() {
                return;
            }
            if self.wake_listed(workers) {
                return;
            }
            // The list was empty; whoever listed itself since, and whoever queued something since and saw us search, relies on us.
            self.search_ended();
        }
    }

    /// Wakes the worker that was listed last. `false`: the list is empty.
    fn wake_listed(&self, workers: &[Remote]) -> bool {
        let woken = {
            let mut list = self.list.lock();
            let woken = list.pop();
            self.count.store(list.len(), Ordering::Relaxed);
            // Under the lock: a worker that wakes by itself takes itself off the list before it looks at the request.
            woken.inspect(|&index| workers[index].ask_to_search())
        };
        if let Some(index) = woken {
            workers[index].wake_if_parked();
        }
        woken.is_some()
    }

    /// The searching worker has found work, or given up. It must look at the queues once more afterwards: whoever queued
    /// something meanwhile woke nobody.
    pub(super) fn search_ended(&self) {
        self.searching.store(0, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }
}
