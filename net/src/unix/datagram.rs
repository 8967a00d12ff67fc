//! Unix datagrams: reliable, in order, with boundaries, by paths.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use crate::backend::Backend;
use crate::handle::{handle, timeouts};
use crate::registration::Side;
use crate::sim::Endpoint;
use crate::socket::Socket;

/// A Unix datagram socket: [`std::os::unix::net::UnixDatagram`] on fibers.
///
/// Nothing is lost: who sends waits while the receiver's queue is full (10 datagrams by default, `net.unix.max_dgram_qlen`).
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # fibra_scheduler::runtime::Builder::new(fibra_net::reactor::Factory::default()).run(|| {
/// let (near, far) = fibra_net::UnixDatagram::pair()?;
/// near.send(b"one")?;
/// near.send(b"two")?;
/// let mut buf = [0; 16];
/// assert_eq!(far.recv(&mut buf)?, 3);
/// # Ok(())
/// # })?
/// # }
/// ```
///
/// # Differences from std
///
/// * An operation that runs out of its timeout fails with `TimedOut` instead of `WouldBlock`.
/// * Timeouts are fibra's, not the kernel's: they hold for all clones, and are not seen through the raw descriptor. Long ones are kept to a
///   millionth.
/// * [`try_clone`](Self::try_clone) shares the descriptor instead of duplicating it.
/// * Conversions from and into std's type can fail; from `OwnedFd`, go through std's type.
pub struct UnixDatagram {
    socket: Arc<Socket<net::UnixDatagram>>,
}

handle!(UnixDatagram, Socket<net::UnixDatagram>, net::UnixDatagram);
timeouts!(UnixDatagram, net::UnixDatagram);

impl UnixDatagram {
    /// A socket at `path`, where it makes a file.
    ///
    /// # Errors
    ///
    /// `AddrInUse`: there is a file already; `InvalidInput` for a path that is too long; what the file system reports.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        Self::bind_addr(&SocketAddr::from_pathname(path)?)
    }

    /// A socket at `addr`, which may be abstract.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    pub fn bind_addr(addr: &SocketAddr) -> io::Result<Self> {
        let kernel = || nonblocking(net::UnixDatagram::bind_addr(addr)?);
        Ok(Self::on(Backend::choose(kernel, || Endpoint::open_unix_datagrams(Some(addr)))?))
    }

    /// A socket without an address: it can send, and receive once it is connected or a pair.
    ///
    /// # Errors
    ///
    /// What `socket` reports.
    pub fn unbound() -> io::Result<Self> {
        let kernel = || nonblocking(net::UnixDatagram::unbound()?);
        Ok(Self::on(Backend::choose(kernel, || Endpoint::open_unix_datagrams(None))?))
    }

    /// Two sockets that are connected to each other.
    ///
    /// # Errors
    ///
    /// What `socketpair` reports.
    pub fn pair() -> io::Result<(Self, Self)> {
        let kernel = || {
            let (near, far) = net::UnixDatagram::pair()?;
            Ok((nonblocking(near)?, nonblocking(far)?))
        };
        let (near, far) = Backend::choose_pair(kernel, Endpoint::pair_unix_datagrams)?;
        Ok((Self::on(near), Self::on(far)))
    }

    /// Sets the one address to send to, by [`send`](Self::send), and to receive from.
    ///
    /// # Errors
    ///
    /// `NotFound`: there is no such file; `ConnectionRefused`: its socket is gone; `PermissionDenied`.
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        self.connect_addr(&SocketAddr::from_pathname(path)?)
    }

    /// As [`connect`](Self::connect), for any address.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub fn connect_addr(&self, addr: &SocketAddr) -> io::Result<()> {
        self.socket.io().connect_addr(addr)
    }

    /// Waits for a datagram; returns its length and where it comes from. What does not fit into `buf` is lost.
    ///
    /// # Errors
    ///
    /// What the kernel reports.
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let end = || Ok((0, SocketAddr::from_pathname("")?));
        self.socket.receive(|socket| self.socket.or_end(socket.recv_from(buf), end))
    }

    /// Waits for a datagram; returns its length. What does not fit into `buf` is lost.
    ///
    /// # Errors
    ///
    /// What the kernel reports.
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.socket.exchange(Side::Read, |socket| self.socket.or_end(socket.recv(buf), || Ok(0)))
    }

    /// Sends `buf` as one datagram to the socket at `path`; waits while that one's queue is full. The kernel does not tell when there is
    /// room, so it is asked again, after 50 us and then less and less often, up to every 10 ms. On a
    /// [connected](Self::connect) socket, [`send`](Self::send) is told.
    ///
    /// # Errors
    ///
    /// `NotFound`: there is no such file; `ConnectionRefused`: its socket is gone; what else the kernel reports.
    pub fn send_to<P: AsRef<Path>>(&self, buf: &[u8], path: P) -> io::Result<usize> {
        self.send_to_addr(buf, &SocketAddr::from_pathname(path)?)
    }

    /// As [`send_to`](Self::send_to), for any address.
    ///
    /// # Errors
    ///
    /// As [`send_to`](Self::send_to).
    pub fn send_to_addr(&self, buf: &[u8], addr: &SocketAddr) -> io::Result<usize> {
        self.socket.insist(Side::Write, |socket| socket.send_to_addr(buf, addr))
    }

    /// Sends `buf` as one datagram to the [connected](Self::connect) address; waits while its queue is full.
    ///
    /// # Errors
    ///
    /// `NotConnected` without an address; `ConnectionRefused` if that socket is gone; what else the kernel reports.
    pub fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.socket.exchange(Side::Write, |socket| socket.send(buf))
    }

    /// Ends receiving, sending or both. Whoever waits for it wakes: who receives with `Ok(0)`, who sends with `BrokenPipe`.
    ///
    /// # Errors
    ///
    /// `NotConnected` if it is not connected.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.shutdown(how)
    }

    /// The address of this socket.
    ///
    /// # Errors
    ///
    /// What `getsockname` reports.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.io().local_addr()
    }

    /// The [connected](Self::connect) address.
    ///
    /// # Errors
    ///
    /// `NotConnected` without one.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.io().peer_addr()
    }
}

fn nonblocking(socket: net::UnixDatagram) -> io::Result<net::UnixDatagram> {
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// What the calls of std's socket do, on either backend.
impl Backend<net::UnixDatagram> {
    fn connect_addr(&self, addr: &SocketAddr) -> io::Result<()> {
        match self {
            Self::Kernel(socket) => socket.connect_addr(addr),
            Self::Simulated(endpoint) => endpoint.connect_unix_datagrams(addr),
        }
    }

    fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match self {
            Self::Kernel(socket) => socket.recv_from(buf),
            Self::Simulated(endpoint) => endpoint.receive_unix(buf),
        }
    }

    fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Kernel(socket) => socket.recv(buf),
            Self::Simulated(endpoint) => Ok(endpoint.receive_unix(buf)?.0),
        }
    }

    fn send_to_addr(&self, buf: &[u8], addr: &SocketAddr) -> io::Result<usize> {
        match self {
            Self::Kernel(socket) => socket.send_to_addr(buf, addr),
            Self::Simulated(endpoint) => endpoint.send_unix(buf, Some(addr)),
        }
    }

    fn send(&self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Kernel(socket) => socket.send(buf),
            Self::Simulated(endpoint) => endpoint.send_unix(buf, None),
        }
    }
}
