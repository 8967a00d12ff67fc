//! What TCP and Unix listeners share: a socket that connections are accepted from, on any worker.
//!
//! Invariants: as [`socket`](crate::socket)'s.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::Errno;

use crate::backend::Backend;
use crate::registration::Side;
use crate::seats::Seats;
use crate::wait::{Evidence, Wait, uninterrupted};

/// How many connections may wait to be accepted. The kernel caps it at `net.core.somaxconn`, whose default is the same.
pub(crate) const BACKLOG: i32 = 4096;

/// A non-blocking listener `L` that parks. See the [module](self).
#[derive(Debug)]
pub(crate) struct Listening<L> {
    io: Backend<L>,
    seats: Seats,
    nonblocking: AtomicBool,
}

impl<L: AsFd> Listening<L> {
    /// Takes a listener that is in non-blocking mode.
    pub(crate) fn new(io: Backend<L>) -> Arc<Self> {
        Arc::new(Self { seats: Seats::of(&io), io, nonblocking: AtomicBool::new(false) })
    }

    pub(crate) fn io(&self) -> &Backend<L> {
        &self.io
    }

    /// Whether accepting fails with `WouldBlock` instead of waiting.
    pub(crate) fn set_nonblocking(&self, nonblocking: bool) {
        self.nonblocking.store(nonblocking, Ordering::Relaxed);
    }

    /// Runs `accept` when a connection is there.
    pub(crate) fn accept<C>(&self, accept: impl Fn(&Backend<L>) -> io::Result<C>) -> io::Result<C> {
        let mut accept = || match accept(&self.io) {
            // Of a Unix listener that was shut down, the kernel says so only to those who block.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && self.seats.have_ended() => {
                Err(Errno::INVAL.into())
            }
            accepted => accepted,
        };
        if self.nonblocking.load(Ordering::Relaxed) {
            return uninterrupted(&mut accept);
        }
        let fd = self.io.as_fd();
        let seat = self.seats.take(fd);
        let wait = Wait { fd, registered: &seat, side: Side::Read, timeout: None };
        let accepted = wait.run(accept, |_| Evidence::default());
        Seats::leave(&seat, fd);
        accepted
    }

    /// Ends the listening, and wakes whoever waits to accept.
    ///
    /// # Errors
    ///
    /// What `shutdown` reports.
    pub(crate) fn shutdown(&self) -> io::Result<()> {
        // Elsewhere it is only for connections: new ones are then refused when the last handle is dropped.
        if cfg!(any(target_os = "linux", target_os = "android")) || self.io.kernel().is_err() {
            self.io.shutdown(std::net::Shutdown::Read)?;
        }
        self.seats.end();
        Ok(())
    }

    pub(crate) fn is_shut_down(&self) -> bool {
        self.seats.have_ended()
    }

    /// The socket's pending error (`SO_ERROR`), which this clears.
    ///
    /// # Errors
    ///
    /// What `getsockopt` reports.
    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.take_error()
    }

    /// Takes the listener out of its reactors, to be used elsewhere. It is still in non-blocking mode.
    ///
    /// # Errors
    ///
    /// `ResourceBusy` if a clone shares it; the caller's clone is dropped then.
    pub(crate) fn into_io(this: Arc<Self>) -> io::Result<L> {
        let this = Arc::try_unwrap(this)
            .map_err(|_shared| io::Error::new(io::ErrorKind::ResourceBusy, "the listener is shared by a clone"))?;
        this.io.kernel()?;
        this.seats.withdraw(this.io.as_fd())?;
        this.io.into_kernel()
    }
}
