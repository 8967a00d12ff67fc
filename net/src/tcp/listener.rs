//! A socket that listens for TCP connections.
//!
//! Invariant: an accepted connection is in non-blocking mode from its first moment (`accept4`), without a further system call.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;

use super::{Incoming, TcpStream};
use crate::registration::Side;
use crate::resolve::{ToSocketAddrs, each_addr};
use crate::socket::Socket;

/// How many connections may wait to be accepted. The kernel caps it at `net.core.somaxconn`, whose default is the same.
const BACKLOG: i32 = 4096;

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
    socket: Arc<Socket<mio::net::TcpListener>>,
}

impl TcpListener {
    /// Listens on the first of `addr`'s addresses that can be bound, with `SO_REUSEADDR`. Port 0 asks for a free one.
    ///
    /// # Errors
    ///
    /// The last address's: `AddrInUse`, `AddrNotAvailable`, `PermissionDenied` (a port below 1024). `InvalidInput` if there is
    /// no address; what [resolving](ToSocketAddrs::to_socket_addrs) reports.
    pub fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<Self> {
        each_addr(addr, |addr| {
            let listener = mio::net::TcpListener::bind(addr)?;
            // mio listens with std's backlog; listening again changes nothing else.
            rustix::net::listen(&listener, BACKLOG)?;
            Ok(Self::from_nonblocking(listener))
        })
    }

    fn from_nonblocking(listener: mio::net::TcpListener) -> Self {
        Self { socket: Arc::new(Socket::new(listener)) }
    }

    /// Waits for a connection, and returns it with its peer's address.
    ///
    /// # Errors
    ///
    /// What the kernel reports, as in std: among it `EMFILE` (no descriptor is free; the connection stays in the
    /// backlog) and `ConnectionAborted` (it was gone before it was accepted), after which the listener goes on;
    /// [`incoming`](Self::incoming) does that by itself. `InvalidInput` if the listener was shut down.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = self.socket.perform(Side::Read, None, mio::net::TcpListener::accept)?;
        Ok((TcpStream::from_nonblocking(stream.into()), peer))
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

    /// The address that it listens on.
    ///
    /// # Errors
    ///
    /// What `getsockname` reports.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.io().local_addr()
    }

    /// Another handle to the same socket.
    ///
    /// # Errors
    ///
    /// None; the signature is std's, where it duplicates the descriptor.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { socket: Arc::clone(&self.socket) })
    }

    /// Sets the time to live (`IP_TTL`) of the packets sent from it, in hops.
    ///
    /// # Errors
    ///
    /// What `setsockopt` reports.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket.io().set_ttl(ttl)
    }

    /// The time to live (`IP_TTL`), in hops.
    ///
    /// # Errors
    ///
    /// What `getsockopt` reports.
    pub fn ttl(&self) -> io::Result<u32> {
        self.socket.io().ttl()
    }

    /// The socket's pending error (`SO_ERROR`), which this clears.
    ///
    /// # Errors
    ///
    /// What `getsockopt` reports.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket.io().take_error()
    }

    /// With `true`, [`accept`](Self::accept) fails with `WouldBlock` instead of waiting. Default: `false`. Holds for all clones.
    ///
    /// # Errors
    ///
    /// None; the signature is std's. The descriptor itself is always in non-blocking mode.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.socket.set_nonblocking(nonblocking);
        Ok(())
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.io().fmt(f)
    }
}

impl AsFd for TcpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.io().as_fd()
    }
}

impl AsRawFd for TcpListener {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// Puts it into non-blocking mode; fails with what `fcntl` reports.
impl TryFrom<std::net::TcpListener> for TcpListener {
    type Error = io::Error;

    fn try_from(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self::from_nonblocking(mio::net::TcpListener::from_std(listener)))
    }
}

/// Puts it into blocking mode; fails with `ResourceBusy` if a clone shares it (this one is closed then).
impl TryFrom<TcpListener> for std::net::TcpListener {
    type Error = io::Error;

    fn try_from(listener: TcpListener) -> io::Result<Self> {
        let listener = Self::from(Socket::into_io(listener.socket)?);
        listener.set_nonblocking(false)?;
        Ok(listener)
    }
}
