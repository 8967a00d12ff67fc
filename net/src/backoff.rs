//! Waiting for what no event announces: asking again, at growing intervals.
//!
//! There are few such things: free descriptors after `EMFILE`; a place in a Unix listener's backlog; room in the queue of a Unix
//! datagram's receiver, unless the sender is connected to it; and on a plain thread that reads TLS, something that another has left to send.

use std::io;
use std::time::{Duration, Instant};

use fibra_scheduler::{clock, sleep};

/// Between the questions to the kernel whether there is room now.
pub(crate) const ASK_AGAIN_MIN: Duration = Duration::from_micros(50);
pub(crate) const ASK_AGAIN_MAX: Duration = Duration::from_millis(10);

/// The intervals: each twice the one before, up to a bound.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    max: Duration,
}

impl Backoff {
    pub(crate) const fn new(min: Duration, max: Duration) -> Self {
        Self { next: min, max }
    }

    /// Waits for the next interval, but not beyond `deadline`.
    ///
    /// # Errors
    ///
    /// `TimedOut` if the deadline has passed; and as any wait's, if the fiber is cancelled or past its own.
    pub(crate) fn pause(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        let mut pause = self.advance();
        if let Some(deadline) = deadline {
            let left = deadline.saturating_duration_since(clock::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            pause = pause.min(left);
        }
        Ok(sleep(pause)?)
    }

    fn advance(&mut self) -> Duration {
        let now = self.next;
        self.next = (now * 2).min(self.max);
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_doubles_up_to_its_bound() {
        let mut backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(100));
        let waits: Vec<_> = (0..9).map(|_| backoff.advance().as_millis()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 100, 100]);
    }

    #[test]
    fn it_does_not_outlast_the_deadline() {
        let mut backoff = Backoff::new(Duration::from_secs(3600), Duration::from_secs(3600));
        let deadline = clock::now() + Duration::from_millis(1);
        assert!(backoff.pause(Some(deadline)).is_ok());
        let late = backoff.pause(Some(deadline)).map_err(|error| error.kind());
        assert_eq!(late, Err(io::ErrorKind::TimedOut));
    }
}
