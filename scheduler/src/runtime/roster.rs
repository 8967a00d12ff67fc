//! The threads that belong to a runtime. Whether the process has others decides whether somebody outside could still wake a fiber.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fibra_fiber::process_status;

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Roster {
    threads: AtomicUsize,
}

/// A thread's place on the roster, given up when dropped.
#[derive(Debug)]
pub(crate) struct Enlisted {
    roster: Arc<Roster>,
}

/// The signals whose handlers wake nobody: those of faults, SIGABRT, SIGQUIT and SIGURG (which fibra itself handles), and the two
/// that glibc keeps for itself.
const HARMLESS_SIGNALS: [u32; 11] = [3, 4, 5, 6, 7, 8, 11, 23, 31, 32, 33];

impl Roster {
    /// Counts the calling thread.
    pub(crate) fn enlist(self: &Arc<Self>) -> Enlisted {
        self.threads.fetch_add(1, Ordering::AcqRel);
        Enlisted { roster: self.clone() }
    }

    /// Whether everything that runs in this process is counted here, so that nobody else could wake a fiber: no other thread, no
    /// signal handler. `false` where that cannot be known.
    pub(crate) fn is_everyone(&self) -> bool {
        let harmless = HARMLESS_SIGNALS.iter().fold(0, |mask, signal| mask | 1 << (signal - 1));
        // Those who are counted are there, so if there are as many threads, they are all.
        let counted = self.threads.load(Ordering::Acquire);
        process_status().is_ok_and(|status| status.caught_signals & !harmless == 0 && status.threads == counted)
    }
}

impl Drop for Enlisted {
    fn drop(&mut self) {
        self.roster.threads.fetch_sub(1, Ordering::AcqRel);
    }
}
