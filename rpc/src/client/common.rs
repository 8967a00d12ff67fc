//! What all calls of a channel share, whichever link they go out on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::Stats;
use super::budget::Budget;
use super::builder::Settings;
use super::hedge::{self, Latencies};
use super::lanes::Lanes;
use super::link::Link;
use crate::waiters::{Ticket, Waiters};

/// See the [module](self).
pub(super) struct Common {
    pub(super) settings: Settings,
    pub(super) retries: Budget,
    pub(super) hedges: Budget,
    pub(super) latencies: Latencies,
    pub(super) lanes: Lanes,
    retried: AtomicU64,
    hedged: AtomicU64,
    links: Mutex<Links>,
    /// Who waits for a link to be connected.
    waiting: Mutex<Waiters>,
}

#[derive(Default)]
struct Links {
    live: Vec<Weak<Link>>,
    /// Nobody will call any more.
    finished: bool,
    /// What those counted that have ended.
    past: Stats,
}

impl Common {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            retries: Budget::new(settings.retry_budget),
            settings,
            hedges: Budget::new(hedge::budget()),
            latencies: Latencies::default(),
            lanes: Lanes::default(),
            retried: AtomicU64::new(0),
            hedged: AtomicU64::new(0),
            links: Mutex::default(),
            waiting: Mutex::default(),
        }
    }

    /// A call is made again.
    pub(super) fn count_retry(&self) {
        self.retried.fetch_add(1, Ordering::Relaxed);
    }

    /// A call got a second copy.
    pub(super) fn count_hedge(&self) {
        self.hedged.fetch_add(1, Ordering::Relaxed);
    }

    /// There is a link more.
    pub(super) fn enlist(&self, link: &Arc<Link>) {
        let mut links = self.links.lock();
        links.live.push(Arc::downgrade(link));
        let finished = links.finished;
        drop(links);
        if finished {
            link.calls().finish();
        }
    }

    /// That link has ended, and counts no more.
    pub(super) fn strike_off(&self, link: &Link) {
        let mut links = self.links.lock();
        let count = links.live.len();
        links.live.retain(|live| !std::ptr::eq(live.as_ptr(), link));
        if links.live.len() < count {
            let stats = link.calls().stats();
            links.past.add(&stats);
        }
    }

    /// Nobody will call any more.
    pub(super) fn finish(&self) {
        let mut links = self.links.lock();
        links.finished = true;
        let live: Vec<_> = links.live.iter().filter_map(Weak::upgrade).collect();
        drop(links);
        live.iter().for_each(|link| link.calls().finish());
    }

    /// What has happened on all links.
    pub(super) fn stats(&self) -> Stats {
        let links = self.links.lock();
        let mut stats = links.past;
        let live: Vec<_> = links.live.iter().filter_map(Weak::upgrade).collect();
        drop(links);
        live.iter().for_each(|link| stats.add(&link.calls().stats()));
        stats.retries = self.retried.load(Ordering::Relaxed);
        stats.hedges = self.hedged.load(Ordering::Relaxed);
        stats
    }

    /// A link has been connected, or lost, or is to be asked no more.
    pub(super) fn changed(&self) {
        let waiting = self.waiting.lock().take_all();
        waiting.wake();
    }

    /// Has the caller woken by the next [change](Self::changed).
    pub(super) fn wait(&self) -> Waiting<'_> {
        Waiting { common: self, ticket: self.waiting.lock().add() }
    }
}

/// The caller waits for a change.
pub(super) struct Waiting<'a> {
    common: &'a Common,
    ticket: Ticket,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.common.waiting.lock().leave(self.ticket);
    }
}
