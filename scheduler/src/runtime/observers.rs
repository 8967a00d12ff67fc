//! What watches a runtime from threads of its own: the watchdog, and who listens for SIGQUIT.

use std::io;
use std::time::Duration;

use super::quit::QuitListener;
use super::{Builder, Crew};
use crate::watchdog;

impl Builder {
    /// How long a fiber may run without a switch before the watchdog logs a warning: which fiber, since when, whether it computes or
    /// is blocked in a system call, and its backtrace. `None`, or [`Duration::MAX`], for no watchdog. Default: 100 ms.
    ///
    /// The backtrace is taken by sending the worker's thread a SIGURG, which may end a system call with `EINTR` that is not
    /// restarted, such as `poll`.
    pub fn watchdog(mut self, budget: impl Into<Option<Duration>>) -> Self {
        self.watchdog = budget.into().filter(|&budget| budget != Duration::MAX);
        self
    }

    /// Whether SIGQUIT (in a terminal: Ctrl-\\) prints a [dump](mod@crate::dump) to standard error instead of ending the process.
    /// Default: no.
    pub fn dump_on_sigquit(mut self, on: bool) -> Self {
        self.dump_on_sigquit = on;
        self
    }

    pub(super) fn start_observers(&self, crew: &mut Crew) -> io::Result<()> {
        if self.dump_on_sigquit {
            crew.quit = Some(QuitListener::start(&crew.shared)?);
        }
        if let Some(budget) = self.watchdog {
            crew.watchdog = watchdog::start(&crew.shared, budget);
        }
        Ok(())
    }
}
