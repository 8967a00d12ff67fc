//! What all sockets share: the descriptor, its registration, its timeouts.
//!
//! The types that users see hold an `Arc<Socket<_>>`, so that `try_clone` shares the one descriptor, registration and queue of
//! waiters; a duplicate of the descriptor would be a second source of events, which outlives the first one's `close`.
//!
//! Invariants:
//! * The descriptor is in non-blocking mode. (A simulated socket has none, and behaves so: see [`backend`](crate::backend).)
//! * It is closed before its slot in the reactor is freed, and that before a lingering close: the order of the fields, here and in the
//!   registration.
//! * Whoever waits borrows the socket, so it is never closed under a waiter.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
#[cfg(feature = "tokio-io")]
use std::task::{Context, Poll};
use std::time::Duration;
#[cfg(feature = "tls")]
use std::time::Instant;

use fibra_scheduler::clock;

use crate::backend::Backend;
use crate::backoff::{ASK_AGAIN_MAX, ASK_AGAIN_MIN, Backoff};
use crate::budget;
use crate::reactor::Home;
use crate::ready_set::Watch;
use crate::registration::{Registered, Registration, Side};
#[cfg(feature = "tokio-io")]
use crate::task::Role;
use crate::timeout::Timeout;
#[cfg(feature = "tls")]
use crate::wait::first;
use crate::wait::{Evidence, Wait, uninterrupted};

/// A non-blocking socket `S` that parks. See the [module](self).
#[derive(Debug)]
pub(crate) struct Socket<S> {
    io: Backend<S>,
    registration: Registration,
    read_timeout: Timeout,
    write_timeout: Timeout,
}

impl<S: Send + Sync> Registered for Socket<S> {
    #[inline]
    fn registration(&self) -> &Registration {
        &self.registration
    }
}

impl<S: AsFd + Send + Sync + 'static> Socket<S> {
    /// Takes a socket that is in non-blocking mode.
    pub(crate) fn new(io: Backend<S>) -> Arc<Self> {
        let socket = Arc::new(Self {
            registration: Registration::new(),
            io,
            read_timeout: Timeout::default(),
            write_timeout: Timeout::default(),
        });
        Registration::attach(&socket, &socket.io);
        socket
    }

    #[inline]
    pub(crate) fn io(&self) -> &Backend<S> {
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
        self.registration.sides().set_nonblocking(nonblocking);
    }

    fn is_nonblocking(&self) -> bool {
        self.registration.sides().is_nonblocking()
    }

    /// Runs `op` when the socket is ready for it, within the timeout of `side`. `evidence` is what its success says.
    pub(crate) fn run<T>(
        self: &Arc<Self>,
        side: Side,
        op: impl FnMut(&Backend<S>) -> io::Result<T>,
        evidence: impl Fn(&T) -> Evidence,
    ) -> io::Result<T> {
        self.wait(side, self.timeout(side).get(), op, evidence)
    }

    /// Runs `op`, which takes or gives one whole message, when the socket is ready for it.
    pub(crate) fn exchange(
        self: &Arc<Self>,
        side: Side,
        op: impl FnMut(&Backend<S>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.run(side, op, |&bytes| Evidence { bytes, drained: false })
    }

    /// As [`exchange`](Self::exchange), for what also says where the message is from.
    pub(crate) fn receive<A>(
        self: &Arc<Self>,
        op: impl FnMut(&Backend<S>) -> io::Result<(usize, A)>,
    ) -> io::Result<(usize, A)> {
        self.run(Side::Read, op, |&(bytes, _)| Evidence { bytes, drained: false })
    }

    /// `result`, or what `end` says if it would have to wait for what does not come any more: of a socket that was shut down for reading,
    /// the kernel says so only to those who block, unless it is a connection.
    pub(crate) fn or_end<T>(&self, result: io::Result<T>, end: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        match result {
            Err(error)
                if error.kind() == io::ErrorKind::WouldBlock
                    && self.registration.sides().has_ended()
                    && !self.is_nonblocking() =>
            {
                end()
            }
            result => result,
        }
    }

    /// Runs `op` when the socket is ready for it; its success says nothing about what is left.
    pub(crate) fn perform<T>(
        self: &Arc<Self>,
        side: Side,
        timeout: Option<Duration>,
        op: impl FnMut(&Backend<S>) -> io::Result<T>,
    ) -> io::Result<T> {
        self.wait(side, timeout, op, |_| Evidence::default())
    }

    /// When an operation on `side` that begins now has taken too long.
    #[cfg(feature = "tls")]
    pub(crate) fn deadline(&self, side: Side) -> Option<Instant> {
        self.timeout(side).get().and_then(|timeout| clock::now().checked_add(timeout))
    }

    /// As [`run`](Self::run), for one of several steps of an operation, which has to end by `deadline`.
    #[cfg(feature = "tls")]
    pub(crate) fn run_until<T>(
        self: &Arc<Self>,
        side: Side,
        deadline: Option<Instant>,
        op: impl FnMut(&Backend<S>) -> io::Result<T>,
        evidence: impl Fn(&T) -> Evidence,
    ) -> io::Result<T> {
        let timeout = deadline.map(|deadline| deadline.saturating_duration_since(clock::now()));
        self.wait(side, timeout, op, evidence)
    }

    /// Runs `op` for whichever side is ready, until that succeeds or fails for good, by `deadline`.
    #[cfg(feature = "tls")]
    pub(crate) fn either<T>(
        self: &Arc<Self>,
        deadline: Option<Instant>,
        mut op: impl FnMut(Side, &Backend<S>) -> io::Result<T>,
    ) -> io::Result<T> {
        const SIDES: [Side; 2] = [Side::Read, Side::Write];
        if self.is_nonblocking() {
            return match uninterrupted(&mut || op(Side::Write, &self.io)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    uninterrupted(&mut || op(Side::Read, &self.io))
                }
                result => result,
            };
        }
        let waits = SIDES.map(|side| self.waiting(side, None));
        match first(&waits, deadline, |index| op(SIDES[index], &self.io))? {
            Some((_, result)) => result,
            None => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Has `watch` announced once, when there may be something to read.
    ///
    /// # Errors
    ///
    /// What stops the socket from being registered.
    pub(crate) fn announce_to(self: &Arc<Self>, watch: Watch) -> io::Result<()> {
        Registration::ensure(self, self.io.as_fd())?;
        self.registration.sides().direction(Side::Read).announce_to(watch);
        Ok(())
    }

    /// Lets whoever waits for `side` look again.
    #[cfg(feature = "tls")]
    pub(crate) fn nudge(&self, side: Side) {
        self.registration.sides().direction(side).raise(false);
    }

    /// Runs `op` if it need not wait, also not for others who wait for `side` already.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if it would have to wait.
    pub(crate) fn run_now<T>(
        self: &Arc<Self>,
        side: Side,
        mut op: impl FnMut(&Backend<S>) -> io::Result<T>,
        evidence: impl Fn(&T) -> Evidence,
    ) -> io::Result<T> {
        self.waiting(side, None).run_now(|| op(&self.io), evidence)
    }

    /// Runs `op`, which may have to wait for what no event announces: asks again and again, within the timeout of `side`.
    pub(crate) fn insist<T>(&self, side: Side, mut op: impl FnMut(&Backend<S>) -> io::Result<T>) -> io::Result<T> {
        let mut op = || op(&self.io);
        if budget::is_used_up() {
            budget::rest()?;
        }
        let mut patience = None;
        loop {
            match uninterrupted(&mut op) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && !self.is_nonblocking() => {}
                result => {
                    budget::spend(0);
                    return result;
                }
            }
            let (backoff, deadline) = patience.get_or_insert_with(|| {
                let deadline = self.timeout(side).get().and_then(|timeout| clock::now().checked_add(timeout));
                (Backoff::new(ASK_AGAIN_MIN, ASK_AGAIN_MAX), deadline)
            });
            backoff.pause(*deadline)?;
        }
    }

    /// Runs `op` if `side` is ready, also if others wait; else has the task woken when it is. No timeout counts.
    #[cfg(feature = "tokio-io")]
    pub(crate) fn poll<T>(
        self: &Arc<Self>,
        side: Side,
        cx: &mut Context<'_>,
        mut op: impl FnMut(&Backend<S>) -> io::Result<T>,
        evidence: impl Fn(&T) -> Evidence,
    ) -> Poll<io::Result<T>> {
        self.waiting(side, None).poll(Role::Own, cx, || op(&self.io), evidence)
    }

    /// As `poll(Side::Write)`, by a task that reads: whoever writes is woken, too.
    #[cfg(all(feature = "tls", feature = "tokio-io"))]
    pub(crate) fn poll_helping<T>(
        self: &Arc<Self>,
        cx: &mut Context<'_>,
        mut op: impl FnMut(&Backend<S>) -> io::Result<T>,
        evidence: impl Fn(&T) -> Evidence,
    ) -> Poll<io::Result<T>> {
        self.waiting(Side::Write, None).poll(Role::Helper, cx, || op(&self.io), evidence)
    }

    fn wait<T>(
        self: &Arc<Self>,
        side: Side,
        timeout: Option<Duration>,
        mut op: impl FnMut(&Backend<S>) -> io::Result<T>,
        evidence: impl Fn(&T) -> Evidence,
    ) -> io::Result<T> {
        let mut op = || op(&self.io);
        if self.is_nonblocking() {
            return uninterrupted(&mut op);
        }
        self.waiting(side, timeout).run(op, evidence)
    }

    /// Whether closing may take time.
    ///
    /// # Errors
    ///
    /// What duplicating the descriptor reports.
    pub(crate) fn set_lingering(&self, lingering: bool) -> io::Result<()> {
        self.registration.set_lingering(lingering, self.io.as_fd())
    }

    /// How an operation on `side` waits.
    pub(crate) fn waiting(self: &Arc<Self>, side: Side, timeout: Option<Duration>) -> Wait<'_, Self> {
        Wait { fd: self.io.as_fd(), registered: self, side, timeout }
    }

    /// Ends receiving, sending or both, and wakes whoever waits for it.
    ///
    /// # Errors
    ///
    /// What `shutdown` reports.
    pub(crate) fn shutdown(&self, how: std::net::Shutdown) -> io::Result<()> {
        let sides: &[Side] = match how {
            std::net::Shutdown::Read => &[Side::Read],
            std::net::Shutdown::Write => &[Side::Write],
            std::net::Shutdown::Both => &[Side::Read, Side::Write],
        };
        self.io.shutdown(how)?;
        if sides.contains(&Side::Read) {
            self.registration.sides().end();
        }
        for &side in sides {
            self.raise(side);
        }
        Ok(())
    }

    /// The socket's pending error (`SO_ERROR`), which this clears.
    ///
    /// # Errors
    ///
    /// What `getsockopt` reports.
    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.take_error()
    }

    /// Wakes whoever waits for `side`, to ask the kernel again.
    fn raise(&self, side: Side) {
        self.registration.sides().direction(side).raise(true);
    }

    /// Takes the socket out of its reactor, to be used elsewhere. It is still in non-blocking mode.
    ///
    /// # Errors
    ///
    /// `ResourceBusy` if a clone shares it; the caller's clone is dropped then.
    pub(crate) fn into_io(this: Arc<Self>) -> io::Result<S> {
        // Who notes an event shares it for as long as that takes.
        let unshared = Home::between_events(this.registration.home(), || Arc::try_unwrap(this));
        let this = unshared
            .map_err(|_shared| io::Error::new(io::ErrorKind::ResourceBusy, "the socket is shared by a clone"))?;
        this.io.kernel()?;
        this.registration.withdraw(this.io.as_fd())?;
        this.io.into_kernel()
    }
}

impl<S: AsFd + Send + Sync + 'static> AsRawFd for Socket<S> {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.io.as_raw_fd()
    }
}
