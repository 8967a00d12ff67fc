//! What a connection of another protocol sends: whole answers, each by who has made it.
//!
//! Invariant: who cannot send closes the connection, so that nobody else tries, and who reads ends.

use std::io;

use super::Foreign;
use crate::outbox::Refused;
use crate::scratch;

impl Foreign {
    /// Sends an answer, once there is room for it.
    pub(super) fn send(&self, mut answer: Vec<u8>) {
        let sent = self.try_send(&mut answer);
        scratch::give(answer);
        if let Err(error) = sent {
            self.outbox.close();
            if error.kind() == io::ErrorKind::TimedOut {
                tracing::warn!(peer = %self.peer, reason = "the peer does not read its replies", "closed a connection");
            } else {
                tracing::debug!(peer = %self.peer, %error, "a connection was lost");
            }
            // Wakes who reads.
            self.close();
        }
    }

    fn try_send(&self, answer: &mut Vec<u8>) -> io::Result<()> {
        if answer.is_empty() {
            return Ok(());
        }
        loop {
            match self.outbox.append(answer) {
                Ok(_) => return self.outbox.flush_all(self.seat.stream()),
                Err(Refused::Closed) => return Ok(()),
                Err(Refused::Full) => {
                    self.outbox.flush_all(self.seat.stream())?;
                    self.outbox.wait_for_room(None)?;
                }
            }
        }
    }

    /// Waits while more is held for the client than it may have: who does not take answers is not read from.
    pub(super) fn wait_for_room(&self) -> io::Result<()> {
        while self.outbox.is_full() {
            self.outbox.wait_for_room(None)?;
        }
        Ok(())
    }
}
