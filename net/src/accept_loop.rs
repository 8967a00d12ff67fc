//! A server's accept loop: which failures it outlives, and how. The same for TCP and Unix listeners.
//!
//! | `accept` says | what it means | the loop |
//! |---|---|---|
//! | `ECONNABORTED`, `EPROTO`, `ENETDOWN`, ... | that one connection died in the queue | goes on at once |
//! | `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`, `EPERM` | none can be taken just now | sleeps, then tries again |
//! | `EAGAIN` | none is there, and the listener does not block | yields it, and goes on |
//! | anything else | the listener will not work again | yields it, and ends |
//!
//! Invariants: it never spins, and it never ends for what may pass.

use std::io;
use std::time::Duration;

use rustix::io::Errno;

use crate::backoff::Backoff;

const BACKOFF_MIN: Duration = Duration::from_millis(1);
/// What a server that was out of descriptors for long may still wait when there are some again.
const BACKOFF_MAX: Duration = Duration::from_millis(50);

/// The state of the loop: what `Incoming` is made of.
#[derive(Debug)]
pub(crate) struct AcceptLoop {
    backoff: Backoff,
    ended: bool,
}

impl AcceptLoop {
    pub(crate) const fn new() -> Self {
        Self { backoff: Backoff::new(BACKOFF_MIN, BACKOFF_MAX), ended: false }
    }

    /// The next connection, by `accept`; an error other than `WouldBlock` is the last item.
    pub(crate) fn next<T>(&mut self, accept: impl FnMut() -> io::Result<T>) -> Option<io::Result<T>> {
        if self.ended {
            return None;
        }
        let accepted = self.until_accepted(accept);
        self.ended = matches!(&accepted, Err(error) if error.kind() != io::ErrorKind::WouldBlock);
        Some(accepted)
    }

    fn until_accepted<T>(&mut self, mut accept: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        loop {
            let error = match accept() {
                Ok(connection) => {
                    self.backoff = Backoff::new(BACKOFF_MIN, BACKOFF_MAX);
                    return Ok(connection);
                }
                Err(error) => error,
            };
            match Remedy::for_error(&error) {
                Remedy::Skip => {}
                Remedy::BackOff => self.backoff.pause(None)?,
                Remedy::Stop => return Err(error),
            }
        }
    }
}

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
}
