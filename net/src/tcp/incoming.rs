//! A server's accept loop: which failures it outlives, and how.
//!
//! | `accept` says | what it means | the loop |
//! |---|---|---|
//! | `ECONNABORTED`, `EPROTO`, `ENETDOWN`, ... | that one connection died in the queue | goes on at once |
//! | `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`, `EPERM` | none can be taken just now | sleeps, then tries again |
//! | anything else | the listener will not work again | yields it, and ends |
//!
//! Invariants: it never spins, and it never ends for what may pass.

use std::io;
use std::time::Duration;

use fibra_scheduler::sleep;
use rustix::io::Errno;

use super::{TcpListener, TcpStream};

const BACKOFF_MIN: Duration = Duration::from_millis(1);
const BACKOFF_MAX: Duration = Duration::from_millis(100);

/// The connections that a [`TcpListener`] accepts; made by [`incoming`](TcpListener::incoming).
///
/// Out of descriptors or memory (`EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`, or a firewall's `EPERM`), it sleeps for 1 ms, doubling up
/// to 100 ms while that lasts, and goes on; the connections wait in the backlog meanwhile. A connection that was aborted
/// before it was accepted is skipped.
///
/// # Differences from std
///
/// std yields those errors, and a loop that ignores them spins. An error that is yielded here (the fiber was cancelled, the
/// listener was shut down) is the last item.
#[derive(Debug)]
#[must_use = "iterators are lazy: without a loop over it, nothing is accepted"]
pub struct Incoming<'a> {
    listener: &'a TcpListener,
    backoff: Backoff,
    ended: bool,
}

impl<'a> Incoming<'a> {
    pub(super) fn new(listener: &'a TcpListener) -> Self {
        Self { listener, backoff: Backoff::new(), ended: false }
    }

    fn accept(&mut self) -> io::Result<TcpStream> {
        loop {
            let error = match self.listener.accept() {
                Ok((stream, _peer)) => {
                    self.backoff = Backoff::new();
                    return Ok(stream);
                }
                Err(error) => error,
            };
            match Remedy::for_error(&error) {
                Remedy::Skip => {}
                Remedy::BackOff => sleep(self.backoff.next())?,
                Remedy::Stop => return Err(error),
            }
        }
    }
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let accepted = self.accept();
        self.ended = accepted.is_err();
        Some(accepted)
    }
}

impl std::iter::FusedIterator for Incoming<'_> {}

/// What to do about a failed `accept`.
#[derive(Debug, PartialEq, Eq)]
enum Remedy {
    Skip,
    BackOff,
    Stop,
}

impl Remedy {
    fn for_error(error: &io::Error) -> Self {
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(
                Errno::CONNABORTED
                | Errno::INTR
                // Linux hands the new connection's pending network errors to `accept`; see accept(2).
                | Errno::PROTO
                | Errno::NOPROTOOPT
                | Errno::NETDOWN
                | Errno::NETUNREACH
                | Errno::HOSTDOWN
                | Errno::HOSTUNREACH,
            ) => Self::Skip,
            Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM | Errno::PERM) => Self::BackOff,
            _ => Self::Stop,
        }
    }
}

/// How long to sleep before the next try.
#[derive(Debug)]
struct Backoff(Duration);

impl Backoff {
    const fn new() -> Self {
        Self(BACKOFF_MIN)
    }

    fn next(&mut self) -> Duration {
        let now = self.0;
        self.0 = (now * 2).min(BACKOFF_MAX);
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remedy(errno: Errno) -> Remedy {
        Remedy::for_error(&io::Error::from(errno))
    }

    #[test]
    fn what_may_pass_does_not_end_the_loop() {
        assert_eq!(remedy(Errno::CONNABORTED), Remedy::Skip);
        assert_eq!(remedy(Errno::MFILE), Remedy::BackOff);
        assert_eq!(remedy(Errno::NFILE), Remedy::BackOff);
    }

    #[test]
    fn a_dead_listener_ends_it() {
        assert_eq!(remedy(Errno::BADF), Remedy::Stop);
        assert_eq!(remedy(Errno::INVAL), Remedy::Stop);
        assert_eq!(Remedy::for_error(&io::Error::other("cancelled")), Remedy::Stop);
    }

    #[test]
    fn the_backoff_doubles_up_to_its_bound() {
        let mut backoff = Backoff::new();
        let waits: Vec<_> = (0..9).map(|_| backoff.next().as_millis()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 100, 100]);
    }
}
