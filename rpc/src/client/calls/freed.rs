//! Who may go on because a call has ended: to be woken once the table's lock is released.

use std::sync::Arc;

use fibra_scheduler::park::Unparker;

use super::super::connection::Connection;

/// Who may go on because a call has ended: to be woken once the lock is released.
#[derive(Default)]
#[must_use]
pub(super) struct Freed {
    pub(super) place: Option<Unparker>,
    pub(super) of_window: Option<Unparker>,
    /// Where calls have been queued that could not be before.
    pub(super) sent: Option<Arc<Connection>>,
}

impl Freed {
    pub(super) fn wake(self) {
        wake(self.place);
        wake(self.of_window);
        if let Some(connection) = self.sent {
            connection.outbox().wake_writer();
        }
    }

    /// With a connection on which something has been queued now.
    pub(super) fn sending(mut self, sent: Option<Arc<Connection>>) -> Self {
        self.sent = sent.or(self.sent);
        self
    }

    /// Puts them with others, where there is no connection to send on, or its writer is woken in any case.
    pub(super) fn join(self, others: &mut Vec<Unparker>) {
        others.extend(self.place);
        others.extend(self.of_window);
    }
}

pub(super) fn wake(waiter: Option<Unparker>) {
    if let Some(waiter) = waiter {
        waiter.unpark();
    }
}
