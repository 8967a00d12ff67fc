//! A socket that listens for Unix streams.
//!
//! Invariant: an accepted connection is in non-blocking mode from its first moment (`accept4`), without a further system call.

use std::io;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use super::{Incoming, UnixStream};
use crate::backend::Backend;
use crate::handle::{handle, listener};
use crate::listening::{BACKLOG, Listening};
use crate::serve;
use crate::sim::Endpoint;

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
    socket: Arc<Listening<mio::net::UnixListener>>,
}

handle!(UnixListener, Listening<mio::net::UnixListener>, mio::net::UnixListener);
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
        let kernel = || {
            let listener = mio::net::UnixListener::bind_addr(addr)?;
            // Listening again changes nothing but the backlog.
            rustix::net::listen(&listener, BACKLOG)?;
            Ok(listener)
        };
        Ok(Self::on(Backend::choose(kernel, || Endpoint::listen_unix(addr))?))
    }

    /// Waits for a connection, and returns it with its peer's address, which is mostly unnamed.
    ///
    /// # Errors
    ///
    /// What the kernel reports, as in std: among it `EMFILE` (no descriptor is free; the connection stays in the backlog), after which
    /// the listener goes on; [`incoming`](Self::incoming) does that by itself. `InvalidInput` if the listener was shut down.
    pub fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let (stream, peer) = self.socket.accept(|listener| match listener {
            Backend::Kernel(listener) => {
                let (stream, peer) = listener.accept()?;
                Ok((Backend::Kernel(stream.into()), peer))
            }
            Backend::Simulated(endpoint) => {
                let (stream, peer) = endpoint.accept_unix()?;
                Ok((Backend::Simulated(stream), peer))
            }
        })?;
        Ok((UnixStream::on(stream), peer))
    }

    /// The connections, one after the other: the loop of a server. See [`Incoming`] for the failures that it outlives.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming::new(self)
    }

    /// Accepts on every worker of the runtime, and runs `handle` for each connection, on a fiber of its own. An arrival wakes one worker
    /// that sleeps, in turns; that worker serves it, or another that has nothing to do if it has no time. Ends when the listener is
    /// [shut down](Self::shutdown) or the calling fiber is cancelled; the fibers of connections go on.
    ///
    /// It outlives what [`Incoming`] does. A connection for which there is no fiber is closed.
    ///
    /// ```no_run
    /// # fn main() -> std::io::Result<()> {
    /// # fibra_scheduler::runtime::Builder::new(fibra_net::reactor::Factory::default()).run(|| {
    /// let listener = fibra_net::UnixListener::bind("/run/echo.sock")?;
    /// listener.serve(|stream, _peer| {
    ///     // Until it ends, with whatever error.
    ///     let _ = std::io::copy(&mut &stream, &mut &stream);
    /// })
    /// # })?
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// What ends the calling fiber's waits; what makes [`accept`](Self::accept) fail for good. `Unsupported` outside of a runtime.
    ///
    /// # Differences from std
    ///
    /// std has no such thing. A loop over [`incoming`](Self::incoming) that spawns does nearly the same, with one worker that accepts for
    /// all.
    pub fn serve<H>(&self, handle: H) -> io::Result<()>
    where
        H: Fn(UnixStream, SocketAddr) + Send + Sync + 'static,
    {
        let listener = self.try_clone()?;
        let error = serve::on_each_worker(move || listener.accept(), move |(stream, peer)| handle(stream, peer));
        if self.socket.is_shut_down() { Ok(()) } else { Err(error) }
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
        self.socket.shutdown()
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
