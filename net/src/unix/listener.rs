//! A socket that listens for Unix streams.
//!
//! Invariant: an accepted connection is in non-blocking mode from its first moment (`accept4`), without a further system call.

use std::io;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use rustix::io::Errno;

use super::{Incoming, UnixStream};
use crate::handle::{handle, listener};
use crate::registration::Side;
use crate::socket::{BACKLOG, Socket};

/// A Unix server's socket: [`std::os::unix::net::UnixListener`] on fibers.
///
/// Closed when dropped; the file stays, as in std, and binding again fails until it is removed. Several fibers, on several workers, may
/// accept from one listener; they are served in the order in which they came.
///
/// ```no_run
/// # fn main() -> std::io::Result<()> {
/// # fibra_scheduler::runtime::Builder::new(fibra_net::reactor::Factory::default()).run(|| {
/// for stream in fibra_net::UnixListener::bind("/run/example.sock")?.incoming() {
///     let stream = stream?;
///     fibra_scheduler::spawn(move || println!("{:?} called", stream.peer_cred()));
/// }
/// # Ok(())
/// # })?
/// # }
/// ```
///
/// # Differences from std
///
/// * [`incoming`](Self::incoming) outlives what may pass, see [`Incoming`].
/// * [`try_clone`](Self::try_clone) shares the descriptor instead of duplicating it.
/// * Conversions from and into std's type can fail; from `OwnedFd`, go through std's type.
pub struct UnixListener {
    socket: Arc<Socket<mio::net::UnixListener>>,
}

handle!(UnixListener, mio::net::UnixListener);
listener!(UnixListener, mio::net::UnixListener, net::UnixListener);

impl UnixListener {
    /// Listens at `path`, where it makes a file.
    ///
    /// # Errors
    ///
    /// `AddrInUse`: there is a file already; `InvalidInput` for a path that is too long; what the file system reports.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        Self::bind_addr(&SocketAddr::from_pathname(path)?)
    }

    /// Listens at `addr`, which may be abstract.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    pub fn bind_addr(addr: &SocketAddr) -> io::Result<Self> {
        let listener = mio::net::UnixListener::bind_addr(addr)?;
        // Listening again changes nothing but the backlog.
        rustix::net::listen(&listener, BACKLOG)?;
        Ok(Self::from_nonblocking(listener))
    }

    /// Waits for a connection, and returns it with its peer's address, which is mostly unnamed.
    ///
    /// # Errors
    ///
    /// What the kernel reports, as in std: among it `EMFILE` (no descriptor is free; the connection stays in the backlog), after which
    /// the listener goes on; [`incoming`](Self::incoming) does that by itself. `InvalidInput` if the listener was shut down.
    pub fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let end = || Err(Errno::INVAL.into());
        let accept = |listener: &mio::net::UnixListener| self.socket.or_end(listener.accept(), end);
        let (stream, peer) = self.socket.perform(Side::Read, None, accept)?;
        Ok((UnixStream::from_nonblocking(stream.into()), peer))
    }

    /// The connections, one after the other: the loop of a server. See [`Incoming`] for the failures that it outlives.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming::new(self)
    }

    /// Ends the listening, for all clones: whoever waits in [`accept`](Self::accept), on whichever worker or thread, gets
    /// `InvalidInput`, and so does who comes later and finds no connection that was there before. New ones are refused.
    ///
    /// # Errors
    ///
    /// What `shutdown` reports.
    ///
    /// # Differences from std
    ///
    /// std has no such thing: whoever blocks in `accept` cannot be told to stop.
    pub fn shutdown(&self) -> io::Result<()> {
        self.socket.stop_listening()
    }

    /// The address that it listens at.
    ///
    /// # Errors
    ///
    /// What `getsockname` reports.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.io().local_addr()
    }
}
