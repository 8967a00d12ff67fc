//! A TCP connection.
//!
//! Invariant: every `TcpStream` that a user holds is connected, or was.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{self, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::connect;
use crate::byte_stream::{ByteStream, Received, byte_stream};
use crate::handle::{handle, timeouts};
use crate::resolve::ToSocketAddrs;
use crate::socket::Socket;
use crate::timeout::zero_timeout;

/// A TCP connection: [`std::net::TcpStream`] on fibers.
///
/// Reading and writing go through `&TcpStream` too, so one fiber may read while another writes; several on the same
/// direction are served in the order in which they came. Closed when the last [clone](Self::try_clone) is dropped.
///
/// ```no_run
/// # fn main() -> std::io::Result<()> {
/// # fibra_scheduler::runtime::Builder::new(fibra_net::reactor::Factory::default()).run(|| {
/// use std::io::{Read, Write};
///
/// let mut stream = fibra_net::TcpStream::connect("example.org:80")?;
/// stream.write_all(b"GET / HTTP/1.0\r\nHost: example.org\r\n\r\n")?;
/// let mut page = String::new();
/// stream.read_to_string(&mut page)?;
/// println!("{page}");
/// # Ok(())
/// # })?
/// # }
/// ```
///
/// # Differences from std
///
/// * Several addresses are tried by [RFC 8305](https://www.rfc-editor.org/rfc/rfc8305), see [`connect`](Self::connect).
/// * An operation that runs out of its timeout fails with `TimedOut` instead of `WouldBlock`.
/// * Timeouts are fibra's, not the kernel's: they hold for all clones, and are not seen through the raw descriptor. Long ones are kept to a
///   millionth.
/// * [`try_clone`](Self::try_clone) shares the descriptor instead of duplicating it.
/// * Conversions from and into std's type can fail; from `OwnedFd`, go through std's type.
///
/// More than std has: [`try_read`](Self::try_read), [`try_write`](Self::try_write), [`into_split`](Self::into_split),
/// [`set_linger`](Self::set_linger), [`set_keepalive`](Self::set_keepalive), [`set_user_timeout`](Self::set_user_timeout). Any other
/// option can be set through [`AsFd`](std::os::fd::AsFd).
pub struct TcpStream {
    pub(crate) socket: Arc<Socket<net::TcpStream>>,
}

handle!(TcpStream, Socket<net::TcpStream>, net::TcpStream);
timeouts!(TcpStream, net::TcpStream);
byte_stream!(TcpStream);

impl TcpStream {
    /// Connects to one of `addr`'s addresses.
    ///
    /// Several are tried by [RFC 8305](https://www.rfc-editor.org/rfc/rfc8305) ("happy eyeballs"): IPv6 and IPv4 in turns, the next one
    /// as soon as one has failed or has not answered for 250 ms, while the earlier ones go on. The first that is there is taken,
    /// the others are closed.
    ///
    /// # Errors
    ///
    /// The last address's: `ConnectionRefused`, `HostUnreachable`, `NetworkUnreachable`, `TimedOut` (the kernel gave up, after
    /// two minutes or so). `InvalidInput` if there is no address; what [resolving](ToSocketAddrs::to_socket_addrs) reports.
    pub fn connect<A: ToSocketAddrs>(addr: A) -> io::Result<Self> {
        connect::to_any(addr.to_socket_addrs()?)
    }

    /// Connects to `addr` within `timeout`.
    ///
    /// # Errors
    ///
    /// `TimedOut` after that time, `InvalidInput` for a timeout of zero; else as [`connect`](Self::connect).
    pub fn connect_timeout(addr: &SocketAddr, timeout: Duration) -> io::Result<Self> {
        if timeout.is_zero() {
            return Err(zero_timeout());
        }
        connect::to_one(*addr, Some(timeout))
    }

    /// The peer's address.
    ///
    /// # Errors
    ///
    /// `NotConnected` when the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.io().peer_addr()
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// What `getsockname` reports.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.io().local_addr()
    }
}

impl ByteStream for net::TcpStream {
    // Past libc, whose wrappers are cancellation points of pthreads and take half as long again.
    fn read(&self, buf: &mut [u8]) -> io::Result<Received> {
        // Urgent data stops a read short, too, but of that the reactor tells: see `Happening`.
        Ok(Received::all(recv(self, buf, RecvFlags::empty())?.0))
    }

    fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<Received> {
        Read::read_vectored(&mut &*self, bufs).map(Received::all)
    }

    fn write(&self, buf: &[u8]) -> io::Result<usize> {
        // As std: where there is no such flag, its sockets have the option instead.
        #[cfg(not(target_vendor = "apple"))]
        const FLAGS: SendFlags = SendFlags::NOSIGNAL;
        #[cfg(target_vendor = "apple")]
        const FLAGS: SendFlags = SendFlags::empty();
        Ok(send(self, buf, FLAGS)?)
    }

    fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        Write::write_vectored(&mut &*self, bufs)
    }
}
