//! UDP: datagrams to and from any address, or one.

mod options;

use std::io;
use std::net::{self, SocketAddr};
use std::sync::Arc;

use crate::backend::Backend;
use crate::handle::{handle, timeouts};
use crate::registration::Side;
use crate::resolve::{ToSocketAddrs, each_addr};
use crate::sim::Endpoint;
use crate::socket::Socket;

/// A UDP socket: [`std::net::UdpSocket`] on fibers.
///
/// Sending and receiving go through `&UdpSocket`, so one fiber may receive while others send. Closed when the last
/// [clone](Self::try_clone) is dropped.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # fibra_scheduler::runtime::Builder::new(fibra_net::reactor::Factory::default()).run(|| {
/// use fibra_net::UdpSocket;
///
/// let echo = UdpSocket::bind("127.0.0.1:0")?;
/// let addr = echo.local_addr()?;
/// fibra_scheduler::spawn(move || -> std::io::Result<()> {
///     let mut buf = [0; 1500];
///     loop {
///         let (len, peer) = echo.recv_from(&mut buf)?;
///         echo.send_to(&buf[..len], peer)?;
///     }
/// });
///
/// let client = UdpSocket::bind("127.0.0.1:0")?;
/// client.connect(addr)?;
/// client.send(b"hello")?;
/// let mut answer = [0; 16];
/// assert_eq!(client.recv(&mut answer)?, 5);
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
pub struct UdpSocket {
    socket: Arc<Socket<net::UdpSocket>>,
}

handle!(UdpSocket, Socket<net::UdpSocket>, net::UdpSocket);
timeouts!(UdpSocket, net::UdpSocket);

impl UdpSocket {
    /// A socket at the first of `addr`'s addresses that can be bound. Port 0 asks for a free one.
    ///
    /// # Errors
    ///
    /// The last address's: `AddrInUse`, `AddrNotAvailable`, `PermissionDenied` (a port below 1024). `InvalidInput` if there is
    /// no address; what [resolving](ToSocketAddrs::to_socket_addrs) reports.
    pub fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<Self> {
        each_addr(addr, |addr| {
            let kernel = || {
                let socket = net::UdpSocket::bind(addr)?;
                socket.set_nonblocking(true)?;
                Ok(socket)
            };
            Ok(Self::on(Backend::choose(kernel, || Endpoint::bind_datagram(addr))?))
        })
    }

    /// Sets the one address to send to, by [`send`](Self::send), and to receive from. Does not wait: nothing is sent.
    ///
    /// # Errors
    ///
    /// The last address's, as the kernel reports it; what [resolving](ToSocketAddrs::to_socket_addrs) reports.
    pub fn connect<A: ToSocketAddrs>(&self, addr: A) -> io::Result<()> {
        each_addr(addr, |addr| self.socket.io().connect(addr))
    }

    /// Waits for a datagram; returns its length and where it comes from. What does not fit into `buf` is lost.
    ///
    /// # Errors
    ///
    /// What the kernel reports: `ConnectionRefused` if something that was sent has met nobody, and the socket is connected.
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.socket.receive(|socket| self.socket.or_end(socket.recv_from(buf), from_nobody))
    }

    /// As [`recv_from`](Self::recv_from), but leaves the datagram there.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](Self::recv_from).
    pub fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.socket.receive(|socket| self.socket.or_end(socket.peek_from(buf), from_nobody))
    }

    /// Waits for a datagram of the [connected](Self::connect) address; returns its length. What does not fit into `buf` is lost.
    ///
    /// # Errors
    ///
    /// What the kernel reports: `ConnectionRefused` if something that was sent has met nobody.
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.socket.exchange(Side::Read, |socket| self.socket.or_end(socket.recv(buf), || Ok(0)))
    }

    /// As [`recv`](Self::recv), but leaves the datagram there.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.socket.exchange(Side::Read, |socket| self.socket.or_end(socket.peek(buf), || Ok(0)))
    }

    /// Sends `buf` as one datagram to the first of `addr`'s addresses; waits while the socket's buffer is full.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if there is no address; what [resolving](ToSocketAddrs::to_socket_addrs) and the kernel report.
    pub fn send_to<A: ToSocketAddrs>(&self, buf: &[u8], addr: A) -> io::Result<usize> {
        let addr = addr.to_socket_addrs()?.next();
        let addr = addr.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no addresses to send data to"))?;
        self.socket.exchange(Side::Write, |socket| socket.send_to(buf, addr))
    }

    /// Sends `buf` as one datagram to the [connected](Self::connect) address; waits while the socket's buffer is full.
    ///
    /// # Errors
    ///
    /// What the kernel reports: `NotConnected` (`EDESTADDRREQ` has no kind) without an address; `ConnectionRefused` if something that was
    /// sent before has met nobody.
    pub fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.socket.exchange(Side::Write, |socket| socket.send(buf))
    }

    /// The [connected](Self::connect) address.
    ///
    /// # Errors
    ///
    /// `NotConnected` without one.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.io().peer_addr()
    }

    /// The address of this socket.
    ///
    /// # Errors
    ///
    /// What `getsockname` reports.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.io().local_addr()
    }
}

/// The end of a socket that was shut down through its descriptor: nothing, and from no address, which std calls this.
fn from_nobody() -> io::Result<(usize, SocketAddr)> {
    Err(io::Error::new(io::ErrorKind::InvalidInput, "the socket was shut down"))
}

/// What the calls of std's socket do, on either backend.
impl Backend<net::UdpSocket> {
    fn connect(&self, addr: SocketAddr) -> io::Result<()> {
        match self {
            Self::Kernel(socket) => socket.connect(addr),
            Self::Simulated(endpoint) => endpoint.connect_datagram(addr),
        }
    }

    fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match self {
            Self::Kernel(socket) => socket.recv_from(buf),
            Self::Simulated(endpoint) => endpoint.receive(buf, false),
        }
    }

    fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match self {
            Self::Kernel(socket) => socket.peek_from(buf),
            Self::Simulated(endpoint) => endpoint.receive(buf, true),
        }
    }

    fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Kernel(socket) => socket.recv(buf),
            Self::Simulated(endpoint) => Ok(endpoint.receive(buf, false)?.0),
        }
    }

    fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Kernel(socket) => socket.peek(buf),
            Self::Simulated(endpoint) => Ok(endpoint.receive(buf, true)?.0),
        }
    }

    fn send_to(&self, buf: &[u8], addr: SocketAddr) -> io::Result<usize> {
        match self {
            Self::Kernel(socket) => socket.send_to(buf, addr),
            Self::Simulated(endpoint) => endpoint.send(buf, Some(addr)),
        }
    }

    fn send(&self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Kernel(socket) => socket.send(buf),
            Self::Simulated(endpoint) => endpoint.send(buf, None),
        }
    }
}
