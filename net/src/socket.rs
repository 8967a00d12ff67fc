//! What all sockets share: the descriptor, its registration, its timeouts.
//!
//! The types that users see hold an `Arc<Socket<_>>`, so that `try_clone` shares the one descriptor, registration and queue of
//! waiters; a duplicate of the descriptor would be a second source of events, which outlives the first one's `close`.
//!
//! Invariants:
//! * The descriptor is in non-blocking mode.
//! * It is closed before its slot in the reactor is freed: the order of the fields.
//! * Whoever waits borrows the socket, so it is never closed under a waiter.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::registration::{Registration, Side};
use crate::wait::{Wait, uninterrupted};

/// The most that Linux moves in one call (`MAX_RW_COUNT`), however much is asked.
const TRANSFER_MAX: usize = 0x7fff_f000;

/// A non-blocking socket `S` that parks. See the [module](self).
#[derive(Debug)]
pub(crate) struct Socket<S> {
    io: S,
    registration: Registration,
    read_timeout: Timeout,
    write_timeout: Timeout,
    nonblocking: AtomicBool,
}

impl<S: AsFd> Socket<S> {
    /// Takes a socket that is in non-blocking mode.
    pub(crate) fn new(io: S) -> Self {
        Self {
            io,
            registration: Registration::new(),
            read_timeout: Timeout::default(),
            write_timeout: Timeout::default(),
            nonblocking: AtomicBool::new(false),
        }
    }

    pub(crate) fn io(&self) -> &S {
        &self.io
    }

    /// The timeout of `side`'s operations.
    pub(crate) fn timeout(&self, side: Side) -> &Timeout {
        match side {
            Side::Read => &self.read_timeout,
            Side::Write => &self.write_timeout,
        }
    }

    /// Whether operations fail with `WouldBlock` instead of waiting.
    pub(crate) fn set_nonblocking(&self, nonblocking: bool) {
        self.nonblocking.store(nonblocking, Ordering::Relaxed);
    }

    /// Runs `op`, which moves up to `asked` bytes, when the socket is ready for it.
    pub(crate) fn transfer(
        &self,
        side: Side,
        asked: usize,
        op: impl FnMut(&S) -> io::Result<usize>,
    ) -> io::Result<usize> {
        // Nothing moved says nothing about what is left: that is the end, or nothing was asked.
        let short = |moved: &usize| 0 < *moved && *moved < asked.min(TRANSFER_MAX);
        self.wait(side, self.timeout(side).get(), op, short)
    }

    /// Runs `op` when the socket is ready for it; its success says nothing about what is left.
    pub(crate) fn perform<T>(
        &self,
        side: Side,
        timeout: Option<Duration>,
        op: impl FnMut(&S) -> io::Result<T>,
    ) -> io::Result<T> {
        self.wait(side, timeout, op, |_| false)
    }

    fn wait<T>(
        &self,
        side: Side,
        timeout: Option<Duration>,
        mut op: impl FnMut(&S) -> io::Result<T>,
        drained: impl Fn(&T) -> bool,
    ) -> io::Result<T> {
        let mut op = || op(&self.io);
        if self.nonblocking.load(Ordering::Relaxed) {
            return uninterrupted(&mut op);
        }
        Wait { fd: self.io.as_fd(), registration: &self.registration, side, timeout }.run(op, drained)
    }

    /// Wakes whoever waits for `side`, to ask the kernel again.
    pub(crate) fn raise(&self, side: Side) {
        self.registration.sides().direction(side).raise(true);
    }

    /// Takes the socket out of its reactor, to be used elsewhere. It is still in non-blocking mode.
    ///
    /// # Errors
    ///
    /// `ResourceBusy` if a clone shares it; the caller's clone is dropped then.
    pub(crate) fn into_io(this: Arc<Self>) -> io::Result<S> {
        let this = Arc::try_unwrap(this)
            .map_err(|_shared| io::Error::new(io::ErrorKind::ResourceBusy, "the socket is shared by a clone"))?;
        this.registration.withdraw(this.io.as_fd())?;
        Ok(this.io)
    }
}

impl<S: AsRawFd> AsRawFd for Socket<S> {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.io.as_raw_fd()
    }
}

/// A timeout that may be changed while it is used; 0 ns stands for none.
#[derive(Debug, Default)]
pub(crate) struct Timeout(AtomicU64);

impl Timeout {
    pub(crate) fn get(&self) -> Option<Duration> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            nanos => Some(Duration::from_nanos(nanos)),
        }
    }

    /// # Errors
    ///
    /// `InvalidInput` for zero, as std.
    pub(crate) fn set(&self, timeout: Option<Duration>) -> io::Result<()> {
        let nanos = match timeout {
            Some(Duration::ZERO) => return Err(zero_timeout()),
            // Longer than 584 years is 584 years.
            Some(timeout) => u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX),
            None => 0,
        };
        self.0.store(nanos, Ordering::Relaxed);
        Ok(())
    }
}

/// std refuses a timeout of zero, because for the kernel it would mean none.
pub(crate) fn zero_timeout() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "cannot set a 0 duration timeout")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_read_back_as_it_was_set() -> io::Result<()> {
        let timeout = Timeout::default();
        assert_eq!(timeout.get(), None);
        for set in [Some(Duration::from_nanos(1)), Some(Duration::from_secs(3600)), None] {
            timeout.set(set)?;
            assert_eq!(timeout.get(), set);
        }
        Ok(())
    }

    #[test]
    fn a_zero_timeout_is_refused_and_changes_nothing() -> io::Result<()> {
        let timeout = Timeout::default();
        timeout.set(Some(Duration::from_secs(1)))?;
        let refused = timeout.set(Some(Duration::ZERO)).map_err(|error| error.kind());
        assert_eq!(refused, Err(io::ErrorKind::InvalidInput));
        assert_eq!(timeout.get(), Some(Duration::from_secs(1)));
        Ok(())
    }
}
