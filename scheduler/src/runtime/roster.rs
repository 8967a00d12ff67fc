//! The threads that belong to a runtime. Whether the process has others decides whether somebody outside could still wake a fiber.

use std::sync::Arc;

use fibra_fiber::{caught_signals, thread_number, thread_numbers};
use parking_lot::Mutex;

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Roster {
    threads: Mutex<Vec<i32>>,
}

/// A thread's place on the roster, given up when dropped.
#[derive(Debug)]
pub(crate) struct Enlisted {
    roster: Arc<Roster>,
    number: i32,
}

/// The signals whose handlers wake nobody: those of faults, SIGABRT, SIGQUIT and SIGURG (which fibra itself handles), and the two
/// that glibc keeps for itself.
const HARMLESS_SIGNALS: [u32; 11] = [3, 4, 5, 6, 7, 8, 11, 23, 31, 32, 33];

impl Roster {
    /// Lists the calling thread.
    pub(crate) fn enlist(self: &Arc<Self>) -> Enlisted {
        let number = thread_number();
        self.threads.lock().push(number);
        Enlisted { roster: self.clone(), number }
    }

    /// Whether everything that runs in this process is listed here, so that nobody else could wake a fiber: no other thread, no
    /// signal handler. `false` where that cannot be known.
    pub(crate) fn is_everyone(&self) -> bool {
        let harmless = HARMLESS_SIGNALS.iter().fold(0, |mask, signal| mask | 1 << (signal - 1));
        if !caught_signals().is_ok_and(|caught| caught & !harmless == 0) {
            return false;
        }
        let listed = self.threads.lock().clone();
        thread_numbers().is_ok_and(|threads| threads.iter().all(|thread| listed.contains(thread)))
    }
}

impl Drop for Enlisted {
    fn drop(&mut self) {
        let mut threads = self.roster.threads.lock();
        if let Some(position) = threads.iter().position(|&listed| listed == self.number) {
            threads.swap_remove(position);
        }
    }
}
