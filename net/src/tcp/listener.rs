//! A socket that listens for TCP connections.
//!
//! Invariant: an accepted connection is in non-blocking mode from its first moment (`accept4`), without a further system call.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use super::{Incoming, TcpStream};
use crate::backend::Backend;
use crate::handle::{handle, listener};
use crate::listening::{BACKLOG, Listening};
use crate::resolve::{ToSocketAddrs, each_addr};
use crate::serve;
use crate::sim::Endpoint;

/// A TCP server's socket: [`std::net::TcpListener`] on fibers.
///
/// Closed when dropped. Several fibers, on several workers, may accept from one listener; they are served in the order in
/// which they came.
///
/// ```no_run
/// # fn main() -> std::io::Result<()> {
/// # fibra_scheduler::runtime::Builder::new(fibra_net::reactor::Factory::default()).run(|| {
/// let listener = fibra_net::TcpListener::bind("127.0.0.1:0")?;
/// println!("listening on {}", listener.local_addr()?);
/// let (_stream, peer) = listener.accept()?;
/// println!("{peer} called");
/// # Ok(())
/// # })?
/// # }
/// ```
///
/// # Differences from std
///
/// * The backlog is 4096 instead of 128, which a burst of connections overruns; clients then wait for a second.
/// * [`incoming`](Self::incoming) outlives what may pass, see [`Incoming`].
/// * [`try_clone`](Self::try_clone) shares the descriptor instead of duplicating it.
/// * Not there: what std deprecates (`only_v6`), and conversions that cannot fail (making it non-blocking can).
pub struct TcpListener {
    socket: Arc<Listening<mio::net::TcpListener>>,
}

handle!(TcpListener, Listening<mio::net::TcpListener>, mio::net::TcpListener);
listener!(TcpListener, mio::net::TcpListener, std::net::TcpListener);

impl TcpListener {
    /// Listens on the first of `addr`'s addresses that can be bound, with `SO_REUSEADDR`. Port 0 asks for a free one.
    ///
    /// # Errors
    ///
    /// The last address's: `AddrInUse`, `AddrNotAvailable`, `PermissionDenied` (a port below 1024). `InvalidInput` if there is
    /// no address; what [resolving](ToSocketAddrs::to_socket_addrs) reports.
    pub fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<Self> {
        each_addr(addr, |addr| {
            let kernel = || {
                let listener = mio::net::TcpListener::bind(addr)?;
                // mio listens with std's backlog; listening again changes nothing else.
                rustix::net::listen(&listener, BACKLOG)?;
                Ok(listener)
            };
            Ok(Self::on(Backend::choose(kernel, || Endpoint::listen(addr))?))
        })
    }

    /// Waits for a connection, and returns it with its peer's address.
    ///
    /// # Errors
    ///
    /// What the kernel reports, as in std: among it `EMFILE` (no descriptor is free; the connection stays in the
    /// backlog) and `ConnectionAborted` (it was gone before it was accepted), after which the listener goes on;
    /// [`incoming`](Self::incoming) does that by itself. `InvalidInput` if the listener was shut down.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = self.socket.accept(|listener| match listener {
            Backend::Kernel(listener) => {
                let (stream, peer) = listener.accept()?;
                Ok((Backend::Kernel(stream.into()), peer))
            }
            Backend::Simulated(endpoint) => {
                let (stream, peer) = endpoint.accept()?;
                Ok((Backend::Simulated(stream), peer))
            }
        })?;
        Ok((TcpStream::on(stream), peer))
    }

    /// The connections, one after the other: the loop of a server. See [`Incoming`] for the failures that it outlives; a server also
    /// outlives that a spawn is refused if it spawns with [`Builder::spawn`](fibra_scheduler::Builder::spawn).
    ///
    /// ```no_run
    /// # fn main() -> std::io::Result<()> {
    /// # fibra_scheduler::runtime::Builder::new(fibra_net::reactor::Factory::default()).run(|| {
    /// for stream in fibra_net::TcpListener::bind("127.0.0.1:7000")?.incoming() {
    ///     let stream = stream?;
    ///     fibra_scheduler::spawn(move || println!("{:?} called", stream.peer_addr()));
    /// }
    /// # Ok(())
    /// # })?
    /// # }
    /// ```
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
    /// let listener = fibra_net::TcpListener::bind("127.0.0.1:7000")?;
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
        H: Fn(TcpStream, SocketAddr) + Send + Sync + 'static,
    {
        let listener = self.try_clone()?;
        let error = serve::on_each_worker(move || listener.accept(), move |(stream, peer)| handle(stream, peer));
        if self.socket.is_shut_down() { Ok(()) } else { Err(error) }
    }

    /// Ends the listening, for all clones: whoever waits in [`accept`](Self::accept), on whichever worker or thread, gets
    /// `InvalidInput`, and so does who comes later. Connections that nobody has accepted are closed; new ones are refused. The address
    /// is free when the last clone is dropped.
    ///
    /// # Errors
    ///
    /// `NotConnected` if it has ended already.
    ///
    /// # Differences from std
    ///
    /// std has no such thing: whoever blocks in `accept` cannot be told to stop.
    pub fn shutdown(&self) -> io::Result<()> {
        self.socket.shutdown()
    }

    #[cfg(feature = "tls")]
    pub(crate) fn is_shut_down(&self) -> bool {
        self.socket.is_shut_down()
    }

    /// The address that it listens on.
    ///
    /// # Errors
    ///
    /// What `getsockname` reports.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.io().local_addr()
    }

    /// Sets the time to live (`IP_TTL`) of the packets sent from it, in hops.
    ///
    /// # Errors
    ///
    /// What `setsockopt` reports.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket.io().option(|io| io.set_ttl(ttl).map(Ok), |options| options.set_ttl(ttl))?
    }

    /// The time to live (`IP_TTL`), in hops.
    ///
    /// # Errors
    ///
    /// What `getsockopt` reports.
    pub fn ttl(&self) -> io::Result<u32> {
        self.socket.io().option(|io| io.ttl(), |options| options.ttl)
    }
}
